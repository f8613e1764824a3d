//! How the model is learned: voices under random telephone shifts, calibrated on speakers that a fold did not hear.

use std::sync::Arc;

use anyhow::Context;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::corpus::{Clip, Label};
use super::measure::{Row, measure};
use super::metrics::best_threshold;
use super::{parallel, shift, speakers};
use crate::speech::baseline::Baseline;
use crate::speech::emotion::{Calibration, Fitted, Head, ProsodyModel, Sample, fit};
use crate::speech::prosody::Features;

/// Random shifts of each speaker that a model is trained on.
pub(in crate::cli) const AUGMENTED: usize = 12;
/// Penalties of the weights, for each row: strong, for what is learned must hold for other voices and rooms.
const L2_ALONE: f64 = 0.02;
const L2_AGAINST: f64 = 0.05;
/// Turns that the shorter of the two baselines of each row is made from.
const FEW: usize = 3;

/// What one speaker said on one line: all of it can be the baseline of each part.
pub(in crate::cli) type Line = Vec<Row>;

/// Each speaker's recordings as they are, and under so many random shifts.
pub(in crate::cli) fn lines(clips: &[Clip], count: usize, seed: u64) -> Vec<Line> {
    let speakers = speakers(clips.iter().map(|clip| clip.speaker.as_str()));
    let mut work = Vec::new();
    for (s, speaker) in speakers.iter().enumerate() {
        for i in 0..=count {
            let seed = seed.wrapping_mul(1_000_003).wrapping_add((s * 101 + i) as u64);
            let shift = if i == 0 { shift::PLAIN } else { shift::Shift::random(&mut StdRng::seed_from_u64(seed)) };
            let own = clips.iter().enumerate().filter(|(_, clip)| clip.speaker == *speaker);
            work.extend(own.map(|(c, clip)| (clip, shift, seed ^ (c as u64) << 20, (s, i))));
        }
    }
    let measured = parallel(&work, |(clip, shift, seed, _)| measure(clip, shift, *seed, false).row);
    let mut lines: Vec<Line> = Vec::new();
    for (i, row) in measured.into_iter().enumerate() {
        match lines.last_mut().filter(|_| i > 0 && work[i].3 == work[i - 1].3) {
            Some(line) => line.push(row),
            None => lines.push(vec![row]),
        }
    }
    lines
}

/// Fits both parts of the model, calibrates each on speakers held out, and sets the threshold where anger and calm part
/// best.
pub(in crate::cli) fn train(lines: &[Line], trained: &str) -> anyhow::Result<ProsodyModel> {
    let lines: Vec<&Line> = lines.iter().collect();
    train_on(&lines, trained)
}

/// For each speaker a model that did not hear them.
pub(super) fn folds(lines: &[Line], speakers: &[&str]) -> anyhow::Result<Vec<Arc<ProsodyModel>>> {
    let models = parallel(speakers, |speaker| {
        let others: Vec<_> = lines.iter().filter(|line| line[0].speaker != *speaker).collect();
        train_on(&others, "a fold")
    });
    models.into_iter().map(|model| model.map(Arc::new)).collect()
}

