//! Questions and forms: what is given ahead is not asked again, what is invalid is asked anew, and one item can be
//! corrected without starting again.
//!
//! ```text
//! begin ─▶ Opening ─▶ for each item: Value ─▶ weigh (valid, check) ─▶ ReadBack ─▶ settled ─▶ Summary ─▶ the next step
//!                        ▲                      └─ invalid ─┘                        Which ◀─ no ─┘
//! ```

use std::sync::Arc;

use minijinja::value::{Serde, Value};

use super::super::plan::{Ask, Confirmation, Plan, Slot, SlotKind, Step, Words, in_words};
use super::super::speak;
use super::super::{chinese, lines};
use super::variables::typed;
use super::walk::{FETCH_COST, Pause, Script, Stage, Wait};
use super::{Action, Mood};

/// The `ask` that `step` of `state` is, if it is one.
pub(super) fn ask_at(plan: &Plan, state: usize, step: usize) -> Option<&Ask> {
    match &plan.states.get(state)?.steps.get(step)?.step {
        Step::Ask(ask) => Some(ask),
        _ => None,
    }
}

impl Script {
    /// Begins a question or a form: what was just said ahead of it counts.
    pub(super) fn begin(&mut self, ask: &Ask) {
        let given = std::mem::take(&mut self.given);
        for item in &ask.items {
            let value = given.iter().find(|(slot, _)| *slot == item.slot).map(|(_, value)| value.clone());
            self.variables.slots[item.slot] = value;
        }
        self.settled = vec![false; ask.items.len()];
        self.corrections = 0;
        let known = ask.items.iter().any(|item| self.variables.slots[item.slot].is_some());
        match ask.opening.first() {
            Some(opening) if !known => {
                self.say(opening, true);
                self.wait_asking(0, 0, Stage::Opening);
            }
            _ => self.go_on(ask, 0),
        }
    }

    fn wait_asking(&mut self, item: usize, tries: u32, stage: Stage) {
        self.wait_for(Wait::Pause(Pause::Asking { item, tries, stage }));
    }

    /// The first item that is not settled: asked for, or weighed if its value is there. `tries` are those of it.
    fn go_on(&mut self, ask: &Ask, tries: u32) {
        let Some(item) = self.settled.iter().position(|settled| !settled) else { return self.sum_up(ask, 0) };
        match self.variables.slots[ask.items[item].slot].clone() {
            Some(value) => self.weigh(ask, item, tries, &value),
            None => self.prompt(ask, item, tries),
        }
    }

    /// Looks whether the value is one that the plan accepts.
    fn weigh(&mut self, ask: &Ask, item: usize, tries: u32, value: &str) {
        let plan = Arc::clone(&self.plan);
        let slot = ask.items[item].slot;
        let Some(validity) = plan.validity.get(slot) else { return self.valid(ask, item, tries) };
        let value = [("value", typed(&plan.slots[slot].kind, value))];
        if validity.valid.as_ref().is_some_and(|valid| !self.holds_with(valid, &value)) {
            return self.invalid(ask, item, tries);
        }
        let Some(check) = &validity.check else { return self.valid(ask, item, tries) };
        self.spend(FETCH_COST);
        match check.request.filled(&plan.templates, &self.scope_with(&value)) {
            Ok(fetch) => {
                self.wait = Wait::Checking { item, tries };
                self.out.push_back(Action::Fetch(fetch));
            }
            Err(why) => {
                self.trouble(format!("the check of `{}` has no address: {why}", plan.slots[slot].name));
                self.valid(ask, item, tries);
            }
        }
    }

    /// What the service says of the value. One that cannot be reached refuses nobody.
    pub(super) fn checked(&mut self, item: usize, tries: u32, result: Result<serde_json::Value, String>) {
        let plan = Arc::clone(&self.plan);
        let Some(ask) = ask_at(&plan, self.state, self.step) else { return };
        let slot = ask.items[item].slot;
        let check = plan.validity.get(slot).and_then(|validity| validity.check.as_ref());
        let accepted = match (result, check) {
            (Ok(answer), Some(check)) => {
                let value = self.variables.slots[slot].as_deref().unwrap_or_default();
                let value = typed(&plan.slots[slot].kind, value);
                self.holds_with(&check.accept, &[("value", value), ("answer", Serde(answer).into())])
            }
            (Err(why), _) => {
                self.trouble(format!("state {}: `{}` was not checked: {why}", self.state(), plan.slots[slot].name));
                true
            }
            (Ok(_), None) => true,
        };
        if accepted { self.valid(ask, item, tries) } else { self.invalid(ask, item, tries) }
    }

