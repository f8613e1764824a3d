//! The wire's clock: when the packet with the caller's last speech sample arrived, when the first packet of an answer
//! that holds sound left, and when a prompt that was interrupted was last heard. Latencies are taken from these.
//!
//! A packet holds speech when one of its stretches of 10 ms is louder than [`SPEECH_DBOV`]. `sidetone latency --pcap`
//! says the same of a capture, by code of its own.

use std::time::{Duration, Instant};

use crate::audio::{Frame, level};

/// A stretch of 10 ms louder than this is speech, dBov.
pub(super) const SPEECH_DBOV: f32 = -45.0;
/// A prompt quieter than this is not heard any more, dBov.
pub(super) const HEARD_DBOV: f32 = -40.0;
/// Quiet shorter than this is within speech.
const WITHIN: Duration = Duration::from_millis(300);
/// How long speech after the detector's end of it still belongs to it: the detector is deaf to soft endings, ms.
const SOFT_END_MS: u64 = 100;
/// Frames that are remembered: 40 s, longer than an utterance may be.
const FRAMES: usize = 2_000;

#[derive(Debug, Clone, Copy)]
struct Arrived {
    /// Position of the frame's end in the leg, samples.
    end: u64,
    at: Instant,
    speech: bool,
}

/// What passed the wire of one call. Fixed memory.
#[derive(Debug)]
pub(super) struct WireClock {
    hz: u64,
    frames: Vec<Arrived>,
    next: usize,
    /// First packet of the speech that goes on, and its latest.
    speech: Option<(Instant, Instant)>,
    /// When our latest packet left that could be heard.
    ours: Option<Instant>,
    /// First packet of an interruption whose prompt is not silent yet.
    interrupted: Option<Instant>,
}

impl WireClock {
    pub(super) fn new(hz: u32) -> Self {
        let frames = Vec::with_capacity(FRAMES);
        Self { hz: hz.into(), frames, next: 0, speech: None, ours: None, interrupted: None }
    }

    /// A frame of the caller's that ends at position `end`; its packet arrived at `at`.
    pub(super) fn caller(&mut self, end: u64, at: Instant, frame: &Frame) {
        let speech = is_speech(frame);
        let arrived = Arrived { end, at, speech };
        match self.frames.get_mut(self.next) {
            Some(slot) => *slot = arrived,
            None => self.frames.push(arrived),
        }
        self.next = (self.next + 1) % FRAMES;
        if speech {
            let began = self.speech.filter(|(_, last)| at.saturating_duration_since(*last) <= WITHIN);
            self.speech = Some((began.map_or(at, |(first, _)| first), at));
        }
    }

    /// Our frame that leaves at `now`; true when it holds speech.
    pub(super) fn ours(&mut self, now: Instant, frame: &Frame) -> bool {
        if level::dbov(frame) > HEARD_DBOV {
            self.ours = Some(now);
        }
        is_speech(frame)
    }

    /// When the packet with the last speech of `start..end` arrived; with none that is loud enough, the one at `end`.
    pub(super) fn last_speech(&self, start: u64, end: u64) -> Option<Instant> {
        let until = end + SOFT_END_MS * self.hz / 1_000;
        let frames = || self.frames.iter().filter(|frame| frame.end > start);
        let loud = frames().filter(|frame| frame.speech && frame.end <= until).max_by_key(|frame| frame.end);
        loud.or_else(|| frames().filter(|frame| frame.end >= end).min_by_key(|frame| frame.end)).map(|frame| frame.at)
    }

    /// The caller has interrupted us.
    pub(super) fn interrupted(&mut self, now: Instant) {
        self.interrupted = Some(self.speech.map_or(now, |(first, _)| first));
    }

    /// Once the interrupted prompt is silent: from the first packet of the interruption to the last that was heard of the
    /// prompt.
    pub(super) fn stopped(&mut self, now: Instant) -> Option<Duration> {
        let began = self.interrupted?;
        if self.ours == Some(now) {
            return None;
        }
        self.interrupted = None;
        Some(self.ours.map_or(Duration::ZERO, |last| last.saturating_duration_since(began)))
    }
}

fn is_speech(frame: &Frame) -> bool {
    let samples = frame.samples();
    samples.chunks(samples.len().div_ceil(2).max(1)).any(|half| level::rms_dbov(half) > SPEECH_DBOV)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Rate;

    fn frame(level: i16) -> Frame {
        Frame::from_samples(Rate::Narrow, &[level; 160])
    }

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]
    fn wire(levels: &[i16]) -> (WireClock, Instant) {
        let (mut wire, begin) = (WireClock::new(8_000), Instant::now());
        for (n, level) in levels.iter().enumerate() {
            wire.caller((n as u64 + 1) * 160, begin + Duration::from_millis(20) * n as u32, &frame(*level));
        }
        (wire, begin)
    }

    #[test]
    fn the_last_loud_packet_counts_and_noise_afterwards_does_not() {
        let mut levels = vec![0; 10];
        levels.extend([3_000; 10]);
        levels.extend([10; 30]);
        levels.push(3_000);
        let (wire, begin) = wire(&levels);
        // The detector ended at 2 frames before the last loud one.
        let last = wire.last_speech(10 * 160, 18 * 160);
        assert_eq!(last, Some(begin + Duration::from_millis(19 * 20)));
    }

    #[test]
    fn a_caller_too_quiet_to_be_loud_is_timed_by_the_detector() {
        let (wire, begin) = wire(&[20; 50]);
        assert_eq!(wire.last_speech(10 * 160, 20 * 160), Some(begin + Duration::from_millis(19 * 20)));
    }

    #[test]
    fn an_interruption_lasts_till_the_prompt_is_not_heard() {
        let mut levels = vec![0; 30];
        levels.extend([3_000; 5]);
        let (mut wire, begin) = wire(&levels);
        let at = |n: u32| begin + Duration::from_millis(20) * n;
        wire.ours(at(34), &frame(5_000));
        wire.interrupted(at(34));
        assert_eq!(wire.stopped(at(34)), None);
        wire.ours(at(35), &frame(5_000));
        wire.ours(at(36), &frame(100));
        assert_eq!(wire.stopped(at(36)), Some(Duration::from_millis(100)));
        assert_eq!(wire.stopped(at(37)), None);
    }
}
