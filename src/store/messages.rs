//! Messages that callers left: a row each, and the sound beside the recordings of calls.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::call::record::MessageRecord;
use crate::pii::Pii;

use super::{Store, StoreError, checked_id, normalized, recording_path};

/// Messages that are kept at a time: who fills the disk by leaving one after the other is stopped here.
pub const MOST_MESSAGES: i64 = 10_000;

impl Store {
    /// Writes a message's row. The sound is there already, or there is none.
    pub async fn save_message(&self, message: &MessageRecord) -> Result<(), StoreError> {
        let id = checked_id(&message.id)?;
        let kept: i64 = sqlx::query("SELECT count(*) FROM messages").fetch_one(&self.pool).await?.try_get(0)?;
        if kept >= MOST_MESSAGES {
            return Err(StoreError::Full { most: MOST_MESSAGES });
        }
        sqlx::query(
            "INSERT INTO messages (id, call, left_ms, duration_ms, caller, caller_key, called, plan, mailbox, words, \
             frustration, has_recording) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(&message.call)
        .bind(message.left_ms)
        .bind(i64::try_from(message.duration_ms).unwrap_or(i64::MAX))
        .bind(message.caller.reveal())
        .bind(normalized(message.caller.reveal()))
        .bind(&message.called)
        .bind(&message.plan)
        .bind(&message.mailbox)
        .bind(&message.text)
        .bind(message.frustration)
        .bind(message.recording.is_some())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The latest `limit` messages, newest first; of one mailbox, where it is named.
    pub async fn messages(&self, mailbox: Option<&str>, limit: u32) -> Result<Vec<MessageRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM messages WHERE ?1 IS NULL OR mailbox = ?1 ORDER BY left_ms DESC, id DESC LIMIT ?2",
        )
        .bind(mailbox)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(message).collect()
    }

