//! What the engines may be told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Which model recognises what in one language; names of `voices/models.toml`. The defaults are what
/// `sidetone eval asr` and the latency of calls say together (`benches/README.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecognitionConfig {
    /// Words so far, while the caller speaks: several times a second, so that it must be cheap.
    pub partials: String,
    /// Finished utterances.
    pub finals: String,
    /// Finished utterances where digits, a date, yes or no, or certain words are expected: it must be able to heed that.
    pub expected: String,
    /// Finished utterances that the model of `finals` is unsure of, and words said alone.
    pub unsure: String,
}

impl Default for RecognitionConfig {
    fn default() -> Self {
        Self {
            partials: "moonshine-tiny-en".to_string(),
            finals: "moonshine-tiny-en".to_string(),
            expected: "whisper-tiny.en".to_string(),
            unsure: "whisper-tiny.en".to_string(),
        }
    }
}

impl RecognitionConfig {
    /// What hears a language unless the configuration says otherwise; `None` for one that no model hears.
    pub fn of_language(tag: &str) -> Option<Self> {
        match tag {
            "en" => Some(Self::default()),
            "zh" => Some(Self::only("whisper-base")),
            _ => None,
        }
    }

    /// One model for everything.
    pub fn only(model: &str) -> Self {
        let name = || model.to_string();
        Self { partials: name(), finals: name(), expected: name(), unsure: name() }
    }
}

/// Threads, voice and cache of the engines. One thread each is what measures best on two cores (`benches/README.md`): a
/// second recogniser or voice takes 100 MB more and answers no sooner, four callers at once included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Recognitions that run at the same time, one thread each. At most the number of cores.
    pub recognition_threads: usize,
    /// Sentences that are rendered at the same time, one thread and one copy of the voice (100 MB) each.
    pub synthesis_threads: usize,
    /// Which model recognises what.
    pub recognition: RecognitionConfig,
    /// The same for each language that is loaded besides English, by its tag (`zh`).
    pub languages: BTreeMap<String, RecognitionConfig>,
    /// Voice of lines whose plan names none.
    pub voice: String,
    /// Length of the voice's sounds against the model's own: 1.0 as trained, more is slower.
    pub voice_length: f32,
    /// How much the voice varies from one rendering to the next: 0.667 as trained, 0 is always alike.
    pub voice_noise: f32,
    /// Rendered prompts kept in memory, bytes (16 kB a second of speech at 8 kHz).
    pub prompts_memory_bytes: u64,
    /// Where rendered prompts are kept over a restart; nowhere if absent.
    pub prompts_dir: Option<PathBuf>,
    /// Bound of that folder, bytes.
    pub prompts_dir_bytes: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            recognition_threads: 1,
            synthesis_threads: 1,
            recognition: RecognitionConfig::default(),
            languages: BTreeMap::new(),
            voice: "en_US-joe-medium".to_string(),
            voice_length: 1.0,
            voice_noise: 0.667,
            prompts_memory_bytes: 64 << 20,
            prompts_dir: None,
            prompts_dir_bytes: 256 << 20,
        }
    }
}
