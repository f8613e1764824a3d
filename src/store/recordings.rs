//! Recordings of many calls at once (stereo), and of the messages left in them (mono), written by one disk thread.
//!
//! ```text
//! call ─ push(20 ms) ─▶ bounded queue ─▶ disk thread ─▶ recordings/ID.wav
//! ```
//!
//! [`RecordingHandle::push`] neither waits, locks nor allocates. The queue holds `capacity` pieces of 20 ms for all calls
//! together; when it is full a piece is dropped and counted, and since every piece carries its position the disk thread
//! writes silence in its place: both channels stay in step with the call. An error of the disk gives up that recording,
//! with one line in the log; the call goes on and [`RecordingHandle::finish`] tells its record.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::wav::Wav;
use super::{StoreError, checked_id, recording_path};

/// Samples in a piece: 20 ms of both channels at 16 kHz.
const PIECE: usize = 640;
/// How often headers are brought up to date: what a killed process loses at most.
const REFRESH: Duration = Duration::from_millis(500);

/// What a recording is written to.
trait Sink: Write + Seek + Send {}
impl<T: Write + Seek + Send> Sink for T {}

/// Makes the file of a recording.
type Create = Box<dyn Fn(&Path) -> io::Result<Box<dyn Sink>> + Send>;

enum Message {
    Open {
        recording: u64,
        path: PathBuf,
        rate_hz: u32,
        channels: u16,
        shared: Arc<Shared>,
        done: oneshot::Sender<Option<String>>,
    },
    Samples {
        recording: u64,
        position: u64,
        len: u16,
        samples: [i16; PIECE],
    },
    /// Nothing but a reason to look whether a recording is finished.
    Finish {
        recording: u64,
    },
}

/// What the call tells the disk thread past the queue, so that a full queue cannot hide the end.
#[derive(Debug, Default)]
struct Shared {
    /// Pieces that went into the queue.
    sent: AtomicU64,
    /// Samples of each channel pushed, the dropped ones included.
    length: AtomicU64,
    /// No more will come; `sent` and `length` are final.
    finished: AtomicBool,
    /// Those that found the queue full.
    dropped: AtomicU64,
}

/// The recorder: hands out [`RecordingHandle`]s. Cheap to clone; the disk thread ends with the last clone and handle.
#[derive(Debug, Clone)]
pub struct Recordings {
    queue: SyncSender<Message>,
    folder: Arc<Path>,
    next: Arc<AtomicU64>,
    /// Pieces dropped, of all calls.
    dropped: Arc<AtomicU64>,
}

/// How a recording ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Path of the file inside the data folder; for the call's record.
    pub name: String,
    /// Why it was given up; what was written before is kept, if anything was.
    pub trouble: Option<String>,
    /// Milliseconds that are silence because the disk did not keep up.
    pub dropped_ms: u64,
}

impl Recordings {
    /// Starts the disk thread, with room for `capacity` pieces of 20 ms (1.3 kB each) in its queue: calls times 50 is
    /// one second.
    pub fn start(folder: &Path, capacity: usize) -> io::Result<Self> {
        Self::start_with(folder, capacity, Box::new(create_file))
    }

    fn start_with(folder: &Path, capacity: usize, create: Create) -> io::Result<Self> {
        let (queue, messages) = sync_channel(capacity.max(1));
        thread::Builder::new().name("recordings".to_owned()).spawn(move || Disk::new(create).run(&messages))?;
        Ok(Self { queue, folder: folder.into(), next: Arc::default(), dropped: Arc::default() })
    }

    /// Starts a call's recording at `rate_hz`, a stereo file named after the call. Does not wait for the disk.
    pub fn open(&self, call_id: &str, rate_hz: u32) -> Result<RecordingHandle, StoreError> {
        self.open_with(call_id, rate_hz, 2)
    }

    /// The same of a message, in one channel.
    pub fn open_mono(&self, id: &str, rate_hz: u32) -> Result<RecordingHandle, StoreError> {
        self.open_with(id, rate_hz, 1)
    }

    fn open_with(&self, id: &str, rate_hz: u32, channels: u16) -> Result<RecordingHandle, StoreError> {
        let path = recording_path(&self.folder, checked_id(id)?);
        let recording = self.next.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared::default());
        let (done, outcome) = oneshot::channel();
        let open = Message::Open { recording, path: path.clone(), rate_hz, channels, shared: shared.clone(), done };
        self.queue.try_send(open).map_err(|_| StoreError::Io {
            path,
            source: io::Error::new(io::ErrorKind::WouldBlock, "the recordings' queue is full"),
        })?;
        let folder = if channels == 1 { super::MESSAGES } else { super::RECORDINGS };
        let name = format!("{folder}/{id}.wav");
        Ok(RecordingHandle { recording, rate_hz, channels, name, shared, outcome, recorder: self.clone() })
    }

    /// Pieces of 20 ms dropped because the queue was full, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// One call's recording. Dropping it ends the recording like [`RecordingHandle::finish`], unreported.
#[derive(Debug)]
pub struct RecordingHandle {
    recording: u64,
    rate_hz: u32,
    channels: u16,
    name: String,
    shared: Arc<Shared>,
    outcome: oneshot::Receiver<Option<String>>,
    recorder: Recordings,
}

