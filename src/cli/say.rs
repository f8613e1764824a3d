//! `sidetone say`: text to a WAV, as a caller would sound; and the two sounds that are not speech.
//!
//! ```text
//! Piper ─▶ pitch and rate ─▶ band 300–3400 Hz ─▶ trim ─▶ level, gain, soft clip ─▶ μ-law ─▶ silence around ─▶ WAV
//! ```

mod effects;
#[cfg(all(test, feature = "whisper"))]
mod fixture_tests;
mod sounds;

pub(super) use sounds::cough;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Format;
use crate::audio::{file, level, resample};

/// Hz, of a telephone line.
const TELEPHONE_HZ: u32 = 8_000;

/// Arguments of `sidetone say`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to say; several texts are said one after the other.
    #[arg(required_unless_present = "sound")]
    texts: Vec<String>,
    /// The WAV to write, 16-bit mono.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// The voice, by its name in the model registry; the language of the text is the voice's.
    #[arg(long, default_value = "en_US-joe-medium")]
    voice: String,
    /// How fast: 1 as the voice was trained, 0.5 to 2.
    #[arg(long, default_value_t = 1.0, value_parser = within(0.5, 2.0))]
    rate: f32,
    /// How much higher, in semitones: -12 to 12. The length stays.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, value_parser = within(-12.0, 12.0))]
    pitch: f32,
    /// How much louder than the usual -26 dBov, in dB: -40 to 20; what would clip is rounded off.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, value_parser = within(-40.0, 20.0))]
    gain: f32,
    /// How much the voice varies from run to run: 0 gives the same file each time, 0.667 is as trained.
    #[arg(long, default_value_t = 0.667, value_parser = within(0.0, 1.5))]
    variation: f32,
    /// As over a telephone: 300 to 3400 Hz, 8 kHz, through μ-law and back.
    #[arg(long)]
    telephone: bool,
    /// Silence between texts, in ms.
    #[arg(long, default_value_t = 300, value_name = "MS", value_parser = clap::value_parser!(u32).range(..=10_000))]
    pause: u32,
    /// Silence before, in ms.
    #[arg(long, default_value_t = 300, value_name = "MS", value_parser = clap::value_parser!(u32).range(..=60_000))]
    before: u32,
    /// Silence after, in ms.
    #[arg(long, default_value_t = 200, value_name = "MS", value_parser = clap::value_parser!(u32).range(..=60_000))]
    after: u32,
    /// A sound instead of a text.
    #[arg(long, value_enum, conflicts_with_all = ["texts", "rate", "pitch", "variation", "voice"])]
    sound: Option<Sound>,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Sounds that are not speech, made of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sound {
    /// Ten seconds of quiet chords that can be looped.
    HoldMusic,
    /// Two bursts of noise, as of a cough.
    Cough,
}

/// A parser of numbers between two bounds.
fn within(low: f32, high: f32) -> impl Fn(&str) -> Result<f32, String> + Clone {
    move |text| match text.parse::<f32>() {
        Ok(value) if (low..=high).contains(&value) => Ok(value),
        _ => Err(format!("not a number from {low} to {high}")),
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    text: String,
    sample_rate: u32,
    samples: usize,
    /// The first sample of speech; all before it is silence.
    first_speech: usize,
    /// The last sample of speech; all after it is silence.
    last_speech: usize,
    /// Level of the speech, RMS.
    dbov: f32,
    sha256: String,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (mut samples, mut hz) = match args.sound {
        Some(Sound::HoldMusic) => (sounds::hold_music(), sounds::HZ),
        Some(Sound::Cough) => (sounds::cough(), sounds::HZ),
        None => spoken(&args)?,
    };
    if args.telephone {
        samples = resample(&samples, hz, TELEPHONE_HZ)?;
        hz = TELEPHONE_HZ;
        effects::telephone_band(&mut samples, hz);
    }
    // Music ends where its loop does, not where it fades.
    if args.sound != Some(Sound::HoldMusic) {
        effects::trim(&mut samples, hz);
    }
    if samples.is_empty() {
        bail!("there is nothing to hear in {:?}: give a text with words in it", args.texts.join(" "));
    }
    effects::set_level(&mut samples, hz, args.gain);
    if args.telephone {
        effects::mu_law(&mut samples);
    }
    let report = write(&args, &samples, hz)?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string(&report)?),
        Format::Human => println!(
            "{}: {:.2} s at {} Hz, speech from sample {} to {}, {:.1} dBov, sha256 {}",
            report.file,
            report.samples as f32 / hz as f32,
            hz,
            report.first_speech,
            report.last_speech,
            report.dbov,
            report.sha256
        ),
    }
    Ok(ExitCode::SUCCESS)
}

fn write(args: &Args, speech: &[i16], hz: u32) -> anyhow::Result<Report> {
    let silence = |ms: u32| vec![0; (u64::from(hz) * u64::from(ms) / 1000) as usize];
    let first = silence(args.before).len();
    let whole = [silence(args.before), speech.to_vec(), silence(args.after)].concat();
    let bytes = file::wav(&whole, 1, hz)?;
    std::fs::write(&args.out, &bytes).with_context(|| format!("{} could not be written", args.out.display()))?;
    let text = match args.sound {
        Some(_) => String::new(),
        None => args.texts.join(" "),
    };
    Ok(Report {
        file: args.out.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        text,
        sample_rate: hz,
        samples: whole.len(),
        first_speech: first,
        last_speech: first + speech.len() - 1,
        dbov: level::rms_dbov(speech),
        sha256: hex::encode(Sha256::digest(&bytes)),
    })
}

/// The texts by the voice, at the rate and pitch asked for, and their sample rate.
///
/// Played faster by the pitch's factor, a voice is higher and shorter; so it is first made to speak slower by as much.
#[cfg(feature = "piper")]
fn spoken(args: &Args) -> anyhow::Result<(Vec<i16>, u32)> {
    use crate::engine::models::Registry;
    use crate::engine::piper::Manner;
    use crate::engine::{onnx, voices};

    let registry = Registry::builtin();
    onnx::load(&registry.path("onnxruntime", "libonnxruntime.so")?)?;
    let higher = 2f32.powf(args.pitch / 12.0);
    let manner = Manner { length: higher / args.rate, noise: args.variation };
    let mut voice = voices::load(&registry, &args.voice, manner)?;
    let hz = voice.sample_rate();
    let gap = vec![0; (u64::from(hz) * u64::from(args.pause) / 1000) as usize];
    let mut samples = Vec::new();
    for text in &args.texts {
        if !samples.is_empty() {
            samples.extend_from_slice(&gap);
        }
        samples.extend(voice.synthesize(text)?);
    }
    let samples = resample(&samples, (hz as f32 * higher).round() as u32, hz)?;
    Ok((samples, hz))
}

/// This build has no voice.
#[cfg(not(feature = "piper"))]
fn spoken(_args: &Args) -> anyhow::Result<(Vec<i16>, u32)> {
    bail!("this build has no voice: build it with the feature `piper`")
}
