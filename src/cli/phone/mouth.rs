//! What the telephone sends: one packet each 20 ms, speech, silence or a key (RFC 3550, RFC 4733).

use std::collections::VecDeque;

use super::FRAME;
use crate::audio::g711;
use crate::sip::{MediaCodec, Negotiated};

/// Packets of a key before its end: 100 ms.
const KEY_PACKETS: u16 = 5;
/// Redundant packets of its end (RFC 4733, 2.5.1.4).
const END_PACKETS: usize = 3;
/// Silence between two keys, packets.
const KEY_GAP: usize = 5;

/// The sending side.
pub(super) struct Mouth {
    codec: MediaCodec,
    payload_type: u8,
    event_payload_type: Option<u8>,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Packets of keys that are still to go out.
    events: VecDeque<Event>,
    /// 20 ms steps so far.
    pub(super) ticks: u64,
    /// What was said, laid out by time.
    pub(super) said: Vec<i16>,
}

#[derive(Clone, Copy)]
enum Event {
    Packet { code: u8, start: u32, duration: u16, first: bool, end: bool },
    Gap,
}

impl Mouth {
    pub(super) fn new(negotiated: &Negotiated) -> Self {
        Self {
            codec: negotiated.codec,
            payload_type: negotiated.payload_type,
            event_payload_type: negotiated.event_payload_type,
            ssrc: rand::random(),
            sequence: rand::random(),
            timestamp: rand::random(),
            events: VecDeque::new(),
            ticks: 0,
            said: Vec::new(),
        }
    }

    /// Queues a string of keys. False when the far end takes none.
    pub(super) fn type_keys(&mut self, keys: &str) -> bool {
        if self.event_payload_type.is_none() {
            return false;
        }
        let mut start = self.timestamp;
        for code in keys.chars().filter_map(code) {
            for n in 1..=KEY_PACKETS {
                let duration = n * FRAME as u16;
                self.events.push_back(Event::Packet { code, start, duration, first: n == 1, end: false });
            }
            let duration = (KEY_PACKETS + 1) * FRAME as u16;
            let end = Event::Packet { code, start, duration, first: false, end: true };
            self.events.extend([end; END_PACKETS]);
            self.events.extend([Event::Gap; KEY_GAP]);
            start = start.wrapping_add((KEY_PACKETS as u32 + (END_PACKETS + KEY_GAP) as u32) * FRAME as u32);
        }
        true
    }

    /// Whether keys are still going out.
    pub(super) fn is_typing(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Packet { .. }))
    }

    /// Builds the next 20 ms: a key if one is queued, else `speech`, else silence. The flag tells whether it is the first
    /// packet of a key's end.
    pub(super) fn packet(&mut self, speech: Option<&[i16]>, out: &mut Vec<u8>) -> bool {
        let mut pcm = [0_i16; FRAME];
        if let Some(speech) = speech {
            pcm[..speech.len()].copy_from_slice(speech);
        }
        self.said.extend_from_slice(&pcm);
        out.clear();
        let mut ends = false;
        match (self.events.pop_front(), self.event_payload_type) {
            (Some(Event::Packet { code, start, duration, first, end }), Some(payload_type)) => {
                self.header(out, payload_type, start, first);
                // RFC 4733, 2.3: event, E bit and volume, duration.
                out.extend_from_slice(&[code, if end { 0x8a } else { 0x0a }]);
                out.extend_from_slice(&duration.to_be_bytes());
                ends = end
                    && duration == (KEY_PACKETS + 1) * FRAME as u16
                    && !matches!(self.events.front(), Some(Event::Packet { end: false, .. }))
                    && self.events.iter().take_while(|e| matches!(e, Event::Packet { .. })).count() == END_PACKETS - 1;
            }
            _ => {
                self.header(out, self.payload_type, self.timestamp, self.ticks == 0);
                out.extend(pcm.iter().map(|&sample| match self.codec {
                    MediaCodec::Pcmu => g711::mu_encode(sample),
                    MediaCodec::Pcma => g711::a_encode(sample),
                }));
            }
        }
        self.timestamp = self.timestamp.wrapping_add(FRAME as u32);
        self.ticks += 1;
        ends
    }

    fn header(&mut self, out: &mut Vec<u8>, payload_type: u8, timestamp: u32, marker: bool) {
        out.extend_from_slice(&[0x80, payload_type | u8::from(marker) << 7]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// RFC 4733, table 3.
fn code(key: char) -> Option<u8> {
    match key {
        '0'..='9' => Some(key as u8 - b'0'),
        '*' => Some(10),
        '#' => Some(11),
        'A'..='D' => Some(key as u8 - b'A' + 12),
        _ => None,
    }
}
