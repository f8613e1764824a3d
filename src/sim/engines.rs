//! Engines of fixed cost: what they answer is known, and so is when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Engines;
use crate::call::io::Output;
use crate::call::line::{Agents, Line};
use crate::call::ports::{Done, Role, Spoken, Transcript};
use crate::call::services::{Model, Models};
use crate::call::understand::Understanding;
use crate::dialplan::Plan;
use crate::speech::emotion::ProsodyModel;

/// Samples of a voice detector's window at 8 kHz.
const WINDOW: usize = 256;
/// Mean square above which a window is speech: −40 dBov.
const SPEECH: f64 = 32_768.0 * 32_768.0 * 1e-4;
/// Dimensions of [`embed`].
const DIMENSIONS: usize = 256;

/// What each engine takes.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// A window of the voice detector.
    pub voice: Duration,
    /// A final recognition.
    pub recognition: Duration,
    /// Whether a turn is over.
    pub turn_end: Duration,
    /// A sentence.
    pub synthesis: Duration,
    /// An embedding.
    pub embedding: Duration,
    /// A look-up.
    pub fetch: Duration,
    /// Which language it is.
    pub language: Duration,
}

impl Default for Costs {
    /// As measured on two cores.
    fn default() -> Self {
        Self {
            voice: Duration::from_millis(1),
            recognition: Duration::from_millis(250),
            turn_end: Duration::from_millis(90),
            synthesis: Duration::from_millis(120),
            embedding: Duration::from_millis(6),
            fetch: Duration::from_millis(40),
            language: Duration::from_millis(250),
        }
    }
}

/// Engines of fixed cost that know what the caller says.
pub struct Scripted {
    costs: Costs,
    seen: u64,
    rest: Vec<i16>,
}

impl Scripted {
    /// That nothing was asked of yet.
    pub fn new(costs: Costs) -> Self {
        Self { costs, seen: 0, rest: Vec::new() }
    }
}

impl Engines for Scripted {
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)> {
        self.rest.extend_from_slice(samples);
        let windows = self.rest.len() / WINDOW;
        let result = (0..windows)
            .map(|n| {
                let window = &self.rest[n * WINDOW..(n + 1) * WINDOW];
                let energy: f64 = window.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
                self.seen += WINDOW as u64;
                (self.seen, if energy / WINDOW as f64 > SPEECH { 0.95 } else { 0.02 })
            })
            .collect();
        self.rest.drain(..windows * WINDOW);
        result
    }

    fn work(&mut self, job: Output, saying: &str) -> Option<(Duration, Done)> {
        match job {
            Output::Recognize(job) => {
                let result = Ok(Transcript { text: saying.to_owned(), confidence: 0.9 });
                let took = if job.role == Role::Final { self.costs.recognition } else { self.costs.recognition / 2 };
                Some((took, Done::Heard { turn: job.turn, role: job.role, result, took }))
            }
            Output::Synthesize(job) => {
                let samples = job.text.len() * job.rate.hz() as usize * 100 / 15 / usize::from(job.tempo.max(1));
                let pcm: Arc<[i16]> = (0..samples).map(|n| if n / 20 % 2 == 0 { 3_000 } else { -3_000 }).collect();
                let took = self.costs.synthesis;
                let (say, sentence) = (job.say, job.sentence);
                Some((took, Done::Spoken { say, sentence, result: Ok(pcm), took, cached: false }))
            }
            Output::TurnEnd(job) => {
                // Who trails off says so: a text that ends in a comma or in dots is not complete.
                let open = saying.trim_end().ends_with([',', '…']) || saying.trim_end().ends_with("..");
                let took = self.costs.turn_end;
                Some((took, Done::TurnEnd { turn: job.turn, result: Ok(if open { 0.1 } else { 0.9 }), took }))
            }
            Output::Language(job) => {
                // Chinese signs are Chinese.
                let chinese = saying.chars().any(|sign| ('\u{4e00}'..'\u{9fff}').contains(&sign));
                let language = if chinese { "zh" } else { "en" };
                let result = Ok(Spoken { language, probability: 0.99 });
                Some((self.costs.language, Done::Language { turn: job.turn, result }))
            }
            Output::Embed(job) => {
                let took = self.costs.embedding;
                Some((took, Done::Embedded { turn: job.turn, result: Ok(embed(&job.text).into()), took }))
            }
            _ => None,
        }
    }
}

/// A sentence as a normalised bag of hashed words: alike when words are shared.
pub fn embed(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; DIMENSIONS];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        // FNV-1a.
        let hash =
            word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        vector[hash as usize % DIMENSIONS] += 1.0;
    }
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
    vector.iter_mut().for_each(|x| *x /= length);
    vector
}

/// Half a second of a buzz for each clip.
fn clips(plan: &Plan) -> BTreeMap<String, [Arc<[i16]>; 2]> {
    let buzz = |samples: usize| (0..samples).map(|n| if n / 20 % 2 == 0 { 3_000 } else { -3_000 }).collect();
    plan.clips().into_iter().map(|path| (path.to_owned(), [buzz(4_000), buzz(8_000)])).collect()
}

/// A model for each that the plan names; what they answer is the scenario's.
fn models(plan: &Plan) -> Models {
    let model = || Model { url: "http://model.example/v1".into(), model: "sim".into(), key: None, max_tokens: 300 };
    plan.models().into_iter().map(|name| (name.to_owned(), model())).collect()
}

/// A line that runs `plan`, with these agents in each of the plan's queues.
pub fn line(plan: Plan, agents: &[&str]) -> Arc<Line> {
    line_by(plan, agents, &mut embed)
}

/// The same, its understanding trained on the embeddings that `embed` gives.
pub fn line_by(plan: Plan, agents: &[&str], embed: &mut dyn FnMut(&str) -> Vec<f32>) -> Arc<Line> {
    let plan = Arc::new(plan);
    let vectors: Vec<Vec<Vec<f32>>> =
        Understanding::texts(&plan).iter().map(|class| class.iter().map(|text| embed(text)).collect()).collect();
    let common: Vec<Vec<f32>> = Understanding::texts_of(plan.language()).map(embed).collect();
    let queue = Agents { agents: agents.iter().map(|a| (*a).to_owned()).collect(), ring: Duration::from_secs(20) };
    let queues: BTreeMap<_, _> = plan.queues().into_iter().map(|name| (name.to_owned(), queue.clone())).collect();
    let tune: Arc<[i16]> = (0..8_000).map(|n| ((n % 64) * 50 - 1_600) as i16).collect();
    Arc::new(Line {
        understanding: Understanding::train(Arc::clone(&plan), &vectors, &common),
        queues,
        music: [Arc::clone(&tune), tune],
        dial_allow: agents.iter().map(|a| (*a).to_owned()).collect(),
        longest_call: Duration::from_secs(3_600),
        clips: clips(&plan),
        secrets: BTreeMap::new(),
        models: models(&plan),
        prosody: Arc::new(ProsodyModel::shipped().expect("the shipped model is part of the program")),
        emotion: true,
        plan,
    })
}
