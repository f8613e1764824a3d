//! `sidetone eval turns`: how often a caller is cut off, how long everybody else waits, and what stops a prompt.

mod ears;
mod methods;
mod over;
mod pauses;
mod picture;
mod set;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use plotters::prelude::{BLUE, GREEN, RED};
use serde::Serialize;

use super::shared_data;
use crate::call::line::Line;
use crate::cli::Format;
use crate::dialplan;
use crate::sim;
use ears::Ears;
use methods::{Method, Result, judge};
use over::Outcome;
use pauses::Heard;
use set::Recipe;

/// Fixed silences that are tried, ms.
const FIXED: [f32; 10] = [150.0, 250.0, 350.0, 450.0, 600.0, 750.0, 900.0, 1_100.0, 1_300.0, 1_450.0];
/// Longest waits of the voice alone, ms.
const VOICE: [f32; 8] = [250.0, 400.0, 600.0, 800.0, 1_000.0, 1_250.0, 1_500.0, 2_000.0];
/// Factors of our waits.
const OURS: [f32; 7] = [0.6, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5];

/// Arguments of `sidetone eval turns`: turns of the turn-taking set (`fixtures/turns/set.toml`), made of Debian's
/// telephone prompts and of `../shared/data` (or `SIDETONE_SHARED_DATA`).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Four times as many turns: half an hour of one core instead of eight minutes.
    #[arg(long)]
    all: bool,
    /// Write the picture, false ends against delay, here (SVG).
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
    /// Write each pause and what was known in it here (CSV).
    #[arg(long, value_name = "FILE.csv")]
    pauses: Option<PathBuf>,
}

/// What is reported. Of the ends only what was held out when the policy was made.
#[derive(Debug, Serialize)]
struct Figures {
    /// Share of turns that were cut off.
    false_end_rate: f32,
    /// Share of coughs, listeners' sounds, echo, noise and music that stopped a prompt, or held it too long.
    false_barge_in_rate: f32,
    /// Share of interruptions that were let in.
    let_in_rate: f32,
    /// As calls are served, by kind of turn.
    ends: BTreeMap<&'static str, Result>,
    /// The same on the turns that the policy was made with.
    tuned: Result,
    fixed_silence: BTreeMap<u32, Result>,
    voice_alone: BTreeMap<u32, Result>,
    ours_by_factor: BTreeMap<String, Result>,
    /// What came of sounds over a prompt, by kind.
    over: BTreeMap<&'static str, Outcome>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let figures = measure(args.all, args.pauses.as_deref(), args.picture.as_deref())?;
    match args.format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&figures)?),
        Format::Human => print(&figures),
    }
    Ok(ExitCode::SUCCESS)
}

/// Share of turns that are cut off, and of sounds that stop a prompt though they are none of its business.
pub(in crate::cli) fn rates() -> anyhow::Result<(f32, f32)> {
    let figures = measure(false, None, None)?;
    Ok((figures.false_end_rate, figures.false_barge_in_rate))
}

/// Makes the set, listens to it, judges.
fn measure(all: bool, to: Option<&Path>, picture: Option<&Path>) -> anyhow::Result<Figures> {
    let data = shared_data();
    let recipe = Recipe::builtin()?;
    let spoken = set::spoken(&recipe, &data, all)?;
    let mut ears = Ears::load()?;
    let line = line(&mut ears)?;
    let begin = epoch();
    let mut heard: Vec<Heard<'_>> = Vec::with_capacity(spoken.len());
    for (n, spoken) in spoken.iter().enumerate() {
        if n % 50 == 0 {
            eprintln!("turn {n} …");
        }
        heard.push(pauses::listen(&mut ears, &line, begin, spoken));
    }
    if let Some(path) = to {
        write_pauses(path, &heard).with_context(|| path.display().to_string())?;
    }
    let held_out = || heard.iter().filter(|heard| heard.spoken.held_out);
    let of = |methods: &[f32], of: fn(f32) -> Method| -> Vec<(f32, Result)> {
        methods.iter().map(|&by| (by, judge(of(by), held_out()))).collect()
    };
    let (fixed, voice, ours) = (of(&FIXED, Method::Fixed), of(&VOICE, Method::Voice), of(&OURS, Method::Ours));
    let served = judge(Method::Ours(1.0), held_out());
    if let Some(path) = picture {
        let curve = |of: &[(f32, Result)]| of.iter().map(|(_, r)| (r.delay_p50_ms, r.false_end_rate)).collect();
        let curves = [
            ("fixed silence", curve(&fixed), RED),
            ("Smart Turn, or silence", curve(&voice), BLUE),
            ("words, voice and expectation", curve(&ours), GREEN),
        ];
        picture::write(path, &curves, (served.delay_p50_ms, served.false_end_rate))?;
    }
    let mut ends = BTreeMap::from([("all", served)]);
    for kind in spoken.iter().map(|spoken| spoken.kind) {
        let of = || held_out().filter(|heard| heard.spoken.kind == kind);
        ends.entry(kind).or_insert_with(|| judge(Method::Ours(1.0), of()));
    }
    let mut by_kind: BTreeMap<&'static str, Outcome> = BTreeMap::new();
    eprintln!("sounds over a prompt …");
    for sound in over::sounds(&recipe, &data, all, &mut ears)? {
        let outcome = over::play(&line, &mut ears, &sound);
        let sum = by_kind.entry(sound.kind).or_default();
        sum.sounds += outcome.sounds;
        sum.stopped += outcome.stopped;
        sum.late += outcome.late;
    }
    let share = |of: &dyn Fn(&Outcome) -> usize, meant: bool| {
        let wanted = || by_kind.iter().filter(|(kind, _)| kind.starts_with("interruption") == meant).map(|(_, o)| o);
        wanted().map(of).sum::<usize>() as f32 / wanted().map(|o| o.sounds).sum::<usize>().max(1) as f32
    };
    let whole = |(by, result): &(f32, Result)| (*by as u32, *result);
    Ok(Figures {
        false_end_rate: served.false_end_rate,
        false_barge_in_rate: share(&|o| o.stopped + o.late, false),
        let_in_rate: share(&|o| o.stopped, true),
        ends,
        tuned: judge(Method::Ours(1.0), heard.iter().filter(|heard| !heard.spoken.held_out)),
        fixed_silence: fixed.iter().map(whole).collect(),
        voice_alone: voice.iter().map(whole).collect(),
        ours_by_factor: ours.iter().map(|(by, result)| (format!("{by:.2}"), *result)).collect(),
        over: by_kind,
    })
}

