//! How often somebody is called back who does not answer, and when.

/// The rule: so many tries, each further from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// The first one included.
    pub most: u32,
    /// From the first to the second; to the third it is twice that, and so on. Milliseconds.
    pub spacing_ms: i64,
}

impl Tries {
    /// When to try again after `tried` tries, the last of them at `now_ms`; `None` to give up.
    pub fn next(&self, tried: u32, now_ms: i64) -> Option<i64> {
        (tried < self.most).then(|| now_ms.saturating_add(self.spacing_ms.saturating_mul(i64::from(tried.max(1)))))
    }
}
