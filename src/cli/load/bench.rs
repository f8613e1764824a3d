//! `make bench-calls`: starts a server of its own, talks to it with more and more callers until the answer comes late,
//! and writes the figures.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::table::{Quantiles, Table};
use super::{Load, PhoneReport};
use crate::cli::phone::{Clip, Turn};

/// Lines of the server's log that are kept for whoever asks; further ones are dropped.
const LOG_LINES: usize = 20_000;
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// An answer later than this is late, ms.
const LATE_MS: f32 = 2_000.0;
/// Simultaneous talking callers that are tried.
const STEPS: [usize; 5] = [1, 2, 4, 8, 16];
/// Simultaneous keypad callers.
const KEYPAD_CALLERS: usize = 200;
/// A keypad call is well when this share of its packets is within 5 ms of 20 ms.
const WELL_PACED: f32 = 0.9;

/// What is written.
#[derive(Debug, Serialize)]
struct Figures {
    machine: String,
    answer_cached_ms: Quantiles,
    answer_synth_ms: Quantiles,
    barge_in_ms: Quantiles,
    /// Keypad-only calls at a time that were all answered and paced.
    keypad_calls: usize,
    keypad: Table,
    /// Peak resident memory of the server.
    rss_mb: f32,
    /// Simultaneous talking callers and the answers they got.
    talking: Vec<Talking>,
}

#[derive(Debug, Serialize)]
struct Talking {
    callers: usize,
    answer_ms: Quantiles,
}

/// Measures, prints, and writes `to`.
pub(super) async fn run(to: &Path) -> anyhow::Result<()> {
    let server = Server::start()?;
    let clip = |name: &str| Clip::read(Path::new(&format!("fixtures/callers/{name}.wav")));
    let (hours, balance, angry) = (clip("open")?, clip("balance")?, clip("angry-1")?);
    let ask = |clip: &Clip| Turn::Speak(clip.clone());

    // The first calls fill the caches, as the first callers of a day do.
    server.load(1, vec![ask(&hours), ask(&balance)]).await?;
    let cached = server.load_in_turn(5, vec![ask(&hours), ask(&hours)]).await?;
    let synth = server.load_in_turn(8, vec![ask(&balance)]).await?;
    let barge = server.load_in_turn(8, vec![Turn::Interrupt(angry)]).await?;
    let mut talking = Vec::new();
    for callers in STEPS {
        let table = Table::new(&server.load(callers, vec![ask(&hours), ask(&balance), ask(&hours)]).await?);
        println!(
            "{callers:>4} talking callers: answer {:.0} ms median, {:.0} ms p95",
            table.answer_ms.p50, table.answer_ms.p95
        );
        let late = table.answer_ms.p95.is_nan() || table.answer_ms.p95 > LATE_MS;
        talking.push(Talking { callers, answer_ms: table.answer_ms });
        if late {
            break;
        }
    }
    let keys = vec![Turn::Keys("1".into()), Turn::Keys("2".into()), Turn::Keys("1".into())];
    let keypad = server.load_to("200", KEYPAD_CALLERS, Duration::from_millis(20), keys).await?;
    let well = |r: &&PhoneReport| r.refused.is_none() && r.paced >= WELL_PACED && r.key_ms.len() == 3;
    let figures = Figures {
        machine: machine(),
        answer_cached_ms: Table::new(&cached).answer_ms,
        answer_synth_ms: Table::new(&synth).answer_ms,
        barge_in_ms: Table::new(&barge).barge_in_ms,
        keypad_calls: keypad.iter().filter(well).count(),
        keypad: Table::new(&keypad),
        rss_mb: server.peak_mb()?,
        talking,
    };
    let line = |name: &str, q: Quantiles| println!("{name:<28}{:>8.0} ms median{:>8.0} ms p95", q.p50, q.p95);
    line("answer, cached", figures.answer_cached_ms);
    line("answer, synthesised", figures.answer_synth_ms);
    line("interruption to silence", figures.barge_in_ms);
    println!("keypad calls that are paced {:>8} of {KEYPAD_CALLERS}", figures.keypad_calls);
    print!("{}", figures.keypad);
    println!("peak memory of the server   {:>8.0} MB", figures.rss_mb);
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(to, serde_json::to_vec_pretty(&figures)?).with_context(|| format!("cannot write {}", to.display()))
}

/// A server in a process of its own, so that its memory is its own; ended when dropped.
pub(super) struct Server {
    child: Child,
    port: u16,
    log: Receiver<String>,
}

impl Server {
    pub(super) fn start() -> anyhow::Result<Self> {
        let port = UdpSocket::bind((LOOPBACK, 0))?.local_addr()?.port();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--config", "benches/plan/sidetone.toml", "--format", "json"])
            .args(["--set", &format!("sip.listen=[\"udp:127.0.0.1:{port}\"]")])
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let log = child.stderr.take().context("the server has no log")?;
        let mut lines = BufReader::new(log).lines();
        loop {
            let Some(Ok(line)) = lines.next() else { bail!("the server did not start; try it with `sidetone serve`") };
            if line.contains("listening for SIP") {
                break;
            }
        }
        let (tell, log) = sync_channel(LOG_LINES);
        // The log is read to its end, so that the server never waits for whoever measures it.
        #[expect(clippy::disallowed_methods, reason = "a pipe is drained beside the measurement")]
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.try_send(line))));
        Ok(Self { child, port, log })
    }

    /// What the server has logged since it was asked last.
    pub(super) fn log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// So many callers at once.
    pub(super) async fn load(&self, callers: usize, turns: Vec<Turn>) -> anyhow::Result<Vec<PhoneReport>> {
        self.load_to("100", callers, Duration::from_millis(300), turns).await
    }

    /// The same, the callers numbered from `first`.
    pub(super) async fn load_as(
        &self,
        first: usize,
        callers: usize,
        turns: Vec<Turn>,
    ) -> anyhow::Result<Vec<PhoneReport>> {
        self.plan("100", callers, Duration::from_millis(300)).run_as(first, move |_| turns.clone()).await
    }

    /// So many callers, one after the other.
    async fn load_in_turn(&self, callers: usize, turns: Vec<Turn>) -> anyhow::Result<Vec<PhoneReport>> {
        let mut reports = Vec::new();
        for n in 0..callers {
            let load = self.plan("100", 1, Duration::from_millis(20));
            let turns = turns.clone();
            reports.extend(load.run_as(n + 1, move |_| turns.clone()).await?);
        }
        Ok(reports)
    }

    pub(super) async fn load_to(
        &self,
        number: &str,
        callers: usize,
        every: Duration,
        turns: Vec<Turn>,
    ) -> anyhow::Result<Vec<PhoneReport>> {
        self.plan(number, callers, every).run_as(1_000, move |_| turns.clone()).await
    }

    fn plan(&self, number: &str, callers: usize, every: Duration) -> Load {
        let address = format!("sip:{number}@127.0.0.1:{}", self.port);
        // A synthesised answer to one of four may take longer than a second.
        let linger = Duration::from_secs(3);
        Load { address, local: LOOPBACK, callers, every, linger }
    }

    /// Peak resident memory, MB.
    fn peak_mb(&self) -> anyhow::Result<f32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).context("no VmHWM in /proc")?;
        let kilobytes: f32 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
        Ok(kilobytes / 1_024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The machine that the figures are of.
pub(super) fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|l| l.strip_prefix("model name")).and_then(|l| l.split(':').nth(1));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", model.unwrap_or("unknown").trim())
}
