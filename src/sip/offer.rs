//! Offer and answer (RFC 3264) for one audio stream: who offered what, and what came of it. Owns the version of our
//! description and the order of the m-lines; never a socket.

use std::fmt::Write;
use std::net::SocketAddr;

use super::sdp::{Audio, Description, Direction, MediaCodec, MediaLine, SdpError, same_family, typed_address};

/// Payload type of telephone-event in our own offers.
const EVENT: u8 = 101;

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The codec, in both directions.
    pub codec: MediaCodec,
    /// Its payload type, in both directions.
    pub payload_type: u8,
    /// Payload type of telephone-event at 8 kHz (RFC 4733); none: digits come by INFO, if at all.
    pub event_payload_type: Option<u8>,
    /// Where the other side wants RTP; the unspecified address while it holds us in RFC 2543's way.
    pub remote_rtp: SocketAddr,
    /// Where it wants RTCP.
    pub remote_rtcp: SocketAddr,
    /// Seen from us.
    pub direction: Direction,
}

/// Our side of one session's descriptions, from the first offer or answer to the last.
#[derive(Debug, Clone)]
pub struct SdpSession {
    id: u64,
    version: u64,
    local: SocketAddr,
    preference: Vec<MediaCodec>,
    wanted: Direction,
    /// The m-lines so far and which of them is ours: later descriptions keep both (RFC 3264 section 8).
    lines: Vec<MediaLine>,
    index: usize,
    /// Payload types in use, so that a re-offer does not change their meaning (RFC 3264 section 8.3.2).
    formats: Vec<(MediaCodec, u8)>,
    event: Option<u8>,
    /// What was last written, without the `o=` line.
    last: Option<String>,
    offered: Option<Direction>,
}

impl SdpSession {
    /// `id` is unique to us (RFC 8866 section 5.2 suggests a time); `local` is the RTP address the other side shall
    /// use, RTCP one port above; `preference` is our codecs, the liked first.
    pub fn new(id: u64, local: SocketAddr, preference: &[MediaCodec]) -> Self {
        let formats = preference.iter().map(|c| (*c, c.payload_type())).collect();
        let line = MediaLine { media: "audio".into(), proto: "RTP/AVP".into(), formats: String::new() };
        Self {
            id,
            version: id,
            local,
            preference: preference.to_vec(),
            wanted: Direction::SendRecv,
            lines: vec![line],
            index: 0,
            formats,
            event: Some(EVENT),
            last: None,
            offered: None,
        }
    }

    /// Answers an offer: the first usable audio stream, in the first codec of our preference that it has.
    ///
    /// # Errors
    /// Any [`SdpError`]; the session stays as it was, and the offerer gets 488.
    pub fn answer(&mut self, offer: &str) -> Result<(String, Negotiated), SdpError> {
        let description = Description::parse(offer)?;
        let audio = description.audio?;
        if !same_family(audio.rtp.ip(), self.local.ip()) {
            return Err(SdpError::Address);
        }
        let (codec, payload_type) = self
            .preference
            .iter()
            .find_map(|liked| audio.codecs.iter().copied().find(|(codec, _)| codec == liked))
            .ok_or(SdpError::NoCodec)?;
        let direction = audio.direction.mirrored().and(self.wanted);
        self.lines = description.lines;
        self.index = audio.index;
        self.formats = vec![(codec, payload_type)];
        self.event = audio.event;
        self.offered = None;
        let text = self.write(direction);
        Ok((text, negotiated(&audio, codec, payload_type, direction)))
    }

    /// Offers (or offers again) our stream. `direction` stays our wish for later answers: `SendOnly` and `Inactive`
    /// hold the other side, `SendRecv` resumes.
    pub fn offer(&mut self, direction: Direction) -> String {
        self.wanted = direction;
        for &codec in &self.preference {
            if !self.formats.iter().any(|(known, _)| *known == codec) {
                self.formats.push((codec, codec.payload_type()));
            }
        }
        self.event = self.event.or(Some(EVENT));
        self.offered = Some(direction);
        self.write(direction)
    }

    /// Takes the answer to our last offer.
    ///
    /// # Errors
    /// Any [`SdpError`]: the call cannot go on with this answer.
    pub fn accept_answer(&mut self, answer: &str) -> Result<Negotiated, SdpError> {
        let offered = self.offered.ok_or(SdpError::NoOffer)?;
        let description = Description::parse(answer)?;
        if description.lines.len() != self.lines.len() {
            return Err(SdpError::Mismatch);
        }
        let audio = description.audio?;
        if audio.index != self.index {
            return Err(SdpError::Mismatch);
        }
        if !same_family(audio.rtp.ip(), self.local.ip()) {
            return Err(SdpError::Address);
        }
        let (codec, payload_type) =
            audio.codecs.iter().copied().find(|(codec, _)| self.preference.contains(codec)).ok_or(SdpError::NoCodec)?;
        self.formats = vec![(codec, payload_type)];
        self.event = audio.event;
        self.offered = None;
        Ok(negotiated(&audio, codec, payload_type, audio.direction.mirrored().and(offered)))
    }

    /// Writes our description; its version rises by one whenever it differs from the last (RFC 3264 section 8).
    fn write(&mut self, direction: Direction) -> String {
        let address = typed_address(self.local.ip());
        let mut body = format!("s=-\r\nc={address}\r\nt=0 0\r\n");
        for (index, line) in self.lines.iter().enumerate() {
            if index == self.index {
                self.write_audio(&mut body, direction);
            } else {
                put(&mut body, format_args!("m={} 0 {} {}\r\n", line.media, line.proto, line.formats));
            }
        }
        if self.last.as_ref().is_some_and(|last| *last != body) {
            self.version = self.version.wrapping_add(1);
        }
        let text = format!("v=0\r\no=- {} {} {address}\r\n{body}", self.id, self.version);
        self.last = Some(body);
        text
    }

    fn write_audio(&self, body: &mut String, direction: Direction) {
        put(body, format_args!("m=audio {} RTP/AVP", self.local.port()));
        for (_, payload_type) in &self.formats {
            put(body, format_args!(" {payload_type}"));
        }
        if let Some(event) = self.event {
            put(body, format_args!(" {event}"));
        }
        body.push_str("\r\n");
        for (codec, payload_type) in &self.formats {
            put(body, format_args!("a=rtpmap:{payload_type} {}/8000\r\n", codec.name()));
        }
        if let Some(event) = self.event {
            put(body, format_args!("a=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15\r\n"));
        }
        put(body, format_args!("a=ptime:20\r\na={}\r\n", direction.as_str()));
    }
}

fn negotiated(audio: &Audio, codec: MediaCodec, payload_type: u8, direction: Direction) -> Negotiated {
    Negotiated {
        codec,
        payload_type,
        event_payload_type: audio.event,
        remote_rtp: audio.rtp,
        remote_rtcp: audio.rtcp,
        direction,
    }
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests;
