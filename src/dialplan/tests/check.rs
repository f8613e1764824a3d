//! Every mistake at once, each at its line and column.

use super::super::Code;
use super::{found, load};

/// `line:column code` of each diagnostic.
fn places(source: &str) -> Vec<String> {
    found(source).iter().map(|d| format!("{}:{} {}", d.line, d.column, d.code.name())).collect()
}

/// A sound plan around these states.
fn with_states(states: &str) -> String {
    let head = "dialplan: t\nintents:\n  go: [go on]\nslots:\n  pin: {type: digits, length: 4, mask: true, prompt: PIN?}\n  n: {type: number, prompt: How many?}\nhandover: [{when: misses >= 3, to: 'queue:q'}]\nstart: a\nstates:\n";
    format!("{head}{states}")
}

/// Lines before the first state of [`with_states`].
const HEAD: u32 = 9;

fn in_states(states: &str) -> Vec<String> {
    let found = found(&with_states(states));
    // What is doubted in the head is not what is asked for.
    let in_states = found.iter().filter(|d| d.line > HEAD);
    in_states.map(|d| format!("{}:{} {}", d.line - HEAD, d.column, d.code.name())).collect()
}

#[test]
fn ten_mistakes_are_all_reported_in_order() {
    let source = "\
dialplan: ten
langauge: en-US
intents:
  balance: []
  block: [block my card]
  block: [stop my card]
slots:
  pin: {type: digits, mask: true, prompt: PIN?}
start: hello
states:
  hello:
    steps:
      - say: Hello {{ nmae }}.
      - listen: How can I help?
        timeout: soon
    on:
      balance: {to: blance, key: 1}
      block: {to: pay, key: 1}
  balance:
    steps:
      - ask: pin
      - fetch: http://core.example/{{ slots.pin }}
        failed: pay
      - say: Done.
  pay:
    steps:
      - transfer: support
      - end:
";
    let expected = [
        "2:1 unknown-key",
        "4:3 empty-examples",
        "6:3 duplicate-key",
        "13:23 undeclared-variable",
        "15:18 bad-duration",
        "17:21 unknown-state",
        "18:29 key-clash",
        "19:3 dead-end",
        "19:3 unreachable-state",
        "22:45 masked-leak",
        "22:45 unconfirmed-slot",
        "27:19 bad-target",
    ];
    assert_eq!(places(source), expected);
    let checked = load(source.as_bytes(), "bank/dialplan.yaml");
    assert!(checked.plan.is_none());
    let printed: Vec<String> = checked.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(
        printed[0],
        "bank/dialplan.yaml:2:1: error[unknown-key]: a plan has no key `langauge`\n  help: did you mean `language`?"
    );
    assert_eq!(
        printed[5],
        "bank/dialplan.yaml:17:21: error[unknown-state]: there is no state `blance`\n  help: did you mean `balance`?"
    );
}

