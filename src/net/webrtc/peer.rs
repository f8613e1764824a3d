//! One peer connection of the `webrtc` crate, set up as the answerer of one simplified offer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Slot;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp_transceiver::rtp_sender::{
    RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, Registry, SettingEngineBuilder,
};

use super::forward::ForwardRtcp;
use super::offer::{Format, Simplified};
use super::{Config, WebRtcError};

/// Longest wait for our own address to be gathered; it is the bound socket's, so this is a defect's limit.
const GATHERING: Duration = Duration::from_secs(5);
/// Tracks that wait to be picked up; an offer with one audio line brings one.
const TRACKS: usize = 4;

/// A peer connection and what it tells. Whoever holds one must end it by [`Peer::close`]: a dropped one leaks its task.
pub(super) struct Peer {
    pub(super) connection: Arc<dyn PeerConnection>,
    /// Our audio.
    pub(super) local: Arc<TrackLocalStaticRTP>,
    /// The browser's audio, when it comes.
    pub(super) tracks: mpsc::Receiver<Arc<dyn TrackRemote>>,
    /// The connection's state.
    pub(super) state: watch::Receiver<RTCPeerConnectionState>,
    /// Whether our own address is known.
    pub(super) gathering: watch::Receiver<RTCIceGatheringState>,
}

struct Handler {
    tracks: mpsc::Sender<Arc<dyn TrackRemote>>,
    state: watch::Sender<RTCPeerConnectionState>,
    gathering: watch::Sender<RTCIceGatheringState>,
}

#[async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        self.gathering.send_replace(state);
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    // Runs on the driver: it must not wait for the packets themselves.
    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        if self.tracks.try_send(track).is_err() {
            metrics::counter!("sidetone_webrtc_dropped_total", "why" => "too many tracks").increment(1);
        }
    }
}

impl Peer {
    /// Binds a UDP port. Our audio will carry `ssrc`.
    pub(super) async fn open(config: &Config, offer: &Simplified, ssrc: u32) -> Result<Self, WebRtcError> {
        let codec = codec(offer);
        let mut engine = MediaEngine::default();
        engine.register_codec(codec.clone(), RtpCodecKind::Audio)?;
        if let Some(event) = &offer.event {
            engine.register_codec(parameters("audio/telephone-event", 0, event), RtpCodecKind::Audio)?;
        }
        let settings = SettingEngineBuilder::new()
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .with_include_loopback_candidate(config.bind.is_loopback())
            // The library counts in two steps: disconnected, then failed. Seven checks fit into both, two into the first.
            .with_ice_timeouts(
                Some(config.gone_after / 3),
                Some(config.gone_after * 2 / 3),
                Some(config.gone_after / 7),
            )
            .build();
        let (tracks_in, tracks) = mpsc::channel(TRACKS);
        let (state_in, state) = watch::channel(RTCPeerConnectionState::New);
        let (gathering_in, gathering) = watch::channel(RTCIceGatheringState::New);
        let handler = Handler { tracks: tracks_in, state: state_in, gathering: gathering_in };
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(Registry::new().with(Slot::Custom(0), ForwardRtcp::default()))
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec![SocketAddr::new(config.bind, 0)])
            .build()
            .await?;
        let local = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "sidetone".to_owned(),
            "audio".to_owned(),
            "sidetone".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
                codec: codec.rtp_codec,
                ..Default::default()
            }],
        )));
        Ok(Self { connection: Arc::new(connection), local, tracks, state, gathering })
    }

    /// Takes the offer and returns the answer, our candidates in it.
    pub(super) async fn answer(&mut self, offer: &Simplified) -> Result<String, WebRtcError> {
        let connection = &self.connection;
        connection.set_remote_description(RTCSessionDescription::offer(offer.sdp.clone())?).await?;
        connection.add_track(Arc::clone(&self.local) as Arc<dyn TrackLocal>).await?;
        let answer = connection.create_answer(None).await?;
        connection.set_local_description(answer).await?;
        let gathered = self.gathering.wait_for(|state| *state == RTCIceGatheringState::Complete);
        timeout(GATHERING, gathered).await.map_err(|_| WebRtcError::NoAddress)?.map_err(|_| WebRtcError::NoAddress)?;
        let answer = self.connection.local_description().await.ok_or(WebRtcError::NoAddress)?;
        if answer.sdp.contains("a=candidate:") { Ok(answer.sdp) } else { Err(WebRtcError::NoAddress) }
    }

    /// Waits until media flows; `false` when it never will.
    pub(super) async fn connected(&mut self) -> bool {
        let settled = |state: &RTCPeerConnectionState| *state == RTCPeerConnectionState::Connected || is_over(*state);
        self.state.wait_for(settled).await.is_ok_and(|state| !is_over(*state))
    }

    /// Ends the connection and its task.
    pub(super) async fn close(&self) {
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "a peer connection did not close in order");
        }
    }
}

/// Whether a connection in this state has ended for good.
pub(super) fn is_over(state: RTCPeerConnectionState) -> bool {
    matches!(state, RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed)
}

fn codec(offer: &Simplified) -> RTCRtpCodecParameters {
    // As the library's own table has it: two channels for Opus, none said for G.711.
    let channels = if offer.codec == crate::audio::Codec::Opus { 2 } else { 0 };
    parameters(&format!("audio/{}", offer.codec.name()), channels, &offer.format)
}

/// With the browser's own parameters, so that each codec matches exactly: partial matches are left out of an answer as
/// soon as there is an exact one.
fn parameters(mime_type: &str, channels: u16, format: &Format) -> RTCRtpCodecParameters {
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec {
            mime_type: mime_type.to_owned(),
            clock_rate: format.clock_rate,
            channels,
            sdp_fmtp_line: format.fmtp.clone(),
            rtcp_feedback: vec![],
        },
        payload_type: format.payload_type,
    }
}
