//! Telephone-events (RFC 4733): keypad digits in and out. Owns redundancy and time-out; never hears tones.

use std::time::{Duration, Instant};

/// Octets of an event payload.
pub const PAYLOAD: usize = 4;
/// After this long without a packet of it, an event is over: three of the longest usual packet intervals (50 ms).
pub const TIMEOUT: Duration = Duration::from_millis(150);
/// Digits that can wait to be collected or sent; further ones are dropped and counted.
pub const QUEUE: usize = 32;
/// Packets of 20 ms before the first end packet: a tone of 160 ms with it.
const TONE_PACKETS: u8 = 7;
/// The end packet and its two repetitions (2.5.1.4).
const END_PACKETS: u8 = 3;
/// Ticks of 20 ms between two digits.
const PAUSE_TICKS: u8 = 3;
/// −10 dBm0, the usual volume.
const VOLUME: u8 = 10;

/// A key that was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub digit: char,
    /// How long, in ms, as far as was heard.
    pub duration_ms: u32,
}

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).map(|&d| char::from(d))
}

fn event_of(digit: char) -> Option<u8> {
    DIGITS.iter().position(|&d| char::from(d) == digit.to_ascii_uppercase()).map(|i| i as u8)
}

/// A first-in, first-out of fixed size.
#[derive(Debug, Clone)]
struct Ring<T> {
    items: [Option<T>; QUEUE],
    first: usize,
    len: usize,
}

impl<T: Copy> Ring<T> {
    fn new() -> Self {
        Self { items: [None; QUEUE], first: 0, len: 0 }
    }
    fn push(&mut self, item: T) -> bool {
        if self.len == QUEUE {
            return false;
        }
        self.items[(self.first + self.len) % QUEUE] = Some(item);
        self.len += 1;
        true
    }
    fn pop(&mut self) -> Option<T> {
        let item = self.items[self.first].take()?;
        self.first = (self.first + 1) % QUEUE;
        self.len -= 1;
        Some(item)
    }
}

/// The event that packets are coming for.
#[derive(Debug, Clone, Copy)]
struct Current {
    event: u8,
    /// Start of the event: the timestamp all its packets share.
    timestamp: u32,
    /// Start of the segment of a long event (2.5.1.3).
    segment: u32,
    duration: u32,
    reported: bool,
    last_packet: Instant,
}

/// Makes digits of event packets: one each, however many packets were repeated or lost.
#[derive(Debug, Clone)]
pub struct EventReceiver {
    clock_rate: u32,
    current: Option<Current>,
    ready: Ring<Digit>,
    dropped: u64,
}

impl EventReceiver {
    /// For events whose timestamps run at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, current: None, ready: Ring::new(), dropped: 0 }
    }

    /// Takes a packet; `false` if its payload is no event. Finished digits wait for [`EventReceiver::poll`].
    pub fn receive(&mut self, now: Instant, timestamp: u32, marker: bool, payload: &[u8]) -> bool {
        let &[event, flags, high, low, ..] = payload else { return false };
        let end = flags & 0x80 != 0;
        let duration = u32::from(u16::from_be_bytes([high, low]));
        let belongs = match &self.current {
            Some(current) => {
                let age = timestamp.wrapping_sub(current.segment) as i32;
                let overtaken = (-10 * self.clock_rate as i32..0).contains(&age);
                if overtaken && timestamp != current.timestamp {
                    // A packet of an earlier event: that one has been reported.
                    return true;
                }
                overtaken || age == 0 || continues(current, event, timestamp, marker)
            }
            None => false,
        };
        if !belongs {
            self.finish();
            let fresh =
                Current { event, timestamp, segment: timestamp, duration: 0, reported: false, last_packet: now };
            self.current = Some(fresh);
        }
        if let Some(current) = &mut self.current {
            current.last_packet = now;
            current.segment = timestamp;
            let length = timestamp.wrapping_sub(current.timestamp).saturating_add(duration);
            current.duration = current.duration.max(length);
        }
        if end {
            self.finish();
        }
        true
    }

    /// The next finished digit. Called every tick, it also ends an event whose end packets were all lost.
    pub fn poll(&mut self, now: Instant) -> Option<Digit> {
        if self.current.is_some_and(|c| !c.reported && now.saturating_duration_since(c.last_packet) >= TIMEOUT) {
            self.finish();
        }
        self.ready.pop()
    }

    /// Digits lost because nobody collected them.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Reports the current event once; it stays, so that its late packets are known.
    fn finish(&mut self) {
        let Some(current) = &mut self.current else { return };
        if std::mem::replace(&mut current.reported, true) {
            return;
        }
        let Some(digit) = digit_of(current.event) else { return };
        let duration_ms = (u64::from(current.duration) * 1000 / u64::from(self.clock_rate)) as u32;
        if !self.ready.push(Digit { digit, duration_ms }) {
            self.dropped += 1;
        }
    }
}

