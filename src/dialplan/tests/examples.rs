//! The example plans, walked as callers would.

use super::super::load;
use super::super::script::{Input, Mood, TransferFailure};
use super::{Call, Script, plan};

pub(super) const BANK: &str = include_str!("../../../dialplans/bank/dialplan.yaml");
pub(super) const ORDERS: &str = include_str!("../../../dialplans/orders/dialplan.yaml");
pub(super) const MENU: &str = include_str!("../../../dialplans/menu/dialplan.yaml");

#[test]
fn the_examples_have_no_mistakes_and_raise_no_doubts() {
    for (name, source) in [("bank", BANK), ("orders", ORDERS), ("menu", MENU)] {
        let checked = load(source.as_bytes(), name);
        assert!(checked.diagnostics.is_empty(), "{:#?}", checked.diagnostics);
        let plan = checked.plan.expect("no errors");
        assert_eq!(plan.name(), name);
        assert_eq!(plan.queues(), ["support"]);
        assert!(plan.intents().iter().all(|intent| (8..=12).contains(&intent.examples.len())));
    }
}

#[test]
fn bank_tells_the_balance() {
    let mut call = Call::new(BANK);
    let hello = call.start();
    assert_eq!(hello[0], "say! This call may be recorded and is kept for thirty days.");
    assert_eq!(hello[1], "say! A computer also listens to how you sound, to get you a person sooner.");
    assert_eq!(
        hello[2..],
        ["in hello", "say Good morning, and welcome to Northbank.", "say How can I help?", "listen 12"]
    );
    assert_eq!(call.means("balance"), ["in balance", "say What is your account number?", "listen slot 0"]);
    assert_eq!(call.gives("12345678"), ["say* I have 1 2 3 4 5 6 7 8. Is that right?", "listen yes_no"]);
    let fetch = "fetch* http://127.0.0.1:7780/accounts/12345678/balance";
    assert_eq!(call.answers(true), ["say One moment, I am looking that up.", fetch]);
    let told = call.feels(0.4, Mood::Tense).fetched(serde_json::json!({"amount": 1234.5}));
    let said = "say Thanks for bearing with me. You have 1234 dollars and 50 cents.";
    assert_eq!(told, [said, "in more", "say Is there anything else?", "listen"]);
    assert_eq!(call.answers(false), ["in bye", "say! Thank you for calling. Goodbye.", "end"]);
}

#[test]
fn bank_hands_an_angry_caller_over_with_everything_said() {
    let mut call = Call::new(BANK);
    call.input(Input::Start { caller: serde_json::json!({"number": "+15550100", "name": "Ann Lee"}) });
    call.means("balance");
    call.gives("12345678");
    let over = call.feels(0.82, Mood::Angry).mumbles();
    let said = "say I can hear this has been frustrating. Let me get somebody for you right now.";
    assert_eq!(over, [said, "transfer queue:support (the caller is frustrated)"]);
    let briefing = call.script.briefing().spoken();
    assert_eq!(briefing, "Call from Ann Lee. Asked about: balance. The caller is frustrated.");
    let back = call.feels(0.82, Mood::Angry).failed(TransferFailure::NoAnswer);
    let read_back = "say* 1 2 3 4 5 6 7 8, right?";
    let sorry = "say I am sorry, nobody is answering just now.";
    assert_eq!(back, [sorry, "say Let us go on here.", read_back, "listen yes_no"]);
}

#[test]
fn bank_without_its_records_gets_somebody() {
    let mut call = Call::new(BANK);
    call.start();
    call.types("1");
    call.types("12345678");
    call.types("1");
    let over = call.input(Input::Fetched(Err("connection refused".into())));
    assert_eq!(over[1..3], ["in sorry", "say I cannot reach our records just now. Let me get somebody for you."]);
    assert_eq!(over[3], "transfer queue:support (the account system could not be reached)");
}

#[test]
fn bank_blocks_a_card_by_a_human() {
    let mut call = Call::new(BANK);
    call.start();
    let over = call.types("2");
    assert_eq!(over.last().unwrap(), "transfer queue:support (lost card)");
    assert_eq!(call.script.briefing().asked, ["block card"]);
}

#[test]
fn orders_says_what_is_late_before_it_is_asked() {
    let mut call = Call::new(ORDERS);
    assert_eq!(call.start(), ["fetch http://127.0.0.1:7780/customers?phone=%2B15550100"]);
    let late = serde_json::json!({"name": "Ann", "open_order": {"late": true, "eta": "2026-11-24"}});
    let hello = call.fetched(late);
    assert_eq!(hello[3], "say Good morning, Ann. Welcome to Brightside Goods.");
    assert_eq!(hello[4], "say Your order is late, and we are sorry. It arrives on Tuesday, November 24.");
    assert_eq!(call.means("order_status"), ["in status", "say What is your order number?", "listen slot 0"]);
    call.gives("004217");
    assert_eq!(call.answers(true), ["say Let me look.", "fetch http://127.0.0.1:7780/orders/004217"]);
    let told = call.fetched(serde_json::json!({"state": "shipped", "eta": "2026-11-25"}));
    assert_eq!(told[0], "say Order 0 0 4 2 1 7 is on its way, and arrives on Wednesday, November 25.");
    assert_eq!(told[1], "in more");
}

#[test]
fn orders_takes_a_return_by_word_or_key() {
    for broken in [true, false] {
        let mut call = Call::new(ORDERS);
        call.start();
        call.input(Input::Fetched(Err("down".into())));
        let asked = call.means("return_item");
        assert_eq!(asked.last().unwrap(), "listen slot 1");
        let over = if broken { call.gives("Defective") } else { call.types("1") };
        assert_eq!(over.last().unwrap(), "transfer queue:support (return, damaged)");
        assert_eq!(call.script.briefing().slots, [("reason back".to_string(), "damaged".to_string())]);
    }
}

#[test]
fn menu_needs_keys_only() {
    let mut call = Call::new(MENU);
    let hello = call.start();
    assert_eq!(hello.last().unwrap(), "listen 1230*");
    assert!(hello.iter().all(|line| !line.contains("{{")));
    let asked = call.types("2");
    assert_eq!(asked, ["in prescriptions", "say Please type your patient number, and the hash key.", "listen slot 0"]);
    call.types("4711");
    let again = call.types("1");
    assert_eq!(again[0], "say Thank you. Your prescription will be ready tomorrow from ten.");
    assert_eq!(call.types("#"), ["in bye", "say! Thank you for calling. Goodbye.", "end"]);
    let mut call = Call::new(MENU);
    call.start();
    call.types("0");
    assert_eq!(call.failed(TransferFailure::Busy)[1], "in again");
}

#[test]
fn menu_can_be_rendered_beforehand() {
    let plan = std::sync::Arc::new(plan(MENU));
    let prompts = plan.literal_prompts();
    let mut script = Script::new(std::sync::Arc::clone(&plan), super::nine());
    let inputs = [
        Input::Start { caller: serde_json::Value::Null },
        Input::NoInput,
        Input::Keys("3".into()),
        Input::Keys("#".into()),
    ];
    for input in inputs {
        script.handle(input);
        while let Some(action) = script.poll() {
            if let super::Action::Say(say) = action {
                assert!(prompts.contains(&say.text), "{}", say.text);
            }
        }
    }
    assert!(script.is_over());
}
