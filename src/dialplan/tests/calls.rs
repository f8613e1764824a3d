//! What is settled about the language, one behaviour a test.

use crate::dialplan;

use super::super::script::{Expect, Heard, Input, MASKED, Mood, TransferFailure};
use super::{Call, plan};

const LADDER: &str = "\
dialplan: t
intents: {pay: [pay my bill], agent: [a person]}
handover:
  - {when: 'heard(\"agent\") or misses >= 4', say: One moment., to: queue:desk}
start: a
states:
  a:
    steps:
      - say: Welcome.
      - listen: [One?, Two?, Three?]
    on: {pay: {to: b, key: 1}}
  b:
    steps: [{say: Paid.}, {end: }]
";

#[test]
fn a_miss_says_the_next_wording_and_no_earlier_step() {
    let mut call = Call::new(LADDER);
    assert_eq!(call.start(), ["in a", "say Welcome.", "say One?", "listen 1"]);
    assert_eq!(call.mumbles(), ["say Two?", "listen 1"]);
    assert_eq!(call.script.misses(), 1);
    assert_eq!(call.silent(), ["say Three?", "listen 1"]);
    assert_eq!(call.types("9"), ["say Three?", "say You can also press 1 for pay.", "listen 1"]);
    assert_eq!(call.script.misses(), 3);
    let handed_over = ["say One moment.", "transfer queue:desk (the caller was not understood 4 times in a row)"];
    assert_eq!(call.mumbles(), handed_over);
}

#[test]
fn what_is_accepted_ends_the_row_of_misses() {
    let mut call = Call::new(&LADDER.replace("b:\n    steps: [{say: Paid.}, {end: }]", "b:\n    steps: [{goto: a}]"));
    call.start();
    for _ in 0..5 {
        call.mumbles();
        call.silent();
        assert_eq!(call.script.misses(), 2);
        assert_eq!(call.means("pay"), ["in b", "in a", "say Welcome.", "say One?", "listen 1"]);
        assert_eq!(call.script.misses(), 0);
    }
}

#[test]
fn a_human_is_offered_when_the_wordings_are_used_up() {
    let source = LADDER.replace("[One?, Two?, Three?]", "One?").replace(">= 4", ">= 9");
    let mut call = Call::new(&source);
    call.start();
    assert_eq!(call.mumbles(), ["say One?", "say You can also press 1 for pay.", "listen 1"]);
    assert_eq!(call.mumbles(), ["say Would you like to talk to a person?", "listen yes_no"]);
    assert_eq!(call.answers(false), ["say One?", "listen 1"]);
    assert_eq!(call.mumbles(), ["say One?", "listen 1"]);
    let mut call = Call::new(&source);
    call.start();
    call.mumbles();
    call.mumbles();
    let taken = call.answers(true);
    assert_eq!(taken[1], "transfer queue:desk (the caller accepted the offer of a person)");
}

#[test]
fn nobody_is_asked_for_ever() {
    let source = "dialplan: t\nstart: a\nstates:\n  a: {steps: [{listen: What?}]}\n";
    let mut call = Call::new(source);
    call.start();
    for _ in 0..7 {
        assert_eq!(call.silent(), ["say What?", "listen"]);
    }
    let end = ["say! I am sorry that I could not help you. Please call again later. Goodbye.", "end"];
    assert_eq!(call.silent(), end);
    assert_eq!(call.silent(), Vec::<String>::new());
}

#[test]
fn otherwise_goes_elsewhere_and_still_counts() {
    let source = "\
dialplan: t
start: a
states:
  a: {steps: [{listen: What?}], otherwise: b}
  b: {steps: [{when: misses == 1, say: First.}, {listen: Again?}]}
";
    let mut call = Call::new(source);
    call.start();
    assert_eq!(call.mumbles(), ["in b", "say First.", "say Again?", "listen"]);
}

