//! Tests over real sockets with real peers. One binary, so that the engines are linked once; one file a peer or subject.

#[cfg(feature = "webrtc")]
mod browser;
mod rfc4475;
mod sip_bad_input;
mod sip_dialog;
mod sipp;
#[cfg(feature = "webrtc")]
mod webdriver;
