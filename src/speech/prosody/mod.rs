//! How it is said: pitch, level, rate, voice quality and spectrum of the caller's voice, measured as sound comes in.
//!
//! Owns the measurements of the last [`HELD_S`] seconds, one each 10 ms, and the line's noise. Knows nothing of emotion.
//! Pushing sound does not allocate; neither does asking for an utterance's [`Features`].
//!
//! ```text
//! pcm ─▶ front (8 kHz, no DC) ─▶ spectrum ─▶ 15 bands ─▶ noise
//!                          │        └─▶ pitch candidates ─▶ path ┐
//!                          └─▶ cycles (jitter, shimmer)          ├─▶ summary ─▶ Features
//!                                          hops (ring) ──────────┘
//! ```

mod features;
mod front;
mod pitch;
mod spectrum;
mod summary;

use std::collections::VecDeque;
use std::ops::Range;

pub use features::Features;

use self::front::{Front, HOP, HZ, WINDOW};
use self::pitch::{CANDIDATES, Candidate};
use self::spectrum::{BANDS, Noise, Spectrum};
use self::summary::Summary;
use crate::audio::Rate;

/// How far back an utterance can be asked for, s; of a longer one the end is measured.
pub const HELD_S: f32 = 20.0;
const HELD: usize = (HELD_S * HZ) as usize / HOP;
/// A candidate as clear as this is worth measuring cycles on.
const CLEAR: f32 = 0.6;

/// What was measured in one window.
#[derive(Debug, Clone, Copy)]
struct Hop {
    /// Band powers, hundredths of dBov.
    bands: [i16; BANDS],
    /// Largest sample of the window's middle, 0..32768.
    peak: u16,
    candidates: [Candidate; CANDIDATES],
    /// Hundred-thousandths, and thousandths of dB; `None` where no cycles were found.
    cycles: Option<(u16, u16)>,
}

/// A point of the contour, for pictures and checks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Middle of its window, samples of the leg.
    pub at: u64,
    /// Hz; `None` where unvoiced.
    pub f0_hz: Option<f32>,
    /// Level 300–3400 Hz, noise included, dBov.
    pub level_dbov: f32,
    /// Harmonics-to-noise ratio, dB, where voiced.
    pub hnr_db: Option<f32>,
}

/// The analyser of one leg.
#[derive(Debug)]
pub struct Analyser {
    front: Front,
    measure: Measure,
    summary: Summary,
    /// Samples of the leg for one of ours.
    ratio: u64,
}

/// What happens to each window; apart from the front, which holds the window.
#[derive(Debug)]
struct Measure {
    spectrum: Spectrum,
    noise: Noise,
    hops: VecDeque<Hop>,
    /// Hops that are no longer held.
    forgotten: u64,
}

impl Analyser {
    /// Nothing heard yet, at position 0.
    pub fn new(rate: Rate) -> Self {
        Self {
            front: Front::new(rate),
            measure: Measure {
                spectrum: Spectrum::new(),
                noise: Noise::new(),
                hops: VecDeque::with_capacity(HELD),
                forgotten: 0,
            },
            summary: Summary::with_capacity(HELD),
            ratio: u64::from(rate.hz()) / HZ as u64,
        }
    }

    /// Takes the leg's next samples, speech or not. All of them must pass here: positions are counted by it.
    pub fn push(&mut self, pcm: &[i16]) {
        let measure = &mut self.measure;
        self.front.push(pcm, |window| measure.window(window));
    }

    /// The parameters of what was said between two positions (samples of the leg). Silence at both ends does no harm.
    pub fn features(&mut self, range: Range<u64>) -> Features {
        let held = self.held(range);
        self.summary.features(&self.measure.hops, held, &self.measure.noise.bands())
    }

    /// The contour between two positions, one point each 10 ms. Allocates.
    pub fn contour(&mut self, range: Range<u64>) -> Vec<Point> {
        let held = self.held(range);
        let path = self.summary.path(&self.measure.hops, held.clone());
        let at = |i: usize| self.centre(self.measure.forgotten + (held.start + i) as u64);
        path.iter()
            .enumerate()
            .map(|(i, voiced)| Point {
                at: at(i),
                f0_hz: voiced.map(Candidate::hz),
                level_dbov: summary::level(&self.measure.hops[held.start + i]),
                hnr_db: voiced.map(|c| summary::hnr_db(c.height())),
            })
            .collect()
    }

    /// Level of the newest window, 300–3400 Hz, dBov: for a live meter.
    pub fn level_dbov(&self) -> f32 {
        self.measure.hops.back().map_or(spectrum::LOWEST_DBOV, summary::level)
    }

    /// Middle of a window, samples of the leg.
    fn centre(&self, hop: u64) -> u64 {
        ((hop + 1) * HOP as u64).saturating_sub(WINDOW as u64 / 2) * self.ratio
    }

    /// Held windows whose middle lies within the range, as indices of the ring.
    fn held(&self, range: Range<u64>) -> Range<usize> {
        let index = |position: u64| {
            let hop = (position / self.ratio + WINDOW as u64 / 2).div_ceil(HOP as u64).saturating_sub(1);
            (hop.saturating_sub(self.measure.forgotten) as usize).min(self.measure.hops.len())
        };
        let start = index(range.start);
        start..index(range.end).max(start)
    }
}

impl Measure {
    fn window(&mut self, window: &[f32; WINDOW]) {
        let mut power = [0.0; BANDS];
        let candidates = pitch::candidates(self.spectrum.measure(window, &mut power));
        self.noise.push(&power);
        let best = candidates[0];
        let cycles = (best.height() > CLEAR).then(|| pitch::cycles(window, best.hz())).flatten();
        let peak = window[WINDOW / 4..WINDOW * 3 / 4].iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        if self.hops.len() == HELD {
            self.hops.pop_front();
            self.forgotten += 1;
        }
        self.hops.push_back(Hop {
            bands: power.map(|p| (spectrum::dbov(p) * 100.0) as i16),
            peak: (peak * 32_768.0).min(65_535.0) as u16,
            candidates,
            cycles: cycles.map(|c| ((c.jitter * 1e5) as u16, (c.shimmer_db * 1e3) as u16)),
        });
    }
}