#[test]
fn rules_are_checked_in_any_state_the_states_own_first() {
    let source = "\
dialplan: t
intents: {agent: [a person], pay: [pay]}
slots: {n: {type: number, prompt: How many?}}
handover: [{when: frustration >= 0.7, say: Sorry., to: queue:desk}, {when: heard('agent'), to: queue:desk}]
start: a
states:
  a:
    steps: [{ask: n}, {end: }]
    handover: [{when: frustration >= 0.7 and misses > 0, to: 'sip:boss@example.org', reason: urgent}]
";
    let mut call = Call::new(source);
    assert_eq!(call.start(), ["in a", "say How many?", "listen slot 0"]);
    let angry = call.feels(0.7, Mood::Angry).gives("5");
    assert_eq!(angry, ["say Sorry.", "transfer queue:desk (the caller is frustrated)"]);
    let mut call = Call::new(source);
    call.start();
    assert_eq!(call.feels(0.71, Mood::Angry).mumbles(), ["transfer sip:boss@example.org (urgent)"]);
    let mut call = Call::new(source);
    call.start();
    assert_eq!(call.means("agent"), ["transfer queue:desk (the caller asked for a person)"]);
}

#[test]
fn a_failed_handover_is_told_and_does_not_ring_again_at_once() {
    let source = LADDER.replace("misses >= 4", "frustration > 0.5");
    let mut call = Call::new(&source);
    call.start();
    call.feels(0.9, Mood::Angry).mumbles();
    let busy = call.failed(TransferFailure::Busy);
    assert_eq!(busy, ["say I am sorry, everybody is busy just now.", "say Let us go on here.", "say One?", "listen 1"]);
    assert_eq!(call.mumbles(), ["say Two?", "listen 1"]);
    call.feels(0.2, Mood::Calm).mumbles();
    assert_eq!(call.feels(0.9, Mood::Angry).mumbles()[1], "transfer queue:desk (the caller is frustrated)");
    // Asking for a person rings each time.
    let mut call = Call::new(&source);
    call.start();
    for _ in 0..3 {
        assert_eq!(call.means("agent")[1], "transfer queue:desk (the caller asked for a person)");
        call.failed(TransferFailure::Declined);
    }
}

#[test]
fn a_failed_transfer_step_goes_on_behind_it_or_says_goodbye() {
    let source = |tail: &str| {
        format!(
            "dialplan: t\nstart: a\nstates:\n  a: {{steps: [{{transfer: queue:q}}{tail}]}}\n  b: {{steps: [{{say: B.}}, {{end: }}]}}\non: {{1: b}}\n"
        )
    };
    let failures = [
        (TransferFailure::Busy, "say I am sorry, everybody is busy just now."),
        (TransferFailure::NoAnswer, "say I am sorry, nobody is answering just now."),
        (TransferFailure::Declined, "say I am sorry, nobody can take your call just now."),
        (TransferFailure::Unreachable, "say I am sorry, I cannot reach anybody just now."),
    ];
    for (failure, said) in failures {
        let mut call = Call::new(&source(""));
        assert_eq!(call.start(), ["in a", "transfer queue:q (the plan says so)"]);
        assert_eq!(call.failed(failure), [said, "say! Please call again later. Goodbye.", "end"]);
        let mut call = Call::new(&source(", {say: Well.}, {goto: b}"));
        call.start();
        assert_eq!(call.failed(failure), [said, "say Well.", "in b", "say! B.", "end"]);
    }
    let mut call = Call::new(&source(", {say: Well.}, {end: }").replace("queue:q}", "queue:q, failed: b}"));
    call.start();
    assert_eq!(call.failed(TransferFailure::Busy)[1..], ["in b", "say! B.", "end"]);
}

const ASKING: &str = "\
dialplan: t
intents: {help: [help me]}
slots:
  pin: {type: digits, length: 4, mask: true, prompt: [PIN?, Four digits please.], confirm: true}
start: a
states:
  a:
    steps:
      - ask: pin
        failed: {goto: lost}
      - fetch: http://h/{{ slots.pin }}/x
        reveal: pin
        as: got
        wait: One moment.
        failed: lost
      - say: 'You have {{ got.n }}, PIN {{ slots.pin | digits }}.'
      - goto: lost
    on: {help: lost}
  lost: {steps: [{say: Bye.}, {end: }]}
";

