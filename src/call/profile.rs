//! What is known of a caller from their earlier calls, and what this call changes in it. Storing is the driver's.

use std::collections::BTreeMap;
use std::fmt;

use crate::dialplan::script::Kept;

/// What was kept of a caller.
#[derive(Clone, Default, PartialEq)]
pub struct Profile {
    /// By the names that the plan gives them.
    pub values: BTreeMap<String, serde_json::Value>,
}

impl fmt::Debug for Profile {
    /// Names, and no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("names", &self.values.keys().collect::<Vec<_>>()).finish()
    }
}

/// What a call changes in its caller's profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// By the plan's steps.
    pub kept: Kept,
}
