//! Calls that callers asked us to make: a row a number, from the wish until it is answered, cancelled or given up.
//!
//! ```text
//! waiting ─claim_callbacks─▶ calling ─┬ answered: the row goes
//!    ▲                                ├ callback_again: later, while there are tries left
//!    └────────────────────────────────┘ else failed, kept to be seen until it expires
//! ```

use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::pii::Pii;

use super::{Store, StoreError, checked_id, normalized};

/// Callers who may wait to be called back at a time.
pub const MOST_CALLBACKS: i64 = 1_000;

/// A call that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// Unique.
    pub id: String,
    /// Whom we call.
    pub number: Pii<String>,
    /// Who asked for it.
    pub caller: Pii<String>,
    /// The number that they had dialled: its plan answers.
    pub called: String,
    /// That plan's name.
    pub plan: String,
    /// The state in which the call begins.
    pub state: String,
    /// The opening hours in which it is made.
    pub within: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// When it was asked for, Unix milliseconds.
    pub asked_ms: i64,
    /// When it is made, or tried again.
    pub due_ms: i64,
    /// Tries so far.
    pub tries: u32,
    /// How far it is.
    pub phase: Phase,
    /// Why the last try failed.
    pub trouble: Option<String>,
}

/// How far a call back is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// For its time.
    Waiting,
    /// It rings, or is spoken on.
    Calling,
    /// Given up.
    Failed,
}

impl Phase {
    /// As it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Calling => "calling",
            Self::Failed => "failed",
        }
    }
}

