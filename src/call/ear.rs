//! What a caller says, as soon as its packet is there: packets in their order, without the wait of the jitter buffer.
//!
//! Hearing need not be even in time, as playing must be; it only must not lose anything. A packet that follows the last one is
//! heard when it arrives; one that is ahead waits for those before it, as long as two more packets or 40 ms; what never
//! comes is concealed. While nothing comes at all time passes as silence. Fixed memory, no allocation after
//! [`Ear::new`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::{AudioError, Codec, Decoder, FRAME_MS, Frame};

/// Packets that wait for one before them.
const HELD: usize = 3;
/// The longest that they wait.
const MISSING: Duration = Duration::from_millis(40);
/// A packet further ahead is another beginning: nothing is awaited.
const FAR: u64 = 50;
/// Of a gap, frames that are concealed: beyond them concealment is silent anyway.
const CONCEALED: u64 = 3;
/// So long nothing may come before it is taken for silence: what is late by less is heard without a gap.
const QUIET: Duration = Duration::from_millis(60);
/// Frames that wait to be taken, after each packet and each tick: more than a packet of 120 ms and those that it held up.
const READY: usize = 24;
const FRAME: Duration = Duration::from_millis(FRAME_MS as u64);

/// 20 ms of the caller.
#[derive(Debug, Clone, Copy)]
pub struct Overheard {
    /// The sound.
    pub frame: Frame,
    /// When its packet arrived; `None` where nothing came.
    pub arrived: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    sequence: u64,
    length: usize,
    arrived: Instant,
}

/// The ear for one leg.
#[derive(Debug)]
pub struct Ear {
    codec: Codec,
    decoder: Decoder,
    /// Number of the packet that is heard next, extended.
    next: Option<u64>,
    held: [Option<Held>; HELD],
    bytes: Box<[u8]>,
    ready: VecDeque<Overheard>,
    /// When the sound that was heard is over, as the sender's time goes.
    until: Instant,
}

impl Ear {
    /// Hears nothing yet. Fails only if the codec is not built in.
    pub fn new(codec: Codec, now: Instant) -> Result<Self, AudioError> {
        Ok(Self {
            codec,
            decoder: Decoder::new(codec)?,
            next: None,
            held: [None; HELD],
            bytes: vec![0; HELD * codec.max_payload()].into(),
            ready: VecDeque::with_capacity(READY),
            until: now,
        })
    }

    /// Another stream begins: nothing of the old one is awaited.
    pub fn restart(&mut self) {
        self.next = None;
        self.held = [None; HELD];
    }

    /// The stream goes on in another codec.
    pub fn change(&mut self, codec: Codec) -> Result<(), AudioError> {
        *self = Self::new(codec, self.until)?;
        Ok(())
    }

    /// A packet of audio, by its extended sequence number.
    pub fn audio(&mut self, now: Instant, sequence: u64, payload: &[u8]) {
        self.arrive(now, sequence, Some(payload));
    }

    /// A packet that carries no audio.
    pub fn other(&mut self, now: Instant, sequence: u64) {
        self.arrive(now, sequence, None);
    }

    fn arrive(&mut self, now: Instant, sequence: u64, payload: Option<&[u8]>) {
        let next = *self.next.get_or_insert(sequence);
        if sequence < next {
            return;
        }
        if sequence > next + FAR {
            self.restart();
            self.next = Some(sequence);
        }
        if self.next == Some(sequence) {
            self.hear(now, payload);
            return self.follow();
        }
        self.hold(now, sequence, payload.unwrap_or_default());
    }

    /// Keeps a packet until those before it are there; without room for it, those are given up.
    fn hold(&mut self, now: Instant, sequence: u64, payload: &[u8]) {
        if self.held.iter().flatten().any(|held| held.sequence == sequence) {
            return;
        }
        let room = self.codec.max_payload();
        let free = self.held.iter().position(Option::is_none);
        let Some(slot) = free.filter(|_| payload.len() <= room) else {
            self.give_up();
            return self.arrive(now, sequence, (!payload.is_empty()).then_some(payload));
        };
        self.bytes[slot * room..slot * room + payload.len()].copy_from_slice(payload);
        self.held[slot] = Some(Held { sequence, length: payload.len(), arrived: now });
        if free == Some(HELD - 1) {
            self.give_up();
        }
    }

    /// Hears what was held and comes next now.
    fn follow(&mut self) {
        let room = self.codec.max_payload();
        while let Some(slot) =
            self.held.iter().position(|held| held.is_some_and(|held| Some(held.sequence) == self.next))
        {
            let Some(held) = self.held[slot].take() else { return };
            let mut payload = [0; crate::call::leg::MAX_PACKET];
            let payload = &mut payload[..held.length];
            payload.copy_from_slice(&self.bytes[slot * room..slot * room + held.length]);
            self.hear(held.arrived, (held.length > 0).then_some(payload));
        }
    }

    /// What is missing before the first held packet will not come.
    fn give_up(&mut self) {
        let first = self.held.iter().flatten().map(|held| held.sequence).min();
        let (Some(first), Some(next)) = (first, self.next) else { return };
        for _ in 0..first.saturating_sub(next).min(CONCEALED) {
            self.decoder.conceal();
            self.decoded(None);
        }
        self.next = Some(first);
        self.follow();
    }

