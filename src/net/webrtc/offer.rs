//! What a browser offers, brought down to what a call needs: one audio line with one codec and at most one
//! telephone-event. Text in, text out; no socket.
//!
//! The library below matches codecs by MIME type alone, so a second telephone-event at another rate would be taken for
//! the first; it answers with every codec it knows, so that either side could change the codec in mid-call. An offer
//! with one choice has neither trouble.

use std::net::IpAddr;

use sdp_types::{Attribute, Media, Session};

use crate::audio::Codec;

/// Attributes of a line that are of no use once there is one codec and no trickle: other codecs' parameters, feedback
/// that nobody gives, header extensions that nobody reads, layers of video. Candidates too: the browser's checks come to
/// our address and tell its own, and an offer cannot make the server send to third parties.
const DROPPED: &[&str] = &[
    "rtpmap",
    "fmtp",
    "rtcp-fb",
    "extmap",
    "extmap-allow-mixed",
    "candidate",
    "end-of-candidates",
    "ssrc-group",
    "rid",
    "simulcast",
    "rtcp",
];
/// Most octets of an offer that are read; Chromium's for audio alone has about 2,500.
const LONGEST: usize = 64 * 1024;

/// Why an offer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum OfferError {
    /// Not a session description.
    #[error("not SDP: {0}")]
    Malformed(String),
    /// There must be one line of media, and it must be audio over DTLS-SRTP, both ways.
    #[error("{0}")]
    Unfit(&'static str),
    /// None of Opus, PCMU, PCMA.
    #[error("no codec in common: Opus, PCMU and PCMA are spoken here")]
    NoCodec,
}

/// A payload type's meaning, as in `a=rtpmap` and `a=fmtp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Format {
    /// 0..127.
    pub(super) payload_type: u8,
    /// Encoding name as the browser wrote it.
    pub(super) name: String,
    /// Rate of its timestamps, Hz.
    pub(super) clock_rate: u32,
    /// Parameters, as written; empty when there are none.
    pub(super) fmtp: String,
}

/// An offer that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Simplified {
    /// The offer with one codec.
    pub(super) sdp: String,
    /// That codec.
    pub(super) codec: Codec,
    /// Its payload type and parameters.
    pub(super) format: Format,
    /// telephone-event (RFC 4733), at the codec's clock rate if that was offered, else at 8,000 Hz.
    pub(super) event: Option<Format>,
}

/// Brings an offer down to its best codec: Opus, else PCMU, else PCMA.
pub(super) fn simplify(offer: &str) -> Result<Simplified, OfferError> {
    if offer.len() > LONGEST {
        return Err(OfferError::Unfit("the offer is too long"));
    }
    let mut session = Session::parse(offer.as_bytes()).map_err(|error| OfferError::Malformed(error.to_string()))?;
    let [media] = session.medias.as_mut_slice() else {
        return Err(OfferError::Unfit("an offer must have one media line, and that audio"));
    };
    check(media)?;
    let formats = formats(media);
    let find = |codec: Codec| {
        formats.iter().find(|f| f.name.eq_ignore_ascii_case(codec.name()) && f.clock_rate == codec.clock_rate())
    };
    let (codec, format) = [Codec::Opus, Codec::Pcmu, Codec::Pcma]
        .into_iter()
        .find_map(|codec| Some((codec, find(codec)?.clone())))
        .ok_or(OfferError::NoCodec)?;
    let event_at =
        |rate| formats.iter().find(|f| f.name.eq_ignore_ascii_case("telephone-event") && f.clock_rate == rate).cloned();
    let event = event_at(codec.clock_rate()).or_else(|| event_at(8_000));
    keep_only(media, codec, [Some(&format), event.as_ref()].into_iter().flatten());
    session.attributes.retain(|a| a.attribute != "extmap-allow-mixed");
    let mut sdp = Vec::new();
    session.write(&mut sdp).map_err(|error| OfferError::Malformed(error.to_string()))?;
    let sdp = String::from_utf8(sdp).map_err(|error| OfferError::Malformed(error.to_string()))?;
    Ok(Simplified { sdp, codec, format, event })
}

