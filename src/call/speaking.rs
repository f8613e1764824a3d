//! What we say: lines, cut into sentences, ordered from the synthesiser ahead of time and played in order.
//!
//! ```text
//! say("A. B. C.") ─▶ jobs A, B, C ─▶ (any order) sentence(A) … ─▶ Playout, in order ─▶ heard(): what reached the caller
//! ```
//! Never touches a thread: jobs leave through [`Speaking::jobs`], results come back through [`Speaking::sentence`].

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::{Frame, Playout, Rate, SayRef, level};
use crate::call::ports::{JobError, Keep, SayId, SynthesizeJob, Tone};
use crate::call::sentences;
use crate::dialplan::markup::{self, Lexicon, Piece};
use crate::dialplan::script::Say;

/// A sentence nobody needs any more by then is not rendered.
const RENDER_DEADLINE: Duration = Duration::from_secs(30);
/// Sentences ordered ahead of the one that plays: more would hold up other calls' first words.
const AHEAD: usize = 2;
/// Refusals of one sentence, one a tick, that are borne: two seconds.
const MOST_REFUSED: u32 = 100;
/// What a letter takes to say, on the mean: 15 a second.
const LETTER: Duration = Duration::from_millis(66);
/// What is quieter is not the beginning of a line, dBov.
const LEAD_DBOV: f32 = -50.0;
/// Fade at an interruption, ms: short enough to feel immediate, long enough not to click.
const FADE_MS: u32 = 40;

/// Music behind a wait is quieter than a voice.
const BACKGROUND_GAIN: f32 = 0.5;

/// What a line is, beside its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Whether the caller may interrupt.
    pub interruptible: bool,
    /// Whether it holds a masked slot.
    pub masked: bool,
    /// Percent of the voice's own pace, all of it.
    pub pace: u8,
}

impl Manner {
    /// An ordinary line.
    pub const PLAIN: Self = Self { interruptible: true, masked: false, pace: markup::PACE };
    /// As the script wants it.
    pub fn of(say: &Say) -> Self {
        Self { interruptible: say.interruptible, masked: say.masked, pace: say.pace }
    }

    /// A line that is always heard to its end.
    pub const FIRM: Self = Self { interruptible: false, ..Self::PLAIN };
}

/// A line as far as the caller heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The line.
    pub say: SayId,
    /// The words, cut at the last one that was played.
    pub text: String,
    /// Whether all of it was played.
    pub whole: bool,
    /// Whether it held a masked slot.
    pub masked: bool,
}

struct Sentence {
    text: String,
    /// Percent of the voice's own pace.
    tempo: u8,
    state: State,
    /// Times that the synthesiser had no room for it.
    refused: u32,
}

enum State {
    Waiting,
    Ordered,
    /// The sound, and where in it the voice begins.
    Ready(Arc<[i16]>, usize),
    Queued,
}

struct Line {
    id: SayId,
    manner: Manner,
    /// Who says it, and how words are spoken.
    voice: Arc<str>,
    lexicon: Arc<Lexicon>,
    tone: Tone,
    sentences: Vec<Sentence>,
    asked_at: Instant,
}

impl Line {
    /// Whether the same is said in the same manner.
    fn is_like(&self, other: &Self) -> bool {
        let words = |line: &Self| line.sentences.iter().map(|s| (s.text.clone(), s.tempo)).collect::<Vec<_>>();
        self.manner == other.manner
            && self.voice == other.voice
            && self.tone == other.tone
            && words(self) == words(other)
    }
}

/// One leg's outgoing speech.
pub struct Speaking {
    playout: Playout,
    rate: Rate,
    voice: Arc<str>,
    /// Of lines from now on.
    tone: Tone,
    lines: VecDeque<Line>,
    next: u32,
    jobs: VecDeque<SynthesizeJob>,
    /// A line that may be said next: its first sentence is rendered before it is sure.
    prepared: Option<Line>,
    failures: u32,
    lexicon: Arc<Lexicon>,
}

