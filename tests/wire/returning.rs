//! A caller who calls again: what the first call kept, the second one knows, and `calls forget` deletes.

use std::process::Command;

use sidetone::engine::Engines;

use super::house::House;

const PLAN: &str = "\
dialplan: returning
profile: {keep: [calls]}
start: hello
states:
  hello:
    steps:
      - keep: {calls: \"{{ (profile.calls or 0) + 1 }}\"}
      - listen: Call number {{ profile.calls }}. Press one.
    on: {1: bye}
    otherwise: bye
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_calls_again_is_known_until_it_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("dialplan.yaml"), PLAN).expect("writable");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(folder.path(), engines, &[]).await;
    assert_eq!(greeted(&mut house, "+4930123").await, "1");
    assert_eq!(greeted(&mut house, "004930123").await, "2", "the same number, written otherwise");
    assert_eq!(greeted(&mut house, "+4930124").await, "1", "another caller");
    assert_eq!(greeted(&mut house, "anonymous").await, "1");
    assert_eq!(greeted(&mut house, "anonymous").await, "1", "of nobody nothing is kept");
    assert_eq!(house.server.store.profiles("+49 30 123").await.expect("read").len(), 1);
    assert_eq!(house.server.store.forget("+49 30 123").await.expect("forgotten").profiles, 1);
    assert_eq!(greeted(&mut house, "+4930123").await, "1");
    house.server.shutdown().await;
}

/// Rings from a number; which of its calls the line says that this is.
async fn greeted(house: &mut House, from: &'static str) -> String {
    let address = format!("sip:200@{}", house.sip);
    let call = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .args(["call", &address, "keys:1", "--from", from, "--linger", "1"])
            .output()
            .expect("the binary")
    });
    let record = house.ended().await;
    call.await.expect("the telephone");
    let said = record.events.iter().find_map(|event| event.what.strip_prefix("said: Call number "));
    said.and_then(|said| said.split('.').next()).unwrap_or_else(|| panic!("no greeting: {record:?}")).to_owned()
}
