//! A language model as a step: bounded, replaceable, and told only what the plan names.

use super::super::script::{Input, Thought};
use super::{Call, found};

const PLAN: &str = "\
dialplan: t
intents: {open: [open an account]}
slots: {pin: {type: digits, length: 4, mask: true, prompt: PIN?}}
start: a
states:
  a: {steps: [{listen: Yes?}], otherwise: think}
  think:
    steps:
      - think: Answer in two sentences.
        know: {question: '{{ last }}', who: '{{ caller.number }}'}
        tools:
          block: {goto: card, about: The caller lost a card.}
          order: {fetch: 'http://core.example/orders/{{ args.number }}', about: An order., args: {number: Its number.}}
        history: 2
        fallback: I do not know that.
      - goto: a
  card: {steps: [{say: Blocked.}, {end: }]}
on: {open: card}
";

fn says(text: &str) -> Input {
    Input::Thought(Thought::Sentence(text.into()))
}

fn tool(name: &str, args: serde_json::Value) -> Input {
    Input::Thought(Thought::Tool { name: name.into(), args })
}

fn asked() -> Call {
    let mut call = Call::new(PLAN);
    call.start();
    let asked = call.mumbles();
    assert_eq!(asked, ["in think", "think {\"question\":\"mumble\",\"who\":\"+15550100\"} [block order] 0"]);
    call
}

#[test]
fn an_answer_is_said_sentence_by_sentence_and_remembered() {
    let mut call = asked();
    assert_eq!(call.input(says("You need a passport.")), ["say You need a passport."]);
    assert_eq!(call.input(says("And <b>five</b> minutes.")), ["say And five minutes."]);
    assert_eq!(call.input(Input::Thought(Thought::Done)), ["in a", "say Yes?", "listen"]);
    call.script.handle(Input::Heard(super::Heard { text: "and then?".into(), ..super::Heard::default() }));
    let think = std::iter::from_fn(|| call.script.poll()).find_map(|action| match action {
        super::Action::Think(think) => Some(think),
        _ => None,
    });
    let think = think.expect("a question");
    assert_eq!(think.instructions, "Answer in two sentences.");
    assert_eq!(think.exchanges.len(), 1);
    assert_eq!(think.exchanges[0].1, "You need a passport. And five minutes.");
    assert!(!format!("{think:?}").contains("and then"));
}

#[test]
fn a_model_that_fails_is_replaced_by_the_plans_own_words() {
    for failure in [Thought::Failed("slow".into()), Thought::Done] {
        let mut call = asked();
        let done = call.input(Input::Thought(failure));
        assert_eq!(done[done.len() - 4..], ["say I do not know that.", "in a", "say Yes?", "listen"]);
    }
    // What was said is said: no second answer.
    let mut call = asked();
    call.input(says("You need a passport."));
    let done = call.input(Input::Thought(Thought::Failed("slow".into())));
    assert_eq!(done, ["trouble state think: the model failed: slow", "in a", "say Yes?", "listen"]);
}

#[test]
fn a_model_goes_where_the_plan_lets_it_and_nowhere_else() {
    let mut call = asked();
    assert_eq!(call.input(tool("block", serde_json::json!({}))), ["in card", "say! Blocked.", "end"]);
    let mut call = asked();
    let done = call.input(tool("transfer_all_money", serde_json::json!({"to": "me"})));
    let trouble = "trouble state think: the model asked for what the plan does not offer";
    assert_eq!(done[..2], [trouble, "say I do not know that."]);
}

#[test]
fn what_a_model_asks_for_is_encoded_bounded_and_shown_to_it() {
    let mut call = asked();
    let evil = serde_json::json!({"number": "../admin?x=1&", "other": "y"});
    assert_eq!(call.input(tool("order", evil)), ["fetch http://core.example/orders/..%2Fadmin%3Fx%3D1%26"]);
    let know = "think {\"question\":\"mumble\",\"who\":\"+15550100\"}";
    assert_eq!(call.fetched(serde_json::json!({"state": "sent"})), [format!("{know} [block order] 1")]);
    // It may ask three times; then only words are wanted.
    for round in 2..=3 {
        call.input(tool("order", serde_json::json!({"number": 7})));
        let last = call.fetched(serde_json::json!({})).pop().unwrap();
        assert_eq!(last, format!("{know} [{}] {round}", if round < 3 { "block order" } else { "" }));
    }
    assert_eq!(call.input(says("It is on its way.")), ["say It is on its way."]);
}

#[test]
fn a_flood_of_words_is_cut_and_an_interruption_ends_them() {
    let mut call = asked();
    let mut said = 0;
    for _ in 0..500 {
        said +=
            call.input(says("Buy *now* at http://evil.example/ today.\u{7}")).iter().map(String::len).sum::<usize>();
    }
    assert!((800..1_400).contains(&said), "{said}");
    let mut call = asked();
    assert_eq!(call.input(says("Buy *now* at http://evil.example/ today.\u{7}")), ["say Buy now at today."]);
    assert!(call.input(Input::Interrupted).is_empty());
    assert!(call.input(says("And more.")).is_empty());
    assert_eq!(call.input(Input::Thought(Thought::Done)), ["in a", "say Yes?", "listen"]);
    // News that nobody waits for any more.
    assert!(call.input(says("Late.")).is_empty());
}

#[test]
fn mistakes_of_a_think_are_found() {
    let codes =
        |source: &str| found(source).iter().map(|d| format!("{}:{}", d.line, d.code.name())).collect::<Vec<_>>();
    assert_eq!(codes(PLAN), Vec::<String>::new());
    assert_eq!(codes(&PLAN.replace("{{ last }}", "{{ slots.pin }}"))[0], "10:masked-leak");
    assert_eq!(codes(&PLAN.replace("goto: card", "goto: crad"))[0], "12:unknown-state");
    assert_eq!(codes(&PLAN.replace("args.number", "args.nmber"))[0], "13:undeclared-variable");
    assert_eq!(codes(&PLAN.replace("        fallback: I do not know that.\n", ""))[0], "9:missing-failed");
    assert_eq!(codes(&PLAN.replace("history: 2", "history: many"))[0], "14:bad-value");
    assert_eq!(codes(&PLAN.replace("about: An order., ", ""))[0], "13:missing-key");
}
