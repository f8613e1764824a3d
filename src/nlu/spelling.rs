//! Words spelled aloud: "J-O-H-N", "S as in sugar", "sierra whiskey one", "double L", "dot", "at".
//!
//! Owns how letters, digits and signs are said one by one. Never decides what they spell.

use super::numbers::{Token, tokens};
use super::text::bounded;

/// A part of what was spelled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// A letter said by itself, lower case.
    Letter(char),
    /// Digits.
    Digits(String),
    /// `@`, `.`, `-`, `_` or `+`.
    Sign(char),
    /// A word said whole, lower case.
    Word(String),
}

/// The International Radiotelephony Spelling Alphabet (ICAO Annex 10, vol. II, 5.2.1.3), and how it is written otherwise.
const ALPHABET: &[&str] = &[
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima",
    "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform", "victor", "whiskey", "xray",
    "yankee", "zulu",
];

/// Names of letters as a recogniser writes them out.
const LETTERS: &[(&str, char)] = &[
    ("bee", 'b'),
    ("cee", 'c'),
    ("dee", 'd'),
    ("gee", 'g'),
    ("aitch", 'h'),
    ("jay", 'j'),
    ("kay", 'k'),
    ("ell", 'l'),
    ("em", 'm'),
    ("en", 'n'),
    ("pee", 'p'),
    ("queue", 'q'),
    ("ess", 's'),
    ("tee", 't'),
    ("vee", 'v'),
    ("ex", 'x'),
    ("wye", 'y'),
    ("zed", 'z'),
    ("zee", 'z'),
    ("alfa", 'a'),
    ("juliett", 'j'),
    ("whisky", 'w'),
];

/// Takes a text apart. Linear in its length, which is [bounded].
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut words = Vec::new();
    for raw in bounded(text).split_whitespace() {
        split(raw, &mut words);
    }
    let mut out = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        at += one(&words[at..], &mut out);
    }
    out
}

/// Splits what is written as one word at its signs; a mark at its end is punctuation.
fn split(raw: &str, out: &mut Vec<String>) {
    let raw = raw.trim_matches(|c: char| !c.is_alphanumeric() && c != '@' && c != '+');
    let spelled: Vec<&str> = raw.split(['-', '.']).filter(|part| !part.is_empty()).collect();
    if spelled.len() > 1 && spelled.iter().all(|part| part.chars().count() == 1) {
        return out.extend(spelled.iter().map(|part| part.to_lowercase()));
    }
    let mut word = String::new();
    for c in raw.chars().filter(|c| !matches!(c, '\'' | '\u{2019}' | ',' | '"')) {
        if matches!(c, '@' | '.' | '-' | '_' | '+') {
            push(&mut word, out);
            out.push(c.to_string());
        } else {
            // "b7" and "1aa" are letters and digits.
            if word.chars().last().is_some_and(|last| last.is_ascii_digit() != c.is_ascii_digit()) {
                push(&mut word, out);
            }
            word.extend(c.to_lowercase());
        }
    }
    push(&mut word, out);
}

fn push(word: &mut String, out: &mut Vec<String>) {
    if !word.is_empty() {
        out.push(std::mem::take(word));
    }
}

/// Reads one piece off the front; gives how many words it took.
fn one(words: &[String], out: &mut Vec<Piece>) -> usize {
    let word = words[0].as_str();
    let next = |at: usize| words.get(at).map(String::as_str);
    let sign = match word {
        "at" | "@" => Some('@'),
        "dot" | "period" | "point" | "." => Some('.'),
        "dash" | "hyphen" | "minus" | "-" => Some('-'),
        "underscore" | "_" => Some('_'),
        "plus" | "+" => Some('+'),
        _ => None,
    };
    if let Some(sign) = sign {
        out.push(Piece::Sign(sign));
        return 1;
    }
    if word == "double" && next(1) == Some("u") {
        out.push(Piece::Letter('w'));
        return 2;
    }
    let times = match word {
        "double" => 2,
        "triple" | "treble" => 3,
        _ => 1,
    };
    if times > 1 {
        let Some(again) = words.get(1).filter(|word| word.chars().count() == 1 || digits_of(word, None).is_some())
        else {
            out.push(Piece::Word(word.to_string()));
            return 1;
        };
        for _ in 0..times {
            one(std::slice::from_ref(again), out);
        }
        return 2;
    }
    if word == "under" && next(1) == Some("score") {
        out.push(Piece::Sign('_'));
        return 2;
    }
    let single = Some(word).filter(|word| word.chars().count() == 1).and_then(|word| word.chars().next());
    if let Some(letter) = single.filter(|c| c.is_alphabetic()) {
        out.push(Piece::Letter(letter));
        // "M as in Mike", "M for mother", "M like Mary": the word after it only says which letter.
        let led = |word: Option<&str>| word.is_some_and(|word| word.starts_with(letter) && word.len() > 1);
        return match (next(1), next(2)) {
            (Some("as"), Some("in")) if next(3).is_some() => 4,
            (Some("for" | "like"), word) if led(word) => 3,
            _ => 1,
        };
    }
    if let Some((digits, used)) = digits_of(word, next(1)) {
        match out.last_mut() {
            Some(Piece::Digits(before)) => before.push_str(&digits),
            _ => out.push(Piece::Digits(digits)),
        }
        return used;
    }
    out.push(Piece::Word(word.to_string()));
    1
}

/// The digits that a word stands for, and how many words they take: "forty two" takes two.
fn digits_of(word: &str, next: Option<&str>) -> Option<(String, usize)> {
    let token = |word: &str| match &tokens(word)[..] {
        [token] => Some(token.clone()),
        _ => None,
    };
    match token(word)? {
        Token::Unit(n) | Token::Teen(n) => Some((n.to_string(), 1)),
        Token::Tens(tens) => match next.and_then(token) {
            Some(Token::Unit(n @ 1..=9)) => Some(((tens + n).to_string(), 2)),
            _ => Some((tens.to_string(), 1)),
        },
        Token::Literal { whole, fraction: None } => Some((whole, 1)),
        _ => None,
    }
}

/// The letter that a word names when it stands among letters.
pub(super) fn letter(word: &str) -> Option<char> {
    let alphabet = ALPHABET.iter().find(|name| **name == word).and_then(|name| name.chars().next());
    alphabet.or_else(|| LETTERS.iter().find(|(name, _)| *name == word).map(|(_, letter)| *letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> String {
        let shown = |piece: Piece| match piece {
            Piece::Letter(c) | Piece::Sign(c) => c.to_string(),
            Piece::Digits(digits) => digits,
            Piece::Word(word) => format!("<{word}>"),
        };
        pieces(text).into_iter().map(shown).collect()
    }

    #[test]
    fn letters_digits_and_signs_are_told_apart() {
        let rows = [
            ("J-O-H-N", "john"),
            ("J. O. H. N.", "john"),
            ("Ann dot Lee at example dot com", "<ann>.<lee>@<example>.<com>"),
            ("ann.lee@example.com.", "<ann>.<lee>@<example>.<com>"),
            ("S as in sugar, M for mother", "sm"),
            ("double L, double seven", "ll77"),
            ("SW1A 1AA", "<sw>1a1<aa>"),
            ("forty two underscore x", "42_x"),
            ("double u", "w"),
            ("double trouble", "<double><trouble>"),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(spelled(text), expected, "{text}");
        }
        assert_eq!(letter("sierra"), Some('s'));
        assert_eq!(letter("zed"), Some('z'));
        assert_eq!(letter("house"), None);
    }
}
