use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::call::profile::{Changes, Profile, VoiceChange};
use crate::call::record::{Event, MediaStats, Outcome, Turn};
use crate::dialplan::script::Kept;

const DAY_MS: i64 = 24 * 3600 * 1000;

fn record(id: &str, caller: &str, started_ms: i64) -> CallRecord {
    CallRecord {
        id: id.to_owned(),
        started_ms,
        duration_ms: 61_000,
        caller: Pii::new(caller.to_owned()),
        called: "700".to_owned(),
        transport: "sip".to_owned(),
        plan: "bank".to_owned(),
        codec: "PCMU".to_owned(),
        outcome: Outcome::HandedOver {
            to: "queue:support".to_owned(),
            agent: "sip:ann@127.0.0.1".to_owned(),
            reason: "frustrated".to_owned(),
        },
        turns: vec![Turn {
            text: format!("the secret of {id}"),
            frustration: Some(0.75),
            reasons: vec!["sounds angry".to_owned()],
            ..Turn::default()
        }],
        events: vec![Event { at_ms: 12, what: "key 5".to_owned() }],
        frustration_peak: Some(0.75),
        recording: Some(format!("recordings/{id}.wav")),
        media: MediaStats::default(),
    }
}

async fn store(folder: &Path) -> Store {
    Store::open(folder, Retention::default()).await.expect("a store")
}

fn record_file(store: &Store, id: &str) -> PathBuf {
    let path = store.recordings().join(format!("{id}.wav"));
    fs::write(&path, b"sound").expect("writable");
    path
}

/// Everything that lies in the data folder, as bytes.
fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("readable").path();
        bytes.extend(if path.is_dir() { all_bytes(&path) } else { fs::read(&path).expect("readable") });
    }
    bytes
}

fn contains(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[tokio::test]
async fn a_record_comes_back_as_it_was_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("made/here");
    let saved = record("20261122-1", "+49 30 1", 1_000);
    let first = store(&data).await;
    first.save(&saved).await.expect("saved");
    first.close().await;
    let again = store(&data).await;
    assert_eq!(again.get("20261122-1").await.expect("read"), Some(saved));
    assert_eq!(again.get("another").await.expect("read"), None);
}

#[tokio::test]
async fn only_the_owner_may_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let store = store(&data).await;
    store.save(&record("a", "1", 0)).await.expect("saved");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join(RECORDINGS)), 0o700);
    for entry in fs::read_dir(&data).expect("there").map(|entry| entry.expect("readable")) {
        if entry.path().is_file() {
            assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        }
    }
}

#[tokio::test]
async fn the_list_is_newest_first_and_saving_again_replaces() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    for n in 0..5 {
        store.save(&record(&format!("c{n}"), "1", n)).await.expect("saved");
    }
    let mut ended = record("c4", "1", 4);
    ended.outcome = Outcome::CallerHungUp;
    store.save(&ended).await.expect("saved");
    let list = store.list(3).await.expect("read");
    assert_eq!(list.iter().map(|call| call.id.as_str()).collect::<Vec<_>>(), ["c4", "c3", "c2"]);
    assert_eq!(list[0].outcome, Outcome::CallerHungUp);
    assert!(list[0].has_recording && list[0].has_transcript);
}

#[tokio::test]
async fn forgetting_leaves_no_byte_of_the_caller_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let mut files = Vec::new();
    for (id, caller) in [("a1", "sip:+493012345@trunk"), ("a2", "0049 30 12345"), ("b1", "+49 30 99999")] {
        store.save(&record(id, caller, 0)).await.expect("saved");
        files.push(record_file(&store, id));
    }
    assert!(contains(&all_bytes(folder.path()), "the secret of a1"), "the search would see it");

    assert_eq!(store.forget("+49 (30) 123-45").await.expect("forgotten").calls, 2);

    assert_eq!(files.iter().map(|file| file.exists()).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(store.list(10).await.expect("read").len(), 1);
    let left = all_bytes(folder.path());
    for trace in ["the secret of a1", "the secret of a2", "3012345", "30 12345"] {
        assert!(!contains(&left, trace), "{trace} is still on disk");
    }
    assert!(contains(&left, "the secret of b1"));
    assert_eq!(store.forget("+49 30 12345").await.expect("nothing left"), Forgotten::default());
    assert!(matches!(store.forget("  ").await, Err(StoreError::EmptyNumber)));
}

