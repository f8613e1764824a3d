//! English: what every reader falls back on.

use super::language::Language;
use super::slots::{self, Fill};

/// The reader.
pub(super) struct English;

impl Language for English {
    fn tag(&self) -> &'static str {
        "en"
    }
}

/// Which of some options are said.
pub(super) fn choice(text: &str, options: &[Vec<String>]) -> Fill {
    slots::fill_choice(text, options)
}
