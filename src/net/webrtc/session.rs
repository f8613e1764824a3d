//! One browser's call: its task carries packets between the peer connection and the media path, and ends both together.
//!
//! ```text
//! browser ⇄ DTLS-SRTP ⇄ peer connection ⇄ session's task ⇄ bounded queues ⇄ WebRtcMedia ⇄ call
//! ```

use std::sync::Arc;

use rtc::shared::marshal::{Marshal, Unmarshal};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use webrtc::media_stream::track_local::{TrackLocal, TrackLocalEvent};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::media::{Plain, WebRtcMedia};
use super::offer::{self, Simplified};
use super::peer::{Peer, is_over};
use super::{Config, WebRtcError};
use crate::audio::Codec;
use crate::call::ports::{Accepted, Kind, MediaTransport, Offer};
use crate::pii::Pii;

/// A browser's call whose media flows. Dropping it ends it.
#[derive(Debug)]
pub struct Session {
    /// The number or plan that was called.
    pub called: String,
    /// Address of the caller.
    pub caller: Pii<String>,
    /// Spoken both ways.
    pub codec: Codec,
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// Payload type of telephone-event and the rate of its timestamps in Hz, if the browser has it.
    pub event: Option<(u8, u32)>,
    /// SSRC of what we send, as the answer announced it.
    pub ssrc: u32,
    signals: SessionSignals,
    media: WebRtcMedia,
    place: Option<OwnedSemaphorePermit>,
}

/// The signalling half of a [`Session`].
#[derive(Debug)]
pub struct SessionSignals {
    over: CancellationToken,
    /// Cancelled by the session's task when the connection is closed and its port free.
    gone: CancellationToken,
    _end_on_drop: DropGuard,
}

impl SessionSignals {
    /// Waits until the call is over: the browser hung up or vanished, or [`Session::close`] was called. Cancel safe.
    pub async fn closed(&self) {
        self.over.cancelled().await;
    }
}

impl Session {
    /// Signalling and media, to be waited on at the same time.
    pub fn split(&mut self) -> (&mut SessionSignals, &mut dyn MediaTransport) {
        (&mut self.signals, &mut self.media)
    }

    /// The place that admission gave this call; whoever counts calls keeps it to the call's end. Otherwise the session
    /// does.
    pub fn take_place(&mut self) -> Option<OwnedSemaphorePermit> {
        self.place.take()
    }

    /// Ends the call from our side, and waits until its connection is closed.
    pub async fn close(&mut self) {
        self.signals.over.cancel();
        self.signals.gone.cancelled().await;
    }
}

/// What a session's task starts from.
pub(super) struct Start {
    pub(super) config: Config,
    pub(super) offer: Offer,
    pub(super) simplified: Simplified,
    pub(super) place: OwnedSemaphorePermit,
    /// Room in the queue of those who are connected.
    pub(super) slot: mpsc::OwnedPermit<Session>,
    /// Name of the session for [`Accepted`].
    pub(super) name: String,
    pub(super) over: CancellationToken,
}

/// A session from offer to end. Whatever happens, and also when nobody waits for the answer any more, the peer
/// connection is closed.
pub(super) async fn run(start: Start, answered: oneshot::Sender<Result<Accepted, WebRtcError>>) {
    let ssrc = rand::random();
    let mut peer = match Peer::open(&start.config, &start.simplified, ssrc).await {
        Ok(peer) => peer,
        Err(error) => {
            let _ = answered.send(Err(error));
            return;
        }
    };
    let gone = CancellationToken::new();
    match peer.answer(&start.simplified).await {
        Ok(sdp) => {
            let sdp = match start.config.advertised {
                Some(address) => offer::advertised(&sdp, address),
                None => sdp,
            };
            let accepted = Accepted { session: start.name.clone(), sdp };
            if answered.send(Ok(accepted)).is_ok() {
                converse(start, &mut peer, ssrc, gone.clone()).await;
            }
        }
        Err(error) => {
            let _ = answered.send(Err(error));
        }
    }
    peer.close().await;
    gone.cancel();
}

