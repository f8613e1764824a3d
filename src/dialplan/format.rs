//! One way of writing a plan: two spaces a level, lists below their key indented too, one space behind `key:` and `-`, no
//! blanks at the ends of lines, at most one empty line in a row. Comments and the author's quotes stay as they are.
//!
//! What comes out means the same: it is read again and compared, and given back unchanged where that fails.

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle};

use super::diagnostic::{Diagnostic, Report};
use super::yaml::{self, Node};

/// Spaces of a level.
const STEP: usize = 2;

/// The file in its one form; its mistakes, where it is not YAML.
pub fn format(source: &[u8], file: &str) -> Result<String, Vec<Diagnostic>> {
    let mut report = Report::new(file, source);
    let Some(before) = yaml::read(source, &mut report) else { return Err(report.finish().0) };
    let text = String::from_utf8_lossy(source).replace("\r\n", "\n");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let once = rewritten(text);
    // What does not settle in two rounds is left as it is.
    let again = rewritten(&once);
    let mut check = Report::new(file, again.as_bytes());
    let same = yaml::read(again.as_bytes(), &mut check).is_some_and(|after| alike(&before, &after));
    Ok(if same && rewritten(&again) == again { again } else { text.to_owned() })
}

/// Whether two trees say the same, wherever that stands.
fn alike(a: &Node, b: &Node) -> bool {
    match (a, b) {
        (Node::Scalar(a), Node::Scalar(b)) => a.text == b.text && a.plain == b.plain,
        (Node::List(a, _), Node::List(b, _)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Node::Map(a, _), Node::Map(b, _)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k.text == l.text && alike(a, b))
        }
        _ => false,
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// A key or an item begins here.
    Structure,
    /// The inside of a scalar or of a collection in brackets: shifted with what it belongs to.
    Inside,
    /// The inside of a block scalar, in which blanks count.
    Block,
}

/// A level of the document.
#[derive(Debug, Clone, Copy)]
struct Level {
    old: usize,
    new: usize,
    list: bool,
}

fn rewritten(text: &str) -> String {
    let kinds = kinds(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut levels: Vec<Level> = Vec::new();
    let mut out: Vec<String> = Vec::new();
    // Comments that wait for the line they stand above.
    let mut waiting: Vec<(usize, &str)> = Vec::new();
    let mut shift = 0_isize;
    for (at, line) in lines.iter().enumerate() {
        let kind = kinds.get(at).copied().unwrap_or(Line::Structure);
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        match kind {
            Line::Block => out.push(shifted(line, shift)),
            Line::Inside if content.trim().is_empty() => out.push(String::new()),
            Line::Inside => out.push(shifted(line.trim_end(), shift)),
            Line::Structure if content.trim().is_empty() => waiting.push((0, "")),
            Line::Structure if content.starts_with('#') => waiting.push((indent, content.trim_end())),
            Line::Structure => {
                let (new, rest) = place(&mut levels, indent, content.trim_end(), &mut shift);
                for (column, comment) in waiting.drain(..) {
                    // A comment explains the line below it, unless it stands at another level's column.
                    let column = if column == indent { new } else { first(&levels, column).unwrap_or(new) };
                    out.push(if comment.is_empty() {
                        String::new()
                    } else {
                        format!("{}{comment}", " ".repeat(column))
                    });
                }
                out.push(format!("{}{rest}", " ".repeat(new)));
            }
        }
    }
    for (column, comment) in waiting {
        let column = first(&levels, column).unwrap_or(0);
        out.push(if comment.is_empty() { String::new() } else { format!("{}{comment}", " ".repeat(column)) });
    }
    joined(&out, &kinds)
}

/// Where the outermost level of a column stands now.
fn first(levels: &[Level], column: usize) -> Option<usize> {
    levels.iter().find(|level| level.old == column).map(|level| level.new)
}

/// Lines joined, without empty ones at the ends or two in a row; those of block scalars count.
fn joined(lines: &[String], kinds: &[Line]) -> String {
    let mut out = String::new();
    let mut empty = true;
    for (at, line) in lines.iter().enumerate() {
        let block = kinds.get(at) == Some(&Line::Block);
        if line.is_empty() && !block {
            if empty {
                continue;
            }
            empty = true;
        } else {
            empty = false;
        }
        out += line;
        out.push('\n');
    }
    let ends_in_block = kinds.last() == Some(&Line::Block);
    if !ends_in_block {
        out.truncate(out.trim_end_matches('\n').len());
        out.push('\n');
    }
    out
}

/// Finds a line's level; its new column, and its text with single spaces behind `-` and `key:`.
fn place(levels: &mut Vec<Level>, indent: usize, content: &str, shift: &mut isize) -> (usize, String) {
    let (mut column, mut rest) = (indent, content);
    let mut text = String::new();
    let mut first = None;
    loop {
        let dash = rest == "-" || rest.starts_with("- ");
        let new = level(levels, column, dash, first.is_some());
        let start = *first.get_or_insert(new);
        if !dash {
            text += &spaced(rest);
            *shift = new as isize - column as isize;
            return (start, text);
        }
        let behind = rest[1..].trim_start_matches(' ');
        if behind.is_empty() || behind.starts_with('#') {
            text += rest;
            *shift = new as isize - column as isize;
            return (start, text);
        }
        text += "- ";
        column += rest.len() - behind.len();
        rest = behind;
        if !(rest == "-" || rest.starts_with("- ") || key_end(rest).is_some()) {
            // A plain item: nothing is nested in it.
            text += rest;
            *shift = (start + text.len() - rest.len()) as isize - column as isize;
            return (start, text);
        }
    }
}

/// The level of a column, made if it is new; its new column.
fn level(levels: &mut Vec<Level>, column: usize, list: bool, on_the_line: bool) -> usize {
    let leaves = |top: &Level| top.old > column || (top.old == column && top.list && !list && !on_the_line);
    while levels.last().is_some_and(leaves) {
        levels.pop();
    }
    if let Some(top) = levels.last()
        && top.old == column
        && top.list == list
    {
        return top.new;
    }
    let new = levels.last().map_or(0, |top| top.new + STEP);
    levels.push(Level { old: column, new, list });
    new
}

/// Where the colon of a line's first key stands, for keys that are one word.
fn key_end(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let end = match quote {
        Some(quote) => {
            let close = text[1..].find(quote)? + 2;
            text[close..].starts_with(':').then_some(close)?
        }
        None => {
            let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '#' | '.')))?;
            (end > 0 && text[end..].starts_with(':')).then_some(end)?
        }
    };
    let behind = &text[end + 1..];
    (behind.is_empty() || behind.starts_with(' ')).then_some(end)
}

