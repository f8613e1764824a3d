//! From an utterance to what the script is told: recognition, understanding and the first words of the answer are worked on
//! ahead, from the first pause on; they decide how long the pause must be to be the end, and are thrown away if the caller
//! goes on.
//!
//! ```text
//! Pause ─▶ words ─▶ meaning ─▶ settle(silence) ─▶ Turn ─▶ script ─▶ answer
//!                      └─▶ the script's clone ─▶ first sentence rendered ─┘
//! Resumed ─▶ all of it is thrown away, and counted
//! ```

mod barge_in;
mod feeling;
mod first_words;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hearing::Sound;
use super::io::{Output, Report};
use super::logbook::MASKED;
use super::ports::{AbortFlag, EmbedJob, Hint, JobError, RecognizeJob, Role, Transcript, TurnEndJob, TurnId};
use super::record::{Latency, Turn};
use super::speaking::Manner;
use super::timers::Timer;
use super::understand::Meaning;
use super::{Call, Phase, TICK};
use crate::audio::Rate;
use crate::dialplan::script::{self, Patience};
use crate::nlu::{flow, text as words};
use crate::speech::commit::Streaming;
use crate::speech::emotion;
use crate::speech::prosody::Features;
use crate::speech::turn_end::{self, Evidence, Words};
use first_words::Language;

/// A partial result that comes later than this is of no use.
const PARTIAL_DEADLINE: Duration = Duration::from_millis(1_500);
/// How the voice fell is of no use later than this: the words have decided.
const TURN_END_DEADLINE: Duration = Duration::from_millis(800);
/// A final result that comes later is taken for none: the caller is asked again.
const FINAL_DEADLINE: Duration = Duration::from_secs(8);
/// Turns that may wait for understanding; a caller cannot speak faster than that.
const MOST_WAITING: usize = 4;

/// One utterance on its way to being a turn.
struct InProgress {
    id: TurnId,
    start: u64,
    /// The run of the recogniser whose result counts; a newer run has another flag.
    run: Option<Run>,
    /// The partial run that is under way, if there is one: a final one does not wait behind it, and the next partial
    /// waits for it, so that a busy machine is asked less often.
    partial: Option<AbortFlag>,
    words: Streaming,
    transcript: Option<Transcript>,
    meaning: Option<Meaning>,
    /// What is known of whether the pause is the end.
    evidence: Evidence,
    ended: Option<Ended>,
    stage: Stage,
    /// It stopped our line, but it is not sure yet that it takes the floor.
    doubtful: bool,
    /// It was a cough or a "mhm" over our line.
    ignored: bool,
    /// Words that were not said to us: what the state expected is unknown by now.
    masked: bool,
    /// Its language, where that is of interest.
    language: Language,
}

impl InProgress {
    fn new(id: TurnId, start: u64, rate: Rate, masked: bool) -> Self {
        Self {
            id,
            start,
            run: None,
            partial: None,
            words: Streaming::new(rate),
            transcript: None,
            meaning: None,
            evidence: Evidence::default(),
            ended: None,
            stage: Stage::Recognizing,
            doubtful: false,
            ignored: false,
            masked,
            language: Language::Unasked,
        }
    }
}

struct Run {
    abort: AbortFlag,
}

struct Ended {
    end: u64,
    at: Instant,
    last_speech: Instant,
    latency: Latency,
    features: Features,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Recognizing,
    Understanding { since: Instant },
    Understood { since: Instant, at: Instant },
}

/// The utterances of a call that are not answered yet, and the answer that is on its way.
#[derive(Default)]
pub(super) struct Turns {
    /// Names the next attempt at an utterance: a result of an attempt that was thrown away finds nothing.
    next: u32,
    /// Number of the next turn of the record.
    number: u32,
    waiting: VecDeque<InProgress>,
    answer: Option<Answer>,
    last_intent: Option<String>,
    /// The utterance because of whose language another plan is to take over.
    handed_over: Option<InProgress>,
    /// The prompt fell silent so long after the sound that may be an interruption began.
    silenced: Option<Duration>,
    /// What happened in the dialogue since the last utterance was felt.
    events: Vec<emotion::Event>,
}

