//! `sidetone callbacks`: the calls that callers asked us to make by `callback`.

use std::process::ExitCode;

use super::Format;
use super::calls::{Kept, existing, in_its_time, started};
use crate::store::Booking;

/// Arguments of `sidetone callbacks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kept: Kept,
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
    in_its_time(execute(args))
}

async fn execute(args: Args) -> anyhow::Result<ExitCode> {
    let store = existing(&args.kept.data).await?;
    match args.command {
        Command::List { limit } => {
            let bookings = store.callbacks(limit).await?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&bookings)?),
                Format::Human => print!("{}", table(&bookings)),
            }
        }
        Command::Cancel { id } => {
            anyhow::ensure!(store.remove_callback(&id).await?, "no call back `{id}`");
            match args.kept.format {
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
