//! From frames to speech: voice activity, utterances, the floor, prosody, emotion. Pure; imports only `audio`.
//!
//! ```text
//! frames ─▶ gate ─▶ (neural VAD, in engine/) ─▶ utterance ─▶ floor ─▶ duck, stop, take
//!    └────▶ prosody ─▶ Features ─▶ baseline ─▶ emotion ─▶ score, mood, reasons
//! ```

pub mod baseline;
pub mod commit;
pub mod echo;
pub mod emotion;
pub mod floor;
pub mod gate;
pub mod log_mel;
pub mod prosody;
pub mod turn_end;
pub mod utterance;
