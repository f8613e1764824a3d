//! Whether words are like a complaint about how one is served, or like a wish for a person, whatever their wording: by their
//! embedding's likeness to sentences of each kind and its unlikeness to plain requests.
//!
//! The sentences are files by language (`complaint/en.txt`), written for this project. Where the two begin is found by
//! leaving each sentence out, so that it holds for any embedder and language; an embedder that cannot tell the kinds apart
//! finds nothing.

use super::centre::Centre;
use super::language;
use super::ridge::dot;

/// How much the nearest sentences count among all of their kind.
const SHARPNESS: f32 = 10.0;
/// What likeness to plain requests takes away.
const AGAINST: f32 = 0.7;
/// Of a hundred plain requests so many pass for none of the two.
const PASS: usize = 98;
/// Of a hundred wishes for a person so many may be missed: it is no guess that somebody asked for one.
const MISSED: usize = 40;
/// Complaints that an embedder must find in a hundred, each left out, to be trusted with it.
const LEAST_FOUND: usize = 40;

/// What words are like: one of the two at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Likeness {
    /// A complaint about how one is served, or anger at it.
    pub complaint: bool,
    /// A wish for a person.
    pub person: bool,
}

/// The sentences of a language, in the order in which [`Complaints::new`] wants their embeddings.
pub fn sentences(tag: &str) -> impl Iterator<Item = &'static str> {
    let [complaints, persons, requests] = kinds(tag);
    complaints.into_iter().chain(persons).chain(requests)
}

/// Complaints, wishes for a person, plain requests.
fn kinds(tag: &str) -> [Vec<&'static str>; 3] {
    let text = match language::of(tag).tag() {
        "zh" => include_str!("complaint/zh.txt"),
        _ => include_str!("complaint/en.txt"),
    };
    let mut parts = text.split("# ").skip(1);
    [(); 3].map(|()| {
        let lines = parts.next().unwrap_or_default().lines().skip(1).map(str::trim);
        lines.filter(|line| !line.is_empty()).collect()
    })
}

/// What it is like to be one of some sentences.
#[derive(Debug, Clone)]
struct Kind {
    rows: Vec<Vec<f32>>,
    /// From this on words are of the kind.
    from: f32,
}

/// Complaints and wishes for a person, as one embedder sees them.
#[derive(Debug, Clone)]
pub struct Complaints {
    /// What all plain requests share.
    centre: Centre,
    dimensions: usize,
    requests: Vec<Vec<f32>>,
    complaints: Kind,
    persons: Kind,
}

impl Complaints {
    /// From the embeddings of a language's [`sentences`], and of any others that are neither.
    pub fn new(tag: &str, embeddings: &[Vec<f32>], others: &[Vec<f32>]) -> Self {
        let [complaints, persons, _] = kinds(tag).map(|kind| kind.len());
        let complaints_end = complaints.min(embeddings.len());
        let persons_end = (complaints + persons).min(embeddings.len());
        let requests: Vec<&Vec<f32>> = embeddings[persons_end..].iter().chain(others).collect();
        let dimensions = requests.first().map_or(0, |row| row.len());
        let centre = Centre::of(requests.iter().map(|row| row.as_slice()), dimensions);
        let off = |rows: &[Vec<f32>]| rows.iter().map(|row| centre.take_from(row)).collect::<Vec<_>>();
        let kind = |rows: &[Vec<f32>]| Kind { rows: off(rows), from: f32::MAX };
        let mut kinds = Self {
            complaints: kind(&embeddings[..complaints_end]),
            persons: kind(&embeddings[complaints_end..persons_end]),
            requests: requests.iter().map(|row| centre.take_from(row)).collect(),
            centre,
            dimensions,
        };
        for wishes in [false, true] {
            let from = kinds.begins(if wishes { &kinds.persons } else { &kinds.complaints }, wishes);
            let kind = if wishes { &mut kinds.persons } else { &mut kinds.complaints };
            kind.from = from.unwrap_or(f32::MAX);
        }
        kinds
    }