    /// The value is one: read back where that is wanted, or settled.
    fn valid(&mut self, ask: &Ask, item: usize, tries: u32) {
        if matches!(ask.items[item].confirm, Confirmation::No) {
            self.settled[item] = true;
            return self.go_on(ask, 0);
        }
        self.read_back(ask, item);
        self.wait_asking(item, tries, Stage::ReadBack);
    }

    /// The value is none: that is said, and it is asked for again.
    fn invalid(&mut self, ask: &Ask, item: usize, tries: u32) {
        let plan = Arc::clone(&self.plan);
        let slot = ask.items[item].slot;
        let value = self.variables.slots[slot].take().unwrap_or_default();
        match plan.validity.get(slot).and_then(|validity| validity.invalid.as_ref()) {
            Some(words) => {
                let value = [("value", typed(&plan.slots[slot].kind, &value))];
                if let Some((text, masked)) = self.filled_with(words, &value) {
                    self.say_text(text, true, masked);
                }
            }
            None => self.say_line(lines::INVALID),
        }
        if tries + 1 >= ask.tries {
            return self.given_up(ask);
        }
        self.prompt(ask, item, tries + 1);
    }

    /// The form is filled: the whole is read back where that is wanted.
    fn sum_up(&mut self, ask: &Ask, tries: u32) {
        if matches!(ask.summary, Confirmation::No) {
            return self.done_asking();
        }
        self.say_summary(ask);
        self.wait_asking(0, tries, Stage::Summary);
    }

    fn done_asking(&mut self) {
        self.step += 1;
        self.run();
    }

    /// Values that were given at a pause of this `ask`.
    pub(super) fn values(&mut self, pause: Pause, values: Vec<(usize, String)>) {
        let plan = Arc::clone(&self.plan);
        let (Some(ask), Pause::Asking { item, tries, .. }) = (ask_at(&plan, self.state, self.step), pause) else {
            return;
        };
        for (slot, value) in values {
            if let Some(at) = ask.items.iter().position(|item| item.slot == slot) {
                self.variables.slots[slot] = Some(value);
                self.settled[at] = false;
            }
        }
        let first = self.settled.iter().position(|settled| !settled);
        self.go_on(ask, if first == Some(item) { tries } else { 0 });
    }

    /// A "yes" to what was read back.
    pub(super) fn confirmed(&mut self, pause: Pause) {
        let plan = Arc::clone(&self.plan);
        let (Some(ask), Pause::Asking { item, stage, .. }) = (ask_at(&plan, self.state, self.step), pause) else {
            return;
        };
        match stage {
            Stage::ReadBack => {
                self.settled[item] = true;
                self.go_on(ask, 0);
            }
            _ => self.done_asking(),
        }
    }

    /// A "no" to it: the question again, as another try; of a form, which of its items is wrong.
    pub(super) fn refused(&mut self, pause: Pause) {
        let plan = Arc::clone(&self.plan);
        let (Some(ask), Pause::Asking { item, tries, stage }) = (ask_at(&plan, self.state, self.step), pause) else {
            return;
        };
        match stage {
            Stage::Summary if ask.items.len() > 1 => {
                self.corrections += 1;
                if self.corrections > ask.tries {
                    return self.given_up(ask);
                }
                self.say_which(ask);
                self.wait_asking(0, 0, Stage::Which);
            }
            Stage::Which => self.sum_up(ask, tries),
            _ => {
                self.variables.slots[ask.items[item].slot] = None;
                self.settled[item] = false;
                if tries + 1 >= ask.tries {
                    return self.given_up(ask);
                }
                self.say_line(lines::AGAIN);
                self.prompt(ask, item, tries + 1);
            }
        }
    }

