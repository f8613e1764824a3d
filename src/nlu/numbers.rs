//! Numbers as English speakers say them and as a recogniser writes them.
//!
//! Owns the tokens that digits, money, dates and times are read from, and the grammar of cardinals ("two hundred and
//! five"). Never decides what a number is for.

use super::text::bounded;

/// A piece of text, as far as numbers care.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// "12345678", "1,200" (`whole` without the comma), "12.50".
    Literal { whole: String, fraction: Option<String> },
    /// "zero" to "nine".
    Unit(u8),
    /// "ten" to "nineteen".
    Teen(u8),
    /// "twenty" to "ninety".
    Tens(u8),
    /// "hundred".
    Hundred,
    /// "thousand" and up.
    Scale(u64),
    /// "third", "3rd", "twentieth".
    Ordinal(u8),
    /// A word that sounds like a digit and is often written for it: "oh", "to", "for".
    Sounds(u8),
    /// "double", "triple".
    Repeat(usize),
    /// "and".
    And,
    /// "point".
    Point,
    /// "minus", or a hyphen glued to the number that follows it.
    Minus,
    /// A currency sign, a colon or a slash.
    Mark(char),
    /// Any other word, lowercase, without apostrophes.
    Word(String),
}

impl Token {
    /// Whether it stands for digits on its own.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Literal { .. } | Self::Unit(_) | Self::Teen(_) | Self::Tens(_) | Self::Hundred | Self::Scale(_)
        )
    }

    /// Whether it is this very word.
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(own) if own == word)
    }
}

const UNITS: &[&str] = &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const TEENS: &[&str] =
    &["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: &[&str] = &["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: &[&str] = &[
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// Reads a text into tokens; linear in its length.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = bounded(text).chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        if c.is_ascii_digit() {
            at = literal(&chars, at, &mut out);
        } else if c.is_alphabetic() {
            let end = at + chars[at..].iter().take_while(|c| c.is_alphabetic() || is_apostrophe(**c)).count();
            let lower: String =
                chars[at..end].iter().filter(|c| !is_apostrophe(**c)).flat_map(|c| c.to_lowercase()).collect();
            if !matches!(lower.as_str(), "um" | "uh" | "er" | "erm" | "hmm" | "uhm") {
                out.push(word(lower));
            }
            at = end;
        } else {
            let glued = at + 1 < chars.len() && chars[at + 1].is_ascii_digit();
            match c {
                '-' | '\u{2212}' if glued && (at == 0 || chars[at - 1].is_whitespace()) => out.push(Token::Minus),
                '$' | '£' | '€' | ':' | '/' => out.push(Token::Mark(c)),
                _ => {}
            }
            at += 1;
        }
    }
    join_ordinals(out)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// Reads digits with thousands commas, a fraction, and "st/nd/rd/th"; gives the position after it.
fn literal(chars: &[char], start: usize, out: &mut Vec<Token>) -> usize {
    let run = |from: usize| chars.get(from..).unwrap_or(&[]).iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = start + run(start);
    let mut whole: String = chars[start..end].iter().collect();
    if whole.len() <= 3 {
        while chars.get(end) == Some(&',') && run(end + 1) == 3 {
            whole.extend(&chars[end + 1..end + 4]);
            end += 4;
        }
    }
    let mut fraction = None;
    if chars.get(end) == Some(&'.') && run(end + 1) > 0 {
        let stop = end + 1 + run(end + 1);
        fraction = Some(chars[end + 1..stop].iter().collect());
        end = stop;
    }
    let suffix: String = chars[end..].iter().take(3).take_while(|c| c.is_alphabetic()).collect();
    if fraction.is_none()
        && matches!(suffix.to_lowercase().as_str(), "st" | "nd" | "rd" | "th")
        && let Some(n) = whole.parse::<u8>().ok().filter(|n| *n < 100)
    {
        out.push(Token::Ordinal(n));
        return end + 2;
    }
    out.push(Token::Literal { whole, fraction });
    end
}

fn position(list: &[&str], word: &str) -> Option<u8> {
    list.iter().position(|w| *w == word).and_then(|at| u8::try_from(at).ok())
}

fn word(lower: String) -> Token {
    if let Some(n) = position(UNITS, &lower) {
        return Token::Unit(n);
    }
    if let Some(n) = position(TEENS, &lower) {
        return Token::Teen(n + 10);
    }
    if let Some(n) = position(TENS, &lower) {
        return Token::Tens((n + 2) * 10);
    }
    if let Some(n) = position(ORDINALS, &lower) {
        return Token::Ordinal(n);
    }
    match lower.as_str() {
        "nought" | "naught" | "nil" | "null" => Token::Unit(0),
        "niner" => Token::Unit(9),
        "fourty" => Token::Tens(40),
        "thirtieth" => Token::Ordinal(30),
        "hundred" | "hundreds" => Token::Hundred,
        "thousand" | "thousands" => Token::Scale(1_000),
        "million" | "millions" => Token::Scale(1_000_000),
        "billion" => Token::Scale(1_000_000_000),
        "oh" | "o" => Token::Sounds(0),
        "won" => Token::Sounds(1),
        "to" | "too" => Token::Sounds(2),
        "tree" | "free" => Token::Sounds(3),
        "for" | "fore" => Token::Sounds(4),
        "fife" => Token::Sounds(5),
        "sex" | "sick" => Token::Sounds(6),
        "ate" => Token::Sounds(8),
        "nein" => Token::Sounds(9),
        "double" => Token::Repeat(2),
        "triple" | "treble" => Token::Repeat(3),
        "quadruple" => Token::Repeat(4),
        "and" => Token::And,
        "point" | "dot" => Token::Point,
        "minus" | "negative" => Token::Minus,
        _ => Token::Word(lower),
    }
}

