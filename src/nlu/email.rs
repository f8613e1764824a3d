//! Addresses of electronic mail as they are said and as a recogniser writes them: "ann dot lee at example dot com".
//!
//! Owns where an address begins and ends in a sentence. Never asks whether it exists.

use super::spelling::{Piece, letter, pieces};

/// Words that lead to an address and are not part of it.
const LEADING: &[&str] = &[
    "is", "its", "it", "email", "mail", "e", "address", "my", "to", "use", "the", "yes", "yeah", "sure", "okay", "ok",
    "so", "um", "uh", "thats", "that", "send", "write", "me", "no", "sorry", "under", "and", "please", "would", "be",
    "you", "can", "reach", "with", "i", "am", "im", "was", "not",
];
/// The longest address (RFC 5321, 4.5.3.1.3, less the brackets).
const LONGEST: usize = 254;

/// The address that a text holds, the last where there are several (a correction comes last), and how sure the reading
/// is, 0..1. Lower case, since hardly any host tells case apart.
pub fn email(text: &str) -> Option<(String, f32)> {
    let pieces = pieces(text);
    let ats = pieces.iter().enumerate().filter(|(_, piece)| **piece == Piece::Sign('@')).map(|(at, _)| at);
    ats.collect::<Vec<_>>().into_iter().rev().find_map(|at| around(&pieces, at, text.contains('@')))
}

fn around(pieces: &[Piece], at: usize, written: bool) -> Option<(String, f32)> {
    let (host, sure_host) = host(&pieces[at + 1..])?;
    let (name, sure_name) = name(&pieces[..at])?;
    let address = format!("{name}@{host}");
    let plain = address.len() <= LONGEST && !address.contains("..") && !name.starts_with('.') && !name.ends_with('.');
    let sure = if written { 0.95 } else { 0.9_f32.min(sure_host).min(sure_name) };
    plain.then_some((address, sure))
}

fn shown(piece: &Piece) -> Option<String> {
    match piece {
        Piece::Letter(c) | Piece::Sign(c) => Some(c.to_string()),
        Piece::Digits(digits) => Some(digits.clone()),
        Piece::Word(word) => word.is_ascii().then(|| word.clone()),
    }
}

/// Labels joined by dots, at least two; words without a dot between them are one label ("g mail dot com"), but after the
/// last dot only one counts, since the sentence may go on.
fn host(pieces: &[Piece]) -> Option<(String, f32)> {
    let is_dot = |at: usize| pieces.get(at) == Some(&Piece::Sign('.'));
    let last = (0..pieces.len().min(24)).take_while(|at| pieces[*at] != Piece::Sign('@')).filter(|at| is_dot(*at));
    // A dot belongs to the host while a label of at most four pieces leads to it.
    let mut end = None;
    let mut from = 0;
    for dot in last {
        if dot == from || dot - from > 4 {
            break;
        }
        (end, from) = (Some(dot), dot + 1);
    }
    let dot = end?;
    // "com", or spelled, "u k".
    let letters = pieces[dot + 1..].iter().take_while(|piece| matches!(piece, Piece::Letter(_))).count();
    let top = dot + 1..dot + 1 + letters.max(1);
    let text: Option<String> = pieces.get(..top.end)?.iter().map(shown).collect();
    let text = text?;
    let good = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let tld = text.rsplit('.').next().is_some_and(|top| top.len() >= 2 && top.chars().all(|c| c.is_ascii_alphabetic()));
    (tld && text.split('.').all(good)).then_some((text, 0.9))
}

/// What stands before the sign: signs and single characters bind; whole words without a sign between them are joined, and
/// that is less sure.
fn name(pieces: &[Piece]) -> Option<(String, f32)> {
    let mut parts: Vec<String> = Vec::new();
    let mut sure = 0.9;
    let mut bound = true;
    for (at, piece) in pieces.iter().enumerate().rev().take(64) {
        match piece {
            Piece::Sign('@') => break,
            Piece::Sign(_) => bound = true,
            Piece::Word(word)
                if LEADING.contains(&word.as_str()) && !(bound && parts.last().is_some_and(|p| p != "@")) =>
            {
                break;
            }
            Piece::Word(word) if !bound => {
                // "ann lee at …": two words at most are taken for one name.
                if sure < 0.7 || word.len() < 2 {
                    break;
                }
                sure = 0.6;
                let spelled = letter(word).filter(|_| matches!(pieces.get(at + 1), Some(Piece::Letter(_))));
                parts.push(spelled.map_or_else(|| word.clone(), |c| c.to_string()));
                continue;
            }
            _ => bound = false,
        }
        let single = matches!(piece, Piece::Letter(_) | Piece::Digits(_));
        bound |= single && at > 0 && matches!(pieces[at - 1], Piece::Letter(_) | Piece::Digits(_));
        parts.push(shown(piece)?);
    }
    parts.reverse();
    let name = parts.concat();
    let name = name.trim_matches(|c| matches!(c, '.' | '-' | '+')).to_string();
    (!name.is_empty()).then_some((name, sure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let rows = [
            ("ann.lee@example.com", Some("ann.lee@example.com")),
            ("It's Ann.Lee@Example.com.", Some("ann.lee@example.com")),
            ("ann dot lee at example dot com", Some("ann.lee@example.com")),
            ("my email is john underscore smith ninety nine at g mail dot com", Some("john_smith99@gmail.com")),
            ("it's j o h n at example dot co dot uk", Some("john@example.co.uk")),
            ("J-O-H-N at example dot com please", Some("john@example.com")),
            ("send it to sales dash team at north bank dot org thanks", Some("sales-team@northbank.org")),
            ("my email address is ann lee at example dot com", Some("annlee@example.com")),
            ("ann at example dot com, sorry, anna at example dot com", Some("anna@example.com")),
            ("info at example dot u k", Some("info@example.uk")),
            ("I am at home", None),
            ("at example dot com", None),
            ("ann at example", None),
            ("look at the dot", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(email(text).map(|(address, _)| address).as_deref(), expected, "{text}");
        }
        let sure = |text: &str| email(text).map_or(0.0, |(_, sure)| sure);
        assert!(sure("ann.lee@example.com") > sure("ann dot lee at example dot com"));
        assert!(sure("ann dot lee at example dot com") > sure("ann lee at example dot com"));
    }
}
