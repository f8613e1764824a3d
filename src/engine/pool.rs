//! The engines as a call sees them: jobs in, replies out, never waiting.
//!
//! Owns the lanes (one a kind of job), the voice thread and the prompts cache. Clones share them; when the last is
//! dropped the threads end by themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::embeddings::{EmbeddingStore, Embeddings};
use super::lane::{Build, Job, Lane, LaneOptions, lock};
use super::prompts::{PromptKey, PromptLimits, Prompts};
use super::queue::{Class, Entry};
use super::scripted::{
    ScriptedEmbedder, ScriptedRecognizer, ScriptedTurnDetector, ScriptedVoice, ScriptedVoiceDetector,
};
use super::voice::{VoiceEngine, VoiceSink, VoiceStream};
use super::{EngineError, now};
use crate::audio::{Rate, resample};
use crate::call::ports::{
    AbortFlag, Done, EmbedJob, Embedder, JobError, Keep, LanguageJob, RecognizeJob, Recognizer, Reply, Role, Spoken,
    SynthesizeJob, Synthesizer, Tone, Transcript, TurnDetector, TurnEndJob, VoiceDetector,
};
use crate::nlu::language;

/// Jobs that may wait, a kind. At 100 ms a job a full queue is seconds late already: refusing is kinder.
const WAITING_RECOGNITIONS: usize = 64;
const WAITING_SENTENCES: usize = 64;
const WAITING_EMBEDDINGS: usize = 256;
/// A pause is asked about once or twice; an answer that comes half a second late is of no use.
const WAITING_TURN_ENDS: usize = 16;
/// Added to the worker threads' nice value: media and signalling go first, at three times the weight, and yet a busy
/// neighbour on the machine does not starve recognition.
const NICE: i32 = 5;
/// Voices that one worker keeps loaded (100 MB each); the least recently used goes.
const VOICES_LOADED: usize = 2;
/// The language that is always there.
const ENGLISH: &str = "en";
/// Whisper's rate, Hz.
const RECOGNIZER_HZ: u32 = 16_000;

/// Makes a model for a worker: once at its start, and again after a panic.
pub type Factory<T> = Arc<dyn Fn() -> Result<Box<T>, EngineError> + Send + Sync>;
/// Makes a voice by its name.
pub type VoiceFactory = Arc<dyn Fn(&str) -> Result<Box<dyn Synthesizer>, EngineError> + Send + Sync>;

/// What the engines are made of.
pub struct EngineOptions {
    /// Makes recognisers.
    pub recognizer: Factory<dyn Recognizer>,
    /// How many run at the same time.
    pub recognition_threads: usize,
    /// Makes voices.
    pub voice: VoiceFactory,
    /// Loaded at the start by every synthesis worker; others when first asked for.
    pub default_voice: String,
    /// All that shapes the sound of a voice, by its name: its model, how it is told to speak. Part of the prompts' keys.
    pub manner: Arc<dyn Fn(&str) -> String + Send + Sync>,
    /// How many sentences are rendered at the same time.
    pub synthesis_threads: usize,
    /// Makes the detector of finished turns.
    pub turn_detector: Factory<dyn TurnDetector>,
    /// Makes the embedder.
    pub embedder: Factory<dyn Embedder>,
    /// Makes the voice detector.
    pub detector: Factory<dyn VoiceDetector>,
    /// Bounds of the prompts cache.
    pub prompts: PromptLimits,
    /// Where the embeddings of plans' texts are kept.
    pub embeddings: EmbeddingStore,
    /// The languages that are heard and understood besides English.
    pub languages: Vec<LanguageOptions>,
    /// Whether the same engines serve any language: those without models do.
    pub any_language: bool,
}

/// What one further language is heard and understood by, in threads of its own.
pub struct LanguageOptions {
    /// Its tag, without a region: `zh`.
    pub tag: String,
    /// Makes recognisers.
    pub recognizer: Factory<dyn Recognizer>,
    /// Makes the embedder.
    pub embedder: Factory<dyn Embedder>,
    /// Where the embeddings of plans' texts are kept.
    pub embeddings: EmbeddingStore,
}

