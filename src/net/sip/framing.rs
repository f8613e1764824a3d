//! Where a message ends on a stream, and how one is written to it. Owns no state.

use std::borrow::Cow;
use std::time::Duration;

use rsipstack::transport::TransportEvent;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::sip::{ANONYMOUS_TAG, Raw, Refusal};

/// A peer that reads or writes nothing for so long in the middle of a message is given up.
pub(super) const STREAM_STALL: Duration = Duration::from_secs(20);

/// What stands at the front of a stream's buffer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(usize),
    Keepalive,
    Pong,
    More,
    Lost(Refusal),
}

/// RFC 3261 section 18.3: on a stream the Content-Length ends a message; RFC 5626 section 3.5.1: the line ends between.
pub(super) fn next_frame(buffer: &[u8], longest: usize) -> Frame {
    if buffer.starts_with(b"\r\n\r\n") {
        return Frame::Keepalive;
    }
    if buffer.starts_with(b"\r\n") {
        return if matches!(buffer.get(2), None | Some(b'\r')) && buffer.len() < 4 { Frame::More } else { Frame::Pong };
    }
    let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if buffer.len() > longest { Frame::Lost(Refusal::TooLarge) } else { Frame::More };
    };
    let length = Raw::parse(&buffer[..end + 4]).ok().and_then(|raw| raw.content_length().ok().flatten());
    let Some(total) = length.and_then(|length| length.checked_add(end + 4)) else {
        return Frame::Lost(Refusal::Malformed("Bad Content-Length"));
    };
    match total {
        _ if total > longest => Frame::Lost(Refusal::TooLarge),
        _ if total > buffer.len() => Frame::More,
        _ => Frame::Message(total),
    }
}

/// Writes what is sent to a stream until one end closes it.
pub(super) async fn write_stream(
    mut writer: OwnedWriteHalf,
    mut messages: mpsc::Receiver<TransportEvent>,
    mut raw: mpsc::Receiver<Vec<u8>>,
    closed: CancellationToken,
) {
    loop {
        let bytes = tokio::select! {
            biased;
            Some(bytes) = raw.recv() => bytes,
            message = messages.recv() => match message {
                Some(TransportEvent::Incoming(message, ..)) => message.to_bytes(),
                Some(_) => continue,
                None => break,
            },
            () = closed.cancelled() => break,
        };
        let written = tokio::time::timeout(STREAM_STALL, writer.write_all(&without_anonymous_tag(&bytes))).await;
        if !matches!(written, Ok(Ok(()))) {
            break;
        }
    }
    closed.cancel();
}

/// Takes the tag that stands for "no tag" out of what leaves.
pub(super) fn without_anonymous_tag(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mark = format!(";tag={ANONYMOUS_TAG}");
    match bytes.windows(mark.len()).position(|w| w == mark.as_bytes()) {
        Some(at) => [&bytes[..at], &bytes[at + mark.len()..]].concat().into(),
        None => bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_framed_by_their_length() {
        let head = "OPTIONS sip:a@b SIP/2.0\r\nl: 3\r\n\r\n";
        let table = [
            ("".to_string(), Frame::More),
            ("\r\n\r\n".into(), Frame::Keepalive),
            ("\r\n".into(), Frame::More),
            ("\r\nO".into(), Frame::Pong),
            ("OPTIONS".into(), Frame::More),
            (format!("{head}ab"), Frame::More),
            (format!("{head}abcOPTIONS"), Frame::Message(head.len() + 3)),
            (head.replace("l: 3", "l: 999"), Frame::Lost(Refusal::TooLarge)),
            (head.replace("l: 3", "l: x"), Frame::Lost(Refusal::Malformed("Bad Content-Length"))),
            (head.replace("l: 3", "x: 3"), Frame::Lost(Refusal::Malformed("Bad Content-Length"))),
            ("x".repeat(101), Frame::Lost(Refusal::TooLarge)),
        ];
        for (buffer, frame) in table {
            assert_eq!(next_frame(buffer.as_bytes(), 100), frame, "{buffer:?}");
        }
    }

    #[test]
    fn the_tag_that_stands_for_none_never_leaves() {
        let text = format!("From: <sip:a@b>;tag={ANONYMOUS_TAG}\r\nTo: c");
        assert_eq!(&*without_anonymous_tag(text.as_bytes()), b"From: <sip:a@b>\r\nTo: c");
        assert_eq!(&*without_anonymous_tag(b"x"), b"x");
    }
}