    /// A message, or `None`.
    pub async fn message(&self, id: &str) -> Result<Option<MessageRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM messages WHERE id = ?").bind(checked_id(id)?);
        row.fetch_optional(&self.pool).await?.as_ref().map(message).transpose()
    }

    /// Deletes a message, sound first. Says whether there was one; what is deleted is overwritten in the database.
    pub async fn delete_message(&self, id: &str) -> Result<bool, StoreError> {
        let deleted = self.remove_message(id).await?;
        self.truncate_journal().await?;
        Ok(deleted)
    }

    /// Deletes sound and row; whether there was a row.
    pub(super) async fn remove_message(&self, id: &str) -> Result<bool, StoreError> {
        super::erase::remove(&recording_path(&self.messages, checked_id(id)?)).await?;
        let deleted = sqlx::query("DELETE FROM messages WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Deletes the sound of a message that has no row: nothing was said in it.
    pub async fn discard_message(&self, id: &str) -> Result<(), StoreError> {
        super::erase::remove(&recording_path(&self.messages, checked_id(id)?)).await?;
        Ok(())
    }
}

fn message(row: &SqliteRow) -> Result<MessageRecord, StoreError> {
    let id: String = row.try_get("id")?;
    let recording = row.try_get::<bool, _>("has_recording")?.then(|| format!("{}/{id}.wav", super::MESSAGES));
    Ok(MessageRecord {
        id,
        call: row.try_get("call")?,
        left_ms: row.try_get("left_ms")?,
        caller: Pii::new(row.try_get("caller")?),
        called: row.try_get("called")?,
        plan: row.try_get("plan")?,
        mailbox: row.try_get("mailbox")?,
        duration_ms: u64::try_from(row.try_get::<i64, _>("duration_ms")?).unwrap_or(0),
        text: row.try_get("words")?,
        frustration: row.try_get("frustration")?,
        recording,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::super::{Retention, Store, StoreError};
    use crate::call::record::MessageRecord;
    use crate::pii::Pii;

    const DAY: i64 = 24 * 3_600 * 1_000;

    fn left(id: &str, caller: &str, left_ms: i64) -> MessageRecord {
        MessageRecord {
            id: id.into(),
            call: "c".into(),
            left_ms,
            caller: Pii::new(caller.into()),
            called: "100".into(),
            plan: "shop".into(),
            mailbox: if id.starts_with('a') { "office".into() } else { "sales".into() },
            duration_ms: 4_200,
            text: format!("the secret of {id}"),
            frustration: Some(0.6),
            recording: Some(format!("messages/{id}.wav")),
        }
    }

    async fn store(folder: &tempfile::TempDir, messages: Duration) -> Store {
        let retention = Retention { messages, ..Retention::default() };
        Store::open(folder.path(), retention).await.expect("opened")
    }

    fn sound(store: &Store, id: &str) -> std::path::PathBuf {
        let path = store.messages_folder().join(format!("{id}.wav"));
        fs::write(&path, b"RIFF").expect("writable");
        path
    }

    #[tokio::test]
    async fn messages_are_listed_by_mailbox_and_deleted_with_their_sound() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, Duration::MAX).await;
        for (n, id) in ["a1", "b1", "a2"].into_iter().enumerate() {
            store.save_message(&left(id, "1", n as i64)).await.expect("saved");
        }
        let file = sound(&store, "a2");
        let ids = |list: Vec<MessageRecord>| list.into_iter().map(|message| message.id).collect::<Vec<_>>();
        assert_eq!(ids(store.messages(None, 10).await.expect("read")), ["a2", "b1", "a1"]);
        assert_eq!(ids(store.messages(Some("office"), 1).await.expect("read")), ["a2"]);
        assert_eq!(store.message("b1").await.expect("read"), Some(left("b1", "1", 1)));
        assert!(store.delete_message("a2").await.expect("deleted"));
        assert!(!file.exists());
        assert!(!store.delete_message("a2").await.expect("nothing there"));
        for id in ["../calls", "", "a/b"] {
            assert!(matches!(store.delete_message(id).await, Err(StoreError::BadId(_))), "{id}");
            assert!(matches!(store.save_message(&left(id, "1", 0)).await, Err(StoreError::BadId(_))), "{id}");
        }
    }

    #[tokio::test]
    async fn a_caller_is_forgotten_with_their_messages() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, Duration::MAX).await;
        store.save_message(&left("a1", "+49 30 12345", 0)).await.expect("saved");
        store.save_message(&left("a2", "+49 30 99999", 0)).await.expect("saved");
        let files = [sound(&store, "a1"), sound(&store, "a2")];
        let forgotten = store.forget("0049 30 12345").await.expect("forgotten");
        assert_eq!((forgotten.calls, forgotten.messages), (0, 1));
        assert_eq!(files.map(|file| file.exists()), [false, true]);
        assert_eq!(store.messages(None, 10).await.expect("read").len(), 1);
        for name in fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok) {
            let bytes = fs::read(name.path()).unwrap_or_default();
            let found = bytes.windows(16).any(|window| window == b"the secret of a1");
            assert!(!found, "{:?} still holds the words", name.path());
        }
    }

    #[tokio::test]
    async fn old_messages_go_and_feelings_go_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder, Duration::from_secs(10 * 24 * 3_600)).await;
        store.save_message(&left("a1", "1", 0)).await.expect("saved");
        let file = sound(&store, "a1");
        let expired = store.expire(5 * DAY).await.expect("expired");
        assert_eq!((expired.messages, expired.frustration), (0, 1));
        let kept = store.message("a1").await.expect("read").expect("there");
        assert_eq!((kept.frustration, kept.text.as_str()), (None, "the secret of a1"));
        assert!(file.exists());
        assert_eq!(store.expire(11 * DAY).await.expect("expired").messages, 1);
        assert!(!file.exists() && store.message("a1").await.expect("read").is_none());
    }
}
