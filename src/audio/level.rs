//! How loud a frame is.

use super::Frame;

/// Digital silence, in dBov: the lowest value that RFC 6464 can carry.
pub const SILENCE_DBOV: f32 = -127.0;

/// Level of a frame in dBov (RFC 6464, RFC 3389: 0 is the overload point, a full-scale sine is −3), at least
/// [`SILENCE_DBOV`].
pub fn dbov(frame: &Frame) -> f32 {
    rms_dbov(frame.samples())
}

/// The same for any stretch of samples; empty is silence.
pub fn rms_dbov(samples: &[i16]) -> f32 {
    if samples.is_empty() {
        return SILENCE_DBOV;
    }
    let energy: u64 = samples.iter().map(|&s| (i64::from(s) * i64::from(s)) as u64).sum();
    if energy == 0 {
        return SILENCE_DBOV;
    }
    let mean = energy as f64 / samples.len() as f64;
    ((10.0 * (mean / (32_768.0 * 32_768.0)).log10()) as f32).max(SILENCE_DBOV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Rate;

    #[test]
    fn full_scale_and_silence() {
        assert_eq!(dbov(&Frame::silence(Rate::Narrow)), SILENCE_DBOV);
        assert_eq!(rms_dbov(&[]), SILENCE_DBOV);
        assert!(dbov(&Frame::from_samples(Rate::Narrow, &[i16::MIN; 160])).abs() < 0.001);
        let sine: Vec<i16> =
            (0..160).map(|i| (32_767.0 * (std::f32::consts::TAU * i as f32 / 16.0).sin()) as i16).collect();
        assert!((dbov(&Frame::from_samples(Rate::Narrow, &sine)) + 3.01).abs() < 0.01);
    }
}
