//! Packet-loss concealment for G.711, after ITU-T G.711 Appendix I: repeat the last pitch period, fade, be silent after
//! 60 ms.
//!
//! Unlike the appendix it adds no delay: instead of blending into the 3.75 ms already played it lets the step between the
//! last sample and the repetition decay over a quarter of a pitch period.

/// Pitch periods looked for, samples at 8 kHz: 200 to 66 Hz as in the appendix.
const PITCH: std::ops::RangeInclusive<usize> = 40..=120;
/// Past samples kept: three of the longest periods and a quarter (Appendix I, 48.75 ms).
const HISTORY: usize = 390;
/// Stretch that is correlated: 20 ms.
const CORRELATE: usize = 160;
/// 10 ms.
const STEP: usize = 80;
/// After this many samples of loss there is silence: 60 ms.
const SILENT_AFTER: usize = 480;

/// Fills gaps of one 8 kHz stream. Sees all good samples, invents the missing ones; holds no more than the last 50 ms.
#[derive(Debug, Clone)]
pub struct Concealer {
    history: [i16; HISTORY],
    /// The waveform that is repeated: up to three pitch periods, smoothed at the seam.
    cycle: [i16; HISTORY],
    pitch: usize,
    /// Periods in use: one in the first 10 ms, then two, then three, so that a tone does not buzz.
    periods: usize,
    /// Where in the cycle the next sample is.
    at: usize,
    /// Samples invented since the last good one.
    lost: usize,
    /// Step between the last good sample and the first invented one.
    step: f32,
}

impl Default for Concealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Concealer {
    /// With silence behind it.
    pub const fn new() -> Self {
        Self {
            history: [0; HISTORY],
            cycle: [0; HISTORY],
            pitch: *PITCH.start(),
            periods: 1,
            at: 0,
            lost: 0,
            step: 0.0,
        }
    }

    /// Good samples came. After a loss their start is blended with the invented continuation, longer after longer losses.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.lost > 0 {
            let blend = (self.pitch / 4 + 32 * self.lost.div_ceil(STEP)).min(STEP).min(samples.len());
            for (i, sample) in samples[..blend].iter_mut().enumerate() {
                let weight = (i + 1) as f32 / (blend + 1) as f32;
                let invented = f32::from(self.invent());
                *sample = (f32::from(*sample) * weight + invented * (1.0 - weight)).round() as i16;
            }
            self.lost = 0;
        }
        self.remember(samples);
    }

    /// No samples came: invents them.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if self.lost == 0 {
            self.begin();
        }
        for sample in out.iter_mut() {
            *sample = self.invent();
        }
        self.remember(out);
    }

    fn remember(&mut self, samples: &[i16]) {
        let n = samples.len().min(HISTORY);
        self.history.copy_within(n.., 0);
        self.history[HISTORY - n..].copy_from_slice(&samples[samples.len() - n..]);
    }

    fn begin(&mut self) {
        self.pitch = find_pitch(&self.history);
        self.periods = 1;
        self.at = 0;
        self.step = f32::from(self.history[HISTORY - 1]) - f32::from(self.history[HISTORY - 1 - self.pitch]);
        // `remember` shifts the history while a loss goes on; the cycle keeps what was good.
        self.cycle = self.history;
        smooth_seam(&mut self.cycle, self.pitch, 1);
    }

    fn invent(&mut self) -> i16 {
        if self.lost >= SILENT_AFTER {
            return 0;
        }
        let wanted = (1 + self.lost / STEP).min(3);
        if wanted > self.periods {
            self.periods = wanted;
            smooth_seam(&mut self.cycle, self.pitch, wanted);
        }
        let length = self.pitch * self.periods;
        let sample = f32::from(self.cycle[HISTORY - length + self.at % length]);
        self.at = (self.at + 1) % length;
        let quarter = (self.pitch / 4) as f32;
        let decayed = self.step * (1.0 - self.lost as f32 / quarter).max(0.0);
        let gain = gain_after(self.lost);
        self.lost += 1;
        ((sample + decayed) * gain).round() as i16
    }
}

/// Full for 10 ms, then a fifth less every 10 ms (Appendix I, I.2.7).
fn gain_after(lost: usize) -> f32 {
    if lost < STEP { 1.0 } else { (1.0 - 0.2 * (lost - STEP) as f32 / STEP as f32).max(0.0) }
}

