//! The jitter buffer: packets in as they come, payloads out as they are to be heard. Fixed memory, no allocation after
//! [`JitterBuffer::new`].
//!
//! ```text
//! push ─▶ [seq mod 32 │ payload] … ─▶ pop, whenever the decoder runs dry
//!               │                      │
//!            delay.rs: target ─────────┴─ wait (start, after an underrun) · drop one (too far behind) · stretch (too close)
//! ```
//!
//! It plays by timestamp: a packet is due when the playout position has reached it. A hole with missing sequence numbers is
//! a loss and is to be concealed; one without is silence that was not sent. Numbers that carry no audio
//! (telephone-events) are marked by [`JitterBuffer::push_other`].

use std::time::{Duration, Instant};

use super::delay::Delay;
use super::sequence::Timestamps;

/// Packets held; a newer one pushes the oldest out (counted).
pub const SLOTS: usize = 32;
/// A transit that differs more from the baseline means that the sender's timestamps jumped, µs.
const JUMP_US: i64 = 1_000_000;
/// Playing this far behind is mended at once, µs.
const FAR_BEHIND_US: i64 = 300_000;
/// Playing a little too late is borne this long outside of silence, µs.
const PATIENCE_US: i64 = 2_000_000;
/// Between two changes of the delay, µs.
const SETTLE_US: i64 = 200_000;
/// One pop, µs.
const FRAME_US: i64 = 20_000;
/// Pops after the last packet that are to be concealed: beyond 60 ms concealment is silent anyway.
const CONCEALED_POPS: u32 = 3;

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// It will be played.
    Queued,
    /// The sender's timestamps jumped: what waited was dropped, the stream begins anew with this packet.
    Resynchronized,
    /// Its time has passed.
    Late,
    /// It is there already, or was played.
    Duplicate,
    /// Longer than a slot.
    TooBig,
}

/// What is to be heard next.
#[derive(Debug, PartialEq, Eq)]
pub enum Popped<'a> {
    /// A payload.
    Packet(&'a [u8]),
    /// 20 ms are missing: conceal.
    Lost,
    /// Nothing is being sent, or it is not time yet: silence.
    Empty,
}

/// What the buffer had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JitterCounters {
    /// Packets that came after their time.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Pops that found a packet missing while later ones waited.
    pub lost: u64,
    /// Times the buffer ran empty while playing.
    pub underruns: u64,
    /// Packets dropped to shorten the delay.
    pub shortened: u64,
    /// Frames concealed to lengthen the delay.
    pub stretched: u64,
    /// Packets pushed out by newer ones.
    pub overflowed: u64,
    /// Jumps of the sender's timestamps.
    pub resyncs: u64,
    /// Packets longer than a slot.
    pub too_big: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Audio,
    /// A number without audio.
    Other,
    Done,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    state: State,
    sequence: u64,
    timestamp: i64,
    duration: u32,
    length: usize,
    arrived: i64,
}

const FREE: Slot = Slot { state: State::Free, sequence: 0, timestamp: 0, duration: 0, length: 0, arrived: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was played yet.
    Idle,
    Playing,
    /// Ran empty, this many pops ago.
    Starved(u32),
}

/// The buffer of one source.
#[derive(Debug)]
pub struct JitterBuffer {
    clock_rate: u32,
    slot_size: usize,
    slots: [Slot; SLOTS],
    bytes: Box<[u8]>,
    epoch: Option<Instant>,
    timestamps: Timestamps,
    delay: Delay,
    phase: Phase,
    /// Number of the next packet to play, extended.
    next_sequence: u64,
    /// Playout position: the timestamp to be heard next, extended.
    position: i64,
    quiet: bool,
    /// Since when playout is later than it need be.
    behind_since: Option<i64>,
    changed: i64,
    waited_us: i64,
    arrived_us: i64,
    counters: JitterCounters,
}

impl JitterBuffer {
    /// For timestamps of `clock_rate` Hz and payloads of up to `slot_size` bytes; holds [`SLOTS`] of them.
    pub fn new(clock_rate: u32, slot_size: usize) -> Self {
        Self {
            clock_rate,
            slot_size,
            slots: [FREE; SLOTS],
            bytes: vec![0; SLOTS * slot_size].into(),
            epoch: None,
            timestamps: Timestamps::default(),
            delay: Delay::new(),
            phase: Phase::Idle,
            next_sequence: 0,
            position: 0,
            quiet: false,
            behind_since: None,
            changed: 0,
            waited_us: 0,
            arrived_us: 0,
            counters: JitterCounters::default(),
        }
    }

