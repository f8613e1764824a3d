//! Speech of people that evaluations stand on: prompts with their text, read sentences, six-digit strings, orders with their slots.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::audio::file::decode_native;
use crate::audio::{g711, resample};

/// What the models take, Hz.
const RATE: u32 = 16_000;
/// The telephone's rate, Hz.
const TELEPHONE: u32 = 8_000;
/// Debian's `asterisk-core-sounds-en-wav` and `asterisk-core-sounds-en`: one studio speaker, 8 kHz.
const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const PROMPTS_TEXT: &str = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";
/// Debian's `pocketsphinx-testdata`: five sentences of a novel, 16 kHz, and their text.
const READ: &str = "/usr/share/pocketsphinx/test/data/librivox";
/// Longest prompt that is taken, seconds: a caller's turn is no longer.
const LONGEST_S: usize = 15;
/// Seed of everything that is chosen by chance.
const SEED: u64 = 20_261_122;

/// A sound and what was said in it.
pub(super) struct Said {
    pub(super) name: String,
    pub(super) text: String,
    /// At its own rate.
    pcm: Vec<i16>,
    hz: u32,
}

/// An order and what must be found in its words.
pub(super) struct Order {
    pub(super) said: Said,
    pub(super) slots: Vec<String>,
}

impl Said {
    /// At 16 kHz, -1..1, as it was recorded.
    pub(super) fn wide(&self) -> anyhow::Result<Vec<f32>> {
        Ok(samples(&resample(&self.pcm, self.hz, RATE)?))
    }

    /// The same after 8 kHz and G.711 μ-law.
    pub(super) fn telephone(&self) -> anyhow::Result<Vec<f32>> {
        Ok(samples(&resample(&self.narrow()?, TELEPHONE, RATE)?))
    }

    /// As a telephone carries it: 8 kHz.
    pub(super) fn narrow(&self) -> anyhow::Result<Vec<i16>> {
        let narrow = resample(&self.pcm, self.hz, TELEPHONE)?;
        Ok(narrow.iter().map(|&s| g711::mu_decode(g711::mu_encode(s))).collect())
    }
}

/// How long they are together.
pub(super) fn seconds(all: &[Said]) -> f32 {
    all.iter().map(|said| said.pcm.len() as f32 / said.hz as f32).sum()
}

fn samples(pcm: &[i16]) -> Vec<f32> {
    pcm.iter().map(|&s| f32::from(s) / 32768.0).collect()
}

/// Prompts of four words and more, without keys or long numbers (their text does not say how they are read out), and
/// the read sentences. At most `most`, spread evenly.
pub(super) fn sentences(most: usize) -> anyhow::Result<Vec<Said>> {
    let list = fs::read(PROMPTS_TEXT).ok().filter(|_| Path::new(PROMPTS).is_dir()).context(
        "the spoken prompts are missing: run apt-get install asterisk-core-sounds-en asterisk-core-sounds-en-wav",
    )?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(list.as_slice()).read_to_string(&mut text).context(PROMPTS_TEXT)?;
    let mut said = Vec::new();
    let lines: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.split_once(": ")).filter(|(_, t)| usable(t)).collect();
    for (name, text) in spread(&lines, most) {
        let path = Path::new(PROMPTS).join(format!("{name}.wav"));
        // The list names a few that are not packaged.
        let Ok(bytes) = fs::read(&path) else { continue };
        let sound = decode_native(&bytes, 60).with_context(|| path.display().to_string())?;
        if sound.samples.len() <= LONGEST_S * sound.rate_hz as usize {
            said.push(Said {
                name: (*name).to_string(),
                text: (*text).to_string(),
                pcm: sound.samples,
                hz: sound.rate_hz,
            });
        }
    }
    let read = read_sentences().unwrap_or_else(|_| {
        eprintln!("without the read sentences: run apt-get install pocketsphinx-testdata");
        Vec::new()
    });
    said.extend(read);
    Ok(said)
}

fn usable(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || ".,'-?!;".contains(c);
    let long_number = text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 1);
    text.split_whitespace().count() >= 4 && text.chars().all(plain) && !long_number
}

fn read_sentences() -> anyhow::Result<Vec<Said>> {
    let list = fs::read_to_string(Path::new(READ).join("transcription"))?;
    let lines = list.lines().filter_map(|line| line.strip_prefix("<s> ")?.split_once(" </s> ("));
    lines
        .map(|(text, name)| {
            let path = Path::new(READ).join(format!("{}.wav", name.trim_end_matches(')')));
            let sound = decode_native(&fs::read(&path)?, 60)?;
            Ok(Said { name: name.to_string(), text: text.to_string(), pcm: sound.samples, hz: sound.rate_hz })
        })
        .collect()
}

