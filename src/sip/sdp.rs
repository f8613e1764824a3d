//! Reads a session description as far as telephone audio needs it: one usable audio stream among any number of others.
//! Owns what a stream means, never which codec is chosen (`offer.rs`).

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, Session};

/// Longest description that is read, octets; a telephone's is some hundred.
const LONGEST: usize = 16 * 1024;
/// Most m-lines that are answered; a browser's bundle has fewer than ten.
const MOST_MEDIA: usize = 32;

/// A codec of a telephone's audio; each 8 kHz, one channel, 160 octets a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaCodec {
    /// G.711 μ-law, static payload type 0 (RFC 3551).
    Pcmu,
    /// G.711 A-law, static payload type 8 (RFC 3551).
    Pcma,
}

impl MediaCodec {
    /// Name in an `a=rtpmap` line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// Its static payload type.
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        [Self::Pcmu, Self::Pcma].into_iter().find(|codec| name.eq_ignore_ascii_case(codec.name()))
    }
}

/// Who sends, seen from the side that says so (RFC 3264 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// Only this side.
    SendOnly,
    /// Only the other side.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// Whether this side may send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether this side expects to receive.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// From the two halves.
    pub const fn from_halves(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The same stream seen from the other side.
    pub const fn mirrored(self) -> Self {
        Self::from_halves(self.receives(), self.sends())
    }

    /// What both sides allow, both seen from the same side.
    pub const fn and(self, other: Self) -> Self {
        Self::from_halves(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// Its attribute.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn of(attributes: &[Attribute]) -> Option<Self> {
        attributes.iter().find_map(|a| {
            [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
                .into_iter()
                .find(|d| a.attribute.eq_ignore_ascii_case(d.as_str()))
        })
    }
}

/// Why a description leads to no call. Every one is a 488 to the offerer (RFC 3261 section 21.4.26).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Not SDP, or too long.
    #[error("the session description cannot be read")]
    Malformed,
    /// No m-line is audio over plain RTP with a port and an address.
    #[error("the session description has no usable audio stream")]
    NoAudio,
    /// Audio, but in no codec of ours.
    #[error("no codec in common")]
    NoCodec,
    /// IPv6 where we speak IPv4, or the reverse, or a name in place of an address.
    #[error("the media address cannot be reached from here")]
    Address,
    /// An answer that does not belong to our offer: other m-lines, or a codec that was not offered.
    #[error("the answer does not fit the offer")]
    Mismatch,
    /// An answer without an offer of ours.
    #[error("there is no offer to be answered")]
    NoOffer,
}

/// One m-line as far as an answer must repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaLine {
    pub(super) media: String,
    pub(super) proto: String,
    pub(super) formats: String,
}

/// The usable audio stream of a description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Audio {
    /// Which m-line it is.
    pub(super) index: usize,
    /// Codecs of ours among its formats, in its order, with their payload types.
    pub(super) codecs: Vec<(MediaCodec, u8)>,
    /// Payload type of telephone-event at 8 kHz.
    pub(super) event: Option<u8>,
    /// Where it wants RTP.
    pub(super) rtp: SocketAddr,
    /// Where it wants RTCP (RFC 3605, or the next port).
    pub(super) rtcp: SocketAddr,
    /// Seen from its author; a connection address of zero counts as "do not send" (RFC 2543 hold).
    pub(super) direction: Direction,
}

/// A description that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) lines: Vec<MediaLine>,
    /// The first usable audio stream, or why there is none.
    pub(super) audio: Result<Audio, SdpError>,
}

impl Description {
    pub(super) fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > LONGEST {
            return Err(SdpError::Malformed);
        }
        let session = Session::parse(text.as_bytes()).map_err(|_| SdpError::Malformed)?;
        if session.medias.len() > MOST_MEDIA {
            return Err(SdpError::Malformed);
        }
        let lines = session.medias.iter().map(media_line).collect::<Result<Vec<_>, _>>()?;
        let mut worst = SdpError::NoAudio;
        for (index, media) in session.medias.iter().enumerate() {
            match audio(index, media, &session) {
                Ok(Some(found)) if !found.codecs.is_empty() => return Ok(Self { lines, audio: Ok(found) }),
                Ok(Some(_)) => worst = SdpError::NoCodec,
                Ok(None) => {}
                Err(error) => worst = error,
            }
        }
        Ok(Self { lines, audio: Err(worst) })
    }
}

