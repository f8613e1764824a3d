//! A caller is their own measure: how they speak when they are calm, and how they speak now against it.
//!
//! Owns the parameters of a call's first turns, never sound. A loud or a high voice is thus no sign of anything; a louder or
//! a higher one is. Nor is a dull line or an echoing room, for it was there in the first turns too.

use super::prosody::Features;

/// Calm voiced sound after which a call's baseline is complete, s: about three turns.
const FULL_S: f32 = 6.0;
/// Calm voiced sound at which a baseline is half relied on, s.
const HALF_S: f32 = 1.2;
/// Turns that are kept at most; of a call the first, of a profile any.
const MOST_TURNS: usize = 40;
/// The turns that are as calm as this share of all count in full.
const CALM_SHARE: f32 = 0.25;
/// A baseline whose turns sound angry with this probability is doubted, and from the second on worth nothing: who is angry
/// from the first word does not sound calm by comparison.
const DOUBTED: (f32, f32) = (0.4, 0.8);

/// One turn of the past.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    values: [f32; Features::COUNT],
    /// Log-odds of anger from the voice alone.
    logit: f32,
    /// Voiced sound, s, by how much it can be relied on.
    weight: f32,
}

/// How the caller usually speaks.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    turns: Vec<Turn>,
    mean: [f32; Features::COUNT],
    /// Calm voiced sound, s.
    calm_s: f32,
    /// Mean probability of anger in it.
    anger: f32,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { turns: Vec::new(), mean: [0.0; Features::COUNT], calm_s: 0.0, anger: 0.0 }
    }
}

/// An utterance against the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Change {
    /// Louder (positive), dB.
    pub level_db: f32,
    /// Higher, semitones (of the median F0).
    pub f0_semitones: f32,
    /// Faster: articulation rate over the baseline's, as a ratio (1: the same).
    pub rate_ratio: f32,
    /// 0 (no baseline, or an utterance too short) to 1.
    pub confidence: f32,
}

impl Baseline {
    /// Takes an utterance as part of how the caller usually speaks; `logit` is what the model makes of its voice alone.
    /// The calmest count most, so that an angry turn among them moves it little.
    pub fn learn(&mut self, features: &Features, logit: f32) {
        self.learn_all([(features, logit)]);
    }

    /// The same of several.
    pub fn learn_all<'a>(&mut self, turns: impl IntoIterator<Item = (&'a Features, f32)>) {
        turns.into_iter().for_each(|(features, logit)| self.take(features, logit));
        self.settle();
    }

    fn take(&mut self, features: &Features, logit: f32) {
        let weight = features.voiced_s * features.confidence();
        if weight.is_nan() || weight <= 0.0 || !logit.is_finite() || self.turns.len() >= MOST_TURNS {
            return;
        }
        self.turns.push(Turn { values: features.values(), logit, weight: weight.min(FULL_S) });
    }

    fn settle(&mut self) {
        if self.turns.is_empty() {
            return;
        }
        let mut logits: Vec<f32> = self.turns.iter().map(|turn| turn.logit).collect();
        logits.sort_by(f32::total_cmp);
        let calm = logits[((logits.len() - 1) as f32 * CALM_SHARE).round() as usize];
        (self.mean, self.calm_s, self.anger) = ([0.0; Features::COUNT], 0.0, 0.0);
        for turn in &self.turns {
            let weight = turn.weight * (2.0 * chance(calm - turn.logit)).min(1.0).powi(2);
            self.calm_s += weight;
            let share = weight / self.calm_s;
            self.anger += share * (chance(turn.logit) - self.anger);
            for (mean, value) in self.mean.iter_mut().zip(turn.values) {
                *mean += share * (value - *mean);
            }
        }
    }

    /// Whether enough was heard to keep it as it is for the rest of a call.
    pub fn is_full(&self) -> bool {
        self.calm_s >= FULL_S
    }

    /// How far it can be relied on, 0..1: how much was heard, and whether that was calm.
    pub fn confidence(&self) -> f32 {
        let enough = (self.calm_s / (self.calm_s + HALF_S) * (1.0 + HALF_S / FULL_S)).min(1.0);
        enough * (1.0 - (self.anger - DOUBTED.0) / (DOUBTED.1 - DOUBTED.0)).clamp(0.0, 1.0)
    }

    /// How the caller usually speaks: every parameter, in the order of [`Features::NAMES`].
    pub fn mean(&self) -> &[f32; Features::COUNT] {
        &self.mean
    }

    /// Calm voiced sound that it rests on, s.
    pub fn calm_s(&self) -> f32 {
        self.calm_s
    }

    /// Every parameter of the utterance less the caller's usual one, in the order of [`Features::NAMES`].
    pub fn difference(&self, features: &Features) -> [f32; Features::COUNT] {
        let values = features.values();
        std::array::from_fn(|i| values[i] - self.mean[i])
    }

    /// The utterance against it, in words' units.
    pub fn change(&self, features: &Features) -> Change {
        let confidence = self.confidence() * features.confidence();
        if confidence <= 0.0 {
            return Change { rate_ratio: 1.0, ..Change::default() };
        }
        let difference = |name: &str| Features::place(name).map_or(0.0, |i| features.values()[i] - self.mean[i]);
        let slow = 0.5;
        let usual_rate = features.articulation_rate - difference("articulation_rate");
        Change {
            level_db: difference("level_dbov"),
            f0_semitones: difference("f0_semitone_p50"),
            rate_ratio: (features.articulation_rate.max(slow) / usual_rate.max(slow)).clamp(0.25, 4.0),
            confidence,
        }
    }
}

fn chance(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
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
            level_stddev: 6.0,
            f0_semitone_stddev: 2.0,
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
            baseline.learn(&spoken(-26.0, 24.0), -3.0);
            let change = baseline.change(&spoken(-20.0, 27.0));
            assert!((change.level_db - 6.0).abs() < 1e-3 && (change.f0_semitones - 3.0).abs() < 1e-3);
            assert!(change.confidence > confidence);
            confidence = change.confidence;
        }
        assert!(confidence > 0.95 && baseline.is_full(), "{confidence}");
    }

    #[test]
    fn an_angry_turn_among_calm_ones_hardly_moves_it_and_noise_does_not() {
        let mut baseline = Baseline::default();
        baseline.learn(&Features::default(), -3.0);
        baseline.learn(&spoken(-26.0, 24.0), f32::NAN);
        assert_eq!(baseline, Baseline::default());
        for logit in [3.0, -3.0, -3.0] {
            baseline.learn(&if logit > 0.0 { spoken(-10.0, 40.0) } else { spoken(-26.0, 24.0) }, logit);
        }
        let change = baseline.change(&spoken(-26.0, 24.0));
        assert!(change.level_db.abs() < 0.2 && change.confidence > 0.8, "{change:?}");
    }

    #[test]
    fn anger_from_the_first_word_is_no_measure_of_calm() {
        let mut baseline = Baseline::default();
        for _ in 0..3 {
            baseline.learn(&spoken(-10.0, 40.0), 3.0);
        }
        assert_eq!(baseline.confidence(), 0.0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut baseline = Baseline::default();
        for i in 0..200 {
            baseline.learn(&spoken(-26.0, 24.0), -(i as f32) / 10.0);
        }
        assert_eq!(baseline.turns.len(), MOST_TURNS);
    }
}
