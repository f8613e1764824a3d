//! Tests over real sockets with real peers. One binary, so that the engines are linked once; one file a peer or subject.
#![expect(clippy::disallowed_methods, reason = "a test is a driver: its peers run beside it, in real time")]

mod baresip;
mod blind_transfer;
#[cfg(feature = "webrtc")]
mod browser;
#[cfg(feature = "webrtc")]
mod browser_call;
mod callback;
mod chinese;
mod command_line;
#[cfg(feature = "device")]
mod device;
mod house;
mod keypad;
mod languages;
mod memory;
mod returning;
mod rfc4475;
mod ringer;
mod served;
mod sip_bad_input;
mod sip_dialog;
mod sipp;
mod trouble;
mod voicemail;
#[cfg(feature = "webrtc")]
mod webdriver;
