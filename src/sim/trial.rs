//! Runs a scenario of a plan's author in text and virtual time, and says what was not as expected.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;

use super::talk::{Ending, Surroundings, Talk, Told, Utterance};
use crate::call::line::Line;
use crate::call::profile::Profile;
use crate::dialplan::Coverage;
use crate::dialplan::scenario::{Act, Expectation, Expected, Given, Outcome, Scenario, matches_pattern};
use crate::dialplan::script::{CallBack, Fetch, MASKED, Record, Target, Think, Thought, TransferFailure};
use crate::dialplan::ways::End;
use crate::speech::emotion::Mood;
use crate::speech::prosody::Features;

/// What a trial needs of the world outside: models and files are not its own.
pub struct Tools<'a> {
    /// The embedding of a sentence.
    pub embed: &'a mut dyn FnMut(&str) -> Vec<f32>,
    /// The voice in a sound file, named as in the scenario; why it cannot be had.
    pub voice: &'a mut dyn FnMut(&str) -> Result<Features, String>,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Turns that were run.
    pub turns: usize,
    /// What was not as expected.
    pub failures: Vec<Failure>,
    /// The conversation, a line each; masked values are hidden, and scores are left out, so that it stays the same.
    pub transcript: Vec<String>,
    /// How long the call took in virtual time.
    pub elapsed: Duration,
}

/// One expectation that did not hold, where it is written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
    /// What was expected, and what was.
    pub message: String,
}

/// When scenarios begin that do not say when: a Monday morning.
pub fn default_clock() -> DateTime {
    jiff::civil::date(2026, 11, 23).at(10, 0, 0, 0)
}

/// Runs a scenario on the line of its plan.
pub fn run(line: &Arc<Line>, scenario: &Scenario, tools: &mut Tools<'_>, coverage: &mut Coverage) -> Trial {
    let mut stage = Stage {
        talk: Talk::new(Arc::clone(line), scenario.at.unwrap_or_else(default_clock)),
        trial: Trial { turns: 0, failures: Vec::new(), transcript: Vec::new(), elapsed: Duration::ZERO },
        since: Vec::new(),
        states: Vec::new(),
        ends: Vec::new(),
    };
    let mut around = World { scenario, given: Given::default(), tools };
    if let Some(state) = &scenario.called_back {
        let number = scenario.caller.get("number").and_then(|number| number.as_str()).unwrap_or_default();
        // That there is such a state was checked when the scenario was read.
        let _ = stage.talk.call_back(state, number);
    }
    stage.talk.recall(&Profile { values: scenario.profile.clone(), calm_voice: None });
    let opening = stage.talk.open(scenario.caller.clone(), &mut around);
    stage.happened(opening);
    for turn in &scenario.turns {
        if let Some(act) = &turn.act {
            stage.act(turn.line, act, &mut around);
        }
        for expectation in &turn.expect {
            stage.hold(expectation);
        }
    }
    coverage.went(stage.states.iter().map(String::as_str), stage.ends.into_iter());
    coverage.said(stage.talk.script());
    stage.trial.elapsed = stage.talk.elapsed();
    stage.trial
}

/// The scenario's world.
struct World<'a, 't> {
    scenario: &'a Scenario,
    given: Given,
    tools: &'a mut Tools<'t>,
}

impl Surroundings for World<'_, '_> {
    fn embed(&mut self, text: &str) -> Vec<f32> {
        (self.tools.embed)(text)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<serde_json::Value, String> {
        self.given.answer(&self.scenario.fetches, &fetch.url)
    }

    fn think(&mut self, _: &Think) -> Vec<Thought> {
        self.given.thought(&self.scenario.thinks)
    }

    fn book(&mut self, _: &CallBack) -> Result<(), String> {
        self.scenario.callbacks.clone().map_or(Ok(()), Err)
    }

    fn keep(&mut self, _: &Record) -> Result<(), String> {
        self.scenario.messages.clone().map_or(Ok(()), Err)
    }

    fn ring(&mut self, _: &Target) -> Result<(), TransferFailure> {
        self.scenario.agents.map_or(Ok(()), Err)
    }
}

/// A trial under way.
struct Stage {
    talk: Talk,
    trial: Trial,
    /// What has happened since the caller's last act.
    since: Vec<Told>,
    states: Vec<String>,
    ends: Vec<End>,
}

impl Stage {
    fn act(&mut self, line: u32, act: &Act, around: &mut World<'_, '_>) {
        self.trial.turns += 1;
        self.since.clear();
        if self.talk.ending().is_some() {
            self.fail(line, 1, "the call was over before this turn".into());
            return;
        }
        let told = match act {
            Act::Say { text, interrupts, frustration, language } => {
                if let Some(frustration) = frustration {
                    self.talk.feign(*frustration);
                }
                self.talk.say(&Utterance { text, voice: None, interrupts: *interrupts, language: *language }, around)
            }
            Act::Audio { file, heard } => {
                let voice = match (around.tools.voice)(file) {
                    Ok(voice) => Some(voice),
                    Err(why) => {
                        self.fail(line, 1, format!("{file}: {why}"));
                        None
                    }
                };
                self.talk.say(&Utterance { text: heard, voice, ..Utterance::default() }, around)
            }
            Act::Keys(keys) => self.talk.keys(keys, around),
            Act::Silence(time) => {
                self.trial.transcript.push(format!("> ({} s of silence)", time.as_secs_f32()));
                self.talk.silence(*time, around)
            }
            Act::HangUp => self.talk.hang_up(),
        };
        self.happened(told);
    }

