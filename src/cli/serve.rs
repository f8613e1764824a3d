//! `sidetone serve`.

use std::process::ExitCode;

use anyhow::Context;

use super::{Format, engines, logging};
use crate::config::{Config, ConfigArgs, REFERENCE};
use crate::server::{Server, metrics};

/// Arguments of `sidetone serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// How the log is written
    #[arg(long, value_enum, default_value_t, env = "SIDETONE_LOG")]
    format: Format,
    /// Print the configuration with every key and its default, and exit
    #[arg(long)]
    print_config: bool,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.print_config {
        print!("{REFERENCE}");
        return Ok(ExitCode::SUCCESS);
    }
    logging::start(args.format, "info");
    let config = Config::load(&args.config)?;
    if config.routes.is_empty() {
        tracing::warn!("no [[route]]: every call will be answered 404; see `sidetone serve --print-config`");
    }
    super::runtime()?.block_on(serve(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    metrics::install();
    let engines = engines(&config)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let server = Server::start(config, engines.clone()).await?;
    for (transport, address) in &server.sip {
        tracing::info!(?transport, %address, "listening for SIP");
    }
    if let Some(address) = server.web {
        tracing::info!("listening for HTTP at http://{address}; ring from a browser at http://{address}/call");
    }
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: draining"),
        _ = tokio::signal::ctrl_c() => tracing::info!("interrupt: draining"),
    }
    server.shutdown().await;
    engines.shutdown();
    Ok(())
}
