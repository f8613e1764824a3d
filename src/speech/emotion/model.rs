//! The prosody model: probability that an utterance is spoken in anger, by logistic regression over named parameters.
//!
//! Two parts, each of which can be read (`voices/prosody.json`, with its model card `voices/prosody.md`: for each parameter
//! its mean, scale and weight): what the voice says alone, and what it says against the caller's own [`Baseline`]. The more
//! of a baseline there is, the more the second counts.

use serde::{Deserialize, Serialize};

use super::calibration::{Calibration, CallCalibration};
use super::calm_voice::CalmVoice;
use super::fit::Fitted;
use crate::speech::baseline::Baseline;
use crate::speech::prosody::Features;

/// The shipped weights.
const SHIPPED: &str = include_str!("../../../voices/prosody.json");
/// A standardised value is held within this many scales: a recording unlike all others must not decide by one number.
const REACH: f64 = 3.0;

/// Why weights are refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not the JSON that is expected.
    #[error("prosody weights cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A parameter that [`Features`] does not have.
    #[error("prosody weights name an unknown parameter `{0}`")]
    Unknown(String),
    /// A number that is not finite, or a scale that is not positive.
    #[error("prosody weights of `{0}` are out of range")]
    Range(String),
    /// Another format.
    #[error("prosody weights have format {0}, this build reads {FORMAT}")]
    Format(u32),
}

const FORMAT: u32 = 2;
/// Louder than usual by more than the first (dB) adds the second a dB, at most the third: EmoDB's levels are made alike, so
/// this cannot be learned from it; loudness alone must never decide.
const LOUDER: (f32, f32, f32) = (2.0, 0.1, 1.0);
/// A baseline of less than this confidence is nothing to keep: too little was heard, or it was not calm.
const WORTH_KEEPING: f32 = 0.4;

/// One parameter's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    name: String,
    mean: f64,
    scale: f64,
    weight: f64,
    /// Where its value stands in [`Features::values`].
    #[serde(skip)]
    place: usize,
}

impl Term {
    fn part(&self, value: f32) -> f64 {
        self.weight * ((f64::from(value) - self.mean) / self.scale).clamp(-REACH, REACH)
    }
}

/// A sum of parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    bias: f64,
    /// The other head's log-odds as one more part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alone: Option<Term>,
    terms: Vec<Term>,
    /// From the sum to log-odds that are true; empty: they are taken as they are.
    #[serde(default)]
    calibration: Calibration,
}

impl Head {
    /// From fitted weights over these parameters; one more than parameters: the last is that of the voice alone.
    pub fn new(parameters: &[&str], fitted: &Fitted) -> Self {
        let numbers = fitted.mean.iter().zip(&fitted.scale).zip(&fitted.weights);
        let mut terms: Vec<Term> = parameters
            .iter()
            .chain([&"alone"])
            .zip(numbers)
            .map(|(name, ((&mean, &scale), &weight))| Term { name: (*name).to_string(), mean, scale, weight, place: 0 })
            .collect();
        let alone = if terms.len() > parameters.len() { terms.pop() } else { None };
        Self { bias: fitted.bias, alone, terms, calibration: Calibration::default() }
    }

    /// The same, calibrated.
    pub fn calibrated(mut self, calibration: Calibration) -> Self {
        self.calibration = calibration;
        self
    }

    fn check(&mut self) -> Result<(), ModelError> {
        for term in self.terms.iter().chain(&self.alone) {
            if !(term.mean.is_finite() && term.weight.is_finite() && term.scale.is_finite() && term.scale > 0.0) {
                return Err(ModelError::Range(term.name.clone()));
            }
        }
        for term in &mut self.terms {
            term.place = Features::place(&term.name).ok_or_else(|| ModelError::Unknown(term.name.clone()))?;
        }
        let valid = self.bias.is_finite() && self.calibration.is_valid();
        if valid { Ok(()) } else { Err(ModelError::Range("bias or calibration".into())) }
    }

    /// What the parameters alone come to, from zero: of two such sums the difference is that of two voices.
    fn weighed(&self, values: &[f32; Features::COUNT]) -> f64 {
        self.terms.iter().map(|term| term.weight * f64::from(values[term.place]) / term.scale).sum()
    }

