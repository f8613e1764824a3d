//! The log: to standard error, for people or for programs; what is logged is RUST_LOG's to say.

use tracing_subscriber::EnvFilter;

use super::Format;

/// Starts logging. `level` holds where RUST_LOG is not set.
pub(crate) fn start(format: Format, level: &str) {
    // Libraries are heard when something is wrong: their own traffic holds numbers and addresses of callers.
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| format!("warn,sidetone={level}"));
    // The SIP library logs whole messages: whatever is wished for, that is not.
    let filter = EnvFilter::new(format!("{wanted},{}", crate::net::sip::LOG_DIRECTIVE));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (in a test) keeps the first.
    let _ = match format {
        Format::Human => log.with_target(false).try_init(),
        Format::Json => log.json().try_init(),
    };
}
