//! Keys pressed, collected into entries: inter-digit time, terminator, clear, type-ahead.
//!
//! Owns when an entry is complete. Never decides what it means, and never reads the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Keys held while nobody waits for them. Past this a key is dropped and counted ([`Keypad::dropped`]).
pub const TYPE_AHEAD: usize = 32;

/// The longest entry; an [`EntryRule`] asking for more is held to it.
pub const LONGEST: usize = 64;

/// When an entry is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRule {
    /// Least and most keys. The most completes at once; fewer than the least are given up with the inter-digit time.
    pub length: (usize, usize),
    /// The key that completes an entry early and is not part of it, usually `#`.
    pub terminator: Option<char>,
    /// How long to wait for the next key, in ms.
    pub inter_digit_ms: u64,
}

impl EntryRule {
    /// One key completes: a menu. Every key counts, `#` and `*` too.
    pub fn menu() -> Self {
        Self { length: (1, 1), terminator: None, inter_digit_ms: 3_000 }
    }

    /// A number of `least` to `most` keys, ended by `#` or by three seconds without a key.
    pub fn number(least: usize, most: usize) -> Self {
        Self { length: (least, most), terminator: Some('#'), inter_digit_ms: 3_000 }
    }
}

/// A finished entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The keys, without the terminator.
    pub keys: String,
    /// What finished it.
    pub end: EntryEnd,
}

/// What finished an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryEnd {
    /// As many keys as there may be.
    Full,
    /// The terminator.
    Terminated,
    /// The inter-digit time ran out.
    TimedOut,
}

/// Collects a leg's keys. Keys that come while no entry is asked for wait in a bounded type-ahead buffer.
#[derive(Debug, Default)]
pub struct Keypad {
    rule: Option<EntryRule>,
    keys: String,
    deadline: Option<Instant>,
    ahead: VecDeque<char>,
    /// After an entry that was full: the key that would have ended it, and how long it is waited for.
    full: Option<(char, Instant)>,
    dropped: u64,
}

impl Keypad {
    /// A keypad that waits for an entry from the start.
    pub fn new(rule: EntryRule) -> Self {
        Self { rule: Some(rule), ..Self::default() }
    }

    /// A keypad that nobody listens to yet: keys are typed ahead.
    pub fn idle() -> Self {
        Self::default()
    }

    /// Asks for an entry; keys typed ahead count first, and may complete it at once.
    pub fn expect(&mut self, now: Instant, rule: EntryRule) -> Option<Entry> {
        self.rule = Some(rule);
        self.keys.clear();
        self.deadline = None;
        while let Some(key) = self.ahead.pop_front() {
            if let Some(entry) = self.take(now, rule, key) {
                return Some(entry);
            }
        }
        None
    }

    /// Stops asking: an unfinished entry is forgotten, keys that come from now on are typed ahead.
    pub fn ignore(&mut self) {
        self.rule = None;
        self.keys.clear();
        self.deadline = None;
    }

    /// Forgets what was typed ahead, as after an error prompt.
    pub fn flush(&mut self) {
        self.ahead.clear();
    }

    /// A key was pressed. Characters that are on no telephone (0–9, `*`, `#`, A–D) are ignored.
    pub fn press(&mut self, now: Instant, key: char) -> Option<Entry> {
        let key = key.to_ascii_uppercase();
        if !matches!(key, '0'..='9' | '*' | '#' | 'A'..='D') {
            return None;
        }
        if self.is_afterthought(now, key) {
            return None;
        }
        if let Some(rule) = self.rule {
            return self.take(now, rule, key);
        }
        if self.ahead.len() < TYPE_AHEAD {
            self.ahead.push_back(key);
        } else {
            self.dropped += 1;
        }
        None
    }

    /// When [`Keypad::expire`] is to be called; `None` while no entry is under way.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Completes the entry when its time has run out; too few keys are still given back, for the script to judge.
    pub fn expire(&mut self, now: Instant) -> Option<Entry> {
        self.deadline.filter(|deadline| now >= *deadline)?;
        self.finish(EntryEnd::TimedOut)
    }

    /// Whether a key of an unfinished entry has been pressed.
    pub fn is_collecting(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether more than one key is waited for.
    pub fn collects_number(&self) -> bool {
        self.rule.is_some_and(|rule| rule.length.1 > 1)
    }

    /// Keys lost because the type-ahead buffer was full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether `key` ends an entry that is already complete: people press `#` after the last digit all the same.
    fn is_afterthought(&mut self, now: Instant, key: char) -> bool {
        self.full.take().is_some_and(|(terminator, until)| key == terminator && now <= until)
    }

    fn take(&mut self, now: Instant, rule: EntryRule, key: char) -> Option<Entry> {
        let most = rule.length.1.clamp(1, LONGEST);
        if rule.terminator == Some(key) {
            // A terminator before any key is a slip, not an empty entry, unless nothing is allowed as an answer.
            return if self.keys.is_empty() && rule.length.0 > 0 { None } else { self.finish(EntryEnd::Terminated) };
        }
        if key == '*' && rule.terminator.is_some() {
            self.keys.clear();
            self.deadline = None;
            return None;
        }
        self.keys.push(key);
        if self.keys.len() >= most {
            let until = now + Duration::from_millis(rule.inter_digit_ms);
            self.full = rule.terminator.map(|terminator| (terminator, until));
            return self.finish(EntryEnd::Full);
        }
        self.deadline = Some(now + Duration::from_millis(rule.inter_digit_ms));
        None
    }

    fn finish(&mut self, end: EntryEnd) -> Option<Entry> {
        self.rule = None;
        self.deadline = None;
        Some(Entry { keys: std::mem::take(&mut self.keys), end })
    }
}

/// Notices a key that is pressed in anger: the same one again and again, where no number is asked for.
#[derive(Debug, Default)]
pub struct Mashing {
    last: Option<(char, Instant)>,
    times: u32,
}

impl Mashing {
    /// So often in a row, each within so long of the one before.
    const TIMES: u32 = 5;
    const WITHIN: Duration = Duration::from_secs(1);