#[test]
fn each_rule_finds_its_mistake() {
    let table: &[(&str, &[&str])] = &[
        ("  a: {steps: [{listen: x}], on: {go: a}}\n", &[]),
        ("  a: {steps: [{listen: x}], on: {gone: a}}\n", &["1:34 unknown-intent"]),
        ("  a: {steps: [{say: hi}]}\n", &["1:3 dead-end"]),
        ("  a: {steps: [{when: misses > 1, goto: a}]}\n", &["1:3 dead-end"]),
        ("  a: {steps: []}\n", &["1:3 dead-end"]),
        ("  a: {steps: [{say: hi}, {goto: b}]}\n  b: {steps: [{goto: a}]}\n", &["1:3 endless-loop"]),
        ("  a: {steps: [{goto: a}]}\n", &["1:3 endless-loop"]),
        ("  a: {steps: [{end: }, {say: hi}]}\n", &["1:24 unreachable-step"]),
        ("  a: {steps: [{shout: hi}, {end: }]}\n", &["1:16 unknown-key"]),
        ("  a: {steps: [{sya: hi}, {end: }]}\n", &["1:16 unknown-key"]),
        ("  a: {steps: [{say: hi, goto: a}, {end: }]}\n", &["1:25 unknown-key"]),
        ("  a: {steps: [{when: misses}, {end: }]}\n", &["1:15 missing-key"]),
        ("  a: {steps: [{say: [hi]}, {end: }]}\n", &["1:21 wrong-type"]),
        ("  a: {steps: [{say: {tense: hi}}, {end: }]}\n", &["1:21 missing-key"]),
        ("  a: {steps: [{say: \"\"}, {end: }]}\n", &["1:21 bad-value"]),
        ("  a: {steps: [end]}\n", &["1:15 wrong-type"]),
        ("  a: {steps: [{say: '{{ x | mony }}'}, {end: }]}\n", &["1:29 bad-template"]),
        ("  a: {steps: [{say: '{{ misses'}, {end: }]}\n", &["1:21 bad-template"]),
        ("  a: {steps: [{when: 'misses >', say: x}, {end: }]}\n", &["1:22 bad-condition"]),
        ("  a: {steps: [{when: 'heard(\"og\")', say: x}, {end: }]}\n", &["1:30 unknown-intent"]),
        ("  a: {steps: [{say: '{{ slots.pni }}'}, {end: }]}\n", &["1:31 unknown-slot"]),
        ("  a: {steps: [{say: '{{ slots }}'}, {end: }]}\n", &["1:25 bad-template"]),
        ("  a: {steps: [{say: '{{ caller.tier }}'}, {end: }]}\n", &["1:32 undeclared-variable"]),
        ("  a: {steps: [{ask: pin}, {say: '{{ slots.pin }}'}, {end: }]}\n", &["1:43 masked-spoken"]),
        ("  a: {steps: [{ask: pin}, {set: {x: '{{ slots.pin }}'}}, {end: }]}\n", &["1:47 masked-leak"]),
        ("  a: {steps: [{ask: pin}, {transfer: queue:q, reason: '{{ slots.pin }}'}]}\n", &["1:65 masked-leak"]),
        ("  a: {steps: [{say: '{{ slots.n }}'}, {end: }]}\n", &["1:31 unasked-slot"]),
        ("  a: {steps: [{fetch: 'http://h/', failed: a}, {end: }]}\n", &["1:3 possible-loop"]),
        ("  a: {steps: [{fetch: 'http://h/', failed: b}, {end: }]}\n  b: {steps: [{end: }]}\n", &[]),
        ("  a: {steps: [{when: misses > 1, goto: b}, {end: }]}\n  b: {steps: [{goto: a}]}\n", &["1:3 possible-loop"]),
        ("  a: {steps: [{ask: n, failed: b}, {end: }]}\n  b: {steps: [{goto: a}]}\n", &[]),
        ("  a: {steps: [{say: 'See www.example.com'}, {end: }]}\n", &["1:21 unsayable-text"]),
        ("  a: {steps: [{listen: '**'}], on: {go: a}}\n", &["1:24 unsayable-text"]),
        ("  a: {steps: [{fetch: 'http://h/'}, {end: }]}\n", &["1:15 missing-failed"]),
        ("  a: {steps: [{fetch: 'ftp://h/', failed: a}, {end: }]}\n", &["1:23 bad-url"]),
        ("  a: {steps: [{fetch: 'http://{{ last }}/', failed: a}, {end: }]}\n", &["1:23 bad-url"]),
        ("  a: {steps: [{fetch: 'http://h{{ last }}/', failed: a}, {end: }]}\n", &["1:23 bad-url"]),
        ("  a: {steps: [{fetch: 'http://h/a b', failed: a}, {end: }]}\n", &["1:23 bad-url"]),
        ("  a: {steps: [{fetch: 'http://h/', failed: a, as: slots}, {end: }]}\n", &["1:51 bad-name"]),
        ("  a: {steps: [{ask: n, tries: 99}, {end: }]}\n", &["1:31 bad-value"]),
        ("  a: {steps: [{transfer: 'queue:'}]}\n", &["1:26 bad-target"]),
        ("  a: {steps: [{transfer: 'sip:a b'}]}\n", &["1:26 bad-target"]),
        ("  a: {steps: [{transfer: 'queue:q', blind: true}]}\n", &["1:26 bad-target"]),
        ("  a: {steps: [{transfer: 'sip:a@b.example', blind: true}]}\n", &[]),
        ("  a: {steps: [{transfer: 'sip:desk@10.0.0.1:5060'}]}\n", &[]),
        ("  a: {steps: [{listen: x}], on: {1: a, go: {to: a, key: 1}}}\n", &["1:57 key-clash"]),
        ("  a: {steps: [{listen: x}], on: {go: {to: a, key: 12}}}\n", &["1:51 bad-value"]),
        ("  a: {steps: [{listen: x}], otherwise: z}\n", &["1:40 unknown-state"]),
        ("  a: {steps: [{listen: x}]}\n  b: {steps: [{end: }]}\n", &["1:3 no-way-on", "2:3 unreachable-state"]),
        ("  a: {steps: [{listen: x}]}\n  a: {steps: [{end: }]}\n", &["2:3 duplicate-key"]),
        ("  a: {steps: [{listen: x}], handover: [{when: misses > 2}]}\n", &["1:40 missing-key"]),
    ];
    let wrong: Vec<_> = table.iter().filter(|(states, expected)| in_states(states) != *expected).collect();
    let wrong: Vec<_> = wrong.into_iter().map(|(states, expected)| (states, expected, in_states(states))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn slots_intents_and_knowledge_are_checked() {
    let source = "\
dialplan: t
intents:
  yes: [yes]
  odd name: [x, '']
slots:
  a: {type: digit}
  b: {type: digits, length: 9-3}
  c: {type: choice}
  d: {type: text, keypad: true}
  e-f: {type: number}
start: s
states:
  s: {steps: [{ask: a}, {end: }]}
knowledge:
  - questions: [q]
  - {questions: [], answers: [x]}
";
    let expected = [
        "3:3 bad-name",
        "3:3 unused-intent",
        "4:3 bad-name",
        "4:3 unused-intent",
        "4:17 empty-examples",
        "6:13 bad-value",
        "7:29 bad-value",
        "8:3 missing-key",
        "9:3 bad-value",
        "10:3 bad-name",
        "13:21 missing-key",
        "15:5 missing-key",
        "15:5 empty-examples",
        "16:5 empty-examples",
    ];
    let mut places = places(source);
    places.sort_by_key(|place| place.split(':').next().and_then(|line| line.parse::<u32>().ok()));
    assert_eq!(places, expected);
}

#[test]
fn a_plan_without_anything_says_what_it_needs() {
    let codes: Vec<String> = found("voice: x\n").iter().map(|d| d.message.clone()).collect();
    assert_eq!(
        codes,
        ["a plan needs the key `dialplan`", "a plan needs the key `start`", "a plan needs the key `states`"]
    );
    assert_eq!(found("[]")[0].code, Code::WrongType);
    assert_eq!(found("hello")[0].code, Code::WrongType);
}

#[test]
fn another_language_is_doubted() {
    let source = "dialplan: t\nlanguage: de-DE\nstart: s\nstates:\n  s: {steps: [{end: }]}\n";
    assert_eq!(places(source), ["2:11 language"]);
}

#[test]
fn callers_who_are_left_alone_and_calls_without_an_end_are_doubted() {
    let plan = |rest: &str| {
        format!("dialplan: t\nintents: {{go: [go on, \"Go on!\"], on: [go ON, further]}}\nstart: a\nstates:\n{rest}")
    };
    let alone = plan("  a: {steps: [{listen: x}], on: {go: b, on: a}}\n  b: {steps: [{goto: a}]}\n");
    assert_eq!(
        places(&alone),
        ["2:39 overlapping-intents", "5:3 missing-fallback", "5:3 no-end", "6:3 no-end"],
        "{:#?}",
        found(&alone)
    );
    let both = found(&alone).remove(0);
    assert!(both.message.contains("\"go ON\"") && both.message.contains("\"go on\" (line 2)"), "{both}");
    for mended in [
        "on: {go: b, on: a}, otherwise: b}\n  b: {steps: [{end: }]}\n",
        "on: {go: a, on: a}, handover: [{when: misses > 2, to: 'queue:q'}]}\n",
    ] {
        let source = plan(&format!("  a: {{steps: [{{listen: x}}], {mended}"));
        assert_eq!(places(&source), ["2:39 overlapping-intents"], "{source}");
    }
}

#[test]
fn a_way_on_that_a_rule_takes_first_is_told() {
    let plan = |when: &str| {
        format!(
            "dialplan: t\nintents: {{agent: [a person], x: [y]}}\nhandover: [{{when: {when}, to: 'queue:q'}}]\nstart: a\nstates:\n  a: {{steps: [{{listen: Yes?}}], on: {{x: a, agent: {{to: b, key: 0}}}}}}\n  b: {{steps: [{{transfer: 'queue:q'}}]}}\n"
        )
    };
    let told = |when: &str| {
        let found = found(&plan(when));
        found.iter().filter(|d| d.code.name() == "shadowed-way").map(|d| (d.line, d.column)).collect::<Vec<_>>()
    };
    assert_eq!(told("heard('agent') or misses >= 3"), [(6, 43)]);
    assert_eq!(told("heard('agent') and frustration > 0.5"), []);
    assert_eq!(told("misses >= 3"), []);
}
