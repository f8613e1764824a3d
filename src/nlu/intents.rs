//! Which of a plan's intents a sentence means, and how likely; or none of them.
//!
//! ```text
//! text ───────▶ Phrases ── an example already? ───────────────┐
//!                                                              ▼
//! embedding ──▶ centred ─▶ ridge + density ─▶ score of intent ─▶ temperature, acceptance ─▶ probabilities
//! ```
//!
//! Embeddings are taken from the background's mean, since some models put all sentences near each other. The score of an
//! intent is a kernel ridge regression's output (background sentences are rows of no intent) plus the soft mean of the
//! sentence's likeness to the intent's examples. Temperature and acceptance are fitted to exact leave-one-out scores of
//! the plan's own examples and of the background, acceptance also to what the examples score where their whole intent is
//! left out, which is what a question next to the plan's topics looks like; all held by a prior, since a small plan has
//! few. With more than [`EXACT_ROWS`] examples a multinomial logistic regression takes the place of the ridge, and
//! calibration rows are left out of its training.
//!
//! Owns ranking and calibration. Pure and deterministic; never makes an embedding.

use super::acceptance::Acceptance;
use super::centre::Centre;
use super::phrases::Phrases;
use super::ridge::{Ridge, dot};
use super::softmax::Softmax;

/// The most examples that are trained by ridge regression (its cost is cubic).
pub const EXACT_ROWS: usize = 1_200;

/// Below this chance of being any of the allowed intents a sentence is none of them.
pub const ACCEPT: f32 = 0.5;

/// From this probability on an intent has no rival.
const PLAIN: f32 = 0.6;
/// What share of the likeliest's probability the second has to have to be its rival.
const NEAR: f32 = 0.5;

/// `γ` of the kernel `exp(−γ‖a − b‖²)` on embeddings of length one.
const GAMMA: f32 = 1.0;
/// Ridge.
const LAMBDA: f32 = 0.1;
/// Sharpness of the soft mean of likeness: about the three nearest of ten examples count.
const SHARPNESS: f32 = 30.0;
/// The weight of the density beside the ridge.
const DENSITY: f32 = 0.25;
/// What an intent that the state does not route weighs against one that it does: e⁻¹·⁵.
const NOT_ALLOWED: f32 = -1.5;
/// Rows whose leave-one-out score is computed where there is no ridge.
const CALIBRATION_ROWS: usize = 400;
/// The weight of a log-probability of the logistic regression beside the density.
const REGRESSION: f32 = 0.1;
/// What puts that sum on the ridge's scale.
const REGRESSION_SHIFT: f32 = 0.45;
/// Log-probabilities below it count as it.
const LEAST_LOG: f32 = -12.0;

/// A sentence and its embedding, L2-normalised.
#[derive(Debug, Clone, Copy)]
pub struct Example<'a> {
    /// As written by the author, or as heard.
    pub text: &'a str,
    /// Of the embedder's dimensions.
    pub embedding: &'a [f32],
}

/// Intents in order of likelihood.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// The likeliest allowed intent and its probability; `None` when the sentence is more likely none of them.
    pub best: Option<(usize, f32)>,
    /// Every allowed intent with its probability, likeliest first. With `none` they sum to 1.
    pub ranked: Vec<(usize, f32)>,
    /// The probability that no allowed intent is meant.
    pub none: f32,
}

impl Ranking {
    /// The second likeliest, where it is so near to the first that it is worth asking which is meant.
    pub fn rival(&self) -> Option<(usize, f32)> {
        let (_, best) = self.best?;
        let second = *self.ranked.get(1)?;
        (best < PLAIN && second.1 >= NEAR * best).then_some(second)
    }
}

/// An intent's name as one more example of it, "card_arrival" as "card arrival": worth half a percent of accuracy on
/// Banking77. `None` for a name that says nothing, like "intent_12".
pub fn name_as_example(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() && out.ends_with(char::is_lowercase) {
            out.push(' ');
        }
        out.extend(if c.is_alphanumeric() { c } else { ' ' }.to_lowercase());
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    let telling = words.iter().any(|word| word.chars().count() >= 3) && !out.chars().any(|c| c.is_ascii_digit());
    telling.then(|| words.join(" "))
}

