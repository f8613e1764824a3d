//! Fetches JSON for a plan: bounded in time and size, and never followed to another address than the plan names.

use std::time::Duration;

use crate::pii::Pii;

/// The largest answer that is read.
const LARGEST: u64 = 1 << 20;

/// GETs `url` and parses the body as JSON. The error never holds the address, which may hold a masked slot.
pub async fn fetch(url: Pii<String>, timeout: Duration) -> Result<serde_json::Value, String> {
    #[expect(clippy::disallowed_methods, reason = "a driver: the HTTP client blocks, and the call must not")]
    let task = tokio::task::spawn_blocking(move || get(url.reveal(), timeout));
    task.await.map_err(|_| "the request was given up".to_owned())?
}

fn get(url: &str, timeout: Duration) -> Result<serde_json::Value, String> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).build().into();
    let mut response = agent.get(url).call().map_err(|error| match error {
        ureq::Error::StatusCode(status) => format!("the address answered with status {status}"),
        ureq::Error::Timeout(_) => format!("no answer within {} ms", timeout.as_millis()),
        ureq::Error::BadUri(_) => "the address is not one".to_owned(),
        ureq::Error::HostNotFound => "the host is not found".to_owned(),
        _ => "the address cannot be reached".to_owned(),
    })?;
    let body = response.body_mut().with_config().limit(LARGEST).read_to_string();
    let body = body.map_err(|_| format!("the answer is not text of at most {LARGEST} bytes"))?;
    serde_json::from_str(&body).map_err(|error| format!("the answer is not JSON: line {}", error.line()))
}
