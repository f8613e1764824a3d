//! Blind transfer (RFC 3515) with SIPp as the caller whose telephone is sent elsewhere.

use sidetone::call::record::{CallRecord, Outcome};
use sidetone::engine::Engines;

use super::house::{House, installed};
use super::sipp::sipp;

const PLAN: &str = "
dialplan: blind
start: main
states:
  main:
    steps:
      - say: I am putting you through.
      - transfer: sip:desk@127.0.0.1:5099
        blind: true
        reason: asked for the desk
        failed: back
  back:
    steps:
      - say: Please call again.
      - end:
";

/// One call of SIPp's; what was kept of it.
async fn called(scenario: &str, set: &[String]) -> Option<CallRecord> {
    if !installed("sipp") {
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("dialplan.yaml"), PLAN).expect("a writable folder");
    let engines = Engines::scripted().expect("scripted engines need nothing");
    let mut house = House::open(folder.path(), engines, set).await;
    sipp(scenario, Some(house.sip), &["-s", "100"]).good().await;
    let record = house.ended().await;
    house.server.shutdown().await;
    Some(record)
}

fn allowed() -> Vec<String> {
    vec!["sip.dial_allow=[\"sip:desk@127.0.0.1:5099\"]".to_owned()]
}

fn happened(record: &CallRecord, what: &str) -> bool {
    record.events.iter().any(|event| event.what.contains(what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_gets_there_is_let_go() {
    let Some(record) = called("refer_taken", &allowed()).await else { return };
    let Outcome::HandedOver { to, reason, .. } = &record.outcome else { panic!("{record:?}") };
    assert_eq!((to.as_str(), reason.as_str()), ("sip:desk@127.0.0.1:5099", "asked for the desk"));
    assert!(happened(&record, "the caller's telephone is sent to sip:desk@127.0.0.1:5099"), "{record:?}");
    assert!(happened(&record, "telephone rings"), "{record:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_target_and_a_refusal_go_the_plans_way_out() {
    for (scenario, failure) in [("refer_busy", "Busy"), ("refer_refused", "Declined")] {
        let Some(record) = called(scenario, &allowed()).await else { return };
        assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
        assert!(happened(&record, &format!("failed: {failure}")), "{scenario}: {record:?}");
    }
}
