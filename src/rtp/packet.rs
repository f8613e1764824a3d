//! One RTP packet (RFC 3550, 5.1), read without a copy and written into a caller's buffer. Never allocates, never panics.
//!
//! The fixed header is the `rtp` crate's to read and write. CSRCs, the extension and padding are walked here: the crate
//! would allocate for them, and its one-byte extensions (RFC 8285) panic on a length that points past the end.

use rtp::header::Header;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// Octets of the fixed header.
pub const HEADER: usize = 12;

/// What is wrong with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPacket {
    /// Shorter than its own header says.
    #[error("too short")]
    Short,
    /// Not version 2.
    #[error("not RTP version 2")]
    Version,
    /// RTCP that came where RTP was expected (RFC 5761, 4).
    #[error("RTCP on the RTP path")]
    Rtcp,
    /// Padding that is longer than the payload, or zero.
    #[error("impossible padding")]
    Padding,
}

/// A packet as received; the payload is still in the datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Marker bit: for audio, the first packet after a silence.
    pub marker: bool,
    /// 0..=127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// In units of the codec's clock.
    pub timestamp: u32,
    /// Synchronization source.
    pub ssrc: u32,
    /// Without padding; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, BadPacket> {
        let mut fixed: [u8; HEADER] = datagram.get(..HEADER).and_then(|h| h.try_into().ok()).ok_or(BadPacket::Short)?;
        let first = fixed[0];
        if first >> 6 != 2 {
            return Err(BadPacket::Version);
        }
        // 192..=223 with the marker bit read as part of the type (RFC 5761, 4).
        if (192..=223).contains(&fixed[1]) {
            return Err(BadPacket::Rtcp);
        }
        let payload = payload_of(datagram, first)?;
        // Without CSRC, extension and padding the crate neither allocates nor reads past these octets.
        fixed[0] = 0x80;
        let header = Header::unmarshal(&mut &fixed[..]).map_err(|_| BadPacket::Short)?;
        Ok(Self {
            marker: header.marker,
            payload_type: header.payload_type,
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            ssrc: header.ssrc,
            payload,
        })
    }
}

/// Skips CSRCs and the extension, and takes padding off the end.
fn payload_of(datagram: &[u8], first: u8) -> Result<&[u8], BadPacket> {
    let mut start = HEADER + 4 * usize::from(first & 0x0F);
    if first & 0x10 != 0 {
        let words = datagram.get(start + 2..start + 4).ok_or(BadPacket::Short)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    let payload = datagram.get(start..).ok_or(BadPacket::Short)?;
    if first & 0x20 == 0 {
        return Ok(payload);
    }
    match payload.last().map(|&n| usize::from(n)) {
        Some(n) if n > 0 && n <= payload.len() => Ok(&payload[..payload.len() - n]),
        _ => Err(BadPacket::Padding),
    }
}

/// Writes the header of an outgoing packet into the first [`HEADER`] octets of `out`; its payload is already behind them.
/// `false` if `out` is too short.
pub fn write_header(out: &mut [u8], packet: &Packet<'_>) -> bool {
    let header = Header {
        version: 2,
        marker: packet.marker,
        payload_type: packet.payload_type & 0x7F,
        sequence_number: packet.sequence,
        timestamp: packet.timestamp,
        ssrc: packet.ssrc,
        ..Header::default()
    };
    header.marshal_to(out).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Packet<'static> = Packet {
        marker: true,
        payload_type: 96,
        sequence: 0xFFFE,
        timestamp: 0x8000_0001,
        ssrc: 0xDEAD_BEEF,
        payload: b"abc",
    };

    fn datagram() -> Vec<u8> {
        let mut out = vec![0; HEADER + 3];
        assert!(write_header(&mut out, &PLAIN));
        out[HEADER..].copy_from_slice(b"abc");
        out
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Packet::parse(&datagram()), Ok(PLAIN));
        assert!(!write_header(&mut [0; HEADER - 1], &PLAIN));
    }

    #[test]
    fn csrc_extension_and_padding_are_skipped() {
        let mut bytes = datagram();
        bytes[0] = 0x80 | 0x20 | 0x10 | 2;
        // Two CSRCs, then a one-byte extension whose element claims more than is there: skipped, not read.
        bytes.splice(HEADER..HEADER, [1, 1, 1, 1, 2, 2, 2, 2, 0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0]);
        bytes.extend([0, 0, 3]);
        assert_eq!(Packet::parse(&bytes), Ok(PLAIN));
    }

    #[test]
    fn broken_packets_are_told_apart() {
        let good = datagram();
        for n in 0..HEADER {
            assert_eq!(Packet::parse(&good[..n]), Err(BadPacket::Short));
        }
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        assert_eq!(Packet::parse(&with(0, 0x40)), Err(BadPacket::Version));
        assert_eq!(Packet::parse(&with(0, 0x8F)), Err(BadPacket::Short));
        assert_eq!(Packet::parse(&with(0, 0x90)), Err(BadPacket::Short));
        assert_eq!(Packet::parse(&with(1, 200)), Err(BadPacket::Rtcp));
        let mut padded = with(0, 0xA0);
        for n in [0, 4, 255] {
            *padded.last_mut().expect("not empty") = n;
            assert_eq!(Packet::parse(&padded), Err(BadPacket::Padding), "{n}");
        }
    }
}
