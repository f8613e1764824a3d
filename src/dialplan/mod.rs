//! The dialplan language: as written (`raw`), compiled (`Plan`), and run for one call (`script`). Pure.
//!
//! ```text
//! bytes ─ yaml ─▶ Node ─ raw ─▶ Raw ─ compile ─▶ Plan ─ script ─▶ Action …
//!          └──────────┴───────────┴── Diagnostic (all of them at once, with line and column)
//! ```
//!
//! Reading files is the caller's: this folder sees bytes and a name to put before the line numbers.

mod calendar;
mod chinese;
mod compile;
mod coverage;
mod diagnostic;
mod files;
pub mod format;
pub mod graph;
mod lines;
pub mod markup;
mod overlap;
mod plan;
mod raw;
mod request;
pub mod scenario;
pub mod schema;
pub mod script;
mod slot;
mod speak;
mod template;
mod units;
pub mod ways;
mod yaml;

pub use coverage::{Coverage, Covered, Part};
pub use diagnostic::{Code, Diagnostic, Severity};
pub use files::{Files, NoFiles};
pub use overlap::{MOST_SENTENCES, Sentence, overlaps};
pub use plan::{Intent, Plan};
pub use slot::{Slot, SlotKind};
pub use yaml::MAX_BYTES;

/// A plan that was read and checked.
#[derive(Debug)]
pub struct Checked {
    /// The plan, unless there is an error among the diagnostics.
    pub plan: Option<Plan>,
    /// Every mistake and doubt, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// The examples of intents and the plan's own questions, for [`overlaps`].
    pub sentences: Vec<Sentence>,
}

impl Checked {
    /// Whether a diagnostic is an error, so that there is no plan.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Reads and checks a plan: `source` is the content of `file`, a name that only the diagnostics use.
pub fn load(source: &[u8], file: &str) -> Checked {
    load_with(source, file, &NoFiles)
}

/// The same for a plan that may name sub-plans and clips, which `files` reads.
pub fn load_with(source: &[u8], file: &str, files: &dyn Files) -> Checked {
    let mut report = diagnostic::Report::new(file, source);
    let mut sentences = Vec::new();
    let plan = yaml::read(source, &mut report).and_then(|node| raw::read(&node, &mut report)).map(|mut raw| {
        files::gather(&mut raw, files, &mut report);
        sentences = overlap::sentences(&raw);
        compile::compile(&raw, &mut report)
    });
    let (diagnostics, sound) = report.finish();
    Checked { plan: plan.filter(|_| sound), diagnostics, sentences }
}

#[cfg(test)]
mod tests;
