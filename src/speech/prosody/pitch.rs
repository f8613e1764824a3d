//! Fundamental frequency by autocorrelation (P. Boersma 1993, "Accurate short-term analysis of the fundamental frequency
//! and the harmonics-to-noise ratio of a sampled sound"): candidates per window while sound comes in, and the cheapest
//! path through them when an utterance is asked for, which is what protects against octave jumps.

use super::front::{HZ, WINDOW};

/// Lowest and highest voice, Hz.
pub(super) const FLOOR_HZ: f32 = 75.0;
pub(super) const CEILING_HZ: f32 = 500.0;
/// Voiced candidates kept per window.
pub(super) const CANDIDATES: usize = 4;
/// The autocorrelation is interpolated this many times (by zero-padding its spectrum: exact for a band-limited sound).
pub(super) const OVERSAMPLE: usize = 4;

/// Boersma's costs, at their usual values for 10 ms steps.
const VOICING_THRESHOLD: f32 = 0.45;
const SILENCE_THRESHOLD: f32 = 0.03;
const OCTAVE_COST: f32 = 0.01;
const OCTAVE_JUMP_COST: f32 = 0.35;
const VOICED_UNVOICED_COST: f32 = 0.14;

/// One possible pitch: hundredths of Hz (0: none) and height of the autocorrelation, 0..65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Candidate {
    centihertz: u16,
    height: u16,
}

impl Candidate {
    fn new(hz: f32, height: f32) -> Self {
        Self { centihertz: (hz * 100.0) as u16, height: (height.clamp(0.0, 1.0) * 65_535.0) as u16 }
    }
    pub(super) fn hz(self) -> f32 {
        f32::from(self.centihertz) / 100.0
    }
    /// Normalised autocorrelation at the period: the periodic part of the power, 0..1.
    pub(super) fn height(self) -> f32 {
        f32::from(self.height) / 65_535.0
    }
    fn is_some(self) -> bool {
        self.centihertz > 0
    }
    fn strength(self) -> f32 {
        self.height() - OCTAVE_COST * (FLOOR_HZ / self.hz()).log2()
    }
}

/// The candidates of a window from its normalised autocorrelation (lags of 1/32 ms), best first.
pub(super) fn candidates(r: &[f32]) -> [Candidate; CANDIDATES] {
    let per_second = HZ * OVERSAMPLE as f32;
    let first = (per_second / CEILING_HZ) as usize;
    let last = ((per_second / FLOOR_HZ) as usize).min(r.len() - 2);
    let mut best = [Candidate::default(); CANDIDATES];
    for lag in first..=last {
        let (a, b, c) = (r[lag - 1], r[lag], r[lag + 1]);
        if !(b > 0.5 * VOICING_THRESHOLD && b > a && b >= c) {
            continue;
        }
        let bend = a - 2.0 * b + c;
        let shift = if bend < 0.0 { 0.5 * (a - c) / bend } else { 0.0 };
        let height = b - 0.25 * (a - c) * shift;
        let found = Candidate::new(per_second / (lag as f32 + shift), if height > 1.0 { 1.0 / height } else { height });
        if let Some(place) = best.iter().position(|c| !c.is_some() || c.strength() < found.strength()) {
            best.copy_within(place..CANDIDATES - 1, place + 1);
            best[place] = found;
        }
    }
    best
}

/// Strength of "unvoiced" for a window whose peak is `relative` (0..1) of the loudest one's.
fn unvoiced_strength(relative: f32) -> f32 {
    VOICING_THRESHOLD + (2.0 - relative / (SILENCE_THRESHOLD / (1.0 + VOICING_THRESHOLD))).max(0.0)
}

/// Room for the path search: one entry a window.
#[derive(Debug, Default)]
pub(super) struct Path {
    from: Vec<[u8; CANDIDATES + 1]>,
}

impl Path {
    pub(super) fn with_capacity(windows: usize) -> Self {
        Self { from: Vec::with_capacity(windows) }
    }