    /// A key was pressed. True for the one that makes it mashing; the count begins again then.
    pub fn press(&mut self, now: Instant, key: char) -> bool {
        let again = self.last.is_some_and(|(last, at)| last == key && now <= at + Self::WITHIN);
        self.last = Some((key, now));
        self.times = if again { self.times + 1 } else { 1 };
        let mashing = self.times >= Self::TIMES;
        if mashing {
            self.times = 0;
        }
        mashing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment to count from; tests read no clock more than once.
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for virtual time")]
    fn origin() -> Instant {
        Instant::now()
    }

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn press_all(pad: &mut Keypad, now: Instant, keys: &str) -> Option<Entry> {
        keys.chars().fold(None, |done, key| done.or(pad.press(now, key)))
    }

    #[test]
    fn entries_complete() {
        let number = EntryRule::number(4, 8);
        let rows: &[(EntryRule, &str, Option<(&str, EntryEnd)>)] = &[
            (number, "12345678", Some(("12345678", EntryEnd::Full))),
            (number, "1234#", Some(("1234", EntryEnd::Terminated))),
            (number, "12*5678#", Some(("5678", EntryEnd::Terminated))),
            (number, "#1234#", Some(("1234", EntryEnd::Terminated))),
            (number, "12x34#", Some(("1234", EntryEnd::Terminated))),
            (number, "123", None),
            (EntryRule::menu(), "1", Some(("1", EntryEnd::Full))),
            (EntryRule::menu(), "#", Some(("#", EntryEnd::Full))),
            (EntryRule::menu(), "*", Some(("*", EntryEnd::Full))),
        ];
        for (rule, keys, expected) in rows {
            let entry = press_all(&mut Keypad::new(*rule), origin(), keys);
            let expected = expected.map(|(keys, end)| Entry { keys: keys.to_string(), end });
            assert_eq!(entry, expected, "{keys}");
        }
    }

    #[test]
    fn each_key_pushes_the_deadline_and_its_passing_completes() {
        let start = origin();
        let mut pad = Keypad::new(EntryRule::number(4, 8));
        assert_eq!(pad.deadline(), None);
        pad.press(start, '1');
        pad.press(at(start, 2_999), '2');
        assert_eq!(pad.deadline(), Some(at(start, 5_999)));
        assert_eq!(pad.expire(at(start, 5_998)), None);
        let entry = pad.expire(at(start, 5_999)).expect("an entry");
        assert_eq!((entry.keys.as_str(), entry.end), ("12", EntryEnd::TimedOut));
        assert_eq!(pad.deadline(), None);
    }

    #[test]
    fn keys_typed_ahead_serve_the_next_entries_in_order() {
        let start = origin();
        let mut pad = Keypad::idle();
        assert_eq!(press_all(&mut pad, start, "21234#9"), None);
        assert_eq!(pad.expect(start, EntryRule::menu()).map(|e| e.keys), Some("2".to_string()));
        assert_eq!(pad.expect(start, EntryRule::number(4, 8)).map(|e| e.keys), Some("1234".to_string()));
        assert_eq!(pad.expect(start, EntryRule::number(2, 4)), None);
        assert!(pad.is_collecting());
    }

    #[test]
    fn type_ahead_is_bounded_and_counts_what_it_drops() {
        let mut pad = Keypad::idle();
        for _ in 0..TYPE_AHEAD + 5 {
            pad.press(origin(), '1');
        }
        assert_eq!(pad.dropped(), 5);
        pad.flush();
        assert_eq!(pad.expect(origin(), EntryRule::menu()), None);
    }

    #[test]
    fn an_entry_that_nobody_wants_any_more_is_forgotten() {
        let mut pad = Keypad::new(EntryRule::number(4, 8));
        pad.press(origin(), '1');
        pad.ignore();
        assert!(!pad.is_collecting());
        assert_eq!(pad.deadline(), None);
    }

    #[test]
    fn a_terminator_after_a_full_entry_is_no_key_of_the_next() {
        let now = origin();
        let mut keypad = Keypad::new(EntryRule::number(2, 2));
        keypad.press(now, '1');
        assert_eq!(keypad.press(now, '2').map(|entry| entry.keys), Some("12".to_string()));
        keypad.expect(now, EntryRule::menu());
        assert_eq!(keypad.press(now + Duration::from_millis(200), '#'), None);
        assert_eq!(keypad.press(now + Duration::from_millis(400), '#').map(|entry| entry.keys), Some("#".to_string()));
    }

    #[test]
    fn the_same_key_again_and_again_is_mashing_and_a_number_is_not() {
        let now = origin();
        let pressed = |keys: &str, apart: u64| {
            let mut mashing = Mashing::default();
            let presses = keys.chars().enumerate().map(|(i, key)| mashing.press(at(now, apart * i as u64), key));
            presses.filter(|mashed| *mashed).count()
        };
        assert_eq!(pressed("00000", 200), 1);
        assert_eq!(pressed("0000000000", 200), 2);
        assert_eq!(pressed("00000", 1_500), 0);
        assert_eq!(pressed("0000", 200), 0);
        assert_eq!(pressed("12345678901200340056", 200), 0);
    }
}