    fn happened(&mut self, told: Vec<Told>) {
        for told in &told {
            match told {
                Told::State(state) => self.states.push(state.clone()),
                Told::HandedOver { to, .. } | Told::NotTaken { to, .. } => self.ends.push(End::Human(to.clone())),
                Told::Switched(number) => self.ends.push(End::Line(number.clone())),
                Told::Ended(Ending::Completed) => self.ends.push(End::Over),
                _ => {}
            }
            self.trial.transcript.extend(written(told));
        }
        self.since.extend(told);
    }

    fn fail(&mut self, line: u32, column: u32, message: String) {
        self.trial.failures.push(Failure { line, column, message });
    }

    fn hold(&mut self, expectation: &Expectation) {
        let wrong = match &expectation.what {
            Expected::State(state) => differs("the state", state, self.talk.script().state()),
            Expected::Passes(states) => self.passes(states),
            Expected::Said(parts) => {
                let said = self.said();
                let missing = parts.iter().find(|part| !said.plain.contains(&simple(part)));
                missing.map(|part| format!("expected to be said: \"{part}\"; said: {}", said.shown))
            }
            Expected::NotSaid(parts) => {
                let said = self.said();
                let found = parts.iter().find(|part| said.plain.contains(&simple(part)));
                found.map(|part| format!("not to be said: \"{part}\"; said: {}", said.shown))
            }
            Expected::Intent(intent) => {
                let heard = self.since.iter().find_map(|told| match told {
                    Told::Heard { intent, .. } => Some(intent.as_ref()),
                    _ => None,
                });
                let meant = heard.flatten().map_or("none".to_owned(), |(name, score)| format!("{name} ({score:.2})"));
                let is = heard.flatten().map(|(name, _)| name.as_str()) == intent.as_deref();
                let expected = intent.as_deref().unwrap_or("none");
                (!is).then(|| format!("expected the intent `{expected}`, but it is `{meant}`"))
            }
            Expected::Slot(name, expected) => self.slot(name, expected.as_deref()),
            Expected::Frustration(compare) => {
                let score = f64::from(self.talk.frustration());
                (!compare.holds(score)).then(|| format!("expected a frustration of {compare}, but it is {score:.2}"))
            }
            Expected::Mood(mood) => {
                let is = match self.talk.mood() {
                    Mood::Calm => "calm",
                    Mood::Tense => "tense",
                    Mood::Angry => "angry",
                };
                differs("the mood", mood, is)
            }
            Expected::Misses(compare) => {
                let misses = self.talk.script().misses();
                let holds = compare.holds(f64::from(misses));
                (!holds).then(|| format!("expected {compare} misses, but there were {misses}"))
            }
            Expected::Handover(expected) => {
                let rung: Vec<&str> = self.since.iter().filter_map(rung).collect();
                let shown =
                    if rung.is_empty() { "nobody was rung".into() } else { format!("rung: {}", rung.join(", ")) };
                (!rung.contains(&expected.as_str())).then(|| format!("expected a handover to {expected}; {shown}"))
            }
            Expected::Briefing(parts) => {
                let told = self.since.iter().find_map(|told| match told {
                    Told::HandedOver { briefing, .. } => Some(briefing.spoken()),
                    _ => None,
                });
                let told = told.unwrap_or_else(|| "nothing, for nobody was put through".into());
                let missing = parts.iter().find(|part| !simple(&told).contains(&simple(part)));
                missing.map(|part| format!("expected in the briefing: \"{part}\"; it was: {told}"))
            }
            Expected::Fetched(patterns) => self.fetched(patterns),
            Expected::Holds(condition) => match self.talk.script().evaluate(condition) {
                Ok(true) => None,
                Ok(false) => Some(format!("`{condition}` does not hold")),
                Err(why) => Some(format!("`{condition}` cannot be evaluated: {why}")),
            },
            Expected::Within(limit) => match self.talk.answered_after() {
                Some(after) if after <= *limit => None,
                Some(after) => Some(format!(
                    "expected an answer within {} ms; it took {} ms",
                    limit.as_millis(),
                    after.as_millis()
                )),
                None => Some("expected an answer, but nothing was said".into()),
            },
            Expected::Outcome(outcome) => {
                let is = match self.talk.ending() {
                    None => Outcome::Open,
                    Some(Ending::Completed) => Outcome::Completed,
                    Some(Ending::HandedOver) => Outcome::HandedOver,
                    Some(Ending::Switched) => Outcome::Switched,
                    Some(Ending::CallerHungUp) => Outcome::CallerHungUp,
                };
                differs("the outcome", named(*outcome), named(is))
            }
        };
        if let Some(message) = wrong {
            self.fail(expectation.line, expectation.column, message);
        }
    }

