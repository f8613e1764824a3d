//! What is measured of the intent classifier: accuracy with many and with few examples, and rejection of what is no
//! intent, on seeded splits.

use std::collections::HashMap;

use serde::Serialize;

use super::corpus::{Corpus, Row};
use crate::nlu::background;
use crate::nlu::intents::{Classifier, Example, Ranking, name_as_example};
use crate::nlu::text::clean;

/// Places texts in meaning's space, each once.
pub(super) struct Space<'a> {
    embed: &'a mut dyn FnMut(&str) -> anyhow::Result<Vec<f32>>,
    known: HashMap<String, Vec<f32>>,
}

impl<'a> Space<'a> {
    pub(super) fn new(embed: &'a mut dyn FnMut(&str) -> anyhow::Result<Vec<f32>>) -> Self {
        Self { embed, known: HashMap::new() }
    }

    /// Embeds what is not known yet.
    pub(super) fn learn<'t>(&mut self, texts: impl Iterator<Item = &'t str>) -> anyhow::Result<()> {
        for text in texts {
            if !self.known.contains_key(text) {
                let embedding = (self.embed)(&clean(text))?;
                self.known.insert(text.to_string(), embedding);
            }
        }
        Ok(())
    }

    fn example<'t>(&'t self, text: &'t str) -> Example<'t> {
        Example { text, embedding: self.known.get(text).map_or(&[], Vec::as_slice) }
    }
}

/// Banking77's figures. Shares are 0..1.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Banking {
    /// Trained on four fifths, tested on the held-out fifth.
    pub(super) banking77_full_acc: f32,
    /// Ten examples an intent, tested on the same fifth: mean of five seeds.
    pub(super) banking77_10shot_acc: f32,
    /// The five.
    pub(super) banking77_10shot_seeds: Vec<f32>,
    /// Unrelated sentences rejected at the threshold that accepts 95 % of the held-out fifth (10-shot).
    pub(super) oos_recall: f32,
    /// The same of sentences whose intents were left out of training (17 of 77): far harder.
    pub(super) oos_near_recall: f32,
    /// Those rejected at the threshold that calls use.
    pub(super) oos_near_rejected: f32,
    /// Of the intents that were not left out, sentences accepted at that threshold.
    pub(super) oos_near_accepted: f32,
    /// Unrelated sentences rejected at the threshold that calls use.
    pub(super) oos_rejected: f32,
    /// Held-out sentences accepted at that threshold.
    pub(super) in_scope_accepted: f32,
    /// After which a caller is asked which of two intents they meant (10-shot).
    #[serde(flatten)]
    pub(super) asked: Asked,
}

/// "Did you mean this or that": shares of in-scope sentences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Asked {
    /// After which it is asked.
    pub(super) asked_which: f32,
    /// The likeliest was right: asked needlessly.
    pub(super) asked_which_first: f32,
    /// The other one was right: asking mends it.
    pub(super) asked_which_second: f32,
}

/// Figures of any corpus.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Other {
    /// The likeliest intent is the right one, in-scope sentences only.
    pub(super) acc: f32,
    /// Right intent and accepted, or out of scope and rejected, of all sentences, at the threshold that calls use.
    pub(super) acc_with_none: f32,
    /// Out-of-scope sentences rejected at the threshold that accepts 95 % of the others.
    pub(super) oos_recall: f32,
    /// Whether those were the corpus's own, or this project's unrelated sentences.
    pub(super) oos_from: &'static str,
    /// Out-of-scope sentences rejected at the threshold that calls use.
    pub(super) oos_rejected: f32,
    /// In-scope sentences accepted at that threshold.
    pub(super) in_scope_accepted: f32,
    /// Sentences of a fifth of the intents, left out of training, rejected at the threshold that accepts 95 % of the
    /// others: mean of three choices of that fifth. `None` below five intents.
    pub(super) oos_near_recall: Option<f32>,
    /// Those rejected at the threshold that calls use.
    pub(super) oos_near_rejected: Option<f32>,
    /// After which a caller is asked which of two intents they meant.
    #[serde(flatten)]
    pub(super) asked: Asked,
}

