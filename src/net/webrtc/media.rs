//! The media path of a browser's call: plain RTP and RTCP as bytes, to and from the session's task.
//!
//! Both queues hold [`QUEUE`] packets, over a second of audio; a packet that finds its queue full is dropped and
//! counted, as a socket's buffer would do.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::call::ports::{Kind, MediaTransport};

/// Packets a queue holds, each way.
pub(super) const QUEUE: usize = 64;

/// A packet without encryption.
pub(super) type Plain = (Kind, Vec<u8>);

/// A [`MediaTransport`] over a peer connection.
#[derive(Debug)]
pub struct WebRtcMedia {
    incoming: mpsc::Receiver<Plain>,
    outgoing: mpsc::Sender<Plain>,
    ssrc: u32,
}

impl WebRtcMedia {
    /// The path, and the ends that the session's task holds: where it puts what came, and where it takes what goes.
    pub(super) fn new(ssrc: u32) -> (Self, mpsc::Sender<Plain>, mpsc::Receiver<Plain>) {
        let (came, incoming) = mpsc::channel(QUEUE);
        let (outgoing, goes) = mpsc::channel(QUEUE);
        (Self { incoming, outgoing, ssrc }, came, goes)
    }
}

impl MediaTransport for WebRtcMedia {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Kind, usize)>> {
        loop {
            let Some((kind, packet)) = ready!(self.incoming.poll_recv(cx)) else {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
            };
            if let Some(room) = buf.get_mut(..packet.len()) {
                room.copy_from_slice(&packet);
                return Poll::Ready(Ok((kind, packet.len())));
            }
            metrics::counter!("sidetone_webrtc_dropped_total", "why" => "too long").increment(1);
        }
    }

    fn send(&mut self, kind: Kind, packet: &[u8]) -> io::Result<()> {
        let mut packet = packet.to_vec();
        stamp(kind, &mut packet, self.ssrc);
        match self.outgoing.try_send((kind, packet)) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                metrics::counter!("sidetone_webrtc_dropped_total", "why" => "queue full, out").increment(1);
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }
}

/// Writes the SSRC that the answer announced into a packet, whatever its sender calls itself: in RTP at octet 8 (RFC
/// 3550, 5.1), in RTCP at octet 4 of each packet of the compound (6.4 to 6.7).
fn stamp(kind: Kind, packet: &mut [u8], ssrc: u32) {
    let ssrc = ssrc.to_be_bytes();
    match kind {
        Kind::Rtp => {
            if let Some(field) = packet.get_mut(8..12) {
                field.copy_from_slice(&ssrc);
            }
        }
        Kind::Rtcp => {
            let mut at = 0;
            while let Some(header) = packet.get_mut(at..at + 8) {
                header[4..8].copy_from_slice(&ssrc);
                at += 4 * (usize::from(u16::from_be_bytes([header[2], header[3]])) + 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn every_packet_of_a_compound_carries_the_announced_ssrc() {
        // Receiver report without blocks (2 words), then a source description with an empty chunk (3 words).
        let mut compound = vec![0x80, 201, 0, 1, 1, 1, 1, 1, 0x81, 202, 0, 2, 1, 1, 1, 1, 0, 0, 0, 0];
        stamp(Kind::Rtcp, &mut compound, 0xAABB_CCDD);
        assert_eq!(
            compound,
            [0x80, 201, 0, 1, 0xAA, 0xBB, 0xCC, 0xDD, 0x81, 202, 0, 2, 0xAA, 0xBB, 0xCC, 0xDD, 0, 0, 0, 0]
        );
        for short in [&mut [0u8; 7][..], &mut []] {
            stamp(Kind::Rtcp, short, 1);
            stamp(Kind::Rtp, short, 1);
            assert!(short.iter().all(|byte| *byte == 0));
        }
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_a_closed_session_is_an_error() {
        let (mut media, came, mut goes) = WebRtcMedia::new(7);
        for _ in 0..QUEUE + 3 {
            media.send(Kind::Rtp, &[0; 12]).expect("never waits");
        }
        let mut sent = 0;
        while goes.try_recv().is_ok() {
            sent += 1;
        }
        assert_eq!(sent, QUEUE);
        drop(goes);
        assert_eq!(media.send(Kind::Rtp, &[0; 12]).expect_err("closed").kind(), io::ErrorKind::BrokenPipe);

        came.try_send((Kind::Rtp, vec![1; 2000])).expect("room");
        came.try_send((Kind::Rtcp, vec![2; 8])).expect("room");
        drop(came);
        let mut buffer = [0; 1500];
        let got = poll_fn(|cx| media.poll_recv(cx, &mut buffer)).await.expect("one fits");
        assert_eq!(got, (Kind::Rtcp, 8), "what does not fit the buffer is passed over");
        let end = poll_fn(|cx| media.poll_recv(cx, &mut buffer)).await.expect_err("gone");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionAborted);
    }
}
