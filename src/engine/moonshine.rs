//! Speech to text by Moonshine tiny (Jeffries et al. 2024), English: five to ten times cheaper than Whisper, since it
//! computes only as much as was said.
//!
//! Owns the encoder, the token-by-token decoder with its cache, and the vocabulary. Words said alone, under half a
//! second, are its weakness.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor, TensorRef};

use super::tidy::{is_made_up, speech_only, without_loop, without_run};
use super::{EngineError, onnx};
use crate::call::ports::{AbortFlag, Hint, JobError, Recognizer, Role, Transcript};

const RATE: usize = 16_000;
const LAYERS: usize = 6;
const HEADS: usize = 8;
const HEAD: usize = 36;
/// Tokens that begin and end a text.
const BEGIN: i64 = 1;
const END: i64 = 2;
/// The encoder wants some sound to look at; what is shorter is padded with silence.
const LEAST_SAMPLES: usize = RATE / 2;
/// Longest sound that is decoded at once, samples: it was trained on 4 to 30 s, and an utterance is no longer.
const MOST_SAMPLES: usize = 30 * RATE;

/// A recogniser.
pub struct Moonshine {
    encoder: Session,
    decoder: Session,
    vocabulary: Vec<Vec<u8>>,
    /// Names of the decoder's cache: input, output, and whether it grows with each token.
    cache: Vec<(String, String, bool)>,
    mask: Vec<i64>,
}

impl Moonshine {
    /// Loads the model's three files; ONNX Runtime must be [loaded](onnx::load).
    pub fn load(encoder: &Path, decoder: &Path, vocabulary: &Path) -> Result<Self, EngineError> {
        let unreadable =
            |error: std::io::Error| EngineError::File { path: vocabulary.to_path_buf(), why: error.to_string() };
        let pieces = pieces(&fs::read(vocabulary).map_err(unreadable)?)
            .ok_or_else(|| EngineError::model("moonshine", "its vocabulary is cut short"))?;
        let cache = (0..LAYERS).flat_map(|layer| {
            ["decoder.key", "decoder.value", "encoder.key", "encoder.value"].map(|part| {
                (format!("past_key_values.{layer}.{part}"), format!("present.{layer}.{part}"), part.starts_with('d'))
            })
        });
        Ok(Self {
            encoder: onnx::session("moonshine", encoder)?,
            decoder: onnx::session("moonshine", decoder)?,
            vocabulary: pieces,
            cache: cache.collect(),
            mask: Vec::new(),
        })
    }

    fn text(&self, tokens: &[usize]) -> String {
        let bytes: Vec<u8> = tokens.iter().filter_map(|&token| self.vocabulary.get(token)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).replace('\u{2581}', " ").trim().to_string()
    }

    /// Greedy decoding: the tokens and the mean of their probabilities.
    fn decode(&mut self, pcm: &[f32], abort: &AbortFlag) -> Result<(Vec<usize>, f32), JobError> {
        let failed = |error: ort::Error| JobError::Failed(error.to_string());
        self.mask.resize(pcm.len(), 1);
        let shape = [1, pcm.len()];
        let sound = || TensorRef::from_array_view((shape, pcm)).map_err(failed);
        let mask = || TensorRef::from_array_view((shape, self.mask.as_slice())).map_err(failed);
        let mut encoded =
            self.encoder.run(ort::inputs!["input_values" => sound()?, "attention_mask" => mask()?]).map_err(failed)?;
        let hidden = encoded.remove("last_hidden_state").ok_or_else(|| unshaped("encoder"))?;
        drop(encoded);

        // Before the first token the cache is ignored, but must be there.
        let nothing = vec![0.0f32; HEADS * HEAD];
        let empty = || Tensor::from_array(([1, HEADS, 1, HEAD], nothing.clone())).map(Tensor::into_dyn).map_err(failed);
        let mut past: Vec<DynValue> = self.cache.iter().map(|_| empty()).collect::<Result<_, _>>()?;
        let (mut tokens, mut sum) = (Vec::new(), 0.0f32);
        let mut last = BEGIN;
        for step in 0..token_cap(pcm.len()) {
            if abort.is_aborted() {
                return Err(JobError::Skipped);
            }
            let (id, warm) = ([last], [step > 0]);
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
                ("encoder_attention_mask".into(), mask()?.into()),
                ("encoder_hidden_states".into(), (&hidden).into()),
                ("input_ids".into(), TensorRef::from_array_view(([1usize, 1], id.as_slice())).map_err(failed)?.into()),
                (
                    "use_cache_branch".into(),
                    TensorRef::from_array_view(([1usize], warm.as_slice())).map_err(failed)?.into(),
                ),
            ];
            inputs.extend(self.cache.iter().zip(&past).map(|((name, ..), value)| (name.as_str().into(), value.into())));
            let mut outputs = self.decoder.run(inputs).map_err(failed)?;
            let (_, logits) = outputs["logits"].try_extract_tensor::<f32>().map_err(failed)?;
            let (token, probability) = best(logits).ok_or_else(|| unshaped("decoder"))?;
            for ((_, name, grows), value) in self.cache.iter().zip(&mut past) {
                // What the decoder attends to in the sound is computed once, with the first token.
                if *grows || step == 0 {
                    *value = outputs.remove(name).ok_or_else(|| unshaped("decoder"))?;
                }
            }
            last = token as i64;
            if last == END {
                break;
            }
            tokens.push(token);
            sum += probability;
        }
        let mean = sum / tokens.len().max(1) as f32;
        Ok((tokens, mean))
    }
}

