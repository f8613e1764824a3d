//! `[callback]`: which callers may be called back, and over which trunk.

use serde::Deserialize;

use super::units::duration;
use super::{CallbackConfig, ConfigError};
use crate::net::sip::Credentials;

/// Calls at a time, and tries: more are a mistake.
const MOST: usize = 100;
const MOST_TRIES: u32 = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CallbackEntry {
    allow: Vec<String>,
    trunk: Option<String>,
    from: String,
    username: Option<String>,
    /// The name of the environment variable that holds the password: a secret does not lie in the file.
    password_env: Option<String>,
    most: usize,
    tries: u32,
    again: String,
    ring: String,
}

impl Default for CallbackEntry {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            trunk: None,
            from: "sidetone".into(),
            username: None,
            password_env: None,
            most: 2,
            tries: 3,
            again: "15m".into(),
            ring: "40s".into(),
        }
    }
}

pub(super) fn resolve(entry: CallbackEntry) -> Result<CallbackConfig, ConfigError> {
    let at = |key: &str, message: String| ConfigError::Value { key: format!("callback.{key}"), message };
    let trunk = entry.trunk.filter(|trunk| !trunk.is_empty());
    if let Some(trunk) = &trunk
        && !((trunk.starts_with("sip:") || trunk.starts_with("sips:")) && trunk.contains("{number}"))
    {
        return Err(at("trunk", format!("`{trunk}` is not of the form sip:{{number}}@trunk.example")));
    }
    if trunk.is_none() && !entry.allow.is_empty() {
        return Err(at("trunk", "name the trunk that calls them, as in sip:{number}@trunk.example".into()));
    }
    let prefix = |text: &String| {
        let prefix: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
        let digits = prefix.strip_prefix('+').unwrap_or(&prefix);
        let good = !prefix.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let help = || format!("`{text}` is nothing that a number begins with, as +44 or 030 is");
        if good { Ok(prefix) } else { Err(at("allow", help())) }
    };
    if !(1..=MOST).contains(&entry.most) {
        return Err(at("most", format!("from 1 to {MOST}")));
    }
    if !(1..=MOST_TRIES).contains(&entry.tries) {
        return Err(at("tries", format!("from 1 to {MOST_TRIES}")));
    }
    let user = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '.');
    if entry.from.is_empty() || !entry.from.chars().all(user) {
        return Err(at("from", format!("`{}` is no user part of a SIP address", entry.from)));
    }
    let credentials = match (entry.username, entry.password_env) {
        (None, None) => None,
        (Some(username), Some(variable)) => {
            let password = super::services::environment(&variable).map_err(|message| at("password_env", message))?;
            Some(Credentials { username, password, realm: None })
        }
        _ => return Err(at("username", "username and password_env go together".into())),
    };
    Ok(CallbackConfig {
        allow: entry.allow.iter().map(prefix).collect::<Result<_, _>>()?,
        trunk,
        from: entry.from,
        credentials,
        most: entry.most,
        tries: entry.tries,
        again: duration(&entry.again).map_err(|message| at("again", message))?,
        ring: duration(&entry.ring).map_err(|message| at("ring", message))?,
    })
}
