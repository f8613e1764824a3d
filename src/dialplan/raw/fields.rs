//! Taking a map apart by its keys, reporting what does not fit.

use std::collections::HashSet;

use super::super::diagnostic::{Code, Report, Span, short};
use super::super::yaml::{Node, Scalar};
use super::Confirm;

/// A map whose keys are known words.
pub(super) struct Fields<'n, 'r, 's> {
    entries: &'n [(Scalar, Node)],
    at: &'n Span,
    what: &'static str,
    /// For what is read from the values.
    pub(super) report: &'r mut Report<'s>,
}

impl<'n, 'r, 's> Fields<'n, 'r, 's> {
    /// `None`, reported, when the node is no map.
    pub(super) fn new(node: &'n Node, what: &'static str, known: &[&str], report: &'r mut Report<'s>) -> Option<Self> {
        let Node::Map(entries, at) = node else {
            report.error(node.at(), Code::WrongType, format!("{what} is a map of keys, not {}", node.what()));
            return None;
        };
        distinct(entries, report);
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let message = format!("{what} has no key `{}`", short(&key.text));
            match key.text.as_str() {
                "else" | "elif" | "if" if known.contains(&"when") => {
                    let help = "write `when: CONDITION`, and for the other case a step with `when: not (CONDITION)`";
                    report.error_help(&key.at, Code::UnknownKey, message, help);
                }
                _ => report.unknown(&key.at, Code::UnknownKey, message, &key.text, known.iter().copied()),
            }
        }
        Some(Self { entries, at, what, report })
    }

    /// The value, unless it is null.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(name, _)| name.text == key)?;
        (!node.is_null()).then_some(node)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.text == key)
    }

    pub(super) fn missing(&mut self, key: &str) {
        self.report.error(self.at, Code::MissingKey, format!("{} needs the key `{key}`", self.what));
    }

    pub(super) fn text(&mut self, key: &str) -> Option<Scalar> {
        match self.get(key)? {
            Node::Scalar(scalar) => Some(scalar.clone()),
            other => {
                let message = format!("`{key}` is a text, not {}", other.what());
                self.report.error(other.at(), Code::WrongType, message);
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, key: &str) -> Option<Scalar> {
        if self.get(key).is_none() {
            self.missing(key);
        }
        self.text(key)
    }

    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        let text = self.text(key)?;
        let value = truth(&text);
        if value.is_none() {
            let message = format!("`{key}` is `true` or `false`, not `{}`", short(&text.text));
            self.report.error(&text.at, Code::BadValue, message);
        }
        value
    }

    /// One text or a list of them.
    pub(super) fn texts(&mut self, key: &str) -> Vec<Scalar> {
        self.get(key).map(|node| texts(node, self.report)).unwrap_or_default()
    }

    pub(super) fn list(&mut self, key: &str) -> &'n [Node] {
        match self.get(key) {
            Some(Node::List(items, _)) => items,
            Some(other) => {
                let message = format!("`{key}` is a list (lines that begin with `- `), not {}", other.what());
                self.report.error(other.at(), Code::WrongType, message);
                &[]
            }
            None => &[],
        }
    }

    /// The entries of a map whose keys are the author's.
    pub(super) fn entries(&mut self, key: &str) -> &'n [(Scalar, Node)] {
        match self.get(key) {
            Some(Node::Map(entries, _)) => {
                distinct(entries, self.report);
                entries
            }
            Some(other) => {
                let message = format!("`{key}` is a map of names, not {}", other.what());
                self.report.error(other.at(), Code::WrongType, message);
                &[]
            }
            None => &[],
        }
    }

    pub(super) fn confirm(&mut self) -> Option<Confirm> {
        let text = self.text("confirm")?;
        Some(match truth(&text) {
            Some(switch) => Confirm::Switch(switch),
            None => Confirm::Wording(text),
        })
    }
}

fn truth(text: &Scalar) -> Option<bool> {
    match text.text.as_str() {
        "true" if text.plain => Some(true),
        "false" if text.plain => Some(false),
        _ => None,
    }
}

/// One text or a list of them.
pub(super) fn texts(node: &Node, report: &mut Report<'_>) -> Vec<Scalar> {
    let items = match node {
        Node::Scalar(scalar) => return vec![scalar.clone()],
        Node::List(items, _) => items,
        Node::Map(_, at) => {
            let help = "a text with a colon in it needs quotes";
            report.error_help(at, Code::WrongType, "a text or a list of texts belongs here, not a map", help);
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for item in items {
        match item {
            Node::Scalar(scalar) => found.push(scalar.clone()),
            other => {
                let message = format!("a text belongs here, not {}", other.what());
                report.error_help(other.at(), Code::WrongType, message, "a text with a colon in it needs quotes");
            }
        }
    }
    found
}

/// Reports each key that stands for the second time; the first one counts.
pub(in super::super) fn distinct(entries: &[(Scalar, Node)], report: &mut Report<'_>) {
    let mut seen = HashSet::new();
    for (key, _) in entries {
        if !seen.insert(&key.text) {
            report.error(&key.at, Code::DuplicateKey, format!("`{}` is there already", short(&key.text)));
        }
    }
}
