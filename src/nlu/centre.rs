//! Embeddings taken from the mean of the background: some models put all sentences near each other (the cosine of any two
//! by multilingual E5 is above 0.75), and only what is left after that tells them apart.
//!
//! Owns the mean. Never knows what a sentence means.

use super::ridge::dot;

/// So many background sentences have a mean that is worth taking embeddings from.
const LEAST_BACKGROUND: usize = 8;

/// The mean of the background's embeddings; zero where there are too few to have one.
#[derive(Debug, Clone)]
pub(super) struct Centre(Vec<f32>);

impl Centre {
    /// Of embeddings of `dimensions` values each.
    pub(super) fn of<'a>(background: impl ExactSizeIterator<Item = &'a [f32]>, dimensions: usize) -> Self {
        let mut mean = vec![0.0_f32; dimensions];
        let count = background.len();
        if count >= LEAST_BACKGROUND {
            for embedding in background {
                mean.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value / count as f32);
            }
        }
        Self(mean)
    }

    /// The embedding without the mean, of length one again.
    pub(super) fn take_from(&self, embedding: &[f32]) -> Vec<f32> {
        let mut out: Vec<f32> = embedding.iter().zip(&self.0).map(|(value, mean)| value - mean).collect();
        let length = dot(&out, &out).sqrt().max(1e-9);
        out.iter_mut().for_each(|value| *value /= length);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_sentences_share_is_taken_away() {
        let rows: Vec<Vec<f32>> = (0..8).map(|at| vec![1.0, (at as f32).sin(), (at as f32).cos()]).collect();
        let centre = Centre::of(rows.iter().map(Vec::as_slice), 3);
        let [a, b] = [0, 3].map(|at| centre.take_from(&rows[at]));
        assert!(a[0].abs() < 1e-5 && (dot(&a, &a) - 1.0).abs() < 1e-5, "{a:?}");
        assert!(dot(&a, &b) < 0.0 && dot(&rows[0], &rows[3]) > 0.0, "{a:?} {b:?}");
    }

    #[test]
    fn few_sentences_have_no_mean() {
        let rows = [[0.6_f32, 0.8], [0.8, 0.6]];
        let centre = Centre::of(rows.iter().map(<[f32; 2]>::as_slice), 2);
        assert!(centre.take_from(&rows[0]).iter().zip(rows[0]).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
