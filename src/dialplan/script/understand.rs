//! What a turn means where the script stands.

use std::sync::Arc;

use super::super::plan::{Ask, Plan, Route, SlotKind, Step, Trigger};
use super::ask::ask_at;
use super::walk::{Pause, Script, Stage, Wait};
use super::{Expect, Heard, Input, Listen};

/// Up to so many words, "no" is an answer rather than the beginning of one.
const SHORT_ANSWER: usize = 3;

/// What was meant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    /// Something that leads to a state.
    Route(Route),
    /// Values for slots of what is asked.
    Values(Vec<(usize, String)>),
    /// The item of a form that is to be changed.
    Named(usize),
    /// One of these two intents.
    Unsure([usize; 2]),
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
        self.given.clear();
        match input {
            Input::Heard(heard) => {
                self.remember_words(&heard.text);
                match pause {
                    Pause::Listening { .. } => {
                        self.given = self.accepted(&heard);
                        self.heard_listening(&heard)
                    }
                    Pause::Asking { item, stage, .. } => self.heard_asking(&heard, item, stage),
                }
            }
            Input::Keys(keys) => {
                self.remember_words("");
                match pause {
                    Pause::Listening { .. } => self.keys_listening(&keys),
                    Pause::Asking { item, stage, .. } => self.keys_asking(&keys, item, stage),
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
        if let Some(again) = self.follow_up(heard) {
            return again;
        }
        let yes_no = heard.yes_no.and_then(|yes| self.route(if yes { Trigger::Yes } else { Trigger::No }));
        let intent = self.meant.and_then(|intent| self.route(Trigger::Intent(intent)));
        match (intent, yes_no) {
            (_, Some(route)) if short(heard) => {
                self.meant = None;
                return Meaning::Route(route);
            }
            (Some(route), _) if !self.knowledge_wins(heard) => {
                return self.unsure(heard, route).unwrap_or(Meaning::Route(route));
            }
            (None, Some(route)) => return Meaning::Route(route),
            _ => {}
        }
        self.knowledge(heard)
    }

    /// What the slots take of the values that were heard, in canonical form.
    fn accepted(&self, heard: &Heard) -> Vec<(usize, String)> {
        let taken = |(slot, value): &(usize, String)| Some((*slot, self.plan.slots.get(*slot)?.accept(value)?));
        heard.slots.iter().filter_map(taken).collect()
    }

    fn heard_asking(&mut self, heard: &Heard, item: usize, stage: Stage) -> Meaning {
        let plan = Arc::clone(&self.plan);
        let Some(ask) = ask_at(&plan, self.state, self.step) else { return Meaning::Nothing };
        let at = ask.items[item].slot;
        let slot = &plan.slots[at];
        let expected = matches!(stage, Stage::Opening | Stage::Value | Stage::ReadBack);
        let said = match slot.kind {
            SlotKind::YesNo if heard.slot.is_none() && stage != Stage::Opening => {
                heard.yes_no.map(|yes| if yes { "yes" } else { "no" })
            }
            _ => heard.slot.as_deref(),
        };
        let value = said.filter(|_| expected).and_then(|value| slot.accept(value));
        let mut values: Vec<(usize, String)> = value.map(|value| (at, value)).into_iter().collect();
        let others = self.accepted(heard).into_iter();
        values.extend(others.filter(|(slot, _)| *slot != at || !expected));
        if matches!(stage, Stage::ReadBack | Stage::Summary | Stage::Which) {
            for (slot, value) in &mut values {
                *value = self.nearer(*slot, std::mem::take(value), &heard.text);
            }
        }
        values.retain(|(slot, _)| ask.items.iter().any(|item| item.slot == *slot));
        let named = || self.named(ask, &heard.text).map(Meaning::Named);
        match (stage, heard.yes_no) {
            // "No, it ends in nine": the new value is read back in its turn.
            (Stage::ReadBack, Some(false)) if !values.is_empty() && slot.kind != SlotKind::YesNo => {
                return Meaning::Values(values);
            }
            (Stage::Summary | Stage::Which, Some(false) | None) if !values.is_empty() => {
                return Meaning::Values(values);
            }
            (Stage::Summary, Some(false)) => return named().unwrap_or(Meaning::No),
            (Stage::Summary | Stage::Which, None) if let Some(named) = named() => return named,
            (Stage::Which, Some(_)) => return named().unwrap_or(Meaning::No),
            (Stage::ReadBack | Stage::Summary, Some(true)) => return Meaning::Yes,
            (Stage::ReadBack, Some(false)) => return Meaning::No,
            _ if !values.is_empty() => return Meaning::Values(values),
            _ => {}
        }
        self.meant = heard.intent.map(|(intent, _)| intent).filter(|intent| *intent < self.plan.intents.len());
        let route = self.meant.and_then(|intent| self.route(Trigger::Intent(intent)));
        match route {
            Some(route) if !self.knowledge_wins(heard) => Meaning::Route(route),
            _ => self.knowledge(heard),
        }
    }

    fn keys_listening(&mut self, keys: &str) -> Meaning {
        let mut typed = keys.chars();
        let (Some(key), None) = (typed.next(), typed.next()) else { return Meaning::Nothing };
        let Some(route) = self.route(Trigger::Key(key)) else { return Meaning::Nothing };
        self.meant = route.intent;
        Meaning::Route(route)
    }

    fn keys_asking(&self, keys: &str, item: usize, stage: Stage) -> Meaning {
        let Some(ask) = ask_at(&self.plan, self.state, self.step) else { return Meaning::Nothing };
        match (stage, keys) {
            (Stage::ReadBack | Stage::Summary, "1") => return Meaning::Yes,
            (Stage::ReadBack | Stage::Summary, "2") => return Meaning::No,
            (Stage::Which, _) => {
                let number = keys.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                let item = number.filter(|number| *number < ask.items.len());
                return item.map_or(Meaning::Nothing, Meaning::Named);
            }
            (Stage::Summary, _) => return Meaning::Nothing,
            _ => {}
        }
        let slot = ask.items[item].slot;
        let typed = self.plan.slots[slot].accept_keys(keys, self.variables.now.date(), self.plan.month_first());
        typed.map_or(Meaning::Nothing, |value| Meaning::Values(vec![(slot, value)]))
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
    pub(super) fn route(&self, trigger: Trigger) -> Option<Route> {
        routes(&self.plan, self.state).find(|route| route.trigger == trigger).copied()
    }

    fn known(&self) -> impl Iterator<Item = usize> + '_ {
        self.current().shared.knowledge.iter().chain(&self.plan.shared.knowledge).copied()
    }

    /// The `ask` that is waited at.
    pub(super) fn asking(&self) -> Option<&Ask> {
        ask_at(&self.plan, self.state, self.step)
    }

    /// Waits for the caller.
    pub(super) fn wait_for(&mut self, wait: Wait) {
        let plan = Arc::clone(&self.plan);
        let (expect, timeout, patience) =
            match plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step) {
                Some(Step::Listen { timeout, patience, .. }) => (self.expect_intents(), *timeout, *patience),
                Some(Step::Ask(ask)) => (self.expect_of(ask, wait), ask.timeout, ask.patience),
                // Only these two steps wait for the caller.
                _ => return,
            };
        let expect = match wait {
            Wait::Offering(_) => Expect::YesNo,
            Wait::Choosing(..) => Expect::Intents { intents: self.understood(), keys: vec!['1', '2'] },
            _ => expect,
        };
        self.wait = wait;
        self.expect = Some(expect.clone());
        let (intents, knowledge) = (self.understood(), self.known().collect());
        let slots = self.slots_here();
        let listen = Listen { expect, intents, knowledge, slots, timeout, patience };
        self.out.push_back(super::Action::Listen(listen));
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

    fn expect_of(&self, ask: &Ask, wait: Wait) -> Expect {
        let Wait::Pause(Pause::Asking { item, stage, .. }) = wait else { return Expect::YesNo };
        let slot = ask.items[item].slot;
        match stage {
            Stage::ReadBack | Stage::Summary => Expect::YesNo,
            Stage::Which => {
                let keys = (1..=ask.items.len().min(9)).filter_map(|n| char::from_digit(n as u32, 10)).collect();
                Expect::Intents { intents: self.understood(), keys }
            }
            Stage::Value if self.plan.slots[slot].kind == SlotKind::YesNo => Expect::YesNo,
            Stage::Opening | Stage::Value => Expect::Slot { slot },
        }
    }

    /// Slots that may be filled by what is said here: those of the form that is asked, or of the questions that the
    /// ways on from here begin with.
    fn slots_here(&self) -> Vec<usize> {
        let mut found: Vec<usize> = match self.asking() {
            Some(ask) => ask.items.iter().map(|item| item.slot).collect(),
            None => {
                let states = routes(&self.plan, self.state).map(|route| &self.plan.states[route.to]);
                let asks = states.flat_map(|state| &state.steps).filter_map(|guarded| match &guarded.step {
                    Step::Ask(ask) => Some(ask),
                    _ => None,
                });
                asks.flat_map(|ask| &ask.items).map(|item| item.slot).collect()
            }
        };
        found.sort_unstable();
        found.dedup();
        found
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

fn short(heard: &Heard) -> bool {
    heard.text.split_whitespace().count() <= SHORT_ANSWER
}
