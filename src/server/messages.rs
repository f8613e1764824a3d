//! Messages on their way to the disk: the sound by the recorder's thread, the row when it is whole.

use tokio_util::task::TaskTracker;

use super::metrics;
use crate::audio::Rate;
use crate::call::record::MessageRecord;
use crate::store::{RecordingHandle, Recordings, Store};

/// Keeps messages. Cheap to clone.
#[derive(Clone)]
pub(super) struct Messages {
    recordings: Recordings,
    store: Store,
    tasks: TaskTracker,
}

impl Messages {
    pub(super) fn new(recordings: Recordings, store: Store, tasks: TaskTracker) -> Self {
        Self { recordings, store, tasks }
    }

    /// A file for one message; why there is none.
    pub(super) fn open(&self, id: &str, rate: Rate) -> Result<RecordingHandle, String> {
        self.recordings.open_mono(id, rate.hz()).map_err(|error| error.to_string())
    }

    /// Ends the file, then writes the row. A sound that broke off is kept as far as it goes, and is trouble all the same.
    pub(super) async fn keep(self, sound: Option<RecordingHandle>, mut message: MessageRecord) -> Result<(), String> {
        let mut trouble = None;
        if let Some(sound) = sound {
            let recorded = sound.finish().await;
            trouble = recorded.trouble;
            message.recording = Some(recorded.name);
        }
        let saved = self.store.save_message(&message).await.map_err(|error| error.to_string());
        if saved.is_err()
            && let Err(error) = self.store.discard_message(&message.id).await
        {
            tracing::error!(message = %message.id, %error, "the sound of a message that has no row is left behind");
        }
        let result = saved.and(trouble.map_or(Ok(()), Err));
        metrics::message(if result.is_ok() { "kept" } else { "failed" });
        if let Err(error) = &result {
            tracing::error!(message = %message.id, %error, "a message was not kept as it was left");
        }
        result
    }

    /// Nothing was said in it.
    pub(super) fn discard(&self, sound: Option<RecordingHandle>, id: String) {
        metrics::message("empty");
        let Some(sound) = sound else { return };
        let store = self.store.clone();
        self.tasks.spawn(async move {
            sound.finish().await;
            if let Err(error) = store.discard_message(&id).await {
                tracing::error!(message = %id, %error, "an empty message is left behind");
            }
        });
    }
}