    /// The caller named the item that is wrong.
    pub(super) fn correct(&mut self, item: usize) {
        let plan = Arc::clone(&self.plan);
        let Some(ask) = ask_at(&plan, self.state, self.step) else { return };
        self.variables.slots[ask.items[item].slot] = None;
        self.settled[item] = false;
        self.prompt(ask, item, 0);
    }

    /// Nothing, or nothing that fits, was said to a question.
    pub(super) fn missed_asking(&mut self, pause: Pause) {
        let plan = Arc::clone(&self.plan);
        let (Some(ask), Pause::Asking { item, tries, stage }) = (ask_at(&plan, self.state, self.step), pause) else {
            return;
        };
        let tries = tries + 1;
        if tries >= ask.tries {
            self.variables.slots[ask.items[item].slot] = None;
            return self.given_up(ask);
        }
        match stage {
            Stage::ReadBack | Stage::Summary => {
                if stage == Stage::ReadBack {
                    self.read_back(ask, item);
                } else {
                    self.say_summary(ask);
                }
                self.say_line(lines::YES_NO_KEYS);
                self.wait_asking(item, tries, stage);
            }
            Stage::Which => {
                self.say_which(ask);
                self.wait_asking(item, tries, stage);
            }
            // An open question that brought nothing: one thing at a time.
            Stage::Opening => self.go_on(ask, 0),
            Stage::Value => {
                let slot = &plan.slots[ask.items[item].slot];
                self.say_prompt(ask, item, tries);
                let exhausted = tries as usize >= ask.items[item].prompts.len();
                if exhausted && slot.keypad && typed_as_digits(&slot.kind) {
                    self.say_line(lines::TYPE_IT);
                }
                self.wait_asking(item, tries, stage);
            }
        }
    }

    /// The current wording once more.
    pub(super) fn asked_again(&mut self, ask: &Ask, item: usize, tries: u32, stage: Stage) {
        match stage {
            Stage::Opening => match ask.opening.first() {
                Some(opening) => self.say(opening, true),
                None => return self.go_on(ask, tries),
            },
            Stage::Value => return self.prompt(ask, item, tries),
            Stage::ReadBack => self.read_back(ask, item),
            Stage::Summary => self.say_summary(ask),
            Stage::Which => self.say_which(ask),
        }
        self.wait_asking(item, tries, stage);
    }

    /// Says the question's wording for this try, and waits.
    fn prompt(&mut self, ask: &Ask, item: usize, tries: u32) {
        self.say_prompt(ask, item, tries);
        self.wait_asking(item, tries, Stage::Value);
    }

    fn say_prompt(&mut self, ask: &Ask, item: usize, tries: u32) {
        let prompts = &ask.items[item].prompts;
        if let Some(prompt) = prompts.get(tries as usize).or(prompts.last()) {
            self.say(prompt, true);
        }
    }

    fn read_back(&mut self, ask: &Ask, item: usize) {
        let plan = Arc::clone(&self.plan);
        let slot = &plan.slots[ask.items[item].slot];
        let text = match (&ask.items[item].confirm, &self.variables.slots[ask.items[item].slot]) {
            (Confirmation::Wording(words), _) => self.worded(words),
            (_, Some(value)) => self.read_aloud(&aloud(&plan, slot, value)),
            (_, None) => String::new(),
        };
        self.say_text(text, true, slot.mask);
    }

    fn say_summary(&mut self, ask: &Ask) {
        let plan = Arc::clone(&self.plan);
        let text = match &ask.summary {
            Confirmation::Wording(words) => self.worded(words),
            _ => {
                let item = |slot: usize| {
                    let value = self.variables.slots[slot].as_deref().unwrap_or_default();
                    format!("{} {}", called(&plan, slot), aloud(&plan, &plan.slots[slot], value))
                };
                let items: Vec<String> = ask.items.iter().map(|at| item(at.slot)).collect();
                self.read_aloud(&lines::all_of(&items, &plan.language))
            }
        };
        let masked = ask.items.iter().any(|item| plan.slots[item.slot].mask);
        self.say_text(text, true, masked);
    }

