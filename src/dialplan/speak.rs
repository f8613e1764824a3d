//! Values as they are said aloud: money, dates, digits, letters. The text is for a voice, so no separators that a voice
//! takes for a pause (a comma in "1,234" would be one).

use jiff::civil::{Date, DateTime, Time};
use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

/// Largest amount that is said, in whole units.
const MAX_AMOUNT: f64 = 1e12;

/// Whole unit and hundredth of a currency, one and many.
struct Currency {
    code: &'static str,
    unit: [&'static str; 2],
    hundredth: [&'static str; 2],
}

const CURRENCIES: &[Currency] = &[
    Currency { code: "USD", unit: ["dollar", "dollars"], hundredth: ["cent", "cents"] },
    Currency { code: "GBP", unit: ["pound", "pounds"], hundredth: ["penny", "pence"] },
    Currency { code: "EUR", unit: ["euro", "euros"], hundredth: ["cent", "cents"] },
];

/// The currency of a language's country: `en-GB` pays in pounds.
pub(super) fn currency_of(language: &str) -> &'static str {
    if super::chinese::is(language) {
        return "CNY";
    }
    match language.rsplit('-').next().unwrap_or("") {
        "GB" => "GBP",
        "IE" | "DE" | "AT" | "FR" | "ES" | "IT" | "NL" => "EUR",
        _ => "USD",
    }
}

/// `1234.5` as "1234 dollars and 50 cents". Numbers and numeric texts only.
pub(super) fn money(value: &Value, code: &str) -> Result<String, Error> {
    let amount = number(value).filter(|amount| amount.abs() < MAX_AMOUNT);
    let amount = amount.ok_or_else(|| refused("money needs a number"))?;
    let currency = CURRENCIES.iter().find(|c| c.code == code);
    let currency = currency.ok_or_else(|| refused("money knows USD, GBP and EUR"))?;
    let hundredths = (amount.abs() * 100.0).round() as u64;
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    let unit = |count: u64, words: [&str; 2]| format!("{count} {}", words[usize::from(count != 1)]);
    let minus = if amount < 0.0 && hundredths > 0 { "minus " } else { "" };
    Ok(match (whole, rest) {
        (whole, 0) => format!("{minus}{}", unit(whole, currency.unit)),
        (0, rest) => format!("{minus}{}", unit(rest, currency.hundredth)),
        _ => format!("{minus}{} and {}", unit(whole, currency.unit), unit(rest, currency.hundredth)),
    })
}

/// `2026-11-24`, with or without a time behind it, as "Tuesday, November 24".
pub(super) fn date(value: &Value) -> Result<String, Error> {
    let text = value.as_str().unwrap_or("");
    let day: Option<Date> = text.get(..10).and_then(|day| day.parse().ok());
    let day = day.ok_or_else(|| refused("date needs a text like 2026-11-24"))?;
    Ok(day.strftime("%A, %B %-d").to_string())
}

/// `15:30` as "3 30 p.m.", `15:00` as "3 p.m.".
pub(super) fn time(value: &Value) -> Result<String, Error> {
    let text = value.as_str().unwrap_or("");
    let time = text.get(..5).and_then(|time| format!("{time}:00").parse::<Time>().ok());
    let time = time.ok_or_else(|| refused("time needs a text like 15:30"))?;
    let (hour, half) = match time.hour() {
        0 => (12, "a.m."),
        hour @ 1..=11 => (hour, "a.m."),
        12 => (12, "p.m."),
        hour => (hour - 12, "p.m."),
    };
    Ok(match time.minute() {
        0 => format!("{hour} {half}"),
        minute @ 1..=9 => format!("{hour} oh {minute} {half}"),
        minute => format!("{hour} {minute} {half}"),
    })
}

/// `ann.lee@example.com` as "ann dot lee at example dot com".
pub(super) fn email(text: &str) -> String {
    let mut said = String::new();
    for sign in text.chars() {
        match sign {
            '@' => said.push_str(" at "),
            '.' => said.push_str(" dot "),
            '_' => said.push_str(" underscore "),
            '-' => said.push_str(" dash "),
            '+' => said.push_str(" plus "),
            other => said.push(other),
        }
    }
    said
}

/// A moment's time of day.
pub(super) fn clock(moment: DateTime) -> String {
    time(&Value::from(format!("{:02}:{:02}", moment.hour(), moment.minute()))).unwrap_or_default()
}

/// A moment as seen from `now`: "today at 2 p.m.", "tomorrow at 8 a.m.", "on Monday at 8 a.m.".
pub(super) fn moment(moment: DateTime, now: DateTime) -> String {
    let time = clock(moment);
    let days = now.date().until(moment.date()).map_or(i32::MAX, |span| span.get_days());
    match days {
        0 => format!("today at {time}"),
        1 => format!("tomorrow at {time}"),
        2..=6 => format!("on {} at {time}", moment.strftime("%A")),
        _ => format!("on {} at {time}", moment.strftime("%A, %B %-d")),
    }
}

/// `1234567.5` as "1234567.5": a number without what a voice takes for a pause; at most two decimals.
pub(super) fn number_words(value: &Value) -> Result<String, Error> {
    let number = number(value).filter(|number| number.abs() < 1e15).ok_or_else(|| refused("number needs a number"))?;
    let text = format!("{number:.2}");
    Ok(text.trim_end_matches('0').trim_end_matches('.').replacen('-', "minus ", 1))
}

/// `3` as "3rd".
pub(super) fn ordinal(value: &Value) -> Result<String, Error> {
    let number = number(value).filter(|n| n.fract() == 0.0 && (0.0..1e9).contains(n));
    let number = number.ok_or_else(|| refused("ordinal needs a whole number"))? as u64;
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    Ok(format!("{number}{ending}"))
}

/// The number and the word that goes with it: "1 order", "3 orders".
pub(super) fn plural(value: &Value, one: &str, many: &str) -> Result<String, Error> {
    let count = number(value).ok_or_else(|| refused("plural needs a number"))?;
    Ok(format!("{} {}", number_words(value)?, if count == 1.0 { one } else { many }))
}

/// `0042` as "0 0 4 2": one by one, whatever the voice makes of numbers. Other signs are left out.
pub(super) fn digits(text: &str) -> String {
    spaced(text.chars().filter(char::is_ascii_digit))
}

/// `AB1` as "A B 1": letter by letter.
pub(super) fn spell(text: &str) -> String {
    spaced(text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_uppercase))
}