/// Sentences that are no business of a bank, another set than the background's.
fn unrelated() -> impl Iterator<Item = &'static str> {
    include_str!("unrelated.txt").lines().filter(|line| !line.is_empty())
}

/// Trains on the given rows, with each label's name as one more example.
pub(super) fn train(space: &Space<'_>, labels: &[String], rows: &[&Row]) -> Classifier {
    let names: Vec<Option<String>> = labels.iter().map(|label| name_as_example(label)).collect();
    let mut intents: Vec<Vec<Example<'_>>> = vec![Vec::new(); labels.len()];
    let mut outside: Vec<Example<'_>> = background::sentences().map(|text| space.example(text)).collect();
    for row in rows {
        match row.label {
            Some(label) => intents[label].push(space.example(&row.text)),
            None => outside.push(space.example(&row.text)),
        }
    }
    for (intent, name) in intents.iter_mut().zip(&names).filter(|(intent, _)| !intent.is_empty()) {
        intent.extend(name.iter().map(|name| space.example(name)));
    }
    Classifier::train(&intents, &outside)
}

fn learn_all(space: &mut Space<'_>, corpora: &[&Corpus]) -> anyhow::Result<()> {
    space.learn(background::sentences().chain(unrelated()))?;
    for corpus in corpora {
        let names: Vec<String> = corpus.labels.iter().filter_map(|label| name_as_example(label)).collect();
        space.learn(names.iter().map(String::as_str))?;
        space.learn(corpus.rows.iter().map(|row| row.text.as_str()))?;
    }
    Ok(())
}

/// Rankings of sentences, with what they should have been.
pub(super) struct Outcome {
    pub(super) inside: Vec<(usize, Ranking)>,
    pub(super) outside: Vec<Ranking>,
}

impl Outcome {
    pub(super) fn of<'t>(
        space: &Space<'_>,
        classifier: &Classifier,
        inside: &[&Row],
        outside: impl Iterator<Item = &'t str>,
    ) -> Self {
        let all: Vec<usize> = (0..classifier.intents()).collect();
        let rank = |text: &str| classifier.rank(space.example(text), &all);
        Self {
            inside: inside.iter().filter_map(|row| Some((row.label?, rank(&row.text)))).collect(),
            outside: outside.map(rank).collect(),
        }
    }

    fn accuracy(&self) -> f32 {
        let right = |(label, ranking): &&(usize, Ranking)| ranking.ranked.first().is_some_and(|top| top.0 == *label);
        share(self.inside.iter().filter(right).count(), self.inside.len())
    }

    /// Share of the outside below the threshold that accepts 95 % of the inside.
    fn recall_at_95(&self) -> f32 {
        let mut inside: Vec<f32> = self.inside.iter().map(|(_, ranking)| ranking.none).collect();
        inside.sort_by(f32::total_cmp);
        let Some(threshold) = inside.get((inside.len() * 95).div_ceil(100).saturating_sub(1)) else { return 0.0 };
        share(self.outside.iter().filter(|ranking| ranking.none > *threshold).count(), self.outside.len())
    }

    fn rejected(&self) -> f32 {
        share(self.outside.iter().filter(|ranking| ranking.best.is_none()).count(), self.outside.len())
    }

    fn accepted(&self) -> f32 {
        share(self.inside.iter().filter(|(_, ranking)| ranking.best.is_some()).count(), self.inside.len())
    }

    fn asked(&self) -> Asked {
        let asked: Vec<_> = self.inside.iter().filter(|(_, ranking)| ranking.rival().is_some()).collect();
        let right = |at: usize| asked.iter().filter(|(label, ranking)| ranking.ranked[at].0 == *label).count();
        let all = self.inside.len();
        Asked {
            asked_which: share(asked.len(), all),
            asked_which_first: share(right(0), all),
            asked_which_second: share(right(1), all),
        }
    }

    fn accuracy_with_none(&self) -> f32 {
        let right =
            self.inside.iter().filter(|(label, ranking)| ranking.best.is_some_and(|best| best.0 == *label)).count();
        let rejected = self.outside.iter().filter(|ranking| ranking.best.is_none()).count();
        share(right + rejected, self.inside.len() + self.outside.len())
    }
}

