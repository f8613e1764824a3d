//! The sentence embedder of the author's commands: the model that calls use, with what plans and scenarios say kept on
//! disk beside it; or, where the model is not installed, shared words alone, and a note that says so.

use crate::call::ports::Embedder;
use crate::engine::embeddings::{EmbeddingStore, Embeddings};
use crate::engine::models::Registry;
use crate::nlu::language;
use crate::sim;

/// By what the meaning of a sentence is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Meaning {
    /// The model if it is installed, else words.
    #[default]
    Auto,
    /// The sentence model that calls use.
    Model,
    /// Shared words only: quick, the same everywhere, and blind for paraphrases.
    Words,
}

/// The models' names in the registry, English's and that of all other languages, and the length of their vectors.
const MODEL: &str = "minilm-l6";
const MULTILINGUAL: &str = "e5-small";
const DIMENSIONS: usize = 384;

/// Embeds sentences.
pub(super) struct Sentences {
    meaning: Meaning,
    /// The model's name.
    name: &'static str,
    known: Option<Embeddings>,
    /// Loaded when the first unknown sentence comes.
    model: Option<Box<dyn Embedder>>,
    /// Why a sentence could not be embedded; kept for the end.
    trouble: Option<String>,
}

impl Sentences {
    /// Fails only where the model is asked for and not there.
    pub(super) fn new(meaning: Meaning) -> anyhow::Result<Self> {
        Self::by(meaning, MODEL)
    }

    /// Goes on in the language of a plan: another model may understand it.
    pub(super) fn speak(&mut self, language: &str) -> anyhow::Result<()> {
        let name = if language::of(language).tag() == "en" { MODEL } else { MULTILINGUAL };
        if name != self.name {
            self.check()?;
            *self = Self::by(self.meaning, name)?;
            if let (MULTILINGUAL, Some(_), Meaning::Auto) = (name, self.note(), self.meaning) {
                eprintln!("note: `sidetone models fetch {name}` brings the model that understands `{language}`");
            }
        }
        Ok(())
    }

    fn by(meaning: Meaning, name: &'static str) -> anyhow::Result<Self> {
        let known = match (meaning, installed(name)) {
            (Meaning::Words, _) | (Meaning::Auto, Err(_)) => None,
            (_, Ok(registry)) => Some(Embeddings::open(&EmbeddingStore::of(&registry, name))),
            (Meaning::Model, Err(why)) => return Err(why),
        };
        Ok(Self { meaning, name, known, model: None, trouble: None })
    }

    /// What the author should know of how sentences are told apart here.
    pub(super) fn note(&self) -> Option<&'static str> {
        self.known.is_none().then_some(
            "sentences are compared by their words only; `sidetone models fetch` brings the model that calls use",
        )
    }

    /// The embedding of a sentence of a plan's author, kept for the next run; all zeros, which is like nothing, when the
    /// model fails.
    pub(super) fn embed(&mut self, text: &str) -> Vec<f32> {
        let Some(known) = &mut self.known else { return sim::embed(text) };
        if let Some(vector) = known.get(text) {
            return vector;
        }
        match self.compute(text) {
            Ok(vector) => {
                if let Some(known) = &mut self.known {
                    known.put(text, &vector);
                }
                vector
            }
            Err(error) => {
                self.trouble.get_or_insert(error.to_string());
                vec![0.0; DIMENSIONS]
            }
        }
    }

    /// The same for what somebody said: nothing of it is kept.
    pub(super) fn embed_once(&mut self, text: &str) -> Vec<f32> {
        if self.known.is_none() {
            return sim::embed(text);
        }
        self.compute(text).unwrap_or_else(|error| {
            self.trouble.get_or_insert(error.to_string());
            vec![0.0; DIMENSIONS]
        })
    }

    fn compute(&mut self, text: &str) -> anyhow::Result<Vec<f32>> {
        let model = match &mut self.model {
            Some(model) => model,
            None => self.model.insert(load(self.name)?),
        };
        Ok(model.embed(text)?)
    }

    /// What went wrong, if anything did: then what was found out means nothing. Keeps what is new.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        if let Some(known) = &mut self.known {
            known.save();
        }
        match &self.trouble {
            Some(why) => anyhow::bail!("a sentence could not be embedded: {why}"),
            None => Ok(()),
        }
    }
}

/// The registry, if the model lies where it says. Whether it is whole is seen when it is loaded.
fn installed(model: &str) -> anyhow::Result<Registry> {
    let registry = Registry::builtin();
    for name in [model, "onnxruntime"] {
        let there = registry.model(name)?.files.iter().all(|file| registry.location(file).is_file());
        anyhow::ensure!(there, "the model {name} is not there; `sidetone models fetch` brings it");
    }
    anyhow::ensure!(cfg!(feature = "onnx"), "this sidetone was built without sentence embeddings (the feature `onnx`)");
    Ok(registry)
}

#[cfg(feature = "onnx")]
fn load(name: &str) -> anyhow::Result<Box<dyn Embedder>> {
    use crate::engine::{e5::E5, minilm::MiniLm, onnx};

    let registry = Registry::builtin();
    if name == MULTILINGUAL {
        return Ok(Box::new(E5::load(&registry.path(name, "model.bin")?)?));
    }
    onnx::load(&registry.path("onnxruntime", "libonnxruntime.so")?)?;
    Ok(Box::new(MiniLm::load(&registry.path(MODEL, "model.onnx")?, &registry.path(MODEL, "tokenizer.json")?)?))
}

#[cfg(not(feature = "onnx"))]
fn load(_name: &str) -> anyhow::Result<Box<dyn Embedder>> {
    anyhow::bail!("this sidetone was built without sentence embeddings (the feature `onnx`)")
}
