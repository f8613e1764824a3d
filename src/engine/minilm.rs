//! Sentence embeddings by MiniLM-L6 (Sentence-BERT, Reimers and Gurevych 2019), quantised to int8.
//!
//! Owns tokenising, mean pooling and normalising. Never compares: that is `nlu`'s.

use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;
use tokenizers::{Tokenizer, TruncationParams};

use super::EngineError;
use super::onnx;
use crate::call::ports::{Embedder, JobError};

/// Units of the model's last layer.
const DIMENSIONS: usize = 384;
/// Word pieces of a text that are looked at: nobody says more in one turn.
const LONGEST: usize = 128;

/// The embedder.
pub struct MiniLm {
    session: Session,
    tokenizer: Tokenizer,
}

impl MiniLm {
    /// Loads model and tokenizer; ONNX Runtime must be [loaded](onnx::load).
    pub fn load(model: &Path, tokenizer: &Path) -> Result<Self, EngineError> {
        let refused =
            |error: tokenizers::Error| EngineError::model("minilm-l6", format!("{}: {error}", tokenizer.display()));
        let mut pieces = Tokenizer::from_file(tokenizer).map_err(refused)?;
        // The file pads every text to 128 pieces: twenty times the work of a short sentence.
        pieces.with_padding(None);
        let limit = TruncationParams { max_length: LONGEST, ..Default::default() };
        pieces.with_truncation(Some(limit)).map_err(refused)?;
        Ok(Self { session: onnx::session("minilm-l6", model)?, tokenizer: pieces })
    }
}

impl Embedder for MiniLm {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, JobError> {
        let failed = |error: ort::Error| JobError::Failed(error.to_string());
        let encoded = self.tokenizer.encode_fast(text, true).map_err(|error| JobError::Failed(error.to_string()))?;
        let ids: Vec<i64> = encoded.get_ids().iter().map(|&id| i64::from(id)).collect();
        let (mask, kinds) = (vec![1i64; ids.len()], vec![0i64; ids.len()]);
        let row = |values| TensorRef::<i64>::from_array_view(([1, ids.len()], values)).map_err(failed);
        let outputs = self
            .session
            .run(ort::inputs![
                "input_ids" => row(ids.as_slice())?,
                "attention_mask" => row(mask.as_slice())?,
                "token_type_ids" => row(kinds.as_slice())?,
            ])
            .map_err(failed)?;
        let (_, hidden) = outputs["last_hidden_state"].try_extract_tensor::<f32>().map_err(failed)?;
        if hidden.len() != ids.len() * DIMENSIONS {
            return Err(JobError::Failed("the model's output has another shape".to_string()));
        }
        let mut mean = vec![0.0f32; DIMENSIONS];
        for piece in hidden.chunks_exact(DIMENSIONS) {
            mean.iter_mut().zip(piece).for_each(|(sum, value)| *sum += value);
        }
        // The mean's divisor falls out of the normalising.
        normalise(&mut mean);
        Ok(mean)
    }

    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
}

/// To length 1; zero stays zero.
fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value /= length);
    }
}
