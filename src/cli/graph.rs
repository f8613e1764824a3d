//! `sidetone graph`: a plan as a picture, with the use that callers made of it laid over.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::{calls, plans};
use crate::call::record::{CallRecord, Outcome};
use crate::dialplan::graph::Use;

/// Frustration from which a turn is an angry one: that of the mood.
const ANGRY: f32 = 0.7;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Picture {
    /// A flowchart for Markdown.
    #[default]
    Mermaid,
    /// A picture.
    Svg,
}

/// Arguments of `sidetone graph`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan: its folder or its file.
    plan: PathBuf,
    /// What to draw.
    #[arg(long, value_enum, default_value_t)]
    format: Picture,
    /// Where to write it; by default to the screen.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Lay the latest calls of this plan over it: where callers went, waited, gave up and grew angry.
    #[arg(long, num_args = 0..=1, default_missing_value = "1000", value_name = "N")]
    calls: Option<u32>,
    /// Folder of records and recordings.
    #[arg(long, env = "SIDETONE_DATA", default_value = "sidetone-data", value_name = "DIR")]
    data: PathBuf,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (_, plan) = plans::load(&args.plan)?;
    let used = match args.calls {
        Some(limit) => {
            let records = calls::of_plan(&args.data, plan.name(), limit)?;
            anyhow::ensure!(!records.is_empty(), "no calls of the plan `{}` in {}", plan.name(), args.data.display());
            Some(tally(&records))
        }
        None => None,
    };
    let drawn = match args.format {
        Picture::Mermaid => plan.mermaid(used.as_ref()),
        Picture::Svg => plan.svg(used.as_ref()),
    };
    match &args.out {
        Some(file) => std::fs::write(file, drawn).with_context(|| file.display().to_string())?,
        None => print!("{drawn}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts what happened where.
fn tally(records: &[CallRecord]) -> Use {
    let mut used = Use { calls: records.len(), ..Use::default() };
    for record in records {
        let states: Vec<(u64, &str)> =
            record.events.iter().filter_map(|event| Some((event.at_ms, event.what.strip_prefix("state ")?))).collect();
        for (at, (since, state)) in states.iter().enumerate() {
            let until = states.get(at + 1).map_or(record.duration_ms, |(until, _)| *until);
            let entry = used.states.entry((*state).to_owned()).or_default();
            entry.entered += 1;
            entry.time_ms += until.saturating_sub(*since);
            if let Some((_, next)) = states.get(at + 1) {
                *used.ways.entry((*state).to_owned()).or_default().entry((*next).to_owned()).or_default() += 1;
            }
        }
        for turn in record.turns.iter().filter(|turn| turn.frustration.is_some_and(|f| f >= ANGRY)) {
            used.states.entry(turn.state.clone()).or_default().angry += 1;
        }
        if let Some((_, last)) = states.last() {
            match &record.outcome {
                Outcome::CallerHungUp => used.states.entry((*last).to_owned()).or_default().gave_up += 1,
                Outcome::HandedOver { .. } => *used.handed_over.entry((*last).to_owned()).or_default() += 1,
                _ => {}
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan;
    use crate::sim::{self, Act, Scenario, play};

    const PLAN: &str = "dialplan: x\nstart: menu\nstates:\n  menu: {steps: [{listen: One or two.}], on: {1: time, 2: bye}}\n  time: {steps: [{say: It is now.}, {goto: menu}]}\n  bye: {steps: [{say: Goodbye.}, {end: }]}\n";

    #[test]
    fn recorded_calls_are_counted_where_they_went() {
        let line = || sim::line(dialplan::load(PLAN.as_bytes(), "x").plan.unwrap(), &[]);
        let one = play(&line(), Scenario::new(vec![Act::Keys("1"), Act::Keys("2")])).record;
        let two = play(&line(), Scenario::new(vec![Act::Keys("1"), Act::HangUp])).record;
        let used = tally(&[one, two]);
        let menu = &used.states["menu"];
        assert_eq!((menu.entered, menu.gave_up, menu.angry), (4, 1, 0));
        assert!(menu.mean_seconds() > 0.5, "{menu:?}");
        assert_eq!((used.ways["menu"]["time"], used.ways["time"]["menu"], used.ways["menu"]["bye"]), (2, 2, 1));
        let plan = dialplan::load(PLAN.as_bytes(), "x").plan.unwrap();
        assert!(plan.svg(Some(&used)).contains("2× key 1"));
    }
}
