//! What happens to a voice on its way to the other end: band, level, clipping, μ-law; and where it begins and ends.

use std::f32::consts::PI;

use crate::audio::{g711, mix};

/// Half the length of the band filter, in samples: at 8 kHz, 100 make an edge of about 150 Hz.
const HALF: usize = 100;
/// The nominal level of speech in tests of telephone lines (ITU-T P.56, P.830), RMS while speaking.
const NOMINAL_DBOV: f32 = -26.0;
/// Above this share of full scale the curve bends.
const KNEE: f32 = 0.7;
/// A stretch this far below the loudest is no speech.
const SILENCE_DB: f32 = -40.0;

/// Keeps 300 to 3400 Hz: a windowed-sinc filter without delay.
pub(super) fn telephone_band(samples: &mut [i16], hz: u32) {
    let filter = band(300.0 / hz as f32, 3400.0 / hz as f32);
    let padded: Vec<f32> = std::iter::repeat_n(0.0, HALF)
        .chain(samples.iter().map(|&s| f32::from(s)))
        .chain(std::iter::repeat_n(0.0, HALF))
        .collect();
    for (sample, window) in samples.iter_mut().zip(padded.windows(filter.len())) {
        *sample = window.iter().zip(&filter).map(|(a, b)| a * b).sum::<f32>().round() as i16;
    }
}

/// The impulse response of a band between two edges in cycles a sample, Hamming-windowed.
fn band(low: f32, high: f32) -> Vec<f32> {
    let ideal = |edge: f32, n: f32| if n == 0.0 { 2.0 * edge } else { (2.0 * PI * edge * n).sin() / (PI * n) };
    (0..=2 * HALF)
        .map(|i| {
            let n = i as f32 - HALF as f32;
            let window = 0.54 + 0.46 * (PI * n / HALF as f32).cos();
            (ideal(high, n) - ideal(low, n)) * window
        })
        .collect()
}

/// Cuts what is silent at both ends, to 5 ms, and fades the cuts over 1 ms. All silence leaves nothing.
pub(super) fn trim(samples: &mut Vec<i16>, hz: u32) {
    let step = (hz / 200) as usize;
    let loud: Vec<f32> = samples.chunks(step).map(rms).collect();
    let floor = loud.iter().fold(0.0_f32, |max, &r| max.max(r)) * mix::from_db(SILENCE_DB);
    let is_speech = |&r: &f32| r > floor.max(1.0);
    let (Some(first), Some(last)) = (loud.iter().position(is_speech), loud.iter().rposition(is_speech)) else {
        samples.clear();
        return;
    };
    samples.truncate((last + 1) * step);
    samples.drain(..first * step);
    let fade = (hz / 1000) as usize;
    let end = samples.len();
    for i in 0..fade.min(end / 2) {
        let share = (i + 1) as f32 / (fade + 1) as f32;
        samples[i] = mix::scale(samples[i], share);
        samples[end - 1 - i] = mix::scale(samples[end - 1 - i], share);
    }
}

/// Brings the spoken parts to the nominal level and `gain` dB, and rounds off what would clip.
pub(super) fn set_level(samples: &mut [i16], hz: u32, gain: f32) {
    let active = active_rms(samples, hz);
    if active == 0.0 {
        return;
    }
    let factor = mix::from_db(NOMINAL_DBOV + gain) * 32_768.0 / active;
    for sample in samples {
        *sample = soft_clip(f32::from(*sample) * factor);
    }
}

/// RMS of the 20 ms stretches that are within 30 dB of the loudest.
fn active_rms(samples: &[i16], hz: u32) -> f32 {
    let loud: Vec<f32> = samples.chunks((hz / 50) as usize).map(rms).collect();
    let floor = loud.iter().fold(0.0_f32, |max, &r| max.max(r)) * mix::from_db(-30.0);
    let active: Vec<f32> = loud.into_iter().filter(|&r| r > floor).map(|r| r * r).collect();
    if active.is_empty() { 0.0 } else { (active.iter().sum::<f32>() / active.len() as f32).sqrt() }
}

fn rms(samples: &[i16]) -> f32 {
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt() as f32
}

/// Straight up to the knee, then bending so that it never reaches full scale.
fn soft_clip(value: f32) -> i16 {
    let size = value.abs() / 32_767.0;
    let bent = if size <= KNEE { size } else { KNEE + (1.0 - KNEE) * ((size - KNEE) / (1.0 - KNEE)).tanh() };
    (bent * 32_767.0 * value.signum()).round() as i16
}

/// Through μ-law and back (G.711).
pub(super) fn mu_law(samples: &mut [i16]) {
    for sample in samples {
        *sample = g711::mu_decode(g711::mu_encode(*sample));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HZ: u32 = 8_000;

    fn tone(hz: f32, peak: f32, samples: usize) -> Vec<i16> {
        (0..samples).map(|i| (peak * (2.0 * PI * hz * i as f32 / HZ as f32).sin()) as i16).collect()
    }

    #[test]
    fn the_band_passes_speech_and_stops_hum_and_hiss() {
        let gain = |hz: f32| {
            let mut samples = tone(hz, 10_000.0, 4_000);
            telephone_band(&mut samples, HZ);
            20.0 * (rms(&samples[400..3_600]) / (10_000.0 / 2f32.sqrt())).log10()
        };
        for hz in [400.0, 1_000.0, 2_000.0, 3_200.0] {
            assert!(gain(hz).abs() < 0.5, "{hz} Hz: {} dB", gain(hz));
        }
        for hz in [50.0, 100.0, 3_800.0] {
            assert!(gain(hz) < -35.0, "{hz} Hz: {} dB", gain(hz));
        }
    }

    #[test]
    fn the_band_moves_nothing_in_time() {
        let mut samples = vec![0; 1_000];
        samples[500] = 20_000;
        telephone_band(&mut samples, HZ);
        let peak = (0..1_000).max_by_key(|&i| samples[i].abs());
        assert_eq!(peak, Some(500));
    }

    #[test]
    fn silence_is_cut_from_both_ends_only() {
        let speech = tone(500.0, 8_000.0, 800);
        let gap = vec![0; 400];
        let mut samples = [vec![0; 1_000], speech.clone(), gap, speech, vec![3; 777]].concat();
        trim(&mut samples, HZ);
        assert_eq!(samples.len(), 2_000);
        let mut nothing = vec![0; 500];
        trim(&mut nothing, HZ);
        assert!(nothing.is_empty());
    }

    #[test]
    fn the_level_is_of_the_spoken_parts_and_gain_adds_to_it() {
        let db = |gain: f32| {
            let mut samples = [tone(500.0, 900.0, 1_600), vec![0; 8_000], tone(500.0, 900.0, 1_600)].concat();
            set_level(&mut samples, HZ, gain);
            20.0 * (rms(&samples[..1_600]) / 32_768.0).log10()
        };
        assert!((db(0.0) + 26.0).abs() < 0.2, "{}", db(0.0));
        assert!((db(9.0) + 17.0).abs() < 0.2, "{}", db(9.0));
    }

    #[test]
    fn loud_peaks_are_rounded_off_in_order() {
        assert_eq!(soft_clip(1_000.0), 1_000);
        assert_eq!(soft_clip(-20_000.0), -20_000);
        let rising: Vec<i16> = [23_000.0, 26_000.0, 30_000.0, 36_000.0, 50_000.0].map(soft_clip).into();
        assert!(rising.is_sorted_by(|a, b| a < b), "{rising:?}");
        assert!(soft_clip(1e9) > 32_000 && soft_clip(-1e9) < -32_000);
    }
}
