//! Whole calls in virtual time: what the caller does, what they hear, what is left behind.

mod bad_lines;

use std::sync::Arc;
use std::time::Duration;

use sidetone::call::io::Report;
use sidetone::call::line::Line;
use sidetone::call::record::Outcome;
use sidetone::dialplan::{self, script::TransferFailure};
use sidetone::sim::{Act, AgentManner, Link, Played, Scenario, line, play};

const PLAN: &str = r#"
dialplan: test
language: en-US
voice: en_US-joe-medium
intents:
  balance: ["what is my balance", "how much money do I have", "tell me my balance"]
  agent: ["let me talk to a person", "I want a human", "get me an agent"]
slots:
  account: {type: digits, length: 4, mask: true, keypad: true}
handover:
  - when: heard("agent") or misses >= 3
    say: Let me get somebody for you.
    to: queue:support
start: hello
states:
  hello:
    steps:
      - say: Welcome to the test line, which says quite a lot before it asks you anything at all.
      - listen: ["How can I help?", "Tell me what you need."]
    on:
      balance: {to: ask, key: 1}
  ask:
    steps:
      - ask: account
        prompt: What is your account number?
      - fetch: http://core.example/{{ slots.account }}
        reveal: [account]
        as: balance
        failed: {goto: sorry}
      - say: You have {{ balance.amount }} dollars.
      - goto: bye
  sorry:
    steps:
      - say: I cannot reach our records.
      - goto: bye
  bye:
    steps:
      - say: Goodbye.
      - end:
knowledge:
  - questions: ["when are you open", "what are your hours"]
    answers: ["From eight to eight."]
"#;

const MENU: &str = r#"
dialplan: menu
language: en-US
voice: en_US-joe-medium
start: menu
states:
  menu:
    steps:
      - listen: Press one for the time, or two to end.
    on:
      time: {to: time, key: 1}
      end: {to: bye, key: 2}
  time:
    steps:
      - say: It is always now.
      - goto: menu
  bye:
    steps:
      - say: Goodbye.
      - end:
intents:
  time: ["what time is it"]
  end: ["that is all"]
"#;

fn plan_of(source: &str, agents: &[&str]) -> Arc<Line> {
    let checked = dialplan::load(source.as_bytes(), "test.yaml");
    line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), agents)
}

fn test_line() -> Arc<Line> {
    plan_of(PLAN, &["sip:one@example", "sip:two@example"])
}

fn said(played: &Played) -> String {
    let lines = played.reports.iter().filter_map(|(_, report)| match report {
        Report::Said { text, .. } => Some(text.as_str()),
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" | ")
}

fn at(played: &Played, find: impl Fn(&Report) -> bool) -> Option<u64> {
    played.reports.iter().find(|(_, report)| find(report)).map(|(at, _)| *at)
}

#[test]
fn a_caller_is_heard_understood_and_answered() {
    let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Keys("1234")]);
    scenario.fetches = vec![Ok(serde_json::json!({ "amount": 12 }))];
    let played = play(&test_line(), scenario);
    assert!(played.ended, "{:?}", played.reports);
    assert!(said(&played).contains("You have 12 dollars."), "{}", said(&played));
    assert_eq!(played.record.outcome, Outcome::Completed);
    let turn = &played.record.turns[0];
    assert_eq!((turn.text.as_str(), turn.intent.as_deref()), ("what is my balance", Some("balance")));
    assert!(turn.answer.contains("What is your account number?"), "{turn:?}");
    // 160 ms of silence, the detector's and the recogniser's time, 120 ms of synthesis; the rest was done ahead.
    assert!(turn.latency.total_ms > 300.0 && turn.latency.total_ms < 600.0, "{:?}", turn.latency);
}

#[test]
fn a_line_that_jitters_is_heard_no_later() {
    let answered = |jitter_ms| {
        let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Keys("1234")]);
        scenario.fetches = vec![Ok(serde_json::json!({ "amount": 12 }))];
        scenario.link = Link::new(7, Duration::from_millis(20), Duration::from_millis(jitter_ms), 0.0);
        let played = play(&test_line(), scenario);
        assert!(said(&played).contains("You have 12 dollars."), "{}", said(&played));
        played.record.turns[0].latency.total_ms
    };
    // Behind the jitter buffer it would be the delay that 80 ms of jitter ask for, 100 ms and more.
    let (calm, jittery) = (answered(0), answered(80));
    assert!(jittery < calm + 60.0, "{calm} ms, {jittery} ms");
}

