//! Forms, values that are checked, and corrections.

use super::super::script::{Heard, Input};
use super::{Call, found};

const TRANSFER: &str = "\
dialplan: t
intents: {transfer: [transfer money], help: [help]}
slots:
  amount: {type: money, prompt: How much?, valid: value > 0 and value <= 500, invalid: 'At most 500 dollars, not {{ value | money }}.'}
  target: {type: choice, choices: {savings: [saving], checking_account: [checking]}, called: account, prompt: To which account?}
  day: {type: date, prompt: On which day?}
start: a
states:
  a: {steps: [{listen: Yes?}], on: {transfer: b}}
  b:
    steps:
      - ask: [amount, target, day]
        confirm: true
      - say: 'Done: {{ slots.amount }} to {{ slots.target }} on {{ slots.day }}.'
      - end:
  c: {steps: [{say: Help., }, {end: }]}
on: {help: c}
";

/// Said at the listening state: an intent, with what is in the same sentence.
fn says(intent: Option<usize>, yes_no: Option<bool>, slots: &[(usize, &str)]) -> Input {
    let slots = slots.iter().map(|(slot, value)| (*slot, (*value).to_string())).collect();
    let intent = intent.map(|intent| (intent, 0.9));
    Input::Heard(Heard { text: "a sentence that holds it all".into(), intent, yes_no, slots, ..Heard::default() })
}

#[test]
fn one_sentence_fills_the_form() {
    let mut call = Call::new(TRANSFER);
    call.start();
    let all = call.input(says(Some(0), None, &[(0, "200"), (1, "saving"), (2, "2026-11-27")]));
    let read = "say I have amount 200 dollars, account savings and day Friday, November 27. Is that right?";
    assert_eq!(all, ["in b", read, "listen yes_no"]);
    assert_eq!(call.answers(true), ["say! Done: 200 to savings on 2026-11-27.", "end"]);
}

#[test]
fn what_is_missing_is_asked_for_and_may_bring_more() {
    let mut call = Call::new(TRANSFER);
    call.start();
    assert_eq!(call.input(says(Some(0), None, &[(1, "checking")])), ["in b", "say How much?", "listen slot 0"]);
    let heard = Heard { text: "fifty tomorrow".into(), slot: Some("50".into()), ..Heard::default() };
    let heard = Heard { slots: vec![(2, "2026-11-24".into())], ..heard };
    let read = call.input(Input::Heard(heard));
    let text = "say I have amount 50 dollars, account checking account and day Tuesday, November 24. Is that right?";
    assert_eq!(read, [text, "listen yes_no"]);
}

#[test]
fn one_item_is_corrected_without_starting_again() {
    let filled = || {
        let mut call = Call::new(TRANSFER);
        call.start();
        call.input(says(Some(0), None, &[(0, "200"), (1, "saving"), (2, "2026-11-27")]));
        call
    };
    // "No, Tuesday."
    let mut call = filled();
    let read = call.input(says(None, Some(false), &[(2, "2026-11-24")]));
    assert_eq!(read[0], "say I have amount 200 dollars, account savings and day Tuesday, November 24. Is that right?");
    // "No." "The account."
    let mut call = filled();
    let which = "say What should I change: the amount, the account or the day?";
    assert_eq!(call.answers(false), [which, "listen 123"]);
    let named = Heard { text: "The account, please".into(), ..Heard::default() };
    assert_eq!(call.input(Input::Heard(named)), ["say To which account?", "listen slot 1"]);
    let read = call.gives("checking");
    assert!(read[0].contains("account checking account and day Friday"), "{read:?}");
    // The same by keys, and by naming it at once.
    let mut call = filled();
    call.types("2");
    assert_eq!(call.types("3"), ["say On which day?", "listen slot 2"]);
    let mut call = filled();
    let named = Heard { text: "no, the amount is wrong".into(), yes_no: Some(false), ..Heard::default() };
    assert_eq!(call.input(Input::Heard(named)), ["say How much?", "listen slot 0"]);
    // Nobody is asked for ever.
    let mut call = filled();
    for _ in 0..3 {
        call.answers(false);
        call.answers(false);
    }
    assert!(call.answers(false).contains(&"end".to_string()));
}

