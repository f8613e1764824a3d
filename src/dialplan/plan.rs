//! A compiled plan: names are indices, templates are compiled, and nothing in it refers to what is not there.

use std::time::Duration;

use super::lines;
use super::script::Target;
use super::template::{TemplateId, Templates};

/// A dialplan that has been checked and can be run.
#[derive(Debug)]
pub struct Plan {
    pub(super) name: String,
    pub(super) language: String,
    pub(super) voice: Option<String>,
    pub(super) lookup: Option<Lookup>,
    pub(super) consent: Option<Words>,
    pub(super) intents: Vec<Intent>,
    pub(super) slots: Vec<Slot>,
    pub(super) knowledge: Vec<Knowledge>,
    pub(super) rules: Vec<Rule>,
    /// Handover rules, routes and knowledge of every state.
    pub(super) shared: Shared,
    pub(super) states: Vec<State>,
    pub(super) start: usize,
    /// Where a caller is put through who asks for a human, or whom the plan cannot help.
    pub(super) human: Option<Target>,
    pub(super) templates: Templates,
}

/// What a caller may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its name in the plan.
    pub name: String,
    /// Sentences that mean it.
    pub examples: Vec<String>,
}

/// A question that is answered in any listening state.
#[derive(Debug)]
pub(super) struct Knowledge {
    pub(super) questions: Vec<String>,
    pub(super) answers: Vec<Words>,
}

/// Something that the caller is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name in the plan.
    pub name: String,
    /// What it takes.
    pub kind: SlotKind,
    /// Kept out of logs, records and recordings.
    pub mask: bool,
    /// May be typed.
    pub keypad: bool,
}

/// What a slot takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotKind {
    /// A string of digits, at least and at most so many.
    Digits {
        /// Shortest.
        min: usize,
        /// Longest.
        max: usize,
    },
    /// A number.
    Number,
    /// "yes" or "no".
    YesNo,
    /// One of these: its name, and words for it (the name is one of them).
    Choice(Vec<(String, Vec<String>)>),
    /// Anything.
    Text,
}

/// Longest free text that a slot keeps, bytes.
const MAX_TEXT: usize = 500;
/// Most digits of a slot whose length is not given.
pub(super) const MAX_DIGITS: usize = 32;

impl Slot {
    /// The canonical form of what was understood, or `None` when the slot does not take it.
    pub fn accept(&self, value: &str) -> Option<String> {
        let value = value.trim();
        match &self.kind {
            SlotKind::Digits { min, max } => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                (digits && (*min..=*max).contains(&value.len())).then(|| value.to_string())
            }
            SlotKind::Number => {
                let number = value.parse::<f64>().is_ok_and(f64::is_finite);
                (number && value.len() <= MAX_DIGITS).then(|| value.to_string())
            }
            SlotKind::YesNo => matches!(value, "yes" | "no").then(|| value.to_string()),
            SlotKind::Choice(choices) => {
                let is = |word: &String| word.eq_ignore_ascii_case(value);
                let chosen = choices.iter().find(|(name, words)| is(name) || words.iter().any(is));
                chosen.map(|(name, _)| name.clone())
            }
            SlotKind::Text => (!value.is_empty() && value.len() <= MAX_TEXT).then(|| value.to_string()),
        }
    }

    /// The same for what was typed: a choice by its number, a yes by 1 and a no by 2, `*` for a decimal point.
    pub fn accept_keys(&self, keys: &str) -> Option<String> {
        if !self.keypad {
            return None;
        }
        match &self.kind {
            SlotKind::YesNo => match keys {
                "1" => Some("yes".into()),
                "2" => Some("no".into()),
                _ => None,
            },
            SlotKind::Choice(choices) => {
                let number: usize = keys.parse().ok()?;
                choices.get(number.checked_sub(1)?).map(|(name, _)| name.clone())
            }
            SlotKind::Number => self.accept(&keys.replacen('*', ".", 1)),
            SlotKind::Digits { .. } => self.accept(keys),
            SlotKind::Text => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) url: TemplateId,
    pub(super) remember: Vec<String>,
    pub(super) timeout: Duration,
}

/// A text, with or without something to fill in.
#[derive(Debug, Clone)]
pub(super) enum Words {
    Plain(String),
    Template {
        id: TemplateId,
        /// It holds a masked slot.
        masked: bool,
    },
}

/// A condition, in minijinja's expression syntax; it has been compiled once to see that it can be.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) source: String,
    /// What it asks `heard` for.
    pub(super) heard: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) when: Condition,
    pub(super) say: Option<Words>,
    pub(super) to: Target,
    pub(super) reason: Option<Words>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trigger {
    Intent(usize),
    Yes,
    No,
    Key(char),
}

/// A way on. A key of an intent's is a route of its own with the same `intent`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) trigger: Trigger,
    /// What the trigger stands for.
    pub(super) intent: Option<usize>,
    pub(super) to: usize,
}

/// Indices of what may stand in the plan or in a state.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<usize>,
    pub(super) knowledge: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) steps: Vec<Guarded>,
    pub(super) otherwise: Option<usize>,
    pub(super) shared: Shared,
}

