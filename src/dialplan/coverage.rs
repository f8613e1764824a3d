//! How much of a plan its scenarios have been through: states, ways from state to state, prompts.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::plan::{Plan, Words};
use super::script::Script;
use super::ways::End;

/// What has been covered so far, over any number of calls.
#[derive(Debug)]
pub struct Coverage {
    plan: Arc<Plan>,
    states: BTreeSet<usize>,
    ways: BTreeSet<(usize, End)>,
    prompts: HashSet<usize>,
}

/// The whole report.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Covered {
    /// States that were entered.
    pub states: Part,
    /// Ways that were taken, from a state to a state, a human or the end.
    pub transitions: Part,
    /// Texts that were said: every wording and every mood counts for itself.
    pub prompts: Part,
}

/// One kind of thing.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Part {
    /// So many were covered.
    pub covered: usize,
    /// Of so many.
    pub total: usize,
    /// The others, in words.
    pub missing: Vec<String>,
}

impl Part {
    /// In per cent; 100 where there is nothing to cover.
    pub fn percent(&self) -> f64 {
        if self.total == 0 { 100.0 } else { 100.0 * self.covered as f64 / self.total as f64 }
    }

    fn of(all: impl Iterator<Item = (bool, String)>) -> Self {
        let mut part = Self { covered: 0, total: 0, missing: Vec::new() };
        for (covered, name) in all {
            part.total += 1;
            if covered {
                part.covered += 1;
            } else {
                part.missing.push(name);
            }
        }
        part
    }
}

impl Covered {
    /// The least of the three, per cent: what a threshold is held against.
    pub fn least(&self) -> f64 {
        [&self.states, &self.transitions, &self.prompts].map(Part::percent).into_iter().fold(100.0, f64::min)
    }
}

impl Coverage {
    /// Nothing yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, states: BTreeSet::new(), ways: BTreeSet::new(), prompts: HashSet::new() }
    }

    /// A call went through these, in this order: its states by name, and where it ended.
    pub fn went<'n>(&mut self, states: impl Iterator<Item = &'n str>, ends: impl Iterator<Item = End>) {
        let mut before = None;
        for state in states {
            let Some(at) = self.plan.state_index(state) else { continue };
            self.states.insert(at);
            if let Some(before) = before {
                self.ways.insert((before, End::State(at)));
            }
            before = Some(at);
        }
        if let Some(before) = before {
            self.ways.extend(ends.map(|end| (before, end)));
        }
    }

    /// What a call's script said; it must have been [watched](Script::watch), and have run the plan given to
    /// [`Coverage::new`].
    pub fn said(&mut self, script: &Script) {
        self.prompts.extend(script.watched());
    }

    /// The report.
    pub fn report(&self) -> Covered {
        let plan = &self.plan;
        let name = |at: usize| plan.states[at].name.as_str();
        let states = (0..plan.states.len()).map(|at| (self.states.contains(&at), name(at).to_owned()));
        // Two reasons for one way are one transition: a call's record shows where it went, not why.
        let mut ways: BTreeMap<(Option<usize>, End), Vec<String>> = BTreeMap::new();
        for way in plan.ways() {
            ways.entry((way.from, way.to)).or_default().push(way.by);
        }
        let transitions = ways.iter().map(|((from, to), by)| {
            let taken = match from {
                Some(from) => self.ways.contains(&(*from, to.clone())),
                None => self.ways.iter().any(|(_, taken)| taken == to),
            };
            let to = match to {
                End::State(to) => name(*to).to_owned(),
                End::Human(to) => to.clone(),
                End::Line(number) => format!("the line of {number}"),
                End::Over => "the end".into(),
            };
            let by = by.iter().filter(|by| !by.is_empty()).cloned().collect::<Vec<_>>().join(", or ");
            let by = if by.is_empty() { String::new() } else { format!(" ({by})") };
            (taken, format!("{} -> {to}{by}", from.map_or("any state", name)))
        });
        let prompts = plan.prompts().into_iter().map(|(place, words)| {
            let said = self.prompts.contains(&std::ptr::from_ref(words).addr());
            (said, format!("{place}: {}", plan.source_of(words)))
        });
        Covered { states: Part::of(states), transitions: Part::of(transitions), prompts: Part::of(prompts) }
    }
}

impl Plan {
    /// Every text that may be said, with where it stands.
    pub(super) fn prompts(&self) -> Vec<(String, &Words)> {
        let mut found: Vec<(String, &Words)> = Vec::new();
        found.extend(self.consent.iter().map(|words| ("consent".to_owned(), words)));
        found.extend(self.emotion_notice.iter().map(|words| ("emotion_notice".to_owned(), words)));
        for state in &self.states {
            let words = state.steps.iter().flat_map(|guarded| guarded.step.words());
            found.extend(words.map(|words| (format!("state {}", state.name), words)));
        }
        let rules = self.rules.iter().filter_map(|rule| Some((rule, rule.say.as_ref()?)));
        found.extend(rules.map(|(rule, say)| (format!("handover to {}", rule.to), say)));
        let slots = self.slots.iter().zip(&self.validity);
        let invalid = slots.filter_map(|(slot, validity)| Some((slot, validity.invalid.as_ref()?)));
        found.extend(invalid.map(|(slot, words)| (format!("slot {} not valid", slot.name), words)));
        for entry in &self.knowledge {
            let question = entry.questions.first().map_or("", String::as_str);
            found.extend(entry.answers.iter().map(|answer| (format!("knowledge \"{question}\""), answer)));
        }
        found
    }

    /// A text as its author wrote it.
    pub(super) fn source_of(&self, words: &Words) -> String {
        match words {
            Words::Plain(text) => text.clone(),
            Words::Template { id, .. } => self.templates.source(id),
        }
    }
}
