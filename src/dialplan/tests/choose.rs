//! "Did you mean … or …?"

use super::super::script::{Heard, Input};
use super::{Call, found};

const DESK: &str = "\
dialplan: t
intents:
  cancel_trip: {called: cancelling a booking, examples: [cancel my booking]}
  change_trip: {called: changing a booking, examples: [change my booking]}
  open-hours: [when are you open]
slots: {day: {type: date, prompt: Which day?}}
start: a
states:
  a: {steps: [{listen: [Yes?, Say it again.]}], on: {cancel_trip: cancel, change_trip: change, open-hours: hours, no: bye}}
  cancel: {steps: [{ask: day}, {say: 'Cancelled {{ slots.day }}, {{ last }}.'}, {goto: a}]}
  change: {steps: [{say: Changed.}, {goto: a}]}
  hours: {steps: [{say: At nine.}, {goto: a}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

fn heard(call: &mut Call, text: &str, intent: Option<usize>, rival: Option<usize>) -> Vec<String> {
    let score = |at: usize| (at, 0.45);
    let (intent, rival) = (intent.map(score), rival.map(score));
    call.input(Input::Heard(Heard { text: text.into(), intent, rival, ..Heard::default() }))
}

fn unsure() -> Call {
    let mut call = Call::new(DESK);
    call.start();
    let text = "something with my booking of Friday";
    let (intent, rival, slots) = (Some((0, 0.45)), Some((1, 0.4)), vec![(0, "2026-11-27".to_string())]);
    let said = call.input(Input::Heard(Heard { text: text.into(), intent, rival, slots, ..Heard::default() }));
    assert_eq!(said, ["say Did you mean cancelling a booking, or changing a booking?", "listen 12"]);
    call
}

#[test]
fn the_answer_may_be_a_name_a_place_or_a_key_and_what_was_said_before_counts() {
    for text in ["the first", "The first one, please.", "one", "option one", "cancelling", "I mean cancelling it"] {
        let said = heard(&mut unsure(), text, None, None);
        let words = "something with my booking of Friday";
        assert_eq!(said[..2], ["in cancel".to_string(), format!("say Cancelled 2026-11-27, {words}.")], "{text}");
    }
    for text in ["the second", "the second one", "two", "the latter", "changing the booking"] {
        assert_eq!(heard(&mut unsure(), text, None, None)[..2], ["in change", "say Changed."], "{text}");
    }
    assert_eq!(unsure().types("2")[..2], ["in change", "say Changed."]);
    assert_eq!(unsure().types("1")[0], "in cancel");
    // Told by its meaning alone.
    assert_eq!(heard(&mut unsure(), "move it to another day", Some(1), None)[0], "in change");
}

#[test]
fn neither_silence_and_nonsense_go_the_way_of_a_miss() {
    for text in ["neither", "none of those", "no", "mumble"] {
        let mut call = unsure();
        assert_eq!(heard(&mut call, text, None, None), ["say Say it again.", "listen"], "{text}");
        assert_eq!(call.script.misses(), 1);
    }
    assert_eq!(unsure().silent(), ["say Say it again.", "listen"]);
    assert_eq!(unsure().types("7"), ["say Say it again.", "listen"]);
}

#[test]
fn something_else_is_taken_as_it_is_understood_and_nothing_is_asked_twice() {
    assert_eq!(unsure().means("open-hours")[..2], ["in hours", "say At nine."]);
    // As unsure as before: the likelier one is taken.
    assert_eq!(heard(&mut unsure(), "well, that thing", Some(1), Some(0))[0], "in change");
    // The next turn may be asked about again.
    let mut call = unsure();
    heard(&mut call, "the second", None, None);
    assert_eq!(heard(&mut call, "and the booking", Some(0), Some(1))[1], "listen 12");
}

#[test]
fn nothing_is_asked_where_both_lead_to_the_same_place_or_one_leads_nowhere() {
    let mut call = Call::new(
        &DESK.replace("change_trip: change,", "change_trip: cancel,").replace("no: bye", "no: change, yes: bye"),
    );
    call.start();
    assert_eq!(heard(&mut call, "the booking", Some(0), Some(1))[0], "in cancel");
    let mut call = Call::new(&DESK.replace("change_trip: change, ", "yes: change, "));
    call.start();
    assert_eq!(heard(&mut call, "the booking", Some(0), Some(1))[0], "in cancel");
    assert_eq!(heard(&mut Call::new(DESK), "beyond", Some(0), Some(99)), Vec::<String>::new());
}

#[test]
fn an_intent_is_called_by_its_name_unless_its_author_says_otherwise() {
    let call = Call::new(DESK);
    let called: Vec<&str> = call.plan.intents().iter().map(|intent| intent.called.as_str()).collect();
    assert_eq!(called, ["cancelling a booking", "changing a booking", "open hours"]);
    for wrong in ["''", "'{{ last }}'", "'<b>x</b>'", &"x".repeat(101)] {
        let found = found(&DESK.replace("cancelling a booking", wrong));
        assert!(found.iter().any(|d| d.message.contains("nothing to be called")), "{wrong}: {found:?}");
    }
    assert!(
        found(&DESK.replace("called: cancelling", "calld: cancelling"))
            .iter()
            .any(|d| d.to_string().contains("`called`"))
    );
}
