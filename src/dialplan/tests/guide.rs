//! What the guide shows is checked and run: every plan and every fragment of `dialplans/README.md`.

use std::time::Duration;

use super::super::script::{Action, Expect, Heard, Input, Message, Thought, TransferFailure};
use super::super::{Files, Severity, SlotKind, load_with};
use super::Call;

const GUIDE: &str = include_str!("../../../dialplans/README.md");

/// The plan that the guide's fragments stand in; `{}` is the fragment, as steps of `here`.
const AROUND: &str = "\
dialplan: example
caller: {lookup: 'https://crm.example/c', remember: [name, tier, order]}
profile: {keep: [speed, size]}
intents: {balance: [what is my balance], agent: [a person please]}
slots:
  account: {type: digits, length: 8, mask: true, prompt: What is your account number?}
  amount: {type: money, prompt: How much?}
  target: {type: choice, choices: [savings, checking], prompt: To which account?}
  day: {type: date, prompt: On which day?}
hours: {office: {mon-fri: '8:00-18:00'}}
handover: [{when: heard('agent'), to: queue:support}]
start: first
states:
  first: {steps: [{call: here}, {goto: there}]}
  here:
    steps:
FRAGMENT      - goto: there
  there: {steps: [{when: misses > 5, return: }, {listen: Anything else?}], on: {balance: there}}
  sorry: {steps: [{say: I am sorry.}, {goto: there}]}
  asked: {steps: [{ask: [account, amount, target, day]}, {goto: there}]}
on: {no: asked}
";

/// Whatever the guide names is there: its clips are sound, and its sub-plan asks nothing.
struct Beside;

impl Files for Beside {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Ok(b"dialplan: part\nstart: a\nstates: {a: {steps: [{say: Checked.}, {return: }]}}\n".to_vec())
    }
    fn clip(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
}

/// The YAML blocks of the guide, with the lines that they begin at.
fn blocks() -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (at, line) in GUIDE.lines().enumerate() {
        match (open, line.trim_end()) {
            (false, "```yaml") => {
                open = true;
                found.push((at + 2, String::new()));
            }
            (true, "```") => open = false,
            (true, line) => found.last_mut().expect("an open block").1 += &format!("{line}\n"),
            (false, _) => {}
        }
    }
    found
}

/// The whole plan that a block is, or stands in.
fn whole(block: &str) -> String {
    if block.starts_with("dialplan:") {
        return block.to_string();
    }
    if block.starts_with("- ") {
        let steps: String = block.lines().map(|line| format!("      {line}\n")).collect();
        return AROUND.replace("FRAGMENT", &steps);
    }
    format!("dialplan: example\nstart: a\nstates: {{a: {{steps: [{{listen: Yes?}}]}}}}\n{block}")
}

/// Goes through the plan as a helpful caller would, for so many turns; everything that is said and done.
fn walked(source: &str, name: &str) -> Vec<String> {
    let mut call = Call::of(load_with(source.as_bytes(), name, &Beside).plan.expect("a sound plan"));
    let mut seen = Vec::new();
    call.script.handle(Input::Start { caller: serde_json::json!({"number": "+15550100"}) });
    for turn in 0..40 {
        let mut next = None;
        while let Some(action) = call.script.poll() {
            next = match &action {
                Action::Listen(listen) => Some(answer(&call, &listen.expect, turn)),
                Action::Fetch(_) => Some(Input::Fetched(Ok(serde_json::json!({"code": "AB1", "balance": 12.5})))),
                Action::Think(_) => {
                    call.script.handle(Input::Thought(Thought::Sentence("That is so.".into())));
                    Some(Input::Thought(Thought::Done))
                }
                Action::CallBack(_) => Some(Input::Booked(Ok(()))),
                Action::Record(_) => {
                    let message = Message { id: "m".into(), length: Duration::from_secs(3), text: "Call me.".into() };
                    Some(Input::Recorded(Ok(message)))
                }
                Action::Transfer(_) => Some(Input::TransferFailed(TransferFailure::Busy)),
                Action::Switch { .. } => Some(Input::NotSwitched("there is one plan here".into())),
                Action::Trouble { what } if what.contains("there is one plan here") => next,
                Action::Trouble { what } => panic!("{name}: {what}"),
                _ => next,
            };
            seen.push(super::written(action));
        }
        match next {
            Some(input) => call.script.handle(input),
            None => break,
        }
    }
    seen
}

