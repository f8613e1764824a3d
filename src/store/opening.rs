//! One process at a time opens the store.
//!
//! A new database is switched to write-ahead logging while it is opened, and SQLite does not always wait for that: of two
//! that open it in the same millisecond, one may be told "database is locked" at once, whatever its busy timeout. A lock
//! file beside the database makes openings follow each other; nobody holds it longer than that.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::StoreError;

/// File name of the lock inside the data folder. It stays when it is not held: removing it would let two hold it.
const LOCK: &str = "calls.lock";

/// The right to open; ends when it is dropped, or with the process.
#[derive(Debug)]
pub(super) struct Opening(#[expect(dead_code, reason = "closing the file frees the lock")] File);

impl Opening {
    /// Waits its turn in the folder `data`, at most `patience`.
    pub(super) async fn take(data: &Path, patience: Duration) -> Result<Self, StoreError> {
        let path = data.join(LOCK);
        let (send, receive) = oneshot::channel();
        let thread_path = path.clone();
        // A thread of its own and not the runtime's: one that waits in vain must not hold up the end of the process.
        thread::Builder::new()
            .name("store-opening".to_owned())
            .spawn(move || {
                // Nobody listens when the patience ran out; then the lock goes with the file.
                let _ = send.send(locked(&thread_path));
            })
            .map_err(|source| StoreError::Io { path: path.clone(), source })?;
        match tokio::time::timeout(patience, receive).await {
            Ok(Ok(result)) => result.map(Self).map_err(|source| StoreError::Io { path, source }),
            Ok(Err(_)) => Err(StoreError::Io { path, source: io::Error::other("the locking thread ended") }),
            Err(_) => Err(StoreError::Occupied { path, waited_s: patience.as_secs() }),
        }
    }
}

fn locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Makes the database as an empty file that only its owner reads; SQLite would make it by the umask, and its journals
/// copy the mode of the database. One that is there is not even opened: closing it would drop every lock that SQLite
/// holds on it in this process.
pub(super) fn private_file(path: PathBuf) -> Result<(), StoreError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}
