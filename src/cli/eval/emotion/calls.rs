//! Whole scripted calls (`calls.toml`), played by real voices: what the fusion makes of voice, words and events together, and
//! of each for itself.

use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::corpus::Label;
use super::measure::Row;
use super::metrics::{ece, interval};
use crate::speech::emotion::{CallCalibration, Config, Event, Frustration, ProsodyModel};
use crate::speech::prosody::Features;

const SCRIPTS: &str = include_str!("calls.toml");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scripts {
    call: Vec<Script>,
}

/// One call as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Script {
    kind: String,
    /// The condition under which its clips were measured.
    pub(super) line: String,
    /// Whether somebody should take over.
    #[serde(default)]
    hand_over: bool,
    /// The first angry turn, from 0.
    #[serde(default)]
    angry_from: usize,
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    voice: String,
    heard: String,
    #[serde(default)]
    events: Vec<Event>,
}

/// Reads the scripts.
pub(super) fn scripts() -> anyhow::Result<Vec<Script>> {
    let scripts: Scripts = toml::from_str(SCRIPTS).context("calls.toml")?;
    for script in &scripts.call {
        anyhow::ensure!(script.angry_from < script.turns.len(), "calls.toml: a call without an angry turn to wait for");
        for turn in &script.turns {
            anyhow::ensure!(Label::parse(&turn.voice).is_some(), "calls.toml: unknown voice `{}`", turn.voice);
        }
    }
    Ok(scripts.call)
}

/// What the fusion is allowed to know.
const SOURCES: [(&str, [bool; 3]); 7] = [
    ("voice, words and events", [true, true, true]),
    ("voice alone", [true, false, false]),
    ("words alone", [false, true, false]),
    ("events alone", [false, false, true]),
    ("voice and words", [true, true, false]),
    ("voice and events", [true, false, true]),
    ("words and events", [false, true, true]),
];

/// How calls of one kind ended.
#[derive(Debug, Default, Clone)]
struct Kind {
    name: String,
    calls: u32,
    handed_over: u32,
}

/// How all calls ended with one set of sources.
#[derive(Debug, Default, Clone)]
struct Tally {
    /// Calls that should have been handed over and were; and were not; calls that should not have been and were.
    right: u32,
    missed: u32,
    wrong: u32,
    /// Turns from the first angry one to the hand-over.
    delays: Vec<f32>,
    kinds: Vec<Kind>,
    /// The score after each turn, and whether the caller was angry by then.
    scores: Vec<(f32, bool)>,
}

/// One call by one speaker, as the fusion hears it.
#[derive(Debug)]
struct Play {
    speaker: String,
    kind: String,
    /// The first turn of an angry caller, for whom somebody should take over.
    angry_from: Option<usize>,
    /// What voice, words and events sum up to after each turn, for each set of sources.
    sums: [Vec<f32>; SOURCES.len()],
}

impl Play {
    /// The sums of one set of sources, and whether the caller was angry by then.
    fn scored(&self, sources: usize) -> impl Iterator<Item = (f64, bool)> + '_ {
        let angry = |turn: usize| self.angry_from.is_some_and(|from| turn >= from);
        self.sums[sources].iter().enumerate().map(move |(turn, sum)| (f64::from(*sum), angry(turn)))
    }
}

/// All calls.
#[derive(Debug, Default)]
pub(super) struct Plays(Vec<Play>);

impl Plays {
    /// Plays every script of this line with each speaker's clips, by a model that did not hear them.
    pub(super) fn on_line<'a>(
        &mut self,
        line: &str,
        scripts: &[Script],
        rows: &[&Row],
        models: impl Iterator<Item = (&'a str, &'a Arc<ProsodyModel>)> + Clone,
    ) {
        for (number, script) in scripts.iter().enumerate().filter(|(_, script)| script.line == line) {
            for (s, (speaker, model)) in models.clone().enumerate() {
                let own: Vec<&Row> = rows.iter().filter(|row| row.speaker == speaker).copied().collect();
                // A speaker who never acts one of the voices cannot play it.
                let Some(clips) = script.clips(&own, number + s) else { continue };
                self.0.push(Play {
                    speaker: speaker.to_string(),
                    kind: script.kind.clone(),
                    angry_from: script.hand_over.then_some(script.angry_from),
                    sums: SOURCES.map(|(_, sources)| script.play(&clips, model, sources)),
                });
            }
        }
    }

    /// What makes the sum of all sources a probability, from every call.
    pub(super) fn calibration(&self) -> CallCalibration {
        self.calibration_of(|_| true)
    }

    fn calibration_of(&self, of: impl Fn(&Play) -> bool) -> CallCalibration {
        let scored: Vec<(f64, bool)> = self.0.iter().filter(|play| of(play)).flat_map(|play| play.scored(0)).collect();
        CallCalibration::learn(&scored)
    }

    /// How the calls ended; each calibrated by those of other speakers.
    pub(super) fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        for play in &self.0 {
            let line = self.calibration_of(|other| other.speaker != play.speaker);
            calls.tallies.iter_mut().enumerate().for_each(|(sources, tally)| tally.add(play, sources, &line));
        }
        calls
    }
}

