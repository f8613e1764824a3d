//! Text to phonemes by espeak-ng, clause by clause.
//!
//! Owns the one lock around espeak, which is not thread-safe (two threads crash the process), and where its data is
//! found. Never sees sound.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use super::EngineError;
use super::lane::lock;
use crate::call::ports::JobError;
use crate::call::sentences::clauses;

/// Where espeak-rs itself looks first: the folder that holds `espeak-ng-data`.
const VARIABLE: &str = "PIPER_ESPEAKNG_DATA_DIRECTORY";
const DATA: &str = "espeak-ng-data";
/// Where distributions put it: Debian by machine, others in `share`.
const PLACES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/arm-linux-gnueabihf",
    "/usr/lib/riscv64-linux-gnu",
    "/usr/share",
    "/usr/local/share",
    "/opt/homebrew/share",
];

static ESPEAK: Mutex<()> = Mutex::new(());
static READY: OnceLock<Result<(), String>> = OnceLock::new();

/// Starts espeak-ng, once a process. Call it before other threads open relative paths: see below.
///
/// espeak-rs looks for the data in its variable, in the working directory, beside the executable, and then at a path
/// that was compiled in, which a moved binary no longer has. Setting a variable is unsound once threads run, so the
/// working directory is where it is shown the system's copy: for the few milliseconds of the start, and then put back.
pub(super) fn prepare() -> Result<(), EngineError> {
    let outcome = READY.get_or_init(|| {
        let _one = lock(&ESPEAK);
        let Some(place) = system_data() else { return first_words() };
        let before = env::current_dir().map_err(|error| error.to_string())?;
        env::set_current_dir(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let outcome = first_words();
        env::set_current_dir(&before).map_err(|error| format!("{}: {error}", before.display()))?;
        outcome
    });
    outcome.clone().map_err(EngineError::Phonemes)
}

/// The phonemes (IPA) of a text with the marks of its clauses, for `voice` as espeak names it ("en-us").
///
/// espeak-rs drops the marks and glues the clauses; given one at a time, with its mark put back, pauses and the rise
/// of a question return. Takes 0.3 ms a sentence.
pub(super) fn phonemes(text: &str, voice: &str) -> Result<String, JobError> {
    prepare().map_err(|error| JobError::Failed(error.to_string()))?;
    let _one = lock(&ESPEAK);
    let mut line = String::new();
    for clause in clauses(text) {
        let spoken = espeak(clause.words, voice).map_err(JobError::Failed)?;
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&spoken);
        line.push(clause.mark.unwrap_or('.'));
    }
    Ok(line)
}

fn espeak(words: &str, voice: &str) -> Result<String, String> {
    let pieces = espeak_rs::text_to_phonemes(words, voice, None).map_err(|error| error.to_string())?;
    Ok(pieces
        .iter()
        .map(|piece| piece.trim().trim_end_matches(['.', ',', '?', '!', ';', ':']))
        .collect::<Vec<_>>()
        .join(" "))
}

fn first_words() -> Result<(), String> {
    espeak("ready", "en-us").map(|_| ())
}

/// The system's copy, unless espeak-rs finds another by itself first.
fn system_data() -> Option<PathBuf> {
    let holds = |folder: &Path| folder.join(DATA).is_dir();
    if env::var_os(VARIABLE).is_some_and(|folder| holds(Path::new(&folder))) {
        return None;
    }
    let beside = env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_path_buf));
    if beside.is_some_and(|folder| holds(&folder)) {
        return None;
    }
    PLACES.iter().map(PathBuf::from).find(|place| holds(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_between_clauses() {
        let line = phonemes("Well, is it ready? Yes; it is.", "en-us").unwrap();
        let marks: String = line.chars().filter(|c| ",.?!;:".contains(*c)).collect();
        assert_eq!(marks, ",?;.", "{line}");
        assert!(line.contains("ɹˈɛdi"), "{line}");
    }

    #[test]
    fn the_working_directory_is_put_back() {
        let before = env::current_dir().unwrap();
        prepare().unwrap();
        assert_eq!(env::current_dir().unwrap(), before);
    }

    #[test]
    fn many_threads_at_once() {
        let alone = phonemes("What is my account balance?", "en-us").unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        assert_eq!(phonemes("What is my account balance?", "en-us").unwrap(), alone);
                    }
                });
            }
        });
    }
}
