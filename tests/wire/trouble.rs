//! What goes wrong around a call, through whole calls: each has an outcome that its caller hears and its record shows, and
//! no other call notices.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use sidetone::audio::file;
use sidetone::call::ports::{AbortFlag, Hint, JobError, Kind, Recognizer, Role, Transcript};
use sidetone::call::record::CallRecord;
use sidetone::engine::pool::Factory;
use sidetone::engine::scripted::{ScriptedRecognizer, spoken};
use sidetone::engine::{EngineOptions, Engines};

use super::house::House;
use super::ringer::{Ringer, rtcp_types};
use super::served::Served;

const PLAN: &str = "
dialplan: trouble
language: en-US
intents:
  balance: [what is my balance, how much money do I have, tell me my balance]
start: main
states:
  main:
    steps:
      - say: Hello.
      - listen: [How can I help?, Once more please.]
    on:
      balance: {to: balance, key: 2}
      1: desk
  desk:
    steps:
      - transfer: queue:support
      - say: Nobody is there.
      - listen: What else?
    on:
      balance: {to: balance, key: 2}
  balance:
    steps:
      - say: You have ten dollars.
      - listen: What else?
    on:
      balance: {to: balance, key: 2}
";

fn plan(folder: &Path) -> PathBuf {
    let plan = folder.join("plan");
    std::fs::create_dir(&plan).expect("a writable folder");
    std::fs::write(plan.join("dialplan.yaml"), PLAN).expect("a writable folder");
    plan
}

/// `sidetone call` with these turns; its report.
async fn call(address: String, turns: Vec<String>) -> serde_json::Value {
    let call = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .args(["call", &address])
            .args(turns)
            .args(["--linger", "1", "--format", "json"])
            .output()
            .expect("the binary")
    });
    let output = call.await.expect("the telephone");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// What the record says in words.
fn words(record: &CallRecord) -> String {
    serde_json::to_string(record).expect("JSON")
}

