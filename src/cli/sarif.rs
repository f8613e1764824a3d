//! Diagnostics as SARIF 2.1.0 (OASIS), which editors and CI servers read.

use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::dialplan::{Diagnostic, Severity};

/// What a path segment may hold as it is (RFC 3986, 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One run with one result a diagnostic.
pub(super) fn report(found: &[Diagnostic]) -> Value {
    let mut rules: Vec<String> = found.iter().map(|d| d.code.name()).collect();
    rules.sort_unstable();
    rules.dedup();
    let result = |d: &Diagnostic| {
        let id = d.code.name();
        let level = match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let text = match &d.help {
            Some(help) => format!("{} ({help})", d.message),
            None => d.message.clone(),
        };
        json!({
            "ruleId": id,
            "ruleIndex": rules.iter().position(|rule| *rule == id),
            "level": level,
            "message": { "text": text },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": uri(Path::new(&d.file)) },
                "region": { "startLine": d.line, "startColumn": d.column },
            }}],
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "sidetone check",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| json!({ "id": rule })).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": found.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// A path as a URI reference: relative paths stay so.
fn uri(path: &Path) -> String {
    let parts: Vec<String> = path
        .components()
        .filter_map(|part| match part {
            Component::RootDir => Some(String::new()),
            Component::CurDir | Component::Prefix(_) => None,
            Component::ParentDir => Some("..".into()),
            Component::Normal(name) => Some(utf8_percent_encode(&name.to_string_lossy(), SEGMENT).to_string()),
        })
        .collect();
    let joined = parts.join("/");
    if path.is_absolute() { format!("file://{joined}") } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan;

    #[test]
    fn results_name_their_rule_and_place() {
        let found = dialplan::load(b"dialplan: x\nstart: a\nstates:\n  a: {steps: [{goto: b}]}\n", "my plans/é.yaml")
            .diagnostics;
        let sarif = report(&found);
        let run = &sarif["runs"][0];
        let result = &run["results"][0];
        assert_eq!(sarif["version"], "2.1.0");
        assert_eq!((result["ruleId"].as_str(), result["level"].as_str()), (Some("unknown-state"), Some("error")));
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "unknown-state");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "my%20plans/%C3%A9.yaml");
        assert_eq!(
            (place["region"]["startLine"].as_u64(), place["region"]["startColumn"].as_u64()),
            (Some(4), Some(22))
        );
        assert_eq!(uri(Path::new("/a b/c")), "file:///a%20b/c");
    }
}
