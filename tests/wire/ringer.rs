//! A caller made of the library's own sockets, for what a telephone program does not show: every packet.

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sidetone::call::ports::{Kind, MediaTransport};
use sidetone::net::rtp::RtpPort;
use sidetone::net::sip::{Outgoing, SipEndpoint, SipEvent, SipLeg, SipOptions, Transport};
use sidetone::sip::{Direction, MediaCodec, SdpSession};
use tokio_util::sync::CancellationToken;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Longest wait for a packet.
const PATIENCE: Duration = Duration::from_secs(10);

/// A call that was answered.
pub(crate) struct Ringer {
    pub(crate) leg: SipLeg,
    media: RtpPort,
    stop: CancellationToken,
}

impl Ringer {
    /// Rings, and is answered.
    pub(crate) async fn ring(server: SocketAddr) -> Self {
        let stop = CancellationToken::new();
        let options = SipOptions {
            listen: vec![(Transport::Udp, SocketAddr::new(HOME, 0))],
            advertise: None,
            user_agent: "ringer".into(),
        };
        let (endpoint, _) = SipEndpoint::bind(options, stop.clone()).await.expect("a port");
        let mut media = RtpPort::bind(HOME, 0..=0).expect("ports");
        let mut sdp = SdpSession::new(1, media.local_addr(), &[MediaCodec::Pcmu]);
        let call = Outgoing {
            to: format!("sip:100@{server}"),
            from_user: "ringer".into(),
            display_name: None,
            sdp: sdp.offer(Direction::SendRecv),
            credentials: None,
            headers: Vec::new(),
        };
        let mut leg = endpoint.invite(call).await.expect("sent");
        loop {
            match leg.next().await {
                Some(SipEvent::Answered { sdp: answer }) => {
                    let agreed = sdp.accept_answer(&answer).expect("an answer");
                    media.set_remote(agreed.remote_rtp, agreed.remote_rtcp);
                    return Self { leg, media, stop };
                }
                Some(SipEvent::Rejected { status, .. }) => panic!("refused with {status}"),
                Some(_) => {}
                None => panic!("the call is gone"),
            }
        }
    }

    /// The next packet.
    pub(crate) async fn packet(&mut self) -> (Kind, Vec<u8>) {
        let mut buffer = [0; 2_048];
        let read = poll_fn(|cx| self.media.poll_recv(cx, &mut buffer));
        let (kind, length) = tokio::time::timeout(PATIENCE, read).await.expect("a packet").expect("a socket");
        (kind, buffer[..length].to_vec())
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Types of the packets in a compound RTCP packet (RFC 3550, 6.1).
pub(crate) fn rtcp_types(mut compound: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [_, kind, high, low, ..] = *compound {
        types.push(kind);
        let words = usize::from(u16::from_be_bytes([high, low])) + 1;
        compound = compound.get(4 * words..).unwrap_or_default();
    }
    types
}
