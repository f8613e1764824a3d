//! What is kept of callers from call to call, for the plans that ask for it: by plan and number, apart from their calls.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::call::profile::{Changes, Profile, VoiceChange};
use crate::pii::Pii;
use crate::speech::emotion::CalmVoice;

use super::erase::before;
use super::{Store, StoreError, normalized};

/// What stands for a number that is withheld: of nobody in particular.
const NOBODY: &[&str] = &["anonymous", "unknown", "unavailable", "restricted", "private", "withheld"];

/// What is kept of a caller by one plan, as it is shown to whoever asks.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct KeptProfile {
    /// The plan's name.
    pub plan: String,
    /// When the caller last called, Unix milliseconds: retention counts from there.
    pub called_ms: i64,
    /// By the plan's names.
    pub values: Pii<BTreeMap<String, serde_json::Value>>,
    /// How they sound when they are calm, if they agreed to that.
    pub calm_voice: Option<CalmVoice>,
}

impl Store {
    /// What `plan` kept of a caller; nothing of one without a number, or when it is past its retention at `now_ms`.
    pub async fn profile(&self, plan: &str, number: &str, now_ms: i64) -> Result<Profile, StoreError> {
        let Some(caller) = caller(number) else { return Ok(Profile::default()) };
        let row = sqlx::query(
            "SELECT entries, calm_voice, voice_ms FROM profiles WHERE plan = ? AND caller_key = ? AND called_ms >= ?",
        )
        .bind(plan)
        .bind(&caller)
        .bind(before(now_ms, self.retention.profiles))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(Profile::default()) };
        let voice = voice_of(&row)?.filter(|voice| voice.0 >= before(now_ms, self.retention.calm_voices));
        Ok(Profile { values: entries(&row)?, calm_voice: voice.map(|(_, voice)| voice) })
    }

    /// Keeps what a call of `number` changed, under the names that the plan has today; others are dropped. Each name is
    /// changed for itself, so that two calls of one number at once lose nothing of each other's. Nothing is kept of a
    /// caller without a number. Says whether anything was written.
    pub async fn keep(
        &self,
        plan: (&str, &[String]),
        number: &str,
        changes: &Changes,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let (Some(caller), (plan, names)) = (caller(number), plan) else { return Ok(false) };
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let row = sqlx::query("SELECT entries, calm_voice, voice_ms FROM profiles WHERE plan = ? AND caller_key = ?");
        let row = row.bind(plan).bind(&caller).fetch_optional(&mut *tx).await?;
        // What cannot be read is nothing that can be kept.
        let mut values = row.as_ref().and_then(|row| entries(row).ok()).unwrap_or_default();
        let voice = match changes.voice {
            VoiceChange::Kept(voice) => Some((now_ms, voice)),
            VoiceChange::Forgotten => None,
            VoiceChange::None => row.as_ref().and_then(|row| voice_of(row).ok().flatten()),
        };
        if changes.kept.all_forgotten {
            values.clear();
        }
        for (name, value) in &changes.kept.values {
            match value {
                Some(value) => _ = values.insert(name.clone(), value.clone()),
                None => _ = values.remove(name),
            }
        }
        values.retain(|name, _| names.contains(name));
        put(&mut tx, (plan, &caller), (&values, voice), now_ms).await?;
        tx.commit().await?;
        let had_voice = row.as_ref().is_some_and(|row| !matches!(voice_of(row), Ok(None)));
        let voice_gone = changes.voice == VoiceChange::Forgotten && had_voice;
        if voice_gone || changes.kept.all_forgotten || changes.kept.values.values().any(Option::is_none) {
            self.truncate_journal().await?;
        }
        Ok(!values.is_empty())
    }

    /// Everything that plans keep of a caller.
    pub async fn profiles(&self, number: &str) -> Result<Vec<KeptProfile>, StoreError> {
        let key = normalized(number);
        if key.is_empty() {
            return Err(StoreError::EmptyNumber);
        }
        let rows = sqlx::query(
            "SELECT plan, called_ms, entries, calm_voice, voice_ms FROM profiles WHERE caller_key = ? ORDER BY plan",
        );
        let rows = rows.bind(key).fetch_all(&self.pool).await?;
        let kept = |row: &SqliteRow| {
            let (values, calm_voice) = (Pii::new(entries(row)?), voice_of(row)?.map(|(_, voice)| voice));
            Ok(KeptProfile { plan: row.try_get("plan")?, called_ms: row.try_get("called_ms")?, values, calm_voice })
        };
        rows.iter().map(kept).collect()
    }

    /// Erases the profiles of a caller, by [`normalized`]; how many there were.
    pub(super) async fn forget_profiles(&self, key: &str) -> Result<u64, StoreError> {
        Ok(sqlx::query("DELETE FROM profiles WHERE caller_key = ?")
            .bind(key)
            .execute(&self.pool)
            .await?
            .rows_affected())
    }

    /// Takes out how callers sound, where that was measured last before `oldest_ms`; of how many. The rest stays.
    pub(super) async fn expire_voices(&self, oldest_ms: i64) -> Result<u64, StoreError> {
        let old =
            sqlx::query("UPDATE profiles SET calm_voice = NULL, voice_ms = NULL WHERE voice_ms < ?").bind(oldest_ms);
        Ok(old.execute(&self.pool).await?.rows_affected())
    }

    /// Deletes the profiles of callers who have not called since `oldest_ms`; how many.
    pub(super) async fn expire_profiles(&self, oldest_ms: i64) -> Result<u64, StoreError> {
        let old = sqlx::query("DELETE FROM profiles WHERE called_ms < ?").bind(oldest_ms);
        Ok(old.execute(&self.pool).await?.rows_affected())
    }
}

