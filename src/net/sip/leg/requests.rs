//! Requests that the other side sends within a dialog (RFC 3261 section 12.2.2), in their order.

use rsipstack::sip::{Method, Request};
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::oneshot;

use crate::sip::info_digit;

use super::super::dispatch;
use super::super::message::{self, header};
use super::super::transport::count;
use super::super::{EndCause, SipEvent};
use super::{Leg, Reoffer, ReofferKind, Unacknowledged};

/// Requests held behind an ACK that is still to come; beyond: 503.
const HELD: usize = 8;

impl Leg {
    /// Section 12.2.2. Requests wait behind an ACK that is still to come, and behind each other; BYE alone goes first.
    pub(super) async fn on_request(&mut self, transaction: Box<Transaction>) {
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

    pub(super) async fn take_request(&mut self, transaction: Box<Transaction>) {
        let request = &transaction.original;
        let sequence = message::sequence(request).unwrap_or(0);
        if sequence < self.dialog.remote_seq {
            return self.answer_directly(transaction, 500, vec![]).await;
        }
        self.dialog.remote_seq = sequence;
        if request.method == Method::Notify && self.awaits_notify(request) {
            return self.on_notify(transaction).await;
        }
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

    pub(super) async fn on_info(&mut self, transaction: Box<Transaction>) {
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
    pub(super) async fn on_reoffer(&mut self, transaction: Box<Transaction>) {
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

    pub(super) async fn finish_reoffer(&mut self, answer: Result<String, u16>) {
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
    pub(super) async fn on_transaction_request(&mut self, id: u64, request: Request) {
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

    pub(super) async fn release_held(&mut self) {
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
}