    /// Shorter to a caller who is losing patience.
    fn read_aloud(&self, value: &str) -> String {
        match self.variables.mood {
            Mood::Calm => lines::read_back(value, &self.plan.language),
            Mood::Tense | Mood::Angry => lines::read_back_briefly(value, &self.plan.language),
        }
    }

    fn say_which(&mut self, ask: &Ask) {
        let names: Vec<String> = ask.items.iter().map(|item| called(&self.plan, item.slot)).collect();
        self.say_text(lines::which(&names, &self.plan.language), true, false);
    }

    fn worded(&mut self, words: &Words) -> String {
        let filled = self.filled(words);
        filled.map_or_else(|| lines::in_language(lines::SORRY_LINE, &self.plan.language).to_string(), |(text, _)| text)
    }

    /// The item that is named in what was said: the longest name wins.
    pub(super) fn named(&self, ask: &Ask, text: &str) -> Option<usize> {
        let heard: Vec<String> = words_of(text);
        let stands = |name: &str| {
            let name = words_of(name);
            let found = !name.is_empty() && heard.windows(name.len()).any(|window| window == name);
            found.then_some(name.len())
        };
        let name = |slot: usize| {
            let called = self.plan.validity.get(slot).map(|validity| validity.called.as_slice()).unwrap_or_default();
            let own = in_words(&self.plan.slots[slot].name);
            called.iter().map(String::as_str).chain([own.as_str()]).filter_map(stands).max()
        };
        let items = ask.items.iter().enumerate().filter_map(|(at, item)| Some((name(item.slot)?, at)));
        items.max_by_key(|(length, at)| (*length, std::cmp::Reverse(*at))).map(|(_, at)| at)
    }

    /// Whether a condition holds, where more is known than in general.
    pub(super) fn holds_with(&mut self, when: &super::super::plan::Condition, extra: &[(&str, Value)]) -> bool {
        match self.plan.templates.eval(&when.source, self.scope_with(extra)) {
            Ok(value) => value.is_true(),
            Err(why) => {
                let what =
                    format!("state {}: the condition `{}` cannot be evaluated: {why}", self.state(), when.source);
                self.trouble(what);
                false
            }
        }
    }
}

fn words_of(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// What the slot is called when we speak of it.
fn called(plan: &Plan, slot: usize) -> String {
    let called = plan.validity.get(slot).and_then(|validity| validity.called.first().cloned());
    called.unwrap_or_else(|| in_words(&plan.slots[slot].name))
}

fn typed_as_digits(kind: &SlotKind) -> bool {
    matches!(kind, SlotKind::Digits { .. } | SlotKind::Number | SlotKind::Phone)
}

/// A value as it is read back: digits one by one.
fn aloud(plan: &Plan, slot: &Slot, value: &str) -> String {
    let text = Value::from(value);
    if chinese::is(&plan.language) {
        let said = match slot.kind {
            SlotKind::Money => chinese::money(&text, speak::currency_of(&plan.language)).ok(),
            SlotKind::Date => chinese::date(&text).ok(),
            SlotKind::Time => chinese::time(&text).ok(),
            SlotKind::YesNo => Some(if value == "yes" { "是" } else { "不是" }.to_string()),
            _ => None,
        };
        if let Some(said) = said {
            return said;
        }
    }
    let said = match slot.kind {
        SlotKind::Digits { .. } | SlotKind::Phone => Some(speak::digits(value)),
        SlotKind::Money => speak::money(&text, speak::currency_of(&plan.language)).ok(),
        SlotKind::Date => speak::date(&text).ok(),
        SlotKind::Time => speak::time(&text).ok(),
        SlotKind::Postcode => Some(speak::spell(value)),
        SlotKind::Email => Some(speak::email(value)),
        SlotKind::Choice(_) => Some(in_words(value)),
        SlotKind::Number | SlotKind::YesNo | SlotKind::Name | SlotKind::Text => None,
    };
    said.unwrap_or_else(|| value.to_string())
}
