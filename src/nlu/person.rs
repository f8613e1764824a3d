//! Whether a caller asks for a human: "agent!", "let me talk to a real person", "I don't want to talk to a machine".
//!
//! Owns the words for it. What a plan does about it, and what it says of the caller's mood, is decided elsewhere.

use super::text::words;

/// Who is asked for. Each is one or two normalised words.
const PEOPLE: &[&str] = &[
    "agent",
    "representative",
    "rep",
    "human",
    "human being",
    "person",
    "operator",
    "receptionist",
    "supervisor",
    "manager",
    "advisor",
    "adviser",
    "associate",
    "specialist",
    "clerk",
    "customer service",
    "customer support",
    "customer care",
    "support",
    "somebody",
    "someone",
    "anybody",
    "anyone",
    "staff",
    "employee",
    "colleague",
    "people",
];

/// Those who are a caller's wish even without a verb, in a short utterance.
const ALONE: &[&str] = &[
    "agent",
    "representative",
    "human",
    "human being",
    "person",
    "operator",
    "supervisor",
    "customer service",
    "customer support",
    "customer care",
    "rep",
];

/// What a caller wants to do with them, up to six words before.
const VERBS: &[&str] =
    &["talk", "talking", "speak", "speaking", "chat", "transfer", "connect", "through", "over", "reach", "escalate"];

/// Wishes for them themselves, up to four words before.
const WISHES: &[&str] = &["get", "give", "want", "need", "have"];

/// Those who are not human.
const MACHINES: &[&str] = &["machine", "robot", "computer", "bot", "recording", "automated"];

/// Whether the text asks for a human. A mere mention ("the person at the branch told me …") does not.
pub fn asks_for_person(text: &str) -> bool {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let negated =
        |at: usize| words[..at].iter().rev().take(6).any(|word| matches!(*word, "not" | "no" | "never" | "stop"));
    if let Some(at) = words.iter().position(|word| MACHINES.contains(word)) {
        return negated(at) && words[..at].iter().any(|word| VERBS.contains(word) || WISHES.contains(word));
    }
    let named = |people: &[&str]| {
        (0..words.len()).find(|at| {
            people.iter().any(|p| {
                let mut parts = p.split(' ');
                words.get(*at) == parts.next().as_ref()
                    && parts.next().is_none_or(|next| words.get(at + 1) == Some(&next))
            })
        })
    };
    let told = words.iter().any(|word| matches!(*word, "told" | "said" | "sent" | "stole" | "gave"));
    if told {
        return false;
    }
    if words.len() <= 4 && named(ALONE).is_some_and(|at| !negated(at)) {
        let question = words.first().is_some_and(|word| matches!(*word, "is" | "are" | "who" | "what"));
        return !question;
    }
    let Some(at) = named(PEOPLE) else { return false };
    // "talk to somebody", "put me through to your customer service"; "get me somebody", "I want a real person".
    let verb = words[at.saturating_sub(6)..at].iter().any(|word| VERBS.contains(word))
        || words[at.saturating_sub(4)..at].iter().any(|word| WISHES.contains(word));
    verb && !negated(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_a_human_is_heard() {
        let rows = [
            ("agent", true),
            ("Agent, please!", true),
            ("let me talk to a person", true),
            ("I want to speak to a human being", true),
            ("can you put me through to an operator", true),
            ("Representative.", true),
            ("get me somebody from customer service", true),
            ("I'd like to speak with a supervisor right now", true),
            ("I don't want to talk to a machine", true),
            ("stop, I won't talk to a robot", true),
            ("transfer me to someone who can help", true),
            ("give me a real person", true),
            ("customer service", true),
            ("somebody stole my wallet", false),
            ("the person at the branch told me to call", false),
            ("what's my balance", false),
            ("are you a real person", false),
            ("I do not want to talk to an agent", false),
            ("no agent", false),
            ("the machine swallowed my card", false),
            ("I need to send money to a person in Spain who is my aunt", false),
            ("", false),
        ];
        for (text, expected) in rows {
            assert_eq!(asks_for_person(text), expected, "{text}");
        }
    }
}
