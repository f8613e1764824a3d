//! Text to speech by Kokoro-82M (StyleTTS 2, Li et al. 2023), quantised to int8: the voice of Mandarin.
//!
//! Owns the model, its table of symbols and a speaker's style. Slower than Piper by an order of magnitude, so that lines of
//! plans are rendered beforehand.

use std::collections::HashMap;
use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;
use serde::Deserialize;

use super::EngineError;
use super::mandarin::Reader;
use super::models::Registry;
use super::onnx;
use super::phonemes::phonemes;
use crate::call::ports::{JobError, Synthesizer};

const RATE: u32 = 24_000;
/// Numbers of a style, and how many styles a speaker has: one for each length of a line in symbols.
const STYLE: usize = 256;
const STYLES: usize = 510;
/// Symbols that are rendered at once: a line that is longer is cut at a mark, or else at a space.
const MOST_SYMBOLS: usize = 400;
/// Quieter than this is silence before and after the words.
const SILENCE: f32 = 0.01;
/// What is left of it, in samples: 30 ms before, 150 ms after.
const BEFORE: usize = RATE as usize * 3 / 100;
const AFTER: usize = RATE as usize * 15 / 100;

#[derive(Deserialize)]
struct Symbols {
    vocab: HashMap<char, i64>,
}

/// A voice.
pub struct Kokoro {
    session: Session,
    symbols: HashMap<char, i64>,
    styles: Vec<f32>,
    reader: Reader,
    speed: f32,
}

impl Kokoro {
    /// Loads a voice of the registry whose sounds are `length` times as long as trained; ONNX Runtime must be
    /// [loaded](onnx::load). Takes two or three seconds.
    pub fn load(registry: &Registry, voice: &str, length: f32) -> Result<Self, EngineError> {
        let file = |name: &str| registry.path(voice, name).map_err(|error| EngineError::Registry(error.to_string()));
        let bad = |path: &Path, why: String| EngineError::File { path: path.into(), why };
        let read = |path: &Path| std::fs::read(path).map_err(|error| bad(path, error.to_string()));
        let (symbols, style) = (file("symbols.json")?, file("style.bin")?);
        let table: Symbols =
            serde_json::from_slice(&read(&symbols)?).map_err(|error| bad(&symbols, error.to_string()))?;
        let styles: Vec<f32> = read(&style)?.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect();
        if styles.len() != STYLE * STYLES {
            return Err(bad(&style, format!("it holds {} numbers instead of {}", styles.len(), STYLE * STYLES)));
        }
        let reader = Reader::load(&file("words.txt")?, &file("readings.json")?)?;
        let session = onnx::session(voice, &file("kokoro.onnx")?)?;
        Ok(Self { session, symbols: table.vocab, styles, reader, speed: 1.0 / length.clamp(0.3, 3.0) })
    }

    fn render(&mut self, symbols: &[i64]) -> Result<Vec<f32>, JobError> {
        let failed = |error: ort::Error| JobError::Failed(error.to_string());
        // The style of a line of this length; the model wants a pad at either end.
        let style = &self.styles[(symbols.len() - 1).min(STYLES - 1) * STYLE..][..STYLE];
        let padded = [&[0], symbols, &[0]].concat();
        let outputs = self
            .session
            .run(ort::inputs![
                "tokens" => TensorRef::<i64>::from_array_view(([1, padded.len()], padded.as_slice())).map_err(failed)?,
                "style" => TensorRef::<f32>::from_array_view(([1, STYLE], style)).map_err(failed)?,
                "speed" => TensorRef::<f32>::from_array_view(([1], [self.speed].as_slice())).map_err(failed)?,
            ])
            .map_err(failed)?;
        let (_, sound) = outputs["audio"].try_extract_tensor::<f32>().map_err(failed)?;
        Ok(trimmed(sound).to_vec())
    }
}

impl Synthesizer for Kokoro {
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError> {
        let mut foreign = |words: &str| phonemes(words, "en-us").unwrap_or_default();
        let line = self.reader.phonemes(text, &mut foreign);
        let mut sound = Vec::new();
        for part in parts(&line) {
            let symbols: Vec<i64> = part.chars().filter_map(|c| self.symbols.get(&c).copied()).collect();
            // Marks alone are no speech.
            if part.chars().any(char::is_alphabetic) && !symbols.is_empty() {
                sound.extend(self.render(&symbols)?);
            }
        }
        // Peaks a little over full scale occur; `as` holds them at the limit.
        Ok(sound.into_iter().map(|sample| (sample * 32767.0).round() as i16).collect())
    }

    fn sample_rate(&self) -> u32 {
        RATE
    }
}

/// Pieces of a line that the model takes.
fn parts(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((limit, _)) = rest.char_indices().nth(MOST_SYMBOLS) {
        let head = &rest[..limit];
        let mark = head.rfind([',', '.', '?', '!', ';', ':']).map(|at| at + 1);
        let at = mark.or_else(|| head.rfind(' ')).filter(|at| *at > 0).unwrap_or(limit);
        found.push(rest[..at].trim());
        rest = rest[at..].trim_start();
    }
    found.push(rest);
    found
}

/// A sound without most of the silence around it.
fn trimmed(sound: &[f32]) -> &[f32] {
    let loud = |sample: &f32| sample.abs() > SILENCE;
    match (sound.iter().position(loud), sound.iter().rposition(loud)) {
        (Some(first), Some(last)) => &sound[first.saturating_sub(BEFORE)..(last + AFTER).min(sound.len())],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_where_it_may_be() {
        assert_eq!(parts("xau↓."), ["xau↓."]);
        let clause = "ni↗n ".repeat(50);
        let line = format!("{},{}", clause.trim(), clause.trim());
        let found = parts(&line);
        assert_eq!(found.len(), 2);
        assert!(found[0].ends_with(','), "{found:?}");
        assert!(parts(&"a".repeat(1000)).iter().all(|part| part.chars().count() <= MOST_SYMBOLS));
    }

    #[test]
    fn silence_around_the_words_is_cut() {
        let sound = [vec![0.0; 24_000], vec![0.5; 100], vec![0.0; 24_000]].concat();
        assert_eq!(trimmed(&sound).len(), BEFORE + 99 + AFTER);
        assert!(trimmed(&[0.0; 10]).is_empty());
    }
}
