//! Callers who are called back: by our own telephone behind a "trunk", by SIPp behind digest authentication, and not at all.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sidetone::call::ports::{Kind, MediaTransport};
use sidetone::call::record::{CallRecord, Outcome};
use sidetone::engine::Engines;
use sidetone::net::rtp::RtpPort;
use sidetone::net::sip::{Credentials, Incoming, SipEndpoint, SipEvent, SipOptions, Transport};
use sidetone::pii::Pii;
use sidetone::sip::{MediaCodec, SdpSession};
use sidetone::store::Phase;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::house::{House, installed};
use super::sipp::sipp;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);

const PLAN: &str = "
dialplan: shop
start: main
states:
  main:
    steps:
      - callback: called
        reason: about the oven
        failed: sorry
      - say: We call you back.
      - end:
  called:
    steps:
      - say: 'This is the shop. You asked us to call {{ callback.reason }}.'
      - end:
  sorry:
    steps:
      - say: We cannot call you.
      - end:
";

fn plan() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("dialplan.yaml"), PLAN).expect("a writable folder");
    folder
}

/// A house that may call numbers of +1555 by the trunk at `port`.
async fn house(folder: &Path, port: u16, credentials: Option<Credentials>) -> House {
    let set = [
        "callback.allow=[\"+1555\"]".to_owned(),
        format!("callback.trunk=sip:{{number}}@127.0.0.1:{port}"),
        "callback.again=1s".to_owned(),
        "callback.from=\"+15550000\"".to_owned(),
    ];
    let engines = Engines::scripted().expect("scripted engines need nothing");
    House::open_with(folder, engines, &set, |config| config.callback.credentials = credentials).await
}

/// Rings and asks to be called back; the record of that call.
async fn asked(house: &mut House, from: &'static str) -> CallRecord {
    let address = format!("sip:300@{}", house.sip);
    let call = tokio::task::spawn_blocking(move || {
        let arguments = ["call", &address, "--from", from, "--linger", "3"];
        Command::new(env!("CARGO_BIN_EXE_sidetone")).args(arguments).output().expect("the binary")
    });
    let record = house.ended().await;
    assert!(call.await.expect("the telephone").status.success());
    record
}

fn happened(record: &CallRecord, what: &str) -> bool {
    record.events.iter().any(|event| event.what.contains(what))
}

/// The caller's telephone, reached by the trunk.
async fn telephone() -> (u16, mpsc::Receiver<Incoming>, CancellationToken) {
    let stop = CancellationToken::new();
    let options = SipOptions {
        listen: vec![(Transport::Udp, SocketAddr::new(HOME, 0))],
        advertise: None,
        user_agent: "telephone".into(),
    };
    let (endpoint, calls) = SipEndpoint::bind(options, stop.clone()).await.expect("a port");
    (endpoint.local_addrs()[0].1.port(), calls, stop)
}

async fn rings(calls: &mut mpsc::Receiver<Incoming>) -> Incoming {
    tokio::time::timeout(PATIENCE, calls.recv()).await.expect("it rings in time").expect("the endpoint lives")
}

/// Picks up, and listens until the other side hangs up; how many packets were not silent.
async fn listened(call: Incoming) -> u32 {
    let mut media = RtpPort::bind(HOME, 0..=0).expect("ports");
    let mut sdp = SdpSession::new(1, media.local_addr(), &[MediaCodec::Pcmu]);
    let (answer, agreed) = sdp.answer(call.offer.as_deref().expect("an offer")).expect("an answer");
    media.set_remote(agreed.remote_rtp, agreed.remote_rtcp);
    let mut leg = call.accept(answer).await.expect("accepted");
    let (mut loud, mut buffer) = (0, [0; 2_048]);
    let hears = async {
        loop {
            tokio::select! {
                event = leg.next() => match event {
                    None | Some(SipEvent::Ended { .. }) => return loud,
                    Some(_) => {}
                },
                packet = poll_fn(|cx| media.poll_recv(cx, &mut buffer)) => {
                    if let Ok((Kind::Rtp, length)) = packet {
                        let quiet = |byte: &u8| byte & 0x7f > 0x70;
                        loud += u32::from(!buffer[12..length].iter().all(quiet));
                    }
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, hears).await.expect("the call ends in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_busy_is_called_again_and_hears_the_plan() {
    let (port, mut calls, stop) = telephone().await;
    let folder = plan();
    let mut house = house(folder.path(), port, None).await;
    let first = asked(&mut house, "+15550777").await;
    assert!(happened(&first, "a call back is asked for"), "{first:?}");

    let call = rings(&mut calls).await;
    assert_eq!((call.called.as_str(), call.caller.number.reveal().as_str()), ("+15550777", "+15550000"));
    call.reject(486, vec![]).await;
    let again = rings(&mut calls).await;
    let (loud, record) = tokio::join!(listened(again), house.ended());
    assert!(loud > 50, "{loud} packets with sound");
    assert_eq!((record.outcome.clone(), record.caller.reveal().as_str()), (Outcome::Completed, "+15550777"));
    assert!(happened(&record, "we called back") && happened(&record, "state called"), "{record:?}");
    assert!(!happened(&record, "state main"), "{record:?}");
    let said: String = record.events.iter().map(|event| event.what.as_str()).collect();
    assert!(said.contains("You asked us to call about the oven."), "{said}");
    assert!(house.server.store.callbacks(9).await.expect("read").is_empty(), "it is done");
    house.server.shutdown().await;
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_nobody_allowed_are_never_called() {
    let (port, mut calls, stop) = telephone().await;
    let folder = plan();
    let mut house = house(folder.path(), port, None).await;
    for from in ["+4915550777", "anonymous", "*21*15550777#"] {
        let record = asked(&mut house, from).await;
        assert!(happened(&record, "nobody will be called back") && happened(&record, "state sorry"), "{record:?}");
    }
    assert!(house.server.store.callbacks(9).await.expect("read").is_empty());
    house.server.shutdown().await;
    assert!(calls.try_recv().is_err(), "nobody was called");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_while_it_rings_calls_after_its_start() {
    let (port, mut calls, stop) = telephone().await;
    let folder = plan();
    let mut house = house(folder.path(), port, None).await;
    asked(&mut house, "+15550777").await;
    let mut ringing = rings(&mut calls).await;
    ringing.ringing().expect("it rings");
    let store = house.server.store.clone();
    let data = store.recordings().parent().expect("the data folder").to_owned();
    house.server.shutdown().await;
    let cancelled = tokio::time::timeout(PATIENCE, ringing.cancelled()).await;
    assert!(cancelled.is_ok(), "ringing stops with the server");
    let after = sidetone::store::Store::open(&data, sidetone::store::Retention::default()).await.expect("opened");
    let left = after.callbacks(9).await.expect("read");
    assert_eq!((left.len(), left[0].phase, left[0].tries), (1, Phase::Waiting, 0), "{left:?}");
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_asks_who_we_are_is_told() {
    if !installed("sipp") {
        return;
    }
    let trunk = sipp("uas_401", None, &["-t", "u1"]);
    let folder = plan();
    let credentials = Credentials { username: "agent".into(), password: Pii::new("s3cret".into()), realm: None };
    let mut house = house(folder.path(), trunk.port, Some(credentials)).await;
    asked(&mut house, "+15550777").await;
    let record = house.ended().await;
    assert!(happened(&record, "we called back"), "{record:?}");
    trunk.good().await;
    house.server.shutdown().await;
}
