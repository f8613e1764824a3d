//! The picture as SVG 1.1.

use std::fmt::Write;

use super::super::ways::{End, Kind};
use super::{Node, Picture, layout};

/// Of a box, and between boxes, in pixels.
const WIDTH: f64 = 170.0;
const HEIGHT: f64 = 46.0;
const BESIDE: f64 = 50.0;
const BELOW: f64 = 84.0;
const MARGIN: f64 = 30.0;
/// Characters of a title that fit in a box.
const TITLE: usize = 24;

const STYLE: &str = "text{font:12px system-ui,sans-serif;text-anchor:middle}.small{font-size:10px;fill:#555}\
.box{fill:#f4f7fb;stroke:#3b5b80}.start{stroke-width:2.5}.human{fill:#eef8ee;stroke:#3b803b}.over{fill:#eee;stroke:#777}\
.anywhere{fill:#fff;stroke:#999;stroke-dasharray:4 3}.way{fill:none;stroke:#8795a8}.failure,.rule{stroke-dasharray:5 4}\
.rule{stroke:#3b803b}.used{stroke:#2b5fa0}.label{font-size:10px;fill:#333;paint-order:stroke;stroke:#fff;stroke-width:3px}";

pub(super) fn draw(picture: &Picture<'_>) -> String {
    let rows = layout::rows(picture);
    let widest = rows.iter().map(Vec::len).max().unwrap_or(1).max(1) as f64;
    let total = (
        widest * (WIDTH + BESIDE) - BESIDE + 2.0 * MARGIN,
        rows.len() as f64 * (HEIGHT + BELOW) - BELOW + 2.0 * MARGIN,
    );
    let mut at = vec![(0.0, 0.0); picture.nodes.len()];
    for (line, row) in rows.iter().enumerate() {
        let wide = row.len() as f64 * (WIDTH + BESIDE) - BESIDE;
        for (column, node) in row.iter().enumerate() {
            let x = (total.0 - wide) / 2.0 + column as f64 * (WIDTH + BESIDE) + WIDTH / 2.0;
            at[*node] = (x, MARGIN + line as f64 * (HEIGHT + BELOW) + HEIGHT / 2.0);
        }
    }
    let (width, height) = total;
    let name = escaped(&picture.plan.name);
    // Writing to a String cannot fail.
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
<title>{name}</title>\n<style>{STYLE}</style>\n\
<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0,0 8,4 0,8z\" fill=\"#8795a8\"/></marker></defs>\n\
<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let most = picture.arrows.iter().filter_map(|arrow| arrow.count).max().unwrap_or(0).max(1);
    let mut labels = String::new();
    for arrow in &picture.arrows {
        let kind = match arrow.kind {
            Kind::Answer | Kind::Step => "",
            Kind::Failure => " failure",
            Kind::Rule => " rule",
        };
        let count = arrow.count.unwrap_or(0);
        let used = if count > 0 { " used" } else { "" };
        let thick = 1.0 + 4.0 * f64::from(count) / f64::from(most);
        let (path, middle) = curve(at[arrow.from], at[arrow.to]);
        let _ = writeln!(
            out,
            "<path class=\"way{kind}{used}\" stroke-width=\"{thick:.1}\" marker-end=\"url(#tip)\" d=\"{path}\"/>"
        );
        if !arrow.label.is_empty() {
            let _ = writeln!(
                labels,
                "<text class=\"label\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                middle.0,
                middle.1,
                escaped(&arrow.label)
            );
        }
    }
    for (index, node) in picture.nodes.iter().enumerate() {
        boxed(&mut out, picture, node, at[index]);
    }
    out + &labels + "</svg>\n"
}

fn boxed(out: &mut String, picture: &Picture<'_>, node: &Node, (x, y): (f64, f64)) {
    let class = match node {
        Node::Anywhere => "box anywhere",
        Node::To(End::Human(_) | End::Line(_)) => "box human",
        Node::To(End::Over) => "box over",
        Node::To(End::State(_)) if picture.is_start(node) => "box start",
        Node::To(End::State(_)) => "box",
    };
    let used = picture.state_use(node);
    let trouble = used.map_or(0.0, super::StateUse::trouble);
    let pale = (255.0 - 120.0 * trouble) as u8;
    let fill = if trouble > 0.0 { format!(" style=\"fill:#ff{pale:02x}{pale:02x}\"") } else { String::new() };
    let title = picture.title(node);
    let shown: String = match title.chars().count() {
        n if n > TITLE => title.chars().take(TITLE - 1).chain(['…']).collect(),
        _ => title,
    };
    let words = used.map(|used| used.words()).unwrap_or_default();
    let (left, top) = (x - WIDTH / 2.0, y - HEIGHT / 2.0);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\"{fill} x=\"{left:.0}\" y=\"{top:.0}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"7\"/>"
    );
    let line = if words.is_empty() { y + 4.0 } else { y - 2.0 };
    let _ = writeln!(out, "<text x=\"{x:.0}\" y=\"{line:.0}\">{}</text>", escaped(&shown));
    if !words.is_empty() {
        let _ = writeln!(out, "<text class=\"small\" x=\"{x:.0}\" y=\"{:.0}\">{}</text>", y + 13.0, escaped(&words));
    }
}

/// From box to box, and where its label stands: down and straight, up and around, or back into the same box.
fn curve(from: (f64, f64), to: (f64, f64)) -> (String, (f64, f64)) {
    let half = HEIGHT / 2.0;
    if from == to {
        let (x, y) = (from.0 + WIDTH / 2.0, from.1);
        let (r, d) = (x + 34.0, 16.0);
        return (
            format!("M{x:.0},{:.0} C{r:.0},{:.0} {r:.0},{:.0} {x:.0},{:.0}", y - d, y - d, y + d, y + d),
            (r + 6.0, y),
        );
    }
    if to.1 > from.1 {
        let (y1, y2) = (from.1 + half, to.1 - half);
        let bend = (y2 - y1) * 0.45;
        let path = format!(
            "M{:.0},{y1:.0} C{:.0},{:.0} {:.0},{:.0} {:.0},{y2:.0}",
            from.0,
            from.0,
            y1 + bend,
            to.0,
            y2 - bend,
            to.0
        );
        return (path, ((from.0 + to.0) / 2.0, (y1 + y2) / 2.0));
    }
    // Beside the boxes, so that the way back does not lie on the way there.
    let side = if to.0 >= from.0 { 1.0 } else { -1.0 };
    let (x1, x2) = (from.0 + side * WIDTH / 2.0, to.0 + side * WIDTH / 2.0);
    let out = x1.max(x2) * f64::from(side > 0.0) + x1.min(x2) * f64::from(side < 0.0) + side * 42.0;
    let path = format!("M{x1:.0},{:.0} C{out:.0},{:.0} {out:.0},{:.0} {x2:.0},{:.0}", from.1, from.1, to.1, to.1);
    (path, ((x1 + x2 + 2.0 * out) / 4.0, (from.1 + to.1) / 2.0 + 12.0 * side))
}

/// As XML 1.0 takes it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