/// Digits said alone, with as much of the line around them as a call keeps.
pub(super) fn digits_alone(data: &Path, count: usize) -> anyhow::Result<Vec<Said>> {
    let takes = takes(data)?;
    let mut chance = Chance(SEED);
    spread(&takes, count)
        .map(|(digit, speaker, path)| {
            let sound = decode_native(&fs::read(path)?, 10)?;
            let spoken = resample(&sound.samples, sound.rate_hz, TELEPHONE)?;
            let pcm = [chance.hiss(0.3), spoken, chance.hiss(0.2)].concat();
            Ok(Said { name: format!("{speaker} {digit}"), text: digit.to_string(), pcm, hz: TELEPHONE })
        })
        .collect()
}

/// Single digits: which, by whom, where; in order.
pub(super) fn takes(data: &Path) -> anyhow::Result<Vec<(char, String, PathBuf)>> {
    let folder = data.join("digits");
    let mut takes: Vec<(char, String, PathBuf)> = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("the spoken digits are missing: {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_string();
        let parts: Vec<&str> = name.split('_').collect();
        if let (&[digit, speaker, _], Some("wav")) = (parts.as_slice(), path.extension().and_then(|e| e.to_str())) {
            takes.push((digit.chars().next().unwrap_or('?'), speaker.to_string(), path.clone()));
        }
    }
    ensure!(!takes.is_empty(), "no recording in {}", folder.display());
    takes.sort();
    Ok(takes)
}

/// Strings of six digits, each by one speaker, out of single recordings with 60 to 260 ms between them.
pub(super) fn digit_strings(data: &Path, count: usize) -> anyhow::Result<Vec<Said>> {
    let takes = takes(data)?;
    let mut speakers: Vec<String> = takes.iter().map(|take| take.1.clone()).collect();
    speakers.sort();
    speakers.dedup();
    let mut chance = Chance(SEED);
    let mut strings = Vec::new();
    for n in 0..count {
        let speaker = &speakers[n % speakers.len()];
        let (mut text, mut pcm) = (String::new(), chance.hiss(0.3));
        for _ in 0..6 {
            let digit = char::from(b'0' + chance.below(10) as u8);
            let of: Vec<_> = takes.iter().filter(|take| take.0 == digit && &take.1 == speaker).collect();
            if of.is_empty() {
                bail!("{speaker} says no {digit} in {}", data.display());
            }
            let sound = decode_native(&fs::read(&of[chance.below(of.len())].2)?, 10)?;
            pcm.extend(resample(&sound.samples, sound.rate_hz, TELEPHONE)?);
            let gap = 0.06 + chance.below(200) as f32 / 1_000.0;
            pcm.extend(chance.hiss(gap));
            text.push(digit);
        }
        pcm.extend(chance.hiss(0.2));
        strings.push(Said { name: format!("{speaker} {n}"), text, pcm, hz: TELEPHONE });
    }
    Ok(strings)
}

/// Spoken orders of many people; there is no text, but what they asked for is known.
pub(super) fn orders(data: &Path, most: usize) -> anyhow::Result<Vec<Order>> {
    let folder = data.join("orders");
    let labels = fs::read_to_string(folder.join("labels.json"))
        .with_context(|| format!("the spoken orders are missing: {}", folder.display()))?;
    let labels: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&labels)?;
    let all: Vec<(String, Vec<String>)> = labels
        .into_iter()
        .filter_map(|(name, label)| {
            let slots = label.get("slots")?.as_object()?;
            Some((name, slots.values().filter_map(|slot| Some(slot.as_str()?.to_string())).collect()))
        })
        .collect();
    spread(&all, most)
        .map(|(name, slots)| {
            let path = folder.join(format!("{name}.flac"));
            let sound = decode_native(&fs::read(&path).with_context(|| path.display().to_string())?, 60)?;
            let said = Said { name: name.clone(), text: slots.join(", "), pcm: sound.samples, hz: sound.rate_hz };
            Ok(Order { said, slots: slots.clone() })
        })
        .collect()
}

/// At most `most` of them, at even distances.
pub(super) fn spread<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let taken = all.len().min(most);
    (0..taken).map(move |n| &all[n * all.len() / taken])
}

/// Knuth's linear congruential generator: the same strings on every machine.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// From 0 on, below the bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }

    /// Silence of a line: about −66 dBFS.
    pub(super) fn hiss(&mut self, seconds: f32) -> Vec<i16> {
        (0..(seconds * TELEPHONE as f32) as usize).map(|_| self.below(49) as i16 - 24).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_that_can_be_compared() {
        for good in ["That conference is full.", "Please press 1 to mute yourself."] {
            assert!(usable(good), "{good}");
        }
        for bad in
            ["Activated.", "dial 8500 to enter the system", "followed by # or just # to exit", "[three beeps in a row]"]
        {
            assert!(!usable(bad), "{bad}");
        }
    }

    #[test]
    fn a_subset_is_spread_over_the_whole() {
        let all: Vec<usize> = (0..100).collect();
        assert_eq!(spread(&all, 4).copied().collect::<Vec<_>>(), [0, 25, 50, 75]);
        assert_eq!(spread(&all, 1_000).count(), 100);
        assert_eq!(spread(&all[..0], 4).count(), 0);
    }
}