/// The answer whose first packet with sound has not gone out yet.
struct Answer {
    last_speech: Instant,
    asked: Instant,
    rendered: Option<Instant>,
    latency: Latency,
    /// Whether it answers a turn, rather than keys.
    spoken: bool,
}

impl Turns {
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// A key was pressed: what was being said is no turn any more, and the answer is to the key.
    pub(super) fn typed(&mut self, now: Instant) {
        self.abort();
        self.answer =
            Some(Answer { last_speech: now, asked: now, rendered: None, latency: Latency::default(), spoken: false });
    }

    /// Whether something that was said in answer to a masked slot is still being worked on.
    pub(super) fn masked(&self) -> bool {
        self.waiting.iter().any(|turn| turn.masked)
    }

    /// Whether no utterance that began before `position` is still being worked on.
    pub(super) fn done_before(&self, position: u64) -> bool {
        self.waiting.iter().all(|turn| turn.start >= position)
    }

    /// The oldest utterance, which is over: where it began and ended, its words, and how it was said.
    pub(super) fn take_dictated(&mut self) -> Option<(u64, u64, String, Features)> {
        let turn = self.waiting.pop_front()?;
        let ended = turn.ended?;
        let words = turn.transcript.filter(|_| !turn.masked).unwrap_or_default();
        Some((turn.start, ended.end, words.text, ended.features))
    }

    pub(super) fn abort(&mut self) {
        for mut turn in self.waiting.drain(..) {
            turn.language.forget();
            if let Some(run) = turn.run {
                run.abort.abort();
            }
        }
    }

    /// The first sentence of a line asked for at `asked` is there.
    pub(super) fn rendered(&mut self, now: Instant, asked: Option<Instant>) {
        if let (Some(answer), Some(asked)) = (&mut self.answer, asked)
            && asked >= answer.asked
        {
            answer.rendered.get_or_insert(now);
        }
    }

    /// The answer's first line is rendered already.
    pub(super) fn ready(&mut self, now: Instant) {
        self.rendered(now, Some(now));
    }

    fn find(&mut self, id: TurnId) -> Option<&mut InProgress> {
        self.waiting.iter_mut().find(|t| t.id == id)
    }
}

impl Call {
    /// Acts on all that was heard.
    pub(super) fn sounds(&mut self, now: Instant) {
        while let Some(sound) = self.hearing.poll() {
            match sound {
                Sound::Duck => self.speaking.duck(true),
                Sound::Unduck => self.speaking.duck(false),
                Sound::Stop => self.hold(now),
                Sound::Began { start } => self.began(start),
                // Nobody waits for the words of a message while it is spoken.
                Sound::Partial(_) | Sound::Pause(_) if self.message.is_some() => {}
                Sound::Partial(pcm) => self.recognize(now, Role::Partial, pcm),
                Sound::Pause(pcm) => {
                    self.recognize(now, Role::Final, Arc::clone(&pcm));
                    self.ask_for_the_end(now, Arc::clone(&pcm));
                    self.ask_language(now, pcm);
                    self.hold_open(now);
                    self.doubt_pauses(now);
                }
                Sound::Resumed => self.resumed(),
                Sound::Turn { start, end, waited_ms, pcm } => self.turn_ended(now, start, end, waited_ms, pcm),
                Sound::Ignored => {
                    self.speaking.duck(false);
                    if let Some(run) = self.turns.waiting.pop_back().and_then(|t| t.run) {
                        run.abort.abort();
                    }
                }
            }
        }
    }

    fn began(&mut self, start: u64) {
        self.timers.clear(Timer::NoInput);
        if self.phase != Phase::Script {
            return;
        }
        if self.turns.waiting.len() == MOST_WAITING {
            self.turns.waiting.pop_front();
        }
        let id = TurnId(self.turns.next);
        self.turns.next += 1;
        let masked = self.expects_masked();
        self.turns.waiting.push_back(InProgress::new(id, start, self.rate, masked));
    }

