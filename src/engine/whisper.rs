//! Speech to text by whisper.cpp (Radford et al. 2022), one utterance at a time.
//!
//! Owns how Whisper is run on short telephone utterances: how much of its 30 s window is computed, when a result is
//! not believed and tried once more with all of it, and what of its text is speech. Weights are loaded once and shared;
//! each recogniser has a state of its own (about 60 MB).

use std::path::Path;
use std::sync::{Arc, Mutex};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperError, WhisperState, WhisperTokenId,
    get_lang_id, install_logging_hooks,
};

use super::EngineError;
use super::lane::lock;
use super::tidy::{fits, is_implausible, says_twice, speech_only, without_loop, without_run};
pub use super::whisper_language::Tongue;
use crate::call::ports::{AbortFlag, Hint, JobError, Recognizer, Role, Spoken, Transcript};

const RATE: usize = 16_000;
/// A sound that never rises above this is silence: -60 dBFS.
const FAINTEST: f32 = 0.001;
/// Encoder positions of the whole window of 30 s: 50 a second.
const FULL_CONTEXT: i32 = 1500;
/// Fewer make Whisper repeat itself even on the shortest utterance.
const LEAST_CONTEXT: i32 = 512;
/// whisper.cpp computes nothing of less than 100 ms; what is shorter is padded to this.
const LEAST_SAMPLES: usize = RATE / 4;
/// A language is told by so much of an utterance at most: 7 s, which the least context holds.
const LANGUAGE_SAMPLES: usize = 7 * RATE;
/// Letters of expected words that are used, and the tokens that they may take: half of what Whisper reads at most.
const MOST_PROMPT: usize = 400;
const PROMPT_TOKENS: usize = 220;

/// Weights, shared by the recognisers made of them.
#[derive(Debug, Clone)]
pub struct WhisperModel(Arc<WhisperContext>);

impl WhisperModel {
    /// Loads a model in whisper.cpp's ggml format.
    pub fn load(path: &Path) -> Result<Self, EngineError> {
        install_logging_hooks();
        // whisper.cpp says nothing that could be shown when a file is missing or short, so that is looked at first.
        let size = std::fs::metadata(path)
            .map_err(|error| EngineError::File { path: path.to_path_buf(), why: error.to_string() })?
            .len();
        let context = WhisperContext::new_with_params(path, WhisperContextParameters::new())
            .map_err(|error| EngineError::model("whisper", format!("{} ({size} bytes): {error}", path.display())))?;
        Ok(Self(Arc::new(context)))
    }

    /// A recogniser of English for one worker thread.
    pub fn recognizer(&self) -> Result<Whisper, EngineError> {
        self.recognizer_of(Tongue::English)
    }

    /// A recogniser for one worker thread; a model of English alone hears no other language.
    pub fn recognizer_of(&self, tongue: Tongue) -> Result<Whisper, EngineError> {
        if tongue != Tongue::English && !self.0.is_multilingual() {
            return Err(EngineError::model("whisper", "this model hears English only: name a multilingual one"));
        }
        let state = self.0.create_state().map_err(|error| EngineError::model("whisper", error))?;
        let abort = Arc::new(Mutex::new(AbortFlag::default()));
        let prompt = |text| self.prompt(text).map_err(|error| EngineError::model("whisper", error));
        let [open, digits, yes_no, date] = tongue.prompts();
        Ok(Whisper {
            open: if open.is_empty() { Vec::new() } else { prompt(open)? },
            digits: prompt(digits)?,
            yes_no: prompt(yes_no)?,
            date: prompt(date)?,
            tongue,
            model: self.clone(),
            state,
            parameters: parameters(&abort, tongue),
            abort,
        })
    }

    /// A prompt as tokens: whisper-rs never frees one that is given as text.
    fn prompt(&self, text: &str) -> Result<Vec<WhisperTokenId>, WhisperError> {
        self.0.tokenize(text, PROMPT_TOKENS)
    }
}

/// A recogniser: one state of a [`WhisperModel`].
pub struct Whisper {
    model: WhisperModel,
    state: WhisperState,
    /// Made once: whisper-rs never frees the callback of a parameter set.
    parameters: FullParams<'static, 'static>,
    tongue: Tongue,
    open: Vec<WhisperTokenId>,
    digits: Vec<WhisperTokenId>,
    yes_no: Vec<WhisperTokenId>,
    date: Vec<WhisperTokenId>,
    /// The running job's flag, which the parameters' abort callback looks at.
    abort: Arc<Mutex<AbortFlag>>,
}

fn parameters(abort: &Arc<Mutex<AbortFlag>>, tongue: Tongue) -> FullParams<'static, 'static> {
    let mut params = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    params.set_language(Some(tongue.code()));
    // Two threads spin on each other as soon as the cores are busy; more utterances at once use the cores better.
    params.set_n_threads(1);
    params.set_no_timestamps(true);
    params.set_single_segment(true);
    params.set_no_context(true);
    params.set_suppress_blank(true);
    params.set_suppress_nst(true);
    // No second tries at a higher temperature: they cost seconds, and `recognize` has its own.
    params.set_temperature_inc(0.0);
    params.set_print_progress(false);
    params.set_print_realtime(false);
    params.set_print_timestamps(false);
    // whisper-rs 0.16 hands its callback a pointer to a `Box<dyn FnMut() -> bool>`, and reads it back as the type that
    // it was given: that type must be this very box.
    let flag = abort.clone();
    let callback: Box<dyn FnMut() -> bool> = Box::new(move || lock(&flag).is_aborted());
    params.set_abort_callback_safe::<_, Box<dyn FnMut() -> bool>>(callback);
    params
}

