//! `sidetone eval`: accuracy on labelled data, one file a measure.

pub mod emotion;
pub mod intents;

use std::process::ExitCode;

use clap::Subcommand;

/// Arguments of `sidetone eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Anger against the rest, from prosody, speakers held out.
    Emotion(emotion::Args),
    /// Intents on a labelled set of sentences.
    Intents(intents::Args),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Emotion(args) => emotion::run(args),
        What::Intents(args) => intents::run(args),
    }
}
