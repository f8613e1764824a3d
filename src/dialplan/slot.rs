//! What a caller is asked for: the kinds of value, their canonical forms, and what of them may be typed.

use jiff::civil::Date;

/// Longest free text that a slot keeps, bytes.
const MAX_TEXT: usize = 500;
/// Longest name of a person, bytes.
const MAX_NAME: usize = 100;
/// Longest address of electronic mail (RFC 5321, 4.5.3.1.3, less the brackets).
const MAX_EMAIL: usize = 254;
/// Most digits of a slot whose length is not given.
pub(super) const MAX_DIGITS: usize = 32;
/// Digits of a telephone number: three for a short one, fifteen by E.164.
const PHONE: std::ops::RangeInclusive<usize> = 3..=15;

/// Something that the caller is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name in the plan.
    pub name: String,
    /// What it takes.
    pub kind: SlotKind,
    /// Kept out of logs, records and recordings.
    pub mask: bool,
    /// May be typed.
    pub keypad: bool,
}

/// What a slot takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotKind {
    /// A string of digits, at least and at most so many.
    Digits {
        /// Shortest.
        min: usize,
        /// Longest.
        max: usize,
    },
    /// A number: "205", "3.5".
    Number,
    /// An amount without its currency: "1234.50".
    Money,
    /// A day: "2026-11-22".
    Date,
    /// A time of day: "15:30".
    Time,
    /// "yes" or "no".
    YesNo,
    /// One of these: its name, and words for it (the name is one of them).
    Choice(Vec<(String, Vec<String>)>),
    /// A person's name: "Ann Lee".
    Name,
    /// A postcode: "SW1A 1AA", "94107".
    Postcode,
    /// An address of electronic mail: "ann.lee@example.com".
    Email,
    /// A telephone number, digits with or without a `+` before them: "+442079460000".
    Phone,
    /// Anything.
    Text,
}

impl SlotKind {
    /// Whether it may be typed unless the plan says otherwise.
    pub(super) fn typed(&self) -> bool {
        use SlotKind::{Date, Digits, Money, Number, Phone, Time, YesNo};
        matches!(self, Digits { .. } | Number | Money | Date | Time | Phone | YesNo)
    }

    /// Whether it can be typed at all.
    pub(super) fn can_be_typed(&self) -> bool {
        self.typed() || matches!(self, Self::Choice(_))
    }
}

impl Slot {
    /// The canonical form of what was understood, or `None` when the slot does not take it.
    pub fn accept(&self, value: &str) -> Option<String> {
        let value = value.trim();
        let whole = |taken: bool| taken.then(|| value.to_string());
        match &self.kind {
            SlotKind::Digits { min, max } => whole(all_digits(value) && (*min..=*max).contains(&value.len())),
            SlotKind::Number => whole(finite(value).is_some()),
            SlotKind::Money => finite(value).map(|amount| format!("{amount:.2}")),
            SlotKind::Date => value.parse::<Date>().ok().map(|date| date.to_string()),
            SlotKind::Time => time(value),
            SlotKind::YesNo => whole(matches!(value, "yes" | "no")),
            SlotKind::Choice(choices) => {
                let is = |word: &String| word.eq_ignore_ascii_case(value);
                let chosen = choices.iter().find(|(name, words)| is(name) || words.iter().any(is));
                chosen.map(|(name, _)| name.clone())
            }
            SlotKind::Name => whole(value.len() <= MAX_NAME && value.chars().any(char::is_alphabetic)),
            SlotKind::Postcode => {
                let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-');
                let held = value.chars().filter(char::is_ascii_alphanumeric).count();
                ((3..=10).contains(&held) && value.chars().all(sign)).then(|| value.to_ascii_uppercase())
            }
            SlotKind::Email => whole(is_email(value)),
            SlotKind::Phone => {
                let digits = value.strip_prefix('+').unwrap_or(value);
                whole(all_digits(digits) && PHONE.contains(&digits.len()))
            }
            SlotKind::Text => whole(!value.is_empty() && value.len() <= MAX_TEXT),
        }
    }

    /// The same for what was typed: a choice by its number, a yes by 1 and a no by 2, `*` for a decimal point, a time as
    /// HHMM, a day as two digits each for day and month (`month_first`: month and day), with or without the year.
    pub fn accept_keys(&self, keys: &str, today: Date, month_first: bool) -> Option<String> {
        if !self.keypad {
            return None;
        }
        match &self.kind {
            SlotKind::YesNo => match keys {
                "1" => Some("yes".into()),
                "2" => Some("no".into()),
                _ => None,
            },
            SlotKind::Choice(choices) => {
                let number: usize = keys.parse().ok()?;
                choices.get(number.checked_sub(1)?).map(|(name, _)| name.clone())
            }
            SlotKind::Number | SlotKind::Money => self.accept(&keys.replacen('*', ".", 1)),
            SlotKind::Date => typed_date(keys, today, month_first).map(|date| date.to_string()),
            SlotKind::Time => match (keys.get(..2), keys.get(2..)) {
                (Some(hour), Some(minute)) if all_digits(keys) => time(&format!("{hour}:{minute}")),
                _ => None,
            },
            SlotKind::Digits { .. } | SlotKind::Phone => self.accept(keys),
            SlotKind::Name | SlotKind::Postcode | SlotKind::Email | SlotKind::Text => None,
        }
    }
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn finite(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite() && text.len() <= MAX_DIGITS)
}

