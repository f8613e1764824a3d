//! Plans of several files, and clips.

use std::collections::HashMap;

use super::super::{Files, load_with};
use super::{Call, Diagnostic};

/// Files in memory; a clip is sound if its text says so.
struct Memory(HashMap<&'static str, String>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| "no such file".into())
    }
    fn clip(&self, path: &str) -> Result<(), String> {
        match self.0.get(path) {
            Some(text) if text == "sound" => Ok(()),
            Some(_) => Err("not a sound".into()),
            None => Err("no such file".into()),
        }
    }
}

const MAIN: &str = "\
dialplan: main
plans: {identify: parts/identify.yaml}
intents: {pay: [pay a bill], agent: [a person]}
start: hello
states:
  hello:
    steps:
      - play: clips/hello.ogg
        text: Welcome.
      - call: identify
      - listen: What now?
    on: {pay: {call: identify}, agent: bye}
    otherwise: bye
  bye:
    steps:
      - play: clips/bye.ogg
      - end:
";
const IDENTIFY: &str = "\
dialplan: identify
plans: {verify: verify.yaml}
slots: {customer: {type: digits, length: 4, prompt: Customer number?}}
start: ask
states:
  ask:
    steps:
      - ask: customer
        failed: {goto: lost}
      - call: verify
      - say: Thank you.
      - return:
  lost: {steps: [{play: ../clips/lost.ogg}, {return: }]}
knowledge:
  - {questions: [where is my number], answers: [On your card.]}
";
const VERIFY: &str = "\
dialplan: verify
start: ask
states:
  ask: {steps: [{say: One moment.}, {return: }]}
";

fn files(changes: &[(&'static str, &str)]) -> Memory {
    let all = [
        ("parts/identify.yaml", IDENTIFY),
        ("parts/verify.yaml", VERIFY),
        ("clips/hello.ogg", "sound"),
        ("clips/bye.ogg", "sound"),
        ("clips/lost.ogg", "sound"),
    ];
    Memory(all.iter().chain(changes).map(|(path, text)| (*path, (*text).to_string())).collect())
}

fn places(main: &str, changes: &[(&'static str, &str)]) -> Vec<String> {
    let found = load_with(main.as_bytes(), "bank/dialplan.yaml", &files(changes)).diagnostics;
    found.iter().map(|d: &Diagnostic| format!("{}:{}:{} {}", d.file, d.line, d.column, d.code.name())).collect()
}

#[test]
fn sub_plans_are_gone_to_and_come_back_from() {
    let plan = load_with(MAIN.as_bytes(), "x", &files(&[])).plan.expect("a plan");
    assert_eq!(plan.clips(), ["clips/bye.ogg", "clips/hello.ogg", "clips/lost.ogg"]);
    let mut call = Call::of(plan);
    let hello = call.start();
    let asked = ["in hello", "play Welcome.", "in identify/ask", "say Customer number?", "listen slot 0"];
    assert_eq!(hello, asked);
    assert_eq!(call.asks(0)[0], "say On your card.");
    let back = call.gives("1234");
    let said = ["in identify/verify/ask", "say One moment.", "in identify/ask", "say Thank you.", "in hello"];
    assert_eq!(back[..5], said);
    assert_eq!(back[5..], ["say What now?", "listen"]);
    assert_eq!(call.means("pay")[0], "in identify/ask");
    call.mumbles();
    call.mumbles();
    let lost = call.mumbles();
    assert_eq!(lost, ["in identify/lost", "play ", "in hello", "say What now?", "listen"]);
    assert_eq!(call.means("agent"), ["in bye", "play! ", "end"]);
}

#[test]
fn a_cycle_of_sub_plans_is_refused() {
    let verify = format!("{VERIFY}plans: {{again: identify.yaml}}\n");
    assert_eq!(places(MAIN, &[("parts/verify.yaml", &verify)]), ["bank/parts/verify.yaml:5:16 plan-cycle"]);
    let own = format!("{VERIFY}plans: {{again: ./verify.yaml}}\n");
    assert_eq!(places(MAIN, &[("parts/verify.yaml", &own)]), ["bank/parts/verify.yaml:5:16 plan-cycle"]);
    // One that doubles itself at each level is bounded, too.
    let many: String = (0..30).map(|n| format!("p{n}: verify.yaml, ")).collect();
    let found = places(
        &MAIN.replace("identify: parts/", &format!("{}identify: parts/", many.replace("verify", "parts/verify"))),
        &[],
    );
    assert!(found.iter().filter(|place| place.ends_with("plan-cycle")).count() >= 10, "{found:?}");
}

#[test]
fn mistakes_are_at_their_place_in_their_file() {
    assert_eq!(places(MAIN, &[]), Vec::<String>::new());
    let identify = IDENTIFY.replace("goto: lost", "goto: hello");
    let found = places(MAIN, &[("parts/identify.yaml", &identify)]);
    let here = "bank/parts/identify.yaml";
    assert_eq!(found, [format!("{here}:9:24 unknown-state"), format!("{here}:13:3 unreachable-state")][..found.len()]);
    assert_eq!(places(MAIN, &[("clips/bye.ogg", "noise")]), ["bank/dialplan.yaml:16:15 bad-clip"]);
    assert_eq!(places(&MAIN.replace("clips/bye", "../clips/bye"), &[]), ["bank/dialplan.yaml:16:15 bad-value"]);
    assert_eq!(places(&MAIN.replace("parts/identify", "parts/nothing"), &[])[0], "bank/dialplan.yaml:2:19 unreadable");
    let broken = places(MAIN, &[("parts/verify.yaml", "a: [")]);
    assert!(broken.iter().any(|d| d.starts_with("bank/parts/verify.yaml:") && d.ends_with(" syntax")), "{broken:?}");
    let consent = format!("{VERIFY}consent: We record.\n");
    assert_eq!(places(MAIN, &[("parts/verify.yaml", &consent)]), ["bank/parts/verify.yaml:5:10 bad-value"]);
    assert_eq!(
        places(&MAIN.replace("call: identify}, agent", "call: idetify}, agent"), &[])[0],
        "bank/dialplan.yaml:12:22 unknown-state"
    );
}
