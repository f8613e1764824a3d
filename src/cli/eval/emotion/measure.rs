//! From a recording to what a call would have measured.

use super::corpus::{Clip, Label};
use super::shift::{LEAD, Shift};
use crate::audio::Rate;
use crate::speech::prosody::{Analyser, Features};

/// Step at which a growing utterance is scored, samples: 250 ms.
const STEP: usize = 2_000;

/// A recording under one shift.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Row {
    pub(super) file: String,
    pub(super) speaker: String,
    pub(super) sentence: String,
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
    let row = Row {
        file: clip.file.clone(),
        speaker: clip.speaker.clone(),
        sentence: clip.sentence.clone(),
        label: clip.label,
        features: analyser.features(0..at as u64),
    };
    Measured { row, growing: steps }
}