    /// The sum for a difference that is known as a whole. It is held within what all parameters make that are off by one
    /// scale each, since none of them can be held for itself.
    fn sum_of(&self, difference: f64, alone: f32) -> f32 {
        let usual: f64 = self.terms.iter().map(|term| term.weight * term.mean / term.scale).sum();
        let reach: f64 = self.terms.iter().map(|term| term.weight.abs()).sum();
        let parts = (difference - usual).clamp(-reach, reach);
        let sum = self.bias + parts + self.alone.as_ref().map_or(0.0, |term| term.part(alone));
        self.calibration.apply(sum) as f32
    }

    fn sum(&self, values: &[f32; Features::COUNT], alone: f32) -> f32 {
        let terms = self.terms.iter().map(|term| term.part(values[term.place]));
        let sum = self.bias + terms.sum::<f64>() + self.alone.as_ref().map_or(0.0, |term| term.part(alone));
        self.calibration.apply(sum) as f32
    }
}

/// The weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProsodyModel {
    format: u32,
    /// How and from what they were learned.
    trained: String,
    /// The probability from which an utterance is called angry.
    threshold: f64,
    /// Of the voice alone.
    alone: Head,
    /// Of its difference from the caller's baseline.
    against_baseline: Head,
    /// Of a whole call: voice, words and events together.
    #[serde(default)]
    call: CallCalibration,
}

