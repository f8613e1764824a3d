//! The page from which a browser rings: one file, whose only script and style are allowed by their digests.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const CALL: &str = include_str!("call.html");

/// What the page may do: run its own script, show its own style, talk to this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; media-src 'self' blob: mediastream:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        digest("script"),
        digest("style"),
    )
});

pub(super) async fn call() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY.as_str())];
    (headers, CALL)
}

/// The source expression (CSP 3, 2.3.1) of the page's only `<tag>`.
fn digest(tag: &str) -> String {
    let inside = CALL.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
    let text = inside.map_or("", |(text, _)| text);
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