fn spaced(signs: impl Iterator<Item = char>) -> String {
    let mut said = String::new();
    for sign in signs {
        if !said.is_empty() {
            said.push(' ');
        }
        said.push(sign);
    }
    said
}

/// "Good morning" until noon, "Good afternoon" until six, then "Good evening".
pub(super) fn greeting(hour: u8) -> &'static str {
    match hour {
        0..=11 => "Good morning",
        12..=17 => "Good afternoon",
        _ => "Good evening",
    }
}

fn number(value: &Value) -> Option<f64> {
    let parsed = match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => f64::try_from(value.clone()).ok(),
    };
    parsed.filter(|number: &f64| number.is_finite())
}

fn refused(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_said_in_words() {
        let said = |value: Value, code| money(&value, code).ok();
        assert_eq!(said(1234.5.into(), "USD").as_deref(), Some("1234 dollars and 50 cents"));
        assert_eq!(said(1.into(), "GBP").as_deref(), Some("1 pound"));
        assert_eq!(said(Value::from("0.01"), "GBP").as_deref(), Some("1 penny"));
        assert_eq!(said((-2.999).into(), "EUR").as_deref(), Some("minus 3 euros"));
        assert_eq!(said(0.into(), "USD").as_deref(), Some("0 dollars"));
        assert_eq!(said(Value::UNDEFINED, "USD"), None);
        assert_eq!(said(f64::NAN.into(), "USD"), None);
        assert_eq!(said(1e30.into(), "USD"), None);
        assert_eq!(said(1.into(), "XXX"), None);
    }

    #[test]
    fn dates_are_said_in_words() {
        let said = |text: &str| date(&Value::from(text)).ok();
        assert_eq!(said("2026-11-24").as_deref(), Some("Tuesday, November 24"));
        assert_eq!(said("2026-01-02T10:00:00Z").as_deref(), Some("Friday, January 2"));
        assert_eq!(said("tomorrow"), None);
        assert_eq!(said("2026-02-31"), None);
        assert_eq!(said("äöüäöüäöü"), None);
    }

    #[test]
    fn digits_and_letters_are_said_one_by_one() {
        assert_eq!(digits("00-42 "), "0 0 4 2");
        assert_eq!(spell("ab 1"), "A B 1");
        assert_eq!(greeting(11), "Good morning");
        assert_eq!(greeting(12), "Good afternoon");
        assert_eq!(greeting(23), "Good evening");
        assert_eq!(currency_of("en-GB"), "GBP");
        assert_eq!(currency_of("en"), "USD");
    }
}
