//! `sidetone eval emotion`: how well anger is told from the voice alone, speakers held out, under the shifts of a telephone.
//!
//! The parameters come from the very analyser that a call runs ([`crate::speech::prosody::Analyser`], fed by 20 ms frames
//! of a G.711 leg). `--on` scores any other corpus with the weights that ship.

mod calls;
pub(in crate::cli) mod corpus;
mod measure;
mod metrics;
mod plots;
mod report;
mod score;
mod shift;
pub(in crate::cli) mod table;
pub(in crate::cli) mod training;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use self::corpus::Clip;
use self::measure::{Row, measure};
use self::report::Report;
use self::score::{returning, score};
use self::training::AUGMENTED;
use crate::cli::Format;
use crate::speech::emotion::{CallCalibration, ProsodyModel};

/// Arguments of `sidetone eval emotion`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// EmoDB: a folder of recordings with its names.
    #[arg(long, default_value = "../shared/data/emodb", env = "SIDETONE_EMODB")]
    data: PathBuf,
    /// Scores the recordings of this folder with the shipped weights instead.
    #[arg(long, value_name = "DIR", requires = "labels")]
    on: Option<PathBuf>,
    /// Their labels: a CSV with the columns file, label (anger, neutral, calm, joy, sadness, fear, other), speaker.
    #[arg(long, value_name = "FILE", requires = "on")]
    labels: Option<PathBuf>,
    /// Writes one row a recording: file, label, speaker, probability of anger.
    #[arg(long, value_name = "FILE", requires = "on")]
    scores: Option<PathBuf>,
    /// Writes a CSV with every parameter of every recording under every condition, and does nothing else.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Writes the ROC curves and the calibration as roc.svg and calibration.svg into this folder.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
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
        (Some(dir), Some(labels)) => {
            let clips = corpus::labelled(dir, labels)?;
            if let Some(path) = &args.table {
                table_of_all(&clips, path, args.seed)?;
                return Ok(ExitCode::SUCCESS);
            }
            score_other(&clips, args.scores.as_deref(), args.seed)?
        }
        _ => {
            let clips = corpus::emodb(&args.data)?;
            if let Some(path) = &args.table {
                table_of_all(&clips, path, args.seed)?;
                return Ok(ExitCode::SUCCESS);
            }
            held_out(&clips, AUGMENTED, shift::CONDITIONS, args.seed)?
        }
    };
    if let Some(dir) = &args.plots {
        plots::write(dir, &report.plotted)?;
    }
    match args.format {
        Format::Human => print!("{}", report.table()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&report.json())?),
    }
    Ok(ExitCode::SUCCESS)
}

fn table_of_all(clips: &[Clip], path: &std::path::Path, seed: u64) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (i, (name, shift)) in shift::CONDITIONS.iter().enumerate() {
        let measured = parallel(clips, |clip| measure(clip, shift, seed.wrapping_add(i as u64), false).row);
        rows.extend(measured.into_iter().map(|row| (*name, row)));
    }
    table::write(path, rows.iter().map(|(name, row)| (*name, row)))
}

/// Conditions that are also scored by sentence.
const BY_SENTENCE: [&str; 3] = ["ulaw", "leveled", "loss5"];