    /// Finds the cheapest path through `windows` windows and writes for each its candidate, `None` where unvoiced.
    /// `window(i)` gives a window's candidates and its peak relative to the loudest one's. Does not allocate within the
    /// capacities of this and `out`.
    pub(super) fn find(
        &mut self,
        windows: usize,
        window: impl Fn(usize) -> ([Candidate; CANDIDATES], f32),
        out: &mut Vec<Option<Candidate>>,
    ) {
        self.from.clear();
        // Place CANDIDATES is "unvoiced".
        let mut before = [Candidate::default(); CANDIDATES];
        let mut score = [f32::NEG_INFINITY; CANDIDATES + 1];
        score[CANDIDATES] = 0.0;
        for i in 0..windows {
            let (now, relative) = window(i);
            let mut next = [f32::NEG_INFINITY; CANDIDATES + 1];
            let mut from = [CANDIDATES as u8; CANDIDATES + 1];
            for to in 0..=CANDIDATES {
                let own = match now.get(to) {
                    None => unvoiced_strength(relative),
                    Some(c) if c.is_some() => c.strength(),
                    Some(_) => continue,
                };
                for (back, &so_far) in score.iter().enumerate() {
                    let total = so_far + own - cost(before.get(back), now.get(to));
                    if total > next[to] {
                        (next[to], from[to]) = (total, back as u8);
                    }
                }
            }
            self.from.push(from);
            (before, score) = (now, next);
        }
        let mut place = (0..=CANDIDATES).max_by(|a, b| score[*a].total_cmp(&score[*b])).unwrap_or(CANDIDATES);
        out.clear();
        out.resize(windows, None);
        for i in (0..windows).rev() {
            out[i] = window(i).0.get(place).copied();
            place = usize::from(self.from[i][place]);
        }
    }
}

/// Of going from one place (`None`: unvoiced) to the next.
fn cost(from: Option<&Candidate>, to: Option<&Candidate>) -> f32 {
    match (from, to) {
        (None, None) => 0.0,
        (Some(a), Some(b)) if a.is_some() => OCTAVE_JUMP_COST * (a.hz() / b.hz()).log2().abs(),
        (Some(_), Some(_)) => 0.0,
        _ => VOICED_UNVOICED_COST,
    }
}

/// Cycle-to-cycle change at the middle of a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cycles {
    /// |T₁ − T₂| / mean period.
    pub(super) jitter: f32,
    /// |20·log₁₀(A₁/A₂)|, dB, of peak-to-peak amplitudes.
    pub(super) shimmer_db: f32,
}

/// Compares the three periods around the middle of the window, aligned by cross-correlation; `None` if they do not fit.
pub(super) fn cycles(window: &[f32; WINDOW], hz: f32) -> Option<Cycles> {
    let period = HZ / hz;
    let length = period.round() as usize;
    let start = (WINDOW as f32 / 2.0 - 1.5 * period).max(0.0) as usize;
    let first = best_lag(window, start, length)?;
    let second = best_lag(window, start + length, length)?;
    let swing = |from: usize| {
        let cycle = from..(from + length).min(WINDOW);
        let top = |sign: f32| {
            let at = cycle.clone().max_by(|a, b| (sign * window[*a]).total_cmp(&(sign * window[*b]))).unwrap_or(from);
            // A peak lies between samples.
            let side = |i: usize| sign * window.get(i).copied().unwrap_or(0.0);
            let (a, b, c) = (side(at.wrapping_sub(1)), side(at), side(at + 1));
            let bend = a - 2.0 * b + c;
            if bend < -1e-9 { b - 0.125 * (a - c).powi(2) / bend } else { b }
        };
        top(1.0) + top(-1.0)
    };
    let (one, two) = (swing(start), swing(start + length));
    if one <= 1e-6 || two <= 1e-6 {
        return None;
    }
    Some(Cycles {
        jitter: ((first - second).abs() / (0.5 * (first + second))).min(0.3),
        shimmer_db: (20.0 * (one / two).log10()).abs().min(12.0),
    })
}

/// Lag within 15 % of `length` at which the cycle from `start` is most like the next one, by interpolation.
fn best_lag(window: &[f32; WINDOW], start: usize, length: usize) -> Option<f32> {
    let reach = (length * 15 / 100).max(2);
    let last = (length + reach + 1).min((WINDOW).checked_sub(start + length)?);
    let first = length - reach - 1;
    if last < length + 1 {
        return None;
    }
    let here = &window[start..start + length];
    let likeness = |lag: usize| {
        let there = &window[start + lag..start + lag + length];
        let (mut dot, mut power) = (0.0f32, 1e-12f32);
        for (a, b) in here.iter().zip(there) {
            dot += a * b;
            power += b * b;
        }
        dot / power.sqrt()
    };
    let (mut a, mut b) = (likeness(first), likeness(first + 1));
    let mut best: Option<(f32, f32)> = None;
    for lag in first + 2..=last {
        let c = likeness(lag);
        if b > a && b >= c && best.is_none_or(|(height, _)| b > height) {
            let bend = a - 2.0 * b + c;
            let shift = if bend < 0.0 { 0.5 * (a - c) / bend } else { 0.0 };
            best = Some((b, (lag - 1) as f32 + shift));
        }
        (a, b) = (b, c);
    }
    best.map(|(_, lag)| lag)
}

