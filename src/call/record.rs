//! What a call leaves behind. Times are milliseconds since the call was answered, unless named otherwise.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dialplan::script::{FRUSTRATED, TransferFailure};
use crate::pii::Pii;

/// A call, as stored and as shown by `sidetone calls show`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Unique, sortable by start.
    pub id: String,
    /// Start, Unix milliseconds.
    pub started_ms: i64,
    /// From answer to end.
    pub duration_ms: u64,
    /// Number or address of the caller.
    pub caller: Pii<String>,
    /// The number that was dialled.
    pub called: String,
    /// "sip" or "webrtc".
    pub transport: String,
    /// The plan's name.
    pub plan: String,
    /// Codec of the caller's leg ("PCMU").
    pub codec: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The turns, in order.
    pub turns: Vec<Turn>,
    /// What else happened, in order.
    pub events: Vec<Event>,
    /// Highest frustration of the call, 0..1; `None` where it was not inferred, or is not kept any longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frustration_peak: Option<f32>,
    /// The stereo recording (left: caller, right: the other side), if one was made.
    pub recording: Option<String>,
    /// Jitter, loss and packet counts of the caller's leg.
    pub media: MediaStats,
}

impl CallRecord {
    /// Takes out what was inferred of the caller's feelings: scores, their reasons, and what else speaks of them.
    pub fn forget_feelings(&mut self) {
        self.frustration_peak = None;
        for turn in &mut self.turns {
            turn.frustration = None;
            turn.reasons.clear();
        }
        self.events.retain(|event| !event.what.starts_with(FELT));
        for event in &mut self.events {
            event.what = event.what.replace(FRUSTRATED, UNSAID);
        }
        self.outcome.forget_feelings();
    }
}

impl Outcome {
    /// Takes a feeling out of the reason.
    pub fn forget_feelings(&mut self) {
        if let Self::HandedOver { reason, .. } = self {
            *reason = reason.replace(FRUSTRATED, UNSAID);
        }
    }
}

/// What an event that tells of frustration begins with.
pub(super) const FELT: &str = "frustration ";
/// What an event that tells of a message begins with, and the one that tells of none.
pub const MESSAGE: &str = "a message was left: ";
/// The caller said nothing after the tone.
pub const NO_MESSAGE: &str = "no message was left";
/// What stands for a feeling that is not kept any longer.
const UNSAID: &str = "a rule of the plan";

/// A message that a caller left, as stored and as shown by `sidetone messages`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// Unique: the call's id and a number.
    pub id: String,
    /// The call in which it was left.
    pub call: String,
    /// When it began, Unix milliseconds.
    pub left_ms: i64,
    /// Number or address of the caller.
    pub caller: Pii<String>,
    /// The number that was dialled.
    pub called: String,
    /// The plan's name.
    pub plan: String,
    /// Whom it is for, as the plan names it.
    pub mailbox: String,
    /// From the tone to the last word.
    pub duration_ms: u64,
    /// What the recogniser wrote.
    pub text: String,
    /// 0..1; `None` where it was not inferred, or is not kept any longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frustration: Option<f32>,
    /// The sound (mono, the caller alone), by its path in the data folder; `None` where there is none.
    pub recording: Option<String>,
}

/// A call's line in a list: its record without the conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallSummary {
    /// As in [`CallRecord`].
    pub id: String,
    /// Start, Unix milliseconds.
    pub started_ms: i64,
    /// From answer to end.
    pub duration_ms: u64,
    /// Number or address of the caller.
    pub caller: Pii<String>,
    /// The number that was dialled.
    pub called: String,
    /// "sip" or "webrtc".
    pub transport: String,
    /// The plan's name.
    pub plan: String,
    /// How it ended.
    pub outcome: Outcome,
    /// As in [`CallRecord`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frustration_peak: Option<f32>,
    /// Whether the recording is still kept.
    pub has_recording: bool,
    /// Whether the transcript is still kept.
    pub has_transcript: bool,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Outcome {
    /// The script came to its end.
    Completed,
    /// The caller hung up.
    CallerHungUp,
    /// Put through to a human.
    HandedOver {
        /// Target as the plan names it ("queue:support").
        to: String,
        /// Address of the agent who took it.
        agent: String,
        /// Why.
        reason: String,
    },
    /// No one took it.
    HandoverFailed {
        /// Target.
        to: String,
        /// Why.
        failure: TransferFailure,
    },
    /// The server ended it: longest call, draining, media path gone.
    Ended {
        /// Why.
        reason: String,
    },
}

/// One utterance of the caller and its answer. A masked slot's words are "‹masked›".
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Turn {
    /// Number in the call, from 0.
    pub turn: u32,
    /// State in which it was heard.
    pub state: String,
    /// First speech of the utterance.
    pub start_ms: u64,
    /// Last speech of the utterance.
    pub end_ms: u64,
    /// The words.
    pub text: String,
    /// Of the recogniser, 0..1.
    pub confidence: f32,
    /// What was meant.
    pub intent: Option<String>,
    /// Its probability, 0..1.
    pub intent_score: f32,
    /// 0..1, after this turn; `None` where it was not inferred, or is not kept any longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frustration: Option<f32>,
    /// Of the frustration, ranked, in plain words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// The answer as far as it was heard.
    pub answer: String,
    /// Where the time went.
    pub latency: Latency,
}

/// Where the time between the packet with the last speech of the caller and the first packet with sound of the answer went,
/// in ms. The parts add up to the total.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Silence that had to pass before the turn could be over.
    pub silence_ms: f32,
    /// From there until it was decided that it is.
    #[serde(default)]
    pub decision_ms: f32,
    /// Recognition after that.
    pub recognition_ms: f32,
    /// Intent and slots.
    pub understanding_ms: f32,
    /// The script.
    #[serde(default)]
    pub script_ms: f32,
    /// Until the first words were rendered.
    pub synthesis_ms: f32,
    /// From there to the first packet that holds sound.
    #[serde(default)]
    pub playout_ms: f32,
    /// All together.
    pub total_ms: f32,
}

impl Latency {
    /// The parts by name, in order.
    pub fn parts(&self) -> [(&'static str, f32); 7] {
        [
            ("silence", self.silence_ms),
            ("decision", self.decision_ms),
            ("recognition", self.recognition_ms),
            ("understanding", self.understanding_ms),
            ("script", self.script_ms),
            ("synthesis", self.synthesis_ms),
            ("playout", self.playout_ms),
        ]
    }
}

impl fmt::Display for Latency {
    /// The parts that took time: "silence 210, playout 12".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts().into_iter().filter(|(_, ms)| *ms >= 0.5).map(|(part, ms)| format!("{part} {ms:.0}"));
        f.write_str(&parts.collect::<Vec<_>>().join(", "))
    }
}

/// Something else that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at_ms: u64,
    /// What, in words.
    pub what: String,
}

/// Quality of a leg as received.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaStats {
    /// Packets received.
    pub received: u64,
    /// Packets sent.
    pub sent: u64,
    /// Lost on the way to us.
    pub lost: u64,
    /// Interarrival jitter (RFC 3550, 6.4.1), ms.
    pub jitter_ms: f32,
    /// Frames that concealment made.
    pub concealed: u64,
}
