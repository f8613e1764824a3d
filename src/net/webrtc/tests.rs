use std::future::poll_fn;
use std::time::Duration;

use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtp::{Header, Packet};
use rtc::shared::marshal::Marshal;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{RTCIceGatheringState, RTCSessionDescription};

use super::offer::{Format, Simplified};
use super::peer::Peer;
use super::*;
use crate::audio::Codec;
use crate::call::ports::Kind;
use crate::pii::Pii;

const PATIENCE: Duration = Duration::from_secs(20);
const BROWSERS_SSRC: u32 = 77;

struct House {
    gateway: Gateway,
    places: Arc<Semaphore>,
    sessions: mpsc::Receiver<Session>,
}

fn house(places: usize, queue: usize, connect_within: Duration) -> House {
    let places = Arc::new(Semaphore::new(places));
    let admission = Arc::clone(&places);
    let admit: Admit = Box::new(move |called| match called {
        "nobody" => Err(Refusal::UnknownNumber),
        _ => Arc::clone(&admission).try_acquire_owned().map_err(|_| Refusal::Busy),
    });
    let (connected, sessions) = mpsc::channel(queue);
    let config = Config { connect_within, gone_after: Duration::from_secs(3), ..Config::default() };
    House { gateway: Gateway::new(config, admit, connected), places, sessions }
}

impl House {
    async fn offer(&self, called: &str, sdp: String) -> Result<Accepted, Refusal> {
        let offer = Offer { called: called.to_owned(), caller: Pii::new("anonymous@127.0.0.1".to_owned()), sdp };
        timeout(PATIENCE, self.gateway.answer(offer)).await.expect("answered in time")
    }

    /// Waits until every session has ended by itself.
    async fn all_ended(&self) {
        self.gateway.0.tasks.close();
        timeout(PATIENCE, self.gateway.0.tasks.wait()).await.expect("ended in time");
    }
}

/// The other end: the same library as the one that offers.
async fn browser(codec: Codec) -> (Peer, String) {
    install_crypto_provider();
    let payload_type = codec.static_payload_type().unwrap_or(111);
    let format =
        Format { payload_type, name: codec.name().to_owned(), clock_rate: codec.clock_rate(), fmtp: String::new() };
    let wanted = Simplified { sdp: String::new(), codec, format, event: None };
    let mut peer = Peer::open(&Config::default(), &wanted, BROWSERS_SSRC).await.expect("a port");
    peer.connection.add_track(Arc::clone(&peer.local) as Arc<dyn TrackLocal>).await.expect("added");
    let offer = peer.connection.create_offer(None).await.expect("an offer");
    peer.connection.set_local_description(offer).await.expect("set");
    peer.gathering.wait_for(|state| *state == RTCIceGatheringState::Complete).await.expect("gathered");
    let sdp = peer.connection.local_description().await.expect("set").sdp;
    (peer, sdp)
}

async fn connect(house: &mut House, peer: &mut Peer, sdp: String) -> (Session, String) {
    let accepted = house.offer("700", sdp).await.expect("taken");
    let answer = RTCSessionDescription::answer(accepted.sdp).expect("an answer");
    peer.connection.set_remote_description(answer).await.expect("fits the offer");
    assert!(timeout(PATIENCE, peer.connected()).await.expect("in time"));
    let session = timeout(PATIENCE, house.sessions.recv()).await.expect("in time").expect("the gateway lives");
    (session, accepted.session)
}

fn packet(payload_type: u8, sequence_number: u16, ssrc: u32, payload: &[u8]) -> Packet {
    let timestamp = u32::from(sequence_number) * 960;
    let header = Header { version: 2, payload_type, sequence_number, timestamp, ssrc, ..Header::default() };
    Packet { header, payload: payload.to_vec().into() }
}

async fn receive(session: &mut Session) -> (Kind, Vec<u8>) {
    let mut buffer = [0; 1500];
    let media = session.split().1;
    let got = timeout(PATIENCE, poll_fn(|cx| media.poll_recv(cx, &mut buffer))).await.expect("in time");
    let (kind, length) = got.expect("the path is there");
    (kind, buffer[..length].to_vec())
}

async fn track(peer: &mut Peer) -> Arc<dyn TrackRemote> {
    timeout(PATIENCE, peer.tracks.recv()).await.expect("in time").expect("a track")
}

