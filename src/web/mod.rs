//! HTTP: health, metrics, calls as JSON, and the page from which a browser rings. Knows the store and WebRTC only by the
//! traits of `call`; decides nothing about a call.
//!
//! ```text
//! GET    /health                 is the server up
//! GET    /metrics                Prometheus text
//! GET    /api/calls?limit=N      the latest calls           } bearer token, or from this very machine
//! GET    /api/calls/{id}         one call's whole record    }
//! GET    /call?number=N          the page
//! POST   /whip/{called}          SDP offer in, answer out   } RFC 9725's shape
//! DELETE /whip/{called}/{id}     hang up                    }
//! ```

mod api;
mod page;
mod whip;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::call::ports::{Answerer, Archive};

/// Longest body of a request, bytes; an offer has about 2,500.
const LONGEST_BODY: usize = 64 * 1024;
/// Offers that are being answered at the same time; further ones are told to come back. Each costs a few milliseconds
/// of CPU, so this is the bound on how much of a machine a flood of offers can take.
const OFFERS_AT_ONCE: usize = 8;

/// What the pages show and reach.
#[derive(Clone)]
pub struct AppState {
    /// Finished calls.
    pub archive: Arc<dyn Archive>,
    /// Takes calls from browsers; without it there is no `/call` and no `/whip`.
    pub answerer: Option<Arc<dyn Answerer>>,
    /// Renders the metrics in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whoever presents it as a bearer token may read calls. Without one, only this machine itself may.
    pub token: Option<String>,
}

#[derive(Clone)]
struct Shared {
    app: AppState,
    offers: Arc<Semaphore>,
}

/// All pages. To be served with the peer's address ([`serve`] does).
pub fn router(state: AppState) -> Router {
    let browsers = state.answerer.is_some();
    let shared = Shared { app: state, offers: Arc::new(Semaphore::new(OFFERS_AT_ONCE)) };
    let mut router = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/api/calls", get(api::list))
        .route("/api/calls/{id}", get(api::show));
    if browsers {
        router = router
            .route("/call", get(page::call))
            .route("/call/{session}/ended", get(whip::ended))
            .route("/whip/{called}", post(whip::offer))
            .route("/whip/{called}/{session}", axum::routing::delete(whip::end));
    }
    router.layer(DefaultBodyLimit::max(LONGEST_BODY)).layer(middleware::from_fn(secured)).with_state(shared)
}

/// Serves until `cancel`, then lets requests that are under way finish.
pub async fn serve(listener: TcpListener, state: AppState, cancel: CancellationToken) -> io::Result<()> {
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(cancel.cancelled_owned()).await
}

async fn health() -> impl IntoResponse {
    axum::Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

async fn metrics(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (shared.app.metrics)())
}

/// Headers that every answer carries. No CORS: another site's page can neither read nor, since `application/sdp` is no
/// simple content type, ring.
async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    put(header::X_FRAME_OPTIONS, "DENY");
    put(header::CACHE_CONTROL, "no-store");
    put(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    put(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    put(HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=()");
    response
}