    fn passes(&self, states: &[String]) -> Option<String> {
        let entered: Vec<&str> = self
            .since
            .iter()
            .filter_map(|told| match told {
                Told::State(state) => Some(state.as_str()),
                _ => None,
            })
            .collect();
        let mut rest = entered.iter();
        let missing = states.iter().find(|state| !rest.any(|entered| entered == state));
        missing.map(|state| format!("expected to pass through `{state}`; entered: {}", entered.join(", ")))
    }

    fn slot(&self, name: &str, expected: Option<&str>) -> Option<String> {
        let slot = self.talk.script().slots().find(|slot| slot.name == name)?;
        if slot.value == expected {
            return None;
        }
        let shown = match slot.value {
            None => "it is not filled".to_owned(),
            Some(_) if slot.mask => "it is another (masked)".to_owned(),
            Some(value) => format!("it is \"{value}\""),
        };
        let expected = expected.map_or("nothing".to_owned(), |value| format!("\"{value}\""));
        Some(format!("expected in the slot `{name}`: {expected}, but {shown}"))
    }

    fn fetched(&self, patterns: &[String]) -> Option<String> {
        let fetched = |told: &Told| match told {
            Told::Fetched { url, address, .. } | Told::Notified { url, address } => {
                Some((url.clone(), address.clone()))
            }
            _ => None,
        };
        let all: Vec<(String, String)> = self.since.iter().filter_map(fetched).collect();
        let missing =
            patterns.iter().find(|pattern| all.iter().all(|(_, address)| !matches_pattern(pattern, address)))?;
        let shown: Vec<&str> = all.iter().map(|(url, _)| url.as_str()).collect();
        let shown = if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") };
        Some(format!("expected to be looked up: {missing}; looked up: {shown}"))
    }

    fn said(&self) -> Said {
        let mut said = Said::default();
        for told in &self.since {
            if let Told::Said { text, masked } = told {
                said.plain += &format!("{} ", simple(text));
                said.shown += &format!("\"{}\" ", if *masked { MASKED } else { text });
            }
        }
        if said.shown.is_empty() {
            said.shown = "nothing".into();
        }
        said
    }
}

/// What was said in a turn: for comparing, and for showing.
#[derive(Default)]
struct Said {
    plain: String,
    shown: String,
}

fn differs(what: &str, expected: &str, is: &str) -> Option<String> {
    (expected != is).then(|| format!("expected {what} `{expected}`, but it is `{is}`"))
}

fn rung(told: &Told) -> Option<&str> {
    match told {
        Told::HandedOver { to, .. } | Told::NotTaken { to, .. } => Some(to),
        _ => None,
    }
}

/// Small letters, single spaces.
fn simple(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn named(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::HandedOver => "handed_over",
        Outcome::Switched => "switched",
        Outcome::CallerHungUp => "caller_hung_up",
        Outcome::Open => "open",
    }
}

/// A line of the transcript: `>` what the caller did, `<` what was said, `*` all else. Nothing masked is in it.
pub fn written(told: &Told) -> Option<String> {
    Some(match told {
        Told::State(state) => format!("* state {state}"),
        Told::Said { masked: true, .. } => format!("< {MASKED}"),
        Told::Said { text, .. } => format!("< {text}"),
        Told::Heard { text, intent, knowledge, .. } => match (intent, knowledge) {
            (Some((intent, _)), _) => format!("> {text} [{intent}]"),
            (None, Some((question, _))) => format!("> {text} [knowledge: {question}]"),
            (None, None) => format!("> {text}"),
        },
        Told::Spoke { text, language } => format!("> {text} [in {language}]"),
        Told::Felt { .. } => return None,
        Told::Keys(keys) => format!("> keys {keys}"),
        Told::NoInput => "* no input".into(),
        Told::Fetched { url, error: None, .. } => format!("* fetched {url}"),
        Told::Fetched { url, error: Some(why), .. } => format!("* fetch of {url} failed: {why}"),
        Told::Notified { url, .. } => format!("* notified {url}"),
        Told::Booked { due, state, error: None } => format!("* called back on {due}, from state {state}"),
        Told::Booked { error: Some(why), .. } => format!("* not called back: {why}"),
        Told::Left { mailbox, text, error: None } => format!("> {text}\n* a message for {mailbox}"),
        Told::Left { text, error: Some(why), .. } => format!("> {text}\n* the message was not kept: {why}"),
        Told::HandedOver { to, briefing } => format!("* handed over to {to}: {}", briefing.spoken()),
        Told::NotTaken { to, failure } => format!("* {to} did not take it: {failure}"),
        Told::Switched(number) => format!("* went on as {number}"),
        Told::Trouble(what) => format!("* trouble: {what}"),
        Told::Ended(ending) => format!("* ended: {ending}"),
    })
}
