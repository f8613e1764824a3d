//! What turns mean, by plan.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::date;

use super::*;
use crate::dialplan::script::Patience;

const PLAN: &str = "
dialplan: shop
language: en-US
intents:
  order_status: [where is my order, has my parcel been sent]
  return_item: [I want to return something, send it back, I want to return the savings book I bought]
  agent: [let me talk to a person, human please]
slots:
  story: {type: text, prompt: What happened?}
  name: {type: name, prompt: Who is calling?}
  amount: {type: money, prompt: How much?}
  account: {type: choice, choices: [savings, checking], prompt: Which account?}
  day: {type: date, prompt: Which day?}
start: hello
states:
  hello:
    steps:
      - listen: How can I help?
    on:
      order_status: tell
      return_item: tell
      agent: tell
  tell:
    steps:
      - ask: story
      - ask: name
      - ask: amount
      - ask: account
      - ask: day
      - end:
";

/// A bag of hashed words of length one: alike when words are shared.
fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; 64];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let hash = word.bytes().fold(7_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        vector[hash % 64] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-6);
    vector.into_iter().map(|x| x / length).collect()
}

fn understanding() -> Understanding {
    let checked = crate::dialplan::load(PLAN.as_bytes(), "plan");
    let plan = Arc::new(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)));
    let vectors: Vec<Vec<Vec<f32>>> =
        Understanding::texts(&plan).iter().map(|class| class.iter().map(|text| embed(text)).collect()).collect();
    let common: Vec<Vec<f32>> = Understanding::texts_of(plan.language()).map(embed).collect();
    Understanding::train(plan, &vectors, &common)
}

fn listen(expect: Expect, slots: &[usize]) -> Listen {
    Listen {
        expect,
        intents: vec![0, 1, 2],
        knowledge: Vec::new(),
        slots: slots.to_vec(),
        timeout: Duration::from_secs(5),
        patience: Patience::default(),
    }
}

fn heard(understanding: &Understanding, text: &str, listen: &Listen) -> Meaning {
    let today = date(2026, 11, 22);
    understanding
        .at_once(text, Some(listen), today)
        .unwrap_or_else(|| understanding.by_vector(text, &embed(text), Some(listen), today))
}

fn slot(understanding: &Understanding, name: &str) -> usize {
    understanding.plan.slots().iter().position(|slot| slot.name == name).expect("a slot of the plan")
}

#[test]
fn free_text_swallows_neither_intents_nor_a_wish_for_a_person() {
    let understanding = understanding();
    let (story, name) = (slot(&understanding, "story"), slot(&understanding, "name"));
    let rows: &[(usize, &str, Option<usize>, Option<&str>)] = &[
        (story, "the vase arrived in pieces", None, Some("the vase arrived in pieces")),
        (story, "agent", Some(2), None),
        (story, "can I speak to a human being please", Some(2), None),
        (story, "Where is my order?", Some(0), None),
        (name, "my name is Ann Lee", None, Some("Ann Lee")),
        (name, "agent", Some(2), None),
        (name, "where is my order", Some(0), None),
    ];
    for (slot, text, intent, value) in rows {
        let meaning = heard(&understanding, text, &listen(Expect::Slot { slot: *slot }, &[]));
        assert_eq!(meaning.intent.map(|(intent, _)| intent), *intent, "{text}");
        assert_eq!(meaning.slot.as_deref(), *value, "{text}");
    }
    // Where the plan puts nobody through, the repair has to: the words are no story.
    let mut nowhere = listen(Expect::Slot { slot: story }, &[]);
    nowhere.intents = vec![0, 1];
    assert!(heard(&understanding, "give me a person", &nowhere).is_nothing());
}

#[test]
fn an_intents_own_words_are_more_than_the_value_in_them() {
    let understanding = understanding();
    let account = slot(&understanding, "account");
    let listen = listen(Expect::Slot { slot: account }, &[]);
    let both = heard(&understanding, "I want to return the savings book I bought", &listen);
    assert_eq!((both.intent.map(|(intent, _)| intent), both.slot.as_deref()), (Some(1), Some("savings")));
    // A long answer is still an answer.
    let answer = heard(&understanding, "maybe take whatever lies under savings please", &listen);
    assert_eq!((answer.intent, answer.slot.as_deref()), (None, Some("savings")));
}

#[test]
fn one_sentence_gives_several_values() {
    let understanding = understanding();
    let [amount, account, day] = ["amount", "account", "day"].map(|name| slot(&understanding, name));
    let all = [account, amount, day];
    let listen = listen(Expect::Slot { slot: amount }, &all);
    let meaning = heard(&understanding, "transfer two hundred to savings on Friday", &listen);
    assert_eq!(meaning.slot.as_deref(), Some("200.00"));
    let mut slots = meaning.slots;
    slots.sort();
    let mut expected = vec![(account, "savings".to_string()), (day, "2026-11-27".to_string())];
    expected.sort();
    assert_eq!(slots, expected);
}

#[test]
fn a_day_is_no_amount() {
    let understanding = understanding();
    let [amount, day] = ["amount", "day"].map(|name| slot(&understanding, name));
    let meaning = heard(&understanding, "on December 3rd", &listen(Expect::Slot { slot: amount }, &[amount, day]));
    assert_eq!(meaning.slot, None);
    assert_eq!(meaning.slots, [(day, "2026-12-03".to_string())]);
}

#[test]
fn an_intents_name_is_an_example_of_it() {
    let understanding = understanding();
    let texts = Understanding::texts(&understanding.plan);
    assert!(texts[0].contains(&"order status".to_string()), "{:?}", texts[0]);
    let meaning =
        heard(&understanding, "order status", &listen(Expect::Intents { intents: vec![0, 1, 2], keys: vec![] }, &[]));
    assert_eq!(meaning.intent.map(|(intent, _)| intent), Some(0));
}

#[test]
fn what_is_awaited_and_who_calls_helps_the_recogniser() {
    let understanding = understanding();
    let name = ["Ann Archer".to_owned()];
    let likely = |expect: &Expect| match understanding.hint(expect, &name) {
        Hint::Topics(words) => words.to_string(),
        other => panic!("{other:?}"),
    };
    let here = likely(&Expect::Intents { intents: vec![0, 1], keys: Vec::new() });
    for word in ["Ann Archer", "order", "parcel", "return"] {
        assert!(here.split(", ").any(|likely| likely == word), "{word}: {here}");
    }
    assert!(!here.contains("person"), "another state's: {here}");
    assert!(here.len() <= MOST_TOPICS);
    assert_eq!(likely(&Expect::Slot { slot: 1 }), "Ann Archer");
    assert_eq!(understanding.hint(&Expect::Slot { slot: 1 }, &[]), Hint::Open);
    assert_eq!(understanding.hint(&Expect::Slot { slot: 3 }, &name), Hint::Words("savings, checking".into()));
}