/// Encoder positions for so much audio: 50 a second and a margin (GROUND.md, trap 7).
fn context_for(samples: usize) -> i32 {
    let needed = (samples * 50).div_ceil(RATE) + 128;
    i32::try_from(needed).unwrap_or(FULL_CONTEXT).clamp(LEAST_CONTEXT, FULL_CONTEXT)
}

/// More tokens than anyone says in that time: a loop ends here.
fn token_cap(samples: usize, tongue: Tongue) -> i32 {
    i32::try_from(12 + samples * tongue.tokens_per_second() / RATE).unwrap_or(i32::MAX).min(220)
}

impl Whisper {
    fn run(&mut self, pcm: &[f32], hint: &Hint, context: i32) -> Result<Transcript, JobError> {
        let words;
        let prompt = match hint {
            Hint::Open => &self.open[..],
            Hint::Digits { .. } => &self.digits,
            Hint::YesNo => &self.yes_no,
            Hint::Date => &self.date,
            Hint::Words(text) | Hint::Topics(text) => {
                let cut: String = text.chars().filter(|c| *c != '\0').take(MOST_PROMPT).collect();
                // More tokens than fit: odd text, which helps nobody.
                words = self.model.prompt(&cut).unwrap_or_default();
                &words
            }
        };
        let mut params: FullParams<'_, '_> = self.parameters.clone();
        params.set_tokens(prompt);
        params.set_audio_ctx(context);
        params.set_max_tokens(token_cap(pcm.len(), self.tongue));
        let outcome = self.state.full(params, pcm);
        if lock(&self.abort).is_aborted() {
            return Err(JobError::Skipped);
        }
        outcome.map_err(|error| JobError::Failed(error.to_string()))?;
        Ok(self.transcript())
    }

    fn transcript(&self) -> Transcript {
        let (mut text, mut sum, mut tokens) = (String::new(), 0.0, 0u32);
        for segment in self.state.as_iter() {
            // A cap in the middle of a character leaves half of it.
            text.push_str(&segment.to_str_lossy().unwrap_or_default());
            for token in (0..segment.n_tokens()).filter_map(|n| segment.get_token(n)) {
                sum += token.token_probability();
                tokens += 1;
            }
        }
        let text = self.tongue.written(speech_only(&text));
        let confidence = sum / tokens.max(1) as f32;
        if text.is_empty() || self.tongue.is_made_up(&text, confidence) {
            return Transcript::default();
        }
        Transcript { text, confidence }
    }
}

/// The likeliest of these languages, by Whisper's probabilities of all that it knows.
fn likeliest(all: &[f32], among: &[&'static str]) -> Option<Spoken> {
    let of = |tag: &str| get_lang_id(tag).and_then(|id| all.get(usize::try_from(id).ok()?)).copied().unwrap_or(0.0);
    let sum: f32 = among.iter().map(|tag| of(tag)).sum();
    let language = *among.iter().max_by(|a, b| of(a).total_cmp(&of(b)))?;
    (sum > 0.0).then(|| Spoken { language, probability: of(language) / sum })
}

impl Recognizer for Whisper {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        // Out of nothing Whisper makes whole sentences, in some languages with confidence.
        if pcm.iter().all(|sample| sample.abs() < FAINTEST) {
            return Ok(Transcript::default());
        }
        let mut padded = Vec::new();
        let pcm = if pcm.len() < LEAST_SAMPLES {
            padded.extend_from_slice(pcm);
            padded.resize(LEAST_SAMPLES, 0.0);
            &padded
        } else {
            pcm
        };
        *lock(&self.abort) = abort.clone();
        let context = context_for(pcm.len());
        let first = self.run(pcm, hint, context)?;
        let seconds = pcm.len() as f32 / RATE as f32;
        let tongue = self.tongue;
        let looped = |text: &str| without_loop(text).or_else(|| tongue.without_loop(text));
        let tidied = |heard: Transcript| {
            let text = looped(&heard.text).unwrap_or(heard.text);
            let text = without_run(&text, seconds).unwrap_or(text);
            Transcript { text, ..heard }
        };
        let loops = looped(&first.text).is_some() || without_run(&first.text, seconds).is_some();
        let odd = loops || says_twice(&first.text) || is_implausible(&first.text, seconds);
        if (!odd && fits(hint, &first.text)) || context == FULL_CONTEXT || role == Role::Partial {
            return Ok(tidied(first));
        }
        let second = self.run(pcm, hint, FULL_CONTEXT)?;
        Ok(tidied(second))
    }

    /// One run of the encoder and one step of the decoder.
    fn language(&mut self, pcm: &[f32], among: &[&'static str]) -> Result<Spoken, JobError> {
        let failed = |error: WhisperError| JobError::Failed(error.to_string());
        if !self.model.0.is_multilingual() {
            return Err(JobError::Failed("this model hears English only".to_string()));
        }
        let pcm = &pcm[..pcm.len().min(LANGUAGE_SAMPLES)];
        if pcm.len() < LEAST_SAMPLES {
            return Err(JobError::Failed("too little was said to tell its language".to_string()));
        }
        *lock(&self.abort) = AbortFlag::default();
        // whisper.cpp takes the context of the run before it. This run makes the spectrogram, and is told to stop at 100 ms:
        // before it has computed anything else.
        let mut params = self.parameters.clone();
        params.set_audio_ctx(context_for(pcm.len()));
        params.set_duration_ms(100);
        self.state.full(params, pcm).map_err(failed)?;
        let (_, all) = self.state.lang_detect(0, 1).map_err(failed)?;
        likeliest(&all, among).ok_or_else(|| JobError::Failed("it is none of these languages".to_string()))
    }
}
