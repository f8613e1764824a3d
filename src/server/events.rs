//! Calls as they happen, for whoever watches: the log, the demo, a page.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::broadcast;

use crate::call::io::Report;

/// Events that a slow watcher may be behind; older ones are dropped for it, and it is told so.
const BEHIND: usize = 1_024;

/// Something that happened in a call.
#[derive(Debug, Clone, Serialize)]
pub struct CallEvent {
    /// The call.
    #[serde(serialize_with = "as_text")]
    pub call: Arc<str>,
    /// Milliseconds since it was answered.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

fn as_text<S: serde::Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum What {
    /// It was answered.
    Begun {
        /// The number that was dialled.
        called: String,
        /// "PCMU".
        codec: String,
    },
    /// From within the call.
    Report(Report),
    /// It is over and its record is stored.
    Ended {
        /// In words.
        outcome: String,
        /// The stereo recording.
        recording: Option<String>,
    },
}

/// The sending end.
#[derive(Debug, Clone)]
pub struct Events(broadcast::Sender<CallEvent>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

impl Events {
    /// Tells all who watch; nobody watching is fine.
    pub fn send(&self, event: CallEvent) {
        let _ = self.0.send(event);
    }

    /// Watches from now on.
    pub fn watch(&self) -> broadcast::Receiver<CallEvent> {
        self.0.subscribe()
    }
}

impl fmt::Display for CallEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.2} s  ", self.at_ms as f32 / 1_000.0)?;
        match &self.what {
            What::Begun { called, codec } => write!(f, "call       {} to {called}, {codec}", self.call),
            What::Report(report) => report.fmt(f),
            What::Ended { outcome, .. } => write!(f, "ended      {outcome}"),
        }
    }
}
