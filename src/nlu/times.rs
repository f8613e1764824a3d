//! Times of day as callers say them: "half past two", "at ten thirty", "quarter to five in the afternoon".
//!
//! Owns which half of the day is meant where the caller does not say it.

use jiff::civil::Time;

use super::numbers::{Token, cardinal, is_correction, tokens};

/// The time of day that a text names. `confidence` is lower where morning or evening was guessed: one to six are taken
/// for the afternoon, seven to eleven for the morning.
pub fn time(text: &str) -> Option<(Time, f32)> {
    let tokens = tokens(text);
    let corrected = tokens.iter().rposition(is_correction).and_then(|at| first_time(&tokens[at + 1..]));
    corrected.or_else(|| first_time(&tokens))
}

/// Morning or evening.
#[derive(Clone, Copy, PartialEq)]
enum Half {
    Am,
    Pm,
}

fn first_time(tokens: &[Token]) -> Option<(Time, f32)> {
    (0..tokens.len()).find_map(|at| time_at(tokens, at))
}

fn time_at(tokens: &[Token], at: usize) -> Option<(Time, f32)> {
    let rest = &tokens[at..];
    let is = |at: usize, word: &str| rest.get(at).is_some_and(|t| t.is(word));
    if is(0, "noon") || is(0, "midday") {
        return Some((Time::new(12, 0, 0, 0).ok()?, 0.95));
    }
    if is(0, "midnight") {
        return Some((Time::midnight(), 0.95));
    }
    if is(0, "half") && (is(1, "past") || rest.get(1).is_some_and(Token::is_numeric)) {
        let from = if is(1, "past") { 2 } else { 1 };
        let (hour, used) = hour(rest.get(from..)?)?;
        return finish(hour, 30, &rest[from + used..], false);
    }
    if let Some((minutes, used)) = quarter_or_minutes(rest) {
        let next = rest.get(used);
        let past = next.is_some_and(|t| t.is("past") || t.is("after"));
        let to = matches!(next, Some(Token::Sounds(2)))
            || next.is_some_and(|t| t.is("till") || t.is("before") || t.is("of"));
        if past || to {
            let (hour, taken) = hour(rest.get(used + 1..)?)?;
            let after = &rest[used + 1 + taken..];
            return if past {
                finish(hour, minutes, after, false)
            } else {
                finish(if hour == 0 { 23 } else { hour - 1 }, 60 - minutes, after, hour == 1 || hour == 13)
            };
        }
    }
    let (hour, used) = hour(rest)?;
    let (minutes, taken) = minutes(&rest[used..]).unwrap_or((0, 0));
    let after = &rest[used + taken..];
    let clocked = taken > 0 || half(after).is_some() || after.first().is_some_and(|t| t.is("oclock") || t.is("hours"));
    let said_at =
        at > 0 && ["at", "around", "about", "by", "before", "after", "until"].iter().any(|w| tokens[at - 1].is(w));
    if !(clocked || said_at || tokens.len() == used) {
        return None;
    }
    finish(hour, minutes, after, false)
}

/// "quarter", "a quarter", "twenty", "ten minutes" before "past" or "to".
fn quarter_or_minutes(tokens: &[Token]) -> Option<(i8, usize)> {
    if tokens.first()?.is("quarter") {
        return Some((15, 1));
    }
    let read = cardinal(tokens).filter(|read| (1..60).contains(&read.value))?;
    let unit = usize::from(tokens.get(read.used).is_some_and(|t| t.is("minutes") || t.is("minute")));
    Some((i8::try_from(read.value).ok()?, read.used + unit))
}

fn hour(tokens: &[Token]) -> Option<(i8, usize)> {
    match tokens.first()? {
        // "1530": a recogniser's way to write fifteen thirty is taken as minutes below.
        Token::Literal { whole, fraction: None } => Some((whole.parse().ok().filter(|h| (0..24).contains(h))?, 1)),
        Token::Literal { whole, fraction: Some(minutes) } if minutes.len() == 2 => {
            Some((whole.parse().ok().filter(|h| (0..24).contains(h))?, 1))
        }
        Token::Unit(n) | Token::Teen(n) => Some((i8::try_from(*n).ok()?, 1)),
        Token::Tens(20) => match tokens.get(1) {
            Some(Token::Unit(n @ 1..=3)) => Some((i8::try_from(20 + n).ok()?, 2)),
            _ => Some((20, 1)),
        },
        _ => None,
    }
}

