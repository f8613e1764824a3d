//! Kernel ridge regression with exact leave-one-out predictions: `α = (K + λI)⁻¹ Y`, and the prediction for row `i` by
//! a model that never saw it is `y_i − α_i / (K + λI)⁻¹_ii` (Rifkin & Lippert, "Notes on Regularized Least Squares"). By a
//! model that never saw any row of a class `B` it is `y_B − ((K + λI)⁻¹_BB)⁻¹ α_B`.
//!
//! Owns the linear algebra, by Cholesky in `f32`; λ keeps it well conditioned. Never knows what a row means.

/// A fitted model of `n` rows and some outputs.
#[derive(Debug, Clone)]
pub(super) struct Ridge {
    /// `outputs` weights for each row.
    alpha: Vec<Vec<f32>>,
    /// What each row would have been given, had it been left out.
    pub(super) left_out: Vec<Vec<f32>>,
    /// What each row would have been given, had all rows of its output been left out; empty for a row of no output.
    pub(super) class_left_out: Vec<Vec<f32>>,
}

impl Ridge {
    /// Fits rows of the lower triangle of a kernel matrix (`kernel[i]` holds `i + 1` values, positive semidefinite).
    /// `class[i]` is the output that is 1 for row `i`, all others being 0; `None` is 0 everywhere.
    pub(super) fn fit(mut kernel: Vec<Vec<f32>>, class: &[Option<usize>], outputs: usize, lambda: f32) -> Self {
        let n = kernel.len();
        for (i, row) in kernel.iter_mut().enumerate() {
            row[i] += lambda;
        }
        cholesky(&mut kernel);
        let columns = inverse_columns(&kernel);
        // Z = L⁻¹ Y, by output: the sum of the columns of L⁻¹ that belong to it.
        let mut sums = vec![vec![0.0_f32; n]; outputs];
        for (i, column) in columns.iter().enumerate() {
            if let Some(sum) = class[i].and_then(|output| sums.get_mut(output)) {
                sum[i..].iter_mut().zip(column).for_each(|(s, c)| *s += c);
            }
        }
        let target = |row: usize, output: usize| if class[row] == Some(output) { 1.0 } else { 0.0 };
        let mut alpha = Vec::with_capacity(n);
        let mut left_out = Vec::with_capacity(n);
        for (i, column) in columns.iter().enumerate() {
            let weights: Vec<f32> = sums.iter().map(|sum| dot(column, &sum[i..])).collect();
            let diagonal = dot(column, column).max(f32::MIN_POSITIVE);
            left_out.push(weights.iter().enumerate().map(|(k, w)| target(i, k) - w / diagonal).collect());
            alpha.push(weights);
        }
        let mut class_left_out = vec![Vec::new(); n];
        for output in 0..outputs {
            let members: Vec<usize> = (0..n).filter(|row| class[*row] == Some(output)).collect();
            for (row, given) in members.iter().zip(without(&members, &columns, &alpha)) {
                class_left_out[*row] = given.iter().enumerate().map(|(k, w)| target(*row, k) - w).collect();
            }
        }
        Self { alpha, left_out, class_left_out }
    }

    /// The outputs for a query whose kernel with each row is given.
    pub(super) fn predict(&self, kernel: &[f32], outputs: usize) -> Vec<f32> {
        let mut out = vec![0.0; outputs];
        for (weights, similarity) in self.alpha.iter().zip(kernel) {
            out.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += similarity * weight);
        }
        out
    }
}

/// `((K + λI)⁻¹_BB)⁻¹ α_B` for the rows `B`, given the columns of L⁻¹.
fn without(rows: &[usize], columns: &[Vec<f32>], alpha: &[Vec<f32>]) -> Vec<Vec<f32>> {
    // (K + λI)⁻¹ = L⁻ᵀ L⁻¹: the product of two columns of L⁻¹, from where the later one starts.
    let inverse = |i: usize, j: usize| dot(&columns[j][i - j..], &columns[i]);
    let mut block: Vec<Vec<f32>> =
        rows.iter().enumerate().map(|(at, i)| rows[..=at].iter().map(|j| inverse(*i, *j)).collect()).collect();
    cholesky(&mut block);
    let mut out: Vec<Vec<f32>> = rows.iter().map(|row| alpha[*row].clone()).collect();
    let less = |out: &mut [Vec<f32>], from: usize, by: f32, row: usize| {
        let (a, b) = (row.min(from), row.max(from));
        let (head, tail) = out.split_at_mut(b);
        let (target, source) = if row > from { (&mut tail[0], &head[a]) } else { (&mut head[a], &tail[0]) };
        target.iter_mut().zip(source).for_each(|(t, s)| *t -= by * s);
    };
    for row in 0..rows.len() {
        (0..row).for_each(|from| less(&mut out, from, block[row][from], row));
        out[row].iter_mut().for_each(|value| *value /= block[row][row]);
    }
    for row in (0..rows.len()).rev() {
        (row + 1..rows.len()).for_each(|from| less(&mut out, from, block[from][row], row));
        out[row].iter_mut().for_each(|value| *value /= block[row][row]);
    }
    out
}