#[tokio::test]
async fn a_recording_that_cannot_be_removed_keeps_its_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    store.save(&record("stuck", "1", 0)).await.expect("saved");
    // A folder in place of the file: no user can remove it as a file, root included.
    fs::create_dir(store.recordings().join("stuck.wav")).expect("made");
    assert!(matches!(store.forget("1").await, Err(StoreError::Io { .. })));
    assert_eq!(store.list(10).await.expect("read").len(), 1);
}

#[tokio::test]
async fn expiry_takes_recordings_then_transcripts_then_the_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    store.save(&record("old", "1", 0)).await.expect("saved");
    store.save(&record("new", "1", 20 * DAY_MS)).await.expect("saved");
    let (old, new) = (record_file(&store, "old"), record_file(&store, "new"));

    let both = Expired { frustration: 2, ..Expired::default() };
    assert_eq!(store.expire(30 * DAY_MS).await.expect("run"), both, "not a millisecond early");
    let one = Expired { recordings: 1, ..Expired::default() };
    assert_eq!(store.expire(30 * DAY_MS + 1).await.expect("run"), one);
    assert!(!old.exists() && new.exists());
    assert_eq!(store.get("old").await.expect("read").expect("still there").recording, None);

    assert_eq!(store.expire(90 * DAY_MS + 1).await.expect("run"), Expired { transcripts: 1, ..one });
    assert_eq!(store.list(10).await.expect("read").len(), 1);
    assert!(!contains(&all_bytes(folder.path()), "the secret of old"));
}

#[tokio::test]
async fn what_was_felt_is_kept_for_less_time_than_the_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let mut upset = record("upset", "1", 0);
    upset.outcome = Outcome::HandedOver {
        to: "queue:support".to_owned(),
        agent: "sip:ann@127.0.0.1".to_owned(),
        reason: "the caller is frustrated".to_owned(),
    };
    upset.events.push(Event { at_ms: 13, what: "handover to queue:support: the caller is frustrated".to_owned() });
    upset.events.push(Event { at_ms: 14, what: "frustration 0.83 while with an agent".to_owned() });
    store.save(&upset).await.expect("saved");
    store.save(&record("later", "1", DAY_MS)).await.expect("saved");

    assert_eq!(store.expire(3 * DAY_MS).await.expect("run"), Expired::default(), "not a millisecond early");
    assert_eq!(store.get("upset").await.expect("read"), Some(upset.clone()));
    assert_eq!(store.expire(3 * DAY_MS + 1).await.expect("run"), Expired { frustration: 1, ..Expired::default() });
    assert_eq!(store.expire(3 * DAY_MS + 1).await.expect("run"), Expired::default(), "once is enough");

    let kept = store.get("upset").await.expect("read").expect("the call stays");
    assert_eq!((kept.frustration_peak, kept.turns[0].frustration), (None, None));
    assert_eq!((kept.turns[0].text.as_str(), kept.events.len()), ("the secret of upset", 2));
    let list = store.list(10).await.expect("read");
    assert_eq!(list.iter().map(|call| call.frustration_peak).collect::<Vec<_>>(), [Some(0.75), None]);
    store.forget("1").await.expect("the other one too");
    let later = record("again", "2", 0);
    store.save(&later).await.expect("saved");
    store.expire(3 * DAY_MS + 1).await.expect("run");
    store.close().await;
    let bytes = all_bytes(folder.path());
    for word in ["frustrated", "0.83", "0.75", "sounds angry"] {
        // The reason that a plan's author wrote ("frustrated") is the plan's own word and stays.
        assert!(!contains(&bytes, word) || word == "frustrated", "{word} is still in the file");
    }
    assert!(!contains(&bytes, "the caller is frustrated"));
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_calls() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = store(folder.path()).await;
    // As the first version left it: a score in every row and turn.
    sqlx::raw_sql(
        "DROP TABLE calls;
         DROP TABLE messages;
         DROP TABLE callbacks;
         DROP TABLE profiles;
         CREATE TABLE calls (id TEXT PRIMARY KEY NOT NULL, started_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL,
             caller TEXT NOT NULL, caller_key TEXT NOT NULL, called TEXT NOT NULL, transport TEXT NOT NULL,
             plan TEXT NOT NULL, outcome TEXT NOT NULL, frustration_peak REAL NOT NULL, has_recording INTEGER NOT NULL,
             transcript TEXT) STRICT;
         CREATE INDEX calls_by_start ON calls (started_ms);
         CREATE INDEX calls_by_caller ON calls (caller_key);
         INSERT INTO calls VALUES ('a', 5, 6, '1', '1', '700', 'sip', 'bank', '{\"how\":\"completed\"}', 0.5, 0, NULL);
         PRAGMA user_version = 1;",
    )
    .execute(&first.pool)
    .await
    .expect("an old file");
    first.close().await;
    let now = store(folder.path()).await;
    let list = now.list(10).await.expect("read");
    assert_eq!((list[0].id.as_str(), list[0].frustration_peak), ("a", Some(0.5)));
    let calm = CallRecord { frustration_peak: None, ..record("b", "1", 7) };
    now.save(&calm).await.expect("a call without a score");
    assert_eq!(now.list(1).await.expect("read")[0].frustration_peak, None);
}

