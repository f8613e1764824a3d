//! SIP user agent, server and client, over UDP and TCP (RFC 3261). Owns sockets, transactions and dialogs, and keeps the
//! stack under it (`rsipstack`) wholly to itself. Never decides about a call, never touches media, never logs who rings
//! (the stack does, at `info`: [`LOG_DIRECTIVE`] belongs into every log filter).
//!
//! ```text
//! sockets (transport) ─▶ transactions (rsipstack) ─▶ dispatch ─▶ one task a leg (leg) ─▶ Incoming / SipLeg
//! ```
//!
//! A leg's task takes its dialog's requests strictly in order, and holds a re-INVITE until the dialog is confirmed.

mod dispatch;
mod framing;
mod leg;
mod message;
mod transport;
mod uac;
mod uas;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rsipstack::EndpointBuilder;
use rsipstack::transaction::endpoint::EndpointOption;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::pii::Pii;

pub use leg::SipLeg;
pub use uas::Incoming;

use dispatch::{Dialogs, Shared};
use transport::Wires;

/// The stack logs whole messages at `info`, and those name people: every log filter ends in this.
pub const LOG_DIRECTIVE: &str = "rsipstack=error";

/// What SIP runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
}

/// Where to listen, and under what name.
#[derive(Debug, Clone)]
pub struct SipOptions {
    /// Addresses to bind; port 0 takes any free one.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The address by which others reach us, for Via and Contact; without it the one that is bound, or for an
    /// unspecified one that from which the system would send to the peer. Peers on loopback always get the latter.
    pub advertise: Option<IpAddr>,
    /// For User-Agent.
    pub user_agent: String,
}

/// Bounds on what strangers may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest message, octets; beyond: 513.
    pub message: usize,
    /// Transactions that are remembered (each about 32 s); beyond: 503.
    pub transactions: usize,
    /// INVITEs that wait for an answer; beyond: 503.
    pub unanswered: usize,
    /// New calls a second, with as many at once; beyond: 503.
    pub invites_per_second: u32,
    /// Streams; beyond: closed.
    pub streams: usize,
    /// T1 of RFC 3261 section 17.1.1.1; the other timers follow from it.
    pub t1: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 16 * 1024,
            transactions: 50_000,
            unanswered: 1_000,
            invites_per_second: 500,
            streams: 1_000,
            t1: Duration::from_millis(500),
        }
    }
}

/// Why signalling failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SipError {
    /// An address to listen on cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: String,
    },
    /// Not a SIP address (`sip:user@host:port;transport=tcp`), or not one without TLS.
    #[error("not a usable SIP address")]
    Address,
    /// The host of an address is unknown.
    #[error("the host {0} does not resolve")]
    Unresolvable(String),
    /// The host does not take the stream.
    #[error("no connection to {0}")]
    Unreachable(SocketAddr),
    /// No socket of the transport and address family that the peer needs.
    #[error("not listening on the transport that the address needs")]
    NoTransport,
    /// Too many streams are open.
    #[error("too many connections")]
    Overloaded,
    /// The caller gave up before the answer.
    #[error("the call was cancelled")]
    Cancelled,
    /// The leg is over.
    #[error("the call is over")]
    Over,
    /// A change of the session is already under way, from here or from there (RFC 3261 section 14: 491).
    #[error("another change of the session is under way")]
    Glare,
    /// The other side refused.
    #[error("refused with {0}")]
    Refused(u16),
}

/// A call to be placed.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// `sip:user@host:port;transport=tcp`.
    pub to: String,
    /// User part of our From.
    pub from_user: String,
    /// Display name of our From.
    pub display_name: Option<String>,
    /// Our offer.
    pub sdp: String,
    /// For a 401 or 407.
    pub credentials: Option<Credentials>,
    /// Further headers of the INVITE.
    pub headers: Vec<(String, String)>,
}

/// For digest authentication (RFC 3261 section 22.4).
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Name.
    pub username: String,
    /// Password.
    pub password: Pii<String>,
    /// The only realm they are for; without it they answer any challenge.
    pub realm: Option<String>,
}

