//! `sidetone call`: rings an address and speaks.

#[cfg(feature = "device")]
mod live;
#[cfg(not(feature = "device"))]
#[path = "call/no_device.rs"]
mod live;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::phone::{self, PhoneReport, Turn, parse_turn};
use super::{Format, logging};
use crate::net::sip::Transport;

/// Arguments of `sidetone call`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom to ring, as in sip:100@127.0.0.1:5060
    #[arg(required_unless_present = "devices")]
    pub address: Option<String>,
    /// What to do, in turn, each when the far end has spoken and fallen silent: FILE (any audio), over:FILE (interrupt),
    /// keys:123#, wait:2s
    pub turns: Vec<String>,
    /// Talk by microphone and loudspeaker: the system's own, or those that NAME names (a headset: nothing removes the echo)
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "", conflicts_with = "turns")]
    pub device: Option<String>,
    /// Talk by this microphone
    #[arg(long, value_name = "NAME", conflicts_with = "turns")]
    pub microphone: Option<String>,
    /// Listen by this loudspeaker
    #[arg(long, value_name = "NAME", conflicts_with = "turns")]
    pub loudspeaker: Option<String>,
    /// List the microphones and loudspeakers, and exit
    #[arg(long)]
    pub devices: bool,
    /// Write what was said (left) and heard (right) to this WAV
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Our own address
    #[arg(long, default_value = "127.0.0.1")]
    pub local: IpAddr,
    /// Our own number
    #[arg(long, default_value = "+15550100")]
    pub from: String,
    /// Ring over TCP
    #[arg(long)]
    pub tcp: bool,
    /// Hang up after the far end has been silent for so many seconds after the last turn
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    pub linger: f32,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    logging::start(Format::Human, "warn");
    if args.devices {
        live::list(args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let turns = args.turns.iter().map(|t| parse_turn(t)).collect::<anyhow::Result<Vec<_>>>()?;
    let report = super::runtime()?.block_on(place(&args, turns))?;
    if let Some(path) = &args.record {
        std::fs::write(path, report.wav()?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    print(&report, args.format)?;
    Ok(if report.refused.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn place(args: &Args, turns: Vec<Turn>) -> anyhow::Result<PhoneReport> {
    let by_device = args.device.is_some() || args.microphone.is_some() || args.loudspeaker.is_some();
    let device = by_device.then(|| live::open(args)).transpose()?;
    let address = args.address.as_deref().unwrap_or_default();
    let stop = CancellationToken::new();
    let transport = if args.tcp { Transport::Tcp } else { Transport::Udp };
    let (endpoint, _incoming) = phone::endpoint(transport, SocketAddr::new(args.local, 0), &stop).await?;
    let report = match phone::ring(&endpoint, args.local, address, &args.from).await? {
        Ok(phone) => match device {
            Some(device) => live::talk(phone, device, args.format).await?,
            None => phone.talk(turns, Duration::from_secs_f32(args.linger.clamp(0.1, 3_600.0))).await,
        },
        Err(report) => report,
    };
    stop.cancel();
    Ok(report)
}

fn print(report: &PhoneReport, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    if let Some(status) = report.refused {
        println!("refused with {status}");
        return Ok(());
    }
    let list = |name: &str, times: &[f32]| {
        if !times.is_empty() {
            let times: Vec<_> = times.iter().map(|t| format!("{t:.0}")).collect();
            println!("{name} {} ms", times.join(", "));
        }
    };
    list("picked up after   ", &report.answered_ms.into_iter().collect::<Vec<_>>());
    list("answers began after", &report.answer_ms);
    list("interrupted within", &report.barge_in_ms);
    list("keys answered after", &report.key_ms);
    println!("packets received    {}, worst gap {:.0} ms", report.received, report.worst_gap_ms);
    println!("ended by            {}", if report.remote_bye { "the far end" } else { "us" });
    Ok(())
}
