//! One leg: a task that owns an INVITE dialog from its first message to its last, and the handle through which the
//! application drives it. Takes the dialog's requests strictly in order; a re-INVITE that overtakes the ACK before it is
//! held until the dialog is confirmed.
//!
//! ```text
//! Offering ─2xx─▶ Unconfirmed ─ACK─▶ Confirmed ─BYE─▶ over        Inviting ─2xx, ACK─▶ Confirmed
//! ```

mod calls;
mod handle;
mod refer;
mod requests;

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use rsipstack::dialog::authenticate::Credential;
use rsipstack::sip::{Header, Method, Request, Response, SipMessage};
use rsipstack::transaction::transaction::{Transaction, TransactionEvent, TransactionEventSender};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::sip::info_body;

pub use handle::SipLeg;
pub(super) use handle::{Command, Handle, Seat, pair};

use super::dispatch::{self, DialogKey, LEG_QUEUE, Shared};
use super::message::{self, Dialog, header};
use super::transport::count;
use super::{EndCause, SipError, SipEvent, spawn};

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
struct Inviting {
    id: u64,
    request: Request,
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
    /// Our REFER, until its end is known.
    referral: Option<refer::Referral>,
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
            referral: None,
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
            Command::Refer { to } => self.refer(&to).await,
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
        self.on_refer_over(id);
        if let Some(own) = self.own.take_if(|own| own.id == id) {
            drop(own.done.send(Err(SipError::Refused(408))));
            self.send_bye(None, EndCause::TransportLost).await;
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
}

async fn reoffer_answer(reoffer: &mut Option<Reoffer>) -> Result<Result<String, u16>, oneshot::error::RecvError> {
    match reoffer {
        Some(reoffer) => (&mut reoffer.answer).await,
        None => std::future::pending().await,
    }
}
