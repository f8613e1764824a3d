//! What a turn leaves out because the turn before said it: "and the other account?", "how about Friday?", "no, Tuesday".
//!
//! Owns when the last intent is meant again, with something of it changed. What is changed are values; what is not said
//! anew stays as it was.

use jiff::civil::Date;

use super::super::plan::{SlotKind, Step, Trigger};
use super::Heard;
use super::understand::Meaning;
use super::walk::Script;

/// What such a turn begins with: more of the same, or something put right.
const MORE: &[&str] = &[
    "and",
    "what about",
    "how about",
    "or",
    "also",
    "then what about",
    "same for",
    "the same for",
    "那",
    "还有",
    "换成",
    "另",
];
const RIGHT: &[&str] = &["no", "sorry", "actually", "i meant", "i mean", "not", "不", "错"];
/// Words for the one of two that was not taken.
const OTHER: &[&str] = &["other", "另一", "另外"];
/// Days that are named by no more than that, and what names them otherwise.
const WEEKDAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const COUNTED: &[&str] = &[
    "this",
    "next",
    "coming",
    "last",
    "week",
    "weeks",
    "month",
    "today",
    "tomorrow",
    "after",
    "before",
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// What puts something right is short: "no thanks, nothing else for today" is an answer.
const SHORT: usize = 5;
/// A longer turn says what it means.
const LONG: usize = 12;

impl Script {
    /// The last intent anew, when the turn follows it up with another value; what it does not name is carried over.
    pub(super) fn follow_up(&mut self, heard: &Heard) -> Option<Meaning> {
        if heard.intent.is_some() || heard.knowledge.is_some() {
            return None;
        }
        let text = heard.text.trim().to_lowercase();
        // Chinese writes no spaces: its signs count.
        let signs = text.chars().filter(|c| matches!(c, '\u{4e00}'..='\u{9fff}')).count();
        let words = text.split_whitespace().count().max(signs);
        let begins = |cues: &[&str]| {
            cues.iter().any(|cue| {
                text.strip_prefix(cue).is_some_and(|rest| !cue.is_ascii() || !rest.starts_with(char::is_alphanumeric))
            })
        };
        let follows = begins(MORE) && words <= LONG || begins(RIGHT) && words <= SHORT;
        if !follows {
            return None;
        }
        let last = *self.asked.back()?;
        let route = self.route(Trigger::Intent(last))?;
        let mut items: Vec<usize> = Vec::new();
        for guarded in &self.plan.states[route.to].steps {
            if let Step::Ask(ask) = &guarded.step {
                items.extend(ask.items.iter().map(|item| item.slot));
            }
        }
        let mut given: Vec<(usize, String)> =
            self.given.iter().filter(|(slot, _)| items.contains(slot)).cloned().collect();
        if given.is_empty() && OTHER.iter().any(|other| text.contains(other)) {
            given.extend(items.iter().find_map(|slot| Some((*slot, self.other(*slot)?))));
        }
        for (slot, value) in &mut given {
            *value = self.nearer(*slot, std::mem::take(value), &text);
        }
        // The same once more is no change.
        given.retain(|(slot, value)| self.variables.slots[*slot].as_ref() != Some(value));
        if given.is_empty() {
            return None;
        }
        for slot in items {
            if !given.iter().any(|(at, _)| *at == slot)
                && let Some(value) = &self.variables.slots[slot]
            {
                given.push((slot, value.clone()));
            }
        }
        self.given = given;
        self.meant = Some(last);
        Some(Meaning::Route(route))
    }

    /// A day of the week that stands in for another day is the one nearest to that: after "next Friday", "no, Saturday" is
    /// the day after it, and not the coming one.
    pub(super) fn nearer(&self, slot: usize, value: String, text: &str) -> String {
        let Some(held) = self.variables.slots[slot].as_ref().filter(|_| self.plan.slots[slot].kind == SlotKind::Date)
        else {
            return value;
        };
        let (Ok(held), Ok(said)) = (held.parse::<Date>(), value.parse::<Date>()) else { return value };
        let tidy = text.to_lowercase();
        let mut words = tidy.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let counted = |word: &str| COUNTED.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit());
        let bare = words.clone().any(|word| WEEKDAYS.contains(&word)) && !words.any(counted);
        if !bare {
            return value;
        }
        let Ok(between) = said.until(held).map(|span| span.get_days()) else { return value };
        // To the nearest week; of two that are as near there is none, for seven is odd.
        let weeks = (between + if between < 0 { -3 } else { 3 }) / 7;
        match said.checked_add(jiff::Span::new().days(7 * weeks)) {
            Ok(day) if day >= self.variables.now.date() => day.to_string(),
            _ => value,
        }
    }

    /// Of two choices the one that the slot does not hold.
    fn other(&self, slot: usize) -> Option<String> {
        let SlotKind::Choice(choices) = &self.plan.slots[slot].kind else { return None };
        let held = self.variables.slots[slot].as_ref()?;
        match &choices[..] {
            [(first, _), (second, _)] if first == held => Some(second.clone()),
            [(first, _), (second, _)] if second == held => Some(first.clone()),
            _ => None,
        }
    }
}