impl Speaking {
    /// For a leg that runs at `rate`; `first` keeps the lines of two legs of a call apart.
    pub fn new(rate: Rate, voice: String, first: SayId) -> Self {
        Self {
            playout: Playout::new(rate),
            rate,
            voice: voice.into(),
            tone: Tone::Even,
            lines: VecDeque::new(),
            next: first.0,
            jobs: VecDeque::new(),
            prepared: None,
            failures: 0,
            lexicon: Arc::default(),
        }
    }

    /// Says words as `lexicon` has them.
    pub fn pronounce(mut self, lexicon: Arc<Lexicon>) -> Self {
        self.lexicon = lexicon;
        self
    }

    /// Who says lines from now on, and how words are spoken. What is queued is said as it was to be.
    pub fn speak_as(&mut self, voice: &str, lexicon: Arc<Lexicon>) {
        (self.voice, self.lexicon) = (voice.into(), lexicon);
        self.prepared = None;
    }

    /// How lines are said from now on.
    pub fn tone(&mut self, tone: Tone) {
        self.tone = tone;
    }

    /// Queues a line behind what is being said. Says whether its first sentence is there already.
    pub fn say(&mut self, now: Instant, text: &str, manner: Manner) -> bool {
        let mut line = self.line(now, text, manner);
        if let Some(mut prepared) = self.prepared.take()
            && prepared.is_like(&line)
        {
            prepared.asked_at = now;
            line = prepared;
        }
        let Some(first) = line.sentences.first() else { return true };
        let ready = matches!(first.state, State::Ready(..));
        self.lines.push_back(line);
        self.feed();
        self.order(now);
        ready
    }

    /// Renders the first sentence of a line that may be said next. Another one takes its place; [`Speaking::say`] of the
    /// same words takes it up. Says whether anything was ordered.
    pub fn prepare(&mut self, now: Instant, text: &str, manner: Manner) -> bool {
        let mut line = self.line(now, text, manner);
        if self.prepared.as_ref().is_some_and(|prepared| prepared.is_like(&line)) {
            return false;
        }
        let waiting = |sentence: &&mut Sentence| matches!(sentence.state, State::Waiting);
        let Some(first) = line.sentences.first_mut().filter(waiting) else { return false };
        first.state = State::Ordered;
        let job = self.synthesis(now, now, &line, 0);
        self.jobs.push_back(job);
        self.prepared = Some(line);
        true
    }

    /// What was prepared will not be said.
    pub fn forget_prepared(&mut self) {
        self.prepared = None;
    }

    fn line(&mut self, now: Instant, text: &str, manner: Manner) -> Line {
        let id = SayId(self.next);
        self.next += 1;
        let mut tempo = manner.pace;
        let mut sentences = Vec::new();
        for piece in markup::pieces(text) {
            match piece {
                Piece::Tempo(next) => tempo = markup::within(next, manner.pace),
                piece => sentences.extend(self.sentences_of(piece, tempo)),
            }
        }
        let (voice, lexicon) = (Arc::clone(&self.voice), Arc::clone(&self.lexicon));
        Line { id, manner, voice, lexicon, tone: self.tone, sentences, asked_at: now }
    }

    fn synthesis(&self, now: Instant, needed: Instant, line: &Line, sentence: usize) -> SynthesizeJob {
        SynthesizeJob {
            say: line.id,
            sentence: sentence as u32,
            text: line.lexicon.apply(&line.sentences[sentence].text),
            voice: line.voice.as_ref().to_owned(),
            tone: line.tone,
            rate: self.rate,
            tempo: line.sentences[sentence].tempo,
            keep: if line.manner.masked { Keep::Nowhere } else { Keep::Memory },
            needed,
            deadline: now + RENDER_DEADLINE,
        }
    }

    fn sentences_of(&self, piece: Piece, tempo: u8) -> Vec<Sentence> {
        match piece {
            Piece::Words(text) => {
                let sentence = |text| Sentence { text, tempo, state: State::Waiting, refused: 0 };
                sentences::sentences(&text).into_iter().map(sentence).collect()
            }
            Piece::Pause(ms) => {
                let silence = vec![0; (ms as usize * self.rate.hz() as usize) / 1_000].into();
                vec![Sentence { text: String::new(), tempo, state: State::Ready(silence, 0), refused: 0 }]
            }
            Piece::Tempo(_) => Vec::new(),
        }
    }

