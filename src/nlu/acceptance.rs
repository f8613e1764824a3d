//! Whether a sentence is meant for any intent at all, told from the best intent's score.
//!
//! Owns the curve from score to probability and its fit. Never knows how a score comes to be.

/// The score that is as likely meant as not, before a plan has shown otherwise: plans of 3 to 77 intents have nearly all
/// that is meant above it and all that is unrelated below.
pub(super) const MIDDLE: f32 = 0.4;

/// How likely a best score is to come from a sentence that any intent was meant by: `σ(slope·(score − MIDDLE) + bias)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Acceptance {
    slope: f32,
    bias: f32,
}

impl Acceptance {
    /// What holds without any example.
    pub(super) const PRIOR: Self = Self { slope: 14.0, bias: 0.0 };

    pub(super) fn probability(self, score: f32) -> f32 {
        1.0 / (1.0 + (-(self.slope * (score - MIDDLE) + self.bias)).exp())
    }

    /// Logistic regression of inside against outside, both weighing the same, with a Gaussian prior. Background sentences
    /// are easier to tell than what callers ask in vain, so the prior's slope is low and firm.
    pub(super) fn fit(inside: &[f32], outside: &[f32]) -> Self {
        const SIDE_WEIGHT: f32 = 10.0;
        const SLOPE_SPREAD: f32 = 2.0;
        const BIAS_SPREAD: f32 = 1.0;
        let mut fitted = Self::PRIOR;
        let side = |scores: &[f32], target: f32| {
            let weight = SIDE_WEIGHT / (scores.len().max(1) as f32).max(SIDE_WEIGHT / 2.0);
            scores.iter().filter(|s| s.is_finite()).map(|s| (s - MIDDLE, target, weight)).collect::<Vec<_>>()
        };
        let rows: Vec<(f32, f32, f32)> = side(inside, 1.0).into_iter().chain(side(outside, 0.0)).collect();
        // Newton's method on two parameters; the prior keeps the curvature positive.
        for _ in 0..25 {
            let (mut ga, mut gb) =
                ((fitted.slope - Self::PRIOR.slope) / SLOPE_SPREAD.powi(2), fitted.bias / BIAS_SPREAD.powi(2));
            let (mut haa, mut hab, mut hbb) = (SLOPE_SPREAD.powi(-2), 0.0, BIAS_SPREAD.powi(-2));
            for (x, target, weight) in &rows {
                let p = fitted.probability(x + MIDDLE);
                let (error, curve) = (weight * (p - target), weight * p * (1.0 - p));
                ga += error * x;
                gb += error;
                haa += curve * x * x;
                hab += curve * x;
                hbb += curve;
            }
            let determinant = haa * hbb - hab * hab;
            fitted.slope -= (hbb * ga - hab * gb) / determinant;
            fitted.bias -= (haa * gb - hab * ga) / determinant;
        }
        fitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceptance_separates_what_it_was_shown() {
        let fitted = Acceptance::fit(&[0.7, 0.9, 1.0, 1.2], &[0.0, 0.1, 0.1, 0.2, 0.3]);
        assert!(fitted.probability(0.9) > 0.9 && fitted.probability(0.1) < 0.1, "{fitted:?}");
        let shifted = Acceptance::fit(&[MIDDLE; 20], &[0.1; 20]);
        assert!(shifted.probability(MIDDLE) > 0.5, "{shifted:?}");
    }
}
