//! A message is left by a caller made of packets: by speaking, by a key, by hanging up.

use std::time::Duration;

use super::{Act, Played, Scenario, line, play};
use crate::call::io::Report;
use crate::call::record::Outcome;
use crate::dialplan;

const PLAN: &str = "
dialplan: shop
slots:
  card: {type: digits, length: 4, mask: true, prompt: Your card number?}
start: hello
states:
  hello:
    steps:
      - voicemail: Please leave a message.
        mailbox: office
        longest: 20s
        silence: 3s
        empty: nothing
        failed: full
      - notify: http://desk.example/messages
        body: {id: '{{ message.id }}', text: '{{ message.text }}', seconds: '{{ message.seconds }}'}
      - say: Thank you.
      - end:
  nothing: {steps: [{say: I heard nothing.}, {end: }]}
  full: {steps: [{say: I cannot keep it.}, {end: }]}
";

fn played(plan: &str, scenario: Scenario) -> Played {
    let checked = dialplan::load(plan.as_bytes(), "plan.yaml");
    play(&line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), &[]), scenario)
}

fn said(played: &Played) -> Vec<&str> {
    let said = played.reports.iter().filter_map(|(_, report)| match report {
        Report::Said { text, .. } => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}

fn loud(sound: &[i16]) -> f32 {
    sound.iter().filter(|sample| sample.unsigned_abs() > 500).count() as f32 / 8_000.0
}

const TONE: Duration = Duration::from_secs(3);

#[test]
fn what_is_said_behind_the_tone_is_kept_with_its_words_and_its_pauses() {
    let caller = vec![
        Act::Wait(TONE),
        Act::On("this is ann from the bakery"),
        Act::Wait(Duration::from_secs(2)),
        Act::On("please ring me back about the oven"),
        Act::Wait(Duration::from_secs(9)),
    ];
    let played = played(PLAN, Scenario::new(caller));
    assert_eq!(said(&played), ["Please leave a message.", "Thank you."], "{:?}", played.reports);
    let [(message, sound)] = played.messages.as_slice() else { panic!("{:?}", played.messages) };
    assert_eq!(message.text, "this is ann from the bakery please ring me back about the oven");
    let call = (message.id.as_str(), message.call.as_str(), message.mailbox.as_str(), message.caller.reveal().as_str());
    assert_eq!(call, ("sim-1", "sim", "office", "+15550100"));
    // Two seconds of pause within it do not end it; three of silence do.
    let seconds = message.duration_ms as f32 / 1_000.0;
    assert!((4.0..9.0).contains(&seconds), "{seconds}");
    let length = sound.len() as f32 / 8_000.0;
    assert!((length - seconds - 3.0).abs() < 0.5, "{length} s of sound, {seconds} s of message");
    assert!(loud(sound) > 1.0);
    assert_eq!(played.notices.len(), 1);
    assert!(played.notices[0].1.contains("about the oven"), "{:?}", played.notices);
    assert_eq!(played.record.outcome, Outcome::Completed);
    assert!(played.record.events.iter().any(|event| event.what == "a message was left: sim-1"), "{:?}", played.record);
    assert!(played.record.turns.is_empty(), "a message is no turn: {:?}", played.record.turns);
}

#[test]
fn a_caller_who_hangs_up_has_left_the_message_and_others_are_told() {
    let caller = vec![Act::Wait(TONE), Act::On("ring me back"), Act::Wait(Duration::from_millis(300)), Act::Leave];
    let played = played(PLAN, Scenario::new(caller));
    assert!(played.ended);
    assert_eq!(played.record.outcome, Outcome::CallerHungUp);
    assert_eq!(played.messages[0].0.text, "ring me back");
    assert!(played.notices[0].1.contains("ring me back"), "{:?}", played.notices);
    assert_eq!(said(&played), ["Please leave a message."]);
    let sent = played.wire.iter().filter(|tapped| !tapped.from_caller).map(|tapped| tapped.at).max();
    let last = played.wire.iter().filter(|tapped| tapped.from_caller).map(|tapped| tapped.at).max();
    assert!(
        sent <= last.map(|at| at + Duration::from_millis(100)),
        "nothing is sent to who is gone: {sent:?} {last:?}"
    );
}

#[test]
fn a_key_ends_it_at_once() {
    let caller = vec![Act::Wait(TONE), Act::On("ring me back"), Act::Wait(Duration::from_millis(400)), Act::Type("#")];
    let played = played(PLAN, Scenario::new(caller));
    assert_eq!(played.messages[0].0.text, "ring me back");
    let (_, sound) = &played.messages[0];
    assert!(sound.len() < 8_000 * 4, "no silence is waited for: {} s", sound.len() / 8_000);
    assert_eq!(said(&played)[1], "Thank you.");
}

#[test]
fn one_that_never_stops_is_cut_and_kept() {
    let more = || [Act::On("and another thing"), Act::Wait(Duration::from_millis(400))];
    let caller = [Act::Wait(TONE)].into_iter().chain((0..30).flat_map(|_| more())).collect();
    let played = played(PLAN, Scenario::new(caller));
    let (message, sound) = &played.messages[0];
    let length = sound.len() as f32 / 8_000.0;
    assert!((19.9..20.2).contains(&length), "{length}");
    assert!((19_000..=20_100).contains(&message.duration_ms), "{message:?}");
    assert!(said(&played).contains(&"Thank you."), "{:?}", played.reports);
}

#[test]
fn silence_and_a_click_are_no_message() {
    for caller in [
        vec![Act::Wait(Duration::from_secs(30))],
        vec![Act::Wait(TONE), Act::Cough(Duration::from_millis(200)), Act::Wait(Duration::from_secs(20))],
        vec![Act::Wait(TONE), Act::Type("#"), Act::Wait(Duration::from_secs(9))],
    ] {
        let played = played(PLAN, Scenario::new(caller));
        assert_eq!(said(&played)[1], "I heard nothing.", "{:?}", played.reports);
        assert!(played.messages.is_empty() && played.notices.is_empty());
    }
}

#[test]
fn a_full_disk_goes_the_plans_way() {
    let caller = vec![Act::Wait(TONE), Act::On("ring me back"), Act::Wait(Duration::from_secs(9))];
    let mut scenario = Scenario::new(caller);
    scenario.disk = Err("no space left on the device".into());
    let played = played(PLAN, scenario);
    assert_eq!(said(&played)[1], "I cannot keep it.");
    assert!(played.notices.is_empty());
}

#[test]
fn numbers_said_in_a_message_are_hidden_where_the_plan_has_masked_slots() {
    let caller = vec![Act::Wait(TONE), Act::On("my card is 4711 0815"), Act::Wait(Duration::from_secs(9))];
    let played = played(PLAN, Scenario::new(caller));
    assert_eq!(played.messages[0].0.text, "my card is ‹masked›");
    assert!(!played.notices[0].1.contains("4711"), "{:?}", played.notices);
}

#[test]
fn a_wish_to_be_called_back_is_noted_with_the_callers_number() {
    let plan = "
dialplan: shop
start: hello
states:
  hello: {steps: [{callback: called, at: '15:30', failed: sorry}, {say: 'At {{ callback.time }}.'}, {end: }]}
  called: {steps: [{say: Here we are.}, {end: }]}
  sorry: {steps: [{say: We cannot.}, {end: }]}
";
    let noted = played(plan, Scenario::new(vec![Act::Wait(Duration::from_secs(9))]));
    assert_eq!(said(&noted), ["At 15:30."]);
    let [wish] = noted.booked.as_slice() else { panic!("{:?}", noted.booked) };
    assert_eq!((wish.number.as_str(), wish.state.as_str()), ("+15550100", "called"));
    assert_eq!(wish.due.to_string(), "2026-11-23T15:30:00");
    let mut scenario = Scenario::new(vec![Act::Wait(Duration::from_secs(9))]);
    scenario.disk = Err("no".into());
    assert_eq!(said(&played(plan, scenario)), ["We cannot."]);
}
