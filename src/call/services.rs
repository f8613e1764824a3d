//! What a plan's requests become: an address, what goes with it, and the secrets that only some hosts may have.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dialplan::script::Fetch;
use crate::pii::Pii;

/// An HTTP request, ready to be sent. Whatever may hold a caller's words or a secret is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, as RFC 9110 writes it.
    pub method: &'static str,
    /// The address.
    pub url: Pii<String>,
    /// Headers.
    pub headers: Vec<(String, Pii<String>)>,
    /// JSON.
    pub body: Option<Pii<String>>,
    /// How long one try may take.
    pub timeout: Duration,
    /// Tries beyond the first.
    pub retry: u32,
}

/// What authenticates us to another service: a header, for some hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The header's name.
    pub header: String,
    /// Its value.
    pub value: Pii<String>,
    /// `HOST` or `HOST:PORT` to which it may be sent.
    pub hosts: Vec<String>,
}

/// Secrets by the name that plans use.
pub type Secrets = BTreeMap<String, Secret>;

/// Makes a plan's request whole. The error names no value.
pub fn prepare(fetch: Fetch, secrets: &Secrets) -> Result<Request, String> {
    let mut headers: Vec<_> = fetch.headers.into_iter().map(|(name, value)| (name, Pii::new(value))).collect();
    if let Some(name) = &fetch.auth {
        let secret = secrets.get(name).ok_or_else(|| format!("the configuration has no secret `{name}`"))?;
        let authority = authority(&fetch.url);
        let allowed =
            |host: &String| host.eq_ignore_ascii_case(authority) || host.eq_ignore_ascii_case(host_of(authority));
        if !secret.hosts.iter().any(allowed) {
            return Err(format!("the secret `{name}` is not for this host; see `hosts` in the configuration"));
        }
        headers.push((secret.header.clone(), secret.value.clone()));
    }
    Ok(Request {
        method: fetch.method.name(),
        url: Pii::new(fetch.url),
        headers,
        body: fetch.body.map(Pii::new),
        timeout: fetch.timeout,
        retry: fetch.retry,
    })
}

/// `HOST:PORT` of an address, as written; what stands before an `@` is no host (RFC 3986, 3.2).
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    authority.rsplit('@').next().unwrap_or(authority)
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::script::Method;

    fn fetch(url: &str) -> Fetch {
        let (body, headers, timeout) = (None, Vec::new(), Duration::from_secs(1));
        let (url, auth) = (url.to_owned(), Some("crm".to_owned()));
        Fetch { url, method: Method::Get, body, headers, auth, retry: 0, timeout, masked: false }
    }

    #[test]
    fn a_secret_goes_to_its_hosts_only_and_is_never_printed() {
        let hosts = vec!["core.example".to_owned(), "127.0.0.1:7780".to_owned()];
        let secret = Secret { header: "Authorization".into(), value: Pii::new("Bearer s3cret".into()), hosts };
        let secrets = Secrets::from([("crm".to_owned(), secret)]);
        for url in ["https://core.example/a", "http://CORE.example:8080?x", "http://127.0.0.1:7780/a"] {
            let request = prepare(fetch(url), &secrets).unwrap();
            assert_eq!(request.headers[0].1.reveal(), "Bearer s3cret");
            assert!(!format!("{request:?}").contains("s3cret"));
        }
        for url in [
            "https://core.example.evil/a",
            "https://evil/?core.example",
            "http://core.example@evil/",
            "http://127.0.0.1:7781/",
            "http://evil\\core.example/",
        ] {
            assert!(prepare(fetch(url), &secrets).unwrap_err().contains("not for this host"), "{url}");
        }
        assert!(prepare(fetch("https://core.example/"), &Secrets::new()).unwrap_err().contains("no secret"));
    }
}
