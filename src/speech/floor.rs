//! Who may speak: the caller, us, or either. Decides when our line is ducked, stopped or goes on.
//!
//! Pure: it sees what the segmenter says and when our playout starts and ends, in sample positions of the caller's leg.
//! It never touches sound; the playout does what is asked.

use super::utterance::Event;
use crate::audio::Rate;

/// Who holds the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Free,
    /// The caller.
    Caller,
    /// We do.
    Us,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Lower our voice: somebody may be starting to speak.
    Duck,
    /// Raise it again: it was nothing.
    Unduck,
    /// Stop our line: the caller takes the floor, or seems to.
    Stop,
    /// The utterance that just ended is a turn of the caller's.
    Take,
    /// The utterance that just ended was a cough or a "mhm" over our line: not a turn. Raise our voice again.
    Ignore,
}

/// How easily we are interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BargeIn {
    /// Speech over our line that stops it, ms from its first window: the second window. Whether it was a cough or a "mhm",
    /// so that the line goes on, is for the words to tell.
    pub stop_after_ms: u32,
}

impl Default for BargeIn {
    fn default() -> Self {
        Self { stop_after_ms: 64 }
    }
}

/// The caller as the floor sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caller {
    Silent,
    Tentative,
    Speaking { start: u64 },
    Paused { start: u64 },
}

/// Our line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    Silent,
    Speaking { interruptible: bool },
}

/// The floor of one call.
#[derive(Debug)]
pub struct Floor {
    stop_after: u64,
    caller: Caller,
    ours: Ours,
    ducked: bool,
    /// Whether the running utterance has the floor whatever its length: it began, or went on, while we were silent,
    /// stopped us, or was said over a line that may not be interrupted.
    counts: bool,
}

impl Floor {
    /// Nobody speaks.
    pub fn new(rate: Rate, barge_in: BargeIn) -> Self {
        let stop_after = u64::from(barge_in.stop_after_ms) * u64::from(rate.hz()) / 1_000;
        Self { stop_after, caller: Caller::Silent, ours: Ours::Silent, ducked: false, counts: false }
    }

    /// Who holds the floor.
    pub fn holder(&self) -> Holder {
        match (self.ours, self.caller) {
            (Ours::Speaking { .. }, _) => Holder::Us,
            (Ours::Silent, Caller::Speaking { .. } | Caller::Paused { .. }) => Holder::Caller,
            (Ours::Silent, Caller::Silent | Caller::Tentative) => Holder::Free,
        }
    }

    /// Our line starts to be played.
    pub fn we_start(&mut self, interruptible: bool) {
        self.ours = Ours::Speaking { interruptible };
    }

    /// Our line has been played, or was stopped.
    pub fn we_end(&mut self) {
        self.ours = Ours::Silent;
        self.ducked = false;
        // Whoever has begun goes on while we are silent.
        self.counts |= self.caller != Caller::Silent;
    }

    /// Takes what the segmenter saw.
    pub fn caller(&mut self, event: &Event) -> Option<Act> {
        match *event {
            Event::Tentative { .. } => {
                self.caller = Caller::Tentative;
                self.counts = self.ours != Ours::Speaking { interruptible: true };
                if self.counts {
                    return None;
                }
                self.ducked = true;
                Some(Act::Duck)
            }
            Event::Dismissed { .. } => {
                self.caller = Caller::Silent;
                self.unduck()
            }
            Event::Started { start, at } => {
                self.caller = Caller::Speaking { start };
                self.progress(at)
            }
            Event::Paused { .. } => {
                if let Caller::Speaking { start } = self.caller {
                    self.caller = Caller::Paused { start };
                }
                self.unduck()
            }
            Event::Resumed { at } => {
                if let Caller::Paused { start } = self.caller {
                    self.caller = Caller::Speaking { start };
                }
                self.counts |= self.ours == Ours::Silent;
                self.progress(at)
            }
            Event::Ended { .. } => {
                self.caller = Caller::Silent;
                self.ducked = false;
                Some(if self.counts { Act::Take } else { Act::Ignore })
            }
        }
    }

