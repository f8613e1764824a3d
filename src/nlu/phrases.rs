//! Texts that are examples already, word for word or nearly, and keywords of one intent alone.
//!
//! Owns what can be told without an embedding. Never overrules it: `intents` joins the two.

use std::collections::{HashMap, HashSet};

use super::text::{edit_distance, normalise, words};

/// Words that callers wrap a request in; two texts that differ only in them ask for the same.
const WRAPPING: &[&str] = &[
    "please", "hi", "hello", "hey", "thanks", "thank", "you", "yes", "yeah", "ok", "okay", "i", "would", "want",
    "like", "need", "to", "a", "an", "the", "can", "could", "me", "my", "just", "about", "is", "am", "are", "it",
    "for", "with", "some", "so", "and", "well", "now", "will", "do", "let", "us", "of", "get", "check",
];

/// Words that say nothing of a subject: alone, or with each other, they are no keyword, whatever examples they stand in.
const SUBJECTLESS: &[&str] = &[
    "how",
    "what",
    "when",
    "where",
    "who",
    "whom",
    "whose",
    "why",
    "which",
    "there",
    "here",
    "this",
    "that",
    "these",
    "those",
    "they",
    "them",
    "their",
    "your",
    "yours",
    "mine",
    "his",
    "her",
    "she",
    "from",
    "into",
    "onto",
    "than",
    "then",
    "not",
    "but",
    "because",
    "have",
    "has",
    "had",
    "does",
    "did",
    "doing",
    "was",
    "were",
    "been",
    "being",
    "shall",
    "should",
    "may",
    "might",
    "must",
    "any",
    "all",
    "more",
    "most",
    "much",
    "many",
    "other",
    "another",
    "something",
    "anything",
    "nothing",
    "everything",
    "good",
    "fine",
    "great",
    "very",
    "too",
    "also",
    "only",
    "even",
    "still",
    "yet",
    "again",
    "back",
    "out",
    "off",
    "over",
    "one",
    "got",
    "going",
    "come",
    "take",
    "make",
    "give",
    "put",
    "tell",
    "say",
    "said",
    "know",
    "think",
    "see",
    "look",
    "thing",
    "things",
    "right",
    "really",
    "sure",
];

/// Examples by their text, for what needs no embedding.
#[derive(Debug, Clone, Default)]
pub(super) struct Phrases {
    /// Normalised examples: whole and without wrapping, with their intents.
    whole: HashMap<String, Vec<usize>>,
    bare: HashMap<String, Vec<usize>>,
    /// The intents whose examples hold a word.
    intents_of: HashMap<String, Vec<usize>>,
}

impl Phrases {
    /// Takes each example with its intent.
    pub(super) fn new<'a>(examples: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut phrases = Self::default();
        for (intent, text) in examples {
            add(&mut phrases.whole, normalise(text), intent);
            add(&mut phrases.bare, bare(text), intent);
            for word in words(text).into_iter().filter(|word| !WRAPPING.contains(&word.as_str())) {
                add(&mut phrases.intents_of, word, intent);
            }
        }
        phrases
    }

    /// The intent of which the text is an example already, among the `allowed`: word for word 1.0, but for its wrapping
    /// 0.95, but for one letter 0.9, or a keyword of that intent alone 0.85.
    pub(super) fn find(&self, text: &str, allowed: &[usize]) -> Option<(usize, f32)> {
        let whole = normalise(text);
        let stripped = bare(text);
        if whole.is_empty() {
            return None;
        }
        let one = |intents: Option<&Vec<usize>>| -> Option<usize> {
            let mut fitting = intents?.iter().filter(|intent| allowed.contains(intent));
            let first = fitting.next()?;
            fitting.next().is_none().then_some(*first)
        };
        let near = || {
            let close = self.whole.iter().filter(|(example, _)| one_letter_apart(example, &whole));
            let intents: HashSet<usize> = close
                .flat_map(|(_, intents)| intents.iter().copied())
                .filter(|intent| allowed.contains(intent))
                .collect();
            (intents.len() == 1).then(|| intents.into_iter().next()).flatten()
        };
        one(self.whole.get(&whole))
            .map(|intent| (intent, 1.0))
            .or_else(|| one(self.bare.get(&stripped).filter(|_| !stripped.is_empty())).map(|intent| (intent, 0.95)))
            .or_else(|| near().map(|intent| (intent, 0.9)))
            .or_else(|| self.keyword(&stripped, allowed).map(|intent| (intent, 0.85)))
    }

    /// The one allowed intent to whose examples the one or two words belong.
    fn keyword(&self, stripped: &str, allowed: &[usize]) -> Option<usize> {
        let words: Vec<&str> = stripped.split(' ').filter(|word| !word.is_empty()).collect();
        if words.is_empty() || words.len() > 2 || words.iter().any(|word| word.chars().count() < 3) {
            return None;
        }
        if words.iter().all(|word| SUBJECTLESS.contains(word)) {
            return None;
        }
        let mut of: Option<HashSet<usize>> = None;
        for word in &words {
            let intents: HashSet<usize> =
                self.intents_of.get(*word)?.iter().copied().filter(|intent| allowed.contains(intent)).collect();
            of = Some(match of {
                Some(before) => before.intersection(&intents).copied().collect(),
                None => intents,
            });
        }
        let of = of?;
        (of.len() == 1).then(|| of.into_iter().next()).flatten()
    }
}

fn add(map: &mut HashMap<String, Vec<usize>>, key: String, intent: usize) {
    let intents = map.entry(key).or_default();
    if !intents.contains(&intent) {
        intents.push(intent);
    }
}

/// Whether two texts differ in one letter of one word of four letters or more: "my cart" for "my card", but not "off"
/// for "on".
fn one_letter_apart(a: &str, b: &str) -> bool {
    if a.len().abs_diff(b.len()) > 4 {
        return false;
    }
    let mut different = 0;
    let (mut left, mut right) = (a.split(' '), b.split(' '));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return different == 1,
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) if x.len().min(y.len()) >= 4 && edit_distance(x, y, 1) == 1 => different += 1,
            _ => return false,
        }
        if different > 1 {
            return false;
        }
    }
}

/// The normalised text without its wrapping.
fn bare(text: &str) -> String {
    words(text).into_iter().filter(|word| !WRAPPING.contains(&word.as_str())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found_by_their_words() {
        let examples = [
            (0, "what's my balance"),
            (0, "how much money do I have"),
            (1, "block my card"),
            (1, "I lost my card"),
            (2, "let me talk to a person"),
            (2, "representative"),
            (3, "order a new card"),
        ];
        let phrases = Phrases::new(examples.into_iter());
        let all = [0, 1, 2, 3];
        let rows: &[(&str, &[usize], Option<(usize, f32)>)] = &[
            ("What is my balance?", &all, Some((0, 1.0))),
            ("could you please block my card", &all, Some((1, 0.95))),
            ("how much monney do I have", &all, Some((0, 0.9))),
            ("Balance.", &all, Some((0, 0.85))),
            ("representative please", &all, Some((2, 0.95))),
            ("card", &all, None),
            ("card", &[0, 3], Some((3, 0.85))),
            ("what is my balance", &[1, 2], None),
            ("the weather", &all, None),
            ("", &all, None),
            ("please", &all, None),
            ("How are you?", &all, None),
            ("much have", &all, None),
        ];
        for (text, allowed, expected) in rows {
            assert_eq!(phrases.find(text, allowed), *expected, "{text}");
        }
    }
}
