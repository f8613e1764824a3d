//! Slots: what kind of value is asked for, and the value that an answer fills in.
//!
//! Owns canonical forms. Never keeps a value, so a masked slot leaves no trace here.

use jiff::civil::Date;

use super::digits::Digits;
use super::english::English;
use super::language::Language;
use super::text::{clean, edit_distance, normalise};
use super::{email, phone, postcode};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotKind {
    /// A string of digits; canonical "12345678".
    Digits {
        /// The least and the most that there may be; `None` for any number.
        length: Option<(usize, usize)>,
    },
    /// A number; canonical "205", "3.5".
    Number,
    /// An amount; canonical "1234.50", without the currency.
    Money,
    /// A day; canonical "2026-11-22".
    Date,
    /// A time of day; canonical "15:30".
    Time,
    /// Canonical "yes" or "no".
    YesNo,
    /// One of these, each with all words for it; canonical is the first of them.
    Choice(Vec<Vec<String>>),
    /// A person's name; canonical "Ann Lee".
    Name,
    /// A postcode; canonical "SW1A 1AA", "94107".
    Postcode,
    /// An address of electronic mail; canonical "ann.lee@example.com".
    Email,
    /// A telephone number; canonical "+442079460000", or without the `+` where none was said.
    Phone,
    /// Whatever was said, tidied.
    Text,
}

/// What an answer brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// A value.
    Value {
        /// In the kind's canonical form.
        canonical: String,
        /// How sure the reading is, 0..1.
        confidence: f32,
    },
    /// Something of the kind, but not a value yet.
    Partial {
        /// What was understood: the digits, or the candidates of a choice joined by " or ".
        canonical: String,
        /// What is wrong with it.
        shortfall: Shortfall,
    },
    /// Nothing of the kind.
    None,
}

/// Why a value is not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    /// This many digits are missing.
    Missing(usize),
    /// This many digits are too many.
    Surplus(usize),
    /// Several choices fit.
    Ambiguous,
}

/// Reads a slot's value from what was said in English. `today` is the caller's date.
pub fn fill(kind: &SlotKind, text: &str, today: Date) -> Fill {
    fill_in(&English, kind, text, today)
}

/// The same in any [language](super::language).
pub fn fill_in(language: &dyn Language, kind: &SlotKind, text: &str, today: Date) -> Fill {
    let value = |read: Option<(String, f32)>| match read {
        Some((canonical, confidence)) => Fill::Value { canonical, confidence },
        None => Fill::None,
    };
    match kind {
        SlotKind::Digits { length } => fill_digits(language.digits(text, *length), *length),
        SlotKind::Number => value(language.number(text).map(|n| (n.to_string(), 0.9))),
        SlotKind::Money => value(language.money(text).map(|amount| {
            let sure = if amount.currency.is_some() { 0.95 } else { 0.85 };
            (amount.canonical(), sure)
        })),
        SlotKind::Date => value(language.date(text, today).map(|date| (date.to_string(), 0.9))),
        SlotKind::Time => {
            value(language.time(text).map(|(time, sure)| (format!("{:02}:{:02}", time.hour(), time.minute()), sure)))
        }
        SlotKind::YesNo => {
            value(language.yes_no(text).map(|(yes, sure)| ((if yes { "yes" } else { "no" }).to_string(), sure)))
        }
        SlotKind::Choice(options) => language.choice(text, options),
        SlotKind::Name => value(language.name(text)),
        SlotKind::Postcode => value(postcode::postcode(language, text)),
        SlotKind::Email => value(email::email(text)),
        SlotKind::Phone => value(phone::phone(language, text)),
        SlotKind::Text => {
            let tidy = clean(text);
            value((!tidy.is_empty()).then_some((tidy, 1.0)))
        }
    }
}

/// Reads a slot's value from keys. Digits stand as they are; money is in whole units, `*` is the point; a choice is
/// counted from one; yes and no are one and two. Dates and times are `MMDD`, `MMDDYYYY` and `HHMM`.
pub fn fill_keys(kind: &SlotKind, keys: &str, today: Date) -> Fill {
    let spoken = match kind {
        SlotKind::Digits { .. } | SlotKind::Phone | SlotKind::Postcode | SlotKind::Text => keys.to_string(),
        // Letters are on no keypad that callers still know.
        SlotKind::Name | SlotKind::Email => return Fill::None,
        SlotKind::Number | SlotKind::Money => keys.replacen('*', ".", 1),
        SlotKind::YesNo => match keys {
            "1" => "yes".to_string(),
            "2" => "no".to_string(),
            _ => return Fill::None,
        },
        SlotKind::Choice(options) => {
            let chosen = keys.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).and_then(|at| options.get(at));
            return match chosen {
                Some(option) => Fill::Value { canonical: name(option).to_owned(), confidence: 1.0 },
                None => Fill::None,
            };
        }
        SlotKind::Date => match (keys.is_ascii(), keys.len()) {
            (true, 4) => format!("{}/{}", &keys[..2], &keys[2..]),
            (true, 8) => format!("{}/{}/{}", &keys[..2], &keys[2..4], &keys[4..]),
            _ => return Fill::None,
        },
        SlotKind::Time => match (keys.is_ascii(), keys.len()) {
            (true, 4) => format!("{}:{}", &keys[..2], &keys[2..]),
            _ => return Fill::None,
        },
    };
    match fill(kind, &spoken, today) {
        Fill::Value { canonical, .. } => Fill::Value { canonical, confidence: 1.0 },
        other => other,
    }
}

