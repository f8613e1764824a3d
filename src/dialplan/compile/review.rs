//! Doubts about a plan without mistakes: callers with no way out, calls that go round or never end, examples that mean
//! two things, texts that no voice can say.

use std::collections::HashMap;

use super::super::diagnostic::{Code, Span, short};
use super::super::plan::{Shared, State, Step};
use super::super::raw::{Mooded, RawVerb};
use super::super::yaml::Scalar;
use super::Compiler;

impl Compiler<'_, '_> {
    /// Warnings only; a plan with errors is not looked at, for half of them would follow from those.
    pub(super) fn review(&mut self, shared: &Shared, states: &[State]) {
        if self.report.has_errors() || self.raw.states.len() != states.len() {
            return;
        }
        self.fall_backs(shared, states);
        self.never_ending(shared, states);
        self.rounds(states);
        self.two_meanings();
        self.unsayable_texts();
        self.unannounced();
    }

    /// A plan that acts on feelings without telling the caller that they are inferred.
    fn unannounced(&mut self) {
        if self.raw.emotion_notice.is_some() {
            return;
        }
        let moods = self.raw.states.iter().flat_map(|state| &state.steps).find_map(|step| match &step.verb {
            RawVerb::Say { text: Mooded { tense, angry, .. }, .. } => tense.as_ref().or(angry.as_ref()),
            _ => None,
        });
        if let Some(at) = self.feelings.clone().or_else(|| moods.map(|text| text.at.clone())) {
            let message = "callers are not told that their feelings are inferred".to_owned();
            let help =
                "add to the plan, say: emotion_notice: A computer listens for how you feel, to get you help sooner.";
            self.warn(&at, Code::UnannouncedEmotion, message, help);
        }
    }

    fn warn(&mut self, at: &Span, code: Code, message: String, help: &str) {
        self.report.warning(at, code, message, help);
    }

    /// Listening states whose caller cannot get on, or is left alone when not understood.
    fn fall_backs(&mut self, shared: &Shared, states: &[State]) {
        let raw = self.raw;
        for (at, state) in states.iter().enumerate() {
            if !state.steps.iter().any(|guarded| matches!(guarded.step, Step::Listen { .. })) {
                continue;
            }
            let place = &raw.states[at].name.at;
            let routes = !state.shared.routes.is_empty() || !shared.routes.is_empty();
            let rules = !state.shared.rules.is_empty() || !shared.rules.is_empty();
            if state.otherwise.is_some() {
                continue;
            }
            if !routes {
                let message = format!("nothing that the caller says or types leads on from `{}`", state.name);
                self.warn(place, Code::NoWayOn, message, "give it `on:`, or `otherwise: STATE`");
            } else if !rules {
                let message =
                    format!("a caller who is not understood in `{}` gets no human and no other state", state.name);
                let help = "add a handover rule, such as `when: misses >= 3`, or `otherwise: STATE`";
                self.warn(place, Code::MissingFallback, message, help);
            }
        }
    }

    /// States from which no way leads to an end or to a human.
    fn never_ending(&mut self, shared: &Shared, states: &[State]) {
        let mut from: Vec<Vec<usize>> = vec![Vec::new(); states.len()];
        let mut ends = vec![false; states.len()];
        for (at, state) in states.iter().enumerate() {
            let waits = state.steps.iter().any(|g| matches!(g.step, Step::Listen { .. } | Step::Ask(_)));
            ends[at] = waits && !(shared.rules.is_empty() && state.shared.rules.is_empty());
            for guarded in &state.steps {
                ends[at] |=
                    matches!(guarded.step, Step::End | Step::Transfer { .. } | Step::Switch { .. } | Step::Return);
                goes_to(&guarded.step).into_iter().for_each(|to| from[to].push(at));
            }
            let routes = state.shared.routes.iter().chain(&shared.routes).filter(|_| waits);
            routes.map(|route| route.to).chain(state.otherwise).for_each(|to| from[to].push(at));
        }
        let mut open: Vec<usize> = (0..states.len()).filter(|at| ends[*at]).collect();
        while let Some(at) = open.pop() {
            for &before in &from[at] {
                if !std::mem::replace(&mut ends[before], true) {
                    open.push(before);
                }
            }
        }
        let raw = self.raw;
        for at in (0..states.len()).filter(|at| !ends[*at]) {
            let message = format!("from `{}` the call can only end by hanging up", states[at].name);
            self.warn(&raw.states[at].name.at, Code::NoEnd, message, "let some way lead to `end:` or `transfer:`");
        }
    }

