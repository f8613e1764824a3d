//! Wiring: binds, loads, admits, and gives each call a task of its own.
//!
//! ```text
//! INVITE ─▶ admit (503) ─▶ route (404) ─▶ offer/answer (488) ─▶ 200 ─▶ ACK ─▶ task: one Call until BYE ─▶ record
//! ```

mod accept;
mod agent;
mod board;
mod callbacks;
pub(crate) mod caller;
mod events;
pub(crate) mod files;
mod lines;
mod messages;
pub mod metrics;
mod notices;
mod reload;
pub(crate) mod task;
mod web;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use accept::Acceptor;
use agent::Dialler;
use board::Board;
use callbacks::Callbacks;
use lines::Loader;
use messages::Messages;
use notices::Notices;
use reload::{Lines, Reloader};
use task::Shared;

use crate::config::Config;
use crate::engine::Engines;
use crate::net::rtp::PortPool;
use crate::net::sip::{SipEndpoint, SipError, SipOptions, Transport};
use crate::store::{Recordings, Retention, Store, StoreError};

pub use events::{CallEvent, Events, What};
pub use lines::{LineError, languages};

/// Time that a call has for its last words once draining is over.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// How long pages and sockets may take to close.
const SERVICES_END: Duration = Duration::from_secs(2);
/// How often what is past its retention is deleted.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);
/// Frames of recording that may wait for the disk, over all calls.
const RECORDING_QUEUE: usize = 4_096;
/// The same of messages.
const MESSAGE_QUEUE: usize = 1_024;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A plan, or what it names.
    #[error(transparent)]
    Line(#[from] LineError),
    /// SIP.
    #[error("SIP: {0}")]
    Sip(#[from] SipError),
    /// The store.
    #[error("the data folder: {0}")]
    Store(#[from] StoreError),
    /// A folder, a socket or a thread.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// A running server.
pub struct Server {
    /// Where SIP is listened for, ports resolved.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// Where HTTP is listened for.
    pub web: Option<SocketAddr>,
    /// Calls as they happen.
    pub events: Events,
    /// What is kept.
    pub store: Store,
    /// Calls and what they leave to be done: they are waited for.
    calls: TaskTracker,
    /// What serves until it is stopped.
    services: TaskTracker,
    closing: CancellationToken,
    drained: CancellationToken,
    stop: CancellationToken,
    drain: Duration,
}

impl Server {
    /// Binds, loads the plans, and answers from then on. Engines count only if [`metrics::install`] came before them.
    pub async fn start(config: Config, engines: Engines) -> Result<Self, ServerError> {
        metrics::install();
        let keep = &config.keep;
        let retention = Retention {
            recordings: keep.recordings,
            transcripts: keep.transcripts,
            frustration: keep.frustration,
            messages: keep.messages,
            profiles: keep.profiles,
            calm_voices: keep.calm_voices,
        };
        let store = Store::open(&config.data, retention).await?;
        let recordings = Recordings::start(store.recordings(), RECORDING_QUEUE)
            .map_err(|source| ServerError::Io { what: "recordings".into(), source })?;
        let sounds = Recordings::start(store.messages_folder(), MESSAGE_QUEUE)
            .map_err(|source| ServerError::Io { what: "messages".into(), source })?;
        let loading = { (config.clone(), engines.clone()) };
        #[expect(clippy::disallowed_methods, reason = "wiring: embedding a plan's examples takes seconds")]
        let loaded = tokio::task::spawn_blocking(move || {
            let loader = Arc::new(Loader::new(loading.0, loading.1)?);
            // Before the plans are read: what changes meanwhile is seen later.
            let lines = Lines::default();
            let reloader = Reloader::new(Arc::clone(&loader), lines.clone());
            lines.fill(loader.all()?);
            Ok::<_, LineError>((lines, reloader))
        });
        let (lines, reloader) = loaded
            .await
            .map_err(|e| ServerError::Io { what: "loading plans".into(), source: std::io::Error::other(e) })??;

        let stop = CancellationToken::new();
        let options = SipOptions {
            listen: config.sip.listen.clone(),
            advertise: config.sip.advertise,
            user_agent: concat!("Sidetone/", env!("CARGO_PKG_VERSION")).into(),
        };
        let (endpoint, incoming) = SipEndpoint::bind(options, stop.clone()).await?;
        let sip = endpoint.local_addrs();
        // Media is received where signalling is.
        let address = sip.first().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |(_, address)| address.ip());
        let ports = PortPool::new(address, config.sip.rtp_ports.0..=config.sip.rtp_ports.1);
        let dialler = Dialler {
            endpoint,
            ports: ports.clone(),
            advertise: config.sip.advertise,
            credentials: config
                .queues
                .iter()
                .filter_map(|(name, q)| Some((name.clone(), q.credentials.clone()?)))
                .collect(),
        };
        let events = Events::default();
        let drained = CancellationToken::new();
        let calls = TaskTracker::new();
        let callbacks = Callbacks::new(config.callback.clone(), store.clone());
        let outgoing = dialler.clone();
        let shared = Arc::new(Shared {
            engines,
            store: store.clone(),
            events: events.clone(),
            dialler,
            board: Board::new(&config.routes, lines),
            notices: Notices::new(calls.clone()),
            callbacks: callbacks.clone(),
            messages: Messages::new(sounds, store.clone(), calls.clone()),
            drained: drained.clone(),
        });
        let closing = CancellationToken::new();
        let acceptor = Acceptor::new(&config, shared, recordings, ports, calls.clone(), closing.clone());
        let services = TaskTracker::new();
        let web = web::start(&acceptor, &config, &store, &services, &stop).await?;
        services.spawn(expire(store.clone(), stop.clone()));
        services.spawn(reloader.run(closing.clone()));
        services.spawn(callbacks.run(acceptor.clone(), outgoing, closing.clone()));
        services.spawn(acceptor.run(incoming, stop.clone()));
        Ok(Self { sip, web, events, store, calls, services, closing, drained, stop, drain: config.drain })
    }

    /// Takes no more calls, lets the running ones go on for the time configured, ends the rest politely.
    pub async fn shutdown(self) {
        self.closing.cancel();
        self.calls.close();
        if !self.calls_end_within(self.drain).await {
            self.drained.cancel();
            self.calls_end_within(LAST_WORDS).await;
        }
        self.stop.cancel();
        self.services.close();
        // A browser that keeps its connection open is not waited for.
        let _ = tokio::time::timeout(SERVICES_END, self.services.wait()).await;
        self.store.close().await;
    }

    async fn calls_end_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.calls.wait()).await.is_ok()
    }
}

async fn expire(store: Store, stop: CancellationToken) {
    let mut every = tokio::time::interval(EXPIRE_EVERY);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        match store.expire(unix_ms()).await {
            Ok(expired) => tracing::debug!(?expired, "deleted what is past its retention"),
            Err(error) => tracing::error!(%error, "what is past its retention could not be deleted"),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
pub(crate) fn unix_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
