//! Calls as JSON, for those who may see them.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Shared;
use crate::call::ports::ArchiveError;

/// Calls listed when nothing is said, and at most.
const LISTED: u32 = 50;
const MOST_LISTED: u32 = 1000;

#[derive(serde::Deserialize)]
pub(super) struct Page {
    limit: Option<u32>,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Response, Response> {
    allowed(shared.app.token.as_deref(), peer, &headers)?;
    let limit = page.limit.unwrap_or(LISTED).min(MOST_LISTED);
    let calls = shared.app.archive.list(limit).await.map_err(|error| failed(&error))?;
    Ok(Json(calls).into_response())
}

pub(super) async fn show(
    State(shared): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    allowed(shared.app.token.as_deref(), peer, &headers)?;
    match shared.app.archive.get(&id).await.map_err(|error| failed(&error))? {
        Some(call) => Ok(Json(call).into_response()),
        None => Err(StatusCode::NOT_FOUND.into_response()),
    }
}

/// What went wrong is for the log, not for the other side.
fn failed(error: &ArchiveError) -> Response {
    tracing::error!(%error, "calls could not be read");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// With a token: whoever presents it (RFC 6750, 2.1), this machine included, since a proxy on it makes everyone look
/// like it. Without: this machine only, and only when it was asked for by a name of its own, so that no web page can
/// lead a browser here by a name that resolves to loopback.
fn allowed(token: Option<&str>, peer: SocketAddr, headers: &HeaderMap) -> Result<(), Response> {
    match token {
        Some(token) => {
            let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
            let presented = presented
                .and_then(|value| value.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            match presented {
                Some((_, presented)) if same(presented.trim(), token) => Ok(()),
                _ => Err((StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()),
            }
        }
        None if peer.ip().to_canonical().is_loopback() && own_name(headers) && !forwarded(headers) => Ok(()),
        None => Err(StatusCode::FORBIDDEN.into_response()),
    }
}

/// Compares digests, so that the time taken tells nothing of how much was right.
fn same(presented: &str, token: &str) -> bool {
    Sha256::digest(presented.as_bytes()) == Sha256::digest(token.as_bytes())
}

fn own_name(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip"].iter().any(|name| headers.contains_key(*name))
}