#[cfg(test)]
mod tests {
    use super::super::spectrum::{BANDS, Spectrum};
    use super::*;

    fn window(signal: impl Fn(f32) -> f32) -> [f32; WINDOW] {
        std::array::from_fn(|i| signal(i as f32 / HZ))
    }

    /// A voice-like pulse train: harmonics up to 3.4 kHz, those below `from` Hz missing.
    fn voice(hz: f32, from: f32) -> [f32; WINDOW] {
        window(|t| {
            (1..40)
                .map(|n| n as f32 * hz)
                .filter(|f| (from..3_400.0).contains(f))
                .map(|f| (std::f32::consts::TAU * f * t).cos() * 0.1 / (f / hz).sqrt())
                .sum()
        })
    }

    #[test]
    fn finds_the_pitch_even_without_its_fundamental() {
        let mut spectrum = Spectrum::new();
        for hz in [80.0f32, 110.0, 147.3, 220.0, 311.1, 440.0, 480.0] {
            for from in [0.0, 300.0] {
                let r = spectrum.measure(&voice(hz, from), &mut [0.0; BANDS]);
                let best = candidates(r)[0];
                let off = (best.hz() / hz - 1.0).abs();
                assert!(off < 0.005, "{hz} Hz from {from}: {} ({})", best.hz(), best.height());
                assert!(best.height() > 0.95, "{hz} Hz from {from}: {}", best.height());
            }
        }
    }

    #[test]
    fn silence_has_no_candidate_and_no_nan() {
        let mut spectrum = Spectrum::new();
        let r = spectrum.measure(&[0.0; WINDOW], &mut [0.0; BANDS]);
        assert!(r.iter().all(|r| r.is_finite()));
        assert_eq!(candidates(r), [Candidate::default(); CANDIDATES]);
    }

    #[test]
    fn one_octave_error_in_a_steady_voice_is_mended() {
        let steady = [Candidate::new(200.0, 0.9), Candidate::new(100.0, 0.88), Default::default(), Default::default()];
        let wrong = [Candidate::new(100.0, 0.93), Candidate::new(200.0, 0.88), Default::default(), Default::default()];
        let mut out = Vec::new();
        Path::default().find(21, |i| (if i == 10 { wrong } else { steady }, 1.0), &mut out);
        assert!(out.iter().all(|c| c.is_some_and(|c| (c.hz() - 200.0).abs() < 0.1)), "{out:?}");
    }

    #[test]
    fn quiet_windows_are_unvoiced() {
        let noise = [Candidate::new(200.0, 0.9), Default::default(), Default::default(), Default::default()];
        let mut out = Vec::new();
        Path::default().find(5, |_| (noise, 0.001), &mut out);
        assert_eq!(out, [None; 5]);
    }

    #[test]
    fn a_steady_voice_has_little_jitter_and_a_shaky_one_more() {
        let steady = cycles(&voice(150.0, 0.0), 150.0).expect("three periods fit");
        assert!(steady.jitter < 0.003 && steady.shimmer_db < 0.5, "{steady:?}");
        // Pulses whose periods are 50 and 56 samples in turn, the second of two thirds the height.
        let mut pulses = [0.0; WINDOW];
        for (start, height) in [(2, 1.0), (58, 0.66), (108, 1.0), (164, 0.66), (214, 1.0), (270, 0.66f32)] {
            for (i, x) in pulses[start..(start + 40).min(WINDOW)].iter_mut().enumerate() {
                *x = height * (i as f32 * 0.6).sin() * (-(i as f32) / 8.0).exp();
            }
        }
        let shaky = cycles(&pulses, 8_000.0 / 53.0).expect("three periods fit");
        assert!(shaky.jitter > 0.05 && shaky.shimmer_db > 2.0, "{shaky:?}");
    }
}
