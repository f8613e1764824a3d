//! What a plan sends over HTTP: compiled, and filled in for one call. What a caller said cannot leave its place: it is
//! percent-encoded in the address, escaped by JSON in the body, and without control characters in a header.

use super::plan::Words;
use super::script::{Fetch, Method};
use super::template::{TemplateId, Templates};
use minijinja::value::Value;
use std::time::Duration;

/// Largest body, bytes.
pub(super) const MAX_BODY: usize = 64 << 10;

/// A request as compiled.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) url: TemplateId,
    pub(super) method: Method,
    pub(super) body: Option<Json>,
    pub(super) headers: Vec<(String, TemplateId)>,
    /// The secret of the configuration that goes with it.
    pub(super) auth: Option<String>,
    /// Tries beyond the first.
    pub(super) retry: u32,
    pub(super) timeout: Duration,
    /// It holds a masked slot.
    pub(super) masked: bool,
}

/// A JSON value with something to fill in.
#[derive(Debug)]
pub(super) enum Json {
    Literal(serde_json::Value),
    /// `{{ … }}` alone: the value keeps its type.
    Expression(String),
    Text(Words),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Request {
    /// Filled in. The error names no value.
    pub(super) fn filled(&self, templates: &Templates, scope: &Value) -> Result<Fetch, String> {
        let error = |kind: minijinja::ErrorKind| kind.to_string();
        let url = templates.render(&self.url, scope.clone()).map_err(error)?;
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            headers.push((name.clone(), templates.render(value, scope.clone()).map_err(error)?));
        }
        let body = self.body.as_ref().map(|body| body.filled(templates, scope)).transpose()?;
        let body = body.map(|body| body.to_string());
        if body.as_ref().is_some_and(|body| body.len() > MAX_BODY) {
            return Err(format!("the body has more than {MAX_BODY} bytes"));
        }
        let Self { method, auth, retry, timeout, masked, .. } = self;
        let (method, auth) = (*method, auth.clone());
        Ok(Fetch { url, method, body, headers, auth, retry: *retry, timeout: *timeout, masked: *masked })
    }
}

impl Json {
    pub(super) fn filled(&self, templates: &Templates, scope: &Value) -> Result<serde_json::Value, String> {
        let error = |kind: minijinja::ErrorKind| kind.to_string();
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Expression(source) => {
                let value = templates.eval(source, scope.clone()).map_err(error)?;
                if value.is_undefined() {
                    serde_json::Value::Null
                } else {
                    serde_json::to_value(&value).map_err(|_| "a value of the body is no JSON".to_string())?
                }
            }
            Self::Text(Words::Plain(text)) => text.as_str().into(),
            Self::Text(Words::Template { id, .. }) => templates.render(id, scope.clone()).map_err(error)?.into(),
            Self::List(items) => {
                items.iter().map(|item| item.filled(templates, scope)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone(), value.filled(templates, scope)?)));
                entries.collect::<Result<serde_json::Map<_, _>, String>>()?.into()
            }
        })
    }
}