/// Whether the record holds an event that begins so.
fn happened(record: &CallRecord, what: &str) -> bool {
    record.events.iter().any(|event| event.what.starts_with(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_ends_the_recording_and_not_the_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // No file may grow beyond 128 kB: four seconds of recording. A write beyond fails, as on a full disk.
    let server = Served::start(&plan(folder.path()), "trap '' XFSZ; ulimit -f 256;");
    let address = format!("sip:100@{}", server.sip);
    let long = call(address, vec!["wait:6s".into(), "keys:2".into()]);
    let short = async {
        let mut ringer = Ringer::ring(server.sip).await;
        // Two seconds.
        for _ in 0..100 {
            ringer.packet().await;
        }
        ringer.leg.bye(None).await;
    };
    let (report, ()) = tokio::join!(long, short);
    let records = server.records(2).await;

    let (given_up, kept): (Vec<_>, Vec<_>) = records.iter().partition(|record| happened(record, "recording given up"));
    let ([given_up], [kept]) = (&given_up[..], &kept[..]) else { panic!("{records:?}") };
    assert!(words(given_up).contains("File too large"), "{given_up:?}");
    assert!(words(given_up).contains("You have ten dollars."), "served to its end: {given_up:?}");
    assert_eq!(report["key_ms"].as_array().map(Vec::len), Some(1), "and answered: {report}");
    assert!(server.logged("recording given up; the call goes on"));
    // What there was of it can be played, and the other call's is whole.
    let seconds = |record: &CallRecord| {
        let name = record.recording.as_ref().expect("a recording");
        file::decode(&server.file(name), 8_000, 60).expect("a WAV").len() as f32 / 8_000.0
    };
    assert!((2.0..5.0).contains(&seconds(given_up)), "{} s", seconds(given_up));
    let whole = kept.duration_ms as f32 / 1_000.0;
    assert!((seconds(kept) - whole).abs() < 0.3, "{} s of {whole} s", seconds(kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_address_does_not_resolve_is_told_to_the_caller() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // RFC 6761, 6.4: this name never resolves.
    let agents = "queue.support.agents=[\"sip:ann@nobody.invalid\"]".to_owned();
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(&plan(folder.path()), engines, &[agents]).await;
    let address = format!("sip:100@{}", house.sip);
    let forlorn = call(address.clone(), vec!["keys:1".into()]);
    let other = call(address, vec!["keys:2".into()]);
    let (forlorn, other, records) = tokio::join!(forlorn, other, async { [house.ended().await, house.ended().await] });

    let failed = |record: &&CallRecord| happened(record, "handover to queue:support failed: Unreachable");
    let record = records.iter().find(failed).unwrap_or_else(|| panic!("{records:?}"));
    assert!(words(record).contains("Nobody is there."), "{record:?}");
    let unaffected = records.iter().find(|record| !failed(record)).unwrap_or_else(|| panic!("{records:?}"));
    assert!(words(unaffected).contains("You have ten dollars."), "{unaffected:?}");
    for report in [forlorn, other] {
        assert_eq!(report["key_ms"].as_array().map(Vec::len), Some(1), "{report}");
    }
    house.server.shutdown().await;
}

/// Hears what the scripted voice says, and panics where that begins with "please" ("panic" itself comes last, where a
/// busy machine's concealed packet may cost it letters).
struct Fragile(ScriptedRecognizer);

impl Recognizer for Fragile {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        let transcript = self.0.recognize(pcm, hint, role, abort)?;
        assert!(!transcript.text.starts_with("pl"), "the model met what it cannot take");
        Ok(transcript)
    }
}

fn fragile_engines() -> Engines {
    let recognizer: Factory<dyn Recognizer> = Arc::new(|| Ok(Box::new(Fragile(ScriptedRecognizer))));
    let options = EngineOptions { recognizer, ..EngineOptions::scripted() };
    Engines::start(options).expect("scripted engines need nothing")
}

/// A file that says this to the scripted recogniser.
fn clip(folder: &Path, text: &str) -> String {
    let path = folder.join(format!("{}.wav", text.replace(' ', "-")));
    std::fs::write(&path, file::wav(&spoken(text), 1, 8_000).expect("a WAV")).expect("a writable folder");
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_that_panics_costs_one_caller_one_repetition() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut house = House::open(&plan(folder.path()), fragile_engines(), &[]).await;
    let address = format!("sip:100@{}", house.sip);
    let [fatal, good] = ["please panic", "what is my balance"].map(|text| clip(folder.path(), text));
    let unlucky = call(address.clone(), vec![fatal, good.clone()]);
    let other = call(address, vec![good]);
    let (_, _, records) = tokio::join!(unlucky, other, async { [house.ended().await, house.ended().await] });

    let failed = |record: &&CallRecord| happened(record, "recognition failed");
    let record = records.iter().find(failed).unwrap_or_else(|| panic!("{records:?}"));
    assert!(words(record).contains("Once more please."), "asked again: {record:?}");
    assert!(words(record).contains("You have ten dollars."), "and then understood: {record:?}");
    let unaffected = records.iter().find(|record| !failed(record)).unwrap_or_else(|| panic!("{records:?}"));
    assert!(words(unaffected).contains("You have ten dollars."), "{unaffected:?}");
    assert!(!words(unaffected).contains("Once more please."), "{unaffected:?}");
    house.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_says_goodbye_by_rtcp() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(&plan(folder.path()), engines, &[]).await;
    let mut ringer = Ringer::ring(house.sip).await;
    while ringer.packet().await.0 != Kind::Rtp {}
    ringer.leg.bye(None).await;
    /// RFC 3550, 12.1.
    const BYE: u8 = 203;
    loop {
        let (kind, packet) = ringer.packet().await;
        if kind == Kind::Rtcp && rtcp_types(&packet).contains(&BYE) {
            break;
        }
    }
    house.ended().await;
    house.server.shutdown().await;
}