#[expect(clippy::disallowed_methods, reason = "the one timer of a session that has no call yet")]
/// Waits for media, hands the session over, and carries packets until either side ends it.
async fn converse(start: Start, peer: &mut Peer, ssrc: u32, gone: CancellationToken) {
    let over = start.over;
    let connected = tokio::select! {
        connected = peer.connected() => connected,
        () = tokio::time::sleep(start.config.connect_within) => false,
        () = over.cancelled() => false,
    };
    if !connected {
        tracing::info!(session = %start.name, "a browser took the answer and never came");
        metrics::counter!("sidetone_webrtc_never_connected_total").increment(1);
        return;
    }
    let (media, came, goes) = WebRtcMedia::new(ssrc);
    let Simplified { codec, format, event, .. } = start.simplified;
    start.slot.send(Session {
        called: start.offer.called,
        caller: start.offer.caller,
        codec,
        payload_type: format.payload_type,
        event: event.map(|event| (event.payload_type, event.clock_rate)),
        ssrc,
        signals: SessionSignals { over: over.clone(), gone, _end_on_drop: over.clone().drop_guard() },
        media,
        place: Some(start.place),
    });
    carry(peer, &came, goes, &over).await;
    over.cancel();
}

async fn carry(peer: &mut Peer, came: &mpsc::Sender<Plain>, mut goes: mpsc::Receiver<Plain>, over: &CancellationToken) {
    let local = Arc::clone(&peer.local);
    let mut remote: Option<Arc<dyn TrackRemote>> = None;
    let mut feedback = true;
    loop {
        tokio::select! {
            () = over.cancelled() => return,
            changed = peer.state.changed() => {
                if changed.is_err() || is_over(*peer.state.borrow_and_update()) {
                    return;
                }
            }
            Some(track) = peer.tracks.recv() => remote = Some(track),
            event = next(remote.as_ref()) => match event {
                Some(TrackRemoteEvent::OnRtpPacket(packet)) => take(came, Kind::Rtp, packet.marshal().ok().map(Into::into)),
                Some(TrackRemoteEvent::OnRtcpPacket(packets)) => take(came, Kind::Rtcp, compound(&packets)),
                Some(TrackRemoteEvent::OnEnded) | None => remote = None,
                Some(_) => {}
            },
            event = local.poll(), if feedback => match event {
                Some(TrackLocalEvent::OnRtcpPacket(packets)) => take(came, Kind::Rtcp, compound(&packets)),
                Some(_) => {}
                None => feedback = false,
            },
            packet = goes.recv() => match packet {
                Some((kind, packet)) => send(&*local, kind, &packet).await,
                // The call dropped its media path.
                None => return,
            },
        }
    }
}

async fn next(track: Option<&Arc<dyn TrackRemote>>) -> Option<TrackRemoteEvent> {
    match track {
        Some(track) => track.poll().await,
        None => std::future::pending().await,
    }
}

/// Passes a packet on to the call; the call that does not keep up loses it.
fn take(came: &mpsc::Sender<Plain>, kind: Kind, packet: Option<Vec<u8>>) {
    if packet.is_none_or(|packet| came.try_send((kind, packet)).is_err()) {
        metrics::counter!("sidetone_webrtc_dropped_total", "why" => "queue full, in").increment(1);
    }
}

fn compound(packets: &[Box<dyn rtc::rtcp::Packet>]) -> Option<Vec<u8>> {
    rtc::rtcp::packet::marshal(packets).ok().map(Into::into)
}

/// Sends what the call made; what is no RTP or RTCP is dropped and counted.
async fn send(local: &dyn TrackLocal, kind: Kind, mut packet: &[u8]) {
    let sent = match kind {
        Kind::Rtp => match rtc::rtp::Packet::unmarshal(&mut packet) {
            Ok(packet) => local.write_rtp(packet).await,
            Err(error) => Err(error),
        },
        Kind::Rtcp => match rtc::rtcp::packet::unmarshal(&mut packet) {
            Ok(packets) => local.write_rtcp(packets).await,
            Err(error) => Err(error),
        },
    };
    if sent.is_err() {
        metrics::counter!("sidetone_webrtc_dropped_total", "why" => "not sent").increment(1);
    }
}
