//! What `check` says: a place, a severity, a code, a sentence, and the mend. Never decides what is a mistake.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Past this many, the rest is only counted: a hostile file must not make an endless report.
const MAX_DIAGNOSTICS: usize = 500;
/// A longer word is not compared with the known ones.
const MAX_WORD: usize = 64;
/// So many words are listed where none is near.
const FEW_WORDS: usize = 8;
/// Past so many comparisons in one report no nearer word is looked for: thousands of wrong names among thousands of
/// right ones must not take minutes.
const MAX_COMPARED: usize = 50_000;

/// Whether a plan can run in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The plan is refused.
    Error,
    /// The plan runs; look at it.
    Warning,
}

/// The kinds of mistake, as `dialplans/README.md` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A file that cannot be opened.
    Unreadable,
    /// Larger than a plan may be, as written or after its aliases are followed.
    TooBig,
    /// Not UTF-8.
    NotUtf8,
    /// Not YAML.
    Syntax,
    /// A text where a list belongs, and the like.
    WrongType,
    /// A key that the language does not know.
    UnknownKey,
    /// The same key or name twice.
    DuplicateKey,
    /// A key that has to be there is not.
    MissingKey,
    /// A name of a form that names cannot have, or that the language keeps for itself.
    BadName,
    /// A value that is none of those allowed.
    BadValue,
    /// A duration that is not like `2s` or `800ms`, or out of range.
    BadDuration,
    /// Neither `queue:NAME` nor `sip:…`.
    BadTarget,
    /// An address whose scheme and host are not written out.
    BadUrl,
    /// A state that is not there.
    UnknownState,
    /// An intent that is not there.
    UnknownIntent,
    /// A slot that is not there.
    UnknownSlot,
    /// Opening hours that are not there.
    UnknownHours,
    /// A template that cannot be read.
    BadTemplate,
    /// A condition that cannot be read.
    BadCondition,
    /// Mark-up that no voice knows.
    BadMarkup,
    /// A variable that nothing declares.
    UndeclaredVariable,
    /// A masked slot on its way out of memory.
    MaskedLeak,
    /// A masked slot that is spoken.
    MaskedSpoken,
    /// An intent without examples, or with one that is blank.
    EmptyExamples,
    /// A sub-plan that leads back to itself, or too deep.
    PlanCycle,
    /// A clip that cannot be played.
    BadClip,
    /// A key that means two things.
    KeyClash,
    /// A state that can run off its end.
    DeadEnd,
    /// States that lead to each other without ever waiting for the caller.
    EndlessLoop,
    /// States that may lead to each other without waiting for the caller.
    PossibleLoop,
    /// A state from which no way leads to an end or to a human.
    NoEnd,
    /// A listening state from which nothing leads on.
    NoWayOn,
    /// A listening state that leaves a caller alone who is not understood.
    MissingFallback,
    /// Examples of different intents that are alike.
    OverlappingIntents,
    /// Feelings that are acted on, and of which the caller is not told.
    UnannouncedEmotion,
    /// A text that no voice can say.
    UnsayableText,
    /// A state that nothing leads to.
    UnreachableState,
    /// A step after one that never comes back.
    UnreachableStep,
    /// A slot that a fetch uses and nobody confirmed.
    UnconfirmedSlot,
    /// A slot that is used and never asked for.
    UnaskedSlot,
    /// A fetch without a way out.
    MissingFailed,
    /// An intent that leads nowhere.
    UnusedIntent,
    /// A way on for what a handover rule takes first.
    ShadowedWay,
    /// A language that the built-in lines do not speak.
    Language,
}

impl Code {
    /// As printed: `unknown-state`.
    pub fn name(self) -> String {
        // Debug prints the variant; the printed form is the same words in kebab case.
        let mut name = String::new();
        for (at, letter) in format!("{self:?}").char_indices() {
            if letter.is_ascii_uppercase() && at > 0 {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }
}

/// One mistake or doubt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, as it was named to [`super::load`].
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// Error or warning.
    pub severity: Severity,
    /// Which rule.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self { file, line, column, message, .. } = self;
        write!(f, "{file}:{line}:{column}: {severity}[{}]: {message}", self.code.name())?;
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

/// A place in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Span {
    /// From 1.
    pub(super) line: u32,
    /// In characters, from 1.
    pub(super) column: u32,
    /// In the source.
    pub(super) bytes: Range<usize>,
    /// Which of the report's files.
    pub(super) file: usize,
}

/// Collects diagnostics.
pub(super) struct Report<'a> {
    /// Names and contents; the plan's own is the first.
    files: Vec<(String, Cow<'a, [u8]>)>,
    current: usize,
    found: Vec<Diagnostic>,
    dropped: usize,
    /// Whether an error is among those that were dropped.
    lost: bool,
    compared: usize,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &str, source: &'a [u8]) -> Self {
        let files = vec![(file.to_string(), Cow::Borrowed(source))];
        Self { files, current: 0, found: Vec::new(), dropped: 0, lost: false, compared: 0 }
    }

