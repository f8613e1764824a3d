//! The scenarios of one plan, run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::plans::{self, SCENARIOS};
use super::super::sentences::Sentences;
use crate::audio::{Rate, file};
use crate::dialplan::scenario::{Scenario, read_scenario};
use crate::dialplan::{Coverage, Covered, Diagnostic, Severity};
use crate::sim;
use crate::sim::trial::{self, Failure, Tools};
use crate::speech::prosody::{Analyser, Features};

/// Longest sound of one turn, seconds.
const LONGEST_SOUND: u32 = 60;
/// Largest sound file.
const MOST_BYTES: u64 = 32 << 20;

/// What to run.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// Only scenarios whose name or file holds this.
    pub(super) filter: Option<String>,
    /// Whether snapshots are written.
    pub(super) update: bool,
}

/// A plan and its scenarios.
pub(in crate::cli) struct Suite {
    /// The plan's file.
    pub(super) plan: PathBuf,
    /// Errors of the plan; then nothing was run.
    pub(super) broken: Vec<Diagnostic>,
    /// The scenarios.
    pub(super) cases: Vec<Case>,
    /// What they covered.
    pub(super) coverage: Option<Covered>,
    /// Time spent on running them.
    pub(super) took: Duration,
    /// Whether only some of them were run, so that coverage says nothing.
    pub(super) partial: bool,
    /// What was sought among the scenarios, where none has it.
    pub(super) sought: Option<String>,
}

/// One scenario, run.
pub(in crate::cli) struct Case {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) failures: Vec<Failure>,
    pub(super) transcript: Vec<String>,
    pub(super) turns: usize,
    /// Of the call, in virtual time.
    pub(super) elapsed: Duration,
    /// Of this machine's.
    pub(super) took: Duration,
}

/// Plans with the scenarios to run, as a path names them; `None`: all of the plan's.
pub(super) fn find(path: &Path) -> anyhow::Result<Vec<(PathBuf, Option<PathBuf>)>> {
    let folder = path.parent().filter(|folder| folder.file_name().is_some_and(|name| name == SCENARIOS));
    match folder.and_then(Path::parent) {
        Some(above) if path.is_file() => Ok(vec![(above.join(plans::PLAN), Some(path.to_path_buf()))]),
        _ => Ok(plans::plans(path)?.into_iter().map(|plan| (plan, None)).collect()),
    }
}

impl Suite {
    /// Reads and runs. `now` measures.
    pub(in crate::cli) fn run(
        file: &Path,
        only: &Option<PathBuf>,
        options: &Options,
        sentences: &mut Sentences,
        now: fn() -> Instant,
    ) -> anyhow::Result<Self> {
        let checked = crate::server::files::check(file)?;
        let Some(plan) = checked.plan else {
            let broken = checked.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
            return Ok(Self::broken(file, broken));
        };
        sentences.speak(plan.language())?;
        let files = match only {
            Some(scenario) => vec![scenario.clone()],
            None => plans::scenarios(file)?,
        };
        let mut scenarios = Vec::new();
        for file in &files {
            let source = plans::read(file)?;
            let read = read_scenario(&source, &file.display().to_string(), Some(&plan));
            let holds = |text: &str| options.filter.as_ref().is_none_or(|filter| text.contains(filter.as_str()));
            // One that cannot be read has no name that is known, but its text has one.
            let named = match &read.scenario {
                Some(scenario) => holds(&scenario.name),
                None => holds(&String::from_utf8_lossy(&source)),
            };
            if named || holds(&file.display().to_string()) {
                scenarios.push((file.clone(), read));
            }
        }
        let sought = options.filter.clone().filter(|_| scenarios.is_empty() && !files.is_empty());
        let line = sim::line_by(plan, &["sip:agent@example"], &mut |text| sentences.embed(text));
        let mut coverage = Coverage::new(Arc::clone(&line.plan));
        let begin = now();
        let mut cases = Vec::new();
        for (file, read) in scenarios {
            let Some(scenario) = read.scenario else {
                cases.push(Case::unread(&file, &read.diagnostics));
                continue;
            };
            let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
            let mut tools =
                Tools { embed: &mut |text| sentences.embed(text), voice: &mut |sound| voice(&folder.join(sound)) };
            let started = now();
            let trial = trial::run(&line, &scenario, &mut tools, &mut coverage);
            let took = now() - started;
            let mut case = Case {
                name: scenario.name.clone(),
                failures: trial.failures,
                transcript: trial.transcript,
                turns: trial.turns,
                elapsed: trial.elapsed,
                took,
                file,
            };
            case.snapshot(&scenario, options.update)?;
            cases.push(case);
        }
        let partial = only.is_some() || options.filter.is_some();
        let took = now() - begin;
        Ok(Self {
            plan: file.into(),
            broken: Vec::new(),
            cases,
            coverage: Some(coverage.report()),
            took,
            partial,
            sought,
        })
    }

