//! One leg: a task that owns an INVITE dialog from its first message to its last, and the handle through which the
//! application drives it. Takes the dialog's requests strictly in order; a re-INVITE that overtakes the ACK before it is
//! held until the dialog is confirmed.
//!
//! ```text
//! Offering ─2xx─▶ Unconfirmed ─ACK─▶ Confirmed ─BYE─▶ over        Inviting ─2xx, ACK─▶ Confirmed
//! ```

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rsipstack::dialog::authenticate::{AuthRetry, Credential, handle_client_authenticate};
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCode, StatusCodeKind};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::sip::{info_body, info_digit};

use super::dispatch::{self, DialogKey, LEG_QUEUE, Shared};
use super::message::{self, Dialog, header};
use super::transport::count;
use super::{EndCause, SipError, SipEvent, spawn, uac};

/// Events that wait for the application; when full, the newest is dropped and counted. The last is never lost.
const EVENTS: usize = 64;
const COMMANDS: usize = 16;
/// Requests held behind an ACK that is still to come; beyond: 503.
const HELD: usize = 8;

/// What the application asks for.
#[derive(Debug)]
pub(super) enum Command {
    Ringing,
    Accept { sdp: String, done: oneshot::Sender<()> },
    Reject { status: u16, headers: Vec<(String, String)> },
    Bye { reason: Option<String>, done: oneshot::Sender<()> },
    Cancel,
    Reinvite { sdp: String, done: oneshot::Sender<Result<String, SipError>> },
    Info { digit: char },
}

/// What reaches a leg from the wire.
pub(super) enum ToLeg {
    /// A new request of the dialog.
    Request(Box<Transaction>),
    /// Something of a transaction that the leg runs.
    Transaction(u64, FromTransaction),
    /// A 2xx to our INVITE after its transaction was over.
    LateAnswer(Response),
}

pub(super) enum FromTransaction {
    Message(Box<SipMessage>),
    /// Sent again with credentials.
    Retried(Box<Request>),
    Over,
}

/// The application's end.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<SipEvent>,
    last: Arc<Mutex<Option<SipEvent>>>,
}

/// The task's end.
pub(super) struct Seat {
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<SipEvent>,
    last: Arc<Mutex<Option<SipEvent>>>,
}