#[test]
fn a_slot_is_asked_read_back_confirmed_and_sent() {
    let mut call = Call::new(ASKING);
    assert_eq!(call.start(), ["in a", "say PIN?", "listen slot 0"]);
    assert!(call.script.hears_masked());
    assert_eq!(call.gives("1234"), ["say* I have 1 2 3 4. Is that right?", "listen yes_no"]);
    assert_eq!(call.answers(false), ["say Sorry. Let us try again.", "say Four digits please.", "listen slot 0"]);
    assert_eq!(call.types("5678"), ["say* I have 5 6 7 8. Is that right?", "listen yes_no"]);
    assert_eq!(call.types("1"), ["say One moment.", "fetch* http://h/5678/x"]);
    assert!(!call.script.hears_masked());
    let done = call.fetched(serde_json::json!({"n": 3}));
    assert_eq!(done, ["say* You have 3, PIN 5 6 7 8.", "in lost", "say! Bye.", "end"]);
}

#[test]
fn a_correction_is_read_back_in_its_turn() {
    let mut call = Call::new(ASKING);
    call.start();
    call.gives("1234");
    let heard = Heard { text: "no, 1235".into(), yes_no: Some(false), slot: Some("1235".into()), ..Heard::default() };
    assert_eq!(call.input(Input::Heard(heard)), ["say* I have 1 2 3 5. Is that right?", "listen yes_no"]);
    assert_eq!(call.answers(true)[1], "fetch* http://h/1235/x");
}

#[test]
fn a_slot_that_is_not_understood_is_repaired_and_then_given_up() {
    let mut call = Call::new(ASKING);
    call.start();
    assert_eq!(call.gives("12345"), ["say Four digits please.", "listen slot 0"]);
    let typed = "say You can also type it on your keypad, and end with the hash key.";
    assert_eq!(call.silent(), ["say Four digits please.", typed, "listen slot 0"]);
    assert_eq!(call.mumbles(), ["in lost", "say! Bye.", "end"]);
    let mut call = Call::new(ASKING);
    call.start();
    call.gives("1234");
    let read_back = "say* I have 1 2 3 4. Is that right?";
    let keys = "say Say yes or no; or press one for yes, two for no.";
    assert_eq!(call.mumbles(), [read_back, keys, "listen yes_no"]);
    let mut call = Call::new(ASKING);
    call.start();
    assert_eq!(call.means("help"), ["in lost", "say! Bye.", "end"]);
}

#[test]
fn a_failed_fetch_has_its_way_out() {
    let mut call = Call::new(ASKING);
    call.start();
    call.gives("1234");
    call.answers(true);
    let failed = call.input(Input::Fetched(Err("timeout".into())));
    assert_eq!(failed, ["trouble state a: the fetch failed: timeout", "in lost", "say! Bye.", "end"]);
}

#[test]
fn a_masked_value_is_nowhere_to_be_seen() {
    let mut call = Call::new(ASKING);
    let mut seen = String::new();
    let mut input = |call: &mut Call, input: Input| {
        call.script.handle(input);
        while let Some(action) = call.script.poll() {
            seen += &format!("{action:?}\n");
        }
        seen += &format!("{:?} {:?}\n", call.script, call.script.briefing());
        seen += &call.script.briefing().spoken();
    };
    input(&mut call, Input::Start { caller: serde_json::json!({}) });
    let heard = Heard { text: "seven seven three one".into(), slot: Some("7731".into()), ..Heard::default() };
    input(&mut call, Input::Heard(heard));
    input(&mut call, Input::Heard(Heard { text: "yes".into(), yes_no: Some(true), ..Heard::default() }));
    input(&mut call, Input::Fetched(Ok(serde_json::json!({"n": 1}))));
    for trace in ["7731", "7 7 3 1", "seven seven"] {
        assert!(!seen.contains(trace), "{trace}: {seen}");
    }
    assert_eq!(call.script.briefing().slots, [("pin".to_string(), MASKED.to_string())]);
}

