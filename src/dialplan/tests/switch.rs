//! Another plan takes over: what the script asks for, and what becomes of it when there is none.

use super::super::Code;
use super::super::script::{Input, Script};
use super::{Call, found, nine, plan};

const PLAN: &str = "\
dialplan: t
profile: {keep: [language]}
start: hello
states:
  hello: {steps: [{listen: Yes?}], on: {2: there, 3: plain, 4: last}}
  there: {steps: [{keep: {language: zh}}, {switch: 200, failed: sorry}]}
  plain: {steps: [{switch: 300}, {say: Then not.}, {goto: hello}]}
  last: {steps: [{switch: '+49-30'}]}
  sorry: {steps: [{say: I am sorry.}, {goto: hello}]}
";

fn at(keys: &str) -> Call {
    let mut call = Call::new(PLAN);
    call.start();
    call.types(keys);
    call
}

#[test]
fn it_asks_for_the_number_and_goes_on_where_there_is_none() {
    let mut call = Call::new(PLAN);
    call.start();
    assert_eq!(call.types("2"), ["in there", "switch 200"]);
    assert_eq!(call.types("2"), [""; 0], "nothing is listened for meanwhile");
    let none = || Input::NotSwitched("nothing answers that number".into());
    let trouble = "trouble state there: no other plan takes over: nothing answers that number";
    assert_eq!(call.input(none())[..3], [trouble, "in sorry", "say I am sorry."]);
    assert_eq!(at("3").input(none())[1..3], ["say Then not.", "in hello"]);
    assert_eq!(at("4").input(none()).last().map(String::as_str), Some("end"));
    assert_eq!(call.plan.switches(), ["+49-30", "200", "300"]);
}

#[test]
fn the_other_plan_knows_the_caller_and_keeps_for_the_first() {
    let first = at("2");
    let other = "dialplan: zh\nprofile: {keep: [language, size]}\nstart: a\nstates:\n  a: {steps: [{say: \"Language {{ profile.language }}.\"}, {keep: {size: 2}}, {end: }]}\n";
    let mut script = Script::new(std::sync::Arc::new(plan(other)), nine());
    script.take_over(&first.script);
    let mut second = Call { script, plan: first.plan };
    assert_eq!(second.start()[1], "say Language zh.");
    assert_eq!(serde_json::json!(second.script.kept().values), serde_json::json!({"language": "zh", "size": 2}));
}

#[test]
fn a_number_that_none_can_dial_is_a_mistake() {
    for number in ["'{{ slots.n }}'", "two hundred", "''"] {
        let found = found(&PLAN.replace("switch: 300", &format!("switch: {number}")));
        let codes: Vec<_> = found.iter().map(|d| (d.code, d.line)).collect();
        assert!(codes.contains(&(Code::BadTarget, 7)), "{number}: {found:?}");
    }
}
