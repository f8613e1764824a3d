//! A plan as a picture: Mermaid for documents, SVG for eyes. With the use that calls made of it laid over, it shows where
//! callers went, waited, gave up and grew angry.

mod layout;
mod mermaid;
mod svg;

use std::collections::BTreeMap;

use super::plan::Plan;
use super::ways::{End, Kind, Way};

/// What calls made of a plan, by the names of its states.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Use {
    /// Calls that were counted.
    pub calls: usize,
    /// By state.
    pub states: BTreeMap<String, StateUse>,
    /// How often a call went from one state to another.
    pub ways: BTreeMap<String, BTreeMap<String, u32>>,
    /// How often a call was handed over from a state.
    pub handed_over: BTreeMap<String, u32>,
}

/// What happened in a state.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct StateUse {
    /// It was entered so often.
    pub entered: u32,
    /// Time spent there over all calls, ms.
    pub time_ms: u64,
    /// Callers who hung up there.
    pub gave_up: u32,
    /// Turns whose frustration was high.
    pub angry: u32,
}

impl StateUse {
    /// Seconds spent here each time.
    pub fn mean_seconds(&self) -> f64 {
        if self.entered == 0 { 0.0 } else { self.time_ms as f64 / 1e3 / f64::from(self.entered) }
    }

    /// In a few words; empty when nobody came here.
    fn words(&self) -> String {
        if self.entered == 0 {
            return String::new();
        }
        let mut parts = vec![format!("{}×, {:.0} s", self.entered, self.mean_seconds())];
        if self.gave_up > 0 {
            parts.push(format!("{} gave up", self.gave_up));
        }
        if self.angry > 0 {
            parts.push(format!("{} angry", self.angry));
        }
        parts.join(", ")
    }

    /// Share of the callers for whom it went badly here, 0..1.
    fn trouble(&self) -> f64 {
        if self.entered == 0 { 0.0 } else { (f64::from(self.gave_up + self.angry) / f64::from(self.entered)).min(1.0) }
    }
}

/// A node of the picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// Where the ways begin that leave every state.
    Anywhere,
    To(End),
}

/// The picture's nodes and arrows, both forms' common ground.
struct Picture<'a> {
    plan: &'a Plan,
    used: Option<&'a Use>,
    nodes: Vec<Node>,
    arrows: Vec<Arrow>,
}

struct Arrow {
    from: usize,
    to: usize,
    label: String,
    kind: Kind,
    /// How often it was taken, where that is known.
    count: Option<u32>,
}

/// Longest label of an arrow, characters.
const LABEL: usize = 36;

impl<'a> Picture<'a> {
    fn new(plan: &'a Plan, used: Option<&'a Use>) -> Self {
        let mut nodes: Vec<Node> = (0..plan.states.len()).map(|at| Node::To(End::State(at))).collect();
        let mut arrows: Vec<Arrow> = Vec::new();
        let mut place = |node: Node| {
            nodes.iter().position(|known| *known == node).unwrap_or_else(|| {
                nodes.push(node);
                nodes.len() - 1
            })
        };
        for Way { from, to, by, kind } in plan.ways() {
            let count = used.and_then(|used| {
                let from = plan.states.get(from?)?.name.as_str();
                match &to {
                    End::State(to) => Some(taken(used.ways.get(from), &plan.states[*to].name)),
                    End::Human(_) => Some(used.handed_over.get(from).copied().unwrap_or(0)),
                    End::Line(_) | End::Over => None,
                }
            });
            let from = place(from.map_or(Node::Anywhere, |at| Node::To(End::State(at))));
            let to = place(Node::To(to));
            // Several reasons for the same way are one arrow.
            match arrows.iter_mut().find(|arrow| arrow.from == from && arrow.to == to) {
                Some(arrow) if !by.is_empty() && !arrow.label.contains(&by) => {
                    arrow.label += if arrow.label.is_empty() { "" } else { "; " };
                    arrow.label += &by;
                }
                Some(_) => {}
                None => arrows.push(Arrow { from, to, label: by, kind, count }),
            }
        }
        for arrow in &mut arrows {
            if arrow.label.chars().count() > LABEL {
                arrow.label = arrow.label.chars().take(LABEL - 1).chain(['…']).collect();
            }
            if let Some(count) = arrow.count.filter(|count| *count > 0) {
                arrow.label = format!("{count}× {}", arrow.label).trim_end().to_owned();
            }
        }
        Self { plan, used, nodes, arrows }
    }

