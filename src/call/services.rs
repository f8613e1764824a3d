//! What a plan's requests become: an address, what goes with it, and the secrets that only some hosts may have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::dialplan::script::{Fetch, Think, Tool};
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

/// A language model behind an interface like OpenAI's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The base address; `/chat/completions` follows it.
    pub url: String,
    /// Its name there.
    pub model: String,
    /// Goes out as a bearer token.
    pub key: Option<Pii<String>>,
    /// Most tokens of an answer.
    pub max_tokens: u32,
}

/// Models by the name that plans use.
pub type Models = BTreeMap<String, Model>;

/// Makes a plan's question to a model into a request: what is sent is what the plan names, and nothing else.
pub fn question(think: &Think, models: &Models) -> Result<Request, String> {
    let model = models.get(&think.model).ok_or_else(|| format!("the configuration has no model `{}`", think.model))?;
    let mut messages = vec![json!({"role": "system", "content": think.instructions})];
    for (know, answer) in &think.exchanges {
        messages.push(json!({"role": "user", "content": know}));
        messages.push(json!({"role": "assistant", "content": answer}));
    }
    messages.push(json!({"role": "user", "content": think.know}));
    for (at, asked) in think.asked.iter().enumerate() {
        let id = format!("call_{at}");
        let function = json!({"name": asked.name, "arguments": asked.args.to_string()});
        let calls = json!([{"id": id, "type": "function", "function": function}]);
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": asked.result}));
    }
    let mut body = json!({
        "model": model.model, "messages": messages, "stream": true, "max_tokens": model.max_tokens,
    });
    if !think.tools.is_empty() {
        body["tools"] = think.tools.iter().map(tool).collect();
    }
    let headers =
        model.key.iter().map(|key| ("Authorization".to_owned(), Pii::new(format!("Bearer {}", key.reveal()))));
    Ok(Request {
        method: "POST",
        url: Pii::new(format!("{}/chat/completions", model.url.trim_end_matches('/'))),
        headers: headers.collect(),
        body: Some(Pii::new(body.to_string())),
        timeout: think.timeout,
        retry: 0,
    })
}

fn tool(tool: &Tool) -> serde_json::Value {
    let properties: serde_json::Map<_, _> =
        tool.args.iter().map(|(name, about)| (name.clone(), json!({"type": "string", "description": about}))).collect();
    let required: Vec<&str> = tool.args.iter().map(|(name, _)| name.as_str()).collect();
    let parameters = json!({"type": "object", "properties": properties, "required": required});
    json!({
        "type": "function",
        "function": {"name": tool.name, "description": tool.about, "parameters": parameters},
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