pub(super) fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

/// Measures on Banking77.
pub(super) fn banking(space: &mut Space<'_>, corpus: &Corpus) -> anyhow::Result<Banking> {
    learn_all(space, &[corpus])?;
    let (kept, held_out) = fifth(corpus);
    let full = Outcome::of(space, &train(space, &corpus.labels, &kept), &held_out, std::iter::empty());
    let outcome = |rows: &[&Row], inside: &[&Row], outside: &[&str]| {
        Outcome::of(space, &train(space, &corpus.labels, rows), inside, outside.iter().copied())
    };
    let unrelated: Vec<&str> = unrelated().collect();
    let (mut plain, mut near) = (Vec::new(), Vec::new());
    for seed in 1..=5 {
        let shots = few(&kept, corpus.labels.len(), 10, seed);
        plain.push(outcome(&shots, &held_out, &unrelated));
        let left_out = LeftOut::new(corpus.labels.len(), 17, seed);
        let (known, inside, outside) = (left_out.known(&shots), left_out.known(&held_out), left_out.unknown(&held_out));
        near.push(outcome(&known, &inside, &outside));
    }
    Ok(Banking {
        banking77_full_acc: full.accuracy(),
        banking77_10shot_acc: over(&plain, Outcome::accuracy),
        banking77_10shot_seeds: plain.iter().map(Outcome::accuracy).collect(),
        oos_recall: over(&plain, Outcome::recall_at_95),
        oos_near_recall: over(&near, Outcome::recall_at_95),
        oos_near_rejected: over(&near, Outcome::rejected),
        oos_near_accepted: over(&near, Outcome::accepted),
        oos_rejected: over(&plain, Outcome::rejected),
        in_scope_accepted: over(&plain, Outcome::accepted),
        asked: Asked {
            asked_which: over(&plain, |outcome| outcome.asked().asked_which),
            asked_which_first: over(&plain, |outcome| outcome.asked().asked_which_first),
            asked_which_second: over(&plain, |outcome| outcome.asked().asked_which_second),
        },
    })
}

/// Labels that are left out of training, so that what is said of them is near the rest and yet none of it.
struct LeftOut(Vec<bool>);

impl LeftOut {
    fn new(labels: usize, count: usize, seed: u64) -> Self {
        let mut out = vec![false; labels];
        shuffled(labels, seed).into_iter().take(count).for_each(|label| out[label] = true);
        Self(out)
    }

    fn is(&self, row: &Row) -> bool {
        row.label.is_some_and(|label| self.0.get(label).copied().unwrap_or(false))
    }

    /// Rows of other labels, or of none.
    fn known<'r>(&self, rows: &[&'r Row]) -> Vec<&'r Row> {
        rows.iter().filter(|row| !self.is(row)).copied().collect()
    }

    fn unknown<'r>(&self, rows: &[&'r Row]) -> Vec<&'r str> {
        rows.iter().filter(|row| self.is(row)).map(|row| row.text.as_str()).collect()
    }
}

