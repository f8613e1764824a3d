//! YAML as a tree of nodes with their places: every scalar is text, so `on` is a word and `007` keeps its zeros.
//! Bounded in size, depth and what aliases expand to; knows nothing of the language.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span as ScanSpan};

use super::diagnostic::{Code, Report, Span};

/// Largest plan, bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Nodes and bytes of text, aliases followed; a plan of [`MAX_BYTES`] without aliases stays below it.
const MAX_WEIGHT: usize = 4 << 20;
/// Deepest nesting; the language needs about eight.
const MAX_DEPTH: usize = 32;

/// A scalar.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Written without quotes.
    pub(super) plain: bool,
    pub(super) at: Span,
}

/// A node.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Scalar(Scalar),
    List(Vec<Node>, Span),
    Map(Vec<(Scalar, Node)>, Span),
}

impl Node {
    pub(super) fn at(&self) -> &Span {
        match self {
            Node::Scalar(scalar) => &scalar.at,
            Node::List(_, at) | Node::Map(_, at) => at,
        }
    }

    /// In words, for a diagnostic.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Node::Scalar(scalar) if scalar.plain && scalar.text.is_empty() => "nothing",
            Node::Scalar(_) => "a text",
            Node::List(..) => "a list",
            Node::Map(..) => "a map",
        }
    }

    /// Nothing, or an explicit null.
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Node::Scalar(s) if s.plain && matches!(s.text.as_str(), "" | "~" | "null"))
    }
}

/// Reads the one document of `source`. Mistakes go to the report; `None` when there is no tree to look at.
pub(super) fn read(source: &[u8], report: &mut Report<'_>) -> Option<Node> {
    let file = report.current();
    let start = Span { line: 1, column: 1, bytes: 0..0, file };
    if source.len() > MAX_BYTES {
        report.error(&start, Code::TooBig, format!("a plan has {MAX_BYTES} bytes at most"));
        return None;
    }
    let text = match std::str::from_utf8(source) {
        Ok(text) => text,
        Err(error) => {
            let good = &source[..error.valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
            let last = good.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            let column = String::from_utf8_lossy(last).chars().count() as u32 + 1;
            let at = Span { line, column, bytes: good.len()..good.len(), file };
            report.error_help(&at, Code::NotUtf8, "this byte is not UTF-8", "save the file as UTF-8");
            return None;
        }
    };
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                if let Err(Refusal { at, code, message }) = builder.event(event, &span_of(&span, file)) {
                    report.error(&at, code, message);
                    return None;
                }
            }
            Err(error) => {
                let marker = error.marker();
                let at = Span { line: marker.line() as u32, column: marker.col() as u32 + 1, bytes: 0..0, file };
                let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or_default();
                match mend(&error.info(), line) {
                    Some(help) => report.error_help(&at, Code::Syntax, error.info(), help),
                    None => report.error(&at, Code::Syntax, error.info()),
                }
                return None;
            }
        }
    }
    for (at, code, message) in builder.mistakes {
        report.error(&at, code, message);
    }
    if builder.root.is_none() {
        report.error(&start, Code::Syntax, "the plan is empty");
    }
    builder.root
}

/// What most likely mends a line that is no YAML.
fn mend(what: &str, line: &str) -> Option<&'static str> {
    let text = line.trim_start().trim_start_matches("- ");
    let value = text.split_once(": ").map_or(text, |(_, value)| value.trim_start());
    if what.contains("tab") || line.trim_start_matches(' ').starts_with('\t') {
        Some("indent with spaces, not with tabs")
    } else if value.starts_with("{{") {
        Some("a text that begins with `{{` stands in quotes: \"{{ greeting() }}, …\"")
    } else if what.contains("mapping values") && value.contains(": ") {
        Some("a text with `: ` in it stands in quotes: \"Done: see you\"")
    } else if what.contains("expected key") || what.contains("mapping values") || what.contains("indent") {
        Some("this line, or the one before it, is not indented like its neighbours; or a text of theirs needs quotes")
    } else {
        None
    }
}

fn span_of(span: &ScanSpan, file: usize) -> Span {
    let start = span.start;
    Span { line: start.line() as u32, column: start.col() as u32 + 1, bytes: span.byte_range().unwrap_or(0..0), file }
}

/// Why reading stops.
struct Refusal {
    at: Span,
    code: Code,
    message: String,
}