#[tokio::test]
async fn a_row_outlives_its_transcript_while_the_recording_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention { recordings: Duration::MAX, transcripts: Duration::ZERO, ..Retention::default() };
    let store = Store::open(folder.path(), retention).await.expect("a store");
    store.save(&record("a", "1", 0)).await.expect("saved");
    let file = record_file(&store, "a");
    store.expire(1).await.expect("run");
    let list = store.list(10).await.expect("read");
    assert!(file.exists() && list[0].has_recording && !list[0].has_transcript);
    assert_eq!(store.get("a").await.expect("read"), None);
    assert_eq!(store.forget("1").await.expect("forgotten").calls, 1, "the caller can still be forgotten");
    assert!(!file.exists());
}

#[tokio::test]
async fn a_recording_without_a_call_goes_when_its_file_is_old() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let orphan = record_file(&store, "orphan");
    let other = store.recordings().join("notes.txt");
    fs::write(&other, b"mine").expect("writable");
    store.expire(0).await.expect("run");
    assert!(orphan.exists(), "young");
    assert_eq!(store.expire(i64::MAX).await.expect("run").recordings, 1);
    assert!(!orphan.exists() && other.exists(), "what is no recording is left alone");
}

#[tokio::test]
async fn an_id_that_is_a_path_is_refused_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let store = store(&data).await;
    let outside = folder.path().join("outside.wav");
    fs::write(&outside, b"not yours").expect("writable");
    for id in ["../../outside", "../outside", "a/../../b", "", "a\0", "'; DROP TABLE calls; --", &"x".repeat(65)] {
        assert!(matches!(store.save(&record(id, "1", 0)).await, Err(StoreError::BadId(_))), "{id:?}");
        assert!(matches!(store.get(id).await, Err(StoreError::BadId(_))), "{id:?}");
    }
    // A record whose recording names a file outside: only the path made of the id counts.
    let mut hostile = record("hostile", "1", 0);
    hostile.recording = Some("../../outside.wav".to_owned());
    store.save(&hostile).await.expect("saved");
    assert_eq!(store.forget("1").await.expect("forgotten").calls, 1);
    assert!(outside.exists());
    // An id that got into the file by another way.
    sqlx::query("INSERT INTO calls (id, started_ms, duration_ms, caller, caller_key, called, transport, plan, outcome, has_recording)
         VALUES ('../../outside', 0, 0, '1', '1', '', '', '', '', 1)")
        .execute(&store.pool)
        .await
        .expect("inserted");
    assert!(matches!(store.forget("1").await, Err(StoreError::BadId(_))));
    assert!(matches!(store.expire(i64::MAX).await, Err(StoreError::BadId(_))));
    assert!(outside.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_end_at_once_beside_another_process() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two pools share nothing, like the server and the command line.
    let (server, tool) = tokio::join!(store(folder.path()), store(folder.path()));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..200 {
        let store = server.clone();
        tasks.spawn(async move { store.save(&record(&format!("call-{n}"), &format!("{}", n % 10), n)).await });
    }
    let forgotten = tool.forget("3").await.expect("waits its turn").calls;
    while let Some(saved) = tasks.join_next().await {
        saved.expect("no panic").expect("saved");
    }
    let left = server.list(1000).await.expect("read").len() as u64;
    assert_eq!(left + forgotten, 200);
}

/// Each round makes a new store: the first opening switches its journal, which SQLite does not wait for by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_open_a_new_store_at_once() {
    for round in 0..10 {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let data = folder.path().to_owned();
            tasks.spawn(async move {
                let store = Store::open(&data, Retention::default()).await?;
                store.save(&record(&format!("call-{n}"), "1", n)).await?;
                // Half of them end at once, so that a last connection closes while others open.
                if n % 2 == 0 {
                    store.close().await;
                }
                Ok::<_, StoreError>(store)
            });
        }
        let stores: Vec<_> = tasks.join_all().await.into_iter().collect::<Result<_, _>>().expect("all open");
        let open = stores.iter().find(|store| !store.pool.is_closed()).expect("odd ones");
        assert_eq!(open.list(100).await.expect("read").len(), 8, "round {round}");
    }
}

