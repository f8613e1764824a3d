//! Words shared between a text and examples: TF-IDF likeness, and texts that are examples already.
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

/// A sparse vector: features in ascending order, of length one.
type Sparse = Vec<(u32, f32)>;

/// Texts and their shared words.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexicon {
    features: HashMap<String, u32>,
    idf: Vec<f32>,
    /// For each feature, the rows that have it, and how much.
    rows_of: Vec<Vec<(u32, f32)>>,
    rows: usize,
}

impl Lexicon {
    /// Learns the words and word pairs of `texts`.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut lexicon = Self::default();
        let mut counted: Vec<HashMap<u32, f32>> = Vec::new();
        for text in texts {
            let mut counts = HashMap::new();
            for feature in features(text) {
                let next = u32::try_from(lexicon.features.len()).unwrap_or(u32::MAX);
                let id = *lexicon.features.entry(feature).or_insert(next);
                *counts.entry(id).or_insert(0.0) += 1.0;
            }
            counted.push(counts);
        }
        let mut seen = vec![0_u32; lexicon.features.len()];
        counted.iter().flat_map(HashMap::keys).for_each(|id| seen[*id as usize] += 1);
        let total = counted.len() as f32;
        lexicon.idf = seen.iter().map(|n| ((1.0 + total) / (1.0 + *n as f32)).ln() + 1.0).collect();
        lexicon.rows_of = vec![Vec::new(); lexicon.features.len()];
        for (row, counts) in counted.into_iter().enumerate() {
            for (id, weight) in lexicon.weigh(counts) {
                lexicon.rows_of[id as usize].push((row as u32, weight));
            }
        }
        lexicon.rows = total as usize;
        lexicon
    }

    /// Cosine of the text with every row, 0..1.
    pub(super) fn likeness(&self, text: &str) -> Vec<f32> {
        let mut counts = HashMap::new();
        for id in features(text).filter_map(|feature| self.features.get(&feature)) {
            *counts.entry(*id).or_insert(0.0) += 1.0;
        }
        let mut out = vec![0.0; self.rows];
        for (id, weight) in self.weigh(counts) {
            for (row, theirs) in &self.rows_of[id as usize] {
                out[*row as usize] += weight * theirs;
            }
        }
        out
    }

    /// Sublinear term frequency times inverse document frequency, of length one; in the features' order, so that sums
    /// come out the same in every run.
    fn weigh(&self, counts: HashMap<u32, f32>) -> Sparse {
        let mut out: Sparse = counts.into_iter().map(|(id, n)| (id, (1.0 + n.ln()) * self.idf[id as usize])).collect();
        out.sort_unstable_by_key(|(id, _)| *id);
        let length = out.iter().map(|(_, w)| w * w).sum::<f32>().sqrt().max(1e-9);
        out.iter_mut().for_each(|(_, w)| *w /= length);
        out
    }
}

/// Words and pairs of neighbours.
fn features(text: &str) -> impl Iterator<Item = String> {
    let words = words(text);
    let pairs: Vec<String> = words.windows(2).map(|pair| pair.join(" ")).collect();
    words.into_iter().chain(pairs)
}

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
    fn shared_words_make_texts_alike() {
        let lexicon = Lexicon::new(["block my card", "what is my balance", "open an account"].into_iter());
        let like = lexicon.likeness("block the card");
        assert!(like[0] > 0.4 && like[1] == 0.0 && like[2] == 0.0, "{like:?}");
        let same = lexicon.likeness("What's my balance?");
        assert!((same[1] - 1.0).abs() < 1e-5, "{same:?}");
        assert_eq!(lexicon.likeness("xyzzy"), [0.0; 3]);
    }

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
