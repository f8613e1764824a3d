//! A message over real packets: what is left on the disk, also by a caller who hangs up, and how it is forgotten.

use std::process::Command;

use sidetone::call::record::Outcome;
use sidetone::engine::Engines;

use super::house::{House, caller};

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
