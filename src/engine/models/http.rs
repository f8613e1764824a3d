//! Files from their original publisher, by HTTP.

use std::io::{self, Read};
use std::time::Duration;

use super::ModelError;
use super::fetch::Progress;

/// A publisher that does not answer, or falls silent, for this long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens `url` and hands its body, at most a little more than `size` bytes of it, to `take`.
pub(super) fn with_body<T>(
    url: &str,
    size: u64,
    progress: &dyn Progress,
    take: impl FnOnce(&mut dyn Read) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let config = ureq::Agent::config_builder()
        .timeout_resolve(Some(PATIENCE))
        .timeout_connect(Some(PATIENCE))
        .timeout_recv_response(Some(PATIENCE))
        .timeout_per_read(Some(PATIENCE))
        .build();
    let failed = |reason: String| ModelError::Download { url: url.to_string(), reason };
    let response = config.new_agent().get(url).call().map_err(|e| failed(e.to_string()))?;
    progress.start(url, size);
    let body = response.into_body().into_with_config().limit(size.saturating_add(64 * 1024)).reader();
    let mut body = Counted { inner: body, seen: 0, progress };
    match take(&mut body) {
        // Whoever reads takes a failing stream for a broken archive; here it is the network.
        Err(ModelError::Archive { reason, .. }) => Err(failed(reason)),
        other => other,
    }
}

/// Tells the progress what passes through.
struct Counted<'a, R> {
    inner: R,
    seen: u64,
    progress: &'a dyn Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.seen += n as u64;
        self.progress.position(self.seen);
        Ok(n)
    }
}
