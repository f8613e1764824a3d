//! What a turn means where the script stands.

use std::sync::Arc;

use super::super::plan::{Ask, Plan, Route, SlotKind, Step, Trigger};
use super::walk::{Pause, Script, Wait};
use super::{Expect, Heard, Input, Listen};

/// Up to so many words, "no" is an answer rather than the beginning of one.
const SHORT_ANSWER: usize = 3;

/// What was meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Something that leads to a state.
    Route(usize),
    /// A value for the slot that was asked for.
    Value(String),
    Yes,
    No,
    /// A question that is answered on the spot.
    Knowledge(usize),
    /// No input, or no match.
    Nothing,
}

impl Script {
    pub(super) fn understand(&mut self, pause: Pause, input: Input) -> Meaning {
        self.meant = None;
        match input {
            Input::Heard(heard) => {
                self.remember_words(&heard.text);
                match pause {
                    Pause::Listening { .. } => self.heard_listening(&heard),
                    Pause::Asking { confirming, .. } => self.heard_asking(&heard, confirming),
                }
            }
            Input::Keys(keys) => {
                self.remember_words("");
                match pause {
                    Pause::Listening { .. } => self.keys_listening(&keys),
                    Pause::Asking { confirming, .. } => self.keys_asking(&keys, confirming),
                }
            }
            _ => Meaning::Nothing,
        }
    }

    /// While a human is on offer: yes and no are about that.
    pub(super) fn understand_offer(&mut self, pause: Pause, input: Input) -> Meaning {
        self.meant = None;
        match &input {
            Input::Heard(heard) if heard.intent.is_none() || short(heard) => match heard.yes_no {
                Some(true) => Meaning::Yes,
                Some(false) => Meaning::No,
                None => self.understand(pause, input),
            },
            Input::Keys(keys) if keys == "1" => Meaning::Yes,
            Input::Keys(keys) if keys == "2" => Meaning::No,
            _ => self.understand(pause, input),
        }
    }

    fn heard_listening(&mut self, heard: &Heard) -> Meaning {
        self.meant = heard.intent.map(|(intent, _)| intent).filter(|intent| *intent < self.plan.intents.len());
        let yes_no = heard.yes_no.and_then(|yes| self.route(if yes { Trigger::Yes } else { Trigger::No }));
        let intent = self.meant.and_then(|intent| self.route(Trigger::Intent(intent)));
        match (intent, yes_no) {
            (_, Some(route)) if short(heard) => {
                self.meant = None;
                return Meaning::Route(route.to);
            }
            (Some(route), _) if !self.knowledge_wins(heard) => return Meaning::Route(route.to),
            (None, Some(route)) => return Meaning::Route(route.to),
            _ => {}
        }
        self.knowledge(heard)
    }

    fn heard_asking(&mut self, heard: &Heard, confirming: bool) -> Meaning {
        let Some(ask) = self.asking() else { return Meaning::Nothing };
        let slot = &self.plan.slots[ask.slot];
        let said = match slot.kind {
            SlotKind::YesNo if heard.slot.is_none() => heard.yes_no.map(|yes| if yes { "yes" } else { "no" }),
            _ => heard.slot.as_deref(),
        };
        let value = said.and_then(|value| slot.accept(value));
        match (confirming, value, heard.yes_no) {
            // "No, it ends in nine": the new value is read back in its turn.
            (true, Some(value), Some(false)) if slot.kind != SlotKind::YesNo => return Meaning::Value(value),
            (true, _, Some(true)) => return Meaning::Yes,
            (true, _, Some(false)) => return Meaning::No,
            (_, Some(value), _) => return Meaning::Value(value),
            _ => {}
        }
        self.meant = heard.intent.map(|(intent, _)| intent).filter(|intent| *intent < self.plan.intents.len());
        let route = self.meant.and_then(|intent| self.route(Trigger::Intent(intent)));
        match route {
            Some(route) if !self.knowledge_wins(heard) => Meaning::Route(route.to),
            _ => self.knowledge(heard),
        }
    }

