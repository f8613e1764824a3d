//! Decides about a message before the parser sees it: let it pass in plain form, refuse it with an answer, or drop it.
//! The parser behind is lenient and knows nothing of most of RFC 4475; the answer to each of its messages is given here
//! or, where it needs a dialog or a body, in `net::sip`. Never keeps state.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use super::raw::{Address, Raw, Via, is_token, params, split_outside_quotes, write_params};

/// Tag given to a From without one (RFC 2543 allowed that): the layers behind need a tag. Removed again on the way out.
pub const ANONYMOUS_TAG: &str = "sidetone-none";
/// The highest CSeq (RFC 3261 section 8.1.1.5).
const HIGHEST_CSEQ: u64 = (1 << 31) - 1;
/// Methods that the parser behind knows.
const KNOWN_METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// Why a request is refused unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 400: cannot be understood, with the part that is wrong.
    Malformed(&'static str),
    /// 405: a method that nobody here knows.
    Method,
    /// 416: neither sip, sips nor tel.
    Scheme,
    /// 503: more than can be handled now, with the seconds after which to try again.
    Overloaded(u32),
    /// 505: not SIP/2.0.
    Version,
    /// 513: longer than is read.
    TooLarge,
}

impl Refusal {
    /// Status and reason phrase (RFC 3261 section 21).
    pub const fn status(self) -> (u16, &'static str) {
        match self {
            Self::Malformed(part) => (400, part),
            Self::Method => (405, "Method Not Allowed"),
            Self::Scheme => (416, "Unsupported URI Scheme"),
            Self::Overloaded(_) => (503, "Service Unavailable"),
            Self::Version => (505, "Version Not Supported"),
            Self::TooLarge => (513, "Message Too Large"),
        }
    }

    /// The response to `request`, or nothing where none may be sent: to an ACK, to a response, to a message without a Via.
    pub fn respond(self, request: &Raw<'_>, source: SocketAddr) -> Option<Vec<u8>> {
        if request.start.starts_with("SIP/") || request.start.starts_with("ACK ") {
            return None;
        }
        let (status, reason) = self.status();
        let mut text = format!("SIP/2.0 {status} {reason}\r\n");
        let mut vias = request.all("Via");
        line(&mut text, "Via", &received(vias.next()?, source));
        vias.for_each(|via| line(&mut text, "Via", via));
        for name in ["From", "To", "Call-ID", "CSeq"] {
            let Some(value) = request.all(name).next() else { continue };
            match name {
                "To" if !value.to_ascii_lowercase().contains("tag") => {
                    line(&mut text, name, &format!("{value};tag={:x}", fingerprint(request)));
                }
                _ => line(&mut text, name, value),
            }
        }
        match self {
            Self::Method => line(&mut text, "Allow", ALLOW),
            Self::Overloaded(seconds) => line(&mut text, "Retry-After", &seconds.to_string()),
            _ => {}
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        Some(text.into_bytes())
    }
}

/// What we do.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The same message in plain form: long names, no folding, one blank where one belongs, nothing after the body.
    Pass(Vec<u8>),
    /// Refused.
    Refuse(Refusal),
    /// Not worth an answer, and why: a response that cannot be ours, or an ACK that is wrong.
    Drop(&'static str),
}

/// Judges a message that was framed: a datagram, or as much of a stream as its Content-Length says.
pub fn screen(raw: &Raw<'_>) -> Verdict {
    let outcome = if raw.start.starts_with("SIP/") { response(raw) } else { request(raw) };
    match outcome {
        Ok(plain) => Verdict::Pass(plain),
        Err(Verdict::Refuse(_)) if raw.start.starts_with("ACK ") => Verdict::Drop("a malformed ACK"),
        Err(verdict) => verdict,
    }
}

const fn bad(part: &'static str) -> Verdict {
    Verdict::Refuse(Refusal::Malformed(part))
}

/// RFC 3261 sections 8.1.3.3 and 16.7: a response with a second Via is not for us.
fn response(raw: &Raw<'_>) -> Result<Vec<u8>, Verdict> {
    let drop = Verdict::Drop;
    let rest = raw.start.strip_prefix("SIP/2.0 ").ok_or(drop("a response of another version"))?;
    let code = rest.split(' ').next().unwrap_or("");
    let known = code.len() == 3 && code.parse::<u16>().is_ok_and(|c| (100..700).contains(&c));
    if !known {
        return Err(drop("a response with an impossible status"));
    }
    if raw.all("Via").count() != 1
        || raw.one("Via").and_then(|v| split_outside_quotes(v, ',')).is_none_or(|v| v.len() != 1)
    {
        return Err(drop("a response for somebody else"));
    }
    let plain = Plain::read(raw).map_err(|_| drop("a malformed response"))?;
    // A reason phrase means nothing to the parser behind, and may be in any alphabet.
    Ok(plain.write(&format!("SIP/2.0 {code} {}", rest[3..].trim()), raw))
}

fn request(raw: &Raw<'_>) -> Result<Vec<u8>, Verdict> {
    let mut words = raw.start.split(' ');
    let (method, uri, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(uri), Some(version), None) = (method, uri, version, words.next()) else {
        return Err(bad("Bad Request-Line"));
    };
    if !is_token(method) || uri.is_empty() || !version.to_ascii_uppercase().starts_with("SIP/") {
        return Err(bad("Bad Request-Line"));
    }
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Verdict::Refuse(Refusal::Version));
    }
    let plain = Plain::read(raw)?;
    if plain.method != method {
        return Err(bad("CSeq Method Mismatch"));
    }
    if let Some(hops) = raw.all("Max-Forwards").next()
        && (raw.one("Max-Forwards").is_none() || hops.parse::<u8>().is_err())
    {
        return Err(bad("Bad Max-Forwards"));
    }
    let uri = request_uri(uri)?;
    for value in raw.all("Contact") {
        let good = value == "*"
            || split_outside_quotes(value, ',').is_some_and(|c| c.iter().all(|c| Address::parse(c).is_some()));
        if !good {
            return Err(bad("Bad Contact"));
        }
    }
    if !KNOWN_METHODS.contains(&method) {
        return Err(Verdict::Refuse(Refusal::Method));
    }
    Ok(plain.write(&format!("{method} {uri} SIP/2.0"), raw))
}

