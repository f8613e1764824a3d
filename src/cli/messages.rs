//! `sidetone messages`: what callers left by `voicemail`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use super::Format;
use super::calls::{Kept, existing, in_its_time, minutes, started};
use crate::call::record::MessageRecord;

/// Characters of a message's words in a list.
const SHOWN: usize = 60;

/// Arguments of `sidetone messages`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    kept: Kept,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// The latest messages, newest first.
    List {
        /// Only those of this mailbox.
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20, value_name = "N")]
        limit: u32,
    },
    /// One message: from whom, its words, and where its sound is.
    Show {
        /// The message, as `list` names it.
        id: String,
    },
    /// Delete a message: its words and its sound.
    Delete {
        /// The message, as `list` names it.
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
        Command::List { mailbox, limit } => {
            let messages = store.messages(mailbox.as_deref(), limit).await?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&messages)?),
                Format::Human => print!("{}", table(&messages)),
            }
        }
        Command::Show { id } => {
            let message = store.message(&id).await?.with_context(|| format!("no message `{id}`"))?;
            match args.kept.format {
                Format::Json => println!("{}", serde_json::to_string_pretty(&message)?),
                Format::Human => print!("{}", whole(&message, &args.kept.data)),
            }
        }
        Command::Delete { id } => {
            anyhow::ensure!(store.delete_message(&id).await?, "no message `{id}`");
            match args.kept.format {
                Format::Json => println!("{}", serde_json::json!({ "deleted": id })),
                Format::Human => println!("deleted"),
            }
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn table(messages: &[MessageRecord]) -> String {
    let line = |left: &str, id: &str, length: &str, caller: &str, mailbox: &str, words: &str| {
        format!("{left:<20} {id:<26} {length:>7} {caller:<16} {mailbox:<14} {words}\n")
    };
    let mut out = line("left (UTC)", "id", "length", "caller", "mailbox", "words");
    for message in messages {
        let MessageRecord { left_ms, id, duration_ms, caller, mailbox, text, .. } = message;
        let mut words: String = text.chars().take(SHOWN).collect();
        if words.len() < text.len() {
            words += " …";
        }
        out += &line(&started(*left_ms), id, &minutes(*duration_ms), caller.reveal(), mailbox, &words);
    }
    out
}

fn whole(message: &MessageRecord, data: &Path) -> String {
    let mut out = format!(
        "message {}\n  {} UTC, {}, from {}, for {}\n  plan {}, call {}\n",
        message.id,
        started(message.left_ms),
        minutes(message.duration_ms),
        message.caller.reveal(),
        message.mailbox,
        message.plan,
        message.call
    );
    if let Some(frustration) = message.frustration {
        out += &format!("  frustration {frustration:.2}\n");
    }
    if let Some(recording) = &message.recording {
        out += &format!("  sound {}\n", data.join(recording).display());
    }
    out + "\n" + if message.text.is_empty() { "(no words were understood)" } else { &message.text } + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pii::Pii;

    #[test]
    fn a_message_is_told_with_its_words_and_its_sound() {
        let message = MessageRecord {
            id: "x-1".into(),
            call: "x".into(),
            left_ms: 0,
            caller: Pii::new("100".into()),
            called: "700".into(),
            plan: "shop".into(),
            mailbox: "office".into(),
            duration_ms: 12_300,
            text: "word ".repeat(40).trim().into(),
            frustration: Some(0.25),
            recording: Some("messages/x-1.wav".into()),
        };
        let told = whole(&message, Path::new("data"));
        for part in ["0:12.3", "from 100", "for office", "frustration 0.25", "data/messages/x-1.wav", "word word"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let listed = table(&[message]);
        assert!(listed.lines().all(|line| line.chars().count() < 160) && listed.contains('…'), "{listed}");
    }
}