impl EngineOptions {
    /// What [`Engines::scripted`] starts; a test replaces what it is about.
    pub fn scripted() -> Self {
        Self {
            recognizer: Arc::new(|| Ok(Box::new(ScriptedRecognizer))),
            recognition_threads: 1,
            voice: Arc::new(|_| Ok(Box::new(ScriptedVoice))),
            default_voice: "scripted".to_string(),
            manner: Arc::new(str::to_string),
            synthesis_threads: 1,
            turn_detector: Arc::new(|| Ok(Box::new(ScriptedTurnDetector))),
            embedder: Arc::new(|| Ok(Box::new(ScriptedEmbedder))),
            detector: Arc::new(|| Ok(Box::new(ScriptedVoiceDetector))),
            prompts: PromptLimits { memory_bytes: 16 << 20, disk: None },
            embeddings: EmbeddingStore::default(),
            languages: Vec::new(),
            any_language: true,
        }
    }
}

/// The engines. Cheap to clone.
#[derive(Clone)]
pub struct Engines {
    shared: Arc<Shared>,
    /// The call whose handle this is, if it is one call's: see [`Engines::for_call`].
    call: Option<u64>,
    /// Place of its language in [`Shared::tongues`].
    tongue: usize,
}

/// What hears and understands one language.
struct Tongue {
    tag: String,
    recognition: Lane<HearTask>,
    embedding: Lane<EmbedTask>,
    embeddings: Mutex<Embeddings>,
}

struct Shared {
    /// English first.
    tongues: Vec<Tongue>,
    any_language: bool,
    synthesis: Lane<SynthesizeTask>,
    turn_end: Lane<TurnEndTask>,
    voice: VoiceEngine,
    prompts: Arc<Prompts>,
    manner: Arc<dyn Fn(&str) -> String + Send + Sync>,
    calls: AtomicU64,
}

