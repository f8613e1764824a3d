//! The language of a caller's first words: asked beside their recognition where the plan names other languages. Where it is
//! surely one of them, the plan that speaks it takes over, and what was said is heard again there.
//!
//! ```text
//! Pause ─▶ words ─▶ meaning ───────────────▶ end of the turn ─▶ language? ─▶ own, unsure, late: a turn as ever
//!   └────▶ LanguageJob ─▶ which, how sure ────────────────────────┘   └─▶ another: Switch ─▶ heard again there
//! ```
//! The sound is held until the turn is answered, by the one plan or the other, and goes with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Call, FINAL_DEADLINE, InProgress, Phase, Run, TurnId, Turns};
use crate::call::io::{Output, Report};
use crate::call::ports::{AbortFlag, Hint, JobError, LanguageJob, RecognizeJob, Role, Spoken};
use crate::call::timers::Timer;
use crate::dialplan::{Plan, script};

/// What an utterance holds beside its speech at a pause: 300 ms before it and 64 ms behind it.
const AROUND_MS: usize = 364;
/// Shorter speech does not tell a language: a "hello", a name, a cough.
const LEAST_SPEECH_MS: usize = 1_000;
/// Another plan takes over only if its language is this likely: see benches/README.md for what that costs and saves.
const SURE: f32 = 0.95;
/// An answer waits for the language by so much at most, from when all else is known; one that was understood does not.
const PATIENCE: Duration = Duration::from_millis(300);
/// A language that is told later than this is of no use.
const DEADLINE: Duration = Duration::from_secs(2);

/// What is known of the language of an utterance.
#[derive(Debug, Default)]
pub(super) enum Language {
    /// Nobody wants to know.
    #[default]
    Unasked,
    /// The engine looks at this sound.
    Asked { pcm: Arc<[i16]>, abort: AbortFlag },
    /// What it found, if it could tell.
    Told { pcm: Arc<[i16]>, spoken: Option<Spoken> },
    /// Another plan took over because of it.
    HandedOver,
}

impl Language {
    /// Nobody wants to know any more; the sound goes.
    pub(super) fn forget(&mut self) {
        if let Self::Asked { abort, .. } = self {
            abort.abort();
        }
        *self = Self::Unasked;
    }
}

impl Turns {
    /// Where the utterance began that is still being spoken, if one is and another waits for its language's plan.
    pub(in crate::call) fn begun(&self) -> Option<u64> {
        let turn = self.waiting.back().filter(|turn| turn.ended.is_none())?;
        self.handed_over.is_some().then_some(turn.start)
    }
}

impl Call {
    /// Has the language of the utterance looked at, where it may matter.
    pub(super) fn ask_language(&mut self, now: Instant, pcm: Arc<[i16]>) {
        let heeds = self.phase == Phase::Script && self.listening.is_some() && self.script.heeds_language();
        let ms = pcm.len() * 1_000 / self.rate.hz() as usize;
        if !heeds || ms < AROUND_MS + LEAST_SPEECH_MS || self.turns.waiting.len() != 1 {
            return;
        }
        let Some(turn) = self.turns.waiting.back_mut().filter(|turn| turn.ended.is_none() && !turn.masked) else {
            return;
        };
        turn.language.forget();
        let abort = AbortFlag::default();
        turn.language = Language::Asked { pcm: Arc::clone(&pcm), abort: abort.clone() };
        let plan = &self.line.plan;
        let own = Plan::heard_language(plan.language()).into_iter();
        let among = own.chain(plan.languages().map(|(tag, _)| tag)).collect();
        let (turn, rate, deadline) = (turn.id, self.rate, now + DEADLINE);
        self.outbox.push_back(Output::Language(LanguageJob { turn, pcm, rate, among, deadline, abort }));
    }

