//! When two spellings are one caller: "+49 (30) 123-45", "0049301 2345" and "sip:+493012345@host;user=phone" are.

/// Marks that people and RFC 3966 (section 5.1.1) put between digits.
const SEPARATORS: &[char] = &['-', '.', '(', ')', '/', '+', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}'];

/// What of a number or address tells callers apart, for comparison only. A telephone number: its digits, without the
/// `+` or `00` of the international form, since trunks send either or neither. Anything else: `user@host` in lower case.
/// Empty when nothing is left.
pub fn normalized(number: &str) -> String {
    let uri = number.trim();
    // "Name" <sip:…>: what stands in the brackets.
    let uri = uri.split_once('<').map_or(uri, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    let uri = ["sips:", "sip:", "tel:"].iter().find_map(|scheme| strip_prefix_ignore_case(uri, scheme)).unwrap_or(uri);
    let (user, host) = match uri.split_once('@') {
        Some((user, host)) => (user, Some(host)),
        None => (uri, None),
    };
    let user = percent_decoded(user.split(';').next().unwrap_or(user));
    if let Some(digits) = telephone(&user) {
        return digits;
    }
    let user = user.trim().to_lowercase();
    match host {
        Some(host) => {
            let host = host.split([';', '?']).next().unwrap_or(host);
            format!("{user}@{}", without_port(host).to_lowercase())
        }
        None => user,
    }
}

/// The digits, if there is nothing else in it.
fn telephone(user: &str) -> Option<String> {
    let mut digits = String::with_capacity(user.len());
    for c in user.chars() {
        match c {
            '0'..='9' | '*' | '#' => digits.push(c),
            c if c.is_whitespace() || SEPARATORS.contains(&c) => {}
            _ => return None,
        }
    }
    if digits.is_empty() {
        return None;
    }
    let international = digits.strip_prefix("00").filter(|rest| !rest.is_empty() && !user.contains('+'));
    Some(international.map(str::to_owned).unwrap_or(digits))
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// `host:port` and `[v6]:port` without the port; a bare IPv6 address is left alone.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.chars().all(|c| c.is_ascii_digit()) && (name.ends_with(']') || !name.contains(':')) =>
        {
            name
        }
        _ => host,
    }
}

/// RFC 3261, 19.1.4: an escaped character is the same as the character.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%').and_then(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(pair, 16).ok()
        });
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn spellings_of_one_number_are_one() {
        let spellings = [
            "+49 (30) 123-45",
            "0049 30 12345",
            "493012345",
            "tel:+49-30-12345;ext=",
            "sip:+493012345@trunk.example;user=phone",
            "SIP:%2B493012345@10.0.0.1:5060",
            "\"Ann\" <sip:0049.30.12345@10.0.0.1>;tag=1",
            " +49\u{a0}30\u{2011}12345 ",
        ];
        for spelling in spellings {
            assert_eq!(normalized(spelling), "493012345", "{spelling}");
        }
    }

    #[test]
    fn different_callers_stay_different() {
        assert_ne!(normalized("493012345"), normalized("493012346"));
        assert_ne!(normalized("sip:ann@a.example"), normalized("sip:ann@b.example"));
        assert_ne!(normalized("030 12345"), normalized("30 12345"), "a national trunk prefix is part of the number");
        assert_eq!(normalized("+0012"), "0012", "after a + there is no 00 to strip");
    }

    #[test]
    fn addresses_are_compared_without_port_case_and_parameters() {
        assert_eq!(normalized("sip:Ann@Example.COM:5060;transport=tcp"), "ann@example.com");
        assert_eq!(normalized("anonymous@[::1]:4000"), "anonymous@[::1]");
        assert_eq!(normalized("ann"), "ann");
    }

    #[test]
    fn odd_input_is_no_panic() {
        for odd in ["", "   ", "%", "%4", "%zz1", "<", "@", ";", "sip:", "é", "%ff", "日本"] {
            let _ = normalized(odd);
        }
        assert_eq!(normalized(" "), "");
        assert_eq!(normalized("sip:"), "");
    }
}
