//! From speech probabilities to utterances: where one starts, pauses and ends, and its sound.
//!
//! Owns the caller's sound while it may still be wanted (at most [`MAX_UTTERANCE_S`] and the lookback). Never reads a
//! clock: every time is a sample position of the leg, so results may come late and still be exact.
//!
//! ```text
//! probability  .1 .1 .7 .8 .9 .9 .2 .1 .8 .9 .2 .1 .1 .1 … .1
//! event              T  S           P  R        P            E
//! ```

use std::sync::Arc;

use crate::audio::Rate;

/// The longest sound that is held for one utterance, seconds; what goes on longer is ended there.
pub const MAX_UTTERANCE_S: u32 = 30;
/// Sound before the first speech window that belongs to the utterance: soft onsets are below the detector.
const PRE_ROLL_MS: u64 = 300;
/// Sound after the last speech window that belongs to it: soft endings likewise.
const POST_ROLL_MS: u64 = 200;
/// Sound that there is room for at first: twice what is kept while nobody speaks, and a little.
const ROOM_MS: u64 = 4_000;
/// Sound that is kept while nobody speaks: the pre-roll, and how late a probability may come.
const IDLE_MS: u64 = 1_500;
/// Probability from which a window is speech when there was none.
const ONSET: f32 = 0.5;
/// Probability down to which a window goes on being speech: lower than the onset, so that it does not flutter.
const SUSTAIN: f32 = 0.35;
/// Silence that makes a pause.
const PAUSE_MS: u64 = 64;
/// Speech between two partial results.
const PARTIAL_MS: u64 = 280;

/// When an utterance is one, and when it is over. A state of the script sets it: somebody who reads out digits pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpointing {
    /// Speech below this is a click, not an utterance, ms.
    pub min_speech_ms: u32,
    /// Silence that ends it, ms.
    pub end_silence_ms: u32,
    /// Longest utterance, seconds; at most [`MAX_UTTERANCE_S`].
    pub max_utterance_s: u32,
}

impl Default for Endpointing {
    fn default() -> Self {
        Self { min_speech_ms: 64, end_silence_ms: super::turn_end::PENDING_MS, max_utterance_s: MAX_UTTERANCE_S }
    }
}

impl Endpointing {
    /// For digits, letters and codes, which are said in groups.
    pub const fn digits() -> Self {
        Self { min_speech_ms: 64, end_silence_ms: 1_200, max_utterance_s: MAX_UTTERANCE_S }
    }
}

/// Why an utterance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// The silence after it was long enough.
    Silence,
    /// It reached the longest length.
    TooLong,
    /// The call cut it: a key was pressed, the leg is gone, the caller is being put through.
    Cut,
}

/// What happened. Positions are samples of the leg from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// One window of speech: perhaps the start of something (duck the playout).
    Tentative {
        /// Where that window begins.
        at: u64,
    },
    /// The tentative start came to nothing.
    Dismissed {
        /// Where that was known.
        at: u64,
    },
    /// Somebody speaks.
    Started {
        /// First sample of the first speech window.
        start: u64,
        /// Where that was known.
        at: u64,
    },
    /// Silence within, or at the end of, an utterance.
    Paused {
        /// End of the last speech window.
        at: u64,
    },
    /// The utterance goes on.
    Resumed {
        /// Where it goes on.
        at: u64,
    },
    /// The utterance is over.
    Ended {
        /// First sample of the first speech window.
        start: u64,
        /// End of the last speech window.
        end: u64,
        /// Why.
        reason: EndReason,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Silent,
    /// Since one window; `misses` windows of silence among them.
    Tentative {
        start: u64,
        speech: u64,
        misses: u8,
    },
    Speaking {
        start: u64,
        last_speech: u64,
    },
    Paused {
        start: u64,
        last_speech: u64,
    },
}

/// The utterances of one leg. Feed sound by [`Segmenter::audio`] and probabilities by [`Segmenter::voice`].
#[derive(Debug)]
pub struct Segmenter {
    rate: Rate,
    endpointing: Endpointing,
    state: State,
    /// Sound from `held_from` on. Its room is taken for what is kept of silence and short turns; long ones grow it, up to
    /// `most`.
    held: Vec<i16>,
    most: usize,
    held_from: u64,
    /// End of the last window.
    seen: u64,
    /// Bounds of the utterance that ended last: its sound can still be had until the next one starts.
    last: Option<(u64, u64)>,
    partial_at: u64,
    /// Silence that ends this pause, when it is not the usual one, ms.
    settled: Option<u32>,
    /// Silence that ended the last utterance, ms.
    waited_ms: u32,
}

