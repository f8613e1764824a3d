//! `sidetone train`: what the product has learned, learned again from the data, the same each time.

mod emotion;

use std::process::ExitCode;

use clap::Subcommand;

/// Arguments of `sidetone train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The prosody model that tells anger: writes voices/prosody.json.
    Emotion(emotion::Args),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Emotion(args) => emotion::run(args),
    }
}
