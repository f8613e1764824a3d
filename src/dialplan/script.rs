//! One call's walk through a compiled plan: inputs in, actions out, no clock and no socket.
//!
//! Contract: `handle(input)`, then `poll()` until `None`: "mutate, drain, mutate". After `Listen` the script waits for
//! `Heard`, `Keys` or `NoInput`; after `Say` it goes on at once (sayings queue up in the playout), except that `Listen`
//! takes effect when all that was said before has been played or interrupted: whoever plays sees to it.

mod act;
mod ask;
mod briefing;
mod callback;
mod choose;
mod follow;
mod look;
mod message;
mod remember;
mod repair;
mod switch;
mod think;
mod understand;
mod variables;
mod walk;

use std::fmt;
use std::time::Duration;

use jiff::civil::DateTime;

use super::plan::Plan;
pub use briefing::{Briefing, FRUSTRATED};
pub use look::SlotValue;
pub use remember::{Kept, MOST_KEPT};
pub use walk::Script;

/// Stands where a masked slot's value would.
pub const MASKED: &str = "‹masked›";

/// What happened to the caller, as far as the script cares.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The call is answered; `caller` are the variables under `caller.` (number, name, what a lookup brought).
    Start {
        /// Fields of `caller`.
        caller: serde_json::Value,
    },
    /// One turn of the caller's, understood as well as it could be.
    Heard(Heard),
    /// In which language (its tag: `zh`) the turn was said that comes next as [`Input::Heard`]; `None` if that is not
    /// sure. Only while [`Script::heeds_language`]. If another plan is to take over for it, an [`Action::Switch`] follows
    /// at once, and an [`Action::Listen`] behind [`Input::NotSwitched`].
    Language(Option<&'static str>),
    /// A finished keypad entry: one key for a menu, the string for a slot (without `#`).
    Keys(String),
    /// The caller said nothing in time.
    NoInput,
    /// The answer to an [`Action::Fetch`]: the JSON body, or why there is none.
    Fetched(Result<serde_json::Value, String>),
    /// A part of the answer to an [`Action::Think`].
    Thought(Thought),
    /// The caller took the floor while something was being said.
    Interrupted,
    /// What came of an [`Action::Record`].
    Recorded(Result<Message, NotKept>),
    /// What came of an [`Action::CallBack`]: why not, if it is refused.
    Booked(Result<(), String>),
    /// No other plan has taken over: the script goes on.
    NotSwitched(String),
    /// How a transfer that did not bridge ended: the script says so and goes on.
    TransferFailed(TransferFailure),
}

/// A message that was left, and is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// What it is kept under.
    pub id: String,
    /// Its length.
    pub length: Duration,
    /// What the recogniser wrote.
    pub text: String,
}

/// Why no message is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotKept {
    /// Nothing was said, or next to nothing.
    Empty,
    /// The disk or the store refused, and why.
    Failed(String),
}

/// An understood turn. Indices are the plan's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Heard {
    /// The words.
    pub text: String,
    /// The best intent of those that the state knows and its calibrated probability, or `None` for "none of these".
    pub intent: Option<(usize, f32)>,
    /// Another intent that is meant nearly as likely: where both lead somewhere, the caller is asked which.
    pub rival: Option<(usize, f32)>,
    /// The best knowledge entry, likewise.
    pub knowledge: Option<(usize, f32)>,
    /// A yes or a no.
    pub yes_no: Option<bool>,
    /// The value of the slot that was asked for, in its canonical form (digits: "12345678").
    pub slot: Option<String>,
    /// Values of other slots that the words hold, of those that [`Listen::slots`] names: the slot's index and its value.
    /// Each word counts for one slot.
    pub slots: Vec<(usize, String)>,
}

/// Why nobody took the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferFailure {
    /// Every agent was busy (486, 600).
    Busy,
    /// Nobody answered in time (408, 480).
    NoAnswer,
    /// Every agent declined (603, 403).
    Declined,
    /// No agent could be reached: an address that does not resolve, an empty queue, 5xx.
    Unreachable,
}