/// Checks a Request-URI, and hides from the parser behind what it would take for the end of the user part.
fn request_uri(uri: &str) -> Result<String, Verdict> {
    let wrong = bad("Bad Request-URI");
    let Some((scheme, rest)) = uri.split_once(':') else { return Err(wrong) };
    let scheme_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !scheme_good || uri.contains(|c: char| c.is_control() || "<>\"".contains(c)) {
        return Err(wrong);
    }
    if scheme.eq_ignore_ascii_case("tel") {
        return Ok(uri.to_string());
    }
    if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
        return Err(Verdict::Refuse(Refusal::Scheme));
    }
    let (user, host) = match rest.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, rest),
    };
    // Headers in a URI are for a URI in a header (section 19.1.1), never for a Request-URI.
    let host_end = host.find([';', '?']).unwrap_or(host.len());
    let known_host = !host[..host_end].is_empty()
        && host[..host_end].bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]%".contains(&b));
    if !known_host || host.contains('?') || user.is_some_and(str::is_empty) {
        return Err(wrong);
    }
    Ok(match user {
        Some(user) => format!("{scheme}:{}@{host}", user.replace(';', "%3B").replace('?', "%3F")),
        None => uri.to_string(),
    })
}

/// The headers that every message has, read and written again.
struct Plain<'a> {
    method: String,
    cseq: u64,
    body: &'a [u8],
}

impl<'a> Plain<'a> {
    fn read(raw: &Raw<'a>) -> Result<Self, Verdict> {
        for (name, part) in [("From", "Bad From"), ("To", "Bad To"), ("Call-ID", "Bad Call-ID"), ("CSeq", "Bad CSeq")] {
            if raw.one(name).is_none_or(str::is_empty) {
                return Err(bad(part));
            }
        }
        if raw.one("Call-ID").is_some_and(|id| id.contains(char::is_whitespace)) {
            return Err(bad("Bad Call-ID"));
        }
        let mut top = raw.all("Via").next().and_then(|v| split_outside_quotes(v, ',')).unwrap_or_default().into_iter();
        if top.next().and_then(Via::parse).is_none() {
            return Err(bad("Bad Via"));
        }
        for (name, part) in [("From", "Bad From"), ("To", "Bad To")] {
            if raw.one(name).and_then(Address::parse).is_none() {
                return Err(bad(part));
            }
        }
        let mut words = raw.one("CSeq").unwrap_or("").split_ascii_whitespace();
        let cseq = words.next().filter(|n| n.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse().ok());
        let (Some(cseq), Some(method), None) = (cseq, words.next(), words.next()) else { return Err(bad("Bad CSeq")) };
        if cseq > HIGHEST_CSEQ || !is_token(method) {
            return Err(bad("Bad CSeq"));
        }
        let length = raw.content_length().map_err(|_| bad("Bad Content-Length"))?;
        let body = match length {
            Some(length) => raw.rest.get(..length).ok_or(bad("Content-Length Beyond The Message"))?,
            None => raw.rest,
        };
        Ok(Self { method: method.to_string(), cseq, body })
    }