/// "twenty" "third" is one ordinal.
fn join_ordinals(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        match (out.last(), &token) {
            (Some(Token::Tens(tens)), Token::Ordinal(n @ 1..=9)) => {
                let joined = Token::Ordinal(tens + n);
                out.pop();
                out.push(joined);
            }
            _ => out.push(token),
        }
    }
    out
}

/// A cardinal read off the front of some tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cardinal {
    pub(super) value: u64,
    /// How many tokens it took.
    pub(super) used: usize,
    /// Whether "hundred" or a larger scale was said: then what follows does not belong to the same digits.
    pub(super) scaled: bool,
}

/// What may follow in a cardinal.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Start,
    /// A unit, a teen or a literal: only a scale may follow.
    Closed,
    Tens,
    Scale,
}

/// Reads one cardinal: "two hundred and five", "forty two", "5 thousand". Units do not run together ("one two" is two).
pub(super) fn cardinal(tokens: &[Token]) -> Option<Cardinal> {
    let (mut total, mut group, mut after, mut smallest) = (0_u64, None::<u64>, After::Start, u64::MAX);
    let (mut at, mut scaled) = (0, false);
    while let Some(token) = tokens.get(at) {
        let open = matches!(after, After::Start | After::Scale);
        match token {
            Token::Unit(0) if after != After::Start => break,
            Token::Unit(n) if open || after == After::Tens => {
                group = Some(group.unwrap_or(0) + u64::from(*n));
                after = After::Closed;
            }
            Token::Teen(n) if open => {
                group = Some(group.unwrap_or(0) + u64::from(*n));
                after = After::Closed;
            }
            Token::Tens(n) if open => {
                group = Some(group.unwrap_or(0) + u64::from(*n));
                after = After::Tens;
            }
            Token::Literal { whole, fraction: None } if open => {
                let value = whole.parse::<u64>().ok()?;
                if after == After::Scale && (value >= 100 && group.is_some() || value >= smallest) {
                    break;
                }
                group = Some(group.unwrap_or(0).checked_add(value)?);
                after = After::Closed;
            }
            Token::Hundred if group.is_none_or(|g| (1..100).contains(&g)) => {
                group = Some(group.unwrap_or(1) * 100);
                (after, scaled) = (After::Scale, true);
            }
            Token::Scale(scale) if *scale < smallest && (group.is_some() || total == 0) => {
                total = total.checked_add(group.unwrap_or(1).checked_mul(*scale)?)?;
                (group, smallest, after, scaled) = (None, *scale, After::Scale, true);
            }
            Token::And if after == After::Scale => match tokens.get(at + 1) {
                Some(Token::Unit(1..) | Token::Teen(_) | Token::Tens(_) | Token::Literal { fraction: None, .. }) => {}
                _ => break,
            },
            _ => break,
        }
        at += 1;
    }
    (at > 0).then_some(Cardinal { value: total.checked_add(group.unwrap_or(0))?, used: at, scaled })
}

/// A number with its fraction, read off the front of some tokens, and how many it took: "2.5 million", "minus three",
/// "one point five", "two and a half", "a dozen".
pub(super) fn decimal(tokens: &[Token]) -> Option<(f64, usize)> {
    let mut at = 0;
    let negative = tokens.first() == Some(&Token::Minus);
    at += usize::from(negative);
    let sign = if negative { -1.0 } else { 1.0 };
    let rest = tokens.get(at..)?;
    let (mut value, mut used) = match rest.first()? {
        Token::Literal { whole, fraction: Some(fraction) } => (format!("{whole}.{fraction}").parse::<f64>().ok()?, 1),
        Token::Point => (0.0, 0),
        token if token.is("half") => return Some((sign * 0.5, at + 1)),
        token if token.is("dozen") => return Some((sign * 12.0, at + 1)),
        token if token.is("couple") => return Some((sign * 2.0, at + 1)),
        _ => {
            let read = cardinal(rest)?;
            (read.value as f64, read.used)
        }
    };
    if rest.get(used) == Some(&Token::Point) {
        let (fraction, taken) = spoken_fraction(&rest[used + 1..]);
        if taken == 0 && used == 0 {
            return None;
        }
        value += fraction;
        used += if taken > 0 { taken + 1 } else { 0 };
    }
    if rest.get(used) == Some(&Token::And)
        && rest.get(used + 1).is_some_and(|t| t.is("a"))
        && rest.get(used + 2).is_some_and(|t| t.is("half"))
    {
        value += 0.5;
        used += 3;
    }
    if let Some(Token::Scale(scale)) = rest.get(used) {
        value *= *scale as f64;
        used += 1;
    } else if rest.get(used).is_some_and(|t| t.is("k") || t.is("grand")) {
        value *= 1_000.0;
        used += 1;
    }
    (value < 1e15).then_some((sign * value, at + used))
}

