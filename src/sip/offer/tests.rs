//! Offer/answer, as tables and as 20,000 mutants.

use super::*;
use rand::{RngExt, SeedableRng, rngs::StdRng};

const OFFER: &str = "v=0\r\no=alice 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 0 96 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

fn session() -> SdpSession {
    let local = "192.0.2.1:30000".parse().expect("an address");
    SdpSession::new(7, local, &[MediaCodec::Pcmu, MediaCodec::Pcma])
}

#[test]
fn our_preference_chooses_among_the_offered() {
    let (answer, agreed) = session().answer(OFFER).expect("an answer");
    assert_eq!((agreed.codec, agreed.payload_type, agreed.event_payload_type), (MediaCodec::Pcmu, 0, Some(101)));
    assert_eq!(agreed.remote_rtp.to_string(), "192.0.2.9:4000");
    assert_eq!(agreed.remote_rtcp.to_string(), "192.0.2.9:4001");
    assert!(answer.contains("m=audio 30000 RTP/AVP 0 101\r\n"), "{answer}");
    let mut alaw = SdpSession::new(7, "192.0.2.1:30000".parse().expect("an address"), &[MediaCodec::Pcma]);
    assert_eq!(alaw.answer(OFFER).expect("an answer").1.codec, MediaCodec::Pcma);
}

#[test]
fn every_m_line_is_answered_in_order_and_only_audio_lives() {
    let offer = OFFER.replace("m=audio", "m=video 5000 RTP/SAVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio")
        + "m=audio 6000 RTP/AVP 0\r\nm=image 7000 udptl t38\r\n";
    let (answer, agreed) = session().answer(&offer).expect("an answer");
    let lines: Vec<&str> = answer.lines().filter(|l| l.starts_with("m=")).collect();
    let expected = [
        "m=video 0 RTP/SAVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 30000 RTP/AVP 0 101",
        "m=audio 0 RTP/AVP 0",
        "m=image 0 udptl t38",
    ];
    assert_eq!(lines, expected);
    assert_eq!(agreed.remote_rtp.port(), 4000);
}

#[test]
fn direction_is_mirrored_and_zero_address_holds() {
    let table = [
        ("a=sendrecv", "192.0.2.9", Direction::SendRecv),
        ("a=sendonly", "192.0.2.9", Direction::RecvOnly),
        ("a=recvonly", "192.0.2.9", Direction::SendOnly),
        ("a=inactive", "192.0.2.9", Direction::Inactive),
        ("a=sendrecv", "0.0.0.0", Direction::RecvOnly),
        ("a=inactive", "0.0.0.0", Direction::Inactive),
    ];
    for (attribute, address, ours) in table {
        let offer =
            OFFER.replace("a=sendrecv", attribute).replace("c=IN IP4 192.0.2.9", &format!("c=IN IP4 {address}"));
        let (answer, agreed) = session().answer(&offer).expect("an answer");
        assert_eq!(agreed.direction, ours, "{attribute} {address}");
        assert!(answer.contains(&format!("a={}\r\n", ours.as_str())), "{answer}");
    }
}

#[test]
fn session_level_direction_and_address_are_defaults_only() {
    let offer = OFFER.replace("t=0 0\r\n", "t=0 0\r\na=inactive\r\n");
    assert_eq!(session().answer(&offer).expect("an answer").1.direction, Direction::SendRecv);
    let offer = offer.replace("a=sendrecv\r\n", "c=IN IP4 192.0.2.77\r\na=rtcp:9000 IN IP4 192.0.2.78\r\n");
    let (_, agreed) = session().answer(&offer).expect("an answer");
    assert_eq!(agreed.direction, Direction::Inactive);
    assert_eq!(
        (agreed.remote_rtp.to_string(), agreed.remote_rtcp.to_string()),
        ("192.0.2.77:4000".into(), "192.0.2.78:9000".into())
    );
}