/// Whether a packet with a new timestamp is the next segment of a tone longer than 0xFFFF units (2.5.1.3).
fn continues(current: &Current, event: u8, timestamp: u32, marker: bool) -> bool {
    !marker && !current.reported && event == current.event && timestamp.wrapping_sub(current.segment) == 0xFFFF
}

/// One packet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first packet of an event.
    pub marker: bool,
    /// The start of the event, in all its packets.
    pub timestamp: u32,
    /// The four octets.
    pub payload: [u8; PAYLOAD],
}

#[derive(Debug, Clone, Copy)]
struct Sending {
    event: u8,
    timestamp: u32,
    packets: u8,
}

/// Makes event packets of digits, one each 20 ms.
#[derive(Debug, Clone)]
pub struct EventSender {
    /// Units of the clock in 20 ms.
    tick: u16,
    waiting: Ring<u8>,
    sending: Option<Sending>,
    pause: u8,
}

impl EventSender {
    /// For a clock of `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self { tick: (clock_rate / 50) as u16, waiting: Ring::new(), sending: None, pause: 0 }
    }

    /// Queues a digit; `false` if it is none, or [`QUEUE`] wait already.
    pub fn push(&mut self, digit: char) -> bool {
        event_of(digit).is_some_and(|event| self.waiting.push(event))
    }

    /// Whether audio gives way to a digit in this tick or a later one.
    pub fn is_busy(&self) -> bool {
        self.sending.is_some() || self.waiting.len > 0
    }

    /// The packet of this tick, if one is due; `timestamp` is the tick's.
    pub fn next(&mut self, timestamp: u32) -> Option<EventPacket> {
        if self.sending.is_none() {
            if self.pause > 0 {
                self.pause -= 1;
                return None;
            }
            self.sending = self.waiting.pop().map(|event| Sending { event, timestamp, packets: 0 });
        }
        let sending = self.sending.as_mut()?;
        let marker = sending.packets == 0;
        sending.packets += 1;
        let end = sending.packets > TONE_PACKETS;
        // The end packets all carry the final duration.
        let duration = u16::from(sending.packets.min(TONE_PACKETS + 1)) * self.tick;
        let [high, low] = duration.to_be_bytes();
        let flags = VOLUME | if end { 0x80 } else { 0 };
        let packet = EventPacket { marker, timestamp: sending.timestamp, payload: [sending.event, flags, high, low] };
        if sending.packets == TONE_PACKETS + END_PACKETS {
            self.sending = None;
            self.pause = PAUSE_TICKS;
        }
        Some(packet)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
mod tests {
    use super::*;

    /// A packet of `event` as `(ms, timestamp, marker, event, end, duration)`.
    type Row = (u64, u32, bool, u8, bool, u16);

    fn play(rows: &[Row], until_ms: u64) -> Vec<(char, u32)> {
        let start = Instant::now();
        let mut receiver = EventReceiver::new(8_000);
        let mut heard = Vec::new();
        let mut rows = rows.iter().peekable();
        for ms in (0..=until_ms).step_by(10) {
            let now = start + Duration::from_millis(ms);
            while let Some(&(_, timestamp, marker, event, end, duration)) = rows.next_if(|r| r.0 <= ms) {
                let [high, low] = duration.to_be_bytes();
                assert!(receiver.receive(now, timestamp, marker, &[event, if end { 0x8A } else { 10 }, high, low]));
            }
            heard.extend(std::iter::from_fn(|| receiver.poll(now)).map(|d| (d.digit, d.duration_ms)));
        }
        heard
    }

    #[test]
    fn three_end_packets_make_one_digit() {
        let rows = [
            (0, 1_000, true, 5, false, 160),
            (20, 1_000, false, 5, false, 320),
            (40, 1_000, false, 5, true, 480),
            (60, 1_000, false, 5, true, 480),
            (80, 1_000, false, 5, true, 480),
        ];
        assert_eq!(play(&rows, 1_000), [('5', 60)]);
        assert_eq!(play(&rows[..2], 100), [], "nothing before the end");
        assert_eq!(play(&rows[4..], 100), [('5', 60)], "the last end packet is enough");
    }

    #[test]
    fn the_same_key_twice_is_two_digits() {
        let rows =
            [(0, 1_000, true, 7, true, 800), (200, 2_600, true, 7, true, 800), (220, 2_600, false, 7, true, 800)];
        assert_eq!(play(&rows, 1_000), [('7', 100), ('7', 100)]);
    }

    #[test]
    fn a_digit_whose_end_is_lost_comes_with_the_next_or_by_time_out() {
        let rows =
            [(0, 1_000, true, 1, false, 160), (20, 1_000, false, 1, false, 320), (100, 1_800, true, 2, false, 160)];
        assert_eq!(play(&rows[..2], 160), []);
        assert_eq!(play(&rows[..2], 170), [('1', 40)]);
        assert_eq!(play(&rows, 110), [('1', 40)]);
        assert_eq!(play(&rows, 1_000), [('1', 40), ('2', 20)]);
        let mut late = rows[..2].to_vec();
        late.push((500, 1_000, false, 1, true, 320));
        assert_eq!(play(&late, 1_000), [('1', 40)], "its late end packet is not a second digit");
    }

    #[test]
    fn reordered_packets_of_an_older_event_are_not_a_new_one() {
        let rows = [
            (0, 1_000, true, 1, true, 160),
            (40, 2_000, true, 2, false, 160),
            (60, 1_000, false, 1, true, 160),
            (80, 2_000, false, 2, true, 480),
        ];
        assert_eq!(play(&rows, 1_000), [('1', 20), ('2', 60)]);
    }

    #[test]
    fn a_very_long_tone_is_one_digit() {
        let rows = [
            (0, 0, true, 0, false, 0xFFFF),
            (8_190, 0xFFFF, false, 0, false, 160),
            (8_210, 0xFFFF, false, 0, true, 320),
        ];
        // Packets keep coming in between.
        let mut all = vec![rows[0]];
        all.extend((1..82).map(|i| (i * 100, 0, false, 0, false, (i * 800) as u16)));
        all.extend(&rows[1..]);
        assert_eq!(play(&all, 9_000), [('0', 8_231)]);
    }

    #[test]
    fn other_events_and_short_payloads_are_no_digits() {
        assert_eq!(play(&[(0, 0, true, 16, true, 160), (50, 800, true, 255, true, 160)], 1_000), []);
        assert!(!EventReceiver::new(8_000).receive(Instant::now(), 0, true, &[1, 2, 3]));
    }

    #[test]
    fn what_is_sent_is_received() {
        let mut sender = EventSender::new(8_000);
        for digit in "1#d".chars() {
            assert!(sender.push(digit));
        }
        assert!(!sender.push('x'));
        let start = Instant::now();
        let mut receiver = EventReceiver::new(8_000);
        let mut heard = String::new();
        let mut first = Vec::new();
        for tick in 0..60u32 {
            let now = start + Duration::from_millis(20) * tick;
            if let Some(packet) = sender.next(tick * 160) {
                first.push(packet);
                receiver.receive(now, packet.timestamp, packet.marker, &packet.payload);
            }
            heard.extend(receiver.poll(now).map(|d| d.digit));
        }
        assert_eq!(heard, "1#D");
        assert!(!sender.is_busy());
        let first = &first[..10];
        assert!(first[0].marker && first[1..].iter().all(|p| !p.marker));
        assert!(first.iter().all(|p| p.timestamp == 0));
        let durations: Vec<u16> = first.iter().map(|p| u16::from_be_bytes([p.payload[2], p.payload[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 960, 1_120, 1_280, 1_280, 1_280]);
        let ends: Vec<bool> = first.iter().map(|p| p.payload[1] & 0x80 != 0).collect();
        assert_eq!(ends, [false, false, false, false, false, false, false, true, true, true]);
    }

    #[test]
    fn a_full_queue_refuses() {
        let mut sender = EventSender::new(8_000);
        assert_eq!((0..40).filter(|_| sender.push('1')).count(), QUEUE);
    }
}
