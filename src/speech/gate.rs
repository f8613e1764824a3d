//! A cheap energy gate before the neural voice detector: on a silent line the detector does not run.
//!
//! Owns the line's noise floor and 200 ms of lookback. Opens at once, on a single frame, and never decides what is
//! speech: a door slam opens it too. Noise that stays becomes the floor after a few seconds, and the gate closes again.

use crate::audio::{Frame, Rate};

/// How much sound from before the opening is handed over, in frames (200 ms).
const LOOKBACK_FRAMES: usize = 10;
/// Frames that the gate stays open after the last loud one (600 ms), so that a pause within speech is seen by the detector.
const HANGOVER_FRAMES: u32 = 30;
/// A frame is loud when it is this far above the floor.
const ABOVE_FLOOR_DB: f32 = 5.0;
/// Below this nothing is ever heard: it is under the smallest step of G.711.
const LOWEST_DBOV: f32 = -72.0;
/// The floor is the least level of this many spans of [`SPAN_FRAMES`]: 3 s, longer than a breath, shorter than a complaint.
const SPANS: usize = 6;
const SPAN_FRAMES: u32 = 25;
/// What digital silence is counted as.
const SILENCE_DBOV: f32 = -96.0;

/// What to do with the frame that was pushed.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed<'a> {
    /// Nothing is heard: the detector need not run.
    Nothing,
    /// The gate opens: give the detector all of this, which ends with the frame just pushed.
    Opened {
        /// Position of the first sample of `pcm` in the leg.
        from: u64,
        /// Up to 200 ms of sound.
        pcm: &'a [i16],
    },
    /// The gate is open: give the detector this frame.
    Open,
}

/// The gate of one leg.
#[derive(Debug)]
pub struct Gate {
    rate: Rate,
    lookback: Vec<i16>,
    floor: Floor,
    open_for: u32,
    loud: bool,
    position: u64,
}

impl Gate {
    /// A closed gate at position 0.
    pub fn new(rate: Rate) -> Self {
        let lookback = Vec::with_capacity(LOOKBACK_FRAMES * rate.frame_len());
        Self { rate, lookback, floor: Floor::new(), open_for: 0, loud: false, position: 0 }
    }

    /// Takes the leg's next frame.
    pub fn push(&mut self, frame: &Frame) -> Passed<'_> {
        let samples = frame.samples();
        self.position += samples.len() as u64;
        let full = LOOKBACK_FRAMES * self.rate.frame_len();
        if self.lookback.len() + samples.len() > full {
            let surplus = (self.lookback.len() + samples.len() - full).min(self.lookback.len());
            self.lookback.copy_within(surplus.., 0);
            self.lookback.truncate(self.lookback.len() - surplus);
        }
        self.lookback.extend_from_slice(samples);

        let level = dbov(samples);
        let loud = level > (self.floor.dbov() + ABOVE_FLOOR_DB).max(LOWEST_DBOV);
        self.floor.push(level);
        self.loud = loud;
        let was_open = self.open_for > 0;
        self.open_for = if loud { HANGOVER_FRAMES } else { self.open_for.saturating_sub(1) };
        match (was_open, self.open_for > 0) {
            (_, false) => Passed::Nothing,
            (true, true) => Passed::Open,
            (false, true) => Passed::Opened { from: self.position - self.lookback.len() as u64, pcm: &self.lookback },
        }
    }

    /// Whether the last frame was louder than the line's noise.
    pub fn is_loud(&self) -> bool {
        self.loud
    }

    /// Whether the detector is being fed.
    pub fn is_open(&self) -> bool {
        self.open_for > 0
    }

    /// The line's noise floor, dBov.
    pub fn floor_dbov(&self) -> f32 {
        self.floor.dbov()
    }
}

/// Least level of the last three seconds.
#[derive(Debug)]
struct Floor {
    spans: [f32; SPANS],
    current: f32,
    frames: u32,
}

