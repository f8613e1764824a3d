//! What is said to a party: a queue of spoken clips, with a loop (hold music) behind it. Owns gain, fades and the count of
//! what was really played; never allocates in [`Playout::next_frame`], and knows nothing of packets.
//!
//! ```text
//! push ─▶ [clip][clip][clip] ─▶ fade (stop) ─┐
//!                                            ├─ sum ─▶ duck ─▶ frame
//! loop_clip ─▶ [round and round] ─ gain ─────┘   (12 dB lower under speech)
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Frame, Rate, mix};

/// Sentences that may wait or be remembered; a push beyond it is refused while they all wait.
pub(crate) const CAPACITY: usize = 64;
/// What speech leaves of the loop behind it: −12 dB.
const BEHIND: f32 = 0.251_188_64;
/// What a possible interruption leaves of speech: −24 dB, so that what is not stopped in the end was all but silent from
/// the first sound of the interruption.
const DUCKED: f32 = 0.063_095_73;
/// Time in which gain would move from nothing to full: slow enough not to click.
const RAMP_MS: u32 = 20;

/// Which sentence of which line a clip is. Kept as plain numbers: the call gives them their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SayRef {
    /// The line.
    pub say: u32,
    /// The sentence in it.
    pub sentence: u32,
}

/// The queue holds 64 sentences that were not played yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the playout queue is full")]
pub struct QueueFull;

/// How much of a sentence was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentenceHeard {
    /// The sentence of the line.
    pub sentence: u32,
    /// Samples that went out.
    pub played: u32,
    /// Samples of the clip.
    pub total: u32,
}

#[derive(Debug)]
struct Clip {
    what: SayRef,
    pcm: Arc<[i16]>,
    /// Where it begins: what is before is not played.
    start: usize,
    played: usize,
    dropped: bool,
}

impl Clip {
    fn rest(&self) -> &[i16] {
        self.pcm.get(self.start + self.played..).unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.dropped || self.rest().is_empty()
    }
}

#[derive(Debug)]
struct Loop {
    pcm: Arc<[i16]>,
    at: usize,
    gain: f32,
}

/// The fade of a barge-in: `left` of `total` samples remain.
#[derive(Debug, Clone, Copy)]
struct Fade {
    left: u32,
    total: u32,
}

/// One party's playout, at that leg's rate.
#[derive(Debug)]
pub struct Playout {
    rate: Rate,
    /// Clips that are over stay here, at the front, for [`Playout::played`], and so that their memory is not freed in the
    /// tick but at the next push.
    clips: VecDeque<Clip>,
    /// Index of the clip that plays.
    current: usize,
    fade: Option<Fade>,
    background: Option<Loop>,
    background_gain: f32,
    duck: bool,
    duck_gain: f32,
    held: bool,
    refused: u64,
}

