//! The layer rule of ARCHITECTURE.md: imports point down only, and pure leaves do not know each other.

use std::fs;
use std::path::{Path, PathBuf};

/// Which folders a folder may name by `crate::`, itself aside. `pii` is anyone's.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("pii", &[]),
    ("sip", &[]),
    ("rtp", &[]),
    ("audio", &[]),
    ("speech", &["audio"]),
    ("nlu", &[]),
    ("dialplan", &[]),
    ("queue", &[]),
    ("call", LEAVES),
    ("sim", WITH_CALL),
    ("net", WITH_CALL),
    ("engine", WITH_CALL),
    ("store", WITH_CALL),
    ("web", WITH_CALL),
    ("config", EVERYTHING),
    ("cli", EVERYTHING),
    ("server", EVERYTHING),
    ("main", EVERYTHING),
    ("lib", EVERYTHING),
];
const LEAVES: &[&str] = &["sip", "rtp", "audio", "speech", "nlu", "dialplan", "queue"];
const WITH_CALL: &[&str] = &["sip", "rtp", "audio", "speech", "nlu", "dialplan", "queue", "call"];
const EVERYTHING: &[&str] = &[
    "sip", "rtp", "audio", "speech", "nlu", "dialplan", "queue", "call", "sim", "net", "engine", "store", "web",
    "config", "cli", "server",
];
/// What pure folders never name.
const DRIVERS_ONLY: &[&str] =
    &["tokio::", "std::net::UdpSocket", "std::fs", "rsipstack::", "sqlx::", "axum::", "ort::"];
const PURE: &[&str] = &["pii", "sip", "rtp", "audio", "speech", "nlu", "dialplan", "queue", "call"];

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is there") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// First folder (or file) below `src` that a source belongs to.
fn folder(path: &Path, src: &Path) -> String {
    let relative = path.strip_prefix(src).expect("below src");
    let first = relative.components().next().expect("not empty").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_string()
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

/// Whether a path that starts with `prefix` stands in the code: `report::` does not name `ort::`.
fn names(code: &str, prefix: &str) -> bool {
    let inside = |before: char| before.is_alphanumeric() || before == '_';
    code.match_indices(prefix).any(|(at, _)| !code[..at].ends_with(inside))
}

fn crate_paths(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(list.split(',').map(|item| word(item.trim())).filter(|w| !w.is_empty())),
            None => found.push(word(rest)),
        }
    }
    found
}

#[test]
fn imports_point_down_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for path in &files {
        let own = folder(path, &src);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == own) else {
            wrong.push(format!("{}: folder `{own}` has no layer; give it one in tests/layers.rs", path.display()));
            continue;
        };
        let text = fs::read_to_string(path).expect("UTF-8 source");
        for (number, line) in text.lines().enumerate() {
            let code = code(line);
            for target in crate_paths(code) {
                let is_folder = MAY_IMPORT.iter().any(|(name, _)| *name == target);
                if is_folder && target != own && target != "pii" && !allowed.contains(&target.as_str()) {
                    wrong.push(format!("{}:{}: `{own}` must not import `{target}`", path.display(), number + 1));
                }
            }
            if PURE.contains(&own.as_str()) {
                for banned in DRIVERS_ONLY.iter().filter(|banned| names(code, banned)) {
                    wrong.push(format!("{}:{}: pure `{own}` names `{banned}`", path.display(), number + 1));
                }
            }
        }
    }
    assert!(files.len() > 20, "the scan found {} files only", files.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_a_violation() {
    assert_eq!(crate_paths("use crate::{net::sip, rtp};"), ["net", "rtp"]);
    assert_eq!(crate_paths("let x = crate::engine::Pool::new();"), ["engine"]);
    assert_eq!(crate_paths(code("// crate::engine in a comment")), Vec::<String>::new());
    assert!(names("let x = ort::init();", "ort::") && names("use ort::Session;", "ort::"));
    assert!(!names("use crate::rtp::report::Block; let y = Sort::new();", "ort::"));
}