    fn recognize(&mut self, now: Instant, role: Role, pcm: Arc<[i16]>) {
        let hint = self.listening.as_ref().map_or(Hint::Open, |_| self.hint.clone());
        let rate = self.rate;
        let Some(turn) = self.turns.waiting.back_mut().filter(|t| t.ended.is_none() || role == Role::Final) else {
            return;
        };
        let abort = AbortFlag::default();
        let pcm = match role {
            Role::Partial if turn.partial.is_some() => return,
            Role::Partial => {
                turn.partial = Some(abort.clone());
                turn.words.window(pcm)
            }
            Role::Final => {
                if let Some(partial) = &turn.partial {
                    partial.abort();
                }
                if let Some(old) = turn.run.replace(Run { abort: abort.clone() }) {
                    old.abort.abort();
                }
                pcm
            }
        };
        let deadline = now + if role == Role::Final { FINAL_DEADLINE } else { PARTIAL_DEADLINE };
        let job = RecognizeJob { turn: turn.id, role, pcm, rate, hint, deadline, abort };
        self.outbox.push_back(Output::Recognize(job));
    }

    /// What was heard before the pause may show that more must come: nobody need wait for all of the words to know it.
    fn hold_open(&mut self, now: Instant) {
        let Some(turn) = self.turns.waiting.back_mut().filter(|turn| turn.ended.is_none()) else { return };
        let text = turn.words.progress().text;
        if self.line.understanding.is_open(&text, self.listening.as_ref(), self.today) {
            turn.evidence.words = Words::Unfinished;
            let id = turn.id;
            self.settle(now, id);
        }
    }

    /// Has the sound looked at: does the voice come to an end?
    fn ask_for_the_end(&mut self, now: Instant, pcm: Arc<[i16]>) {
        let rate = self.rate;
        if let Some(turn) = self.turns.waiting.back()
            && let Some(run) = &turn.run
        {
            let (deadline, abort) = (now + TURN_END_DEADLINE, run.abort.clone());
            self.outbox.push_back(Output::TurnEnd(TurnEndJob { turn: turn.id, pcm, rate, deadline, abort }));
        }
    }

    /// How the voice came to an end, or did not. Without an answer the words decide alone.
    pub(super) fn voice_ended(&mut self, now: Instant, id: TurnId, result: Result<f32, JobError>) {
        if let (Some(turn), Ok(probability)) = (self.turns.find(id), result) {
            turn.evidence.voice = Some(probability);
            if turn.evidence.words != Words::Pending {
                self.settle(now, id);
            }
        }
    }

    /// Sets how long the pause must be to be the end, by what is known.
    fn settle(&mut self, now: Instant, id: TurnId) {
        let Some(turn) = self.turns.waiting.back().filter(|turn| turn.id == id && turn.ended.is_none()) else { return };
        let patience = self.listening.as_ref().map(|listen| listen.patience).unwrap_or_default();
        self.hearing.settle(Some(turn_end::silence_ms(turn.evidence, waits(patience))));
        self.sounds(now);
    }

    /// The pause was none: what was begun on it is worth nothing.
    fn resumed(&mut self) {
        let Some(turn) = self.turns.waiting.back_mut() else { return };
        turn.id = TurnId(self.turns.next);
        self.turns.next += 1;
        turn.transcript = None;
        turn.meaning = None;
        turn.evidence = Evidence::default();
        turn.stage = Stage::Recognizing;
        // The next pause asks for the language of all of it.
        turn.language.forget();
        // What began as a "mhm" goes on: all of its words count.
        turn.ignored = false;
        // Its words would come back under the old name.
        if let Some(partial) = turn.partial.take() {
            partial.abort();
        }
        if let Some(run) = turn.run.take() {
            run.abort.abort();
            self.speaking.forget_prepared();
            self.report(Report::ThrownAway);
        }
    }