    /// The packet that was awaited.
    fn hear(&mut self, arrived: Instant, payload: Option<&[u8]>) {
        self.next = self.next.map(|next| next + 1);
        if let Some(payload) = payload {
            if self.decoder.feed(payload).is_err() {
                self.decoder.conceal();
            }
            self.decoded(Some(arrived));
            // Clocks differ, and the net is uneven: what came is never further from now than this.
            self.until = self.until.clamp(arrived.checked_sub(QUIET).unwrap_or(arrived), arrived + QUIET);
        }
    }

    fn decoded(&mut self, arrived: Option<Instant>) {
        while let Some(frame) = self.decoder.take() {
            self.push(Overheard { frame, arrived });
        }
    }

    fn push(&mut self, heard: Overheard) {
        if self.ready.len() == READY {
            self.ready.pop_front();
        }
        self.ready.push_back(heard);
        self.until += FRAME;
    }

    /// Time passes: what waits too long is given up, and what does not come is silence.
    pub fn tick(&mut self, now: Instant) {
        let waits = |held: &Held| now.saturating_duration_since(held.arrived) >= MISSING;
        if self.held.iter().flatten().any(waits) {
            self.give_up();
        }
        while now.saturating_duration_since(self.until) > QUIET {
            if now.saturating_duration_since(self.until) > FRAME * READY as u32 {
                self.until = now;
            }
            self.push(Overheard { frame: Frame::silence(self.codec.rate()), arrived: None });
        }
    }

    /// The next 20 ms that were heard.
    pub fn poll(&mut self) -> Option<Overheard> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn ear() -> (Ear, Instant) {
        let now = Instant::now();
        (Ear::new(Codec::Pcmu, now).expect("G.711 is built in"), now)
    }

    /// A frame whose loudness tells which it is.
    fn payload(n: u64) -> [u8; 160] {
        [crate::audio::g711::mu_encode(500 * (n as i16 + 1)); 160]
    }

    fn heard(ear: &mut Ear) -> Vec<i16> {
        std::iter::from_fn(|| ear.poll())
            .map(|heard| (f32::from(heard.frame.samples()[100]) / 500.0).round() as i16 - 1)
            .collect()
    }

    #[test]
    fn what_is_in_order_is_heard_when_it_arrives() {
        let (mut ear, now) = ear();
        for n in 0..5 {
            ear.audio(now + FRAME * n as u32, n, &payload(n));
            assert_eq!(heard(&mut ear), [n as i16]);
        }
        ear.audio(now + FRAME * 5, 3, &payload(3));
        assert!(heard(&mut ear).is_empty(), "a duplicate");
    }

    #[test]
    fn one_that_overtakes_waits_and_one_that_is_lost_is_concealed() {
        let (mut ear, now) = ear();
        let at = |n: u64| now + FRAME * n as u32;
        ear.audio(at(0), 0, &payload(0));
        ear.audio(at(1), 2, &payload(2));
        assert_eq!(heard(&mut ear), [0]);
        ear.audio(at(1), 1, &payload(1));
        assert_eq!(heard(&mut ear), [1, 2]);
        // Three is lost: after two more packets, or 40 ms, nobody waits for it.
        ear.audio(at(4), 4, &payload(4));
        ear.audio(at(5), 5, &payload(5));
        ear.tick(at(5));
        assert!(heard(&mut ear).is_empty());
        ear.tick(at(6));
        let all: Vec<_> = std::iter::from_fn(|| ear.poll()).collect();
        assert_eq!(all.iter().map(|heard| heard.arrived).collect::<Vec<_>>(), [None, Some(at(4)), Some(at(5))]);
        ear.audio(at(7), 3, &payload(3));
        assert!(heard(&mut ear).is_empty(), "too late");
        // A number without audio is awaited like any other.
        ear.other(at(7), 6);
        ear.audio(at(8), 7, &payload(7));
        assert_eq!(heard(&mut ear), [7]);
    }

    #[test]
    fn while_nothing_comes_time_passes_as_silence_and_all_in_all_at_the_senders_pace() {
        let (mut ear, now) = ear();
        let mut frames = 0;
        for tick in 0..500u64 {
            let at = now + FRAME * tick as u32;
            // The path stops for a second; then what was sent comes at once, but for half of it.
            if !(100..150).contains(&tick) {
                ear.audio(at, tick, &payload(tick % 20));
            }
            ear.tick(at);
            frames += std::iter::from_fn(|| ear.poll()).count() as u64;
            assert!(frames + 4 >= tick && frames <= tick + 5, "tick {tick}: {frames}");
        }
    }

    #[test]
    fn a_beginning_far_ahead_awaits_nothing() {
        let (mut ear, now) = ear();
        ear.audio(now, 10, &payload(1));
        ear.audio(now, 2_000, &payload(2));
        assert_eq!(heard(&mut ear), [1, 2]);
        ear.restart();
        ear.audio(now, 5, &payload(3));
        assert_eq!(heard(&mut ear), [3]);
    }
}
