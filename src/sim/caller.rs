//! A caller made of packets: speaks a buzz for each word, types keys, waits, hangs up.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{FarEnd, Step};
use crate::audio::g711;

/// Samples in 20 ms.
const FRAME: usize = 160;
/// Length of a word.
const WORD: Duration = Duration::from_millis(300);
/// Far-end silence after which it is the caller's turn.
const SETTLE: Duration = Duration::from_millis(700);
/// Mean square above which a packet is speech: −45 dBov.
const SPEECH: f64 = 32_768.0 * 32_768.0 * 3.2e-5;

/// What a caller does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Says this once the far end has spoken and fallen silent.
    Say(&'static str),
    /// The same with a voice: 8 kHz samples.
    Sound(&'static str, Vec<i16>),
    /// Says this while the far end speaks.
    Over(&'static str),
    /// Says this at once, whoever speaks.
    On(&'static str),
    /// Makes a sound this long while the far end speaks, and means nothing by it.
    Cough(Duration),
    /// Types these keys.
    Keys(&'static str),
    /// Types these keys at once, whoever speaks.
    Type(&'static str),
    /// Waits.
    Wait(Duration),
    /// Hangs up.
    HangUp,
    /// Hangs up at once.
    Leave,
}

enum Doing {
    Waiting { since: Option<Instant> },
    Speaking { samples: usize },
    Sounding { pcm: VecDeque<i16> },
    Typing { keys: VecDeque<u8>, packet: u16, start: u32 },
}

pub(super) struct SimCaller {
    acts: VecDeque<Act>,
    doing: Doing,
    saying: &'static str,
    sequence: u16,
    timestamp: u32,
    phase: usize,
    heard: Option<Instant>,
    began: Option<Instant>,
}

impl SimCaller {
    pub(super) fn new(acts: Vec<Act>) -> Self {
        Self {
            acts: acts.into(),
            doing: Doing::Waiting { since: None },
            saying: "",
            sequence: 7,
            timestamp: 1_000,
            phase: 0,
            heard: None,
            began: None,
        }
    }
}

impl FarEnd for SimCaller {
    fn saying(&self) -> &str {
        self.saying
    }

    fn hear(&mut self, at: Instant, packet: &[u8]) {
        let Some(payload) = packet.get(12..).filter(|p| !p.is_empty()) else { return };
        let energy: f64 = payload.iter().map(|&byte| f64::from(g711::mu_decode(byte)).powi(2)).sum();
        if energy / payload.len() as f64 > SPEECH {
            if self.heard.is_none_or(|heard| at - heard > Duration::from_millis(300)) {
                self.began = Some(at);
            }
            self.heard = Some(at);
        }
    }

    fn step(&mut self, now: Instant) -> Step {
        if let Doing::Waiting { since } = &mut self.doing {
            let since = *since.get_or_insert(now);
            if self.acts.front().is_some_and(|act| self.ready(act, since, now)) {
                match self.acts.pop_front() {
                    Some(Act::HangUp | Act::Leave) => return Step { packet: None, hang_up: true },
                    Some(act) => self.start(act),
                    None => {}
                }
            }
        }
        let packet = match &mut self.doing {
            Doing::Waiting { .. } => self.audio(false),
            Doing::Speaking { samples } => {
                *samples = samples.saturating_sub(FRAME);
                if *samples == 0 {
                    self.doing = Doing::Waiting { since: Some(now) };
                }
                self.audio(true)
            }
            Doing::Sounding { pcm } => {
                let frame: Vec<i16> = pcm.drain(..FRAME.min(pcm.len())).collect();
                if pcm.is_empty() {
                    self.doing = Doing::Waiting { since: Some(now) };
                }
                self.voiced(&frame)
            }
            Doing::Typing { .. } => self.key(now),
        };
        Step { packet: Some(packet), hang_up: false }
    }
}

impl SimCaller {
    fn ready(&self, act: &Act, since: Instant, now: Instant) -> bool {
        let spoke = self.heard.is_some_and(|heard| heard >= since);
        let silent = self.heard.is_some_and(|heard| now - heard >= SETTLE);
        match act {
            Act::Say(_) | Act::Sound(..) | Act::Keys(_) | Act::HangUp => spoke && silent,
            Act::Over(_) | Act::Cough(_) => {
                !silent && spoke && self.began.is_some_and(|began| now - began >= Duration::from_millis(600))
            }
            Act::Wait(time) => now - since >= *time,
            Act::On(_) | Act::Type(_) | Act::Leave => true,
        }
    }

    fn start(&mut self, act: Act) {
        let samples = |time: Duration| (time.as_millis() as usize) * 8;
        self.doing = match act {
            Act::Say(text) | Act::Over(text) | Act::On(text) => {
                self.saying = text;
                Doing::Speaking { samples: samples(WORD) * text.split_whitespace().count().max(1) }
            }
            Act::Sound(text, pcm) => {
                self.saying = text;
                Doing::Sounding { pcm: pcm.into() }
            }
            Act::Cough(time) => Doing::Speaking { samples: samples(time) },
            Act::Keys(keys) | Act::Type(keys) => {
                Doing::Typing { keys: keys.bytes().collect(), packet: 0, start: self.timestamp }
            }
            Act::Wait(_) | Act::HangUp | Act::Leave => Doing::Waiting { since: None },
        };
    }

    /// A buzz at 125 Hz, or silence.
    fn audio(&mut self, sound: bool) -> Vec<u8> {
        let mut packet = self.header(0, self.timestamp);
        for _ in 0..FRAME {
            self.phase = (self.phase + 1) % 64;
            let sample = if sound { 6_000 - (self.phase as i16) * 187 } else { 0 };
            packet.push(g711::mu_encode(sample));
        }
        self.timestamp += FRAME as u32;
        packet
    }

    /// 20 ms of a voice.
    fn voiced(&mut self, frame: &[i16]) -> Vec<u8> {
        let mut packet = self.header(0, self.timestamp);
        packet.extend((0..FRAME).map(|at| g711::mu_encode(frame.get(at).copied().unwrap_or(0))));
        self.timestamp += FRAME as u32;
        packet
    }

    /// One packet of a key (RFC 4733): three of its course, three of its end, five of silence.
    fn key(&mut self, now: Instant) -> Vec<u8> {
        let Doing::Typing { keys, packet, start } = &mut self.doing else { return self.audio(false) };
        let Some(key) = keys.front().copied() else {
            self.doing = Doing::Waiting { since: Some(now) };
            return self.audio(false);
        };
        let n = *packet;
        *packet += 1;
        if n == 0 {
            *start = self.timestamp;
        }
        let start = *start;
        if n >= 6 {
            if n == 10 {
                keys.pop_front();
                *packet = 0;
            }
            return self.audio(false);
        }
        let code = match key {
            b'*' => 10,
            b'#' => 11,
            digit => digit - b'0',
        };
        let duration = (u16::min(n, 3) + 1) * FRAME as u16;
        let mut out = self.header(101, start);
        out.extend([code, if n >= 3 { 0x8a } else { 0x0a }]);
        out.extend(duration.to_be_bytes());
        self.timestamp += FRAME as u32;
        out
    }

    fn header(&mut self, payload_type: u8, timestamp: u32) -> Vec<u8> {
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(77_u32.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }
}