impl Engines {
    /// Starts all threads, and returns when every model is loaded.
    ///
    /// Metrics are registered here: a recorder that is installed later sees none of them.
    pub fn start(options: EngineOptions) -> Result<Self, EngineError> {
        let prompts = Arc::new(Prompts::open(&options.prompts));
        let lane = |name, threads, capacity| LaneOptions { name, threads, capacity, nice: NICE };
        let (recognizer, embedder, embeddings) = (options.recognizer, options.embedder, options.embeddings);
        let english = LanguageOptions { tag: ENGLISH.to_string(), recognizer, embedder, embeddings };
        let languages: Vec<LanguageOptions> = std::iter::once(english).chain(options.languages).collect();
        let heard = lane("recognition", options.recognition_threads.max(1), WAITING_RECOGNITIONS);
        let understood = lane("embedding", 1, WAITING_EMBEDDINGS);
        let mut started = Vec::new();
        for language in &languages {
            let recognition = Lane::start(&heard, &language.recognizer)?;
            started.push((language, recognition, Lane::start(&understood, &language.embedder)?));
        }
        let (voice, default_voice, kept) = (options.voice, options.default_voice, prompts.clone());
        let voices: Build<Voices> = Arc::new(move || Voices::start(&voice, &default_voice, &kept));
        let synthesis = Lane::start(&lane("synthesis", options.synthesis_threads.max(1), WAITING_SENTENCES), &voices)?;
        let turn_end = Lane::start(&lane("turn_end", 1, WAITING_TURN_ENDS), &options.turn_detector)?;
        let shared = Shared {
            voice: VoiceEngine::start(options.detector)?,
            tongues: started
                .into_iter()
                .map(|(language, recognition, embedding)| {
                    Ok(Tongue {
                        tag: language.tag.clone(),
                        recognition: recognition.wait()?,
                        embedding: embedding.wait()?,
                        embeddings: Mutex::new(Embeddings::open(&language.embeddings)),
                    })
                })
                .collect::<Result<_, EngineError>>()?,
            any_language: options.any_language,
            synthesis: synthesis.wait()?,
            turn_end: turn_end.wait()?,
            prompts,
            manner: options.manner,
            calls: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared), call: None, tongue: 0 })
    }

    /// Engines without models: see [`scripted`](super::scripted).
    pub fn scripted() -> Result<Self, EngineError> {
        Self::start(EngineOptions::scripted())
    }

    /// The same engines for one call: a newer partial (or the final) of a turn then takes the place of an older
    /// partial that still waits. Turns are numbered within a call, so a handle that is shared replaces nothing.
    #[must_use]
    pub fn for_call(&self) -> Self {
        let call = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        Self { shared: self.shared.clone(), call: Some(call), tongue: self.tongue }
    }

    /// The same engines for callers who speak the language of a tag like `zh-CN`; `None` if it was not loaded.
    #[must_use]
    pub fn in_language(&self, tag: &str) -> Option<Self> {
        let language = language::of(tag).tag();
        let loaded = self.shared.tongues.iter().position(|tongue| tongue.tag == language);
        let tongue = loaded.or(self.shared.any_language.then_some(0))?;
        Some(Self { tongue, ..self.clone() })
    }

    fn tongue(&self) -> &Tongue {
        &self.shared.tongues[self.tongue]
    }

    /// Words of a sound; answered by [`Done::Heard`].
    pub fn recognize(&self, job: RecognizeJob, reply: Reply) {
        let class = match job.role {
            Role::Partial => Class::Partial,
            Role::Final => Class::Live,
        };
        let key = self.call.map(|call| (call, job.turn.0));
        let (deadline, job) = (job.deadline, HearTask::Words(job, reply, now()));
        self.tongue().recognition.submit(Entry { class, needed: deadline, deadline, key, job });
    }

    /// In which language it was said; answered by [`Done::Language`]. Asked of the first recogniser of another language
    /// than English that comes into question: one of English alone knows no other. Whoever waits for words there goes
    /// first.
    pub fn language(&self, job: LanguageJob, reply: Reply) {
        let tongues = &self.shared.tongues;
        let able = tongues.iter().position(|tongue| tongue.tag != ENGLISH && job.among.contains(&tongue.tag.as_str()));
        let Some(able) = able.or(self.shared.any_language.then_some(self.tongue)) else {
            let why = "no model that tells languages is loaded".to_string();
            return reply(Done::Language { turn: job.turn, result: Err(JobError::Failed(why)) });
        };
        let (deadline, job) = (job.deadline, HearTask::Language(job, reply));
        let class = Class::Partial;
        tongues[able].recognition.submit(Entry { class, needed: deadline, deadline, key: None, job });
    }

    /// Whether a turn is over; answered by [`Done::TurnEnd`]. It has a worker of its own, so that no recognition holds
    /// it up.
    pub fn turn_end(&self, job: TurnEndJob, reply: Reply) {
        let (deadline, task) = (job.deadline, TurnEndTask { job, reply, submitted: now() });
        self.shared.turn_end.submit(Entry { class: Class::Live, needed: deadline, deadline, key: None, job: task });
    }

    /// Sound of a sentence; answered by [`Done::Spoken`], at once if it was rendered before.
    pub fn synthesize(&self, job: SynthesizeJob, reply: Reply) {
        let submitted = now();
        let key = (job.keep != Keep::Nowhere).then(|| prompt_key(&(self.shared.manner)(&job.voice), &job));
        let task = SynthesizeTask { job, key, reply, submitted };
        // What is to lie on disk goes by a worker even if it is in memory: a call may have had it rendered first.
        if task.job.keep == Keep::Memory
            && let Some(pcm) = key.and_then(|key| self.shared.prompts.in_memory(&key))
        {
            return task.answer(Ok((pcm, true)));
        }
        let (needed, deadline) = (task.job.needed, task.job.deadline);
        self.shared.synthesis.submit(Entry { class: Class::Live, needed, deadline, key: None, job: task });
    }

    /// Vector of a text; answered by [`Done::Embedded`].
    pub fn embed(&self, job: EmbedJob, reply: Reply) {
        let deadline = job.deadline;
        let task = EmbedTask { text: job.text.clone(), way: Way::Call { job, reply, submitted: now() } };
        self.tongue().embedding.submit(Entry { class: Class::Live, needed: deadline, deadline, key: None, job: task });
    }

    /// Vectors of many texts, for a plan that is being loaded: blocks for about 6 ms a text that is not known from an
    /// earlier start. Calls go first. Texts of plans only: they are kept on disk.
    pub fn embed_all(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, JobError> {
        let embed = |text: String| {
            let known = lock(&self.tongue().embeddings).get(&text);
            known.map_or_else(
                || {
                    let vector = self.embed_one(text.clone())?;
                    lock(&self.tongue().embeddings).put(&text, &vector);
                    Ok(vector)
                },
                Ok,
            )
        };
        let vectors = texts.into_iter().map(embed).collect();
        lock(&self.tongue().embeddings).save();
        vectors
    }

    fn embed_one(&self, text: String) -> Result<Vec<f32>, JobError> {
        let (tell, done) = sync_channel(1);
        let task = EmbedTask { text, way: Way::Bulk(tell) };
        let deadline = now() + Duration::from_secs(60);
        self.tongue().embedding.submit(Entry { class: Class::Bulk, needed: deadline, deadline, key: None, job: task });
        done.recv().unwrap_or(Err(JobError::Skipped))
    }

    /// Speech probabilities of a leg, handed to `sink` as they come.
    pub fn voice_stream(&self, rate: Rate, sink: VoiceSink) -> VoiceStream {
        self.shared.voice.stream(rate, sink)
    }

    /// Ends the threads: what waits is answered with [`JobError::Skipped`], what runs is waited for (it blocks for as
    /// long), what is submitted later is skipped.
    pub fn shutdown(&self) {
        self.shared.voice.shutdown();
        for tongue in &self.shared.tongues {
            tongue.recognition.shutdown();
            tongue.embedding.shutdown();
        }
        self.shared.turn_end.shutdown();
        self.shared.synthesis.shutdown();
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engines").field("call", &self.call).finish_non_exhaustive()
    }
}

