//! Turns that leave out what the turn before said.

use super::super::script::{Heard, Input};
use super::Call;

const BANK: &str = "\
dialplan: t
intents: {balance: [what is my balance], transfer: [transfer money]}
slots:
  account: {type: choice, choices: {savings: [saving], checking: [current]}, prompt: Which account?}
  amount: {type: money, prompt: How much?}
  day: {type: date, prompt: On which day?}
start: a
states:
  a: {steps: [{listen: Yes?}]}
  balance:
    steps:
      - ask: account
      - say: 'Balance of {{ slots.account }}.'
      - goto: more
  transfer:
    steps:
      - ask: [amount, day]
      - say: 'Sent {{ slots.amount }} on {{ slots.day }}.'
      - goto: more
  more: {steps: [{listen: Anything else?}], on: {no: bye}}
  bye: {steps: [{say: Goodbye.}, {end: }]}
on: {balance: balance, transfer: transfer}
";

fn says(
    call: &mut Call,
    text: &str,
    intent: Option<usize>,
    yes_no: Option<bool>,
    slots: &[(usize, &str)],
) -> Vec<String> {
    let slots = slots.iter().map(|(slot, value)| (*slot, (*value).to_string())).collect();
    let intent = intent.map(|intent| (intent, 0.9));
    call.input(Input::Heard(Heard { text: text.into(), intent, yes_no, slots, ..Heard::default() }))
}

fn after_savings() -> Call {
    let mut call = Call::new(BANK);
    call.start();
    let said = says(&mut call, "what is the balance of my savings", Some(0), None, &[(0, "savings")]);
    assert_eq!(said, ["in balance", "say Balance of savings.", "in more", "say Anything else?", "listen"]);
    call
}

#[test]
fn and_the_other_account() {
    for (text, slots) in [
        ("and the other account?", &[][..]),
        ("and current?", &[(0, "current")][..]),
        ("what about my checking account", &[(0, "checking")][..]),
    ] {
        let mut call = after_savings();
        let said = says(&mut call, text, None, None, slots);
        assert_eq!(said[..2], ["in balance", "say Balance of checking."], "{text}");
        // And back again.
        let said = says(&mut call, "and the other one?", None, None, &[]);
        assert_eq!(said[..2], ["in balance", "say Balance of savings."], "{text}");
    }
}

#[test]
fn no_tuesday_changes_one_value_and_keeps_the_other() {
    let mut call = Call::new(BANK);
    call.start();
    let said = says(&mut call, "send fifty on Friday", Some(1), None, &[(1, "50"), (2, "2026-11-27")]);
    assert_eq!(said[1], "say Sent 50 on 2026-11-27.");
    let said = says(&mut call, "No, Tuesday.", None, Some(false), &[(2, "2026-11-24")]);
    assert_eq!(said[..2], ["in transfer", "say Sent 50 on 2026-11-24."]);
}

#[test]
fn what_follows_nothing_up_is_taken_as_it_is() {
    // A plain no, and one with a value that changes nothing, are answers.
    for (text, slots) in [
        ("no", &[][..]),
        ("no thanks that will be all for today", &[(2, "2026-11-23")][..]),
        ("no, the savings", &[(0, "savings")][..]),
    ] {
        let mut call = after_savings();
        assert_eq!(says(&mut call, text, None, Some(false), slots)[0], "in bye", "{text}");
    }
    // Another intent is what it is; without a value there is nothing to follow up; and before any intent, too.
    let mut call = after_savings();
    assert_eq!(says(&mut call, "and transfer fifty", Some(1), None, &[(1, "50")])[0], "in transfer");
    let mut call = after_savings();
    assert_ne!(says(&mut call, "and then it rained", None, None, &[])[0], "in balance");
    let mut call = Call::new(BANK);
    call.start();
    assert_ne!(says(&mut call, "and savings?", None, None, &[(0, "savings")])[0], "in balance");
}

#[test]
fn a_weekday_that_corrects_a_day_is_the_one_nearest_to_it() {
    // Monday 2026-11-23; "next Friday" is 2026-12-04.
    for (text, heard, day) in [
        ("no, Saturday", "2026-11-28", "2026-12-05"),
        ("how about Thursday?", "2026-11-26", "2026-12-03"),
        ("no, Monday", "2026-11-30", "2026-12-07"),
        ("no, this Saturday", "2026-11-28", "2026-11-28"),
        ("no, March 6th", "2027-03-06", "2027-03-06"),
    ] {
        let mut call = Call::new(BANK);
        call.start();
        says(&mut call, "send fifty next Friday", Some(1), None, &[(1, "50"), (2, "2026-12-04")]);
        let said = says(&mut call, text, None, None, &[(2, heard)]);
        assert_eq!(said[1], format!("say Sent 50 on {day}."), "{text}");
    }
    // Where the nearest is past, the coming one is meant.
    let mut call = Call::new(BANK);
    call.start();
    says(&mut call, "send fifty tomorrow", Some(1), None, &[(1, "50"), (2, "2026-11-24")]);
    let said = says(&mut call, "no, Sunday", None, None, &[(2, "2026-11-29")]);
    assert_eq!(said[1], "say Sent 50 on 2026-11-29.");
}

#[test]
fn a_weekday_that_corrects_a_day_read_back_is_the_one_nearest_to_it() {
    let mut call = Call::new(
        "dialplan: t\nslots: {day: {type: date, prompt: When?, confirm: true}}\nstart: a\nstates:\n  a: {steps: [{ask: day}, {end: }]}\n",
    );
    call.start();
    call.gives("2026-12-04");
    let heard =
        Heard { text: "no, Saturday".into(), yes_no: Some(false), slot: Some("2026-11-28".into()), ..Heard::default() };
    let said = call.input(Input::Heard(heard));
    assert!(said[0].contains("Saturday, December 5."), "{said:?}");
}
