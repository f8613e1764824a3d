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
mod spectra;
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

/// Below a third of the smallest step of 16 bits a window holds no sound, −1..1.
const NO_SOUND: f32 = 1e-5;

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
    /// What silence measures.
    nothing: Option<([f32; BANDS], [Candidate; CANDIDATES])>,
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
                nothing: None,
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
        let Measure { hops, forgotten, .. } = &self.measure;
        let path = self.summary.path(hops, held.clone());
        path.iter()
            .zip(held)
            .map(|(voiced, i)| Point {
                at: centre(*forgotten + i as u64) * self.ratio,
                f0_hz: voiced.map(Candidate::hz),
                level_dbov: summary::level(&hops[i]),
                hnr_db: voiced.map(|c| summary::hnr_db(c.height())),
            })
            .collect()
    }

    /// Level of the newest window, 300–3400 Hz, dBov: for a live meter.
    pub fn level_dbov(&self) -> f32 {
        self.measure.hops.back().map_or(spectrum::LOWEST_DBOV, summary::level)
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

/// Middle of a window, samples at 8 kHz.
fn centre(hop: u64) -> u64 {
    ((hop + 1) * HOP as u64).saturating_sub(WINDOW as u64 / 2)
}

impl Measure {
    fn measure(spectrum: &mut Spectrum, window: &[f32; WINDOW]) -> ([f32; BANDS], [Candidate; CANDIDATES]) {
        let mut power = [0.0; BANDS];
        let candidates = pitch::candidates(spectrum.measure(window, &mut power));
        (power, candidates)
    }

    fn window(&mut self, window: &[f32; WINDOW]) {
        // Most of a call is silence; where there is no sound at all there is nothing to measure.
        let (power, candidates) = if window.iter().all(|x| x.abs() < NO_SOUND) {
            *self.nothing.get_or_insert_with(|| Self::measure(&mut self.spectrum, &[0.0; WINDOW]))
        } else {
            Self::measure(&mut self.spectrum, window)
        };
        // Where a line sends nothing (silence suppression, a file's edge) its noise is not to be heard.
        if window.chunks(HOP).all(|hop| hop.iter().any(|x| x.abs() >= NO_SOUND)) {
            self.noise.push(&power);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: &mut u32) -> f32 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        *seed as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    /// Something like speech: five syllables a second, gliding from `low` to `high` Hz, harmonics falling by `tilt` per
    /// octave (dB), then quiet.
    fn speech(rate: Rate, low: f32, high: f32, tilt: f32, peak: f32) -> Vec<i16> {
        let hz = rate.hz() as f32;
        let (mut phase, mut seed, seconds) = (0.0f32, 7u32, 2.0);
        (0..(hz * (seconds + 1.0)) as usize)
            .map(|i| {
                let t = i as f32 / hz - 0.5;
                let f0 = low + (high - low) * (t / seconds).clamp(0.0, 1.0);
                phase += f0 / hz;
                let envelope =
                    if (0.0..seconds).contains(&t) { (std::f32::consts::PI * t * 5.0).sin().powi(2) } else { 0.0 };
                let voice: f32 = (1..40)
                    .take_while(|n| *n as f32 * f0 < 3_400.0)
                    .map(|n| {
                        let n = n as f32;
                        (std::f32::consts::TAU * phase * n).sin() * 10f32.powf(tilt * n.log2() / 20.0)
                    })
                    .sum();
                ((voice * 0.25 * envelope + noise(&mut seed) * 0.0004) * peak * 32_768.0).clamp(-32_768.0, 32_767.0)
                    as i16
            })
            .collect()
    }

    fn measured(rate: Rate, pcm: &[i16]) -> Features {
        let mut analyser = Analyser::new(rate);
        pcm.chunks(rate.frame_len()).for_each(|frame| analyser.push(frame));
        analyser.features(0..pcm.len() as u64)
    }

    fn near(what: &str, value: f32, wanted: f32, by: f32) {
        assert!((value - wanted).abs() <= by, "{what}: {value}, not {wanted} ± {by}");
    }

    #[test]
    fn measures_pitch_rate_and_length_of_what_was_said() {
        let f = measured(Rate::Narrow, &speech(Rate::Narrow, 120.0, 120.0, -6.0, 0.5));
        near("F0", f.f0_semitone_p50, 12.0 * (120.0f32 / 27.5).log2(), 0.2);
        near("range", f.f0_semitone_range, 0.0, 0.3);
        near("duration", f.duration_s, 1.97, 0.1);
        near("rate", f.articulation_rate, 5.0, 0.6);
        assert!(f.snr_db > 25.0 && f.hnr_db > 10.0, "{f:?}");
        let gliding = measured(Rate::Narrow, &speech(Rate::Narrow, 120.0, 240.0, -6.0, 0.5));
        assert!(gliding.f0_semitone_range > 5.0 && gliding.f0_declination > 3.0, "{gliding:?}");
    }

    #[test]
    fn a_wide_band_leg_measures_as_a_narrow_one() {
        let narrow = measured(Rate::Narrow, &speech(Rate::Narrow, 180.0, 220.0, -8.0, 0.5));
        let wide = measured(Rate::Wide, &speech(Rate::Wide, 180.0, 220.0, -8.0, 0.5));
        near("F0", wide.f0_semitone_mean, narrow.f0_semitone_mean, 0.1);
        near("level", wide.level_dbov, narrow.level_dbov, 1.5);
        near("alpha ratio", wide.alpha_ratio_3400, narrow.alpha_ratio_3400, 0.7);
        near("rate", wide.speech_rate, narrow.speech_rate, 0.6);
    }

    #[test]
    fn level_changes_the_level_and_nothing_else() {
        let loud = measured(Rate::Narrow, &speech(Rate::Narrow, 150.0, 200.0, -6.0, 0.5));
        // As long as the line's noise is heard: below the smallest step of 16 bits it is taken from the speech itself.
        let quiet = measured(Rate::Narrow, &speech(Rate::Narrow, 150.0, 200.0, -6.0, 0.15));
        near("level", loud.level_dbov - quiet.level_dbov, 10.46, 0.5);
        near("F0", quiet.f0_semitone_mean, loud.f0_semitone_mean, 0.1);
        near("alpha ratio", quiet.alpha_ratio_3400, loud.alpha_ratio_3400, 0.5);
        near("range", quiet.level_range, loud.level_range, 0.7);
        near("rate", quiet.speech_rate, loud.speech_rate, 0.3);
    }

    #[test]
    fn a_pressed_voice_has_more_power_above_1000_hz() {
        let soft = measured(Rate::Narrow, &speech(Rate::Narrow, 150.0, 150.0, -12.0, 0.5));
        let pressed = measured(Rate::Narrow, &speech(Rate::Narrow, 150.0, 150.0, -4.0, 0.5));
        assert!(pressed.alpha_ratio_3400 > soft.alpha_ratio_3400 + 5.0);
        assert!(pressed.hammarberg_3400 < soft.hammarberg_3400 - 5.0);
        assert!(pressed.slope_300_3400 > soft.slope_300_3400);
    }

    #[test]
    fn odd_sounds_give_finite_numbers_and_no_voice_where_there_is_none() {
        let seconds = |f: &mut dyn FnMut(f32) -> f32| -> Vec<i16> {
            (0..24_000).map(|i| (f(i as f32 / 8_000.0) * 32_767.0).clamp(-32_768.0, 32_767.0) as i16).collect()
        };
        let mut seed = 3;
        let sounds = [
            ("silence", vec![0; 24_000], false),
            ("DC", vec![20_000; 24_000], false),
            ("one click", (0..24_000).map(|i| if i == 9_000 { 30_000 } else { 0 }).collect(), false),
            ("noise", seconds(&mut |_| 0.3 * noise(&mut seed)), false),
            ("fax tone", seconds(&mut |t| 0.5 * (std::f32::consts::TAU * 2_100.0 * t).sin()), true),
            ("hum", seconds(&mut |t| 0.5 * (std::f32::consts::TAU * 50.0 * t).sin()), true),
            ("square at full scale", seconds(&mut |t| if (t * 200.0).fract() < 0.5 { 1.0 } else { -1.0 }), true),
            ("alternating extremes", (0..24_000).map(|i| if i % 2 == 0 { i16::MIN } else { i16::MAX }).collect(), true),
        ];
        for (name, pcm, may_be_voiced) in sounds {
            let features = measured(Rate::Narrow, &pcm);
            assert!(features.values().iter().all(|v| v.is_finite()), "{name}: {features:?}");
            assert!(may_be_voiced || features.voiced_s < 0.3, "{name}: {} s voiced", features.voiced_s);
        }
        let empty = Analyser::new(Rate::Wide).features(5..5);
        assert_eq!(empty, Features::default());
    }

    #[test]
    fn an_utterance_is_found_by_its_position_and_old_ones_are_forgotten() {
        let mut analyser = Analyser::new(Rate::Narrow);
        for hz in [120.0, 240.0] {
            analyser.push(&speech(Rate::Narrow, hz, hz, -6.0, 0.5));
        }
        let first = analyser.features(0..24_000);
        let second = analyser.features(24_000..48_000);
        near("an octave", second.f0_semitone_p50 - first.f0_semitone_p50, 12.0, 0.3);
        let points = analyser.contour(0..24_000);
        assert_eq!(points[1].at - points[0].at, 80);
        assert!(points.iter().filter_map(|p| p.f0_hz).all(|hz| (hz - 120.0).abs() < 4.0));
        for _ in 0..30 {
            analyser.push(&[0; 8_000]);
        }
        assert_eq!(analyser.features(0..24_000), Features::default());
        assert!(analyser.contour(0..24_000).is_empty());
    }
}