    fn write(&self, start: &str, raw: &Raw<'_>) -> Vec<u8> {
        let mut text = String::with_capacity(raw.start.len() + raw.rest.len() + 1024);
        text.push_str(start);
        text.push_str("\r\n");
        let mut first_via = true;
        for (name, value) in &raw.headers {
            match name.as_str() {
                "Via" if first_via => {
                    first_via = false;
                    for via in split_outside_quotes(value, ',').unwrap_or_default() {
                        line(&mut text, name, &plain_via(via));
                    }
                }
                "From" | "To" => line(&mut text, name, &plain_address(value, name == "From")),
                "Contact" => {
                    for contact in split_outside_quotes(value, ',').unwrap_or_default() {
                        line(&mut text, name, &plain_address(contact, false));
                    }
                }
                "CSeq" => line(&mut text, name, &format!("{} {}", self.cseq, self.method)),
                "Content-Length" => {}
                _ => line(&mut text, name, value),
            }
        }
        line(&mut text, "Content-Length", &self.body.len().to_string());
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.body);
        bytes
    }
}

fn plain_via(value: &str) -> String {
    let Some(via) = Via::parse(value.trim()) else { return value.trim().to_string() };
    let mut text = format!("SIP/2.0/{} {}", via.transport, via.sent_by);
    write_params(&mut text, &via.params, false);
    text
}

/// `"name" <uri>;params`. A name or a parameter that the parser behind would stumble over is left out.
fn plain_address(value: &str, wants_tag: bool) -> String {
    let Some(address) = Address::parse(value) else { return value.to_string() };
    let mut text = String::new();
    if !address.display.is_empty() && !address.display.contains(['<', '>', ';', '\\']) {
        text.push_str(address.display);
        text.push(' ');
    }
    text.push('<');
    text.push_str(address.uri);
    text.push('>');
    write_params(&mut text, &address.params, true);
    if wants_tag && address.tag().is_none() {
        text.push_str(";tag=");
        text.push_str(ANONYMOUS_TAG);
    }
    text
}