#[test]
fn an_invalid_value_is_refused_with_its_reason_and_asked_anew() {
    let mut call = Call::new(TRANSFER);
    call.start();
    let refused = call.input(says(Some(0), None, &[(0, "900"), (1, "saving"), (2, "2026-11-27")]));
    assert_eq!(refused, ["in b", "say At most 500 dollars, not 900 dollars.", "say How much?", "listen slot 0"]);
    assert_eq!(call.gives("0")[0], "say At most 500 dollars, not 0 dollars.");
    assert!(call.gives("20")[0].contains("I have amount 20 dollars, account savings"));
    let mut call = Call::new(TRANSFER);
    call.start();
    call.means("transfer");
    call.gives("900");
    call.gives("900");
    assert_eq!(call.gives("900").last().unwrap(), "end");
}

#[test]
fn a_digression_leaves_the_form() {
    let mut call = Call::new(TRANSFER);
    call.start();
    call.means("transfer");
    assert_eq!(call.means("help"), ["in c", "say! Help.", "end"]);
}

#[test]
fn an_open_question_comes_first_and_falls_back_to_one_thing_at_a_time() {
    let source = TRANSFER.replace("        confirm: true\n", "        prompt: What shall I transfer, and where to?\n");
    let mut call = Call::new(&source);
    call.start();
    let open = "say What shall I transfer, and where to?";
    assert_eq!(call.means("transfer"), ["in b", open, "listen slot 0"]);
    assert_eq!(call.mumbles(), ["say How much?", "listen slot 0"]);
    let mut call = Call::new(&source);
    call.start();
    call.means("transfer");
    assert_eq!(call.input(says(None, None, &[(1, "saving"), (2, "2026-11-27")])), ["say How much?", "listen slot 0"]);
    assert_eq!(call.gives("7"), ["say! Done: 7 to savings on 2026-11-27.", "end"]);
}

const CHECKED: &str = "\
dialplan: t
slots:
  account:
    type: digits
    length: 4
    mask: true
    prompt: Account?
    check: {fetch: 'http://core.example/known/{{ value }}', reveal: [account], accept: answer.known}
    invalid: I do not know that account.
start: a
states:
  a: {steps: [{ask: account, confirm: true, tries: 2}, {say: Known.}, {end: }]}
";

#[test]
fn a_service_says_whether_it_knows_the_value() {
    let mut call = Call::new(CHECKED);
    call.start();
    assert_eq!(call.gives("1111"), ["fetch* http://core.example/known/1111"]);
    let unknown = call.fetched(serde_json::json!({"known": false}));
    assert_eq!(
        unknown,
        ["say* I do not know that account.", "say Account?", "listen slot 0"]
            .map(|line| line.replace("say* I", "say I"))
    );
    call.types("2222");
    let known = call.fetched(serde_json::json!({"known": true}));
    assert_eq!(known, ["say* I have 2 2 2 2. Is that right?", "listen yes_no"]);
    assert_eq!(call.answers(true), ["say! Known.", "end"]);
    // A service that is down refuses nobody.
    let mut call = Call::new(CHECKED);
    call.start();
    call.gives("1111");
    let down = call.input(Input::Fetched(Err("no answer".into())));
    assert_eq!(down[0], "trouble state a: `account` was not checked: no answer");
    assert_eq!(down[1], "say* I have 1 1 1 1. Is that right?");
}

#[test]
fn mistakes_in_slots_are_found() {
    let codes =
        |source: &str| found(source).iter().map(|d| format!("{}:{}", d.line, d.code.name())).collect::<Vec<_>>();
    assert_eq!(codes(&CHECKED.replace(", reveal: [account]", "")), ["8:masked-leak"]);
    assert_eq!(codes(&CHECKED.replace("answer.known", "anser.known")), ["8:undeclared-variable"]);
    assert_eq!(codes(&CHECKED.replace("    check: ", "    valid: ")), ["8:wrong-type", "9:bad-value"]);
    assert_eq!(codes(&TRANSFER.replace("[amount, target, day]", "[amount, amount]"))[0], "12:duplicate-key");
    assert_eq!(codes(&TRANSFER.replace("[amount, target, day]", "[]"))[0], "12:missing-key");
    assert_eq!(codes(&TRANSFER.replace("type: date", "type: dat"))[0], "6:bad-value");
    assert_eq!(codes(&TRANSFER.replace("value > 0", "valu > 0"))[0], "4:undeclared-variable");
}