/// An answer repeats these words verbatim, so that a line break or a blank in one would forge another line.
fn media_line(media: &Media) -> Result<MediaLine, SdpError> {
    let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
    let formats: Vec<&str> = media.fmt.split_ascii_whitespace().collect();
    if !word(&media.media) || !word(&media.proto) || formats.is_empty() || !formats.iter().all(|f| word(f)) {
        return Err(SdpError::Malformed);
    }
    Ok(MediaLine { media: media.media.clone(), proto: media.proto.clone(), formats: formats.join(" ") })
}

fn audio(index: usize, media: &Media, session: &Session) -> Result<Option<Audio>, SdpError> {
    let plain_rtp = media.media.eq_ignore_ascii_case("audio") && media.proto.eq_ignore_ascii_case("RTP/AVP");
    if !plain_rtp || media.port == 0 {
        return Ok(None);
    }
    let connection = media.connections.first().or(session.connection.as_ref()).ok_or(SdpError::Address)?;
    let ip = address(connection)?;
    let rtp = SocketAddr::new(ip, media.port);
    let mut direction =
        Direction::of(&media.attributes).or_else(|| Direction::of(&session.attributes)).unwrap_or_default();
    if ip.is_unspecified() {
        direction = direction.and(Direction::SendOnly);
    }
    let formats: Vec<u8> = media.fmt.split_ascii_whitespace().filter_map(|f| f.parse().ok()).collect();
    let mapped = |payload_type: u8| rtpmap(&media.attributes, payload_type);
    let mut codecs: Vec<(MediaCodec, u8)> = Vec::new();
    for &payload_type in formats.iter().filter(|p| **p < 128) {
        if let Some(codec) = codec_of(payload_type, mapped(payload_type))
            && !codecs.iter().any(|(known, _)| *known == codec)
        {
            codecs.push((codec, payload_type));
        }
    }
    let event = formats.iter().copied().find(|p| {
        (96..128).contains(p)
            && mapped(*p).is_some_and(|(name, rate)| name.eq_ignore_ascii_case("telephone-event") && rate == 8000)
    });
    Ok(Some(Audio { index, codecs, event, rtp, rtcp: rtcp_address(media, rtp), direction }))
}

fn address(connection: &Connection) -> Result<IpAddr, SdpError> {
    let ip = connection.connection_address.split('/').next().unwrap_or("").parse().map_err(|_| SdpError::Address)?;
    let multicast_or_broadcast = match ip {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    if multicast_or_broadcast { Err(SdpError::Address) } else { Ok(ip) }
}

/// The rtpmap's name and clock rate for a payload type; two channels are not telephone audio.
fn rtpmap(attributes: &[Attribute], payload_type: u8) -> Option<(&str, u32)> {
    attributes.iter().filter(|a| a.attribute.eq_ignore_ascii_case("rtpmap")).find_map(|a| {
        let (number, map) = a.value.as_deref()?.trim().split_once(char::is_whitespace)?;
        if number.parse() != Ok(payload_type) {
            return None;
        }
        let mut parts = map.trim().split('/');
        let name = parts.next()?;
        let rate = parts.next()?.trim().parse().ok()?;
        parts.next().is_none_or(|channels| channels.trim() == "1").then_some((name, rate))
    })
}

fn codec_of(payload_type: u8, map: Option<(&str, u32)>) -> Option<MediaCodec> {
    match (map, payload_type) {
        (Some((name, 8000)), _) => MediaCodec::by_name(name),
        (Some(_), _) => None,
        (None, 0) => Some(MediaCodec::Pcmu),
        (None, 8) => Some(MediaCodec::Pcma),
        (None, _) => None,
    }
}

/// RFC 3605: `a=rtcp:port [IN IP4 address]`; without it, the next port (RFC 3550 section 11).
fn rtcp_address(media: &Media, rtp: SocketAddr) -> SocketAddr {
    let next = SocketAddr::new(rtp.ip(), rtp.port().saturating_add(1));
    let Some(value) =
        media.attributes.iter().find(|a| a.attribute.eq_ignore_ascii_case("rtcp")).and_then(|a| a.value.as_deref())
    else {
        return next;
    };
    let mut words = value.split_ascii_whitespace();
    let Some(port) = words.next().and_then(|p| p.parse::<u16>().ok()).filter(|p| *p != 0) else {
        return next;
    };
    let ip = words.nth(2).and_then(|a| a.parse().ok()).unwrap_or(rtp.ip());
    SocketAddr::new(ip, port)
}

/// Whether the two can talk to each other.
pub(super) const fn same_family(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() == b.is_ipv4()
}

/// "IP4 192.0.2.1" as it stands in `o=` and `c=` lines.
pub(super) fn typed_address(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => format!("IN IP4 {v4}"),
        IpAddr::V6(v6) => format!("IN IP6 {v6}"),
    }
}