/// One space between a key's colon and its value; what stands before a comment is kept.
fn spaced(text: &str) -> String {
    let Some(end) = key_end(text) else { return text.to_owned() };
    let (key, behind) = text.split_at(end + 1);
    let value = behind.trim_start_matches(' ');
    if value.is_empty() || value.starts_with('#') { text.to_owned() } else { format!("{key} {value}") }
}

fn shifted(line: &str, shift: isize) -> String {
    let content = line.trim_start_matches(' ');
    if content.is_empty() {
        // A line of blanks in a block scalar: those beyond its indentation would count.
        return String::new();
    }
    let indent = (line.len() - content.len()).saturating_add_signed(shift);
    format!("{}{content}", " ".repeat(indent))
}

/// What each line is.
fn kinds(text: &str) -> Vec<Line> {
    let mut kinds = vec![Line::Structure; text.lines().count()];
    let mut mark = |from: usize, to: usize, kind: Line| {
        for line in kinds.iter_mut().take(to).skip(from) {
            *line = kind;
        }
    };
    // Lines on which collections in brackets began.
    let mut open: Vec<Option<usize>> = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let (start, end) = (span.start.line(), span.end.line());
        match event {
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                let last = if span.end.col() == 0 { end - 1 } else { end };
                mark(start, last, Line::Block);
            }
            Event::Scalar(..) => mark(start, end, Line::Inside),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let bracket = span.byte_range().and_then(|range| text.as_bytes().get(range.start).copied());
                open.push(matches!(bracket, Some(b'[' | b'{')).then_some(start));
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Some(began)) = open.pop() {
                    mark(began, end, Line::Inside);
                }
            }
            _ => {}
        }
    }
    kinds
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formatted(text: &str) -> String {
        format(text.as_bytes(), "x").unwrap()
    }

    #[test]
    fn levels_are_two_spaces_and_comments_stay_with_what_they_explain() {
        let ugly = "# the plan\r\ndialplan:   x   \n\n\n\nstart: a   # here\nstates:\n    # the first\n    a:\n        steps:\n        - say:  Hello.\n        -   listen:\n             - One.   \n             - Two.\n        # what follows\n        on:\n            1:   a\n# the end\n\n";
        let neat = "# the plan\ndialplan: x\n\nstart: a   # here\nstates:\n  # the first\n  a:\n    steps:\n      - say: Hello.\n      - listen:\n          - One.\n          - Two.\n    # what follows\n    on:\n      1: a\n# the end\n";
        assert_eq!(formatted(ugly), neat);
        assert_eq!(formatted(neat), neat);
    }

    #[test]
    fn texts_over_several_lines_keep_their_words_and_blanks() {
        let text = "states:\n     a:\n         steps:\n              - say: >\n                  Hello,\n\n                    you.\n              - say: one\n                  two\n              - {say: x,\n                 when: y}\n              - end:\n";
        let out = formatted(text);
        assert!(out.contains("  a:\n    steps:\n      - say: >\n"), "{out}");
        let tree = |text: &str| yaml::read(text.as_bytes(), &mut Report::new("x", text.as_bytes())).unwrap();
        assert!(alike(&tree(text), &tree(&out)), "{out}");
        assert_eq!(formatted(&out), out);
    }

    #[test]
    fn what_is_no_yaml_is_told_and_not_touched() {
        assert!(!format(b"a: [", "x").unwrap_err().is_empty());
        assert!(!format(b"\xff", "x").unwrap_err().is_empty());
    }

    #[test]
    fn the_template_is_written_as_it_should_be() {
        let plan = include_str!("../cli/new/dialplan.yaml");
        assert_eq!(formatted(plan), plan);
    }

    proptest! {
        #[test]
        fn formatting_twice_is_formatting_once(lines in prop::collection::vec("( {0,6})(- )?([a-c]: ?)?(#? ?[a-d]{0,3}|\\[a, b\\]|>)?", 0..14)) {
            let text = lines.join("\n");
            if let Ok(once) = format(text.as_bytes(), "x") {
                let tree = |text: &str| yaml::read(text.as_bytes(), &mut Report::new("x", text.as_bytes()));
                prop_assert!(alike(&tree(&text).unwrap(), &tree(&once).unwrap()));
                prop_assert_eq!(format(once.as_bytes(), "x").unwrap(), once);
                let comments = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
                prop_assert_eq!(comments(&text), comments(&format(text.as_bytes(), "x").unwrap()));
            }
        }
    }
}
