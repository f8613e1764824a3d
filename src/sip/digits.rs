//! Keypad digits in INFO, as telephones send them: `application/dtmf-relay` (Signal and Duration lines) and
//! `application/dtmf` (the digit alone). Neither has an RFC; both are Cisco's, and everybody's.

/// A digit that came by INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfoDigit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// How long it was held.
    pub duration_ms: u32,
}

/// Duration that is assumed when none is said, and the one that we send.
const USUAL_MS: u32 = 160;
/// Longest duration that is believed.
const LONGEST_MS: u32 = 10_000;

/// Reads an INFO body. `None`: not a digit, or not one of the two types.
pub fn info_digit(content_type: &str, body: &[u8]) -> Option<InfoDigit> {
    let kind = content_type.split(';').next().unwrap_or("").trim();
    let text = std::str::from_utf8(body.get(..body.len().min(512))?).ok()?;
    if kind.eq_ignore_ascii_case("application/dtmf") {
        return Some(InfoDigit { digit: digit(text)?, duration_ms: USUAL_MS });
    }
    if !kind.eq_ignore_ascii_case("application/dtmf-relay") {
        return None;
    }
    let value = |name: &str| {
        text.lines()
            .filter_map(|l| l.split_once('='))
            .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
    };
    let duration_ms = value("Duration").and_then(|d| d.parse().ok()).unwrap_or(USUAL_MS).min(LONGEST_MS);
    Some(InfoDigit { digit: digit(value("Signal")?)?, duration_ms })
}

/// Type and body of the INFO that sends a digit; `None` for what is no digit.
pub fn info_body(wanted: char) -> Option<(&'static str, String)> {
    let digit = digit(wanted.encode_utf8(&mut [0; 4]))?;
    Some(("application/dtmf-relay", format!("Signal={digit}\r\nDuration={USUAL_MS}\r\n")))
}

/// A key, or the number that RFC 4733 gives it (10 is `*`, 11 is `#`, as some telephones write).
fn digit(text: &str) -> Option<char> {
    let text = text.trim();
    let mut characters = text.chars();
    match (characters.next()?.to_ascii_uppercase(), characters.next()) {
        (c @ ('0'..='9' | '*' | '#' | 'A'..='D'), None) => Some(c),
        _ if text == "10" => Some('*'),
        _ if text == "11" => Some('#'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_types_and_nonsense() {
        let five = |duration_ms| Some(InfoDigit { digit: '5', duration_ms });
        assert_eq!(info_digit("application/dtmf-relay", b"Signal=5\r\nDuration=250\r\n"), five(250));
        assert_eq!(info_digit("Application/DTMF-Relay; x=y", b"duration = 99999999\nsignal = 5"), five(LONGEST_MS));
        assert_eq!(info_digit("application/dtmf", b"5\r\n"), five(USUAL_MS));
        assert_eq!(info_digit("application/dtmf", b"11").map(|d| d.digit), Some('#'));
        assert_eq!(info_digit("application/dtmf-relay", b"Signal=d").map(|d| d.digit), Some('D'));
        for bad in [&b""[..], b"Signal=", b"Signal=55", b"Signal=x", b"\xff"] {
            assert_eq!(info_digit("application/dtmf-relay", bad), None);
        }
        assert_eq!(info_digit("text/plain", b"5"), None);
    }

    #[test]
    fn what_we_send_we_read() {
        for key in "0123456789*#ABCD".chars() {
            let (kind, body) = info_body(key).expect("a digit");
            assert_eq!(info_digit(kind, body.as_bytes()), Some(InfoDigit { digit: key, duration_ms: USUAL_MS }));
        }
        assert_eq!(info_body('x'), None);
    }
}
