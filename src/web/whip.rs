//! Offer and answer over HTTP in the shape of WHIP (RFC 9725), with sound in both directions: POST an offer, get 201 with
//! the answer and a Location; DELETE the Location to hang up. There is no trickling and no ICE restart, so PATCH is
//! answered with 405, as section 4.3 has it for a server without them.

use std::net::SocketAddr;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::Shared;
use crate::call::ports::{Offer, Refusal};
use crate::pii::Pii;

/// Seconds after which a caller who found no place may try again.
const RETRY_AFTER: &str = "10";
const SDP: &str = "application/sdp";

pub(super) async fn offer(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(called): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let Some(answerer) = &shared.app.answerer else { return StatusCode::NOT_FOUND.into_response() };
    if !is_sdp(&headers) {
        let accepted = [(header::ACCEPT, SDP), (header::HeaderName::from_static("accept-post"), SDP)];
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, accepted).into_response();
    }
    if !is_number(&called) {
        return (StatusCode::NOT_FOUND, "no such number\n").into_response();
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let Ok(sdp) = String::from_utf8(body.into()) else {
        return (StatusCode::BAD_REQUEST, "the offer is not UTF-8\n").into_response();
    };
    let Ok(_turn) = shared.offers.try_acquire() else { return refused(&Refusal::Busy) };
    let caller = Pii::new(format!("anonymous@{}", peer.ip().to_canonical()));
    match answerer.answer(Offer { called: called.clone(), caller, sdp }).await {
        Ok(accepted) => {
            // `called` and the session's name consist of characters that a path may hold as they are, `#` aside.
            let location = format!("/whip/{}/{}", called.replace('#', "%23"), accepted.session);
            let headers = [(header::CONTENT_TYPE, SDP.to_owned()), (header::LOCATION, location)];
            (StatusCode::CREATED, headers, accepted.sdp).into_response()
        }
        Err(refusal) => refused(&refusal),
    }
}

pub(super) async fn end(State(shared): State<Shared>, Path((_, session)): Path<(String, String)>) -> StatusCode {
    match &shared.app.answerer {
        Some(answerer) if answerer.end(&session) => StatusCode::OK,
        _ => StatusCode::NOT_FOUND,
    }
}

/// Answers when the session is over: the page's way to learn of it at once. (Of its own path, since RFC 9725, 4.2, keeps
/// GET on the session's for later. The WebRTC library closes without DTLS's close_notify, and ICE took 18 s to notice.)
pub(super) async fn ended(State(shared): State<Shared>, Path(session): Path<String>) -> StatusCode {
    if let Some(answerer) = &shared.app.answerer {
        answerer.ended(&session).await;
    }
    StatusCode::NO_CONTENT
}

fn refused(refusal: &Refusal) -> Response {
    let text = format!("{refusal}\n");
    match refusal {
        Refusal::BadOffer(_) => (StatusCode::BAD_REQUEST, text).into_response(),
        Refusal::UnknownNumber => (StatusCode::NOT_FOUND, text).into_response(),
        Refusal::Busy => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)], text).into_response(),
        Refusal::Failed(_) => {
            tracing::error!(%refusal, "a browser's call could not be set up");
            (StatusCode::INTERNAL_SERVER_ERROR, "the call could not be set up\n").into_response()
        }
    }
}

fn is_sdp(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(SDP)
}

/// What can be dialled, or name a plan.
fn is_number(called: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "+*#_.-".contains(c);
    (1..=64).contains(&called.len()) && called.chars().all(good)
}
