use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::call::ports::{Accepted, AnswerFuture, ArchiveError, ArchiveFuture, EndFuture, Offer, Refusal};
use crate::call::record::{CallRecord, CallSummary, MediaStats, Outcome};
use crate::pii::Pii;

struct Fixed;

impl Archive for Fixed {
    fn list(&self, limit: u32) -> ArchiveFuture<'_, Vec<CallSummary>> {
        Box::pin(async move {
            let call = CallSummary {
                id: format!("limit-{limit}"),
                started_ms: 0,
                duration_ms: 0,
                caller: Pii::new("+49301".to_owned()),
                called: "700".to_owned(),
                transport: "sip".to_owned(),
                plan: "bank".to_owned(),
                outcome: Outcome::Completed,
                frustration_peak: Some(0.0),
                has_recording: false,
                has_transcript: true,
            };
            Ok(vec![call])
        })
    }
    fn get<'a>(&'a self, id: &'a str) -> ArchiveFuture<'a, Option<CallRecord>> {
        Box::pin(async move {
            match id {
                "broken" => Err(ArchiveError("secret path".to_owned())),
                "known" => Ok(Some(record())),
                _ => Ok(None),
            }
        })
    }
}

fn record() -> CallRecord {
    CallRecord {
        id: "known".to_owned(),
        started_ms: 0,
        duration_ms: 0,
        caller: Pii::new("1".to_owned()),
        called: String::new(),
        transport: String::new(),
        plan: String::new(),
        codec: String::new(),
        outcome: Outcome::Completed,
        turns: vec![],
        events: vec![],
        frustration_peak: Some(0.0),
        recording: None,
        media: MediaStats::default(),
    }
}

/// Answers offers by what is written in them.
#[derive(Default)]
struct Scripted {
    offers: Mutex<Vec<Offer>>,
}

impl Answerer for Scripted {
    fn answer(&self, offer: Offer) -> AnswerFuture<'_> {
        let result = match offer.sdp.as_str() {
            "bad" => Err(Refusal::BadOffer("no audio".to_owned())),
            "busy" => Err(Refusal::Busy),
            "nowhere" => Err(Refusal::UnknownNumber),
            "fail" => Err(Refusal::Failed("secret".to_owned())),
            _ => Ok(Accepted { session: "abc123".to_owned(), sdp: "v=0 answer".to_owned() }),
        };
        self.offers.lock().expect("no panic").push(offer);
        Box::pin(async move { result })
    }
    fn ended(&self, session: &str) -> EndFuture {
        let on = session == "on";
        Box::pin(async move {
            if on {
                std::future::pending::<()>().await;
            }
        })
    }
    fn end(&self, session: &str) -> bool {
        session == "abc123"
    }
}

struct Site {
    address: SocketAddr,
    answerer: Arc<Scripted>,
    _stop: tokio_util::sync::DropGuard,
}

async fn site(token: Option<&str>) -> Site {
    let answerer = Arc::new(Scripted::default());
    let state = AppState {
        archive: Arc::new(Fixed),
        answerer: Some(answerer.clone()),
        metrics: Arc::new(|| "sidetone_calls 3\n".to_owned()),
        token: token.map(str::to_owned),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let cancel = CancellationToken::new();
    #[expect(clippy::disallowed_methods, reason = "the server under test")]
    tokio::spawn(serve(listener, state, cancel.clone()));
    Site { address, answerer, _stop: cancel.drop_guard() }
}

impl Site {
    /// Sends a request as it stands and returns status, head and body of the answer.
    async fn raw(&self, request: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.address).await.expect("listening");
        stream.write_all(request).await.expect("sent");
        let mut answer = Vec::new();
        // A server that refuses a long body may close before it has read all of it.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (status, head.to_lowercase(), body.to_owned())
    }

    async fn ask(&self, line: &str, headers: &str, body: &str) -> (u16, String, String) {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        self.raw(request.as_bytes()).await
    }
}

const OFFERED: &str = "Content-Type: application/sdp\r\n";

#[tokio::test]
async fn health_and_metrics_are_for_everyone() {
    let site = site(Some("t")).await;
    let (status, head, body) = site.ask("GET /health", "", "").await;
    assert_eq!(status, 200);
    assert!(body.contains("\"ok\""), "{body}");
    assert!(head.contains("x-content-type-options: nosniff") && !head.contains("access-control"), "{head}");
    let (_, head, body) = site.ask("GET /metrics", "", "").await;
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert_eq!(body, "sidetone_calls 3\n");
}

