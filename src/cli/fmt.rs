//! `sidetone fmt`: plans and scenarios in one form, comments kept.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::plans;
use crate::dialplan::format::format;

/// Arguments of `sidetone fmt`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plans (a folder with a dialplan.yaml and its scenarios, or a folder of such folders), or files; `-` for standard
    /// input, written to standard output.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Change nothing; exit with status 1 and name the files that would change.
    #[arg(long)]
    check: bool,
}

/// Runs the command. A file that is not YAML is told and left alone.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut wrong = 0;
    for path in &args.paths {
        if path == Path::new("-") {
            let mut source = Vec::new();
            io::stdin().lock().take(plans::MAX_READ).read_to_end(&mut source)?;
            match format(&source, "-") {
                Ok(text) => io::stdout().lock().write_all(text.as_bytes())?,
                Err(mistakes) => {
                    mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
                    wrong += 1;
                }
            }
            continue;
        }
        for file in files(path)? {
            wrong += usize::from(!one(&file, args.check)?);
        }
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The plan and its scenarios, or the one file.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    for plan in plans::plans(path).with_context(|| path.display().to_string())? {
        let scenarios = plans::scenarios(&plan).with_context(|| plan.display().to_string())?;
        found.push(plan);
        found.extend(scenarios);
    }
    Ok(found)
}

/// Whether a file is as it should be, now.
fn one(file: &Path, check: bool) -> anyhow::Result<bool> {
    let source = plans::read(file).with_context(|| file.display().to_string())?;
    match format(&source, &file.display().to_string()) {
        Ok(text) if text.as_bytes() == source => Ok(true),
        Ok(_) if check => {
            println!("{} would change", file.display());
            Ok(false)
        }
        Ok(text) => {
            std::fs::write(file, text).with_context(|| file.display().to_string())?;
            println!("{}", file.display());
            Ok(true)
        }
        Err(mistakes) => {
            mistakes.iter().for_each(|mistake| eprintln!("{mistake}"));
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_rewritten_once_and_then_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dialplan.yaml");
        std::fs::write(&file, "dialplan:   x\n").unwrap();
        assert!(!one(&file, true).unwrap());
        assert!(one(&file, false).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dialplan: x\n");
        assert!(one(&file, true).unwrap());
        std::fs::write(&file, "a: [").unwrap();
        assert!(!one(&file, false).unwrap());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "a: [");
    }

    #[test]
    fn every_example_and_scenario_of_the_project_keeps_its_comments_and_settles() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
        let files = files(&examples).unwrap();
        assert!(files.len() > 20);
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            let once = format(source.as_bytes(), "x").unwrap();
            let comments = |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).count();
            assert_eq!(comments(&source), comments(&once), "{}", file.display());
            assert_eq!(format(once.as_bytes(), "x").unwrap(), once, "{}", file.display());
        }
    }
}
