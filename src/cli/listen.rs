//! `sidetone listen FILE`: what a call would have heard in a recording: words, prosody, and the score over time; and a picture
//! of it.

mod picture;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use super::Format;
use crate::audio::{Frame, Rate, file, g711};
use crate::call::ports::{AbortFlag, Hint, Recognizer, Role};
use crate::speech::emotion::{Config, Frustration, Mood, ProsodyModel};
use crate::speech::gate::{Gate, Passed};
use crate::speech::prosody::{Analyser, Features, HELD_S, Point};
use crate::speech::utterance::{Endpointing, Event, Segmenter};

/// Longest recording that is read, s.
const LONGEST_S: u32 = 3_600;
const HZ: f32 = 8_000.0;

/// Arguments of `sidetone listen`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A recording of one speaker: WAV, FLAC, MP3 or OGG, at any rate. It is brought to what a telephone carries (8 kHz,
    /// G.711) first. Of a recording of a call, channels are averaged: cut out the caller's first.
    file: PathBuf,
    /// Writes a picture: sound, pitch, level, and frustration with the words under it.
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
    /// Does not recognise words: needs no models, and the score is from the voice alone.
    #[arg(long)]
    no_words: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// One utterance, and the score after it.
struct Utterance {
    /// Samples of the recording.
    start: u64,
    end: u64,
    words: String,
    features: Features,
    contour: Vec<Point>,
    frustration: f32,
    mood: Mood,
    confidence: f32,
    reasons: Vec<String>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let path = args.file.display();
    let bytes = std::fs::read(&args.file).with_context(|| format!("cannot read {path}"))?;
    let pcm = file::decode(&bytes, 8_000, LONGEST_S).with_context(|| format!("cannot decode {path}"))?;
    let pcm: Vec<i16> = pcm.into_iter().map(|x| g711::mu_decode(g711::mu_encode(x))).collect();
    let recognizer = if args.no_words { None } else { recognizer() };
    let utterances = hear(&pcm, recognizer)?;
    match args.format {
        Format::Human => print_table(&utterances),
        Format::Json => println!("{}", serde_json::to_string_pretty(&to_json(&utterances))?),
    }
    if let Some(path) = &args.picture {
        let svg = picture::draw(&pcm, &utterances)?;
        std::fs::write(path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The recogniser that calls are served with; without its models the score is from the voice alone, and that is said.
#[cfg(all(feature = "whisper", feature = "piper"))]
fn recognizer() -> Option<Box<dyn Recognizer>> {
    use crate::engine::models::Registry;
    use crate::engine::{RecognitionConfig, recognition};

    let made = recognition(&Registry::builtin(), &RecognitionConfig::default()).and_then(|make| make());
    made.inspect_err(|error| eprintln!("no words ({error}): the score is from the voice alone")).ok()
}

#[cfg(not(all(feature = "whisper", feature = "piper")))]
fn recognizer() -> Option<Box<dyn Recognizer>> {
    eprintln!("no words (this build has no recogniser): the score is from the voice alone");
    None
}

/// Goes through a recording as a call does: 20 ms at a time, utterances cut where the sound falls silent.
fn hear(pcm: &[i16], mut recognizer: Option<Box<dyn Recognizer>>) -> anyhow::Result<Vec<Utterance>> {
    let endpointing = Endpointing { max_utterance_s: HELD_S as u32, ..Endpointing::default() };
    let (mut gate, mut segmenter) = (Gate::new(Rate::Narrow), Segmenter::new(Rate::Narrow, endpointing));
    let mut analyser = Analyser::new(Rate::Narrow);
    let mut frustration = Frustration::new(Arc::new(ProsodyModel::shipped()?), Config::default());
    let (mut utterances, mut position) = (Vec::new(), 0);
    let silence = [0i16; 160];
    // Silence at the end, so that the last utterance ends too.
    for frame in pcm.chunks(160).chain(std::iter::repeat_n(&silence[..], 60)) {
        let frame = Frame::from_samples(Rate::Narrow, frame);
        let voice = if gate.push(&frame) == Passed::Nothing { 0.0 } else { loudness(&frame) };
        segmenter.audio(frame.samples());
        analyser.push(frame.samples());
        position += frame.samples().len() as u64;
        let Some(Event::Ended { start, end, .. }) = segmenter.voice(position, voice) else { continue };
        let features = analyser.features(start..end);
        let words = match &mut recognizer {
            Some(recognizer) => words(recognizer.as_mut(), &segmenter.pcm())?,
            None => String::new(),
        };
        frustration.utterance(&features, &words, &[]);
        utterances.push(Utterance {
            start,
            end,
            words,
            features,
            contour: analyser.contour(start..end),
            frustration: frustration.score(),
            mood: frustration.mood(),
            confidence: frustration.confidence(),
            reasons: frustration.reasons(),
        });
    }
    Ok(utterances)
}

/// Stands in for the neural detector of a call: the gate has told sound from the line's noise already.
fn loudness(frame: &Frame) -> f32 {
    if crate::audio::level::dbov(frame) > -60.0 { 0.9 } else { 0.0 }
}

fn words(recognizer: &mut dyn Recognizer, pcm: &[i16]) -> anyhow::Result<String> {
    let wide = crate::audio::resample(pcm, 8_000, 16_000)?;
    let wide: Vec<f32> = wide.iter().map(|x| f32::from(*x) / 32_768.0).collect();
    let heard = recognizer.recognize(&wide, &Hint::Open, Role::Final, &AbortFlag::default());
    Ok(heard.map_err(|error| anyhow::anyhow!("recognition failed: {error}"))?.text)
}

fn print_table(utterances: &[Utterance]) {
    if utterances.is_empty() {
        println!("no speech");
    }
    println!("from     to       F0       range   level    HNR     rate    score  sure  mood   words, and why");
    for u in utterances {
        let f = &u.features;
        let hz = 27.5 * 2f32.powf(f.f0_semitone_p50 / 12.0);
        let pitch = if f.voiced_s > 0.0 { format!("{hz:.0} Hz") } else { "–".to_string() };
        println!(
            "{:<9}{:<9}{pitch:<9}{:<8}{:<9}{:<8}{:<8}{:<7.2}{:<6.2}{:<7}{}",
            format!("{:.1} s", u.start as f32 / HZ),
            format!("{:.1} s", u.end as f32 / HZ),
            format!("{:.1} st", f.f0_semitone_range),
            format!("{:.0} dBov", f.level_dbov),
            format!("{:.0} dB", f.hnr_db),
            format!("{:.1}/s", f.articulation_rate),
            u.frustration,
            u.confidence,
            format!("{:?}", u.mood).to_lowercase(),
            u.words,
        );
        for reason in &u.reasons {
            println!("{:<73}· {reason}", "");
        }
    }
}

fn to_json(utterances: &[Utterance]) -> Value {
    let rows = utterances.iter().map(|u| {
        let parameters = Features::NAMES.iter().zip(u.features.values()).map(|(name, value)| (*name, value));
        json!({
            "from_s": u.start as f32 / HZ, "to_s": u.end as f32 / HZ, "words": u.words,
            "frustration": u.frustration, "mood": u.mood, "confidence": u.confidence, "reasons": u.reasons,
            "parameters": parameters.collect::<std::collections::BTreeMap<_, _>>(),
        })
    });
    json!({ "utterances": rows.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Vec<i16> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/callers").join(name);
        let bytes = std::fs::read(path).expect("a fixture");
        file::decode(&bytes, 8_000, 60).expect("it decodes")
    }

    #[test]
    fn a_recording_is_cut_scored_and_drawn() {
        let mut pcm = fixture("balance.wav");
        pcm.extend([0; 16_000]);
        pcm.extend(fixture("lost-card.wav"));
        let utterances = hear(&pcm, None).expect("heard");
        assert!(utterances.len() >= 2, "{}", utterances.len());
        assert!(utterances.windows(2).all(|w| w[0].end < w[1].start));
        assert!(utterances.iter().all(|u| (0.0..=1.0).contains(&u.frustration) && u.features.voiced_s > 0.2));
        let svg = picture::draw(&pcm, &utterances).expect("drawn");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.len() > 5_000);
        assert_eq!(to_json(&utterances)["utterances"].as_array().map(Vec::len), Some(utterances.len()));
    }

    #[test]
    fn silence_has_nothing_to_say() {
        assert!(hear(&[0; 24_000], None).expect("heard").is_empty());
        assert!(picture::draw(&[], &[]).expect("drawn").starts_with("<svg"));
    }
}