    /// What words with this embedding are like.
    pub fn judge(&self, embedding: &[f32]) -> Likeness {
        if embedding.len() != self.dimensions {
            return Likeness::default();
        }
        let words = self.centre.take_from(embedding);
        let [complaint, person] = [&self.complaints, &self.persons].map(|kind| self.score(kind, &words, None, None));
        Likeness {
            complaint: complaint > self.complaints.from && complaint >= person,
            person: person > self.persons.from && person > complaint,
        }
    }

    /// Where a kind begins, each sentence being left out of those that it is compared with; `None` where that would find too
    /// few.
    fn begins(&self, kind: &Kind, sure: bool) -> Option<f32> {
        let own = sorted((0..kind.rows.len()).map(|i| self.score(kind, &kind.rows[i], Some(i), None)));
        let none = sorted((0..self.requests.len()).map(|i| self.score(kind, &self.requests[i], None, Some(i))));
        let at = |scores: &[f32], percent: usize| scores.get(scores.len() * percent / 100).copied();
        let from = at(&none, PASS)?;
        let from = if sure { from.max(at(&own, MISSED)?) } else { from };
        (at(&own, 100 - LEAST_FOUND)? > from).then_some(from)
    }

    /// How much like the kind, without one of its sentences or one of the requests.
    fn score(&self, kind: &Kind, words: &[f32], without: Option<usize>, without_request: Option<usize>) -> f32 {
        likeness(&kind.rows, words, without) - AGAINST * likeness(&self.requests, words, without_request)
    }
}

/// The soft mean of the likeness to rows.
fn likeness(rows: &[Vec<f32>], words: &[f32], without: Option<usize>) -> f32 {
    let of = rows.iter().enumerate().filter(|(i, _)| Some(*i) != without);
    let (sum, count) =
        of.fold((0.0, 0), |(sum, count), (_, row)| (sum + (SHARPNESS * dot(row, words)).exp(), count + 1));
    if count == 0 { 0.0 } else { (sum / count as f32).ln() / SHARPNESS }
}

fn sorted(scores: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut scores: Vec<f32> = scores.collect();
    scores.sort_by(f32::total_cmp);
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An embedder that tells the kinds apart by one dimension each; the rest is noise.
    fn made(kind: usize, i: usize) -> Vec<f32> {
        let noise = |dimension: usize| ((kind * 977 + i * 131 + dimension * 37) as f32 * 0.618_034).fract() - 0.5;
        (0..16).map(|dimension| noise(dimension) + if dimension == kind { 2.0 } else { 0.0 }).collect()
    }

    fn all() -> (Vec<Vec<f32>>, [usize; 3]) {
        let counts = kinds("en").map(|kind| kind.len());
        let rows = counts.iter().enumerate().flat_map(|(kind, count)| (0..*count).map(move |i| made(kind, i)));
        (rows.collect(), counts)
    }

    #[test]
    fn each_language_has_enough_of_each_kind() {
        for tag in ["en-US", "zh-CN"] {
            let counts = kinds(tag).map(|kind| kind.len());
            assert!(counts[0] >= 30 && counts[1] >= 10 && counts[2] >= 50, "{tag}: {counts:?}");
            assert_eq!(sentences(tag).count(), counts.iter().sum::<usize>());
        }
    }

    #[test]
    fn words_are_of_the_kind_that_they_are_near_to() {
        let (rows, _) = all();
        let complaints = Complaints::new("en", &rows, &[]);
        for (kind, complaint, person) in [(0, true, false), (1, false, true), (2, false, false)] {
            let judged: Vec<Likeness> = (0..15).map(|i| complaints.judge(&made(kind, i))).collect();
            let right = judged.iter().filter(|like| **like == Likeness { complaint, person }).count();
            let none = judged.iter().filter(|like| **like == Likeness::default()).count();
            assert!(right >= 8 && right + none >= 15, "{kind}: {judged:?}");
        }
        assert_eq!(complaints.judge(&[1.0; 3]), Likeness::default(), "another embedder's");
    }

    #[test]
    fn an_embedder_that_tells_nothing_apart_finds_nothing() {
        let (rows, _) = all();
        let same: Vec<Vec<f32>> = vec![made(0, 0); rows.len()];
        let complaints = Complaints::new("en", &same, &[]);
        assert_eq!(complaints.judge(&made(0, 0)), Likeness::default());
        assert_eq!(Complaints::new("en", &[], &[]).judge(&[]), Likeness::default());
    }
}