    /// Queues a clip behind what is being said; `text` is what is said in it.
    pub fn play(&mut self, now: Instant, clip: Arc<[i16]>, text: &str, manner: Manner) {
        let id = SayId(self.next);
        self.next += 1;
        let sentence =
            Sentence { text: text.to_owned(), tempo: markup::PACE, state: State::Ready(clip, 0), refused: 0 };
        let (voice, lexicon) = (Arc::clone(&self.voice), Arc::clone(&self.lexicon));
        let sentences = vec![sentence];
        self.lines.push_back(Line { id, manner, voice, lexicon, tone: self.tone, sentences, asked_at: now });
        self.feed();
    }

    /// Orders what comes next, up to [`AHEAD`] sentences at a time.
    fn order(&mut self, now: Instant) {
        let ordered = |s: &&Sentence| matches!(s.state, State::Ordered);
        let mut room = AHEAD.saturating_sub(self.lines.iter().flat_map(|l| &l.sentences).filter(ordered).count());
        // How long what comes before will play: a sentence is wanted when it is over.
        let mut before = Duration::ZERO;
        for line in 0..self.lines.len() {
            for sentence in 0..self.lines[line].sentences.len() {
                if room == 0 {
                    return;
                }
                if matches!(self.lines[line].sentences[sentence].state, State::Waiting) {
                    self.lines[line].sentences[sentence].state = State::Ordered;
                    room -= 1;
                    let job = self.synthesis(now, now + before, &self.lines[line], sentence);
                    self.jobs.push_back(job);
                }
                let piece = &self.lines[line].sentences[sentence];
                before += match &piece.state {
                    State::Ready(pcm, start) => {
                        Duration::from_secs_f64((pcm.len() - start) as f64 / f64::from(self.rate.hz()))
                    }
                    // What plays already may be over at any moment.
                    State::Queued => Duration::ZERO,
                    State::Waiting | State::Ordered => LETTER * piece.text.len() as u32,
                };
            }
        }
    }

    /// The next order for the synthesiser.
    pub fn job(&mut self) -> Option<SynthesizeJob> {
        self.jobs.pop_front()
    }

    /// A rendered sentence, or the news that it cannot be had. Returns when its line was asked for, if this is the first
    /// sentence of it.
    pub fn sentence(
        &mut self,
        now: Instant,
        say: SayId,
        sentence: u32,
        result: Result<Arc<[i16]>, JobError>,
    ) -> Option<Instant> {
        let line = self.lines.iter_mut().chain(&mut self.prepared).find(|l| l.id == say)?;
        let asked_at = line.asked_at;
        let slot = line.sentences.get_mut(sentence as usize)?;
        let pcm = match result {
            Ok(pcm) => pcm,
            // Asked again with the next tick: a queue that is full now has room in a moment.
            Err(JobError::Full) if slot.refused < MOST_REFUSED => {
                slot.refused += 1;
                slot.state = State::Waiting;
                return None;
            }
            Err(_) => {
                self.failures += 1;
                // A caller never hears silence: what cannot be spoken is at least a tone.
                tone(self.rate)
            }
        };
        let start = if sentence == 0 { lead(&pcm, self.rate) } else { 0 };
        slot.state = State::Ready(pcm, start);
        self.feed();
        self.order(now);
        (sentence == 0).then_some(asked_at)
    }

    /// Hands over to the playout what is ready, in order and without a gap in the text.
    fn feed(&mut self) {
        for line in &mut self.lines {
            for (index, sentence) in line.sentences.iter_mut().enumerate() {
                match &sentence.state {
                    State::Queued => {}
                    State::Ready(pcm, start) => {
                        let at = SayRef { say: line.id.0, sentence: index as u32 };
                        if self.playout.push_from(at, Arc::clone(pcm), *start).is_err() {
                            return; // full: tried again when it has played some
                        }
                        sentence.state = State::Queued;
                    }
                    State::Waiting | State::Ordered => return,
                }
            }
        }
    }

    /// Writes the next 20 ms; true while a line is heard (music alone is none).
    pub fn next_frame(&mut self, out: &mut Frame) -> bool {
        self.playout.next_frame(out);
        self.playout.speaking().is_some() && !self.playout.is_held()
    }

