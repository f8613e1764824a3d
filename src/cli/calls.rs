//! `sidetone calls`: what the store knows, and the forgetting of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;

use super::Format;
use crate::call::record::{CallRecord, CallSummary, Outcome};
use crate::store::{DATABASE, Forgotten, KeptProfile, Retention, Store};

/// Calls among which those of a plan are looked for.
const MOST_CALLS: u32 = 100_000;

/// Where the records are that a command reads, and how it reports.
#[derive(Debug, clap::Args)]
pub(super) struct Kept {
    /// Folder of records and recordings.
    #[arg(long, global = true, env = "SIDETONE_DATA", default_value = "sidetone-data", value_name = "DIR")]
    pub(super) data: PathBuf,
    /// How to report.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Waits for what a command does with the records: one thread is enough.
pub(super) fn in_its_time<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Arguments of `sidetone calls`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The latest calls, newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// One call: what was said, felt and done.
    Show {
        /// The call, as `list` names it.
        id: String,
    },
    /// What plans keep of a caller for the next call.
    Profile {
        /// The caller's number or address, in any spelling.
        number: String,
    },
    /// Erase every call of a caller (record, transcript and recording), every message that they left, their call back, and
    /// what plans keep of them.
    Forget {
        /// The caller's number or address, in any spelling.
        number: String,
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
            let calls = store.list(limit).await?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&calls)?),
                Format::Human => print!("{}", table(&calls)),
            }
        }
        Command::Show { id } => {
            let call = store.get(&id).await?.with_context(|| format!("no transcript of a call `{id}`"))?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&call)?),
                Format::Human => print!("{}", story(&call, &args.kept.data)),
            }
        }
        Command::Profile { number } => {
            let kept = store.profiles(&number).await?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&kept)?),
                Format::Human => print!("{}", profiles(&kept)),
            }
        }
        Command::Forget { number } => {
            let Forgotten { calls, messages, callbacks, profiles } = store.forget(&number).await?;
            match args.kept.format {
                Format::Json => println!(
                    "{}",
                    serde_json::json!({
                        "forgotten": calls, "messages": messages, "callbacks": callbacks, "profiles": profiles
                    })
                ),
                Format::Human => println!(
                    "{}, {}, {} and {} forgotten",
                    counted(calls, "call"),
                    counted(messages, "message"),
                    counted(callbacks, "call back"),
                    counted(profiles, "profile")
                ),
            }
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The store of a folder that has one: looking must not make an empty one in a folder that was misspelt.
pub(super) async fn existing(data: &Path) -> anyhow::Result<Store> {
    anyhow::ensure!(data.join(DATABASE).is_file(), "no calls in `{}` (name the folder with --data)", data.display());
    Ok(Store::open(data, Retention::default()).await?)
}

/// The latest calls of a plan whose transcripts are still kept, newest first.
pub(super) fn of_plan(data: &Path, plan: &str, limit: u32) -> anyhow::Result<Vec<CallRecord>> {
    in_its_time(async {
        let store = existing(data).await?;
        let calls = store.list(MOST_CALLS).await?;
        let mut found = Vec::new();
        for call in calls.iter().filter(|call| call.plan == plan && call.has_transcript).take(limit as usize) {
            found.extend(store.get(&call.id).await?);
        }
        store.close().await;
        Ok(found)
    })
}

/// "1 call", "2 calls".
pub(super) fn counted(number: u64, what: &str) -> String {
    let (one, rest) = what.split_once(' ').map_or((what, String::new()), |(one, rest)| (one, format!(" {rest}")));
    format!("{number} {one}{}{rest}", if number == 1 { "" } else { "s" })
}

fn profiles(kept: &[KeptProfile]) -> String {
    if kept.is_empty() {
        return "nothing is kept of this caller\n".to_owned();
    }
    let mut out = String::new();
    for profile in kept {
        out += &format!("plan {}, last call {} UTC\n", profile.plan, started(profile.called_ms));
        for (name, value) in profile.values.reveal() {
            out += &format!("  {name}: {value}\n");
        }
        if let Some(voice) = &profile.calm_voice {
            out += &format!("  how they sound when calm: one number, from {:.0} s of speech\n", voice.seconds());
        }
    }
    out
}

fn table(calls: &[CallSummary]) -> String {
    let mut out = format!(
        "{:<20} {:<36} {:>8} {:<16} {:<14} {:>5}  {}\n",
        "started (UTC)", "id", "length", "caller", "plan", "frust", "how it ended"
    );
    for call in calls {
        out += &format!(
            "{:<20} {:<36} {:>8} {:<16} {:<14} {:>5}  {}\n",
            started(call.started_ms),
            call.id,
            minutes(call.duration_ms),
            call.caller.reveal(),
            call.plan,
            call.frustration_peak.map_or("–".to_owned(), |peak| format!("{peak:.2}")),
            outcome(&call.outcome),
        );
    }
    out
}

fn story(call: &CallRecord, data: &Path) -> String {
    let mut out = format!(
        "call {}\n  {} UTC, {}, {} to {} by {} ({})\n  plan {}, {}\n",
        call.id,
        started(call.started_ms),
        minutes(call.duration_ms),
        call.caller.reveal(),
        call.called,
        call.transport,
        call.codec,
        call.plan,
        outcome(&call.outcome),
    );
    if let Some(peak) = call.frustration_peak {
        out += &format!("  frustration at most {peak:.2}\n");
    }
    let media = call.media;
    out += &format!(
        "  media: {} packets in, {} out, {} lost, jitter {:.1} ms, {} frames concealed\n",
        media.received, media.sent, media.lost, media.jitter_ms, media.concealed
    );
    if let Some(recording) = &call.recording {
        out += &format!("  recording {}\n", data.join(recording).display());
    }
    let mut events = call.events.iter().peekable();
    for turn in &call.turns {
        while let Some(event) = events.next_if(|event| event.at_ms <= turn.start_ms) {
            out += &format!("\n{:>8}  * {}\n", minutes(event.at_ms), event.what);
        }
        let intent = turn.intent.as_deref().unwrap_or("none of these");
        out += &format!("\n{:>8}  caller: {}\n", minutes(turn.start_ms), turn.text);
        out += &format!("          [{}] {} {:.2}", turn.state, intent, turn.intent_score);
        out += &turn.frustration.map_or(String::new(), |score| format!(", frustration {score:.2}"));
        out += &if turn.reasons.is_empty() { "\n".to_owned() } else { format!(": {}\n", turn.reasons.join("; ")) };
        let latency = turn.latency;
        out += &format!(
            "          answer: {}\n          after {:.0} ms (silence {:.0}, recognition {:.0}, understanding {:.0}, synthesis {:.0})\n",
            turn.answer,
            latency.total_ms,
            latency.silence_ms,
            latency.recognition_ms,
            latency.understanding_ms,
            latency.synthesis_ms
        );
    }
    for event in events {
        out += &format!("\n{:>8}  * {}\n", minutes(event.at_ms), event.what);
    }
    out
}

pub(super) fn started(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// "3:07.4".
pub(super) fn minutes(ms: u64) -> String {
    format!("{}:{:02}.{}", ms / 60_000, ms / 1000 % 60, ms / 100 % 10)
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::CallerHungUp => "the caller hung up".to_owned(),
        Outcome::HandedOver { to, agent, reason } => format!("handed over to {agent} of {to}: {reason}"),
        Outcome::HandoverFailed { to, failure } => {
            format!(
                "not handed over to {to}: {}",
                serde_json::to_string(failure).unwrap_or_default().replace(['"', '_'], " ").trim()
            )
        }
        Outcome::Ended { reason } => format!("ended: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::{Event, MediaStats, Turn};
    use crate::dialplan::script::TransferFailure;
    use crate::pii::Pii;

    #[test]
    fn a_call_is_told_in_the_order_it_happened() {
        let turn = |start_ms, text: &str| Turn { start_ms, text: text.to_owned(), ..Turn::default() };
        let event = |at_ms, what: &str| Event { at_ms, what: what.to_owned() };
        let call = CallRecord {
            id: "x".to_owned(),
            started_ms: 0,
            duration_ms: 187_400,
            caller: Pii::new("100".to_owned()),
            called: "700".to_owned(),
            transport: "sip".to_owned(),
            plan: "bank".to_owned(),
            codec: "PCMU".to_owned(),
            outcome: Outcome::HandoverFailed { to: "queue:a".to_owned(), failure: TransferFailure::NoAnswer },
            turns: vec![turn(1_000, "first"), turn(5_000, "second")],
            events: vec![event(2_000, "a key"), event(9_000, "hung up")],
            frustration_peak: Some(0.5),
            recording: Some("recordings/x.wav".to_owned()),
            media: MediaStats::default(),
        };
        let story = story(&call, Path::new("data"));
        let at = |word: &str| story.find(word).unwrap_or_else(|| panic!("{word} in {story}"));
        assert!(at("3:07.4") < at("no answer") && at("no answer") < at("data/recordings/x.wav"));
        assert!(at("first") < at("a key") && at("a key") < at("second") && at("second") < at("hung up"));
    }

    #[tokio::test]
    async fn looking_makes_no_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("misspelt");
        assert!(existing(&data).await.is_err());
        assert!(!data.exists());
    }
}
