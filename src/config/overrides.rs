//! Every key of the file also by environment (`SIDETONE_SIP_LISTEN`) and by flag (`--set sip.listen=…`).

use toml::{Table, Value};

use super::ConfigError;

/// Variables that belong to other parts of the program.
const OTHERS: &[&str] = &["SIDETONE_CONFIG", "SIDETONE_MODELS", "SIDETONE_SHARED_DATA", "SIDETONE_LOG"];

/// Lays environment and flags over what the file said.
pub(super) fn apply(
    mut table: Table,
    environment: &[(String, String)],
    flags: &[String],
) -> Result<Table, ConfigError> {
    for (name, value) in environment {
        let Some(path) = name.strip_prefix("SIDETONE_").filter(|_| !OTHERS.contains(&name.as_str())) else { continue };
        // The first word is the section; a key may itself hold an underscore.
        let path = path.to_lowercase();
        match path.split_once('_') {
            Some((section, key)) if SECTIONS.contains(&section) => set(&mut table, &[section, key], value),
            // Below this section there is one for each language.
            Some(("recognition", key)) => {
                if let Some((language, role)) = key.split_once('_') {
                    set(&mut table, &["recognition", language, role], value);
                }
            }
            _ => {}
        }
    }
    for flag in flags {
        let invalid =
            |message: &str| ConfigError::Invalid { origin: format!("--set {flag}"), message: message.to_owned() };
        let (key, value) = flag.split_once('=').ok_or_else(|| invalid("write KEY=VALUE, as in sip.nat=true"))?;
        let path: Vec<&str> = key.split('.').collect();
        if path.len() < 2 || path.iter().any(|part| part.is_empty()) {
            return Err(invalid("the key has the form section.key"));
        }
        set(&mut table, &path, value);
    }
    Ok(table)
}

/// The file's sections that hold single values.
const SECTIONS: &[&str] = &["server", "sip", "web", "engine", "keep"];

fn set(table: &mut Table, path: &[&str], text: &str) {
    let [parents @ .., last] = path else { return };
    let mut here = table;
    for part in parents {
        let entry = here.entry((*part).to_owned()).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        let Value::Table(next) = entry else { return };
        here = next;
    }
    here.insert((*last).to_owned(), value(text));
}

/// A TOML value where the text is one, else the text itself: `--set sip.nat=true`, `--set server.data=/var/lib/x`.
fn value(text: &str) -> Value {
    format!("v = {text}")
        .parse::<Table>()
        .ok()
        .and_then(|mut t| t.remove("v"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}
