//! What a call needs to know of signalling: offer/answer, identity, digits in INFO, and which messages may reach the
//! parser at all. Pure; the sockets are in `net::sip`.

mod digits;
mod identity;
mod offer;
mod raw;
mod screen;
mod sdp;

pub use digits::{InfoDigit, info_body, info_digit};
pub use identity::{Identity, Trust};
pub(crate) use identity::{unescape, user_of};
pub use offer::{Negotiated, SdpSession};
pub(crate) use raw::split_outside_quotes;
pub use raw::{Raw, RawError};
pub(crate) use screen::ALLOW;
pub use screen::{ANONYMOUS_TAG, Refusal, Verdict, screen};
pub use sdp::{Direction, MediaCodec, SdpError};
