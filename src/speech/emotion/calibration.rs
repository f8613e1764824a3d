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

#[cfg(test)]
mod tests {
    use super::*;

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
