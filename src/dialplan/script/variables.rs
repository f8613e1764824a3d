//! What conditions and templates see.

use std::collections::BTreeMap;

use jiff::civil::DateTime;
use minijinja::value::{Serde, Value};

use super::super::lines;
use super::super::plan::{Plan, SlotKind, Words};
use super::super::template::{HOUR, INTENT, NOW};
use super::walk::Script;
use super::{MASKED, Mood, Say};

/// Fields of the caller that are there without a lookup.
const GIVEN: &[&str] = &["number", "name"];

/// Names from a profile that help to hear them, and letters of each.
const MOST_NAMES: usize = 8;
const LONGEST_NAME: usize = 40;

/// The variables of a call. No `Debug`: it holds what the caller said.
#[derive(Clone)]
pub(super) struct Variables {
    pub(super) now: DateTime,
    caller: BTreeMap<String, Value>,
    /// By the slot's index; one that is being confirmed is there already.
    pub(super) slots: Vec<Option<String>>,
    pub(super) values: BTreeMap<String, Value>,
    /// What is known of the caller from earlier calls and from this one.
    pub(super) profile: BTreeMap<String, Value>,
    pub(super) frustration: f32,
    pub(super) mood: Mood,
    /// Arousal, and how frustration and arousal have moved.
    pub(super) voice: [f32; 3],
    pub(super) misses: u32,
    /// Misses in a row, also over a hand-over that failed.
    pub(super) unheard: u32,
    pub(super) last: String,
    /// The last message: whether it is kept, its id, length and words.
    pub(super) message: Value,
    /// The call that we are to make, or are making.
    pub(super) callback: Value,
}

impl Variables {
    pub(super) fn new(plan: &Plan, now: DateTime) -> Self {
        Self {
            now,
            caller: BTreeMap::new(),
            slots: vec![None; plan.slots.len()],
            values: BTreeMap::new(),
            profile: BTreeMap::new(),
            frustration: 0.0,
            mood: Mood::Calm,
            voice: [0.0; 3],
            misses: 0,
            unheard: 0,
            last: String::new(),
            message: super::message::none(),
            callback: super::callback::none(),
        }
    }

    /// What is known of the caller when the call is answered.
    pub(super) fn caller(&mut self, caller: serde_json::Value) {
        if let serde_json::Value::Object(fields) = caller {
            self.caller = fields.into_iter().map(|(name, value)| (name, Serde(value).into())).collect();
        }
    }

    /// Of a lookup's answer, the fields that the plan names, and nothing else.
    pub(super) fn remember(&mut self, found: &serde_json::Value, fields: &[String]) {
        for field in fields {
            if let Some(value) = found.get(field) {
                self.caller.insert(field.clone(), Serde(value).into());
            }
        }
    }

    /// What the caller's profile holds that may be said in a call: names, and what is short.
    pub(super) fn names(&self) -> Vec<String> {
        let sayable = |text: &str| text.len() <= LONGEST_NAME && text.chars().any(char::is_alphabetic);
        let texts =
            self.caller.values().filter_map(|value| Some(value.as_str().filter(|text| sayable(text))?.to_owned()));
        texts.take(MOST_NAMES).collect()
    }

    /// The caller's number.
    pub(super) fn number(&self) -> Option<String> {
        self.caller.get("number")?.as_str().map(str::to_string)
    }

    /// The caller's name, or else number.
    pub(super) fn who(&self) -> Option<String> {
        let text = |field: &&str| self.caller.get(*field)?.as_str().map(str::to_string);
        GIVEN.iter().rev().find_map(text)
    }
}

/// As written: 0.7 is 0.7, and not the nearest f32.
fn rounded(value: f32) -> Value {
    Value::from((f64::from(value) * 1e4).round() / 1e4)
}

impl Script {
    /// What of the caller's profile may be said in the call.
    pub fn names(&self) -> Vec<String> {
        self.variables.names()
    }

    pub(super) fn scope(&self) -> Value {
        self.scope_with(&[])
    }

