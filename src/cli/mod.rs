//! The command line: one file a command.

pub mod call;
pub mod callbacks;
pub mod calls;
pub mod check;
pub mod demo;
pub mod eval;
pub mod fmt;
pub mod graph;
pub mod latency;
pub mod listen;
pub mod load;
mod logging;
pub mod messages;
pub mod models;
pub mod new;
mod phone;
mod plans;
pub mod questions;
pub mod replay;
mod sarif;
pub mod say;
pub mod schema;
mod sentences;
pub mod serve;
pub mod talk;
pub mod test;
pub mod train;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use crate::config::Config;
use crate::engine::models::Registry;
use crate::engine::{EngineConfig, Engines, RecognitionConfig};

/// How a command reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// Sidetone: a voice call-centre server that hears, understands, feels, answers and hands over.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Args),
    /// Ring an address, with a WAV or with microphone and loudspeaker.
    Call(call::Args),
    /// Place many calls and report how they went.
    Load(load::Args),
    /// Read from a capture how soon callers were answered
    Latency(latency::Args),
    /// Check a dialplan: every mistake at once, with line and column.
    Check(check::Args),
    /// Run a dialplan's scenarios in virtual time.
    Test(test::Args),
    /// Make a dialplan with its scenarios, to begin from.
    New(new::Args),
    /// Be the caller of a dialplan, by typing.
    Talk(talk::Args),
    /// Draw a dialplan, with the calls that it had laid over.
    Graph(graph::Args),
    /// List what callers asked and the dialplan does not understand, with drafts of answers.
    Questions(questions::Args),
    /// Run a recorded call against today's dialplan.
    Replay(replay::Args),
    /// Write dialplans and scenarios in one form, comments kept.
    Fmt(fmt::Args),
    /// Print the JSON Schema of dialplans or scenarios, for editors.
    Schema(schema::Args),
    /// Fetch, list and verify the models.
    Models(models::Args),
    /// Measure accuracy on labelled data.
    Eval(eval::Args),
    /// Hear a recording as a call would: words, prosody, frustration; and a picture.
    Listen(listen::Args),
    /// Learn the prosody model anew.
    Train(train::Args),
    /// Render text to a WAV with a voice.
    Say(say::Args),
    /// List, show and forget calls.
    Calls(calls::Args),
    /// List and cancel the calls that callers asked us to make.
    Callbacks(callbacks::Args),
    /// List, show and delete the messages that callers left.
    Messages(messages::Args),
    /// The whole loop on loopback: server, recorded caller, example agent.
    Demo(demo::Args),
}

impl Cli {
    /// Runs the command that was given.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(args) => serve::run(args),
            Command::Call(args) => call::run(args),
            Command::Load(args) => load::run(args),
            Command::Latency(args) => latency::run(args),
            Command::Check(args) => check::run(args),
            Command::Test(args) => test::run(args),
            Command::New(args) => new::run(args),
            Command::Talk(args) => talk::run(args),
            Command::Graph(args) => graph::run(args),
            Command::Questions(args) => questions::run(args),
            Command::Replay(args) => replay::run(args),
            Command::Fmt(args) => fmt::run(args),
            Command::Schema(args) => schema::run(args),
            Command::Models(args) => models::run(args),
            Command::Eval(args) => eval::run(args),
            Command::Listen(args) => listen::run(args),
            Command::Train(args) => train::run(args),
            Command::Say(args) => say::run(args),
            Command::Calls(args) => calls::run(args),
            Command::Callbacks(args) => callbacks::run(args),
            Command::Messages(args) => messages::run(args),
            Command::Demo(args) => demo::run(args),
        }
    }
}

/// The runtime of everything that touches the network. Inference has threads of its own.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// The engines that the configuration wants; loading takes seconds.
fn engines(config: &Config) -> anyhow::Result<Engines> {
    if !config.engine.neural {
        return Ok(Engines::scripted()?);
    }
    let registry = Registry::builtin();
    let mut languages = BTreeMap::new();
    for tag in crate::server::languages(config) {
        let named = config.languages.get(tag).cloned().or_else(|| RecognitionConfig::of_language(tag));
        languages.extend(named.map(|recognition| (tag.to_owned(), recognition)));
    }
    let engine = EngineConfig {
        recognition_threads: config.engine.recognition_threads,
        synthesis_threads: config.engine.synthesis_threads,
        recognition: config.recognition.clone(),
        languages,
        prompts_memory_bytes: config.engine.prompt_cache_bytes as u64,
        prompts_dir: (config.engine.prompt_disk_bytes > 0).then(|| config.data.join("prompts")),
        prompts_dir_bytes: config.engine.prompt_disk_bytes as u64,
        ..EngineConfig::default()
    };
    Ok(Engines::real(&registry, &engine)?)
}
