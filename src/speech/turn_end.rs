//! How much silence ends a turn: decided by what the words say, what the state expects, and how the voice fell, rather
//! than by a fixed time. Pure; the figures of each method stand beside each other in `sidetone eval turns`.

/// What the words so far say of whether more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Words {
    /// Not known yet.
    #[default]
    Pending,
    /// They say nothing of it.
    Unknown,
    /// All that the state waits for is there: a clear yes, eight digits of eight.
    Complete,
    /// Something that can stand alone: an intent that is plain.
    Likely,
    /// Something is missing: six digits of eight, "and my number is".
    Unfinished,
}

/// What is known at a pause.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// From the words.
    pub words: Words,
    /// Probability, 0..1, that the voice came to an end; `None` while it is not known.
    pub voice: Option<f32>,
}

/// From here on the voice says that the turn is over: after 64 ms of silence Smart Turn says so lightly.
const VOICE_ENDED: f32 = 0.9;
/// Silence that ends a turn while the words are not known yet, ms. How the voice fell does not shorten it: over the
/// telephone it falls in the middle of numbers, too.
pub const PENDING_MS: u32 = 800;
/// The same while the words are unfinished.
const UNFINISHED_MS: u32 = 1_500;
/// Silence after which words that leave nothing open end the turn, ms.
const COMPLETE_MS: u32 = 160;
/// Words that can stand alone, in a voice that fell, in one that did not, or unknown.
const LIKELY_MS: (u32, u32, u32) = (500, 1_000, 700);
/// Words that say nothing, in a voice that fell, in one that did not, or unknown.
const UNKNOWN_MS: (u32, u32, u32) = (1_000, 1_200, 1_100);

/// Silence that ends the turn, ms, for a listener of this `patience` (1 as measured, 2 waits twice as long where anything
/// is open). It falls as evidence comes in, and rises when the evidence speaks for more to come.
pub fn silence_ms(evidence: Evidence, patience: f32) -> u32 {
    let usual = usual_ms(evidence);
    if evidence.words == Words::Complete { usual } else { (usual as f32 * patience) as u32 }
}

fn usual_ms(evidence: Evidence) -> u32 {
    let ended = evidence.voice.map(|p| p >= VOICE_ENDED);
    match (evidence.words, ended) {
        (Words::Complete, _) => COMPLETE_MS,
        (Words::Unfinished, _) => UNFINISHED_MS,
        (Words::Likely, Some(true)) => LIKELY_MS.0,
        (Words::Likely, Some(false)) => LIKELY_MS.1,
        (Words::Likely, None) => LIKELY_MS.2,
        (Words::Unknown, Some(true)) => UNKNOWN_MS.0,
        (Words::Unknown, Some(false)) => UNKNOWN_MS.1,
        (Words::Unknown, None) => UNKNOWN_MS.2,
        (Words::Pending, _) => PENDING_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_evidence_of_an_end_never_waits_longer() {
        let order = [Words::Unfinished, Words::Unknown, Words::Likely, Words::Complete];
        for voice in [None, Some(0.1), Some(0.9)] {
            let waits = order.map(|words| silence_ms(Evidence { words, voice }, 1.0));
            assert!(waits.windows(2).all(|w| w[0] >= w[1]), "{voice:?}: {waits:?}");
        }
        for words in order {
            let wait = |voice| silence_ms(Evidence { words, voice: Some(voice) }, 1.0);
            assert!(wait(0.9) <= wait(0.1), "{words:?}");
        }
    }

    #[test]
    fn patience_waits_longer_but_not_for_what_is_complete() {
        let wait = |words, patience| silence_ms(Evidence { words, voice: Some(0.1) }, patience);
        assert_eq!(wait(Words::Complete, 2.0), wait(Words::Complete, 1.0));
        assert_eq!(wait(Words::Likely, 2.0), 2 * wait(Words::Likely, 1.0));
    }
}