/// The same from some of the lines.
pub(super) fn train_on(lines: &[&Line], trained: &str) -> anyhow::Result<ProsodyModel> {
    let rows: Vec<&Row> = lines.iter().flat_map(|line| line.iter()).collect();
    let alone: Vec<Vec<f64>> = rows.iter().map(|row| values(&row.features.values(), ProsodyModel::ALONE)).collect();
    let learned = held_out_fit(&rows, &alone, L2_ALONE, |_| true)?;
    let logits: Vec<f64> = learned.logits.iter().map(|l| learned.calibration.apply(*l)).collect();

    let (mut twice, mut against) = (Vec::new(), Vec::new());
    let mut at = 0;
    for line in lines {
        for (i, row) in line.iter().enumerate() {
            for few in [false, true] {
                let baseline = baseline_of(line, &logits[at..at + line.len()], i, few);
                let mut columns = values(&baseline.difference(&row.features), ProsodyModel::AGAINST_BASELINE);
                columns.push(logits[at + i]);
                twice.push(row);
                against.push(columns);
            }
        }
        at += line.len();
    }
    // Calibrated where the baseline is a whole one: as far as it is not, the voice alone is believed instead.
    let compared = held_out_fit(&twice, &against, L2_AGAINST, |i| i % 2 == 0)?;

    let part = |rows: &[&Row], learned: &Learned| -> Vec<(f32, bool)> {
        rows.iter()
            .zip(&learned.logits)
            .filter(|(row, _)| matches!(row.label, Label::Anger | Label::Calm))
            .map(|(row, l)| (chance(learned.calibration.apply(*l)), row.label == Label::Anger))
            .collect()
    };
    let scored = [part(&rows, &learned), part(&twice, &compared)].concat();
    let threshold = f64::from(best_threshold(&scored));
    let alone = Head::new(ProsodyModel::ALONE, &learned.fitted).calibrated(learned.calibration);
    let against = Head::new(ProsodyModel::AGAINST_BASELINE, &compared.fitted).calibrated(compared.calibration);
    Ok(ProsodyModel::new(alone, against, threshold, trained)?)
}

/// What the others of a line make as a baseline for one: all of them, or a few that chance takes.
fn baseline_of(line: &Line, logits: &[f64], own: usize, few: bool) -> Baseline {
    let others: Vec<usize> = (0..line.len()).filter(|i| *i != own).collect();
    let mut rng = StdRng::seed_from_u64(own as u64 ^ (line.len() as u64) << 8);
    let mut baseline = Baseline::default();
    let turn = |i: usize| (&line[i].features, logits[i] as f32);
    if few && others.len() > FEW {
        baseline.learn_all((0..FEW).map(|_| turn(others[rng.random_range(0..others.len())])));
    } else {
        baseline.learn_all(others.into_iter().map(turn));
    }
    baseline
}

/// A fit to all rows, with what fits to the other speakers make of each row, and how that is calibrated.
struct Learned {
    fitted: Fitted,
    logits: Vec<f64>,
    calibration: Calibration,
}

/// `calibrates` says of each row whether it does.
fn held_out_fit(
    rows: &[&Row],
    columns: &[Vec<f64>],
    l2: f64,
    calibrates: impl Fn(usize) -> bool,
) -> anyhow::Result<Learned> {
    let usable = |i: &usize| rows[*i].features.voiced_s >= Features::ENOUGH_VOICED_S;
    let fit_where = |of: &dyn Fn(&Row) -> bool| {
        let samples: Vec<Sample> = (0..rows.len())
            .filter(|i| usable(i) && of(rows[*i]))
            .map(|i| Sample { values: columns[i].clone(), positive: rows[i].label == Label::Anger, weight: 1.0 })
            .collect();
        fit(&samples, l2 * samples.len() as f64).context("nothing can be learned from these recordings")
    };
    let speakers = speakers(rows.iter().map(|row| row.speaker.as_str()));
    anyhow::ensure!(speakers.len() > 1, "one speaker cannot be held out of one");
    let mut logits = vec![0.0; rows.len()];
    for speaker in speakers {
        let fitted = fit_where(&|row| row.speaker != speaker)?;
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.speaker == speaker) {
            logits[i] =
                if row.features.voiced_s >= Features::ENOUGH_VOICED_S { fitted.logit(&columns[i]) } else { -2.0 };
        }
    }
    let scored: Vec<(f64, bool)> = (0..rows.len())
        .filter(|i| usable(i) && calibrates(*i))
        .map(|i| (logits[i], rows[i].label == Label::Anger))
        .collect();
    Ok(Learned { fitted: fit_where(&|_| true)?, logits, calibration: Calibration::learn(&scored) })
}

fn values(all: &[f32; Features::COUNT], names: &[&str]) -> Vec<f64> {
    names.iter().filter_map(|name| Features::place(name)).map(|place| f64::from(all[place])).collect()
}

fn chance(logit: f64) -> f32 {
    (1.0 / (1.0 + (-logit).exp())) as f32
}