#[tokio::test]
async fn without_a_token_calls_are_for_this_machine_under_its_own_name() {
    let site = site(None).await;
    let (status, _, body) = site.ask("GET /api/calls?limit=5", "", "").await;
    assert_eq!(status, 200);
    assert!(body.contains("limit-5") && body.contains("+49301"), "{body}");
    assert!(site.ask("GET /api/calls?limit=999999", "", "").await.2.contains("limit-1000"));
    assert_eq!(site.ask("GET /api/calls?limit=x", "", "").await.0, 400);
    assert_eq!(site.ask("GET /api/calls/known", "", "").await.0, 200);
    assert_eq!(site.ask("GET /api/calls/..%2F..%2Fetc", "", "").await.0, 404);
    let (status, _, body) = site.ask("GET /api/calls/broken", "", "").await;
    assert_eq!((status, body.as_str()), (500, ""), "what went wrong stays inside");
    for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", ""] {
        let request = format!("GET /api/calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(site.raw(request.as_bytes()).await.0, 403, "{host}");
    }
    for host in ["127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"] {
        let request = format!("GET /api/calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(site.raw(request.as_bytes()).await.0, 200, "{host}");
    }
    assert_eq!(site.ask("GET /api/calls", "X-Forwarded-For: 192.0.2.1\r\n", "").await.0, 403, "through a proxy");
}

#[tokio::test]
async fn with_a_token_it_is_asked_of_everyone() {
    let site = site(Some("let me in")).await;
    let (status, head, _) = site.ask("GET /api/calls", "", "").await;
    assert_eq!(status, 401);
    assert!(head.contains("www-authenticate: bearer"), "{head}");
    for wrong in ["Bearer let me", "Bearer let me in!", "Basic let me in", "let me in", "Bearer"] {
        assert_eq!(site.ask("GET /api/calls", &format!("Authorization: {wrong}\r\n"), "").await.0, 401, "{wrong}");
    }
    assert_eq!(site.ask("GET /api/calls", "Authorization: bearer let me in\r\n", "").await.0, 200);
}

#[tokio::test]
async fn an_offer_is_answered_with_201_and_a_location_that_ends_it() {
    let site = site(None).await;
    let (status, head, body) = site.ask("POST /whip/700%23", OFFERED, "v=0 offer").await;
    assert_eq!((status, body.as_str()), (201, "v=0 answer"));
    assert!(head.contains("content-type: application/sdp"), "{head}");
    assert!(head.contains("location: /whip/700%23/abc123"), "{head}");
    let offer = site.answerer.offers.lock().expect("no panic")[0].clone();
    assert_eq!((offer.called.as_str(), offer.sdp.as_str()), ("700#", "v=0 offer"));
    assert_eq!(offer.caller.reveal(), "anonymous@127.0.0.1");
    assert_eq!(site.ask("PATCH /whip/700%23/abc123", "", "").await.0, 405);
    assert_eq!(site.ask("DELETE /whip/700%23/abc123", "", "").await.0, 200);
    assert_eq!(site.ask("DELETE /whip/700%23/other", "", "").await.0, 404);
}

#[tokio::test]
async fn the_end_of_a_session_is_answered_when_it_comes() {
    let site = site(None).await;
    assert_eq!(site.ask("GET /call/gone/ended", "", "").await.0, 204);
    let still = tokio::time::timeout(std::time::Duration::from_millis(200), site.ask("GET /call/on/ended", "", ""));
    assert!(still.await.is_err(), "it is not over");
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let site = site(None).await;
    for (offer, expected) in [("bad", 400), ("nowhere", 404), ("fail", 500)] {
        let (status, _, body) = site.ask("POST /whip/700", OFFERED, offer).await;
        assert_eq!(status, expected, "{offer}");
        assert!(!body.contains("secret"), "{body}");
    }
    let (status, head, _) = site.ask("POST /whip/700", OFFERED, "busy").await;
    assert_eq!(status, 503);
    assert!(head.contains("retry-after: 10"), "{head}");
}

#[tokio::test]
async fn what_is_no_offer_never_reaches_the_answerer() {
    let site = site(None).await;
    assert_eq!(site.ask("POST /whip/700", "", "v=0").await.0, 415);
    assert_eq!(site.ask("POST /whip/700", "Content-Type: text/plain\r\n", "v=0").await.0, 415);
    assert_eq!(site.ask("POST /whip/7%2F00", OFFERED, "v=0").await.0, 404);
    assert_eq!(site.ask(&format!("POST /whip/{}", "7".repeat(65)), OFFERED, "v=0").await.0, 404);
    assert_eq!(site.ask("GET /whip/700", "", "").await.0, 405);
    assert_eq!(site.ask("POST /whip/700", OFFERED, &"x".repeat(LONGEST_BODY + 1)).await.0, 413);
    let binary = b"POST /whip/700 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/sdp\r\nContent-Length: 2\r\n\r\n\xff\xfe";
    assert_eq!(site.raw(binary).await.0, 400);
    assert!(site.answerer.offers.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn the_page_may_run_its_own_script_and_nothing_else() {
    let site = site(None).await;
    let (status, head, body) = site.ask("GET /call?number=700", "", "").await;
    assert_eq!(status, 200);
    assert!(head.contains("script-src 'sha256-") && head.contains("default-src 'none'"), "{head}");
    assert!(!head.contains("unsafe"), "{head}");
    assert_eq!(body.matches("<script>").count(), 1);
    assert!(!body.contains("src=") && !body.contains("http"), "self-contained");
    assert!(!body.contains(" style=") && !body.contains("onclick="), "the policy would refuse these");
}

#[tokio::test]
async fn without_webrtc_there_is_no_page() {
    let state = AppState { archive: Arc::new(Fixed), answerer: None, metrics: Arc::new(String::new), token: None };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let cancel = CancellationToken::new();
    #[expect(clippy::disallowed_methods, reason = "the server under test")]
    let server = tokio::spawn(serve(listener, state, cancel.clone()));
    let site = Site { address, answerer: Arc::default(), _stop: cancel.clone().drop_guard() };
    assert_eq!(site.ask("GET /call", "", "").await.0, 404);
    assert_eq!(site.ask("POST /whip/700", OFFERED, "v=0").await.0, 404);
    cancel.cancel();
    server.await.expect("no panic").expect("a clean end");
}
