//! `sidetone check`: every mistake of a dialplan at once, with line and column.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::plans::{plans, read, scenarios, unreadable};
use super::sarif;
use super::sentences::{Meaning, Sentences};
use crate::dialplan::scenario::read_scenario;
use crate::dialplan::{self, Diagnostic, Severity};

/// How to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
    /// SARIF 2.1.0, for editors and CI servers.
    Sarif,
}

/// Arguments of `sidetone check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plans: a folder with a dialplan.yaml, a folder of such folders, or a file. Scenarios beside them are read too.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How intents that overlap are found: by `words` only the same sentences, by the `model` those that mean the same.
    #[arg(long, value_enum, default_value_t = Meaning::Words)]
    meaning: Meaning,
}

/// Runs the command. The exit status is 1 when there is an error; warnings do not count.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut sentences = Sentences::new(args.meaning)?;
    let mut files = Vec::new();
    let mut found = Vec::new();
    for path in &args.paths {
        match plans(path) {
            Ok(plans) => files.extend(plans),
            Err(error) => found.push(unreadable(path, &error)),
        }
    }
    for file in &files {
        found.extend(examine(file, &mut sentences));
    }
    sentences.check()?;
    report(&mut io::stdout().lock(), args.format, &files, &found)?;
    let errors = found.iter().any(|d| d.severity == Severity::Error);
    Ok(if errors { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Everything that is to be said of a plan and of the scenarios beside it.
fn examine(file: &Path, sentences: &mut Sentences) -> Vec<Diagnostic> {
    let name = file.display().to_string();
    let checked = match crate::server::files::check(file) {
        Ok(checked) => checked,
        Err(error) => return vec![unreadable(file, &error)],
    };
    let mut found = checked.diagnostics;
    if let Some(plan) = &checked.plan
        && sentences.speak(plan.language()).is_err()
    {
        // An error of the embedder is told at the end, for all plans.
        return found;
    }
    // Without the model the same words are all that can be told, and the plan's own check has told that.
    if checked.plan.is_some() && sentences.note().is_none() {
        let texts = checked.sentences.iter().take(dialplan::MOST_SENTENCES);
        let vectors: Vec<Vec<f32>> = texts.map(|sentence| sentences.embed(&sentence.text)).collect();
        found.extend(dialplan::overlaps(&name, &checked.sentences, &vectors));
        found.sort_by_key(|d| (d.line, d.column));
    }
    // What a plan with errors has of states and intents is not known for certain.
    if let Some(plan) = &checked.plan {
        let scenarios = scenarios(file).unwrap_or_else(|error| {
            found.push(unreadable(file, &error));
            Vec::new()
        });
        for scenario in scenarios {
            match read(&scenario) {
                Ok(source) => {
                    found.extend(read_scenario(&source, &scenario.display().to_string(), Some(plan)).diagnostics);
                }
                Err(error) => found.push(unreadable(&scenario, &error)),
            }
        }
    }
    found
}

/// Whether a plan and its scenarios check without an error or a warning, for the tests of other commands.
#[cfg(test)]
pub(super) fn passes(path: &Path) -> bool {
    let mut sentences = Sentences::new(Meaning::Words).expect("words need no model");
    let found: Vec<Diagnostic> =
        plans(path).expect("a plan").iter().flat_map(|file| examine(file, &mut sentences)).collect();
    found.iter().for_each(|diagnostic| println!("{diagnostic}"));
    found.is_empty()
}

fn report(out: &mut dyn Write, format: Format, files: &[PathBuf], found: &[Diagnostic]) -> anyhow::Result<()> {
    let errors = found.iter().filter(|d| d.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    match format {
        Format::Human => {
            for diagnostic in found {
                writeln!(out, "{diagnostic}")?;
            }
            let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            let summary = [plural(files.len(), "plan"), plural(errors, "error"), plural(warnings, "warning")];
            writeln!(out, "{}", summary.join(", "))?;
        }
        Format::Json => {
            let report = serde_json::json!({
                "files": files, "errors": errors, "warnings": warnings, "diagnostics": found,
            });
            writeln!(out, "{report:#}")?;
        }
        Format::Sarif => writeln!(out, "{:#}", sarif::report(found))?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::plans::{MAX_READ, PLAN, read};
    use super::*;
    use crate::dialplan;

    fn checked(path: &Path, format: Format) -> (bool, String) {
        let mut out = Vec::new();
        let (files, mut found) = match plans(path) {
            Ok(files) => (files, Vec::new()),
            Err(error) => (Vec::new(), vec![unreadable(path, &error)]),
        };
        for file in &files {
            found.extend(examine(file, &mut Sentences::new(Meaning::Words).unwrap()));
        }
        report(&mut out, format, &files, &found).unwrap();
        let code = run(Args { paths: vec![path.to_path_buf()], format, meaning: Meaning::Words }).unwrap();
        (format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS), String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_examples_pass_by_folder_and_by_file() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
        assert_eq!(checked(&examples, Format::Human), (true, "4 plans, 0 errors, 0 warnings\n".into()));
        let (passed, _) = checked(&examples.join("bank/dialplan.yaml"), Format::Json);
        assert!(passed);
    }

    #[test]
    fn mistakes_fail_and_are_reported_in_both_formats() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(PLAN);
        fs::write(&file, "dialplan: x\nstart: a\nstates:\n  a: {steps: [{goto: b}]}\n").unwrap();
        let (passed, human) = checked(folder.path(), Format::Human);
        assert!(!passed);
        let first = format!("{}:4:22: error[unknown-state]: there is no state `b`", file.display());
        assert_eq!(human.lines().next(), Some(first.as_str()));
        let (_, json) = checked(&file, Format::Json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["errors"], 1);
        assert_eq!(json["diagnostics"][0]["code"], "unknown-state");
        assert_eq!(json["diagnostics"][0]["line"], 4);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!checked(folder.path(), Format::Human).0);
        let (passed, human) = checked(&folder.path().join("nothing"), Format::Human);
        assert!(!passed);
        assert!(human.contains("error[unreadable]"));
    }

    #[test]
    fn no_more_is_read_than_a_plan_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(PLAN);
        fs::write(&file, vec![b'a'; 10 << 20]).unwrap();
        assert_eq!(read(&file).unwrap().len() as u64, MAX_READ);
        assert!(checked(&file, Format::Human).1.contains("error[too-big]"));
    }

    #[test]
    fn a_scenario_that_names_what_the_plan_does_not_have_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PLAN), "dialplan: x\nstart: a\nstates:\n  a: {steps: [{end: }]}\n").unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        fs::write(folder.path().join("scenarios/s.yaml"), "scenario: s\nturns: [{expect: {state: b}}]\n").unwrap();
        let (passed, human) = checked(folder.path(), Format::Human);
        assert!(!passed && human.contains("s.yaml:2:26: error[unknown-state]"), "{human}");
        assert!(checked(folder.path(), Format::Sarif).1.contains("\"ruleId\": \"unknown-state\""));
    }

    #[test]
    fn five_hundred_states_are_checked_in_no_time() {
        let mut source = String::from("dialplan: big\nhandover: [{when: misses >= 3, to: 'queue:x'}]\nintents:\n");
        for at in 0..100 {
            source += &format!("  i{at}: [sentence number {at}, another one {at}]\n");
        }
        source += "start: s0\nstates:\n";
        for at in 0..500 {
            let (next, intent) = ((at + 1) % 500, at % 100);
            source += &format!(
                "  s{at}:\n    steps:\n      - say: \"You are at {{{{ misses }}}} in {at}.\"\n      - listen: [What now?, Say it again.]\n    on:\n      i{intent}: {{to: s{next}, key: 1}}\n      no: s{}\n",
                (at * 7) % 500
            );
        }
        let begin = now();
        let checked = dialplan::load(source.as_bytes(), "x");
        let took = now() - begin;
        assert!(checked.plan.is_some(), "{:?}", checked.diagnostics.first());
        // The figure is the bench's; this only says that nothing grows with the square.
        assert!(took < std::time::Duration::from_secs(5), "{took:?}");
        println!("500 states were checked in {took:?}");
    }

    #[expect(clippy::disallowed_methods, reason = "how long it takes is the question")]
    fn now() -> std::time::Instant {
        std::time::Instant::now()
    }
}