/// `9:05` as "09:05".
fn time(text: &str) -> Option<String> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: u8| text.parse::<u8>().ok().filter(|n| all_digits(text) && *n < below);
    let minute = number(minute, 60).filter(|_| minute.len() == 2)?;
    Some(format!("{:02}:{minute:02}", number(hour, 24)?))
}

/// `2411` or `24112026`; without a year, the next such day.
fn typed_date(keys: &str, today: Date, month_first: bool) -> Option<Date> {
    if !all_digits(keys) || !matches!(keys.len(), 4 | 8) {
        return None;
    }
    let (first, second): (i8, i8) = (keys[..2].parse().ok()?, keys[2..4].parse().ok()?);
    let (month, day) = if month_first { (first, second) } else { (second, first) };
    if let Some(year) = keys.get(4..).filter(|year| !year.is_empty()) {
        return Date::new(year.parse().ok()?, month, day).ok();
    }
    // The 29th of February comes within eight years.
    (0..=8).filter_map(|ahead| Date::new(today.year().checked_add(ahead)?, month, day).ok()).find(|date| *date >= today)
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let graphic = text.len() <= MAX_EMAIL && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let labels = host.split('.').all(|label| !label.is_empty()) && host.contains('.') && !host.contains('@');
    graphic && !name.is_empty() && labels
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn slot(kind: SlotKind) -> Slot {
        Slot { name: "s".into(), kind, mask: false, keypad: true }
    }

    #[test]
    fn each_kind_has_its_canonical_form_and_refuses_the_rest() {
        let table: &[(SlotKind, &str, Option<&str>)] = &[
            (SlotKind::Money, "200", Some("200.00")),
            (SlotKind::Money, "12.5", Some("12.50")),
            (SlotKind::Money, "inf", None),
            (SlotKind::Date, "2026-11-24", Some("2026-11-24")),
            (SlotKind::Date, "2026-02-31", None),
            (SlotKind::Time, "9:05", Some("09:05")),
            (SlotKind::Time, "24:00", None),
            (SlotKind::Time, "9:5", None),
            (SlotKind::Name, "Ann Lee", Some("Ann Lee")),
            (SlotKind::Name, "42", None),
            (SlotKind::Postcode, "sw1a 1aa", Some("SW1A 1AA")),
            (SlotKind::Postcode, "12/34", None),
            (SlotKind::Email, "ann.lee@example.com", Some("ann.lee@example.com")),
            (SlotKind::Email, "ann@lee@example.com", None),
            (SlotKind::Email, "ann@example", None),
            (SlotKind::Phone, "+442079460000", Some("+442079460000")),
            (SlotKind::Phone, "+", None),
            (SlotKind::Phone, "1234567890123456", None),
        ];
        for (kind, given, expected) in table {
            assert_eq!(slot(kind.clone()).accept(given).as_deref(), *expected, "{kind:?} {given}");
        }
    }

    #[test]
    fn days_and_times_are_typed() {
        let today = date(2026, 11, 22);
        let typed = |kind, keys, month_first| slot(kind).accept_keys(keys, today, month_first);
        assert_eq!(typed(SlotKind::Date, "1204", true).as_deref(), Some("2026-12-04"));
        assert_eq!(typed(SlotKind::Date, "0412", false).as_deref(), Some("2026-12-04"));
        assert_eq!(typed(SlotKind::Date, "1121", true).as_deref(), Some("2027-11-21"));
        assert_eq!(typed(SlotKind::Date, "0229", true).as_deref(), Some("2028-02-29"));
        assert_eq!(typed(SlotKind::Date, "12041999", true).as_deref(), Some("1999-12-04"));
        assert_eq!(typed(SlotKind::Date, "9999", true), None);
        assert_eq!(typed(SlotKind::Time, "1530", true).as_deref(), Some("15:30"));
        assert_eq!(typed(SlotKind::Time, "15*0", true), None);
        assert_eq!(typed(SlotKind::Money, "12*50", true).as_deref(), Some("12.50"));
        assert_eq!(typed(SlotKind::Email, "1", true), None);
    }
}
