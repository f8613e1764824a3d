//! `[secret.NAME]` and `[model.NAME]`: the services that plans name. What is secret stands in the environment.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ConfigError;
use crate::call::services::{Model, Models, Secret, Secrets};
use crate::pii::Pii;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretEntry {
    #[serde(default = "authorization")]
    header: String,
    /// The name of the environment variable that holds it: a secret does not lie in the file.
    value_env: String,
    hosts: Vec<String>,
}

fn authorization() -> String {
    "Authorization".into()
}

pub(super) fn secrets(entries: BTreeMap<String, SecretEntry>) -> Result<Secrets, ConfigError> {
    entries.into_iter().map(|(name, entry)| Ok((name.clone(), secret(&name, entry)?))).collect()
}

fn secret(name: &str, entry: SecretEntry) -> Result<Secret, ConfigError> {
    let at = |key: &str, message: String| ConfigError::Value { key: format!("secret.{name}.{key}"), message };
    let value = environment(&entry.value_env).map_err(|message| at("value_env", message))?;
    if entry.hosts.is_empty() {
        return Err(at("hosts", "name the hosts to which it may be sent, as in [\"core.example\"]".into()));
    }
    let token = entry.header.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if entry.header.is_empty() || !token {
        return Err(at("header", format!("`{}` is no name of a header", entry.header)));
    }
    Ok(Secret { header: entry.header, value, hosts: entry.hosts })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelEntry {
    url: String,
    model: String,
    key_env: Option<String>,
    #[serde(default = "tokens")]
    max_tokens: u32,
}

fn tokens() -> u32 {
    300
}

pub(super) fn models(entries: BTreeMap<String, ModelEntry>) -> Result<Models, ConfigError> {
    let model = |(name, entry): (String, ModelEntry)| {
        let at = |key: &str, message: String| ConfigError::Value { key: format!("model.{name}.{key}"), message };
        if !entry.url.starts_with("http://") && !entry.url.starts_with("https://") {
            return Err(at("url", format!("`{}` is no address like http://127.0.0.1:8000/v1", entry.url)));
        }
        let key = entry.key_env.as_deref().map(environment).transpose().map_err(|message| at("key_env", message))?;
        Ok((name.clone(), Model { url: entry.url, model: entry.model, key, max_tokens: entry.max_tokens }))
    };
    entries.into_iter().map(model).collect()
}

/// A value from the environment that can stand in a header.
pub(super) fn environment(variable: &str) -> Result<Pii<String>, String> {
    let value = std::env::var(variable).map_err(|_| format!("the environment variable `{variable}` is not set"))?;
    if value.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(format!("the environment variable `{variable}` holds a control character"));
    }
    Ok(Pii::new(value))
}
