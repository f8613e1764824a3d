//! `sidetone check`: every mistake of a dialplan at once, with line and column.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::plans::{plans, unreadable};
use crate::cli::Format;
use crate::dialplan::{Diagnostic, Severity};

/// Arguments of `sidetone check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Plans: a folder with a dialplan.yaml, a folder of such folders, or a file.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command. The exit status is 1 when there is an error; warnings do not count.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    let mut found = Vec::new();
    for path in &args.paths {
        match plans(path) {
            Ok(plans) => files.extend(plans),
            Err(error) => found.push(unreadable(path, &error)),
        }
    }
    for file in &files {
        match crate::server::files::check(file) {
            Ok(checked) => found.extend(checked.diagnostics),
            Err(error) => found.push(unreadable(file, &error)),
        }
    }
    report(&mut io::stdout().lock(), args.format, &files, &found)?;
    let errors = found.iter().any(|d| d.severity == Severity::Error);
    Ok(if errors { ExitCode::FAILURE } else { ExitCode::SUCCESS })
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
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

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
            found.extend(dialplan::load(&read(file).unwrap(), &file.display().to_string()).diagnostics);
        }
        report(&mut out, format, &files, &found).unwrap();
        let code = run(Args { paths: vec![path.to_path_buf()], format }).unwrap();
        (format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS), String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_examples_pass_by_folder_and_by_file() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
        assert_eq!(checked(&examples, Format::Human), (true, "3 plans, 0 errors, 0 warnings\n".into()));
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
}
