//! Labelled recordings: read from a folder, brought to the telephone's 8 kHz.

use std::path::Path;

use anyhow::Context;

use crate::audio::file;

/// Longest recording that is read, s. Of more than [`crate::speech::prosody::HELD_S`] the end is scored, as of an utterance
/// in a call.
const LONGEST_S: u32 = 600;

/// What a recording is said to express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Label {
    Anger,
    /// Neutral, or calm.
    Calm,
    Joy,
    Sadness,
    Fear,
    Other,
}

impl Label {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().to_lowercase().as_str() {
            "anger" | "angry" => Self::Anger,
            "neutral" | "calm" => Self::Calm,
            "joy" | "happiness" | "happy" => Self::Joy,
            "sadness" | "sad" => Self::Sadness,
            "fear" => Self::Fear,
            "other" => Self::Other,
            _ => return None,
        })
    }

    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Anger => "anger",
            Self::Calm => "calm",
            Self::Joy => "joy",
            Self::Sadness => "sadness",
            Self::Fear => "fear",
            Self::Other => "other",
        }
    }
}

/// One recording at 8 kHz.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Clip {
    pub(super) file: String,
    pub(super) speaker: String,
    /// What is said in it, by whatever name; empty where that is not known.
    pub(super) sentence: String,
    pub(super) label: Label,
    pub(super) pcm: Vec<i16>,
}

/// Reads EmoDB (speaker, sentence and emotion are in each name: `03a01Wa.flac`), in the order of names.
pub(in crate::cli) fn emodb(dir: &Path) -> anyhow::Result<Vec<Clip>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("no recordings at {}", dir.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .filter(|n| n.len() > 6 && n.is_ascii())
        .collect();
    names.sort();
    let mut clips = Vec::new();
    for name in names {
        let label = match name.as_bytes()[5] {
            b'W' => Label::Anger,
            b'N' => Label::Calm,
            b'F' => Label::Joy,
            b'T' => Label::Sadness,
            b'A' => Label::Fear,
            b'L' | b'E' => Label::Other,
            _ => continue,
        };
        let (speaker, sentence) = (name[..2].to_string(), name[2..5].to_string());
        clips.push(Clip { pcm: read(&dir.join(&name))?, speaker, sentence, label, file: name });
    }
    anyhow::ensure!(!clips.is_empty(), "{} holds no recording named as EmoDB's are", dir.display());
    Ok(clips)
}

/// Reads what a CSV with the header `file,label,speaker` (in any order) lists, relative to `dir`.
pub(super) fn labelled(dir: &Path, csv: &Path) -> anyhow::Result<Vec<Clip>> {
    let text = std::fs::read_to_string(csv).with_context(|| format!("cannot read {}", csv.display()))?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, header) = lines.next().with_context(|| format!("{} is empty", csv.display()))?;
    let header = fields(header);
    let column = |name: &str| header.iter().position(|h| h.eq_ignore_ascii_case(name));
    let (Some(file), Some(label)) = (column("file"), column("label")) else {
        anyhow::bail!("{}: the first line must name the columns `file`, `label` and `speaker`", csv.display());
    };
    let speaker = column("speaker");
    let mut clips = Vec::new();
    for (number, line) in lines {
        let row = fields(line);
        let place = || format!("{}:{}", csv.display(), number + 1);
        let cell = |column: usize| row.get(column).cloned().with_context(|| format!("{}: too few columns", place()));
        let word = cell(label)?;
        let label = Label::parse(&word).with_context(|| format!("{}: unknown label `{word}`", place()))?;
        let name = cell(file)?;
        // One broken file must not cost the figures of a thousand others.
        let pcm = match read(&dir.join(&name)).with_context(place) {
            Ok(pcm) => pcm,
            Err(error) => {
                eprintln!("left out: {error:#}");
                continue;
            }
        };
        clips.push(Clip {
            pcm,
            speaker: speaker.and_then(|c| row.get(c).cloned()).unwrap_or_default(),
            sentence: String::new(),
            label,
            file: name,
        });
    }
    anyhow::ensure!(!clips.is_empty(), "{} lists no recording that can be read", csv.display());
    Ok(clips)
}

/// The cells of a line; quotes may hold commas, and doubled quotes one quote.
fn fields(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.trim_start_matches('\u{feff}').trim_end().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_string()),
            c => cell.push(c),
        }
    }
    cells.push(cell.trim().to_string());
    cells
}

fn read(path: &Path) -> anyhow::Result<Vec<i16>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    file::decode(&bytes, 8_000, LONGEST_S).with_context(|| format!("cannot decode {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_may_be_quoted() {
        assert_eq!(fields("a.wav, anger ,\"Smith, \"\"J\"\"\"\r"), ["a.wav", "anger", "Smith, \"J\""]);
        assert_eq!(Label::parse(" Neutral"), Some(Label::Calm));
        assert_eq!(Label::parse("bored"), None);
    }

    #[test]
    fn a_bad_label_is_named_with_its_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let csv = dir.path().join("labels.csv");
        std::fs::write(&csv, "file,label,speaker\nx.wav,grumpy,1\n").expect("written");
        let error = format!("{:#}", labelled(dir.path(), &csv).expect_err("grumpy is no label"));
        assert!(error.contains("labels.csv:2: unknown label `grumpy`"), "{error}");
    }
}
