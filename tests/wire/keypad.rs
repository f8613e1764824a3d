//! A keypad menu rung by SIPp, which plays its keys from captures (RFC 2833), and by our own telephone.

use std::process::Command;

use sidetone::call::record::Outcome;
use sidetone::engine::Engines;

use super::house::{House, installed, root};
use super::sipp::sipp;

#[tokio::test(flavor = "multi_thread")]
async fn typed_keys_lead_through_a_menu_without_a_model() {
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(&root().join("dialplans/menu"), engines, &[]).await;
    let address = format!("sip:200@{}", house.sip);
    let call = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_sidetone"))
            .args(["call", &address, "keys:1", "--linger", "1", "--format", "json"])
            .output()
            .expect("the binary")
    });
    let record = house.ended().await;
    let output = call.await.expect("the telephone");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["key_ms"].as_array().map(Vec::len), Some(1), "{report}");
    assert!(record.events.iter().any(|event| event.what == "keys 1"), "{record:?}");
    assert!(matches!(record.outcome, Outcome::CallerHungUp | Outcome::Completed), "{:?}", record.outcome);
    house.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_shut_when_the_house_is_full() {
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let set = ["server.max_calls=1".to_owned()];
    let house = House::open(&root().join("dialplans/menu"), engines, &set).await;
    let address = format!("sip:200@{}", house.sip);
    let ring = |linger: &'static str| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            let output = Command::new(env!("CARGO_BIN_EXE_sidetone"))
                .args(["call", &address, "wait:3s", "--linger", linger, "--format", "json"])
                .output()
                .expect("the binary");
            serde_json::from_slice::<serde_json::Value>(&output.stdout).expect("JSON")
        })
    };
    let (first, second) = tokio::join!(ring("0.1"), ring("0.1"));
    let refused: Vec<_> = [first, second].into_iter().map(|r| r.expect("rung")["refused"].clone()).collect();
    assert!(refused.contains(&serde_json::json!(503)), "{refused:?}");
    assert!(refused.contains(&serde_json::Value::Null), "{refused:?}");
    house.server.shutdown().await;
}

/// SIPp sends its captures by a raw socket, which only root may open.
#[tokio::test(flavor = "multi_thread")]
async fn keys_from_captures_of_rfc_2833_reach_the_record() {
    if !installed("sipp") {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: SIPp plays captures as root only");
        return;
    }
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(&root().join("dialplans/menu"), engines, &[]).await;
    sipp("keys", Some(house.sip), &["-s", "200"]).good().await;
    let record = house.ended().await;
    let keys: Vec<_> = record.events.iter().filter_map(|event| event.what.strip_prefix("keys ")).collect();
    assert_eq!(keys, ["2", "4567"], "each once, though each end comes three times: {record:?}");
    house.server.shutdown().await;
}
