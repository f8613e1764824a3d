//! What is sent elsewhere, the calendar, and places that are come back to.

use super::super::script::{Heard, Input};
use super::{Call, Script, found, plan};

const SENDS: &str = "\
dialplan: t
slots:
  pin: {type: digits, length: 4, mask: true, prompt: PIN?}
  who: {type: text, prompt: Who?}
  n: {type: number, prompt: How many?}
start: a
states:
  a:
    steps:
      - ask: who
      - ask: n
      - ask: pin
      - fetch: http://core.example/orders
        body: {who: '{{ slots.who }}', count: '{{ slots.n }}', note: '{{ slots.n }} pieces', code: 007, pin: '{{ slots.pin }}', list: [1, true, null, '2'], gone: '{{ caller.name }}'}
        headers: {X-Who: '{{ slots.who }}'}
        reveal: [pin]
        auth: core
        retry: 2
        as: order
        failed: a
      - notify: http://hooks.example/x
        body: {order: '{{ order }}'}
      - end:
";

#[test]
fn a_body_is_escaped_and_keeps_its_types() {
    let mut call = Call::new(SENDS);
    call.start();
    let who = "a\", \"admin\": true, \"x\": \"\r\nEvil: yes\u{7}";
    call.input(Input::Heard(Heard { text: who.into(), slot: Some(who.into()), ..Heard::default() }));
    call.gives("3");
    call.script.handle(Input::Heard(Heard { text: "1234".into(), slot: Some("1234".into()), ..Heard::default() }));
    let fetch = std::iter::from_fn(|| call.script.poll()).find_map(|action| match action {
        super::Action::Fetch(fetch) => Some(fetch),
        _ => None,
    });
    let fetch = fetch.expect("a fetch");
    let body: serde_json::Value = serde_json::from_str(fetch.body.as_deref().unwrap()).unwrap();
    let expected = serde_json::json!({
        "who": who.trim(), "count": 3, "note": "3 pieces", "code": "007", "pin": "1234",
        "list": [1, true, null, "2"], "gone": null,
    });
    assert_eq!(body, expected);
    assert_eq!((fetch.method.name(), fetch.retry, fetch.auth.as_deref()), ("POST", 2, Some("core")));
    let header = &fetch.headers[0].1;
    assert!(header.contains("Evil") && header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{header}");
    assert!(fetch.masked && !format!("{fetch:?}").contains("1234"));
    let done = call.fetched(serde_json::json!({"id": [1, "b"]}));
    assert_eq!(done, ["notify {\"order\":{\"id\":[1,\"b\"]}}", "end"]);
    assert_eq!(plan(SENDS).secrets(), ["core"]);
}

#[test]
fn what_may_not_be_sent_is_found() {
    let codes =
        |source: &str| found(source).iter().map(|d| format!("{}:{}", d.line, d.code.name())).collect::<Vec<_>>();
    assert_eq!(codes(SENDS), ["14:unconfirmed-slot"; 3]);
    let errors =
        |source: &str| codes(source).into_iter().filter(|c| !c.ends_with("unconfirmed-slot")).collect::<Vec<_>>();
    assert_eq!(errors(&SENDS.replace("reveal: [pin]", "reveal: [n]")), ["14:masked-leak"]);
    assert_eq!(errors(&SENDS.replace("X-Who", "Host")), ["15:bad-name"]);
    assert_eq!(errors(&SENDS.replace("X-Who", "authorization")), ["15:bad-name"]);
    assert_eq!(errors(&SENDS.replace("retry: 2", "retry: 99")), ["18:bad-value"]);
    assert_eq!(errors(&SENDS.replace("auth: core", "method: FETCH")), ["17:bad-value"]);
    assert_eq!(errors(&SENDS.replace("auth: core", "method: get")), ["14:bad-value"]);
}

const DAY: &str = "\
dialplan: t
hours:
  desk: {mon-fri: '8:00-12:00, 13:00-18:00', sat: '9:00-12:00', holidays: closed}
holidays: {12-25: Christmas Day}
caller: {lookup: 'http://h/', remember: [born]}
start: a
states:
  a:
    steps:
      - when: holiday()
        say: A merry {{ holiday() }}.
      - when: birthday(caller.born)
        say: Happy birthday.
      - when: not open('desk')
        say: We open {{ opens('desk') }}.
      - when: open('desk')
        say: We are here until {{ closes('desk') }}; {{ weekday }}, {{ today | date }}, {{ now | time }}.
      - when: hour >= 17 and open('desk')
        say: It is late.
      - end:
";

fn said_at(moment: jiff::civil::DateTime, born: &str) -> Vec<String> {
    let mut script = Script::new(std::sync::Arc::new(plan(DAY)), moment);
    script.handle(Input::Start { caller: serde_json::Value::Null });
    script.handle(Input::Fetched(Ok(serde_json::json!({ "born": born }))));
    let mut said = Vec::new();
    while let Some(action) = script.poll() {
        if let super::Action::Say(say) = action {
            said.push(say.text);
        }
    }
    said
}

#[test]
fn the_day_and_the_hour_choose_the_words() {
    let on = |month, day, hour| jiff::civil::date(2026, month, day).at(hour, 30, 0, 0);
    let open = "We are here until 6 p.m.; Monday, Monday, November 23, 5 30 p.m.";
    assert_eq!(said_at(on(11, 23, 17), "1990-01-01"), [open, "It is late."]);
    assert_eq!(said_at(on(11, 23, 12), ""), ["We open today at 1 p.m."]);
    assert_eq!(said_at(on(11, 27, 20), "1980-11-27"), ["Happy birthday.", "We open tomorrow at 9 a.m."]);
    assert_eq!(said_at(on(12, 25, 10), "x"), ["A merry Christmas Day.", "We open tomorrow at 9 a.m."]);
    assert_eq!(said_at(on(11, 29, 10), "x"), ["We open tomorrow at 8 a.m."]);
    assert_eq!(said_at(on(12, 24, 19), "x")[0], "We open on Saturday at 9 a.m.");
}

#[test]
fn mistakes_in_the_calendar_are_found() {
    let codes =
        |source: &str| found(source).iter().map(|d| format!("{}:{}", d.line, d.code.name())).collect::<Vec<_>>();
    assert_eq!(codes(DAY), Vec::<String>::new());
    assert_eq!(codes(&DAY.replace("8:00-12:00", "8-12")), ["3:bad-value"]);
    assert_eq!(codes(&DAY.replace("sat: ", "sut: ")), ["3:bad-value"]);
    assert_eq!(codes(&DAY.replace("12-25", "25-12")), ["4:bad-value"]);
    assert_eq!(codes(&DAY.replace("opens('desk')", "opens('dest')")), ["15:unknown-hours"]);
    assert_eq!(codes(&DAY.replace("opens('desk')", "opens(desk)")), ["15:bad-template"]);
}

const RETURNS: &str = "\
dialplan: t
intents: {faq: [a question], pay: [pay]}
slots: {n: {type: number, prompt: How many?}, day: {type: date, prompt: Which day?}}
start: a
on: {faq: {call: answers, key: 9}}
states:
  a:
    steps:
      - call: hello
      - ask: [n, day]
        confirm: true
      - say: Thanks.
      - end:
  hello: {steps: [{say: Hello.}, {return: }]}
  answers: {steps: [{say: We are.}, {return: }]}
";

#[test]
fn a_call_comes_back_and_a_digression_returns_to_the_form() {
    let mut call = Call::new(RETURNS);
    assert_eq!(call.start(), ["in a", "in hello", "say Hello.", "in a", "say How many?", "listen slot 0"]);
    assert_eq!(call.gives("3"), ["say Which day?", "listen slot 1"]);
    assert_eq!(call.means("faq"), ["in answers", "say We are.", "in a", "say Which day?", "listen slot 1"]);
    let read = "say I have n 3 and day Tuesday, November 24. Is that right?";
    assert_eq!(call.gives("2026-11-24"), [read, "listen yes_no"]);
    assert_eq!(call.means("faq"), ["in answers", "say We are.", "in a", read, "listen yes_no"]);
    assert_eq!(call.answers(true), ["say! Thanks.", "end"]);
}

#[test]
fn calls_without_end_are_bounded() {
    let source = "\
dialplan: t
start: a
states:
  a: {steps: [{call: b}, {end: }]}
  b: {steps: [{when: misses > 3, return: }, {call: c}, {return: }]}
  c: {steps: [{when: misses > 3, return: }, {call: b}, {return: }]}
";
    let mut call = Call::new(source);
    let done = call.start();
    assert!(done.iter().any(|line| line.contains("without waiting")), "{done:?}");
    let nowhere =
        "dialplan: t\nstart: a\nstates:\n  a: {steps: [{listen: x}], on: {1: b}}\n  b: {steps: [{return: }]}\n";
    let mut call = Call::new(nowhere);
    call.start();
    assert_eq!(call.types("1"), ["in b", "in a", "say x", "listen 1"]);
    let round = "dialplan: t\nstart: a\nstates:\n  a: {steps: [{call: a}, {end: }]}\n";
    assert!(found(round).iter().any(|d| d.code.name() == "endless-loop"));
}

#[test]
fn filters_say_numbers() {
    let source = "dialplan: t\nstart: a\nstates:\n  a:\n    steps:\n      - set: {n: 1, m: 3, x: 1234.50}\n      - say: '{{ n | plural(\"order\", \"orders\") }}, {{ m | plural(\"order\", \"orders\") }}, the {{ m | ordinal }}, {{ 111 | ordinal }}, {{ x | number }}'\n      - end:\n";
    let mut call = Call::new(source);
    assert_eq!(call.start()[1], "say! 1 order, 3 orders, the 3rd, 111th, 1234.5");
}
