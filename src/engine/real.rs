//! The real engines, of the models in the registry.
//!
//! Owns which model serves what, and who shares it. Fails at the start, in words, rather than in a call.

use std::path::PathBuf;
use std::sync::Arc;

use super::e5::E5;
use super::embeddings::EmbeddingStore;
use super::minilm::MiniLm;
use super::models::Registry;
use super::phonemes;
use super::piper::Manner;
use super::pool::{EngineOptions, Engines, LanguageOptions};
use super::prompts::PromptLimits;
use super::recognition::{recognition, recognition_of};
use super::silero::Silero;
use super::smart_turn::SmartTurn;
use super::whisper::Tongue;
use super::{EngineConfig, EngineError, RecognitionConfig, onnx, voices};

/// What understands every language but English.
const MULTILINGUAL: &str = "e5-small";

impl Engines {
    /// Loads the recognisers, Piper, Silero, Smart Turn and MiniLM; takes about two seconds. Call it before other threads open relative
    /// paths: espeak-ng is shown its data by way of the working directory (see `phonemes`).
    pub fn real(registry: &Registry, config: &EngineConfig) -> Result<Self, EngineError> {
        Self::start(options(registry, config)?)
    }
}

fn options(registry: &Registry, config: &EngineConfig) -> Result<EngineOptions, EngineError> {
    onnx::load(&checked(registry, "onnxruntime", "libonnxruntime.so")?)?;
    phonemes::prepare()?;
    let file = |model: &str, name: &str| checked(registry, model, name);
    let recognizer = recognition(registry, &config.recognition)?;
    let languages = config.languages.iter().map(|(tag, recognition)| language(registry, tag, recognition));
    let languages = languages.collect::<Result<_, _>>()?;
    let silero = file("silero-vad", "model.onnx")?;
    let smart_turn = file("smart-turn", "model.onnx")?;
    let (minilm, pieces) = (file("minilm-l6", "model.onnx")?, file("minilm-l6", "tokenizer.json")?);
    let manner = Manner { length: config.voice_length, noise: config.voice_noise };
    let (models, known) = (registry.clone(), registry.clone());
    let voice = move |name: &str| voices::load(&models, name, manner);
    let disk = config.prompts_dir.clone().map(|folder| (folder, config.prompts_dir_bytes));
    Ok(EngineOptions {
        recognizer,
        recognition_threads: config.recognition_threads,
        voice: Arc::new(voice),
        default_voice: config.voice.clone(),
        manner: Arc::new(move |voice| sound_of(&known, voice, manner)),
        synthesis_threads: config.synthesis_threads,
        turn_detector: Arc::new(move || Ok(Box::new(SmartTurn::load(&smart_turn)?))),
        embedder: Arc::new(move || Ok(Box::new(MiniLm::load(&minilm, &pieces)?))),
        detector: Arc::new(move || Ok(Box::new(Silero::load(&silero)?))),
        prompts: PromptLimits { memory_bytes: config.prompts_memory_bytes, disk },
        embeddings: EmbeddingStore::of(registry, "minilm-l6"),
        languages,
        any_language: false,
    })
}

/// What hears and understands a language other than English.
fn language(registry: &Registry, tag: &str, config: &RecognitionConfig) -> Result<LanguageOptions, EngineError> {
    let model = checked(registry, MULTILINGUAL, "model.bin")?;
    Ok(LanguageOptions {
        tag: tag.to_string(),
        recognizer: recognition_of(registry, config, Tongue::of(tag))?,
        embedder: Arc::new(move || Ok(Box::new(E5::load(&model)?))),
        embeddings: EmbeddingStore::of(registry, MULTILINGUAL),
    })
}

/// All that shapes the sound of a voice: another model of the same name makes another prompt.
fn sound_of(registry: &Registry, voice: &str, manner: Manner) -> String {
    format!("{voice} {} length {} noise {}", sums(registry, voice), manner.length, manner.noise)
}

/// The checksums of a model's files.
fn sums(registry: &Registry, model: &str) -> String {
    let files = registry.model(model).map(|model| model.files.as_slice()).unwrap_or_default();
    files.iter().map(|file| file.origin.sha256.as_str()).collect::<Vec<_>>().join(" ")
}

/// A file whose checksum was just found right.
fn checked(registry: &Registry, model: &str, file: &str) -> Result<PathBuf, EngineError> {
    registry.path(model, file).map_err(|error| EngineError::Registry(error.to_string()))
}