/// Leave-one-speaker-out: each speaker is scored, under each condition, by a model that never heard them; and under some
/// each sentence by a model that never heard it.
fn held_out(
    clips: &[Clip],
    augmented: usize,
    conditions: &[(&'static str, shift::Shift)],
    seed: u64,
) -> anyhow::Result<Report> {
    let lines = training::lines(clips, augmented, seed);
    let sentences = speakers(clips.iter().map(|c| c.sentence.as_str()));
    let speakers = speakers(clips.iter().map(|c| c.speaker.as_str()));
    let models = training::folds(&lines, &speakers)?;
    let unheard = parallel(&sentences, |sentence| {
        let without = |line: &training::Line| line.iter().filter(|row| row.sentence != *sentence).cloned().collect();
        let others: Vec<training::Line> = lines.iter().map(without).collect();
        training::train_on(&others.iter().collect::<Vec<_>>(), "a fold")
    });
    let unheard: Vec<ProsodyModel> = unheard.into_iter().collect::<Result<_, _>>()?;
    let of_sentence = |sentence: &str| &unheard[sentences.iter().position(|s| *s == sentence).unwrap_or(0)];
    // Every speaker of the clips has a fold.
    let model_of = |speaker: &str| &models[speakers.iter().position(|s| *s == speaker).unwrap_or(0)];
    let scripts = calls::scripts()?;
    let (mut report, mut plays) = (Report::default(), calls::Plays::default());
    let mut heard: Vec<(&str, Vec<Row>)> = Vec::new();
    for (condition, (name, shift)) in conditions.iter().enumerate() {
        let work: Vec<usize> = (0..clips.len()).collect();
        let measured = parallel(&work, |&i| measure(&clips[i], shift, seed_of(seed, condition, i), true));
        let scored = score(&measured, |row| model_of(&row.speaker));
        report.add(name, &scored);
        if BY_SENTENCE.contains(name) {
            report.add_by_sentence(name, &score(&measured, |row| of_sentence(&row.sentence)));
        }
        if *name == "ulaw" {
            report.by_speaker(&scored);
        }
        let rows: Vec<&Row> = measured.iter().map(|m| &m.row).collect();
        plays.on_line(name, &scripts, &rows, speakers.iter().copied().zip(&models));
        // Another pitch is another speaker, and nobody's other call.
        if shift.speed == 1.0 {
            heard.push((name, measured.into_iter().map(|m| m.row).collect()));
        }
    }
    report.calls = Some(plays.calls());
    let (mut same, mut other) = (Vec::new(), Vec::new());
    for (at, (_, now)) in heard.iter().enumerate() {
        same.extend(returning(now, now, |row| model_of(&row.speaker)));
        for step in [1, 5] {
            let (_, before) = &heard[(at + step) % heard.len()];
            other.extend(returning(before, now, |row| model_of(&row.speaker)));
        }
    }
    report.returning("by the same telephone", &same);
    report.returning("by another telephone", &other);
    Ok(report)
}

/// What makes a call's sum of voice, words and events a probability: the scripted calls, each played by models that did not
/// hear the speaker.
pub(in crate::cli) fn calibrate_calls(
    clips: &[Clip],
    lines: &[training::Line],
    seed: u64,
) -> anyhow::Result<CallCalibration> {
    let speakers = speakers(clips.iter().map(|c| c.speaker.as_str()));
    let models = training::folds(lines, &speakers)?;
    let (scripts, mut plays) = (calls::scripts()?, calls::Plays::default());
    for (condition, (name, shift)) in shift::CONDITIONS.iter().enumerate() {
        if !scripts.iter().any(|script| script.line == *name) {
            continue;
        }
        let work: Vec<usize> = (0..clips.len()).collect();
        let rows = parallel(&work, |&i| measure(&clips[i], shift, seed_of(seed, condition, i), false).row);
        plays.on_line(name, &scripts, &rows.iter().collect::<Vec<_>>(), speakers.iter().copied().zip(&models));
    }
    Ok(plays.calibration())
}

/// The chance of one clip under one condition.
fn seed_of(seed: u64, condition: usize, clip: usize) -> u64 {
    seed.wrapping_add(clip as u64 * 7 + condition as u64)
}

/// Scores a corpus with the shipped weights.
fn score_other(clips: &[Clip], to: Option<&std::path::Path>, seed: u64) -> anyhow::Result<Report> {
    let model = ProsodyModel::shipped()?;
    let measured = parallel(clips, |clip| measure(clip, &shift::PLAIN, seed, true));
    let scored = score(&measured, |_| &model);
    if let Some(path) = to {
        let mut csv = String::from("file,label,speaker,anger,angry,anger_alone,angry_alone\n");
        for (clip, scored) in clips.iter().zip(&scored) {
            let (file, speaker) = (table::quoted(&clip.file), table::quoted(&clip.speaker));
            let cells = [scored.baseline, scored.alone]
                .map(|score| format!(",{:.4},{}", score.probability, u8::from(score.probability >= scored.threshold)));
            csv += &format!("{file},{},{speaker}{}\n", clip.label.word(), cells.concat());
        }
        std::fs::write(path, csv).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut report = Report::default();
    report.threshold = Some(model.threshold());
    report.add("as_is", &scored);
    report.by_speaker(&scored);
    Ok(report)
}

/// Each once, sorted.
fn speakers<'a>(of: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut speakers: Vec<&str> = of.collect();
    speakers.sort_unstable();
    speakers.dedup();
    speakers
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
        for name in ["ulaw", "leveled", "loss5"] {
            let row = report.row(name).expect("reported");
            let of = |value: Option<f64>| value.expect("both classes are there");
            assert!(row.baseline.ece <= 0.07, "{name}: {:?}", row.baseline);
            for (figures, auc, accuracy, rest) in [(row.baseline, 0.985, 0.93, 0.9), (row.alone, 0.98, 0.9, 0.87)] {
                assert!(of(figures.anger_vs_calm_auc) >= auc, "{name}: {figures:?}");
                assert!(of(figures.anger_vs_calm_bacc) >= accuracy, "{name}: {figures:?}");
                assert!(of(figures.anger_vs_rest_auc) >= rest, "{name}: {figures:?}");
            }
        }
        let calls = report.calls.expect("played");
        assert!(calls.recall().expect("angry callers") >= 0.95, "{}", calls.table());
        assert!(calls.precision().expect("hand-overs") >= 0.95, "{}", calls.table());
        assert!(calls.delay().expect("hand-overs") <= 1.0, "{}", calls.table());
        assert!(calls.calibration_error() <= 0.07, "{}", calls.table());
    }
}