    /// Another source, or the same one begun again: drops what waits, keeps what is known of the network's jitter.
    pub fn reset(&mut self) {
        self.slots = [FREE; SLOTS];
        self.timestamps = Timestamps::default();
        self.delay.rebase();
        self.phase = Phase::Idle;
        self.behind_since = None;
    }

    /// Takes a packet: its extended sequence number, its timestamp, how long it plays (units of the clock).
    pub fn push(&mut self, now: Instant, sequence: u64, timestamp: u32, duration: u32, payload: &[u8]) -> Pushed {
        if payload.len() > self.slot_size {
            self.counters.too_big += 1;
            return Pushed::TooBig;
        }
        let now = self.micros(now);
        let mut extended = self.timestamps.extend(timestamp);
        let mut outcome = Pushed::Queued;
        let transit = now - self.in_micros(extended);
        if self.delay.is_known() && (transit - self.delay.baseline()).abs() > JUMP_US {
            self.reset();
            extended = self.timestamps.extend(timestamp);
            self.counters.resyncs += 1;
            outcome = Pushed::Resynchronized;
        }
        if self.is_duplicate(sequence) {
            self.counters.duplicates += 1;
            return Pushed::Duplicate;
        }
        let above = self.delay.observe(now, now - self.in_micros(extended));
        // What was concealed has been heard in another way.
        let passed = self.phase == Phase::Playing && extended + i64::from(duration) <= self.position;
        if passed || !self.admit(sequence) {
            self.delay.late(now, above);
            self.counters.late += 1;
            return Pushed::Late;
        }
        let index = (sequence % SLOTS as u64) as usize;
        self.slots[index] =
            Slot { state: State::Audio, sequence, timestamp: extended, duration, length: payload.len(), arrived: now };
        self.bytes[index * self.slot_size..][..payload.len()].copy_from_slice(payload);
        outcome
    }

    /// A valid packet of this source that carries no audio: its number is not missing.
    pub fn push_other(&mut self, sequence: u64) {
        // Before the first audio there is nothing that could be missing.
        if self.delay.is_known() && !self.is_duplicate(sequence) && self.admit(sequence) {
            self.slots[(sequence % SLOTS as u64) as usize] = Slot { state: State::Other, sequence, ..FREE };
        }
    }

