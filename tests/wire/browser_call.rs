//! A real browser rings the whole server: Chromium's microphone plays a recorded sentence, and a plan answers it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sidetone::audio::{file, resample};
use sidetone::call::io::Report;
use sidetone::call::record::Outcome;
use sidetone::engine::Engines;

use super::house::{House, alone, caller, engines, root, words_in};
use super::webdriver::Browser;

/// A microphone into which this is said 9.5 s after it was opened, and then every 13 s, as Chromium begins again at a
/// file's end: its echo cancellation all but mutes whoever speaks at the same time as the server.
fn microphone(folder: &Path, clip: Option<&str>) -> PathBuf {
    let mut pcm = vec![0; 8_000 * 19 / 2];
    if let Some(clip) = clip {
        pcm.extend(file::decode(&std::fs::read(caller(clip)).expect("the fixture"), 8_000, 60).expect("a sound"));
    }
    pcm.resize(8_000 * 13, 0);
    let path = folder.join("microphone.wav");
    let pcm = resample(&pcm, 8_000, 48_000).expect("converted");
    std::fs::write(&path, file::wav(&pcm, 1, 48_000).expect("a WAV")).expect("a writable folder");
    path
}

fn ring(browser: &Browser, house: &House) {
    let address = house.server.web.expect("served");
    browser.open(&format!("http://{address}/call?number=100"));
    browser.click("#ring");
    browser.wait_for("document.getElementById('status').textContent === 'Connected.'");
    browser.wait_for("document.querySelector('audio').srcObject");
    browser.listen();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_asks_the_bank_and_hears_its_answer() {
    let Some(engines) = engines() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(browser) = Browser::start(&microphone(folder.path(), Some("balance"))) else { return };
    let _alone = alone().await;
    let mut house = House::open(&root().join("dialplans/bank"), engines.clone(), &[]).await;
    tokio::task::block_in_place(|| ring(&browser, &house));
    let asks = |report: &Report| matches!(report, Report::Said { text, .. } if text.contains("account number"));
    house.until("the question for the account number", asks).await;
    tokio::task::block_in_place(|| {
        for key in "12345678#".chars() {
            browser.click(&format!("[data-key='{key}']"));
        }
    });
    house.until("the keys", |report| matches!(report, Report::Keys { .. })).await;
    house.until("the account number read back", |report| matches!(report, Report::Said { .. })).await;
    let (rate, heard) = tokio::task::block_in_place(|| {
        browser.click("#ring");
        browser.wait_for("document.getElementById('status').textContent === 'Call ended.'");
        browser.heard()
    });
    let record = house.ended().await;
    assert_eq!((record.transport.as_str(), record.codec.as_str()), ("webrtc", "opus"), "{record:?}");
    assert_eq!(record.outcome, Outcome::CallerHungUp);
    let understood = record.turns.iter().find(|turn| turn.intent.as_deref() == Some("balance"));
    let turn = understood.unwrap_or_else(|| panic!("not understood: {record:?}"));
    assert!(turn.text.to_lowercase().contains("balance"), "{turn:?}");
    assert!(!format!("{record:?}").contains("12345678"), "a masked slot is on the record: {record:?}");
    // The page played the question; the last seconds of it are the account number read back.
    let heard = resample(&heard, rate, 8_000).expect("converted");
    let words: String = heard.chunks(8_000 * 10).map(|part| words_in(&engines, part) + " ").collect();
    assert!(words.contains("help") && words.contains("account number"), "{words}");
    house.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_ends_hangs_up_the_browser() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(browser) = Browser::start(&microphone(folder.path(), None)) else { return };
    let plan = folder.path().join("plan");
    std::fs::create_dir(&plan).expect("a writable folder");
    let text = "
dialplan: short
language: en-US
start: main
states:
  main:
    steps:
      - listen: Press one.
    on: {1: bye}
  bye:
    steps:
      - say: Goodbye.
      - end:
";
    std::fs::write(plan.join("dialplan.yaml"), text).expect("a writable folder");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(&plan, engines, &[]).await;
    tokio::task::block_in_place(|| ring(&browser, &house));
    house.until("the prompt", |report| matches!(report, Report::Said { .. })).await;
    tokio::task::block_in_place(|| browser.click("[data-key='1']"));
    let record = house.ended().await;
    let before = tokio::time::Instant::now();
    tokio::task::block_in_place(|| {
        browser.wait_for("document.getElementById('status').textContent === 'Call ended.'");
    });
    // Were it not told, it would find out by ICE, after 18 s.
    assert!(before.elapsed() < Duration::from_secs(10), "the page knew after {:?}", before.elapsed());
    assert_eq!((record.transport.as_str(), &record.outcome), ("webrtc", &Outcome::Completed), "{record:?}");
    assert!(record.events.iter().any(|event| event.what == "keys 1"), "{record:?}");
    house.server.shutdown().await;
}
