//! HTTP and browsers: the pages are served beside the calls, and a browser's session becomes a call like any other.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ServerError;
use super::accept::Acceptor;
use super::metrics;
use crate::call::ports::Answerer;
use crate::config::Config;
use crate::store::Store;
use crate::web::{self, AppState};

/// Binds and serves, if the configuration wants it. Returns where.
pub(super) async fn start(
    acceptor: &Acceptor,
    config: &Config,
    store: &Store,
    services: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Option<SocketAddr>, ServerError> {
    let Some(address) = config.web.listen else { return Ok(None) };
    let io = |source| ServerError::Io { what: format!("HTTP at {address}"), source };
    let listener = TcpListener::bind(address).await.map_err(io)?;
    let bound = listener.local_addr().map_err(io)?;
    let state = AppState {
        archive: Arc::new(store.clone()),
        answerer: answerer(acceptor, config, services, stop),
        metrics: Arc::new(metrics::render),
        token: config.web.token.clone(),
    };
    let stop = stop.clone();
    services.spawn(async move {
        if let Err(error) = web::serve(listener, state, stop).await {
            tracing::error!(%error, "HTTP ended");
        }
    });
    Ok(Some(bound))
}

#[cfg(feature = "webrtc")]
fn answerer(
    acceptor: &Acceptor,
    config: &Config,
    services: &TaskTracker,
    stop: &CancellationToken,
) -> Option<Arc<dyn Answerer>> {
    use crate::net::webrtc::{self, Gateway};
    /// Browsers that are connected and wait for their task: it takes them at once.
    const WAITING: usize = 16;
    let settings =
        webrtc::Config { bind: config.web.media, advertised: config.sip.advertise, ..webrtc::Config::default() };
    let (connected, mut sessions) = tokio::sync::mpsc::channel(WAITING);
    let gateway = Gateway::new(settings, acceptor.admit_browsers(), connected);
    let (acceptor, closing, stop) = (acceptor.clone(), gateway.clone(), stop.clone());
    services.spawn(async move {
        loop {
            tokio::select! {
                session = sessions.recv() => match session {
                    Some(session) => acceptor.spawn(acceptor.clone().connected(session)),
                    None => return,
                },
                () = stop.cancelled() => return closing.close().await,
            }
        }
    });
    Some(Arc::new(gateway))
}

#[cfg(not(feature = "webrtc"))]
fn answerer(_: &Acceptor, _: &Config, _: &TaskTracker, _: &CancellationToken) -> Option<Arc<dyn Answerer>> {
    None
}
