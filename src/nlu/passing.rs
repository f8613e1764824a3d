//! Values given in passing: "transfer two hundred to savings on Friday" holds an amount, an account and a day.
//!
//! Owns which words belong to which slot: each word counts for one. The surest kinds take theirs first; what is left is
//! read again, with a gap where words were taken.

use jiff::civil::Date;

use super::language::Language;
use super::slots::{Fill, SlotKind, fill_in};

/// Words that are looked at; nobody gives more values in one breath.
const LONGEST: usize = 40;
/// Characters that are looked at, so that a text without spaces costs no more than one of words.
const LONGEST_TEXT: usize = 500;
/// Stands where words were taken. It is no word of any kind's, so that nothing is read across it.
const GAP: &str = "xqx";

/// A value found in passing.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// The slot, as numbered by whoever asks.
    pub slot: usize,
    /// In the kind's canonical form.
    pub canonical: String,
    /// How sure the reading is, 0..1.
    pub confidence: f32,
}

/// The values that a text holds for `wanted` slots, sorted by slot. Kinds that any words could fill (free text, a name
/// that nothing leads to, a yes) are left to the question that asks for them. `today` is the caller's date.
pub fn in_passing(language: &dyn Language, text: &str, wanted: &[(usize, &SlotKind)], today: Date) -> Vec<Given> {
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(at, _)| at);
    let mut words: Vec<&str> = language.pieces(&text[..end]).into_iter().take(LONGEST).collect();
    let mut order: Vec<(usize, &SlotKind)> = wanted.iter().copied().filter(|(_, kind)| rank(kind) < NEVER).collect();
    order.sort_by_key(|(_, kind)| rank(kind));
    let mut found: Vec<Given> = Vec::new();
    // Twice: an amount with its currency goes before a bare number, whatever the slots' order.
    for sure in [0.88, 0.6] {
        for (slot, kind) in &order {
            if found.iter().any(|given| given.slot == *slot) {
                continue;
            }
            if let Some((given, taken)) =
                take(language, &words, *slot, kind, today).filter(|(given, _)| given.confidence >= sure)
            {
                words[taken].fill(GAP);
                found.push(given);
            }
        }
    }
    found.sort_by_key(|given| given.slot);
    found
}

const NEVER: u8 = 9;

/// The order in which kinds take their words: those with the plainest shape first.
fn rank(kind: &SlotKind) -> u8 {
    match kind {
        SlotKind::Email => 0,
        SlotKind::Date => 1,
        SlotKind::Time => 2,
        SlotKind::Choice(_) => 3,
        SlotKind::Digits { length: Some(_) } => 4,
        SlotKind::Phone => 5,
        SlotKind::Money => 6,
        SlotKind::Number => 7,
        SlotKind::Name => 8,
        // Any four digits are a postcode somewhere.
        SlotKind::Postcode | SlotKind::Digits { length: None } | SlotKind::YesNo | SlotKind::Text => NEVER,
    }
}

/// The value of one slot, and the fewest words that give it.
fn take(
    language: &dyn Language,
    words: &[&str],
    slot: usize,
    kind: &SlotKind,
    today: Date,
) -> Option<(Given, std::ops::Range<usize>)> {
    let read = |from: usize, to: usize| match fill_in(language, kind, &words[from..to].join(language.gap()), today) {
        // What a bare number is for is known last.
        Fill::Value { canonical, .. } if *kind == SlotKind::Number => Some((canonical, 0.7)),
        Fill::Value { canonical, confidence } => Some((canonical, confidence)),
        _ => None,
    };
    let (canonical, confidence) = read(0, words.len())?;
    if !plain(language, kind, words, confidence) {
        return None;
    }
    let same = |from: usize, to: usize| read(from, to).is_some_and(|(value, _)| value == canonical);
    let to = (1..=words.len()).find(|to| same(0, *to)).unwrap_or(words.len());
    // A correction spends the words before it too.
    let from = (0..to).take_while(|from| same(*from, to)).last().unwrap_or(0);
    let from = if corrected(&words[..to]) { 0 } else { from };
    Some((Given { slot, canonical, confidence }, from..to))
}

