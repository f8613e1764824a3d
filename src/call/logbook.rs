//! Keeps what a call leaves behind: turns, events, and what was really heard of each answer.

use std::time::Instant;

use jiff::civil::DateTime;

use crate::call::profile::Profile;
use crate::call::record::{CallRecord, Event, MediaStats, Outcome, Turn};
use crate::dialplan::script::CallBack;
use crate::pii::Pii;

/// Turns and events that one record holds; a caller who talks for hours is cut off here, not in memory.
const MOST: usize = 2_000;

/// What is known of a call before it is answered.
#[derive(Debug, Clone)]
pub struct Header {
    /// Unique, sortable by start.
    pub id: String,
    /// Start, Unix milliseconds.
    pub started_ms: i64,
    /// The same, by the clock on the wall: greetings and "tomorrow" go by it.
    pub local: DateTime,
    /// Number or address of the caller.
    pub caller: Pii<String>,
    /// The name that the caller's network gives.
    pub caller_name: Option<Pii<String>>,
    /// The number that was dialled.
    pub called: String,
    /// "sip" or "webrtc".
    pub transport: String,
    /// What was asked for, where it is we who call.
    pub callback: Option<CallBack>,
    /// What is known of the caller from earlier calls.
    pub profile: Profile,
}

/// The growing record.
pub(super) struct Logbook {
    header: Header,
    plan: String,
    codec: String,
    begin: Instant,
    turns: Vec<Turn>,
    events: Vec<Event>,
    peak: Option<f32>,
    outcome: Option<Outcome>,
}

impl Logbook {
    pub(super) fn new(header: Header, plan: String, codec: String, begin: Instant) -> Self {
        Self { header, plan, codec, begin, turns: Vec::new(), events: Vec::new(), peak: None, outcome: None }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Milliseconds since the call was answered.
    pub(super) fn ms(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.begin).as_millis() as u64
    }

    pub(super) fn event(&mut self, now: Instant, what: impl Into<String>) {
        if self.events.len() < MOST {
            let at_ms = self.ms(now);
            self.events.push(Event { at_ms, what: what.into() });
        }
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        if self.turns.len() < MOST {
            self.turns.push(turn);
        }
    }

    pub(super) fn frustration(&mut self, score: f32) {
        self.peak = Some(self.peak.map_or(score, |peak| peak.max(score)));
    }

    pub(super) fn last_turn(&mut self) -> Option<&mut Turn> {
        self.turns.last_mut()
    }

    /// Adds to the answer of the last turn what was heard of it.
    pub(super) fn heard(&mut self, now: Instant, text: &str, masked: bool) {
        let text = if masked { MASKED } else { text };
        match self.turns.last_mut() {
            Some(turn) if turn.answer.is_empty() => turn.answer.push_str(text),
            Some(turn) => {
                turn.answer.push(' ');
                turn.answer.push_str(text);
            }
            // Before the first turn there is none to answer: the greeting is an event.
            None => self.event(now, format!("said: {text}")),
        }
    }

    /// The first outcome stays: what follows is only its consequence.
    pub(super) fn outcome(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }

    pub(super) fn finish(self, now: Instant, media: MediaStats) -> CallRecord {
        let duration_ms = self.ms(now);
        CallRecord {
            id: self.header.id,
            started_ms: self.header.started_ms,
            duration_ms,
            caller: self.header.caller,
            called: self.header.called,
            transport: self.header.transport,
            plan: self.plan,
            codec: self.codec,
            outcome: self.outcome.unwrap_or(Outcome::CallerHungUp),
            turns: self.turns,
            events: self.events,
            frustration_peak: self.peak,
            // Known once the recording is closed.
            recording: None,
            media,
        }
    }
}

/// What stands in a record for a masked slot.
pub(super) use crate::dialplan::script::MASKED;

/// Hides runs of four or more digits: a number read out before it was asked for is none of the record's business.
pub(super) fn hide_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    let mut digits = 0;
    let flush = |run: &mut String, digits: &mut usize, out: &mut String| {
        if *digits >= 4 {
            let tail = run.len() - run.trim_end_matches(|c: char| !c.is_ascii_digit()).len();
            out.push_str(MASKED);
            out.push_str(&run[run.len() - tail..]);
        } else {
            out.push_str(run);
        }
        run.clear();
        *digits = 0;
    };
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits += 1;
            run.push(c);
        } else if digits > 0 && matches!(c, ' ' | ',' | '-' | '.') {
            run.push(c);
        } else {
            flush(&mut run, &mut digits, &mut out);
            out.push(c);
        }
    }
    flush(&mut run, &mut digits, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_hidden_and_short_ones_are_not() {
        assert_eq!(hide_digits("it is 1234 5678."), "it is ‹masked›.");
        assert_eq!(hide_digits("one, 1, 2, 3, 4, please"), "one, ‹masked›, please");
        assert_eq!(hide_digits("at 10 or 12"), "at 10 or 12");
        assert_eq!(hide_digits("12345"), "‹masked›");
    }
}
