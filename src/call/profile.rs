//! What is known of a caller from their earlier calls, and what this call changes in it. Storing is the driver's.

use std::collections::BTreeMap;
use std::fmt;

use crate::dialplan::script::Kept;
use crate::speech::emotion::CalmVoice;

/// What was kept of a caller.
#[derive(Clone, Default, PartialEq)]
pub struct Profile {
    /// By the names that the plan gives them.
    pub values: BTreeMap<String, serde_json::Value>,
    /// How they sound when they are calm, where they have agreed to that.
    pub calm_voice: Option<CalmVoice>,
}

impl fmt::Debug for Profile {
    /// Names, and no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.values.keys().collect();
        f.debug_struct("Profile").field("names", &names).finish_non_exhaustive()
    }
}

/// What a call changes in its caller's profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// By the plan's steps.
    pub kept: Kept,
    /// How the caller sounds.
    pub voice: VoiceChange,
}

/// What becomes of what is known of a caller's voice.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum VoiceChange {
    /// Nothing: too little was heard.
    #[default]
    None,
    /// It takes the place of what was known.
    Kept(CalmVoice),
    /// It goes: the caller has not agreed, or not any longer.
    Forgotten,
}
