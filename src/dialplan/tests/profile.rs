//! What is kept of a caller, and what it changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::Code;
use super::super::script::Script;
use super::{Call, found, nine};

const PLAN: &str = "\
dialplan: t
speed: '{{ profile.speed }}'
profile: {keep: [speed, intro_heard, calls]}
intents: {slower: [speak slower], erase: [forget me], note: [note that]}
start: hello
states:
  hello:
    steps:
      - when: not profile.intro_heard
        say: A long introduction.
      - keep: {intro_heard: true, calls: '{{ (profile.calls or 0) + 1 }}'}
      - listen: Yes, number {{ profile.calls }}?
    on: {slower: slow, erase: erase, note: note}
    otherwise: bye
  slow: {steps: [{keep: {speed: slow}}, {say: Like this.}, {goto: more}]}
  erase: {steps: [{forget: }, {say: Forgotten.}, {goto: more}]}
  note: {steps: [{forget: [speed]}, {keep: {calls: '{{ last }}'}}, {goto: more}]}
  more: {steps: [{listen: Anything else?}], otherwise: bye, on: {slower: slow, erase: erase}}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

fn returning(plan: &str, profile: Value) -> Call {
    let mut call = Call::new(plan);
    call.script = Script::new(std::sync::Arc::clone(&call.plan), nine());
    let profile: BTreeMap<String, Value> = serde_json::from_value(profile).unwrap();
    call.script.recall(&profile);
    call
}

fn kept(call: &Call) -> Value {
    json!(call.script.kept().values)
}

#[test]
fn what_one_call_keeps_the_next_one_knows() {
    let mut first = Call::new(PLAN);
    assert_eq!(first.start(), ["in hello", "say A long introduction.", "say Yes, number 1?", "listen"]);
    assert_eq!(first.means("slower")[1..3], ["say at 80 % Like this.", "in more"]);
    assert_eq!(kept(&first), json!({"speed": "slow", "intro_heard": true, "calls": 1}));
    assert!(!format!("{:?}", first.script.kept()).contains("slow"), "names, and no values");

    let mut second = returning(PLAN, kept(&first));
    assert_eq!(second.start(), ["in hello", "say at 80 % Yes, number 2?", "listen"]);
}

#[test]
fn a_caller_can_have_it_forgotten_and_what_comes_later_is_kept_anew() {
    let mut call = returning(PLAN, json!({"speed": "fast", "intro_heard": true, "calls": 7}));
    call.start();
    assert_eq!(call.means("erase")[1], "say Forgotten.", "at the voice's own pace again");
    assert!(call.script.kept().all_forgotten && call.script.kept().values.is_empty());
    call.means("slower");
    assert!(call.script.kept().all_forgotten);
    assert_eq!(kept(&call), json!({"speed": "slow"}));
}

#[test]
fn one_name_is_forgotten_and_too_long_a_text_is_not_kept() {
    let mut call = returning(PLAN, json!({"speed": "fast"}));
    call.start();
    let at = call.plan.intents().iter().position(|intent| intent.name == "note").unwrap();
    let long = super::Heard { text: "no ".repeat(100), intent: Some((at, 0.9)), ..super::Heard::default() };
    let seen = call.input(super::Input::Heard(long));
    assert_eq!(seen[1], "trouble state note: `calls` is not kept: a text that is kept has 200 bytes at most");
    assert_eq!(kept(&call), json!({"speed": null, "intro_heard": true, "calls": 1}));
}

#[test]
fn what_was_kept_under_a_name_that_is_gone_or_as_nonsense_does_no_harm() {
    let mut call = returning(PLAN, json!({"speed": "like the wind", "tier": "gold", "calls": {"a": [1]}}));
    assert_eq!(call.start()[1], "say A long introduction.");
    assert!(call.script.profile().all(|(name, _)| name != "tier"));
}

#[test]
fn mark_up_counts_within_the_callers_own_speed() {
    use super::super::markup::within;
    assert_eq!((within(80, 80), within(100, 120), within(200, 150), within(50, 60)), (64, 120, 200, 50));
}