    /// Whether the caller is silent at present: then the delay is changed at once, since nobody hears it.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// What is to be heard next; called whenever the decoder has less than 20 ms left.
    pub fn pop(&mut self, now: Instant) -> Popped<'_> {
        let now = self.micros(now);
        let Some(head) = self.head() else { return self.starve() };
        let slot = self.slots[head];
        match self.phase {
            Phase::Idle | Phase::Starved(_) if now < self.due(slot.timestamp) => return self.starve(),
            Phase::Playing if slot.timestamp > self.position => {
                // Not due yet: something before it is missing, or was never sent.
                let missing = self.first_unseen() < slot.sequence;
                if missing && now + FRAME_US <= self.due(self.position) {
                    // What is missing may only be late: since it must be concealed anyway, wait for it.
                    self.counters.stretched += 1;
                    return Popped::Lost;
                }
                self.position += i64::from(self.clock_rate / 50);
                self.counters.lost += u64::from(missing);
                return if missing { Popped::Lost } else { Popped::Empty };
            }
            Phase::Playing if self.should_stretch(now, slot.timestamp) => {
                self.counters.stretched += 1;
                self.changed = now;
                return Popped::Lost;
            }
            _ => {}
        }
        let head = self.shorten(now, head);
        let slot = self.slots[head];
        self.phase = Phase::Playing;
        self.waited_us = now - self.delay.baseline() - self.in_micros(slot.timestamp);
        self.arrived_us = slot.arrived;
        self.slots[head].state = State::Done;
        self.next_sequence = slot.sequence + 1;
        self.position = slot.timestamp + i64::from(slot.duration);
        Popped::Packet(&self.bytes[head * self.slot_size..][..slot.length])
    }

    /// How long the last played packet waited, from the time at which the fastest packets arrive.
    pub fn playout_delay(&self) -> Duration {
        Duration::from_micros(self.waited_us.max(0) as u64)
    }

    /// When the last played packet arrived.
    pub fn arrived(&self) -> Option<Instant> {
        Some(self.epoch? + Duration::from_micros(self.arrived_us.max(0) as u64))
    }

    /// The delay that the buffer aims at.
    pub fn target_delay(&self) -> Duration {
        Duration::from_micros(self.delay.target().max(0) as u64)
    }

    /// What it had to do so far.
    pub fn counters(&self) -> JitterCounters {
        self.counters
    }

    fn micros(&mut self, now: Instant) -> i64 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_micros() as i64
    }

    fn in_micros(&self, timestamp: i64) -> i64 {
        timestamp.saturating_mul(1_000_000) / i64::from(self.clock_rate)
    }

    fn due(&self, timestamp: i64) -> i64 {
        self.delay.baseline() + self.in_micros(timestamp) + self.delay.target()
    }

    fn is_duplicate(&self, sequence: u64) -> bool {
        let slot = &self.slots[(sequence % SLOTS as u64) as usize];
        slot.state != State::Free && slot.sequence == sequence
    }

    /// Makes room for a number; `false` if its time has passed.
    fn admit(&mut self, sequence: u64) -> bool {
        let nothing_waits = self.slots.iter().all(|slot| slot.state == State::Free);
        if self.phase == Phase::Idle && (nothing_waits || self.fits_before(sequence)) {
            self.next_sequence = sequence;
            return true;
        }
        if sequence < self.next_sequence {
            return false;
        }
        let oldest = (sequence + 1).saturating_sub(SLOTS as u64);
        if oldest > self.next_sequence {
            for slot in &mut self.slots {
                if slot.sequence < oldest && slot.state == State::Audio {
                    slot.state = State::Done;
                    self.counters.overflowed += 1;
                }
            }
            self.next_sequence = oldest;
        }
        true
    }

    /// Whether an earlier number can still become the first to play.
    fn fits_before(&self, sequence: u64) -> bool {
        let waiting = self.slots.iter().filter(|slot| slot.state != State::Free).map(|slot| slot.sequence);
        sequence < self.next_sequence && waiting.max().is_some_and(|newest| newest < sequence + SLOTS as u64)
    }

    /// Index of the first audio that waits.
    fn head(&self) -> Option<usize> {
        (self.next_sequence..self.next_sequence + SLOTS as u64)
            .map(|sequence| (sequence, (sequence % SLOTS as u64) as usize))
            .find(|&(sequence, index)| {
                self.slots[index].state == State::Audio && self.slots[index].sequence == sequence
            })
            .map(|(_, index)| index)
    }

    /// The first number from the next one on that has not come.
    fn first_unseen(&self) -> u64 {
        let mut sequence = self.next_sequence;
        while self.is_duplicate(sequence) {
            sequence += 1;
        }
        sequence
    }

    /// Nothing to play now.
    fn starve(&mut self) -> Popped<'static> {
        let pops = match self.phase {
            Phase::Idle => return Popped::Empty,
            Phase::Playing => {
                self.counters.underruns += 1;
                1
            }
            Phase::Starved(pops) => pops + 1,
        };
        self.phase = Phase::Starved(pops);
        if pops <= CONCEALED_POPS { Popped::Lost } else { Popped::Empty }
    }

    /// In silence, waits one frame more when the delay is a frame or more below the target.
    fn should_stretch(&self, now: i64, timestamp: i64) -> bool {
        self.quiet && now - self.changed > SETTLE_US && now + FRAME_US <= self.due(timestamp)
    }

    /// Skips packets when playout is later than it need be: at once in silence or when far behind, else after a while.
    fn shorten(&mut self, now: i64, mut head: usize) -> usize {
        let mut far = false;
        loop {
            let behind = now - self.due(self.slots[head].timestamp);
            far |= behind >= FAR_BEHIND_US;
            if self.phase != Phase::Playing || behind <= FRAME_US + FRAME_US / 2 {
                self.behind_since = None;
                return head;
            }
            let since = *self.behind_since.get_or_insert(now);
            let settled = now - self.changed > SETTLE_US;
            let patient = !self.quiet && now - since < PATIENCE_US;
            if !far && (!settled || patient) {
                return head;
            }
            let Some(next) = self.after(head) else { return head };
            self.slots[head].state = State::Done;
            self.next_sequence = self.slots[next].sequence;
            self.counters.shortened += 1;
            self.changed = now;
            head = next;
        }
    }

    /// The packet right behind, if it is there.
    fn after(&self, head: usize) -> Option<usize> {
        let slot = &self.slots[head];
        let next = (head + 1) % SLOTS;
        let follows = self.slots[next].state == State::Audio && self.slots[next].sequence == slot.sequence + 1;
        follows.then_some(next)
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