impl Segmenter {
    /// Nothing heard yet, at position 0.
    pub fn new(rate: Rate, endpointing: Endpointing) -> Self {
        let most = (u64::from(MAX_UTTERANCE_S) * 1_000 + 2 * IDLE_MS) * u64::from(rate.hz()) / 1_000;
        let room = ROOM_MS * u64::from(rate.hz()) / 1_000;
        Self {
            rate,
            endpointing,
            state: State::Silent,
            held: Vec::with_capacity(room as usize),
            most: most as usize,
            held_from: 0,
            seen: 0,
            last: None,
            partial_at: 0,
            settled: None,
            waited_ms: 0,
        }
    }

    /// Sets what ends an utterance from now on, the present one included.
    pub fn set_endpointing(&mut self, endpointing: Endpointing) {
        self.endpointing = endpointing;
    }

    /// Takes the leg's next samples. All of the leg's sound must pass here, loud or not: positions are counted by it.
    pub fn audio(&mut self, pcm: &[i16]) {
        if self.held.len() + pcm.len() > self.held.capacity() {
            self.forget_before(self.wanted_from());
            let room = (2 * self.held.capacity()).min(self.most);
            if self.held.len() + pcm.len() > self.held.capacity() && room > self.held.capacity() {
                self.held.reserve_exact(room - self.held.len());
            }
            // Only when probabilities stopped coming in mid-utterance: the newest sound is what is kept.
            let surplus = (self.held.len() + pcm.len()).saturating_sub(self.held.capacity());
            self.forget_before(self.held_from + surplus as u64);
        } else if matches!(self.state, State::Silent) && self.held.len() as u64 >= self.samples(2 * IDLE_MS) {
            self.forget_before(self.wanted_from());
        }
        let room = self.held.capacity() - self.held.len();
        let skipped = pcm.len().saturating_sub(room);
        self.held_from += skipped as u64;
        self.held.extend_from_slice(&pcm[skipped..]);
    }

    /// Takes the speech probability (0..1) of the window that ends at `position`. While the gate is closed, and no
    /// probability is computed, pass 0. A position that does not go forward is ignored.
    pub fn voice(&mut self, position: u64, probability: f32) -> Option<Event> {
        if position <= self.seen {
            return None;
        }
        let probability = if probability.is_nan() { 0.0 } else { probability };
        let from = self.seen.max(position.saturating_sub(self.samples(100)));
        self.seen = position;
        match self.state {
            State::Silent => self.in_silence(from, position, probability),
            State::Tentative { start, speech, misses } => {
                if probability >= ONSET {
                    let speech = speech + (position - from);
                    if speech >= self.samples(u64::from(self.endpointing.min_speech_ms)) {
                        self.state = State::Speaking { start, last_speech: position };
                        self.partial_at = start + self.samples(PARTIAL_MS);
                        return Some(Event::Started { start, at: position });
                    }
                    self.state = State::Tentative { start, speech, misses };
                    None
                } else if misses >= 1 {
                    self.state = State::Silent;
                    Some(Event::Dismissed { at: position })
                } else {
                    self.state = State::Tentative { start, speech, misses: misses + 1 };
                    None
                }
            }
            State::Speaking { start, last_speech } => self.in_speech(start, last_speech, position, probability),
            State::Paused { start, last_speech } => {
                if probability >= ONSET {
                    self.settled = None;
                    self.state = State::Speaking { start, last_speech: position };
                    return Some(Event::Resumed { at: from });
                }
                self.end_if_silent(start, last_speech)
            }
        }
    }

    /// Sets the silence that ends the utterance at the present pause, until it goes on; `None` is the usual one. May end it
    /// at once.
    pub fn settle(&mut self, silence_ms: Option<u32>) -> Option<Event> {
        let State::Paused { start, last_speech } = self.state else { return None };
        self.settled = silence_ms;
        self.end_if_silent(start, last_speech)
    }

    /// Silence that had to pass for the last utterance to end, ms.
    pub fn waited_ms(&self) -> u32 {
        self.waited_ms
    }

    fn end_if_silent(&mut self, start: u64, last_speech: u64) -> Option<Event> {
        let wait = self.settled.unwrap_or(self.endpointing.end_silence_ms);
        (self.seen - last_speech >= self.samples(wait.into())).then(|| {
            self.waited_ms = wait;
            self.end(start, last_speech, EndReason::Silence)
        })
    }