#[tokio::test]
async fn packets_and_reports_go_both_ways_and_the_browser_hangs_up() {
    for codec in [Codec::Opus, Codec::Pcmu] {
        let mut house = house(1, 1, PATIENCE);
        let (mut peer, sdp) = browser(codec).await;
        let (mut session, name) = connect(&mut house, &mut peer, sdp).await;
        assert_eq!((session.codec, session.called.as_str()), (codec, "700"));
        assert_eq!(house.places.available_permits(), 0);

        peer.local.write_rtp(packet(session.payload_type, 5, BROWSERS_SSRC, b"hello")).await.expect("sent");
        let (kind, got) = receive(&mut session).await;
        assert_eq!((kind, &got[2..4], &got[8..12]), (Kind::Rtp, &[0, 5][..], &BROWSERS_SSRC.to_be_bytes()[..]));
        assert_eq!(&got[12..], b"hello");

        let report = ReceiverReport { ssrc: BROWSERS_SSRC, ..ReceiverReport::default() };
        let block = rtc::rtcp::reception_report::ReceptionReport { ssrc: session.ssrc, ..Default::default() };
        let report = ReceiverReport { reports: vec![block], ..report };
        peer.local.write_rtcp(vec![Box::new(report)]).await.expect("sent");
        let (kind, got) = receive(&mut session).await;
        assert_eq!((kind, got[1], &got[4..8]), (Kind::Rtcp, 201, &BROWSERS_SSRC.to_be_bytes()[..]));

        // Whatever SSRC the call's own RTP session has, the browser sees the one that the answer announced.
        let answer = packet(session.payload_type, 9, 1, b"world").marshal().expect("fits");
        let ssrc = session.ssrc;
        session.split().1.send(Kind::Rtp, &answer).expect("sent");
        let remote = track(&mut peer).await;
        let heard = loop {
            match timeout(PATIENCE, remote.poll()).await.expect("in time").expect("the track lives") {
                TrackRemoteEvent::OnRtpPacket(packet) => break packet,
                _ => continue,
            }
        };
        assert_eq!((heard.header.ssrc, heard.header.sequence_number, &heard.payload[..]), (ssrc, 9, &b"world"[..]));

        assert!(house.gateway.end(&name));
        timeout(PATIENCE, session.split().0.closed()).await.expect("in time");
        house.all_ended().await;
        assert_eq!(house.gateway.sessions(), 0);
        assert!(!house.gateway.end(&name), "there is none by that name any more");
        drop(session);
        assert_eq!(house.places.available_permits(), 1);
        peer.close().await;
    }
}

#[tokio::test]
async fn a_session_that_is_dropped_or_closed_here_closes_its_connection() {
    let mut house = house(2, 2, PATIENCE);
    let (mut first, sdp) = browser(Codec::Opus).await;
    let (session, _) = connect(&mut house, &mut first, sdp).await;
    drop(session);
    let (mut second, sdp) = browser(Codec::Opus).await;
    let (mut session, _) = connect(&mut house, &mut second, sdp).await;
    timeout(PATIENCE, session.close()).await.expect("closed in time");
    house.all_ended().await;
    drop(session);
    assert_eq!((house.gateway.sessions(), house.places.available_permits()), (0, 2));
    first.close().await;
    second.close().await;
}

#[tokio::test]
async fn a_browser_that_vanishes_ends_the_call() {
    let mut house = house(1, 1, PATIENCE);
    let (mut peer, sdp) = browser(Codec::Opus).await;
    let (mut session, _) = connect(&mut house, &mut peer, sdp).await;
    peer.close().await;
    timeout(PATIENCE, session.split().0.closed()).await.expect("noticed");
    house.all_ended().await;
}

#[tokio::test]
async fn a_browser_that_takes_the_answer_and_never_comes_gives_its_place_back() {
    let house = house(1, 1, Duration::from_millis(50));
    let (peer, sdp) = browser(Codec::Opus).await;
    house.offer("700", sdp).await.expect("taken");
    house.all_ended().await;
    assert_eq!((house.gateway.sessions(), house.places.available_permits()), (0, 1));
    peer.close().await;
}

#[tokio::test]
async fn a_browser_that_leaves_during_the_set_up_leaks_nothing() {
    let house = house(1, 1, PATIENCE);
    let (peer, sdp) = browser(Codec::Opus).await;
    let offer = Offer { called: "700".to_owned(), caller: Pii::new(String::new()), sdp };
    // Polled once, so that the set-up has started, and dropped.
    let mut answer = house.gateway.answer(offer);
    poll_fn(|cx| std::task::Poll::Ready(answer.as_mut().poll(cx).is_pending())).await.then_some(()).expect("under way");
    drop(answer);
    house.all_ended().await;
    assert_eq!((house.gateway.sessions(), house.places.available_permits()), (0, 1));
    peer.close().await;
}

#[tokio::test]
async fn no_is_said_at_the_door() {
    let house = house(2, 1, PATIENCE);
    let (peer, sdp) = browser(Codec::Opus).await;
    assert!(matches!(house.offer("700", "v=0".to_owned()).await, Err(Refusal::BadOffer(_))));
    assert!(matches!(house.offer("nobody", sdp.clone()).await, Err(Refusal::UnknownNumber)));
    // Fit for us, but the library misses something: the place comes back.
    let broken = sdp.lines().filter(|line| !line.contains("ice-ufrag")).map(|line| format!("{line}\r\n")).collect();
    assert!(matches!(house.offer("700", broken).await, Err(Refusal::BadOffer(_))));
    house.offer("700", sdp.clone()).await.expect("the first has a place");
    assert_eq!(house.offer("700", sdp.clone()).await, Err(Refusal::Busy), "nobody takes sessions as fast as that");
    house.gateway.close().await;
    assert_eq!(house.places.available_permits(), 2);
    peer.close().await;
}