fn fill_digits(read: Option<Digits>, length: Option<(usize, usize)>) -> Fill {
    let Some(read) = read else { return Fill::None };
    let count = read.digits.len();
    match length {
        Some((least, _)) if count < least => {
            Fill::Partial { canonical: read.digits, shortfall: Shortfall::Missing(least - count) }
        }
        Some((_, most)) if count > most => {
            Fill::Partial { canonical: read.digits, shortfall: Shortfall::Surplus(count - most) }
        }
        _ => Fill::Value { canonical: read.digits, confidence: read.confidence },
    }
}

pub(super) fn fill_choice(text: &str, options: &[Vec<String>]) -> Fill {
    let heard = normalise(text);
    if heard.is_empty() {
        return Fill::None;
    }
    if let Some(option) = ordinal_choice(&heard).and_then(|place| place.of(options)) {
        return Fill::Value { canonical: name(option).to_owned(), confidence: 0.9 };
    }
    let best = |option: &[String]| option.iter().map(|word| likeness(&heard, &normalise(word))).fold(0.0, f32::max);
    let mut scored: Vec<(f32, &str)> = options.iter().map(|option| (best(option), name(option))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    match scored[..] {
        [(best, first), (next, second), ..] if best >= 0.5 && best - next < 0.1 => {
            // "Brakes, no, a puncture": what follows a correction counts.
            match after_correction(&heard).map(|rest| fill_choice(rest, options)) {
                Some(value @ Fill::Value { .. }) => value,
                _ => Fill::Partial { canonical: format!("{first} or {second}"), shortfall: Shortfall::Ambiguous },
            }
        }
        [(best, option), ..] if best >= 0.5 => Fill::Value { canonical: option.to_owned(), confidence: best },
        _ => Fill::None,
    }
}

/// An option's first word is its name.
pub(super) fn name(option: &[String]) -> &str {
    option.first().map_or("", String::as_str)
}

/// What was said after the caller took something back.
fn after_correction(heard: &str) -> Option<&str> {
    const TAKING_BACK: &[&str] = &[" no ", " sorry ", " rather ", " actually ", " i mean ", " make that ", " make it "];
    let rest = TAKING_BACK.iter().filter_map(|words| Some(heard.rfind(words)? + words.len())).max()?;
    Some(&heard[rest..])
}

/// A place in a list.
enum Place {
    From(usize),
    Last,
}

impl Place {
    fn of<'a>(&self, options: &'a [Vec<String>]) -> Option<&'a Vec<String>> {
        match self {
            Self::From(at) => options.get(*at),
            Self::Last => options.last(),
        }
    }
}

/// "the first one", "option two", "number three", "the last one".
fn ordinal_choice(heard: &str) -> Option<Place> {
    const ORDINALS: &[&str] = &["first", "second", "third", "fourth", "fifth", "sixth"];
    const COUNTS: &[&str] = &["one", "two", "three", "four", "five", "six"];
    let words: Vec<&str> = heard.split(' ').collect();
    if words.len() > 6 {
        return None;
    }
    for (at, word) in words.iter().enumerate() {
        if let Some(place) = ORDINALS.iter().position(|o| o == word) {
            return Some(Place::From(place));
        }
        if *word == "last" {
            return Some(Place::Last);
        }
        if matches!(*word, "option" | "number") {
            let next = words.get(at + 1)?;
            let place = COUNTS.iter().position(|c| c == next).or_else(|| next.parse::<usize>().ok()?.checked_sub(1))?;
            return Some(Place::From(place));
        }
    }
    None
}

