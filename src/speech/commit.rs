//! Words of an utterance that still goes on: which are settled, and how much of its sound must be looked at again.
//!
//! Owns the rule by which a word is settled: two results in a row agree on it (LocalAgreement, Macháček et al. 2023) and
//! more was heard after it, or the window must move on. A settled word is never taken back. Never recognises anything:
//! sound goes out by [`Streaming::window`], its words come back by [`Streaming::heard`].
//!
//! ```text
//! sound   ├── settled, dropped ──┼─ settled ─┼─ tentative ─┤  at most 3 s are looked at again
//! words     i would like to know    the         balance of
//! ```

use std::sync::Arc;

use crate::audio::Rate;

/// The longest sound that is looked at again, ms.
const LONGEST_MS: usize = 3_000;
/// From this length on the window moves past what is settled; below, more context is worth more than the time.
const MOVE_MS: usize = 1_800;
/// A window of this length is moved even if nothing was agreed on, so that it stays under [`LONGEST_MS`] until the next
/// result.
const FORCE_MS: usize = 2_400;
/// Sound at the end whose words are not yet to be trusted when the window is moved by force, ms.
const OPEN_MS: usize = 1_000;
/// How far from where a word should end its quietest moment is looked for, ms.
const SEEK_MS: usize = 250;
/// Steps in which loudness is looked at, ms.
const STEP_MS: usize = 10;
/// Settled words that stay in the window when it moves.
const KEPT: usize = 2;
/// Silence that shows that the last word is whole, ms.
const REST_MS: usize = 200;

/// Words so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// All words: the settled ones, then the tentative ones.
    pub text: String,
    /// How many of them are settled.
    pub committed: usize,
}

/// An utterance that is being heard.
#[derive(Debug, Clone)]
pub struct Streaming {
    rate: Rate,
    settled: Vec<String>,
    /// Of the settled words, how many (at the end) are still in the window.
    inside: usize,
    /// The latest result behind the settled words.
    tentative: Vec<String>,
    /// First sample that is still looked at.
    start: usize,
    /// The sound of the latest window, from the utterance's start.
    sound: Arc<[i16]>,
}

impl Streaming {
    /// Nothing was heard yet.
    pub fn new(rate: Rate) -> Self {
        Self { rate, settled: Vec::new(), inside: 0, tentative: Vec::new(), start: 0, sound: Arc::from([]) }
    }

    /// The part of an utterance that a recogniser is to look at, at most 3 s. `utterance` is all of it so far.
    pub fn window(&mut self, utterance: Arc<[i16]>) -> Arc<[i16]> {
        let earliest = utterance.len().saturating_sub(self.samples(LONGEST_MS));
        if self.start < earliest {
            // Results were left out: what lies before is given up here; the final result still has it.
            self.start = earliest;
            self.inside = 0;
            self.tentative.clear();
        }
        let window = utterance[self.start.min(utterance.len())..].into();
        self.sound = utterance;
        window
    }

    /// The words of the latest window.
    pub fn heard(&mut self, text: &str) -> Progress {
        let words: Vec<String> = text.split_whitespace().map(str::to_string).collect();
        let past = behind(&self.settled, self.inside, &words);
        let tail = &words[past..];
        let mut sure = tail.iter().zip(&self.tentative).take_while(|(a, b)| plain(a) == plain(b)).count();
        // The last word may be half of one, unless it is quiet after it.
        if sure == tail.len() && !self.ends_quiet() {
            sure = sure.saturating_sub(1);
        }
        let length = self.current().len();
        if length >= self.samples(FORCE_MS) {
            let open = length - self.samples(OPEN_MS);
            sure = sure.max(self.words_before(&words, open).saturating_sub(past).min(tail.len().saturating_sub(1)));
        }
        let total = past + sure;
        self.settled.extend(tail[..sure].iter().cloned());
        self.tentative = tail[sure..].to_vec();
        self.inside = (self.inside + sure).min(total);
        if length >= self.samples(MOVE_MS) {
            self.advance(&words, total, length);
        }
        self.progress()
    }

    /// Words so far.
    pub fn progress(&self) -> Progress {
        let all: Vec<&str> = self.settled.iter().chain(&self.tentative).map(String::as_str).collect();
        Progress { text: all.join(" "), committed: self.settled.len() }
    }

