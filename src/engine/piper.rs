//! Text to speech by Piper (VITS, Kim et al. 2021), one sentence at a time.
//!
//! Owns a voice: its model and how it is told to speak. Phonemes come from espeak-ng, with the pauses put back.

use std::fs::File;
use std::path::Path;

use piper_rs::{ModelConfig, Piper as Model};

use super::EngineError;
use super::onnx;
use super::phonemes::{phonemes, prepare};
use crate::call::ports::{JobError, Synthesizer, Tone};

/// Piper varies two things by chance: the sound, by 0.667 as trained, and the length of each phoneme, by 0.8.
const RHYTHM: f32 = 0.8 / 0.667;

/// How a voice speaks, against how it was trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manner {
    /// Length of its sounds: 1.0 as trained, more is slower.
    pub length: f32,
    /// How much its sound, and its rhythm with it, varies by chance: 0.667 as trained, 0 is always alike.
    pub noise: f32,
}

impl Manner {
    /// Slower, steadier and softer for a caller who is upset; a tone that one hears, and that is not remarked on.
    fn toned(self, tone: Tone) -> (Self, f32) {
        let (length, noise, gain_db) = match tone {
            Tone::Even => (1.0, 1.0, 0.0f32),
            // Piper's sounds are whole frames long: of 12 % a third is heard.
            Tone::Gentle => (1.12, 0.85, -1.0),
            Tone::Soothing => (1.22, 0.7, -2.5),
        };
        (Self { length: self.length * length, noise: self.noise * noise }, 10f32.powf(gain_db / 20.0))
    }
}

/// A voice.
pub struct Piper {
    model: Model,
    espeak_voice: String,
    sample_rate: u32,
    manner: Manner,
    tone: Tone,
}

impl Piper {
    /// Loads a voice and its description; ONNX Runtime must be [loaded](onnx::load). Takes a second or two.
    pub fn load(model: &Path, description: &Path, manner: Manner) -> Result<Self, EngineError> {
        prepare()?;
        let unreadable = |why: String| EngineError::File { path: description.to_path_buf(), why };
        let file = File::open(description).map_err(|error| unreadable(error.to_string()))?;
        let config: ModelConfig =
            serde_json::from_reader(std::io::BufReader::new(file)).map_err(|error| unreadable(error.to_string()))?;
        let (espeak_voice, sample_rate) = (config.espeak.voice.clone(), config.audio.sample_rate);
        let session = onnx::session("piper", model)?;
        Ok(Self { model: Model::from_session(session, config), espeak_voice, sample_rate, manner, tone: Tone::Even })
    }
}

impl Synthesizer for Piper {
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError> {
        self.synthesize_at(text, 100)
    }

    fn synthesize_at(&mut self, text: &str, tempo: u8) -> Result<Vec<i16>, JobError> {
        let line = phonemes(text, &self.espeak_voice)?;
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let (mut manner, gain) = self.manner.toned(self.tone);
        manner.length *= 100.0 / f32::from(tempo.clamp(50, 200));
        let (samples, _) = self
            .model
            .create(&line, true, None, Some(manner.length), Some(manner.noise), Some(manner.noise * RHYTHM))
            .map_err(|error| JobError::Failed(error.to_string()))?;
        // Peaks a little over full scale occur; `as` holds them at the limit.
        Ok(samples.into_iter().map(|sample| (sample * gain * 32767.0).round() as i16).collect())
    }

    fn tone(&mut self, tone: Tone) {
        self.tone = tone;
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }
}
