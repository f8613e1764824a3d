//! `sidetone eval`: accuracy on labelled data, one file a measure.

pub mod asr;
pub mod emotion;
pub mod intents;
pub mod language;
mod sets;
pub mod turns;

use std::path::{Path, PathBuf};
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
    /// Words and digits that the recognisers get wrong, over the telephone and without it.
    Asr(asr::Args),
    /// Anger against the rest, from prosody, speakers held out.
    Emotion(emotion::Args),
    /// Intents on a labelled set of sentences.
    Intents(intents::Args),
    /// In which language first words are said.
    Language(language::Args),
    /// Turns that are ended too early or too late, and prompts that stop for no reason.
    Turns(turns::Args),
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.what {
        What::Asr(args) => asr::run(args),
        What::Emotion(args) => emotion::run(args),
        What::Intents(args) => intents::run(args),
        What::Language(args) => language::run(args),
        What::Turns(args) => turns::run(args),
    }
}

/// Where the project's shared corpora lie.
fn shared_data() -> PathBuf {
    std::env::var_os("SIDETONE_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}
