//! `sidetone demo`: the whole loop on loopback: server, recorded caller, example agent, example back end.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::Json;
use axum::extract::Path as UrlPath;
use axum::routing::get;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::phone::{self, Clip, Turn};
use super::{Format, engines, logging};
use crate::call::record::{CallRecord, Outcome};
use crate::config::{Config, ConfigArgs};
use crate::net::sip::Transport;
use crate::server::{CallEvent, Server, What};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where `dialplans/bank` looks for its back end. The demo's own has a port of its own, so that two demos never meet.
const BACK_END: &str = "127.0.0.1:7780";
/// What the recorded caller does, from `fixtures/callers`.
const CALLER: &[&str] = &["balance", "keys:12345678#", "yes", "angry-1", "angry-2"];

/// Arguments of `sidetone demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where `dialplans` and `fixtures` lie
    #[arg(long, default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// End after the recorded call, even at a terminal
    #[arg(long)]
    once: bool,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    logging::start(Format::Human, "warn");
    super::runtime()?.block_on(demo(args))
}

async fn demo(args: Args) -> anyhow::Result<ExitCode> {
    let stop = CancellationToken::new();
    let (agent, agent_calls) = phone::endpoint(Transport::Udp, SocketAddr::new(LOOPBACK, 0), &stop).await?;
    let agent_port = agent.local_addrs().first().context("the agent's telephone has no port")?.1.port();
    let plan = Plan::written(&args.root, back_end(&stop).await?)?;
    let config = config(&args.root, &plan.0, agent_port)?;
    let turns = turns(&args.root)?;
    say(args.format, "loading the models");
    let engines = engines(&config)?;
    let data = config.data.clone();
    let server = Server::start(config, engines.clone()).await?;
    drop(plan);
    let sip = server.sip.first().context("the server has no SIP port")?.1;
    say(args.format, &format!("the server listens at {sip}; a recorded caller rings 100"));

    let watcher = watch(server.events.watch(), args.format);
    let hello = Clip::read(&fixture(&args.root, "agent-hello"))?;
    #[expect(clippy::disallowed_methods, reason = "the demo plays all parties at once")]
    let agent = tokio::spawn(answer(agent_calls, hello));
    let (caller, _incoming) = phone::endpoint(Transport::Udp, SocketAddr::new(LOOPBACK, 0), &stop).await?;
    let report = match phone::ring(&caller, LOOPBACK, &format!("sip:100@{sip}"), "+15550123").await? {
        Ok(phone) => phone.talk(turns, Duration::from_secs(6)).await,
        Err(report) => bail!("the server refused the call with {:?}", report.refused),
    };
    let id = watcher.await?.context("the call did not end")?;
    agent.abort();
    let record = server.store.get(&id).await?.context("the call's record is gone")?;
    let verdict = verdict(&record, &report.answer_ms);
    print_verdict(&verdict, &record, &data, args.format)?;
    if std::io::stdin().is_terminal() && !args.once {
        invite(sip);
        let _ = tokio::signal::ctrl_c().await;
    }
    server.shutdown().await;
    stop.cancel();
    engines.shutdown();
    Ok(if verdict.iter().all(|(_, good)| *good) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The server on free loopback ports; 5060 if it is free, so that a softphone finds it.
fn config(root: &Path, plan: &Path, agent_port: u16) -> anyhow::Result<Config> {
    let port = if std::net::UdpSocket::bind((LOOPBACK, 5060)).is_ok() { 5060 } else { 0 };
    let data = root.join("target/demo");
    let set = [
        format!("sip.listen=[\"udp:127.0.0.1:{port}\"]"),
        "web.listen=off".to_owned(),
        format!("server.data={}", data.display()),
        "server.drain=1s".to_owned(),
        format!("queue.support.agents=[\"sip:agent@127.0.0.1:{agent_port}\"]"),
    ];
    let args = ConfigArgs { config: None, set: set.to_vec() };
    let mut config = Config::load_with(&args, &[])?;
    config.routes = vec![crate::config::Route { number: "*".into(), plan: plan.to_owned() }];
    Ok(config)
}

fn fixture(root: &Path, name: &str) -> PathBuf {
    root.join(format!("fixtures/callers/{name}.wav"))
}

fn turns(root: &Path) -> anyhow::Result<Vec<Turn>> {
    let turn = |text: &&str| match text.strip_prefix("keys:") {
        Some(keys) => Ok(Turn::Keys(keys.to_owned())),
        None => Clip::read(&fixture(root, text)).map(Turn::Speak),
    };
    CALLER.iter().map(turn).collect()
}

/// A copy of the bank's plan that asks the demo's own back end; gone when it is dropped.
struct Plan(PathBuf);

impl Plan {
    fn written(root: &Path, back_end: SocketAddr) -> anyhow::Result<Self> {
        let original = root.join("dialplans/bank");
        let copy = Self(root.join(format!("target/demo/bank-{}", back_end.port())));
        copy_folder(&original, &copy.0, back_end)
            .with_context(|| format!("cannot copy {} to {}", original.display(), copy.0.display()))?;
        Ok(copy)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // What cannot be removed is overwritten by the next demo with this port.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn copy_folder(from: &Path, to: &Path, back_end: SocketAddr) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (from, name) = {
            let entry = entry?;
            (entry.path(), entry.file_name())
        };
        let to = to.join(name);
        if from.is_dir() {
            copy_folder(&from, &to, back_end)?;
        } else if from.extension().is_some_and(|extension| extension == "yaml") {
            std::fs::write(&to, std::fs::read_to_string(&from)?.replace(BACK_END, &back_end.to_string()))?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// A bank's core, as far as the example needs one, and where it listens.
async fn back_end(stop: &CancellationToken) -> anyhow::Result<SocketAddr> {
    let balance = async |UrlPath(_account): UrlPath<String>| Json(serde_json::json!({ "amount": 1234.5 }));
    let app = axum::Router::new().route("/accounts/{account}/balance", get(balance));
    let listener = tokio::net::TcpListener::bind((LOOPBACK, 0)).await.context("the example back end has no port")?;
    let address = listener.local_addr()?;
    let stopped = stop.clone().cancelled_owned();
    #[expect(clippy::disallowed_methods, reason = "the demo plays all parties at once")]
    tokio::spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await });
    Ok(address)
}

/// The example agent: picks up, hears the briefing, greets the caller, and hangs up when all is said.
async fn answer(mut calls: tokio::sync::mpsc::Receiver<crate::net::sip::Incoming>, hello: Clip) -> anyhow::Result<()> {
    while let Some(call) = calls.recv().await {
        let phone = phone::answer(call, LOOPBACK).await?;
        phone.talk(vec![Turn::Speak(hello.clone())], Duration::from_secs(4)).await;
    }
    Ok(())
}

/// Prints what happens in the first call, until it is over; then its id.
fn watch(mut events: broadcast::Receiver<CallEvent>, format: Format) -> tokio::task::JoinHandle<Option<String>> {
    #[expect(clippy::disallowed_methods, reason = "the demo plays all parties at once")]
    tokio::spawn(async move {
        while let Ok(event) = events.recv().await {
            let over = matches!(event.what, What::Ended { .. });
            match format {
                Format::Json => println!("{}", serde_json::to_string(&event).unwrap_or_default()),
                Format::Human => println!("{event}"),
            }
            if over {
                return Some(event.call.to_string());
            }
        }
        None
    })
}

/// What the demo promises, and whether it was so.
fn verdict(record: &CallRecord, answers: &[f32]) -> Vec<(&'static str, bool)> {
    let heard = |word: &str| record.turns.iter().any(|t| t.text.to_lowercase().contains(word));
    vec![
        ("the caller was heard", heard("balance")),
        ("the caller was understood", record.turns.iter().any(|t| t.intent.as_deref() == Some("balance"))),
        ("the caller was answered", !answers.is_empty()),
        ("the caller's frustration was felt", record.frustration_peak.is_some_and(|peak| peak >= 0.7)),
        ("the caller was handed over", matches!(record.outcome, Outcome::HandedOver { .. })),
    ]
}

fn print_verdict(verdict: &[(&str, bool)], record: &CallRecord, data: &Path, format: Format) -> anyhow::Result<()> {
    let recording = record.recording.as_ref().map(|name| data.join(name));
    if format == Format::Json {
        let points: serde_json::Map<_, _> =
            verdict.iter().map(|(what, good)| ((*what).into(), (*good).into())).collect();
        println!("{}", serde_json::json!({ "verdict": points, "call": record.id, "recording": recording }));
        return Ok(());
    }
    println!();
    for (what, good) in verdict {
        println!("{} {what}", if *good { "✓" } else { "✗" });
    }
    if let Some(recording) = recording {
        println!("\nThe recording (left: caller, right: what the caller heard): {}", recording.display());
    }
    println!("The transcript: sidetone calls show {} --data {}", record.id, data.display());
    Ok(())
}

fn say(format: Format, text: &str) {
    if format == Format::Human {
        println!("… {text}");
    }
}

fn invite(sip: SocketAddr) {
    println!(
        "\nThe server goes on. Ring it with a softphone on this machine: sip:100@{sip} (no registration, no password)."
    );
    println!("From another telephone on your network: see \"Ring it yourself\" in README.md. Ctrl-C ends.");
}