/// What a recogniser is asked.
enum HearTask {
    Words(RecognizeJob, Reply, Instant),
    Language(LanguageJob, Reply),
}

/// What it found.
enum Found {
    Words(Transcript),
    Language(Spoken),
}

impl HearTask {
    fn abort_flag(&self) -> &AbortFlag {
        match self {
            Self::Words(job, ..) => &job.abort,
            Self::Language(job, _) => &job.abort,
        }
    }
}

impl Job for HearTask {
    type Model = Box<dyn Recognizer>;
    type Output = Found;

    fn unwanted(&self) -> bool {
        self.abort_flag().is_aborted()
    }

    fn abort(&self) -> Option<AbortFlag> {
        match self {
            Self::Words(job, ..) => Some(job.abort.clone()),
            // It cannot be stopped once it runs, and is of use until it is done.
            Self::Language(..) => None,
        }
    }

    fn run(&self, model: &mut Self::Model) -> Result<Found, JobError> {
        match self {
            Self::Words(job, ..) => {
                model.recognize(&samples(&job.pcm, job.rate)?, &job.hint, job.role, &job.abort).map(Found::Words)
            }
            Self::Language(job, _) => model.language(&samples(&job.pcm, job.rate)?, &job.among).map(Found::Language),
        }
    }

    fn answer(self, result: Result<Found, JobError>) {
        let odd = || JobError::Failed("a recogniser answered what it was not asked".to_string());
        match self {
            Self::Words(job, reply, submitted) => {
                let result = result.and_then(|found| match found {
                    Found::Words(words) => Ok(words),
                    Found::Language(_) => Err(odd()),
                });
                reply(Done::Heard { turn: job.turn, role: job.role, result, took: submitted.elapsed() });
            }
            Self::Language(job, reply) => {
                let result = result.and_then(|found| match found {
                    Found::Language(spoken) => Ok(spoken),
                    Found::Words(_) => Err(odd()),
                });
                reply(Done::Language { turn: job.turn, result });
            }
        }
    }
}

/// Sound as the models take it: 16 kHz, -1..1.
fn samples(pcm: &[i16], rate: Rate) -> Result<Vec<f32>, JobError> {
    let pcm = resample(pcm, rate.hz(), RECOGNIZER_HZ).map_err(|error| JobError::Failed(error.to_string()))?;
    Ok(pcm.into_iter().map(|sample| f32::from(sample) / 32768.0).collect())
}

struct TurnEndTask {
    job: TurnEndJob,
    reply: Reply,
    submitted: Instant,
}

impl Job for TurnEndTask {
    type Model = Box<dyn TurnDetector>;
    type Output = f32;

    fn unwanted(&self) -> bool {
        self.job.abort.is_aborted()
    }

    fn run(&self, model: &mut Self::Model) -> Result<f32, JobError> {
        // Only the last 8 s count: no more is converted.
        let longest = self.job.rate.hz() as usize * 8;
        let pcm = &self.job.pcm[self.job.pcm.len().saturating_sub(longest)..];
        model.turn_end(&samples(pcm, self.job.rate)?)
    }

    fn answer(self, result: Result<f32, JobError>) {
        let took = self.submitted.elapsed();
        (self.reply)(Done::TurnEnd { turn: self.job.turn, result, took });
    }
}

