//! How a call hears its caller: frames in, turns out.
//!
//! ```text
//! frame ─▶ gate ─▶ (voice detector, elsewhere) ─▶ segmenter ─▶ floor ─▶ Duck | Unduck | Stop | Turn
//!   └────▶ prosody                                    └─▶ Partial, Pause (work ahead)
//! ```
//! Positions are samples of the leg; [`Hearing::instant`] turns one into time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::{Frame, Rate, level};
use crate::speech::echo::Echo;
use crate::speech::floor::{Act, BargeIn, Floor};
use crate::speech::gate::{Gate, Passed};
use crate::speech::utterance::{Endpointing, Event, Segmenter};

/// Silence after which work on the whole utterance starts, before it is sure that it is over: any pause.
const WORK_AHEAD_MS: u64 = 64;
/// A frame this far below the loudest of the last seconds, or below our own line, is no speech, whatever the detector still
/// feels of it, dB.
const BELOW_PEAK_DB: f32 = 35.0;
/// What comes back of our own line is softer than it by so much at least, dB; mostly by 12 and more.
const ECHO_BELOW_DB: (f32, f32) = (3.0, 12.0);
/// What is that soft is our line if one delayed copy of it explains this share: 0.6 where it is hardly softer, 0.25 where it
/// is by 12 dB. Of what a room or a hybrid sent back 97 in 100 stretches reach 0.25, of 25 other speakers' words over the
/// same line 4 in 100.
const ECHO_SHARE: (f32, f32) = (0.6, 0.25);
/// Our line comes back within so many frames (400 ms).
const ECHO_FRAMES: usize = 20;
/// How fast the loudest is forgotten, dB a frame: 5 dB a second.
const PEAK_FADES_DB: f32 = 0.1;
/// A window of the detector, ms.
const WINDOW_MS: u64 = 32;
/// Stretches of fed sound that are remembered, to place a probability that comes late.
const STRETCHES: usize = 8;

/// What was heard.
#[derive(Debug, Clone)]
pub enum Sound {
    /// Somebody may be starting to speak: lower our voice.
    Duck,
    /// It was nothing.
    Unduck,
    /// The caller speaks over our line: hold it.
    Stop,
    /// An utterance began.
    Began {
        /// First speech.
        start: u64,
    },
    /// Time for a partial result.
    Partial(Arc<[i16]>),
    /// Perhaps the end: work may begin on this.
    Pause(Arc<[i16]>),
    /// It was not the end.
    Resumed,
    /// A turn is over.
    Turn {
        /// First speech.
        start: u64,
        /// Last speech.
        end: u64,
        /// Silence that had to pass for it to be over, ms.
        waited_ms: u32,
        /// All of it.
        pcm: Arc<[i16]>,
    },
    /// What was heard over our line was a cough, or a "mhm".
    Ignored,
}

/// Hearing of one leg.
pub struct Hearing {
    gate: Gate,
    segmenter: Segmenter,
    floor: Floor,
    fed: u64,
    stretches: VecDeque<(u64, u64)>,
    position: u64,
    /// End of the last frame that is loud enough to be speech.
    audible_to: u64,
    peak_dbov: f32,
    /// How loud our own line was in the last frames, dBov, and where the next is noted.
    ours_dbov: [f32; ECHO_FRAMES],
    ours_at: usize,
    echo: Echo,
    latest: Instant,
    worked_ahead: bool,
    sounds: VecDeque<Sound>,
}

impl Hearing {
    /// A leg that has not been heard yet.
    pub fn new(now: Instant, rate: Rate) -> Self {
        Self {
            gate: Gate::new(rate),
            segmenter: Segmenter::new(rate, Endpointing::default()),
            floor: Floor::new(rate, BargeIn::default()),
            fed: 0,
            stretches: VecDeque::with_capacity(STRETCHES),
            position: 0,
            audible_to: 0,
            peak_dbov: level::SILENCE_DBOV,
            ours_dbov: [level::SILENCE_DBOV; ECHO_FRAMES],
            ours_at: 0,
            echo: Echo::default(),
            latest: now,
            worked_ahead: false,
            sounds: VecDeque::new(),
        }
    }

    /// Sets what ends an utterance from now on.
    pub fn expect(&mut self, endpointing: Endpointing) {
        self.segmenter.set_endpointing(endpointing);
    }

    /// Takes the next frame; what the detector is to see goes to `feed`. With `attend` false nobody listens for speech
    /// (a keypad menu), and the detector is spared.
    pub fn frame(&mut self, now: Instant, frame: &Frame, attend: bool, mut feed: impl FnMut(&[i16])) {
        self.latest = now;
        self.position += frame.samples().len() as u64;
        self.segmenter.audio(frame.samples());
        self.echo.theirs(frame);
        match self.gate.push(frame) {
            Passed::Opened { from, pcm } if attend => {
                if self.stretches.len() == STRETCHES {
                    self.stretches.pop_front();
                }
                self.stretches.push_back((self.fed, from));
                self.fed += pcm.len() as u64;
                feed(pcm);
            }
            Passed::Open if attend && !self.stretches.is_empty() => {
                self.fed += frame.samples().len() as u64;
                feed(frame.samples());
            }
            _ => self.segmented(self.position, 0.0),
        }
        let loudness = level::dbov(frame);
        self.peak_dbov = loudness.max(self.peak_dbov - PEAK_FADES_DB);
        if self.gate.is_open() && loudness > self.peak_dbov - BELOW_PEAK_DB && !self.is_echo(loudness) {
            self.audible_to = self.position;
        }
        self.watch();
    }

