//! A message over real packets: what is left on the disk, also by a caller who hangs up, and how it is forgotten.

use std::process::Command;

use sidetone::call::record::Outcome;
use sidetone::engine::Engines;

use super::house::{House, caller};
use super::served::Served;

const PLAN: &str = "
dialplan: office
start: main
states:
  main:
    steps:
      - voicemail: Please leave a message.
        mailbox: desk
        silence: 2s
        empty: nothing
      - say: Thank you.
      - end:
  nothing:
    steps:
      - say: I heard nothing.
      - end:
";

/// What `sidetone call` does with these acts, and how the call ended.
async fn rung(house: &mut House, acts: &[&str], linger: &str) -> Outcome {
    let address = format!("sip:300@{}", house.sip);
    let mut arguments = vec!["call".to_owned(), address];
    arguments.extend(acts.iter().map(|act| (*act).to_owned()));
    arguments.extend(["--linger", linger, "--from", "+15550777"].map(str::to_owned));
    let call = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_sidetone")).args(arguments).output().expect("the binary")
    });
    let record = house.ended().await;
    let output = call.await.expect("the telephone");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    record.outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_leaves_is_a_file_and_a_row_until_they_are_forgotten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("dialplan.yaml"), PLAN).expect("a writable folder");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    // Messages are kept where calls are not recorded.
    let mut house = House::open(folder.path(), engines, &["keep.record=false".to_owned()]).await;
    let speech = caller("balance").display().to_string();

    assert_eq!(rung(&mut house, &[&speech], "9").await, Outcome::Completed);
    assert_eq!(rung(&mut house, &[&speech], "0").await, Outcome::CallerHungUp);
    assert_eq!(rung(&mut house, &["wait:1s"], "14").await, Outcome::Completed);

    let store = house.server.store.clone();
    let messages = store.messages(Some("desk"), 10).await.expect("read");
    assert_eq!(messages.len(), 2, "the third caller said nothing: {messages:?}");
    let data = store.messages_folder().parent().expect("the data folder").to_owned();
    for message in &messages {
        let file = data.join(message.recording.as_ref().expect("a sound"));
        let mut wav = hound::WavReader::open(&file).expect("a WAV");
        assert_eq!((wav.spec().channels, wav.spec().sample_rate), (1, 8_000));
        let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
        let loud = samples.iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
        assert!(loud > 1_000, "{loud} loud samples of {}", samples.len());
        assert!(message.duration_ms > 700, "{message:?}");
    }
    let files = || std::fs::read_dir(store.messages_folder()).expect("a folder").count();
    assert_eq!(files(), 2, "the empty one is gone");
    let forgotten = store.forget(messages[0].caller.reveal()).await.expect("forgotten");
    assert_eq!((forgotten.messages, files()), (2, 0));
    house.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_goes_the_plans_way_and_keeps_what_there_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = PLAN.replace("empty: nothing", "failed: nothing").replace("I heard nothing.", "I cannot keep it.");
    std::fs::write(folder.path().join("dialplan.yaml"), plan).expect("a writable folder");
    // Some sixteen seconds of speech, with short pauses.
    let long = folder.path().join("long.wav");
    let mut speech = Vec::new();
    let first = hound::WavReader::open(caller("order")).expect("a fixture");
    let mut writer = hound::WavWriter::create(&long, first.spec()).expect("a writable folder");
    for name in ["order", "lost-card", "person"].repeat(4) {
        let mut sound = hound::WavReader::open(caller(name)).expect("a fixture");
        speech.extend(sound.samples::<i16>().map(|sample| sample.expect("a sample")));
    }
    for sample in &speech {
        writer.write_sample(*sample).expect("written");
    }
    writer.finalize().expect("written");
    // No file may grow beyond 128 kB: eight seconds of a message. A write beyond fails, as on a full disk.
    let server = Served::start(folder.path(), "trap '' XFSZ; ulimit -f 256;");
    let address = format!("sip:300@{}", server.sip);
    let call = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
        command.args(["call", &address]).arg(long).args(["--linger", "9"]).output().expect("the binary")
    });
    assert!(call.await.expect("the telephone").status.success());
    let records = server.records(1).await;
    let told: Vec<&str> = records[0].events.iter().map(|event| event.what.as_str()).collect();
    assert!(told.iter().any(|what| what.contains("the message was not kept: File too large")), "{told:?}");
    assert!(told.contains(&"said: I cannot keep it."), "{told:?}");
    let name = format!("messages/{}-1.wav", records[0].id);
    let kept = hound::WavReader::new(std::io::Cursor::new(server.file(&name))).expect("a WAV").duration() / 8_000;
    assert!((6..=8).contains(&kept), "{kept} s were written before");
}