    fn turn_ended(&mut self, now: Instant, start: u64, end: u64, waited_ms: u32, pcm: Arc<[i16]>) {
        let features = self.prosody.features(start..end);
        let last_speech = self.wire.last_speech(start, end).unwrap_or(now);
        let passed_ms = ms(now.saturating_duration_since(last_speech));
        let silence_ms = passed_ms.min(waited_ms as f32);
        let latency = Latency { silence_ms, decision_ms: passed_ms - silence_ms, ..Latency::default() };
        if self.phase != Phase::Script {
            // While the caller is with a human, only how they sound is of interest.
            self.felt(now, &features, "");
            return;
        }
        if self.turns.waiting.back().is_some_and(|turn| turn.ignored) {
            self.turns.waiting.pop_back();
            return;
        }
        let Some(turn) = self.turns.waiting.back_mut().filter(|turn| turn.ended.is_none()) else { return };
        turn.ended = Some(Ended { end, at: now, last_speech, latency, features });
        turn.start = start;
        if turn.transcript.is_none() && turn.run.is_none() {
            self.recognize(now, Role::Final, pcm);
        }
        self.timers.set(Timer::Engine, now + FINAL_DEADLINE);
        self.advance(now);
    }

    /// A recogniser's result.
    pub(super) fn recognized(
        &mut self,
        now: Instant,
        id: TurnId,
        role: Role,
        result: Result<Transcript, JobError>,
        _took: Duration,
    ) {
        let Some(turn) = self.turns.find(id) else { return };
        match (role, result) {
            (Role::Partial, Ok(transcript)) => {
                turn.partial = None;
                let (masked, progress) = (turn.masked, turn.words.heard(&transcript.text));
                if turn.ended.is_none() && !progress.text.is_empty() {
                    let committed = if masked { 0 } else { progress.committed };
                    let text = self.shown(masked, &progress.text);
                    self.report(Report::Partial { text, committed });
                }
            }
            (Role::Partial, Err(_)) => turn.partial = None,
            (Role::Final, Ok(transcript)) => {
                // A run that was aborted may still have come to its end: its words are not the whole.
                if turn.run.as_ref().is_some_and(|run| !run.abort.is_aborted()) {
                    self.words(now, id, transcript);
                }
            }
            (Role::Final, Err(JobError::Skipped)) => {}
            (Role::Final, Err(error)) => {
                turn.run = None;
                if turn.ended.is_some() {
                    self.trouble(now, format!("recognition failed: {error}; asked again"));
                    self.words(now, id, Transcript::default());
                }
            }
        }
    }

    fn words(&mut self, now: Instant, id: TurnId, transcript: Transcript) {
        let Some(turn) = self.turns.find(id) else { return };
        let text = transcript.text.clone();
        turn.transcript = Some(transcript);
        // In doubt, a listener's sound and what has no words are no interruption; a yes is one where it is waited for.
        if turn.doubtful {
            let awaited = self.line.understanding.awaits_yes_no(self.listening.as_ref());
            // Our line went on after it: it was short.
            let short = !self.speaking.is_held();
            if !text.chars().any(char::is_alphanumeric)
                || !awaited && flow::is_backchannel(&text)
                || short && !self.means_to_stop(&text)
            {
                return self.go_on(now);
            }
            self.barged_in(now);
        }
        self.advance(now);
    }

    /// Takes the oldest turn as far as it goes.
    pub(super) fn advance(&mut self, now: Instant) {
        let Some(turn) = self.turns.waiting.front_mut() else { return };
        match (turn.stage, &turn.transcript) {
            (Stage::Recognizing, Some(_)) if self.message.is_some() && turn.ended.is_some() => self.dictated(now),
            (Stage::Recognizing, _) if self.message.is_some() => {}
            (Stage::Recognizing, Some(transcript)) => {
                turn.stage = Stage::Understanding { since: now };
                let (id, text) = (turn.id, transcript.text.clone());
                match self.line.understanding.at_once(&text, self.listening.as_ref(), self.today) {
                    Some(meaning) => self.meant(now, meaning),
                    None => {
                        let job = EmbedJob { turn: id, text: words::clean(&text), deadline: now + FINAL_DEADLINE };
                        self.outbox.push_back(Output::Embed(job));
                    }
                }
            }
            (Stage::Understood { .. }, _) if turn.ended.is_some() => self.understood(now),
            _ => {}
        }
    }

