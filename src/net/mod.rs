//! Sockets: SIP, RTP, WebRTC, sound card.

#[cfg(feature = "device")]
pub mod device;
pub mod http;
pub mod llm;
pub mod rtp;
pub mod sip;
#[cfg(feature = "webrtc")]
pub mod webrtc;
