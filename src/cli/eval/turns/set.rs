//! The turn-taking set: speech of people cut, joined and mixed by the recipe in `fixtures/turns/set.toml`, with the truth
//! known to the sample.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::super::sets::{self, Chance, Said};
use crate::audio::file::decode_native;
use crate::audio::{g711, level, resample};

/// The telephone's rate, Hz.
pub(super) const HZ: usize = 8_000;
/// Samples of 10 ms.
const STEP: usize = HZ / 100;
/// Line noise before and after a turn, s.
const AROUND_S: (f32, f32) = (0.5, 3.0);
/// A sound fades at a cut, samples.
const FADE: usize = HZ / 200;
/// How far noise and music are below the speech, dB.
const BELOW_DB: f32 = 15.0;
/// Longest sentence, s.
const LONGEST_S: usize = 8;

/// The recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    seed: u64,
    pause: PauseLengths,
    pub(super) count: BTreeMap<String, usize>,
    pub(super) backchannels: Backchannels,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseLengths {
    median_ms: f32,
    spread: f32,
    least_ms: f32,
    most_ms: f32,
}

/// What listeners say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Backchannels {
    pub(super) texts: Vec<String>,
}

impl Recipe {
    /// The one of the project.
    pub(super) fn builtin() -> anyhow::Result<Self> {
        toml::from_str(include_str!("../../../../fixtures/turns/set.toml")).context("fixtures/turns/set.toml")
    }

    /// How many of a kind: four times as many when all is wanted.
    pub(super) fn count(&self, kind: &str, all: bool) -> usize {
        self.count.get(kind).copied().unwrap_or(0) * if all { 4 } else { 1 }
    }

    pub(super) fn chance(&self) -> Chance {
        Chance(self.seed)
    }

    /// Length of a pause, samples.
    fn pause(&self, chance: &mut Chance) -> usize {
        // The sum of twelve is near enough to a normal deviate.
        let deviate = (0..12).map(|_| chance.below(10_000) as f32 / 10_000.0).sum::<f32>() - 6.0;
        let ms = self.pause.median_ms * (self.pause.spread * deviate).exp();
        (ms.clamp(self.pause.least_ms, self.pause.most_ms) * HZ as f32 / 1_000.0) as usize
    }
}

/// A caller's turn.
pub(super) struct Spoken {
    pub(super) kind: &'static str,
    /// Whether the policy's constants were chosen without it.
    pub(super) held_out: bool,
    /// Whether six digits are asked for.
    pub(super) digits: bool,
    /// As the telephone brings it, line noise around it.
    pub(super) pcm: Vec<i16>,
    /// One past the last sample of speech.
    pub(super) end: usize,
}

/// All turns of the set. Every second one is held out; of the digits, every second speaker.
pub(super) fn spoken(recipe: &Recipe, data: &Path, all: bool) -> anyhow::Result<Vec<Spoken>> {
    let mut chance = recipe.chance();
    let mut set = Vec::new();
    let orders: Vec<Said> = sets::orders(data, usize::MAX)?.into_iter().map(|order| order.said).collect();
    let sentences = sets::sentences(usize::MAX)?;
    let music = music()?;
    for kind in ["order", "order_pause", "order_noise", "order_music", "sentence", "sentence_pause"] {
        let of = if kind.starts_with("order") { &orders } else { &sentences };
        for (n, said) in sets::spread(of, recipe.count(kind, all)).enumerate() {
            let mut speech = trimmed(&said.narrow()?);
            if speech.len() > LONGEST_S * HZ || speech.len() < HZ / 2 {
                continue;
            }
            if kind.ends_with("_pause") || (kind != "order" && kind != "sentence" && n % 2 == 1) {
                let silence = chance_hiss(&mut chance, recipe);
                speech = with_pause(&speech, &silence);
            }
            let mut spoken = placed(kind, false, &speech, &mut chance);
            match kind {
                "order_noise" => spoken.mix(&noise(&mut chance, spoken.pcm.len()), &speech),
                "order_music" => spoken.mix(&looped(&music, spoken.pcm.len()), &speech),
                _ => {}
            }
            spoken.held_out = n % 2 == 1;
            set.push(spoken);
        }
    }
    set.extend(digits(recipe, data, recipe.count("digits", all), &mut chance)?);
    Ok(set)
}

