//! Sockets: SIP, RTP, WebRTC, sound card.
