//! What the agent is told before the caller is put through: who, what was asked, what was given, and why.

use super::super::plan::{Condition, in_words};
use super::MASKED;
use super::walk::Script;

/// The reason of a rule that asks for frustration or mood, where its author gives none.
pub const FRUSTRATED: &str = "the caller is frustrated";

/// A briefing. A masked slot's value is [`MASKED`].
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Briefing {
    /// The caller's name, or else number.
    pub caller: Option<String>,
    /// The last intents in words, oldest first.
    pub asked: Vec<String>,
    /// Slots that are filled: their names in words, and their values.
    pub slots: Vec<(String, String)>,
    /// Why the caller is put through.
    pub reason: String,
}

impl Briefing {
    /// The briefing as it is said to the agent. Masked slots are left out.
    pub fn spoken(&self) -> String {
        let mut text = match &self.caller {
            Some(caller) => format!("Call from {caller}."),
            None => "Call from an unknown number.".to_string(),
        };
        if !self.asked.is_empty() {
            text += &format!(" Asked about: {}.", self.asked.join(", then "));
        }
        for (name, value) in self.slots.iter().filter(|(_, value)| value != MASKED) {
            text += &format!(" {name}: {value}.");
        }
        // What was asked has been said.
        let repeats = self.asked.last().is_some_and(|last| self.reason == asked_about(last));
        if !self.reason.is_empty() && !repeats {
            text += &format!(" {}.", in_a_sentence(self.reason.trim_end_matches('.')));
        }
        text
    }
}

/// The reason where there is no other.
fn asked_about(intent: &str) -> String {
    format!("asked about {intent}")
}

/// With a capital letter, as a sentence begins.
fn in_a_sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Script {
    /// The briefing as of now; its reason is that of the last [`super::Action::Transfer`].
    pub fn briefing(&self) -> Briefing {
        let name = |intent: &usize| self.plan.intents[*intent].called.clone();
        let filled = self.plan.slots.iter().zip(&self.variables.slots).filter_map(|(slot, value)| {
            let value = value.as_ref()?;
            Some((in_words(&slot.name), if slot.mask { MASKED.to_string() } else { value.clone() }))
        });
        Briefing {
            caller: self.variables.who(),
            asked: self.asked.iter().map(name).collect(),
            slots: filled.collect(),
            reason: self.reason.clone(),
        }
    }

    /// Why a rule holds, where its author gives no reason.
    pub(super) fn rule_reason(&self, when: &Condition) -> String {
        if self.meant.is_some_and(|meant| when.heard.contains(&meant)) {
            return "the caller asked for a person".into();
        }
        if when.source.contains("misses") && self.variables.misses > 1 {
            return format!("the caller was not understood {} times in a row", self.variables.misses);
        }
        if when.source.contains("frustration") || when.source.contains("mood") {
            return FRUSTRATED.into();
        }
        format!("the rule: {}", when.source)
    }

    /// Why a `transfer` step transfers, where its author gives no reason: the variable `reason`, or what was asked.
    pub(super) fn own_reason(&self) -> String {
        let set = self.variables.values.get("reason").and_then(|value| value.as_str().map(str::to_string));
        let asked = || self.asked.back().map(|intent| asked_about(&self.plan.intents[*intent].called));
        set.or_else(asked).unwrap_or_else(|| "the plan says so".into())
    }
}
