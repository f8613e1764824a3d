//! Sound as numbers: frames, codecs, concealment, resampling, playout, mixing, files in memory. Pure: no file, no clock.

mod codec;
mod conceal;
mod error;
pub mod file;
mod frame;
pub mod g711;
pub mod level;
pub mod mix;
mod playout;
mod recording;
mod resample;

pub use codec::{BadPayload, Codec, Decoder, Encoder};
pub use conceal::Concealer;
pub use error::AudioError;
pub use frame::{FRAME_MS, Frame, Rate};
pub use playout::{Playout, QueueFull, SayRef, SentenceHeard};
pub use recording::Recording;
pub use resample::{FrameResampler, Resampler, resample};