    /// The scope where more is known than in general.
    pub(super) fn scope_with(&self, extra: &[(&str, Value)]) -> Value {
        let v = &self.variables;
        let slots = self.plan.slots.iter().zip(&v.slots);
        let slots = slots.filter_map(|(slot, value)| Some((slot.name.as_str(), typed(&slot.kind, value.as_deref()?))));
        let mood = match v.mood {
            Mood::Calm => "calm",
            Mood::Tense => "tense",
            Mood::Angry => "angry",
        };
        let meant = self.meant.map_or("", |intent| self.plan.intents[intent].name.as_str());
        let own = [
            ("caller", Value::from_pairs(v.caller.iter().map(|(name, value)| (name.as_str(), value.clone())))),
            ("slots", Value::from_pairs(slots)),
            ("profile", Value::from_pairs(v.profile.iter().map(|(name, value)| (name.as_str(), value.clone())))),
            ("frustration", rounded(v.frustration)),
            ("mood", Value::from(mood)),
            ("arousal", rounded(v.voice[0])),
            ("frustration_trend", rounded(v.voice[1])),
            ("arousal_trend", rounded(v.voice[2])),
            ("misses", Value::from(v.misses)),
            ("last", Value::from(v.last.as_str())),
            ("message", v.message.clone()),
            ("callback", v.callback.clone()),
            ("today", Value::from(v.now.date().to_string())),
            ("now", Value::from(v.now.strftime("%H:%M").to_string())),
            ("weekday", Value::from(v.now.strftime("%A").to_string())),
            ("hour", Value::from(v.now.hour())),
            (NOW, Value::from(v.now.to_string())),
            (HOUR, Value::from(v.now.hour())),
            (INTENT, Value::from(meant)),
        ];
        let set = v.values.iter().map(|(name, value)| (name.as_str(), value.clone()));
        Value::from_pairs(set.chain(own).chain(extra.iter().cloned()))
    }

    /// The words, filled in; `None`, and trouble reported, when that fails.
    pub(super) fn filled(&mut self, words: &Words) -> Option<(String, bool)> {
        self.filled_with(words, &[])
    }

    pub(super) fn filled_with(&mut self, words: &Words, extra: &[(&str, Value)]) -> Option<(String, bool)> {
        self.note(words);
        match words {
            Words::Plain(text) => Some((text.clone(), false)),
            Words::Template { id, masked } => match self.plan.templates.render(id, self.scope_with(extra)) {
                Ok(text) => Some((text.trim().to_string(), *masked)),
                Err(why) => {
                    let what =
                        format!("state {}, step {}: a text cannot be filled in: {why}", self.state(), self.step + 1);
                    self.trouble(what);
                    None
                }
            },
        }
    }

    pub(super) fn say(&mut self, words: &Words, interruptible: bool) {
        match self.filled(words) {
            Some((text, masked)) => self.say_text(text, interruptible, masked),
            None => {
                let sorry = lines::in_language(lines::SORRY_LINE, &self.plan.language).to_string();
                self.say_text(sorry, interruptible, false);
            }
        }
    }

    pub(super) fn say_text(&mut self, text: String, interruptible: bool, masked: bool) {
        if !text.is_empty() {
            let text = one_stop(text);
            let pace = self.pace();
            self.out.push_back(super::Action::Say(Say { text, interruptible, pace, clip: None, masked }));
        }
    }

    pub(super) fn say_line(&mut self, line: &str) {
        let line = lines::in_language(line, &self.plan.language).to_string();
        self.say_text(line, true, false);
    }

    /// Whether a condition holds; one that cannot be evaluated does not.
    pub(super) fn holds(&mut self, when: &super::super::plan::Condition) -> bool {
        self.holds_with(when, &[])
    }

    /// What was said last, as `last` and the briefing may have it.
    pub(super) fn remember_words(&mut self, words: &str) {
        let words = if self.hears_masked() { MASKED } else { words };
        self.variables.last = words.chars().take(500).collect();
    }
}

/// Where what was filled in ends with a stop of its own ("at 6 p.m."), the sentence's is one too many.
fn one_stop(text: String) -> String {
    let twice = |at: usize| !text[..at].ends_with('.') && !text[at + 2..].starts_with('.');
    match text.match_indices("..").find(|(at, _)| twice(*at)) {
        Some((at, _)) => one_stop(format!("{}{}", &text[..at], &text[at + 1..])),
        None => text,
    }
}

/// A slot's value as conditions and templates see it: numbers and amounts are numbers.
pub(super) fn typed(kind: &SlotKind, value: &str) -> Value {
    match kind {
        SlotKind::Number | SlotKind::Money => match (value.parse::<i64>(), value.parse::<f64>()) {
            (Ok(whole), _) => whole.into(),
            (_, Ok(number)) => number.into(),
            _ => value.into(),
        },
        _ => value.into(),
    }
}