/// Minutes after an hour: ":30", "thirty", "oh five", "forty five"; "hundred" is none.
fn minutes(tokens: &[Token]) -> Option<(i8, usize)> {
    match tokens.first()? {
        Token::Mark(':') => match tokens.get(1)? {
            Token::Literal { whole, fraction: None } => Some((whole.parse().ok().filter(|m| (0..60).contains(m))?, 2)),
            _ => None,
        },
        Token::Sounds(0) | Token::Unit(0) => match tokens.get(1)? {
            Token::Unit(n) => Some((i8::try_from(*n).ok()?, 2)),
            _ => None,
        },
        Token::Hundred => Some((0, 1)),
        Token::Teen(_) | Token::Tens(_) | Token::Literal { .. } => {
            let read = cardinal(tokens).filter(|read| (10..60).contains(&read.value) && !read.scaled)?;
            Some((i8::try_from(read.value).ok()?, read.used))
        }
        _ => None,
    }
}

/// "p.m.", "in the evening", "tonight" right after a time.
fn half(tokens: &[Token]) -> Option<Half> {
    let mut rest = tokens;
    while rest.first().is_some_and(|t| ["oclock", "in", "the", "at"].iter().any(|w| t.is(w))) {
        rest = &rest[1..];
    }
    let Token::Word(word) = rest.first()? else { return None };
    match word.as_str() {
        "am" | "morning" => Some(Half::Am),
        "pm" | "afternoon" | "evening" | "night" | "tonight" => Some(Half::Pm),
        "a" if rest.get(1).is_some_and(|t| t.is("m")) => Some(Half::Am),
        "p" if rest.get(1).is_some_and(|t| t.is("m")) => Some(Half::Pm),
        _ => None,
    }
}

/// `to_one`: "ten to one" counts back from one, so its twelve is noon.
fn finish(hour: i8, minute: i8, after: &[Token], to_one: bool) -> Option<(Time, f32)> {
    let (hour, sure) = match half(after) {
        Some(Half::Am) if hour == 12 => (0, 0.95),
        Some(Half::Pm) if (1..12).contains(&hour) => (hour + 12, 0.95),
        Some(_) => (hour, 0.95),
        None if to_one && hour == 0 => (12, 0.7),
        None if (1..=6).contains(&hour) => (hour + 12, 0.7),
        None if (7..=12).contains(&hour) => (hour, 0.75),
        None => (hour, 0.9),
    };
    Some((Time::new(hour, minute, 0, 0).ok()?, sure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        let rows = [
            ("three thirty pm", (15, 30)),
            ("3:30 p.m.", (15, 30)),
            ("at 15:30", (15, 30)),
            ("half past two", (14, 30)),
            ("quarter to five", (16, 45)),
            ("a quarter past nine in the morning", (9, 15)),
            ("ten to six", (17, 50)),
            ("twenty past four", (16, 20)),
            ("noon", (12, 0)),
            ("midnight", (0, 0)),
            ("five o'clock", (17, 0)),
            ("seven in the evening", (19, 0)),
            ("12 am", (0, 0)),
            ("twelve thirty pm", (12, 30)),
            ("nine oh five a.m.", (9, 5)),
            ("fifteen hundred hours", (15, 0)),
            ("tomorrow at ten", (10, 0)),
            ("ten to one", (12, 50)),
            ("eight", (8, 0)),
            ("at nine, no, at ten thirty", (10, 30)),
        ];
        for (text, (hour, minute)) in rows {
            let expected = Time::new(hour, minute, 0, 0).expect("a time");
            assert_eq!(time(text).map(|(time, _)| time), Some(expected), "{text}");
        }
        for text in ["", "my two cards", "twenty five people", "at 25:99"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