    /// Takes out lines that have been played to their end. Call it after [`Speaking::next_frame`].
    pub fn finished(&mut self, now: Instant) -> Option<Heard> {
        self.order(now);
        self.feed();
        let line = self.lines.front()?;
        let last = line.sentences.len() as u32 - 1;
        let queued = line.sentences.iter().all(|s| matches!(s.state, State::Queued));
        let waits = self.playout.played(line.id.0).iter().any(|s| s.sentence == last && s.played < s.total);
        if !queued || waits {
            return None;
        }
        let line = self.lines.pop_front()?;
        let said = line.sentences.into_iter().map(|s| s.text).filter(|text| !text.is_empty());
        let text = said.collect::<Vec<_>>().join(" ");
        Some(Heard { say: line.id, text, whole: true, masked: line.manner.masked })
    }

    /// The caller takes the floor: what plays fades, what was to come is dropped, unless it may not be interrupted.
    /// Returns the lines as far as they were heard.
    pub fn interrupt(&mut self) -> Vec<Heard> {
        if !self.interruptible() {
            // What may not be interrupted may not be held either.
            self.playout.hold(false);
            return Vec::new();
        }
        let lines = std::mem::take(&mut self.lines);
        self.jobs.clear();
        let heard = lines.into_iter().filter_map(|line| self.heard_so_far(line)).collect();
        self.playout.stop(FADE_MS);
        heard
    }

    fn heard_so_far(&mut self, line: Line) -> Option<Heard> {
        let mut words = Vec::new();
        let mut whole = true;
        let played = self.playout.played(line.id.0);
        for (index, sentence) in line.sentences.iter().enumerate() {
            let heard = played.iter().find(|s| s.sentence == index as u32);
            let (played, total) = heard.map_or((0, 1), |s| (u64::from(s.played), u64::from(s.total)));
            let all: Vec<&str> = sentence.text.split_whitespace().collect();
            // Words are taken to be spread evenly over the sentence; one that was cut does not count as heard.
            let count = (all.len() as u64 * played.min(total) / total.max(1)) as usize;
            whole &= count == all.len();
            words.extend(all.into_iter().take(count).map(str::to_owned));
        }
        let text = words.join(" ");
        (!text.is_empty()).then_some(Heard { say: line.id, text, whole, masked: line.manner.masked })
    }

    /// Holds our line where it is, or lets it go on from there.
    pub fn hold(&mut self, on: bool) {
        self.playout.hold(on);
    }

    /// Whether our line is held.
    pub fn is_held(&self) -> bool {
        self.playout.is_held()
    }

    /// Whether what is being said, or about to be, may be interrupted.
    pub fn interruptible(&self) -> bool {
        self.lines.iter().all(|l| l.manner.interruptible)
    }

    /// Whether nothing is being said nor about to be. Hold music does not count.
    pub fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether any line on its way holds a masked slot.
    pub fn masked(&self) -> bool {
        self.lines.iter().any(|l| l.manner.masked)
    }

    /// Lowers the voice while it is not clear whether the caller takes the floor.
    pub fn duck(&mut self, down: bool) {
        self.playout.duck(down);
    }

    /// Plays `clip` over and over behind whatever is said; `None` ends it.
    pub fn background(&mut self, clip: Option<Arc<[i16]>>) {
        match clip {
            Some(clip) => self.playout.loop_clip(clip, BACKGROUND_GAIN),
            None => self.playout.stop_loop(),
        }
    }

    /// Sentences that could not be rendered.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// How long the silence is that voices begin with, in samples: whoever waits for an answer waits for that too.
fn lead(pcm: &[i16], rate: Rate) -> usize {
    let step = rate.hz() as usize / 200;
    let loud = pcm.chunks(step).position(|stretch| level::rms_dbov(stretch) > LEAD_DBOV).unwrap_or(0);
    loud.saturating_sub(1) * step
}

/// 300 ms of a soft 440 Hz tone.
fn tone(rate: Rate) -> Arc<[i16]> {
    let step = 2.0 * std::f32::consts::PI * 440.0 / rate.hz() as f32;
    (0..rate.hz() * 3 / 10).map(|n| ((n as f32 * step).sin() * 3_000.0) as i16).collect()
}
