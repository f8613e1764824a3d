//! From log-odds that rank to log-odds that are true: a rising line through points, learned on voices held out (pooled by the
//! pool-adjacent-violators rule; M. Ayer et al. 1955). One straight line cannot do it: joy sits among the highest scores.

use serde::{Deserialize, Serialize};

/// Equal shares of the scores that become points.
const POINTS: usize = 6;
/// The line rises at least this much, so that two scores never become one, and goes on like this beyond its ends.
const LEAST_SLOPE: f64 = 0.1;
const END_SLOPE: f64 = 0.4;

/// The points, by rising score.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    points: Vec<(f64, f64)>,
}

impl Calibration {
    /// From scores and whether each was of the class.
    pub fn learn(scored: &[(f64, bool)]) -> Self {
        let mut sorted: Vec<&(f64, bool)> = scored.iter().filter(|s| s.0.is_finite()).collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        // Sum of scores, hits, count; a hit and two misses are assumed of each, so that none is certain.
        let mut pools: Vec<(f64, f64, f64)> = Vec::new();
        for chunk in sorted.chunks(sorted.len().div_ceil(POINTS).max(1)) {
            let n = chunk.len() as f64;
            let hits = chunk.iter().filter(|s| s.1).count() as f64;
            pools.push((chunk.iter().map(|s| s.0).sum::<f64>() / n, hits + 1.0, n + 3.0));
        }
        // Each point keeps its place; those that fall are given the mean of their pool.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        for (_, hits, n) in &pools {
            blocks.push((*hits, *n, 1));
            while let [.., a, b] = blocks[..]
                && a.0 / a.1 >= b.0 / b.1
            {
                blocks.truncate(blocks.len() - 2);
                blocks.push((a.0 + b.0, a.1 + b.1, a.2 + b.2));
            }
        }
        let chances = blocks.iter().flat_map(|(hits, n, count)| std::iter::repeat_n(hits / n, *count));
        let mut points: Vec<(f64, f64)> =
            pools.iter().zip(chances).map(|((score, ..), p)| (*score, (p / (1.0 - p)).ln())).collect();
        points.dedup_by(|b, a| b.0 - a.0 < 1e-6);
        for i in 1..points.len() {
            let least = points[i - 1].1 + LEAST_SLOPE * (points[i].0 - points[i - 1].0);
            points[i].1 = points[i].1.max(least);
        }
        Self { points }
    }

    /// The true log-odds of a score.
    pub fn apply(&self, score: f64) -> f64 {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else { return score };
        if score <= first.0 {
            return first.1 + END_SLOPE * (score - first.0);
        }
        for pair in self.points.windows(2) {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            if score <= x1 {
                return y0 + (y1 - y0) * (score - x0) / (x1 - x0);
            }
        }
        last.1 + END_SLOPE * (score - last.0)
    }

    /// Whether every point is a number, and scores rise.
    pub(super) fn is_valid(&self) -> bool {
        self.points.iter().all(|p| p.0.is_finite() && p.1.is_finite())
            && self.points.windows(2).all(|p| p[0].0 < p[1].0)
    }
}

/// From the sum of a call's voice, words and events to log-odds that are true: a straight line (J. Platt 1999).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallCalibration {
    slope: f64,
    offset: f64,
}

/// Nothing learned: the sum is taken as it is.
impl Default for CallCalibration {
    fn default() -> Self {
        Self { slope: 1.0, offset: 0.0 }
    }
}

impl CallCalibration {
    /// How strongly the slope is held to 1, for each turn: scripted callers are plainer than real ones, so that less is
    /// claimed than their scripts would bear out.
    const MODESTY: f64 = 0.03;
    const ITERATIONS: usize = 50;
    /// A slope that no score turns round or drowns.
    const SLOPES: (f64, f64) = (0.2, 5.0);

    /// From the sums after turns, and whether the caller was losing patience by then; by Newton's method.
    pub fn learn(scored: &[(f64, bool)]) -> Self {
        let held = Self::MODESTY * scored.len() as f64;
        let mut line = Self::default();
        for _ in 0..Self::ITERATIONS {
            let mut gradient = (held * (line.slope - 1.0), 0.0);
            // A little of a second derivative, so that one class alone divides by no zero.
            let mut curve = (held + 1e-6, 0.0, 1e-6);
            for (sum, hit) in scored {
                let chance = 1.0 / (1.0 + (-line.apply(*sum)).exp());
                let (error, weight) = (chance - f64::from(u8::from(*hit)), chance * (1.0 - chance));
                gradient = (gradient.0 + error * sum, gradient.1 + error);
                curve = (curve.0 + weight * sum * sum, curve.1 + weight * sum, curve.2 + weight);
            }
            let determinant = curve.0 * curve.2 - curve.1 * curve.1;
            line.slope -= (curve.2 * gradient.0 - curve.1 * gradient.1) / determinant;
            line.offset -= (curve.0 * gradient.1 - curve.1 * gradient.0) / determinant;
        }
        if line.is_valid() { line } else { Self::default() }
    }

    /// The true log-odds of a sum.
    pub fn apply(&self, sum: f64) -> f64 {
        self.slope * sum + self.offset
    }

    pub(super) fn is_valid(&self) -> bool {
        (Self::SLOPES.0..=Self::SLOPES.1).contains(&self.slope) && self.offset.abs() < 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_whose_sums_are_too_modest_is_believed_more() {
        // True log-odds are twice the sum less one.
        let chance = |sum: f64| 1.0 / (1.0 + (1.0 - 2.0 * sum).exp());
        let scored: Vec<(f64, bool)> = (0..4000)
            .map(|i| (f64::from(i % 200) / 25.0 - 4.0, f64::from(i)))
            .map(|(sum, i)| (sum, (i * 0.618_034).fract() < chance(sum)))
            .collect();
        let line = CallCalibration::learn(&scored);
        let held_out = |sum: f64| 1.0 / (1.0 + (-line.apply(sum)).exp());
        for sum in [-2.0, 0.0, 0.5, 1.0, 3.0] {
            assert!((held_out(sum) - chance(sum)).abs() < 0.06, "{sum}: {} {}", held_out(sum), chance(sum));
        }
        assert_eq!(CallCalibration::learn(&[]), CallCalibration::default());
        assert_eq!(CallCalibration::learn(&[(f64::NAN, true)]), CallCalibration::default());
        assert!(CallCalibration::learn(&[(1.0, true), (2.0, true)]).apply(1.0).is_finite());
    }

    #[test]
    fn scores_become_the_share_that_was_true() {
        // Of scores 0..1200, none below 400 is true, one in two up to 800, all above: no straight line of log-odds.
        let scored: Vec<(f64, bool)> =
            (0..1200).map(|i| (f64::from(i) / 100.0, i >= 800 || i >= 400 && i % 2 == 0)).collect();
        let calibration = Calibration::learn(&scored);
        let chance = |score: f64| 1.0 / (1.0 + (-calibration.apply(score)).exp());
        assert!(chance(2.0) < 0.05 && (chance(6.0) - 0.5).abs() < 0.05 && chance(10.0) > 0.95);
        assert!(calibration.is_valid());
        let rising: Vec<f64> = (-100..1300).map(|i| calibration.apply(f64::from(i) / 100.0)).collect();
        assert!(rising.windows(2).all(|w| w[1] > w[0]), "two scores became one");
    }

    #[test]
    fn nothing_learned_changes_nothing() {
        assert_eq!(Calibration::learn(&[]).apply(1.5), 1.5);
        assert!(Calibration::learn(&[(f64::NAN, true), (1.0, false)]).apply(1.0).is_finite());
    }
}
