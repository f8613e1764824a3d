//! Numbers, money, dates and times as words to be spoken. American usage: "one hundred five", "March third".
//!
//! Owns wording only; the voice decides how it sounds.

use jiff::civil::{Date, Time, Weekday};

use super::money::Currency;

const SMALL: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: &[&str] = &["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const SCALES: &[(u64, &str)] = &[
    (1_000_000_000_000_000_000, "quintillion"),
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];
const MONTHS: &[&str] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Digits one by one, in groups that a listener can hold: "one two three four, five six seven eight".
/// Characters that are no digit are left out.
pub fn digits(text: &str) -> String {
    let names: Vec<&str> = text.chars().filter_map(|c| c.to_digit(10)).map(|d| SMALL[d as usize]).collect();
    let mut rest = &names[..];
    let mut groups = Vec::new();
    while !rest.is_empty() {
        let take = group(rest.len());
        groups.push(rest[..take].join(" "));
        rest = &rest[take..];
    }
    groups.join(", ")
}

/// How many of `left` digits are said next: fours when they come out even, else threes with the longer group last.
fn group(left: usize) -> usize {
    match left {
        0..=4 => left,
        _ if left.is_multiple_of(4) => 4,
        _ => 3,
    }
}

/// A whole number: "one thousand two hundred thirty-four".
pub fn number(value: i64) -> String {
    let words = cardinal(value.unsigned_abs());
    if value < 0 { format!("minus {words}") } else { words }
}

fn cardinal(value: u64) -> String {
    if let Some((scale, name)) = SCALES.iter().find(|(scale, _)| value >= *scale) {
        let rest = value % scale;
        let head = format!("{} {name}", cardinal(value / scale));
        return if rest == 0 { head } else { format!("{head} {}", cardinal(rest)) };
    }
    match value {
        0..=19 => SMALL[value as usize].to_string(),
        20..=99 if value.is_multiple_of(10) => TENS[value as usize / 10].to_string(),
        20..=99 => format!("{}-{}", TENS[value as usize / 10], SMALL[value as usize % 10]),
        _ if value.is_multiple_of(100) => format!("{} hundred", cardinal(value / 100)),
        _ => format!("{} hundred {}", cardinal(value / 100), cardinal(value % 100)),
    }
}

/// "first", "twenty-third", "hundredth".
pub fn ordinal(value: u32) -> String {
    let words = cardinal(u64::from(value));
    let cut = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = words.split_at(cut);
    let last = match last {
        "one" => "first".to_string(),
        "two" => "second".to_string(),
        "three" => "third".to_string(),
        "five" => "fifth".to_string(),
        "eight" => "eighth".to_string(),
        "nine" => "ninth".to_string(),
        "twelve" => "twelfth".to_string(),
        tens if tens.ends_with('y') => format!("{}ieth", tens.trim_end_matches('y')),
        other => format!("{other}th"),
    };
    format!("{head}{last}")
}

/// "one thousand two hundred thirty-four dollars and fifty cents".
pub fn money(minor: i64, currency: Currency) -> String {
    let (one, many, cent, cents) = match currency {
        Currency::Dollar => ("dollar", "dollars", "cent", "cents"),
        Currency::Pound => ("pound", "pounds", "penny", "pence"),
        Currency::Euro => ("euro", "euros", "cent", "cents"),
        Currency::Yuan => ("yuan", "yuan", "fen", "fen"),
    };
    let (major, small) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    let sign = if minor < 0 { "minus " } else { "" };
    let count = |n: u64, one: &str, many: &str| format!("{} {}", cardinal(n), if n == 1 { one } else { many });
    match (major, small) {
        (_, 0) => format!("{sign}{}", count(major, one, many)),
        (0, _) => format!("{sign}{}", count(small, cent, cents)),
        _ => format!("{sign}{} and {}", count(major, one, many), count(small, cent, cents)),
    }
}

