//! What outlives a call: its row and transcript in SQLite, its recording beside them, and the erasing of both.
//!
//! ```text
//! DATA/                 0700, when this module makes it
//!   calls.lock          0600  held while one process opens the store
//!   calls.db            0600  a row per call; the transcript is a JSON column of it
//!   recordings/ID.wav   0600  stereo: caller left, the other side right
//!   messages/ID.wav     0600  mono: what a caller left
//! ```
//!
//! The transcript is a column and not a file: it comes and goes with its row in one transaction, no path is ever made of
//! a name that came from outside, and SQLite's `secure_delete` overwrites what is erased. A row lives as long as its
//! transcript or its recording does. Nothing here reads a clock: [`Store::expire`] takes `now`.

mod callbacks;
mod erase;
mod messages;
mod number;
mod opening;
mod profiles;
mod recordings;
mod schema;
mod wav;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow};

use crate::call::ports::{Archive, ArchiveError, ArchiveFuture};
use crate::call::record::{CallRecord, CallSummary};
use crate::pii::Pii;

use opening::Opening;

pub use callbacks::{Booking, MOST_CALLBACKS, Phase};
pub use erase::{Expired, Forgotten};
pub use messages::MOST_MESSAGES;
pub use number::normalized;
pub use profiles::KeptProfile;
pub use recordings::{Recorded, RecordingHandle, Recordings};

/// File name of the database inside the data folder.
pub const DATABASE: &str = "calls.db";
/// Folder of the recordings inside the data folder.
pub const RECORDINGS: &str = "recordings";
/// Folder of the messages inside the data folder.
pub const MESSAGES: &str = "messages";
/// Connections to the database; each is a thread. Further queries wait for one of them.
const CONNECTIONS: u32 = 4;
/// How long a write waits for another process (`sidetone calls forget` beside a running server).
const BUSY: Duration = Duration::from_secs(10);
/// How long opening waits for other processes that open the same store: each takes milliseconds, on a bad disk seconds.
const TURN: Duration = Duration::from_secs(60);

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused.
    #[error("call store: {0}")]
    Database(#[from] sqlx::Error),
    /// A file or folder could not be made, read or removed.
    #[error("call store: {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A call's id is not 1 to 64 letters, digits, `-` or `_`.
    #[error("`{0}` is not a call's id: 1 to 64 letters, digits, `-` or `_`")]
    BadId(String),
    /// As many callers wait to be called back as may.
    #[error("{most} callers wait to be called back already")]
    TooManyCallbacks {
        /// How many that is.
        most: i64,
    },
    /// As many messages are kept as may be.
    #[error("{most} messages are kept already: delete some with `sidetone messages delete`")]
    Full {
        /// How many that is.
        most: i64,
    },
    /// A number that has nothing in it to compare.
    #[error("the number is empty")]
    EmptyNumber,
    /// A transcript that cannot be read or written as JSON.
    #[error("transcript of call {id}: {source}")]
    Transcript {
        /// The call.
        id: String,
        /// Why.
        source: serde_json::Error,
    },
    /// What is kept of a caller cannot be read or written as JSON.
    #[error("profile of a caller of the plan `{plan}`: {source}")]
    Profile {
        /// The plan.
        plan: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Another process holds the lock of opening for longer than can be right.
    #[error("call store: {path}: another process has been opening this store for {waited_s} s; end it, then try again")]
    Occupied {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        waited_s: u64,
    },
    /// The database was written by a newer version of this program.
    #[error("the call store is of version {found}; this program knows up to {known}: use a newer sidetone")]
    Newer {
        /// In the file.
        found: i64,
        /// Known here.
        known: i64,
    },
}

/// How long things are kept, from the start of their call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Recordings.
    pub recordings: Duration,
    /// Transcripts, and with them the rest of the row unless a recording is still there.
    pub transcripts: Duration,
    /// What was inferred of the caller's feelings: the score of the call and of each turn, with reasons.
    pub frustration: Duration,
    /// Messages that callers left, with their sound.
    pub messages: Duration,
    /// What plans keep of callers, from their last call on.
    pub profiles: Duration,
    /// How callers sound when they are calm, from the last call in which that was measured.
    pub calm_voices: Duration,
}

impl Default for Retention {
    /// Thirty days for recordings and messages, ninety for transcripts, three for frustration, a year for profiles, ninety for calm voices.
    fn default() -> Self {
        const DAY: u64 = 24 * 3600;
        let days = |n| Duration::from_secs(n * DAY);
        Self {
            recordings: days(30),
            transcripts: days(90),
            frustration: days(3),
            messages: days(30),
            profiles: days(365),
            calm_voices: days(90),
        }
    }
}

/// The calls of one data folder. Cheap to clone; may be open in several processes at once.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    recordings: PathBuf,
    messages: PathBuf,
    retention: Retention,
}

