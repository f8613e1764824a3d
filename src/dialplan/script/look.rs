//! What a test, a terminal or a picture may see of a call's script. A call itself never asks.

use std::collections::HashSet;

use super::super::plan::Words;
use super::walk::Script;

/// Which of the plan's texts have been filled in, by their place in memory: the plan does not move while it is run.
pub(super) type Watched = Option<HashSet<usize>>;

/// A slot as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotValue<'a> {
    /// Its name in the plan.
    pub name: &'a str,
    /// Canonical, if it is filled.
    pub value: Option<&'a str>,
    /// Whether the value must not be shown.
    pub mask: bool,
}

impl Script {
    /// Notes from now on which of the plan's texts are used, for [`super::super::Coverage`].
    pub fn watch(&mut self) {
        self.watched = Some(HashSet::new());
    }

    /// Every slot of the plan, in its order.
    pub fn slots(&self) -> impl Iterator<Item = SlotValue<'_>> {
        let pairs = self.plan.slots.iter().zip(&self.variables.slots);
        pairs.map(|(slot, value)| SlotValue { name: &slot.name, value: value.as_deref(), mask: slot.mask })
    }

    /// Whether a condition holds as things stand; what is wrong with it, if it cannot be evaluated.
    pub fn evaluate(&self, condition: &str) -> Result<bool, String> {
        let value = self.plan.templates.eval(condition, self.scope());
        value.map(|value| value.is_true()).map_err(|kind| kind.to_string())
    }

    pub(super) fn note(&mut self, words: &Words) {
        if let Some(watched) = &mut self.watched {
            watched.insert(std::ptr::from_ref(words).addr());
        }
    }

    /// What [`Script::watch`] noted.
    pub(in super::super) fn watched(&self) -> impl Iterator<Item = usize> + '_ {
        self.watched.iter().flatten().copied()
    }
}
