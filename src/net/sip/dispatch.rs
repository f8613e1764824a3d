//! Brings each request to its dialog, or answers it where there is none (RFC 3261 sections 8.2 and 12.2.2). Owns the
//! table of dialogs and admission; never waits for a call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use rsipstack::sip::{Header, Method, Request, Response};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transaction::{TransactionReceiver, random_text};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::sip::ALLOW;

use super::leg::ToLeg;
use super::message::{self, ACCEPT, header};
use super::transport::{RETRY_AFTER, Wires, count};
use super::uas::{self, Incoming};
use super::{Limits, spawn};

/// Calls that wait to be taken; when full, 503.
pub(super) const CALL_QUEUE: usize = 256;
/// Requests of one dialog that wait; when full, 503.
pub(super) const LEG_QUEUE: usize = 32;

/// Call-ID and our tag.
pub(super) type DialogKey = (String, String);

/// The legs that live, by dialog.
#[derive(Default)]
pub(super) struct Dialogs(Mutex<HashMap<DialogKey, mpsc::Sender<ToLeg>>>);

impl Dialogs {
    pub(super) fn add(&self, key: DialogKey, leg: mpsc::Sender<ToLeg>) {
        self.lock().insert(key, leg);
    }

    pub(super) fn remove(&self, key: &DialogKey) {
        self.lock().remove(key);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn find(&self, key: &DialogKey) -> Option<mpsc::Sender<ToLeg>> {
        self.lock().get(key).cloned()
    }

    pub(super) fn late_answer(&self, response: Response) {
        let key = message::call_id(&response).zip(message::from_tag(&response));
        if let Some(leg) = key.and_then(|key| self.find(&key)) {
            // Full: the other side sends it again.
            drop(leg.try_send(ToLeg::LateAnswer(response)));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DialogKey, mpsc::Sender<ToLeg>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What every leg uses.
pub(super) struct Shared {
    pub(super) stack: EndpointInnerRef,
    pub(super) wires: Arc<Wires>,
    pub(super) dialogs: Arc<Dialogs>,
    pub(super) cancel: CancellationToken,
    unanswered: Arc<Semaphore>,
    bucket: Mutex<Bucket>,
}

impl Shared {
    pub(super) fn new(
        stack: EndpointInnerRef,
        wires: Arc<Wires>,
        dialogs: Arc<Dialogs>,
        limits: Limits,
        cancel: CancellationToken,
    ) -> Self {
        let bucket = Mutex::new(Bucket::full(limits.invites_per_second, now()));
        Self { stack, wires, dialogs, cancel, unanswered: Arc::new(Semaphore::new(limits.unanswered)), bucket }
    }

    fn admit(&self) -> Option<OwnedSemaphorePermit> {
        let in_rate = self.bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now());
        in_rate.then(|| self.unanswered.clone().try_acquire_owned().ok()).flatten()
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver's clock, for the rate of new calls")]
fn now() -> Instant {
    Instant::now()
}

/// A token bucket that holds one second's worth.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn full(per_second: u32, now: Instant) -> Self {
        Self { per_second: per_second.into(), tokens: per_second.into(), filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second);
        let admitted = self.tokens >= 1.0;
        if admitted {
            self.tokens -= 1.0;
        }
        admitted
    }
}

pub(super) async fn run(shared: Arc<Shared>, mut transactions: TransactionReceiver, calls: mpsc::Sender<Incoming>) {
    loop {
        let transaction = tokio::select! {
            transaction = transactions.recv() => transaction,
            () = shared.cancel.cancelled() => None,
        };
        match transaction {
            Some(transaction) => dispatch(&shared, transaction, &calls),
            None => return,
        }
    }
}

fn dispatch(shared: &Arc<Shared>, transaction: Transaction, calls: &mpsc::Sender<Incoming>) {
    let request = &transaction.original;
    if let Some(tag) = message::to_tag(request) {
        let leg = message::call_id(request).and_then(|id| shared.dialogs.find(&(id, tag)));
        let Some(leg) = leg else { return answer(shared, transaction, 481, vec![]) };
        match leg.try_send(ToLeg::Request(Box::new(transaction))) {
            Err(mpsc::error::TrySendError::Full(ToLeg::Request(transaction))) => {
                count("leg_full");
                answer(shared, *transaction, 503, retry_after());
            }
            Err(mpsc::error::TrySendError::Closed(ToLeg::Request(transaction))) => {
                answer(shared, *transaction, 481, vec![]);
            }
            _ => {}
        }
        return;
    }
    if let Some((status, headers)) = refusal(request) {
        return answer(shared, transaction, status, headers);
    }
    match request.method {
        Method::Options => answer(shared, transaction, 200, capabilities()),
        Method::Bye | Method::Info | Method::Update | Method::Cancel | Method::PRack => {
            answer(shared, transaction, 481, vec![]);
        }
        Method::Invite => match shared.admit() {
            Some(permit) => uas::start(shared.clone(), transaction, permit, calls),
            None => {
                count("invite_refused");
                answer(shared, transaction, 503, retry_after());
            }
        },
        _ => answer(shared, transaction, 405, vec![header("Allow", ALLOW)]),
    }
}

/// What is wrong with a request, whatever the call: extensions (section 8.2.2.3), body (8.2.3), answer's type (20.1).
pub(super) fn refusal(request: &Request) -> Option<(u16, Vec<Header>)> {
    let known_method = matches!(
        request.method,
        Method::Invite | Method::Ack | Method::Bye | Method::Cancel | Method::Options | Method::Info | Method::Update
    );
    if !known_method {
        return Some((405, vec![header("Allow", ALLOW)]));
    }
    let required: Vec<&str> = request
        .headers
        .iter()
        .filter_map(|h| if let Header::Require(r) = h { Some(r.value()) } else { None })
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .collect();
    if !required.is_empty() && !matches!(request.method, Method::Ack | Method::Cancel) {
        return Some((420, vec![header("Unsupported", message::one_line(&required.join(", ")))]));
    }
    if !matches!(request.method, Method::Invite | Method::Update) {
        return None;
    }
    let kind = message::content_type(request);
    if !request.body.is_empty() && message::sdp_of(&request.body, kind.as_deref()).is_none() {
        return Some((415, vec![header("Accept", ACCEPT)]));
    }
    let accepts: Vec<String> = request
        .headers
        .iter()
        .filter(|h| matches!(h, Header::Accept(_)))
        .map(|h| h.value().to_ascii_lowercase())
        .collect();
    let takes_sdp = accepts.is_empty()
        || accepts.iter().flat_map(|a| a.split(',')).any(|range| {
            matches!(range.split(';').next().unwrap_or("").trim(), "application/sdp" | "application/*" | "*/*")
        });
    (!takes_sdp).then(|| (406, vec![]))
}

/// For the 200 to OPTIONS (section 11.2).
pub(super) fn capabilities() -> Vec<Header> {
    vec![
        header("Allow", ALLOW),
        header("Accept", ACCEPT),
        header("Accept-Encoding", "identity"),
        header("Supported", ""),
    ]
}

pub(super) fn retry_after() -> Vec<Header> {
    vec![header("Retry-After", RETRY_AFTER.to_string())]
}

/// Answers outside of any leg; an INVITE's transaction is kept until its ACK came or its time is over.
pub(super) fn answer(shared: &Arc<Shared>, mut transaction: Transaction, status: u16, headers: Vec<Header>) {
    let response = message::respond(&shared.stack, &transaction.original, status, &random_text(12), headers, vec![]);
    spawn(async move {
        if transaction.respond(response).await.is_ok() && transaction.original.method == Method::Invite {
            while transaction.receive().await.is_some() {}
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_bucket_admits_its_rate_and_no_more() {
        let start = now();
        let mut bucket = Bucket::full(10, start);
        assert_eq!((0..20).filter(|_| bucket.take(start)).count(), 10);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..20).filter(|_| bucket.take(later)).count(), 5);
        assert_eq!((0..20).filter(|_| bucket.take(later + Duration::from_secs(60))).count(), 10);
    }
}
