//! Recordings scored as a call would: alone, as the first words of somebody unknown, and against the speaker's own baseline.

use super::corpus::Label;
use super::measure::{Measured, Row};
use super::{parallel, speakers};
use crate::speech::baseline::Baseline;
use crate::speech::emotion::ProsodyModel;
use crate::speech::prosody::Features;

/// One score of a recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Score {
    /// Probability of anger.
    pub(super) probability: f32,
    /// Speech until it was first called angry, s; infinite if never.
    pub(super) delay_s: f32,
}

/// One recording, scored by a model that did not hear its speaker.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) label: Label,
    pub(super) speaker: String,
    pub(super) sentence: String,
    /// Of the model that scored it.
    pub(super) threshold: f32,
    /// As the first words of somebody unknown.
    pub(super) alone: Score,
    /// Against the speaker's other recordings, as of a caller with a profile; `alone` where there are none. The labels are
    /// not looked at: those that sound calmest count most.
    pub(super) baseline: Score,
}

/// Scores recordings that were made on one line.
pub(super) fn score<'m>(measured: &[Measured], model_of: impl Fn(&Row) -> &'m ProsodyModel + Sync) -> Vec<Scored> {
    let logits: Vec<f32> = measured.iter().map(|m| model_of(&m.row).logit_alone(&m.row.features)).collect();
    let speakers = speakers(measured.iter().map(|m| m.row.speaker.as_str()));
    let places: Vec<Vec<usize>> = speakers
        .iter()
        .map(|speaker| (0..measured.len()).filter(|i| measured[*i].row.speaker == **speaker).collect())
        .collect();
    let all: Vec<usize> = (0..measured.len()).collect();
    parallel(&all, |&i| {
        let Measured { row, growing } = &measured[i];
        let model = model_of(row);
        let mut baseline = Baseline::default();
        // Who is not named is somebody else each time.
        if !row.speaker.is_empty() {
            let own = speakers.iter().position(|s| *s == row.speaker).map_or(&[][..], |s| &places[s]);
            let others = own.iter().filter(|other| **other != i);
            baseline.learn_all(others.map(|&other| (&measured[other].row.features, logits[other])));
        }
        let of = |baseline: &Baseline| {
            let chance = |features: &Features| model.probability(features, baseline);
            let flagged = growing.iter().find(|(_, features)| chance(features) >= model.threshold());
            Score { probability: chance(&row.features), delay_s: flagged.map_or(f32::INFINITY, |(at, _)| *at) }
        };
        Scored {
            label: row.label,
            speaker: row.speaker.clone(),
            sentence: row.sentence.clone(),
            threshold: model.threshold(),
            alone: of(&Baseline::default()),
            baseline: of(&baseline),
        }
    })
}

/// Calm turns of the call before from which a caller is known.
const KNOWN_BY: usize = 3;

/// First turns of callers who called before, and agreed that it is kept how they sound: as [`Scored::baseline`] against what
/// is kept of three calm turns of theirs on the line of `before`, as [`Scored::alone`] as of strangers. The recordings are
/// the same and in the same order, each on the line of its call; its own sentence is not among what is kept.
pub(super) fn returning<'m>(
    before: &[Row],
    now: &[Row],
    model_of: impl Fn(&Row) -> &'m ProsodyModel + Sync,
) -> Vec<Scored> {
    let all: Vec<usize> = (0..now.len().min(before.len())).collect();
    let scored = parallel(&all, |&i| {
        let (row, model) = (&now[i], model_of(&now[i]));
        let own = |r: &&Row| r.speaker == row.speaker && r.label == Label::Calm && r.sentence != row.sentence;
        let calm: Vec<&Row> = before.iter().filter(own).collect();
        if calm.is_empty() {
            return None;
        }
        let turns = (0..KNOWN_BY.min(calm.len())).map(|n| &calm[(i + n) % calm.len()].features);
        let mut baseline = Baseline::default();
        baseline.learn_all(turns.map(|features| (features, model.logit_alone(features))));
        let kept = model.calm_voice(&baseline, None);
        let of = |kept| {
            let probability = model.probability_of(&row.features, &Baseline::default(), kept);
            Score { probability, delay_s: f32::INFINITY }
        };
        let (speaker, sentence) = (row.speaker.clone(), row.sentence.clone());
        let (alone, baseline) = (of(None), of(kept.as_ref()));
        Some(Scored { label: row.label, speaker, sentence, threshold: model.threshold(), alone, baseline })
    });
    scored.into_iter().flatten().collect()
}
