//! The application's end of a leg: [`SipLeg`] and what passes between it and the leg's task.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::super::message;
use super::super::{SipError, SipEvent};

/// Events that wait for the application; when full, the newest is dropped and counted. The last is never lost.
const EVENTS: usize = 64;
/// Commands that wait for the task; when full, the application waits.
const COMMANDS: usize = 16;

/// What the application asks for.
#[derive(Debug)]
pub(in crate::net::sip) enum Command {
    Ringing,
    Accept { sdp: String, done: oneshot::Sender<()> },
    Reject { status: u16, headers: Vec<(String, String)> },
    Bye { reason: Option<String>, done: oneshot::Sender<()> },
    Cancel,
    Reinvite { sdp: String, done: oneshot::Sender<Result<String, SipError>> },
    Info { digit: char },
    Refer { to: String },
}

/// The application's end.
#[derive(Debug)]
pub(in crate::net::sip) struct Handle {
    pub(in crate::net::sip) commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<SipEvent>,
    last: Arc<Mutex<Option<SipEvent>>>,
}

/// The task's end.
pub(in crate::net::sip) struct Seat {
    pub(in crate::net::sip) commands: mpsc::Receiver<Command>,
    pub(in crate::net::sip) events: mpsc::Sender<SipEvent>,
    pub(in crate::net::sip) last: Arc<Mutex<Option<SipEvent>>>,
}

pub(in crate::net::sip) fn pair() -> (Handle, Seat) {
    let (commands, wanted) = mpsc::channel(COMMANDS);
    let (happened, events) = mpsc::channel(EVENTS);
    let last = Arc::<Mutex<Option<SipEvent>>>::default();
    (Handle { commands, events, last: last.clone() }, Seat { commands: wanted, events: happened, last })
}

/// One party's signalling. Dropped, it cancels or hangs up.
#[derive(Debug)]
pub struct SipLeg {
    handle: Handle,
}

impl SipLeg {
    pub(in crate::net::sip) const fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// The next event; `None` after `Ended` or `Rejected`. Cancel safe.
    pub async fn next(&mut self) -> Option<SipEvent> {
        match self.handle.events.recv().await {
            Some(event) => Some(event),
            None => self.handle.last.lock().unwrap_or_else(PoisonError::into_inner).take(),
        }
    }

    /// Hangs up, with a Reason (RFC 3326) such as `Q.850;cause=16`. Returns once the BYE is on its way; before the
    /// answer it cancels or refuses instead. A 2xx that is not acknowledged yet delays it (RFC 3261 section 15).
    pub async fn bye(&self, reason: Option<&str>) {
        let (done, sent) = oneshot::channel();
        let command = Command::Bye { reason: reason.map(message::one_line), done };
        if self.handle.commands.send(command).await.is_ok() {
            // An error means that the leg was over before.
            drop(sent.await);
        }
    }

    /// Gives up our call before it is answered; `Rejected` with 487 follows.
    pub async fn cancel(&self) {
        drop(self.handle.commands.send(Command::Cancel).await);
    }

    /// Offers a changed session and returns the answer.
    ///
    /// # Errors
    /// [`SipError::Glare`]: try again in a second or two; [`SipError::Refused`]: the session stays as it was;
    /// [`SipError::Over`].
    pub async fn reinvite(&self, sdp: String) -> Result<String, SipError> {
        let (done, answered) = oneshot::channel();
        self.handle.commands.send(Command::Reinvite { sdp, done }).await.map_err(|_| SipError::Over)?;
        answered.await.map_err(|_| SipError::Over)?
    }

    /// Asks the other side to call `to`, a SIP address, in place of us (RFC 3515); [`SipEvent::Referred`] tells what comes
    /// of it. False when the leg is over or does not keep up.
    pub fn refer(&self, to: &str) -> bool {
        self.handle.commands.try_send(Command::Refer { to: message::one_line(to) }).is_ok()
    }

    /// Sends a digit by INFO (`application/dtmf-relay`); other characters are ignored.
    pub async fn info_digit(&self, digit: char) {
        drop(self.handle.commands.send(Command::Info { digit }).await);
    }
}