    /// Whether a frame is our own line coming back, or the line's noise while it does. A caller who speaks over it, and
    /// softly, looks otherwise.
    fn is_echo(&self, loudness: f32) -> bool {
        let ours = self.ours_dbov.iter().copied().fold(level::SILENCE_DBOV, f32::max);
        if loudness > ours - ECHO_BELOW_DB.0 {
            return false;
        }
        let least = if loudness > ours - ECHO_BELOW_DB.1 { ECHO_SHARE.0 } else { ECHO_SHARE.1 };
        let hushed = !self.gate.is_loud() || loudness < ours - BELOW_PEAK_DB;
        hushed || self.echo.share() >= least
    }

    /// What we send in the 20 ms of the next frame, `None` between our lines: what comes back of it is not the caller.
    pub fn ours(&mut self, frame: Option<&Frame>) {
        self.ours_dbov[self.ours_at] = frame.map_or(level::SILENCE_DBOV, level::dbov);
        self.ours_at = (self.ours_at + 1) % ECHO_FRAMES;
        self.echo.ours(frame);
    }

    /// A probability from the detector; `fed` counts the samples that it was given.
    pub fn voice(&mut self, fed: u64, probability: f32) {
        let Some((start, at)) = self.stretches.iter().rev().find(|(start, _)| *start < fed) else { return };
        let position = at + (fed - start);
        // The detector is slow to let go: in a window that lies behind all that can be heard nobody speaks.
        let window = u64::from(self.segmenter.rate().hz()) * WINDOW_MS / 1_000;
        let audible = position.saturating_sub(window) < self.audible_to;
        self.segmented(position, if audible { probability } else { 0.0 });
    }

    fn segmented(&mut self, position: u64, probability: f32) {
        let event = self.segmenter.voice(position, probability);
        self.happened(event);
        let act = self.floor.progress(position);
        self.act(act, None);
    }

    /// Sets the silence that ends the utterance at the present pause; may end it at once.
    pub fn settle(&mut self, silence_ms: Option<u32>) {
        let event = self.segmenter.settle(silence_ms);
        self.happened(event);
    }

    fn happened(&mut self, event: Option<Event>) {
        if let Some(event) = &event {
            match event {
                Event::Started { start, .. } => self.sounds.push_back(Sound::Began { start: *start }),
                Event::Resumed { .. } if self.worked_ahead => {
                    self.worked_ahead = false;
                    self.sounds.push_back(Sound::Resumed);
                }
                _ => {}
            }
            let act = self.floor.caller(event);
            self.act(act, Some(event));
        }
    }

    fn act(&mut self, act: Option<Act>, event: Option<&Event>) {
        let sound = match (act, event) {
            (None, _) => return,
            (Some(Act::Duck), _) => Sound::Duck,
            (Some(Act::Unduck), _) => Sound::Unduck,
            (Some(Act::Stop), _) => Sound::Stop,
            (Some(Act::Take), Some(Event::Ended { start, end, .. })) => {
                self.worked_ahead = false;
                let waited_ms = self.segmenter.waited_ms();
                Sound::Turn { start: *start, end: *end, waited_ms, pcm: self.segmenter.pcm() }
            }
            (Some(Act::Take), _) => return,
            (Some(Act::Ignore), _) => {
                self.worked_ahead = false;
                Sound::Ignored
            }
        };
        self.sounds.push_back(sound);
    }

    /// Partial results and work ahead are due by the clock of the sound, not by events.
    fn watch(&mut self) {
        if !self.segmenter.is_active() {
            return;
        }
        let silence = self.segmenter.silence() * 1_000 / u64::from(self.segmenter.rate().hz());
        if silence >= WORK_AHEAD_MS && !self.worked_ahead {
            self.worked_ahead = true;
            self.sounds.push_back(Sound::Pause(self.segmenter.pcm()));
        } else if silence == 0 && self.segmenter.partial_due() {
            self.sounds.push_back(Sound::Partial(self.segmenter.pcm()));
        }
    }

    /// Our line starts.
    pub fn we_start(&mut self, interruptible: bool) {
        self.floor.we_start(interruptible);
    }

    /// Our line is over.
    pub fn we_end(&mut self) {
        self.floor.we_end();
    }

    /// Ends an utterance where it stands: a key was pressed, or the caller is put through.
    pub fn cut(&mut self) {
        if let Some(event) = self.segmenter.cut() {
            let act = self.floor.caller(&event);
            self.act(act, Some(&event));
        }
    }

    /// The next thing heard.
    pub fn poll(&mut self) -> Option<Sound> {
        self.sounds.pop_front()
    }

    /// Whether the caller is speaking, pauses included.
    pub fn is_active(&self) -> bool {
        self.segmenter.is_active()
    }

    /// Samples of silence since the caller's last speech; 0 while they speak, and when nobody does.
    pub fn silence(&self) -> u64 {
        self.segmenter.silence()
    }

    /// When the sample at `position` was heard.
    pub fn instant(&self, position: u64) -> Instant {
        let rate = u64::from(self.segmenter.rate().hz());
        let ago = Duration::from_micros(self.position.saturating_sub(position) * 1_000_000 / rate);
        self.latest.checked_sub(ago).unwrap_or(self.latest)
    }

    /// Samples heard.
    pub fn position(&self) -> u64 {
        self.position
    }
}
