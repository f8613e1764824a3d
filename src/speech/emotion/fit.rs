//! Logistic regression with an L2 penalty, by Newton's method (iteratively reweighted least squares): no seed, no step
//! size, the same weights each time.

/// One labelled row.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The numbers, all rows alike.
    pub values: Vec<f64>,
    /// Whether it is of the class.
    pub positive: bool,
    /// How much it counts.
    pub weight: f64,
}

/// What was learned: `p = 1 / (1 + exp(−(bias + Σ wᵢ·(xᵢ − meanᵢ)/scaleᵢ)))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Mean of each value.
    pub mean: Vec<f64>,
    /// Standard deviation of each value.
    pub scale: Vec<f64>,
    /// Weight of each standardised value.
    pub weights: Vec<f64>,
    /// Log-odds at the mean.
    pub bias: f64,
}

impl Fitted {
    /// Log-odds of a row.
    pub fn logit(&self, values: &[f64]) -> f64 {
        let terms = values.iter().zip(&self.mean).zip(&self.scale).zip(&self.weights);
        self.bias + terms.map(|(((x, mean), scale), weight)| weight * (x - mean) / scale).sum::<f64>()
    }
}

/// Fits; `l2` is the penalty on standardised weights, in units of (summed) sample weight. `None` when the rows are
/// empty, of one class only, or not finite.
pub fn fit(samples: &[Sample], l2: f64) -> Option<Fitted> {
    let n = samples.first()?.values.len();
    let total: f64 = samples.iter().map(|s| s.weight).sum();
    let column = |i: usize| samples.iter().map(move |s| (s.values[i], s.weight));
    let mean: Vec<f64> = (0..n).map(|i| column(i).map(|(x, w)| x * w).sum::<f64>() / total).collect();
    let scale: Vec<f64> = (0..n)
        .map(|i| (column(i).map(|(x, w)| w * (x - mean[i]).powi(2)).sum::<f64>() / total).sqrt().max(1e-9))
        .collect();
    // The last column is the bias.
    let rows: Vec<Vec<f64>> =
        samples.iter().map(|s| (0..n).map(|i| (s.values[i] - mean[i]) / scale[i]).chain([1.0]).collect()).collect();
    let mut beta = vec![0.0; n + 1];
    for _ in 0..50 {
        let mut gradient: Vec<f64> = (0..=n).map(|i| if i < n { -l2 * beta[i] } else { 0.0 }).collect();
        let mut hessian = vec![0.0; (n + 1) * (n + 1)];
        for i in 0..=n {
            hessian[i * (n + 2)] = if i < n { l2 } else { 1e-9 };
        }
        for (row, sample) in rows.iter().zip(samples) {
            let z: f64 = row.iter().zip(&beta).map(|(x, b)| x * b).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let error = sample.weight * (f64::from(u8::from(sample.positive)) - p);
            let curve = sample.weight * (p * (1.0 - p)).max(1e-9);
            for i in 0..=n {
                gradient[i] += error * row[i];
                for j in 0..=i {
                    hessian[i * (n + 1) + j] += curve * row[i] * row[j];
                }
            }
        }
        let step = solve(&mut hessian, &gradient)?;
        let size: f64 = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        // A Newton step from far away may overshoot: none is longer than 5.
        let factor = (5.0 / size).min(1.0);
        beta.iter_mut().zip(&step).for_each(|(b, s)| *b += factor * s);
        if size < 1e-8 {
            break;
        }
    }
    let bias = beta.pop()?;
    let one_class = samples.iter().all(|s| s.positive == samples[0].positive);
    let finite = beta.iter().chain([&bias]).all(|b| b.is_finite());
    (finite && !one_class).then_some(Fitted { mean, scale, weights: beta, bias })
}

/// Solves A·x = b for a symmetric positive definite A (row by row; its lower half is read, and overwritten) by Cholesky's
/// decomposition. `None` when it is not positive definite.
pub fn solve(a: &mut [f64], b: &[f64]) -> Option<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                a[i * n + i] = rest.sqrt();
            } else {
                a[i * n + j] = rest / a[j * n + j];
            }
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let dot: f64 = (0..i).map(|k| a[i * n + k] * x[k]).sum();
        x[i] = (x[i] - dot) / a[i * n + i];
    }
    for i in (0..n).rev() {
        let dot: f64 = (i + 1..n).map(|k| a[k * n + i] * x[k]).sum();
        x[i] = (x[i] - dot) / a[i * n + i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f64], positive: bool) -> Sample {
        Sample { values: values.to_vec(), positive, weight: 1.0 }
    }

    #[test]
    fn solves_a_small_system() {
        let x = solve(&mut [4.0, 0.0, 2.0, 3.0], &[2.0, 5.0]).expect("positive definite");
        assert!((4.0 * x[0] + 2.0 * x[1] - 2.0).abs() < 1e-12 && (2.0 * x[0] + 3.0 * x[1] - 5.0).abs() < 1e-12);
        assert_eq!(solve(&mut [-1.0], &[1.0]), None);
    }

    #[test]
    fn learns_odds_and_separable_classes() {
        // 3 of 4 at 1, 1 of 4 at 0: log-odds ±ln 3.
        let rows: Vec<Sample> = (0..8).map(|i| row(&[f64::from(i / 4), 7.0], (i / 4 == 1) == (i % 4 != 0))).collect();
        let fitted = fit(&rows, 1e-6).expect("two classes");
        assert!((fitted.logit(&[1.0, 7.0]) - 3f64.ln()).abs() < 1e-3, "{}", fitted.logit(&[1.0, 7.0]));
        let apart: Vec<Sample> = (0..20).map(|i| row(&[f64::from(i)], i >= 10)).collect();
        let fitted = fit(&apart, 0.5).expect("the penalty keeps it finite");
        assert!(fitted.logit(&[0.0]) < -2.0 && fitted.logit(&[19.0]) > 2.0);
    }

    #[test]
    fn refuses_what_cannot_be_learned() {
        assert_eq!(fit(&[], 1.0), None);
        assert_eq!(fit(&[row(&[1.0], true), row(&[2.0], true)], 1.0), None);
        assert_eq!(fit(&[row(&[f64::NAN], true), row(&[2.0], false)], 1.0), None);
    }
}