    /// From now on another file of the plan is read; [`Report::back`] takes what this returns. `path` is relative to
    /// the plan's folder.
    pub(super) fn begin(&mut self, path: &str, source: &[u8]) -> usize {
        let name = match self.files[0].0.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{path}"),
            None => path.to_string(),
        };
        self.files.push((name, Cow::Owned(source.to_vec())));
        std::mem::replace(&mut self.current, self.files.len() - 1)
    }

    /// Back to the file that was read before.
    pub(super) fn back(&mut self, file: usize) {
        self.current = file;
    }

    /// The file that is being read.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    pub(super) fn error(&mut self, at: &Span, code: Code, message: impl Into<String>) {
        self.push(at, Severity::Error, code, message.into(), None);
    }

    pub(super) fn error_help(&mut self, at: &Span, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.push(at, Severity::Error, code, message.into(), Some(help.into()));
    }

    pub(super) fn warning(&mut self, at: &Span, code: Code, message: impl Into<String>, help: impl Into<String>) {
        self.push(at, Severity::Warning, code, message.into(), Some(help.into()));
    }

    /// An error about a word that is not among `known`, with the nearest of them; with all where they are few.
    pub(super) fn unknown<'k>(
        &mut self,
        at: &Span,
        code: Code,
        message: impl Into<String>,
        word: &str,
        known: impl Iterator<Item = &'k str>,
    ) {
        let left = MAX_COMPARED.saturating_sub(self.compared);
        let compared = &mut self.compared;
        let known: Vec<&str> = known.take(left).inspect(|_| *compared += 1).collect();
        let few = || (1..=FEW_WORDS).contains(&known.len()).then(|| format!("there are: {}", known.join(", ")));
        let help = if self.found.len() < MAX_DIAGNOSTICS {
            nearest(word, known.iter().copied()).map(|word| format!("did you mean `{word}`?")).or_else(few)
        } else {
            None
        };
        self.push(at, Severity::Error, code, message.into(), help);
    }

    fn push(&mut self, at: &Span, severity: Severity, code: Code, message: String, help: Option<String>) {
        if self.found.len() >= MAX_DIAGNOSTICS {
            self.dropped += 1;
            self.lost |= severity == Severity::Error;
            return;
        }
        let (line, column) = (at.line.max(1), at.column.max(1));
        let file = self.files.get(at.file).map_or_else(String::new, |(name, _)| name.clone());
        self.found.push(Diagnostic { file, line, column, severity, code, message, help });
    }

    /// Where `word` stands, as a whole word, within the span; the span's start when it is not found there.
    pub(super) fn locate(&self, within: &Span, word: &str) -> Span {
        let source = self.files.get(within.file).map(|(_, source)| source);
        let text = source
            .and_then(|source| source.get(within.bytes.clone()))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or("");
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let whole = |at: usize| {
            !text[..at].chars().next_back().is_some_and(is_word)
                && !text[at + word.len()..].chars().next().is_some_and(is_word)
        };
        let Some((at, _)) = text.match_indices(word).find(|(at, _)| whole(*at)) else { return within.clone() };
        let before = &text[..at];
        let (line, column) = match before.rfind('\n') {
            Some(newline) => {
                let lines = before.bytes().filter(|byte| *byte == b'\n').count();
                (within.line + lines as u32, before[newline + 1..].chars().count() as u32 + 1)
            }
            None => (within.line, within.column + before.chars().count() as u32),
        };
        let start = within.bytes.start + at;
        Span { line, column, bytes: start..start + word.len(), file: within.file }
    }

    /// Whether an error has been reported.
    pub(super) fn has_errors(&self) -> bool {
        self.lost || self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// The diagnostics in the order of the file, and whether there is no error among them.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, bool) {
        // The plan's own file first, then the others as they were read.
        let order = |d: &Diagnostic| self.files.iter().position(|(name, _)| *name == d.file);
        self.found.sort_by_key(|d| (order(d), d.line, d.column));
        if let Some(last) = self.found.last().filter(|_| self.dropped > 0) {
            let message = format!("{} more were found; mend these first", self.dropped);
            // A flood of doubts alone refuses no plan.
            let severity = if self.lost { Severity::Error } else { Severity::Warning };
            self.found.push(Diagnostic { severity, message, help: None, ..last.clone() });
        }
        let sound = self.found.iter().all(|d| d.severity != Severity::Error);
        (self.found, sound)
    }
}

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    if word.len() > MAX_WORD {
        return None;
    }
    let near = (word.chars().count() / 3).max(1);
    known
        .filter(|candidate| candidate.len() <= MAX_WORD && candidate.len().abs_diff(word.len()) <= 4 * near)
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_string())
}

/// A word of the author's, short enough for a message.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = || ["balance", "block", "bye"].into_iter();
        assert_eq!(nearest("balence", known()).as_deref(), Some("balance"));
        assert_eq!(nearest("blcok", known()).as_deref(), Some("block"));
        assert_eq!(nearest("weather", known()), None);
    }

    #[test]
    fn a_word_is_located_in_its_scalar() {
        let source = "say: >\n  one\n  é {{ nam }} nam";
        let report = Report::new("x", source.as_bytes());
        let span = Span { line: 1, column: 6, bytes: 5..source.len(), file: 0 };
        let found = report.locate(&span, "nam");
        assert_eq!((found.line, found.column), (3, 8));
        assert_eq!(report.locate(&span, "nothing"), span);
    }

    #[test]
    fn a_flood_is_counted_not_kept() {
        let mut report = Report::new("x", b"");
        (0..600).for_each(|_| report.error(&Span::default(), Code::Syntax, "no"));
        let (found, sound) = report.finish();
        assert!(!sound);
        assert_eq!(found.len(), 501);
        assert!(found[500].message.starts_with("100 more"));
    }

    #[test]
    fn codes_are_printed_as_they_are_serialised() {
        for code in [Code::NotUtf8, Code::UnknownState, Code::Syntax] {
            assert_eq!(serde_json::json!(code), code.name());
        }
    }
}
