//! baresip with real sound both ways: once as the caller, once as the agent of a hand-over.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};

use sidetone::audio::file;
use sidetone::call::record::Outcome;

use super::house::{House, Peer, alone, caller, engines, installed, root, voiced, words_in};

/// A baresip that speaks `source` and records what it hears into its folder.
fn configure(folder: &Path, source: &Path, port: u16) {
    let modules = ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules"];
    let modules = modules.iter().find(|path| Path::new(path).is_dir()).expect("baresip's modules");
    let config = format!(
        "sip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\naudio_source aufile,{source}\n\
         audio_player aufile,{nowhere}\naudio_srate 8000\naudio_channels 1\nmodule_path {modules}\n\
         module g711.so\nmodule aufile.so\nmodule sndfile.so\nsnd_path {folder}\n\
         module_app account.so\nmodule_app menu.so\n",
        source = source.display(),
        nowhere = folder.join("player.wav").display(),
        folder = folder.display(),
    );
    fs::write(folder.join("config"), config).expect("a writable folder");
    let account = "<sip:bare@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMU/8000/1\n";
    fs::write(folder.join("accounts"), account).expect("a writable folder");
    fs::write(folder.join("contacts"), "").expect("a writable folder");
}

/// What baresip recorded of the far end.
fn recorded(folder: &Path) -> Vec<i16> {
    let is_far_end = |path: &PathBuf| path.to_string_lossy().contains("dec.wav");
    let mut entries = fs::read_dir(folder).expect("the folder").filter_map(|entry| Some(entry.ok()?.path()));
    let path = entries.find(is_far_end).expect("a recording of the far end");
    let bytes = fs::read(path).expect("the recording");
    // baresip is ended in mid-recording; the header's length may be that of an empty file.
    file::decode(&bytes, 8_000, 300).unwrap_or_else(|_| raw(&bytes))
}

fn raw(wav: &[u8]) -> Vec<i16> {
    wav.get(44..).unwrap_or_default().chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// Silence, then the fixture, then silence: baresip starts its file when the call is answered, and plays it once.
fn after_a_while(folder: &Path, name: &str, seconds: usize) -> PathBuf {
    let bytes = fs::read(caller(name)).expect("the fixture");
    let speech = file::decode(&bytes, 8_000, 60).expect("a sound");
    let mut pcm = vec![0; 8_000 * seconds];
    pcm.extend(speech);
    pcm.extend(vec![0; 8_000 * 60]);
    let path = folder.join("source.wav");
    fs::write(&path, file::wav(&pcm, 1, 8_000).expect("a WAV")).expect("a writable folder");
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_with_baresip_is_heard_and_hears_the_answer() {
    let (true, Some(engines)) = (installed("baresip"), engines()) else { return };
    let _alone = alone().await;
    let mut house = House::open(&root().join("dialplans/bank"), engines.clone(), &[]).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = after_a_while(folder.path(), "balance", 9);
    configure(folder.path(), &source, free_port());
    let dial = format!("/dial sip:100@{}", house.sip);
    let config = folder.path().display().to_string();
    let peer = Peer::start("baresip", &["-f", &config, "-e", &dial, "-t", "20"]);
    let record = house.ended().await;
    drop(peer);
    let turn = record.turns.first().unwrap_or_else(|| panic!("no turn was heard: {record:?}"));
    assert!(turn.text.to_lowercase().contains("balance"), "{turn:?}");
    assert_eq!(turn.intent.as_deref(), Some("balance"));
    // The question after the answer is near the end of what baresip heard.
    let heard = voiced(&recorded(folder.path()));
    let words = words_in(&engines, &heard);
    assert!(words.contains("northbank") || words.contains("help") || words.contains("account"), "{words}");
    house.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_with_baresip_is_briefed_and_bridged() {
    let (true, Some(engines)) = (installed("baresip"), engines()) else { return };
    let _alone = alone().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let source = after_a_while(folder.path(), "agent-hello", 1);
    configure(folder.path(), &source, port);
    let config = folder.path().display().to_string();
    let _agent = Peer::start("baresip", &["-f", &config, "-t", "90"]);
    let agents = format!("queue.support.agents=[\"sip:bare@127.0.0.1:{port}\"]");
    let mut house = House::open(&root().join("dialplans/bank"), engines.clone(), &[agents]).await;
    let address = format!("sip:100@{}", house.sip);
    let person = caller("person").display().to_string();
    let balance = caller("balance").display().to_string();
    let arguments = ["call", &address, &person, "wait:25s", &balance, "--linger", "4"];
    let _caller = Peer::start(env!("CARGO_BIN_EXE_sidetone"), &arguments);
    let record = house.ended().await;
    assert!(
        matches!(&record.outcome, Outcome::HandedOver { agent, .. } if agent.contains(&port.to_string())),
        "{:?}",
        record.outcome
    );
    let words = words_in(&engines, &voiced(&recorded(folder.path())));
    assert!(words.contains("call from") || words.contains("person"), "the agent's briefing: {words}");
    house.server.shutdown().await;
}
