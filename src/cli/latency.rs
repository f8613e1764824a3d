//! `sidetone latency`: how soon callers were answered and let in, from a capture of the packets and nothing else.

mod capture;
mod talk;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;

use super::Format;
use super::load::Quantiles;
use talk::Talk;

/// Arguments of `sidetone latency`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A capture in pcap format that holds both directions of calls with G.711, as tcpdump writes it
    #[arg(long, value_name = "FILE")]
    pcap: PathBuf,
    /// How to report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Figures {
    calls: Vec<Talk>,
    answer_ms: Quantiles,
    barge_in_ms: Quantiles,
    key_ms: Quantiles,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let name = args.pcap.display();
    let file = File::open(&args.pcap).with_context(|| format!("cannot read {name}"))?;
    let packets = capture::read(file).with_context(|| format!("{name} is no capture in pcap format"))?;
    let calls = talk::calls(&packets);
    if calls.is_empty() {
        bail!(
            "{name} holds no call with G.711 in both directions; capture at the server, as in `tcpdump -i lo -w FILE udp`"
        );
    }
    let all = |of: fn(&Talk) -> &[f32]| Quantiles::new(calls.iter().flat_map(|call| of(call).to_vec()));
    let figures = Figures {
        answer_ms: all(|c| &c.answer_ms),
        barge_in_ms: all(|c| &c.barge_in_ms),
        key_ms: all(|c| &c.key_ms),
        calls,
    };
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&figures)?),
        Format::Human => print(&figures),
    }
    Ok(ExitCode::SUCCESS)
}

fn print(figures: &Figures) {
    for call in &figures.calls {
        println!("{} and {}", call.caller, call.server);
        let list = |times: &[f32]| times.iter().map(|ms| format!("{ms:.0}")).collect::<Vec<_>>().join(", ");
        println!("  answered after    {} ms", list(&call.answer_ms));
        println!("  interrupted in    {} ms", list(&call.barge_in_ms));
        println!("  keys answered in  {} ms", list(&call.key_ms));
    }
    for (what, q) in [
        ("end of speech to answer", figures.answer_ms),
        ("interruption to silence", figures.barge_in_ms),
        ("key to answer", figures.key_ms),
    ] {
        println!("{what:<26}{:>7.0} ms median{:>7.0} ms p95  ({})", q.p50, q.p95, q.count);
    }
}