    /// Ways round that may never wait for the caller: conditions and failures decide.
    fn rounds(&mut self, states: &[State]) {
        let next: Vec<Vec<usize>> = states.iter().map(without_waiting).collect();
        // 0: not seen; 1: on the way; 2: done.
        let mut seen = vec![0u8; states.len()];
        for first in 0..states.len() {
            if seen[first] != 0 {
                continue;
            }
            let mut way = vec![(first, 0)];
            seen[first] = 1;
            while let Some((at, taken)) = way.last_mut() {
                let Some(&to) = next[*at].get(*taken) else {
                    seen[*at] = 2;
                    way.pop();
                    continue;
                };
                *taken += 1;
                match seen[to] {
                    0 => {
                        seen[to] = 1;
                        way.push((to, 0));
                    }
                    1 => {
                        let begins = way.iter().position(|(state, _)| *state == to).unwrap_or(0);
                        let round: Vec<&str> = way[begins..].iter().map(|(at, _)| states[*at].name.as_str()).collect();
                        let message =
                            format!("a call may go round {} without waiting for the caller", round.join(", "));
                        let help = "listen or ask on the way; the server stops it after a while, with an apology";
                        let place = self.raw.states[to].name.at.clone();
                        self.warn(&place, Code::PossibleLoop, message, help);
                    }
                    _ => {}
                }
            }
        }
    }

    /// The same sentence as an example of two intents, or of an intent and a question.
    fn two_meanings(&mut self) {
        let raw = self.raw;
        let mut known: HashMap<String, (String, &Scalar)> = HashMap::new();
        let intents =
            raw.intents.iter().flat_map(|(name, list)| list.iter().map(move |text| (name.text.clone(), text)));
        let questions = raw.shared.knowledge.iter().flat_map(|entry| {
            let name = entry.questions.first().map_or("", |question| question.text.as_str());
            entry.questions.iter().map(move |text| (format!("question \"{}\"", short(name)), text))
        });
        for (class, text) in intents.chain(questions) {
            let words = simple(&text.text);
            if words.is_empty() {
                continue;
            }
            match known.get(&words) {
                Some((other, first)) if *other != class => {
                    let message = format!(
                        "\"{}\" is an example of `{class}`, and \"{}\" (line {}) one of `{other}`",
                        short(&text.text),
                        short(&first.text),
                        first.at.line
                    );
                    self.warn(&text.at, Code::OverlappingIntents, message, "keep it where it is meant");
                }
                Some(_) => {}
                None => _ = known.insert(words, (class, text)),
            }
        }
    }

    fn unsayable_texts(&mut self) {
        let raw = self.raw;
        let mut texts: Vec<&Scalar> = raw.consent.iter().chain(&raw.emotion_notice).collect();
        let shared = raw.states.iter().map(|state| &state.shared).chain([&raw.shared]);
        for part in shared {
            texts.extend(part.knowledge.iter().flat_map(|entry| &entry.answers));
            texts.extend(part.handover.iter().filter_map(|rule| rule.say.as_ref()));
        }
        texts.extend(raw.slots.iter().flat_map(|slot| &slot.prompts));
        for step in raw.states.iter().flat_map(|state| &state.steps) {
            match &step.verb {
                RawVerb::Say { text: Mooded { calm, tense, angry }, .. } => {
                    texts.extend([Some(calm), tense.as_ref(), angry.as_ref()].into_iter().flatten());
                }
                RawVerb::Ask(ask) => texts.extend(&ask.prompts),
                RawVerb::Listen { wordings, .. } => texts.extend(wordings),
                RawVerb::Fetch(fetch) => texts.extend(&fetch.wait),
                RawVerb::Voicemail(voicemail) => texts.extend(&voicemail.prompt),
                _ => {}
            }
        }
        for text in texts {
            if let Some(why) = unsayable(&text.text) {
                let help = "write what is to be heard; the voice reads letters, digits and punctuation";
                self.warn(&text.at, Code::UnsayableText, why, help);
            }
        }
    }
}