impl RecordingHandle {
    /// Appends interleaved samples (left, right, left, …; of a message one channel). Never waits; what does not fit the queue becomes silence.
    pub fn push(&mut self, interleaved: &[i16]) {
        for piece in interleaved.chunks(PIECE) {
            let channels = usize::from(self.channels);
            let frames = piece.len() / channels;
            let position = self.shared.length.load(Ordering::Relaxed);
            let mut samples = [0; PIECE];
            samples[..piece.len()].copy_from_slice(piece);
            // At most PIECE; a half pair at the end is left out.
            let len = (frames * channels) as u16;
            let frames = frames as u64;
            let message = Message::Samples { recording: self.recording, position, len, samples };
            if self.recorder.queue.try_send(message).is_ok() {
                self.shared.sent.fetch_add(1, Ordering::Relaxed);
            } else {
                self.shared.dropped.fetch_add(frames, Ordering::Relaxed);
                self.recorder.dropped.fetch_add(1, Ordering::Relaxed);
            }
            self.shared.length.store(position + frames, Ordering::Relaxed);
        }
    }

    /// Ends the recording and waits until the file is complete: half a second at most on a disk that keeps up.
    pub async fn finish(mut self) -> Recorded {
        self.end();
        let trouble = match (&mut self.outcome).await {
            Ok(trouble) => trouble,
            Err(_) => Some("the recorder has stopped".to_owned()),
        };
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let dropped_ms = dropped * 1000 / u64::from(self.rate_hz.max(1));
        Recorded { name: std::mem::take(&mut self.name), trouble, dropped_ms }
    }

    fn end(&self) {
        self.shared.finished.store(true, Ordering::Release);
        // Only to be quick: the disk thread looks at the flag by itself.
        let _ = self.recorder.queue.try_send(Message::Finish { recording: self.recording });
    }
}

impl Drop for RecordingHandle {
    fn drop(&mut self) {
        self.end();
    }
}

/// A file that nobody else reads; a recording that is there is never overwritten.
fn create_file(path: &Path) -> io::Result<Box<dyn Sink>> {
    let file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(Box::new(file))
}

/// The disk thread's state.
struct Disk {
    create: Create,
    open: HashMap<u64, Recording>,
}

struct Recording {
    path: PathBuf,
    /// `None` once it was given up.
    wav: Option<Wav<Box<dyn Sink>>>,
    failure: Option<String>,
    /// Pieces that came out of the queue.
    received: u64,
    shared: Arc<Shared>,
    done: Option<oneshot::Sender<Option<String>>>,
}

impl Disk {
    fn new(create: Create) -> Self {
        Self { create, open: HashMap::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "the disk thread's own timer for headers; no call waits for it")]
    fn run(mut self, messages: &Receiver<Message>) {
        let mut refreshed = std::time::Instant::now();
        loop {
            match messages.recv_timeout(REFRESH) {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if refreshed.elapsed() >= REFRESH {
                self.refresh();
                refreshed = std::time::Instant::now();
            }
        }
        for recording in self.open.values_mut() {
            recording.complete();
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Open { recording, path, rate_hz, channels, shared, done } => {
                let wav = (self.create)(&path).and_then(|file| Wav::new(file, rate_hz, channels));
                let mut entry = Recording { path, wav: None, failure: None, received: 0, shared, done: Some(done) };
                match wav {
                    Ok(wav) => entry.wav = Some(wav),
                    Err(error) => entry.give_up(&error),
                }
                self.open.insert(recording, entry);
            }
            Message::Samples { recording, position, len, samples } => {
                if let Some(entry) = self.open.get_mut(&recording) {
                    entry.received += 1;
                    entry.write(|wav| {
                        wav.silence_until(position)?;
                        wav.push(&samples[..usize::from(len)])
                    });
                }
            }
            Message::Finish { recording } => {
                if self.open.get_mut(&recording).is_some_and(|entry| entry.is_over()) {
                    self.finish(recording);
                }
            }
        }
    }

    /// Brings every header up to date, and closes what is over.
    fn refresh(&mut self) {
        let mut over = Vec::new();
        for (id, entry) in &mut self.open {
            if entry.is_over() {
                over.push(*id);
            } else {
                entry.write(Wav::refresh);
            }
        }
        for id in over {
            self.finish(id);
        }
    }

    fn finish(&mut self, recording: u64) {
        if let Some(mut entry) = self.open.remove(&recording) {
            entry.complete();
        }
    }
}

impl Recording {
    /// Whether the call has ended and all that it sent has been written.
    fn is_over(&self) -> bool {
        self.shared.finished.load(Ordering::Acquire) && self.received >= self.shared.sent.load(Ordering::Relaxed)
    }

    fn write(&mut self, write: impl FnOnce(&mut Wav<Box<dyn Sink>>) -> io::Result<()>) {
        if let Some(wav) = &mut self.wav
            && let Err(error) = write(wav)
        {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::error!(path = %self.path.display(), %error, "recording given up; the call goes on");
        metrics::counter!("sidetone_recordings_given_up_total").increment(1);
        self.failure = Some(error.to_string());
        if let Some(wav) = self.wav.take() {
            wav.abandon();
        }
    }

    /// Fills up to the call's length and reports.
    fn complete(&mut self) {
        let length = self.shared.length.load(Ordering::Relaxed);
        self.write(|wav| {
            wav.silence_until(length)?;
            wav.refresh()
        });
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        metrics::counter!("sidetone_recording_samples_dropped_total").increment(dropped);
        if let Some(done) = self.done.take() {
            // Nobody waits when the handle was dropped.
            let _ = done.send(self.failure.take());
        }
    }
}

#[cfg(test)]
mod tests;
