//! Multinomial logistic regression by stochastic gradient descent with AdaGrad (Duchi, Hazan & Singer 2011): for plans with
//! more examples than an exact solution is worth.
//!
//! Owns the descent. Deterministic: rows are taken in an order that depends on their number alone. Four passes over 8,000
//! rows of 384 values and 77 outputs take about a second optimised. Never knows what a row means.

use super::ridge::dot;

/// Passes over the rows; more gain nothing that shows.
const PASSES: usize = 4;
/// Rows a step.
const BATCH: usize = 8;
const RATE: f32 = 0.3;
/// What the sum of squared gradients starts from.
const START: f32 = 1e-3;

/// A fitted model.
#[derive(Debug, Clone)]
pub(super) struct Softmax {
    /// A row of weights for each output, the last of them the bias.
    weights: Vec<Vec<f32>>,
}

impl Softmax {
    /// Fits rows of equal length to their outputs, all below `outputs`.
    pub(super) fn fit(rows: &[(&[f32], usize)], outputs: usize) -> Self {
        let dimensions = rows.first().map_or(0, |(row, _)| row.len());
        let mut model = Self { weights: vec![vec![0.0; dimensions + 1]; outputs] };
        let mut squares = vec![vec![START; dimensions + 1]; outputs];
        let mut gradient = vec![0.0_f32; dimensions + 1];
        for pass in 0..PASSES {
            let order = order(rows.len(), pass);
            for batch in order.chunks(BATCH) {
                let errors: Vec<Vec<f32>> = batch.iter().map(|at| model.errors(rows[*at])).collect();
                for (output, (weights, squares)) in model.weights.iter_mut().zip(&mut squares).enumerate() {
                    gradient.fill(0.0);
                    for (at, errors) in batch.iter().zip(&errors) {
                        let error = errors[output] / batch.len() as f32;
                        gradient.iter_mut().zip(rows[*at].0).for_each(|(sum, value)| *sum += error * value);
                        gradient[dimensions] += error;
                    }
                    for ((weight, square), slope) in weights.iter_mut().zip(squares).zip(&gradient) {
                        *square += slope * slope;
                        *weight -= RATE * slope / square.sqrt();
                    }
                }
            }
        }
        model
    }

    /// The logarithm of each output's probability.
    pub(super) fn log_probabilities(&self, row: &[f32]) -> Vec<f32> {
        let logits: Vec<f32> = self
            .weights
            .iter()
            .map(|weights| dot(weights, row) + if weights.len() > row.len() { weights[row.len()] } else { 0.0 })
            .collect();
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = logits.iter().map(|logit| (logit - most).exp()).sum::<f32>().ln() + most;
        logits.into_iter().map(|logit| logit - sum).collect()
    }

    fn errors(&self, (row, output): (&[f32], usize)) -> Vec<f32> {
        let mut errors: Vec<f32> = self.log_probabilities(row).into_iter().map(f32::exp).collect();
        if let Some(error) = errors.get_mut(output) {
            *error -= 1.0;
        }
        errors
    }
}

/// A permutation by Fisher and Yates with SplitMix64.
fn order(count: usize, pass: usize) -> Vec<usize> {
    let mut state = (pass as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        order.swap(at, ((z ^ (z >> 31)) % (at as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_told_apart_and_probabilities_sum_to_one() {
        // Three directions of a plane, each a little scattered.
        let rows: Vec<(Vec<f32>, usize)> = (0..150)
            .map(|at| {
                let angle = (at % 3) as f32 * 2.1 + (at as f32 * 0.7).sin() * 0.4;
                (vec![angle.cos(), angle.sin()], at % 3)
            })
            .collect();
        let borrowed: Vec<(&[f32], usize)> = rows.iter().map(|(row, output)| (row.as_slice(), *output)).collect();
        let model = Softmax::fit(&borrowed, 3);
        for (row, output) in &rows {
            let log = model.log_probabilities(row);
            assert!((log.iter().map(|l| l.exp()).sum::<f32>() - 1.0).abs() < 1e-4);
            let best = (0..3).max_by(|a, b| log[*a].total_cmp(&log[*b]));
            assert_eq!(best, Some(*output), "{row:?}: {log:?}");
        }
    }

    #[test]
    fn nothing_to_fit_is_no_panic() {
        assert!(Softmax::fit(&[], 0).log_probabilities(&[1.0]).is_empty());
        let even = Softmax::fit(&[], 2).log_probabilities(&[]);
        assert!((even[0] - 0.5_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn an_order_holds_each_row_once() {
        let mut order = order(100, 2);
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
