//! From the plan as written to the plan as run: every name becomes an index, every template is compiled, and every
//! mistake is reported, so that an author mends them all at once. Linear in the size of the plan.

mod flow;
mod parts;
mod profile;
mod requests;
mod review;
mod slots;
mod steps;
mod think;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::calendar::Calendar;
use super::diagnostic::{Code, Report, Span, short};
use super::lines;
use super::markup::Lexicon;
use super::plan::{Knowledge, Plan, Rule, Shared, Slot};
use super::raw::{Raw, RawVerb};
use super::script::Target;
use super::template::Templates;
use super::yaml::Scalar;

const DEFAULT_LANGUAGE: &str = "en-US";
/// Names that are not an author's to give.
const RESERVED: &[&str] = &[
    "caller",
    "slots",
    "profile",
    "frustration",
    "mood",
    "arousal",
    "frustration_trend",
    "arousal_trend",
    "misses",
    "last",
    "args",
    "value",
    "answer",
    "today",
    "now",
    "weekday",
    "hour",
    "message",
    "callback",
    "greeting",
    "heard",
    "open",
    "opens",
    "closes",
    "holiday",
    "birthday",
    "true",
    "false",
    "none",
    "loop",
];
/// What is known of a caller without a lookup.
const CALLER_FIELDS: &[&str] = &["number", "name"];
/// Longest name, bytes.
const MAX_NAME: usize = 64;
/// Words of a lexicon, and the longest way of saying one, bytes.
const MAX_LEXICON: usize = 500;
const MAX_SAID: usize = 200;

/// Compiles. What comes back is only a plan if no error was reported.
pub(super) fn compile(raw: &Raw, report: &mut Report<'_>) -> Plan {
    let language = raw.language.as_ref().map_or(DEFAULT_LANGUAGE, |language| &language.text).to_string();
    let calendar = requests::calendar(raw, report);
    let mut compiler = Compiler {
        states: index(raw.states.iter().map(|state| &state.name)),
        intents: index(raw.intents.iter().map(|(name, _)| name)),
        slots: index(raw.slots.iter().map(|slot| &slot.name)),
        variables: variables(raw),
        remembered: raw.lookup.iter().flat_map(|lookup| &lookup.remember).map(|field| field.text.clone()).collect(),
        raw,
        templates: Templates::new(&language, calendar.clone()),
        calendar,
        built_slots: Vec::new(),
        rules: Vec::new(),
        knowledge: Vec::new(),
        built: HashMap::new(),
        slot_uses: Vec::new(),
        used_intents: HashSet::new(),
        feelings: None,
        value_of: None,
        answers: false,
        args: HashSet::new(),
        report,
    };
    for (alias, start) in &raw.aliases {
        // A state of the plan's own by that name goes before.
        if let Some(start) = compiler.states.get(start.text.as_str()).copied() {
            compiler.states.entry(alias.text.as_str()).or_insert(start);
        }
    }
    compiler.names();
    compiler.plan(language)
}

/// How a slot is used by a template.
struct SlotUse {
    slot: usize,
    at: Span,
    in_fetch: bool,
}

struct Compiler<'a, 's> {
    raw: &'a Raw,
    states: HashMap<&'a str, usize>,
    intents: HashMap<&'a str, usize>,
    slots: HashMap<&'a str, usize>,
    variables: HashSet<&'a str>,
    remembered: HashSet<String>,
    templates: Templates,
    calendar: Calendar,
    built_slots: Vec<Slot>,
    rules: Vec<Rule>,
    knowledge: Vec<Knowledge>,
    /// Rules and knowledge entries that are built, by their places.
    built: HashMap<(usize, u32, u32), usize>,
    slot_uses: Vec<SlotUse>,
    used_intents: HashSet<usize>,
    /// The first place that asks how the caller feels.
    feelings: Option<Span>,
    /// The slot whose value `value` is, where there is one.
    value_of: Option<usize>,
    /// Whether `answer` is something here.
    answers: bool,
    /// What `args` holds here.
    args: HashSet<String>,
    report: &'a mut Report<'s>,
}