pub(super) fn pair() -> (Handle, Seat) {
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
    pub(super) const fn new(handle: Handle) -> Self {
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

    /// Sends a digit by INFO (`application/dtmf-relay`); other characters are ignored.
    pub async fn info_digit(&self, digit: char) {
        drop(self.handle.commands.send(Command::Info { digit }).await);
    }
}

/// A re-INVITE or UPDATE that waits for the application.
struct Reoffer {
    /// The transaction of a re-INVITE; an UPDATE's is answered directly.
    kind: ReofferKind,
    request: Request,
    answer: oneshot::Receiver<Result<String, u16>>,
}

enum ReofferKind {
    Invite(u64, TransactionEventSender),
    Update(Box<Transaction>),
}

/// Our 2xx waits for its ACK.
struct Unacknowledged {
    id: u64,
    first: bool,
    /// The request had no offer, so the ACK brings the answer.
    wants_answer: bool,
}

/// Our own INVITE within the dialog.
struct OwnReinvite {
    id: u64,
    request: Request,
    done: oneshot::Sender<Result<String, SipError>>,
}

/// Where a call of ours stands before it is answered.
pub(super) struct Inviting {
    pub(super) id: u64,
    pub(super) request: Request,
    rings: bool,
    cancel: Cancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cancel {
    No,
    /// Wanted, but nothing came back yet (section 9.1: wait for a 1xx).
    Wanted,
    Sent,
}

enum Phase {
    Inviting(Box<Inviting>),
    Established,
    Over,
}

pub(super) struct Leg {
    shared: Arc<Shared>,
    dialog: Dialog,
    seat: Seat,
    key: DialogKey,
    inbox: mpsc::Receiver<ToLeg>,
    own_inbox: mpsc::Sender<ToLeg>,
    next_id: u64,
    credentials: Option<Credential>,
    phase: Phase,
    unacknowledged: Option<Unacknowledged>,
    held: VecDeque<Box<Transaction>>,
    reoffer: Option<Reoffer>,
    own: Option<OwnReinvite>,
    /// The ACK of our last INVITE, for a 2xx that comes again.
    ack: Option<Request>,
    /// BYE is wanted as soon as it is allowed.
    closing: Option<Option<String>>,
}

impl Leg {
    pub(super) fn new(shared: Arc<Shared>, dialog: Dialog, seat: Seat) -> Self {
        let (own_inbox, inbox) = mpsc::channel(LEG_QUEUE);
        let key = (dialog.call_id.clone(), dialog.local_tag.clone());
        shared.dialogs.add(key.clone(), own_inbox.clone());
        Self {
            shared,
            dialog,
            seat,
            key,
            inbox,
            own_inbox,
            next_id: 0,
            credentials: None,
            phase: Phase::Established,
            unacknowledged: None,
            held: VecDeque::new(),
            reoffer: None,
            own: None,
            ack: None,
            closing: None,
        }
    }

    /// The life of a leg that was called.
    pub(super) async fn answer(
        mut self,
        mut invite: Transaction,
        permit: OwnedSemaphorePermit,
        cancelled: CancellationToken,
    ) {
        let request = invite.original.clone();
        let trying = message::respond(&self.shared.stack, &request, 100, "", vec![], vec![]);
        drop(invite.respond(trying).await);
        let (id, replies) = self.run_server(invite);
        let accepted = self.until_answered(&request, id, &replies).await;
        drop(permit);
        match accepted {
            Ok((sdp, done)) => {
                let wants_answer = message::sdp_of(&request.body, message::content_type(&request).as_deref()).is_none();
                self.reply(&request, &replies, 200, self.session_headers(), sdp.into_bytes());
                self.unacknowledged = Some(Unacknowledged { id, first: true, wants_answer });
                let _ = done.send(());
                self.live().await;
            }
            Err(cause) => {
                if cause == EndCause::RemoteBye {
                    cancelled.cancel();
                }
                self.over(SipEvent::Ended { cause });
            }
        }
    }

    /// Until the application accepts; everything else that ends the wait is answered here.
    async fn until_answered(
        &mut self,
        request: &Request,
        id: u64,
        replies: &TransactionEventSender,
    ) -> Result<(String, oneshot::Sender<()>), EndCause> {
        loop {
            tokio::select! {
                command = self.seat.commands.recv() => match command {
                    Some(Command::Ringing) => self.reply(request, replies, 180, self.contact_header(), vec![]),
                    Some(Command::Accept { sdp, done }) => return Ok((sdp, done)),
                    Some(Command::Reject { status, headers }) => {
                        let extra = headers.iter().filter_map(|(n, v)| message::safe_header(n, v)).collect();
                        self.reply(request, replies, status, extra, vec![]);
                        return Err(EndCause::LocalBye);
                    }
                    Some(_) => {}
                    None => {
                        self.reply(request, replies, 480, vec![], vec![]);
                        return Err(EndCause::LocalBye);
                    }
                },
                message = self.inbox.recv() => match message {
                    Some(ToLeg::Transaction(of, FromTransaction::Message(m))) if of == id => {
                        // The transaction has answered the CANCEL itself (section 9.2).
                        if matches!(&*m, SipMessage::Request(r) if r.method == Method::Cancel) {
                            self.reply(request, replies, 487, vec![], vec![]);
                            return Err(EndCause::RemoteBye);
                        }
                    }
                    Some(ToLeg::Transaction(of, FromTransaction::Over)) if of == id => return Err(EndCause::TransportLost),
                    Some(ToLeg::Request(transaction)) => {
                        // BYE of an early dialog (section 15.1.2).
                        let bye = transaction.original.method == Method::Bye;
                        self.answer_directly(transaction, if bye { 200 } else { 500 }, vec![]).await;
                        if bye {
                            self.reply(request, replies, 487, vec![], vec![]);
                            return Err(EndCause::RemoteBye);
                        }
                    }
                    _ => {}
                },
                () = self.shared.cancel.cancelled() => return Err(EndCause::TransportLost),
            }
        }
    }

    /// The life of a leg that calls.
    pub(super) async fn invite(mut self, request: Request, credentials: Option<Credential>) {
        self.credentials = credentials;
        let id = self.run_client(request.clone()).await;
        self.phase = Phase::Inviting(Box::new(Inviting { id, request, rings: false, cancel: Cancel::No }));
        self.live().await;
    }

    async fn live(mut self) {
        while !matches!(self.phase, Phase::Over) {
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => self.on_wire(message).await,
                    None => self.over(SipEvent::Ended { cause: EndCause::TransportLost }),
                },
                command = self.seat.commands.recv(), if self.closing.is_none() => match command {
                    Some(command) => self.on_command(command).await,
                    None => self.hang_up(None).await,
                },
                answer = reoffer_answer(&mut self.reoffer) => self.finish_reoffer(answer.unwrap_or(Err(500))).await,
                () = self.shared.cancel.cancelled() => self.over(SipEvent::Ended { cause: EndCause::TransportLost }),
            }
        }
    }

    async fn on_command(&mut self, command: Command) {
        match command {
            Command::Bye { reason, done } => {
                self.hang_up(reason).await;
                let _ = done.send(());
            }
            Command::Cancel => self.cancel().await,
            Command::Reinvite { sdp, done } => self.reinvite(sdp, done).await,
            Command::Info { digit } => {
                if let (Some((kind, body)), true) = (info_body(digit), self.is_established()) {
                    let request =
                        self.dialog.request(Method::Info, vec![header("Content-Type", kind)], body.into_bytes());
                    self.run_client(request).await;
                }
            }
            Command::Ringing | Command::Accept { .. } | Command::Reject { .. } => {}
        }
    }

    async fn hang_up(&mut self, reason: Option<String>) {
        match self.phase {
            Phase::Inviting(_) => {
                self.closing = Some(reason);
                self.cancel().await;
            }
            // Section 15: the called side waits for the ACK.
            Phase::Established if self.unacknowledged.as_ref().is_some_and(|u| u.first) => self.closing = Some(reason),
            Phase::Established => self.send_bye(reason, EndCause::LocalBye).await,
            Phase::Over => {}
        }
    }

    async fn send_bye(&mut self, reason: Option<String>, cause: EndCause) {
        let extra = reason.as_deref().and_then(|r| message::safe_header("Reason", r)).into_iter().collect();
        let request = self.dialog.request(Method::Bye, extra, vec![]);
        self.run_client(request).await;
        self.over(SipEvent::Ended { cause });
    }

    async fn cancel(&mut self) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        if inviting.cancel == Cancel::Sent {
            return;
        }
        inviting.cancel = Cancel::Wanted;
        if inviting.rings {
            inviting.cancel = Cancel::Sent;
            let cancel = message::cancel_of(&inviting.request);
            self.run_client(cancel).await;
        }
    }

    async fn reinvite(&mut self, sdp: String, done: oneshot::Sender<Result<String, SipError>>) {
        if !self.is_established() {
            return drop(done.send(Err(SipError::Over)));
        }
        // Section 14.1: one INVITE at a time, in either direction.
        if self.own.is_some() || self.reoffer.is_some() || self.unacknowledged.is_some() {
            return drop(done.send(Err(SipError::Glare)));
        }
        let request = self.dialog.request(Method::Invite, message::sdp_headers(), sdp.into_bytes());
        let id = self.run_client(request.clone()).await;
        self.own = Some(OwnReinvite { id, request, done });
    }

    async fn on_wire(&mut self, message: ToLeg) {
        match message {
            ToLeg::Request(transaction) => self.on_request(transaction).await,
            ToLeg::LateAnswer(response) => self.on_late_answer(response).await,
            ToLeg::Transaction(id, FromTransaction::Message(message)) => match *message {
                SipMessage::Request(request) => self.on_transaction_request(id, request).await,
                SipMessage::Response(response) => self.on_response(id, response).await,
            },
            ToLeg::Transaction(id, FromTransaction::Retried(request)) => self.on_retried(id, *request),
            ToLeg::Transaction(id, FromTransaction::Over) => self.on_transaction_over(id).await,
        }
    }

    /// Section 12.2.2. Requests wait behind an ACK that is still to come, and behind each other; BYE alone goes first.
    async fn on_request(&mut self, transaction: Box<Transaction>) {
        let method = transaction.original.method;
        if message::from_tag(&transaction.original)
            .is_none_or(|tag| tag != self.dialog.remote_tag && !self.dialog.remote_tag.is_empty())
        {
            return self.answer_directly(transaction, 481, vec![]).await;
        }
        let waits = method == Method::Invite && self.unacknowledged.is_some() || !self.held.is_empty();
        if waits && method != Method::Bye {
            if self.held.len() == HELD {
                count("held_full");
                return self.answer_directly(transaction, 503, dispatch::retry_after()).await;
            }
            return self.held.push_back(transaction);
        }
        self.take_request(transaction).await;
    }

    async fn take_request(&mut self, transaction: Box<Transaction>) {
        let request = &transaction.original;
        let sequence = message::sequence(request).unwrap_or(0);
        if sequence < self.dialog.remote_seq {
            return self.answer_directly(transaction, 500, vec![]).await;
        }
        self.dialog.remote_seq = sequence;
        if let Some((status, headers)) = dispatch::refusal(request) {
            return self.answer_directly(transaction, status, headers).await;
        }
        match request.method {
            Method::Bye => {
                self.answer_directly(transaction, 200, vec![]).await;
                self.over(SipEvent::Ended { cause: EndCause::RemoteBye });
            }
            Method::Options => self.answer_directly(transaction, 200, dispatch::capabilities()).await,
            Method::Info => self.on_info(transaction).await,
            Method::Invite | Method::Update => self.on_reoffer(transaction).await,
            _ => self.answer_directly(transaction, 481, vec![]).await,
        }
    }

    async fn on_info(&mut self, transaction: Box<Transaction>) {
        let request = &transaction.original;
        let kind = message::content_type(request).unwrap_or_default();
        let digit = info_digit(&kind, &request.body);
        let empty = request.body.is_empty();
        match digit {
            Some(d) => {
                self.answer_directly(transaction, 200, vec![]).await;
                self.tell(SipEvent::Digit { digit: d.digit, duration_ms: d.duration_ms });
            }
            None if empty => self.answer_directly(transaction, 200, vec![]).await,
            None => self.answer_directly(transaction, 415, vec![header("Accept", message::ACCEPT)]).await,
        }
    }

    /// Sections 14.2 (re-INVITE) and RFC 3311 section 5.2 (UPDATE).
    async fn on_reoffer(&mut self, transaction: Box<Transaction>) {
        if self.own.is_some() {
            return self.answer_directly(transaction, 491, vec![]).await;
        }
        if self.reoffer.is_some() || !self.is_established() {
            return self.answer_directly(transaction, 500, dispatch::retry_after()).await;
        }
        let request = transaction.original.clone();
        if let Some(target) = message::contact_uri(&request) {
            self.dialog.target = target;
        }
        let sdp = message::sdp_of(&request.body, message::content_type(&request).as_deref());
        if request.method == Method::Update && sdp.is_none() {
            return self.answer_directly(transaction, 200, self.contact_header()).await;
        }
        let (reply, answer) = oneshot::channel();
        let kind = match request.method {
            Method::Invite => {
                let (id, replies) = self.run_server(*transaction);
                ReofferKind::Invite(id, replies)
            }
            _ => ReofferKind::Update(transaction),
        };
        self.reoffer = Some(Reoffer { kind, request, answer });
        self.tell(SipEvent::Reoffer { sdp, reply });
    }

    async fn finish_reoffer(&mut self, answer: Result<String, u16>) {
        let Some(Reoffer { kind, request, .. }) = self.reoffer.take() else { return };
        let (status, headers, body) = match answer {
            Ok(sdp) => (200, self.session_headers(), sdp.into_bytes()),
            Err(status) => (if (300..700).contains(&status) { status } else { 500 }, vec![], vec![]),
        };
        match kind {
            ReofferKind::Invite(id, replies) => {
                self.reply(&request, &replies, status, headers, body);
                if status == 200 {
                    let wants_answer =
                        message::sdp_of(&request.body, message::content_type(&request).as_deref()).is_none();
                    self.unacknowledged = Some(Unacknowledged { id, first: false, wants_answer });
                }
            }
            ReofferKind::Update(mut transaction) => {
                let response =
                    message::respond(&self.shared.stack, &request, status, &self.dialog.local_tag, headers, body);
                drop(transaction.respond(response).await);
            }
        }
    }

    /// ACK or CANCEL within an INVITE's transaction.
    async fn on_transaction_request(&mut self, id: u64, request: Request) {
        match request.method {
            Method::Ack => {
                let Some(waited) = self.unacknowledged.take_if(|u| u.id == id) else { return };
                let sdp = message::sdp_of(&request.body, message::content_type(&request).as_deref());
                if waited.first || waited.wants_answer {
                    self.tell(SipEvent::Confirmed { sdp: sdp.filter(|_| waited.wants_answer) });
                }
                if let Some(reason) = self.closing.take() {
                    return self.send_bye(reason, EndCause::LocalBye).await;
                }
                self.release_held().await;
            }
            Method::Cancel => {
                let pending = |r: &mut Reoffer| matches!(&r.kind, ReofferKind::Invite(of, _) if *of == id);
                if let Some(Reoffer { kind: ReofferKind::Invite(_, replies), request, .. }) =
                    self.reoffer.take_if(pending)
                {
                    self.reply(&request, &replies, 487, vec![], vec![]);
                }
            }
            _ => {}
        }
    }

    async fn release_held(&mut self) {
        while self.is_established() {
            let blocked = |t: &Transaction| t.original.method == Method::Invite && self.unacknowledged.is_some();
            if self.held.front().is_none_or(|t| blocked(t)) {
                return;
            }
            if let Some(transaction) = self.held.pop_front() {
                self.take_request(transaction).await;
            }
        }
    }

    fn on_retried(&mut self, id: u64, request: Request) {
        self.dialog.local_seq = message::sequence(&request).unwrap_or(self.dialog.local_seq).max(self.dialog.local_seq);
        match (&mut self.phase, &mut self.own) {
            (Phase::Inviting(inviting), _) if inviting.id == id => inviting.request = request,
            (_, Some(own)) if own.id == id => own.request = request,
            _ => {}
        }
    }

    async fn on_response(&mut self, id: u64, response: Response) {
        match &self.phase {
            Phase::Inviting(inviting) if inviting.id == id => self.on_invite_response(response).await,
            _ if self.own.as_ref().is_some_and(|own| own.id == id) => self.on_reinvite_response(response).await,
            _ => {}
        }
    }

    async fn on_invite_response(&mut self, response: Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let status = response.status_code.code();
        let sdp = message::sdp_of(&response.body, message::content_type(&response).as_deref());
        match response.status_code.kind() {
            StatusCodeKind::Provisional => {
                inviting.rings = true;
                if inviting.cancel == Cancel::Wanted {
                    return self.cancel().await;
                }
                if response.status_code != StatusCode::Trying {
                    self.tell(SipEvent::Ringing { status, sdp });
                }
            }
            StatusCodeKind::Successful => {
                let (request, cancel) = (inviting.request.clone(), inviting.cancel);
                self.dialog.establish(&response, true);
                self.phase = Phase::Established;
                self.acknowledge(&request, &response).await;
                if cancel != Cancel::No || self.closing.is_some() {
                    // Section 9.1: the answer crossed our CANCEL.
                    let reason = self.closing.take().flatten();
                    return self.send_bye(reason, EndCause::LocalBye).await;
                }
                self.tell(SipEvent::Answered { sdp: sdp.unwrap_or_default() });
            }
            _ => {
                let reason = response.wire_reason.clone().unwrap_or_else(|| response.status_code.text().to_string());
                self.over(SipEvent::Rejected { status, reason });
            }
        }
    }

    async fn on_reinvite_response(&mut self, response: Response) {
        let kind = response.status_code.kind();
        if kind == StatusCodeKind::Provisional {
            return;
        }
        let Some(OwnReinvite { request, done, .. }) = self.own.take() else { return };
        if kind == StatusCodeKind::Successful {
            self.dialog.establish(&response, false);
            self.acknowledge(&request, &response).await;
            let sdp = message::sdp_of(&response.body, message::content_type(&response).as_deref());
            return drop(done.send(sdp.ok_or(SipError::Refused(488))));
        }
        let status = response.status_code.code();
        drop(done.send(Err(if status == 491 { SipError::Glare } else { SipError::Refused(status) })));
        // Section 14.1: the other side has lost the dialog, or itself.
        match status {
            481 => self.send_bye(None, EndCause::RemoteBye).await,
            408 => self.send_bye(None, EndCause::TransportLost).await,
            _ => {}
        }
    }

    async fn acknowledge(&mut self, invite: &Request, response: &Response) {
        match self.shared.stack.make_ack(invite, response) {
            Ok(mut ack) => {
                // The stack keeps the response's Via; ours carries our address and a branch of its own.
                let via =
                    header("Via", self.dialog.path.via(&format!("z9hG4bK{}", rsipstack::transaction::random_text(16))));
                ack.headers.retain(|h| !matches!(h, Header::Via(_)));
                ack.headers.push_front(via);
                self.refresh_path().await;
                self.dialog.path.send(ack.clone().into()).await;
                self.ack = Some(ack);
            }
            Err(error) => debug!(%error, "no ACK can be made for the answer"),
        }
    }

    /// A 2xx again: the ACK was lost. A 2xx of another branch: this call is answered already, so that one is ended
    /// (section 13.2.2.4).
    async fn on_late_answer(&mut self, response: Response) {
        let tag = message::to_tag(&response).unwrap_or_default();
        if tag == self.dialog.remote_tag {
            if let Some(ack) = self.ack.as_ref().filter(|a| message::sequence(*a) == message::sequence(&response)) {
                self.dialog.path.send(ack.clone().into()).await;
            }
            return;
        }
        let mut other = self.dialog.clone();
        other.establish(&response, true);
        other.local_seq = message::sequence(&response).unwrap_or(other.local_seq);
        let seq = other.local_seq;
        let mut ack = other.request(Method::Ack, vec![], vec![]);
        ack.headers.retain(|h| !matches!(h, Header::CSeq(_)));
        ack.headers.push(header("CSeq", format!("{seq} ACK")));
        other.path.send(ack.into()).await;
        let bye = other.request(Method::Bye, vec![], vec![]);
        self.run_client(bye).await;
    }

    async fn on_transaction_over(&mut self, id: u64) {
        if self.unacknowledged.as_ref().is_some_and(|u| u.id == id) {
            // Section 13.3.1.4: no ACK in 64*T1.
            self.unacknowledged = None;
            let (reason, cause) = match self.closing.take() {
                Some(reason) => (reason, EndCause::LocalBye),
                None => (None, EndCause::AckTimeout),
            };
            return self.send_bye(reason, cause).await;
        }
        if matches!(&self.phase, Phase::Inviting(i) if i.id == id) {
            return self.over(SipEvent::Rejected { status: 408, reason: "Request Timeout".into() });
        }
        if let Some(own) = self.own.take_if(|own| own.id == id) {
            drop(own.done.send(Err(SipError::Refused(408))));
            self.send_bye(None, EndCause::TransportLost).await;
        }
    }

    /// The path of the dialog as it now stands, for what is sent outside a transaction.
    async fn refresh_path(&mut self) {
        if self.dialog.pinned.is_some() {
            return;
        }
        if let Ok(path) = uac::path_of(&self.shared, &self.dialog).await {
            self.dialog.path = path;
        }
    }

    const fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established)
    }

    fn contact_header(&self) -> Vec<Header> {
        vec![header("Contact", self.dialog.contact.as_str())]
    }

    fn session_headers(&self) -> Vec<Header> {
        let mut headers = self.contact_header();
        headers.push(header("Allow", crate::sip::ALLOW));
        headers.extend(message::sdp_headers());
        headers
    }

    fn reply(
        &self,
        request: &Request,
        replies: &TransactionEventSender,
        status: u16,
        headers: Vec<Header>,
        body: Vec<u8>,
    ) {
        let response = message::respond(&self.shared.stack, request, status, &self.dialog.local_tag, headers, body);
        // An error means that the transaction is over: its end is in the inbox.
        drop(replies.send(TransactionEvent::Respond(response)));
    }

    /// Answers at once; a refused INVITE's transaction goes on by itself.
    async fn answer_directly(&self, mut transaction: Box<Transaction>, status: u16, headers: Vec<Header>) {
        let response = message::respond(
            &self.shared.stack,
            &transaction.original,
            status,
            &self.dialog.local_tag,
            headers,
            vec![],
        );
        if transaction.respond(response).await.is_ok() && transaction.original.method == Method::Invite {
            spawn(async move { while transaction.receive().await.is_some() {} });
        }
    }

    fn tell(&self, event: SipEvent) {
        if self.seat.events.try_send(event).is_err() {
            count("event_lost");
        }
    }

    /// The end: what still waits is answered, and the last event cannot be lost.
    fn over(&mut self, event: SipEvent) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        self.phase = Phase::Over;
        self.shared.dialogs.remove(&self.key);
        *self.seat.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(event);
        if let Some(Reoffer { kind, request, .. }) = self.reoffer.take() {
            match kind {
                ReofferKind::Invite(_, replies) => self.reply(&request, &replies, 487, vec![], vec![]),
                ReofferKind::Update(transaction) => dispatch::answer(&self.shared, *transaction, 481, vec![]),
            }
        }
        for transaction in self.held.drain(..) {
            dispatch::answer(&self.shared, *transaction, 481, vec![]);
        }
        if let Some(own) = self.own.take() {
            drop(own.done.send(Err(SipError::Over)));
        }
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Lets a server transaction run by itself: it is not cancel safe, so that no `select!` may hold it.
    fn run_server(&mut self, mut transaction: Transaction) -> (u64, TransactionEventSender) {
        let (id, inbox, replies) = (self.id(), self.own_inbox.clone(), transaction.tu_sender.clone());
        spawn(async move {
            while let Some(message) = transaction.receive().await {
                drop(inbox.send(ToLeg::Transaction(id, FromTransaction::Message(Box::new(message)))).await);
            }
            drop(inbox.send(ToLeg::Transaction(id, FromTransaction::Over)).await);
        });
        (id, replies)
    }

    /// Sends a request to where the dialog leads, so that requests leave in their order; the rest runs by itself.
    async fn run_client(&mut self, request: Request) -> u64 {
        let (id, inbox) = (self.id(), self.own_inbox.clone());
        let sent = send_request(&self.shared, &self.dialog, request).await;
        let credentials = self.credentials.clone();
        spawn(async move {
            if let Some(transaction) = sent {
                run_client(transaction, credentials, id, &inbox).await;
            }
            drop(inbox.send(ToLeg::Transaction(id, FromTransaction::Over)).await);
        });
        id
    }
}

