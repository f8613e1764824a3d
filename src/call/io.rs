//! What goes into a call and what comes out of it: the whole contract with its driver.

use std::fmt;
use std::sync::Arc;

use crate::audio::Rate;
use crate::call::leg::LegConfig;
use crate::call::line::Line;
use crate::call::ports::{Done, EmbedJob, Kind, LanguageJob, RecognizeJob, SynthesizeJob, TurnEndJob};
use crate::call::record::{Latency, MessageRecord};
use crate::call::services::Request;
use crate::dialplan::script::{CallBack, Thought, TransferFailure};
use crate::pii::Pii;
use crate::speech::emotion::Mood;

/// The two parties of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who rang us.
    Caller,
    /// The human who takes over.
    Agent,
}

/// News for a call. Packets and ticks have methods of their own, since they come fifty times a second.
#[derive(Debug)]
pub enum Input {
    /// A job is done.
    Done(Done),
    /// A key by SIP INFO.
    Key(char),
    /// The answer to [`Output::Fetch`].
    Fetched(Result<serde_json::Value, String>),
    /// A part of the answer to [`Output::Think`].
    Thought(Thought),
    /// A leg's media was renegotiated: hold, resume, another payload type.
    Renegotiated {
        /// Whose.
        side: Side,
        /// Whether we send.
        send: bool,
        /// Whether we receive.
        receive: bool,
    },
    /// A leg ended from the other end, or its media path is gone.
    HungUp(Side),
    /// The agent's telephone rings.
    AgentRinging,
    /// The agent answered; media flows from now on.
    AgentAnswered(LegConfig),
    /// The agent did not answer.
    AgentFailed(TransferFailure),
    /// What came of [`Output::Refer`]: the caller's telephone is with somebody else, or is not.
    Referred(Result<(), TransferFailure>),
    /// What came of [`Output::Book`].
    Booked(Result<(), String>),
    /// What came of [`Output::KeepMessage`].
    MessageKept(Result<(), String>),
    /// What came of [`Output::Switch`]: the line that takes over, or why there is none.
    Switched(Result<Arc<Line>, String>),
    /// The server wants the call to end.
    Finish(Finish),
}

/// Why the server ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It shuts down, and the time to drain is over.
    Draining,
    /// It has lasted as long as a call may.
    Longest,
}

impl Finish {
    /// What the caller is told.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Draining => "I am sorry, we have to end this call now. Please call again in a few minutes. Goodbye.",
            Self::Longest => "I am sorry, this call has reached its longest time. Please call again. Goodbye.",
        }
    }

    /// What the record says.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Draining => "the server was shut down",
            Self::Longest => "the longest time of a call was reached",
        }
    }
}

/// What a call wants from its driver.
#[derive(Debug)]
pub enum Output {
    /// Recognise.
    Recognize(RecognizeJob),
    /// Tell from the sound whether the caller is done; answered by [`Done::TurnEnd`].
    TurnEnd(TurnEndJob),
    /// Tell in which language it was said; answered by [`Done::Language`].
    Language(LanguageJob),
    /// Synthesise.
    Synthesize(SynthesizeJob),
    /// Embed.
    Embed(EmbedJob),
    /// Fetch JSON.
    Fetch(Request),
    /// Ask a language model; answered by [`Input::Thought`] until it is done. A later one replaces it.
    Think(Request),
    /// Let another system know; nothing comes back.
    Notify(Request),
    /// Ring an agent; answered by `AgentRinging`, `AgentAnswered` or `AgentFailed`.
    Ring {
        /// SIP address.
        agent: String,
        /// The queue, for its credentials; `None` for an address that a plan named.
        queue: Option<String>,
    },
    /// Ask the caller's own telephone to go there (RFC 3515); answered by `Referred`.
    Refer {
        /// SIP address.
        to: String,
    },
    /// Note that somebody is to be called back; answered by `Booked`.
    Book {
        /// Whom, when and where.
        wish: CallBack,
        /// Who asks for it.
        caller: Pii<String>,
        /// The number that they dialled.
        called: String,
        /// Its plan's name.
        plan: String,
    },
    /// Keep what goes to [`Sink::message`] from now on, under this name.
    OpenMessage {
        /// Unique.
        id: String,
        /// Of the samples.
        rate: Rate,
    },
    /// The message is whole; answered by `MessageKept`.
    KeepMessage(Box<MessageRecord>),
    /// Nothing was said: what was written of it goes.
    DropMessage {
        /// As it was opened.
        id: String,
    },
    /// The plan that answers this number is to take over; answered by `Switched`. What is heard, understood and spoken
    /// from then on is so in its language.
    Switch {
        /// As the configuration's routes have it.
        number: String,
    },
    /// Stop ringing the agent.
    CancelRing,
    /// End a leg.
    HangUp(Side),
    /// Something to show and to count.
    Report(Report),
    /// The call is over: nothing more comes.
    Over,
}