/// The first of each name; the reader has reported the others.
fn index<'a>(names: impl Iterator<Item = &'a Scalar>) -> HashMap<&'a str, usize> {
    let mut found = HashMap::new();
    for (at, name) in names.enumerate() {
        found.entry(name.text.as_str()).or_insert(at);
    }
    found
}

/// Every name that a `set` or a `fetch … as` declares, wherever it stands.
fn variables(raw: &Raw) -> HashSet<&str> {
    let mut found = HashSet::new();
    for step in raw.states.iter().flat_map(|state| &state.steps) {
        match &step.verb {
            RawVerb::Set(values) => found.extend(values.iter().map(|(name, _)| name.text.as_str())),
            RawVerb::Fetch(fetch) => found.extend(fetch.keep.iter().map(|name| name.text.as_str())),
            // What was left.
            RawVerb::Voicemail(_) => _ = found.insert("message"),
            RawVerb::Callback(_) => _ = found.insert("callback"),
            _ => {}
        }
    }
    found
}

impl<'a> Compiler<'a, '_> {
    fn plan(mut self, language: String) -> Plan {
        let raw = self.raw;
        self.language(&language);
        let languages = self.languages(&language);
        let intents = self.intents();
        self.slots();
        let validity = self.validity();
        let lookup = self.lookup();
        let profile = self.profile();
        let calm_voice = self.calm_voice();
        let speed = raw.speed.as_ref().map(|text| self.speed(text));
        let consent = raw.consent.as_ref().map(|text| self.words(text, words::Policy::Spoken));
        let emotion_notice = raw.emotion_notice.as_ref().map(|text| self.words(text, words::Policy::Spoken));
        let shared = self.shared(&raw.shared);
        let states: Vec<_> = raw.states.iter().map(|state| self.state(state)).collect();
        let start = self.start();
        self.flow(&shared, &states);
        self.review(&shared, &states);
        let human = self.human(&shared);
        Plan {
            name: raw.name.as_ref().map(|name| name.text.clone()).unwrap_or_default(),
            language,
            languages,
            voice: raw.voice.as_ref().map(|voice| voice.text.clone()),
            lexicon: self.lexicon(),
            lookup,
            profile,
            calm_voice,
            speed,
            consent,
            emotion_notice,
            intents,
            slots: self.built_slots,
            validity,
            knowledge: self.knowledge,
            rules: self.rules,
            shared,
            states,
            start,
            human,
            templates: self.templates,
            calendar: self.calendar,
        }
    }

    fn language(&mut self, language: &str) {
        if !lines::speak(language) {
            let at = self.raw.language.as_ref().map_or(&self.raw.at, |language| &language.at);
            let message =
                format!("the built-in lines (read-backs, apologies) are English and Chinese, not `{language}`");
            self.report.warning(at, Code::Language, message, "give each `ask` its own `confirm` wording");
        }
    }

    /// Languages that callers may speak from the first word, and the numbers whose plans answer in them.
    fn languages(&mut self, own: &str) -> Vec<(&'static str, String)> {
        let raw = self.raw;
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for (language, number) in &raw.languages {
            let number = self.number(number);
            let Some(tag) = lines::tag(&language.text) else {
                let message = format!("`{}` is no language that is heard", short(&language.text));
                self.report.error_help(&language.at, Code::Language, message, "`en` and `zh` are");
                continue;
            };
            if lines::tag(own) == Some(tag) {
                let message = format!("`{tag}` is the plan's own language");
                let help =
                    "`languages` names the others: in `languages: {zh: 200}` 200 is the number of the plan in Chinese";
                self.report.error_help(&language.at, Code::Language, message, help);
            } else if found.iter().any(|(known, _)| *known == tag) {
                let message =
                    format!("`{}` is the language `{tag}`, which has a number already", short(&language.text));
                self.report.error(&language.at, Code::DuplicateKey, message);
            } else {
                found.push((tag, number));
            }
        }
        found
    }

    fn lexicon(&mut self) -> Arc<Lexicon> {
        let raw = self.raw;
        let mut entries = Vec::new();
        for (written, said) in &raw.lexicon {
            let (word, said_text) = (written.text.trim().to_lowercase(), said.text.trim().to_string());
            let starts = word.chars().next().is_some_and(char::is_alphanumeric);
            if !starts || word.len() > MAX_NAME || said_text.is_empty() || said_text.len() > MAX_SAID {
                let message = format!("`{}` is no entry of a lexicon", short(&written.text));
                self.report.error_help(
                    &written.at,
                    Code::BadValue,
                    message,
                    "a word, and how it is said: `IBAN: eye ban`",
                );
            }
            entries.push((word, said_text));
        }
        if entries.len() > MAX_LEXICON {
            self.report.error(&raw.lexicon[0].0.at, Code::TooBig, format!("a lexicon has {MAX_LEXICON} words at most"));
            entries.clear();
        }
        Arc::new(Lexicon { entries })
    }

    fn start(&mut self) -> usize {
        // A missing `start` has been reported.
        self.raw.start.as_ref().and_then(|start| self.state_named(start)).unwrap_or(0)
    }

    fn state_named(&mut self, name: &Scalar) -> Option<usize> {
        let found = self.states.get(name.text.as_str()).copied();
        if found.is_none() {
            let message = format!("there is no state `{}`", short(&name.text));
            self.report.unknown(&name.at, Code::UnknownState, message, &name.text, self.states.keys().copied());
        }
        found
    }

    fn slot_named(&mut self, name: &str, at: &Span) -> Option<usize> {
        let found = self.slots.get(name).copied();
        if found.is_none() {
            let message = format!("there is no slot `{}`", short(name));
            self.report.unknown(at, Code::UnknownSlot, message, name, self.slots.keys().copied());
        }
        found
    }

    fn intent_named(&mut self, name: &str, at: &Span) -> Option<usize> {
        let found = self.intents.get(name).copied();
        match found {
            Some(intent) => _ = self.used_intents.insert(intent),
            None => {
                let message = format!("there is no intent `{}`", short(name));
                self.report.unknown(at, Code::UnknownIntent, message, name, self.intents.keys().copied());
            }
        }
        found
    }

    /// Reports names that are no names.
    fn names(&mut self) {
        let raw = self.raw;
        if let Some(name) = &raw.name {
            self.name(name, &[], true);
        }
        for state in &raw.states {
            // Of a sub-plan's state, the name that its author gave.
            let own = state.name.text.rsplit('/').next().unwrap_or_default().to_string();
            let own = if state.name.at.file == 0 { state.name.text.clone() } else { own };
            self.name(&Scalar { text: own, ..state.name.clone() }, &[], true);
        }
        raw.intents.iter().for_each(|(name, _)| self.name(name, &["yes", "no"], true));
        raw.slots.iter().for_each(|slot| self.name(&slot.name, &[], false));
        raw.hours.iter().for_each(|hours| self.name(&hours.name, &[], true));
        for step in raw.states.iter().flat_map(|state| &state.steps) {
            match &step.verb {
                RawVerb::Set(values) => values.iter().for_each(|(name, _)| self.name(name, RESERVED, false)),
                RawVerb::Fetch(fetch) => fetch.keep.iter().for_each(|name| self.name(name, RESERVED, false)),
                _ => {}
            }
        }
    }

    fn name(&mut self, name: &Scalar, reserved: &[&str], dashes: bool) {
        let text = name.text.as_str();
        let first = text.chars().next().is_some_and(|c| c.is_alphabetic());
        let rest = text.chars().all(|c| c.is_alphanumeric() || c == '_' || (dashes && c == '-'));
        if reserved.contains(&text) {
            self.report.error(&name.at, Code::BadName, format!("`{text}` is the language's own word"));
        } else if !first || !rest || text.len() > MAX_NAME {
            let message = format!("`{}` is no name", short(text));
            let help = format!(
                "a name begins with a letter, goes on with letters, digits and _, and has {MAX_NAME} bytes at most"
            );
            self.report.error_help(&name.at, Code::BadName, message, help);
        }
    }

    /// Who is rung when the plan itself names nobody: the rule for those who ask for a person, or the first one.
    fn human(&self, shared: &Shared) -> Option<Target> {
        let rules = || shared.rules.iter().map(|rule| &self.rules[*rule]).chain(&self.rules);
        let rule = rules().find(|rule| !rule.when.heard.is_empty()).or_else(|| rules().next())?;
        Some(rule.to.clone())
    }
}
