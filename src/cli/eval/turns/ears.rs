//! The engines of a call, run one after the other where they are asked: what they take by the processor's own count is what
//! is charged.

use std::time::Duration;

use super::super::asr::processor_time;
use crate::audio::{Rate, resample};
use crate::call::io::Output;
use crate::call::ports::{
    AbortFlag, Done, Hint, JobError, Recognizer, Role, Synthesizer, Transcript, TurnDetector, VoiceDetector,
};
use crate::cli::sentences::Sentences;
use crate::sim::Engines;

/// What the models take, Hz.
const MODEL_HZ: u32 = 16_000;

/// All that listens and speaks.
pub(super) struct Ears {
    detector: Box<dyn VoiceDetector>,
    recognizer: Box<dyn Recognizer>,
    turn_detector: Box<dyn TurnDetector>,
    synthesizer: Box<dyn Synthesizer>,
    sentences: Sentences,
    state: Vec<f32>,
    rest: Vec<i16>,
    seen: u64,
}

impl Ears {
    /// The defaults of a server.
    #[cfg(all(feature = "whisper", feature = "piper"))]
    pub(super) fn load() -> anyhow::Result<Self> {
        use anyhow::Context;

        use crate::cli::sentences::Meaning;
        use crate::engine::models::Registry;
        use crate::engine::piper::{Manner, Piper};
        use crate::engine::silero::Silero;
        use crate::engine::smart_turn::SmartTurn;
        use crate::engine::{RecognitionConfig, onnx, recognition};

        let registry = Registry::builtin();
        onnx::load(&registry.path("onnxruntime", "libonnxruntime.so")?)?;
        let make = recognition(&registry, &RecognitionConfig::default()).context("the recognisers")?;
        let voice = "en_US-joe-medium";
        let (model, description) = (registry.path(voice, "model.onnx")?, registry.path(voice, "model.onnx.json")?);
        Ok(Self {
            detector: Box::new(Silero::load(&registry.path("silero-vad", "model.onnx")?)?),
            recognizer: make()?,
            turn_detector: Box::new(SmartTurn::load(&registry.path("smart-turn", "model.onnx")?)?),
            synthesizer: Box::new(Piper::load(&model, &description, Manner { length: 1.0, noise: 0.0 })?),
            sentences: Sentences::new(Meaning::Model)?,
            state: Vec::new(),
            rest: Vec::new(),
            seen: 0,
        })
    }

    /// This build has none.
    #[cfg(not(all(feature = "whisper", feature = "piper")))]
    pub(super) fn load() -> anyhow::Result<Self> {
        anyhow::bail!("this sidetone was built without its recognisers")
    }

    /// For the next call: nothing was heard yet.
    pub(super) fn fresh(&mut self) {
        self.state = self.detector.start(Rate::Narrow);
        self.rest.clear();
        self.seen = 0;
    }

    /// Words of a sound at 8 kHz.
    pub(super) fn recognize(
        &mut self,
        pcm: &[i16],
        hint: &Hint,
        role: Role,
    ) -> (Duration, Result<Transcript, JobError>) {
        let recognizer = &mut self.recognizer;
        timed(|| recognizer.recognize(&wide(pcm)?, hint, role, &AbortFlag::default()))
    }

    /// Whether its speaker is done.
    pub(super) fn turn_end(&mut self, pcm: &[i16]) -> (Duration, Result<f32, JobError>) {
        let detector = &mut self.turn_detector;
        timed(|| detector.turn_end(&wide(pcm)?))
    }

    /// A sentence's place in meaning's space; nothing is kept.
    pub(super) fn embed(&mut self, text: &str) -> (Duration, Vec<f32>) {
        timed(|| self.sentences.embed_once(text))
    }

    /// The same of what the plan's author wrote: kept.
    pub(super) fn embed_kept(&mut self, text: &str) -> Vec<f32> {
        self.sentences.embed(text)
    }

    /// A sentence spoken, at the synthesizer's rate or another.
    pub(super) fn speak(&mut self, text: &str, hz: u32) -> Result<Vec<i16>, JobError> {
        let pcm = self.synthesizer.synthesize(text)?;
        resample(&pcm, self.synthesizer.sample_rate(), hz).map_err(|error| JobError::Failed(error.to_string()))
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = processor_time();
    let result = work();
    (processor_time().saturating_sub(started), result)
}

fn wide(pcm: &[i16]) -> Result<Vec<f32>, JobError> {
    let pcm = resample(pcm, Rate::Narrow.hz(), MODEL_HZ).map_err(|error| JobError::Failed(error.to_string()))?;
    Ok(pcm.into_iter().map(|s| f32::from(s) / 32_768.0).collect())
}

impl Engines for Ears {
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)> {
        self.rest.extend_from_slice(samples);
        let window = self.detector.window(Rate::Narrow);
        let whole = self.rest.len() / window * window;
        let windows: Vec<i16> = self.rest.drain(..whole).collect();
        windows
            .chunks(window)
            .map(|window| {
                self.seen += window.len() as u64;
                // A detector that fails hears nothing, as in a call.
                (self.seen, self.detector.probability(&mut self.state, Rate::Narrow, window).unwrap_or(0.0))
            })
            .collect()
    }

    fn work(&mut self, job: Output, _saying: &str) -> Option<(Duration, Done)> {
        match job {
            Output::Recognize(job) => {
                let (took, result) = self.recognize(&job.pcm, &job.hint, job.role);
                Some((took, Done::Heard { turn: job.turn, role: job.role, result, took }))
            }
            Output::TurnEnd(job) => {
                let (took, result) = self.turn_end(&job.pcm);
                Some((took, Done::TurnEnd { turn: job.turn, result, took }))
            }
            Output::Embed(job) => {
                let (took, vector) = self.embed(&job.text);
                Some((took, Done::Embedded { turn: job.turn, result: Ok(vector.into()), took }))
            }
            Output::Synthesize(job) => {
                // As out of the cache: how soon a prompt comes is not what is asked here.
                let result = self.speak(&job.text, job.rate.hz()).map(Into::into);
                let (say, sentence) = (job.say, job.sentence);
                Some((Duration::ZERO, Done::Spoken { say, sentence, result, took: Duration::ZERO, cached: true }))
            }
            _ => None,
        }
    }
}
