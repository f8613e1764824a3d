//! The server as its user starts it: a process of its own, with every model loaded.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::house::{Peer, alone, engines, root};

/// Issue's bound with all models loaded, MB.
const MOST_MB: u64 = 700;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_all_models_stays_below_its_bound() {
    if engines().is_none() {
        return;
    }
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("sidetone.toml");
    let plan = root().join("dialplans/bank");
    let text = format!("[[route]]\nnumber = \"*\"\nplan = \"{}\"\n", plan.display());
    std::fs::write(&config, text).expect("a writable folder");
    let child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .arg("serve")
        .arg("--config")
        .arg(&config)
        .args(["--set", "web.listen=off", "--set", "sip.listen=[\"udp:127.0.0.1:0\"]"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let mut server = Peer(child);
    let log = server.0.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(log).lines();
    let ready = lines.any(|line| line.is_ok_and(|line| line.contains("listening for SIP")));
    assert!(ready, "the server did not start");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.0.id())).expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kilobytes: u64 = peak.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number");
    println!("peak memory {} MB", kilobytes / 1_024);
    assert!(kilobytes / 1_024 < MOST_MB, "{} MB", kilobytes / 1_024);
}
