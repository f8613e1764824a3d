//! The unit in which sound moves: 20 ms of mono PCM.

/// Length of a frame in milliseconds.
pub const FRAME_MS: u32 = 20;

/// A sample rate at which a leg runs inside: 8 kHz for G.711, 16 kHz for Opus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Rate {
    /// 8,000 Hz: telephone band.
    Narrow,
    /// 16,000 Hz: wide band.
    Wide,
}

impl Rate {
    /// Samples a second.
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
        }
    }
    /// Samples in one 20 ms frame.
    pub const fn frame_len(self) -> usize {
        (self.hz() / 1000 * FRAME_MS) as usize
    }
}

/// 20 ms of mono 16-bit PCM, held in place so that the media tick allocates nothing.
#[derive(Clone, Copy)]
pub struct Frame {
    rate: Rate,
    samples: [i16; Rate::Wide.frame_len()],
}

impl Frame {
    /// A frame of digital silence.
    pub const fn silence(rate: Rate) -> Self {
        Self { rate, samples: [0; Rate::Wide.frame_len()] }
    }
    /// A frame from up to 20 ms of samples; what is missing is silence, what is too much is left out.
    pub fn from_samples(rate: Rate, samples: &[i16]) -> Self {
        let mut frame = Self::silence(rate);
        let n = samples.len().min(rate.frame_len());
        frame.samples[..n].copy_from_slice(&samples[..n]);
        frame
    }
    /// The rate of the samples.
    pub const fn rate(&self) -> Rate {
        self.rate
    }
    /// The 160 or 320 samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.rate.frame_len()]
    }
    /// The same, to write to.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        &mut self.samples[..self.rate.frame_len()]
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("rate", &self.rate).finish_non_exhaustive()
    }
}
