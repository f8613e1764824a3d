//! Two routes and two languages: a call goes on in the other one by a key and by the caller's first words, rung by our own
//! telephone. Scripted engines: which plan speaks is heard in what it says.

use std::fs;
use std::path::Path;
use std::process::Command;

use sidetone::audio::file;
use sidetone::call::record::CallRecord;
use sidetone::config::Route;
use sidetone::engine::Engines;
use sidetone::engine::scripted::spoken;
use sidetone::server::Server;

use super::house::{House, words_in};

const ENGLISH: &str = "
dialplan: front
languages: {zh: 200}
intents: {hours: [when are you open, what are your hours]}
start: hello
states:
  hello: {steps: [{listen: how can i help}], on: {2: other, hours: hours}}
  other: {steps: [{switch: 200}]}
  hours: {steps: [{say: we are open}, {end: }]}
";

const CHINESE: &str = "
dialplan: front-zh
language: zh-CN
intents: {balance: [zh wo xiang cha yi xia yu e, zh wo de yu e]}
start: hello
states:
  hello: {steps: [{listen: ni hao qing shuo}], on: {balance: balance}}
  balance: {steps: [{say: hao de zai jian}, {end: }]}
";

fn plan(folder: &Path, name: &str, source: &str) -> std::path::PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).expect("a writable folder");
    fs::write(folder.join("dialplan.yaml"), source).expect("a writable folder");
    folder
}

/// Rings 100 and does this; the call's record, and what was heard, line by line.
async fn rung(turn: &str) -> (CallRecord, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let (english, chinese) = (plan(folder.path(), "en", ENGLISH), plan(folder.path(), "zh", CHINESE));
    let routes = |config: &mut sidetone::config::Config| {
        config.routes = vec![
            Route { number: "100".into(), plan: english.clone() },
            Route { number: "200".into(), plan: chinese.clone() },
        ];
    };
    let mut house = House::open_with(&english, engines.clone(), &[], routes).await;
    let speech = folder.path().join("speech.wav");
    let pcm = spoken("zh wo xiang cha yi xia yu e");
    fs::write(&speech, file::wav(&pcm, 1, 8_000).expect("a WAV")).expect("a writable folder");
    let turn = if turn == "speech" { speech.display().to_string() } else { turn.to_owned() };
    let heard = folder.path().join("heard.wav");
    let (address, to) = (format!("sip:100@{}", house.sip), heard.display().to_string());
    let call = tokio::task::spawn_blocking(move || {
        let arguments = ["call", &address, &turn, "--linger", "2", "--record", &to];
        Command::new(env!("CARGO_BIN_EXE_sidetone")).args(arguments).output().expect("the binary")
    });
    let record = house.ended().await;
    let output = call.await.expect("the telephone");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    house.server.shutdown().await;
    (record, lines(&engines, &fs::read(heard).expect("the telephone's recording")))
}

/// What the far end said (the right channel), parted at its pauses.
fn lines(engines: &Engines, wav: &[u8]) -> Vec<String> {
    let samples = wav[44..].chunks_exact(4).map(|pair| i16::from_le_bytes([pair[2], pair[3]]));
    let right: Vec<i16> = samples.collect();
    // 100 ms of silence.
    let blocks: Vec<&[i16]> = right.chunks(800).collect();
    let spoken = blocks.split(|block| block.iter().all(|sample| sample.unsigned_abs() < 300));
    spoken.filter(|line| !line.is_empty()).map(|line| words_in(engines, &line.concat())).collect()
}

fn switched(record: &CallRecord) -> bool {
    record.events.iter().any(|event| event.what == "switched to the plan front-zh (zh-CN)")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_switches_to_the_other_plan_and_its_prompt_is_heard() {
    let (record, heard) = rung("keys:2").await;
    assert!(switched(&record), "{record:?}");
    assert!(heard.iter().any(|line| line.contains("can i help")), "{heard:?}");
    assert!(heard.last().is_some_and(|line| line.contains("hao qing shuo")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn first_words_in_the_other_language_are_answered_in_it_without_being_asked_again() {
    let (record, heard) = rung("speech").await;
    assert!(switched(&record), "{record:?}");
    let turns: Vec<_> = record.turns.iter().map(|turn| turn.intent.as_deref()).collect();
    assert_eq!(turns, [Some("balance")], "{record:?}");
    assert!(heard.last().is_some_and(|line| line.contains("de zai jian")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_whose_plan_is_in_another_language_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let english = plan(folder.path(), "en", ENGLISH);
    let data = format!("server.data={}", folder.path().join("data").display());
    let listen = "sip.listen=[\"udp:127.0.0.1:0\"]".to_owned();
    let args = sidetone::config::ConfigArgs { config: None, set: vec![data, listen] };
    let mut config = sidetone::config::Config::load_with(&args, &[]).expect("a valid configuration");
    config.routes = vec![Route { number: "*".into(), plan: english }];
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let started = Server::start(config, engines).await.map(|_| ());
    let error = started.expect_err("the plan of 200 is in English").to_string();
    assert!(error.contains("who speak `zh` to the number `200`, whose plan is in `en`"), "{error}");
}
