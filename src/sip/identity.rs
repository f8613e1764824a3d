//! Who rings, and whom. Owns bounds and trust, never a decision about the call.

use crate::pii::Pii;

use super::raw::{Address, split_outside_quotes};

/// Longest number or name that is kept, characters.
const LONGEST: usize = 80;

/// Whether the peer's P-Asserted-Identity is believed (RFC 3325 section 5: only inside a trust domain).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Only From is read.
    #[default]
    From,
    /// P-Asserted-Identity goes before From.
    Asserted,
}

/// A caller, as the signalling names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// User part of the address, unescaped: a number in most cases. "anonymous" if there is none.
    pub number: Pii<String>,
    /// Display name.
    pub name: Option<Pii<String>>,
}

impl Identity {
    /// Reads a From header's value, or the asserted identities if they are to be trusted.
    pub fn read(from: &str, asserted: &[&str], trust: Trust) -> Self {
        let trusted = match trust {
            Trust::From => None,
            Trust::Asserted => {
                asserted.iter().flat_map(|v| split_outside_quotes(v, ',').unwrap_or_default()).find_map(Self::of)
            }
        };
        trusted.or_else(|| Self::of(from)).unwrap_or_else(|| Self { number: Pii::new("anonymous".into()), name: None })
    }

    fn of(value: &str) -> Option<Self> {
        let address = Address::parse(value)?;
        let number = user_of(address.uri)?;
        let name = Some(clean(&address.display_text())).filter(|n| !n.is_empty());
        Some(Self { number: Pii::new(number), name: name.map(Pii::new) })
    }
}

/// The user part of a sip, sips or tel URI, unescaped and bounded.
pub(crate) fn user_of(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let user = if scheme.eq_ignore_ascii_case("tel") {
        rest.split(';').next()?
    } else {
        let (user, _) = rest.rsplit_once('@')?;
        // A password in a URI is nobody's number.
        user.split(':').next()?
    };
    Some(clean(&unescape(user))).filter(|u| !u.is_empty())
}

/// Percent-escapes undone; what is no escape stays as it is.
pub(crate) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        plain.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Without control characters, and no longer than [`LONGEST`].
fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(from: &str, asserted: &[&str], trust: Trust) -> (String, Option<String>) {
        let identity = Identity::read(from, asserted, trust);
        (identity.number.into_inner(), identity.name.map(Pii::into_inner))
    }

    #[test]
    fn from_and_asserted_identity() {
        let from = "\"Eve\" <sip:+4930123@example.com>;tag=1";
        let asserted = ["\"Alice\" <sip:+49305550@example.com>, <tel:+1-212;x=y>"];
        assert_eq!(read(from, &asserted, Trust::From), ("+4930123".into(), Some("Eve".into())));
        assert_eq!(read(from, &asserted, Trust::Asserted), ("+49305550".into(), Some("Alice".into())));
        assert_eq!(read("<tel:+1-212;x=y>", &[], Trust::Asserted), ("+1-212".into(), None));
        assert_eq!(read("<sip:sips%3Auser%40example.com@example.net>", &[], Trust::From).0, "sips:user@example.com");
        assert_eq!(read("<sip:example.com>", &[], Trust::From), ("anonymous".into(), None));
    }

    #[test]
    fn bounded_and_without_control_characters() {
        let long = format!("\"{}\" <sip:{}@h>", "n\u{7}".repeat(500), "%00%0d9".repeat(500));
        let (number, name) = read(&long, &[], Trust::From);
        assert_eq!((number.len(), name.map(|n| n.len())), (LONGEST, Some(LONGEST)));
        assert!(number.chars().all(|c| c == '9'), "{number}");
        assert_eq!(unescape("a%4"), "a%4");
        assert_eq!(unescape("%é%zz%+1"), "%é%zz%+1");
    }
}
