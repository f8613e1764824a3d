//! What the caller's voice, words and course of the call say about their patience: a score in 0..1 with its reasons.
//!
//! Owns the prosody model (weights are data: `voices/prosody.json`), its fitting, the lexicon and the fusion over a call.
//! Hears nothing itself: it takes [`crate::speech::prosody::Features`], words and events.

mod calibration;
mod calm_voice;
mod fit;
mod frustration;
mod model;
mod words;

pub use calibration::{Calibration, CallCalibration};
pub use calm_voice::CalmVoice;
pub use fit::{Fitted, Sample, fit, solve};
pub use frustration::{Config, Event, Frustration, Mood};
pub use model::{Head, ModelError, ProsodyModel};
pub use words::{Hit, hits};
