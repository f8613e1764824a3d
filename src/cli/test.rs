//! `sidetone test`: the scenarios of dialplans in virtual time.

mod report;
mod suite;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use super::sentences::{Meaning, Sentences};
use crate::cli::Format;
use suite::{Options, Suite};

/// Arguments of `sidetone test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plans (a folder with a dialplan.yaml and scenarios/*.yaml, or a folder of such folders), or single scenarios.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Only scenarios whose name or file holds this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Write the snapshots anew instead of comparing them.
    #[arg(long)]
    update: bool,
    /// Fail when states, transitions or prompts of a plan are covered less than this.
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    min_coverage: Option<f64>,
    /// List what no scenario covers.
    #[arg(long)]
    coverage: bool,
    /// Show every conversation, not only the failed ones.
    #[arg(long, short)]
    verbose: bool,
    /// Write a JUnit report there as well.
    #[arg(long, value_name = "FILE.xml")]
    junit: Option<PathBuf>,
    /// How the meaning of a sentence is told.
    #[arg(long, value_enum, default_value_t)]
    meaning: Meaning,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| "from 0 to 100".into())
}

/// Runs the command. The exit status is 1 when a scenario fails, a plan has none, or too little is covered.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut sentences = Sentences::new(args.meaning)?;
    let options = Options { filter: args.filter.clone(), update: args.update };
    let mut suites = Vec::new();
    for path in &args.paths {
        let found = suite::find(path).with_context(|| path.display().to_string())?;
        for (plan, scenarios) in found {
            suites.push(Suite::run(&plan, &scenarios, &options, &mut sentences, now)?);
        }
    }
    sentences.check()?;
    let note = sentences.note();
    let out = &mut io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{:#}", report::json(&suites, note))?,
        Format::Human => {
            let show = report::Show { verbose: args.verbose, coverage: args.coverage, least: args.min_coverage };
            write!(out, "{}", report::human(&suites, note, &show))?;
        }
    }
    if let Some(file) = &args.junit {
        std::fs::write(file, report::junit(&suites)).with_context(|| file.display().to_string())?;
    }
    let passed = suites.iter().all(|suite| suite.passed(args.min_coverage));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::disallowed_methods, reason = "how long the scenarios take is worth knowing")]
fn now() -> Instant {
    Instant::now()
}

/// Whether a plan's scenarios pass, for the tests of other commands.
#[cfg(test)]
pub(super) fn all_pass(plan: &std::path::Path, least: Option<f64>) -> bool {
    let mut sentences = Sentences::new(Meaning::Words).expect("words need no model");
    let suites = suite::find(plan).expect("a plan").into_iter().map(|(plan, only)| {
        Suite::run(&plan, &only, &Options::default(), &mut sentences, now).expect("readable files")
    });
    let suites: Vec<Suite> = suites.collect();
    print!("{}", report::human(&suites, None, &report::Show { coverage: true, ..report::Show::default() }));
    suites.iter().all(|suite| suite.passed(least))
}

#[cfg(test)]
mod tests;
