//! Strings of digits: account, card and telephone numbers as they are said ("double four", "oh", "forty two") and as a
//! recogniser writes them ("12345678.", "1, 2, 3-4").
//!
//! Owns which of a sentence's digits belong to the number asked for. Never checks what the number is good for.

use super::numbers::{Token, cardinal, is_correction, tokens};

/// Digits found in a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Digits {
    /// `0`–`9` only.
    pub digits: String,
    /// How sure the reading is, 0..1.
    pub confidence: f32,
    /// Whether there are as many as were asked for.
    pub fits: bool,
}

/// Digits said in one breath.
#[derive(Debug, Clone, Default)]
struct Run {
    /// With the words that only sound like digits.
    all: String,
    /// Without them.
    sure: String,
    /// Whether the caller corrected themself before it.
    corrected: bool,
}

/// Finds the digits in a text. `length` is the least and the most digits wanted: it decides between readings
/// ("I have one account, it's 12345678").
pub fn digits(text: &str, length: Option<(usize, usize)>) -> Option<Digits> {
    let mut runs = runs(&tokens(text));
    if let Some(last) = runs.iter().rposition(|run| run.corrected) {
        runs.drain(..last);
    }
    let fits = |digits: &str| length.is_none_or(|(least, most)| (least..=most).contains(&digits.len()));
    let found =
        |digits: &str, confidence: f32| Some(Digits { digits: digits.to_string(), confidence, fits: fits(digits) });
    let joined: String = runs.iter().map(|run| run.all.as_str()).collect();
    let longest = runs.iter().rev().max_by_key(|run| run.all.len())?;
    if length.is_some() {
        let fitting: Vec<&Run> = runs.iter().filter(|run| fits(&run.all)).collect();
        if let [only] = fitting[..] {
            return found(&only.all, if only.all == only.sure { 0.98 } else { 0.85 });
        }
        if let Some(run) = runs.iter().find(|run| !run.sure.is_empty() && fits(&run.sure) && run.sure != run.all) {
            return found(&run.sure, 0.8);
        }
        if fits(&joined) {
            return found(&joined, 0.8);
        }
        if let Some(last) = fitting.last() {
            return found(&last.all, 0.6);
        }
        return found(if joined.len() > longest.all.len() { &joined } else { &longest.all }, 0.4);
    }
    match runs.len() {
        1 if longest.all == longest.sure => found(&longest.all, 0.95),
        _ => found(&longest.all, 0.75),
    }
}

fn runs(tokens: &[Token]) -> Vec<Run> {
    let mut out = Vec::new();
    let mut run = Run::default();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map(|i| &tokens[i]);
        match &tokens[at] {
            Token::Repeat(times) => {
                if let Some((digits, rest)) = repeated(tokens.get(at + 1), *times) {
                    push(&mut run, &format!("{digits}{rest}"));
                    at += 1;
                }
            }
            Token::Literal { whole, fraction } if !scale_follows(tokens, at) => {
                push(&mut run, whole);
                push(&mut run, fraction.as_deref().unwrap_or(""));
            }
            token if token.is_numeric() => {
                // A scale on its own ("thousands of times") is no digit; neither is a number too long to count.
                match cardinal(&tokens[at..]).filter(|_| !matches!(token, Token::Hundred | Token::Scale(_))) {
                    Some(read) => {
                        push(&mut run, &read.value.to_string());
                        at += read.used - 1;
                    }
                    None => close(&mut run, &mut out),
                }
            }
            Token::Sounds(n) if sounds_like_a_digit(*n, before, tokens.get(at + 1), &run) => {
                run.all.push(char::from(b'0' + n));
                // A leading "oh" may be a sigh.
                let zero_inside = *n == 0 && run.all.len() > 1 && tokens.get(at + 1).is_some_and(Token::is_numeric);
                if zero_inside || (*n == 0 && before.is_some_and(Token::is_numeric)) {
                    run.sure.push('0');
                }
            }
            Token::And | Token::Point | Token::Minus | Token::Mark(_) => {}
            Token::Word(word) if matches!(word.as_str(), "then" | "dash" | "hyphen" | "space" | "comma" | "slash") => {}
            token => {
                let corrected = is_correction(token) && (!run.all.is_empty() || !out.is_empty());
                close(&mut run, &mut out);
                run.corrected |= corrected;
            }
        }
        at += 1;
    }
    close(&mut run, &mut out);
    out
}

