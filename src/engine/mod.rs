//! Worker threads with models: recognition, synthesis, VAD, embeddings; the models themselves.
//!
//! Owns the threads, their queues and everything that runs on them. Never knows what a call is: a job comes in with a
//! deadline and a [`Reply`](crate::call::ports::Reply), and its result goes out by that reply, exactly once.
//!
//! ```text
//! recognize ─▶ queue (finals first, by deadline) ─▶ n workers, one of each model ─────▶ Reply
//! synthesize ─▶ prompts cache? ─▶ queue ─▶ m workers, one Piper voice each ─▶ cache ────▶ Reply
//! turn_end ──▶ queue ─▶ one worker, Smart Turn ────────────────────────────────────────▶ Reply
//! embed ─────▶ queue ─▶ one worker ────────────────────────────────────────────────────▶ Reply
//! push(frame) ─▶ bounded channel ─▶ one thread, Silero over every leg's windows ───────▶ sink
//! ```

mod config;
#[cfg(feature = "onnx")]
pub mod e5;
pub mod embeddings;
mod error;
#[cfg(feature = "piper")]
pub mod kokoro;
mod lane;
#[cfg(feature = "piper")]
mod mandarin;
#[cfg(feature = "onnx")]
pub mod minilm;
pub mod models;
#[cfg(feature = "onnx")]
pub mod moonshine;
#[cfg(feature = "onnx")]
pub mod onnx;
#[cfg(feature = "piper")]
mod phonemes;
#[cfg(feature = "piper")]
pub mod piper;
pub mod pool;
#[cfg(test)]
mod pool_tests;
pub mod prompts;
mod queue;
#[cfg(all(feature = "whisper", feature = "piper"))]
mod real;
#[cfg(all(test, feature = "whisper", feature = "piper"))]
mod real_tests;
#[cfg(all(feature = "whisper", feature = "piper"))]
mod recognition;
pub mod scripted;
#[cfg(feature = "onnx")]
pub mod silero;
#[cfg(feature = "onnx")]
pub mod smart_turn;
#[cfg(any(test, feature = "onnx", feature = "whisper"))]
mod tidy;
#[cfg(all(test, feature = "onnx"))]
mod turn_tests;
pub mod voice;
#[cfg(feature = "piper")]
pub mod voices;
#[cfg(feature = "whisper")]
pub mod whisper;
#[cfg(feature = "whisper")]
mod whisper_language;

pub use config::{EngineConfig, RecognitionConfig};
pub use error::EngineError;
pub use pool::{EngineOptions, Engines, LanguageOptions};
#[cfg(all(feature = "whisper", feature = "piper"))]
pub use recognition::recognition;
pub use voice::VoiceStream;

use std::time::Instant;

/// The clock of the worker threads: deadlines and durations of jobs are measured where they run.
fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a driver: its threads live in real time")]
    Instant::now()
}

#[cfg(not(all(feature = "whisper", feature = "piper")))]
impl Engines {
    /// This build has scripted engines only.
    pub fn real(_: &models::Registry, _: &EngineConfig) -> Result<Self, EngineError> {
        Err(EngineError::Registry(
            "this build has no real engines: it was made without `whisper` or `piper`".to_string(),
        ))
    }
}