/// The lag at which the last 20 ms correlate best with what was before, normalised by energy.
fn find_pitch(history: &[i16; HISTORY]) -> usize {
    let recent = &history[HISTORY - CORRELATE..];
    let mut best = (*PITCH.end(), f32::MIN);
    for lag in PITCH {
        let past = &history[HISTORY - CORRELATE - lag..HISTORY - lag];
        let (mut product, mut energy) = (0i64, 1i64);
        for (&a, &b) in recent.iter().zip(past) {
            product += i64::from(a) * i64::from(b);
            energy += i64::from(b) * i64::from(b);
        }
        let score = product as f32 / (energy as f32).sqrt();
        // A multiple of the period scores the same: the shorter one stays.
        if score > best.1 {
            best = (lag, score);
        }
    }
    best.0
}

/// Makes the end of the repeated stretch run into its start: its last quarter period is blended with what preceded the
/// stretch.
fn smooth_seam(cycle: &mut [i16; HISTORY], pitch: usize, periods: usize) {
    let quarter = pitch / 4;
    let start = HISTORY - pitch * periods;
    for i in 0..quarter {
        let weight = (i + 1) as f32 / (quarter + 1) as f32;
        let tail = HISTORY - quarter + i;
        let before = f32::from(cycle[start - quarter + i]);
        cycle[tail] = (f32::from(cycle[tail]) * (1.0 - weight) + before * weight).round() as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(from: usize, n: usize) -> Vec<i16> {
        // 125 Hz (64 samples) with two harmonics.
        (from..from + n)
            .map(|i| {
                let t = std::f32::consts::TAU * 125.0 * i as f32 / 8_000.0;
                (6_000.0 * t.sin() + 3_000.0 * (2.0 * t).sin() + 1_500.0 * (3.0 * t + 1.0).sin()) as i16
            })
            .collect()
    }

    fn energy(samples: &[i16]) -> f64 {
        samples.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / samples.len() as f64
    }

    fn largest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_of_a_voiced_sound_is_continued() {
        let mut concealer = Concealer::new();
        for frame in 0..5 {
            concealer.good(&mut voice(frame * 160, 160));
        }
        let mut made = [0; 160];
        concealer.conceal(&mut made);
        let truth = voice(800, 160);
        let error: Vec<i16> = made.iter().zip(&truth).map(|(a, b)| a.saturating_sub(*b)).collect();
        let snr = 10.0 * (energy(&truth[..80]) / energy(&error[..80]).max(1.0)).log10();
        assert!(snr > 20.0, "first 10 ms: {snr:.1} dB");
    }

    #[test]
    fn there_is_no_click_into_or_out_of_a_loss() {
        let clean = largest_step(&voice(0, 3_200));
        for lost in 1..=4 {
            let mut concealer = Concealer::new();
            let mut heard = Vec::new();
            for frame in 0..20 {
                let mut samples = voice(frame * 160, 160);
                if (8..8 + lost).contains(&frame) {
                    concealer.conceal(&mut samples)
                } else {
                    concealer.good(&mut samples)
                }
                heard.extend_from_slice(&samples);
            }
            let step = largest_step(&heard);
            assert!(step < clean * 3 / 2, "{lost} frames lost: a step of {step}, clean {clean}");
            assert_eq!(heard[3_000..], voice(3_000, 200), "good frames return untouched");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_after_60_ms() {
        let mut concealer = Concealer::new();
        for frame in 0..5 {
            concealer.good(&mut voice(frame * 160, 160));
        }
        let levels: Vec<f64> = (0..5)
            .map(|_| {
                let mut made = [0; 160];
                concealer.conceal(&mut made);
                energy(&made)
            })
            .collect();
        assert!(levels[0] > levels[1] && levels[1] > levels[2] && levels[2] > 0.0, "{levels:?}");
        assert_eq!(levels[3..], [0.0, 0.0]);
    }

    #[test]
    fn a_loss_before_any_sound_and_the_loudest_sound_are_safe() {
        let mut made = [1; 160];
        Concealer::new().conceal(&mut made);
        assert_eq!(made, [0; 160]);
        let mut concealer = Concealer::new();
        let mut square: Vec<i16> = (0..800).map(|i| if i / 30 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        concealer.good(&mut square);
        concealer.conceal(&mut made);
        assert!(energy(&made) > 1e6);
    }
}
