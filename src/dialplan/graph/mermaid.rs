//! Mermaid's flowchart syntax (mermaid.js.org/syntax/flowchart.html).

use std::fmt::Write;

use super::super::ways::{End, Kind};
use super::{Node, Picture};

pub(super) fn draw(picture: &Picture<'_>) -> String {
    let mut out = String::from("flowchart TD\n");
    for (at, node) in picture.nodes.iter().enumerate() {
        let mut title = escaped(&picture.title(node));
        if let Some(words) = picture.state_use(node).map(|used| used.words()).filter(|words| !words.is_empty()) {
            title += &format!("<br/>{}", escaped(&words));
        }
        let (open, close) = match node {
            Node::Anywhere => ("{{", "}}"),
            Node::To(End::State(_)) if picture.is_start(node) => ("([", "])"),
            Node::To(End::State(_)) => ("[", "]"),
            Node::To(End::Human(_) | End::Line(_)) => ("[/", "/]"),
            Node::To(End::Over) => ("((", "))"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  n{at}{open}\"{title}\"{close}");
    }
    for arrow in &picture.arrows {
        let line = if arrow.kind == Kind::Answer || arrow.kind == Kind::Step { "-->" } else { "-.->" };
        let label = if arrow.label.is_empty() { String::new() } else { format!("|\"{}\"|", escaped(&arrow.label)) };
        let _ = writeln!(out, "  n{} {line}{label} n{}", arrow.from, arrow.to);
    }
    for (at, node) in picture.nodes.iter().enumerate() {
        let trouble = picture.state_use(node).map_or(0.0, super::StateUse::trouble);
        if trouble > 0.0 {
            let pale = (255.0 - 120.0 * trouble) as u8;
            let _ = writeln!(out, "  style n{at} fill:#ff{pale:02x}{pale:02x}");
        }
    }
    out
}

/// Inside double quotes: Mermaid's own entities for what it would take for syntax.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out += "#quot;",
            '<' => out += "#lt;",
            '>' => out += "#gt;",
            '#' => out += "#35;",
            '&' => out += "#amp;",
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
