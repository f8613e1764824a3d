//! Which recogniser hears what: by role, and by what is expected.
//!
//! Owns the choice and the loading. A worker has one of each model that is named; Whisper's weights are shared.

use std::path::PathBuf;
use std::sync::Arc;

use super::models::Registry;
use super::moonshine::Moonshine;
use super::pool::Factory;
use super::whisper::{Tongue, WhisperModel};
use super::{EngineError, RecognitionConfig, onnx};
use crate::call::ports::{AbortFlag, Hint, JobError, Recognizer, Role, Spoken, Transcript};
use crate::nlu::word_errors::spoken_words;
use crate::nlu::yes_no::yes_no;

/// Makes recognisers as `config` wants them. Looks at every file now, so that what is missing is told at the start.
pub fn recognition(registry: &Registry, config: &RecognitionConfig) -> Result<Factory<dyn Recognizer>, EngineError> {
    recognition_of(registry, config, Tongue::English)
}

/// The same for one language.
pub(super) fn recognition_of(
    registry: &Registry,
    config: &RecognitionConfig,
    tongue: Tongue,
) -> Result<Factory<dyn Recognizer>, EngineError> {
    let mut names: Vec<&str> = Vec::new();
    for name in [&config.partials, &config.finals, &config.expected, &config.unsure] {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let at = |name: &str| names.iter().position(|known| *known == name).unwrap_or(0);
    let roles = Roles {
        partials: at(&config.partials),
        finals: at(&config.finals),
        expected: at(&config.expected),
        unsure: at(&config.unsure),
    };
    let models: Vec<Model> = names.iter().map(|name| Model::find(registry, name)).collect::<Result<_, _>>()?;
    Ok(Arc::new(move || {
        let models = models.iter().map(|model| model.recognizer(tongue)).collect::<Result<_, _>>()?;
        Ok(Box::new(Ears { models, roles }) as Box<dyn Recognizer>)
    }))
}

/// Shorter sounds, with what is kept before and after speech, hold a word alone: 16 kHz samples.
const ALONE: usize = 16_000 * 11 / 10;
/// Below this confidence another model is asked too. Of prompts in a studio voice that is one in seven; of orders in
/// many accents one in two, three quarters of which Moonshine has wrong.
const SURE: f32 = 0.86;

/// The same for a plain yes or no, which hardly anything else sounds like.
const SURE_OF_YES: f32 = 0.7;

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

    fn recognizer(&self, tongue: Tongue) -> Result<Box<dyn Recognizer>, EngineError> {
        Ok(match self {
            Self::Whisper(model) => Box::new(model.recognizer_of(tongue)?),
            Self::Moonshine { encoder, decoder, tokenizer } => Box::new(Moonshine::load(encoder, decoder, tokenizer)?),
        })
    }
}

/// Places in [`Ears::models`].
#[derive(Debug, Clone, Copy)]
struct Roles {
    partials: usize,
    finals: usize,
    expected: usize,
    unsure: usize,
}

struct Ears {
    models: Vec<Box<dyn Recognizer>>,
    roles: Roles,
}

impl Ears {
    fn hear(&mut self, of: usize, sound: &Sound<'_>) -> Result<Transcript, JobError> {
        match self.models.get_mut(of) {
            Some(model) => model.recognize(sound.pcm, sound.hint, sound.role, sound.abort),
            None => Err(JobError::Failed("no recogniser has this role".to_string())),
        }
    }
}

struct Sound<'a> {
    pcm: &'a [f32],
    hint: &'a Hint,
    role: Role,
    abort: &'a AbortFlag,
}

impl Recognizer for Ears {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        let roles = self.roles;
        let sound = Sound { pcm, hint, role, abort };
        let other = match (role, hint) {
            (Role::Partial, _) => return self.hear(roles.partials, &sound),
            (Role::Final, Hint::Digits { .. }) => return self.hear(roles.expected, &sound),
            (Role::Final, Hint::Open | Hint::Topics(_)) if pcm.len() < ALONE => return self.hear(roles.unsure, &sound),
            (Role::Final, Hint::Open | Hint::Topics(_)) => roles.unsure,
            (Role::Final, _) => roles.expected,
        };
        let first = self.hear(roles.finals, &sound)?;
        if other == roles.finals || is_enough(hint, &first) {
            return Ok(first);
        }
        let second = self.hear(other, &sound)?;
        Ok(if second.text.is_empty() { first } else { second })
    }

    /// By the first model that can tell.
    fn language(&mut self, pcm: &[f32], among: &[&'static str]) -> Result<Spoken, JobError> {
        let mut told = Err(JobError::Failed("no recogniser tells languages".to_string()));
        for model in &mut self.models {
            told = model.language(pcm, among);
            if told.is_ok() {
                break;
            }
        }
        told
    }
}

