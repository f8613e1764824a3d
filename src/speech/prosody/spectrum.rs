//! One window's spectrum: power in fifteen bands of the telephone's, and the autocorrelation that pitch is found in.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::front::{HZ, WINDOW};
use super::pitch::{FLOOR_HZ, OVERSAMPLE};

const FFT: usize = 512;
const BINS: usize = FFT / 2 + 1;
const LONG_FFT: usize = FFT * OVERSAMPLE;

/// Edges of the bands, Hz. 300, 500, 1000, 1500, 2000 and 3400 are among them: the bounds of eGeMAPS's parameters and of
/// the telephone's band.
pub(super) const EDGES: [f32; BANDS + 1] = [
    100.0, 200.0, 300.0, 400.0, 500.0, 650.0, 800.0, 1_000.0, 1_250.0, 1_500.0, 1_750.0, 2_000.0, 2_300.0, 2_650.0,
    3_000.0, 3_400.0,
];
/// How many.
pub(super) const BANDS: usize = 15;
/// The first band inside the telephone's band; those below may be missing on a line.
pub(super) const FIRST_TELEPHONE: usize = 2;

/// Power is never reported below this, dBov a band: under the smallest step of G.711, and no logarithm of 0.
pub(super) const LOWEST_DBOV: f32 = -110.0;

/// Transforms and their room.
pub(super) struct Spectrum {
    forward: Arc<dyn RealToComplex<f32>>,
    back: Arc<dyn ComplexToReal<f32>>,
    hann: [f32; WINDOW],
    /// Σ of the squared window: what turns a sum of bins into a mean square.
    gain: f32,
    input: Vec<f32>,
    bins: Vec<Complex32>,
    long_bins: Vec<Complex32>,
    long: Vec<f32>,
    scratch: Vec<Complex32>,
    /// Autocorrelation of the window function itself, inverted.
    of_window: Vec<f32>,
    r: Vec<f32>,
    band_of: [u8; BINS],
}

impl std::fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spectrum").finish_non_exhaustive()
    }
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, back) = (planner.plan_fft_forward(FFT), planner.plan_fft_inverse(LONG_FFT));
        let mut hann = [0.0; WINDOW];
        for (i, w) in hann.iter_mut().enumerate() {
            *w = 0.5 - 0.5 * (std::f32::consts::TAU * (i as f32 + 0.5) / WINDOW as f32).cos();
        }
        let mut band_of = [u8::MAX; BINS];
        for (bin, band) in band_of.iter_mut().enumerate() {
            let hz = bin as f32 * HZ / FFT as f32;
            if let Some(found) = (0..BANDS).find(|b| hz >= EDGES[*b] && hz < EDGES[b + 1]) {
                *band = found as u8;
            }
        }
        let lags = (HZ / FLOOR_HZ) as usize * OVERSAMPLE + 2 * OVERSAMPLE;
        let mut own = Self {
            scratch: vec![Complex32::default(); forward.get_scratch_len().max(back.get_scratch_len())],
            input: forward.make_input_vec(),
            bins: forward.make_output_vec(),
            long_bins: back.make_input_vec(),
            long: back.make_output_vec(),
            gain: hann.iter().map(|w| w * w).sum(),
            hann,
            of_window: vec![1.0; lags],
            r: vec![0.0; lags],
            band_of,
            forward,
            back,
        };
        own.input[..WINDOW].copy_from_slice(&hann);
        own.input[WINDOW..].fill(0.0);
        own.correlate();
        own.of_window = own.r.iter().map(|r| 1.0 / r.max(0.01)).collect();
        own
    }

    /// Measures a window: writes the mean-square power of each band, and returns the normalised autocorrelation
    /// (1 at lag 0; all 0 for silence).
    pub(super) fn measure(&mut self, window: &[f32; WINDOW], bands: &mut [f32; BANDS]) -> &[f32] {
        let mean = window.iter().sum::<f32>() / WINDOW as f32;
        for ((to, x), w) in self.input.iter_mut().zip(window).zip(&self.hann) {
            *to = (x - mean) * w;
        }
        self.input[WINDOW..].fill(0.0);
        self.correlate();
        bands.fill(0.0);
        for (power, band) in self.bins.iter().zip(self.band_of) {
            if let Some(sum) = bands.get_mut(usize::from(band)) {
                *sum += power.re;
            }
        }
        let scale = 2.0 / (FFT as f32 * self.gain);
        bands.iter_mut().for_each(|b| *b *= scale);
        for (r, w) in self.r.iter_mut().zip(&self.of_window) {
            *r *= w;
        }
        &self.r
    }

    /// From `input` to its power spectrum (real parts of `bins`) and autocorrelation `r` (1 at lag 0).
    fn correlate(&mut self) {
        // The lengths are those that the plans made; the transforms refuse nothing else.
        let done = self.forward.process_with_scratch(&mut self.input, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok());
        for bin in &mut self.bins {
            *bin = Complex32::new(bin.norm_sqr(), 0.0);
        }
        self.long_bins.fill(Complex32::default());
        self.long_bins[..BINS].copy_from_slice(&self.bins);
        let done = self.back.process_with_scratch(&mut self.long_bins, &mut self.long, &mut self.scratch);
        debug_assert!(done.is_ok());
        let total = self.long[0];
        let scale = if total > 1e-9 { 1.0 / total } else { 0.0 };
        for (r, x) in self.r.iter_mut().zip(&self.long) {
            *r = x * scale;
        }
    }
}

/// The noise under the speech, band by band: the least smoothed power of the last four seconds.
#[derive(Debug)]
pub(super) struct Noise {
    smooth: [f32; BANDS],
    current: [f32; BANDS],
    spans: [[f32; BANDS]; SPANS],
    windows: u32,
    /// Windows seen since the start; the first ones are still filling with sound.
    seen: u32,
}

const SPANS: usize = 8;
const SPAN_WINDOWS: u32 = 50;

impl Noise {
    pub(super) fn new() -> Self {
        Self {
            smooth: [0.0; BANDS],
            current: [f32::MAX; BANDS],
            spans: [[f32::MAX; BANDS]; SPANS],
            windows: 0,
            seen: 0,
        }
    }

    pub(super) fn push(&mut self, bands: &[f32; BANDS]) {
        self.seen = self.seen.saturating_add(1);
        if self.seen <= 4 {
            self.smooth = *bands;
            return;
        }
        for ((smooth, current), power) in self.smooth.iter_mut().zip(&mut self.current).zip(bands) {
            *smooth += 0.2 * (power - *smooth);
            *current = current.min(*smooth);
        }
        self.windows += 1;
        if self.windows == SPAN_WINDOWS {
            self.spans.rotate_left(1);
            self.spans[SPANS - 1] = self.current;
            (self.current, self.windows) = ([f32::MAX; BANDS], 0);
        }
    }

    /// Mean-square power a band; 0 when nothing was seen. A minimum lies below the mean: 2.5 dB are added back.
    pub(super) fn bands(&self) -> [f32; BANDS] {
        let mut least = self.current;
        for span in &self.spans {
            for (least, power) in least.iter_mut().zip(span) {
                *least = least.min(*power);
            }
        }
        least.map(|power| if power == f32::MAX { 0.0 } else { power * 1.78 })
    }
}

/// Power to dBov, bounded below.
pub(super) fn dbov(power: f32) -> f32 {
    (10.0 * power.max(1e-12).log10()).max(LOWEST_DBOV)
}
