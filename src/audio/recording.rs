//! Two directions of a call side by side: left is the caller, right is what the caller hears. Owns alignment and muting;
//! the file belongs to a driver.

use std::time::Duration;

use super::{FRAME_MS, Frame, Rate};

/// Pairs frames tick by tick. Each tick yields 20 ms of both channels, whatever is missing, so the channels never drift.
#[derive(Debug)]
pub struct Recording {
    rate: Rate,
    muted: bool,
    /// Ticks for which the caller stays silent when the mute is over.
    behind: u32,
    stereo: [i16; 2 * Rate::Wide.frame_len()],
    ticks: u64,
    unlike: u64,
}

impl Recording {
    /// At the caller's leg's rate.
    pub fn new(rate: Rate) -> Self {
        Self { rate, muted: false, behind: 0, stereo: [0; 2 * Rate::Wide.frame_len()], ticks: 0, unlike: 0 }
    }

    /// The rate of both channels.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Silences both channels from the next tick on, or not: while a masked slot is said or read back. The caller's sound
    /// comes here so long after it was heard: what still waits when the mute is over is silenced too.
    pub fn mute(&mut self, muted: bool, waits: Duration) {
        self.muted = muted;
        if muted {
            self.behind = waits.as_millis().div_ceil(FRAME_MS.into()) as u32 + 1;
        }
    }

    /// Whether the caller's next frame is silenced.
    pub fn hides_caller(&self) -> bool {
        self.muted || self.behind > 0
    }

    /// One tick: 20 ms of interleaved stereo. A leg that is missing, or whose frame has another rate (counted), is silent.
    pub fn pair(&mut self, caller: Option<&Frame>, played: Option<&Frame>) -> &[i16] {
        let n = self.rate.frame_len();
        self.ticks += 1;
        self.stereo[..2 * n].fill(0);
        let hidden = [self.hides_caller(), self.muted];
        if !self.muted {
            self.behind = self.behind.saturating_sub(1);
        }
        for (channel, frame) in [caller, played].into_iter().enumerate() {
            let Some(frame) = frame else { continue };
            if frame.rate() != self.rate {
                self.unlike += 1;
            } else if !hidden[channel] {
                for (to, &from) in self.stereo[channel..].iter_mut().step_by(2).zip(frame.samples()) {
                    *to = from;
                }
            }
        }
        &self.stereo[..2 * n]
    }

    /// Ticks so far, 20 ms each.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Frames left out because their rate was another.
    pub fn unlike(&self) -> u64 {
        self.unlike
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_stay_aligned_when_one_is_missing() {
        let mut recording = Recording::new(Rate::Narrow);
        let (left, right) =
            (Frame::from_samples(Rate::Narrow, &[1; 160]), Frame::from_samples(Rate::Narrow, &[2; 160]));
        let mut all = Vec::new();
        all.extend_from_slice(recording.pair(Some(&left), None));
        all.extend_from_slice(recording.pair(None, Some(&right)));
        all.extend_from_slice(recording.pair(None, None));
        all.extend_from_slice(recording.pair(Some(&left), Some(&right)));
        let expected: Vec<i16> =
            [(1, 0), (0, 2), (0, 0), (1, 2)].iter().flat_map(|&(l, r)| [l, r].repeat(160)).collect();
        assert_eq!(all, expected);
        assert_eq!(recording.ticks(), 4);
    }

    #[test]
    fn a_mute_silences_both_and_keeps_time() {
        let mut recording = Recording::new(Rate::Wide);
        let frame = Frame::from_samples(Rate::Wide, &[9; 320]);
        recording.mute(true, Duration::ZERO);
        assert_eq!(recording.pair(Some(&frame), Some(&frame)), [0; 640]);
        recording.mute(false, Duration::ZERO);
        recording.pair(Some(&frame), Some(&frame));
        assert_eq!(recording.pair(Some(&frame), Some(&frame)), [9; 640]);
    }

    #[test]
    fn what_was_heard_while_it_was_muted_and_comes_later_is_silent_too() {
        let mut recording = Recording::new(Rate::Narrow);
        let (left, right) =
            (Frame::from_samples(Rate::Narrow, &[1; 160]), Frame::from_samples(Rate::Narrow, &[2; 160]));
        recording.mute(true, Duration::from_millis(90));
        recording.pair(Some(&left), Some(&right));
        // Of 90 ms five frames still come, and one that was cut in two.
        let mut callers = 0;
        for tick in 0..8 {
            recording.mute(false, Duration::from_millis(90));
            let both = recording.pair(Some(&left), Some(&right));
            assert_eq!(both[1], 2, "our line is heard at once");
            callers += usize::from(both[0] == 1);
            assert_eq!(both[0] == 1, tick >= 6, "tick {tick}");
        }
        assert_eq!(callers, 2);
    }

    #[test]
    fn a_frame_of_another_rate_is_counted_not_recorded() {
        let mut recording = Recording::new(Rate::Narrow);
        let wide = Frame::from_samples(Rate::Wide, &[9; 320]);
        assert_eq!(recording.pair(Some(&wide), None), [0; 320]);
        assert_eq!(recording.unlike(), 1);
    }
}