    /// Moves the window past the settled words but the last two, which stay to show where the next begins.
    fn advance(&mut self, words: &[String], settled: usize, length: usize) {
        let by_force = length >= self.samples(FORCE_MS);
        if settled <= KEPT && !by_force {
            return;
        }
        let open = length - self.samples(OPEN_MS).min(length);
        let (offset, kept) = match settled {
            0..=KEPT => (open, 0),
            _ => (self.end_of(words, settled - KEPT), KEPT),
        };
        // Without a place to cut at, one is made: the window may not grow.
        let (offset, kept) =
            if by_force && offset + self.samples(LONGEST_MS - FORCE_MS) < open { (open, 0) } else { (offset, kept) };
        if offset > 0 {
            self.start += offset;
            self.inside = self.inside.min(kept);
            if kept == 0 {
                self.tentative.clear();
            }
        }
    }

    /// Where the `count`-th word of the window ends: where its letters would, spread evenly over what is loud, moved to
    /// the quietest moment near it.
    fn end_of(&self, words: &[String], count: usize) -> usize {
        let window = self.current();
        let (step, loud) = (self.samples(STEP_MS), self.loud());
        let all = loud.last().copied().unwrap_or(0);
        let target = letters(&words[..count]) * all / letters(words).max(1);
        let guess = loud.iter().position(|&sum| sum >= target).map_or(window.len(), |n| (n + 1) * step);
        let from = guess.saturating_sub(self.samples(SEEK_MS)) / step;
        let to = (guess + self.samples(SEEK_MS)).min(window.len()) / step;
        let loudness = |n: &usize| mean(&window[n * step..((n + 3) * step).min(window.len())]);
        (from..to).min_by_key(loudness).map_or(guess, |n| n * step + step)
    }

    /// Words that end before `offset`, letters being spread evenly over what is loud.
    fn words_before(&self, words: &[String], offset: usize) -> usize {
        let loud = self.loud();
        let all = loud.last().copied().unwrap_or(0).max(1);
        let before = loud.get((offset / self.samples(STEP_MS)).min(loud.len().saturating_sub(1))).copied().unwrap_or(0);
        let total = letters(words);
        (0..=words.len()).take_while(|&n| letters(&words[..n]) * all <= total * before).last().unwrap_or(0)
    }

    /// Of each step of the window, how many up to it are loud: a pause takes no letters.
    fn loud(&self) -> Vec<usize> {
        let window = self.current();
        let quiet = mean(window) / 8;
        let mut sum = 0;
        let steps = window.chunks(self.samples(STEP_MS)).map(|step| {
            sum += usize::from(mean(step) >= quiet);
            sum
        });
        steps.collect()
    }

    fn current(&self) -> &[i16] {
        &self.sound[self.start.min(self.sound.len())..]
    }

    /// Whether the last 200 ms are far quieter than the window.
    fn ends_quiet(&self) -> bool {
        let window = self.current();
        let rest = self.samples(REST_MS);
        window.len() >= 2 * rest && mean(&window[window.len() - rest..]) * 8 < mean(window)
    }

    fn samples(&self, ms: usize) -> usize {
        self.rate.hz() as usize * ms / 1_000
    }
}

/// Mean loudness.
fn mean(part: &[i16]) -> u64 {
    part.iter().map(|&s| u64::from(s.unsigned_abs())).sum::<u64>() / part.len().max(1) as u64
}

/// Letters of some words and the spaces after them: how long they take to say, more or less.
fn letters(words: &[String]) -> usize {
    words.iter().map(|word| word.len() + 1).sum()
}

/// How many of `words`, at the start of a window, were settled before: as many as make the beginning most like the end
/// of the settled words, `inside` of which should be there.
fn behind(settled: &[String], inside: usize, words: &[String]) -> usize {
    let most = (inside + 3).min(words.len()).min(settled.len());
    let score = |count: &usize| {
        let apart = apart(&settled[settled.len() - count..], &words[..*count]);
        let alike = 2 * (*count as isize - apart as isize);
        let unexpected = count.abs_diff(inside) as isize;
        (alike - unexpected - isize::from(apart > 0), -unexpected)
    };
    (0..=most).max_by_key(score).unwrap_or(0)
}

/// Levenshtein's distance in words.
fn apart(one: &[String], other: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let best = (diagonal + usize::from(plain(a) != plain(b))).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[other.len()]
}

