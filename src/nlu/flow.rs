//! What words say about the course of a conversation rather than about its subject: a listener's "mhm", and a sentence
//! that hangs in the air.

use super::text::bounded;

/// What listeners say to show that they listen, word by word.
const BACKCHANNEL: &[&str] = &[
    "mhm", "mm", "mmm", "hm", "hmm", "uh", "huh", "uhhuh", "um", "ah", "aha", "oh", "okay", "ok", "yeah", "yep",
    "right", "sure", "alright", "see", "i", "yes", "hum",
];
/// Words after which more must come.
const HANGING: &[&str] = &[
    "a", "an", "the", "and", "or", "but", "because", "so", "if", "that", "which", "who", "my", "your", "his", "her",
    "our", "their", "to", "from", "of", "for", "with", "in", "on", "at", "by", "about", "is", "are", "was", "were",
    "am", "will", "would", "could", "can", "should", "do", "does", "i", "i'm", "it's", "um", "uh", "er", "erm", "like",
    "then", "also", "want", "need",
];
/// Single words by which a speaker is stopped.
const STOP: &[&str] = &["stop", "wait", "hello", "hey", "sorry", "pardon", "what", "no", "agent", "operator", "help"];
/// A listener's sound is no longer than this, in words.
const MOST_BACKCHANNEL: usize = 4;

/// The words as they were said: fillers are what counts here.
fn words(text: &str) -> Vec<String> {
    let apart = bounded(text).split(|c: char| c.is_whitespace() || c == '-');
    let bare = apart.map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase());
    bare.filter(|word| !word.is_empty()).collect()
}

/// Whether this is all a listener's sound: "uh-huh", "okay", "I see".
pub fn is_backchannel(text: &str) -> bool {
    let words = words(text);
    !words.is_empty() && words.len() <= MOST_BACKCHANNEL && words.iter().all(|w| BACKCHANNEL.contains(&w.as_str()))
}

/// Words that say something: neither a listener's sounds nor words after which more must come.
pub fn telling_words(text: &str) -> usize {
    let tells = |word: &&String| !BACKCHANNEL.contains(&word.as_str()) && !HANGING.contains(&word.as_str());
    words(text).iter().filter(tells).count()
}

/// Whether this one word asks whoever speaks to stop: "wait", "hello?".
pub fn is_stop(text: &str) -> bool {
    matches!(words(text).as_slice(), [word] if STOP.contains(&word.as_str()))
}

/// Whether this breaks off where more must come: "my number is", "I want to", "and um".
pub fn is_unfinished(text: &str) -> bool {
    let words = words(text);
    let Some(last) = words.last() else { return false };
    // A recogniser that hears a question marks it: "what is it for?"
    let asked = text.trim_end().ends_with('?');
    !asked && HANGING.contains(&last.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_speaker() {
        // A "mm-hmm" as recognisers write it, and what somebody says who means it.
        for (text, telling) in [("and mm,", 0), ("and then, mo,", 1), ("My balance", 1), ("Cancel that order", 2)] {
            assert_eq!(telling_words(text), telling, "{text}");
        }
        for text in ["Uh-huh.", "Mm-hmm", "Okay.", "I see", "Yeah, yeah.", "Oh, right.", "I see, I see."] {
            assert!(is_backchannel(text), "{text}");
        }
        for text in ["", "No.", "Stop.", "Yes, my account", "Okay, what is my balance", "Wait a second"] {
            assert!(!is_backchannel(text), "{text}");
        }
    }

    #[test]
    fn one_word_stops_a_speaker_and_others_do_not() {
        assert!(is_stop("Wait!") && is_stop("Hello?"));
        assert!(!is_stop("Mom.") && !is_stop("") && !is_stop("wait for it"));
    }

    #[test]
    fn a_sentence_that_hangs_in_the_air_is_told() {
        for text in ["my number is", "I would like to", "I lost my card and", "um", "I want", "It's about the,"] {
            assert!(is_unfinished(text), "{text}");
        }
        for text in ["", "what is my balance", "yes please", "what is it about?", "an agent, please.", "goodbye"] {
            assert!(!is_unfinished(text), "{text}");
        }
    }
}
