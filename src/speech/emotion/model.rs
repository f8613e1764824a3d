//! The prosody model: probability that an utterance is spoken in anger, by logistic regression over named parameters.
//!
//! The weights are data that can be read (`voices/prosody.json`, with its model card `voices/prosody.md`): for each
//! parameter its mean, scale and weight.

use serde::{Deserialize, Serialize};

use super::fit::Fitted;
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

const FORMAT: u32 = 1;

/// One parameter's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    name: String,
    mean: f64,
    scale: f64,
    weight: f64,
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
    bias: f64,
    terms: Vec<Term>,
    /// Where each term's value stands in [`Features::values`].
    #[serde(skip)]
    places: Vec<usize>,
}

impl ProsodyModel {
    /// The parameters that a new model is fitted to: those that a level, a line or a room does not decide.
    pub const PARAMETERS: &'static [&'static str] =
        &["centroid_3400", "f0_semitone_mean", "hnr_db", "f0_on_level", "f0_declination", "level_range"];

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

    /// A model from fitted weights over these parameters.
    pub fn new(parameters: &[&str], fitted: &Fitted, threshold: f64, trained: &str) -> Result<Self, ModelError> {
        let numbers = fitted.mean.iter().zip(&fitted.scale).zip(&fitted.weights);
        let terms = parameters
            .iter()
            .zip(numbers)
            .map(|(name, ((&mean, &scale), &weight))| Term { name: (*name).to_string(), mean, scale, weight })
            .collect();
        Self { format: FORMAT, trained: trained.to_string(), threshold, bias: fitted.bias, terms, places: Vec::new() }
            .checked()
    }

    fn checked(mut self) -> Result<Self, ModelError> {
        if self.format != FORMAT {
            return Err(ModelError::Format(self.format));
        }
        let probability = 0.0..1.0;
        if !self.bias.is_finite() || self.threshold == 0.0 || !probability.contains(&self.threshold) {
            return Err(ModelError::Range("bias or threshold".into()));
        }
        self.places.clear();
        for term in &self.terms {
            let place = Features::NAMES.iter().position(|name| *name == term.name);
            self.places.push(place.ok_or_else(|| ModelError::Unknown(term.name.clone()))?);
            if !(term.mean.is_finite() && term.weight.is_finite() && term.scale.is_finite() && term.scale > 0.0) {
                return Err(ModelError::Range(term.name.clone()));
            }
        }
        Ok(self)
    }

    /// Log-odds of anger; those of "cannot tell" (the bias) when next to nothing was voiced.
    pub fn logit(&self, features: &Features) -> f32 {
        let values = features.values();
        if features.voiced_s < Features::ENOUGH_VOICED_S {
            return self.threshold_logit() - 1.0;
        }
        let terms = self.terms.iter().zip(&self.places).map(|(term, place)| {
            term.weight * ((f64::from(values[*place]) - term.mean) / term.scale).clamp(-REACH, REACH)
        });
        (self.bias + terms.sum::<f64>()) as f32
    }

    /// Probability of anger, 0..1.
    pub fn probability(&self, features: &Features) -> f32 {
        1.0 / (1.0 + (-self.logit(features)).exp())
    }

    /// The probability from which an utterance is called angry.
    pub fn threshold(&self) -> f32 {
        self.threshold as f32
    }

    /// The same as log-odds.
    pub fn threshold_logit(&self) -> f32 {
        (self.threshold / (1.0 - self.threshold)).ln() as f32
    }

    /// What each parameter adds to the log-odds, largest first: for looking into a decision.
    pub fn explain(&self, features: &Features) -> Vec<(&str, f32)> {
        let values = features.values();
        let mut parts: Vec<(&str, f32)> = self
            .terms
            .iter()
            .zip(&self.places)
            .map(|(term, place)| {
                let reach = ((f64::from(values[*place]) - term.mean) / term.scale).clamp(-REACH, REACH);
                (term.name.as_str(), (term.weight * reach) as f32)
            })
            .collect();
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(weight: f64) -> ProsodyModel {
        let fitted = Fitted { mean: vec![-8.0], scale: vec![4.0], weights: vec![weight], bias: 0.5 };
        ProsodyModel::new(&["alpha_ratio_3400"], &fitted, 0.5, "by hand").expect("valid")
    }
    fn voiced(alpha: f32) -> Features {
        Features { voiced_s: 1.0, alpha_ratio_3400: alpha, ..Features::default() }
    }

    #[test]
    fn the_shipped_weights_are_valid() {
        let shipped = ProsodyModel::shipped().expect("valid");
        assert!(shipped.terms.len() >= 4);
        assert!((0.05..0.95).contains(&shipped.threshold()));
    }

    #[test]
    fn computes_what_the_weights_say_and_one_number_does_not_decide() {
        let model = model(2.0);
        assert!((model.logit(&voiced(-4.0)) - 2.5).abs() < 1e-6);
        assert!((model.logit(&voiced(1e9)) - 6.5).abs() < 1e-6);
        assert_eq!(model.explain(&voiced(-4.0)), [("alpha_ratio_3400", 2.0)]);
    }

    #[test]
    fn silence_is_not_anger() {
        assert!(model(2.0).probability(&Features::default()) < 0.5);
    }

    #[test]
    fn weights_survive_writing_and_bad_ones_are_named() {
        let model = model(2.0);
        let text = model.to_json().expect("writes");
        assert_eq!(ProsodyModel::from_json(&text).expect("reads"), model);
        for (from, to, says) in [
            ("alpha_ratio_3400", "loudness_of_the_moon", "unknown parameter `loudness_of_the_moon`"),
            ("4.0", "0.0", "`alpha_ratio_3400` are out of range"),
            ("\"format\": 1", "\"format\": 9", "format 9"),
            ("\"bias\"", "\"bos\"", "unknown field `bos`"),
        ] {
            let error = ProsodyModel::from_json(&text.replace(from, to)).expect_err(says).to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
