//! From a capture file to the RTP in it: G.711 and the ends of keys, by time and addresses.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::{DataLink, PcapError};

use crate::audio::{g711, level};

/// Most packets that are read: ten hours of one call.
const MOST: usize = 4_000_000;

/// One packet of interest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Since the capture's epoch.
    pub(super) at: Duration,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) what: What,
}

/// What it holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// G.711: the level of the whole packet, and of its loudest 10 ms, dBov.
    Sound {
        /// All of it.
        dbov: f32,
        /// The loudest 10 ms.
        loudest: f32,
    },
    /// The end of a key (RFC 4733), with its timestamp.
    KeyEnd(u32),
}

/// Reads a capture to its end, or to where it is cut off.
pub(super) fn read(file: impl Read) -> Result<Vec<Seen>, PcapError> {
    let mut capture = PcapReader::new(file)?;
    let link = capture.header().datalink;
    let mut seen = Vec::new();
    while let Some(packet) = capture.next_packet() {
        // A capture that was still being written ends in half a packet.
        let Ok(packet) = packet else { break };
        seen.extend(datagram(link, packet.timestamp, &packet.data));
        if seen.len() >= MOST {
            break;
        }
    }
    Ok(seen)
}

fn datagram(link: DataLink, at: Duration, bytes: &[u8]) -> Option<Seen> {
    let packet = match link {
        DataLink::ETHERNET => SlicedPacket::from_ethernet(bytes).ok()?,
        DataLink::LINUX_SLL => SlicedPacket::from_linux_sll(bytes).ok()?,
        DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 => SlicedPacket::from_ip(bytes).ok()?,
        _ => return None,
    };
    let (source, destination) = match packet.net? {
        NetSlice::Ipv4(ip) => (IpAddr::from(ip.header().source_addr()), IpAddr::from(ip.header().destination_addr())),
        NetSlice::Ipv6(ip) => (IpAddr::from(ip.header().source_addr()), IpAddr::from(ip.header().destination_addr())),
        NetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Udp(udp)) = packet.transport else { return None };
    let from = SocketAddr::new(source, udp.source_port());
    let to = SocketAddr::new(destination, udp.destination_port());
    Some(Seen { at, from, to, what: rtp(udp.payload())? })
}

/// RFC 3550, 5.1, without header extensions, which none of the parties here sends.
fn rtp(packet: &[u8]) -> Option<What> {
    let (header, payload) = packet.split_at_checked(12)?;
    if header[0] >> 6 != 2 || payload.is_empty() {
        return None;
    }
    let decode = match header[1] & 0x7f {
        0 => g711::mu_decode,
        8 => g711::a_decode,
        96..=127 if payload.len() == 4 => {
            let timestamp = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
            return (payload[1] & 0x80 != 0).then_some(What::KeyEnd(timestamp));
        }
        _ => return None,
    };
    let pcm: Vec<i16> = payload.iter().map(|byte| decode(*byte)).collect();
    let loudest = pcm.chunks(80).map(level::rms_dbov).fold(level::SILENCE_DBOV, f32::max);
    Some(What::Sound { dbov: level::rms_dbov(&pcm), loudest })
}