/// The digits after "point" as a fraction, and how many tokens they took.
fn spoken_fraction(tokens: &[Token]) -> (f64, usize) {
    let mut digits = String::new();
    let mut used = 0;
    for token in tokens.iter().take(9) {
        match token {
            Token::Unit(n) | Token::Sounds(n @ 0) => digits.push(char::from(b'0' + n)),
            Token::Literal { whole, fraction: None } => digits.push_str(whole),
            Token::Teen(n) | Token::Tens(n) if used == 0 => digits.push_str(&n.to_string()),
            _ => break,
        }
        used += 1;
    }
    (format!("0.{digits}0").parse().unwrap_or(0.0), used)
}

/// Words after which a speaker says the number anew.
pub(super) fn is_correction(token: &Token) -> bool {
    ["no", "sorry", "actually", "wait", "correction", "rather", "mean"].iter().any(|word| token.is(word))
}

/// The number that a text names: the first one, or the first after a correction ("twenty, no, thirty").
/// Chunks below a hundred that follow each other are read as digits: "nineteen eighty four" is 1984.
pub fn number(text: &str) -> Option<f64> {
    let tokens = tokens(text);
    let corrected = tokens.iter().rposition(is_correction).and_then(|at| first_number(&tokens[at + 1..]));
    corrected.or_else(|| first_number(&tokens))
}

fn first_number(tokens: &[Token]) -> Option<f64> {
    let starts = |t: &Token| {
        t.is_numeric()
            || matches!(t, Token::Minus | Token::Point)
            || ["half", "dozen", "couple"].iter().any(|w| t.is(w))
    };
    let (at, (value, used)) = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| starts(token))
        .find_map(|(at, _)| decimal(&tokens[at..]).map(|read| (at, read)))?;
    let next = &tokens[at + used..];
    if next.first().is_some_and(|t| matches!(t, Token::Unit(_) | Token::Teen(_) | Token::Tens(_) | Token::Sounds(0)))
        && let Some(joined) = joined_chunks(&tokens[at..])
    {
        return Some(joined);
    }
    Some(value)
}

/// "nineteen eighty four" as 1984, "one two three" as 123.
fn joined_chunks(tokens: &[Token]) -> Option<f64> {
    let mut digits = String::new();
    let mut rest = tokens;
    while let Some(first) = rest.first() {
        if *first == Token::Sounds(0) {
            digits.push('0');
            rest = &rest[1..];
            continue;
        }
        let Some(read) = cardinal(rest) else { break };
        if read.scaled || read.value >= 100 {
            return None;
        }
        digits.push_str(&read.value.to_string());
        rest = &rest[read.used..];
    }
    if digits.len() > 15 {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let rows: &[(&str, Option<f64>)] = &[
            ("two hundred and five", Some(205.0)),
            ("forty two", Some(42.0)),
            ("forty-two please", Some(42.0)),
            ("I would like 1,250", Some(1250.0)),
            ("it's 3.5", Some(3.5)),
            ("three point one five", Some(3.15)),
            ("minus five degrees", Some(-5.0)),
            ("-5", Some(-5.0)),
            ("a hundred", Some(100.0)),
            ("twelve hundred", Some(1200.0)),
            ("two and a half", Some(2.5)),
            ("half", Some(0.5)),
            ("2.5 million", Some(2_500_000.0)),
            ("five thousand four hundred and twenty one", Some(5421.0)),
            ("one million two hundred thousand", Some(1_200_000.0)),
            ("nineteen eighty four", Some(1984.0)),
            ("one two three", Some(123.0)),
            ("twenty, no, thirty", Some(30.0)),
            ("a dozen eggs", Some(12.0)),
            ("zero", Some(0.0)),
            ("I want to go for it", None),
            ("no number here", None),
            ("", None),
            ("99999999999999999999999999", None),
        ];
        for (text, expected) in rows {
            assert_eq!(number(text), *expected, "{text}");
        }
    }

    #[test]
    fn a_cardinal_ends_where_digits_begin() {
        let read = |text: &str| cardinal(&tokens(text)).map(|c| (c.value, c.used));
        assert_eq!(read("one two three"), Some((1, 1)));
        assert_eq!(read("twenty three four"), Some((23, 2)));
        assert_eq!(read("two hundred and five six"), Some((205, 4)));
        assert_eq!(read("hundred and"), Some((100, 1)));
        assert_eq!(read("2 thousand 500"), Some((2500, 3)));
        assert_eq!(read("hello"), None);
    }
}
