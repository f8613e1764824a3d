//! What a recogniser wrote, made fit for a script: no stage directions, no loops.
//!
//! Owns the rules; pure text. Never corrects a word.

use crate::call::ports::Hint;
use crate::nlu::digits::digits;

/// The words of a transcript without what was not speech: "[BLANK_AUDIO]", "(wind blowing)", "*cough*", "♪".
pub(super) fn speech_only(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut closing = None;
    for c in text.chars() {
        match (closing, c) {
            (Some(end), c) if c == end => closing = None,
            (Some(_), _) => {}
            (None, '[') => closing = Some(']'),
            (None, '(') => closing = Some(')'),
            (None, '*') => closing = Some('*'),
            (None, '♪' | '♫') => {}
            (None, c) => kept.push(c),
        }
    }
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    if kept.chars().any(char::is_alphanumeric) { kept } else { String::new() }
}

/// Cuts a loop off: words that come three times in a row as a group of `2..=8`, or six times alone, stay once; what
/// follows the loop goes with it. `None` if there is no loop. Digits and number words may well repeat
/// ("zero zero zero zero zero zero"): they are left alone.
pub(super) fn without_loop(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain: Vec<String> =
        words.iter().map(|w| w.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()).collect();
    for start in 0..plain.len() {
        for n in 1..=8 {
            let times = if n == 1 { 6 } else { 3 };
            let Some(span) = plain.get(start..start + n * times) else { break };
            let group = &span[..n];
            let numbers = group.iter().all(|w| is_number(w));
            if !numbers && span.chunks(n).all(|chunk| chunk == group) {
                return Some(words[..start + n].join(" "));
            }
        }
    }
    None
}

fn is_number(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "zero", "oh", "o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "double", "triple",
    ];
    word.chars().all(|c| c.is_ascii_digit()) || WORDS.contains(&word)
}

/// One word over and over, oftener than anyone can say it in that time (four times a second, after half a second of
/// line), stays once: `None` if there is no such run. Digits too: "nine" nineteen times is no number.
pub(super) fn without_run(text: &str, seconds: f32) -> Option<String> {
    let most = 2.0 + 4.0 * (seconds - 0.5).max(0.0);
    let words: Vec<&str> = text.split_whitespace().collect();
    let same = |a: &str, b: &str| {
        let plain = |w: &str| w.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
        plain(a) == plain(b)
    };
    let run = words.chunk_by(|a, b| same(a, b)).scan(0, |at, run| {
        *at += run.len();
        Some((*at - run.len(), run.len()))
    });
    let (at, _) = run.into_iter().find(|(_, length)| *length as f32 > most)?;
    Some(words[..=at].join(" "))
}

/// Whether a text says the same four words or more twice in a row: perhaps the caller did, perhaps the recogniser.
pub(super) fn says_twice(text: &str) -> bool {
    let plain: Vec<String> = text
        .split_whitespace()
        .map(|w| w.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase())
        .collect();
    (4..=plain.len() / 2).any(|n| plain.windows(2 * n).any(|both| both[..n] == both[n..]))
}

/// Whether so much text cannot have been said in so short a time (over 25 letters a second), or so little is odd
/// for speech that long (under one letter in two seconds, from three seconds on).
pub(super) fn is_implausible(text: &str, seconds: f32) -> bool {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count() as f32;
    letters > 12.0 + 25.0 * seconds || (seconds >= 3.0 && letters < seconds / 2.0)
}

/// Whether a text holds as many digits as were expected. Where none were, or where no digit was said, it fits.
pub(super) fn fits(hint: &Hint, text: &str) -> bool {
    let Hint::Digits { least, most } = hint else { return true };
    digits(text, Some((usize::from(*least), usize::from(*most)))).is_none_or(|found| found.fits)
}

/// Whether this is what Whisper writes where nobody spoke, and not sure of it: over silence and noise it says "you"
/// with a mean probability of 0.25 to 0.56; words really said come with 0.8 and more. (Its own probability of no
/// speech says nothing in whisper.cpp without timestamps: 0.00002 for both.)
pub(super) fn is_made_up(text: &str, confidence: f32) -> bool {
    const ALONE: &[&str] = &["you", "thank you", "thanks for watching", "thank you for watching", "bye", "the", "so"];
    let plain = text.to_lowercase();
    confidence < 0.6 && ALONE.contains(&plain.trim_end_matches(['.', '!', '?', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_directions_are_no_speech() {
        for noise in ["[BLANK_AUDIO]", " (wind blowing)", "[Music] ♪", "*cough* (sighs)", "...", ""] {
            assert_eq!(speech_only(noise), "", "{noise}");
        }
        assert_eq!(speech_only(" I lost (sighs) my card. [BLANK_AUDIO]"), "I lost my card.");
    }

    #[test]
    fn words_over_nothing_are_made_up_only_when_unsure() {
        assert!(is_made_up("You", 0.5) && is_made_up("Thank you.", 0.4));
        assert!(!is_made_up("Thank you.", 0.9) && !is_made_up("thank you for nothing", 0.4));
    }

    #[test]
    fn a_loop_is_cut_after_its_first_round() {
        assert_eq!(
            without_loop("I want a card. I want a card. I want a card. I want").as_deref(),
            Some("I want a card.")
        );
        assert_eq!(without_loop("so no no no no no no no").as_deref(), Some("so no"));
    }

    #[test]
    fn ordinary_repetition_stays() {
        for fine in ["no no no, that is wrong", "zero zero zero zero zero zero one", "1 1 1 1 1 1 1", "very very good"]
        {
            assert_eq!(without_loop(fine), None, "{fine}");
        }
    }

    #[test]
    fn the_count_of_digits_is_looked_at_where_digits_are_expected() {
        let six = Hint::Digits { least: 6, most: 6 };
        for fine in ["4 0 7 1 9 2.", "four oh seven one nine two", "I want to speak to somebody", ""] {
            assert!(fits(&six, fine), "{fine}");
        }
        for odd in ["4 0 7 1 9", "40719283", "one"] {
            assert!(!fits(&six, odd), "{odd}");
        }
        assert!(fits(&Hint::Open, "4 0 7"));
    }

    #[test]
    fn one_word_over_and_over_is_said_once() {
        let nines = "9 ".repeat(19);
        assert_eq!(without_run(&nines, 0.9).as_deref(), Some("9"));
        assert_eq!(without_run("Three, three, three, three,", 0.9).as_deref(), Some("Three,"));
        assert_eq!(without_run("0 0 0 0 0 0", 2.0), None, "six zeros take a second and a half");
        assert_eq!(without_run("no no", 0.6), None);
        assert_eq!(without_run("", 0.6), None);
    }

    #[test]
    fn a_sentence_said_twice_is_doubted() {
        assert!(says_twice("Press 5 to repeat the message. Press 5 to repeat the message."));
        assert!(!says_twice("very very good, no no, I said I said so") && !says_twice("one two three four"));
    }

    #[test]
    fn implausible_for_its_length() {
        assert!(is_implausible(&"word ".repeat(40), 2.0));
        assert!(is_implausible("", 4.0));
        assert!(!is_implausible("what is my balance", 1.2));
        assert!(!is_implausible("", 1.0));
    }
}