fn answer(call: &Call, expect: &Expect, turn: usize) -> Input {
    match expect {
        Expect::Slot { slot } => {
            let value = match call.plan.slots()[*slot].kind {
                SlotKind::Digits { max, .. } => "1".repeat(max),
                SlotKind::Phone => "+442079460000".into(),
                SlotKind::Time => "15:30".into(),
                SlotKind::Date => "2026-11-27".into(),
                SlotKind::Choice(ref choices) => choices[0].0.clone(),
                _ => "3".into(),
            };
            Input::Heard(Heard { text: value.clone(), slot: Some(value), ..Heard::default() })
        }
        Expect::YesNo => Input::Heard(Heard { text: "yes".into(), yes_no: Some(true), ..Heard::default() }),
        Expect::Intents { keys, .. } if turn % 3 == 1 && !keys.is_empty() => Input::Keys(keys[0].to_string()),
        Expect::Intents { intents, .. } => {
            let intent = intents.get(turn % intents.len().max(1)).map(|intent| (*intent, 0.9));
            Input::Heard(Heard { text: "something longer than that".into(), intent, ..Heard::default() })
        }
    }
}

#[test]
fn every_example_of_the_guide_is_sound_and_runs() {
    let blocks = blocks();
    assert!(blocks.len() >= 18, "{}", blocks.len());
    for (line, block) in &blocks {
        let name = format!("dialplans/README.md:{line}");
        let source = whole(block);
        let checked = load_with(source.as_bytes(), &name, &Beside);
        let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "the example at {name}: {errors:#?}");
        if block.starts_with("dialplan:") {
            assert!(checked.diagnostics.is_empty(), "the plan at {name}: {:#?}", checked.diagnostics);
        }
        let seen = walked(&source, &name);
        assert!(seen.iter().any(|line| line.starts_with("say") || line.starts_with("play")), "{name}: {seen:?}");
    }
}

#[test]
fn every_verb_and_every_filter_is_in_the_guide() {
    let blocks = blocks();
    for verb in super::super::raw::verbs() {
        let step = format!("- {verb}:");
        let guarded = format!("\n  {verb}:");
        let shown = blocks
            .iter()
            .any(|(_, block)| block.starts_with("- ") && (block.contains(&step) || block.contains(&guarded)));
        assert!(shown, "no example of `{verb}`");
        assert!(GUIDE.contains(&format!("| `{verb}:")), "`{verb}` is not in the table of verbs");
    }
    for filter in super::super::template::filters() {
        assert!(GUIDE.contains(&format!("`{filter}")), "the filter `{filter}` is not in the guide");
    }
    for code in ["missing-failed", "unknown-hours", "masked-leak"] {
        assert!(GUIDE.contains(&format!("`{code}`")), "{code}");
    }
}

#[test]
fn the_five_plans_go_where_the_guide_says() {
    let plans: Vec<String> = blocks().into_iter().map(|(_, b)| b).filter(|b| b.starts_with("dialplan:")).collect();
    assert_eq!(plans.len(), 11);
    let mut cinema = Call::new(&plans[0]);
    cinema.start();
    assert_eq!(cinema.types("1")[1], "say Tonight at eight we show Casablanca.");
    let mut cinema = Call::new(&plans[1]);
    cinema.start();
    assert_eq!(cinema.asks(0)[0], "say A ticket is nine dollars.");
    assert_eq!(cinema.means("agent")[0], "transfer queue:support (the caller asked for a person)");
    let mut tickets = Call::new(&plans[2]);
    tickets.start();
    let given = vec![(0, "2".to_string()), (1, "2026-11-27".to_string())];
    let heard = Heard { text: "two seats for Friday please".into(), intent: Some((0, 0.9)), ..Heard::default() };
    let read = tickets.input(Input::Heard(Heard { slots: given, ..heard }));
    assert_eq!(read[1], "say I have seats 2 and day Friday, November 27. Is that right?");
    assert!(tickets.answers(true)[1].ends_with("{\"day\":\"2026-11-27\",\"seats\":2}"));
    let done = tickets.fetched(serde_json::json!({"code": "k7"}));
    assert_eq!(done[0], "say! Done: 2 seats on Friday, November 27. Your code is K 7.");
    let mut club = Call::new(&plans[3]);
    club.start();
    let gold = club.fetched(serde_json::json!({"name": "Ann", "born": "1980-11-23", "tier": "gold"}));
    let said = ["in hello", "say Good morning, Ann.", "say And a happy birthday.", "in desk"];
    assert_eq!(gold[..4], said);
    let mut bank = Call::new(&plans[4]);
    bank.start();
    assert_eq!(bank.mumbles(), ["in think", "think {\"question\":\"mumble\"} [balance] 0"]);
    assert_eq!(bank.input(Input::Thought(Thought::Failed("late".into())))[1], "say I cannot answer that myself.");
}