impl Playout {
    /// An empty queue for clips of `rate`.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            clips: VecDeque::with_capacity(CAPACITY),
            current: 0,
            fade: None,
            background: None,
            background_gain: 0.0,
            duck: false,
            duck_gain: 1.0,
            held: false,
            refused: 0,
        }
    }

    /// Queues a sentence behind what is there; it follows without a gap. Forgets the oldest sentences that are over when
    /// room is needed, and refuses when 64 still wait.
    pub fn push(&mut self, what: SayRef, pcm: Arc<[i16]>) -> Result<(), QueueFull> {
        self.push_from(what, pcm, 0)
    }

    /// The same, without the first `start` samples.
    pub fn push_from(&mut self, what: SayRef, pcm: Arc<[i16]>, start: usize) -> Result<(), QueueFull> {
        if self.clips.len() == CAPACITY {
            if self.current == 0 {
                self.refused += 1;
                return Err(QueueFull);
            }
            self.clips.pop_front();
            self.current -= 1;
        }
        self.clips.push_back(Clip { what, pcm, start, played: 0, dropped: false });
        Ok(())
    }

    /// Barge-in: what plays fades within `fade_ms`, all that waits is dropped at once. What is pushed afterwards plays after
    /// the fade. A line that is held is silent already.
    pub fn stop(&mut self, fade_ms: u32) {
        for clip in self.clips.iter_mut().skip(self.current + 1) {
            clip.dropped = true;
        }
        let total = (fade_ms * self.rate.hz() / 1000).max(1);
        let silent = std::mem::take(&mut self.held) && self.duck_gain == 0.0;
        if silent {
            self.duck_gain = 1.0;
        }
        match self.clips.get_mut(self.current) {
            // A second stop does not lengthen the first one's fade.
            Some(clip) if clip.played > 0 && !silent => {
                self.fade = Some(self.fade.unwrap_or(Fade { left: total, total }))
            }
            Some(clip) => clip.dropped = true,
            None => {}
        }
        self.pass_finished();
    }

    /// Lowers all that is played by 24 dB, or brings it back, smoothly.
    pub fn duck(&mut self, on: bool) {
        self.duck = on;
    }

    /// Holds what is being said where it is, after a fade of 20 ms, or lets it go on from there. The loop goes on.
    pub fn hold(&mut self, on: bool) {
        self.held = on;
    }

    /// Plays a clip round and round, `gain` (linear) loud, 12 dB lower while something is said. Replaces an earlier one;
    /// an empty clip is none.
    pub fn loop_clip(&mut self, pcm: Arc<[i16]>, gain: f32) {
        self.background = (!pcm.is_empty()).then_some(Loop { pcm, at: 0, gain });
        self.background_gain = 0.0;
    }

    /// Ends the loop.
    pub fn stop_loop(&mut self) {
        self.background = None;
    }

    /// Nothing is being said, and nothing waits. The loop does not count.
    pub fn is_idle(&self) -> bool {
        self.current >= self.clips.len()
    }

    /// Whether what is being said is held.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// The sentence that plays now.
    pub fn speaking(&self) -> Option<SayRef> {
        self.clips.get(self.current).map(|clip| clip.what)
    }

    /// Sentences that were refused because the queue was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What the party heard of a line, sentence by sentence, as far as the last 64 sentences reach back.
    pub fn played(&self, say: u32) -> Vec<SentenceHeard> {
        let of_line = self.clips.iter().filter(|clip| clip.what.say == say);
        of_line
            .map(|clip| SentenceHeard {
                sentence: clip.what.sentence,
                played: clip.played as u32,
                total: clip.pcm.len().saturating_sub(clip.start) as u32,
            })
            .collect()
    }

    /// Writes the next 20 ms into `out`, at this queue's rate whatever `out` was; `false`, and silence, if there is nothing
    /// to play.
    pub fn next_frame(&mut self, out: &mut Frame) -> bool {
        *out = Frame::silence(self.rate);
        let mut at = 0;
        let fading = self.held && self.duck_gain > 0.0;
        while at < out.samples().len() && !self.is_idle() && (!self.held || fading) {
            at += self.speak(&mut out.samples_mut()[at..]);
            self.pass_finished();
        }
        let spoke = at > 0;
        self.apply_duck(out);
        let looped = self.mix_background(out, spoke);
        spoke || looped
    }

    /// Copies from the current clip, through the fade, and says how many samples.
    fn speak(&mut self, out: &mut [i16]) -> usize {
        let Some(clip) = self.clips.get_mut(self.current) else { return 0 };
        let mut n = out.len().min(clip.rest().len());
        if let Some(fade) = &mut self.fade {
            n = n.min(fade.left as usize);
        }
        out[..n].copy_from_slice(&clip.rest()[..n]);
        clip.played += n;
        if let Some(fade) = &mut self.fade {
            for sample in &mut out[..n] {
                *sample = mix::scale(*sample, fade.left as f32 / fade.total as f32);
                fade.left -= 1;
            }
            clip.dropped |= fade.left == 0;
        }
        n
    }

    fn pass_finished(&mut self) {
        while self.clips.get(self.current).is_some_and(Clip::is_over) {
            self.current += 1;
            self.fade = None;
        }
    }

    fn mix_background(&mut self, out: &mut Frame, spoke: bool) -> bool {
        let step = ramp_step(self.rate);
        let Some(background) = &mut self.background else { return false };
        let target = if spoke { background.gain * BEHIND } else { background.gain };
        for sample in out.samples_mut() {
            self.background_gain = toward(self.background_gain, target, step);
            *sample = sample.saturating_add(mix::scale(background.pcm[background.at], self.background_gain));
            background.at = (background.at + 1) % background.pcm.len();
        }
        true
    }

    fn apply_duck(&mut self, out: &mut Frame) {
        let target = match (self.held, self.duck) {
            (true, _) => 0.0,
            (false, true) => DUCKED,
            (false, false) => 1.0,
        };
        if self.duck_gain == 1.0 && target == 1.0 {
            return;
        }
        let step = ramp_step(self.rate);
        for sample in out.samples_mut() {
            self.duck_gain = toward(self.duck_gain, target, step);
            *sample = mix::scale(*sample, self.duck_gain);
        }
    }
}

