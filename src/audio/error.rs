//! What can go wrong with sound.

/// An error of this folder.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// The codec cannot be built, or refused its input.
    #[error("codec {codec}: {reason}")]
    Codec {
        /// Its name in SDP.
        codec: &'static str,
        /// In the codec's own words.
        reason: String,
    },
    /// A sample rate outside of what is converted.
    #[error("cannot convert {from} Hz to {to} Hz: rates from 1,000 to 192,000 Hz are supported")]
    Rate {
        /// Hz.
        from: u32,
        /// Hz.
        to: u32,
    },
    /// The resampler refused its buffers.
    #[error("resampling failed: {0}")]
    Resample(String),
    /// Not a WAV, FLAC, MP3 or OGG Vorbis file, or one with a codec that is not built in.
    #[error("not a sound file that can be read (WAV, FLAC, MP3 or OGG Vorbis): {0}")]
    Unsupported(String),
    /// It is a sound file, but broken.
    #[error("the sound file is damaged: {0}")]
    Damaged(String),
    /// It ends before what its header promises.
    #[error("the sound file is truncated: {decoded} of {promised} samples are there")]
    Truncated {
        /// Samples per channel that could be decoded.
        decoded: u64,
        /// Samples per channel that the header names.
        promised: u64,
    },
    /// No sample in it.
    #[error("the sound file holds no audio")]
    Empty,
    /// Longer than the bound its reader set.
    #[error("the sound file is longer than {limit_s} s")]
    TooLong {
        /// The bound, seconds.
        limit_s: u32,
    },
    /// A WAV file could not be written.
    #[error("writing WAV failed: {0}")]
    Write(String),
}