    /// It is known what the oldest turn means, if it is over; else that decides how long the pause must be.
    fn meant(&mut self, now: Instant, meaning: Meaning) {
        let Some(turn) = self.turns.waiting.front_mut() else { return };
        let Stage::Understanding { since } = turn.stage else { return };
        turn.stage = Stage::Understood { since, at: now };
        let text = turn.transcript.as_ref().map(|t| t.text.clone()).unwrap_or_default();
        turn.meaning = Some(meaning.clone());
        if turn.ended.is_some() {
            return self.understood(now);
        }
        turn.evidence.words = self.line.understanding.completeness(&text, &meaning, self.listening.as_ref());
        let id = turn.id;
        self.prepare(now, meaning.into_heard(text));
        self.settle(now, id);
    }

    /// Renders the first words of what the script would answer.
    fn prepare(&mut self, now: Instant, heard: script::Heard) {
        if self.listening.is_none() || self.phase != Phase::Script {
            return;
        }
        let mut ahead = self.script.clone();
        ahead.handle(script::Input::Heard(heard));
        while let Some(action) = ahead.poll() {
            match action {
                script::Action::Entered { .. } | script::Action::Trouble { .. } => {}
                script::Action::Say(say) if say.clip.is_none() => {
                    self.speaking.prepare(now, &say.text, Manner::of(&say));
                    return;
                }
                _ => return,
            }
        }
    }

    /// An embedding.
    pub(super) fn embedded(&mut self, now: Instant, id: TurnId, result: Result<Arc<[f32]>, JobError>, _took: Duration) {
        let Some(turn) = self.turns.waiting.front().filter(|t| t.id == id) else { return };
        let text = turn.transcript.as_ref().map(|t| t.text.clone()).unwrap_or_default();
        let meaning = match result {
            Ok(vector) => self.line.understanding.by_vector(&text, &vector, self.listening.as_ref(), self.today),
            Err(error) => {
                self.trouble(now, format!("understanding failed: {error}; asked again"));
                Meaning::default()
            }
        };
        self.meant(now, meaning);
    }

    /// The oldest turn is over and understood, as far as it can be: the script hears of it.
    fn understood(&mut self, now: Instant) {
        if self.message.is_some() {
            return self.dictated(now);
        }
        if self.awaits_language(now) || self.goes_on_in_its_language(now) {
            return;
        }
        let Some(turn) = self.turns.waiting.pop_front() else { return };
        let (Some(ended), Some(transcript)) = (turn.ended, turn.transcript) else { return };
        let meaning = turn.meaning.unwrap_or_default();
        self.timers.clear(Timer::Engine);
        self.timers.clear(Timer::Language);
        // The other plan has asked its question: what means nothing there is no answer to it.
        if matches!(turn.language, Language::HandedOver) && meaning.is_nothing() {
            return self.advance(now);
        }
        let (since, at) = match turn.stage {
            Stage::Understood { since, at } => (since.max(ended.at), at.max(ended.at)),
            Stage::Understanding { since } => (since.max(ended.at), now),
            Stage::Recognizing => (now, now),
        };
        let recognition_ms = ms(since.saturating_duration_since(ended.at));
        let understanding_ms = ms(at.saturating_duration_since(since));
        let heard = self.shown(turn.masked, &transcript.text);
        self.report(Report::Heard { text: heard, confidence: transcript.confidence, recognition_ms });
        let intent = meaning.intent.map(|(index, _)| self.line.plan.intents()[index].name.clone());
        let score = meaning.intent.map_or(0.0, |(_, score)| score);
        self.report(Report::Understood { intent: intent.clone(), score, took_ms: understanding_ms });
        self.dialogue_events(&meaning, intent.as_deref(), &transcript.text);
        let reasons = self.felt(now, &ended.features, &transcript.text);
        let latency = Latency { recognition_ms, understanding_ms, ..ended.latency };
        let record = Turn {
            turn: self.turns.number,
            state: self.script.state().to_owned(),
            start_ms: self.log.ms(self.hearing.instant(turn.start)),
            end_ms: self.log.ms(self.hearing.instant(ended.end)),
            text: self.shown(turn.masked || self.holds_masked(&meaning), &transcript.text),
            confidence: transcript.confidence,
            intent,
            intent_score: score,
            frustration: self.line.emotion.then(|| self.frustration.score()),
            reasons,
            answer: String::new(),
            latency,
        };
        self.log.turn(record);
        self.turns.number += 1;
        self.turns.answer =
            Some(Answer { last_speech: ended.last_speech, asked: now, rendered: None, latency, spoken: true });
        self.tell_script(now, meaning.into_heard(transcript.text));
        if self.turns.waiting.front().is_some() {
            self.advance(now);
        }
    }

