//! Postcodes as they are said: "S W one A, one double A", "nine four one oh seven".
//!
//! Owns the shapes of codes that mix letters and digits (United Kingdom, Canada, Netherlands) and of those of digits alone.

use super::language::Language;
use super::spelling::{Piece, letter, pieces};

/// Shapes of codes with letters: `A` a letter, `9` a digit, `*` either, a space where it is written. Longer ones first.
const SHAPES: &[&str] = &["AA9* 9AA", "A9* 9AA", "AA9 9AA", "A9 9AA", "A9A 9A9", "9999 AA"];
/// Lengths of codes of digits alone: 5 (and 9) United States and much of Europe, 6 China and India, 4 Australia and others.
const DIGITS: &[usize] = &[5, 6, 4, 9];

/// The postcode that a text holds, in capitals, and how sure the reading is, 0..1. The last one, since a correction comes
/// last.
pub fn postcode(language: &dyn Language, text: &str) -> Option<(String, f32)> {
    runs(&pieces(text))
        .iter()
        .rev()
        .find_map(|run| shaped(run))
        .map(|code| (code, 0.9))
        .or_else(|| of_digits(language, text))
}

fn of_digits(language: &dyn Language, text: &str) -> Option<(String, f32)> {
    let count = language.digits(text, None)?.digits.len();
    let wanted = DIGITS.iter().find(|length| **length == count).or(DIGITS.first())?;
    let read = language.digits(text, Some((*wanted, *wanted))).filter(|read| read.fits)?;
    Some((read.digits, read.confidence.min(0.9)))
}

/// Letters and digits said in one breath. A whole word is a letter of the spelling alphabet, or letters that a recogniser
/// wrote together ("sw"), where nothing but such stands beside it.
fn runs(pieces: &[Piece]) -> Vec<String> {
    let mut out = vec![String::new()];
    for piece in pieces {
        let Some(run) = out.last_mut() else { break };
        match piece {
            Piece::Letter(c) => run.push(c.to_ascii_uppercase()),
            Piece::Digits(digits) => run.push_str(digits),
            Piece::Word(word) if letter(word).is_some() => run.extend(letter(word).map(|c| c.to_ascii_uppercase())),
            Piece::Word(word) if word == "oh" => run.push('0'),
            Piece::Word(word) if word.len() == 2 && word.is_ascii() && !matches!(word.as_str(), "is" | "my" | "it") => {
                run.push_str(&word.to_ascii_uppercase());
            }
            Piece::Sign(_) => {}
            Piece::Word(_) => out.push(String::new()),
        }
    }
    out.retain(|run| !run.is_empty());
    out
}

/// The run's last part of one of the shapes.
fn shaped(run: &str) -> Option<String> {
    let chars: Vec<char> = run.chars().collect();
    SHAPES.iter().find_map(|shape| {
        let signs: Vec<char> = shape.chars().filter(|c| *c != ' ').collect();
        let code = &chars[chars.len().checked_sub(signs.len())?..];
        let fits = code.iter().zip(&signs).all(|(c, sign)| match sign {
            'A' => c.is_ascii_uppercase(),
            '9' => c.is_ascii_digit(),
            _ => true,
        });
        let space = shape.find(' ')?;
        fits.then(|| {
            format!("{} {}", code[..space].iter().collect::<String>(), code[space..].iter().collect::<String>())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_are_read() {
        let rows = [
            ("SW1A 1AA", Some("SW1A 1AA")),
            ("It's S W one A, one A A.", Some("SW1A 1AA")),
            ("sierra whiskey one alpha one double a", Some("SW1A 1AA")),
            ("my postcode is M1 1AE", Some("M1 1AE")),
            ("B 33 8 T H", Some("B33 8TH")),
            ("K1A 0B1", Some("K1A 0B1")),
            ("1012 AB", Some("1012 AB")),
            ("94107", Some("94107")),
            ("nine four one oh seven", Some("94107")),
            ("the zip is 94107-1234", Some("941071234")),
            ("518000", Some("518000")),
            ("I do not know it", None),
            ("one two three", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                postcode(&super::super::english::English, text).map(|(code, _)| code).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