fn push(run: &mut Run, digits: &str) {
    run.all.push_str(digits);
    run.sure.push_str(digits);
}

/// Ends a run; a correction heard before it carries over while it is empty.
fn close(run: &mut Run, out: &mut Vec<Run>) {
    if !run.all.is_empty() {
        out.push(std::mem::take(run));
    }
}

fn scale_follows(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at + 1), Some(Token::Hundred | Token::Scale(_)))
        && matches!(&tokens[at], Token::Literal { fraction: None, .. })
}

/// "double four five": the digit said twice, and what a literal after "double" holds beyond its first digit.
fn repeated(token: Option<&Token>, times: usize) -> Option<(String, String)> {
    match token? {
        Token::Unit(n) | Token::Sounds(n) => Some((char::from(b'0' + n).to_string().repeat(times), String::new())),
        Token::Literal { whole, fraction: None } => {
            let (first, rest) = whole.split_at_checked(1)?;
            Some((first.repeat(times), rest.to_string()))
        }
        _ => None,
    }
}

/// "oh" counts beside a digit; "to" and "for" only between digits, or as the last word after one.
fn sounds_like_a_digit(n: u8, before: Option<&Token>, after: Option<&Token>, run: &Run) -> bool {
    let digit = |token: Option<&Token>| token.is_some_and(|t| t.is_numeric() || matches!(t, Token::Repeat(_)));
    let sound = |token: Option<&Token>| matches!(token, Some(Token::Sounds(_)));
    let inside = !run.all.is_empty() && (digit(before) || sound(before));
    if n == 0 {
        return inside || digit(after) || matches!(after, Some(Token::Sounds(0)));
    }
    inside && (after.is_none() || digit(after) || sound(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read() {
        let rows: &[(&str, Option<(usize, usize)>, &str)] = &[
            ("one two double three four", None, "12334"),
            ("oh one two triple five", None, "012555"),
            ("forty two", None, "42"),
            ("1 2 3-4", None, "1234"),
            ("12345678.", Some((8, 8)), "12345678"),
            ("1, 2, 3", Some((3, 3)), "123"),
            ("1,234,567", Some((7, 7)), "1234567"),
            ("my account number is one two three four five six seven eight", Some((8, 8)), "12345678"),
            ("it's 1234 5678", Some((8, 8)), "12345678"),
            ("Yeah, um, one two, uh, three four", None, "1234"),
            ("I have one account and the number is 12345678", Some((8, 8)), "12345678"),
            ("1 2 3 4, sorry, 1 2 3 5", Some((4, 4)), "1235"),
            ("no it's 4455", Some((4, 4)), "4455"),
            ("one to three for", Some((4, 4)), "1234"),
            ("one two for you", Some((2, 2)), "12"),
            ("double oh seven", None, "007"),
            ("nineteen eighty four", None, "1984"),
            ("two hundred and five", None, "205"),
            ("two hundred and five seven", None, "2057"),
            ("five thousand", None, "5000"),
            ("1234 and then 5678", Some((8, 8)), "12345678"),
            ("1234 and after that comes 5678", Some((8, 8)), "12345678"),
            ("oh it is 4321", Some((4, 4)), "4321"),
            ("Oh, 4321", Some((4, 4)), "4321"),
            ("zero zero four four", Some((4, 4)), "0044"),
            ("nought point five", None, "05"),
            ("555-0199", Some((7, 7)), "5550199"),
            ("double 45", None, "445"),
            ("00123", Some((5, 5)), "00123"),
            ("four five six seven eight nine ten", None, "45678910"),
        ];
        for (text, length, expected) in rows {
            let read = digits(text, *length).unwrap_or_else(|| panic!("nothing in {text}"));
            assert_eq!(read.digits, *expected, "{text}");
            assert!(read.fits, "{text}");
        }
    }

    #[test]
    fn no_digits_in_plain_words() {
        for text in
            ["", "I want to talk to someone for a moment", "oh dear", "double trouble", "the first of all", "thousands"]
        {
            assert_eq!(digits(text, None), None, "{text}");
        }
    }

    #[test]
    fn a_wrong_count_does_not_fit() {
        let read = digits("one two three", Some((8, 8))).expect("digits");
        assert!(!read.fits);
        assert_eq!(read.digits, "123");
        assert!(read.confidence < 0.5);
    }
}
