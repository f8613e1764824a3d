//! A call's timers: one table, one deadline.

use std::time::Instant;

/// What may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The caller says nothing.
    NoInput,
    /// A turn is not understood in time.
    Engine,
    /// The language of the caller's first words is not known in time.
    Language,
    /// It is not sure whether what is said over our line takes the floor.
    Doubt,
    /// The longest call.
    Longest,
    /// Between two keys.
    Keypad,
    /// The agent's telephone has rung long enough.
    Ring,
    /// No packet from the caller.
    Media,
    /// The goodbye cannot be rendered or played: the call ends all the same.
    Goodbye,
}

const ALL: [Timer; 9] = [
    Timer::NoInput,
    Timer::Engine,
    Timer::Language,
    Timer::Doubt,
    Timer::Longest,
    Timer::Keypad,
    Timer::Ring,
    Timer::Media,
    Timer::Goodbye,
];

/// When each runs out.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; ALL.len()]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }
    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }
    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }
    /// A timer that has run out; it is cleared.
    pub(super) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let index = self.0.iter().position(|at| at.is_some_and(|at| at <= now))?;
        self.0[index] = None;
        Some(ALL[index])
    }
}