fn check(media: &Media) -> Result<(), OfferError> {
    let unfit = |what| Err(OfferError::Unfit(what));
    if media.media != "audio" || media.port == 0 {
        return unfit("an offer must have one media line, and that audio");
    }
    // RFC 8829, 5.1.2: other spellings of the same are to be accepted.
    if !matches!(media.proto.as_str(), "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP" | "RTP/SAVPF" | "RTP/SAVP") {
        return unfit("audio must be offered over DTLS-SRTP");
    }
    if ["recvonly", "sendonly", "inactive"].iter().any(|direction| media.has_attribute(direction)) {
        return unfit("audio must go both ways");
    }
    if !media.has_attribute("rtcp-mux") {
        return unfit("RTP and RTCP must share a port (a=rtcp-mux)");
    }
    Ok(())
}

/// The formats of the m-line, in its order; static payload types need no `a=rtpmap` (RFC 3551).
fn formats(media: &Media) -> Vec<Format> {
    let of = |name: &str, payload_type: u8| {
        media.attributes.iter().filter(|a| a.attribute == name).find_map(|a| {
            let (number, rest) = a.value.as_deref()?.split_once(' ')?;
            (number.parse() == Ok(payload_type)).then(|| rest.trim().to_owned())
        })
    };
    let numbers = media.fmt.split_ascii_whitespace().filter_map(|number| number.parse::<u8>().ok());
    numbers
        .filter(|number| *number < 128)
        .filter_map(|payload_type| {
            let map = of("rtpmap", payload_type).or_else(|| static_map(payload_type))?;
            let mut parts = map.split('/');
            let name = parts.next()?.to_owned();
            let clock_rate = parts.next()?.parse().ok()?;
            Some(Format { payload_type, name, clock_rate, fmtp: of("fmtp", payload_type).unwrap_or_default() })
        })
        .collect()
}

fn static_map(payload_type: u8) -> Option<String> {
    let codec = [Codec::Pcmu, Codec::Pcma].into_iter().find(|c| c.static_payload_type() == Some(payload_type))?;
    Some(format!("{}/{}", codec.name(), codec.clock_rate()))
}

fn keep_only<'a>(media: &mut Media, codec: Codec, formats: impl Iterator<Item = &'a Format>) {
    media.attributes.retain(|a| !DROPPED.contains(&a.attribute.as_str()));
    let mut numbers = Vec::new();
    for format in formats {
        let number = format.payload_type.to_string();
        // RFC 7587, 7: Opus is always written with two channels.
        let channels = if codec == Codec::Opus && format.name.eq_ignore_ascii_case(codec.name()) { "/2" } else { "" };
        let map = format!("{number} {}/{}{channels}", format.name, format.clock_rate);
        media.attributes.push(Attribute { attribute: "rtpmap".to_owned(), value: Some(map) });
        if !format.fmtp.is_empty() {
            let fmtp = format!("{number} {}", format.fmtp);
            media.attributes.push(Attribute { attribute: "fmtp".to_owned(), value: Some(fmtp) });
        }
        numbers.push(number);
    }
    media.fmt = numbers.join(" ");
}

