//! Hostile and broken signalling over real sockets: the server answers, refuses or is silent, and lives on.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sidetone::net::sip::{Limits, Outgoing, SipError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rfc4475::{Peer, nothing_is_left};
use crate::sipp::Agent;

const INVITE: &str = "INVITE sip:here@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKmutant;rport\r\n\
    Max-Forwards: 70\r\nFrom: \"Eve\" <sip:eve@example.com>;tag=1\r\nTo: <sip:here@127.0.0.1>\r\nCall-ID: mutant@example.com\r\n\
    CSeq: 1 INVITE\r\nContact: <sip:eve@127.0.0.1:9>\r\nContent-Type: application/sdp\r\nContent-Length: 126\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn quick() -> Limits {
    Limits { t1: Duration::from_millis(10), ..Limits::default() }
}

fn mutant(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = INVITE.as_bytes().to_vec();
    let alphabet = b"\r\n \t:;,<>\"\\=@?/%0129azSIPv\0\x80\xff";
    for _ in 0..random.random_range(1..10) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] = alphabet[random.random_range(0..alphabet.len())],
            1 => bytes.insert(at, alphabet[random.random_range(0..alphabet.len())]),
            2 => drop(bytes.drain(at..(at + random.random_range(0..30)).min(bytes.len() - 1).max(at))),
            3 => bytes[at] = random.random(),
            _ => {
                let piece = bytes[at..(at + 20).min(bytes.len())].to_vec();
                let into = random.random_range(0..bytes.len());
                bytes.splice(into..into, piece);
            }
        }
    }
    bytes
}

#[tokio::test]
async fn three_thousand_mutants_and_the_server_still_answers() {
    let agent = Agent::start_refusing(Limits { invites_per_second: 100_000, ..quick() }).await;
    let mut random = StdRng::seed_from_u64(0xbad);
    let mut peer = Peer::new(agent.udp).await;
    for round in 0..3_000 {
        peer.send(&mutant(&mut random)).await;
        if round % 20 == 0 {
            peer.probe().await;
        }
    }
    peer.probe().await;
    nothing_is_left(&agent).await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused() {
    let agent = Agent::start_refusing(Limits { message: 2_000, ..quick() }).await;
    let mut peer = Peer::new(agent.udp).await;
    let long = INVITE.replace("Max-Forwards: 70", &format!("Max-Forwards: 70\r\nX-Long: {}", "x".repeat(3_000)));
    peer.send(long.as_bytes()).await;
    let answers = peer.probe().await;
    assert!(answers.iter().any(|a| a.starts_with("SIP/2.0 513 ")), "{answers:?}");
}

#[tokio::test]
async fn more_calls_than_the_limits_allow_get_503() {
    for limits in [Limits { unanswered: 1, ..quick() }, Limits { invites_per_second: 1, ..quick() }] {
        let agent = Agent::start(limits).await;
        let mut peer = Peer::new(agent.udp).await;
        let mut answers = Vec::new();
        for call in 0..3 {
            let invite = INVITE.replace("sip:here", "sip:ring").replace("mutant", &format!("m{call}"));
            peer.send(invite.as_bytes()).await;
            answers.extend(peer.probe().await);
        }
        while !answers.iter().any(|a| a.starts_with("SIP/2.0 503 ")) {
            answers.extend(peer.probe().await);
        }
        let refused = answers.iter().find(|a| a.starts_with("SIP/2.0 503 ")).expect("refused");
        assert!(refused.contains("\r\nRetry-After: "), "{refused}");
        assert!(answers.iter().any(|a| a.starts_with("SIP/2.0 1")), "the first one rings: {answers:?}");
        agent.cancel.cancel();
    }
}

#[tokio::test]
async fn a_stream_without_a_length_is_refused_and_closed() {
    let agent = Agent::start_refusing(quick()).await;
    let mut stream = TcpStream::connect(agent.tcp).await.expect("connected");
    stream.write_all(b"\r\n\r\n").await.expect("sent");
    let mut pong = [0; 2];
    stream.read_exact(&mut pong).await.expect("a pong");
    assert_eq!(&pong, b"\r\n");
    let endless = INVITE.replace("Content-Length: 126\r\n", "").replace("/UDP", "/TCP");
    stream.write_all(endless.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
        .await
        .expect("closed")
        .expect("text");
    assert!(answer.starts_with("SIP/2.0 400 "), "{answer}");
    Peer::new(agent.udp).await.probe().await;
}

#[tokio::test]
async fn addresses_that_lead_nowhere_are_errors_not_calls() {
    let agent = Agent::start_refusing(quick()).await;
    let ring = |to: &str| {
        agent.endpoint.invite(Outgoing {
            to: to.into(),
            from_user: "a".into(),
            display_name: None,
            sdp: String::new(),
            credentials: None,
            headers: vec![],
        })
    };
    assert!(
        matches!(ring("sip:a@nowhere.invalid").await, Err(SipError::Unresolvable(host)) if host == "nowhere.invalid")
    );
    assert_eq!(ring("mailto:a@b").await.err(), Some(SipError::Address));
    assert_eq!(ring("sip:a@127.0.0.1;transport=tls").await.err(), Some(SipError::NoTransport));
    assert!(matches!(ring("sip:a@127.0.0.1:1;transport=tcp").await, Err(SipError::Unreachable(_))));
    assert_eq!(ring("sip:a@[::1]").await.err(), Some(SipError::NoTransport));
}
