//! From a recording to what a call would have measured, and from measured rows to a model.

use anyhow::Context;

use super::corpus::{Clip, Label};
use super::metrics::best_threshold;
use super::shift::{LEAD, Shift};
use crate::audio::Rate;
use crate::speech::emotion::{ProsodyModel, Sample, fit};
use crate::speech::prosody::{Analyser, Features};

/// Penalty of the weights, for each row: strong, for what is learned must hold for other voices and rooms.
const L2: f64 = 0.04;
/// Step at which a growing utterance is scored, samples: 250 ms.
const STEP: usize = 2_000;

/// A recording under one shift.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) speaker: String,
    pub(super) label: Label,
    pub(super) features: Features,
}

/// The same, and how it looked while it was still going on.
pub(super) struct Measured {
    pub(super) row: Row,
    /// Seconds of speech, and the parameters then.
    pub(super) growing: Vec<(f32, Features)>,
}

/// Sends a recording through a shift and the analyser of a leg, frame by frame.
pub(super) fn measure(clip: &Clip, shift: &Shift, seed: u64, growing: bool) -> Measured {
    let pcm = shift.apply(&clip.pcm, seed);
    let mut analyser = Analyser::new(Rate::Narrow);
    let mut at = 0;
    let mut steps = Vec::new();
    for frame in pcm.chunks(Rate::Narrow.frame_len()) {
        analyser.push(frame);
        at += frame.len();
        if growing && at > LEAD && (at - LEAD) % STEP < frame.len() {
            steps.push(((at - LEAD) as f32 / Rate::Narrow.hz() as f32, analyser.features(0..at as u64)));
        }
    }
    let row = Row { speaker: clip.speaker.clone(), label: clip.label, features: analyser.features(0..at as u64) };
    Measured { row, growing: steps }
}

/// Fits anger against all the rest; the threshold is where anger and calm part best.
pub(super) fn fit_rows(rows: &[&Row], trained: &str) -> anyhow::Result<ProsodyModel> {
    let place = |name: &&str| Features::NAMES.iter().position(|n| n == name);
    let places: Vec<usize> = ProsodyModel::PARAMETERS.iter().filter_map(place).collect();
    let samples: Vec<Sample> = rows
        .iter()
        .filter(|row| row.features.voiced_s >= Features::ENOUGH_VOICED_S)
        .map(|row| {
            let values = row.features.values();
            Sample {
                values: places.iter().map(|p| f64::from(values[*p])).collect(),
                positive: row.label == Label::Anger,
                weight: 1.0,
            }
        })
        .collect();
    let fitted = fit(&samples, L2 * samples.len() as f64).context("nothing can be learned from these recordings")?;
    let rough = ProsodyModel::new(ProsodyModel::PARAMETERS, &fitted, 0.5, trained)?;
    let scored: Vec<(f32, bool)> = rows
        .iter()
        .filter(|row| matches!(row.label, Label::Anger | Label::Calm))
        .map(|row| (rough.probability(&row.features), row.label == Label::Anger))
        .collect();
    let threshold = f64::from(best_threshold(&scored));
    Ok(ProsodyModel::new(ProsodyModel::PARAMETERS, &fitted, threshold, trained)?)
}