/// The answer with `address` in its candidates in place of the one that was bound: the server's own as seen from
/// outside, when a 1:1 NAT stands before it.
pub(super) fn advertised(answer: &str, address: IpAddr) -> String {
    answer
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix("a=candidate:") {
            // RFC 8839, 5.1: foundation component transport priority address port …
            Some(rest) => {
                let mut words: Vec<&str> = rest.split(' ').collect();
                let address = address.to_string();
                if let Some(word) = words.get_mut(4) {
                    *word = &address;
                }
                format!("a=candidate:{}", words.join(" "))
            }
            None => line.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chromium's offer for a microphone, shortened.
    const CHROMIUM: &str = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
        a=extmap-allow-mixed\r\na=msid-semantic: WMS s\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n\
        c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n\
        a=candidate:1 1 udp 2113937151 5d2e.local 51234 typ host generation 0\r\na=ice-ufrag:abcd\r\n\
        a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\na=mid:0\r\n\
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=msid:s t\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
        a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
        a=rtpmap:126 telephone-event/8000\r\na=ssrc:77 cname:x\r\n";

    #[test]
    fn chromiums_offer_comes_down_to_opus_and_its_own_telephone_event() {
        let simple = simplify(CHROMIUM).expect("fit");
        assert_eq!((simple.codec, simple.format.payload_type), (Codec::Opus, 111));
        assert_eq!(simple.format.fmtp, "minptime=10;useinbandfec=1");
        let event = simple.event.expect("offered");
        assert_eq!((event.payload_type, event.clock_rate), (110, 48_000));
        let has = |line: &str| simple.sdp.lines().any(|l| l == line);
        assert!(has("m=audio 9 UDP/TLS/RTP/SAVPF 111 110"), "{}", simple.sdp);
        assert!(has("a=rtpmap:111 opus/48000/2") && has("a=rtpmap:110 telephone-event/48000") && has("a=mid:0"));
        for gone in ["red", "G722", "/8000", "candidate", "extmap", "rtcp-fb"] {
            assert!(!simple.sdp.contains(gone), "{gone} in {}", simple.sdp);
        }
    }

    #[test]
    fn without_opus_it_is_g711_with_the_narrow_telephone_event() {
        let offer = CHROMIUM
            .replace("SAVPF 111 63 9 0 8 13 110 126", "SAVPF 8 0 110 126")
            .replace("a=rtpmap:0 PCMU/8000\r\n", "");
        let simple = simplify(&offer).expect("fit");
        assert_eq!((simple.codec, simple.format.payload_type), (Codec::Pcmu, 0));
        assert_eq!(simple.event.expect("offered").payload_type, 126);
        assert!(simple.sdp.contains("a=rtpmap:0 PCMU/8000"), "a static type is named for the library");
        assert_eq!(simplify(&offer.replace("SAVPF 8 0 ", "SAVPF 8 ")).expect("fit").codec, Codec::Pcma);
    }

    #[test]
    fn a_telephone_event_of_another_rate_is_better_than_none() {
        let offer = CHROMIUM.replace("a=rtpmap:110 telephone-event/48000\r\n", "");
        let event = simplify(&offer).expect("fit").event.expect("offered");
        assert_eq!((event.payload_type, event.clock_rate), (126, 8_000));
    }

    #[test]
    fn an_offer_that_is_of_no_use_says_why() {
        let unfit = |offer: String| matches!(simplify(&offer), Err(OfferError::Unfit(_)));
        assert!(unfit(CHROMIUM.replace("m=audio", "m=video")));
        assert!(unfit(CHROMIUM.replace("m=audio 9", "m=audio 0")));
        assert!(unfit(CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")));
        assert!(unfit(CHROMIUM.replace("a=sendrecv", "a=recvonly")));
        assert!(unfit(CHROMIUM.replace("a=rtcp-mux\r\n", "")));
        assert!(unfit(format!("{CHROMIUM}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n")));
        assert!(unfit(format!("{CHROMIUM}a={}\r\n", "x".repeat(LONGEST))));
        assert_eq!(simplify(&CHROMIUM.replace("111 63 9 0 8 13", "63 9 13")), Err(OfferError::NoCodec));
        assert!(matches!(simplify("hello"), Err(OfferError::Malformed(_))));
        assert!(matches!(simplify(""), Err(OfferError::Malformed(_))));
    }

    #[test]
    fn broken_numbers_are_no_panic() {
        for (from, to) in [
            ("SAVPF 111", "SAVPF 999 -1 x"),
            ("rtpmap:111 opus/48000/2", "rtpmap:111 opus/999999999999"),
            ("rtpmap:111 opus/48000/2", "rtpmap:111"),
            ("rtpmap:111 opus/48000/2", "rtpmap:111 opus"),
            ("fmtp:111 ", "fmtp:"),
        ] {
            let _ = simplify(&CHROMIUM.replace(from, to));
        }
    }

    #[test]
    fn the_address_seen_from_outside_replaces_the_bound_one_in_candidates_only() {
        let answer = "c=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 2130706431 10.0.0.5 40000 typ host\r\na=mid:0\r\n";
        let seen = advertised(answer, IpAddr::from([192, 0, 2, 7]));
        assert_eq!(seen, "c=IN IP4 0.0.0.0\r\na=candidate:1 1 udp 2130706431 192.0.2.7 40000 typ host\r\na=mid:0\r\n");
        assert_eq!(advertised("a=candidate:\r\n", IpAddr::from([1, 1, 1, 1])), "a=candidate:\r\n");
    }
}