#[test]
fn knowledge_is_layered_and_then_a_human_is_offered() {
    let source = "\
dialplan: t
intents: {agent: [a person]}
slots: {n: {type: number, prompt: How many?}}
handover: [{when: heard('agent'), to: queue:desk}]
start: a
states:
  a: {steps: [{ask: n}, {listen: Anything?}]}
knowledge: [{questions: [when], answers: [At eight., From eight to eight.]}]
";
    let mut call = Call::new(source);
    call.start();
    assert_eq!(call.asks(0), ["say At eight.", "say How many?", "listen slot 0"]);
    call.gives("5");
    call.mumbles();
    assert_eq!(call.asks(0), ["say From eight to eight.", "say Anything?", "listen"]);
    assert_eq!(call.script.misses(), 0);
    assert_eq!(call.asks(0), ["say Would you like to talk to a person?", "listen yes_no"]);
    assert_eq!(call.answers(false), ["say Anything?", "listen"]);
    // Without anybody to offer, the last answer stays.
    let alone = source.replace("handover: [{when: heard('agent'), to: queue:desk}]\n", "on: {agent: a}\n");
    let mut call = Call::new(&alone);
    call.start();
    for _ in 0..3 {
        call.asks(0);
    }
    assert_eq!(call.asks(0)[0], "say From eight to eight.");
}

#[test]
fn the_better_of_intent_and_knowledge_is_taken() {
    let source = "\
dialplan: t
intents: {pay: [pay]}
start: a
states:
  a: {steps: [{listen: x}], on: {pay: b}}
  b: {steps: [{end: }]}
knowledge: [{questions: [q], answers: [An answer.]}]
";
    let both = |intent: f32, knowledge: f32| Heard {
        text: "how do I pay at the weekend".into(),
        intent: Some((0, intent)),
        knowledge: Some((0, knowledge)),
        ..Heard::default()
    };
    let mut call = Call::new(source);
    call.start();
    assert_eq!(call.input(Input::Heard(both(0.5, 0.9)))[0], "say An answer.");
    assert_eq!(call.input(Input::Heard(both(0.9, 0.5)))[0], "in b");
}

#[test]
fn a_short_no_is_a_no_and_a_long_one_may_mean_more() {
    let source = "\
dialplan: t
intents: {pay: [pay]}
start: a
states:
  a: {steps: [{listen: More?}], on: {pay: b, no: c}}
  b: {steps: [{end: }]}
  c: {steps: [{end: }]}
";
    let heard =
        |text: &str| Heard { text: text.into(), yes_no: Some(false), intent: Some((0, 0.6)), ..Heard::default() };
    for (text, state) in [("no thanks", "in c"), ("no I would like to pay my bill", "in b")] {
        let mut call = Call::new(source);
        call.start();
        assert_eq!(call.input(Input::Heard(heard(text)))[0], state);
    }
}

#[test]
fn the_caller_is_looked_up_before_the_first_word_and_only_what_is_named_is_kept() {
    let source = "\
dialplan: t
caller: {lookup: 'http://crm/c?phone={{ caller.number }}', remember: [name, order]}
consent: We record.
start: a
states:
  a:
    steps:
      - say: \"{{ greeting() }}, {{ caller.name or 'welcome' }}.\"
      - when: caller.order.late
        say: 'It comes on {{ caller.order.eta | date }}.'
      - set: {all: '{{ caller | length }}'}
      - say: '{{ all }}'
      - listen:
";
    let mut call = Call::new(source);
    assert_eq!(call.start(), ["fetch http://crm/c?phone=%2B15550100"]);
    let body = serde_json::json!({"name": "Ann", "order": {"late": true, "eta": "2026-11-24"}, "secret": 1});
    let done = call.fetched(body);
    let said = [
        "say! We record.",
        "in a",
        "say Good morning, Ann.",
        "say It comes on Tuesday, November 24.",
        "say 3",
        "listen",
    ];
    assert_eq!(done, said);
    let mut call = Call::new(source);
    call.start();
    let done = call.input(Input::Fetched(Err("refused".into())));
    let said = ["trouble the caller's lookup failed: refused", "say! We record.", "in a", "say Good morning, welcome."];
    assert_eq!(done[..4], said);
}

#[test]
fn what_is_inferred_is_announced_where_it_is_inferred() {
    let source = "\
dialplan: t
consent: We record.
emotion_notice: We listen to how you sound.
start: a
states:
  a: {steps: [{say: Hello.}, {end: }]}
";
    let both = ["say! We record.", "say! We listen to how you sound.", "in a", "say! Hello.", "end"];
    assert_eq!(Call::new(source).start(), both);
    let mut call = Call::new(source);
    call.script.without_feelings();
    assert_eq!(call.start(), ["say! We record.", "in a", "say! Hello.", "end"]);
}

