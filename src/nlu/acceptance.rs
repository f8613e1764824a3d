//! Whether a sentence is meant for any intent at all, told from the best intent's score.
//!
//! Owns the curve from score to probability and its fit. Never knows how a score comes to be.

/// The score that is as likely meant as not, before a plan has shown otherwise: plans of 3 to 77 intents have nearly all
/// that is meant above it and all that is unrelated below.
pub(super) const MIDDLE: f32 = 0.25;

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
    /// are easier to tell than what callers ask in vain, so the prior's slope is low and firm; and `near`, examples as a
    /// model would score them that had never seen their intent, stand for questions next to what the plan knows. They
    /// weigh less: most callers ask for what there is, and an example's siblings are nearer than most such questions.
    pub(super) fn fit(inside: &[f32], outside: &[f32], near: &[f32]) -> Self {
        const SIDE_WEIGHT: f32 = 10.0;
        /// Of that weight, what all the near ones have together.
        const NEAR_WEIGHT: f32 = 0.25;
        const SLOPE_SPREAD: f32 = 2.0;
        const BIAS_SPREAD: f32 = 1.0;
        let mut fitted = Self::PRIOR;
        let side = |scores: &[f32], target: f32, share: f32| {
            let weight = share * SIDE_WEIGHT / (scores.len().max(1) as f32).max(SIDE_WEIGHT / 2.0);
            scores.iter().filter(|s| s.is_finite()).map(|s| (s - MIDDLE, target, weight)).collect::<Vec<_>>()
        };
        let sides = [side(inside, 1.0, 1.0), side(outside, 0.0, 1.0), side(near, 0.0, NEAR_WEIGHT)];
        let rows: Vec<(f32, f32, f32)> = sides.into_iter().flatten().collect();
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
        let fitted = Acceptance::fit(&[0.7, 0.9, 1.0, 1.2], &[0.0, 0.1, 0.1, 0.2, 0.0], &[]);
        assert!(fitted.probability(0.9) > 0.9 && fitted.probability(0.1) < 0.1, "{fitted:?}");
        let shifted = Acceptance::fit(&[MIDDLE; 20], &[0.0; 20], &[]);
        assert!(shifted.probability(MIDDLE) > 0.5, "{shifted:?}");
    }

    #[test]
    fn a_plan_whose_topics_are_near_each_other_accepts_less() {
        let (inside, outside) = ([0.5, 0.7, 0.8, 0.9, 1.0, 1.1], [0.0, 0.05, 0.1]);
        let apart = Acceptance::fit(&inside, &outside, &[0.1; 6]);
        let near = Acceptance::fit(&inside, &outside, &[0.4, 0.45, 0.5, 0.5, 0.6, 0.4]);
        assert!(near.probability(0.4) < apart.probability(0.4) - 0.1, "{near:?} {apart:?}");
        assert!(near.probability(0.9) > 0.8, "{near:?}");
    }
}
