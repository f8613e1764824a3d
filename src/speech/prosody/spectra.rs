//! What the spectra of an utterance's windows come to: means and spreads over its voiced windows.

use std::ops::Range;

use super::Hop;
use super::features::Features;
use super::spectrum::{BANDS, EDGES, FIRST_TELEPHONE};
use super::summary::{power, regression};

/// First band of 1000–3400 Hz, of 2000–3400 Hz, and of 500–1500 Hz with the band after its last.
const FROM_1000: usize = 7;
const FROM_2000: usize = 11;
const FROM_500: usize = 4;
const TO_1500: usize = 9;
const CEPSTRA: usize = 4;

/// Mean and spread of numbers that come one by one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moments {
    n: f64,
    sum: f64,
    squares: f64,
}

impl Moments {
    pub(super) fn add(&mut self, value: f32) {
        self.n += 1.0;
        self.sum += f64::from(value);
        self.squares += f64::from(value) * f64::from(value);
    }
    pub(super) fn count(&self) -> f32 {
        self.n as f32
    }
    /// 0 of none.
    pub(super) fn mean_stddev(&self) -> (f32, f32) {
        if self.n == 0.0 {
            return (0.0, 0.0);
        }
        let mean = self.sum / self.n;
        (mean as f32, (self.squares / self.n - mean * mean).max(0.0).sqrt() as f32)
    }
}

/// Power of the bands from 300 Hz on, over a common white floor; the first two stay 0.
pub(super) fn telephone(hop: &Hop, floor: f32, noise: &[f32; BANDS]) -> [f32; BANDS] {
    let mut spectrum = [0.0; BANDS];
    for band in FIRST_TELEPHONE..BANDS {
        let white = floor * width(band) / (EDGES[BANDS] - EDGES[FIRST_TELEPHONE]);
        spectrum[band] = (power(hop.bands[band]) - noise[band]).max(0.0) + white;
    }
    spectrum
}

fn width(band: usize) -> f32 {
    EDGES[band + 1] - EDGES[band]
}

fn centre(band: usize) -> f32 {
    0.5 * (EDGES[band + 1] + EDGES[band])
}

fn density_db(spectrum: &[f32; BANDS], band: usize) -> f32 {
    10.0 * (spectrum[band] / width(band)).max(1e-20).log10()
}

pub(super) fn alpha_ratio(spectrum: &[f32; BANDS]) -> f32 {
    let (low, high) = spectrum[FIRST_TELEPHONE..].split_at(FROM_1000 - FIRST_TELEPHONE);
    10.0 * (high.iter().sum::<f32>() / low.iter().sum::<f32>()).log10()
}

pub(super) fn shares(spectrum: &[f32; BANDS]) -> [f32; BANDS] {
    let amplitudes = spectrum.map(f32::sqrt);
    let sum: f32 = amplitudes.iter().sum::<f32>().max(1e-12);
    amplitudes.map(|a| a / sum)
}

/// Over voiced windows.
#[derive(Default)]
pub(super) struct Spectra {
    hammarberg: Moments,
    slope_mid: Moments,
    slope_all: Moments,
    centroid: Moments,
    low_centroid: Moments,
    mid_centroid: Moments,
    flatness: Moments,
    cepstra: [Moments; CEPSTRA],
}

impl Spectra {
    pub(super) fn add(&mut self, spectrum: &[f32; BANDS]) {
        let density = |band| density_db(spectrum, band);
        let strongest = |bands: Range<usize>| bands.map(density).fold(f32::MIN, f32::max);
        let slope = |bands: Range<usize>| regression(bands.map(|b| (centre(b) / 1_000.0, density(b))));
        let centroid = |bands: Range<usize>| {
            let total: f32 = spectrum[bands.clone()].iter().sum();
            bands.map(|b| centre(b) * spectrum[b]).sum::<f32>() / total.max(1e-20)
        };
        let bands = (BANDS - FIRST_TELEPHONE) as f32;
        self.hammarberg.add(strongest(FIRST_TELEPHONE..FROM_2000) - strongest(FROM_2000..BANDS));
        self.slope_mid.add(slope(FROM_500..TO_1500));
        self.slope_all.add(slope(FIRST_TELEPHONE..BANDS));
        self.centroid.add(centroid(FIRST_TELEPHONE..BANDS));
        self.low_centroid.add(centroid(FIRST_TELEPHONE..FROM_1000));
        self.mid_centroid.add(centroid(FROM_1000..BANDS));
        let mean_density = spectrum.iter().sum::<f32>() / (EDGES[BANDS] - EDGES[FIRST_TELEPHONE]);
        self.flatness
            .add((FIRST_TELEPHONE..BANDS).map(density).sum::<f32>() / bands - 10.0 * mean_density.max(1e-20).log10());
        for (k, cepstrum) in self.cepstra.iter_mut().enumerate() {
            let value = (FIRST_TELEPHONE..BANDS)
                .map(|b| {
                    let angle = std::f32::consts::PI * (k + 1) as f32 * ((b - FIRST_TELEPHONE) as f32 + 0.5) / bands;
                    10.0 * spectrum[b].max(1e-20).log10() * angle.cos()
                })
                .sum::<f32>()
                * (2.0 / bands).sqrt();
            cepstrum.add(value);
        }
    }

    pub(super) fn write(&self, out: &mut Features) {
        (out.hammarberg_3400, out.hammarberg_stddev) = self.hammarberg.mean_stddev();
        out.slope_500_1500 = self.slope_mid.mean_stddev().0;
        (out.slope_300_3400, out.slope_stddev) = self.slope_all.mean_stddev();
        (out.centroid_3400, out.centroid_stddev) = self.centroid.mean_stddev();
        (out.centroid_300_1000, out.centroid_300_1000_stddev) = self.low_centroid.mean_stddev();
        (out.centroid_1000_3400, out.centroid_1000_3400_stddev) = self.mid_centroid.mean_stddev();
        (out.flatness_3400, out.flatness_stddev) = self.flatness.mean_stddev();
        let [one, two, three, four] = self.cepstra.map(|c| c.mean_stddev());
        (out.mfcc1, out.mfcc1_stddev) = one;
        (out.mfcc2, out.mfcc2_stddev) = two;
        (out.mfcc3, out.mfcc3_stddev) = three;
        (out.mfcc4, out.mfcc4_stddev) = four;
    }
}
