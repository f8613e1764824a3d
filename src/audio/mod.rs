//! Sound as numbers: frames, codecs, concealment, resampling, playout, mixing, files in memory. Pure: no file, no clock.

mod frame;

pub use frame::{Frame, Rate};
