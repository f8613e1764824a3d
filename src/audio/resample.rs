//! Between sample rates, by FFT (rubato). A stream is converted in blocks of 20 ms and never allocates after it is built;
//! a clip is converted in one go, with the filter's delay taken out.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::{AudioError, FRAME_MS, Frame, Rate};

/// Rates that are converted, Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=192_000;
/// Input samples in a block of the one-shot converter: longer blocks have a steeper filter.
const CLIP_BLOCK: usize = 1024;

/// Converts a stream of any block lengths; what does not fill a block of 20 ms waits for the next call.
pub struct Resampler {
    fft: Fft<f32>,
    input: Vec<f32>,
    filled: usize,
    output: Vec<f32>,
    pcm: Vec<i16>,
}

impl Resampler {
    /// From one rate to another, both in Hz and a multiple of 50 (so that 20 ms is a whole number of samples).
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, AudioError> {
        let bad = AudioError::Rate { from: from_hz, to: to_hz };
        if !RATES.contains(&from_hz)
            || !RATES.contains(&to_hz)
            || !from_hz.is_multiple_of(50)
            || !to_hz.is_multiple_of(50)
        {
            return Err(bad);
        }
        let chunk = (from_hz * FRAME_MS / 1000) as usize;
        let fft = Fft::new(from_hz as usize, to_hz as usize, chunk, 1, FixedSync::Both)
            .map_err(|e| AudioError::Resample(e.to_string()))?;
        let (input, output) = (fft.input_frames_max(), fft.output_frames_max());
        Ok(Self { fft, input: vec![0.0; input], filled: 0, output: vec![0.0; output], pcm: vec![0; output] })
    }

    /// How late the output is, in samples of the output rate; a block of waiting input comes on top.
    pub fn delay(&self) -> usize {
        self.fft.output_delay()
    }

    /// Input samples in one block.
    pub fn block_in(&self) -> usize {
        self.input.len()
    }

    /// Output samples in one block.
    pub fn block_out(&self) -> usize {
        self.output.len()
    }

    /// Takes samples, and hands each finished block of [`Resampler::block_out`] samples to `each`.
    pub fn push(&mut self, mut samples: &[i16], mut each: impl FnMut(&[i16])) {
        while !samples.is_empty() {
            let n = (self.input.len() - self.filled).min(samples.len());
            let (now, later) = samples.split_at(n);
            for (to, &from) in self.input[self.filled..].iter_mut().zip(now) {
                *to = f32::from(from);
            }
            self.filled += n;
            samples = later;
            if self.filled == self.input.len() {
                self.filled = 0;
                self.convert();
                each(&self.pcm);
            }
        }
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        self.fft.reset();
        self.filled = 0;
    }

    fn convert(&mut self) {
        let frames = (self.input.len(), self.output.len());
        // The sizes are the resampler's own and one channel, so none of the three can fail; were that wrong, the block
        // would be silent.
        let done = match (
            InterleavedSlice::new(&self.input, 1, frames.0),
            InterleavedSlice::new_mut(&mut self.output, 1, frames.1),
        ) {
            (Ok(input), Ok(mut output)) => self.fft.process_into_buffer(&input, &mut output, None).is_ok(),
            _ => false,
        };
        debug_assert!(done, "the block sizes are the resampler's own");
        if !done {
            self.output.fill(0.0);
        }
        for (to, &from) in self.pcm.iter_mut().zip(&self.output) {
            *to = from.round() as i16;
        }
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler").field("block_in", &self.block_in()).field("block_out", &self.block_out()).finish()
    }
}

/// Converts frames between the two rates of legs, for a bridge: one frame in, one frame out, 10 ms late. Frames that
/// already have the wanted rate pass untouched.
#[derive(Debug)]
pub struct FrameResampler {
    to: Rate,
    inner: Resampler,
}

impl FrameResampler {
    /// To `to`, from the other rate.
    pub fn new(to: Rate) -> Result<Self, AudioError> {
        let from = match to {
            Rate::Narrow => Rate::Wide,
            Rate::Wide => Rate::Narrow,
        };
        Ok(Self { to, inner: Resampler::new(from.hz(), to.hz())? })
    }

    /// The frame at the wanted rate.
    pub fn process(&mut self, frame: &Frame) -> Frame {
        if frame.rate() == self.to {
            return *frame;
        }
        let mut out = Frame::silence(self.to);
        // A frame is exactly one block.
        self.inner.push(frame.samples(), |block| out = Frame::from_samples(self.to, block));
        out
    }
}

/// A whole clip at another rate, in step with the original: the filter's delay is taken out, and the length is the
/// original's in time (rounded up to a sample).
pub fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Result<Vec<i16>, AudioError> {
    if !RATES.contains(&from_hz) || !RATES.contains(&to_hz) {
        return Err(AudioError::Rate { from: from_hz, to: to_hz });
    }
    if from_hz == to_hz || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let fail = |e: &dyn std::fmt::Display| AudioError::Resample(e.to_string());
    let mut fft = Fft::<f32>::new(from_hz as usize, to_hz as usize, clip_block(from_hz, to_hz), 1, FixedSync::Both)
        .map_err(|e| fail(&e))?;
    let input: Vec<f32> = samples.iter().map(|&s| f32::from(s)).collect();
    let view = InterleavedSlice::new(&input, 1, input.len()).map_err(|e| fail(&e))?;
    let output = fft.process_all(&view, input.len(), None).map_err(|e| fail(&e))?;
    Ok(output.take_data().into_iter().map(|s| s.round() as i16).collect())
}

