//! A voice by its name: its files tell which engine speaks with it.

use super::EngineError;
use super::kokoro::Kokoro;
use super::models::Registry;
use super::piper::{Manner, Piper};
use crate::call::ports::Synthesizer;

/// Loads a voice of the registry; ONNX Runtime must be [loaded](super::onnx::load). Takes a second or two.
pub fn load(registry: &Registry, name: &str, manner: Manner) -> Result<Box<dyn Synthesizer>, EngineError> {
    let unknown = |error: super::models::ModelError| EngineError::Registry(error.to_string());
    let file = |file: &str| registry.path(name, file).map_err(unknown);
    let files = &registry.model(name).map_err(unknown)?.files;
    if files.iter().any(|file| file.name == "style.bin") {
        return Ok(Box::new(Kokoro::load(registry, name, manner.length)?));
    }
    if files.iter().any(|file| file.name == "model.onnx.json") {
        return Ok(Box::new(Piper::load(&file("model.onnx")?, &file("model.onnx.json")?, manner)?));
    }
    Err(EngineError::Registry(format!("`{name}` is no voice; `sidetone models list` shows which models are")))
}
