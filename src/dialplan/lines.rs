//! What the server says of itself, in English and by way of [`chinese`] in Chinese: apologies, offers, read-backs. Every line is whole, so that it can be
//! rendered beforehand.

use super::chinese;
use super::script::TransferFailure;

/// Whether these lines are there in a language.
pub(super) fn speak(language: &str) -> bool {
    tag(language).is_some()
}

/// A language that is heard and spoken, without its region: `en` of `en-US`; `None` for one that is not.
pub(super) fn tag(language: &str) -> Option<&'static str> {
    match language.split('-').next() {
        Some("en") => Some("en"),
        _ => chinese::is(language).then_some("zh"),
    }
}

/// A line of this file in the language of a plan.
pub(super) fn in_language<'l>(line: &'l str, language: &str) -> &'l str {
    if chinese::is(language) { chinese::line(line) } else { line }
}

/// Something in the plan failed and there is nobody to put the caller through to.
pub(super) const SORRY_END: &str = "I am sorry, something went wrong on our side. Please call again later. Goodbye.";
/// Something in the plan failed; a human is rung.
pub(super) const SORRY_HUMAN: &str = "I am sorry, something went wrong on our side. Let me get somebody for you.";
/// One line could not be filled in.
pub(super) const SORRY_LINE: &str = "I am sorry, I do not have that at hand.";
/// The caller was not understood for too long; a human is rung.
pub(super) const LOST_HUMAN: &str = "I am sorry, I cannot follow you. Let me get somebody for you.";
/// The caller was not understood for too long, and there is nobody.
pub(super) const LOST_END: &str = "I am sorry that I could not help you. Please call again later. Goodbye.";
/// The offer of a human.
pub(super) const OFFER: &str = "Would you like to talk to a person?";
/// After an offer that was taken up.
pub(super) const OFFER_TAKEN: &str = "One moment, I am getting somebody for you.";
/// After a failed transfer, when the script goes on.
pub(super) const GO_ON: &str = "Let us go on here.";
/// After a failed transfer, when there is nothing to go on with.
pub(super) const CALL_LATER: &str = "Please call again later. Goodbye.";
/// After a "no" to a read-back.
pub(super) const AGAIN: &str = "Sorry. Let us try again.";
/// The caller may type.
pub(super) const TYPE_IT: &str = "You can also type it on your keypad, and end with the hash key.";
/// How a yes or a no is typed.
pub(super) const YES_NO_KEYS: &str = "Say yes or no; or press one for yes, two for no.";

/// A value that the plan does not accept.
pub(super) const INVALID: &str = "I am sorry, that does not seem right.";

/// The outcome of a transfer that nobody took.
pub(super) fn failure(failure: TransferFailure) -> &'static str {
    match failure {
        TransferFailure::Busy => "I am sorry, everybody is busy just now.",
        TransferFailure::NoAnswer => "I am sorry, nobody is answering just now.",
        TransferFailure::Declined => "I am sorry, nobody can take your call just now.",
        TransferFailure::Unreachable => "I am sorry, I cannot reach anybody just now.",
    }
}

/// Reads a slot's value back.
pub(super) fn read_back(value: &str, language: &str) -> String {
    if chinese::is(language) {
        return chinese::read_back(value);
    }
    format!("I have {value}. Is that right?")
}

/// The same to a caller who has no patience left.
pub(super) fn read_back_briefly(value: &str, language: &str) -> String {
    if chinese::is(language) {
        return chinese::read_back_briefly(value);
    }
    format!("{value}, right?")
}

/// Asks which of two intents was meant, by what they are called.
pub(super) fn did_you_mean(first: &str, second: &str, language: &str) -> String {
    if chinese::is(language) {
        return chinese::did_you_mean(first, second);
    }
    format!("Did you mean {first}, or {second}?")
}

/// Several values of a form, to be read back.
pub(super) fn all_of(items: &[String], language: &str) -> String {
    if chinese::is(language) {
        return items.join("，");
    }
    listed(items, "and")
}

/// Asks which item of a form is wrong.
pub(super) fn which(items: &[String], language: &str) -> String {
    if chinese::is(language) {
        return chinese::which(items);
    }
    let items: Vec<String> = items.iter().map(|item| format!("the {item}")).collect();
    format!("What should I change: {}?", listed(&items, "or"))
}

/// "a, b and c".
fn listed(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// Offers keys: `what` in words and its key, in the order of the plan.
pub(super) fn keys(options: &[(String, char)], language: &str) -> String {
    if chinese::is(language) {
        return chinese::keys(options);
    }
    let list: Vec<String> = options.iter().map(|(what, key)| format!("{} for {what}", key_word(*key))).collect();
    format!("You can also press {}.", list.join(", "))
}

fn key_word(key: char) -> String {
    match key {
        '#' => "hash".into(),
        '*' => "star".into(),
        digit => digit.to_string(),
    }
}

/// Lines that are always the same.
pub(super) const FIXED: &[&str] = &[
    SORRY_END,
    SORRY_HUMAN,
    SORRY_LINE,
    LOST_HUMAN,
    LOST_END,
    OFFER,
    OFFER_TAKEN,
    GO_ON,
    CALL_LATER,
    AGAIN,
    TYPE_IT,
    YES_NO_KEYS,
    INVALID,
];

/// The failures that have a line.
pub(super) const FAILURES: &[TransferFailure] =
    &[TransferFailure::Busy, TransferFailure::NoAnswer, TransferFailure::Declined, TransferFailure::Unreachable];
