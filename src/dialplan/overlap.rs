//! Intents that are hard to tell apart: an example that is nearer to another intent than to its own. Needs embeddings,
//! which are made elsewhere.

use super::diagnostic::{Code, Diagnostic, Severity};
use super::raw::Raw;

/// An example as it stands in the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// What it is an example of: an intent's name, or the first question of a knowledge entry.
    pub class: String,
    /// The words.
    pub text: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// Cosine from which two sentences are near.
const NEAR: f32 = 0.75;
/// So many sentences are compared: their pairs grow with the square.
pub const MOST_SENTENCES: usize = 1_000;

/// The plan's sentences, in the order of the file.
pub(super) fn sentences(raw: &Raw) -> Vec<Sentence> {
    let knowledge = raw.shared.knowledge.iter();
    let questions =
        knowledge.map(|entry| (entry.questions.first().map_or("", |first| first.text.as_str()), &entry.questions));
    let intents = raw.intents.iter().map(|(name, examples)| (name.text.as_str(), examples));
    let of = |(class, texts): (&str, &Vec<_>)| {
        let sentence = |text: &super::yaml::Scalar| Sentence {
            class: class.to_owned(),
            text: text.text.clone(),
            line: text.at.line,
            column: text.at.column,
        };
        texts.iter().map(sentence).collect::<Vec<_>>()
    };
    intents.chain(questions).flat_map(of).collect()
}

/// One warning for each pair of classes that overlap, at the example that shows it best. `vectors` are the sentences'
/// embeddings, of length 1.
pub fn overlaps(file: &str, sentences: &[Sentence], vectors: &[Vec<f32>]) -> Vec<Diagnostic> {
    let count = sentences.len().min(vectors.len()).min(MOST_SENTENCES);
    let mut found: Vec<(f32, usize, usize)> = Vec::new();
    for at in 0..count {
        let (mut own, mut other) = (0.0_f32, (0.0_f32, at));
        for to in (0..count).filter(|to| *to != at) {
            let near: f32 = vectors[at].iter().zip(&vectors[to]).map(|(a, b)| a * b).sum();
            if sentences[at].class == sentences[to].class {
                own = own.max(near);
            } else if near > other.0 {
                other = (near, to);
            }
        }
        // The same words are another rule's: it needs no embedding.
        if other.0 >= NEAR && other.0 > own && other.0 < 0.999 {
            found.push((other.0, at, other.1));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    let mut out = Vec::new();
    for (near, at, to) in found {
        let (a, b) = (&sentences[at], &sentences[to]);
        let (low, high) = if a.class < b.class { (a, b) } else { (b, a) };
        let (low, high) = (low.class.as_str(), high.class.as_str());
        if pairs.contains(&(low, high)) {
            continue;
        }
        pairs.push((low, high));
        out.push(Diagnostic {
            file: file.to_owned(),
            line: a.line,
            column: a.column,
            severity: Severity::Warning,
            code: Code::OverlappingIntents,
            message: format!(
                "\"{}\" (`{}`) is nearer to \"{}\" (`{}`, line {}) than to its own intent: {near:.2}",
                a.text, a.class, b.text, b.class, b.line
            ),
            help: Some("word one of them differently, or make the two one intent".into()),
        });
    }
    out.sort_by_key(|d| (d.line, d.column));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_that_overlaps_is_named_once_with_both_examples() {
        let sentence =
            |class: &str, text: &str, line| Sentence { class: class.into(), text: text.into(), line, column: 7 };
        let sentences =
            [sentence("a", "one", 1), sentence("a", "two", 2), sentence("b", "three", 3), sentence("b", "four", 4)];
        let vectors = [vec![1.0, 0.0], vec![0.6, 0.8], vec![0.68, 0.733], vec![0.0, 1.0]];
        let found = overlaps("x", &sentences, &vectors);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].message.contains("two") && found[0].message.contains("three"), "{found:?}");
        assert_eq!(overlaps("x", &sentences[..2], &vectors[..2]), []);
        assert_eq!(overlaps("x", &sentences, &[]), []);
    }
}
