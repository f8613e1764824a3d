//! `sidetone eval emotion`: how well anger is told from the voice alone, speakers held out, under the shifts of a telephone.
//!
//! The parameters come from the very analyser that a call runs ([`crate::speech::prosody::Analyser`], fed by 20 ms frames
//! of a G.711 leg). `--train` writes the weights that ship, `--on` scores any other corpus with them.

mod calls;
mod corpus;
mod measure;
mod metrics;
mod report;
mod shift;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use self::corpus::Clip;
use self::measure::{Measured, Row, fit_rows, measure};
use self::report::{Report, Scored};
use crate::cli::Format;
use crate::speech::emotion::ProsodyModel;

/// Random shifts of each recording that a model is trained on.
const AUGMENTED: usize = 6;

/// Arguments of `sidetone eval emotion`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// EmoDB: a folder of recordings with its names.
    #[arg(long, default_value = "../shared/data/emodb", env = "SIDETONE_EMODB")]
    data: PathBuf,
    /// Trains on all of it and writes the weights here.
    #[arg(long, value_name = "FILE", conflicts_with = "on")]
    train: Option<PathBuf>,
    /// Scores the recordings of this folder with the shipped weights instead.
    #[arg(long, value_name = "DIR", requires = "labels")]
    on: Option<PathBuf>,
    /// Their labels: a CSV with the columns file, label (anger, neutral, calm, joy, sadness, fear, other), speaker.
    #[arg(long, value_name = "FILE", requires = "on")]
    labels: Option<PathBuf>,
    /// Writes one row a recording: file, label, speaker, probability of anger.
    #[arg(long, value_name = "FILE", requires = "on")]
    scores: Option<PathBuf>,
    /// Of everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let report = match (&args.on, &args.labels) {
        (Some(dir), Some(labels)) => score_other(&corpus::labelled(dir, labels)?, args.scores.as_deref(), args.seed)?,
        _ => {
            let clips = corpus::emodb(&args.data)?;
            if let Some(path) = &args.train {
                let model = train(&clips, args.seed)?;
                std::fs::write(path, model.to_json()?).with_context(|| format!("cannot write {}", path.display()))?;
                println!("wrote {}: threshold {:.2}", path.display(), model.threshold());
                return Ok(ExitCode::SUCCESS);
            }
            held_out(&clips, AUGMENTED, shift::CONDITIONS, args.seed)?
        }
    };
    match args.format {
        Format::Human => print!("{}", report.table()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report.json())?),
    }
    Ok(ExitCode::SUCCESS)
}

/// The weights that ship: from all speakers, each recording under random shifts.
fn train(clips: &[Clip], seed: u64) -> anyhow::Result<ProsodyModel> {
    let rows = augmented_rows(clips, AUGMENTED, seed);
    let trained = format!("{} clips of EmoDB, each also under {AUGMENTED} random shifts, seed {seed}", clips.len());
    fit_rows(&rows.iter().flatten().collect::<Vec<_>>(), &trained)
}

/// For each recording its rows under random shifts, the first of them unshifted.
fn augmented_rows(clips: &[Clip], count: usize, seed: u64) -> Vec<Vec<Row>> {
    let shifts = |clip: usize, i: usize| {
        let seed = seed.wrapping_mul(1_000_003).wrapping_add((clip * 101 + i) as u64);
        let random = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(seed);
        let shift = if i == 0 { shift::PLAIN } else { shift::Shift::random(&mut { random }) };
        (shift, seed ^ 0x5eed)
    };
    let work: Vec<(usize, usize)> = (0..clips.len()).flat_map(|c| (0..=count).map(move |i| (c, i))).collect();
    let measured = parallel(&work, |&(clip, i)| {
        let (shift, seed) = shifts(clip, i);
        measure(&clips[clip], &shift, seed, false).row
    });
    measured.chunks(count + 1).map(<[Row]>::to_vec).collect()
}

