//! A SIP message as it came off the wire: start line, unfolded headers, body; and the two shapes of header value that
//! carry parameters. More forgiving of white space than the parser behind it, and stricter about everything else.

/// Most header lines of a message.
const MOST_HEADERS: usize = 128;

/// Why octets are not even the outline of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RawError {
    /// No empty line ends the headers.
    #[error("the headers do not end")]
    Unfinished,
    /// A line without a colon, an empty name, too many lines, or octets that are not UTF-8.
    #[error("a header line cannot be read")]
    Header,
    /// A Content-Length that stands twice or is no number.
    #[error("the Content-Length cannot be read")]
    Length,
}

/// A message split into its parts (RFC 3261 section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw<'a> {
    /// The start line, without its line end.
    pub start: &'a str,
    /// Long name and unfolded, trimmed value of each header, in order.
    pub headers: Vec<(String, String)>,
    /// Whatever follows the empty line.
    pub rest: &'a [u8],
}

impl<'a> Raw<'a> {
    /// Splits a message. Line ends before the start line are skipped (section 7.5).
    ///
    /// # Errors
    /// [`RawError`]; nothing is known about such octets, not even where an answer should go.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RawError> {
        let skipped = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let bytes = &bytes[skipped..];
        let (head, rest) = match header_end(bytes) {
            Some((end, body)) => (&bytes[..end], &bytes[body..]),
            None => return Err(RawError::Unfinished),
        };
        let head = std::str::from_utf8(head).map_err(|_| RawError::Header)?;
        let mut lines = head.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let start = lines.next().ok_or(RawError::Unfinished)?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                let (_, value) = headers.last_mut().ok_or(RawError::Header)?;
                value.push(' ');
                value.push_str(line.trim());
                continue;
            }
            let (name, value) = line.split_once(':').ok_or(RawError::Header)?;
            let name = name.trim_end();
            if !is_token(name) || headers.len() == MOST_HEADERS {
                return Err(RawError::Header);
            }
            headers.push((long_name(name), value.trim().to_string()));
        }
        for (_, value) in &mut headers {
            if value.starts_with(' ') || value.ends_with(' ') {
                *value = value.trim().to_string();
            }
        }
        Ok(Self { start, headers, rest })
    }

    /// Values of a header, in order.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of a header that stands exactly once.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name);
        let first = values.next()?;
        values.next().is_none().then_some(first.1.as_str())
    }

    /// The body's length, where the headers say it.
    ///
    /// # Errors
    /// [`RawError::Length`].
    pub fn content_length(&self) -> Result<Option<usize>, RawError> {
        let mut values = self.all("Content-Length");
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RawError::Length);
        }
        value.parse().map(Some).map_err(|_| RawError::Length)
    }
}

/// End of the header section and start of the body.
fn header_end(bytes: &[u8]) -> Option<(usize, usize)> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| (at, at + 4))
}

/// A token of RFC 3261 section 25.1.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b))
}

/// Canonical names of the headers that are looked at; the compact forms of RFC 3261 section 7.3.3.
fn long_name(name: &str) -> String {
    const COMPACT: [(&str, &str); 10] = [
        ("i", "Call-ID"),
        ("m", "Contact"),
        ("e", "Content-Encoding"),
        ("l", "Content-Length"),
        ("c", "Content-Type"),
        ("f", "From"),
        ("s", "Subject"),
        ("k", "Supported"),
        ("t", "To"),
        ("v", "Via"),
    ];
    const LOOKED_AT: [&str; 7] =
        ["CSeq", "Max-Forwards", "Route", "Record-Route", "Require", "Accept", "P-Asserted-Identity"];
    let longs = COMPACT.iter().map(|(_, long)| *long).chain(LOOKED_AT);
    COMPACT
        .iter()
        .find(|(short, _)| name.eq_ignore_ascii_case(short))
        .map(|(_, long)| *long)
        .or_else(|| longs.into_iter().find(|long| name.eq_ignore_ascii_case(long)))
        .map_or_else(|| name.to_string(), str::to_string)
}

/// `name-addr` or `addr-spec` with the header's parameters (RFC 3261 section 20.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// As written, quotes included.
    pub(super) display: &'a str,
    pub(super) uri: &'a str,
    pub(super) params: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Address<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let value = value.trim();
        let name_end = if value.starts_with('"') { quoted_end(value)? } else { 0 };
        let (display, uri, rest) = match value[name_end..].find('<') {
            Some(at) if name_end > 0 || !value[..at].contains(';') => {
                let open = name_end + at;
                let close = open + value[open..].find('>')?;
                if name_end > 0 && !value[name_end..open].trim().is_empty() {
                    return None;
                }
                let display = value[..open].trim();
                if name_end == 0 && !display.split_whitespace().all(is_token) {
                    return None;
                }
                (display, &value[open + 1..close], value[close + 1..].trim_start())
            }
            _ if name_end > 0 => return None,
            _ => {
                let end = value.find(';').unwrap_or(value.len());
                let uri = value[..end].trim_end();
                // Without brackets a URI may hold neither comma nor question mark (section 20).
                if uri.contains([',', '?']) {
                    return None;
                }
                ("", uri, &value[end..])
            }
        };
        if uri.is_empty() || uri.contains(|c: char| c.is_whitespace() || "<>\"".contains(c)) || !uri.contains(':') {
            return None;
        }
        Some(Self { display, uri, params: params(rest)? })
    }

    pub(super) fn tag(&self) -> Option<&'a str> {
        self.params.iter().find(|(name, _)| name.eq_ignore_ascii_case("tag")).and_then(|(_, value)| *value)
    }

    /// The display name without quotes and escapes.
    pub(super) fn display_text(&self) -> String {
        let Some(inner) = self.display.strip_prefix('"').and_then(|d| d.strip_suffix('"')) else {
            return self.display.to_string();
        };
        let mut text = String::with_capacity(inner.len());
        let mut characters = inner.chars();
        while let Some(c) = characters.next() {
            text.extend(if c == '\\' { characters.next() } else { Some(c) });
        }
        text
    }
}

