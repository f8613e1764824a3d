//! `callback`: what is noted, when it is due, and the call that comes of it.

use super::super::Code;
use super::super::script::{CallBack, Input};
use super::{Call, found, nine};

const PLAN: &str = "
dialplan: shop
hours: {office: {mon-fri: '10:00-18:00'}}
consent: This call is recorded.
start: hello
states:
  hello:
    steps:
      - callback: called
        within: office
        reason: about the oven
        failed: sorry
      - say: 'We call you on {{ callback.date | date }} at {{ callback.time | time }}.'
      - end:
  called:
    steps:
      - say: 'This is the shop. You asked us to call {{ callback.reason }}.'
      - when: callback.calling
        transfer: queue:desk
      - end:
  sorry: {steps: [{say: We cannot call you.}, {end: }]}
";

#[test]
fn a_wish_is_noted_for_the_next_opening_and_said() {
    let mut call = Call::new(PLAN);
    let asked = call.start();
    assert_eq!(asked[2], "call back +15550100 2026-11-23T10:00:00 in called: about the oven", "{asked:?}");
    let booked = call.input(Input::Booked(Ok(())));
    assert_eq!(booked, ["say! We call you on Monday, November 23 at 10 a.m.", "end"]);
}

#[test]
fn a_refusal_and_a_time_that_is_past_go_the_plans_way() {
    let mut call = Call::new(PLAN);
    call.start();
    let refused = call.input(Input::Booked(Err("not allowed".into())));
    assert_eq!(
        refused,
        ["trouble state hello: nobody will be called back: not allowed", "in sorry", "say! We cannot call you.", "end"]
    );
    let mut late = Call::new(&PLAN.replace("within: office", "at: '2026-11-22 10:00'"));
    let told = late.start();
    assert!(told[2].contains("the time is past") && told[3] == "in sorry", "{told:?}");
    let mut never = Call::new(&PLAN.replace("mon-fri: '10:00-18:00'", "mon-fri: closed"));
    assert!(never.start()[2].contains("opening hours"), "{never:?}", never = never.start());
}

#[test]
fn the_number_and_the_time_may_be_the_callers() {
    let source = PLAN.replace("within: office", "number: '{{ \"+44 20 7946 0000\" }}'\n        at: '2026-11-27 15:30'");
    let mut call = Call::new(&source);
    assert_eq!(call.start()[2], "call back +44 20 7946 0000 2026-11-27T15:30:00 in called: about the oven");
}

#[test]
fn the_call_that_we_make_begins_where_it_was_said_behind_the_consent() {
    let mut call = Call::new(PLAN);
    let wish = CallBack {
        number: "+15550100".into(),
        due: nine(),
        within: None,
        state: "called".into(),
        reason: "about the oven".into(),
    };
    assert!(call.script.calls_back(&wish));
    let said = call.start();
    assert_eq!(said[0], "say! This call is recorded.");
    assert_eq!(said[1..3], ["in called", "say This is the shop. You asked us to call about the oven."]);
    assert!(said[3].starts_with("transfer queue:desk"), "{said:?}");
    let mut gone = Call::new(PLAN);
    assert!(!gone.script.calls_back(&CallBack { state: "renamed".into(), ..wish }));
    assert_eq!(gone.start()[1], "in hello", "its start is the next best");
}

#[test]
fn whoever_asks_for_ever_is_stopped() {
    let round = PLAN.replace("      - end:\n  called", "      - goto: hello\n  called");
    let mut call = Call::new(
        &round
            .replace("- say: 'We call", "- ask: x\n      - say: 'We call")
            .replace("consent:", "slots: {x: {type: text, prompt: Well?}}\nconsent:"),
    );
    call.start();
    assert!(call.input(Input::Booked(Ok(()))).iter().any(|did| did.starts_with("listen")));
    let forever = PLAN.replace("failed: sorry", "failed: hello");
    let mut call = Call::new(&forever);
    call.start();
    let ends = (0..9).position(|_| call.input(Input::Booked(Err("no".into()))).contains(&"end".to_owned()));
    assert_eq!(ends, Some(3));
}

#[test]
fn what_is_wrong_with_a_callback_is_told() {
    let code = |from: &str, to: &str| found(&PLAN.replace(from, to)).first().map(|d| d.code);
    assert_eq!(code("", ""), None);
    assert_eq!(code("callback: called", "callback: caled"), Some(Code::UnknownState));
    assert_eq!(code("within: office", "within: ofice"), Some(Code::UnknownHours));
    assert_eq!(code("        failed: sorry\n", ""), Some(Code::MissingFailed));
    let masked = "
dialplan: x
slots: {pin: {type: digits, length: 4, mask: true, prompt: Your code?}}
start: a
states: {a: {steps: [{ask: pin}, {callback: a, reason: 'code {{ slots.pin }}', failed: b}, {goto: b}]}, b: {steps: [{end: }]}}
";
    assert!(found(masked).iter().any(|d| d.code == Code::MaskedLeak));
}