/// Whether a value is plain enough to be taken from a sentence that may be about something else.
fn plain(language: &dyn Language, kind: &SlotKind, words: &[&str], confidence: f32) -> bool {
    let holds = |wanted: &[&str]| {
        words.iter().any(|word| {
            wanted.iter().any(|w| word.trim_matches(|c: char| !c.is_alphanumeric()).eq_ignore_ascii_case(w))
        })
    };
    match kind {
        // "name" or "I'm": else two words of any sentence would be one.
        SlotKind::Name => confidence >= 0.9 && (holds(&["name"]) || language.tag() == "zh"),
        // A bare number is a time only after "at" or with its half of the day.
        SlotKind::Time => {
            confidence >= 0.9 || holds(&["at", "around", "by", "past", "o'clock", "half", "quarter", "noon"])
        }
        SlotKind::Digits { .. } => confidence >= 0.8,
        SlotKind::Phone => confidence >= 0.8,
        _ => true,
    }
}

/// Whether the speaker put something right.
fn corrected(words: &[&str]) -> bool {
    words.iter().any(|word| matches!(word.trim_matches(|c: char| !c.is_alphanumeric()), "sorry" | "actually" | "no"))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::english::English;
    use super::*;

    #[test]
    fn each_word_counts_for_one_slot() {
        let accounts =
            SlotKind::Choice(["savings", "checking", "credit card"].map(|name| vec![name.to_owned()]).to_vec());
        let kinds = [
            SlotKind::Money,
            accounts,
            SlotKind::Date,
            SlotKind::Time,
            SlotKind::Digits { length: Some((8, 8)) },
            SlotKind::Number,
            SlotKind::Email,
            SlotKind::Name,
            SlotKind::Text,
            SlotKind::YesNo,
        ];
        let (money, account, day, time, digits, number, email, name) = (0, 1, 2, 3, 4, 5, 6, 7);
        let rows: &[(&str, &[(usize, &str)])] = &[
            (
                "transfer two hundred to savings on Friday",
                &[(money, "200.00"), (account, "savings"), (day, "2026-11-27")],
            ),
            (
                "pay fifty dollars from account 12345678 on the 3rd of December",
                &[(money, "50.00"), (day, "2026-12-03"), (digits, "12345678")],
            ),
            ("a table for four tomorrow at half past seven", &[(money, "4.00"), (day, "2026-11-23"), (time, "07:30")]),
            ("three tickets for twenty dollars", &[(money, "20.00"), (number, "3")]),
            ("my name is Ann Lee", &[(name, "Ann Lee")]),
            ("write to ann dot lee at example dot com", &[(email, "ann.lee@example.com")]),
            ("what is my balance", &[]),
            ("I lost my card yesterday", &[(day, "2026-11-21")]),
            ("", &[]),
        ];
        for (text, expected) in rows {
            let wanted: Vec<(usize, &SlotKind)> = kinds.iter().enumerate().collect();
            let found = in_passing(&English, text, &wanted, date(2026, 11, 22));
            let found: Vec<(usize, &str)> = found.iter().map(|given| (given.slot, given.canonical.as_str())).collect();
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn slots_of_one_kind_take_different_words() {
        let place = |names: [&str; 3]| SlotKind::Choice(names.map(|name| vec![name.to_owned()]).to_vec());
        let kinds = [place(["Rome", "Paris", "London"]), SlotKind::Date, SlotKind::Date];
        let wanted: Vec<(usize, &SlotKind)> = kinds.iter().enumerate().collect();
        let found = in_passing(&English, "to Paris on Monday and back on Thursday", &wanted, date(2026, 11, 22));
        let found: Vec<&str> = found.iter().map(|given| given.canonical.as_str()).collect();
        assert_eq!(found, ["Paris", "2026-11-23", "2026-11-26"]);
    }
}
