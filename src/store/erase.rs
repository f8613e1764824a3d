//! Erasing: what a caller asked to have forgotten, and what has been kept long enough.
//!
//! Files go before rows: when a file cannot be removed the row is still there to tell of it, and the erasing can be
//! tried again.

use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use sqlx::Row;
use tokio::fs;

use crate::call::record::{CallRecord, Outcome};

use super::{Store, StoreError, checked_id, normalized, recording_path};

/// What [`Store::expire`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expired {
    /// Recordings, those of no call included.
    pub recordings: u64,
    /// Transcripts.
    pub transcripts: u64,
    /// Calls and messages whose frustration was taken out; they stay.
    pub frustration: u64,
    /// Messages, with their sound.
    pub messages: u64,
    /// Profiles of callers.
    pub profiles: u64,
    /// Callers of whom it is not known any more how they sound; the rest of their profiles stays.
    pub calm_voices: u64,
}

/// What [`Store::forget`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Calls.
    pub calls: u64,
    /// Messages.
    pub messages: u64,
    /// Calls back that were asked for.
    pub callbacks: u64,
    /// Profiles, one for each plan that kept something of the caller.
    pub profiles: u64,
}

impl Store {
    /// Erases every call of a caller (row, transcript and recording), every message that they left, the call back that they
    /// asked for or that would go to them, and what plans keep of them. Numbers are compared by [`normalized`]. Returns how many there were. What is erased is overwritten in the database file and its journal.
    pub async fn forget(&self, number: &str) -> Result<Forgotten, StoreError> {
        let key = normalized(number);
        if key.is_empty() {
            return Err(StoreError::EmptyNumber);
        }
        let rows = sqlx::query("SELECT id FROM calls WHERE caller_key = ?").bind(&key).fetch_all(&self.pool).await?;
        // First: it is not of any call whose file may fail to go.
        let mut forgotten = Forgotten { profiles: self.forget_profiles(&key).await?, ..Forgotten::default() };
        for row in rows {
            let id: String = row.try_get("id")?;
            self.remove_recording(&id).await?;
            forgotten.calls +=
                sqlx::query("DELETE FROM calls WHERE id = ?").bind(&id).execute(&self.pool).await?.rows_affected();
        }
        let rows = sqlx::query("SELECT id FROM messages WHERE caller_key = ?").bind(&key).fetch_all(&self.pool).await?;
        for row in rows {
            forgotten.messages += u64::from(self.remove_message(&row.try_get::<String, _>("id")?).await?);
        }
        forgotten.callbacks = self.forget_callbacks(&key).await?;
        self.truncate_journal().await?;
        Ok(forgotten)
    }

