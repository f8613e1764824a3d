//! What the dialplan language promises, heard by a caller made of packets.

use std::time::Duration;

use super::{Act, Played, Scenario, line, play};
use crate::call::io::Report;
use crate::call::profile::Profile;
use crate::dialplan::{self, script::Thought};

fn played(source: &str, scenario: Scenario) -> Played {
    let checked = dialplan::load(source.as_bytes(), "plan.yaml");
    play(&line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), &[]), scenario)
}

fn said(played: &Played) -> Vec<String> {
    let said = played.reports.iter().filter_map(|(_, report)| match report {
        Report::Said { text, .. } => Some(text.clone()),
        _ => None,
    });
    said.collect()
}

const TRANSFER: &str = "
dialplan: transfers
intents:
  transfer: [transfer money to my account, transfer two hundred to savings, move money to checking]
slots:
  amount: {type: money, prompt: How much?}
  target: {type: choice, choices: [savings, checking], prompt: To which account?}
  day: {type: date, prompt: On which day?}
start: hello
states:
  hello: {steps: [{listen: How can I help?}], on: {transfer: transfer}}
  transfer:
    steps:
      - ask: [amount, target, day]
        confirm: true
      - fetch: http://core.example/transfers
        body: {amount: '{{ slots.amount }}', to: '{{ slots.target }}', day: '{{ slots.day }}'}
        failed: hello
      - notify: http://hooks.example/transfer
        body: {amount: '{{ slots.amount }}', to: '{{ slots.target }}', day: '{{ slots.day }}'}
      - say: It is done.
      - end:
";

#[test]
fn one_spoken_sentence_fills_a_form_and_one_item_is_corrected() {
    let caller =
        vec![Act::Say("transfer two hundred to savings on friday"), Act::Say("no make it tuesday"), Act::Say("yes")];
    let mut scenario = Scenario::new(caller);
    scenario.fetches = vec![Ok(serde_json::json!({}))];
    let played = played(TRANSFER, scenario);
    let said = said(&played);
    assert!(said[1].contains("amount 200 dollars, target savings and day Friday, November 27"), "{said:?}");
    assert!(said[2].contains("day Tuesday, November 24"), "{said:?}");
    assert_eq!(said[3], "It is done.");
    let body = r#"{"amount":200.0,"day":"2026-11-24","to":"savings"}"#;
    assert_eq!(played.notices, [("http://hooks.example/transfer".to_owned(), body.to_owned())]);
}

const THINKS: &str = "
dialplan: thinks
intents: {bye: [that is all, goodbye]}
start: hello
states:
  hello: {steps: [{listen: How can I help?}], otherwise: think, on: {bye: bye}}
  think:
    steps:
      - think: Answer in two sentences.
        know: {question: '{{ last }}'}
        fallback: I cannot answer that.
      - goto: more
  more: {steps: [{listen: Anything else?}], otherwise: think, on: {bye: bye}}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

#[test]
fn a_models_sentences_are_spoken_as_they_come() {
    let ms = Duration::from_millis;
    let caller = vec![Act::Say("may I bring my elephant"), Act::Say("and a giraffe"), Act::Say("goodbye")];
    let mut scenario = Scenario::new(caller);
    scenario.thoughts = vec![
        vec![
            (ms(300), Thought::Sentence("Elephants are welcome.".into())),
            (ms(2_000), Thought::Sentence("Please use the large door.".into())),
            (ms(10), Thought::Done),
        ],
        vec![(ms(500), Thought::Failed("no answer within 500 ms".into()))],
    ];
    let played = played(THINKS, scenario);
    let expected = [
        "How can I help?",
        "Elephants are welcome.",
        "Please use the large door.",
        "Anything else?",
        "I cannot answer that.",
        "Anything else?",
        "Goodbye.",
    ];
    assert_eq!(said(&played), expected);
    // The first sentence does not wait for the second.
    let first = played.record.turns[0].latency.total_ms;
    assert!(first < 2_000.0, "{first}");
    assert!(played.record.events.iter().any(|event| event.what.contains("the model failed")));
}

const RETURNING: &str = "
dialplan: returning
speed: '{{ profile.speed }}'
profile: {keep: [speed, introduced]}
intents: {slower: [please speak more slowly, not so fast], nothing: [that is all thank you]}
start: hello
states:
  hello:
    steps:
      - when: not profile.introduced
        say: Here is what this line can do for you, at some length.
      - keep: {introduced: true}
      - listen: How can I help?
    on: {slower: slower, nothing: bye}
  slower: {steps: [{keep: {speed: 50%}}, {goto: hello}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

#[test]
fn what_a_caller_asked_for_in_one_call_is_done_in_the_next() {
    let call = |profile: Profile, acts| played(RETURNING, Scenario { profile, ..Scenario::new(acts) });
    let bye = || Act::Say("that is all thank you");
    let at = |played: &Played, line: &str| {
        let said = |report: &Report| matches!(report, Report::Said { text, .. } if text == line);
        played.reports.iter().find(|(_, report)| said(report)).map(|(at, _)| *at).expect("said")
    };
    let first = call(Profile::default(), vec![Act::Say("please speak more slowly"), bye()]);
    assert!(said(&first)[0].starts_with("Here is what"), "{:?}", said(&first));
    let kept = serde_json::json!(first.changes.kept.values);
    assert_eq!(kept, serde_json::json!({"introduced": true, "speed": "50%"}));

    let values: std::collections::BTreeMap<_, _> = serde_json::from_value(kept).expect("a map");
    let second = call(Profile { values: values.clone(), calm_voice: None }, vec![bye()]);
    assert_eq!(said(&second), ["How can I help?", "Goodbye."]);
    // The same line by the clock of the packets: 15 letters at 15 a second, and at half of that.
    let third =
        call(Profile { values: [("introduced".to_owned(), true.into())].into(), calm_voice: None }, vec![bye()]);
    let (slow, usual) = (at(&second, "How can I help?"), at(&third, "How can I help?"));
    assert!((900..1_100).contains(&(slow - usual)), "{slow} {usual} ms");
    // Who hangs up has been heard too.
    let hung_up = call(Profile { values, calm_voice: None }, vec![Act::Say("not so fast"), Act::HangUp]);
    assert_eq!(serde_json::json!(hung_up.changes.kept.values), serde_json::json!({"introduced": true, "speed": "50%"}));
}
