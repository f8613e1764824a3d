//! Scenarios: what a caller does, and what the plan is expected to do then. Read from YAML beside the plan; run by `sim`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::DateTime;

use super::diagnostic::{Diagnostic, Report};
use super::plan::Plan;
use super::raw;
use super::script::{Thought, TransferFailure};
use super::yaml;

/// A call to be tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it shows.
    pub name: String,
    /// Fields of `caller`; `number` is always there.
    pub caller: serde_json::Value,
    /// What the plan has kept of the caller from earlier calls.
    pub profile: BTreeMap<String, serde_json::Value>,
    /// The clock on the wall when the call begins.
    pub at: Option<DateTime>,
    /// What look-ups answer.
    pub fetches: Vec<Stub>,
    /// What a language model answers, in order; beyond them it fails.
    pub thinks: Vec<Result<Thought, String>>,
    /// Why nobody takes a call that is put through; `None`: somebody does.
    pub agents: Option<TransferFailure>,
    /// Why nobody is called back; `None`: whoever asks is.
    pub callbacks: Option<String>,
    /// The call is one that we make, and begins in this state.
    pub called_back: Option<String>,
    /// Why messages are not kept; `None`: they are.
    pub messages: Option<String>,
    /// Whether the whole conversation is kept beside the scenario and compared.
    pub snapshot: bool,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// The answer to a look-up. Of several with one pattern each is used once, the last one from then on.
#[derive(Debug, Clone, PartialEq)]
pub struct Stub {
    /// The address, `*` standing for any run of characters.
    pub url: String,
    /// The JSON, or why there is none.
    pub answer: Result<serde_json::Value, String>,
}

/// Which answers of a scenario have been given.
#[derive(Debug, Clone, Default)]
pub struct Given {
    fetched: Vec<usize>,
    thought: usize,
}

impl Given {
    /// The answer to a look-up: the next one that was not given yet, or else the last one that fits.
    pub fn answer(&mut self, stubs: &[Stub], url: &str) -> Result<serde_json::Value, String> {
        let fits = |at: &usize| matches_pattern(&stubs[*at].url, url);
        let fresh = (0..stubs.len()).find(|at| fits(at) && !self.fetched.contains(at));
        let at = fresh.or_else(|| (0..stubs.len()).rev().find(fits));
        let at = at.ok_or("the scenario has no answer for this address (`fetches:`)")?;
        if fresh.is_some() {
            self.fetched.push(at);
        }
        stubs[at].answer.clone()
    }

    /// The next answer of a language model: a sentence or a tool, or why there is none.
    pub fn thought(&mut self, stubs: &[Result<Thought, String>]) -> Vec<Thought> {
        let next = stubs.get(self.thought).cloned();
        self.thought += 1;
        match next {
            Some(Ok(sentence @ Thought::Sentence(_))) => vec![sentence, Thought::Done],
            Some(Ok(other)) => vec![other],
            Some(Err(why)) => vec![Thought::Failed(why)],
            None => vec![Thought::Failed("the scenario has no answer of the model (`thinks:`)".into())],
        }
    }
}

/// One turn: what the caller does, and what is expected of the plan then. Without an act the expectations are about what
/// has happened since the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Where it is written, from 1.
    pub line: u32,
    /// What the caller does.
    pub act: Option<Act>,
    /// What must hold then.
    pub expect: Vec<Expectation>,
}

/// What a caller does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Says something.
    Say {
        /// The words.
        text: String,
        /// While the line is being said, not after it.
        interrupts: bool,
        /// How frustrated they are taken to be from now on.
        frustration: Option<f32>,
        /// The language that it is surely in, by its tag: `zh`.
        language: Option<&'static str>,
    },
    /// Is heard from a sound file.
    Audio {
        /// Relative to the scenario's folder.
        file: String,
        /// The words that it is heard as, where no recogniser runs.
        heard: String,
    },
    /// Types keys.
    Keys(String),
    /// Says nothing for so long.
    Silence(Duration),
    /// Hangs up.
    HangUp,
}

/// What must hold, and where that is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What.
    pub what: Expected,
}