    /// Whether what was understood is (in part) a masked slot's value.
    fn holds_masked(&self, meaning: &Meaning) -> bool {
        let plan = &self.line.plan;
        meaning.slot.is_some() && self.expects_masked()
            || meaning.slots.iter().any(|(slot, _)| plan.slots().get(*slot).is_some_and(|slot| slot.mask))
    }

    fn tell_script(&mut self, now: Instant, heard: script::Heard) {
        match self.listening.take() {
            Some(_) => self.run(now, script::Input::Heard(heard)),
            // The script is busy (a look-up): what was said meanwhile is not lost, but waits for its turn.
            None => self.unheard = Some(heard),
        }
    }

    /// The oldest turn was not understood in time: the caller is asked again rather than left in silence.
    pub(super) fn engine_late(&mut self, now: Instant) {
        let Some(turn) = self.turns.waiting.front_mut().filter(|t| t.ended.is_some()) else { return };
        if let Some(run) = turn.run.take() {
            run.abort.abort();
        }
        turn.transcript.get_or_insert_with(Transcript::default);
        turn.meaning = None;
        turn.language.forget();
        turn.stage = Stage::Recognizing;
        self.trouble(now, "understanding took too long; asked again".to_owned());
        self.understood(now);
    }

    /// The first packet with sound of an answer goes out.
    pub(super) fn answered(&mut self, now: Instant) {
        let Some(answer) = self.turns.answer.take() else { return };
        let mut latency = answer.latency;
        let rendered = answer.rendered.unwrap_or(now);
        latency.synthesis_ms = ms(rendered.saturating_duration_since(answer.asked));
        latency.playout_ms = ms(now.saturating_duration_since(rendered));
        latency.total_ms = ms(now.saturating_duration_since(answer.last_speech));
        if answer.spoken
            && let Some(turn) = self.log.last_turn()
        {
            turn.latency = latency;
        }
        self.report(Report::Answered { latency, keys: !answer.spoken });
    }

    pub(super) fn trouble(&mut self, now: Instant, what: String) {
        self.log.event(now, what.clone());
        self.report(Report::Trouble { what });
    }

    /// Words as they may be shown and stored.
    fn shown(&self, masked: bool, text: &str) -> String {
        if masked { MASKED.to_owned() } else { self.line.transcript(text) }
    }
}

/// By what factor a patient state waits.
pub(super) fn waits(patience: Patience) -> f32 {
    match patience {
        Patience::Low => 0.7,
        Patience::Normal => 1.0,
        Patience::High => 2.0,
    }
}

pub(super) fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1_000.0
}

// A tick is the grain of all of this.
const _: () = assert!(TICK.as_millis() == 20);
