//! The traits and messages between a call and the drivers around it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::audio::Rate;
use crate::call::record::{CallRecord, CallSummary};
use crate::pii::Pii;

/// Which of a call's turns a job belongs to; a result that carries an old turn is stale and is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct TurnId(pub u32);

/// Names one line to be spoken, within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct SayId(pub u32);

/// Set by whoever no longer wants a job; a model looks at it between steps.
#[derive(Debug, Clone, Default)]
pub struct AbortFlag(Arc<AtomicBool>);

impl AbortFlag {
    /// Asks the job to stop.
    pub fn abort(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    /// Whether the job was asked to stop.
    pub fn is_aborted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a recogniser is run for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// While the caller still speaks: shed first when the pool is full.
    Partial,
    /// The utterance is over.
    Final,
}

/// What the state hopes to hear, as far as it helps a recogniser. It biases, it never forbids: whatever was said
/// still comes out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Hint {
    /// Anything.
    #[default]
    Open,
    /// A string of digits, so many at least and at most; another number of them is doubted and tried once more.
    Digits {
        /// The fewest.
        least: u8,
        /// The most.
        most: u8,
    },
    /// Yes or no.
    YesNo,
    /// A day.
    Date,
    /// One of these is awaited, with commas between them: what a slot may be. What is longer than 400 letters is cut.
    Words(Arc<str>),
    /// Anything, though these are likely: words of the intents that the state waits for, names from the caller's profile.
    /// Cut like the last.
    Topics(Arc<str>),
}

/// Sound to be turned into words.
#[derive(Debug, Clone)]
pub struct RecognizeJob {
    /// The turn.
    pub turn: TurnId,
    /// Partial or final.
    pub role: Role,
    /// Mono PCM from the start of the utterance.
    pub pcm: Arc<[i16]>,
    /// Its rate.
    pub rate: Rate,
    /// What is expected.
    pub hint: Hint,
    /// Past this the job is skipped.
    pub deadline: Instant,
    /// Asked to stop.
    pub abort: AbortFlag,
}

/// Words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// The text, as written by the recogniser, trimmed.
    pub text: String,
    /// Mean probability of its tokens, 0..1.
    pub confidence: f32,
}

/// Where a rendered sentence may be kept, to be spoken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Nowhere, and nothing kept is asked: it holds a masked slot.
    Nowhere,
    /// In memory: it may hold what a caller said, or a look-up brought.
    Memory,
    /// On disk too: it stands in a plan, word for word.
    Disk,
}

/// Text to be turned into sound.
#[derive(Debug, Clone)]
pub struct SynthesizeJob {
    /// The line it is part of.
    pub say: SayId,
    /// Which sentence of the line.
    pub sentence: u32,
    /// One sentence.
    pub text: String,
    /// Name of the voice in `voices/models.toml`.
    pub voice: String,
    /// How it is said.
    pub tone: Tone,
    /// The rate wanted.
    pub rate: Rate,
    /// How fast it is spoken, percent of the voice's own pace.
    pub tempo: u8,
    /// Where the result may be kept.
    pub keep: Keep,
    /// When its first sample is wanted: what is wanted first is rendered first.
    pub needed: Instant,
    /// Past this the job is skipped.
    pub deadline: Instant,
}

/// Sound of which it is asked whether its speaker is done.
#[derive(Debug, Clone)]
pub struct TurnEndJob {
    /// The turn.
    pub turn: TurnId,
    /// Mono PCM that ends in the pause; the last 8 s are looked at.
    pub pcm: Arc<[i16]>,
    /// Its rate.
    pub rate: Rate,
    /// Past this the job is skipped.
    pub deadline: Instant,
    /// Asked to stop.
    pub abort: AbortFlag,
}