/// Gain change in one sample.
fn ramp_step(rate: Rate) -> f32 {
    1.0 / (RAMP_MS * rate.hz() / 1000) as f32
}

fn toward(gain: f32, target: f32, step: f32) -> f32 {
    if gain < target { (gain + step).min(target) } else { (gain - step).max(target) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(value: i16, n: usize) -> Arc<[i16]> {
        vec![value; n].into()
    }

    fn say(say: u32, sentence: u32) -> SayRef {
        SayRef { say, sentence }
    }

    fn frame(playout: &mut Playout) -> (bool, Vec<i16>) {
        let mut out = Frame::silence(Rate::Narrow);
        let playing = playout.next_frame(&mut out);
        (playing, out.samples().to_vec())
    }

    fn heard(playout: &Playout, line: u32) -> Vec<(u32, u32, u32)> {
        playout.played(line).iter().map(|h| (h.sentence, h.played, h.total)).collect()
    }

    #[test]
    fn sentences_follow_without_a_gap() {
        let mut playout = Playout::new(Rate::Narrow);
        assert_eq!(frame(&mut playout), (false, vec![0; 160]));
        playout.push(say(1, 0), clip(100, 200)).expect("room");
        playout.push(say(1, 1), clip(200, 50)).expect("room");
        playout.push(say(1, 2), clip(300, 100)).expect("room");
        assert_eq!(frame(&mut playout), (true, vec![100; 160]));
        assert_eq!(playout.speaking(), Some(say(1, 0)));
        let second = [vec![100; 40], vec![200; 50], vec![300; 70]].concat();
        assert_eq!(frame(&mut playout), (true, second));
        assert!(!playout.is_idle());
        assert_eq!(frame(&mut playout), (true, [vec![300; 30], vec![0; 130]].concat()));
        assert!(playout.is_idle());
        assert!(!frame(&mut playout).0);
        assert_eq!(heard(&playout, 1), [(0, 200, 200), (1, 50, 50), (2, 100, 100)]);
        assert_eq!(heard(&playout, 2), []);
    }

    #[test]
    fn a_barge_in_fades_and_drops_the_rest_but_not_what_comes_after() {
        let mut playout = Playout::new(Rate::Narrow);
        playout.push(say(1, 0), clip(1_000, 8_000)).expect("room");
        playout.push(say(1, 1), clip(1_000, 8_000)).expect("room");
        frame(&mut playout);
        playout.stop(40);
        playout.stop(40);
        playout.push(say(2, 0), clip(77, 10)).expect("room");
        let (_, first) = frame(&mut playout);
        let (_, second) = frame(&mut playout);
        let faded = [first, second].concat();
        assert!(faded.windows(2).all(|w| w[1] <= w[0]), "falls all the way");
        assert!(faded[0] == 1_000 && faded[160] == 500 && faded[319] <= 4);
        assert_eq!(frame(&mut playout).1[..11], [77, 77, 77, 77, 77, 77, 77, 77, 77, 77, 0]);
        assert!(playout.is_idle());
        assert_eq!(heard(&playout, 1), [(0, 480, 8_000), (1, 0, 8_000)]);
        assert_eq!(heard(&playout, 2), [(0, 10, 10)]);
    }

    #[test]
    fn stopping_before_the_first_sample_or_with_nothing_is_instant() {
        let mut playout = Playout::new(Rate::Narrow);
        playout.stop(40);
        playout.push(say(1, 0), clip(1_000, 800)).expect("room");
        playout.stop(40);
        assert!(playout.is_idle());
        assert_eq!(frame(&mut playout), (false, vec![0; 160]));
        assert_eq!(heard(&playout, 1), [(0, 0, 800)]);
    }

    #[test]
    fn a_fade_ends_with_its_clip() {
        let mut playout = Playout::new(Rate::Narrow);
        playout.push(say(1, 0), clip(1_000, 170)).expect("room");
        frame(&mut playout);
        playout.stop(40);
        playout.push(say(2, 0), clip(500, 160)).expect("room");
        let (_, samples) = frame(&mut playout);
        assert!(samples[9] > 900 && samples[10] == 500, "the new line is not faded");
    }

    #[test]
    fn ducking_is_smooth_and_24_db() {
        let mut playout = Playout::new(Rate::Narrow);
        playout.push(say(1, 0), clip(10_000, 8_000)).expect("room");
        frame(&mut playout);
        playout.duck(true);
        let down: Vec<i16> = (0..3).flat_map(|_| frame(&mut playout).1).collect();
        assert!(down.windows(2).all(|w| (0..=70).contains(&(w[0] - w[1]))));
        assert_eq!(down.last(), Some(&631));
        playout.duck(false);
        let up: Vec<i16> = (0..3).flat_map(|_| frame(&mut playout).1).collect();
        assert!(up.windows(2).all(|w| (0..=70).contains(&(w[1] - w[0]))) && up.last() == Some(&10_000));
    }

    #[test]
    fn a_held_line_fades_and_goes_on_from_where_it_was() {
        let mut playout = Playout::new(Rate::Narrow);
        let ramp: Vec<i16> = (0..1_600).map(|n| 5_000 + n).collect();
        playout.push(say(1, 0), ramp.into()).expect("room");
        frame(&mut playout);
        playout.hold(true);
        let (_, fade) = frame(&mut playout);
        assert!(fade.windows(2).all(|w| w[1] <= w[0]) && fade[159] < 100, "{:?}", fade[159]);
        for _ in 0..100 {
            assert_eq!(frame(&mut playout).1, vec![0; 160]);
        }
        assert_eq!(heard(&playout, 1), [(0, 320, 1_600)]);
        playout.hold(false);
        frame(&mut playout);
        let (_, on) = frame(&mut playout);
        assert_eq!((on[0], on[159]), (5_480, 5_639), "the frame after the fade-in is the fourth of the clip");
    }

    #[test]
    fn hold_music_loops_and_steps_back_for_speech() {
        let mut playout = Playout::new(Rate::Narrow);
        let ramp: Vec<i16> = (0..100).map(|i| 1_000 + i).collect();
        playout.loop_clip(ramp.into(), 1.0);
        for _ in 0..2 {
            assert!(frame(&mut playout).0);
        }
        let (_, third) = frame(&mut playout);
        assert_eq!((third[0], third[79], third[80]), (1_020, 1_099, 1_000), "the loop has no gap");
        assert!(playout.is_idle());
        playout.push(say(1, 0), clip(5_000, 640)).expect("room");
        let under: Vec<i16> = (0..4).flat_map(|_| frame(&mut playout).1).collect();
        assert!((5_250..5_300).contains(under.last().expect("samples")), "{:?}", under.last());
        playout.stop_loop();
        assert!(!frame(&mut playout).0);
    }

    #[test]
    fn a_full_queue_refuses_and_a_played_one_forgets_its_oldest() {
        let mut playout = Playout::new(Rate::Narrow);
        for i in 0..CAPACITY as u32 {
            playout.push(say(i, 0), clip(1, 160)).expect("room");
        }
        assert_eq!(playout.push(say(99, 0), clip(1, 160)), Err(QueueFull));
        assert_eq!(playout.refused(), 1);
        frame(&mut playout);
        playout.push(say(99, 0), clip(1, 160)).expect("the first is over");
        assert_eq!(heard(&playout, 0), []);
        assert_eq!(heard(&playout, 99), [(0, 0, 160)]);
    }
}
