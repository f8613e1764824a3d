//! Telephone numbers as they are said: "oh two oh seven, nine four six, double oh double oh", "plus forty four …".
//!
//! Owns where the number begins and ends. Never asks whether it is in service.

use super::language::Language;

/// Digits of a telephone number: three for a short one, fifteen by E.164.
const LENGTH: (usize, usize) = (3, 15);
/// Fewer digits than these are seldom a whole number, unless it is a short one.
const LIKELY: usize = 7;

/// The number that a text holds, digits with a `+` before them where it was said, and how sure the reading is, 0..1.
pub fn phone(language: &dyn Language, text: &str) -> Option<(String, f32)> {
    let whole = language.digits(text, Some((LIKELY, LENGTH.1))).filter(|read| read.fits);
    let read = whole.or_else(|| language.digits(text, Some(LENGTH)).filter(|read| read.fits))?;
    let international =
        text.contains(['+', '加']) || text.split_whitespace().any(|word| word.eq_ignore_ascii_case("plus"));
    let plus = if international && read.digits.len() >= LIKELY { "+" } else { "" };
    let sure = if read.digits.len() >= LIKELY { read.confidence.max(0.8) } else { 0.5 };
    Some((format!("{plus}{}", read.digits), sure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        let rows = [
            ("020 7946 0000", Some("02079460000")),
            ("oh two oh seven nine four six double oh double oh", Some("02079460000")),
            ("my number is plus four four two oh seven nine four six zero zero zero zero", Some("+442079460000")),
            ("+1 (555) 010-0199", Some("+15550100199")),
            ("555-0199", Some("5550199")),
            ("you can reach me at 555 0199, no, 555 0198", Some("5550198")),
            ("911", Some("911")),
            ("I have two", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(
                phone(&super::super::english::English, text).map(|(number, _)| number).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