impl Recognizer for Moonshine {
    fn recognize(&mut self, pcm: &[f32], _: &Hint, _: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        if abort.is_aborted() {
            return Err(JobError::Skipped);
        }
        let mut padded = Vec::new();
        let pcm = if pcm.len() < LEAST_SAMPLES {
            padded.extend_from_slice(pcm);
            padded.resize(LEAST_SAMPLES, 0.0);
            &padded
        } else {
            &pcm[..pcm.len().min(MOST_SAMPLES)]
        };
        let (tokens, confidence) = self.decode(pcm, abort)?;
        let text = speech_only(&self.text(&tokens));
        let seconds = pcm.len() as f32 / RATE as f32;
        let once = without_loop(&text).or_else(|| without_run(&text, seconds));
        // What had to be cut is not to be trusted.
        let confidence = if once.is_some() { confidence / 2.0 } else { confidence };
        let text = once.unwrap_or(text);
        if text.is_empty() || is_made_up(&text, confidence) {
            return Ok(Transcript::default());
        }
        Ok(Transcript { text, confidence })
    }
}

/// More tokens than anyone says in that time (its authors allow 6.5 a second); a short word may take three.
fn token_cap(samples: usize) -> usize {
    4 + samples * 13 / (2 * RATE)
}

/// The likeliest token of the last position and its probability.
fn best(logits: &[f32]) -> Option<(usize, f32)> {
    let (token, &top) = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let sum: f32 = logits.iter().map(|logit| (logit - top).exp()).sum();
    Some((token, 1.0 / sum))
}

fn unshaped(part: &str) -> JobError {
    JobError::Failed(format!("the {part}'s outputs have other names or shapes"))
}

/// The vocabulary: each piece's length (one byte below 128, else two: low seven bits, then the rest) and its bytes.
fn pieces(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        let (length, rest) = match first {
            0..128 => (usize::from(first), rest),
            _ => {
                let (&more, rest) = rest.split_first()?;
                (usize::from(more) * 128 + usize::from(first) - 128, rest)
            }
        };
        let (piece, rest) = rest.split_at_checked(length)?;
        pieces.push(piece.to_vec());
        bytes = rest;
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vocabulary_is_read_and_a_short_one_refused() {
        let mut file = vec![2, b'a', b'b', 0, 128 + 2, 1];
        file.extend([b'x'; 130]);
        let read = pieces(&file).unwrap();
        assert_eq!(read, [b"ab".to_vec(), vec![], vec![b'x'; 130]]);
        assert_eq!(pieces(&file[..file.len() - 1]), None);
        assert_eq!(pieces(&[200]), None);
    }

    #[test]
    fn the_likeliest_token_and_how_likely() {
        let (token, probability) = best(&[0.0, 2.0, 0.0]).unwrap();
        assert_eq!(token, 1);
        assert!((probability - 0.787).abs() < 1e-3, "{probability}");
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn tokens_are_capped_by_duration() {
        assert_eq!(token_cap(RATE), 10);
        assert_eq!(token_cap(10 * RATE), 69);
    }
}
