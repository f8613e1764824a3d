//! Where a call can go: states that nothing leads to, that lead nowhere, or that go round for ever; slots and intents
//! that are used without being filled, or never used.

use std::collections::HashSet;

use super::super::diagnostic::Code;
use super::super::plan::{Condition, Confirmation, Guarded, Shared, SlotKind, State, Step, ToolKind};
use super::super::raw::RawRoute;
use super::Compiler;

impl<'a> Compiler<'a, '_> {
    pub(super) fn flow(&mut self, shared: &Shared, states: &[State]) {
        // A step that was refused is missing among the steps: what follows from its absence would be noise.
        let whole = |at: usize| self.raw.states[at].whole && states[at].steps.len() == self.raw.states[at].steps.len();
        let whole: Vec<bool> = (0..states.len()).map(whole).collect();
        for (at, state) in states.iter().enumerate().filter(|(at, _)| whole[*at]) {
            self.ends(at, state);
        }
        self.loops(states);
        if whole.iter().all(|whole| *whole)
            && self.raw.start.as_ref().is_some_and(|s| self.states.contains_key(s.text.as_str()))
        {
            self.reach(shared, states);
        }
        self.slots_filled(states);
        self.intents_used();
        self.shadows(shared, states);
    }

    /// A rule comes before the ways on: a way on for what a rule puts through whenever it is heard is hardly ever gone.
    fn shadows(&mut self, shared: &Shared, states: &[State]) {
        let raw = self.raw;
        let mut found = Vec::new();
        let mut look = |on: &'a [RawRoute], rules: &mut dyn Iterator<Item = &usize>| {
            let always: Vec<usize> = rules.flat_map(|rule| always_heard(&self.rules[*rule].when)).copied().collect();
            let intent = |route: &&RawRoute| self.intents.get(route.trigger.text.trim()).copied();
            found.extend(on.iter().filter(|route| intent(route).is_some_and(|intent| always.contains(&intent))));
        };
        look(&raw.shared.on, &mut shared.rules.iter());
        for (written, state) in raw.states.iter().zip(states) {
            look(&written.shared.on, &mut state.shared.rules.iter().chain(&shared.rules));
        }
        let mut told = HashSet::new();
        // What a sub-plan's states share is one line.
        found.retain(|route| told.insert((route.trigger.at.file, route.trigger.at.line, route.trigger.at.column)));
        for RawRoute { trigger, .. } in found {
            let message = format!("a handover rule takes `{}` before this line does", trigger.text.trim());
            let help = "the rule puts the caller through whenever it is heard; for a key alone write `0: STATE`";
            self.report.warning(&trigger.at, Code::ShadowedWay, message, help);
        }
    }

    /// A state must not run off its end, and nothing may stand behind a step that never comes back.
    fn ends(&mut self, at: usize, state: &State) {
        let raw = &self.raw.states[at];
        if let Some(last) = state.steps.iter().position(leaves) {
            if let Some(behind) = raw.steps.get(last + 1) {
                let help = "the step before it never comes back; a `when` on that one would let it";
                self.report.warning(&behind.at, Code::UnreachableStep, "this step is never reached", help);
            }
            return;
        }
        let transfers = state
            .steps
            .iter()
            .any(|g| g.when.is_none() && matches!(g.step, Step::Transfer { .. } | Step::Switch { .. }));
        if !transfers {
            let message = format!("the state `{}` can run off its end", state.name);
            let help = "let it listen, go to a state, transfer or end, in a step without `when`";
            self.report.error_help(&raw.name.at, Code::DeadEnd, message, help);
        }
    }

    /// States that certainly go on to each other without waiting for the caller.
    fn loops(&mut self, states: &[State]) {
        let next: Vec<Option<usize>> = states.iter().map(|state| certain_next(&state.steps)).collect();
        // 0: not seen; otherwise the number of the walk that saw it.
        let mut seen = vec![0usize; states.len()];
        for first in 0..states.len() {
            let mut at = first;
            while seen[at] == 0 {
                seen[at] = first + 1;
                match next[at] {
                    Some(to) => at = to,
                    None => break,
                }
            }
            // A walk that met itself stopped on a cycle.
            if next[at].is_some() && seen[at] == first + 1 {
                let message = format!("from the state `{}` the call goes round without ever waiting", states[at].name);
                let help = "listen or ask somewhere on the way";
                self.report.error_help(&self.raw.states[at].name.at, Code::EndlessLoop, message, help);
            }
        }
    }

    fn reach(&mut self, shared: &Shared, states: &[State]) {
        let mut reached = vec![false; states.len()];
        let start = self.raw.start.as_ref().and_then(|start| self.states.get(start.text.as_str()).copied());
        let mut open: Vec<usize> = start.into_iter().chain(shared.routes.iter().map(|route| route.to)).collect();
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut reached[at], true) {
                continue;
            }
            let state = &states[at];
            open.extend(state.otherwise);
            open.extend(state.shared.routes.iter().map(|route| route.to));
            let end = state.steps.iter().position(leaves).map_or(state.steps.len(), |last| last + 1);
            open.extend(state.steps[..end].iter().flat_map(|guarded| goes_to(&guarded.step)));
        }
        // The second of two states of one name has been reported as that.
        let first = |at: &usize| self.states.get(states[*at].name.as_str()) == Some(at);
        let unreached: Vec<usize> = (0..states.len()).filter(|at| !reached[*at]).filter(first).collect();
        for at in unreached {
            let message = format!("nothing leads to the state `{}`", states[at].name);
            let help = "go to it from somewhere, or take it out";
            self.report.warning(&self.raw.states[at].name.at, Code::UnreachableState, message, help);
        }
    }

    fn slots_filled(&mut self, states: &[State]) {
        let mut asked = vec![false; self.built_slots.len()];
        let mut confirmed = vec![false; self.built_slots.len()];
        for guarded in states.iter().flat_map(|state| &state.steps) {
            if let Step::Ask(ask) = &guarded.step {
                let summed_up = !matches!(ask.summary, Confirmation::No);
                for item in &ask.items {
                    asked[item.slot] = true;
                    confirmed[item.slot] |= summed_up || !matches!(item.confirm, Confirmation::No);
                }
            }
        }
        for used in std::mem::take(&mut self.slot_uses) {
            let slot = &self.built_slots[used.slot];
            // A message is what was said, and not a value that could be wrong.
            let certain = matches!(slot.kind, SlotKind::YesNo | SlotKind::Choice(_) | SlotKind::Text);
            if !asked[used.slot] {
                let message = format!("nobody asks for the slot `{}`", slot.name);
                self.report.warning(&used.at, Code::UnaskedSlot, message, "add an `ask` for it before");
            } else if used.in_fetch && !confirmed[used.slot] && !certain {
                let message = format!("`{}` is sent without having been confirmed", slot.name);
                self.report.warning(&used.at, Code::UnconfirmedSlot, message, "add `confirm: true` to its `ask`");
            }
        }
    }

    fn intents_used(&mut self) {
        for (at, (name, _)) in self.raw.intents.iter().enumerate() {
            if !self.used_intents.contains(&at) && self.intents.get(name.text.as_str()) == Some(&at) {
                let message = format!("the intent `{}` leads nowhere", name.text);
                let help = "name it under `on`, or in a condition as heard(\"…\")";
                self.report.warning(&name.at, Code::UnusedIntent, message, help);
            }
        }
    }
}