/// `;name=value;name` with white space anywhere between the parts; an empty parameter is an error.
pub(super) fn params(text: &str) -> Option<Vec<(&str, Option<&str>)>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Vec::new());
    }
    split_outside_quotes(text.strip_prefix(';')?, ';')?
        .into_iter()
        .map(|part| {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part.trim(), None),
            };
            let good_value =
                value.is_none_or(|v| !v.is_empty() && (v.starts_with('"') || !v.contains(char::is_whitespace)));
            (is_token(name) && good_value).then_some((name, value))
        })
        .collect()
}

/// Splits at `separator` outside quoted strings and angle brackets; `None` if a quoted string does not end.
pub(crate) fn split_outside_quotes(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut quoted, mut escaped, mut bracket) = (Vec::new(), 0, false, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => bracket = true,
            '>' if !quoted => bracket = false,
            c if c == separator && !quoted && !bracket => {
                parts.push(&text[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    (!quoted).then_some(parts)
}

/// End of the quoted string that `text` starts with.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The topmost Via (section 20.42).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Via<'a> {
    pub(super) transport: &'a str,
    pub(super) sent_by: &'a str,
    pub(super) params: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Via<'a> {
    pub(super) fn parse(value: &'a str) -> Option<Self> {
        let (head, rest) = match value.find(';') {
            Some(at) => (&value[..at], &value[at..]),
            None => (value, ""),
        };
        let mut parts = head.splitn(3, '/');
        let (name, version, last) = (parts.next()?.trim(), parts.next()?.trim(), parts.next()?.trim());
        let (transport, sent_by) = last.split_once(char::is_whitespace)?;
        let sent_by = sent_by.trim();
        let good = name.eq_ignore_ascii_case("SIP") && version == "2.0" && is_token(transport);
        (good && !sent_by.is_empty() && !sent_by.contains(char::is_whitespace)).then_some(())?;
        Some(Self { transport, sent_by, params: params(rest)? })
    }
}

/// `;name=value` again, without the quoted ones if `plain`.
pub(super) fn write_params(into: &mut String, params: &[(&str, Option<&str>)], plain: bool) {
    for (name, value) in params {
        if plain && value.is_some_and(|v| v.starts_with('"')) {
            continue;
        }
        into.push(';');
        into.push_str(name);
        if let Some(value) = value {
            into.push('=');
            into.push_str(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_compact_forms_and_blanks_are_undone() {
        let raw = Raw::parse(
            b"\r\n\r\nOPTIONS sip:a@b SIP/2.0\r\nTO :\r\n sip:a@b ;   tag    = 1\r\nv: x\r\nl:0\r\n\r\nrest",
        )
        .expect("a message");
        assert_eq!(raw.start, "OPTIONS sip:a@b SIP/2.0");
        assert_eq!(raw.one("To"), Some("sip:a@b ;   tag    = 1"));
        assert_eq!(raw.one("Via"), Some("x"));
        assert_eq!(raw.content_length(), Ok(Some(0)));
        assert_eq!(raw.rest, b"rest");
        let to = Address::parse(raw.one("To").expect("once")).expect("an address");
        assert_eq!((to.uri, to.tag()), ("sip:a@b", Some("1")));
    }

    #[test]
    fn addresses_good_and_bad() {
        let good = Address::parse(r#""J <Ros\"enberg" <sip:j@example.com;x>;tag=9;q="a;b""#).expect("an address");
        assert_eq!(
            (good.uri, good.tag(), good.display_text().as_str()),
            ("sip:j@example.com;x", Some("9"), "J <Ros\"enberg")
        );
        assert_eq!(Address::parse("caller<sip:c@d>;tag=3").map(|a| a.display), Some("caller"));
        for bad in [
            "\"Mr. J. User <sip:j@e>",
            "Bell, Alexander <sip:a@b>",
            "\"W\" < sip:t@w >",
            "sip:u@e?Route=x",
            "<sip:u@e>;;",
            "<sip:u@e",
            "",
            "<>",
        ] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_via_may_be_full_of_blanks() {
        let via = Via::parse("SIP  / 2.0  / TCP     spindle.example.com   ; branch  =   z9hG4bK9ikj8").expect("a via");
        assert_eq!((via.transport, via.sent_by), ("TCP", "spindle.example.com"));
        assert_eq!(via.params, [("branch", Some("z9hG4bK9ikj8"))]);
        assert_eq!(Via::parse("SIP/2.0/UDP 192.0.2.15;;,;,,"), None);
    }
}
