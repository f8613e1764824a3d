//! Callers from a browser: answers their offers, and hands over sessions whose media flows. Owns the peer connections;
//! knows nothing of HTTP (the pages reach it through [`Answerer`]) nor of what is said.
//!
//! The server answers and never offers; its only candidate is the UDP port it binds for each session. The browser's
//! checks tell where the browser is, so candidates in an offer are not used and trickling is not needed.

mod forward;
mod media;
mod offer;
mod peer;
mod session;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::ports::{Accepted, AnswerFuture, Answerer, EndFuture, Offer, Refusal};

pub use media::WebRtcMedia;
pub use session::{Session, SessionSignals};

/// Where browsers' media is received.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address that a UDP port is bound on for each session.
    pub bind: IpAddr,
    /// The same as seen from outside, when a 1:1 NAT stands before it.
    pub advertised: Option<IpAddr>,
    /// A browser that has its answer but is not connected by then is given up.
    pub connect_within: Duration,
    /// A browser from which nothing has come for so long, checks of the path included, is gone.
    pub gone_after: Duration,
}

impl Default for Config {
    /// Loopback: nothing is reachable from elsewhere unless configuration says so.
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertised: None,
            connect_within: Duration::from_secs(15),
            gone_after: Duration::from_secs(15),
        }
    }
}

/// Why a peer connection could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum WebRtcError {
    /// The library refused; after an offer that passed our own check, most often for an attribute of ICE or DTLS.
    #[error("peer connection: {0}")]
    Peer(#[from] rtc::shared::error::Error),
    /// No address to be reached at could be gathered.
    #[error("no UDP port could be bound for media")]
    NoAddress,
    /// The session's task ended without an answer.
    #[error("the session ended before it was answered")]
    Ended,
}

/// Decides at the door whether a call to this number is taken; the permit is its place.
pub type Admit = Box<dyn Fn(&str) -> Result<OwnedSemaphorePermit, Refusal> + Send + Sync>;

/// Takes browsers' calls. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    config: Config,
    admit: Admit,
    /// Sessions whose media flows. A place in it is reserved before an offer is answered: no at the door, never later.
    connected: mpsc::Sender<Session>,
    sessions: Mutex<HashMap<String, CancellationToken>>,
    tasks: TaskTracker,
}

impl Gateway {
    /// `admit` is asked for each offer; sessions come out of `connected`'s other end once their media flows.
    pub fn new(config: Config, admit: Admit, connected: mpsc::Sender<Session>) -> Self {
        install_crypto_provider();
        let inner = Inner { config, admit, connected, sessions: Mutex::default(), tasks: TaskTracker::new() };
        Self(Arc::new(inner))
    }

    /// Sessions between offer and end.
    pub fn sessions(&self) -> usize {
        self.0.sessions().len()
    }

    /// Ends all sessions and waits until every peer connection is closed.
    pub async fn close(&self) {
        for over in self.0.sessions().values() {
            over.cancel();
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    async fn take(&self, offer: Offer) -> Result<Accepted, Refusal> {
        let simplified = offer::simplify(&offer.sdp).map_err(|error| Refusal::BadOffer(error.to_string()))?;
        let place = (self.0.admit)(&offer.called)?;
        let slot = self.0.connected.clone().try_reserve_owned().map_err(|_| Refusal::Busy)?;
        // 128 random bits: who was not told the name cannot end the session.
        let name = format!("{:032x}", rand::random::<u128>());
        let over = CancellationToken::new();
        self.0.sessions().insert(name.clone(), over.clone());
        let (answered, answer) = oneshot::channel();
        let start = session::Start {
            config: self.0.config.clone(),
            offer,
            simplified,
            place,
            slot,
            name: name.clone(),
            over: over.clone(),
        };
        let inner = Arc::clone(&self.0);
        // A task of its own: a browser that leaves during the set-up must not drop a peer connection half-way.
        self.0.tasks.spawn(async move {
            session::run(start, answered).await;
            // Also where no media ever flowed: somebody may wait for the end.
            over.cancel();
            inner.sessions().remove(&name);
        });
        match answer.await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err(WebRtcError::Peer(error))) => Err(Refusal::BadOffer(error.to_string())),
            Ok(Err(error)) => Err(Refusal::Failed(error.to_string())),
            Err(_) => Err(Refusal::Failed(WebRtcError::Ended.to_string())),
        }
    }
}

impl Inner {
    fn sessions(&self) -> MutexGuard<'_, HashMap<String, CancellationToken>> {
        // Nothing that can panic happens under the lock, so a poisoned one is still whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answerer for Gateway {
    fn answer(&self, offer: Offer) -> AnswerFuture<'_> {
        Box::pin(self.take(offer))
    }

    fn end(&self, session: &str) -> bool {
        let over = self.0.sessions().get(session).cloned();
        over.inspect(CancellationToken::cancel).is_some()
    }

    fn ended(&self, session: &str) -> EndFuture {
        let over = self.0.sessions().get(session).cloned();
        Box::pin(async move {
            if let Some(over) = over {
                over.cancelled().await;
            }
        })
    }
}

/// The process has one TLS provider, named once: with two in the dependency tree rustls would refuse to choose.
fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that another part of the program was first: then there is one, which is all that is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}