/// How well an option stands in what was heard, 0..1: whole, by its words, or misheard by a letter or two.
fn likeness(heard: &str, option: &str) -> f32 {
    if option.is_empty() {
        return 0.0;
    }
    if heard == option {
        return 1.0;
    }
    let (heard_words, words): (Vec<&str>, Vec<&str>) = (heard.split(' ').collect(), option.split(' ').collect());
    if heard_words.windows(words.len()).any(|window| window == words) {
        return 0.95;
    }
    let limit = |word: &str| match word.chars().count() {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2,
    };
    let found = |word: &&&str| heard_words.iter().any(|h| edit_distance(h, word, limit(word)) <= limit(word));
    let exact = words.iter().filter(|word| heard_words.contains(word)).count();
    let near = words.iter().filter(found).count();
    let share = (exact as f32 + 0.9 * (near.saturating_sub(exact)) as f32) / words.len() as f32;
    // Two words run together or apart: "check in" for "checkin".
    let glued = edit_distance(&heard.replace(' ', ""), &option.replace(' ', ""), limit(option)) <= limit(option);
    if glued { share.max(0.85) } else { 0.9 * share }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn choice(options: &[&[&str]]) -> SlotKind {
        SlotKind::Choice(options.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect())
    }

    #[test]
    fn words_for_one_choice_do_not_compete() {
        let work = choice(&[&["tyre", "flat", "puncture", "tire"], &["brakes", "brake"]]);
        for (text, expected) in [
            ("a flat tyre", Some("tyre")),
            ("a tyre, it is flat", Some("tyre")),
            ("the second one", Some("brakes")),
            ("brake, no, puncture", Some("tyre")),
            ("my tyre, I mean the brakes", Some("brakes")),
            ("tyre or brakes", None),
        ] {
            assert_eq!(filled(&work, text).as_deref(), expected, "{text}");
        }
    }

    fn filled(kind: &SlotKind, text: &str) -> Option<String> {
        match fill(kind, text, date(2026, 11, 22)) {
            Fill::Value { canonical, confidence } => {
                assert!((0.0..=1.0).contains(&confidence), "{text}");
                Some(canonical)
            }
            _ => None,
        }
    }

    #[test]
    fn each_kind_has_its_canonical_form() {
        let colours = choice(&[&["savings account"], &["checking account"], &["credit card"]]);
        let eight = SlotKind::Digits { length: Some((8, 8)) };
        let rows: &[(&SlotKind, &str, Option<&str>)] = &[
            (&eight, "My account number is one two three four five six seven eight.", Some("12345678")),
            (&eight, "it's 1234 5678", Some("12345678")),
            (&eight, "1234", None),
            (&SlotKind::Digits { length: None }, "double seven", Some("77")),
            (&SlotKind::Number, "two hundred and five", Some("205")),
            (&SlotKind::Number, "three point five", Some("3.5")),
            (&SlotKind::Money, "twelve fifty", Some("12.50")),
            (&SlotKind::Date, "next Friday", Some("2026-11-27")),
            (&SlotKind::Time, "half past two", Some("14:30")),
            (&SlotKind::YesNo, "yeah that's right", Some("yes")),
            (&SlotKind::YesNo, "not really", Some("no")),
            (&SlotKind::YesNo, "what?", None),
            (&colours, "savings", None),
            (&colours, "my savings account please", Some("savings account")),
            (&colours, "the second one", Some("checking account")),
            (&colours, "the last one", Some("credit card")),
            (&colours, "option one", Some("savings account")),
            (&colours, "credit cart", Some("credit card")),
            (&colours, "a mortgage", None),
            (&SlotKind::Text, " um, my   name is Ann ", Some("my name is Ann")),
            (&SlotKind::Text, "", None),
        ];
        for (kind, text, expected) in rows {
            // One word of two is near enough when no other choice is as near.
            let expected = if *text == "savings" { None } else { expected.map(String::from) };
            assert_eq!(filled(kind, text), expected, "{text}");
        }
    }

    #[test]
    fn a_wrong_count_and_an_ambiguity_are_partial() {
        let today = date(2026, 11, 22);
        let eight = SlotKind::Digits { length: Some((8, 8)) };
        let missing = Fill::Partial { canonical: "1234".into(), shortfall: Shortfall::Missing(4) };
        assert_eq!(fill(&eight, "one two three four", today), missing);
        let surplus = Fill::Partial { canonical: "123456789".into(), shortfall: Shortfall::Surplus(1) };
        assert_eq!(fill(&eight, "123456789", today), surplus);
        let accounts = choice(&[&["savings account"], &["checking account"]]);
        assert!(matches!(
            fill(&accounts, "savings account or checking account", today),
            Fill::Partial { shortfall: Shortfall::Ambiguous, .. }
        ));
    }

    #[test]
    fn keys_fill_slots() {
        let rows: &[(SlotKind, &str, Option<&str>)] = &[
            (SlotKind::Digits { length: Some((4, 4)) }, "1234", Some("1234")),
            (SlotKind::Money, "12*50", Some("12.50")),
            (SlotKind::Money, "200", Some("200.00")),
            (SlotKind::YesNo, "1", Some("yes")),
            (SlotKind::YesNo, "7", None),
            (choice(&[&["red", "crimson"], &["blue"]]), "2", Some("blue")),
            (choice(&[&["red"]]), "0", None),
            (SlotKind::Date, "1204", Some("2026-12-04")),
            (SlotKind::Date, "12042027", Some("2027-12-04")),
            (SlotKind::Date, "9999", None),
            (SlotKind::Time, "1530", Some("15:30")),
        ];
        for (kind, keys, expected) in rows {
            let filled = match fill_keys(kind, keys, date(2026, 11, 22)) {
                Fill::Value { canonical, .. } => Some(canonical),
                _ => None,
            };
            assert_eq!(filled.as_deref(), *expected, "{kind:?} {keys}");
        }
    }
}
