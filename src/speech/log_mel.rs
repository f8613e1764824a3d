//! Log-mel spectrogram as Whisper's models take it: the last 8 s of 16 kHz sound as 80 bands by 800 frames.
//!
//! Owns the arithmetic and its tables. The formula is that of Radford et al. 2022 (section 2.2) as published with the
//! models: Hann window of 25 ms every 10 ms, Slaney's mel scale, log10, eight decades below the maximum, scaled to about
//! -1..1; the sound is normalised to zero mean and unit variance first, as Smart Turn's was in training.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// Hz.
const RATE: usize = 16_000;
/// Samples that are looked at: 8 s.
pub const SAMPLES: usize = 8 * RATE;
/// Mel bands.
pub const BANDS: usize = 80;
/// Frames of 10 ms.
pub const FRAMES: usize = SAMPLES / HOP;
const WINDOW: usize = 400;
const HOP: usize = 160;
const BINS: usize = WINDOW / 2 + 1;
/// Power below which a band counts as empty.
const FLOOR: f32 = 1e-10;

/// The tables and buffers; made once, used for many sounds.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    /// Of each band: its first bin and the weights from there on.
    bands: Vec<(usize, Vec<f32>)>,
    padded: Vec<f32>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    out: Vec<f32>,
}

impl Default for LogMel {
    fn default() -> Self {
        Self::new()
    }
}

impl LogMel {
    /// Computes the tables: about a millisecond.
    pub fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(WINDOW);
        let hann = (0..WINDOW).map(|n| (0.5 - 0.5 * (2.0 * PI * n as f64 / WINDOW as f64).cos()) as f32).collect();
        Self {
            hann,
            bands: bands(),
            padded: vec![0.0; SAMPLES + WINDOW],
            frame: fft.make_input_vec(),
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            out: vec![0.0; BANDS * FRAMES],
            fft,
        }
    }

    /// The features, band by band (`BANDS` rows of `FRAMES`). What is longer than 8 s is cut at its front, what is
    /// shorter is padded there.
    pub fn features(&mut self, pcm: &[f32]) -> &[f32] {
        self.fill(pcm);
        let mut loudest = f32::NEG_INFINITY;
        for t in 0..FRAMES {
            let samples = &self.padded[t * HOP..t * HOP + WINDOW];
            for ((to, sample), weight) in self.frame.iter_mut().zip(samples).zip(&self.hann) {
                *to = sample * weight;
            }
            // It fails only for buffers of another size, and these were made by the plan.
            if self.fft.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch).is_err() {
                continue;
            }
            for (band, (first, weights)) in self.bands.iter().enumerate() {
                let bins = &self.spectrum[*first..*first + weights.len()];
                let power: f32 = bins.iter().zip(weights).map(|(bin, weight)| bin.norm_sqr() * weight).sum();
                let value = power.max(FLOOR).log10();
                loudest = loudest.max(value);
                self.out[band * FRAMES + t] = value;
            }
        }
        self.out.iter_mut().for_each(|value| *value = (value.max(loudest - 8.0) + 4.0) / 4.0);
        &self.out
    }

    /// Normalised sound with half a window mirrored at either end.
    fn fill(&mut self, pcm: &[f32]) {
        const HALF: usize = WINDOW / 2;
        let pcm = &pcm[pcm.len().saturating_sub(SAMPLES)..];
        let middle = &mut self.padded[HALF..HALF + SAMPLES];
        let (silence, sound) = middle.split_at_mut(SAMPLES - pcm.len());
        silence.fill(0.0);
        sound.copy_from_slice(pcm);
        let mean = middle.iter().map(|&x| f64::from(x)).sum::<f64>() / SAMPLES as f64;
        let variance = middle.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
        let (mean, scale) = (mean as f32, (1.0 / (variance + 1e-7).sqrt()) as f32);
        middle.iter_mut().for_each(|x| *x = (*x - mean) * scale);
        for n in 1..=HALF {
            self.padded[HALF - n] = self.padded[HALF + n];
            self.padded[HALF + SAMPLES - 1 + n] = self.padded[HALF + SAMPLES - 1 - n];
        }
    }
}

/// Triangles on Slaney's scale from 0 to 8 kHz, each of unit area, without their zeros.
fn bands() -> Vec<(usize, Vec<f32>)> {
    let edges: Vec<f64> = (0..BANDS + 2).map(|n| hertz(mel(8_000.0) * n as f64 / (BANDS + 1) as f64)).collect();
    let weight = |edge: &[f64], bin: usize| {
        let hz = bin as f64 * RATE as f64 / WINDOW as f64;
        let (up, down) = ((hz - edge[0]) / (edge[1] - edge[0]), (edge[2] - hz) / (edge[2] - edge[1]));
        (up.min(down).max(0.0) * 2.0 / (edge[2] - edge[0])) as f32
    };
    edges
        .windows(3)
        .map(|edge| {
            let inside = |bin: &usize| weight(edge, *bin) > 0.0;
            let first = (0..BINS).find(inside).unwrap_or(0);
            (first, (first..BINS).map(|bin| weight(edge, bin)).take_while(|weight| *weight > 0.0).collect())
        })
        .collect()
}

/// Linear to 1 kHz, logarithmic above (Slaney 1998).
fn mel(hz: f64) -> f64 {
    if hz < 1_000.0 { 3.0 * hz / 200.0 } else { 15.0 + (hz / 1_000.0).ln() * 27.0 / 6.4f64.ln() }
}

fn hertz(mel: f64) -> f64 {
    if mel < 15.0 { 200.0 * mel / 3.0 } else { 1_000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rising tone, 2.5 s, quiet for a quarter of a second after each half.
    fn rising() -> Vec<f32> {
        (0..40_000)
            .map(|n| {
                let t = f64::from(n) / 16_000.0;
                let level = if (n / 4_000) % 3 == 2 { 0.003 } else { 0.3 };
                (level * (2.0 * PI * (200.0 * t + 300.0 * t * t)).sin()) as f32
            })
            .collect()
    }

    /// Values of the formula written with NumPy in double precision (`transformers.WhisperFeatureExtractor`, chunks of
    /// 8 s, normalised), computed apart from this code.
    #[test]
    fn agrees_with_the_published_formula() {
        let mut mel = LogMel::new();
        let out = mel.features(&rising()).to_vec();
        for (band, frame, expected) in [
            (0, 0, -0.1645),
            (5, 560, 1.7509),
            (10, 600, 1.4933),
            (20, 650, 1.7954),
            (30, 700, 1.5498),
            (40, 750, 1.1272),
            (79, 799, 0.0582),
            (15, 799, 0.5463),
            (3, 549, 0.7534),
            (60, 620, -0.1645),
        ] {
            let got = out[band * FRAMES + frame];
            assert!((got - expected).abs() < 2e-3, "band {band}, frame {frame}: {got} for {expected}");
        }
        let mean = out.iter().sum::<f32>() / out.len() as f32;
        assert!((mean + 0.101_598).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn only_the_last_eight_seconds_count() {
        let mut mel = LogMel::new();
        let tone: Vec<f32> = rising().into_iter().cycle().take(SAMPLES).collect();
        let short = mel.features(&tone).to_vec();
        let long = [vec![0.9; 5_000], tone].concat();
        assert_eq!(mel.features(&long), short);
    }

    #[test]
    fn silence_and_nothing_are_finite() {
        let mut mel = LogMel::new();
        for sound in [vec![], vec![0.0; 100], vec![1.0; SAMPLES + 1]] {
            assert!(mel.features(&sound).iter().all(|value| value.is_finite()));
        }
    }
}
