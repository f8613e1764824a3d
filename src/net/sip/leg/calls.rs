//! What we ask of the other side: the INVITE that makes the call, CANCEL, re-INVITE, and the ACK of each; with credentials
//! where they are asked for.

use std::sync::Arc;

use rsipstack::dialog::authenticate::{AuthRetry, Credential, handle_client_authenticate};
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Header, Method, Request, Response, SipMessage, StatusCode, StatusCodeKind};
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::super::dispatch::Shared;
use super::super::message::{self, Dialog, header};
use super::super::{EndCause, SipError, SipEvent, spawn, uac};
use super::{Cancel, FromTransaction, Leg, OwnReinvite, Phase, ToLeg};

impl Leg {
    pub(super) async fn cancel(&mut self) {
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

    pub(super) async fn reinvite(&mut self, sdp: String, done: oneshot::Sender<Result<String, SipError>>) {
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

    pub(super) fn on_retried(&mut self, id: u64, request: Request) {
        self.dialog.local_seq = message::sequence(&request).unwrap_or(self.dialog.local_seq).max(self.dialog.local_seq);
        match (&mut self.phase, &mut self.own) {
            (Phase::Inviting(inviting), _) if inviting.id == id => inviting.request = request,
            (_, Some(own)) if own.id == id => own.request = request,
            _ => {}
        }
    }

    pub(super) async fn on_response(&mut self, id: u64, response: Response) {
        match &self.phase {
            Phase::Inviting(inviting) if inviting.id == id => self.on_invite_response(response).await,
            _ if self.own.as_ref().is_some_and(|own| own.id == id) => self.on_reinvite_response(response).await,
            _ => self.on_refer_response(id, response.status_code.code()),
        }
    }

    pub(super) async fn on_invite_response(&mut self, response: Response) {
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

    pub(super) async fn on_reinvite_response(&mut self, response: Response) {
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

    pub(super) async fn acknowledge(&mut self, invite: &Request, response: &Response) {
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
    pub(super) async fn on_late_answer(&mut self, response: Response) {
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

    /// The path of the dialog as it now stands, for what is sent outside a transaction.
    pub(super) async fn refresh_path(&mut self) {
        if self.dialog.pinned.is_some() {
            return;
        }
        if let Ok(path) = uac::path_of(&self.shared, &self.dialog).await {
            self.dialog.path = path;
        }
    }

    /// Sends a request to where the dialog leads, so that requests leave in their order; the rest runs by itself.
    pub(super) async fn run_client(&mut self, request: Request) -> u64 {
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
                unquote_qop(&mut transaction.original);
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

/// The stack quotes what RFC 2617 section 3.2.2 has without quotes.
fn unquote_qop(request: &mut Request) {
    for header in request.headers.iter_mut() {
        match header {
            Header::Authorization(h) => h.replace(h.value().replace("qop=\"auth\"", "qop=auth")),
            Header::ProxyAuthorization(h) => h.replace(h.value().replace("qop=\"auth\"", "qop=auth")),
            _ => {}
        }
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