impl fmt::Display for TransferFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::NoAnswer => "no answer",
            Self::Declined => "declined",
            Self::Unreachable => "unreachable",
        })
    }
}

/// How the caller feels, from the frustration with hysteresis; the thresholds are configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// As people are.
    #[default]
    Calm,
    /// On the way up.
    Tense,
    /// There.
    Angry,
}

/// What the script wants done. Run in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A state was entered (for the record and the live log).
    Entered {
        /// Its name.
        state: String,
    },
    /// Say this.
    Say(Say),
    /// Wait for the caller.
    Listen(Listen),
    /// Fetch JSON over HTTP; answered by [`Input::Fetched`].
    Fetch(Fetch),
    /// Ask a language model; answered by [`Input::Thought`], until `Done` or `Failed`. A later one replaces it.
    Think(Think),
    /// Let another system know; nothing is awaited.
    Notify(Fetch),
    /// Keep what the caller says after a tone; answered by [`Input::Recorded`].
    Record(Record),
    /// Note that we are to call; answered by [`Input::Booked`].
    CallBack(CallBack),
    /// Put the caller through.
    Transfer(Transfer),
    /// Let the plan that answers this number take over; answered by [`Input::NotSwitched`] if it does not.
    Switch {
        /// As the configuration's routes have it.
        number: String,
    },
    /// Say goodbye is over: end the call when all has been played.
    End,
    /// Something in the plan failed (for the record and the live log); what the caller hears of it follows.
    Trouble {
        /// What, in words; never a slot's value.
        what: String,
    },
}

/// A line to be spoken.
#[derive(Clone, PartialEq, Eq)]
pub struct Say {
    /// The words, templates already filled in.
    pub text: String,
    /// Whether the caller may interrupt it.
    pub interruptible: bool,
    /// How fast, percent of the voice's own pace; what the words' own mark-up says counts within it.
    pub pace: u8,
    /// A clip to be played instead of the words, by its path in the plan's folder.
    pub clip: Option<String>,
    /// Whether it holds a masked slot: then it is not cached, and both channels of the recording are muted meanwhile.
    pub masked: bool,
}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.masked { MASKED } else { &self.text };
        let Self { interruptible, pace, masked, .. } = self;
        // A clip is the plan's, and says nothing of the caller.
        f.debug_struct("Say")
            .field("text", &text)
            .field("interruptible", interruptible)
            .field("pace", pace)
            .field("masked", masked)
            .finish()
    }
}

/// What a waiting state hopes to hear.
#[derive(Debug, Clone, PartialEq)]
pub struct Listen {
    /// What is expected.
    pub expect: Expect,
    /// Every intent that is understood here, whatever is expected: those that lead somewhere and those that a handover
    /// rule asks for. Indices into the plan's, without repetition.
    pub intents: Vec<usize>,
    /// Every knowledge entry that is answered here, the state's own first. Indices into the plan's.
    pub knowledge: Vec<usize>,
    /// Slots that may be filled in passing, by what is said here. Indices into the plan's, sorted.
    pub slots: Vec<usize>,
    /// How long to wait for the first sound before [`Input::NoInput`].
    pub timeout: Duration,
    /// How long pauses within what is said may be.
    pub patience: Patience,
}

/// How soon a pause is taken for the end of what a caller says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// For a plain choice: whoever answers has answered.
    Low,
    /// As measured on all kinds of speech.
    #[default]
    Normal,
    /// For what is thought about while it is said: an address, a complaint, a number that is looked for.
    High,
}

impl Patience {
    /// As a plan's author writes them.
    pub const NAMES: &[&str] = &["low", "normal", "high"];

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "low" => Some(Self::Low),
            "normal" => Some(Self::Normal),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

/// The kinds of expectation.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// One of these intents (indices into the plan's), or a knowledge entry, or a key.
    Intents {
        /// Intents that the state or the plan routes.
        intents: Vec<usize>,
        /// Keys that mean something here.
        keys: Vec<char>,
    },
    /// A yes or a no (intents and knowledge are still understood).
    YesNo,
    /// The value of a slot (index into the plan's).
    Slot {
        /// The slot.
        slot: usize,
    },
}

