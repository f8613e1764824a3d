//! `sidetone callbacks`: the calls that callers asked us to make by `callback`.

use std::path::PathBuf;
use std::process::ExitCode;

use super::Format;
use super::calls::{existing, started};
use crate::store::Booking;

/// Arguments of `sidetone callbacks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// Folder of records and recordings.
    #[arg(long, global = true, env = "SIDETONE_DATA", default_value = "sidetone-data", value_name = "DIR")]
    data: PathBuf,
    /// How to report.
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The calls that are to be made, the next one first, and those that were given up.
    List {
        /// How many.
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// Do not make a call; one that rings already goes on.
    Cancel {
        /// The call, as `list` names it.
        id: String,
    },
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(execute(args))
}

async fn execute(args: Args) -> anyhow::Result<ExitCode> {
    let store = existing(&args.data).await?;
    match args.command {
        Command::List { limit } => {
            let bookings = store.callbacks(limit).await?;
            match args.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&bookings)?),
                Format::Human => print!("{}", table(&bookings)),
            }
        }
        Command::Cancel { id } => {
            anyhow::ensure!(store.remove_callback(&id).await?, "no call back `{id}`");
            match args.format {
                Format::Json => println!("{}", serde_json::json!({ "cancelled": id })),
                Format::Human => println!("cancelled"),
            }
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn table(bookings: &[Booking]) -> String {
    let line = |due: &str, id: &str, number: &str, phase: &str, tries: &str, about: &str| {
        format!("{due:<20} {id:<26} {number:<16} {phase:<8} {tries:>5}  {about}\n")
    };
    let mut out = line("due (UTC)", "id", "number", "is", "tries", "about");
    for booking in bookings {
        let Booking { due_ms, id, number, phase, tries, reason, trouble, .. } = booking;
        let about = trouble.as_ref().map_or(reason.clone(), |trouble| format!("{reason} (last: {trouble})"));
        out += &line(&started(*due_ms), id, number.reveal(), phase.name(), &tries.to_string(), &about);
    }
    out
}