struct SynthesizeTask {
    job: SynthesizeJob,
    /// Of the prompts cache; absent if the line must not be kept.
    key: Option<PromptKey>,
    reply: Reply,
    submitted: Instant,
}

/// A synthesis worker's voices, last used first.
struct Voices {
    make: VoiceFactory,
    loaded: Vec<(String, Box<dyn Synthesizer>)>,
    prompts: Arc<Prompts>,
}

impl Voices {
    fn start(make: &VoiceFactory, default: &str, prompts: &Arc<Prompts>) -> Result<Self, EngineError> {
        let loaded = vec![(default.to_string(), make(default)?)];
        Ok(Self { make: make.clone(), loaded, prompts: prompts.clone() })
    }

    fn voice(&mut self, name: &str) -> Result<&mut dyn Synthesizer, JobError> {
        match self.loaded.iter().position(|(loaded, _)| loaded == name) {
            Some(at) => self.loaded[..=at].rotate_right(1),
            None => {
                let voice = (self.make)(name).map_err(|error| JobError::Failed(error.to_string()))?;
                self.loaded.truncate(VOICES_LOADED - 1);
                self.loaded.insert(0, (name.to_string(), voice));
            }
        }
        Ok(self.loaded[0].1.as_mut())
    }
}

impl Job for SynthesizeTask {
    type Model = Voices;
    type Output = (Arc<[i16]>, bool);

    fn unwanted(&self) -> bool {
        false
    }

    fn run(&self, voices: &mut Voices) -> Result<Self::Output, JobError> {
        let prompts = voices.prompts.clone();
        let on_disk = self.job.keep == Keep::Disk;
        if let Some(key) = self.key {
            // Memory again: the same line may have been rendered while this job waited.
            if let Some(pcm) = prompts.in_memory(&key) {
                if on_disk {
                    prompts.keep_on_disk(&key, &pcm);
                }
                return Ok((pcm, true));
            }
            if let Some(pcm) = prompts.on_disk(&key) {
                return Ok((pcm, true));
            }
        }
        let voice = voices.voice(&self.job.voice)?;
        voice.tone(self.job.tone);
        let pcm = voice.synthesize_at(&self.job.text, self.job.tempo)?;
        let pcm = resample(&pcm, voice.sample_rate(), self.job.rate.hz())
            .map_err(|error| JobError::Failed(error.to_string()))?;
        let pcm: Arc<[i16]> = pcm.into();
        if let Some(key) = self.key {
            prompts.keep(key, &pcm);
            if on_disk {
                prompts.keep_on_disk(&key, &pcm);
            }
        }
        Ok((pcm, false))
    }

    fn answer(self, result: Result<Self::Output, JobError>) {
        let took = self.submitted.elapsed();
        let cached = matches!(result, Ok((_, true)));
        let result = result.map(|(pcm, _)| pcm);
        (self.reply)(Done::Spoken { say: self.job.say, sentence: self.job.sentence, result, took, cached });
    }
}

struct EmbedTask {
    text: String,
    way: Way,
}

/// Who waits for an embedding.
enum Way {
    Call { job: EmbedJob, reply: Reply, submitted: Instant },
    Bulk(SyncSender<Result<Vec<f32>, JobError>>),
}

impl Job for EmbedTask {
    type Model = Box<dyn Embedder>;
    type Output = Vec<f32>;

    fn unwanted(&self) -> bool {
        false
    }

    fn run(&self, model: &mut Self::Model) -> Result<Vec<f32>, JobError> {
        model.embed(&self.text)
    }

    fn answer(self, result: Result<Vec<f32>, JobError>) {
        match self.way {
            Way::Call { job, reply, submitted } => {
                let result = result.map(Arc::from);
                reply(Done::Embedded { turn: job.turn, result, took: submitted.elapsed() });
            }
            // Who asked may have gone.
            Way::Bulk(tell) => drop(tell.send(result)),
        }
    }
}
/// What a rendered sentence is known by: `manner` is all that shapes the voice, and the tone all that shapes the line.
fn prompt_key(manner: &str, job: &SynthesizeJob) -> PromptKey {
    let mut voice = match job.tone {
        Tone::Even => manner.to_owned(),
        tone => format!("{manner} {tone:?}"),
    };
    if job.tempo != 100 {
        voice += &format!(" at {} %", job.tempo);
    }
    PromptKey::new(&voice, &job.text, job.rate)
}
