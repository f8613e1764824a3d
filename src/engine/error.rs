//! What can go wrong before an engine runs. A job's own failure is a [`JobError`](crate::call::ports::JobError).

use std::path::PathBuf;

/// Why an engine could not be made ready.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// A file that an engine needs is not there or cannot be read.
    #[error("cannot read {}: {why}. `sidetone models fetch` brings the models", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// ONNX Runtime's shared library is not one that this machine can load.
    #[error("{} is not a shared library for this machine: {why}", path.display())]
    Library {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A model's file was read and refused.
    #[error("the model {model} does not load: {why}")]
    Model {
        /// Which.
        model: String,
        /// What the runtime said.
        why: String,
    },
    /// A model that the configuration or the engines name is not in the registry, or was not fetched.
    #[error("{0}")]
    Registry(String),
    /// espeak-ng, which makes phonemes of text, could not be started.
    #[error(
        "espeak-ng cannot start: {0}. Debian's package `espeak-ng-data` brings its data; PIPER_ESPEAKNG_DATA_DIRECTORY names another place"
    )]
    Phonemes(String),
    /// The system gave no thread.
    #[error("cannot start an engine's thread: {0}")]
    Thread(String),
    /// A worker died while it loaded its model.
    #[error("the {0} engine died while loading")]
    Died(&'static str),
}

impl EngineError {
    /// A model that was refused.
    #[cfg(any(test, feature = "onnx", feature = "whisper"))]
    pub(super) fn model(model: &str, why: impl ToString) -> Self {
        Self::Model { model: model.to_string(), why: why.to_string() }
    }
}