/// Sound of which it is asked in which of some languages it was said.
#[derive(Debug, Clone)]
pub struct LanguageJob {
    /// The turn.
    pub turn: TurnId,
    /// Mono PCM of the utterance.
    pub pcm: Arc<[i16]>,
    /// Its rate.
    pub rate: Rate,
    /// The languages that come into question, by their tags: the plan's own first.
    pub among: Arc<[&'static str]>,
    /// Past this the job is skipped.
    pub deadline: Instant,
    /// No longer wanted.
    pub abort: AbortFlag,
}

/// The likeliest of the languages that come into question.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spoken {
    /// Its tag: `zh`.
    pub language: &'static str,
    /// Its probability among them, 0..1.
    pub probability: f32,
}

/// Text to be placed in meaning's space.
#[derive(Debug, Clone)]
pub struct EmbedJob {
    /// The turn.
    pub turn: TurnId,
    /// The text.
    pub text: String,
    /// Past this the job is skipped.
    pub deadline: Instant,
}

/// Why a job brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The queue was full: nothing was tried.
    #[error("the engine's queue is full")]
    Full,
    /// It waited past its deadline, or was aborted.
    #[error("the job was skipped: late or no longer wanted")]
    Skipped,
    /// The model failed or panicked; it has been rebuilt.
    #[error("the model failed: {0}")]
    Failed(String),
}

/// A finished job, for the call's inbox.
#[derive(Debug, Clone)]
pub enum Done {
    /// Recognition.
    Heard {
        /// The turn.
        turn: TurnId,
        /// Partial or final.
        role: Role,
        /// The words.
        result: Result<Transcript, JobError>,
        /// From submission to result.
        took: Duration,
    },
    /// Whether the speaker seems to be done.
    TurnEnd {
        /// The turn.
        turn: TurnId,
        /// Probability that the turn is complete, 0..1.
        result: Result<f32, JobError>,
        /// From submission to result.
        took: Duration,
    },
    /// In which language it was said.
    Language {
        /// The turn.
        turn: TurnId,
        /// The likeliest.
        result: Result<Spoken, JobError>,
    },
    /// Synthesis of one sentence.
    Spoken {
        /// The line.
        say: SayId,
        /// The sentence.
        sentence: u32,
        /// Mono PCM at the rate asked for.
        result: Result<Arc<[i16]>, JobError>,
        /// From submission to result.
        took: Duration,
        /// Whether it came out of the cache.
        cached: bool,
    },
    /// An embedding, L2-normalised.
    Embedded {
        /// The turn.
        turn: TurnId,
        /// The vector.
        result: Result<Arc<[f32]>, JobError>,
        /// From submission to result.
        took: Duration,
    },
    /// Speech probability of a window of a leg's frames.
    Voice {
        /// Samples of the leg (at its rate) seen up to the window's end, counted by whoever pushed them.
        position: u64,
        /// Probability of speech, 0..1.
        probability: f32,
    },
}

/// How a finished job reaches its call; must not block.
pub type Reply = Box<dyn FnOnce(Done) + Send>;

/// Turns sound into words. Synchronous: it owns a worker thread.
pub trait Recognizer: Send {
    /// Mono samples at 16 kHz in -1..1. Returns early with [`JobError::Skipped`] once `abort` is set.
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError>;
    /// In which of these languages (tags) it was said, of such samples; never of none.
    fn language(&mut self, _pcm: &[f32], _among: &[&'static str]) -> Result<Spoken, JobError> {
        Err(JobError::Failed("this recogniser hears one language".to_string()))
    }
}

/// Tells from sound whether a speaker who pauses is done. Synchronous: it owns a worker thread.
pub trait TurnDetector: Send {
    /// Probability that the turn is complete, 0..1, of mono samples at 16 kHz in -1..1 that end in the pause.
    fn turn_end(&mut self, pcm: &[f32]) -> Result<f32, JobError>;
}

/// Turns one sentence into sound. Synchronous: it owns a worker thread.
pub trait Synthesizer: Send {
    /// Mono PCM at [`Synthesizer::sample_rate`].
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError>;
    /// How what comes next is said. A voice that has one tone keeps it.
    fn tone(&mut self, _tone: Tone) {}
    /// The same at `tempo` percent of the voice's own pace; a voice that has but one keeps it.
    fn synthesize_at(&mut self, text: &str, _tempo: u8) -> Result<Vec<i16>, JobError> {
        self.synthesize(text)
    }
    /// Hz.
    fn sample_rate(&self) -> u32;
}

/// How a line is said: the more upset the caller, the slower and softer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As the voice speaks.
    #[default]
    Even,
    /// To a caller who is tense.
    Gentle,
    /// To a caller who is angry.
    Soothing,
}