/// Replaces the lower triangle of a positive definite matrix by its Cholesky factor.
fn cholesky(rows: &mut [Vec<f32>]) {
    for i in 0..rows.len() {
        let (done, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for (j, above) in done.iter().enumerate() {
            row[j] = (row[j] - dot(&row[..j], &above[..j])) / above[j];
        }
        let (head, diagonal) = row.split_at_mut(i);
        // Rounding may eat a tiny pivot; the floor keeps the factor finite.
        diagonal[0] = (diagonal[0] - dot(head, head)).max(1e-6).sqrt();
    }
}

/// Columns of the inverse of a lower triangular matrix; column `j` starts at its diagonal.
fn inverse_columns(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    (0..rows.len())
        .map(|j| {
            let mut column = Vec::with_capacity(rows.len() - j);
            column.push(1.0 / rows[j][j]);
            for (i, row) in rows.iter().enumerate().skip(j + 1) {
                column.push(-dot(&row[j..i], &column) / row[i]);
            }
            column
        })
        .collect()
}

/// A dot product over the shorter length, in lanes that the compiler turns into vector instructions.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut sums = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel of points on a line.
    fn kernel(points: &[f32]) -> Vec<Vec<f32>> {
        (0..points.len()).map(|i| (0..=i).map(|j| (-(points[i] - points[j]).powi(2)).exp()).collect()).collect()
    }

    #[test]
    fn the_fit_passes_near_its_targets() {
        let points = [0.0, 0.3, 2.0, 2.2, 9.0];
        let class = [Some(0), Some(0), Some(1), Some(1), None];
        let model = Ridge::fit(kernel(&points), &class, 2, 0.01);
        for (i, x) in points.iter().enumerate() {
            let k: Vec<f32> = points.iter().map(|p| (-(x - p).powi(2)).exp()).collect();
            let out = model.predict(&k, 2);
            for (output, value) in out.iter().enumerate() {
                let target = if class[i] == Some(output) { 1.0 } else { 0.0 };
                assert!((value - target).abs() < 0.1, "{x}: {out:?}");
            }
        }
    }

    #[test]
    fn left_out_predictions_are_those_of_a_model_without_the_row() {
        let points = [0.0, 0.5, 1.1, 2.0, 2.3, 3.5];
        let class = [Some(0), Some(0), Some(1), Some(1), Some(0), None];
        let model = Ridge::fit(kernel(&points), &class, 2, 0.1);
        for out in 0..points.len() {
            let keep: Vec<usize> = (0..points.len()).filter(|i| *i != out).collect();
            let kept: Vec<f32> = keep.iter().map(|i| points[*i]).collect();
            let classes: Vec<Option<usize>> = keep.iter().map(|i| class[*i]).collect();
            let without = Ridge::fit(kernel(&kept), &classes, 2, 0.1);
            let k: Vec<f32> = kept.iter().map(|p| (-(points[out] - p).powi(2)).exp()).collect();
            let expected = without.predict(&k, 2);
            for (a, b) in model.left_out[out].iter().zip(&expected) {
                assert!((a - b).abs() < 1e-3, "{:?} {expected:?}", model.left_out[out]);
            }
        }
    }

    #[test]
    fn predictions_without_a_class_are_those_of_a_model_that_never_saw_it() {
        let points = [0.0, 0.5, 1.1, 2.0, 2.3, 3.5, 3.9];
        let class = [Some(0), Some(2), Some(1), Some(1), Some(0), None, Some(2)];
        let model = Ridge::fit(kernel(&points), &class, 3, 0.1);
        for output in 0..3 {
            let keep: Vec<usize> = (0..points.len()).filter(|i| class[*i] != Some(output)).collect();
            let kept: Vec<f32> = keep.iter().map(|i| points[*i]).collect();
            let classes: Vec<Option<usize>> = keep.iter().map(|i| class[*i]).collect();
            let other = Ridge::fit(kernel(&kept), &classes, 3, 0.1);
            for out in (0..points.len()).filter(|i| class[*i] == Some(output)) {
                let k: Vec<f32> = kept.iter().map(|p| (-(points[out] - p).powi(2)).exp()).collect();
                for (a, b) in model.class_left_out[out].iter().zip(other.predict(&k, 3)) {
                    assert!((a - b).abs() < 1e-3, "{output} {out}: {:?}", model.class_left_out[out]);
                }
            }
        }
        assert!(model.class_left_out[5].is_empty() && model.class_left_out[0].len() == 3);
    }

    #[test]
    fn dot_is_exact_on_any_length() {
        for n in [0, 1, 15, 16, 17, 50] {
            let a: Vec<f32> = (0..n).map(|i| i as f32).collect();
            let expected: f32 = a.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &a), expected);
        }
    }
}