/// The Via with what section 18.2.1 and RFC 3581 section 4 add to it.
fn received(via: &str, source: SocketAddr) -> String {
    let mut entries = split_outside_quotes(via, ',').unwrap_or_else(|| vec![via]);
    let top = if entries.is_empty() { "" } else { entries.remove(0).trim() };
    let end = top.find(';').unwrap_or(top.len());
    let mut text = top[..end].to_string();
    for (name, value) in params(&top[end..]).unwrap_or_default() {
        if !name.eq_ignore_ascii_case("received") && !name.eq_ignore_ascii_case("rport") {
            write_params(&mut text, &[(name, value)], false);
        }
    }
    // Writing to a String cannot fail.
    let _ = write!(text, ";received={};rport={}", source.ip(), source.port());
    for entry in entries {
        text.push_str(", ");
        text.push_str(entry.trim());
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    text.push_str(name);
    text.push_str(": ");
    text.push_str(value);
    text.push_str("\r\n");
}

/// The same request gets the same To tag whenever it is refused (section 8.2.7).
fn fingerprint(request: &Raw<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for name in ["Via", "From", "Call-ID", "CSeq"] {
        request.all(name).next().hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    const OPTIONS: &str = "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\r\nv: SIP / 2.0 / UDP 192.0.2.1 ; branch = z9hG4bKa,SIP/2.0/TCP b;branch=z\r\n\
        f: caller<sip:c@d>;x=\"a;b\"\r\nTO :\r\n sip:u@e\r\nCall-ID: a@b\r\ncseq: 0009\r\n  OPTIONS\r\nl: 2\r\n\r\nabrest";

    #[test]
    fn a_tortuous_message_becomes_plain() {
        let raw = Raw::parse(OPTIONS.as_bytes()).expect("a message");
        let Verdict::Pass(plain) = screen(&raw) else { panic!("refused: {:?}", screen(&raw)) };
        let expected = "OPTIONS sip:user%3Bpar=u%40example.net@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
            Via: SIP/2.0/TCP b;branch=z\r\nFrom: caller <sip:c@d>;tag=sidetone-none\r\nTo: <sip:u@e>\r\nCall-ID: a@b\r\n\
            CSeq: 9 OPTIONS\r\nContent-Length: 2\r\n\r\nab";
        assert_eq!(String::from_utf8_lossy(&plain), expected);
    }

    #[test]
    fn refusals_by_kind() {
        let table = [
            ("OPTIONS sip:", "OPTIONS <sip:", Refusal::Malformed("Bad Request-URI")),
            ("OPTIONS sip:", "OPTIONS  sip:", Refusal::Malformed("Bad Request-Line")),
            ("OPTIONS sip:", "OPTIONS soap.beep:", Refusal::Scheme),
            ("OPTIONS sip:", "INVITE sip:", Refusal::Malformed("CSeq Method Mismatch")),
            ("SIP/2.0\r\nv", "SIP/7.0\r\nv", Refusal::Version),
            ("0009", "36893488147419103232", Refusal::Malformed("Bad CSeq")),
            ("l: 2", "l: -2", Refusal::Malformed("Bad Content-Length")),
            ("l: 2", "l: 99", Refusal::Malformed("Content-Length Beyond The Message")),
            ("l: 2", "l: 2\r\nContent-Length: 2", Refusal::Malformed("Bad Content-Length")),
            ("TO :", "X:", Refusal::Malformed("Bad To")),
            ("OPTIONS", "NEWMETHOD", Refusal::Method),
        ];
        for (from, to, refusal) in table {
            let text = OPTIONS.replace(from, to);
            let raw = Raw::parse(text.as_bytes()).expect("a message");
            assert_eq!(screen(&raw), Verdict::Refuse(refusal), "{to}");
            let source = "192.0.2.7:4444".parse().expect("an address");
            let answer = String::from_utf8(refusal.respond(&raw, source).expect("an answer")).expect("text");
            assert!(answer.contains(";received=192.0.2.7;rport=4444"), "{answer}");
        }
    }

    #[test]
    fn acks_and_responses_are_never_answered() {
        let source = "192.0.2.7:4444".parse().expect("an address");
        for start in ["ACK sip:u@e SIP/2.0", "SIP/2.0 200 OK"] {
            let text = OPTIONS.replace("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0", start);
            let raw = Raw::parse(text.as_bytes()).expect("a message");
            assert!(matches!(screen(&raw), Verdict::Drop(_)), "{start}");
            assert_eq!(Refusal::Version.respond(&raw, source), None);
        }
    }

    #[test]
    fn no_mutant_panics_and_what_passes_passes_again() {
        let mut random = StdRng::seed_from_u64(0x4475);
        let source = "[2001:db8::1]:5060".parse().expect("an address");
        let alphabet = b"\r\n \t:;,<>\"\\=@?/0129azSIP\0\xc3\xa4\xff";
        for _ in 0..20_000 {
            let mut bytes = OPTIONS.as_bytes().to_vec();
            for _ in 0..random.random_range(1..6) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..4) {
                    0 => bytes[at] = alphabet[random.random_range(0..alphabet.len())],
                    1 => bytes.insert(at, alphabet[random.random_range(0..alphabet.len())]),
                    2 => drop(bytes.drain(at..(at + random.random_range(1..12)).min(bytes.len() - 1).max(at))),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let Ok(raw) = Raw::parse(&bytes) else { continue };
            match screen(&raw) {
                Verdict::Pass(plain) => {
                    let again = Raw::parse(&plain).expect("plain form is readable");
                    assert_eq!(screen(&again), Verdict::Pass(plain.clone()), "{}", String::from_utf8_lossy(&bytes));
                }
                Verdict::Refuse(refusal) => drop(refusal.respond(&raw, source)),
                Verdict::Drop(_) => {}
            }
        }
    }
}
