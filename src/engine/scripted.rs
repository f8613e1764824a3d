//! Engines without models: the same input always gives the same output, in no time.
//!
//! For tests, simulations and builds without the real ones. What a caller "says" travels in the sound itself: text
//! made into a tone burst by [`ScriptedVoice`] (or [`spoken`]) is read back by [`ScriptedRecognizer`], also after
//! G.711 and a change of rate, so that whole calls run over real media without a model.

use crate::audio::Rate;
use crate::call::ports::{
    AbortFlag, Embedder, Hint, JobError, Recognizer, Role, Spoken, Synthesizer, Transcript, TurnDetector, VoiceDetector,
};

/// Rate of the scripted voice, Hz.
const VOICE_HZ: u32 = 8_000;
/// One letter lasts 60 ms: 40 ms of its tone and 20 ms of a marker between letters.
const TONE_MS: u32 = 40;
const MARK_MS: u32 = 20;
/// The marker, and the first letter's tone; letters lie 50 Hz apart, told apart by correlation over 40 ms (25 Hz).
const MARK_HZ: f32 = 500.0;
const FIRST_HZ: f32 = 700.0;
const STEP_HZ: f32 = 50.0;
const LETTERS: &str = " abcdefghijklmnopqrstuvwxyz0123456789'.,?!";
const LEVEL: f32 = 8_000.0;

/// Text as sound at 8 kHz: what [`ScriptedRecognizer`] hears as that text (lower case; unknown letters are spaces).
pub fn spoken(text: &str) -> Vec<i16> {
    let mut pcm = Vec::new();
    let mut tone = |hz: f32, ms: u32| {
        let n = VOICE_HZ * ms / 1000;
        pcm.extend((0..n).map(|i| (LEVEL * (std::f32::consts::TAU * hz * i as f32 / VOICE_HZ as f32).sin()) as i16));
    };
    for c in text.to_lowercase().chars() {
        let letter = LETTERS.chars().position(|l| l == c).unwrap_or(0);
        tone(MARK_HZ, MARK_MS);
        tone(FIRST_HZ + STEP_HZ * letter as f32, TONE_MS);
    }
    pcm
}

/// Hears what [`spoken`] said; anything else is silence to it. What begins with the tag of a language that comes into
/// question (`zh wo de yu e`) is in that language, all else in the first of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptedRecognizer;

impl Recognizer for ScriptedRecognizer {
    fn recognize(&mut self, pcm: &[f32], _: &Hint, _: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        if abort.is_aborted() {
            return Err(JobError::Skipped);
        }
        let text = read(pcm);
        let confidence = if text.is_empty() { 0.0 } else { 1.0 };
        Ok(Transcript { text, confidence })
    }

