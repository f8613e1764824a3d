//! Personal data in a wrapper that a log cannot print by accident.

use std::fmt;

/// Something about a person (a number, a name, what they said). `Debug` and `Display` print `‹redacted›`; whoever
/// really needs the value says so with [`Pii::reveal`].
#[derive(Clone, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }
    /// The value itself, for the wire, the record or the person concerned; never for a log.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
    /// Unwraps.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹redacted›")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("‹redacted›")
    }
}