impl ProsodyModel {
    /// The parameters that the voice alone is judged by: those that a level, a line or a room does not decide.
    pub const ALONE: &'static [&'static str] = &[
        "mfcc1",
        "centroid_300_1000_stddev",
        "hnr_db",
        "f0_semitone_p50",
        "f0_semitone_p80",
        "f0_semitone_range",
        "level_declination",
        "level_stddev",
    ];
    /// Those that it is judged by against the caller's baseline, in which line and room cancel out.
    pub const AGAINST_BASELINE: &'static [&'static str] = &[
        "mfcc1",
        "hammarberg_3400",
        "centroid_300_1000",
        "centroid_3400",
        "slope_300_3400",
        "mfcc2_stddev",
        "hnr_db",
        "f0_semitone_p50",
        "f0_semitone_p80",
        "f0_semitone_range",
        "f0_falling_slope",
        "f0_on_level",
        "level_declination",
    ];

    /// The weights that ship with this build.
    pub fn shipped() -> Result<Self, ModelError> {
        Self::from_json(SHIPPED)
    }

    /// Reads and checks weights.
    pub fn from_json(text: &str) -> Result<Self, ModelError> {
        serde_json::from_str::<Self>(text)?.checked()
    }

    /// Weights as they are written to a file.
    pub fn to_json(&self) -> Result<String, ModelError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// A model from its two parts.
    pub fn new(alone: Head, against_baseline: Head, threshold: f64, trained: &str) -> Result<Self, ModelError> {
        Self {
            format: FORMAT,
            trained: trained.to_string(),
            threshold,
            alone,
            against_baseline,
            call: CallCalibration::default(),
        }
        .checked()
    }

    /// The same with what makes a call's sum of voice, words and events a probability.
    pub fn with_call(mut self, call: CallCalibration) -> Self {
        self.call = call;
        self
    }

    /// The true log-odds of a call's sum of voice, words and events.
    pub fn log_odds_of_call(&self, sum: f32) -> f32 {
        self.call.apply(f64::from(sum)) as f32
    }

    fn checked(mut self) -> Result<Self, ModelError> {
        if self.format != FORMAT {
            return Err(ModelError::Format(self.format));
        }
        if self.threshold == 0.0 || !(0.0..1.0).contains(&self.threshold) {
            return Err(ModelError::Range("threshold".into()));
        }
        if !self.call.is_valid() {
            return Err(ModelError::Range("call".into()));
        }
        self.alone.check()?;
        self.against_baseline.check()?;
        Ok(self)
    }

    /// Log-odds of anger by the voice alone; a little under the threshold when next to nothing was voiced.
    pub fn logit_alone(&self, features: &Features) -> f32 {
        if features.voiced_s < Features::ENOUGH_VOICED_S {
            return self.threshold_logit() - 1.0;
        }
        self.alone.sum(&features.values(), 0.0)
    }

    /// Log-odds of anger of an utterance of this caller's.
    pub fn logit(&self, features: &Features, baseline: &Baseline) -> f32 {
        let (alone, sure) = (self.logit_alone(features), baseline.confidence());
        if sure <= 0.0 || features.voiced_s < Features::ENOUGH_VOICED_S {
            return alone;
        }
        let (from, per_db, most) = LOUDER;
        let louder = ((baseline.change(features).level_db - from) * per_db).clamp(0.0, most);
        let against = self.against_baseline.sum(&baseline.difference(features), alone) + louder;
        alone + sure * (against - alone)
    }

    /// The same of a caller who is known from earlier calls: as long as this call has no baseline of its own, what was kept
    /// stands in for it, with less confidence.
    pub fn logit_of(&self, features: &Features, baseline: &Baseline, kept: Option<&CalmVoice>) -> f32 {
        let logit = self.logit(features, baseline);
        let Some(kept) = kept.filter(|kept| self.knows(kept)) else { return logit };
        if features.voiced_s < Features::ENOUGH_VOICED_S {
            return logit;
        }
        let alone = self.logit_alone(features);
        let difference = self.against_baseline.weighed(&features.values()) - f64::from(kept.usual);
        let against = self.against_baseline.sum_of(difference, alone);
        logit + (1.0 - baseline.confidence()) * kept.confidence() * (against - alone)
    }

    /// What may be kept of a caller's calm voice after a call, with what was kept before.
    pub fn calm_voice(&self, baseline: &Baseline, earlier: Option<CalmVoice>) -> Option<CalmVoice> {
        if baseline.confidence() < WORTH_KEEPING {
            return None;
        }
        let usual = self.against_baseline.weighed(baseline.mean()) as f32;
        Some(CalmVoice::new(self.id(), usual, baseline.calm_s())?.after(earlier))
    }

    /// Whether what was kept was measured by these very weights.
    pub fn knows(&self, kept: &CalmVoice) -> bool {
        kept.weights == self.id()
    }

    /// Tells these weights from others.
    fn id(&self) -> u32 {
        let head = &self.against_baseline;
        let numbers = head.terms.iter().flat_map(|term| [term.weight, term.scale, term.mean]).chain([head.bias]);
        let names = head.terms.iter().flat_map(|term| term.name.bytes());
        // FNV-1a.
        let bytes = numbers.flat_map(f64::to_le_bytes).chain(names);
        bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }

    /// Probability of anger, 0..1.
    pub fn probability(&self, features: &Features, baseline: &Baseline) -> f32 {
        self.probability_of(features, baseline, None)
    }

    /// The same of a caller who may be known from earlier calls.
    pub fn probability_of(&self, features: &Features, baseline: &Baseline, kept: Option<&CalmVoice>) -> f32 {
        1.0 / (1.0 + (-self.logit_of(features, baseline, kept)).exp())
    }

    /// The probability from which an utterance is called angry.
    pub fn threshold(&self) -> f32 {
        self.threshold as f32
    }

    /// The same as log-odds.
    pub fn threshold_logit(&self) -> f32 {
        (self.threshold / (1.0 - self.threshold)).ln() as f32
    }

    /// What each parameter of the voice alone adds to the log-odds, largest first: for looking into a decision.
    pub fn explain(&self, features: &Features) -> Vec<(&str, f32)> {
        let values = features.values();
        let terms = self.alone.terms.iter();
        let mut parts: Vec<(&str, f32)> =
            terms.map(|term| (term.name.as_str(), term.part(values[term.place]) as f32)).collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges by the alpha ratio; against a baseline by its difference alone.
    fn model(weight: f64) -> ProsodyModel {
        let head = |mean: f64, bias: f64| {
            let fitted = Fitted { mean: vec![mean], scale: vec![4.0], weights: vec![weight], bias };
            Head::new(&["alpha_ratio_3400"], &fitted)
        };
        ProsodyModel::new(head(-8.0, 0.5), head(0.0, -1.0), 0.5, "by hand").expect("valid")
    }
    fn voiced(alpha: f32) -> Features {
        Features {
            voiced_s: 2.0,
            snr_db: 40.0,
            level_stddev: 6.0,
            f0_semitone_stddev: 2.0,
            alpha_ratio_3400: alpha,
            ..Features::default()
        }
    }

    #[test]
    fn the_shipped_weights_are_valid() {
        let shipped = ProsodyModel::shipped().expect("valid");
        assert_eq!(shipped.alone.terms.len(), ProsodyModel::ALONE.len());
        assert_eq!(shipped.against_baseline.terms.len(), ProsodyModel::AGAINST_BASELINE.len());
        assert!((0.05..0.95).contains(&shipped.threshold()));
    }

    #[test]
    fn computes_what_the_weights_say_and_one_number_does_not_decide() {
        let model = model(2.0);
        assert!((model.logit_alone(&voiced(-4.0)) - 2.5).abs() < 1e-6);
        assert!((model.logit_alone(&voiced(1e9)) - 6.5).abs() < 1e-6);
        assert_eq!(model.explain(&voiced(-4.0)), [("alpha_ratio_3400", 2.0)]);
    }

    #[test]
    fn a_baseline_takes_over_as_it_grows() {
        let model = model(2.0);
        let mut baseline = Baseline::default();
        let sharp_line = voiced(0.0);
        assert!(model.logit(&sharp_line, &baseline) > 4.0);
        let mut before = 9.0;
        for _ in 0..3 {
            baseline.learn(&sharp_line, -2.0);
            let now = model.logit(&sharp_line, &baseline);
            assert!(now < before);
            before = now;
        }
        assert!(before < 0.0, "the same as ever: {before}");
        assert!(model.logit(&voiced(8.0), &baseline) > 2.0, "clearly above their own usual");
    }

    #[test]
    fn what_was_kept_stands_in_for_a_baseline_until_there_is_one() {
        let model = model(2.0);
        let (usual, raised) = (voiced(0.0), voiced(8.0));
        let mut first = Baseline::default();
        assert_eq!(model.calm_voice(&first, None), None, "nothing was heard");
        first.learn(&usual, -2.0);
        first.learn(&usual, -2.0);
        let kept = model.calm_voice(&first, None).expect("two calm turns");
        let none = Baseline::default();
        // A sharp voice that is always sharp, and one that is sharper today.
        let known = model.logit_of(&usual, &none, Some(&kept));
        assert!(known < model.logit(&usual, &none) - 1.0 && model.logit_of(&raised, &none, Some(&kept)) > known + 1.0);
        assert!(known > model.logit(&usual, &first), "less sure than of what this call has heard");
        // Once this call has its own baseline, that counts.
        let (mut now, mut steps) = (Baseline::default(), Vec::new());
        for _ in 0..4 {
            now.learn(&usual, -2.0);
            steps.push((model.logit_of(&usual, &now, Some(&kept)) - model.logit(&usual, &now)).abs());
        }
        assert!(steps.windows(2).all(|pair| pair[1] <= pair[0]) && steps[3] < 0.05, "{steps:?}");
        let other = ProsodyModel::new(model.alone.clone(), model.alone.clone(), 0.5, "another").expect("valid");
        assert!(!other.knows(&kept));
        assert_eq!(other.logit_of(&usual, &none, Some(&kept)), other.logit(&usual, &none));
        assert_eq!(model.logit_of(&Features::default(), &none, Some(&kept)), model.logit_alone(&Features::default()));
    }

    #[test]
    fn silence_is_not_anger() {
        assert!(model(2.0).probability(&Features::default(), &Baseline::default()) < 0.5);
    }

    #[test]
    fn weights_survive_writing_and_bad_ones_are_named() {
        let model = model(2.0);
        let text = model.to_json().expect("writes");
        assert_eq!(ProsodyModel::from_json(&text).expect("reads"), model);
        for (from, to, says) in [
            ("alpha_ratio_3400", "loudness_of_the_moon", "unknown parameter `loudness_of_the_moon`"),
            ("4.0", "0.0", "`alpha_ratio_3400` are out of range"),
            ("\"format\": 2", "\"format\": 9", "format 9"),
            ("\"bias\"", "\"bos\"", "unknown field `bos`"),
        ] {
            let error = ProsodyModel::from_json(&text.replace(from, to)).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