#[test]
fn the_same_scenario_plays_the_same_way_to_the_millisecond() {
    let run = || {
        let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Keys("1234")]);
        scenario.link = Link::new(7, Duration::from_millis(20), Duration::from_millis(30), 0.02);
        play(&test_line(), scenario).reports
    };
    assert_eq!(run(), run());
}

#[test]
fn a_masked_number_is_in_no_record_and_no_recording() {
    let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Say("seven three nine one")]);
    scenario.fetches = vec![Ok(serde_json::json!({ "amount": 12 }))];
    let played = play(&test_line(), scenario);
    assert!(said(&played).contains("You have 12 dollars."), "{:?}", played.reports);
    let record = serde_json::to_string(&played.record).unwrap();
    let shown = format!("{:?}", played.reports);
    for secret in ["7391", "seven three"] {
        assert!(!record.contains(secret), "{record}");
        assert!(!shown.contains(secret), "{shown}");
    }
    // While the number was said both channels were silent: 8 samples a millisecond, two channels.
    let turn = &played.record.turns[1];
    let (from, to) = (turn.start_ms as usize * 16, turn.end_ms as usize * 16);
    assert!(to > from + 8_000, "{turn:?}");
    assert!(played.recorded[from..to].iter().all(|&s| s == 0), "the number is in the recording");
    assert!(played.recorded.iter().any(|&s| s != 0), "nothing was recorded at all");
}

#[test]
fn a_masked_number_on_a_line_that_jitters_is_in_no_recording_either() {
    for jitter_ms in [0, 60, 120, 200] {
        let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Say("seven three nine one")]);
        scenario.fetches = vec![Ok(serde_json::json!({ "amount": 12 }))];
        scenario.link = Link::new(11, Duration::from_millis(20), Duration::from_millis(jitter_ms), 0.0);
        let played = play(&test_line(), scenario);
        assert!(said(&played).contains("You have 12 dollars."), "{:?}", played.reports);
        // The call hears ahead of what it records: what waits in the jitter buffer when the number is over is part of it.
        let number = &played.record.turns[1];
        let caller = played.recorded.iter().step_by(2).skip(number.start_ms as usize * 8);
        let loud = caller.enumerate().filter(|(_, s)| s.unsigned_abs() > 100).map(|(n, _)| n / 8).collect::<Vec<_>>();
        assert!(loud.is_empty(), "{jitter_ms} ms of jitter: heard {:?} ms after its start, {number:?}", loud.first());
    }
}

#[test]
fn an_interruption_stops_the_prompt_and_is_heard() {
    let played = play(&test_line(), Scenario::new(vec![Act::Over("what is my balance"), Act::HangUp]));
    let interrupted = played.reports.iter().find_map(|(_, r)| match r {
        Report::Interrupted { after_ms } => Some(*after_ms),
        _ => None,
    });
    assert!(interrupted.is_some_and(|ms| ms <= 400.0), "{interrupted:?} {:?}", played.reports);
    assert_eq!(played.record.turns[0].intent.as_deref(), Some("balance"));
    let greeting = played.reports.iter().find_map(|(_, r)| match r {
        Report::Said { text, whole } => Some((text.clone(), *whole)),
        _ => None,
    });
    let (text, whole) = greeting.expect("the greeting was heard in part");
    assert!(!whole && text.starts_with("Welcome") && !text.contains("at all"), "{text}");
}

#[test]
fn a_cough_does_not_take_the_floor() {
    let acts = vec![Act::Cough(Duration::from_millis(60)), Act::Say("what is my balance"), Act::HangUp];
    let played = play(&test_line(), Scenario::new(acts));
    assert!(at(&played, |r| matches!(r, Report::Interrupted { .. })).is_none(), "{:?}", played.reports);
    assert_eq!(played.record.turns[0].text, "what is my balance");
}

