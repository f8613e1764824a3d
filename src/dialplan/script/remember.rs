//! What is kept of the caller from call to call: recalled at the beginning, changed by `keep` and `forget`, and handed
//! out at the end. Whoever holds the script stores it.

use std::collections::BTreeMap;

use minijinja::Value;
use minijinja::value::{Serde, ValueKind};

use super::super::markup;
use super::super::plan::Assigned;
use super::walk::Script;

/// Longest text that is kept under one name, bytes.
pub const MOST_KEPT: usize = 200;

/// What a call changes in its caller's profile.
#[derive(Clone, Default, PartialEq)]
pub struct Kept {
    /// Everything that was kept before goes.
    pub all_forgotten: bool,
    /// New values by name; `None`: forgotten.
    pub values: BTreeMap<String, Option<serde_json::Value>>,
}

impl Kept {
    /// Whether the profile stays as it was.
    pub fn is_empty(&self) -> bool {
        !self.all_forgotten && self.values.is_empty()
    }
}

impl std::fmt::Debug for Kept {
    /// Names, and no values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.values.keys().collect();
        f.debug_struct("Kept").field("all_forgotten", &self.all_forgotten).field("names", &names).finish()
    }
}

impl Script {
    /// What was kept of this caller. Of it counts what the plan names. Before [`super::Input::Start`].
    pub fn recall(&mut self, profile: &BTreeMap<String, serde_json::Value>) {
        let named = profile.iter().filter(|(name, _)| self.plan.profile.contains(name));
        let named = named.map(|(name, value)| (name.clone(), Serde(value).into()));
        self.variables.profile = named.collect();
    }

    /// What is to be kept of the caller, by what the call has come to so far.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Whether the caller has agreed that it is kept how they sound when they are calm.
    pub fn keeps_calm_voice(&self) -> bool {
        let when = self.calm_voice.as_ref();
        when.is_some_and(|when| self.evaluate(&when.source).unwrap_or(false))
    }

    /// What is known of the caller from earlier calls and from this one.
    pub fn profile(&self) -> impl Iterator<Item = (&str, String)> {
        self.variables.profile.iter().map(|(name, value)| (name.as_str(), value.to_string()))
    }

    pub(super) fn keep(&mut self, place: usize, value: &Assigned) {
        let Some(name) = self.plan.profile.get(place).cloned() else { return };
        let Some(value) = self.worth(&name, value) else { return };
        match keepable(&value) {
            _ if value.is_undefined() || value.is_none() => self.forget(Some(&[place])),
            Ok(kept) => {
                self.kept.values.insert(name.clone(), Some(kept));
                self.variables.profile.insert(name, value);
            }
            Err(why) => self.trouble(format!("state {}: `{name}` is not kept: {why}", self.state())),
        }
    }

    pub(super) fn forget(&mut self, places: Option<&[usize]>) {
        let Some(places) = places else {
            self.kept = Kept { all_forgotten: true, ..Kept::default() };
            self.variables.profile.clear();
            return;
        };
        for name in places.iter().filter_map(|place| self.plan.profile.get(*place)) {
            self.variables.profile.remove(name);
            self.kept.values.insert(name.clone(), None);
        }
    }

    /// How fast a line is said, percent of the voice's own pace.
    pub(super) fn pace(&mut self) -> u8 {
        let plan = std::sync::Arc::clone(&self.plan);
        let rate = plan.speed.as_ref().and_then(|words| self.filled(words));
        // Nothing is known of how this caller likes it, or nothing that is a rate.
        rate.and_then(|(rate, _)| markup::pace(&rate)).unwrap_or(markup::PACE)
    }
}

/// A value that can be kept: true, false, a number, or a text of [`MOST_KEPT`] bytes at most.
fn keepable(value: &Value) -> Result<serde_json::Value, String> {
    match value.kind() {
        ValueKind::Bool | ValueKind::Number => serde_json::to_value(value).map_err(|error| error.to_string()),
        ValueKind::String => match value.as_str() {
            Some(text) if text.len() <= MOST_KEPT => Ok(text.into()),
            _ => Err(format!("a text that is kept has {MOST_KEPT} bytes at most")),
        },
        kind => Err(format!("a text, a number, true or false can be kept, and this is {kind}")),
    }
}