/// Whether no other model need be asked: it is sure, and answers what was hoped for.
fn is_enough(hint: &Hint, heard: &Transcript) -> bool {
    let sure = heard.confidence >= SURE;
    match hint {
        Hint::YesNo => yes_no(&heard.text).is_some_and(|(_, plain)| plain >= SURE && heard.confidence >= SURE_OF_YES),
        Hint::Words(expected) => sure && expected.split(',').any(|phrase| says(&heard.text, phrase)),
        _ => sure,
    }
}

fn says(text: &str, phrase: &str) -> bool {
    let (text, phrase) = (spoken_words(text), spoken_words(phrase));
    !phrase.is_empty() && text.windows(phrase.len()).any(|words| words == phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, f32);

    impl Recognizer for Named {
        fn recognize(&mut self, _: &[f32], _: &Hint, _: Role, _: &AbortFlag) -> Result<Transcript, JobError> {
            Ok(Transcript { text: self.0.to_string(), confidence: self.1 })
        }
    }

    fn ears(confidence: f32) -> Ears {
        let models = [("quick", 0.2), ("good", confidence), ("counts", 0.1), ("again", 0.1)];
        let models = models.map(|(name, confidence)| Box::new(Named(name, confidence)) as Box<dyn Recognizer>);
        Ears { models: models.into(), roles: Roles { partials: 0, finals: 1, expected: 2, unsure: 3 } }
    }

    #[test]
    fn each_role_goes_to_its_model() {
        let six = Hint::Digits { least: 6, most: 6 };
        for (role, hint, seconds, expected) in [
            (Role::Partial, &Hint::Open, 2, "quick"),
            (Role::Partial, &six, 2, "quick"),
            (Role::Final, &Hint::Open, 2, "good"),
            (Role::Final, &Hint::Open, 1, "again"),
            (Role::Final, &Hint::YesNo, 2, "counts"),
            (Role::Final, &six, 2, "counts"),
        ] {
            let sound = vec![0.0; 16_000 * seconds];
            let heard = ears(0.9).recognize(&sound, hint, role, &AbortFlag::default()).unwrap();
            assert_eq!(heard.text, expected, "{role:?} {hint:?}");
        }
    }

    #[test]
    fn a_sure_answer_that_was_hoped_for_is_enough() {
        let heard = |text: &str, confidence| Transcript { text: text.to_string(), confidence };
        let menu = Hint::Words("savings account, checking".into());
        for (hint, text, confidence, enough) in [
            (&Hint::YesNo, "Yes, please.", 0.75, true),
            (&Hint::YesNo, "Yes, please.", 0.6, false),
            (&Hint::YesNo, "Chess.", 0.95, false),
            (&menu, "My savings account, please.", 0.9, true),
            (&menu, "My savings account, please.", 0.8, false),
            (&menu, "My shavings account.", 0.9, false),
            (&Hint::Date, "Next Monday.", 0.9, true),
            (&Hint::Open, "I lost my card.", 0.9, true),
            (&Hint::Open, "I lost my guard.", 0.7, false),
        ] {
            assert_eq!(is_enough(hint, &heard(text, confidence)), enough, "{hint:?} {text} {confidence}");
        }
    }

    #[test]
    fn another_model_is_asked_when_the_first_is_unsure() {
        let heard = ears(0.5).recognize(&[0.0; 32_000], &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
        assert_eq!(heard.text, "again");
        let mut one = ears(0.5);
        one.roles.unsure = one.roles.finals;
        let heard = one.recognize(&[0.0; 32_000], &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
        assert_eq!(heard.text, "good", "there is no other");
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
