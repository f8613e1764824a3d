//! Days as callers say them: "next Friday", "the third of March", "in two weeks".
//!
//! Owns the reading of a date given today's; never asks what day it is. A date without a year is the next such day,
//! `month/day` is read the American way, and "next Friday" is the Friday of next week (weeks start on Monday).

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::numbers::{Token, cardinal, is_correction, tokens};

const MONTHS: &[(&str, &str)] = &[
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may", "may"),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sept"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
];

/// The day that a text names, or the one after a correction ("Monday, no, Tuesday"), seen from `today`.
pub fn date(text: &str, today: Date) -> Option<Date> {
    let iso = iso_date(text);
    if iso.is_some() {
        return iso;
    }
    let tokens = tokens(text);
    let corrected = tokens.iter().rposition(is_correction).and_then(|at| {
        let day = first_date(&tokens[at + 1..], today)?;
        let before = first_date(&tokens[..at], today);
        let bare = at + 2 == tokens.len() && weekday(tokens.last()).is_some();
        Some(before.filter(|_| bare).and_then(|before| nearest(day, before, today)).unwrap_or(day))
    });
    corrected.or_else(|| first_date(&tokens, today))
}

/// The day of `day`'s weekday that is nearest to `before`, unless it is past: "next Friday, no, Saturday".
fn nearest(day: Date, before: Date, today: Date) -> Option<Date> {
    let between = day.until(before).ok()?.get_days();
    let weeks = (between + if between < 0 { -3 } else { 3 }) / 7;
    add(day, (7 * weeks).days()).filter(|day| *day >= today)
}

/// "2026-11-22" anywhere in the text.
fn iso_date(text: &str) -> Option<Date> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '-')).find_map(|part| {
        let mut fields = part.split('-');
        let (year, month, day) = (fields.next()?, fields.next()?, fields.next()?);
        let shaped = year.len() == 4 && fields.next().is_none();
        if !shaped {
            return None;
        }
        Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
    })
}

fn first_date(tokens: &[Token], today: Date) -> Option<Date> {
    (0..tokens.len()).find_map(|at| counted(&tokens[at..], today).or_else(|| plain(tokens, at, today)))
}

/// A day that is named without counting from another.
fn plain(tokens: &[Token], at: usize, today: Date) -> Option<Date> {
    let rest = &tokens[at..];
    relative(rest, today)
        .or_else(|| slashed(rest, today))
        .or_else(|| month_first(rest, today))
        .or_else(|| day_first(rest, today))
        .or_else(|| weekday_date(tokens, at, today))
        .or_else(|| bare_day(tokens, at, today))
}

fn add(date: Date, span: Span) -> Option<Date> {
    date.checked_add(span).ok()
}

fn month(token: Option<&Token>) -> Option<i8> {
    let Some(Token::Word(word)) = token else { return None };
    let at =
        MONTHS.iter().position(|(long, short)| word == long || word == short || (word == "sep" && *short == "sept"))?;
    i8::try_from(at + 1).ok()
}

