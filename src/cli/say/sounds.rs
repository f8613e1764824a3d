//! Sounds made of numbers: hold music and a cough. Both are the project's own, and the same each time.

use std::f32::consts::PI;

/// Sample rate of both, Hz.
pub(super) const HZ: u32 = 8_000;

/// MIDI notes of four chords (C, A minor 7, F, G), each broken into five notes of half a second.
const CHORDS: [[u8; 5]; 4] = [[60, 64, 67, 72, 67], [57, 64, 67, 72, 67], [53, 60, 65, 69, 65], [55, 62, 65, 71, 65]];
const NOTE_S: f32 = 0.5;
/// How long a note takes to fall to a third, in seconds.
const RING_S: f32 = 0.45;

/// Ten seconds of plucked chords. What still rings at the end sounds at the beginning, so that it loops without a seam.
pub(super) fn hold_music() -> Vec<i16> {
    let note_len = (NOTE_S * HZ as f32) as usize;
    let mut sum = vec![0.0_f32; CHORDS.len() * CHORDS[0].len() * note_len];
    let end = sum.len();
    for (number, &key) in CHORDS.iter().flatten().enumerate() {
        let hz = 440.0 * 2f32.powf((f32::from(key) - 69.0) / 12.0);
        // The bass of a chord rings through it.
        let ring = if number % CHORDS[0].len() == 0 { 3.0 * RING_S } else { RING_S };
        for i in 0..6 * note_len {
            let t = i as f32 / HZ as f32;
            let attack = (t / 0.008).min(1.0);
            let tone = |n: f32| (2.0 * PI * hz * n * t).sin() * (-n * t / ring).exp() / (n * n);
            sum[(number * note_len + i) % end] += 3_000.0 * attack * (tone(1.0) + tone(2.0) + tone(3.0));
        }
    }
    sum.into_iter().map(|s| s.round() as i16).collect()
}

/// Two bursts of noise through a throat of two resonances: as loud as speech, and no word.
pub(in crate::cli) fn cough() -> Vec<i16> {
    let mut seed = 0x51DE_703E_u32;
    let mut noise = move || {
        // Numerical Recipes' generator: any noise will do, as long as it is always the same.
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 16) as f32 / 32_768.0 - 1.0
    };
    let (mut low, mut high) = (Resonance::new(650.0, 0.97), Resonance::new(1_700.0, 0.94));
    let burst = |t: f32, start: f32, decay: f32| {
        let t = t - start;
        if t < 0.0 { 0.0 } else { (t / 0.012).min(1.0) * (-t / decay).exp() }
    };
    (0..(0.65 * HZ as f32) as usize)
        .map(|i| {
            let t = i as f32 / HZ as f32;
            let envelope = burst(t, 0.0, 0.06) + 0.6 * burst(t, 0.28, 0.08);
            let source = noise();
            (15_000.0 * envelope * (low.next(source) + 0.7 * high.next(source))).round() as i16
        })
        .collect()
}

/// A two-pole resonator.
struct Resonance {
    feedback: [f32; 2],
    past: [f32; 2],
    gain: f32,
}

impl Resonance {
    /// At `hz`; `radius` of the poles, just under 1, sets how narrow it is.
    fn new(hz: f32, radius: f32) -> Self {
        let turn = (2.0 * PI * hz / HZ as f32).cos();
        Self { feedback: [2.0 * radius * turn, -radius * radius], past: [0.0; 2], gain: 1.0 - radius }
    }
    fn next(&mut self, input: f32) -> f32 {
        let out = self.gain * input + self.feedback[0] * self.past[0] + self.feedback[1] * self.past[1];
        self.past = [out, self.past[0]];
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_music_is_ten_seconds_without_clipping_or_a_seam() {
        let music = hold_music();
        assert_eq!(music.len(), 10 * HZ as usize);
        let largest = music.iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((5_000..30_000).contains(&largest), "{largest}");
        let step = |a: i16, b: i16| i32::from(a).abs_diff(i32::from(b));
        let usual = music.windows(2).map(|w| step(w[0], w[1])).max().unwrap();
        assert!(step(music[music.len() - 1], music[0]) <= usual);
        assert_eq!(music, hold_music());
    }

    #[test]
    fn the_cough_is_two_bursts_of_noise() {
        let cough = cough();
        let loud = |ms: std::ops::Range<usize>| {
            let part = &cough[ms.start * 8..ms.end * 8];
            (part.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / part.len() as f32).sqrt()
        };
        assert!(loud(10..60) > 4.0 * loud(240..280), "{} {}", loud(10..60), loud(240..280));
        assert!(loud(290..350) > 2.0 * loud(240..280));
        assert!(loud(10..60) > 300.0);
    }
}
