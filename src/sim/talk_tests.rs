//! A conversation in words goes as the same call goes with packets.

use std::time::Duration;

use super::talk::{Ending, Surroundings, Talk, Told, Utterance};
use super::{Act, AgentManner, Scenario, embed, line, play};
use crate::call::io::Report;
use crate::call::record::Outcome;
use crate::dialplan::script::{Fetch, Target, TransferFailure};
use crate::dialplan::{self};

const PLAN: &str = r#"
dialplan: test
intents:
  balance: ["what is my balance", "how much money do I have"]
  agent: ["let me talk to a person", "I want a human"]
slots:
  account: {type: digits, length: 4, mask: true, keypad: true}
  size: {type: choice, choices: [small, large]}
handover:
  - {when: 'heard("agent") or misses >= 3', say: Let me get somebody for you., to: "queue:support"}
start: hello
states:
  hello:
    steps:
      - say: Welcome to the test line.
      - listen: ["How can I help?", "Tell me what you need."]
    on: {balance: {to: ask, key: 1}, yes: size, no: bye}
  ask:
    steps:
      - ask: account
        prompt: What is your account number?
        confirm: true
      - {fetch: "http://core.example/{{ slots.account }}", reveal: [account], as: balance, failed: sorry}
      - say: You have {{ balance.amount }} dollars.
      - goto: bye
  size:
    steps: [{ask: size, prompt: Small or large?, failed: bye}, {say: "It is {{ slots.size }}."}, {goto: hello}]
  sorry: {steps: [{say: I cannot reach our records.}, {goto: bye}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
knowledge:
  - {questions: ["when are you open"], answers: [From eight to eight., "At weekends too."]}
"#;

struct World {
    fetch: Result<serde_json::Value, String>,
    ring: Result<(), TransferFailure>,
}

impl Surroundings for World {
    fn embed(&mut self, text: &str) -> Vec<f32> {
        embed(text)
    }
    fn fetch(&mut self, _: &Fetch) -> Result<serde_json::Value, String> {
        self.fetch.clone()
    }
    fn ring(&mut self, _: &Target) -> Result<(), TransferFailure> {
        self.ring
    }
}

/// States and lines, in order.
fn by_words(acts: &[Act], world: &mut World) -> (Vec<String>, Option<Ending>) {
    let line = line(dialplan::load(PLAN.as_bytes(), "x").plan.unwrap(), &["sip:one@example"]);
    let mut talk = Talk::new(line, super::trial::default_clock());
    let mut told = talk.open(serde_json::json!({"number": "+15550100"}), world);
    for act in acts {
        told.extend(match act {
            Act::Say(text) | Act::Sound(text, _) | Act::On(text) => {
                talk.say(&Utterance { text, ..Utterance::default() }, world)
            }
            Act::Over(text) => talk.say(&Utterance { text, interrupts: true, ..Utterance::default() }, world),
            Act::Keys(keys) | Act::Type(keys) => talk.keys(keys, world),
            Act::Wait(time) => talk.silence(*time, world),
            Act::HangUp | Act::Leave => talk.hang_up(),
            Act::Cough(_) => Vec::new(),
        });
    }
    // A caller who has no more to say is silent.
    told.extend(talk.silence(Duration::from_secs(200), world));
    let lines = told.into_iter().filter_map(|told| match told {
        Told::State(state) => Some(format!("in {state}")),
        Told::Said { text, masked } => Some(if masked { "‹masked›".into() } else { text }),
        _ => None,
    });
    (lines.collect(), talk.ending())
}

fn by_packets(acts: &[Act], world: &World) -> (Vec<String>, Option<Outcome>) {
    let line = line(dialplan::load(PLAN.as_bytes(), "x").plan.unwrap(), &["sip:one@example"]);
    let mut scenario = Scenario::new(acts.to_vec());
    scenario.fetches = vec![world.fetch.clone(); 4];
    if let Err(failure) = world.ring {
        scenario.agents = vec![AgentManner::Fails(failure)];
    }
    scenario.limit = Duration::from_secs(200);
    let played = play(&line, scenario);
    let lines = played.reports.iter().filter_map(|(_, report)| match report {
        Report::State { state } => Some(format!("in {state}")),
        Report::Said { text, .. } => Some(text.clone()),
        _ => None,
    });
    (lines.collect(), played.ended.then_some(played.record.outcome))
}

/// What is said is reported when it has been heard, and a state when it is entered: only their own orders compare.
fn apart(lines: &[String]) -> (Vec<&String>, String) {
    let states = lines.iter().filter(|line| line.starts_with("in ")).collect();
    let said: Vec<&str> = lines.iter().filter(|line| !line.starts_with("in ")).map(String::as_str).collect();
    (states, said.join(" "))
}

#[test]
fn words_go_the_way_of_packets() {
    let good = || World { fetch: Ok(serde_json::json!({"amount": 12})), ring: Ok(()) };
    let failing = || World { fetch: Err("down".into()), ring: Err(TransferFailure::Busy) };
    let cases: Vec<(Vec<Act>, World)> = vec![
        (vec![Act::Say("what is my balance"), Act::Keys("1234"), Act::Say("yes")], good()),
        (vec![Act::Keys("1"), Act::Say("one two three four"), Act::Keys("1")], failing()),
        (vec![Act::Say("yes"), Act::Say("large please"), Act::Say("no")], good()),
        (vec![Act::Say("when are you open"), Act::Say("when are you open"), Act::Say("no")], good()),
        (
            vec![Act::Say("what is my balance"), Act::Keys("1234"), Act::Say("no"), Act::Keys("4321"), Act::Keys("1")],
            good(),
        ),
        (vec![Act::Say("colourless green ideas sleep"), Act::Say("what is my balance"), Act::HangUp], good()),
        (vec![Act::Say("let me talk to a person"), Act::Say("no")], failing()),
    ];
    for (acts, mut world) in cases {
        let packets = by_packets(&acts, &world);
        let words = by_words(&acts, &mut world);
        let (states, said) = apart(&words.0);
        let (true_states, true_said) = apart(&packets.0);
        assert_eq!(states, true_states, "{acts:?}");
        // The far end of a call that hangs up may not hear the last line out.
        if !acts.contains(&Act::HangUp) {
            assert_eq!(said, true_said, "{acts:?}");
        }
        let ended = match packets.1 {
            Some(Outcome::Completed) => Some(Ending::Completed),
            Some(Outcome::CallerHungUp) => Some(Ending::CallerHungUp),
            // A call that is with an agent goes on until somebody hangs up.
            _ => Some(Ending::HandedOver),
        };
        assert_eq!(words.1, ended, "{acts:?}");
    }
}

#[test]
fn silence_sets_off_as_many_timers_as_it_is_long() {
    let world = || World { fetch: Err("down".into()), ring: Ok(()) };
    let misses = |seconds| {
        let (lines, ending) = by_words(&[Act::Wait(Duration::from_secs(seconds))], &mut world());
        (lines.iter().filter(|line| line.contains("Tell me what you need")).count(), ending)
    };
    assert_eq!(misses(60), (2, Some(Ending::HandedOver)));
}

const MAILBOX: &str = "
dialplan: shop
start: hello
states:
  hello:
    steps:
      - voicemail: Please leave a message.
        empty: nothing
        failed: full
      - notify: https://desk.example/messages
        body: {text: '{{ message.text }}'}
      - say: Thank you for {{ message.seconds }} seconds.
      - end:
  nothing: {steps: [{say: I heard nothing.}, {goto: hello}]}
  full: {steps: [{say: I cannot keep it.}, {end: }]}
";

#[test]
fn a_message_is_left_in_text_and_silence_is_none() {
    let scenario = |top: &str, turns: &str| format!("scenario: messages\n{top}turns:\n{turns}");
    let kept = "  - {expect: {said: Please leave a message, state: hello}}
  - {caller: {silence: 7s}, expect: {said: I heard nothing, holds: not message.kept}}
  - caller: please ring me back
    expect: {said: Thank you for 1 seconds, fetched: '*/messages', holds: message.text == 'please ring me back', outcome: completed}\n";
    let full = "  - {caller: please ring me back, expect: {said: I cannot keep it, outcome: completed}}\n";
    for (source, top) in [(kept, ""), (full, "messages: full\n")] {
        let plan = crate::dialplan::load(MAILBOX.as_bytes(), "plan.yaml").plan.expect("a sound plan");
        let source = scenario(top, source);
        let read = crate::dialplan::scenario::read_scenario(source.as_bytes(), "s.yaml", Some(&plan));
        let scenario = read.scenario.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let line = super::line(plan, &[]);
        let mut coverage = crate::dialplan::Coverage::new(std::sync::Arc::clone(&line.plan));
        let (mut embed, mut voice) = (super::embed, |_: &str| Err("no voice".to_owned()));
        let mut tools = super::trial::Tools { embed: &mut embed, voice: &mut voice };
        let trial = super::trial::run(&line, &scenario, &mut tools, &mut coverage);
        assert!(trial.failures.is_empty(), "{:#?}\n{:#?}", trial.failures, trial.transcript);
    }
}

const CALLS_BACK: &str = "
dialplan: shop
start: hello
states:
  hello:
    steps:
      - callback: called
        reason: about the oven
        failed: sorry
      - say: 'We call you at {{ callback.time | time }}.'
      - end:
  called: {steps: [{say: 'This is the shop, {{ callback.reason }}.'}, {transfer: queue:desk}, {end: }]}
  sorry: {steps: [{say: We cannot call you.}, {end: }]}
";

#[test]
fn a_scenario_asks_for_a_call_and_is_the_call_that_is_made() {
    let asked = "  - {expect: {said: We call you at, holds: callback.booked and not callback.calling}}\n";
    let refused = "  - {expect: {said: We cannot call you, state: sorry}}\n";
    let called = "  - {expect: {said: This is the shop, handover: 'queue:desk', holds: callback.calling}}\n";
    for (turns, top) in [(asked, ""), (refused, "callbacks: refused\n"), (called, "called_back: called\n")] {
        let plan = crate::dialplan::load(CALLS_BACK.as_bytes(), "plan.yaml").plan.expect("a sound plan");
        let source = format!("scenario: calling back\n{top}turns:\n{turns}");
        let read = crate::dialplan::scenario::read_scenario(source.as_bytes(), "s.yaml", Some(&plan));
        let scenario = read.scenario.unwrap_or_else(|| panic!("{:?}", read.diagnostics));
        let line = super::line(plan, &["sip:one@example"]);
        let mut coverage = crate::dialplan::Coverage::new(std::sync::Arc::clone(&line.plan));
        let (mut embed, mut voice) = (super::embed, |_: &str| Err("no voice".to_owned()));
        let mut tools = super::trial::Tools { embed: &mut embed, voice: &mut voice };
        let trial = super::trial::run(&line, &scenario, &mut tools, &mut coverage);
        assert!(trial.failures.is_empty(), "{:#?}\n{:#?}", trial.failures, trial.transcript);
    }
    let plan = crate::dialplan::load(CALLS_BACK.as_bytes(), "plan.yaml").plan.expect("a sound plan");
    let wrong = b"scenario: x\ncalled_back: caled\nturns: []\n";
    let read = crate::dialplan::scenario::read_scenario(wrong, "s.yaml", Some(&plan));
    assert!(read.scenario.is_none() && format!("{:?}", read.diagnostics).contains("called"), "{:?}", read.diagnostics);
}
