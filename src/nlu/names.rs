//! People's names as they are given: "my name is Ann Lee", "Smith, S M I T H", "this is Dr. Jane O'Neil speaking".
//!
//! Owns what of an answer is the name. A name is not looked up: any few words may be one.

use super::spelling::{Piece, letter, pieces};
use super::text::clean;

/// What leads to a name; the longest that fits is taken off, again and again.
const LEADING: &[&str] = &[
    "my full name is",
    "my first name is",
    "my last name is",
    "my surname is",
    "my name is",
    "my name's",
    "the name is",
    "the name's",
    "name is",
    "this is",
    "i am",
    "i'm",
    "it is",
    "it's",
    "its",
    "that is",
    "that's",
    "you can call me",
    "call me",
    "they call me",
    "i am called",
    "i'm called",
    "yes",
    "yeah",
    "yep",
    "sure",
    "okay",
    "ok",
    "oh",
    "well",
    "so",
    "hi",
    "hello",
    "hey",
    "no",
    "sorry",
    "actually",
    "and",
    "of course",
    "here is",
    "under",
    "for",
];
/// What may follow one.
const TRAILING: &[&str] =
    &["speaking", "here", "please", "thanks", "thank you", "calling", "is my name", "that's my name"];
/// Words that no name holds: with one of them the answer is a sentence.
const NOT_NAMES: &[&str] = &[
    "what", "why", "how", "when", "where", "who", "i", "you", "my", "me", "your", "the", "a", "is", "are", "do",
    "does", "want", "need", "can", "could", "not", "don't", "dont", "won't", "would", "have", "account", "card",
    "name", "it", "this", "that", "please", "agent", "person", "human", "help", "number", "to", "tell", "say",
    "repeat", "again",
];
/// Words of a name.
const MOST_WORDS: usize = 5;
/// Characters of a name.
const LONGEST: usize = 80;

/// The name that an answer gives, each word with a capital, and how sure the reading is, 0..1.
pub fn name(text: &str) -> Option<(String, f32)> {
    if let Some(spelled) = spelled(text) {
        return Some((spelled, 0.9));
    }
    let tidy = clean(text);
    let (rest, led) = strip(&tidy);
    let words: Vec<&str> = rest.split([' ', ',']).map(trimmed).filter(|word| !word.is_empty()).collect();
    let plain = |word: &&str| {
        let lower = word.to_lowercase();
        word.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '\u{2019}' | '-' | '.'))
            && !NOT_NAMES.contains(&lower.as_str())
    };
    let fits =
        !words.is_empty() && words.len() <= MOST_WORDS && rest.chars().count() <= LONGEST && words.iter().all(plain);
    if !fits {
        return None;
    }
    let sure = match (led, words.len()) {
        (true, _) => 0.9,
        (false, 1..=3) => 0.75,
        _ => 0.5,
    };
    Some((words.iter().map(|word| capital(word)).collect::<Vec<_>>().join(" "), sure))
}

fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// Takes off what leads to the name and follows it; whether anything said that a name comes.
fn strip(text: &str) -> (&str, bool) {
    let (mut rest, mut led) = (text, false);
    while let Some((taken, lead)) =
        LEADING.iter().filter_map(|lead| Some((lead_in(rest, lead)?, lead))).min_by_key(|(taken, _)| taken.len())
    {
        rest = taken;
        led |= lead.contains("name")
            || lead.contains("call")
            || matches!(*lead, "this is" | "i am" | "i'm" | "it is" | "it's");
    }
    let mut end = rest.trim_end_matches(|c: char| !c.is_alphanumeric());
    while let Some(shorter) = TRAILING.iter().find_map(|tail| tail_out(end, tail)) {
        end = shorter.trim_end_matches(|c: char| !c.is_alphanumeric());
    }
    (end, led)
}

/// What stands after `lead`, when the text begins with it as words of its own.
fn lead_in<'t>(text: &'t str, lead: &str) -> Option<&'t str> {
    let head = text.get(..lead.len()).filter(|head| head.eq_ignore_ascii_case(lead))?;
    let rest = &text[head.len()..];
    rest.starts_with([' ', ',', '.']).then(|| rest.trim_start_matches([' ', ',', '.']))
}

fn tail_out<'t>(text: &'t str, tail: &str) -> Option<&'t str> {
    let from = text.len().checked_sub(tail.len())?;
    let end = text.get(from..).filter(|end| end.eq_ignore_ascii_case(tail))?;
    let rest = &text[..text.len() - end.len()];
    rest.ends_with([' ', ',']).then_some(rest)
}

/// "S M I T H", with the words before it as first names: "John Smith, S M I T H" is John Smith.
fn spelled(text: &str) -> Option<String> {
    let pieces = pieces(text);
    let is_letter = |piece: &Piece| match piece {
        Piece::Letter(c) => Some(*c),
        Piece::Word(word) => letter(word),
        _ => None,
    };
    let run = pieces.iter().rev().map_while(is_letter).count();
    let letters: String = pieces[pieces.len() - run..].iter().filter_map(is_letter).collect();
    let single = pieces.iter().rev().take(run).filter(|piece| matches!(piece, Piece::Letter(_))).count();
    if run < 3 || single * 2 < run {
        return None;
    }
    let before: Vec<String> = pieces[..pieces.len() - run]
        .iter()
        .filter_map(|piece| match piece {
            Piece::Word(word) => Some(word.clone()),
            _ => None,
        })
        .collect();
    let said = before.join(" ");
    let (said, _) = strip(&said);
    let mut names: Vec<&str> = said.split_whitespace().filter(|word| !NOT_NAMES.contains(word)).collect();
    // "Smith, S M I T H", also when the word was misheard: what is spelled counts.
    if names.len() > 1 || names.last().is_some_and(|last| last.chars().next() == letters.chars().next()) {
        names.pop();
    }
    names.push(&letters);
    (names.len() <= MOST_WORDS).then(|| names.iter().map(|word| capital(word)).collect::<Vec<_>>().join(" "))
}

/// "o'neil" as "O'Neil", "smith-jones" as "Smith-Jones"; a name that has capitals keeps them.
fn capital(word: &str) -> String {
    if word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase) {
        return word.to_string();
    }
    let mut out = String::new();
    let mut start = true;
    for c in word.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        start = !c.is_alphabetic();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let rows = [
            ("Ann Lee", Some("Ann Lee")),
            ("My name is ann lee.", Some("Ann Lee")),
            ("um, yes, it's John Smith", Some("John Smith")),
            ("This is Jane O'Neil speaking", Some("Jane O'Neil")),
            ("I'm Mary-Jane McDonald", Some("Mary-Jane McDonald")),
            ("Smith, S M I T H", Some("Smith")),
            ("John Smyth, S-M-I-T-H", Some("John Smith")),
            ("my name is S as in sugar, M as in mother, I, T, H", Some("Smith")),
            ("José García", Some("José García")),
            ("no, it's Anna", Some("Anna")),
            ("what do you need it for", None),
            ("I don't want to tell you", None),
            ("agent", None),
            ("12345", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(name(text).map(|(name, _)| name).as_deref(), expected, "{text}");
        }
    }
}