impl Script {
    /// A clip for each turn; `index` chooses among them.
    fn clips<'a>(&self, rows: &[&'a Row], index: usize) -> Option<Vec<&'a Features>> {
        let turns = self.turns.iter().enumerate().map(|(i, turn)| {
            let label = Label::parse(&turn.voice)?;
            let own: Vec<&&Row> = rows.iter().filter(|row| row.label == label).collect();
            (!own.is_empty()).then(|| &own[(index + i) % own.len()].features)
        });
        turns.collect()
    }

    /// What the fusion sums up after each turn.
    fn play(&self, clips: &[&Features], model: &Arc<ProsodyModel>, [voice, words, events]: [bool; 3]) -> Vec<f32> {
        let mut frustration = Frustration::new(Arc::clone(model), Config::default());
        let turns = self.turns.iter().zip(clips).map(|(turn, clip)| {
            let features = if voice { **clip } else { Features::default() };
            let heard = if words { turn.heard.as_str() } else { "" };
            frustration.utterance(&features, heard, if events { &turn.events } else { &[] });
            frustration.sum()
        });
        turns.collect()
    }
}

/// How all calls ended, for each set of sources.
#[derive(Debug, Default)]
pub(super) struct Calls {
    tallies: [Tally; SOURCES.len()],
}

impl Calls {
    fn all(&self) -> &Tally {
        &self.tallies[0]
    }

    /// Share of hand-overs that were right.
    pub(super) fn precision(&self) -> Option<f64> {
        self.all().precision().map(|p| p.0)
    }

    /// Share of callers who should have been handed over that were.
    pub(super) fn recall(&self) -> Option<f64> {
        self.all().recall().map(|p| p.0)
    }

    /// Median of the turns from the first angry one to the hand-over (0: the same turn).
    pub(super) fn delay(&self) -> Option<f32> {
        self.all().delay()
    }

    /// How far the score after a turn is off as a probability.
    #[cfg(test)]
    pub(super) fn calibration_error(&self) -> f64 {
        ece(&self.all().scores)
    }

    pub(super) fn table(&self) -> String {
        let share = |p: Option<(f64, f64, f64)>| {
            p.map_or("–".to_string(), |(p, low, high)| format!("{p:.3} ({low:.2}–{high:.2})"))
        };
        let mut out = String::from(
            "whole calls, handed over at 0.7      precision            recall               turns  calibration error\n",
        );
        for (tally, (name, _)) in self.tallies.iter().zip(SOURCES) {
            let delay = tally.delay().map_or("–".to_string(), |d| format!("{d:.0}"));
            let (precision, recall) = (share(tally.precision()), share(tally.recall()));
            out += &format!("{name:<37}{precision:<21}{recall:<21}{delay:<7}{:.3}\n", ece(&tally.scores));
        }
        out.push_str("\nhanded over, with all three\n");
        for kind in &self.all().kinds {
            out += &format!("{:<37}{} of {}\n", kind.name, kind.handed_over, kind.calls);
        }
        out
    }

    /// `handover_precision` and `handover_recall` with their 95 % intervals, and all the rest under `calls`.
    pub(super) fn json(&self) -> Map<String, Value> {
        let part = |tally: &Tally| {
            let kinds =
                tally.kinds.iter().map(|k| json!({"kind": k.name, "calls": k.calls, "handed_over": k.handed_over}));
            json!({
                "precision": tally.precision().map(|p| p.0), "precision_95": tally.precision().map(|p| [p.1, p.2]),
                "recall": tally.recall().map(|p| p.0), "recall_95": tally.recall().map(|p| [p.1, p.2]),
                "delay_turns_median": tally.delay(), "ece": ece(&tally.scores),
                "kinds": kinds.collect::<Vec<_>>(),
            })
        };
        let sources = self.tallies.iter().zip(SOURCES).map(|(tally, (name, _))| (name.to_string(), part(tally)));
        let mut out = Map::new();
        out.insert("handover_precision".to_string(), json!(self.precision()));
        out.insert("handover_recall".to_string(), json!(self.recall()));
        out.insert("handover_delay_turns_median".to_string(), json!(self.delay()));
        out.insert("calls".to_string(), Value::Object(sources.collect()));
        out
    }
}

impl Tally {
    fn add(&mut self, play: &Play, sources: usize, line: &CallCalibration) {
        let mut handed_over = None;
        for (turn, (sum, angry)) in play.scored(sources).enumerate() {
            let score = (1.0 / (1.0 + (-line.apply(sum)).exp())) as f32;
            self.scores.push((score, angry));
            if handed_over.is_none() && score >= Config::default().angry {
                handed_over = Some(turn);
            }
        }
        match (play.angry_from, handed_over) {
            (Some(from), Some(at)) => {
                self.right += 1;
                self.delays.push(at.saturating_sub(from) as f32);
            }
            (Some(_), None) => self.missed += 1,
            (None, Some(_)) => self.wrong += 1,
            (None, None) => {}
        }
        if !self.kinds.iter().any(|kind| kind.name == play.kind) {
            self.kinds.push(Kind { name: play.kind.clone(), ..Kind::default() });
        }
        if let Some(kind) = self.kinds.iter_mut().find(|kind| kind.name == play.kind) {
            kind.calls += 1;
            kind.handed_over += u32::from(handed_over.is_some());
        }
    }

    fn precision(&self) -> Option<(f64, f64, f64)> {
        interval(self.right, self.right + self.wrong)
    }

    fn recall(&self) -> Option<(f64, f64, f64)> {
        interval(self.right, self.right + self.missed)
    }

    fn delay(&self) -> Option<f32> {
        super::metrics::percentile(&mut self.delays.clone(), 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_read_and_are_enough_with_ten_speakers() {
        let scripts = scripts().expect("valid");
        assert!(scripts.len() * 10 >= 60);
        for kind in ["calm", "annoyed", "furious", "loud but happy", "noisy line", "old caller", "bad connection"] {
            assert!(scripts.iter().any(|script| script.kind == kind), "{kind}");
        }
        for script in &scripts {
            assert!(super::super::shift::named(&script.line).is_some(), "{}", script.line);
        }
    }
}