    /// The detector has seen up to `position`: call it for each of its windows. Stops our line once the caller has
    /// spoken over it long enough.
    pub fn progress(&mut self, position: u64) -> Option<Act> {
        let Caller::Speaking { start } = self.caller else { return None };
        if self.ours != (Ours::Speaking { interruptible: true }) || position.saturating_sub(start) < self.stop_after {
            return None;
        }
        self.ours = Ours::Silent;
        self.ducked = false;
        self.counts = true;
        Some(Act::Stop)
    }

    fn unduck(&mut self) -> Option<Act> {
        std::mem::take(&mut self.ducked).then_some(Act::Unduck)
    }
}

#[cfg(test)]
mod tests {
    use super::super::utterance::EndReason;
    use super::*;

    const MS: u64 = 8;
    fn floor() -> Floor {
        Floor::new(Rate::Narrow, BargeIn { stop_after_ms: 160 })
    }
    fn ended(start: u64, end: u64) -> Event {
        Event::Ended { start, end, reason: EndReason::Silence }
    }

    #[test]
    fn speech_over_our_line_ducks_then_stops_it() {
        let mut f = floor();
        f.we_start(true);
        assert_eq!(f.holder(), Holder::Us);
        assert_eq!(f.caller(&Event::Tentative { at: 0 }), Some(Act::Duck));
        assert_eq!(f.caller(&Event::Started { start: 0, at: 64 * MS }), None);
        assert_eq!(f.progress(128 * MS), None);
        assert_eq!(f.progress(160 * MS), Some(Act::Stop));
        assert_eq!(f.progress(192 * MS), None);
        assert_eq!(f.holder(), Holder::Caller);
        assert_eq!(f.caller(&Event::Paused { at: 900 * MS }), None);
        assert_eq!(f.caller(&ended(0, 900 * MS)), Some(Act::Take));
        assert_eq!(f.holder(), Holder::Free);
    }

    #[test]
    fn a_cough_unducks_and_is_no_turn() {
        let mut f = floor();
        f.we_start(true);
        f.caller(&Event::Tentative { at: 0 });
        f.caller(&Event::Started { start: 0, at: 64 * MS });
        assert_eq!(f.caller(&Event::Paused { at: 96 * MS }), Some(Act::Unduck));
        assert_eq!(f.caller(&ended(0, 96 * MS)), Some(Act::Ignore));
        assert_eq!(f.holder(), Holder::Us);
    }

    #[test]
    fn a_click_only_ducks() {
        let mut f = floor();
        f.we_start(true);
        assert_eq!(f.caller(&Event::Tentative { at: 0 }), Some(Act::Duck));
        assert_eq!(f.caller(&Event::Dismissed { at: 96 * MS }), Some(Act::Unduck));
    }

    #[test]
    fn a_line_that_may_not_be_interrupted_goes_on_and_what_was_said_is_kept() {
        let mut f = floor();
        f.we_start(false);
        assert_eq!(f.caller(&Event::Tentative { at: 0 }), None);
        assert_eq!(f.caller(&Event::Started { start: 0, at: 64 * MS }), None);
        assert_eq!(f.progress(800 * MS), None);
        assert_eq!(f.caller(&ended(0, 800 * MS)), Some(Act::Take));
        assert_eq!(f.holder(), Holder::Us);
    }

    #[test]
    fn a_short_answer_in_silence_is_a_turn() {
        let mut f = floor();
        f.caller(&Event::Tentative { at: 0 });
        f.caller(&Event::Started { start: 0, at: 64 * MS });
        assert_eq!(f.holder(), Holder::Caller);
        assert_eq!(f.caller(&ended(0, 90 * MS)), Some(Act::Take));
    }

    #[test]
    fn an_answer_whose_first_window_is_over_our_last_one_is_a_turn() {
        let mut f = floor();
        f.we_start(true);
        f.caller(&Event::Tentative { at: 0 });
        f.we_end();
        assert_eq!(f.caller(&Event::Started { start: 0, at: 64 * MS }), None);
        assert_eq!(f.caller(&ended(0, 2_000 * MS)), Some(Act::Take));
    }

    #[test]
    fn an_answer_begun_over_the_last_word_of_our_line_is_a_turn() {
        let mut f = floor();
        f.we_start(true);
        f.caller(&Event::Tentative { at: 0 });
        f.caller(&Event::Started { start: 0, at: 64 * MS });
        f.we_end();
        assert_eq!(f.caller(&ended(0, 110 * MS)), Some(Act::Take));
    }
}