impl Floor {
    fn new() -> Self {
        Self { spans: [SILENCE_DBOV; SPANS], current: 0.0, frames: 0 }
    }

    fn push(&mut self, level: f32) {
        self.current = self.current.min(level);
        self.frames += 1;
        if self.frames == SPAN_FRAMES {
            self.spans.rotate_left(1);
            self.spans[SPANS - 1] = self.current;
            (self.current, self.frames) = (0.0, 0);
        }
    }

    fn dbov(&self) -> f32 {
        self.spans.iter().copied().fold(0.0, f32::min)
    }
}

/// Mean level of samples about their mean, in dBov (a full-scale sine is −3 dBov); −96 for digital silence.
pub fn dbov(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBOV;
    }
    let n = samples.len() as f64;
    let (mut sum, mut squares) = (0i64, 0i64);
    for &sample in samples {
        sum += i64::from(sample);
        squares += i64::from(sample) * i64::from(sample);
    }
    let mean = sum as f64 / n;
    let power = (squares as f64 / n - mean * mean).max(0.0) / (32_768.0 * 32_768.0);
    (10.0 * (power + 1e-12).log10()).max(f64::from(SILENCE_DBOV)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of noise of about this peak, always the same for the same seed.
    fn noise(peak: i16, seed: u32) -> Frame {
        let mut frame = Frame::silence(Rate::Narrow);
        let mut x = seed.wrapping_mul(2_654_435_761) | 1;
        for sample in frame.samples_mut() {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            *sample = ((x >> 16) as i16 as i32 * i32::from(peak) / 32_768) as i16;
        }
        frame
    }

    #[test]
    fn digital_silence_keeps_it_closed() {
        let mut gate = Gate::new(Rate::Narrow);
        for _ in 0..500 {
            assert_eq!(gate.push(&Frame::silence(Rate::Narrow)), Passed::Nothing);
        }
    }

    #[test]
    fn opens_on_the_first_loud_frame_with_lookback() {
        let mut gate = Gate::new(Rate::Narrow);
        for _ in 0..50 {
            gate.push(&Frame::silence(Rate::Narrow));
        }
        match gate.push(&noise(3_000, 7)) {
            Passed::Opened { from, pcm } => {
                assert_eq!(pcm.len(), 1_600);
                assert_eq!(from, 51 * 160 - 1_600);
                assert!(pcm[1_440..].iter().any(|s| *s != 0) && pcm[..1_440].iter().all(|s| *s == 0));
            }
            other => panic!("{other:?}"),
        }
        for _ in 0..HANGOVER_FRAMES - 1 {
            assert_eq!(gate.push(&Frame::silence(Rate::Narrow)), Passed::Open);
        }
        assert_eq!(gate.push(&Frame::silence(Rate::Narrow)), Passed::Nothing);
    }

    #[test]
    fn a_quiet_caller_over_a_quiet_line_opens_it() {
        let mut gate = Gate::new(Rate::Narrow);
        for i in 0..300 {
            gate.push(&noise(20, i + 1));
        }
        assert!(!gate.is_open(), "floor {} dBov", gate.floor_dbov());
        assert!(matches!(gate.push(&noise(90, 3)), Passed::Opened { .. }));
    }

    #[test]
    fn lasting_noise_becomes_the_floor_and_speech_above_it_still_opens() {
        let mut gate = Gate::new(Rate::Narrow);
        for i in 0..400 {
            gate.push(&noise(2_000, i + 1));
        }
        assert!(!gate.is_open(), "floor {} dBov", gate.floor_dbov());
        assert!(matches!(gate.push(&noise(8_000, 3)), Passed::Opened { .. }));
    }

    #[test]
    fn dc_and_full_scale_have_a_level() {
        assert_eq!(dbov(&[12_000; 160]), -96.0);
        assert_eq!(dbov(&[]), -96.0);
        assert!(dbov(&[i16::MIN, i16::MAX]) > -0.1);
    }
}
