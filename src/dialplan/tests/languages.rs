//! Another plan takes over because of the language of the caller's first words.

use super::super::Code;
use super::super::script::Input;
use super::{Call, found};

const PLAN: &str = "\
dialplan: t
languages: {zh: 200}
slots: {pin: {type: digits, length: 4, mask: true, prompt: Your PIN?}}
start: hello
states:
  hello: {steps: [{listen: [Yes?, Pardon?]}], on: {1: pin, 2: hello}}
  pin: {steps: [{ask: pin}, {end: }]}
";

fn call() -> Call {
    let mut call = Call::new(PLAN);
    call.start();
    call
}

#[test]
fn the_first_words_in_another_language_switch_and_the_wait_goes_on_where_no_plan_takes_over() {
    let mut call = call();
    assert!(call.script.heeds_language());
    assert_eq!(call.input(Input::Language(Some("zh"))), ["switch 200"]);
    assert!(call.script.is_switching() && !call.script.heeds_language());
    let none = call.input(Input::NotSwitched("nothing answers that number".into()));
    let trouble = "trouble state hello: no other plan takes over: nothing answers that number";
    assert_eq!(none, [trouble, "listen 12"], "nothing is said twice");
    assert_eq!(call.mumbles(), ["say Pardon?", "listen 12"], "and what was said is taken as it was heard");
    assert_eq!(call.plan.switches(), ["200"]);
}

#[test]
fn the_language_is_asked_twice_at_most_and_of_no_one_who_was_understood() {
    let mut unsure = call();
    for heeds in [true, true, false] {
        assert_eq!(unsure.script.heeds_language(), heeds);
        assert_eq!(unsure.input(Input::Language(None)), [""; 0]);
        unsure.mumbles();
    }
    let mut own = call();
    own.input(Input::Language(Some("en")));
    assert!(!own.script.heeds_language(), "who surely speaks the plan's language is not asked again");
    let mut typed = call();
    typed.types("2");
    assert!(!typed.script.heeds_language(), "keys were understood");
    assert_eq!(typed.input(Input::Language(Some("zh"))), [""; 0]);
    let plain = Call::new(&PLAN.replace("languages: {zh: 200}\n", ""));
    assert!(!plain.script.heeds_language(), "a plan that names no language never asks");
}

#[test]
fn the_language_of_a_masked_slot_is_never_asked() {
    let mut call = Call::new(&PLAN.replace("start: hello", "start: pin"));
    call.start();
    assert!(call.script.hears_masked() && !call.script.heeds_language());
    assert_eq!(call.input(Input::Language(Some("zh"))), [""; 0]);
}

#[test]
fn languages_that_are_not_heard_the_own_one_and_one_twice_are_mistakes() {
    for (languages, code, column) in [
        ("{fr: 300}", Code::Language, 13),
        ("{en-GB: 300}", Code::Language, 13),
        ("{zh: 200, zh-CN: 300}", Code::DuplicateKey, 22),
        ("{zh: two hundred}", Code::BadTarget, 17),
    ] {
        let found = found(&PLAN.replace("{zh: 200}", languages));
        let places: Vec<_> = found.iter().map(|d| (d.code, d.line, d.column)).collect();
        assert!(
            places.iter().any(|(c, line, at)| *c == code && *line == 2 && at.abs_diff(column) < 2),
            "{languages}: {found:?}"
        );
    }
}
