//! A message that the caller leaves: a prompt, a tone, what they say until they are done, and its keeping.
//!
//! ```text
//! Prompt ─tone─▶ Open ─silence │ key │ longest │ hung up─▶ Words ─recognised─▶ Kept ─▶ script
//! ```
//! A caller who hangs up has left a message all the same: the call outlives them for as long as it takes to keep it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::io::{Output, Report, Sink};
use super::record::{MESSAGE, MessageRecord, NO_MESSAGE, Outcome};
use super::speaking::Manner;
use super::timers::Timer;
use super::{Call, Phase, TICK};
use crate::audio::{Frame, Rate};
use crate::dialplan::script::{Action, Input, Message, NotKept, Record};
use crate::speech::utterance::Endpointing;

/// Less voice than this is no message: a click, a breath, a receiver that is put down.
const SHORTEST: Duration = Duration::from_millis(500);
/// How long the words of the last sentence are waited for; later they are missing, and the sound is there.
const WORDS: Duration = Duration::from_secs(4);
/// A disk that takes longer has not kept it.
const DISK: Duration = Duration::from_secs(8);
/// The recogniser gets a message in pieces, cut at pauses of this length, ms.
const PIECE_MS: u32 = 900;
/// Characters of a message's words.
const MOST_TEXT: usize = 20_000;
const NOTHING: [i16; Rate::Wide.frame_len()] = [0; Rate::Wide.frame_len()];

/// A message under way.
pub(super) struct Taking {
    id: String,
    record: Record,
    stage: Stage,
    /// When the tone was over.
    began: Instant,
    /// When the caller's voice was heard last.
    voiced: Instant,
    /// How much of it there was.
    voice: Duration,
    /// Samples of the leg between which words belong to it.
    from: u64,
    to: u64,
    text: String,
    /// The caller has hung up.
    left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What is said before it, and the tone.
    Prompt,
    /// The caller speaks.
    Open,
    /// The last words are being recognised.
    Words { until: Instant },
    /// It is being written.
    Kept { until: Instant },
}

impl Taking {
    fn length(&self) -> Duration {
        self.voiced.saturating_duration_since(self.began)
    }

    fn message(&self) -> Message {
        Message { id: self.id.clone(), length: self.length(), text: self.text.clone() }
    }
}

impl Call {
    /// Behind what is being said comes a tone, and then the caller's message.
    pub(super) fn take_message(&mut self, now: Instant, record: Record) {
        self.listening = None;
        self.keypad.ignore();
        self.typed_ahead = None;
        self.unheard = None;
        self.timers.clear(Timer::NoInput);
        self.timers.clear(Timer::Keypad);
        self.hearing.expect(Endpointing { end_silence_ms: PIECE_MS, ..Endpointing::default() });
        self.speaking.play(now, tone(self.rate), "", Manner::FIRM);
        self.messages += 1;
        self.message = Some(Taking {
            id: format!("{}-{}", self.log.header().id, self.messages),
            record,
            stage: Stage::Prompt,
            began: now,
            voiced: now,
            voice: Duration::ZERO,
            from: 0,
            to: u64::MAX,
            text: String::new(),
            left: false,
        });
    }

    /// Twenty milliseconds of it, silent where nothing may be recorded.
    pub(super) fn message_frame(&mut self, incoming: &Frame, sink: &mut dyn Sink) {
        if self.message.as_ref().is_none_or(|taking| taking.stage != Stage::Open) {
            return;
        }
        let silent = self.recorder.hides_caller() || incoming.rate() != self.rate;
        sink.message(if silent { &NOTHING[..self.rate.frame_len()] } else { incoming.samples() });
    }

    /// Opens it when the tone is over, and looks whether the caller is done.
    pub(super) fn message_tick(&mut self, now: Instant) {
        let (speaking, voice) = (self.hearing.is_active(), self.hearing.silence());
        let Some(taking) = &mut self.message else { return };
        match taking.stage {
            Stage::Prompt if self.phase == Phase::Script && self.speaking.is_idle() => {
                taking.stage = Stage::Open;
                (taking.began, taking.voiced) = (now, now);
                taking.from = self.hearing.position();
                let id = taking.id.clone();
                self.outbox.push_back(Output::OpenMessage { id, rate: self.rate });
            }
            Stage::Prompt => {}
            Stage::Open => {
                if speaking {
                    let silence = Duration::from_micros(voice * 1_000_000 / u64::from(self.rate.hz()));
                    taking.voiced = taking.voiced.max(now.checked_sub(silence).unwrap_or(now));
                    taking.voice += if voice == 0 { TICK } else { Duration::ZERO };
                }
                let record = &taking.record;
                let wait = if taking.voice.is_zero() { record.first_word() } else { record.silence };
                if now - taking.began >= record.longest || now - taking.voiced >= wait {
                    self.close_message(now);
                }
            }
            Stage::Words { until } => {
                if self.turns.done_before(taking.to) || now >= until {
                    self.keep_message(now);
                }
            }
            Stage::Kept { until } if now >= until => self.message_kept(now, Err("the disk did not answer".into())),
            Stage::Kept { .. } => {}
        }
    }

    /// A key ends it; before the tone and behind it a key means nothing. Whether there is a message at all.
    pub(super) fn message_ended_by_key(&mut self, now: Instant) -> bool {
        let Some(taking) = &self.message else { return false };
        if taking.stage == Stage::Open {
            self.close_message(now);
        }
        true
    }

