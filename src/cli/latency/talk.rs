//! Who spoke when, and how long each waited for the other. Shares no code with the server's own clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::capture::{Seen, What};

/// A stretch of 10 ms louder than this is speech, dBov.
const SPEECH_DBOV: f32 = -45.0;
/// A packet of a prompt that is quieter is not heard any more, dBov.
const HEARD_DBOV: f32 = -40.0;
/// Quiet shorter than this is within speech.
const WITHIN: Duration = Duration::from_millis(300);
/// Whoever was heard so shortly before is speaking.
const SPEAKING: Duration = Duration::from_millis(100);
/// Quiet of ours after which sound is a new line.
const NEW_LINE: Duration = Duration::from_millis(150);

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Talk {
    /// Who was answered.
    pub(super) caller: SocketAddr,
    /// Who answered: whoever spoke first, as servers do.
    pub(super) server: SocketAddr,
    /// From the packet with the caller's last speech to the first with an answer's.
    pub(super) answer_ms: Vec<f32>,
    /// From the first packet of an interruption to the last packet of the prompt louder than −40 dBov.
    pub(super) barge_in_ms: Vec<f32>,
    /// From the first end packet of a key to the first packet with its answer's sound.
    pub(super) key_ms: Vec<f32>,
}

/// The calls of a capture, by the time at which they began.
pub(super) fn calls(packets: &[Seen]) -> Vec<Talk> {
    let mut pairs: BTreeMap<(SocketAddr, SocketAddr), Vec<Seen>> = BTreeMap::new();
    for packet in packets {
        let ends = (packet.from.min(packet.to), packet.from.max(packet.to));
        pairs.entry(ends).or_default().push(*packet);
    }
    let mut calls: Vec<(Duration, Talk)> =
        pairs.into_values().filter_map(|packets| Some((packets.first()?.at, talk(&packets)?))).collect();
    calls.sort_by_key(|(began, _)| *began);
    calls.into_iter().map(|(_, talk)| talk).collect()
}

fn is_speech(packet: &Seen) -> bool {
    matches!(packet.what, What::Sound { loudest, .. } if loudest > SPEECH_DBOV)
}

fn talk(packets: &[Seen]) -> Option<Talk> {
    let server = packets.iter().find(|packet| is_speech(packet))?.from;
    let caller = packets.iter().find(|packet| packet.from != server)?.from;
    let mut watch = Watch::new(caller, server);
    for packet in packets {
        match packet.what {
            What::Sound { .. } if packet.from == caller && is_speech(packet) => watch.caller(packet.at),
            What::Sound { dbov, .. } if packet.from == server => watch.server(packet.at, dbov, is_speech(packet)),
            What::KeyEnd(timestamp) if packet.from == caller => watch.key(packet.at, timestamp),
            _ => {}
        }
    }
    watch.interruption_over();
    Some(watch.talk)
}

struct Watch {
    talk: Talk,
    /// The caller's latest speech, and whether it waits for an answer.
    last: Option<Duration>,
    asked: bool,
    typed: Option<Duration>,
    key: Option<u32>,
    ours: Option<Duration>,
    ours_heard: Option<Duration>,
    interrupted: Option<Duration>,
}

impl Watch {
    fn new(caller: SocketAddr, server: SocketAddr) -> Self {
        let talk = Talk { caller, server, answer_ms: vec![], barge_in_ms: vec![], key_ms: vec![] };
        Self { talk, last: None, asked: false, typed: None, key: None, ours: None, ours_heard: None, interrupted: None }
    }

    fn caller(&mut self, at: Duration) {
        let begins = self.last.is_none_or(|last| at.saturating_sub(last) > WITHIN);
        if begins && self.ours.is_some_and(|ours| at.saturating_sub(ours) <= SPEAKING) {
            self.interrupted = Some(at);
        }
        self.last = Some(at);
        self.asked = true;
    }

    fn key(&mut self, at: Duration, timestamp: u32) {
        if self.key.replace(timestamp) != Some(timestamp) {
            self.typed = Some(at);
        }
    }

    fn server(&mut self, at: Duration, dbov: f32, speech: bool) {
        if speech {
            if self.ours.is_none_or(|ours| at.saturating_sub(ours) >= NEW_LINE) {
                self.interruption_over();
                if let Some(typed) = self.typed.take() {
                    self.talk.key_ms.push(ms(at.saturating_sub(typed)));
                    self.asked = false;
                } else if let (true, Some(last)) = (self.asked, self.last) {
                    self.talk.answer_ms.push(ms(at.saturating_sub(last)));
                    self.asked = false;
                }
            }
            self.ours = Some(at);
        }
        if dbov > HEARD_DBOV {
            self.ours_heard = Some(at);
        }
    }

    fn interruption_over(&mut self) {
        if let (Some(began), Some(heard)) = (self.interrupted.take(), self.ours_heard) {
            self.talk.barge_in_ms.push(ms(heard.saturating_sub(began)));
        }
    }
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1_000.0
}
