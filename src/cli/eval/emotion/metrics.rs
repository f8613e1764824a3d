//! Figures of merit for a score against a truth.

/// Area under the ROC curve: the chance that a positive scores above a negative (ties count half). `None` without both.
pub(super) fn auc(scored: &[(f32, bool)]) -> Option<f64> {
    let mut sorted: Vec<&(f32, bool)> = scored.iter().collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank_sum, mut i) = (0.0, 0);
    while i < sorted.len() {
        let same = sorted[i..].iter().take_while(|s| s.0 == sorted[i].0).count();
        let rank = i as f64 + (same + 1) as f64 / 2.0;
        rank_sum += rank * sorted[i..i + same].iter().filter(|s| s.1).count() as f64;
        i += same;
    }
    let positives = scored.iter().filter(|s| s.1).count() as f64;
    let negatives = scored.len() as f64 - positives;
    (positives > 0.0 && negatives > 0.0)
        .then(|| (rank_sum - positives * (positives + 1.0) / 2.0) / (positives * negatives))
}

/// Mean of the shares of positives at or above the threshold and of negatives below it.
pub(super) fn balanced_accuracy(scored: &[(f32, bool)], threshold: f32) -> Option<f64> {
    let share = |positive: bool| {
        let of: Vec<_> = scored.iter().filter(|s| s.1 == positive).collect();
        let right = of.iter().filter(|s| (s.0 >= threshold) == positive).count();
        (!of.is_empty()).then(|| right as f64 / of.len() as f64)
    };
    Some((share(true)? + share(false)?) / 2.0)
}

/// Expected calibration error over ten equal bins of probability.
pub(super) fn ece(scored: &[(f32, bool)]) -> f64 {
    let mut bins = [(0.0f64, 0.0f64, 0.0f64); 10];
    for (p, positive) in scored {
        let bin = &mut bins[((p * 10.0) as usize).min(9)];
        bin.0 += 1.0;
        bin.1 += f64::from(*p);
        bin.2 += f64::from(u8::from(*positive));
    }
    bins.iter().map(|(_, p, hit)| (p - hit).abs()).sum::<f64>() / scored.len().max(1) as f64
}

/// A share with its 95 % interval (E. Wilson 1927, "Probable inference, the law of succession, and statistical inference").
pub(super) fn interval(hits: u32, of: u32) -> Option<(f64, f64, f64)> {
    if of == 0 {
        return None;
    }
    let (n, z2) = (f64::from(of), 1.96f64 * 1.96);
    let p = f64::from(hits) / n;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = (z2 * (p * (1.0 - p) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
    Some((p, middle - half, (middle + half).min(1.0)))
}

/// The value that this share does not exceed; infinite ones count.
pub(super) fn percentile(values: &mut [f32], share: f32) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    values.get(((values.len() as f32 * share).ceil() as usize).saturating_sub(1)).copied()
}

/// The highest threshold (in hundredths) whose balanced accuracy is within a hundredth of the best. Near the best it hardly
/// matters where it lies on the training set's speech; on another room's or microphone's, calm speech scores higher.
pub(super) fn best_threshold(scored: &[(f32, bool)]) -> f32 {
    let mut cuts: Vec<f32> = (1..100).map(|i| i as f32 / 100.0).collect();
    let value = |cut: &f32| balanced_accuracy(scored, *cut).unwrap_or(0.0);
    let best = cuts.iter().map(value).fold(0.0, f64::max);
    cuts.retain(|cut| value(cut) >= best - 0.01);
    cuts.last().copied().unwrap_or(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORED: &[(f32, bool)] = &[(0.9, true), (0.8, false), (0.7, true), (0.3, false), (0.3, true), (0.1, false)];

    #[test]
    fn area_counts_pairs_and_half_of_ties() {
        // Pairs won: .9 beats 3, .7 beats 2, .3 beats 1 and ties 1.
        assert_eq!(auc(SCORED), Some(6.5 / 9.0));
        assert_eq!(auc(&SCORED[..1]), None);
    }

    #[test]
    fn balanced_accuracy_weighs_both_sides_alike() {
        assert_eq!(balanced_accuracy(SCORED, 0.5), Some((2.0 / 3.0 + 2.0 / 3.0) / 2.0));
        assert_eq!(balanced_accuracy(&[(0.9, true)], 0.5), None);
        let best = best_threshold(&[(0.2, false), (0.4, false), (0.6, true), (0.9, true)]);
        assert!(best > 0.4 && best <= 0.6, "{best}");
    }

    #[test]
    fn an_interval_is_wide_where_little_was_seen() {
        assert_eq!(interval(0, 0), None);
        let (p, low, high) = interval(9, 10).expect("ten");
        // Wilson's own interval for 9 of 10, as any table has it.
        assert!((p - 0.9).abs() < 1e-9 && (low - 0.596).abs() < 2e-3 && (high - 0.982).abs() < 2e-3, "{low} {high}");
    }

    #[test]
    fn calibration_error_and_delay() {
        assert!((ece(&[(0.75, true), (0.75, true), (0.75, true), (0.75, false)])).abs() < 1e-6);
        assert!((ece(&[(0.9, false)]) - 0.9).abs() < 1e-6);
        assert_eq!(percentile(&mut [1.0, f32::INFINITY, 0.5, 0.7], 0.75), Some(1.0));
        assert_eq!(percentile(&mut [1.0, f32::INFINITY], 0.9), Some(f32::INFINITY));
        assert_eq!(percentile(&mut [], 0.9), None);
    }
}