/// The callers' plan, understood by the model that calls use.
fn line(ears: &mut Ears) -> anyhow::Result<Arc<Line>> {
    let source = include_str!("../../../fixtures/turns/plan.yaml");
    let plan =
        dialplan::load(source.as_bytes(), "fixtures/turns/plan.yaml").plan.context("fixtures/turns/plan.yaml")?;
    Ok(sim::line_by(plan, &["sip:bar@example"], &mut |text| ears.embed_kept(text)))
}

fn write_pauses(path: &Path, heard: &[Heard<'_>]) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    writeln!(out, "turn,kind,held_out,end,start,resumed,voice,voice_ms,words,words_ms,open")?;
    for (n, heard) in heard.iter().enumerate() {
        for pause in &heard.pauses {
            let (voice, voice_ms) = pause.voice.unwrap_or((f32::NAN, f32::NAN));
            let resumed = pause.resumed.map(|at| at.to_string()).unwrap_or_default();
            let spoken = heard.spoken;
            let (words, words_ms) = pause.words;
            writeln!(
                out,
                "{n},{},{},{},{},{resumed},{voice:.3},{voice_ms:.0},{words:?},{words_ms:.0},{}",
                spoken.kind, spoken.held_out, spoken.end, pause.start, pause.open
            )?;
        }
    }
    out.flush()
}

fn print(figures: &Figures) {
    let row = |name: &str, r: &Result| {
        let (cut, p50, p95) = (r.false_end_rate * 100.0, r.delay_p50_ms, r.delay_p95_ms);
        println!("{name:32}{:6}{cut:9.1} %{p50:9.0} ms{p95:9.0} ms", r.turns);
    };
    println!("{:32}{:>6}{:>11}{:>12}{:>12}", "", "turns", "cut off", "median", "p95");
    figures.ends.iter().for_each(|(kind, r)| row(kind, r));
    row("turns the policy was made with", &figures.tuned);
    figures.fixed_silence.iter().for_each(|(ms, r)| row(&format!("fixed silence, {ms} ms"), r));
    figures.voice_alone.iter().for_each(|(ms, r)| row(&format!("Smart Turn, or {ms} ms"), r));
    figures.ours_by_factor.iter().for_each(|(by, r)| row(&format!("ours, waits times {by}"), r));
    println!("\n{:32}{:>6}{:>9}{:>9}", "over a prompt", "", "stopped", "held late");
    for (kind, o) in &figures.over {
        println!("{kind:32}{:6}{:9}{:9}", o.sounds, o.stopped, o.late);
    }
    let shares = [figures.false_end_rate, figures.false_barge_in_rate, figures.let_in_rate].map(|share| share * 100.0);
    println!(
        "\nfalse ends {:.1} %, false barge-ins {:.1} %, interruptions let in {:.1} %",
        shares[0], shares[1], shares[2]
    );
}

/// Where virtual time begins; only differences matter.
#[expect(clippy::disallowed_methods, reason = "an `Instant` has no other origin; nothing depends on its value")]
fn epoch() -> Instant {
    Instant::now()
}