#[tokio::test]
async fn an_opening_waits_for_one_that_is_under_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let other = Opening::take(folder.path(), BUSY).await.expect("free");
    let mut second = std::pin::pin!(Store::open(folder.path(), Retention::default()));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut second).await;
    assert!(early.is_err() && !folder.path().join(DATABASE).exists(), "it did not wait: {early:?}");
    drop(other);
    second.await.expect("opened");
}

#[tokio::test]
async fn an_opening_that_never_ends_is_a_clear_error_for_the_next() {
    let folder = tempfile::tempdir().expect("a folder");
    let held = Opening::take(folder.path(), BUSY).await.expect("free");
    let error = Opening::take(folder.path(), Duration::from_millis(50)).await.expect_err("held");
    assert!(error.to_string().contains("another process has been opening this store"), "{error}");
    drop(held);
    Opening::take(folder.path(), BUSY).await.expect("free again, though the first waiter was given up");
}

#[tokio::test]
async fn a_file_of_a_newer_version_or_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = store(folder.path()).await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&first.pool).await.expect("set");
    first.close().await;
    let newer = Store::open(folder.path(), Retention::default()).await;
    assert!(matches!(newer, Err(StoreError::Newer { found: 99, .. })));

    let other = tempfile::tempdir().expect("a folder");
    fs::write(other.path().join(DATABASE), vec![b'x'; 5000]).expect("writable");
    let garbage = Store::open(other.path(), Retention::default()).await;
    assert!(matches!(garbage, Err(StoreError::Database(_))));
}

/// What a call keeps.
fn keeping(values: &[(&str, Option<serde_json::Value>)], all_forgotten: bool) -> Changes {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Changes { kept: Kept { all_forgotten, values }, voice: VoiceChange::None }
}

#[tokio::test]
async fn a_profile_is_of_one_caller_and_one_plan_and_each_name_is_changed_for_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let names = ["speed".to_owned(), "intro_heard".to_owned()];
    let bank = ("bank", names.as_slice());
    let slow = keeping(&[("speed", Some("slow".into())), ("undeclared", Some(1.into()))], false);
    assert!(store.keep(bank, "+49 30 1", &slow, 1_000).await.expect("kept"));
    // Another call of the same number, which did not know of the first.
    let heard = keeping(&[("intro_heard", Some(true.into()))], false);
    assert!(store.keep(bank, "0049 (30) 1", &heard, 2_000).await.expect("kept"));
    let values = store.profile("bank", "sip:+49301@trunk", 3_000).await.expect("read").values;
    assert_eq!(serde_json::json!(values), serde_json::json!({"speed": "slow", "intro_heard": true}));
    for (plan, number) in [("shop", "+49 30 1"), ("bank", "+49 30 2"), ("bank", "anonymous"), ("bank", "")] {
        assert_eq!(store.profile(plan, number, 3_000).await.expect("read"), Profile::default(), "{plan} {number}");
    }
    // A name that the plan has no more is dropped, and one that is forgotten goes.
    let gone = keeping(&[("speed", None)], false);
    assert!(!store.keep(("bank", &names[..1]), "+49301", &gone, 4_000).await.expect("kept"));
    assert_eq!(store.profiles("+49301").await.expect("read"), []);
    assert!(!contains(&all_bytes(folder.path()), "intro_heard"));
}

