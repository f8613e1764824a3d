//! Gain and sums that saturate.

use super::Frame;

/// A linear factor from decibels.
pub fn from_db(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

/// Adds `other` to `into`, saturating. Frames of unlike rates are not mixed: `false`, and `into` stays as it was.
pub fn add(into: &mut Frame, other: &Frame) -> bool {
    if into.rate() != other.rate() {
        return false;
    }
    for (a, &b) in into.samples_mut().iter_mut().zip(other.samples()) {
        *a = a.saturating_add(b);
    }
    true
}

/// Scales a frame by a linear factor, saturating.
pub fn gain(frame: &mut Frame, factor: f32) {
    for sample in frame.samples_mut() {
        *sample = scale(*sample, factor);
    }
}

/// One sample by a linear factor, saturating.
pub fn scale(sample: i16, factor: f32) -> i16 {
    // A float-to-integer cast saturates.
    (f32::from(sample) * factor).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Rate;

    #[test]
    fn sums_and_gains_saturate() {
        let mut frame = Frame::from_samples(Rate::Narrow, &[30_000, -30_000, 5]);
        assert!(add(&mut frame, &Frame::from_samples(Rate::Narrow, &[10_000, -10_000, 6])));
        assert_eq!(frame.samples()[..3], [32_767, -32_768, 11]);
        gain(&mut frame, 0.5);
        assert_eq!(frame.samples()[..3], [16_384, -16_384, 6]);
        gain(&mut frame, 100.0);
        assert_eq!(frame.samples()[..3], [32_767, -32_768, 600]);
        assert!((from_db(-6.0206) - 0.5).abs() < 1e-4);
    }

    #[test]
    fn unlike_rates_are_refused() {
        let mut frame = Frame::from_samples(Rate::Narrow, &[1]);
        assert!(!add(&mut frame, &Frame::from_samples(Rate::Wide, &[1])));
        assert_eq!(frame.samples()[0], 1);
    }
}