/// Measures on any corpus: trained on one file, tested on another.
pub(super) fn other(space: &mut Space<'_>, train_on: &Corpus, test_on: &Corpus) -> anyhow::Result<Other> {
    learn_all(space, &[train_on, test_on])?;
    let rows: Vec<&Row> = train_on.rows.iter().collect();
    let model = train(space, &train_on.labels, &rows);
    let (inside, outside): (Vec<&Row>, Vec<&Row>) = test_on.rows.iter().partition(|row| row.label.is_some());
    let own = !outside.is_empty();
    let outcome = if own {
        Outcome::of(space, &model, &inside, outside.iter().map(|row| row.text.as_str()))
    } else {
        Outcome::of(space, &model, &inside, unrelated())
    };
    let labels = train_on.labels.len();
    let mut near = Vec::new();
    for seed in (1..=3).filter(|_| labels >= 5) {
        let left_out = LeftOut::new(labels, labels / 5, seed);
        let model = train(space, &train_on.labels, &left_out.known(&rows));
        let texts = left_out.unknown(&inside);
        near.push(Outcome::of(space, &model, &left_out.known(&inside), texts.into_iter()));
    }
    Ok(Other {
        acc: outcome.accuracy(),
        acc_with_none: outcome.accuracy_with_none(),
        oos_recall: outcome.recall_at_95(),
        oos_from: if own { "the test file" } else { "sidetone's unrelated sentences" },
        oos_rejected: outcome.rejected(),
        in_scope_accepted: outcome.accepted(),
        oos_near_recall: (!near.is_empty()).then(|| over(&near, Outcome::recall_at_95)),
        oos_near_rejected: (!near.is_empty()).then(|| over(&near, Outcome::rejected)),
        asked: outcome.asked(),
    })
}

fn over(outcomes: &[Outcome], of: fn(&Outcome) -> f32) -> f32 {
    mean(&outcomes.iter().map(of).collect::<Vec<_>>())
}

/// Four fifths and the held-out fifth of every label.
fn fifth(corpus: &Corpus) -> (Vec<&Row>, Vec<&Row>) {
    let mut by_label: Vec<Vec<&Row>> = vec![Vec::new(); corpus.labels.len()];
    for row in &corpus.rows {
        if let Some(label) = row.label {
            by_label[label].push(row);
        }
    }
    let (mut kept, mut held_out) = (Vec::new(), Vec::new());
    for (label, rows) in by_label.iter().enumerate() {
        let order = shuffled(rows.len(), label as u64);
        let out = rows.len() / 5;
        held_out.extend(order[..out].iter().map(|at| rows[*at]));
        kept.extend(order[out..].iter().map(|at| rows[*at]));
    }
    (kept, held_out)
}

/// The first `count` rows of each label in a seeded order.
fn few<'r>(rows: &[&'r Row], labels: usize, count: usize, seed: u64) -> Vec<&'r Row> {
    let mut left = vec![count; labels];
    let mut out = Vec::new();
    for row in shuffled(rows.len(), seed).into_iter().map(|at| rows[at]) {
        if let Some(left) = row.label.and_then(|label| left.get_mut(label)).filter(|left| **left > 0) {
            *left -= 1;
            out.push(row);
        }
    }
    out
}

/// A permutation by Fisher and Yates with SplitMix64, the same on every machine and in every version.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1);
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        order.swap(at, (next() % (at as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus() -> Corpus {
        let rows = (0..60).map(|at| Row { text: format!("sentence {at}"), label: Some(at % 3) }).collect();
        Corpus { labels: ["a", "b", "c"].map(String::from).to_vec(), rows }
    }

    #[test]
    fn a_fifth_of_every_label_is_held_out() {
        let corpus = corpus();
        let (kept, held_out) = fifth(&corpus);
        assert_eq!((kept.len(), held_out.len()), (48, 12));
        for label in 0..3 {
            assert_eq!(held_out.iter().filter(|row| row.label == Some(label)).count(), 4);
        }
        assert!(held_out.iter().all(|row| kept.iter().all(|other| other.text != row.text)));
        let shots = few(&kept, 3, 5, 1);
        assert_eq!(shots.len(), 15);
        assert_ne!(few(&kept, 3, 5, 2)[0].text, shots[0].text);
    }

    #[test]
    fn recall_is_taken_at_the_threshold_that_accepts_95_percent() {
        let ranking = |none: f32| Ranking { best: None, ranked: vec![(0, 1.0 - none)], none };
        let outcome = Outcome {
            inside: (0..100).map(|at| (0, ranking(at as f32 / 100.0))).collect(),
            outside: [0.90, 0.93, 0.945, 0.99].map(ranking).to_vec(),
        };
        assert_eq!(outcome.recall_at_95(), 0.5);
        assert_eq!(outcome.accuracy(), 1.0);
    }
}
