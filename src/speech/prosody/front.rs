//! What every measurement stands on: the leg's sound at 8 kHz without DC, in windows of 40 ms every 10 ms.

use crate::audio::Rate;

/// Rate at which everything is measured, Hz. A wide-band leg is brought down to it, so that all legs are alike.
pub(super) const HZ: f32 = 8_000.0;
/// Samples between two windows: 10 ms.
pub(super) const HOP: usize = 80;
/// Samples of a window: 40 ms, three periods of the lowest voice (75 Hz).
pub(super) const WINDOW: usize = 320;

/// Taps of the half-band low-pass before decimation (windowed sinc, Hamming; 60 dB down from 4.4 kHz).
const TAPS: usize = 47;

/// Decimates, takes DC out, cuts windows.
#[derive(Debug)]
pub(super) struct Front {
    decimate: Option<Decimator>,
    last_in: f32,
    last_out: f32,
    window: [f32; WINDOW],
    /// Samples of the window's last hop that are there.
    filled: usize,
}

impl Front {
    pub(super) fn new(rate: Rate) -> Self {
        let decimate = (rate == Rate::Wide).then(Decimator::new);
        Self { decimate, last_in: 0.0, last_out: 0.0, window: [0.0; WINDOW], filled: 0 }
    }

    /// Passes samples (−1..1 afterwards); `measure` is called with each complete window.
    pub(super) fn push(&mut self, pcm: &[i16], mut measure: impl FnMut(&[f32; WINDOW])) {
        for &sample in pcm {
            let x = f32::from(sample) / 32_768.0;
            let x = match &mut self.decimate {
                None => x,
                Some(decimator) => match decimator.push(x) {
                    None => continue,
                    Some(x) => x,
                },
            };
            // One pole at 20 Hz.
            self.last_out = x - self.last_in + 0.984 * self.last_out;
            self.last_in = x;
            self.window[WINDOW - HOP + self.filled] = self.last_out;
            self.filled += 1;
            if self.filled == HOP {
                measure(&self.window);
                self.window.copy_within(HOP.., 0);
                self.filled = 0;
            }
        }
    }
}

/// 16 to 8 kHz. A fixed short filter rather than the resampler of the audio path: it needs no frames, and its delay
/// (1.5 ms) is far below a hop.
#[derive(Debug)]
struct Decimator {
    taps: [f32; TAPS],
    line: [f32; TAPS],
    odd: bool,
}

impl Decimator {
    fn new() -> Self {
        let mut taps = [0.0; TAPS];
        let middle = (TAPS / 2) as f32;
        for (i, tap) in taps.iter_mut().enumerate() {
            let x = i as f32 - middle;
            let sinc =
                if x == 0.0 { 0.5 } else { (std::f32::consts::FRAC_PI_2 * x).sin() / (std::f32::consts::PI * x) };
            *tap = sinc * (0.54 + 0.46 * (std::f32::consts::PI * x / (middle + 1.0)).cos());
        }
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self { taps, line: [0.0; TAPS], odd: false }
    }

    fn push(&mut self, x: f32) -> Option<f32> {
        self.line.copy_within(1.., 0);
        self.line[TAPS - 1] = x;
        self.odd = !self.odd;
        (!self.odd).then(|| self.line.iter().zip(&self.taps).map(|(x, tap)| x * tap).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_of(hz: f32) -> f32 {
        let pcm: Vec<i16> =
            (0..16_000).map(|i| (8_000.0 * (std::f32::consts::TAU * hz * i as f32 / 16_000.0).sin()) as i16).collect();
        let (mut sum, mut n) = (0.0, 0);
        Front::new(Rate::Wide).push(&pcm, |w| {
            sum += w.iter().map(|x| x * x).sum::<f32>() / WINDOW as f32;
            n += 1;
        });
        10.0 * (sum / n as f32 / (0.5 * (8_000.0f32 / 32_768.0).powi(2))).log10()
    }

    #[test]
    fn decimation_keeps_the_telephone_band_and_folds_nothing_into_it() {
        assert!(level_of(1_000.0).abs() < 0.3, "{}", level_of(1_000.0));
        assert!(level_of(3_000.0).abs() < 0.5, "{}", level_of(3_000.0));
        assert!(level_of(5_000.0) < -40.0, "{}", level_of(5_000.0));
    }
}
