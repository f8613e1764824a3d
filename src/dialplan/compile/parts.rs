//! Intents, the lookup, and what may stand in the plan or in a state.

use std::collections::HashMap;
use std::time::Duration;

use super::super::diagnostic::{Code, Span, short};
use super::super::markup;
use super::super::plan::{Intent, Knowledge, Lookup, Route, Rule, Shared, Trigger};
use super::super::raw::{RawRoute, RawShared};
use super::super::script::Method;
use super::super::template;
use super::super::yaml::Scalar;
use super::Compiler;
use super::words::Policy;

/// Longest spoken name of an intent, bytes.
const MAX_CALLED: usize = 100;
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

impl Compiler<'_, '_> {
    pub(super) fn intents(&mut self) -> Vec<Intent> {
        let mut built = Vec::new();
        for (name, examples) in &self.raw.intents {
            if examples.is_empty() {
                let message = format!("the intent `{}` has no examples", short(&name.text));
                let help = "give it some sentences that mean it; eight or more are good";
                self.report.error_help(&name.at, Code::EmptyExamples, message, help);
            }
            for example in examples.iter().filter(|example| example.text.trim().is_empty()) {
                self.report.error(&example.at, Code::EmptyExamples, "this example is blank");
            }
            let examples = examples.iter().map(|example| example.text.trim().to_string()).collect();
            let called = self.called(name);
            built.push(Intent { name: name.text.clone(), examples, called });
        }
        built
    }

    /// What the author calls an intent aloud; else its name, with blanks for what no voice says.
    fn called(&mut self, name: &Scalar) -> String {
        let Some((_, called)) = self.raw.called.iter().find(|(intent, _)| intent.text == name.text) else {
            return name.text.split(['_', '-', '/']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        };
        let text = called.text.trim();
        if text.is_empty() || text.len() > MAX_CALLED || template::is_template(text) || markup::unknown(text).is_some()
        {
            let message = format!("`{}` is nothing to be called", short(&called.text));
            let help = format!("plain words, {MAX_CALLED} bytes at most: `called: booking a room`");
            self.report.error_help(&called.at, Code::BadValue, message, help);
        }
        text.to_string()
    }

    pub(super) fn lookup(&mut self) -> Option<Lookup> {
        let raw = self.raw.lookup.as_ref()?;
        // Nothing has been asked yet, so there is nothing to reveal.
        let request = self.request(&raw.request, LOOKUP_TIMEOUT, Method::Get)?;
        Some(Lookup { request, remember: raw.remember.iter().map(|field| field.text.clone()).collect() })
    }

    pub(super) fn shared(&mut self, raw: &RawShared) -> Shared {
        let mut shared = Shared::default();
        let mut keys: HashMap<char, String> = HashMap::new();
        for route in &raw.on {
            self.route(route, &mut shared.routes, &mut keys);
        }
        for rule in &raw.handover {
            // What a sub-plan's states share is one rule, and one entry.
            if let Some(at) = self.built.get(&place(&rule.when.at)) {
                shared.rules.push(*at);
                continue;
            }
            self.built.insert(place(&rule.when.at), self.rules.len());
            let when = self.condition(&rule.when);
            let say = rule.say.as_ref().map(|text| self.words(text, Policy::Spoken));
            let reason = rule.reason.as_ref().map(|text| self.words(text, Policy::Kept));
            let to = self.target(&rule.to);
            shared.rules.push(self.rules.len());
            self.rules.push(Rule { when, say, to, reason });
        }
        for entry in &raw.knowledge {
            if let Some(at) = self.built.get(&place(&entry.at)) {
                shared.knowledge.push(*at);
                continue;
            }
            self.built.insert(place(&entry.at), self.knowledge.len());
            for (key, list) in [("questions", &entry.questions), ("answers", &entry.answers)] {
                if list.is_empty() {
                    let message = format!("this entry has no {key}");
                    self.report.error(&entry.at, Code::EmptyExamples, message);
                }
            }
            let answers = entry.answers.iter().map(|answer| self.words(answer, Policy::Spoken)).collect();
            for question in entry.questions.iter().filter(|question| question.text.trim().is_empty()) {
                self.report.error(&question.at, Code::EmptyExamples, "this question is blank");
            }
            let questions = entry.questions.iter().map(|question| question.text.trim().to_string()).collect();
            shared.knowledge.push(self.knowledge.len());
            self.knowledge.push(Knowledge { questions, answers });
        }
        shared
    }

    fn route(&mut self, raw: &RawRoute, routes: &mut Vec<Route>, keys: &mut HashMap<char, String>) {
        let to = self.state_named(&raw.to);
        let name = raw.trigger.text.trim();
        let trigger = match (name, key(name)) {
            ("yes", _) => Some(Trigger::Yes),
            ("no", _) => Some(Trigger::No),
            (_, Some(key)) => Some(Trigger::Key(key)),
            _ => self.intent_named(name, &raw.trigger.at).map(Trigger::Intent),
        };
        if let Some(Trigger::Key(key)) = trigger {
            self.claim(key, name, &raw.trigger, keys);
        }
        let extra = raw.key.as_ref().and_then(|written| {
            let found = key(written.text.trim());
            match found {
                Some(key) => self.claim(key, name, written, keys),
                None => {
                    let message = format!("`{}` is no key of a telephone", short(&written.text));
                    self.report.error_help(&written.at, Code::BadValue, message, "0 to 9, \"*\" or \"#\"");
                }
            }
            found
        });
        let (Some(trigger), Some(to)) = (trigger, to) else { return };
        let intent = match trigger {
            Trigger::Intent(intent) => Some(intent),
            _ => None,
        };
        let call = raw.call;
        routes.push(Route { trigger, intent, to, call });
        routes.extend(extra.map(|key| Route { trigger: Trigger::Key(key), intent, to, call }));
    }

    fn claim(&mut self, key: char, name: &str, at: &Scalar, keys: &mut HashMap<char, String>) {
        match keys.get(&key) {
            Some(holder) => {
                let message = format!("key {key} means `{}` already", short(holder));
                self.report.error(&at.at, Code::KeyClash, message);
            }
            None => _ = keys.insert(key, name.to_string()),
        }
    }
}

/// Tells one place in the plan's files from another.
fn place(at: &Span) -> (usize, u32, u32) {
    (at.file, at.line, at.column)
}

/// A key of a telephone (RFC 4733's events 0 to 11).
fn key(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let first = chars.next()?;
    (chars.next().is_none() && matches!(first, '0'..='9' | '*' | '#')).then_some(first)
}