/// A plan's intents, trained.
#[derive(Debug, Clone)]
pub struct Classifier {
    phrases: Phrases,
    centre: Centre,
    /// Centred embeddings of the examples, then of the background.
    rows: Vec<Vec<f32>>,
    /// The intent of each row; `None` for the background.
    class: Vec<Option<usize>>,
    /// Examples of each intent.
    counts: Vec<usize>,
    ridge: Option<Ridge>,
    softmax: Option<Softmax>,
    temperature: f32,
    acceptance: Acceptance,
}

impl Classifier {
    /// Trains on each intent's examples, indexed as the plan indexes its intents; an intent may have none and is then
    /// never heard. `background` are [`super::background::sentences`] and any further ones that mean nothing to the plan;
    /// those too close to an example are left out. Deterministic; 770 examples take about 0.2 s optimised.
    pub fn train(intents: &[Vec<Example<'_>>], background: &[Example<'_>]) -> Self {
        let examples: Vec<(usize, Example<'_>)> = intents
            .iter()
            .enumerate()
            .flat_map(|(intent, examples)| examples.iter().map(move |example| (intent, *example)))
            .collect();
        let dimensions = examples.first().map_or(0, |(_, example)| example.embedding.len());
        let fits = |example: &Example<'_>| example.embedding.len() == dimensions;
        let background: Vec<Example<'_>> = background.iter().filter(|b| fits(b)).copied().collect();
        let centre = Centre::of(background.iter().map(|example| example.embedding), dimensions);
        let centred = |example: &Example<'_>| centre.take_from(example.embedding);
        let (class, mut rows): (Vec<Option<usize>>, Vec<Vec<f32>>) = examples
            .iter()
            .filter(|(_, example)| fits(example))
            .map(|(intent, example)| (Some(*intent), centred(example)))
            .unzip();
        let known = rows.len();
        rows.extend(background.iter().map(centred));
        let apart = |b: &[f32]| rows[..known].iter().all(|e| dot(e, b) < 0.6);
        let kept: Vec<bool> = rows.iter().enumerate().map(|(at, row)| at < known || apart(row)).collect();
        let mut keep = kept.into_iter();
        rows.retain(|_| keep.next().unwrap_or(false));
        let mut classifier = Self {
            phrases: Phrases::new(examples.iter().map(|(intent, example)| (*intent, example.text))),
            class: class.into_iter().chain(rows[known..].iter().map(|_| None)).collect(),
            centre,
            rows,
            counts: vec![0; intents.len()],
            ridge: None,
            softmax: None,
            temperature: TEMPERATURE,
            acceptance: Acceptance::PRIOR,
        };
        classifier.class.iter().flatten().for_each(|intent| classifier.counts[*intent] += 1);
        classifier.fit();
        classifier
    }

    /// How many intents it knows.
    pub fn intents(&self) -> usize {
        self.counts.len()
    }

    /// What can be told without an embedding: a text that is an allowed intent's example already, word for word or
    /// nearly, or a keyword of just one of them; with its probability.
    pub fn match_text(&self, text: &str, allowed: &[usize]) -> Option<(usize, f32)> {
        self.phrases.find(text, allowed)
    }

    /// Ranks the `allowed` intents for what was heard. Intents that are not allowed still draw some probability, which
    /// counts as none.
    pub fn rank(&self, heard: Example<'_>, allowed: &[usize]) -> Ranking {
        let allowed: Vec<usize> = allowed.iter().copied().filter(|intent| *intent < self.counts.len()).collect();
        let scores = self.scores(&heard);
        let best = allowed.iter().map(|intent| scores[*intent]).fold(f32::NEG_INFINITY, f32::max);
        let mut probabilities = vec![0.0; scores.len()];
        if best.is_finite() {
            let accepted = self.acceptance.probability(best);
            let logit = |intent: usize| {
                let prior = if allowed.contains(&intent) { 0.0 } else { NOT_ALLOWED };
                self.temperature * scores[intent] + prior
            };
            probabilities = softmax(&(0..scores.len()).map(logit).collect::<Vec<f32>>());
            probabilities.iter_mut().for_each(|p| *p *= accepted);
        }
        if let Some((intent, sure)) = self.phrases.find(heard.text, &allowed)
            && probabilities[intent] < sure
        {
            let rest = (1.0 - sure) / (1.0 - probabilities[intent]).max(1e-6);
            probabilities.iter_mut().for_each(|p| *p *= rest);
            probabilities[intent] = sure;
        }
        let mut ranked: Vec<(usize, f32)> = allowed.iter().map(|intent| (*intent, probabilities[*intent])).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let none = (1.0 - ranked.iter().map(|(_, p)| p).sum::<f32>()).clamp(0.0, 1.0);
        let best = ranked.first().copied().filter(|_| 1.0 - none >= ACCEPT);
        Ranking { best, ranked, none }
    }

    /// The score of every intent; minus infinity for one without examples.
    fn scores(&self, heard: &Example<'_>) -> Vec<f32> {
        if heard.embedding.is_empty() || self.rows.first().is_none_or(|row| row.len() != heard.embedding.len()) {
            return vec![f32::NEG_INFINITY; self.counts.len()];
        }
        let heard = self.centre.take_from(heard.embedding);
        let cosine: Vec<f32> = self.rows.iter().map(|row| dot(row, &heard)).collect();
        let density = self.density(&cosine, None);
        match &self.ridge {
            Some(ridge) => {
                let kernel: Vec<f32> = cosine.iter().copied().map(kernel).collect();
                joined(&ridge.predict(&kernel, self.counts.len()), &density)
            }
            None => self.with_regression(&heard, &density, None),
        }
    }

    /// For each intent the soft mean of the likeness of its examples, `ln(mean(exp(s·cosine)))/s`; `without` leaves
    /// out one row.
    fn density(&self, cosine: &[f32], without: Option<usize>) -> Vec<f32> {
        let mut sums = vec![0.0_f32; self.counts.len()];
        for (row, class) in self.class.iter().enumerate().filter(|(row, _)| Some(*row) != without) {
            let Some(intent) = class else { break };
            sums[*intent] += (SHARPNESS * (cosine[row] - 1.0)).exp();
        }
        let own = without.and_then(|row| self.class[row]);
        let mean = |(intent, sum): (usize, f32)| {
            let count = self.counts[intent] - usize::from(own == Some(intent));
            if count == 0 { f32::NEG_INFINITY } else { 1.0 + (sum / count as f32).max(1e-30).ln() / SHARPNESS }
        };
        sums.into_iter().enumerate().map(mean).collect()
    }

    /// Trains the ridge, then temperature and acceptance on leave-one-out scores.
    fn fit(&mut self) {
        let examples = self.class.iter().flatten().count();
        if examples == 0 {
            return;
        }
        let left_out = if examples <= EXACT_ROWS { self.fit_exactly() } else { self.sample_left_out() };
        let known = |row: usize| self.class[row].filter(|intent| self.counts[*intent] > 1);
        let labelled: Vec<(usize, &[f32])> =
            left_out.iter().filter_map(|out| Some((known(out.row)?, out.scores.as_slice()))).collect();
        self.temperature = fit_temperature(&labelled);
        let best = |scores: &[f32]| scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let inside: Vec<f32> = labelled.iter().map(|(_, scores)| best(scores)).collect();
        let outside: Vec<f32> =
            left_out.iter().filter(|out| self.class[out.row].is_none()).map(|out| best(&out.scores)).collect();
        let near: Vec<f32> = left_out.iter().map(|out| best(&out.without_intent)).collect();
        self.acceptance = Acceptance::fit(&inside, &outside, &near);
    }

    fn fit_exactly(&mut self) -> Vec<LeftOut> {
        let n = self.rows.len();
        let mut triangle = Vec::with_capacity(n);
        let mut densities = Vec::with_capacity(n);
        for row in 0..n {
            let cosine: Vec<f32> = self.rows.iter().map(|other| dot(other, &self.rows[row])).collect();
            densities.push(self.density(&cosine, Some(row)));
            triangle.push(cosine[..=row].iter().copied().map(kernel).collect());
        }
        let ridge = Ridge::fit(triangle, &self.class, self.counts.len(), LAMBDA);
        let out = |(row, density): (usize, &Vec<f32>)| LeftOut {
            row,
            scores: joined(&ridge.left_out[row], density),
            without_intent: self.others(row, joined(&ridge.class_left_out[row], density)),
        };
        let left_out = densities.iter().enumerate().map(out).collect();
        self.ridge = Some(ridge);
        left_out
    }

    /// Trains the logistic regression on all but rows spread evenly over the examples; the scores of those rows, their
    /// densities left one out, and of the whole background.
    fn sample_left_out(&mut self) -> Vec<LeftOut> {
        let examples = self.class.iter().flatten().count();
        let step = examples.div_ceil(CALIBRATION_ROWS).max(2);
        let trained = (0..examples).filter(|row| row % step != 0);
        let rows: Vec<(&[f32], usize)> =
            trained.filter_map(|row| Some((self.rows[row].as_slice(), self.class[row]?))).collect();
        self.softmax = Some(Softmax::fit(&rows, self.counts.len()));
        let out = |row: usize| {
            let cosine: Vec<f32> = self.rows.iter().map(|other| dot(other, &self.rows[row])).collect();
            let density = self.density(&cosine, Some(row));
            let others = self.class[row].map(|own| self.with_regression(&self.rows[row], &density, Some(own)));
            LeftOut {
                row,
                scores: self.with_regression(&self.rows[row], &density, None),
                without_intent: self.others(row, others.unwrap_or_default()),
            }
        };
        (0..examples).step_by(step).chain(examples..self.rows.len()).map(out).collect()
    }

    /// Scores of the intents that are not the row's own.
    fn others(&self, row: usize, scores: Vec<f32>) -> Vec<f32> {
        scores.into_iter().enumerate().filter(|(at, _)| Some(*at) != self.class[row]).map(|(_, score)| score).collect()
    }

    /// Joins density and logistic regression, on the scale that ridge and density have together, so that one prior
    /// serves both. `without` takes an intent out of the regression's sum.
    fn with_regression(&self, embedding: &[f32], density: &[f32], without: Option<usize>) -> Vec<f32> {
        let likely = self.softmax.as_ref().map(|softmax| softmax.log_probabilities(embedding)).unwrap_or_default();
        let rest = without.and_then(|own| likely.get(own)).map_or(0.0, |own| (1.0 - own.exp()).max(1e-6).ln());
        let log = |intent: usize| likely.get(intent).map_or(0.0, |log| (log - rest).max(LEAST_LOG));
        let score = |(intent, d): (usize, &f32)| 2.0 * (d - REGRESSION_SHIFT) + REGRESSION * log(intent);
        density.iter().enumerate().map(score).collect()
    }
}

/// What a row is given by a model that was not trained on it.
struct LeftOut {
    row: usize,
    /// The score of every intent.
    scores: Vec<f32>,
    /// The scores of all but its own intent by a model that never saw that intent; empty for the background.
    without_intent: Vec<f32>,
}

/// The ridge's outputs and the density, weighed.
fn joined(ridge: &[f32], density: &[f32]) -> Vec<f32> {
    ridge.iter().zip(density).map(|(r, d)| r + DENSITY * d).collect()
}

/// The kernel of two embeddings of length one.
fn kernel(cosine: f32) -> f32 {
    (2.0 * GAMMA * (cosine - 1.0)).exp()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !most.is_finite() {
        return vec![0.0; logits.len()];
    }
    let raised: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f32 = raised.iter().sum();
    raised.into_iter().map(|value| value / sum).collect()
}

/// The temperature's prior: what plans of 3 to 77 intents were found to want.
const TEMPERATURE: f32 = 14.0;

/// The inverse temperature that makes leave-one-out probabilities likeliest, held near [`TEMPERATURE`] by a prior worth
/// about ten examples.
fn fit_temperature(labelled: &[(usize, &[f32])]) -> f32 {
    let loss = |inverse: f32| {
        let log_loss = |(intent, scores): &(usize, &[f32])| {
            let logits: Vec<f32> = scores.iter().map(|score| inverse * score).collect();
            -softmax(&logits).get(*intent).copied().unwrap_or(0.0).max(1e-6).ln()
        };
        labelled.iter().map(log_loss).sum::<f32>() + 10.0 * (inverse / TEMPERATURE).ln().powi(2)
    };
    let candidates = (0..=16).map(|step| 4.0 * 8.0_f32.powf(step as f32 / 16.0));
    candidates
        .map(|inverse| (inverse, loss(inverse)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(TEMPERATURE, |best| best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit vector that points mostly along `axis`, tilted a little by `tilt`.
    fn along(axis: usize, tilt: f32) -> Vec<f32> {
        let mut v = vec![0.05; 8];
        v[axis] = 1.0;
        v[(axis + 1) % 8] += tilt;
        let length = dot(&v, &v).sqrt();
        v.into_iter().map(|x| x / length).collect()
    }

    struct Plan {
        intents: Vec<Vec<(&'static str, Vec<f32>)>>,
        background: Vec<(&'static str, Vec<f32>)>,
    }

    impl Plan {
        fn train(&self) -> Classifier {
            let intents: Vec<Vec<Example<'_>>> = self.intents.iter().map(|rows| of(rows)).collect();
            Classifier::train(&intents, &of(&self.background))
        }
    }

    fn of<'a>(rows: &'a [(&'static str, Vec<f32>)]) -> Vec<Example<'a>> {
        rows.iter().map(|(text, embedding)| Example { text, embedding }).collect()
    }

    fn plan() -> Plan {
        let tilts = [-0.3, 0.0, 0.3];
        let texts = [
            ["what is my balance", "how much money do I have", "anything left on my account"],
            ["block my card", "I lost my card", "somebody stole my wallet"],
            ["let me talk to a person", "representative", "human please"],
        ];
        let intents = texts.iter().enumerate();
        Plan {
            intents: intents
                .map(|(i, t)| t.iter().zip(tilts).map(|(text, tilt)| (*text, along(i, tilt))).collect())
                .collect(),
            background: (0..12).map(|i| ("tell me a joke", along(4 + i % 3, 0.05 * i as f32))).collect(),
        }
    }

    #[test]
    fn a_paraphrase_is_accepted_and_the_rest_is_none() {
        let classifier = plan().train();
        let near = along(1, 0.15);
        let ranking = classifier.rank(Example { text: "my card is gone", embedding: &near }, &[0, 1, 2]);
        let (best, sure) = ranking.best.expect("accepted");
        assert_eq!(best, 1);
        assert!(sure > 0.6, "{ranking:?}");
        let far = along(5, 0.1);
        let ranking = classifier.rank(Example { text: "sing something", embedding: &far }, &[0, 1, 2]);
        assert_eq!(ranking.best, None);
        assert!(ranking.none > 0.8, "{ranking:?}");
    }

    #[test]
    fn a_model_that_puts_all_sentences_near_each_other_rejects_as_well() {
        // What E5 does: the cosine of any two sentences is above 0.8.
        let near = |v: Vec<f32>| {
            let mut v: Vec<f32> = v.into_iter().map(|x| 0.4 * x).chain([1.0]).collect();
            let length = dot(&v, &v).sqrt();
            v.iter_mut().for_each(|x| *x /= length);
            v
        };
        let mut plan = plan();
        let rows = plan.intents.iter_mut().chain([&mut plan.background]).flatten();
        rows.for_each(|(_, v)| *v = near(std::mem::take(v)));
        let classifier = plan.train();
        let asked = near(along(1, 0.15));
        let ranking = classifier.rank(Example { text: "my card is gone", embedding: &asked }, &[0, 1, 2]);
        assert_eq!(ranking.best.map(|(best, _)| best), Some(1), "{ranking:?}");
        let far = near(along(5, 0.1));
        assert!(dot(&far, &asked) > 0.8);
        let ranking = classifier.rank(Example { text: "sing something", embedding: &far }, &[0, 1, 2]);
        assert_eq!(ranking.best, None, "{ranking:?}");
    }

    #[test]
    fn probabilities_sum_to_one() {
        let classifier = plan().train();
        for (axis, tilt) in [(0, 0.1), (1, 0.9), (3, 0.0), (5, 0.5)] {
            let ranking = classifier.rank(Example { text: "something", embedding: &along(axis, tilt) }, &[0, 1, 2]);
            let sum = ranking.none + ranking.ranked.iter().map(|(_, p)| p).sum::<f32>();
            assert!((sum - 1.0).abs() < 1e-4, "{ranking:?}");
            assert!(ranking.ranked.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        }
    }

    #[test]
    fn only_allowed_intents_are_ranked() {
        let classifier = plan().train();
        let card = along(1, 0.0);
        let ranking = classifier.rank(Example { text: "card gone", embedding: &card }, &[0, 2]);
        assert_eq!(ranking.ranked.len(), 2);
        assert_eq!(ranking.best, None, "{ranking:?}");
    }

    #[test]
    fn an_example_itself_needs_no_embedding() {
        let classifier = plan().train();
        assert_eq!(classifier.match_text("Block my card.", &[0, 1, 2]), Some((1, 1.0)));
        let ranking = classifier.rank(Example { text: "Um, block my card please", embedding: &[] }, &[0, 1, 2]);
        assert_eq!(ranking.best, Some((1, 0.95)));
    }

    #[test]
    fn names_that_tell_something_are_examples() {
        let rows = [
            ("card_arrival", Some("card arrival")),
            ("BlockCard", Some("block card")),
            ("Refund_not_showing_up?", Some("refund not showing up")),
            ("intent_12", None),
            ("a", None),
        ];
        for (name, expected) in rows {
            assert_eq!(name_as_example(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn training_is_deterministic() {
        let (a, b) = (plan().train(), plan().train());
        let heard = along(2, 0.2);
        let rank = |c: &Classifier| c.rank(Example { text: "a person with words", embedding: &heard }, &[0, 1, 2]);
        assert_eq!(rank(&a), rank(&b));
    }

    #[test]
    fn odd_plans_do_not_panic() {
        let v = along(0, 0.0);
        let heard = Example { text: "hello", embedding: &v };
        let nothing = Classifier::train(&[], &[]);
        assert_eq!(nothing.rank(heard, &[0, 7]).best, None);
        let empty = Classifier::train(&[vec![], vec![]], &[heard]);
        assert_eq!(empty.rank(heard, &[0, 1]).best, None);
        let single = Classifier::train(&[vec![Example { text: "balance", embedding: &v }], vec![]], &[]);
        assert_eq!(single.rank(heard, &[0, 1]).ranked[0].0, 0);
        let other = [1.0, 0.0];
        assert_eq!(single.rank(Example { text: "x", embedding: &other }, &[0]).best, None);
        assert_eq!(single.rank(heard, &[]).none, 1.0);
    }

    #[test]
    fn a_plan_of_thousands_of_examples_is_trained_by_regression() {
        let texts: Vec<String> = (0..EXACT_ROWS + 60).map(|at| format!("sentence {at}")).collect();
        let vectors: Vec<Vec<f32>> = (0..texts.len()).map(|at| along(at % 3, (at as f32 * 0.37).sin() * 0.6)).collect();
        let mut intents: Vec<Vec<Example<'_>>> = vec![Vec::new(); 3];
        for (at, (text, embedding)) in texts.iter().zip(&vectors).enumerate() {
            intents[at % 3].push(Example { text, embedding });
        }
        let far: Vec<Vec<f32>> = (0..20).map(|at| along(5 + at % 2, 0.02 * at as f32)).collect();
        let background: Vec<Example<'_>> = far.iter().map(|v| Example { text: "hum", embedding: v }).collect();
        let classifier = Classifier::train(&intents, &background);
        assert!(classifier.ridge.is_none() && classifier.softmax.is_some());
        for intent in 0..3 {
            let heard = along(intent, 0.25);
            let ranking = classifier.rank(Example { text: "other words", embedding: &heard }, &[0, 1, 2]);
            assert_eq!(ranking.best.map(|(best, _)| best), Some(intent), "{ranking:?}");
        }
        let heard = along(5, 0.1);
        assert_eq!(classifier.rank(Example { text: "la la", embedding: &heard }, &[0, 1, 2]).best, None);
    }
}
