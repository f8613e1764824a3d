//! Speech probability of every leg, on one thread of its own.
//!
//! Owns the bounded channel into that thread and each stream's state. A frame is handed over without waiting or
//! allocating; when the channel is full it is dropped and counted, and the stream goes on after the gap.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use metrics::{Counter, counter};

use super::lane::{Build, lock, panic_text, yield_to_media};
use super::{EngineError, now};
use crate::audio::Rate;
use crate::call::ports::VoiceDetector;

/// Frames that may wait, of all legs: a tenth of a second of 200 legs. When full, the newest is dropped and counted
/// (`sidetone_engine_voice_dropped_total`).
const WAITING_FRAMES: usize = 1024;
/// Added to the thread's nice value: less than the other engines, for an end of turn that is noticed late is late for
/// everything after it.
const NICE: i32 = 2;
/// Most samples in one message: 20 ms at 16 kHz.
const MOST_SAMPLES: usize = Rate::Wide.frame_len();

/// Where probabilities go: samples of the leg up to the window's end, and 0..1. Called on the engine's thread; must
/// not block.
pub type VoiceSink = Box<dyn Fn(u64, f32) + Send>;

/// One leg's way to the detector. Dropping it frees what the engine held for it.
pub struct VoiceStream {
    stream: Arc<Mutex<Stream>>,
    frames: Option<SyncSender<Message>>,
    dropped: Counter,
    /// Samples pushed so far, those of dropped frames too.
    position: u64,
}

impl VoiceStream {
    /// Hands samples over. Neither waits nor allocates.
    pub fn push(&mut self, samples: &[i16]) {
        for part in samples.chunks(MOST_SAMPLES) {
            let mut pcm = [0; MOST_SAMPLES];
            pcm[..part.len()].copy_from_slice(part);
            let message = Message { stream: self.stream.clone(), from: self.position, len: part.len(), pcm };
            self.position += part.len() as u64;
            let taken = self.frames.as_ref().is_some_and(|frames| frames.try_send(message).is_ok());
            if !taken {
                self.dropped.increment(1);
            }
        }
    }
}

impl std::fmt::Debug for VoiceStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceStream").field("position", &self.position).finish_non_exhaustive()
    }
}

struct Message {
    stream: Arc<Mutex<Stream>>,
    from: u64,
    len: usize,
    pcm: [i16; MOST_SAMPLES],
}

/// A leg's state; locked by the detector's thread alone.
struct Stream {
    rate: Rate,
    /// `None` until the first window, and again after a model's failure.
    state: Option<Vec<f32>>,
    /// Samples that do not fill a window yet.
    waiting: Vec<i16>,
    /// Position after the last of them.
    position: u64,
    sink: VoiceSink,
}

/// The thread.
pub(super) struct VoiceEngine {
    frames: Mutex<Option<SyncSender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    dropped: Counter,
}

