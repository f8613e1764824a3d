//! HTTP for plans: bounded in time and size, tried again where that may help, and never followed to another address than
//! the plan names.

use std::time::Duration;

use crate::call::services::Request;

/// The largest answer that is read.
const LARGEST: u64 = 1 << 20;
/// The pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Sends the request and parses the answer as JSON; an empty answer is null. The error never holds the address, a header
/// or the body, which may hold a masked slot or a secret.
pub async fn fetch(request: Request) -> Result<serde_json::Value, String> {
    let body = send(request).await?;
    if body.trim().is_empty() {
        return Ok(serde_json::Value::Null);
    }
    serde_json::from_str(&body).map_err(|error| format!("the answer is not JSON: line {}", error.line()))
}

/// Sends the request; the body of the answer.
pub async fn send(request: Request) -> Result<String, String> {
    let mut pause = FIRST_PAUSE;
    for _ in 0..request.retry {
        match attempt(request.clone()).await {
            Err(Failure { again: true, .. }) => {}
            Err(failure) => return Err(failure.what),
            Ok(body) => return Ok(body),
        }
        #[expect(clippy::disallowed_methods, reason = "a driver: the pause before a service is asked again")]
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(request).await.map_err(|failure| failure.what)
}

/// Why a try failed.
struct Failure {
    what: String,
    /// Whether another try may help.
    again: bool,
}

async fn attempt(request: Request) -> Result<String, Failure> {
    #[expect(clippy::disallowed_methods, reason = "a driver: the HTTP client blocks, and the call must not")]
    let task = tokio::task::spawn_blocking(move || once(&request));
    task.await.map_err(|_| Failure { what: "the request was given up".to_owned(), again: false })?
}

fn once(request: &Request) -> Result<String, Failure> {
    let mut response = respond(request)?;
    let timeout = request.timeout;
    let body = response.body_mut().with_config().limit(LARGEST).read_to_string();
    body.map_err(|error| match error {
        ureq::Error::Timeout(_) => failure(&error, timeout),
        _ => Failure { what: format!("the answer is not text of at most {LARGEST} bytes"), again: false },
    })
}

/// Sends the request and gives back the answer, to be read by pieces. Blocks.
pub(super) fn open(request: &Request) -> Result<Response, String> {
    respond(request).map_err(|failure| failure.what)
}

type Response = ureq::http::Response<ureq::Body>;

fn respond(request: &Request) -> Result<Response, Failure> {
    let timeout = request.timeout;
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(timeout)).max_redirects(0).build().into();
    let mut builder = ureq::http::Request::builder().method(request.method).uri(request.url.reveal());
    for (name, value) in &request.headers {
        builder = builder.header(name, value.reveal());
    }
    let failed = |error| failure(&error, timeout);
    let malformed = |_| Failure { what: "the address is not one".to_owned(), again: false };
    match &request.body {
        Some(body) => {
            let builder = builder.header("Content-Type", "application/json");
            agent.run(builder.body(body.reveal().as_str()).map_err(malformed)?).map_err(failed)
        }
        None => agent.run(builder.body(()).map_err(malformed)?).map_err(failed),
    }
}

fn failure(error: &ureq::Error, timeout: Duration) -> Failure {
    let (what, again) = match error {
        ureq::Error::StatusCode(status) => {
            (format!("the address answered with status {status}"), *status >= 500 || *status == 429)
        }
        ureq::Error::Timeout(_) => (format!("no answer within {} ms", timeout.as_millis()), true),
        ureq::Error::BadUri(_) => ("the address is not one".to_owned(), false),
        ureq::Error::HostNotFound => ("the host is not found".to_owned(), true),
        _ => ("the address cannot be reached".to_owned(), true),
    };
    Failure { what, again }
}

#[cfg(test)]
pub(super) mod tests;