/// Leave-one-speaker-out: each speaker is scored, under each condition, by a model that never heard them.
fn held_out(
    clips: &[Clip],
    augmented: usize,
    conditions: &[(&'static str, shift::Shift)],
    seed: u64,
) -> anyhow::Result<Report> {
    let rows = augmented_rows(clips, augmented, seed);
    let mut speakers: Vec<&str> = clips.iter().map(|c| c.speaker.as_str()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    anyhow::ensure!(speakers.len() > 1, "one speaker cannot be held out of one");
    let models = parallel(&speakers, |speaker| {
        let others = rows.iter().flatten().filter(|row| row.speaker != *speaker).collect::<Vec<_>>();
        fit_rows(&others, "a fold")
    });
    let models: Vec<Arc<ProsodyModel>> = models.into_iter().map(|m| m.map(Arc::new)).collect::<Result<_, _>>()?;
    let work: Vec<(usize, usize)> = (0..conditions.len()).flat_map(|c| (0..clips.len()).map(move |i| (c, i))).collect();
    let measured = parallel(&work, |&(condition, i)| {
        measure(&clips[i], &conditions[condition].1, seed.wrapping_add(i as u64 * 7 + condition as u64), true)
    });
    let model_of = |speaker: &str| speakers.iter().position(|s| *s == speaker).map(|i| &models[i]);
    let mut report = Report::default();
    for ((name, _), measured) in conditions.iter().zip(measured.chunks(clips.len())) {
        let scored = measured.iter().filter_map(|m| Some(scored(m, model_of(&m.row.speaker)?))).collect::<Vec<_>>();
        report.add(name, &scored);
        if *name == "ulaw" {
            for (speaker, model) in speakers.iter().zip(&models) {
                let own: Vec<&Row> = measured.iter().map(|m| &m.row).filter(|row| row.speaker == *speaker).collect();
                report.calls.get_or_insert_default().play(&own, model);
            }
        }
    }
    Ok(report)
}

/// Scores a corpus with the shipped weights.
fn score_other(clips: &[Clip], to: Option<&std::path::Path>, seed: u64) -> anyhow::Result<Report> {
    let model = ProsodyModel::shipped()?;
    let measured = parallel(clips, |clip| measure(clip, &shift::PLAIN, seed, true));
    let scored: Vec<Scored> = measured.iter().map(|m| scored(m, &model)).collect();
    if let Some(path) = to {
        let mut csv = String::from("file,label,speaker,anger\n");
        for (clip, scored) in clips.iter().zip(&scored) {
            let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            let (file, speaker) = (quote(&clip.file), quote(&clip.speaker));
            csv += &format!("{file},{},{speaker},{:.4}\n", clip.label.word(), scored.probability);
        }
        std::fs::write(path, csv).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut report = Report::default();
    report.add("as_is", &scored);
    Ok(report)
}

fn scored(measured: &Measured, model: &ProsodyModel) -> Scored {
    let flagged = measured.growing.iter().find(|(_, features)| model.probability(features) >= model.threshold());
    Scored {
        label: measured.row.label,
        probability: model.probability(&measured.row.features),
        threshold: model.threshold(),
        delay_s: flagged.map_or(f32::INFINITY, |(at, _)| *at),
    }
}

/// Maps over all cores, in order.
fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            items.chunks(share).map(|chunk| scope.spawn(move || chunk.iter().map(work).collect::<Vec<R>>())).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anger_is_told_from_neutral_in_voices_never_heard() {
        let shared = std::env::var("SIDETONE_SHARED_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_string());
        let dir = std::path::Path::new(&shared).join("emodb");
        if !dir.is_dir() {
            println!("skipped: no recordings at {}", dir.display());
            return;
        }
        let clips = corpus::emodb(&dir).expect("EmoDB reads");
        let report = held_out(&clips, 1, &shift::CONDITIONS[..3], 1).expect("two classes and ten speakers");
        for (name, auc, accuracy) in [("ulaw", 0.985, 0.93), ("leveled", 0.985, 0.92), ("loss5", 0.98, 0.92)] {
            let row = report.row(name).expect("reported");
            let of = |value: Option<f64>| value.expect("both classes are there");
            assert!(of(row.anger_vs_calm_auc) >= auc, "{name}: {:?}", row.anger_vs_calm_auc);
            assert!(of(row.anger_vs_calm_bacc) >= accuracy, "{name}: {:?}", row.anger_vs_calm_bacc);
        }
        let calls = report.calls.expect("played");
        assert!(calls.found() >= 0.7, "{calls:?}");
        assert!(calls.false_alarms() <= 0.02, "{calls:?}");
    }
}