fn weekday(token: Option<&Token>) -> Option<Weekday> {
    let Some(Token::Word(word)) = token else { return None };
    Some(match word.trim_end_matches('s') {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thur" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// "today", "tomorrow", "the day after tomorrow", "next month".
fn relative(tokens: &[Token], today: Date) -> Option<Date> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is(word));
    if is(0, "today") || is(0, "tonight") {
        return Some(today);
    }
    if is(0, "tomorrow") {
        return today.tomorrow().ok();
    }
    if is(0, "yesterday") {
        return today.yesterday().ok();
    }
    if is(0, "day") && is(1, "after") && is(2, "tomorrow") {
        return add(today, 2.days());
    }
    if is(0, "day") && is(1, "before") && is(2, "yesterday") {
        return add(today, (-2).days());
    }
    if is(0, "next") || is(0, "last") {
        let sign = if is(0, "next") { 1 } else { -1 };
        return if is(1, "week") {
            add(today, (7 * sign).days())
        } else if is(1, "month") {
            add(today, sign.months())
        } else if is(1, "year") {
            add(today, sign.years())
        } else {
            None
        };
    }
    None
}

/// "three days", "a week", "two months", with "in" before, or "from today", "from Friday", "ago" after.
fn counted(tokens: &[Token], today: Date) -> Option<Date> {
    let (mut count, used) = match tokens.first()? {
        token if token.is("a") || token.is("an") => (1, 1),
        token if token.is("couple") => (2, 1),
        _ => {
            let read = cardinal(tokens)?;
            (i64::try_from(read.value).ok().filter(|n| *n <= 3_660)?, read.used)
        }
    };
    let mut at = used;
    if tokens.get(at).is_some_and(|t| t.is("couple")) {
        (count, at) = (2, at + 1);
    }
    at += usize::from(tokens.get(at).is_some_and(|t| t.is("of")));
    let Token::Word(unit) = tokens.get(at)? else { return None };
    let (days, months) = match unit.as_str() {
        "day" | "days" => (count, 0),
        "week" | "weeks" => (count * 7, 0),
        "fortnight" | "fortnights" => (count * 14, 0),
        "month" | "months" => (0, count),
        "year" | "years" => (0, count * 12),
        _ => return None,
    };
    let rest = &tokens[at + 1..];
    if rest.first().is_some_and(|t| t.is("ago")) {
        return add(today, (-days).days()).and_then(|date| add(date, (-months).months()));
    }
    let from = rest.first().is_some_and(|t| t.is("from") || t.is("after"));
    let base = if from { anchor(&rest[1..], today).unwrap_or(today) } else { today };
    add(base, days.days()).and_then(|date| add(date, months.months()))
}

/// What a count starts from: the first day named. It counts from nothing in turn, so that no text nests.
fn anchor(tokens: &[Token], today: Date) -> Option<Date> {
    (0..tokens.len()).find_map(|at| plain(tokens, at, today))
}

/// "3/4" and "3/4/2027": month, day, year; the other way round when only that makes a date.
fn slashed(tokens: &[Token], today: Date) -> Option<Date> {
    let [
        Token::Literal { whole: a, fraction: None },
        Token::Mark('/'),
        Token::Literal { whole: b, fraction: None },
        rest @ ..,
    ] = tokens
    else {
        return None;
    };
    let (a, b): (i8, i8) = (a.parse().ok()?, b.parse().ok()?);
    let year = match rest {
        [Token::Mark('/'), Token::Literal { whole, .. }, ..] => {
            let year = whole.parse::<i16>().ok()?;
            Some(if whole.len() <= 2 { expand_year(year, today) } else { year })
        }
        _ => None,
    };
    dated(year, a, b, today).or_else(|| dated(year, b, a, today))
}

/// "03" is 2003 and "85" is 1985: a year of two digits lies at most ten years ahead.
fn expand_year(short: i16, today: Date) -> i16 {
    let year = today.year() - today.year() % 100 + short;
    if year > today.year() + 10 { year - 100 } else { year }
}

/// With its year, or the next such day from `today` on.
fn dated(year: Option<i16>, month: i8, day: i8, today: Date) -> Option<Date> {
    if let Some(year) = year {
        return Date::new(year, month, day).ok();
    }
    // Eight years hold a leap day even around 2100.
    (0..=8).filter_map(|ahead| Date::new(today.year() + ahead, month, day).ok()).find(|date| *date >= today)
}

fn day_number(token: Option<&Token>) -> Option<i8> {
    let day = match token? {
        Token::Ordinal(n) | Token::Unit(n) | Token::Teen(n) => *n,
        Token::Literal { whole, fraction: None } => whole.parse().ok()?,
        _ => return None,
    };
    i8::try_from(day).ok().filter(|day| (1..=31).contains(day))
}

/// A day of the month, spoken in one or two tokens, and how many.
fn day(tokens: &[Token]) -> Option<(i8, usize)> {
    match tokens.first()? {
        Token::Tens(tens @ (20 | 30)) => match tokens.get(1) {
            Some(Token::Unit(n @ 1..)) => Some((i8::try_from(tens + n).ok().filter(|d| *d <= 31)?, 2)),
            _ => Some((i8::try_from(*tens).ok()?, 1)),
        },
        token => Some((day_number(Some(token))?, 1)),
    }
}

/// A year after a date, and how many tokens it takes: "2027", "twenty twenty seven", "two thousand and five", "85".
fn year(tokens: &[Token], today: Date) -> Option<i16> {
    let start = usize::from(tokens.first().is_some_and(|t| t.is("of") || t.is("in")));
    let tokens = tokens.get(start..)?;
    if let Token::Literal { whole, fraction: None } = tokens.first()? {
        // "March 3rd 10 a.m." and "March 3rd 10:30" name an hour.
        return whole.parse().ok().filter(|year| (1850..=2200).contains(year));
    }
    let head = cardinal(tokens)?;
    if head.scaled {
        return i16::try_from(head.value).ok().filter(|year| (1850..=2200).contains(year));
    }
    if !(18..=21).contains(&head.value) {
        return None;
    }
    let rest = &tokens[head.used..];
    let tail = match rest.first()? {
        Token::Hundred => 0,
        Token::Sounds(0) | Token::Unit(0) => match rest.get(1)? {
            Token::Unit(n) => u64::from(*n),
            _ => return None,
        },
        _ => cardinal(rest).filter(|tail| (10..100).contains(&tail.value))?.value,
    };
    let year = i16::try_from(head.value * 100 + tail).ok()?;
    (1850..=today.year() + 100).contains(&year).then_some(year)
}

/// "March third", "March the 3rd, 2027".
fn month_first(tokens: &[Token], today: Date) -> Option<Date> {
    let month = month(tokens.first())?;
    let the = usize::from(tokens.get(1).is_some_and(|t| t.is("the")));
    let (day, used) = day(tokens.get(1 + the..)?)?;
    dated(year(&tokens[1 + the + used..], today), month, day, today)
}

/// "third of March", "3 March 2027".
fn day_first(tokens: &[Token], today: Date) -> Option<Date> {
    let (day, used) = day(tokens)?;
    let of = usize::from(tokens.get(used).is_some_and(|t| t.is("of")));
    let month = month(tokens.get(used + of))?;
    dated(year(&tokens[used + of + 1..], today), month, day, today)
}

/// "Friday", "this Friday", "next Friday", "last Friday", "Friday week".
fn weekday_date(tokens: &[Token], at: usize, today: Date) -> Option<Date> {
    let weekday = weekday(tokens.get(at))?;
    // "Friday the third of March" and "Friday, March third" name the day more closely.
    let closer = (at + 1..tokens.len().min(at + 3))
        .find_map(|from| month_first(&tokens[from..], today).or_else(|| day_first(&tokens[from..], today)));
    if closer.is_some() {
        return closer;
    }
    let before = |word: &str| at > 0 && tokens[at - 1].is(word);
    let monday = add(today, (-i64::from(today.weekday().to_monday_zero_offset())).days())?;
    let offset = i64::from(weekday.to_monday_zero_offset());
    if before("next") {
        return add(monday, (offset + 7).days());
    }
    let ahead = i64::from(today.weekday().until(weekday));
    let next = add(today, (if ahead == 0 { 7 } else { ahead }).days())?;
    if before("last") {
        let back = i64::from(today.weekday().since(weekday));
        return add(today, (-(if back == 0 { 7 } else { back })).days());
    }
    if tokens.get(at + 1).is_some_and(|t| t.is("week")) {
        return add(next, 7.days());
    }
    Some(next)
}

/// "the 15th", "on the fifteenth": the next day of that number.
fn bare_day(tokens: &[Token], at: usize, today: Date) -> Option<Date> {
    let Token::Ordinal(day) = tokens.get(at)? else { return None };
    let after_the = at > 0 && tokens[at - 1].is("the");
    if !after_the && tokens.len() > 1 {
        return None;
    }
    let day = i8::try_from(*day).ok().filter(|day| (1..=31).contains(day))?;
    let first = today.first_of_month();
    (0_i64..=12)
        .filter_map(|ahead| add(first, ahead.months()))
        .filter_map(|month| Date::new(month.year(), month.month(), day).ok())
        .find(|date| *date >= today)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as civil;

    use super::*;

    #[test]
    fn dates_are_read() {
        // A Sunday.
        let today = civil(2026, 11, 22);
        let rows = [
            ("today", civil(2026, 11, 22)),
            ("tomorrow please", civil(2026, 11, 23)),
            ("the day after tomorrow", civil(2026, 11, 24)),
            ("yesterday", civil(2026, 11, 21)),
            ("the day before yesterday", civil(2026, 11, 20)),
            ("in three days", civil(2026, 11, 25)),
            ("in a week", civil(2026, 11, 29)),
            ("in a couple of weeks", civil(2026, 12, 6)),
            ("two weeks ago", civil(2026, 11, 8)),
            ("a week from Friday", civil(2026, 12, 4)),
            ("next month", civil(2026, 12, 22)),
            ("Friday", civil(2026, 11, 27)),
            ("this Friday", civil(2026, 11, 27)),
            ("on Sunday", civil(2026, 11, 29)),
            ("next Friday", civil(2026, 11, 27)),
            ("last Monday", civil(2026, 11, 16)),
            ("Monday, no, Tuesday", civil(2026, 11, 24)),
            ("March third", civil(2027, 3, 3)),
            ("March 3rd, 2025", civil(2025, 3, 3)),
            ("the third of March", civil(2027, 3, 3)),
            ("3 March", civil(2027, 3, 3)),
            ("December twenty fifth", civil(2026, 12, 25)),
            ("December twenty five", civil(2026, 12, 25)),
            ("Friday, December the 4th", civil(2026, 12, 4)),
            ("March twenty third nineteen eighty four", civil(1984, 3, 23)),
            ("the first of May twenty twenty seven", civil(2027, 5, 1)),
            ("May 1st two thousand and five", civil(2005, 5, 1)),
            ("12/4", civil(2026, 12, 4)),
            ("12/4/85", civil(1985, 12, 4)),
            ("25/12/2026", civil(2026, 12, 25)),
            ("2027-02-28", civil(2027, 2, 28)),
            ("on the 15th", civil(2026, 12, 15)),
            ("February 29th", civil(2028, 2, 29)),
            ("transfer two hundred to savings on Friday", civil(2026, 11, 27)),
        ];
        for (text, expected) in rows {
            assert_eq!(date(text, today), Some(expected), "{text}");
        }
        // Next week's, seen from a Wednesday.
        assert_eq!(date("next Friday", civil(2026, 11, 25)), Some(civil(2026, 12, 4)));
    }

    #[test]
    fn no_date() {
        let today = civil(2026, 11, 22);
        for text in
            ["", "my card", "February 31st", "one two three", "I may call", "99999999999999999999 days", "13/45"]
        {
            assert_eq!(date(text, today), None, "{text}");
        }
        assert_eq!(date("in three thousand years", civil(9999, 1, 1)), None);
    }
}
