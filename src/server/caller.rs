//! The caller's leg, whatever carries it: signalling news and a media path.

use crate::audio::Codec;
use crate::call::leg::{LegConfig, LegMedia};
use crate::call::ports::MediaTransport;
use crate::net::rtp::RtpPort;
use crate::net::sip::{SipEvent, SipLeg};
#[cfg(feature = "webrtc")]
use crate::net::webrtc::{Session, SessionSignals};
use crate::sip::{Direction, MediaCodec, Negotiated, SdpSession};

/// News of a leg's signalling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegNews {
    /// A key by SIP INFO.
    Key(char),
    /// The media was renegotiated.
    Media {
        /// Whether we send.
        send: bool,
        /// Whether we receive.
        receive: bool,
    },
    /// How far the other side is on its way elsewhere: a status of its own call there.
    Referred(u16),
    /// The other side is gone.
    Ended,
    /// Of no interest to the call.
    Nothing,
}

/// One party's signalling and media.
pub(super) enum CallerLeg {
    /// A SIP call.
    Sip(Box<SipParty>),
    /// A browser.
    #[cfg(feature = "webrtc")]
    Web(Box<Session>),
}

/// A party that is reached by SIP.
pub(super) struct SipParty {
    pub(super) leg: SipLeg,
    pub(super) media: RtpPort,
    pub(super) sdp: SdpSession,
}

/// The signalling half of a leg, to be waited on beside the media half.
pub(super) enum Signalling<'a> {
    Sip(&'a mut SipLeg),
    #[cfg(feature = "webrtc")]
    Web(&'a mut SessionSignals),
}

/// What came by signalling, not acted on yet.
pub(super) enum Signal {
    /// `None`: the leg is gone without a word.
    Sip(Option<SipEvent>),
    /// The browser left.
    #[cfg(feature = "webrtc")]
    WebClosed,
}

impl Signalling<'_> {
    /// The next signal. Cancel safe: nothing is awaited but the leg's queue.
    pub(super) async fn next(self) -> Signal {
        match self {
            Self::Sip(leg) => Signal::Sip(leg.next().await),
            #[cfg(feature = "webrtc")]
            Self::Web(signals) => {
                signals.closed().await;
                Signal::WebClosed
            }
        }
    }
}

impl CallerLeg {
    /// Signalling and media, to be waited on at the same time.
    pub(super) fn split(&mut self) -> (Signalling<'_>, &mut dyn MediaTransport) {
        match self {
            Self::Sip(party) => party.split(),
            #[cfg(feature = "webrtc")]
            Self::Web(session) => {
                let (signals, media) = session.split();
                (Signalling::Web(signals), media)
            }
        }
    }

    /// Acts on a signal.
    pub(super) fn take(&mut self, signal: Signal) -> LegNews {
        match (self, signal) {
            (Self::Sip(party), Signal::Sip(event)) => party.take(event),
            #[cfg(feature = "webrtc")]
            _ => LegNews::Ended,
        }
    }

    /// Asks the other side to go elsewhere; false where it cannot be asked.
    pub(super) fn refer(&self, to: &str) -> bool {
        match self {
            Self::Sip(party) => party.leg.refer(to),
            #[cfg(feature = "webrtc")]
            Self::Web(_) => false,
        }
    }

    /// Ends the leg from our side.
    pub(super) async fn bye(&mut self) {
        match self {
            Self::Sip(party) => party.leg.bye(None).await,
            #[cfg(feature = "webrtc")]
            Self::Web(session) => session.close().await,
        }
    }
}

impl SipParty {
    /// Signalling and media, to be waited on at the same time.
    pub(super) fn split(&mut self) -> (Signalling<'_>, &mut dyn MediaTransport) {
        (Signalling::Sip(&mut self.leg), &mut self.media)
    }

    /// Acts on a signal.
    pub(super) fn take(&mut self, event: Option<SipEvent>) -> LegNews {
        match event {
            None | Some(SipEvent::Ended { .. } | SipEvent::Rejected { .. }) => LegNews::Ended,
            Some(SipEvent::Referred { status }) => LegNews::Referred(status),
            Some(SipEvent::Digit { digit, .. }) => LegNews::Key(digit),
            Some(SipEvent::Reoffer { sdp, reply }) => self.reoffered(sdp.as_deref(), reply),
            // An answer in ACK, to an offer that we made in 200.
            Some(SipEvent::Confirmed { sdp: Some(sdp) }) => match self.sdp.accept_answer(&sdp) {
                Ok(negotiated) => self.apply(&negotiated),
                Err(_) => LegNews::Ended,
            },
            Some(_) => LegNews::Nothing,
        }
    }

    /// What came of a negotiation, for the media path and the call.
    fn apply(&mut self, negotiated: &Negotiated) -> LegNews {
        self.media.set_remote(negotiated.remote_rtp, negotiated.remote_rtcp);
        LegNews::Media { send: negotiated.direction.sends(), receive: negotiated.direction.receives() }
    }

    fn reoffered(&mut self, sdp: Option<&str>, reply: tokio::sync::oneshot::Sender<Result<String, u16>>) -> LegNews {
        let Some(sdp) = sdp else {
            // A re-INVITE without an offer asks for ours; the answer comes in ACK.
            let _ = reply.send(Ok(self.sdp.offer(Direction::SendRecv)));
            return LegNews::Nothing;
        };
        match self.sdp.answer(sdp) {
            Ok((answer, negotiated)) => {
                let _ = reply.send(Ok(answer));
                self.apply(&negotiated)
            }
            Err(_) => {
                let _ = reply.send(Err(488));
                LegNews::Nothing
            }
        }
    }
}

/// The leg's media as negotiated.
pub(crate) fn leg_config(negotiated: &Negotiated) -> LegConfig {
    let codec = match negotiated.codec {
        MediaCodec::Pcmu => Codec::Pcmu,
        MediaCodec::Pcma => Codec::Pcma,
    };
    let Negotiated { payload_type, event_payload_type, .. } = *negotiated;
    new_leg(LegMedia { codec, payload_type, event_payload_type })
}

/// A leg at its start. Sequence, timestamp and SSRC are random (RFC 3550, 5.1).
pub(super) fn new_leg(media: LegMedia) -> LegConfig {
    LegConfig {
        media,
        ssrc: rand::random(),
        first_seq: rand::random(),
        first_ts: rand::random(),
        cname: format!("{:016x}", rand::random::<u64>()),
    }
}