/// Writes a profile; an empty one is none.
async fn put(
    tx: &mut SqliteConnection,
    (plan, caller): (&str, &str),
    (values, voice): (&BTreeMap<String, serde_json::Value>, Option<(i64, CalmVoice)>),
    now_ms: i64,
) -> Result<(), StoreError> {
    // A voice is there by what they agreed to, which is a value.
    if values.is_empty() {
        let gone = sqlx::query("DELETE FROM profiles WHERE plan = ? AND caller_key = ?").bind(plan).bind(caller);
        gone.execute(tx).await?;
        return Ok(());
    }
    let json = |source| StoreError::Profile { plan: plan.into(), source };
    let entries = serde_json::to_string(values).map_err(json)?;
    let calm = voice.map(|(_, voice)| serde_json::to_string(&voice)).transpose().map_err(json)?;
    let row = sqlx::query(
        "INSERT OR REPLACE INTO profiles (plan, caller_key, called_ms, entries, calm_voice, voice_ms) \
         VALUES (?, ?, ?, ?, ?, ?)",
    );
    let row = row.bind(plan).bind(caller).bind(now_ms).bind(entries).bind(calm).bind(voice.map(|(at, _)| at));
    row.execute(tx).await?;
    Ok(())
}

fn entries(row: &SqliteRow) -> Result<BTreeMap<String, serde_json::Value>, StoreError> {
    let entries: String = row.try_get("entries")?;
    serde_json::from_str(&entries).map_err(|source| StoreError::Profile { plan: String::new(), source })
}

/// How they sound when they are calm, and since when that is known, Unix milliseconds.
fn voice_of(row: &SqliteRow) -> Result<Option<(i64, CalmVoice)>, StoreError> {
    let (calm, at) = (row.try_get::<Option<String>, _>("calm_voice")?, row.try_get::<Option<i64>, _>("voice_ms")?);
    let (Some(calm), Some(at)) = (calm, at) else { return Ok(None) };
    let calm = serde_json::from_str(&calm).map_err(|source| StoreError::Profile { plan: String::new(), source })?;
    Ok(Some((at, calm)))
}

/// Who calls, as far as that tells them apart; `None` for a number that is withheld.
fn caller(number: &str) -> Option<String> {
    let key = normalized(number);
    let user = key.split('@').next().unwrap_or_default();
    (!user.is_empty() && !NOBODY.contains(&user)).then_some(key)
}

#[cfg(test)]
mod unit {
    use super::caller;

    #[test]
    fn who_withholds_their_number_is_nobody() {
        for nobody in ["", "anonymous", "Anonymous", "anonymous@127.0.0.1", "sip:anonymous@anonymous.invalid", "  "] {
            assert_eq!(caller(nobody), None, "{nobody}");
        }
        assert_eq!(caller("+49 30 1"), Some("49301".into()));
        assert_eq!(caller("ann"), Some("ann".into()));
    }
}