    fn keys_listening(&mut self, keys: &str) -> Meaning {
        let mut typed = keys.chars();
        let (Some(key), None) = (typed.next(), typed.next()) else { return Meaning::Nothing };
        let Some(route) = self.route(Trigger::Key(key)) else { return Meaning::Nothing };
        self.meant = route.intent;
        Meaning::Route(route.to)
    }

    fn keys_asking(&self, keys: &str, confirming: bool) -> Meaning {
        let Some(ask) = self.asking() else { return Meaning::Nothing };
        match (confirming, keys) {
            (true, "1") => return Meaning::Yes,
            (true, "2") => return Meaning::No,
            _ => {}
        }
        self.plan.slots[ask.slot].accept_keys(keys).map_or(Meaning::Nothing, Meaning::Value)
    }

    fn knowledge(&self, heard: &Heard) -> Meaning {
        match heard.knowledge {
            Some((entry, _)) if self.known().any(|known| known == entry) => Meaning::Knowledge(entry),
            _ => Meaning::Nothing,
        }
    }

    fn knowledge_wins(&self, heard: &Heard) -> bool {
        let answered = matches!(self.knowledge(heard), Meaning::Knowledge(_));
        let score = |found: Option<(usize, f32)>| found.map_or(0.0, |(_, score)| score);
        answered && score(heard.knowledge) > score(heard.intent)
    }

    /// The state's routes come first, then the plan's.
    fn route(&self, trigger: Trigger) -> Option<Route> {
        routes(&self.plan, self.state).find(|route| route.trigger == trigger).copied()
    }

    fn known(&self) -> impl Iterator<Item = usize> + '_ {
        self.current().shared.knowledge.iter().chain(&self.plan.shared.knowledge).copied()
    }

    /// The `ask` that is waited at.
    pub(super) fn asking(&self) -> Option<&Ask> {
        match &self.current().steps.get(self.step)?.step {
            Step::Ask(ask) => Some(ask),
            _ => None,
        }
    }

    /// Waits for the caller.
    pub(super) fn wait_for(&mut self, wait: Wait) {
        let plan = Arc::clone(&self.plan);
        let (expect, timeout) = match plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step) {
            Some(Step::Listen { timeout, .. }) => (self.expect_intents(), *timeout),
            Some(Step::Ask(ask)) => (expect_of(&plan, ask, wait), ask.timeout),
            // Only these two steps wait for the caller.
            _ => return,
        };
        let expect = if matches!(wait, Wait::Offering(_)) { Expect::YesNo } else { expect };
        self.wait = wait;
        self.expect = Some(expect.clone());
        let (intents, knowledge) = (self.understood(), self.known().collect());
        self.out.push_back(super::Action::Listen(Listen { expect, intents, knowledge, timeout }));
    }

    fn expect_intents(&self) -> Expect {
        let mut keys: Vec<char> = Vec::new();
        for route in routes(&self.plan, self.state) {
            if let Trigger::Key(key) = route.trigger
                && !keys.contains(&key)
            {
                keys.push(key);
            }
        }
        Expect::Intents { intents: self.understood(), keys }
    }

    /// Intents that lead somewhere from here, or that a rule asks for.
    fn understood(&self) -> Vec<usize> {
        let routed = routes(&self.plan, self.state).filter_map(|route| match route.trigger {
            Trigger::Intent(intent) => Some(intent),
            _ => None,
        });
        let rules = self.current().shared.rules.iter().chain(&self.plan.shared.rules);
        let asked = rules.flat_map(|rule| self.plan.rules[*rule].when.heard.iter().copied());
        let mut found: Vec<usize> = routed.chain(asked).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn routes(plan: &Plan, state: usize) -> impl Iterator<Item = &Route> {
    plan.states[state].shared.routes.iter().chain(&plan.shared.routes)
}

fn expect_of(plan: &Plan, ask: &Ask, wait: Wait) -> Expect {
    let confirming = matches!(wait, Wait::Pause(Pause::Asking { confirming: true, .. }));
    if confirming || plan.slots[ask.slot].kind == SlotKind::YesNo {
        Expect::YesNo
    } else {
        Expect::Slot { slot: ask.slot }
    }
}

fn short(heard: &Heard) -> bool {
    heard.text.split_whitespace().count() <= SHORT_ANSWER
}