/// Six digits of one speaker, in two groups.
fn digits(recipe: &Recipe, data: &Path, count: usize, chance: &mut Chance) -> anyhow::Result<Vec<Spoken>> {
    let takes = sets::takes(data)?;
    let mut speakers: Vec<&str> = takes.iter().map(|take| take.1.as_str()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    let mut set = Vec::new();
    for n in 0..count {
        let speaker = speakers[n % speakers.len()];
        let of: Vec<_> = takes.iter().filter(|take| take.1 == speaker).collect();
        let mut speech = Vec::new();
        for place in 0..6 {
            let sound = decode_native(&std::fs::read(&of[chance.below(of.len())].2)?, 10)?;
            speech.extend(faded(trimmed(&resample(&sound.samples, sound.rate_hz, HZ as u32)?)));
            match place {
                2 => speech.extend(chance_hiss(chance, recipe)),
                5 => {}
                _ => {
                    let gap = 0.06 + chance.below(200) as f32 / 1_000.0;
                    speech.extend(chance.hiss(gap));
                }
            }
        }
        let mut spoken = placed("digits", true, &speech, chance);
        spoken.held_out = n % speakers.len() % 2 == 1;
        set.push(spoken);
    }
    Ok(set)
}

fn chance_hiss(chance: &mut Chance, recipe: &Recipe) -> Vec<i16> {
    let length = recipe.pause(chance);
    chance.hiss(length as f32 / HZ as f32)
}

/// In a line's noise, through μ-law.
fn placed(kind: &'static str, digits: bool, speech: &[i16], chance: &mut Chance) -> Spoken {
    let before = chance.hiss(AROUND_S.0);
    let end = before.len() + speech.len();
    let pcm = mu_law(&[before, speech.to_vec(), chance.hiss(AROUND_S.1)].concat());
    Spoken { kind, held_out: false, digits, pcm, end }
}

impl Spoken {
    /// Puts a sound behind all of it.
    fn mix(&mut self, sound: &[i16], speech: &[i16]) {
        let gain = 10f32.powf((level::rms_dbov(speech) - BELOW_DB - level::rms_dbov(sound)) / 20.0);
        let sum = |(a, b): (&i16, &i16)| (f32::from(*a) + gain * f32::from(*b)) as i16;
        self.pcm = mu_law(&self.pcm.iter().zip(sound).map(sum).collect::<Vec<_>>());
    }
}

/// Through μ-law and back.
pub(super) fn mu_law(pcm: &[i16]) -> Vec<i16> {
    pcm.iter().map(|&s| g711::mu_decode(g711::mu_encode(s))).collect()
}

/// White noise at −26 dBov.
pub(super) fn noise(chance: &mut Chance, length: usize) -> Vec<i16> {
    (0..length).map(|_| chance.below(5_600) as i16 - 2_800).collect()
}

/// The project's own hold music.
pub(super) fn music() -> anyhow::Result<Vec<i16>> {
    Ok(decode_native(include_bytes!("../../../../fixtures/hold.wav"), 60)?.samples)
}

/// Over and over, to this length.
pub(super) fn looped(sound: &[i16], length: usize) -> Vec<i16> {
    sound.iter().copied().cycle().take(length).collect()
}

fn steps(pcm: &[i16]) -> Vec<f32> {
    pcm.chunks(STEP).map(level::rms_dbov).collect()
}

/// From the first to the last 10 ms that are within 35 dB of the loudest and clear of the recording's own noise.
pub(super) fn trimmed(pcm: &[i16]) -> Vec<i16> {
    let levels = steps(pcm);
    let mut sorted = levels.clone();
    sorted.sort_by(f32::total_cmp);
    let (Some(loudest), Some(floor)) = (sorted.last(), sorted.get(sorted.len() / 10)) else { return Vec::new() };
    let least = (loudest - 35.0).max((floor + 10.0).min(loudest - 15.0));
    let speech = |level: &f32| *level >= least;
    let (Some(first), Some(last)) = (levels.iter().position(speech), levels.iter().rposition(speech)) else {
        return Vec::new();
    };
    pcm[first * STEP..((last + 1) * STEP).min(pcm.len())].to_vec()
}

/// Silence is put in at the quietest 50 ms of the middle half: between two words, as far as there is a gap.
fn with_pause(speech: &[i16], silence: &[i16]) -> Vec<i16> {
    let levels = steps(speech);
    let energy = |n: usize| levels[n..(n + 5).min(levels.len())].iter().map(|db| 10f32.powf(db / 10.0)).sum::<f32>();
    let middle = levels.len() / 4..levels.len() * 3 / 4;
    let quietest = middle.min_by(|a, b| energy(*a).total_cmp(&energy(*b))).unwrap_or(levels.len() / 2);
    let at = ((quietest + 2) * STEP).min(speech.len());
    [faded(speech[..at].to_vec()), silence.to_vec(), faded(speech[at..].to_vec())].concat()
}

/// Without clicks at its ends.
fn faded(mut pcm: Vec<i16>) -> Vec<i16> {
    let length = pcm.len();
    for n in 0..FADE.min(length / 2) {
        let gain = n as f32 / FADE as f32;
        for at in [n, length - 1 - n] {
            pcm[at] = (f32::from(pcm[at]) * gain) as i16;
        }
    }
    pcm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_reads_and_pauses_are_within_its_bounds() {
        let recipe = Recipe::builtin().unwrap();
        let mut chance = recipe.chance();
        let mut lengths: Vec<usize> = (0..1_000).map(|_| recipe.pause(&mut chance) / 8).collect();
        lengths.sort_unstable();
        assert!(lengths[0] >= 200 && lengths[999] <= 1_400, "{} {}", lengths[0], lengths[999]);
        assert!((420..480).contains(&lengths[500]), "{}", lengths[500]);
        assert!(recipe.count("digits", true) == 4 * recipe.count("digits", false));
    }

    #[test]
    fn a_pause_is_put_where_it_is_quiet_and_speech_is_found_again() {
        let tone = |n: usize| (0..n).map(|i| if i / 20 % 2 == 0 { 8_000 } else { -8_000 }).collect::<Vec<i16>>();
        let gap = vec![0; 800];
        let speech = [tone(8_000), gap, tone(4_000)].concat();
        let paused = with_pause(&speech, &vec![0; 4_000]);
        assert_eq!(paused.len(), speech.len() + 4_000);
        assert!(paused[8_000..12_800].iter().all(|s| *s == 0));
        let around = [vec![3; 1_000], speech.clone(), vec![-3; 2_000]].concat();
        let found = trimmed(&around).len();
        assert!(found.abs_diff(speech.len()) <= 2 * STEP, "{found} of {}", speech.len());
    }
}