    /// Ends the utterance that is going on, if one is, where it stands.
    pub fn cut(&mut self) -> Option<Event> {
        match self.state {
            State::Speaking { start, last_speech } | State::Paused { start, last_speech } => {
                Some(self.end(start, last_speech, EndReason::Cut))
            }
            State::Tentative { .. } => {
                self.state = State::Silent;
                Some(Event::Dismissed { at: self.seen })
            }
            State::Silent => None,
        }
    }

    /// Whether an utterance is going on, pauses included.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Speaking { .. } | State::Paused { .. })
    }

    /// Samples of silence since the last speech of the utterance that is going on; 0 while speech lasts.
    pub fn silence(&self) -> u64 {
        match self.state {
            State::Paused { last_speech, .. } => self.seen - last_speech,
            _ => 0,
        }
    }

    /// True once per 500 ms of a running utterance: time for a partial result of [`Segmenter::pcm`].
    pub fn partial_due(&mut self) -> bool {
        let due = matches!(self.state, State::Speaking { .. }) && self.seen >= self.partial_at;
        if due {
            self.partial_at = self.seen + self.samples(PARTIAL_MS);
        }
        due
    }

    /// The sound of the running utterance till now, or of the last one, pre-roll and post-roll included; empty when
    /// there was none or it is no longer held. Allocates.
    pub fn pcm(&self) -> Arc<[i16]> {
        let (start, end) = match (self.state, self.last) {
            (State::Speaking { start, .. } | State::Paused { start, .. }, _) => (start, u64::MAX),
            (_, Some((start, end))) => (start, end.saturating_add(self.samples(POST_ROLL_MS))),
            (_, None) => return Arc::new([]),
        };
        let index = |at: u64| (at.saturating_sub(self.held_from) as usize).min(self.held.len());
        Arc::from(&self.held[index(start.saturating_sub(self.samples(PRE_ROLL_MS)))..index(end)])
    }

    /// The rate of positions and sound.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    fn samples(&self, ms: u64) -> u64 {
        ms * u64::from(self.rate.hz()) / 1_000
    }

    fn in_silence(&mut self, from: u64, position: u64, probability: f32) -> Option<Event> {
        if probability < ONSET {
            return None;
        }
        self.last = None;
        self.state = State::Tentative { start: from, speech: position - from, misses: 0 };
        Some(Event::Tentative { at: from })
    }

    fn in_speech(&mut self, start: u64, last_speech: u64, position: u64, probability: f32) -> Option<Event> {
        let last_speech = if probability >= SUSTAIN { position } else { last_speech };
        if position - start >= self.samples(u64::from(self.endpointing.max_utterance_s.min(MAX_UTTERANCE_S)) * 1_000) {
            return Some(self.end(start, last_speech, EndReason::TooLong));
        }
        if position - last_speech >= self.samples(PAUSE_MS) {
            self.state = State::Paused { start, last_speech };
            return Some(Event::Paused { at: last_speech });
        }
        self.state = State::Speaking { start, last_speech };
        None
    }

    fn end(&mut self, start: u64, end: u64, reason: EndReason) -> Event {
        self.state = State::Silent;
        self.settled = None;
        self.last = Some((start, end));
        Event::Ended { start, end, reason }
    }

    /// First sample that may still be asked for.
    fn wanted_from(&self) -> u64 {
        let newest = self.held_from + self.held.len() as u64;
        let idle = newest.saturating_sub(self.samples(IDLE_MS));
        let pre = self.samples(PRE_ROLL_MS);
        match self.state {
            State::Silent => idle,
            State::Tentative { start, .. } | State::Speaking { start, .. } | State::Paused { start, .. } => {
                idle.min(start.saturating_sub(pre))
            }
        }
    }

    fn forget_before(&mut self, position: u64) {
        let n = (position.saturating_sub(self.held_from) as usize).min(self.held.len());
        self.held.copy_within(n.., 0);
        self.held.truncate(self.held.len() - n);
        self.held_from += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 256;

    /// Runs windows of 32 ms with these probabilities; sample values are their window's number.
    fn run(segmenter: &mut Segmenter, first: u64, probabilities: &[f32]) -> Vec<Event> {
        let mut events = Vec::new();
        for (i, p) in probabilities.iter().enumerate() {
            let number = first + i as u64;
            segmenter.audio(&[number as i16; WINDOW as usize]);
            events.extend(segmenter.voice((number + 1) * WINDOW, *p));
        }
        events
    }

    fn segmenter() -> Segmenter {
        Segmenter::new(Rate::Narrow, Endpointing { end_silence_ms: 320, ..Endpointing::default() })
    }

    #[test]
    fn starts_pauses_resumes_and_ends_at_exact_positions() {
        let mut s = segmenter();
        let mut p = vec![0.1; 20];
        p.extend([0.7, 0.9, 0.9, 0.1, 0.1, 0.8, 0.9]);
        p.extend([0.0; 12]);
        let events = run(&mut s, 0, &p);
        assert_eq!(
            events,
            [
                Event::Tentative { at: 20 * WINDOW },
                Event::Started { start: 20 * WINDOW, at: 22 * WINDOW },
                Event::Paused { at: 23 * WINDOW },
                Event::Resumed { at: 25 * WINDOW },
                Event::Paused { at: 27 * WINDOW },
                Event::Ended { start: 20 * WINDOW, end: 27 * WINDOW, reason: EndReason::Silence },
            ]
        );
        let pcm = s.pcm();
        // 300 ms before, 200 ms after.
        assert_eq!(pcm.len() as u64, 2_400 + 7 * WINDOW + 1_600);
        assert_eq!(pcm[2_400], 20);
        assert_eq!(pcm[2_399], 19);
    }

    #[test]
    fn a_click_is_dismissed_and_two_of_three_windows_start() {
        assert_eq!(
            run(&mut segmenter(), 0, &[0.1, 0.9, 0.1, 0.1, 0.1]),
            [Event::Tentative { at: WINDOW }, Event::Dismissed { at: 4 * WINDOW }]
        );
        assert_eq!(
            run(&mut segmenter(), 0, &[0.1, 0.9, 0.1, 0.9]),
            [Event::Tentative { at: WINDOW }, Event::Started { start: WINDOW, at: 4 * WINDOW }]
        );
    }

    #[test]
    fn a_longer_end_silence_keeps_digit_groups_together() {
        let mut p = vec![0.9; 10];
        p.extend([0.0; 25]);
        p.extend([0.9; 10]);
        p.extend([0.0; 40]);
        let ends = |mut s: Segmenter| run(&mut s, 0, &p).iter().filter(|e| matches!(e, Event::Ended { .. })).count();
        assert_eq!(ends(segmenter()), 2);
        assert_eq!(ends(Segmenter::new(Rate::Narrow, Endpointing::digits())), 1);
    }

    #[test]
    fn the_longest_utterance_is_ended_and_memory_is_bounded() {
        let mut s = segmenter();
        let events = run(&mut s, 0, &[0.9; 2_000]);
        assert!(matches!(events[2], Event::Ended { start: 0, reason: EndReason::TooLong, .. }), "{events:?}");
        assert!(s.held.capacity() <= s.most);
        // The detector falls silent for ever: sound is still bounded.
        for _ in 0..3_000 {
            s.audio(&[1; 256]);
        }
        assert!(s.held.capacity() <= s.most);
    }

    #[test]
    fn partials_come_at_least_every_300_ms_of_an_utterance() {
        let mut s = segmenter();
        let mut due = Vec::new();
        for i in 0..64u64 {
            s.audio(&[0; WINDOW as usize]);
            s.voice((i + 1) * WINDOW, 0.9);
            if s.partial_due() {
                due.push((i + 1) * 32);
            }
        }
        assert_eq!(due, [288, 576, 864, 1_152, 1_440, 1_728, 2_016]);
        assert_eq!(s.pcm().len() as u64, 64 * WINDOW);
    }

    #[test]
    fn late_and_repeated_results_and_odd_numbers_do_no_harm() {
        let mut s = segmenter();
        s.audio(&[5; 8_000]);
        assert_eq!(s.voice(256, f32::NAN), None);
        assert!(matches!(s.voice(512, 0.9), Some(Event::Tentative { at: 256 })));
        assert_eq!(s.voice(512, 0.9), None);
        assert!(matches!(s.voice(768, 0.9), Some(Event::Started { start: 256, .. })));
        assert_eq!(s.pcm().len(), 8_000);
        assert!(matches!(s.cut(), Some(Event::Ended { reason: EndReason::Cut, .. })));
        assert_eq!(s.cut(), None);
    }

    #[test]
    fn a_cut_between_utterances_leaves_the_last_one_readable() {
        let mut s = segmenter();
        let mut p = vec![0.9; 10];
        p.extend([0.0; 12]);
        run(&mut s, 0, &p);
        assert!(!s.is_active());
        assert_eq!(s.pcm().len() as u64, 10 * WINDOW + 1_600);
    }
}