async fn send_request(shared: &Arc<Shared>, dialog: &Dialog, request: Request) -> Option<Transaction> {
    let path = uac::path_of(shared, dialog).await.ok()?;
    let key = TransactionKey::from_request(&request, TransactionRole::Client).ok()?;
    let mut transaction = Transaction::new_client(key, request, shared.stack.clone(), Some(path.connection.clone()));
    transaction.destination = Some(path.destination());
    transaction.send().await.ok()?;
    Some(transaction)
}

/// Answers a challenge, and passes on what comes back.
async fn run_client(
    mut transaction: Transaction,
    credentials: Option<Credential>,
    id: u64,
    inbox: &mpsc::Sender<ToLeg>,
) {
    let mut retry = AuthRetry::new();
    while let Some(message) = transaction.receive().await {
        if let (SipMessage::Response(response), Some(credentials)) = (&message, &credentials)
            && is_challenge_for(response, credentials)
            && retry.should_answer(response)
        {
            let sequence = message::sequence(&transaction.original).unwrap_or(0) + 1;
            if let Ok(next) = handle_client_authenticate(sequence, &transaction, response.clone(), credentials).await {
                transaction = next;
                let again = FromTransaction::Retried(Box::new(transaction.original.clone()));
                drop(inbox.send(ToLeg::Transaction(id, again)).await);
                if transaction.send().await.is_err() {
                    return;
                }
                continue;
            }
        }
        drop(inbox.send(ToLeg::Transaction(id, FromTransaction::Message(Box::new(message)))).await);
    }
}

fn is_challenge_for(response: &Response, credentials: &Credential) -> bool {
    let realm = match response.status_code {
        StatusCode::Unauthorized => response.www_authenticate_header().and_then(|h| h.typed().ok()).map(|c| c.realm),
        StatusCode::ProxyAuthenticationRequired => response
            .headers
            .iter()
            .find_map(|h| if let Header::ProxyAuthenticate(p) = h { Some(p) } else { None })
            .and_then(|h| h.typed().ok())
            .map(|c| c.realm),
        _ => None,
    };
    realm.is_some_and(|realm| credentials.realm.as_ref().is_none_or(|own| *own == realm))
}

async fn reoffer_answer(reoffer: &mut Option<Reoffer>) -> Result<Result<String, u16>, oneshot::error::RecvError> {
    match reoffer {
        Some(reoffer) => (&mut reoffer.answer).await,
        None => std::future::pending().await,
    }
}