/// A word without case and marks; a digit as it is said.
fn plain(word: &str) -> String {
    const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let plain: String = word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match plain.as_bytes() {
        [digit @ b'0'..=b'9'] => DIGITS[usize::from(digit - b'0')].to_string(),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: usize = 8_000;

    /// A loud hum of so many milliseconds.
    fn hum(ms: usize) -> Arc<[i16]> {
        (0..ms * 8).map(|n| if n % 20 < 10 { 4_000 } else { -4_000 }).collect()
    }

    /// The same in words of a quarter of a second, with 40 ms of quiet between them.
    fn speech(ms: usize) -> Arc<[i16]> {
        hum(ms).iter().enumerate().map(|(n, &s)| if n / 8 % 250 < 40 { s / 100 } else { s }).collect()
    }

    /// Feeds results, one each 300 ms; of a recogniser that sees the whole window.
    fn feed(results: &[&str]) -> Streaming {
        let mut streaming = Streaming::new(Rate::Narrow);
        for (n, text) in results.iter().enumerate() {
            streaming.window(hum(300 * (n + 1)));
            streaming.heard(text);
        }
        streaming
    }

    #[test]
    fn a_word_is_settled_when_two_results_agree_and_more_follows() {
        let words = feed(&["I", "I would", "I would like", "I would, like to"]).progress();
        assert_eq!(words, Progress { text: "I would like to".to_string(), committed: 3 });
        assert_eq!(feed(&["block", "black my", "block my card"]).progress().committed, 0, "never twice the same");
    }

    #[test]
    fn the_last_word_is_settled_when_it_is_quiet_after_it() {
        let mut streaming = Streaming::new(Rate::Narrow);
        for quiet in [0, 300] {
            let sound: Arc<[i16]> = hum(900).iter().copied().chain(vec![0; quiet * 8]).collect();
            streaming.window(sound);
            streaming.heard("my balance");
        }
        assert_eq!(streaming.progress().committed, 2);
    }

    #[test]
    fn what_is_settled_stays_though_a_later_result_says_otherwise() {
        let mut streaming = feed(&["I lost my", "I lost my card"]);
        let before = streaming.progress();
        assert_eq!(before.committed, 3);
        streaming.window(hum(1_200));
        let after = streaming.heard("He lost my car and");
        assert!(after.text.starts_with("I lost my") && after.committed >= 3, "{after:?}");
    }

    #[test]
    fn the_window_moves_past_what_is_settled_and_the_words_go_on() {
        let all = "somebody stole my wallet and i need to block my card now please".split(' ').collect::<Vec<_>>();
        let mut streaming = Streaming::new(Rate::Narrow);
        let (mut longest, mut progress) = (0, streaming.progress());
        // Four words a second; a recogniser that hears every word whose middle lies in the window.
        for n in 1..=12 {
            let now = 300 * n;
            let before = streaming.start / 8;
            let window = streaming.window(speech(now));
            let before = before.max(now - window.len() / 8);
            longest = longest.max(window.len());
            let heard: Vec<&str> = all
                .iter()
                .enumerate()
                .filter(|(k, _)| (before..now).contains(&(k * 250 + 125)))
                .map(|(_, word)| *word)
                .collect();
            progress = streaming.heard(&heard.join(" "));
        }
        assert!(longest <= 3 * SECOND, "{longest}");
        assert!(streaming.start > 0, "it moved");
        let said = all.join(" ");
        assert!(said.starts_with(&progress.text), "{progress:?}");
        assert!(progress.committed >= all.len() - 4, "{progress:?}");
    }

    #[test]
    fn a_sound_without_words_does_not_grow_the_window() {
        let mut streaming = Streaming::new(Rate::Narrow);
        for n in 1..60 {
            assert!(streaming.window(hum(300 * n)).len() <= 3 * SECOND);
            assert_eq!(streaming.heard("").committed, 0);
        }
    }

    proptest! {
        /// Whatever a recogniser says, and however irregularly: settled words are only ever added to, and no window is
        /// longer than 3 s.
        #[test]
        fn settled_words_are_never_taken_back(
            results in proptest::collection::vec((1usize..2_000, proptest::collection::vec("[a-d]{1,3}[,.]?", 0..12)), 1..25),
        ) {
            let mut streaming = Streaming::new(Rate::Narrow);
            let (mut now, mut settled) = (0, Vec::<String>::new());
            for (ms, words) in results {
                now += ms;
                prop_assert!(streaming.window(hum(now)).len() <= 3 * SECOND);
                let progress = streaming.heard(&words.join(" "));
                let all: Vec<String> = progress.text.split_whitespace().map(str::to_string).collect();
                prop_assert!(progress.committed <= all.len());
                prop_assert!(all[..progress.committed].starts_with(&settled), "{:?} then {:?}", settled, progress);
                settled = all[..progress.committed].to_vec();
            }
        }
    }
}