#[test]
fn to_keep_what_is_not_there_forgets_it() {
    let plan = "dialplan: t\nprofile: {keep: [day]}\nslots: {day: {type: date, prompt: When?}}\nstart: a\nstates:\n  \
                a: {steps: [{keep: {day: '{{ slots.day }}'}}, {say: 'Day {{ profile.day }}.'}, {ask: day}, {end: }]}\n";
    let mut call = returning(plan, json!({"day": "2026-11-24"}));
    assert_eq!(call.start()[1], "say Day .");
    assert_eq!(kept(&call), json!({"day": null}));
}

fn codes(source: &str) -> Vec<(Code, u32, String)> {
    let plain = |d: super::Diagnostic| (d.code, d.line, format!("{} / {}", d.message, d.help.unwrap_or_default()));
    found(source).into_iter().map(plain).collect()
}

#[test]
fn mistakes_are_named_with_place_and_mend() {
    const AROUND: &str = "dialplan: t\nstart: a\nPROFILE\nslots: {pin: {type: digits, length: 4, mask: true, prompt: PIN?}}\n\
                          states:\n  a:\n    steps:\n      - ask: pin\n      - STEP\n      - say: Well.\n      - end:\n";
    let names = "profile: {keep: [speed, vip]}";
    let many = format!("profile: {{keep: [{}]}}", (0..21).map(|n| format!("n{n}")).collect::<Vec<_>>().join(", "));
    for (profile, step, code, line, says) in [
        (names, "keep: {sped: slow}", Code::UndeclaredVariable, 9, "does not keep `sped` / did you mean `speed`"),
        (names, "say: 'Hi {{ profile.vp }}'", Code::UndeclaredVariable, 9, "does not keep `vp`"),
        (names, "forget: [spede]", Code::UndeclaredVariable, 9, "does not keep `spede`"),
        (names, "keep: {vip: '{{ slots.pin }}'}", Code::MaskedLeak, 9, "`pin` is masked, and would be kept here"),
        (names, "keep: {vip: 'pin {{ slots.pin }}'}", Code::MaskedLeak, 9, "leaves memory only by a `fetch`"),
        (names, "say: '{{ profile }}'", Code::BadTemplate, 9, "used as a whole"),
        (names, "set: {profile: 1}", Code::BadName, 9, "the language's own word"),
        (names, "keep:", Code::MissingKey, 9, "needs the key `keep`"),
        ("holidays: {}", "keep: {vip: true}", Code::UndeclaredVariable, 9, "profile: {keep: [vip]}"),
        ("profile: {keep: [a, a]}", "say: Hm.", Code::DuplicateKey, 3, "already"),
        ("profile: {keep: [1st]}", "say: Hm.", Code::BadName, 3, "no name"),
        ("profile: {kept: [a]}", "say: Hm.", Code::UnknownKey, 3, "keep"),
        ("profile: [a]", "say: Hm.", Code::WrongType, 3, "profile: {keep: [NAME, …]}"),
        (&many, "say: Hm.", Code::TooBig, 3, "20 names at most"),
        (
            "profile: {keep: [ok], calm_voice: true}",
            "say: Hm.",
            Code::BadCondition,
            3,
            "calm_voice: profile.voice_agreed",
        ),
        (
            "profile: {keep: [ok], calm_voice: profile.okay}",
            "say: Hm.",
            Code::UndeclaredVariable,
            3,
            "does not keep `okay`",
        ),
        ("profile: {keep: [ok], calm_voice: profile.ok}", "say: Hm.", Code::UnannouncedEmotion, 3, "not told"),
        ("speed: quick", "say: Hm.", Code::BadValue, 3, "no speed"),
        ("speed: 300%", "say: Hm.", Code::BadValue, 3, "50% to 200%"),
    ] {
        let source = AROUND.replace("PROFILE", profile).replace("STEP", step);
        let codes = codes(&source);
        let hit = codes.iter().any(|(c, l, text)| (*c, *l) == (code, line) && text.contains(says));
        assert!(hit, "{profile} {step}: {codes:#?}");
    }
    assert_eq!(codes(&AROUND.replace("PROFILE", "speed: slow").replace("STEP", "say: Hm.")), []);
}