    /// The caller is done.
    fn close_message(&mut self, now: Instant) {
        let Some(taking) = &mut self.message else { return };
        taking.stage = Stage::Words { until: now + WORDS };
        taking.to = self.hearing.position();
        self.hearing.cut();
        self.sounds(now);
    }

    /// The oldest utterance is over, and its words are there: they are the message's, and answer nothing.
    pub(super) fn dictated(&mut self, now: Instant) {
        let Some((start, end, words, features)) = self.turns.take_dictated() else { return };
        self.timers.clear(Timer::Engine);
        let words = self.line.transcript(words.trim());
        if let Some(taking) = &mut self.message
            && end > taking.from
            && start < taking.to
        {
            let separator = if taking.text.is_empty() || words.is_empty() { "" } else { " " };
            if taking.text.len() + words.len() < MOST_TEXT {
                taking.text += separator;
                taking.text += &words;
            }
            if self.phase == Phase::Script {
                self.felt(now, &features, &words);
            }
        }
        self.advance(now);
    }

    /// All of its words are there, or are given up.
    fn keep_message(&mut self, now: Instant) {
        let Some(output) = self.message_output() else { return };
        let Some(taking) = &mut self.message else { return };
        let nothing = matches!(output, Output::DropMessage { .. });
        taking.stage = Stage::Kept { until: now + DISK };
        let (id, seconds) = ((!nothing).then(|| taking.id.clone()), taking.length().as_secs_f32());
        let text = if nothing { String::new() } else { taking.text.clone() };
        self.log.event(now, id.as_ref().map_or(NO_MESSAGE.into(), |id| format!("{MESSAGE}{id}")));
        self.report(Report::Message { id, seconds, text });
        self.outbox.push_back(output);
        if nothing {
            self.deliver(now, Err(NotKept::Empty));
        }
    }

    /// What is to be done with the message as it stands; `None` before the tone.
    fn message_output(&self) -> Option<Output> {
        let taking = self.message.as_ref().filter(|taking| taking.stage != Stage::Prompt)?;
        if taking.voice < SHORTEST {
            return Some(Output::DropMessage { id: taking.id.clone() });
        }
        let header = self.log.header();
        Some(Output::KeepMessage(Box::new(MessageRecord {
            id: taking.id.clone(),
            call: header.id.clone(),
            left_ms: header.started_ms.saturating_add_unsigned(self.log.ms(taking.began)),
            caller: header.caller.clone(),
            called: header.called.clone(),
            plan: self.line.plan.name().to_owned(),
            mailbox: taking.record.mailbox.clone(),
            duration_ms: taking.length().as_millis() as u64,
            text: taking.text.clone(),
            frustration: self.line.emotion.then(|| self.frustration.score()),
            // Known once it is written.
            recording: None,
        })))
    }

    /// It is written, or could not be.
    pub(super) fn message_kept(&mut self, now: Instant, result: Result<(), String>) {
        let Some(taking) = &self.message else { return };
        let result = match (taking.stage, result) {
            (Stage::Kept { .. }, Ok(())) => Ok(taking.message()),
            (Stage::Prompt, _) | (_, Ok(())) => return,
            // A disk that is full from the beginning is known before the caller has spoken in vain.
            (_, Err(why)) => Err(NotKept::Failed(why)),
        };
        self.deliver(now, result);
    }

    /// The script goes on; without a caller only to let others know.
    fn deliver(&mut self, now: Instant, result: Result<Message, NotKept>) {
        let Some(taking) = self.message.take() else { return };
        if !taking.left && self.phase == Phase::Script {
            return self.run(now, Input::Recorded(result));
        }
        self.script.handle(Input::Recorded(result));
        while let Some(action) = self.script.poll() {
            if matches!(action, Action::Entered { .. } | Action::Notify(_) | Action::Trouble { .. }) {
                self.act(now, action);
            }
        }
        if taking.left {
            self.over(Outcome::CallerHungUp, false);
        }
    }

    /// The caller hung up: whether a message has to be kept before the call is over.
    pub(super) fn message_outlives(&mut self, now: Instant) -> bool {
        let Some(taking) = &mut self.message else { return false };
        taking.left = true;
        // Nobody is there to send to.
        self.held = true;
        match taking.stage {
            Stage::Prompt => {
                self.message = None;
                false
            }
            Stage::Open => {
                self.close_message(now);
                true
            }
            Stage::Words { .. } | Stage::Kept { .. } => true,
        }
    }

    /// The server ends the call: what was said is kept while the goodbye is.
    pub(super) fn message_breaks_off(&mut self, now: Instant) {
        match self.message.as_ref().map(|taking| taking.stage) {
            Some(Stage::Prompt) => self.message = None,
            Some(Stage::Open) => self.close_message(now),
            _ => {}
        }
    }

    /// The call is over with a message unfinished: it is kept as it stands.
    pub(super) fn keep_what_is_there(&mut self) {
        let written = self.message.as_ref().is_some_and(|taking| matches!(taking.stage, Stage::Kept { .. }));
        let output = if written { None } else { self.message_output() };
        self.outbox.extend(output);
        self.message = None;
    }
}

/// 200 ms of 1 kHz at −21 dBov, with soft edges.
fn tone(rate: Rate) -> Arc<[i16]> {
    let (hz, edge) = (rate.hz() as usize, rate.hz() as usize / 100);
    let length = hz / 5;
    let sample = |n: usize| {
        let edges = n.min(length - n).min(edge) as f32 / edge as f32;
        let phase = std::f32::consts::TAU * 1_000.0 * n as f32 / hz as f32;
        (4_000.0 * edges * phase.sin()) as i16
    };
    (0..length).map(sample).collect()
}
