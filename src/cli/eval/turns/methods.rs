//! Ways to tell the end of a turn, each judged on the same pauses: how often it cuts in, and how long it waits.

use serde::Serialize;

use super::pauses::{Heard, Pause};
use crate::speech::turn_end::{Evidence, PENDING_MS, Words, silence_ms};
use crate::speech::utterance::Endpointing;

const MS: u64 = 8;
/// How often Smart Turn alone is asked whether it is over: once, at this silence, ms.
const VOICE_ALONE_MS: f32 = 200.0;
/// A probability from here on is a yes.
const VOICE_ENDED: f32 = 0.5;

/// A way to tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    /// So much silence, ms.
    Fixed(f32),
    /// The voice came to an end, or so much silence, ms.
    Voice(f32),
    /// As calls do it: words, voice and what is expected; all waits by this factor.
    Ours(f32),
}

impl Method {
    /// Silence at which the turn is over if nobody goes on, ms.
    fn waits(self, pause: &Pause, digits: bool) -> f32 {
        match self {
            Self::Fixed(wait) => wait,
            Self::Voice(longest) => match pause.voice {
                Some((p, at)) if p >= VOICE_ENDED => at.max(VOICE_ALONE_MS).min(longest),
                _ => longest,
            },
            Self::Ours(factor) => ours(pause, digits, factor),
        }
    }
}

/// The wait is set anew by each thing that comes to be known.
fn ours(pause: &Pause, digits: bool, factor: f32) -> f32 {
    let before = if digits { Endpointing::digits().end_silence_ms } else { PENDING_MS };
    let (words, words_at) = pause.words;
    let voice_at = pause.voice.map_or(f32::INFINITY, |(_, at)| at);
    let knows = |at: f32| {
        let voice = pause.voice.filter(|(_, known)| *known <= at).map(|(p, _)| p);
        let wait = match (words_at <= at, pause.open) {
            (true, _) => silence_ms(Evidence { words, voice }, 1.0),
            (false, true) => silence_ms(Evidence { words: Words::Unfinished, voice }, 1.0),
            (false, false) => before,
        };
        factor * wait as f32
    };
    let mut news = [0.0, words_at.min(voice_at), words_at.max(voice_at)];
    news.sort_by(f32::total_cmp);
    for (n, &at) in news.iter().enumerate() {
        let wait = knows(at).max(at);
        if news.get(n + 1).is_none_or(|next| wait <= *next) {
            return wait;
        }
    }
    f32::INFINITY
}

/// How a way to tell does.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Result {
    /// Turns.
    pub(super) turns: usize,
    /// Share of them that was ended while the caller was to go on.
    pub(super) false_end_rate: f32,
    /// From the last sample of speech to the end of the turn, median, ms; turns that were not cut.
    pub(super) delay_p50_ms: f32,
    /// The same, 95th percentile.
    pub(super) delay_p95_ms: f32,
}

/// Judges a method.
pub(super) fn judge<'h>(method: Method, heard: impl Iterator<Item = &'h Heard<'h>>) -> Result {
    let (mut turns, mut cut) = (0, 0);
    let mut delays = Vec::new();
    for heard in heard {
        turns += 1;
        match ended(method, heard) {
            Some(delay) => delays.push(delay),
            None => cut += 1,
        }
    }
    delays.sort_by(f32::total_cmp);
    let at = |share: f32| delays.get((delays.len() as f32 * share) as usize).copied().unwrap_or(f32::NAN);
    Result { turns, false_end_rate: cut as f32 / turns.max(1) as f32, delay_p50_ms: at(0.5), delay_p95_ms: at(0.95) }
}

/// How long after the truth the turn ends, ms; `None` when it ends before it, or is not heard at all.
fn ended(method: Method, heard: &Heard<'_>) -> Option<f32> {
    let truth = heard.spoken.end as u64;
    let end = heard.pauses.iter().find_map(|pause| {
        let end = pause.start as f32 + method.waits(pause, heard.spoken.digits) * MS as f32;
        pause.resumed.is_none_or(|resumed| end <= resumed as f32).then_some(end)
    })?;
    // A pause that begins at the truth may be seen a window too early.
    (end >= truth as f32).then(|| (end - truth as f32) / MS as f32)
}

#[cfg(test)]
mod tests {
    use super::super::set::Spoken;
    use super::*;

    fn pause(start: u64, resumed: Option<u64>, words: Words, voice: f32) -> Pause {
        Pause { start, resumed, voice: Some((voice, 150.0)), words: (words, 120.0), open: false }
    }

    #[test]
    fn a_turn_that_is_cut_counts_and_one_that_is_not_is_timed() {
        let spoken = Spoken { kind: "order", held_out: true, digits: false, pcm: Vec::new(), end: 16_000 };
        let hesitates = pause(8_000, Some(8_000 + 500 * MS), Words::Unfinished, 0.1);
        let heard = Heard { spoken: &spoken, pauses: vec![hesitates, pause(16_080, None, Words::Complete, 0.9)] };
        assert_eq!(judge(Method::Fixed(400.0), [&heard].into_iter()).false_end_rate, 1.0);
        let fixed = judge(Method::Fixed(600.0), [&heard].into_iter());
        assert_eq!((fixed.false_end_rate, fixed.delay_p50_ms), (0.0, 610.0));
        let ours = judge(Method::Ours(1.0), [&heard].into_iter());
        assert_eq!(ours.false_end_rate, 0.0);
        assert!(ours.delay_p50_ms < 200.0, "{ours:?}");
        // The voice alone hears no end in the first, so that only the longest wait decides.
        assert_eq!(judge(Method::Voice(1_000.0), [&heard].into_iter()).delay_p50_ms, 210.0);
        assert_eq!(judge(Method::Voice(450.0), [&heard].into_iter()).false_end_rate, 1.0);
    }

    #[test]
    fn what_comes_to_be_known_late_sets_the_wait_anew() {
        let mut late = pause(0, None, Words::Complete, 0.1);
        late.words.1 = 700.0;
        // Until the words come nothing shortens the wait.
        assert_eq!(ours(&late, false, 1.0), 700.0);
        late.words = (Words::Unfinished, 120.0);
        assert_eq!(
            ours(&late, false, 1.0),
            silence_ms(Evidence { words: Words::Unfinished, voice: Some(0.1) }, 1.0) as f32
        );
    }
}
