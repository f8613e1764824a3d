//! Finding and reading plans and the scenarios beside them.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::dialplan::{self, Code, Diagnostic, Severity};

/// The file that a plan's folder holds.
pub(super) const PLAN: &str = "dialplan.yaml";
/// The folder beside it.
pub(super) const SCENARIOS: &str = "scenarios";
/// No more of a file is read: enough for [`dialplan::load`] to see that it is too big.
pub(super) const MAX_READ: u64 = dialplan::MAX_BYTES as u64 + 1;
/// Scenarios of one plan.
const MOST_SCENARIOS: usize = 10_000;

/// The plan files that a path names: a folder with a plan, a folder of such folders, or a file.
pub(super) fn plans(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    if path.join(PLAN).is_file() {
        return Ok(vec![path.join(PLAN)]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let plan = entry?.path().join(PLAN);
        if plan.is_file() {
            found.push(plan);
        }
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("no {PLAN} in this folder or one below it")));
    }
    found.sort();
    Ok(found)
}

/// The scenarios beside a plan, by name; none where there is no such folder.
pub(super) fn scenarios(plan: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = plan.parent().unwrap_or(Path::new("")).join(SCENARIOS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.take(MOST_SCENARIOS) {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A file, as far as a plan may go.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut source = Vec::new();
    File::open(file)?.take(MAX_READ).read_to_end(&mut source)?;
    Ok(source)
}

/// What is said of a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic {
        file: path.display().to_string(),
        line: 1,
        column: 1,
        severity: Severity::Error,
        code: Code::Unreadable,
        message: format!("cannot be read: {error}"),
        help: None,
    }
}

/// The one plan that a command is about; its mistakes, a line each, when it does not check.
pub(super) fn load(path: &Path) -> anyhow::Result<(PathBuf, dialplan::Plan)> {
    let found = plans(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let [file] = found.as_slice() else {
        anyhow::bail!("{} holds {} plans; name one of them", path.display(), found.len());
    };
    let checked = crate::server::files::check(file).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    match checked.plan {
        Some(plan) => Ok((file.clone(), plan)),
        None => {
            let errors: Vec<String> = checked.diagnostics.iter().map(ToString::to_string).collect();
            anyhow::bail!("the plan does not check:\n{}", errors.join("\n"))
        }
    }
}
