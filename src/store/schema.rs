//! The tables, and the steps that bring an older file up to date. Each step is applied once, in a transaction of its own.

use sqlx::Row;
use sqlx::sqlite::SqlitePool;

use super::StoreError;

/// Step `n` brings a file from version `n` to `n + 1`; what is here has been shipped and never changes.
const STEPS: &[&str] = &[
    "CREATE TABLE calls (
        id               TEXT PRIMARY KEY NOT NULL,
        started_ms       INTEGER NOT NULL,
        duration_ms      INTEGER NOT NULL,
        caller           TEXT NOT NULL,
        caller_key       TEXT NOT NULL,
        called           TEXT NOT NULL,
        transport        TEXT NOT NULL,
        plan             TEXT NOT NULL,
        outcome          TEXT NOT NULL,
        frustration_peak REAL NOT NULL,
        has_recording    INTEGER NOT NULL,
        transcript       TEXT
    ) STRICT;
    CREATE INDEX calls_by_start ON calls (started_ms);
    CREATE INDEX calls_by_caller ON calls (caller_key);
    PRAGMA user_version = 1;",
    // A score that was not inferred, or has expired, is none.
    "ALTER TABLE calls ADD COLUMN peak REAL;
    UPDATE calls SET peak = frustration_peak;
    ALTER TABLE calls DROP COLUMN frustration_peak;
    ALTER TABLE calls RENAME COLUMN peak TO frustration_peak;
    PRAGMA user_version = 2;",
    "CREATE TABLE messages (
        id               TEXT PRIMARY KEY NOT NULL,
        call             TEXT NOT NULL,
        left_ms          INTEGER NOT NULL,
        duration_ms      INTEGER NOT NULL,
        caller           TEXT NOT NULL,
        caller_key       TEXT NOT NULL,
        called           TEXT NOT NULL,
        plan             TEXT NOT NULL,
        mailbox          TEXT NOT NULL,
        words            TEXT NOT NULL,
        frustration      REAL,
        has_recording    INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX messages_by_time ON messages (left_ms);
    CREATE INDEX messages_by_caller ON messages (caller_key);
    PRAGMA user_version = 3;",
    // One row a number: who asks twice is called once.
    "CREATE TABLE callbacks (
        number_key       TEXT PRIMARY KEY NOT NULL,
        id               TEXT NOT NULL UNIQUE,
        number           TEXT NOT NULL,
        caller_key       TEXT NOT NULL,
        called           TEXT NOT NULL,
        plan             TEXT NOT NULL,
        state            TEXT NOT NULL,
        within           TEXT,
        reason           TEXT NOT NULL,
        asked_ms         INTEGER NOT NULL,
        due_ms           INTEGER NOT NULL,
        tries            INTEGER NOT NULL,
        phase            TEXT NOT NULL,
        trouble          TEXT
    ) STRICT;
    CREATE INDEX callbacks_by_due ON callbacks (phase, due_ms);
    PRAGMA user_version = 4;",
    "CREATE TABLE profiles (
        plan       TEXT NOT NULL,
        caller_key TEXT NOT NULL,
        called_ms  INTEGER NOT NULL,
        entries    TEXT NOT NULL,
        calm_voice TEXT,
        voice_ms   INTEGER,
        PRIMARY KEY (plan, caller_key)
    ) STRICT;
    CREATE INDEX profiles_by_caller ON profiles (caller_key);
    PRAGMA user_version = 5;",
];

/// Applies the steps that the file lacks.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    let known = STEPS.len() as i64;
    // IMMEDIATE: of two processes that open a new file at once, the second waits and then finds nothing to do.
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let found: i64 = sqlx::query("PRAGMA user_version").fetch_one(&mut *tx).await?.try_get(0)?;
    let done = usize::try_from(found).ok().filter(|done| *done <= STEPS.len());
    let Some(done) = done else { return Err(StoreError::Newer { found, known }) };
    for step in &STEPS[done..] {
        sqlx::raw_sql(*step).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