/// Intents at which a condition holds, whatever else is: those of one that only joins by `or`.
fn always_heard(when: &Condition) -> &[usize] {
    let plain = |word: &str| !matches!(word, "and" | "not" | "if" | "else");
    if when.source.split(|c: char| !c.is_alphanumeric()).all(plain) { &when.heard } else { &[] }
}

/// Whether nothing behind this step is ever run. A transfer comes back when nobody takes it.
fn leaves(guarded: &Guarded) -> bool {
    guarded.when.is_none() && matches!(guarded.step, Step::Listen { .. } | Step::Goto(_) | Step::Return | Step::End)
}

/// Where a step may go by itself.
fn goes_to(step: &Step) -> Vec<usize> {
    match step {
        Step::Goto(to) | Step::Call(to) => vec![*to],
        Step::Ask(ask) => ask.failed.into_iter().collect(),
        Step::Fetch(fetch) => fetch.failed.into_iter().collect(),
        Step::Transfer { failed, .. } | Step::Switch { failed, .. } => failed.iter().copied().collect(),
        Step::Think(thinking) => {
            let tools = thinking.tools.iter().filter_map(|(_, tool)| match tool.kind {
                ToolKind::Goto(to) => Some(to),
                ToolKind::Fetch(_) => None,
            });
            tools.chain(thinking.failed).collect()
        }
        Step::Callback(callback) => [callback.to].into_iter().chain(callback.failed).collect(),
        Step::Voicemail(voicemail) => voicemail.empty.into_iter().chain(voicemail.failed).collect(),
        Step::Say { .. } | Step::Play { .. } | Step::Listen { .. } | Step::Set(_) => Vec::new(),
        Step::Keep(_) | Step::Forget(_) | Step::Return | Step::Notify(_) | Step::End => Vec::new(),
    }
}

/// Where the steps go for certain, whatever the caller does; a fetch is no wait for the caller.
fn certain_next(steps: &[Guarded]) -> Option<usize> {
    for guarded in steps {
        match (&guarded.step, &guarded.when) {
            (Step::Say { .. } | Step::Play { .. } | Step::Set(_) | Step::Keep(_) | Step::Forget(_), _) => {}
            (Step::Fetch(_) | Step::Notify(_) | Step::Callback(_) | Step::Think(_), _) => {}
            (Step::Goto(to) | Step::Call(to), None) => return Some(*to),
            _ => return None,
        }
    }
    None
}
