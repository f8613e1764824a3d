//! A call that comes in: from its INVITE to our answer. Owns [`Incoming`]; once answered, the leg is `leg.rs`'s.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Request, Scheme, Uri};
use rsipstack::transaction::random_text;
use rsipstack::transaction::transaction::Transaction;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::sip::{Identity, Trust, user_of};

use super::dispatch::{self, Shared};
use super::leg::{self, Command, Handle, Leg, SipLeg};
use super::message::{self, Dialog};
use super::transport::{Path, count};
use super::{SipError, spawn};

/// A call that waits for an answer. Dropped without one, it is refused with 480.
#[derive(Debug)]
pub struct Incoming {
    /// The Call-ID: unique, and the same in the other side's log.
    pub call_id: String,
    /// Who rings, by From.
    pub caller: Identity,
    /// Who rings, by P-Asserted-Identity; only to be believed of a trusted peer.
    pub asserted: Identity,
    /// Whom: the user part of the Request-URI, unescaped; empty if there is none.
    pub called: String,
    /// Where it came from.
    pub source: SocketAddr,
    /// Our address as that peer sees it, for the description of the answer.
    pub local_ip: IpAddr,
    /// The offer; without one, our 2xx carries ours, and [`super::SipEvent::Confirmed`] the answer.
    pub offer: Option<String>,
    /// The names in the order in which the peer sent them, for a plan that asks for a header.
    pub headers: Vec<(String, String)>,
    cancelled: CancellationToken,
    handle: Handle,
}

impl Incoming {
    /// Sends 180.
    ///
    /// # Errors
    /// [`SipError::Cancelled`].
    pub fn ringing(&self) -> Result<(), SipError> {
        self.handle.commands.try_send(Command::Ringing).map_err(|_| SipError::Cancelled)
    }

    /// Answers with 200 and our description. The leg's first event is `Confirmed`.
    ///
    /// # Errors
    /// [`SipError::Cancelled`] if the caller was quicker.
    pub async fn accept(self, sdp: String) -> Result<SipLeg, SipError> {
        let (done, answered) = oneshot::channel();
        let accept = Command::Accept { sdp, done };
        self.handle.commands.send(accept).await.map_err(|_| SipError::Cancelled)?;
        answered.await.map_err(|_| SipError::Cancelled)?;
        Ok(SipLeg::new(self.handle))
    }

    /// Refuses.
    pub async fn reject(self, status: u16, headers: Vec<(String, String)>) {
        // A success or a provisional status would be no refusal.
        let status = if (300..700).contains(&status) { status } else { 500 };
        drop(self.handle.commands.send(Command::Reject { status, headers }).await);
    }

    /// Resolves once the caller has given up; 487 is already sent. Cancel safe.
    pub async fn cancelled(&mut self) {
        self.cancelled.cancelled().await;
    }
}

/// Starts the leg of an INVITE outside any dialog, and offers it to the application.
pub(super) fn start(
    shared: Arc<Shared>,
    transaction: Transaction,
    permit: OwnedSemaphorePermit,
    calls: &mpsc::Sender<Incoming>,
) {
    let Ok(slot) = calls.clone().try_reserve_owned() else {
        count("calls_full");
        return dispatch::answer(&shared, transaction, 503, dispatch::retry_after());
    };
    let Some((dialog, source)) = dialog_of(&shared, &transaction) else {
        return dispatch::answer(&shared, transaction, 400, vec![]);
    };
    let request = &transaction.original;
    let (handle, seat) = leg::pair();
    let cancelled = CancellationToken::new();
    let incoming = Incoming {
        call_id: dialog.call_id.clone(),
        caller: identity(request, Trust::From),
        asserted: identity(request, Trust::Asserted),
        called: called(&request.uri),
        source,
        local_ip: dialog.path.local.ip(),
        offer: message::sdp_of(&request.body, message::content_type(request).as_deref()),
        headers: request.headers.iter().take(64).map(|h| (h.name().to_string(), h.value().to_string())).collect(),
        cancelled: cancelled.clone(),
        handle,
    };
    let leg = Leg::new(shared, dialog, seat);
    spawn(leg.answer(transaction, permit, cancelled));
    slot.send(incoming);
}

/// The user part of a Request-URI, or a tel URI's number.
fn called(uri: &Uri) -> String {
    let text = match (&uri.auth, &uri.scheme) {
        // As it was parsed: writing it would escape it again.
        (Some(auth), _) => format!("sip:{}@host", auth.user),
        (None, Some(Scheme::Other(scheme))) => format!("{scheme}:{}", uri.host_with_port),
        (None, _) => return String::new(),
    };
    user_of(&text).unwrap_or_default()
}

fn identity(request: &Request, trust: Trust) -> Identity {
    let from = request.from_header().map(|f| f.value()).unwrap_or_default();
    let asserted: Vec<&str> =
        request.headers.iter().filter(|h| matches!(h, Header::PAssertedIdentity(_))).map(Header::value).collect();
    Identity::read(from, &asserted, trust)
}

/// The dialog that a 2xx will create (section 12.1.1).
fn dialog_of(shared: &Shared, transaction: &Transaction) -> Option<(Dialog, SocketAddr)> {
    let request = &transaction.original;
    let connection = transaction.connection.as_ref()?;
    let source = source_of(transaction)?;
    let path: Path = shared.wires.path_back(connection, source)?;
    let from = request.from_header().ok()?.value();
    let routes = message::record_routes(request);
    let translated = routes.is_empty() && message::is_translated(request);
    let user = called(&request.uri);
    let good_user = !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-_.*#".contains(&b));
    let dialog = Dialog {
        call_id: message::call_id(request)?,
        local_tag: random_text(16),
        remote_tag: message::from_tag(request)?,
        local: message::bare_address(request.to_header().ok()?.value()),
        remote: message::bare_address(from),
        local_seq: 0,
        remote_seq: message::sequence(request)?,
        target: message::contact_uri(request).or_else(|| request.from_header().ok()?.uri().ok())?,
        routes,
        contact: path.contact(if good_user { &user } else { "" }).replace('#', "%23"),
        pinned: translated.then_some(source),
        path,
    };
    Some((dialog, source))
}

/// Where a request came from: the stream's peer, or what the Via was told at reception.
fn source_of(transaction: &Transaction) -> Option<SocketAddr> {
    let connection = transaction.connection.as_ref()?;
    if let Some(remote) = connection.get_remote_addr() {
        return remote.get_socketaddr().ok();
    }
    let via = transaction.original.via_header().ok()?;
    let (_, address) = rsipstack::transport::SipConnection::parse_target_from_via(via).ok()?;
    SocketAddr::try_from(address).ok()
}