impl Store {
    /// Opens the store in the folder `data`, and makes what is missing: the folder (mode 0700), the database (0600) and
    /// its tables.
    pub async fn open(data: &Path, retention: Retention) -> Result<Self, StoreError> {
        let recordings = data.join(RECORDINGS);
        private_folder(data)?;
        private_folder(&recordings)?;
        let messages = data.join(MESSAGES);
        private_folder(&messages)?;
        let _turn = Opening::take(data, TURN).await?;
        let database = data.join(DATABASE);
        opening::private_file(database.clone())?;
        let options = SqliteConnectOptions::new()
            .filename(&database)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY)
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
        schema::migrate(&pool).await?;
        Ok(Self { pool, recordings, messages, retention })
    }

    /// Where recordings go: the folder for [`Recordings::start`].
    pub fn recordings(&self) -> &Path {
        &self.recordings
    }

    /// The same of messages.
    pub fn messages_folder(&self) -> &Path {
        &self.messages
    }

    /// Writes a call's row and transcript; a call that is saved again replaces itself, so that a row can be there from
    /// the answer on and a recording never lacks one.
    pub async fn save(&self, record: &CallRecord) -> Result<(), StoreError> {
        let id = checked_id(&record.id)?;
        let json = |source| StoreError::Transcript { id: record.id.clone(), source };
        let transcript = serde_json::to_string(record).map_err(json)?;
        let outcome = serde_json::to_string(&record.outcome).map_err(json)?;
        sqlx::query(
            "INSERT OR REPLACE INTO calls (id, started_ms, duration_ms, caller, caller_key, called, transport, plan, \
             outcome, frustration_peak, has_recording, transcript) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(record.started_ms)
        .bind(i64::try_from(record.duration_ms).unwrap_or(i64::MAX))
        .bind(record.caller.reveal())
        .bind(normalized(record.caller.reveal()))
        .bind(&record.called)
        .bind(&record.transport)
        .bind(&record.plan)
        .bind(outcome)
        .bind(record.frustration_peak)
        .bind(record.recording.is_some())
        .bind(transcript)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The latest `limit` calls, newest first.
    pub async fn list(&self, limit: u32) -> Result<Vec<CallSummary>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, started_ms, duration_ms, caller, called, transport, plan, outcome, frustration_peak, \
             has_recording, transcript IS NOT NULL AS has_transcript FROM calls ORDER BY started_ms DESC, id DESC LIMIT ?",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(summary).collect()
    }

    /// The whole record of a call, or `None` when there is no such call or its transcript has expired.
    pub async fn get(&self, id: &str) -> Result<Option<CallRecord>, StoreError> {
        let row = sqlx::query("SELECT transcript, has_recording FROM calls WHERE id = ?")
            .bind(checked_id(id)?)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(transcript) = row.try_get::<Option<String>, _>("transcript")? else { return Ok(None) };
        let mut record: CallRecord =
            serde_json::from_str(&transcript).map_err(|source| StoreError::Transcript { id: id.to_owned(), source })?;
        if !row.try_get::<bool, _>("has_recording")? {
            record.recording = None;
        }
        Ok(Some(record))
    }

    /// Ends all connections; what was written is on disk.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Archive for Store {
    fn list(&self, limit: u32) -> ArchiveFuture<'_, Vec<CallSummary>> {
        Box::pin(async move { Store::list(self, limit).await.map_err(archive_error) })
    }

    fn get<'a>(&'a self, id: &'a str) -> ArchiveFuture<'a, Option<CallRecord>> {
        Box::pin(async move {
            match Store::get(self, id).await {
                Err(StoreError::BadId(_)) => Ok(None),
                other => other.map_err(archive_error),
            }
        })
    }
}

fn archive_error(error: StoreError) -> ArchiveError {
    ArchiveError(error.to_string())
}

fn summary(row: &SqliteRow) -> Result<CallSummary, StoreError> {
    let id: String = row.try_get("id")?;
    let outcome: String = row.try_get("outcome")?;
    let outcome = serde_json::from_str(&outcome).map_err(|source| StoreError::Transcript { id: id.clone(), source })?;
    Ok(CallSummary {
        id,
        started_ms: row.try_get("started_ms")?,
        duration_ms: u64::try_from(row.try_get::<i64, _>("duration_ms")?).unwrap_or(0),
        caller: Pii::new(row.try_get("caller")?),
        called: row.try_get("called")?,
        transport: row.try_get("transport")?,
        plan: row.try_get("plan")?,
        outcome,
        frustration_peak: row.try_get("frustration_peak")?,
        has_recording: row.try_get("has_recording")?,
        has_transcript: row.try_get("has_transcript")?,
    })
}

/// The id, if it can be a file's name and nothing else.
fn checked_id(id: &str) -> Result<&str, StoreError> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=64).contains(&id.len()) && id.chars().all(good) { Ok(id) } else { Err(StoreError::BadId(id.to_owned())) }
}

/// The recording's path for an id that has been checked.
fn recording_path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.wav"))
}

/// Makes a folder that only its owner enters; one that is there keeps its mode.
fn private_folder(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.and_then(|()| fs::metadata(path).map(drop)).map_err(|source| StoreError::Io { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
