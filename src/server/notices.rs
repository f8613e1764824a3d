//! What plans let other systems know: sent beside the calls, so many at a time, and given up with a line in the log.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::metrics;
use crate::call::services::Request;
use crate::net::http;

/// Notices under way at a time, over all calls; one that finds no room is dropped and counted.
const MOST: usize = 64;

/// Sends notices.
#[derive(Clone)]
pub(super) struct Notices {
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

impl Notices {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { room: Arc::new(Semaphore::new(MOST)), tasks }
    }

    /// Sends it; nobody waits.
    pub(super) fn send(&self, call: &Arc<str>, request: Request) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            metrics::notice_dropped();
            return tracing::warn!(%call, "a notice was dropped: {MOST} are under way");
        };
        let call = Arc::clone(call);
        self.tasks.spawn(async move {
            let _permit = permit;
            if let Err(error) = http::send(request).await {
                tracing::warn!(%call, %error, "a notice was not taken");
            }
        });
    }
}
