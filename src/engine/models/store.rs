//! Files by their content: `<models>/<sha256>/<name>`. A file is there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::ModelError;
use super::registry::Origin;

/// Free space that fetching everything wants, in MB: the files and, for a while, the archives they come in.
pub(super) const ROOM_MB: u64 = 500;

/// Where models lie: `$SIDETONE_MODELS`, else `$XDG_CACHE_HOME/sidetone/models`, else `~/.cache/sidetone/models`.
pub fn models_dir() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    dir_from(var("SIDETONE_MODELS"), var("XDG_CACHE_HOME"), var("HOME"))
}

fn dir_from(models: Option<PathBuf>, cache: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    models.unwrap_or_else(|| {
        // The XDG specification has a relative path ignored.
        let cache = cache.filter(|dir| dir.is_absolute());
        cache.unwrap_or_else(|| home.unwrap_or_default().join(".cache")).join("sidetone").join("models")
    })
}

/// A models directory.
#[derive(Debug, Clone)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// At `dir`, which need not exist yet.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }
    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
    /// Where a file lies, whether it is there or not.
    pub(super) fn path(&self, origin: &Origin, name: &str) -> PathBuf {
        self.dir.join(&origin.sha256).join(name)
    }
    /// Moves a verified file of this directory's own `.partial` to its place, in one step.
    pub(super) fn admit(&self, staged: &Path, origin: &Origin, name: &str) -> Result<PathBuf, ModelError> {
        let target = self.path(origin, name);
        let folder = self.dir.join(&origin.sha256);
        fs::create_dir_all(&folder).map_err(|e| ModelError::io("cannot be created", &folder, e))?;
        fs::rename(staged, &target).map_err(|e| ModelError::io("cannot be written", &target, e))?;
        Ok(target)
    }
}

/// Whether the file at `path` is there and is the one described.
///
/// `Ok(None)`: absent. `Ok(Some(hash))`: its sha256, which may be another than the one described. A size that differs
/// says so without reading it all.
pub(super) fn found(path: &Path, origin: &Origin) -> Result<Option<String>, ModelError> {
    let unreadable = |e| ModelError::io("cannot be read", path, e);
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    let size = file.metadata().map_err(unreadable)?.len();
    if size != origin.size {
        return Ok(Some(format!("of another file: {size} bytes instead of {}", origin.size)));
    }
    let mut hash = Hashing::new(io::sink());
    io::copy(&mut file, &mut hash).map_err(unreadable)?;
    Ok(Some(hash.finish().1))
}

/// Copies at most `origin.size` bytes of `from` to a new file, and keeps it only if it is the one described.
pub(super) fn stage(from: &mut dyn Read, to: &Path, origin: &Origin, what: &str) -> Result<(), ModelError> {
    let mut staging = Staging::new(to, origin)?;
    staging.add(from, what)?;
    staging.finish(what)
}

/// A new file that is being filled, and is gone again unless it turns out to be the one described.
pub(super) struct Staging<'a> {
    sink: Option<Hashing<File>>,
    to: &'a Path,
    origin: &'a Origin,
    left: u64,
    kept: bool,
}

impl<'a> Staging<'a> {
    pub(super) fn new(to: &'a Path, origin: &'a Origin) -> Result<Self, ModelError> {
        let file = File::create(to).map_err(|e| ModelError::io("cannot be written", to, e))?;
        Ok(Self { sink: Some(Hashing::new(file)), to, origin, left: origin.size, kept: false })
    }

    /// Appends all of `from`; more than the file may hold is refused.
    pub(super) fn add(&mut self, from: &mut dyn Read, what: &str) -> Result<(), ModelError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let mut buffer = vec![0; 64 * 1024];
        // One byte past the size is asked for, so that a file which is too long is known without being read to its end.
        loop {
            let want = usize::try_from(self.left.saturating_add(1)).map_or(buffer.len(), |n| n.min(buffer.len()));
            let n = match from.read(&mut buffer[..want]) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(ModelError::Archive { archive: what.to_string(), reason: e.to_string() }),
            };
            let Some(rest) = self.left.checked_sub(n as u64) else {
                let got = format!("of a file of more than {} bytes", self.origin.size);
                return Err(ModelError::Checksum { what: what.to_string(), expected: self.origin.sha256.clone(), got });
            };
            self.left = rest;
            sink.write_all(&buffer[..n]).map_err(|e| ModelError::io("cannot be written", self.to, e))?;
        }
    }

    /// Looks at the checksum.
    pub(super) fn finish(mut self, what: &str) -> Result<(), ModelError> {
        let Some(sink) = self.sink.take() else { return Ok(()) };
        let (file, got) = sink.finish();
        file.sync_all().map_err(|e| ModelError::io("cannot be written", self.to, e))?;
        if got != self.origin.sha256 {
            return Err(ModelError::Checksum { what: what.to_string(), expected: self.origin.sha256.clone(), got });
        }
        self.kept = true;
        Ok(())
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(self.to);
        }
    }
}

/// Hashes what is written through it.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
}

impl<W> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new() }
    }
    /// The writer and the sha256 in lower-case hex.
    pub(super) fn finish(self) -> (W, String) {
        (self.inner, hex::encode(self.hash.finalize()))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(bytes: &[u8]) -> Origin {
        Origin { sha256: hex::encode(Sha256::digest(bytes)), size: bytes.len() as u64 }
    }

    #[test]
    fn the_directory_follows_the_environment_in_order() {
        let p = |s: &str| Some(PathBuf::from(s));
        assert_eq!(dir_from(p("/m"), p("/c"), p("/h")), Path::new("/m"));
        assert_eq!(dir_from(None, p("/c"), p("/h")), Path::new("/c/sidetone/models"));
        assert_eq!(dir_from(None, p("relative"), p("/h")), Path::new("/h/.cache/sidetone/models"));
        assert_eq!(dir_from(None, None, p("/h")), Path::new("/h/.cache/sidetone/models"));
    }

    #[test]
    fn a_file_is_kept_only_when_it_is_the_one_described() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("x");
        stage(&mut &b"weights"[..], &to, &origin(b"weights"), "x").unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"weights");

        for (bytes, case) in [(&b"weighty"[..], "other"), (b"weight", "short"), (b"weights and more", "long")] {
            let error = stage(&mut &bytes[..], &to, &origin(b"weights"), "x").unwrap_err();
            assert!(matches!(error, ModelError::Checksum { .. }), "{case}: {error}");
            assert!(error.to_string().contains("discarded"), "{error}");
            assert!(!to.exists(), "{case}: left behind");
        }
    }

    #[test]
    fn a_missing_file_and_a_damaged_one_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(found(&path, &origin(b"weights")).unwrap().is_none());
        fs::write(&path, b"weighty").unwrap();
        assert_ne!(found(&path, &origin(b"weights")).unwrap().unwrap(), origin(b"weights").sha256);
        fs::write(&path, b"weights").unwrap();
        assert_eq!(found(&path, &origin(b"weights")).unwrap().unwrap(), origin(b"weights").sha256);
        fs::write(&path, b"w").unwrap();
        assert!(found(&path, &origin(b"weights")).unwrap().unwrap().contains("1 bytes instead of 7"));
    }
}
