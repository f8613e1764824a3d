//! Which recogniser hears what: by role, and by what is expected.
//!
//! Owns the choice and the loading. A worker has one of each model that is named; Whisper's weights are shared.

use std::path::PathBuf;
use std::sync::Arc;

use super::models::Registry;
use super::moonshine::Moonshine;
use super::pool::Factory;
use super::whisper::WhisperModel;
use super::{EngineError, RecognitionConfig, onnx};
use crate::call::ports::{AbortFlag, Hint, JobError, Recognizer, Role, Transcript};

/// Makes recognisers as `config` wants them. Looks at every file now, so that what is missing is told at the start.
pub fn recognition(registry: &Registry, config: &RecognitionConfig) -> Result<Factory<dyn Recognizer>, EngineError> {
    let mut names: Vec<&str> = Vec::new();
    for name in [&config.partials, &config.finals, &config.digits] {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let at = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    let roles = Roles { partials: at(&config.partials), finals: at(&config.finals), digits: at(&config.digits) };
    let models: Vec<Model> = names.iter().map(|name| Model::find(registry, name)).collect::<Result<_, _>>()?;
    Ok(Arc::new(move || {
        let models = models.iter().map(Model::recognizer).collect::<Result<_, _>>()?;
        Ok(Box::new(Ears { models, roles }) as Box<dyn Recognizer>)
    }))
}

/// A model of which recognisers can be made.
enum Model {
    Whisper(WhisperModel),
    Moonshine { encoder: PathBuf, decoder: PathBuf, tokenizer: PathBuf },
}

impl Model {
    /// Its files tell what it is.
    fn find(registry: &Registry, name: &str) -> Result<Self, EngineError> {
        let unknown = |error: super::models::ModelError| EngineError::Registry(error.to_string());
        let file = |file: &str| registry.path(name, file).map_err(unknown);
        let files = &registry.model(name).map_err(unknown)?.files;
        if files.iter().any(|file| file.name == "model.bin") {
            return Ok(Self::Whisper(WhisperModel::load(&file("model.bin")?)?));
        }
        if files.iter().any(|file| file.name == "decoder.ort") {
            onnx::load(&registry.path("onnxruntime", "libonnxruntime.so").map_err(unknown)?)?;
            let (encoder, decoder) = (file("encoder.ort")?, file("decoder.ort")?);
            return Ok(Self::Moonshine { encoder, decoder, tokenizer: file("tokenizer.bin")? });
        }
        Err(EngineError::Registry(format!("`{name}` recognises no speech: name a Whisper or a Moonshine model")))
    }

    fn recognizer(&self) -> Result<Box<dyn Recognizer>, EngineError> {
        Ok(match self {
            Self::Whisper(model) => Box::new(model.recognizer()?),
            Self::Moonshine { encoder, decoder, tokenizer } => Box::new(Moonshine::load(encoder, decoder, tokenizer)?),
        })
    }
}

/// Places in [`Ears::models`].
#[derive(Debug, Clone, Copy)]
struct Roles {
    partials: usize,
    finals: usize,
    digits: usize,
}

struct Ears {
    models: Vec<Box<dyn Recognizer>>,
    roles: Roles,
}

impl Recognizer for Ears {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        let of = match (role, hint) {
            (Role::Partial, _) => self.roles.partials,
            (Role::Final, Hint::Digits { .. }) => self.roles.digits,
            (Role::Final, _) => self.roles.finals,
        };
        match self.models.get_mut(of) {
            Some(model) => model.recognize(pcm, hint, role, abort),
            None => Err(JobError::Failed("no recogniser has this role".to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str);

    impl Recognizer for Named {
        fn recognize(&mut self, _: &[f32], _: &Hint, _: Role, _: &AbortFlag) -> Result<Transcript, JobError> {
            Ok(Transcript { text: self.0.to_string(), confidence: 1.0 })
        }
    }

    #[test]
    fn each_role_goes_to_its_model() {
        let models = ["quick", "good", "counts"].map(|name| Box::new(Named(name)) as Box<dyn Recognizer>);
        let mut ears = Ears { models: models.into(), roles: Roles { partials: 0, finals: 1, digits: 2 } };
        let six = Hint::Digits { least: 6, most: 6 };
        for (role, hint, expected) in [
            (Role::Partial, &Hint::Open, "quick"),
            (Role::Partial, &six, "quick"),
            (Role::Final, &Hint::YesNo, "good"),
            (Role::Final, &six, "counts"),
        ] {
            let heard = ears.recognize(&[], hint, role, &AbortFlag::default()).unwrap();
            assert_eq!(heard.text, expected, "{role:?} {hint:?}");
        }
    }

    #[test]
    fn a_model_that_is_no_recogniser_is_refused_by_name() {
        let error = recognition(&Registry::builtin(), &RecognitionConfig::only("silero-vad")).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("`silero-vad` recognises no speech"), "{error}");
        let error =
            recognition(&Registry::builtin(), &RecognitionConfig::only("whisper-huge")).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("whisper-huge"), "{error}");
    }
}
