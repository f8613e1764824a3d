//! Sockets: SIP, RTP, WebRTC, sound card.

pub mod rtp;
pub mod sip;
