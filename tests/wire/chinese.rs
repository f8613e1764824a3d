//! A call in Mandarin through the whole server with real models: a caller made by one Chinese voice is heard, understood
//! and answered by another.

use std::collections::BTreeMap;
use std::process::Command;

use sidetone::engine::models::Registry;
use sidetone::engine::{EngineConfig, Engines, RecognitionConfig};

use super::house::{House, Peer, alone, root};

/// Models of both languages; `None`, with one line that says so, where they are not fetched.
fn engines() -> Option<Engines> {
    let registry = Registry::builtin();
    for voice in ["zh_CN-zf_xiaoyi", "zh_CN-zm_yunxi"] {
        let model = registry.model(voice).expect("a voice of the registry");
        if let Some(error) = model.files.iter().find_map(|file| registry.verify(model, file).err()) {
            println!("skipped: {error}");
            return None;
        }
    }
    let chinese = RecognitionConfig::of_language("zh").expect("a language that is known");
    let config = EngineConfig { languages: BTreeMap::from([("zh".to_owned(), chinese)]), ..EngineConfig::default() };
    Engines::real(&registry, &config).inspect_err(|error| println!("skipped: {error}")).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_speaks_chinese_is_heard_and_understood() {
    let _alone = alone().await;
    let Some(engines) = engines() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wav = folder.path().join("caller.wav");
    let said = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["say", "--telephone", "--voice", "zh_CN-zm_yunxi", "--out"])
        .arg(&wav)
        .arg("我的银行卡丢了。")
        .status()
        .expect("the binary");
    assert!(said.success());
    let mut house = House::open(&root().join("dialplans/bank-zh"), engines, &[]).await;
    let address = format!("sip:200@{}", house.sip);
    let wav = wav.display().to_string();
    // The greeting is rendered while the call begins, where it is not in the cache: the caller lets it come first.
    let arguments = ["call", &address, "wait:20s", &wav, "--linger", "10"];
    let caller = Peer::start(env!("CARGO_BIN_EXE_sidetone"), &arguments);
    let record = house.ended().await;
    drop(caller);
    let turn = record.turns.first().unwrap_or_else(|| panic!("no turn was heard: {record:?}"));
    println!("heard: {}", turn.text);
    assert!(turn.text.contains('丢'), "{turn:?}");
    assert_eq!(turn.intent.as_deref(), Some("lost_card"), "{turn:?}");
    house.server.shutdown().await;
}