#[tokio::test]
async fn nothing_is_kept_of_a_caller_without_a_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let names = ["secret".to_owned()];
    let kept = keeping(&[("secret", Some("4711-secret".into()))], false);
    for nobody in ["anonymous", "anonymous@127.0.0.1", "", "sip:anonymous@anonymous.invalid"] {
        assert!(!store.keep(("bank", &names), nobody, &kept, 1_000).await.expect("no error"), "{nobody}");
    }
    assert!(!contains(&all_bytes(folder.path()), "4711-secret"));
}

#[tokio::test]
async fn profiles_go_by_forgetting_and_by_age_without_a_byte_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention { profiles: Duration::from_secs(24 * 3600), ..Retention::default() };
    let store = Store::open(folder.path(), retention).await.expect("a store");
    let names = ["note".to_owned()];
    let note = |text: &str| keeping(&[("note", Some(text.into()))], false);
    for (number, text) in [("1", "of-the-first"), ("2", "of-the-second"), ("3", "of-the-third")] {
        store.keep(("bank", &names), number, &note(text), 0).await.expect("kept");
    }
    store.save(&record("a", "1", 0)).await.expect("saved");
    assert_eq!(
        store.forget("1").await.expect("forgotten"),
        Forgotten { calls: 1, profiles: 1, ..Forgotten::default() }
    );
    // The second calls again, the third does not.
    store.keep(("bank", &names), "2", &Changes::default(), DAY_MS).await.expect("kept");
    assert_eq!(store.profile("bank", "3", DAY_MS + 1).await.expect("read"), Profile::default(), "too old to be used");
    assert_eq!(store.expire(DAY_MS + 1).await.expect("expired").profiles, 1);
    let all = store.keep(("bank", &names), "2", &keeping(&[], true), DAY_MS).await.expect("kept");
    let bytes = all_bytes(folder.path());
    assert!(!all && !["first", "second", "third"].iter().any(|text| contains(&bytes, &format!("of-the-{text}"))));
}

#[tokio::test]
async fn two_calls_of_one_number_at_once_lose_nothing_of_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = store(folder.path()).await;
    let names: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
    let some = async |names: &[String], all: &[String]| {
        for name in names {
            store.keep(("bank", all), "1", &keeping(&[(name, Some(1.into()))], false), 0).await.expect("kept");
        }
    };
    tokio::join!(some(&names[..10], &names), some(&names[10..], &names));
    assert_eq!(store.profile("bank", "1", 0).await.expect("read").values.len(), 20);
}

#[tokio::test]
async fn how_a_caller_sounds_goes_earlier_than_the_rest_and_when_they_take_it_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let retention = Retention { calm_voices: Duration::from_secs(24 * 3600), ..Retention::default() };
    let store = Store::open(folder.path(), retention).await.expect("a store");
    let names = ["agreed".to_owned()];
    let voice = serde_json::from_str(r#"{"weights": 7654321, "usual": -3.5, "seconds": 9.0}"#).expect("a voice");
    let agreed = |voice| Changes { voice, ..keeping(&[("agreed", Some(true.into()))], false) };
    for number in ["1", "2"] {
        store.keep(("bank", &names), number, &agreed(VoiceChange::Kept(voice)), 0).await.expect("kept");
    }
    let of = async |number, now_ms| store.profile("bank", number, now_ms).await.expect("read");
    assert_eq!(of("1", 1).await.calm_voice, Some(voice));
    assert_eq!(store.profiles("1").await.expect("read")[0].calm_voice, Some(voice));
    // A call that tells nothing of it leaves it, and its age.
    store.keep(("bank", &names), "1", &agreed(VoiceChange::None), DAY_MS).await.expect("kept");
    assert_eq!(of("1", DAY_MS).await.calm_voice, Some(voice));
    assert_eq!(of("1", DAY_MS + 1).await.calm_voice, None, "too old to be used");
    store.keep(("bank", &names), "2", &agreed(VoiceChange::Forgotten), 1).await.expect("kept");
    assert_eq!(of("2", 2).await.calm_voice, None);
    assert_eq!(store.expire(DAY_MS + 1).await.expect("expired").calm_voices, 1);
    assert_eq!(of("1", DAY_MS + 1).await.values.len(), 1, "the rest stays");
    assert!(!contains(&all_bytes(folder.path()), "7654321"));
}
