//! ONNX Runtime, loaded once a process from a shared library whose place is known at run time only.
//!
//! Owns the loading and how sessions are set up. Never knows a model.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::session::Session;

use super::EngineError;

/// The outcome of the first [`load`], with the library that it was for.
static LOADED: OnceLock<Result<PathBuf, EngineError>> = OnceLock::new();

/// Loads the library. Only the first call decides: a process has one ONNX Runtime.
///
/// `ort` hangs for ever on a library that cannot be opened (its error path asks the library for help), so the file is
/// looked at before `ort` is touched.
pub fn load(library: &Path) -> Result<(), EngineError> {
    let outcome = LOADED.get_or_init(|| {
        check_library(library)?;
        let refused = |why: String| EngineError::Library { path: library.to_path_buf(), why };
        let environment = ort::init_from(library).map_err(|error| refused(error.to_string()))?;
        environment.with_telemetry(false).commit();
        Ok(library.to_path_buf())
    });
    outcome.as_ref().map(|_| ()).map_err(Clone::clone)
}

/// A model, to be run on the calling thread alone: workers are many, and each has a core at most.
pub(super) fn session(model: &str, path: &Path) -> Result<Session, EngineError> {
    File::open(path).map_err(|error| EngineError::File { path: path.to_path_buf(), why: error.to_string() })?;
    let refused = |error: &dyn std::fmt::Display| EngineError::model(model, error);
    let builder = Session::builder().map_err(|error| refused(&error))?;
    let builder = builder
        .with_intra_threads(if model == "piper" {
            std::env::var("XPIPER").ok().and_then(|v| v.parse().ok()).unwrap_or(1)
        } else {
            1
        })
        .map_err(|error| refused(&error))?;
    let builder = builder.with_inter_threads(1).map_err(|error| refused(&error))?;
    let builder = builder.with_intra_op_spinning(std::env::var("XSPIN").is_ok()).map_err(|error| refused(&error))?;
    // Speech has a new length each time: a plan of memory for each length would be kept, and hardly ever used again.
    let mut builder = builder.with_memory_pattern(false).map_err(|error| refused(&error))?;
    builder.commit_from_file(path).map_err(|error| refused(&error))
}

/// What the dynamic loader would refuse: no file, no ELF, another machine, a file cut short.
fn check_library(path: &Path) -> Result<(), EngineError> {
    let unreadable = |error: std::io::Error| EngineError::File { path: path.to_path_buf(), why: error.to_string() };
    let wrong = |why: &str| EngineError::Library { path: path.to_path_buf(), why: why.to_string() };
    let mut file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    // ELF-64 header: magic, class at 4, data at 5, machine at 18, section headers at 40, their size at 58, number at 60.
    let mut header = [0u8; 64];
    file.read_exact(&mut header).map_err(|_| wrong("it is no ELF file"))?;
    let u16_at = |at: usize| u64::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Err(wrong("it is no 64-bit ELF file"));
    }
    if u16_at(18) != machine {
        return Err(wrong("it was built for another processor"));
    }
    let sections = header[40..48].iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    if sections.saturating_add(u16_at(58) * u16_at(60)) > size {
        return Err(wrong("it is cut short"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_would_hang_ort_is_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("libonnxruntime.so");
        assert!(check_library(&missing).unwrap_err().to_string().contains("sidetone models fetch"));

        let text = folder.path().join("text.so");
        std::fs::write(&text, "not a library".repeat(20)).unwrap();
        assert!(matches!(check_library(&text), Err(EngineError::Library { .. })));

        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let whole = folder.path().join("whole.so");
        std::fs::write(&whole, &own).unwrap();
        check_library(&whole).unwrap();
        let short = folder.path().join("short.so");
        std::fs::write(&short, &own[..own.len() / 2]).unwrap();
        assert!(check_library(&short).unwrap_err().to_string().contains("cut short"));
        let mut foreign = own[..200].to_vec();
        foreign[18] = 8;
        let mips = folder.path().join("mips.so");
        std::fs::write(&mips, &foreign).unwrap();
        assert!(check_library(&mips).unwrap_err().to_string().contains("another processor"));
    }
}