/// What happens on a leg.
#[derive(Debug)]
pub enum SipEvent {
    /// Our call rings (any 1xx but 100); with a description, early media.
    Ringing {
        /// 180, 183 and so on.
        status: u16,
        /// An early answer.
        sdp: Option<String>,
    },
    /// Our call was answered; the ACK is sent.
    Answered {
        /// The answer; empty if the other side sent none.
        sdp: String,
    },
    /// The ACK to our 2xx came; with a description, it is the answer to our offer in the 2xx.
    Confirmed {
        /// The answer, after an INVITE without an offer.
        sdp: Option<String>,
    },
    /// A re-INVITE, or an UPDATE with a description; `None` asks for our offer.
    Reoffer {
        /// The offer.
        sdp: Option<String>,
        /// Our answer (or offer), or a status to refuse with. Dropped: 500.
        reply: oneshot::Sender<Result<String, u16>>,
    },
    /// What came of [`SipLeg::refer`] so far (RFC 3515): the status of the other side's call to there, or of its refusal.
    Referred {
        /// Below 200: on the way; 2xx: it is there; above: it is still here.
        status: u16,
    },
    /// A digit by INFO.
    Digit {
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
        /// How long it was held.
        duration_ms: u32,
    },
    /// The leg is over; nothing follows.
    Ended {
        /// Why.
        cause: EndCause,
    },
    /// Our call was refused; nothing follows.
    Rejected {
        /// The final status; 408 if nobody answered at all, 487 after our CANCEL.
        status: u16,
        /// Its reason phrase.
        reason: String,
    },
}

/// How a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// The other side hung up, or no longer knows the dialog.
    RemoteBye,
    /// Our answer was never acknowledged.
    AckTimeout,
    /// The other side cannot be reached, or the endpoint was stopped.
    TransportLost,
    /// We hung up.
    LocalBye,
}

/// The user agent.
#[derive(Clone)]
pub struct SipEndpoint {
    shared: Arc<Shared>,
}

impl SipEndpoint {
    /// Binds and serves until `cancel`. Calls come out of the receiver; while it is full, INVITEs get 503.
    ///
    /// # Errors
    /// [`SipError::Bind`].
    pub async fn bind(
        options: SipOptions,
        cancel: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), SipError> {
        Self::bind_with(options, Limits::default(), cancel).await
    }

    /// [`SipEndpoint::bind`] with bounds of one's own.
    ///
    /// # Errors
    /// [`SipError::Bind`].
    pub async fn bind_with(
        options: SipOptions,
        limits: Limits,
        cancel: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), SipError> {
        let t1 = limits.t1;
        let timers = EndpointOption {
            t1,
            t2: t1 * 8,
            t4: t1 * 10,
            t1x64: t1 * 64,
            // The ACK of a 2xx is ours (RFC 3261 section 13.2.2.4): it may carry an answer, and it is sent again.
            auto_ack_2xx: false,
            ..EndpointOption::default()
        };
        let endpoint = EndpointBuilder::new()
            .with_user_agent(&options.user_agent)
            .with_cancel_token(cancel.child_token())
            .with_option(timers)
            .build();
        let transactions = endpoint
            .incoming_transactions()
            .map_err(|e| SipError::Bind { address: ([0, 0, 0, 0], 0).into(), error: e.to_string() })?;
        let stack = endpoint.inner.clone();
        let dialogs = Arc::new(Dialogs::default());
        let wires = Wires::bind(&options, limits, stack.clone(), dialogs.clone(), cancel.clone()).await?;
        let shared = Arc::new(Shared::new(stack, wires, dialogs, limits, cancel));
        // `serve` drives the stack's timers; it has no listeners of its own.
        spawn(async move { endpoint.serve().await });
        let (calls, incoming) = mpsc::channel(dispatch::CALL_QUEUE);
        spawn(dispatch::run(shared.clone(), transactions, calls));
        Ok((Self { shared }, incoming))
    }

    /// What is bound, with ports resolved.
    pub fn local_addrs(&self) -> Vec<(Transport, SocketAddr)> {
        self.shared.wires.local_addrs()
    }

    /// Transactions that run now; those that are only remembered are not counted.
    pub fn running_transactions(&self) -> usize {
        self.shared.stack.transactions.len()
    }

    /// Dialogs that live now, early ones included.
    pub fn dialogs(&self) -> usize {
        self.shared.dialogs.len()
    }

    /// Our address as the host of a SIP address would see it, for the description in an INVITE to it.
    ///
    /// # Errors
    /// [`SipError::Address`], [`SipError::Unresolvable`].
    pub async fn local_ip_for(&self, to: &str) -> Result<IpAddr, SipError> {
        let (_, peer) = uac::resolve(&message::parse_uri(to).ok_or(SipError::Address)?).await?;
        let unbound = if peer.is_ipv4() { IpAddr::from([0, 0, 0, 0]) } else { IpAddr::from([0u16; 8]) };
        Ok(self.shared.wires.ip_for(unbound, peer))
    }

    /// Places a call. The leg reports ringing, answer or refusal; dropping it cancels or hangs up.
    ///
    /// # Errors
    /// [`SipError::Address`], [`SipError::Unresolvable`], [`SipError::Unreachable`], [`SipError::NoTransport`]; every
    /// later failure is an event.
    pub async fn invite(&self, call: Outgoing) -> Result<SipLeg, SipError> {
        uac::invite(self.shared.clone(), call).await
    }
}

#[expect(clippy::disallowed_methods, reason = "the SIP driver runs one task a socket, leg and transaction")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(task));
}
