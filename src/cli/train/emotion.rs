//! `sidetone train emotion`: fits the prosody model that ships, from all speakers of EmoDB under random telephone shifts,
//! and what makes a call's score a probability, from the scripted calls.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::eval::emotion::{self, corpus, table, training};

/// Arguments of `sidetone train emotion`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// EmoDB: a folder of recordings with its names.
    #[arg(long, default_value = "../shared/data/emodb", env = "SIDETONE_EMODB")]
    data: PathBuf,
    /// Where the weights are written.
    #[arg(long, default_value = "voices/prosody.json", value_name = "FILE")]
    out: PathBuf,
    /// Of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Writes the rows that were learned from (a CSV: every parameter of every recording under every shift).
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let clips = corpus::emodb(&args.data)?;
    let lines = training::lines(&clips, training::AUGMENTED, args.seed);
    if let Some(path) = &args.table {
        table::write(path, lines.iter().flatten().map(|row| ("random", row)))?;
    }
    let (count, shifts, seed) = (clips.len(), training::AUGMENTED, args.seed);
    let trained = format!("{count} clips of EmoDB, each also under {shifts} random shifts, seed {seed}");
    let call = emotion::calibrate_calls(&clips, &lines, seed)?;
    let model = training::train(&lines, &trained)?.with_call(call);
    std::fs::write(&args.out, model.to_json()?).with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("wrote {}: threshold {:.2}", args.out.display(), model.threshold());
    Ok(ExitCode::SUCCESS)
}