/// How an address is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Without a body, and without an effect.
    Get,
    /// Something new.
    Post,
    /// In place of what is there.
    Put,
    /// A part of what is there.
    Patch,
    /// Away with it.
    Delete,
}

impl Method {
    /// As RFC 9110 writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An HTTP request.
#[derive(Clone, PartialEq, Eq)]
pub struct Fetch {
    /// The address, slots filled in and percent-encoded.
    pub url: String,
    /// How it is asked.
    pub method: Method,
    /// JSON.
    pub body: Option<String>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// The secret of the configuration that goes with it.
    pub auth: Option<String>,
    /// Tries beyond the first, where trying again may help.
    pub retry: u32,
    /// How long one try may take.
    pub timeout: Duration,
    /// Whether it holds a masked slot, so that it must not be logged.
    pub masked: bool,
}

impl fmt::Debug for Fetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = if self.masked { MASKED } else { &self.url };
        let Self { method, timeout, masked, .. } = self;
        let mut f = f.debug_struct("Fetch");
        f.field("url", &url).field("method", method).field("timeout", timeout).field("masked", masked);
        f.finish_non_exhaustive()
    }
}

/// A question to a language model, with all that it is to know.
#[derive(Clone, PartialEq, Eq)]
pub struct Think {
    /// The model of the configuration.
    pub model: String,
    /// What it is told to do.
    pub instructions: String,
    /// JSON: what the plan lets it know, and nothing else; empty for nothing.
    pub know: String,
    /// What it knew and answered at this step before, oldest first.
    pub exchanges: Vec<(String, String)>,
    /// What it may ask for.
    pub tools: Vec<Tool>,
    /// What it asked for already, for this answer.
    pub asked: Vec<Asked>,
    /// How long the whole answer may take.
    pub timeout: Duration,
}

impl fmt::Debug for Think {
    /// Without what the caller said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Think").field("model", &self.model).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Something that a model may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Its arguments, all of them texts: the name, and what it is.
    pub args: Vec<(String, String)>,
}

/// What a model asked for, and got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub args: serde_json::Value,
    /// JSON, as far as it is shown to the model.
    pub result: Option<String>,
}

/// A part of a model's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thought {
    /// A whole sentence.
    Sentence(String),
    /// It wants one of its tools; nothing more comes.
    Tool {
        /// Its name.
        name: String,
        /// Its arguments.
        args: serde_json::Value,
    },
    /// The answer is whole.
    Done,
    /// There is no answer, or no more of it.
    Failed(String),
}

/// A call that we are to make.
#[derive(Clone, PartialEq, Eq)]
pub struct CallBack {
    /// Whom we call, as the caller's network or the caller gave it.
    pub number: String,
    /// When, by the clock on the wall.
    pub due: DateTime,
    /// The opening hours in which we call.
    pub within: Option<String>,
    /// The state in which it begins.
    pub state: String,
    /// Why, in words.
    pub reason: String,
}

impl fmt::Debug for CallBack {
    /// Without the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallBack").field("due", &self.due).field("state", &self.state).finish_non_exhaustive()
    }
}

/// A message that the caller may leave now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Whom it is for, as the plan names it.
    pub mailbox: String,
    /// It is over at this length.
    pub longest: Duration,
    /// It is over after this silence.
    pub silence: Duration,
}

impl Record {
    /// How long a caller may think before the first word.
    pub fn first_word(&self) -> Duration {
        const THINK: Duration = Duration::from_secs(6);
        self.silence.max(THINK)
    }
}

/// A request to put the caller through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Where to.
    pub target: Target,
    /// Why, in words, for the record and the agent.
    pub reason: String,
    /// The caller's own telephone is asked to go there (RFC 3515), and we are out of it: no briefing.
    pub blind: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Queue(name) => write!(f, "queue:{name}"),
            Target::Sip(address) => f.write_str(address),
        }
    }
}

/// Where a caller may be put through to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A queue named in the configuration.
    Queue(String),
    /// A SIP address.
    Sip(String),
}