    fn language(&mut self, pcm: &[f32], among: &[&'static str]) -> Result<Spoken, JobError> {
        let text = read(pcm);
        let first = text.split_whitespace().next().unwrap_or_default();
        let language = among.iter().find(|tag| **tag == first).or(among.first()).copied();
        let none = || JobError::Failed("no language comes into question".to_string());
        language.map(|language| Spoken { language, probability: 1.0 }).ok_or_else(none)
    }
}

/// Takes what [`spoken`] said for complete unless it ends in a comma; anything else is half and half.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptedTurnDetector;

impl TurnDetector for ScriptedTurnDetector {
    fn turn_end(&mut self, pcm: &[f32]) -> Result<f32, JobError> {
        let text = read(pcm);
        Ok(match text.trim_end() {
            "" => 0.5,
            open if open.ends_with(',') => 0.1,
            _ => 0.9,
        })
    }
}

/// Finds the first marker, then reads letters at its pace. 16 kHz in.
fn read(pcm: &[f32]) -> String {
    const HZ: usize = 16_000;
    let ms = |n: u32| HZ * n as usize / 1000;
    let (mark, letter) = (ms(MARK_MS), ms(MARK_MS + TONE_MS));
    let marked = |at: usize| pcm.get(at..at + mark).map_or(0.0, |part| share(part, MARK_HZ));
    // A block that holds half of the first marker already looks like one; the best of the next 20 ms is the marker.
    let Some(near) = (0..pcm.len()).step_by(ms(1)).find(|&at| marked(at) > 0.5) else { return String::new() };
    let by_share = |a: &usize, b: &usize| marked(*a).total_cmp(&marked(*b));
    let mut at = (near..near + mark).step_by(ms(1)).max_by(by_share).unwrap_or(near);
    let mut text = String::new();
    while marked(at) > 0.5 {
        // The middle of the tone: resampling and jitter blur its edges.
        let Some(part) = pcm.get(at + mark + ms(5)..at + letter - ms(5)) else { break };
        let heard = LETTERS.chars().enumerate().map(|(n, c)| (share(part, FIRST_HZ + STEP_HZ * n as f32), c));
        let Some((_, c)) = heard.max_by(|a, b| a.0.total_cmp(&b.0)) else { break };
        text.push(c);
        at += letter;
        // A concealed packet moves what follows it, or costs a letter.
        if marked(at) <= 0.5 {
            let next = (at.saturating_sub(mark)..at + letter).step_by(ms(1)).max_by(by_share);
            at = next.unwrap_or(at);
        }
    }
    text.trim().to_string()
}

/// Share of a block's energy at one frequency (Goertzel's sum, written out), 0..1.
fn share(block: &[f32], hz: f32) -> f32 {
    let energy: f32 = block.iter().map(|x| x * x).sum();
    if energy < 1e-4 * block.len() as f32 {
        return 0.0;
    }
    let (mut re, mut im) = (0.0, 0.0);
    for (i, x) in block.iter().enumerate() {
        let angle = std::f32::consts::TAU * hz * i as f32 / 16_000.0;
        re += x * angle.cos();
        im += x * angle.sin();
    }
    2.0 * (re * re + im * im) / (energy * block.len() as f32)
}

/// Speaks in tones, 60 ms a letter.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptedVoice;

impl Synthesizer for ScriptedVoice {
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError> {
        Ok(spoken(text))
    }
    fn sample_rate(&self) -> u32 {
        VOICE_HZ
    }
}

/// Texts are alike as far as they share words and groups of three letters.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptedEmbedder;

/// Buckets that n-grams are hashed into.
const DIMENSIONS: usize = 384;

impl Embedder for ScriptedEmbedder {
    fn embed(&mut self, text: &str) -> Result<Vec<f32>, JobError> {
        let mut vector = vec![0.0f32; DIMENSIONS];
        let plain: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
        for word in plain.split_whitespace() {
            vector[bucket(word)] += 2.0;
            let padded: Vec<char> = format!(" {word} ").chars().collect();
            for three in padded.windows(3) {
                vector[bucket(&three.iter().collect::<String>())] += 1.0;
            }
        }
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|x| *x /= length);
        }
        Ok(vector)
    }
    fn dimensions(&self) -> usize {
        DIMENSIONS
    }
}

/// FNV-1a: the same on every machine and in every release.
fn bucket(text: &str) -> usize {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash % DIMENSIONS as u64) as usize
}

/// Calls loud windows speech: certain at -36 dBFS, nothing at -50.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScriptedVoiceDetector;

impl VoiceDetector for ScriptedVoiceDetector {
    fn window(&self, rate: Rate) -> usize {
        rate.hz() as usize * 32 / 1000
    }
    fn start(&self, _: Rate) -> Vec<f32> {
        Vec::new()
    }
    fn probability(&mut self, _: &mut Vec<f32>, _: Rate, window: &[i16]) -> Result<f32, JobError> {
        let mean = window.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / window.len().max(1) as f32;
        let dbfs = 10.0 * (mean.max(1.0) / 32768.0f32.powi(2)).log10();
        Ok(((dbfs + 50.0) / 14.0).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_or_doubled_packet_costs_a_letter_or_two_and_not_the_rest() {
        let whole = spoken("what is my balance");
        let at_16k = |pcm: &[i16]| pcm.iter().flat_map(|&x| [f32::from(x) / 32_768.0; 2]).collect::<Vec<_>>();
        for packet in [2_000, 4_160, 5_000] {
            let lost = [&whole[..packet], &whole[packet + 160..]].concat();
            let doubled = [&whole[..packet + 160], &whole[packet..]].concat();
            for heard in [read(&at_16k(&lost)), read(&at_16k(&doubled))] {
                assert!(heard.starts_with("what") && heard.ends_with("lance"), "{packet}: {heard}");
            }
        }
    }
}