    fn title(&self, node: &Node) -> String {
        match node {
            Node::Anywhere => "in any state".into(),
            Node::To(End::State(at)) => self.plan.states[*at].name.clone(),
            Node::To(End::Human(target)) => target.clone(),
            Node::To(End::Line(number)) => format!("line {number}"),
            Node::To(End::Over) => "end".into(),
        }
    }

    fn state_use(&self, node: &Node) -> Option<&StateUse> {
        let Node::To(End::State(at)) = node else { return None };
        self.used?.states.get(&self.plan.states[*at].name)
    }

    fn is_start(&self, node: &Node) -> bool {
        *node == Node::To(End::State(self.plan.start))
    }
}

fn taken(ways: Option<&BTreeMap<String, u32>>, to: &str) -> u32 {
    ways.and_then(|ways| ways.get(to)).copied().unwrap_or(0)
}

impl Plan {
    /// The plan as a Mermaid flowchart.
    pub fn mermaid(&self, used: Option<&Use>) -> String {
        mermaid::draw(&Picture::new(self, used))
    }

    /// The plan as an SVG picture: one file, no script, nothing fetched.
    pub fn svg(&self, used: Option<&Use>) -> String {
        svg::draw(&Picture::new(self, used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::load;

    fn plan(source: &str) -> Plan {
        load(source.as_bytes(), "x").plan.unwrap()
    }

    const PLAN: &str = "dialplan: x\nintents: {film: [what is on]}\nhandover: [{when: misses >= 3, to: 'queue:box'}]\nstart: hello\nstates:\n  hello: {steps: [{listen: 'A & \"c\"?'}], on: {film: {to: film, key: 1}, no: bye}}\n  film: {steps: [{say: Casablanca.}, {goto: hello}]}\n  bye: {steps: [{end: }]}\n";

    #[test]
    fn both_pictures_hold_every_state_and_every_way() {
        let plan = plan(PLAN);
        let mermaid = plan.mermaid(None);
        for part in ["flowchart TD", "hello", "film, key 1", "queue:box", "misses #gt;= 3", "in any state"] {
            assert!(mermaid.contains(part), "{part}: {mermaid}");
        }
        let svg = plan.svg(None);
        for part in ["<svg ", ">hello<", ">film, key 1<", ">queue:box<", "misses &gt;= 3", ">end<", "</svg>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(svg.matches("class=\"way").count(), plan_arrows(&plan));
    }

    fn plan_arrows(plan: &Plan) -> usize {
        Picture::new(plan, None).arrows.len()
    }

    #[test]
    fn use_is_laid_over() {
        let plan = plan(PLAN);
        let mut used = Use { calls: 3, ..Use::default() };
        used.states.insert("hello".into(), StateUse { entered: 4, time_ms: 20_000, gave_up: 1, angry: 2 });
        used.ways.entry("hello".into()).or_default().insert("film".into(), 2);
        for drawn in [plan.mermaid(Some(&used)), plan.svg(Some(&used))] {
            for part in ["4×, 5 s", "1 gave up", "2 angry", "2× film, key 1"] {
                assert!(drawn.contains(part), "{part}: {drawn}");
            }
        }
    }

    #[test]
    fn five_hundred_states_are_drawn() {
        let mut source = String::from("dialplan: x\nstart: s0\nstates:\n");
        for at in 0..500 {
            source += &format!(
                "  s{at}: {{steps: [{{listen: Hm?}}], on: {{1: s{}, 2: s{}}}}}\n",
                (at * 7 + 1) % 500,
                (at + 1) % 500
            );
        }
        let svg = plan(&source).svg(None);
        assert!(svg.len() > 100_000 && !svg.contains("NaN"), "{}", svg.len());
    }
}
