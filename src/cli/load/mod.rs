//! `sidetone load`: many callers at once, and how they fared.

mod bench;
mod table;
mod turns;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::phone::{self, PhoneReport, Turn, parse_turn};
use super::{Format, logging};
use crate::net::sip::{SipEndpoint, Transport};

pub(crate) use table::{Quantiles, Table};

/// Most callers of one run: more would say more about this machine than about the server.
const MOST: usize = 10_000;

/// Arguments of `sidetone load`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom to ring, as in sip:100@127.0.0.1:5060
    #[arg(required_unless_present_any = ["bench", "bench_turns"])]
    address: Option<String>,
    /// What each caller does, in turn: FILE, over:FILE, keys:123#, wait:2s
    turns: Vec<String>,
    /// Calls to place
    #[arg(long, default_value_t = 10)]
    callers: usize,
    /// Calls begun a second
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    /// Our own address
    #[arg(long, default_value = "127.0.0.1")]
    local: IpAddr,
    /// Seconds of far-end silence after the last turn, before hanging up
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    linger: f32,
    /// Start a server of our own, measure it, and write the figures here as JSON
    #[arg(long, value_name = "FILE")]
    bench: Option<PathBuf>,
    /// The same, of turn-taking: one caller, then four at once
    #[arg(long, value_name = "FILE", conflicts_with = "bench")]
    bench_turns: Option<PathBuf>,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command. Fails if a call was refused or went unanswered.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    logging::start(Format::Human, "warn");
    if let Some(path) = &args.bench {
        super::runtime()?.block_on(bench::run(path))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.bench_turns {
        super::runtime()?.block_on(turns::run(path))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.callers == 0 || args.callers > MOST || !(0.01..=1_000.0).contains(&args.rate) {
        bail!("--callers is 1 to {MOST}, --rate 0.01 to 1000 calls a second");
    }
    let turns = args.turns.iter().map(|t| parse_turn(t)).collect::<anyhow::Result<Vec<_>>>()?;
    let load = Load {
        address: args.address.unwrap_or_default(),
        local: args.local,
        callers: args.callers,
        every: Duration::from_secs_f64(1.0 / args.rate),
        linger: Duration::from_secs_f32(args.linger.clamp(0.1, 600.0)),
    };
    let reports = super::runtime()?.block_on(load.run_as(0, |_| turns.clone()))?;
    let table = Table::new(&reports);
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&table)?),
        Format::Human => print!("{table}"),
    }
    Ok(if table.refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A number of calls.
pub(crate) struct Load {
    pub(crate) address: String,
    pub(crate) local: IpAddr,
    pub(crate) callers: usize,
    pub(crate) every: Duration,
    pub(crate) linger: Duration,
}

impl Load {
    /// Places the calls; callers are numbered from `first`, and caller `n` does `turns(n)`.
    pub(crate) async fn run_as(
        &self,
        first: usize,
        turns: impl Fn(usize) -> Vec<Turn>,
    ) -> anyhow::Result<Vec<PhoneReport>> {
        let stop = CancellationToken::new();
        let (endpoint, _incoming) = phone::endpoint(Transport::Udp, SocketAddr::new(self.local, 0), &stop).await?;
        let tracker = TaskTracker::new();
        let mut calls = Vec::with_capacity(self.callers);
        let mut pace = tokio::time::interval(self.every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for n in first..first + self.callers {
            pace.tick().await;
            let call = one(endpoint.clone(), self.local, self.address.clone(), n, turns(n), self.linger);
            calls.push(tracker.spawn(call));
        }
        let mut reports = Vec::with_capacity(calls.len());
        for call in calls {
            reports.push(call.await??);
        }
        stop.cancel();
        Ok(reports)
    }
}

async fn one(
    endpoint: SipEndpoint,
    local: IpAddr,
    address: String,
    n: usize,
    turns: Vec<Turn>,
    linger: Duration,
) -> anyhow::Result<PhoneReport> {
    // Each caller has a number of their own, so that what is personal is rendered anew.
    match phone::ring(&endpoint, local, &address, &format!("+1555{n:07}")).await? {
        Ok(phone) => Ok(phone.talk(turns, linger).await),
        Err(report) => Ok(report),
    }
}