/// A collection that is still open.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<Scalar>,
    anchor: usize,
    /// Of the finished children.
    weight: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    weight: usize,
    mistakes: Vec<(Span, Code, String)>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: &Span) -> Result<(), Refusal> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let weight = text.len() + 1;
                let plain = style == ScalarStyle::Plain;
                self.node(Node::Scalar(Scalar { text: text.into_owned(), plain, at: at.clone() }), anchor, weight)
            }
            Event::SequenceStart(_, anchor, _) => self.start(Node::List(Vec::new(), at.clone()), anchor),
            Event::MappingStart(_, anchor, _) => self.start(Node::Map(Vec::new(), at.clone()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { node, anchor, weight, .. }) => self.finished(node, anchor, weight + 1),
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((_, weight)) if self.weight + weight > MAX_WEIGHT => Err(too_much(at)),
                Some((node, weight)) => {
                    let (node, weight) = (node.clone(), *weight);
                    self.node(node, 0, weight)
                }
                None => Err(Refusal {
                    at: at.clone(),
                    code: Code::Syntax,
                    message: "this alias stands inside what it names".into(),
                }),
            },
            _ => Ok(()),
        }
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), Refusal> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Refusal { at: node.at().clone(), code: Code::TooBig, message });
        }
        self.open.push(Open { node, key: None, anchor, weight: 0 });
        Ok(())
    }

    /// A whole node that nobody weighed yet.
    fn node(&mut self, node: Node, anchor: usize, weight: usize) -> Result<(), Refusal> {
        self.weight += weight;
        if self.weight > MAX_WEIGHT {
            return Err(too_much(node.at()));
        }
        self.finished(node, anchor, weight)
    }

    fn finished(&mut self, node: Node, anchor: usize, weight: usize) -> Result<(), Refusal> {
        if anchor != 0 {
            // The anchor's copy is held as well, so it counts.
            self.weight += weight;
            if self.weight > MAX_WEIGHT {
                return Err(too_much(node.at()));
            }
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(parent) = self.open.last_mut() else {
            if self.root.is_some() {
                let message = "a plan is one document; a second one begins here".into();
                return Err(Refusal { at: node.at().clone(), code: Code::Syntax, message });
            }
            self.root = Some(node);
            return Ok(());
        };
        parent.weight += weight;
        match &mut parent.node {
            Node::List(items, _) => items.push(node),
            Node::Map(entries, _) => match (parent.key.take(), node) {
                (Some(key), value) => entries.push((key, value)),
                (None, Node::Scalar(key)) => parent.key = Some(key),
                (None, other) => {
                    let message = format!("a key is a word, not {}", other.what());
                    self.mistakes.push((other.at().clone(), Code::WrongType, message));
                    parent.key = Some(Scalar { text: String::new(), plain: true, at: other.at().clone() });
                }
            },
            // Scalars are never opened.
            Node::Scalar(_) => {}
        }
        Ok(())
    }
}

fn too_much(at: &Span) -> Refusal {
    let message = format!("with its aliases followed, the plan grows past {MAX_WEIGHT} bytes");
    Refusal { at: at.clone(), code: Code::TooBig, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(source: &[u8]) -> Vec<(u32, u32, Code)> {
        let mut report = Report::new("x", source);
        let tree = read(source, &mut report);
        assert!(tree.is_none());
        report.finish().0.iter().map(|d| (d.line, d.column, d.code)).collect()
    }

    #[test]
    fn on_is_a_word_and_places_are_kept() {
        let source = "a: 1\non:\n  yes: [x, \"é\", *b]\n".replace("*b", "no");
        let mut report = Report::new("x", source.as_bytes());
        let Some(Node::Map(entries, _)) = read(source.as_bytes(), &mut report) else { panic!("a map") };
        assert_eq!(entries[1].0.text, "on");
        let Node::Map(inner, _) = &entries[1].1 else { panic!("a map") };
        assert_eq!((inner[0].0.text.as_str(), inner[0].0.at.line, inner[0].0.at.column), ("yes", 3, 3));
        let Node::List(items, _) = &inner[0].1 else { panic!("a list") };
        assert_eq!((items[2].at().line, items[2].at().column), (3, 17));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut bomb = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
        for level in 1..12 {
            let list = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb += &format!("a{level}: &a{level} [{list}]\n");
        }
        let found = mistakes(bomb.as_bytes());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].2, Code::TooBig);
    }

    #[test]
    fn size_depth_and_encoding_are_bounded() {
        assert_eq!(mistakes(&vec![b'a'; 10 << 20]), [(1, 1, Code::TooBig)]);
        assert_eq!(mistakes(b"dialplan: x\nsay: \xff\n"), [(2, 6, Code::NotUtf8)]);
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(mistakes(deep(100).as_bytes())[0].2, Code::TooBig);
        assert_eq!(mistakes(deep(500_000).as_bytes()).len(), 1);
        assert_eq!(mistakes(b""), [(1, 1, Code::Syntax)]);
        assert_eq!(mistakes(b"a: [1\nb: 2\n")[0].2, Code::Syntax);
        assert_eq!(mistakes(b"a: &x [*x]\n")[0].2, Code::Syntax);
    }
}