/// A step and its guard.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) when: Option<Condition>,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Say { calm: Words, tense: Option<Words>, angry: Option<Words>, interruptible: bool },
    Ask(Box<Ask>),
    Listen { wordings: Vec<Words>, timeout: Duration },
    Set(Vec<(String, Assigned)>),
    Goto(usize),
    Fetch(Box<Fetching>),
    Transfer { target: Target, reason: Option<Words>, failed: Option<usize> },
    End,
}

#[derive(Debug)]
pub(super) struct Ask {
    pub(super) slot: usize,
    /// Never empty.
    pub(super) prompts: Vec<Words>,
    pub(super) confirm: Confirmation,
    pub(super) tries: u32,
    pub(super) failed: Option<usize>,
    pub(super) timeout: Duration,
}

#[derive(Debug)]
pub(super) enum Confirmation {
    No,
    /// Read back in the built-in words.
    ReadBack,
    Wording(Words),
}

#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) url: TemplateId,
    pub(super) masked: bool,
    pub(super) keep: Option<String>,
    pub(super) timeout: Duration,
    pub(super) wait: Option<Words>,
    pub(super) failed: Option<usize>,
}

/// The value of a variable.
#[derive(Debug)]
pub(super) enum Assigned {
    Literal(minijinja::Value),
    /// `{{ … }}` alone: the value keeps its type.
    Expression(String),
    Text(Words),
}

impl Plan {
    /// As `dialplan:` names it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// BCP 47: `en-US`.
    pub fn language(&self) -> &str {
        &self.language
    }
    /// The voice that the plan asks for.
    pub fn voice(&self) -> Option<&str> {
        self.voice.as_deref()
    }
    /// The intents; [`super::script::Heard::intent`] and [`super::script::Expect::Intents`] are indices into it.
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }
    /// The slots; [`super::script::Expect::Slot`] is an index into it.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
    /// Each knowledge entry's questions; [`super::script::Heard::knowledge`] is an index into it.
    pub fn knowledge(&self) -> impl ExactSizeIterator<Item = &[String]> {
        self.knowledge.iter().map(|entry| entry.questions.as_slice())
    }
    /// The names of the states.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &str> {
        self.states.iter().map(|state| state.name.as_str())
    }
    /// The state in which a call begins.
    pub fn start(&self) -> &str {
        &self.states[self.start].name
    }

    /// The queues that the plan names, for the configuration to have.
    pub fn queues(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let transfers = steps.filter_map(|guarded| match &guarded.step {
            Step::Transfer { target, .. } => Some(target),
            _ => None,
        });
        let targets = self.rules.iter().map(|rule| &rule.to).chain(transfers);
        let mut names: Vec<&str> = targets
            .filter_map(|target| match target {
                Target::Queue(name) => Some(name.as_str()),
                Target::Sip(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every line that is the same in each call, the built-in ones included, to be rendered beforehand.
    pub fn literal_prompts(&self) -> Vec<String> {
        let mut found: Vec<String> = lines::FIXED.iter().map(|line| line.to_string()).collect();
        found.extend(lines::FAILURES.iter().map(|failure| lines::failure(*failure).to_string()));
        found.extend(self.states.iter().map(|state| self.keys_line(state)).filter(|line| !line.is_empty()));
        found.extend(self.words().filter_map(|words| match words {
            Words::Plain(text) => Some(text.clone()),
            Words::Template { .. } => None,
        }));
        found.sort_unstable();
        found.dedup();
        found
    }

    fn words(&self) -> impl Iterator<Item = &Words> {
        let steps = self.states.iter().flat_map(|state| &state.steps).flat_map(|guarded| guarded.step.words());
        let answers = self.knowledge.iter().flat_map(|entry| &entry.answers);
        let rules = self.rules.iter().filter_map(|rule| rule.say.as_ref());
        self.consent.iter().chain(steps).chain(answers).chain(rules)
    }

    /// The line that offers the state's keys; empty when it has none that stand for something with a name.
    pub(super) fn keys_line(&self, state: &State) -> String {
        let mut options: Vec<(String, char)> = Vec::new();
        for route in state.shared.routes.iter().chain(&self.shared.routes) {
            let (Trigger::Key(key), Some(intent)) = (route.trigger, route.intent) else { continue };
            if options.iter().all(|(_, taken)| *taken != key) {
                options.push((in_words(&self.intents[intent].name), key));
            }
        }
        if options.is_empty() { String::new() } else { lines::keys(&options) }
    }
}

impl Step {
    fn words(&self) -> Vec<&Words> {
        match self {
            Step::Say { calm, tense, angry, .. } => {
                [Some(calm), tense.as_ref(), angry.as_ref()].into_iter().flatten().collect()
            }
            Step::Ask(ask) => match &ask.confirm {
                Confirmation::Wording(words) => ask.prompts.iter().chain([words]).collect(),
                _ => ask.prompts.iter().collect(),
            },
            Step::Listen { wordings, .. } => wordings.iter().collect(),
            Step::Fetch(fetch) => fetch.wait.iter().collect(),
            Step::Set(_) | Step::Goto(_) | Step::Transfer { .. } | Step::End => Vec::new(),
        }
    }
}

/// A name as it is said: `block_card` is "block card".
pub(super) fn in_words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}