    /// Deletes the recordings and transcripts that are past their retention at `now_ms` (Unix milliseconds), and the
    /// rows that have neither any more. A recording without a row (the process died in the call) goes by its file's age.
    pub async fn expire(&self, now_ms: i64) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        let oldest_recording = before(now_ms, self.retention.recordings);
        let rows = sqlx::query("SELECT id FROM calls WHERE has_recording AND started_ms < ?")
            .bind(oldest_recording)
            .fetch_all(&self.pool)
            .await?;
        for row in rows {
            let id: String = row.try_get("id")?;
            expired.recordings += u64::from(self.remove_recording(&id).await?);
            sqlx::query("UPDATE calls SET has_recording = 0 WHERE id = ?").bind(&id).execute(&self.pool).await?;
        }
        expired.recordings += self.remove_orphans(&self.recordings, "calls", oldest_recording).await?;
        expired.transcripts =
            sqlx::query("UPDATE calls SET transcript = NULL WHERE transcript IS NOT NULL AND started_ms < ?")
                .bind(before(now_ms, self.retention.transcripts))
                .execute(&self.pool)
                .await?
                .rows_affected();
        expired.frustration = self.expire_feelings(before(now_ms, self.retention.frustration)).await?;
        expired.messages = self.expire_messages(before(now_ms, self.retention.messages)).await?;
        expired.profiles = self.expire_profiles(before(now_ms, self.retention.profiles)).await?;
        expired.calm_voices = self.expire_voices(before(now_ms, self.retention.calm_voices)).await?;
        sqlx::query("DELETE FROM calls WHERE transcript IS NULL AND NOT has_recording").execute(&self.pool).await?;
        if expired != Expired::default() {
            self.truncate_journal().await?;
        }
        Ok(expired)
    }

    /// Deletes the messages that were left before `oldest_ms`, and sound of that age that has no row.
    async fn expire_messages(&self, oldest_ms: i64) -> Result<u64, StoreError> {
        let rows =
            sqlx::query("SELECT id FROM messages WHERE left_ms < ?").bind(oldest_ms).fetch_all(&self.pool).await?;
        let mut expired = 0;
        for row in rows {
            expired += u64::from(self.remove_message(&row.try_get::<String, _>("id")?).await?);
        }
        self.remove_orphans(&self.messages, "messages", oldest_ms).await?;
        self.expire_callbacks(oldest_ms).await?;
        Ok(expired)
    }

    /// Takes out of the calls that began before `oldest_ms` what was inferred of the caller's feelings; returns of how many.
    async fn expire_feelings(&self, oldest_ms: i64) -> Result<u64, StoreError> {
        let rows = sqlx::query("SELECT id FROM calls WHERE frustration_peak IS NOT NULL AND started_ms < ?")
            .bind(oldest_ms)
            .fetch_all(&self.pool)
            .await?;
        let messages =
            sqlx::query("UPDATE messages SET frustration = NULL WHERE frustration IS NOT NULL AND left_ms < ?");
        let mut taken = messages.bind(oldest_ms).execute(&self.pool).await?.rows_affected();
        for row in rows {
            let id: String = row.try_get("id")?;
            // One transaction a call: `save` of the same call must not come between.
            let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let kept = sqlx::query("SELECT outcome, transcript FROM calls WHERE id = ?").bind(&id);
            let Some(kept) = kept.fetch_optional(&mut *tx).await? else { continue };
            let json = |source| StoreError::Transcript { id: id.clone(), source };
            // What cannot be read cannot be cleaned of feelings: it goes, and holds up no other call.
            let unreadable = |_| Outcome::Ended { reason: "unreadable".into() };
            let outcome = kept.try_get::<String, _>("outcome")?;
            let mut outcome: Outcome = serde_json::from_str(&outcome).unwrap_or_else(unreadable);
            outcome.forget_feelings();
            let record = kept.try_get::<Option<String>, _>("transcript")?;
            let record = record.and_then(|text| serde_json::from_str::<CallRecord>(&text).ok()).map(|mut record| {
                record.forget_feelings();
                serde_json::to_string(&record)
            });
            let transcript = record.transpose().map_err(json)?;
            sqlx::query("UPDATE calls SET frustration_peak = NULL, outcome = ?, transcript = ? WHERE id = ?")
                .bind(serde_json::to_string(&outcome).map_err(json)?)
                .bind(transcript)
                .bind(&id)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            taken += 1;
        }
        Ok(taken)
    }

    /// Whether there was a file to remove. The path is made of the checked id, never of what a record says.
    async fn remove_recording(&self, id: &str) -> Result<bool, StoreError> {
        remove(&recording_path(&self.recordings, checked_id(id)?)).await
    }

    /// Removes the files of `folder` that were last written before `oldest_ms` and have no row in `table`.
    async fn remove_orphans(&self, folder: &Path, table: &'static str, oldest_ms: i64) -> Result<u64, StoreError> {
        let io = |source| StoreError::Io { path: folder.to_owned(), source };
        let known = match table {
            "messages" => "SELECT 1 FROM messages WHERE id = ?",
            _ => "SELECT 1 FROM calls WHERE id = ?",
        };
        let mut removed = 0;
        let mut entries = fs::read_dir(folder).await.map_err(io)?;
        while let Some(entry) = entries.next_entry().await.map_err(io)? {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".wav")) else { continue };
            if checked_id(id).is_err() || !entry.metadata().await.is_ok_and(|meta| modified_ms(&meta) < oldest_ms) {
                continue;
            }
            let row = sqlx::query(known).bind(id).fetch_optional(&self.pool).await?;
            if row.is_none() {
                removed += u64::from(remove(&entry.path()).await?);
            }
        }
        Ok(removed)
    }

    /// Empties the write-ahead log, in which erased pages would otherwise stay readable. A reader in another process can
    /// hold it back for a moment (SQLite then answers "busy" in the row, not as an error): the next erasure takes it along.
    pub(super) async fn truncate_journal(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(&self.pool).await?;
        Ok(())
    }
}

pub(super) async fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}

pub(super) fn before(now_ms: i64, retention: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
}

/// Unix milliseconds; a file whose age cannot be told is young.
fn modified_ms(meta: &std::fs::Metadata) -> i64 {
    let since = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(i64::MAX, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
