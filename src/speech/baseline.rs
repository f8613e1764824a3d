//! A caller is their own measure: how they spoke in their first turns, and how they speak now against it.
//!
//! Owns running means over the first turns, never sound. A loud or a high voice is thus no sign of anything; a louder or
//! a higher one is.

use super::prosody::Features;

/// Voiced sound after which the baseline is no longer moved, s: about three turns.
const FULL_S: f32 = 6.0;
/// Voiced sound at which a baseline is half relied on, s.
const HALF_S: f32 = 1.2;

/// How the caller usually speaks on this call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Baseline {
    /// Voiced sound it was made from, s, each turn counted by how calm it was.
    voiced_s: f32,
    level_dbov: f32,
    level_range: f32,
    f0_semitone: f32,
    f0_range: f32,
    rate: f32,
    alpha_ratio: f32,
}

/// An utterance against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Change {
    /// Louder (positive), dB.
    pub level_db: f32,
    /// Higher, semitones (of the median F0).
    pub f0_semitones: f32,
    /// Wider in pitch (p80 − p20), semitones.
    pub f0_range_semitones: f32,
    /// Faster: articulation rate over the baseline's, as a ratio (1: the same).
    pub rate_ratio: f32,
    /// More power in the upper band (alpha ratio), dB: a raised, pressed voice.
    pub alpha_ratio_db: f32,
    /// 0 (no baseline, or an utterance too short) to 1.
    pub confidence: f32,
}

impl Baseline {
    /// Takes an utterance as part of how the caller usually speaks, as far as it was calm (0..1).
    pub fn learn(&mut self, features: &Features, calm: f32) {
        let weight = features.voiced_s.min(FULL_S - self.voiced_s) * features.confidence() * calm.clamp(0.0, 1.0);
        if weight.is_nan() || weight <= 0.0 {
            return;
        }
        self.voiced_s += weight;
        let share = weight / self.voiced_s;
        let mix = |mean: &mut f32, value: f32| *mean += share * (value - *mean);
        mix(&mut self.level_dbov, features.level_dbov);
        mix(&mut self.level_range, features.level_range);
        mix(&mut self.f0_semitone, features.f0_semitone_p50);
        mix(&mut self.f0_range, features.f0_semitone_range);
        mix(&mut self.rate, features.articulation_rate);
        mix(&mut self.alpha_ratio, features.alpha_ratio_3400);
    }

    /// How far it can be relied on, 0..1.
    pub fn confidence(&self) -> f32 {
        self.voiced_s / (self.voiced_s + HALF_S) * (1.0 + HALF_S / FULL_S)
    }

    /// The utterance against it.
    pub fn change(&self, features: &Features) -> Change {
        let confidence = self.confidence().min(1.0) * features.confidence();
        if confidence <= 0.0 {
            return Change { rate_ratio: 1.0, ..Change::default() };
        }
        let slow = 0.5;
        Change {
            level_db: features.level_dbov - self.level_dbov,
            f0_semitones: features.f0_semitone_p50 - self.f0_semitone,
            f0_range_semitones: features.f0_semitone_range - self.f0_range,
            rate_ratio: (features.articulation_rate.max(slow) / self.rate.max(slow)).clamp(0.25, 4.0),
            alpha_ratio_db: features.alpha_ratio_3400 - self.alpha_ratio,
            confidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(level: f32, semitone: f32) -> Features {
        Features {
            voiced_s: 2.0,
            duration_s: 3.0,
            snr_db: 40.0,
            level_dbov: level,
            f0_semitone_p50: semitone,
            f0_semitone_range: 3.0,
            articulation_rate: 4.0,
            alpha_ratio_3400: -8.0,
            ..Features::default()
        }
    }

    #[test]
    fn there_is_no_change_without_a_baseline() {
        let change = Baseline::default().change(&spoken(-20.0, 30.0));
        assert_eq!((change.confidence, change.level_db, change.rate_ratio), (0.0, 0.0, 1.0));
    }

    #[test]
    fn louder_and_higher_than_before_is_measured_with_growing_confidence() {
        let mut baseline = Baseline::default();
        let mut confidence = 0.0;
        for _ in 0..3 {
            baseline.learn(&spoken(-26.0, 24.0), 1.0);
            let change = baseline.change(&spoken(-20.0, 27.0));
            assert!((change.level_db - 6.0).abs() < 1e-3 && (change.f0_semitones - 3.0).abs() < 1e-3);
            assert!(change.confidence > confidence);
            confidence = change.confidence;
        }
        assert!(confidence > 0.95, "{confidence}");
    }

    #[test]
    fn later_turns_angry_turns_and_noise_do_not_move_it() {
        let mut baseline = Baseline::default();
        baseline.learn(&Features::default(), 1.0);
        baseline.learn(&spoken(-10.0, 40.0), 0.0);
        baseline.learn(&spoken(f32::NAN, 40.0), f32::NAN);
        assert_eq!(baseline, Baseline::default());
        for _ in 0..4 {
            baseline.learn(&spoken(-26.0, 24.0), 1.0);
        }
        let before = baseline;
        baseline.learn(&spoken(-10.0, 40.0), 1.0);
        assert!((baseline.level_dbov - before.level_dbov).abs() < 0.01);
    }
}
