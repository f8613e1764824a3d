//! How a caller usually sounds, as far as that is kept from call to call: one number.
//!
//! The judgement against a baseline is a weighted sum of differences, so that of the baseline nothing but its own weighted
//! sum matters: how raised this caller's voice measures when they are calm. That number is kept, in steps so coarse
//! that six of ten speakers share one, with the seconds that it rests on; neither pitch nor spectrum can be had back from it.

use serde::{Deserialize, Serialize};

/// Steps in which it is kept, log-odds.
const STEP: f32 = 0.5;
/// Values that a voice can have; what is beyond comes of no voice.
const RANGE: std::ops::RangeInclusive<f32> = -20.0..=20.0;
/// Calm voiced sound beyond which further calls count no less than earlier ones, s.
const MOST_S: f32 = 60.0;
/// Calm voiced sound from which it is relied on as far as it ever is, s.
const ENOUGH_S: f32 = 2.0;
/// How far it is relied on at most, 0..1: another telephone, another room or another person may be behind a number, so that
/// it counts for less than what this very call has heard.
const TRUST: f32 = 0.5;

/// How raised a caller's voice measures when they are calm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalmVoice {
    /// The weights that it was measured by: under others it means nothing.
    pub(super) weights: u32,
    /// Weighted sum of the baseline's parameters, log-odds, in steps of 0.5.
    pub(super) usual: f32,
    /// Calm voiced sound that it rests on, s, whole.
    pub(super) seconds: f32,
}

impl CalmVoice {
    /// Rounded as it is kept; `None` when it is no voice's.
    pub(super) fn new(weights: u32, usual: f32, seconds: f32) -> Option<Self> {
        let usual = (usual / STEP).round() * STEP;
        let seconds = seconds.clamp(0.0, MOST_S).round();
        let sound = RANGE.contains(&usual) && seconds >= 1.0;
        sound.then_some(Self { weights, usual, seconds })
    }

    /// With what was kept before, as far as that was measured alike.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let Some(earlier) = earlier.filter(|earlier| earlier.weights == self.weights) else { return self };
        let share = self.seconds / (self.seconds + earlier.seconds);
        let usual = earlier.usual + share * (self.usual - earlier.usual);
        Self::new(self.weights, usual, self.seconds + earlier.seconds).unwrap_or(self)
    }

    /// How far it can be relied on, 0..1.
    pub fn confidence(&self) -> f32 {
        if self.seconds.is_finite() && self.usual.is_finite() {
            TRUST * (self.seconds / ENOUGH_S).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }

    /// Calm voiced sound that it rests on, s.
    pub fn seconds(&self) -> f32 {
        self.seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_in_coarse_steps_and_bounds() {
        let voice = CalmVoice::new(1, 0.7, 3.4).expect("a voice");
        assert_eq!((voice.usual, voice.seconds), (0.5, 3.0));
        for (usual, seconds) in [(f32::NAN, 5.0), (1e9, 5.0), (0.0, 0.2), (0.0, f32::NAN)] {
            assert_eq!(CalmVoice::new(1, usual, seconds), None, "{usual} {seconds}");
        }
        assert_eq!(CalmVoice::new(1, 0.0, 1e9).expect("a voice").seconds, MOST_S);
    }

    #[test]
    fn calls_count_by_how_long_they_were_heard_and_other_weights_not_at_all() {
        let of = |usual, seconds| CalmVoice::new(1, usual, seconds).expect("a voice");
        assert_eq!(of(4.0, 6.0).after(Some(of(0.0, 18.0))), of(1.0, 24.0));
        assert_eq!(of(4.0, 6.0).after(None), of(4.0, 6.0));
        let other = CalmVoice::new(2, 9.0, 50.0);
        assert_eq!(of(4.0, 6.0).after(other), of(4.0, 6.0));
    }

    #[test]
    fn it_counts_for_less_than_the_call_itself() {
        let short = CalmVoice::new(1, 0.0, 1.0).expect("a voice").confidence();
        let long = CalmVoice::new(1, 0.0, 40.0).expect("a voice").confidence();
        assert!(short < long && long == TRUST);
    }
}