#[test]
fn a_listeners_sound_does_not_end_the_prompt_it_listens_to() {
    let acts = vec![Act::Over("uh-huh"), Act::Say("what is my balance"), Act::HangUp];
    let played = play(&test_line(), Scenario::new(acts));
    assert!(at(&played, |r| matches!(r, Report::WentOn)).is_some(), "{:?}", played.reports);
    let whole = |r: &Report| matches!(r, Report::Said { text, whole: true } if text.starts_with("Welcome"));
    assert!(at(&played, whole).is_some(), "{:?}", played.reports);
    assert_eq!(played.record.turns[0].text, "what is my balance");
    assert_eq!(played.record.turns.len(), 1);
}

#[test]
fn words_that_follow_a_listeners_sound_are_never_lost() {
    // The greeting ends before, while and after the sound is taken for what it is.
    for length in 6..40 {
        let plan = format!(
            "dialplan: short\nlanguage: en-US\nintents: {{balance: [what is my balance]}}\nstart: hello\nstates:\n  hello:\n    \
             steps: [{{listen: {}}}]\n    on: {{balance: bye}}\n    otherwise: bye\n  bye: {{steps: [{{say: Goodbye.}}, {{end: }}]}}\n",
            "a".repeat(length)
        );
        for pause in [120, 200, 280] {
            let pause = Act::Wait(Duration::from_millis(pause));
            let acts = vec![Act::Over("uh-huh"), pause, Act::On("what is my balance"), Act::HangUp];
            let mut scenario = Scenario::new(acts);
            scenario.costs.recognition = Duration::from_millis(40);
            let played = play(&plan_of(&plan, &[]), scenario);
            let heard = played.record.turns.iter().any(|turn| turn.text == "what is my balance");
            assert!(heard, "{length} letters, {:?}", played.reports);
        }
    }
}

#[test]
fn a_goodbye_that_is_spoken_over_ends_the_call() {
    let plan = "dialplan: bye\nlanguage: en-US\nintents: {balance: [what is my balance]}\nstart: hello\nstates:\n  hello:\n    \
                steps: [{listen: How can I help?}]\n    on: {balance: bye}\n    otherwise: bye\n  bye: {steps: [{say: Thank you \
                for calling and goodbye for now.}, {end: }]}\n";
    let acts = vec![Act::Say("what is my balance"), Act::Over("thanks and goodbye to you and to all of yours")];
    let played = play(&plan_of(plan, &[]), Scenario::new(acts));
    assert!(played.ended);
    assert!(at(&played, |r| matches!(r, Report::WentOn)).is_none(), "{:?}", played.reports);
}

#[test]
fn a_patient_state_lets_its_caller_think() {
    let plan = |patience: &str| {
        format!(
            "dialplan: story\nlanguage: en-US\nintents: {{story: [tell it]}}\nstart: hello\nstates:\n  hello:\n    steps: \
             [{{listen: What happened?, patience: {patience}}}]\n    on: {{story: bye}}\n    otherwise: bye\n  bye: {{steps: \
             [{{say: Goodbye.}}, {{end: }}]}}\n"
        )
    };
    // Words that say nothing of an end, in a voice that hangs in the air: 1.6 s of thought within them.
    let turns = |patience: &str| {
        let pause = Act::Wait(Duration::from_millis(1_600));
        let acts = vec![Act::Say("it was on the bus..."), pause, Act::On("number nine..."), Act::HangUp];
        let played = play(&plan_of(&plan(patience), &[]), Scenario::new(acts));
        played.record.turns[0].end_ms - played.record.turns[0].start_ms
    };
    let (usual, patient) = (turns("normal"), turns("high"));
    assert!(usual < 2_000, "{usual}");
    assert!(patient > 3_000, "{patient}");
}

#[test]
fn silence_is_asked_again_and_then_a_human_is_rung() {
    let played = play(&test_line(), Scenario::new(vec![Act::Wait(Duration::from_secs(120)), Act::HangUp]));
    assert!(said(&played).contains("Tell me what you need."), "{}", said(&played));
    assert!(matches!(played.record.outcome, Outcome::HandedOver { .. }), "{:?}", played.record.outcome);
}