/// Places a sentence in a vector space where near means alike. Synchronous: it owns a worker thread.
pub trait Embedder: Send {
    /// An L2-normalised vector of [`Embedder::dimensions`].
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, JobError>;
    /// Its length.
    fn dimensions(&self) -> usize;
}

/// Speech probability over consecutive windows of one leg; keeps the stream's state.
pub trait VoiceDetector: Send {
    /// Samples in a window at `rate`.
    fn window(&self, rate: Rate) -> usize;
    /// A fresh stream's state.
    fn start(&self, rate: Rate) -> Vec<f32>;
    /// Probability of speech in one window, 0..1; `state` is carried on.
    fn probability(&mut self, state: &mut Vec<f32>, rate: Rate, window: &[i16]) -> Result<f32, JobError>;
}

/// The two kinds of packet on a media path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RTP.
    Rtp,
    /// RTCP, compound.
    Rtcp,
}

/// Packets in, packets out: UDP, WebRTC and loopback share one media path through this. Packets are plain (decrypted).
pub trait MediaTransport: Send {
    /// Reads the next packet into `buf`. `Err` means that the path is gone.
    fn poll_recv(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Kind, usize)>>;
    /// Sends without waiting; a packet that does not fit the socket's buffer is dropped and counted.
    fn send(&mut self, kind: Kind, packet: &[u8]) -> io::Result<()>;
}

/// Why the archive could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArchiveError(pub String);

/// An answer of the [`Archive`], to be awaited.
pub type ArchiveFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, ArchiveError>> + Send + 'a>>;

/// Finished calls, to be read; what the pages know of the store.
pub trait Archive: Send + Sync {
    /// The latest calls, newest first.
    fn list(&self, limit: u32) -> ArchiveFuture<'_, Vec<CallSummary>>;
    /// A call's record; `None` when there is none by that id.
    fn get<'a>(&'a self, id: &'a str) -> ArchiveFuture<'a, Option<CallRecord>>;
}

/// A browser's wish to call, as it came over HTTP (RFC 9725).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The number or plan that was called.
    pub called: String,
    /// Address of the caller.
    pub caller: Pii<String>,
    /// SDP offer, candidates included.
    pub sdp: String,
}

/// A browser's call that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Names the session, unguessable: who knows it may end it.
    pub session: String,
    /// SDP answer, candidates included.
    pub sdp: String,
}

/// Why a browser's call was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a usable offer: malformed, no audio, no codec in common.
    #[error("the offer cannot be answered: {0}")]
    BadOffer(String),
    /// Nothing answers that number.
    #[error("no such number")]
    UnknownNumber,
    /// All places are taken.
    #[error("all lines are busy")]
    Busy,
    /// Something failed here.
    #[error("the call could not be set up: {0}")]
    Failed(String),
}

/// The answer to an offer, to be awaited.
pub type AnswerFuture<'a> = Pin<Box<dyn Future<Output = Result<Accepted, Refusal>> + Send + 'a>>;

/// The end of a session, to be waited for.
pub type EndFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes calls from browsers; what the pages know of WebRTC.
pub trait Answerer: Send + Sync {
    /// Answers an offer.
    fn answer(&self, offer: Offer) -> AnswerFuture<'_>;
    /// Ends a session; `false` when there is none by that name.
    fn end(&self, session: &str) -> bool;
    /// Waits until a session is over; not at all when there is none by that name.
    fn ended(&self, session: &str) -> EndFuture;
}
