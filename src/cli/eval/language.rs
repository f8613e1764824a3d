//! `sidetone eval language`: how surely the language of a caller's first words is told, and what that takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::audio::{Rate, file, g711};
use crate::call::ports::{AbortFlag, Done, LanguageJob, Spoken, TurnId};
use crate::cli::Format;
use crate::dialplan::Plan;
use crate::engine::models::Registry;
use crate::engine::{EngineConfig, Engines, RecognitionConfig};

/// What comes into question, as for a plan in English that says `languages: {zh: 200}`.
const AMONG: [&str; 2] = ["en", "zh"];
/// Probabilities at which another plan might take over.
const SURE: [f32; 4] = [0.5, 0.9, 0.95, 0.99];
/// Longest that one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Arguments of `sidetone eval language`: sound files in one language, each heard at 8 kHz through μ-law, from its first
/// loud sample on.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sound files, or folders of them.
    #[arg(required = true)]
    sounds: Vec<PathBuf>,
    /// The language that all of them are in.
    #[arg(long = "in", value_name = "LANGUAGE", default_value = "en")]
    language: String,
    /// So much of each is heard, seconds.
    #[arg(long, value_delimiter = ',', default_values_t = [1.4, 3.0, 7.0])]
    seconds: Vec<f32>,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Of one length.
#[derive(Debug, Default, serde::Serialize)]
struct Figures {
    sounds: usize,
    /// Sounds that are taken for their own language and for another, by how sure that must be.
    own: BTreeMap<String, usize>,
    other: BTreeMap<String, usize>,
    /// Of one answer, ms.
    median_ms: f32,
    longest_ms: f32,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let language = Plan::heard_language(&args.language).context("`en` and `zh` are heard, and no other language")?;
    let chinese = RecognitionConfig::of_language("zh").context("no model hears Chinese")?;
    let config = EngineConfig { languages: BTreeMap::from([("zh".to_owned(), chinese)]), ..EngineConfig::default() };
    let engines = Engines::real(&Registry::builtin(), &config)?;
    let sounds = sounds(&args.sounds)?;
    let mut all = BTreeMap::new();
    for seconds in &args.seconds {
        let length = (seconds.clamp(0.3, 30.0) * Rate::Narrow.hz() as f32) as usize;
        all.insert(format!("{seconds} s"), measure(&engines, &sounds, length, language)?);
    }
    match args.format {
        Format::Json => println!("{}", serde_json::to_string(&all)?),
        Format::Human => {
            for (length, figures) in &all {
                println!(
                    "{length}: {} sounds, {:.0} ms each (longest {:.0})",
                    figures.sounds, figures.median_ms, figures.longest_ms
                );
                for (sure, own) in &figures.own {
                    println!("  at {sure}: {own} in {language}, {} in another language", figures.other[sure]);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(engines: &Engines, sounds: &[Vec<i16>], length: usize, language: &str) -> anyhow::Result<Figures> {
    let mut figures = Figures { sounds: sounds.len(), ..Figures::default() };
    let mut took = Vec::new();
    for sound in sounds {
        let (spoken, ms) = tell(engines, &sound[..sound.len().min(length)])?;
        took.push(ms);
        for sure in SURE {
            let own = usize::from(spoken.probability >= sure && spoken.language == language);
            let other = usize::from(spoken.probability >= sure && spoken.language != language);
            *figures.own.entry(sure.to_string()).or_default() += own;
            *figures.other.entry(sure.to_string()).or_default() += other;
        }
    }
    took.sort_by(f32::total_cmp);
    figures.median_ms = took.get(took.len() / 2).copied().unwrap_or_default();
    figures.longest_ms = took.last().copied().unwrap_or_default();
    Ok(figures)
}

/// The language, and what it took, ms.
fn tell(engines: &Engines, pcm: &[i16]) -> anyhow::Result<(Spoken, f32)> {
    let (send, receive) = sync_channel(1);
    let begin = now();
    let job = LanguageJob {
        turn: TurnId(0),
        pcm: pcm.into(),
        rate: Rate::Narrow,
        among: AMONG.into(),
        deadline: begin + PATIENCE,
        abort: AbortFlag::default(),
    };
    // Whoever waits is there until it comes.
    engines.language(job, Box::new(move |done| drop(send.send(done))));
    match receive.recv_timeout(PATIENCE)? {
        Done::Language { result, .. } => Ok((result?, begin.elapsed().as_secs_f32() * 1_000.0)),
        _ => bail!("another answer than was asked for"),
    }
}

/// The sounds as a telephone brings them.
fn sounds(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<i16>>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
            files.extend(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| is_sound(path)));
        } else {
            files.push(path.clone());
        }
    }
    files.sort();
    let sound = |path: &PathBuf| {
        let name = || path.display().to_string();
        let bytes = std::fs::read(path).with_context(name)?;
        let pcm = file::decode(&bytes, Rate::Narrow.hz(), 60).with_context(name)?;
        let first = pcm.iter().position(|sample| sample.unsigned_abs() > 600).unwrap_or(0);
        let from = first.saturating_sub(Rate::Narrow.hz() as usize * 3 / 10);
        Ok(pcm[from..].iter().map(|&sample| g711::mu_decode(g711::mu_encode(sample))).collect())
    };
    files.iter().map(sound).collect()
}

fn is_sound(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| ["wav", "flac", "ogg", "mp3"].iter().any(|known| end.eq_ignore_ascii_case(known)))
}

#[expect(clippy::disallowed_methods, reason = "it is measured what an answer takes")]
fn now() -> Instant {
    Instant::now()
}