    /// The engine's answer, or why there is none: then the call goes on in its own language.
    pub(in crate::call) fn language_told(&mut self, now: Instant, id: TurnId, result: Result<Spoken, JobError>) {
        let Some(turn) = self.turns.find(id) else { return };
        let Language::Asked { pcm, .. } = std::mem::take(&mut turn.language) else { return };
        turn.language = Language::Told { pcm, spoken: result.ok() };
        if self.timers.is_set(Timer::Language) {
            self.timers.clear(Timer::Language);
            self.advance(now);
        }
    }

    /// The answer waits no longer.
    pub(in crate::call) fn language_late(&mut self, now: Instant) {
        if let Some(turn) = self.turns.waiting.front_mut() {
            turn.language.forget();
            self.advance(now);
        }
    }

    /// Whether the oldest turn, which is over, waits for its language. What was understood does not.
    pub(super) fn awaits_language(&mut self, now: Instant) -> bool {
        let heeds = self.listening.is_some() && self.script.heeds_language();
        let Some(turn) = self.turns.waiting.front_mut() else { return false };
        let nothing = turn.meaning.as_ref().is_none_or(|meaning| meaning.is_nothing());
        match turn.language {
            Language::Asked { .. } if heeds && nothing => {
                if !self.timers.is_set(Timer::Language) {
                    self.timers.set(Timer::Language, now + PATIENCE);
                }
                true
            }
            Language::Told { .. } if heeds && nothing => false,
            Language::HandedOver => false,
            _ => {
                turn.language.forget();
                false
            }
        }
    }

    /// Whether the oldest turn, which is over, is another plan's because of its language: then that one is on its way.
    pub(super) fn goes_on_in_its_language(&mut self, now: Instant) -> bool {
        let Some(turn) = self.turns.waiting.front() else { return false };
        let Language::Told { spoken, .. } = turn.language else { return false };
        if let Some(Spoken { language, probability }) = spoken {
            self.report(Report::Language { language, probability });
        }
        let sure = spoken.filter(|spoken| spoken.probability >= SURE).map(|spoken| spoken.language);
        self.run(now, script::Input::Language(sure));
        if !self.script.is_switching() {
            self.turns.waiting.iter_mut().take(1).for_each(|turn| turn.language.forget());
            return false;
        }
        if let Some(Spoken { language, probability }) = spoken {
            self.log.event(now, format!("the caller's first words are in {language} ({probability:.2})"));
        }
        self.listening = None;
        self.timers.clear(Timer::Engine);
        self.timers.clear(Timer::NoInput);
        self.turns.handed_over = self.turns.waiting.pop_front();
        true
    }

    /// The other plan has begun: what was said to the first is heard by its ears. `begun` is where the caller has begun to
    /// go on meanwhile.
    pub(in crate::call) fn hear_again(&mut self, now: Instant, begun: Option<u64>) {
        let Some(turn) = self.turns.handed_over.take() else { return };
        let Language::Told { pcm, .. } = turn.language else { return };
        if self.phase != Phase::Script {
            return;
        }
        let id = TurnId(self.turns.next);
        self.turns.next += 1;
        let (masked, abort) = (self.expects_masked(), AbortFlag::default());
        let mut again = InProgress::new(id, turn.start, self.rate, masked);
        again.ended = turn.ended;
        again.run = Some(Run { abort: abort.clone() });
        again.language = Language::HandedOver;
        self.turns.waiting.push_back(again);
        let hint = self.listening.as_ref().map_or(Hint::Open, |_| self.hint.clone());
        let (role, rate, deadline) = (Role::Final, self.rate, now + FINAL_DEADLINE);
        self.outbox.push_back(Output::Recognize(RecognizeJob { turn: id, role, pcm, rate, hint, deadline, abort }));
        self.timers.set(Timer::Engine, deadline);
        if let Some(start) = begun {
            self.began(start);
        }
    }

    /// No plan took over: the words are taken as they were heard.
    pub(in crate::call) fn keep_own_language(&mut self, now: Instant) {
        if let Some(mut turn) = self.turns.handed_over.take() {
            turn.language.forget();
            self.turns.waiting.push_front(turn);
            self.advance(now);
        }
    }
}