/// Where a step may go.
fn goes_to(step: &Step) -> Vec<usize> {
    let one = |to: &Option<usize>| to.iter().copied().collect();
    match step {
        Step::Goto(to) | Step::Call(to) => vec![*to],
        Step::Ask(ask) => one(&ask.failed),
        Step::Fetch(fetch) => one(&fetch.failed),
        Step::Transfer { failed, .. } | Step::Switch { failed, .. } => one(failed),
        Step::Callback(callback) => one(&callback.failed),
        Step::Voicemail(voicemail) => voicemail.empty.into_iter().chain(voicemail.failed).collect(),
        _ => Vec::new(),
    }
}

/// Where a state may go before it certainly waits for the caller.
fn without_waiting(state: &State) -> Vec<usize> {
    let mut found = Vec::new();
    for guarded in &state.steps {
        match &guarded.step {
            // What follows a question that was not answered has waited.
            Step::Ask(_) | Step::Listen { .. } | Step::Voicemail(_) => {}
            step => found.extend(goes_to(step)),
        }
        let stays = matches!(
            guarded.step,
            Step::Ask(_)
                | Step::Listen { .. }
                | Step::Voicemail(_)
                | Step::Goto(_)
                | Step::Transfer { .. }
                | Step::Switch { .. }
                | Step::End
                | Step::Return
        );
        if stays && guarded.when.is_none() {
            break;
        }
    }
    found
}

/// Small letters and digits, one space between words.
fn simple(text: &str) -> String {
    let words = text.to_lowercase();
    words.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Why a voice cannot say a text, if it cannot.
fn unsayable(text: &str) -> Option<String> {
    const MARKUP: &[&str] = &["**", "__", "`", "](", "\\n", "&amp;", "&nbsp;"];
    let (spoken, filled_in) = without_templates(text);
    let lower = spoken.to_lowercase();
    if ["http://", "https://", "www."].iter().any(|address| lower.contains(address)) {
        return Some("a web address is no pleasure to hear".into());
    }
    if let Some(mark) = MARKUP.iter().find(|mark| spoken.contains(**mark)) {
        return Some(format!("`{mark}` is markup for the eye"));
    }
    if let Some(name) = single_braces(&spoken) {
        return Some(format!("`{{{name}}}` is not filled in: write `{{{{ {name} }}}}`"));
    }
    if let Some(symbol) = spoken.chars().find(|c| is_symbol(*c)) {
        return Some(format!("`{}` cannot be said", symbol.escape_debug()));
    }
    let says = filled_in || spoken.chars().any(char::is_alphanumeric);
    (!says).then(|| "there is nothing to say in this text".into())
}

/// What stands in single braces like a variable.
fn single_braces(spoken: &str) -> Option<&str> {
    let (_, rest) = spoken.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    let name = name.trim();
    let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'));
    named.then_some(name)
}

/// Pictures, arrows, boxes, control characters, and signs that only programs use.
fn is_symbol(c: char) -> bool {
    let picture =
        matches!(c, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}' | '\u{e000}'..='\u{f8ff}');
    picture
        || matches!(c, '|' | '\\' | '^' | '{' | '}' | '[' | ']' | '\u{fffd}')
        || c.is_control() && !c.is_whitespace()
}

/// The literal part of a text, and whether anything is filled in.
fn without_templates(text: &str) -> (String, bool) {
    let mut spoken = String::new();
    let (mut rest, mut filled_in) = (text, false);
    while let Some(at) = rest.find("{{").into_iter().chain(rest.find("{%")).chain(rest.find("{#")).min() {
        let close = match &rest[at..at + 2] {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        filled_in |= close == "}}";
        spoken += &rest[..at];
        rest = rest[at + 2..].find(close).map_or("", |end| &rest[at + 2 + end + 2..]);
    }
    spoken += rest;
    (spoken, filled_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_voice_cannot_say_is_told() {
        for text in ["See https://x.example", "**Hello**", "Hello 👋", "a → b", "…", "`x`", "a | b"] {
            assert!(unsayable(text).is_some(), "{text}");
        }
        for text in
            ["Hello.", "{{ name }}", "{% if a %}Yes{% endif %}", "That's 5 % of £3 – fine…", "您好，请问？", "¿Qué?"]
        {
            assert_eq!(unsayable(text), None, "{text}");
        }
    }
}