#[test]
fn asking_for_a_person_rings_briefs_and_bridges() {
    let acts = vec![
        Act::Say("what is my balance"),
        Act::Say("get me an agent"),
        Act::Wait(Duration::from_secs(30)),
        Act::HangUp,
    ];
    let played = play(&test_line(), Scenario::new(acts));
    let briefing = at(
        &played,
        |r| matches!(r, Report::Handover { step } if step.contains("briefing") && step.contains("balance")),
    );
    let bridged = at(&played, |r| matches!(r, Report::Handover { step } if step.starts_with("bridged")));
    assert!(briefing.is_some() && bridged > briefing, "{:?}", played.reports);
    assert!(played.to_agent > 200, "the agent got {} packets", played.to_agent);
    assert!(matches!(&played.record.outcome, Outcome::HandedOver { agent, .. } if agent == "sip:one@example"));
    let frames = played.recorded.len() as u64 / 16;
    assert!(frames + 100 >= played.record.duration_ms, "the bridged part is recorded too");
}

#[test]
fn each_way_of_not_being_taken_is_told_to_the_caller() {
    for (manner, failure) in [
        (AgentManner::Fails(TransferFailure::Busy), "busy"),
        (AgentManner::Fails(TransferFailure::Declined), ""),
        (AgentManner::Fails(TransferFailure::Unreachable), ""),
        (AgentManner::Rings, ""),
    ] {
        let acts = vec![Act::Say("get me an agent"), Act::Wait(Duration::from_secs(90)), Act::HangUp];
        let mut scenario = Scenario::new(acts);
        scenario.agents = vec![manner];
        let played = play(&test_line(), scenario);
        let failed = at(&played, |r| matches!(r, Report::Handover { step } if step.starts_with("failed")));
        let failed = failed.unwrap_or_else(|| panic!("{manner:?}: {:?}", played.reports));
        let after = played.reports.iter().filter(|(at, _)| *at > failed);
        let told = after.filter_map(|(_, r)| match r {
            Report::Said { text, .. } if text != "Let me get somebody for you." => Some(text.to_lowercase()),
            _ => None,
        });
        let told = told.collect::<Vec<_>>().join(" ");
        assert!(!told.is_empty() && told.contains(failure), "{manner:?}: {told:?}");
    }
}

