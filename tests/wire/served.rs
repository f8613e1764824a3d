//! `sidetone serve` as its user starts it: a process of its own, with scripted engines, and its log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use sidetone::call::record::CallRecord;
use sidetone::store::{Retention, Store};

use super::house::Peer;

/// Longest that a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The running process.
pub(crate) struct Served {
    pub(crate) sip: SocketAddr,
    pub(crate) http: SocketAddr,
    data: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    _process: Peer,
    _folder: tempfile::TempDir,
}

impl Served {
    /// Serves `plan` under every number. `limits` is what the shell is told before, `ulimit` and the like.
    pub(crate) fn start(plan: &Path, limits: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (config, data) = (folder.path().join("sidetone.toml"), folder.path().join("data"));
        let text = format!("[[route]]\nnumber = \"*\"\nplan = \"{}\"\n", plan.display());
        std::fs::write(&config, text).expect("a writable folder");
        let mut process = Command::new("sh")
            .args(["-c", &format!("{limits} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_sidetone"), "serve", "--config"])
            .arg(&config)
            .args(["--format", "json", "--set", "engine.kind=scripted", "--set", "web.listen=127.0.0.1:0"])
            .args(["--set", "sip.listen=[\"udp:127.0.0.1:0\"]", "--set", "sip.rtp_ports=0-0"])
            .args(["--set", &format!("server.data={}", data.display())])
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (found, addresses) = sync_channel(2);
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let fields =
                    serde_json::from_str::<Value>(&line).map(|line| line["fields"].clone()).unwrap_or_default();
                let message = fields["message"].as_str().unwrap_or_default();
                if message == "listening for SIP" {
                    let _ = found.try_send(fields["address"].as_str().unwrap_or_default().to_owned());
                } else if let Some(rest) = message.strip_prefix("listening for HTTP at http://") {
                    let _ = found.try_send(rest.split(';').next().unwrap_or_default().to_owned());
                }
                kept.lock().expect("no panic").push(line);
            }
        });
        let process = Peer(process);
        let address = |what| match addresses.recv_timeout(PATIENCE) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{what} at {text}")),
            Err(RecvTimeoutError::Timeout) => panic!("no {what} after {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("no {what}: {:?}", log.lock()),
        };
        let (sip, http) = (address("SIP"), address("HTTP"));
        Self { sip, http, data, log, _process: process, _folder: folder }
    }

    /// Whether a line of the log holds these words.
    pub(crate) fn logged(&self, words: &str) -> bool {
        self.log.lock().expect("no panic").iter().any(|line| line.contains(words))
    }

    /// The records of all calls, once there are `count` that have ended; newest first.
    pub(crate) async fn records(&self, count: usize) -> Vec<CallRecord> {
        let store = Store::open(&self.data, Retention::default()).await.expect("a second process may open it");
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..PATIENCE.as_millis() / 100 {
            looks.tick().await;
            let calls = store.list(100).await.expect("read");
            if calls.len() >= count {
                let mut records = Vec::new();
                for call in calls {
                    records.extend(store.get(&call.id).await.expect("read"));
                }
                return records;
            }
        }
        panic!("fewer than {count} calls were stored");
    }

    /// A file of the data folder.
    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.data.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}
