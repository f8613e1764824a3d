//! `voicemail`: where a message leads, and what is known of it then.

use std::time::Duration;

use super::super::Code;
use super::super::script::{Input, Message, NotKept};
use super::{Call, found};

const PLAN: &str = "
dialplan: shop
start: hello
states:
  hello:
    steps:
      - voicemail: Please leave a message.
        mailbox: office
        longest: 90s
        empty: again
        failed: sorry
      - notify: https://desk.example/messages
        body: {id: '{{ message.id }}', seconds: '{{ message.seconds }}', text: '{{ message.text }}'}
      - say: 'Thank you, your message of {{ message.seconds }} seconds is kept.'
      - end:
  again: {steps: [{say: I heard nothing.}, {goto: hello}]}
  sorry: {steps: [{say: I cannot keep messages just now.}, {end: }]}
";

fn kept() -> Input {
    let length = Duration::from_millis(4_400);
    Input::Recorded(Ok(Message { id: "m-1".into(), length, text: "Call me \"soon\".".into() }))
}

#[test]
fn a_message_that_is_kept_is_known_to_the_steps_behind_it() {
    let mut call = Call::new(PLAN);
    assert_eq!(call.start(), ["in hello", "say! Please leave a message.", "record office 90s 4s"]);
    assert_eq!(call.silent(), [""; 0], "the caller's silence is the recorder's matter");
    let after = call.input(kept());
    assert_eq!(after[0], r#"notify {"id":"m-1","seconds":4,"text":"Call me \"soon\"."}"#);
    assert_eq!(after[1..], ["say! Thank you, your message of 4 seconds is kept.", "end"]);
}

#[test]
fn nothing_said_and_a_full_disk_have_ways_of_their_own() {
    let mut call = Call::new(PLAN);
    call.start();
    let empty = call.input(Input::Recorded(Err(NotKept::Empty)));
    assert_eq!(empty[..3], ["in again", "say I heard nothing.", "in hello"]);
    let full = call.input(Input::Recorded(Err(NotKept::Failed("no space left".into()))));
    assert_eq!(full[0], "trouble state hello: the message was not kept: no space left");
    assert_eq!(full[1..], ["in sorry", "say! I cannot keep messages just now.", "end"]);
}

#[test]
fn without_ways_an_empty_message_goes_on_and_a_lost_one_is_apologised_for() {
    let plain = PLAN.replace("        empty: again\n        failed: sorry\n", "").replace("  again:", "  x:");
    let plain = plain.replace("- end:\n  x", "- goto: x\n  x").replace("goto: hello", "goto: sorry");
    let mut call = Call::new(&plain);
    call.start();
    let empty = call.input(Input::Recorded(Err(NotKept::Empty)));
    assert_eq!(empty[0], r#"notify {"id":"","seconds":0,"text":""}"#);
    let mut call = Call::new(&plain);
    call.start();
    let full = call.input(Input::Recorded(Err(NotKept::Failed("no space left".into()))));
    assert!(full[1].starts_with("say! I am sorry") && full[2] == "end", "{full:?}");
}

#[test]
fn a_caller_who_says_nothing_for_ever_is_not_recorded_for_ever() {
    let mut call = Call::new(PLAN);
    call.start();
    let ends =
        (0..10).map(|_| call.input(Input::Recorded(Err(NotKept::Empty)))).position(|did| did.contains(&"end".into()));
    assert_eq!(ends, Some(3));
}

#[test]
fn what_is_wrong_with_a_voicemail_is_told() {
    let wrong = |from: &str, to: &str| {
        let all = found(&PLAN.replace(from, to));
        all.into_iter().map(|d| (d.code, d.message)).collect::<Vec<_>>()
    };
    assert_eq!(wrong("", ""), []);
    assert_eq!(wrong("longest: 90s", "longest: 20m")[0].0, Code::BadDuration);
    assert_eq!(wrong("mailbox: office", "mailbox: ../etc")[0].0, Code::BadName);
    assert_eq!(wrong("empty: again", "empty: agian")[0].0, Code::UnknownState);
    assert_eq!(wrong("mailbox: office", "mailbxo: office")[0].0, Code::UnknownKey);
    let none = "dialplan: x\nstart: a\nstates: {a: {steps: [{say: '{{ message.text }}'}, {end: }]}}\n";
    assert_eq!(found(none)[0].code, Code::UndeclaredVariable);
    let taken = "dialplan: x\nstart: a\nstates: {a: {steps: [{set: {message: 1}}, {say: Hi.}, {end: }]}}\n";
    assert_eq!(found(taken)[0].code, Code::BadName);
    let open = "dialplan: x\nstart: a\nstates: {a: {steps: [{voicemail: }]}}\n";
    assert_eq!(found(open)[0].code, Code::DeadEnd);
}