#[test]
fn the_second_agent_is_rung_when_the_first_is_busy() {
    let acts = vec![Act::Say("get me an agent"), Act::Wait(Duration::from_secs(30)), Act::HangUp];
    let mut scenario = Scenario::new(acts);
    scenario.agents = vec![AgentManner::Fails(TransferFailure::Busy), AgentManner::Answers(Duration::from_secs(1))];
    let played = play(&test_line(), scenario);
    assert!(matches!(&played.record.outcome, Outcome::HandedOver { agent, .. } if agent == "sip:two@example"));
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_leaves_nobody_ringing() {
    let acts = vec![Act::Say("get me an agent"), Act::HangUp];
    let mut scenario = Scenario::new(acts);
    scenario.agents = vec![AgentManner::Rings];
    let played = play(&test_line(), scenario);
    assert!(played.ended);
    assert_eq!(played.record.outcome, Outcome::CallerHungUp);
}

#[test]
fn an_agent_who_hangs_up_ends_the_call() {
    let acts = vec![Act::Say("get me an agent"), Act::Wait(Duration::from_secs(120)), Act::HangUp];
    let mut scenario = Scenario::new(acts);
    scenario.agents = vec![AgentManner::Leaves(Duration::from_secs(1), Duration::from_secs(60))];
    let played = play(&test_line(), scenario);
    assert!(played.ended && played.record.duration_ms < 90_000, "{}", played.record.duration_ms);
    assert!(matches!(played.record.outcome, Outcome::HandedOver { .. }));
}

#[test]
fn a_look_up_that_fails_goes_where_the_plan_says() {
    let mut scenario = Scenario::new(vec![Act::Say("what is my balance"), Act::Keys("1234")]);
    scenario.fetches = vec![Err("the address answered with status 500".into())];
    let played = play(&test_line(), scenario);
    assert!(said(&played).contains("I cannot reach our records."), "{}", said(&played));
}

#[test]
fn loss_and_jitter_do_not_keep_a_caller_from_being_served() {
    let mut scenario = Scenario::new(vec![Act::Say("when are you open"), Act::HangUp]);
    scenario.link = Link::new(3, Duration::from_millis(20), Duration::from_millis(60), 0.05);
    let played = play(&test_line(), scenario);
    assert!(said(&played).contains("From eight to eight."), "{:?}", played.reports);
    assert!(played.record.media.lost > 0);
}

/// Two thousand calls, on two cores.
#[test]
fn a_thousand_calls_on_bad_lines_are_served() {
    calls(0..1_000);
}

#[test]
fn a_thousand_more_are_served() {
    calls(1_000..2_000);
}

fn calls(seeds: std::ops::Range<u64>) {
    let line = plan_of(MENU, &[]);
    for seed in seeds {
        let mut scenario = Scenario::new(vec![Act::Keys("1"), Act::Keys("2")]);
        scenario.link = Link::new(seed, Duration::from_millis(10), Duration::from_millis(20), 0.01);
        let played = play(&line, scenario);
        assert!(played.ended, "seed {seed}: {:?}", played.reports);
        assert_eq!(played.record.outcome, Outcome::Completed, "seed {seed}");
    }
}

#[test]
fn nothing_of_feelings_is_left_where_they_are_not_inferred() {
    for inferred in [true, false] {
        let mut line = Arc::into_inner(test_line()).expect("nobody else has it");
        line.emotion = inferred;
        let acts = vec![Act::Say("this is ridiculous"), Act::Say("this is ridiculous I want a human")];
        let played = play(&Arc::new(line), Scenario::new(acts));
        let record = serde_json::to_string(&played.record).expect("JSON");
        for word in ["frustration", "reasons", "ridiculous\\\"", "sounds"] {
            let there = record.contains(word);
            assert!(inferred || !there, "{word} in {record}");
        }
        assert_eq!(played.record.frustration_peak.is_some(), inferred);
        let felt = played.reports.iter().any(|(_, report)| matches!(report, Report::Felt { .. }));
        assert_eq!(felt, inferred);
        assert!(matches!(played.record.outcome, Outcome::HandedOver { .. }), "asking for a person works either way");
    }
}

#[test]
fn a_number_that_is_taken_back_and_keys_pressed_in_anger_wear_patience() {
    let mut scenario = Scenario::new(vec![
        Act::Keys("00000"),
        Act::Say("what is my balance"),
        Act::Say("one two three four"),
        Act::Say("no"),
        Act::Say("one two three five"),
    ]);
    scenario.fetches = vec![Ok(serde_json::json!({ "amount": 12 }))];
    let confirmed = "prompt: What is your account number?\n        confirm: true";
    let source = PLAN.replace(" or misses >= 3", "").replace("prompt: What is your account number?", confirmed);
    let played = play(&plan_of(&source, &["sip:one@example"]), scenario);
    let reasons: Vec<&String> = played.record.turns.iter().flat_map(|turn| &turn.reasons).collect();
    for reason in ["pressed keys wildly", "had to correct us once"] {
        assert!(reasons.iter().any(|r| *r == reason), "{reason}: {reasons:?}, {}", said(&played));
    }
}

#[test]
fn a_telephone_that_is_sent_elsewhere_leaves_or_the_plan_goes_on() {
    let plan = "
dialplan: blind
start: main
states:
  main:
    steps:
      - say: I am putting you through.
      - {transfer: 'sip:agent@example', blind: true, failed: back}
  back: {steps: [{say: Please call again.}, {end: }]}
";
    let played = |manner: AgentManner| {
        let mut scenario = Scenario::new(vec![]);
        scenario.agents = vec![manner];
        play(&plan_of(plan, &["sip:agent@example"]), scenario)
    };
    let taken = played(AgentManner::Answers(Duration::from_secs(5)));
    assert!(matches!(taken.record.outcome, Outcome::HandedOver { .. }), "{:?}", taken.record);
    assert_eq!(taken.to_agent, 0, "no media of ours goes there");
    for (manner, says) in
        [(AgentManner::Fails(TransferFailure::Busy), "busy"), (AgentManner::Rings, "nobody is answering")]
    {
        let failed = played(manner);
        assert_eq!(failed.record.outcome, Outcome::Completed, "{:?}", failed.record);
        let said = said(&failed);
        assert!(said.contains(says) && said.contains("Please call again."), "{:?}", failed.reports);
    }
}