#[test]
fn a_plan_that_acts_on_feelings_unannounced_is_warned_of() {
    let plan = |said: &str, first: &str| {
        format!(
            "dialplan: t\n{said}start: a\nstates:\n  a:\n    steps:\n      - {first}\n      - say: Hello.\n      - end:\n"
        )
    };
    let warned = |source: &str| {
        let checked = dialplan::load(source.as_bytes(), "t.yaml");
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let place = |d: &dialplan::Diagnostic| {
            d.to_string().contains("t.yaml:") && d.code == dialplan::Code::UnannouncedEmotion
        };
        checked.diagnostics.iter().filter(|d| place(d)).count()
    };
    for first in [
        "when: frustration > 0.4\n        say: Sorry.",
        "when: mood == \"angry\"\n        say: Sorry.",
        "say: {calm: Good., tense: All right.}",
    ] {
        assert_eq!(warned(&plan("", first)), 1, "{first}");
        assert_eq!(warned(&plan("emotion_notice: We listen to how you sound.\n", first)), 0, "{first}");
    }
    assert_eq!(warned(&plan("", "say: Good morning.")), 0);
}

#[test]
fn the_mood_chooses_the_wording() {
    let source = "\
dialplan: t
start: a
states:
  a: {steps: [{say: {calm: C., tense: T.}}, {listen: x}], on: {1: a}}
";
    let mut call = Call::new(source);
    assert_eq!(call.start()[1], "say C.");
    assert_eq!(call.feels(0.5, Mood::Tense).types("1")[1], "say T.");
    assert_eq!(call.feels(0.9, Mood::Angry).types("1")[1], "say C.");
}

#[test]
fn listening_tells_what_is_understood_here() {
    let source = "\
dialplan: t
intents: {pay: [p], agent: [a], other: [o]}
slots: {ok: {type: yes_no, prompt: OK?}}
handover: [{when: 'heard(\"agent\")', to: queue:q}]
start: a
states:
  a: {steps: [{listen: x}], on: {pay: {to: b, key: 5}}}
  b: {steps: [{ask: ok}, {end: }], on: {other: a}, knowledge: [{questions: [q], answers: [x]}]}
knowledge: [{questions: [r], answers: [y]}]
";
    let plan = std::sync::Arc::new(plan(source));
    let mut script = super::Script::new(plan, super::nine());
    let mut listen = |input| {
        script.handle(input);
        let mut last = None;
        while let Some(action) = script.poll() {
            last = Some(action);
        }
        match last {
            Some(super::Action::Listen(listen)) => listen,
            other => panic!("{other:?}"),
        }
    };
    let first = listen(Input::Start { caller: serde_json::Value::Null });
    assert_eq!(first.expect, Expect::Intents { intents: vec![0, 1], keys: vec!['5'] });
    assert_eq!((first.intents, first.knowledge), (vec![0, 1], vec![0]));
    let second = listen(Input::Keys("5".into()));
    assert_eq!(second.expect, Expect::YesNo);
    assert_eq!((second.intents, second.knowledge), (vec![1, 2], vec![1, 0]));
}

#[test]
fn what_nothing_waits_for_is_ignored() {
    let mut call = Call::new(LADDER);
    assert!(call.mumbles().is_empty());
    call.start();
    assert!(call.fetched(serde_json::json!(1)).is_empty());
    assert!(call.failed(TransferFailure::Busy).is_empty());
    assert!(call.start().is_empty());
    let beyond = Heard { text: "x".into(), intent: Some((99, 1.0)), knowledge: Some((99, 1.0)), ..Heard::default() };
    assert_eq!(call.input(Input::Heard(beyond)), ["say Two?", "listen 1"]);
    call.feels(f32::NAN, Mood::Calm);
}

#[test]
fn a_condition_sees_how_raised_the_voice_is_and_where_it_is_going() {
    let source = LADDER.replace("misses >= 4", "arousal > 0.6 and frustration_trend >= 0.2 and arousal_trend > 0");
    let mut call = Call::new(&source);
    call.start();
    call.script.trends(0.7, 0.1, 0.2);
    assert!(!call.mumbles().iter().any(|action| action.starts_with("transfer")));
    call.script.trends(0.7, 0.2, 0.2);
    assert!(call.mumbles().iter().any(|action| action.starts_with("transfer")));
    call.script.trends(f32::NAN, f32::NAN, 9.0);
}