/// "Friday, March third"; with the year when it is not `today`'s: "Friday, March third, twenty twenty-seven".
pub fn date(date: Date, today: Date) -> String {
    let day = ordinal(u32::from(date.day().unsigned_abs()));
    let month = MONTHS[usize::from(date.month().unsigned_abs()) - 1];
    let weekday = match date.weekday() {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    let said = format!("{weekday}, {month} {day}");
    if date.year() == today.year() { said } else { format!("{said}, {}", year(date.year())) }
}

fn year(year: i16) -> String {
    let value = u64::from(year.unsigned_abs());
    match (value / 100, value % 100) {
        (head @ 11..=19 | head @ 21..=99, 0) => format!("{} hundred", cardinal(head)),
        (head @ 11..=19 | head @ 21..=99, rest @ 1..=9) => format!("{} oh {}", cardinal(head), cardinal(rest)),
        (head @ (11..=19 | 21..=99), rest) => format!("{} {}", cardinal(head), cardinal(rest)),
        (20, rest @ 10..) => format!("twenty {}", cardinal(rest)),
        _ => cardinal(value),
    }
}

/// "three thirty p.m.", "noon", "midnight".
pub fn time(time: Time) -> String {
    let (hour, minute) = (u64::from(time.hour().unsigned_abs()), u64::from(time.minute().unsigned_abs()));
    match (hour, minute) {
        (0, 0) => return "midnight".to_string(),
        (12, 0) => return "noon".to_string(),
        _ => {}
    }
    let half = if hour < 12 { "a.m." } else { "p.m." };
    let hour = cardinal(if hour % 12 == 0 { 12 } else { hour % 12 });
    match minute {
        0 => format!("{hour} {half}"),
        1..=9 => format!("{hour} oh {} {half}", cardinal(minute)),
        _ => format!("{hour} {} {half}", cardinal(minute)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date as civil, time as clock};

    use super::*;

    #[test]
    fn digits_are_grouped() {
        let rows = [
            ("12345678", "one two three four, five six seven eight"),
            ("1234", "one two three four"),
            ("12345", "one two three, four five"),
            ("123456", "one two three, four five six"),
            ("5550199", "five five five, zero one nine nine"),
            ("2025550123", "two zero two, five five five, zero one two three"),
            ("12-34", "one two three four"),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(digits(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_spelled() {
        let rows = [
            (0, "zero"),
            (13, "thirteen"),
            (-7, "minus seven"),
            (205, "two hundred five"),
            (1_234, "one thousand two hundred thirty-four"),
            (1_000_000, "one million"),
            (
                i64::MIN,
                "minus nine quintillion two hundred twenty-three quadrillion three hundred seventy-two trillion \
             thirty-six billion eight hundred fifty-four million seven hundred seventy-five thousand eight hundred eight",
            ),
        ];
        for (value, expected) in rows {
            assert_eq!(number(value), expected);
        }
        let ordinals = [(1, "first"), (12, "twelfth"), (20, "twentieth"), (23, "twenty-third"), (100, "one hundredth")];
        for (value, expected) in ordinals {
            assert_eq!(ordinal(value), expected);
        }
    }

    #[test]
    fn money_is_spelled() {
        let rows = [
            (123_450, Currency::Dollar, "one thousand two hundred thirty-four dollars and fifty cents"),
            (100, Currency::Dollar, "one dollar"),
            (1, Currency::Pound, "one penny"),
            (0, Currency::Euro, "zero euros"),
            (-250, Currency::Dollar, "minus two dollars and fifty cents"),
        ];
        for (minor, currency, expected) in rows {
            assert_eq!(money(minor, currency), expected);
        }
    }

    #[test]
    fn dates_and_times_are_spelled() {
        let today = civil(2026, 11, 22);
        assert_eq!(date(civil(2026, 12, 3), today), "Thursday, December third");
        assert_eq!(date(civil(2027, 3, 21), today), "Sunday, March twenty-first, twenty twenty-seven");
        assert_eq!(date(civil(1905, 1, 1), today), "Sunday, January first, nineteen oh five");
        let rows = [
            (clock(15, 30, 0, 0), "three thirty p.m."),
            (clock(0, 0, 0, 0), "midnight"),
            (clock(0, 5, 0, 0), "twelve oh five a.m."),
            (clock(12, 0, 0, 0), "noon"),
            (clock(9, 0, 0, 0), "nine a.m."),
        ];
        for (at, expected) in rows {
            assert_eq!(time(at), expected);
        }
    }

    #[test]
    fn what_is_read_out_is_understood_again() {
        for value in ["0", "12345678", "0099", "2025550123"] {
            let read = super::super::digits::digits(&digits(value), None).expect("digits");
            assert_eq!(read.digits, value);
        }
        for minor in [100, 123_450, 5_000, 99_999] {
            let read = super::super::money::money(&money(minor, Currency::Dollar)).expect("money");
            assert_eq!(read.minor, minor);
        }
    }
}