impl Store {
    /// Notes a call that is to be made. A number that waits already is called once, as the last wish has it.
    pub async fn book_callback(&self, booking: &Booking) -> Result<(), StoreError> {
        let (id, key) = (checked_id(&booking.id)?, normalized(booking.number.reveal()));
        if key.is_empty() {
            return Err(StoreError::EmptyNumber);
        }
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let others = sqlx::query("SELECT count(*) FROM callbacks WHERE number_key <> ?").bind(&key);
        if others.fetch_one(&mut *tx).await?.try_get::<i64, _>(0)? >= MOST_CALLBACKS {
            return Err(StoreError::TooManyCallbacks { most: MOST_CALLBACKS });
        }
        sqlx::query(
            "INSERT OR REPLACE INTO callbacks (number_key, id, number, caller_key, called, plan, state, within, reason, \
             asked_ms, due_ms, tries, phase, trouble) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'waiting', NULL)",
        )
        .bind(key)
        .bind(id)
        .bind(booking.number.reveal())
        .bind(normalized(booking.caller.reveal()))
        .bind(&booking.called)
        .bind(&booking.plan)
        .bind(&booking.state)
        .bind(&booking.within)
        .bind(&booking.reason)
        .bind(booking.asked_ms)
        .bind(booking.due_ms)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every call that is to be made or was given up, the next one first.
    pub async fn callbacks(&self, limit: u32) -> Result<Vec<Booking>, StoreError> {
        let rows = sqlx::query("SELECT * FROM callbacks ORDER BY due_ms, id LIMIT ?").bind(i64::from(limit));
        rows.fetch_all(&self.pool).await?.iter().map(booking).collect()
    }

    /// Takes at most `limit` calls that are due at `now_ms`, and counts the try: nobody else gets them.
    pub async fn claim_callbacks(&self, now_ms: i64, limit: u32) -> Result<Vec<Booking>, StoreError> {
        let claimed = sqlx::query(
            "UPDATE callbacks SET phase = 'calling', tries = tries + 1 WHERE id IN (SELECT id FROM callbacks \
             WHERE phase = 'waiting' AND due_ms <= ? ORDER BY due_ms, id LIMIT ?) RETURNING *",
        );
        let rows = claimed.bind(now_ms).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        rows.iter().map(booking).collect()
    }

    /// It waits again until `due_ms`; without one it is given up. `counts` is false for a try that was none. One that
    /// was cancelled or asked for anew meanwhile is left alone.
    pub async fn callback_again(
        &self,
        id: &str,
        due_ms: Option<i64>,
        counts: bool,
        trouble: &str,
    ) -> Result<(), StoreError> {
        let phase = if due_ms.is_some() { Phase::Waiting } else { Phase::Failed };
        sqlx::query(
            "UPDATE callbacks SET phase = ?, due_ms = coalesce(?, due_ms), tries = max(0, tries - ?), trouble = ? \
             WHERE id = ? AND phase = 'calling'",
        )
        .bind(phase.name())
        .bind(due_ms)
        .bind(i64::from(!counts))
        .bind(trouble)
        .bind(checked_id(id)?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Deletes a call that is to be made, or was. Says whether there was one.
    pub async fn remove_callback(&self, id: &str) -> Result<bool, StoreError> {
        let removed =
            sqlx::query("DELETE FROM callbacks WHERE id = ?").bind(checked_id(id)?).execute(&self.pool).await?;
        self.truncate_journal().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// Calls that a server was making when it ended are due again at `due_ms`: for the one server of this folder, at its
    /// start. Returns how many.
    pub async fn resume_callbacks(&self, due_ms: i64) -> Result<u64, StoreError> {
        let resumed = sqlx::query(
            "UPDATE callbacks SET phase = 'waiting', due_ms = ?, trouble = 'the server ended' WHERE phase = 'calling'",
        );
        Ok(resumed.bind(due_ms).execute(&self.pool).await?.rows_affected())
    }

    pub(super) async fn forget_callbacks(&self, key: &str) -> Result<u64, StoreError> {
        let forgotten = sqlx::query("DELETE FROM callbacks WHERE number_key = ?1 OR caller_key = ?1").bind(key);
        Ok(forgotten.execute(&self.pool).await?.rows_affected())
    }

    /// Those that were given up and asked for before `oldest_ms`.
    pub(super) async fn expire_callbacks(&self, oldest_ms: i64) -> Result<u64, StoreError> {
        let expired = sqlx::query("DELETE FROM callbacks WHERE phase = 'failed' AND asked_ms < ?").bind(oldest_ms);
        Ok(expired.execute(&self.pool).await?.rows_affected())
    }
}

fn booking(row: &SqliteRow) -> Result<Booking, StoreError> {
    let phase = match row.try_get::<String, _>("phase")?.as_str() {
        "waiting" => Phase::Waiting,
        "calling" => Phase::Calling,
        _ => Phase::Failed,
    };
    Ok(Booking {
        id: row.try_get("id")?,
        number: Pii::new(row.try_get("number")?),
        caller: Pii::new(row.try_get("caller_key")?),
        called: row.try_get("called")?,
        plan: row.try_get("plan")?,
        state: row.try_get("state")?,
        within: row.try_get("within")?,
        reason: row.try_get("reason")?,
        asked_ms: row.try_get("asked_ms")?,
        due_ms: row.try_get("due_ms")?,
        tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
        phase,
        trouble: row.try_get("trouble")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Retention, Store};
    use super::{Booking, Phase};
    use crate::pii::Pii;
    use crate::queue::tries::Tries;

    const MINUTE: i64 = 60_000;

    fn wish(id: &str, number: &str, due_ms: i64) -> Booking {
        Booking {
            id: id.into(),
            number: Pii::new(number.into()),
            caller: Pii::new("+15550100".into()),
            called: "100".into(),
            plan: "shop".into(),
            state: "called".into(),
            within: None,
            reason: "the oven".into(),
            asked_ms: 0,
            due_ms,
            tries: 0,
            phase: Phase::Waiting,
            trouble: None,
        }
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(folder.path(), Retention::default()).await.expect("opened")
    }

    async fn claimed(store: &Store, now_ms: i64) -> Vec<String> {
        store.claim_callbacks(now_ms, 2).await.expect("claimed").into_iter().map(|booking| booking.id).collect()
    }

    #[tokio::test]
    async fn whoever_does_not_answer_is_tried_so_often_and_then_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder).await;
        store.book_callback(&wish("a", "+15550100", 10 * MINUTE)).await.expect("booked");
        let tries = Tries { most: 3, spacing_ms: 15 * MINUTE };
        let mut called = Vec::new();
        // Two hours, minute by minute: nobody ever answers.
        for now in (0..120).map(|minute| minute * MINUTE) {
            for booking in store.claim_callbacks(now, 2).await.expect("claimed") {
                called.push(now / MINUTE);
                let again = tries.next(booking.tries, now);
                store.callback_again(&booking.id, again, true, "no answer").await.expect("noted");
            }
        }
        assert_eq!(called, [10, 25, 55]);
        let left = store.callbacks(10).await.expect("read");
        assert_eq!((left[0].phase, left[0].tries, left[0].trouble.as_deref()), (Phase::Failed, 3, Some("no answer")));
        store.expire(1_000 * 24 * 60 * MINUTE).await.expect("expired");
        assert!(store.callbacks(10).await.expect("read").is_empty());
    }

    #[tokio::test]
    async fn a_number_is_called_once_however_often_it_asks() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder).await;
        store.book_callback(&wish("a", "+49 30 12345", 0)).await.expect("booked");
        assert_eq!(claimed(&store, 0).await, ["a"]);
        // While it rings the caller asks once more, for later.
        store.book_callback(&wish("b", "0049 30 12345", 5)).await.expect("booked");
        store.callback_again("a", Some(1), true, "busy").await.expect("nothing to note");
        assert_eq!(claimed(&store, 4).await, [""; 0]);
        assert_eq!(claimed(&store, 5).await, ["b"]);
        assert_eq!(claimed(&store, 5).await, [""; 0], "nobody else gets it");
    }

    #[tokio::test]
    async fn two_at_a_time_and_the_first_due_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder).await;
        for (id, due) in [("a", 3), ("b", 1), ("c", 2)] {
            store.book_callback(&wish(id, &format!("+1555{due}"), due)).await.expect("booked");
        }
        let mut first = claimed(&store, 9).await;
        first.sort();
        assert_eq!(first, ["b", "c"]);
        assert_eq!(claimed(&store, 9).await, ["a"]);
    }

    #[tokio::test]
    async fn a_restart_and_a_try_that_was_none_lose_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = store(&folder).await;
        before.book_callback(&wish("a", "+15550100", 0)).await.expect("booked");
        assert_eq!(claimed(&before, 0).await, ["a"]);
        before.close().await;
        let after = store(&folder).await;
        assert_eq!(after.resume_callbacks(7).await.expect("resumed"), 1);
        assert_eq!(claimed(&after, 6).await, [""; 0]);
        assert_eq!(claimed(&after, 7).await, ["a"]);
        after.callback_again("a", Some(8), false, "draining").await.expect("noted");
        assert_eq!(after.callbacks(1).await.expect("read")[0].tries, 1, "the one before the restart counts");
    }

    #[tokio::test]
    async fn whoever_is_forgotten_is_not_called() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder).await;
        store.book_callback(&wish("a", "+1 555 0199", 0)).await.expect("booked");
        assert_eq!(store.forget("+15550199").await.expect("forgotten").callbacks, 1);
        store.book_callback(&wish("b", "+1 555 0199", 0)).await.expect("booked");
        assert_eq!(store.forget("+15550100").await.expect("forgotten").callbacks, 1, "who asked for it");
        store.book_callback(&wish("c", "+1 555 0199", 0)).await.expect("booked");
        assert!(store.remove_callback("c").await.expect("cancelled"));
        assert_eq!(claimed(&store, 9).await, [""; 0]);
        assert!(store.book_callback(&wish("d", "sip:", 0)).await.is_err());
    }
}