/// What can be expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The state in which the plan waits, or ended.
    State(String),
    /// States that were entered in this turn, in this order, others in between.
    Passes(Vec<String>),
    /// Every one of these was said; case and white space aside.
    Said(Vec<String>),
    /// None of these was.
    NotSaid(Vec<String>),
    /// What the caller meant; `None`: none of the intents.
    Intent(Option<String>),
    /// A slot's value, in its canonical form; `None`: not filled.
    Slot(String, Option<String>),
    /// 0..1.
    Frustration(Compare),
    /// "calm", "tense" or "angry".
    Mood(String),
    /// Consecutive misses.
    Misses(Compare),
    /// Somebody was rung there.
    Handover(String),
    /// What they were told.
    Briefing(Vec<String>),
    /// Addresses that were looked up, `*` standing for any run of characters.
    Fetched(Vec<String>),
    /// A condition in the plan's own language.
    Holds(String),
    /// The answer began by then.
    Within(Duration),
    /// How the call ended.
    Outcome(Outcome),
}

/// A number to compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compare {
    /// How.
    pub by: Sign,
    /// With what.
    pub value: f64,
}

/// How numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Sign {
    Equal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// How a call can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The script came to its end.
    Completed,
    /// A human has the caller.
    HandedOver,
    /// Another plan took over.
    Switched,
    /// The caller hung up.
    CallerHungUp,
    /// It has not.
    Open,
}

impl Compare {
    /// Whether `value` is as it should be. Equal is equal to two decimals, as scores are shown.
    pub fn holds(self, value: f64) -> bool {
        match self.by {
            Sign::Equal => (value - self.value).abs() < 0.005,
            Sign::Less => value < self.value,
            Sign::AtMost => value <= self.value,
            Sign::More => value > self.value,
            Sign::AtLeast => value >= self.value,
        }
    }

    /// Of `>= 0.7`, `< 2` or `0`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        const SIGNS: &[(&str, Sign)] = &[
            (">=", Sign::AtLeast),
            ("<=", Sign::AtMost),
            (">", Sign::More),
            ("<", Sign::Less),
            ("==", Sign::Equal),
            ("", Sign::Equal),
        ];
        let text = text.trim();
        let (rest, by) = SIGNS.iter().find_map(|(sign, by)| Some((text.strip_prefix(sign)?, *by)))?;
        let value: f64 = rest.trim().parse().ok()?;
        value.is_finite().then_some(Self { by, value })
    }
}

impl std::fmt::Display for Compare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.by {
            Sign::Equal => "",
            Sign::Less => "< ",
            Sign::AtMost => "<= ",
            Sign::More => "> ",
            Sign::AtLeast => ">= ",
        };
        write!(f, "{sign}{}", self.value)
    }
}

/// A scenario that was read.
#[derive(Debug)]
pub struct ReadScenario {
    /// The scenario, unless there is an error among the diagnostics.
    pub scenario: Option<Scenario>,
    /// Every mistake, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a scenario: `source` is the content of `file`, a name that only the diagnostics use. With the plan that it is
/// for, its names are held against it.
pub fn read_scenario(source: &[u8], file: &str, plan: Option<&Plan>) -> ReadScenario {
    let mut report = Report::new(file, source);
    let scenario = yaml::read(source, &mut report).and_then(|node| raw::scenario::read(&node, plan, &mut report));
    let (diagnostics, sound) = report.finish();
    ReadScenario { scenario: scenario.filter(|_| sound), diagnostics }
}

/// Whether `text` is of the form `pattern`, in which `*` stands for any run of characters. Takes linear time for one star
/// and never more than the product of the lengths.
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let parts: Vec<&str> = pattern.split('*').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_file_names_do() {
        assert!(matches_pattern("http://a/*/b", "http://a/1/b"));
        assert!(matches_pattern("*accounts*", "http://a/accounts/1"));
        assert!(!matches_pattern("http://a/*/b", "http://a/b"));
        assert!(matches_pattern("x", "x"));
        assert!(!matches_pattern("x", "xy"));
        assert!(!matches_pattern("ab*ba", "aba"));
    }

    #[test]
    fn numbers_are_compared_as_written() {
        assert!(Compare::parse(">= 0.7").unwrap().holds(0.7));
        assert!(!Compare::parse("<0.7").unwrap().holds(0.7));
        assert!(Compare::parse("2").unwrap().holds(2.0));
        assert_eq!(Compare::parse("many"), None);
        assert_eq!(Compare::parse(">= nan"), None);
    }
}