#[test]
fn dynamic_payload_types_are_kept() {
    let offer = OFFER
        .replace("8 0 96 101", "100 97")
        .replace("a=rtpmap:96 opus/48000/2", "a=rtpmap:100 pcma/8000/1\r\na=rtpmap:97 telephone-event/8000");
    let (answer, agreed) = session().answer(&offer).expect("an answer");
    assert_eq!((agreed.codec, agreed.payload_type, agreed.event_payload_type), (MediaCodec::Pcma, 100, Some(97)));
    assert!(answer.contains("a=rtpmap:100 PCMA/8000\r\n"));
}

#[test]
fn unusable_offers_say_why() {
    let table = [
        ("nonsense", SdpError::Malformed),
        ("", SdpError::Malformed),
        (&OFFER.replace("m=audio 4000", "m=audio 0"), SdpError::NoAudio),
        (&OFFER.replace("RTP/AVP", "RTP/SAVP"), SdpError::NoAudio),
        (&OFFER.replace("8 0 96 101", "96 18"), SdpError::NoCodec),
        (
            &OFFER.replace("rtpmap:0 PCMU/8000", "rtpmap:0 PCMU/16000").replace("RTP/AVP 8 0", "RTP/AVP 0"),
            SdpError::NoCodec,
        ),
        (&OFFER.replace("c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::1"), SdpError::Address),
        (&OFFER.replace("c=IN IP4 192.0.2.9", "c=IN IP4 phone.example.com"), SdpError::Address),
        (&OFFER.replace("c=IN IP4 192.0.2.9", "c=IN IP4 224.2.1.1/127"), SdpError::Address),
    ];
    for (offer, error) in table {
        assert_eq!(session().answer(offer).expect_err(offer), error, "{offer}");
    }
}

#[test]
fn version_rises_only_with_a_change_and_re_offers_keep_the_lines() {
    let mut ours = session();
    let (first, _) = ours.answer(OFFER).expect("an answer");
    let (same, _) = ours.answer(OFFER).expect("an answer");
    assert_eq!(first, same);
    let hold = ours.offer(Direction::SendOnly);
    assert!(first.contains("o=- 7 7 ") && hold.contains("o=- 7 8 "), "{hold}");
    let answer = OFFER.replace("RTP/AVP 8 0 96 101", "RTP/AVP 0 101").replace("a=sendrecv", "a=recvonly");
    assert_eq!(ours.accept_answer(&answer).expect("an answer").direction, Direction::SendOnly);
    assert_eq!(ours.accept_answer(&answer), Err(SdpError::NoOffer), "an offer is answered once");
}

#[test]
fn an_answer_must_fit_the_offer() {
    let mut ours = session();
    let offer = ours.offer(Direction::SendRecv);
    assert!(offer.contains("m=audio 30000 RTP/AVP 0 8 101\r\n"), "{offer}");
    let two = format!("{OFFER}m=video 0 RTP/AVP 31\r\n");
    assert_eq!(ours.accept_answer(&two), Err(SdpError::Mismatch));
    assert_eq!(ours.accept_answer(&OFFER.replace("8 0 96 101", "96")), Err(SdpError::NoCodec));
    assert_eq!(ours.accept_answer(OFFER).expect("an answer").codec, MediaCodec::Pcma, "the answerer's first");
}

#[test]
fn no_mutant_panics_and_no_answer_forges_a_line() {
    let mut random = StdRng::seed_from_u64(0x5d9);
    let alphabet = b"\r\n=: /;,0129amcxyz\0\xff";
    for _ in 0..20_000 {
        let mut bytes = OFFER.as_bytes().to_vec();
        for _ in 0..random.random_range(1..8) {
            let at = random.random_range(0..bytes.len());
            let byte = alphabet[random.random_range(0..alphabet.len())];
            match random.random_range(0..4) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.drain(at..(at + random.random_range(0..20)).min(bytes.len()))),
                _ => bytes.extend_from_within(at..),
            }
            if bytes.is_empty() {
                bytes.push(b'v');
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut ours = session();
        if let Ok((answer, _)) = ours.answer(&text) {
            let again = Description::parse(&answer).expect("our own answer is readable");
            assert_eq!(again.lines.len(), answer.matches("\r\nm=").count(), "{answer}");
        }
        ours.offer(Direction::SendRecv);
        drop(ours.accept_answer(&text));
    }
}