/// An even number of the smallest blocks that both rates allow: the delay of an odd block is no whole number of samples.
fn clip_block(from_hz: u32, to_hz: u32) -> usize {
    let (mut a, mut b) = (from_hz, to_hz);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let smallest = 2 * (from_hz / a) as usize;
    smallest * CLIP_BLOCK.div_ceil(smallest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, samples: usize) -> Vec<i16> {
        (0..samples)
            .map(|i| (10_000.0 * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as i16)
            .collect()
    }

    /// Fits a tone of `hz` to the middle of `got`: signal to error ratio in dB, and how late it is in samples.
    fn fit(got: &[i16], hz: f64, rate: u32) -> (f64, f64) {
        let step = std::f64::consts::TAU * hz / f64::from(rate);
        // Whole periods, away from the edges, so that sine and cosine are orthogonal.
        let n = rate as usize / 10;
        let middle = 400..400 + n;
        let sum = |of: fn(f64) -> f64| middle.clone().map(|i| f64::from(got[i]) * of(step * i as f64)).sum::<f64>();
        let (a, b) = (2.0 * sum(f64::sin) / n as f64, 2.0 * sum(f64::cos) / n as f64);
        let error: f64 = middle
            .map(|i| (f64::from(got[i]) - a * (step * i as f64).sin() - b * (step * i as f64).cos()).powi(2))
            .sum();
        assert!((a.hypot(b) - 10_000.0).abs() < 30.0, "amplitude {}", a.hypot(b));
        (10.0 * ((a * a + b * b) / 2.0 * n as f64 / error.max(1e-9)).log10(), (-b).atan2(a) / step)
    }

    #[test]
    fn a_clip_stays_in_step() {
        for (from, to) in [
            (8_000, 16_000),
            (16_000, 8_000),
            (22_050, 8_000),
            (22_050, 16_000),
            (24_000, 8_000),
            (48_000, 16_000),
            (44_100, 8_000),
        ] {
            let input = tone(1_000.0, from, from as usize / 2);
            let output = resample(&input, from, to).expect("converts");
            assert_eq!(output.len(), (to as usize).div_ceil(2), "{from} to {to}");
            let (snr, late) = fit(&output, 1_000.0, to);
            assert!(snr > 60.0 && late.abs() < 0.1, "{from} to {to}: {snr:.1} dB, {late:.2} samples late");
        }
    }

    #[test]
    fn a_stream_is_late_by_its_reported_delay_whatever_the_block_lengths() {
        for (from, to) in
            [(8_000, 16_000), (16_000, 8_000), (22_050, 8_000), (24_000, 16_000), (48_000, 16_000), (8_000, 48_000)]
        {
            let mut stream = Resampler::new(from, to).expect("supported");
            let input = tone(700.0, from, from as usize / 2);
            let mut output = Vec::new();
            let mut at = 0;
            for n in [1, 7, 160, 441, 1_000].into_iter().cycle() {
                let end = (at + n).min(input.len());
                stream.push(&input[at..end], |block| output.extend_from_slice(block));
                at = end;
                if at == input.len() {
                    break;
                }
            }
            assert_eq!(output.len() % stream.block_out(), 0);
            let (snr, late) = fit(&output[stream.delay()..], 700.0, to);
            assert!(snr > 60.0 && late.abs() < 0.5, "{from} to {to}: {snr:.1} dB, {late:.2} samples late");
        }
    }

    #[test]
    fn what_would_alias_is_filtered() {
        let output = resample(&tone(6_000.0, 16_000, 16_000), 16_000, 8_000).expect("converts");
        let loud = output[400..7_000].iter().map(|s| s.unsigned_abs()).max();
        assert!(loud < Some(20), "6 kHz leaks into 8 kHz sampling: {loud:?}");
    }

    #[test]
    fn frames_are_bridged_both_ways() {
        let mut up = FrameResampler::new(Rate::Wide).expect("supported");
        let mut down = FrameResampler::new(Rate::Narrow).expect("supported");
        let input = tone(1_000.0, 8_000, 1_600);
        let mut output = Vec::new();
        for chunk in input.chunks(160) {
            let wide = up.process(&Frame::from_samples(Rate::Narrow, chunk));
            assert_eq!(wide.rate(), Rate::Wide);
            output.extend_from_slice(down.process(&wide).samples());
        }
        // 10 ms up, 10 ms down.
        let (snr, late) = fit(&output[160..], 1_000.0, 8_000);
        assert!(snr > 60.0 && late.abs() < 0.5, "{snr:.1} dB, {late:.2} samples late");
        let same = Frame::from_samples(Rate::Wide, &[1, 2, 3]);
        assert_eq!(up.process(&same).samples(), same.samples());
    }

    #[test]
    fn impossible_rates_are_refused() {
        assert!(matches!(Resampler::new(0, 8_000), Err(AudioError::Rate { from: 0, to: 8_000 })));
        assert!(Resampler::new(8_001, 8_000).is_err());
        assert!(resample(&[1], 8_000, 4_000_000).is_err());
    }
}