    fn broken(plan: &Path, broken: Vec<Diagnostic>) -> Self {
        let took = Duration::ZERO;
        Self { plan: plan.into(), broken, cases: Vec::new(), coverage: None, took, partial: true, sought: None }
    }

    /// Whether all is well. A plan without scenarios is not.
    pub(in crate::cli) fn passed(&self, least: Option<f64>) -> bool {
        let covered = self.partial || self.coverage.as_ref().is_none_or(|c| c.least() >= least.unwrap_or(0.0));
        self.broken.is_empty() && !self.cases.is_empty() && self.cases.iter().all(|c| c.failures.is_empty()) && covered
    }
}

impl Case {
    /// A scenario that cannot be read fails with all its mistakes.
    fn unread(file: &Path, diagnostics: &[Diagnostic]) -> Self {
        let failure = |d: &Diagnostic| {
            let help = d.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            Failure { line: d.line, column: d.column, message: format!("{}{help}", d.message) }
        };
        Self {
            file: file.into(),
            name: file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            failures: diagnostics.iter().map(failure).collect(),
            transcript: Vec::new(),
            turns: 0,
            elapsed: Duration::ZERO,
            took: Duration::ZERO,
        }
    }

    /// Compares the conversation with the one kept beside the scenario, or keeps it.
    fn snapshot(&mut self, scenario: &Scenario, update: bool) -> anyhow::Result<()> {
        if !scenario.snapshot {
            return Ok(());
        }
        let kept = self.file.with_extension("snap");
        let is: String = self.transcript.iter().map(|line| format!("{line}\n")).collect();
        let was = match plans::read(&kept) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).replace("\r\n", "\n")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(anyhow::anyhow!("{}: {error}", kept.display())),
        };
        if update {
            if was.as_deref() != Some(is.as_str()) {
                std::fs::write(&kept, is).map_err(|error| anyhow::anyhow!("{}: {error}", kept.display()))?;
            }
            return Ok(());
        }
        let message = match was {
            None => format!("there is no snapshot {} yet; `--update` writes it", kept.display()),
            Some(was) if was != is => {
                format!("the conversation is another than in {}:\n{}", kept.display(), differing(&was, &is))
            }
            Some(_) => return Ok(()),
        };
        self.failures.push(Failure { line: 1, column: 1, message });
        Ok(())
    }
}

/// The lines around the first difference.
fn differing(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let same = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let mut out = String::new();
    for line in &was[same.saturating_sub(2).min(was.len())..same] {
        out += &format!("    {line}\n");
    }
    for (mark, lines) in [('-', &was), ('+', &is)] {
        for line in lines.iter().skip(same).take(4) {
            out += &format!("  {mark} {line}\n");
        }
    }
    out.trim_end().to_owned()
}

/// How somebody sounds in a file.
fn voice(path: &Path) -> Result<Features, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MOST_BYTES {
        return Err(format!("a sound of a turn has {} MB at most", MOST_BYTES >> 20));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let rate = Rate::Wide;
    let samples = file::decode(&bytes, rate.hz(), LONGEST_SOUND).map_err(|error| error.to_string())?;
    let mut analyser = Analyser::new(rate);
    // In frames, as a leg brings them: the analyser's memory is that of a call.
    samples.chunks(320).for_each(|frame| analyser.push(frame));
    Ok(analyser.features(0..samples.len() as u64))
}
