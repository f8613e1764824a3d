//! Sockets: SIP, RTP, WebRTC, sound card.

pub mod http;
pub mod rtp;
pub mod sip;
#[cfg(feature = "webrtc")]
pub mod webrtc;
