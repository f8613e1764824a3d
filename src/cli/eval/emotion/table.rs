//! Rows of parameters as a CSV, for looking into them with other tools.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;

use super::measure::Row;
use crate::speech::prosody::Features;

/// Writes rows, each with the name of the condition that it was measured under.
pub(in crate::cli) fn write<'a>(path: &Path, rows: impl Iterator<Item = (&'a str, &'a Row)>) -> anyhow::Result<()> {
    let mut csv = format!("condition,file,label,speaker,{}\n", Features::NAMES.join(","));
    for (condition, row) in rows {
        let (file, speaker) = (quoted(&row.file), quoted(&row.speaker));
        let _ = write!(csv, "{condition},{file},{},{speaker}", row.label.word());
        for value in row.features.values() {
            let _ = write!(csv, ",{value}");
        }
        csv.push('\n');
    }
    std::fs::write(path, csv).with_context(|| format!("cannot write {}", path.display()))
}

/// A cell that may hold commas and quotes.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