/// A call as it happens, for the live log, the metrics and whoever watches.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Report {
    /// A state of the plan was entered.
    State {
        /// Its name.
        state: String,
    },
    /// We said this, as far as it was heard.
    Said {
        /// The words.
        text: String,
        /// Whether all of it was heard.
        whole: bool,
    },
    /// The caller took the floor while we spoke.
    Interrupted {
        /// From the first packet of speech to the last packet in which the prompt was heard, ms.
        after_ms: f32,
    },
    /// Our line went on: what was said over it was a cough, or a listener's "mhm".
    WentOn,
    /// What was worked out ahead, in a pause, is not wanted: the caller went on.
    ThrownAway,
    /// Words so far.
    Partial {
        /// The words.
        text: String,
        /// How many of them, from the first, will not be taken back.
        committed: usize,
    },
    /// The words of a finished turn.
    Heard {
        /// The words.
        text: String,
        /// Of the recogniser, 0..1.
        confidence: f32,
        /// Recognition's share of the wait, ms.
        recognition_ms: f32,
    },
    /// In which language the caller's first words were, where the plan asks.
    Language {
        /// Its tag: `zh`.
        language: &'static str,
        /// Among those that come into question, 0..1.
        probability: f32,
    },
    /// What was meant.
    Understood {
        /// The intent, or `None` for none of these.
        intent: Option<String>,
        /// Its probability, 0..1.
        score: f32,
        /// The share of the wait, ms.
        took_ms: f32,
    },
    /// How it was said.
    Felt {
        /// 0..1.
        frustration: f32,
        /// The same, as a dialplan sees it.
        mood: Mood,
        /// Ranked, in plain words.
        reasons: Vec<String>,
    },
    /// Keys.
    Keys {
        /// What was typed; a masked slot's is not shown.
        keys: String,
    },
    /// The first packet with sound of the answer went out.
    Answered {
        /// From the last packet of the caller's speech, or of their key; by part.
        latency: Latency,
        /// Whether it answers keys rather than words.
        keys: bool,
    },
    /// The caller left a message, or said nothing.
    Message {
        /// What it is kept under; `None`: nothing was said.
        id: Option<String>,
        /// Its length, seconds.
        seconds: f32,
        /// The words.
        text: String,
    },
    /// The hand-over goes on.
    Handover {
        /// What happened, in words.
        step: String,
    },
    /// Something went wrong, and what the caller got instead.
    Trouble {
        /// In words.
        what: String,
    },
}

/// Where the traffic of a tick goes; must neither block nor allocate.
pub trait Sink {
    /// A packet for a leg.
    fn packet(&mut self, side: Side, kind: Kind, packet: &[u8]);
    /// Stereo samples of the recording, interleaved.
    fn recording(&mut self, stereo: &[i16]);
    /// Samples of the message that the caller leaves, mono.
    fn message(&mut self, mono: &[i16]);
    /// Samples of the caller for the voice detector.
    fn voice(&mut self, samples: &[i16]);
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { state } => write!(f, "state      {state}"),
            Self::Said { text, whole: true } => write!(f, "said       {text}"),
            Self::Said { text, whole: false } => write!(f, "said       {text} … (interrupted)"),
            Self::Interrupted { after_ms } => {
                write!(f, "barge-in   prompt stopped {after_ms:.0} ms after the caller began")
            }
            Self::Partial { text, committed } => {
                let words: Vec<&str> = text.split_whitespace().collect();
                let (settled, open) = words.split_at((*committed).min(words.len()));
                write!(f, "hears      {} | {} …", settled.join(" "), open.join(" "))
            }
            Self::WentOn => write!(f, "goes on    that was no interruption"),
            Self::ThrownAway => write!(f, "goes on    the caller was not done"),
            Self::Heard { text, confidence, recognition_ms } => write!(
                f,
                "heard      {text} (confidence {confidence:.2}; {recognition_ms:.0} ms after the end of the turn)"
            ),
            Self::Language { language, probability } => write!(f, "language   {language} ({probability:.2})"),
            Self::Understood { intent: Some(intent), score, took_ms } => {
                write!(f, "intent     {intent} ({score:.2}; {took_ms:.0} ms)")
            }
            Self::Understood { intent: None, took_ms, .. } => write!(f, "intent     none of these ({took_ms:.0} ms)"),
            Self::Felt { frustration, mood, reasons } if reasons.is_empty() => {
                write!(f, "feels      {frustration:.2} {mood:?}")
            }
            Self::Felt { frustration, mood, reasons } => {
                write!(f, "feels      {frustration:.2} {mood:?}: {}", reasons.join("; "))
            }
            Self::Keys { keys } => write!(f, "keys       {keys}"),
            Self::Answered { latency, keys } => {
                let after = if *keys { "key" } else { "sound" };
                write!(f, "answered   {:.0} ms after the caller's last {after} ({latency})", latency.total_ms)
            }
            Self::Message { id: Some(id), seconds, text } => write!(f, "message    {seconds:.1} s, {id}: {text}"),
            Self::Message { id: None, .. } => write!(f, "message    nothing was said"),
            Self::Handover { step } => write!(f, "handover   {step}"),
            Self::Trouble { what } => write!(f, "trouble    {what}"),
        }
    }
}