impl VoiceEngine {
    pub(super) fn start(build: Build<Box<dyn VoiceDetector>>) -> Result<Self, EngineError> {
        let (frames, inbox) = sync_channel(WAITING_FRAMES);
        let (tell, loaded) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("voice".to_string())
            .spawn(move || {
                yield_to_media(NICE);
                match build() {
                    Ok(detector) => {
                        let _ = tell.send(Ok(()));
                        work(detector, &build, &inbox);
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            })
            .map_err(|error| EngineError::Thread(error.to_string()))?;
        loaded.recv().unwrap_or(Err(EngineError::Died("voice")))?;
        Ok(Self {
            frames: Mutex::new(Some(frames)),
            thread: Mutex::new(Some(thread)),
            dropped: counter!("sidetone_engine_voice_dropped_total"),
        })
    }

    pub(super) fn stream(&self, rate: Rate, sink: VoiceSink) -> VoiceStream {
        let stream = Stream { rate, state: None, waiting: Vec::with_capacity(2 * MOST_SAMPLES), position: 0, sink };
        VoiceStream {
            stream: Arc::new(Mutex::new(stream)),
            frames: lock(&self.frames).clone(),
            dropped: self.dropped.clone(),
            position: 0,
        }
    }

    /// Makes no more streams. The thread ends with the last stream that is left; it is not waited for.
    pub(super) fn shutdown(&self) {
        lock(&self.frames).take();
        lock(&self.thread).take();
    }
}

fn work(detector: Box<dyn VoiceDetector>, build: &Build<Box<dyn VoiceDetector>>, inbox: &Receiver<Message>) {
    let seconds = metrics::histogram!("sidetone_engine_run_seconds", "engine" => "voice");
    let panicked = counter!("sidetone_engine_panicked_total", "engine" => "voice");
    let mut detector = Some(detector);
    while let Ok(message) = inbox.recv() {
        if detector.is_none() {
            detector = build().inspect_err(|error| tracing::error!(%error, "voice detection cannot be rebuilt")).ok();
        }
        let Some(model) = detector.as_mut() else { continue };
        let mut stream = lock(&message.stream);
        let started = now();
        let outcome = catch_unwind(AssertUnwindSafe(|| stream.hear(&message, model.as_mut())));
        seconds.record(started.elapsed().as_secs_f64());
        if let Err(panic) = outcome {
            panicked.increment(1);
            tracing::error!(why = panic_text(panic.as_ref()), "voice detection panicked; it is rebuilt");
            stream.state = None;
            stream.waiting.clear();
            detector = None;
        }
    }
}

impl Stream {
    fn hear(&mut self, message: &Message, model: &mut dyn VoiceDetector) {
        if message.from != self.position {
            // Frames were dropped: a window must not join what was apart.
            self.waiting.clear();
        }
        self.waiting.extend_from_slice(&message.pcm[..message.len]);
        self.position = message.from + message.len as u64;
        let window = model.window(self.rate);
        while self.waiting.len() >= window {
            let state = self.state.get_or_insert_with(|| model.start(self.rate));
            let outcome = model.probability(state, self.rate, &self.waiting[..window]);
            self.waiting.drain(..window);
            match outcome {
                Ok(probability) => (self.sink)(self.position - self.waiting.len() as u64, probability),
                Err(error) => {
                    tracing::warn!(%error, "a window of voice detection failed");
                    self.state = None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::call::ports::JobError;
    use crate::engine::scripted::ScriptedVoiceDetector;

    fn scripted() -> VoiceEngine {
        VoiceEngine::start(Arc::new(|| Ok(Box::new(ScriptedVoiceDetector) as Box<dyn VoiceDetector>))).unwrap()
    }

    fn sink() -> (VoiceSink, mpsc::Receiver<(u64, f32)>) {
        let (tell, heard) = mpsc::sync_channel(1000);
        (Box::new(move |position, probability| tell.send((position, probability)).unwrap()), heard)
    }

    #[test]
    fn windows_are_reported_by_the_position_of_their_end() {
        let engine = scripted();
        let (tell, heard) = sink();
        let mut stream = engine.stream(Rate::Narrow, tell);
        for n in 0..8 {
            stream.push(&[if n < 4 { 0 } else { 8000 }; 160]);
        }
        drop(stream);
        let windows: Vec<_> = heard.iter().collect();
        let positions: Vec<u64> = windows.iter().map(|w| w.0).collect();
        assert_eq!(positions, [256, 512, 768, 1024, 1280]);
        assert_eq!((windows[0].1, windows[4].1), (0.0, 1.0));
    }

    #[test]
    fn a_gap_starts_a_new_window() {
        let mut model = ScriptedVoiceDetector;
        let (tell, heard) = sink();
        let mut stream = Stream { rate: Rate::Narrow, state: None, waiting: Vec::new(), position: 0, sink: tell };
        let part = Arc::new(Mutex::new(Stream {
            rate: Rate::Narrow,
            state: None,
            waiting: Vec::new(),
            position: 0,
            sink: sink().0,
        }));
        let message = |from| Message { stream: part.clone(), from, len: 160, pcm: [0; MOST_SAMPLES] };
        for from in [0, 320, 480] {
            stream.hear(&message(from), &mut model);
        }
        assert_eq!(heard.try_iter().map(|w| w.0).collect::<Vec<_>>(), [320 + 256]);
    }

    /// Panics on the first window that is loud.
    struct Fragile;
    impl VoiceDetector for Fragile {
        fn window(&self, rate: Rate) -> usize {
            ScriptedVoiceDetector.window(rate)
        }
        fn start(&self, rate: Rate) -> Vec<f32> {
            ScriptedVoiceDetector.start(rate)
        }
        fn probability(&mut self, _: &mut Vec<f32>, _: Rate, window: &[i16]) -> Result<f32, JobError> {
            assert!(window[0] == 0, "too loud");
            Ok(0.5)
        }
    }

    #[test]
    fn a_panic_costs_one_window_and_other_streams_nothing() {
        let builds = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = builds.clone();
        let engine = VoiceEngine::start(Arc::new(move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Box::new(Fragile) as Box<dyn VoiceDetector>)
        }))
        .unwrap();
        let (tell, heard) = sink();
        let mut stream = engine.stream(Rate::Wide, tell);
        stream.push(&[0; 512]);
        stream.push(&[9; 512]);
        stream.push(&[0; 512]);
        drop(stream);
        assert_eq!(heard.iter().map(|w| w.1).collect::<Vec<_>>(), [0.5, 0.5]);
        assert_eq!(builds.load(std::sync::atomic::Ordering::Relaxed), 2);
    }
}
