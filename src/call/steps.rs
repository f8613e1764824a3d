//! Runs the script: its actions become speech, waiting, fetches and hand-overs; keys and silence become its inputs.

use std::sync::Arc;
use std::time::Instant;

use super::hearing::Hearing;
use super::io::{Output, Report};
use super::line::Line;
use super::logbook::MASKED;
use super::ports::Hint;
use super::record::Outcome;
use super::speaking::Manner;
use super::timers::Timer;
use super::turn::waits;
use super::{Call, Phase, services};
use crate::dialplan::script::{Action, Expect, Input, Listen, Script, Thought};
use crate::nlu::keypad::Entry;
use crate::speech::emotion;
use crate::speech::utterance::Endpointing;

/// Plans that may take over from each other in one call: two that send callers back and forth are stopped there.
const MOST_SWITCHES: u32 = 8;

impl Call {
    /// Tells the script, and does what it says.
    pub(super) fn run(&mut self, now: Instant, input: Input) {
        self.script.handle(input);
        while let Some(action) = self.script.poll() {
            self.act(now, action);
        }
        self.resume(now);
    }

    pub(super) fn act(&mut self, now: Instant, action: Action) {
        match action {
            Action::Entered { state } => {
                self.log.event(now, format!("state {state}"));
                self.report(Report::State { state });
            }
            Action::Say(say) => {
                let clip = say.clip.as_ref().and_then(|clip| self.line.clip(clip, self.rate));
                let ready = match clip {
                    Some(clip) => {
                        self.speaking.play(now, clip, &say.text, Manner::of(&say));
                        true
                    }
                    None => self.speaking.say(now, &say.text, Manner::of(&say)),
                };
                if ready {
                    self.turns.ready(now);
                }
            }
            Action::Listen(listen) => self.listen(now, listen),
            Action::Trouble { what } => self.trouble(now, what),
            Action::Fetch(fetch) => match services::prepare(fetch, &self.line.secrets) {
                Ok(request) => self.outbox.push_back(Output::Fetch(request)),
                // The script goes on at once: its further actions come out of the loop that runs this one.
                Err(why) => self.script.handle(Input::Fetched(Err(why))),
            },
            Action::Think(think) => match services::question(&think, &self.line.models) {
                Ok(request) => self.outbox.push_back(Output::Think(request)),
                Err(why) => self.script.handle(Input::Thought(Thought::Failed(why))),
            },
            Action::Notify(fetch) => match services::prepare(fetch, &self.line.secrets) {
                Ok(request) => self.outbox.push_back(Output::Notify(request)),
                Err(why) => self.trouble(now, format!("a notice was not sent: {why}")),
            },
            Action::CallBack(wish) => {
                self.log.event(now, format!("a call back is asked for, on {}", wish.due));
                let header = self.log.header();
                let (caller, called) = (header.caller.clone(), header.called.clone());
                let plan = self.line.plan.name().to_owned();
                self.outbox.push_back(Output::Book { wish, caller, called, plan });
            }
            Action::Record(record) => self.take_message(now, record),
            Action::Transfer(transfer) => self.transfer(now, transfer),
            Action::Switch { number } => self.outbox.push_back(Output::Switch { number }),
            Action::End => {
                self.log.outcome(Outcome::Completed);
                self.goodbye(now);
            }
        }
    }

    /// Another line takes over, as if its number had been dialled: from here on the caller is heard, understood and
    /// answered as there. What is being said is said to its end.
    pub(super) fn switched(&mut self, now: Instant, line: Result<Arc<Line>, String>) {
        self.switches += 1;
        let line = line.and_then(|line| {
            let often = self.switches > MOST_SWITCHES;
            if often { Err(format!("a call switches {MOST_SWITCHES} times at most")) } else { Ok(line) }
        });
        let line = match line {
            Ok(line) => line,
            Err(why) => return self.not_switched(now, why),
        };
        // A menu of keys alone had no ears.
        if line.hears() && !self.line.hears() {
            if let Err(error) = self.leg.listen(now) {
                return self.not_switched(now, error.to_string());
            }
            self.hearing = Hearing::new(now, self.rate);
        }
        let mut script = Script::new(Arc::clone(&line.plan), self.log.header().local);
        script.take_over(&self.script);
        let what = format!("switched to the plan {} ({})", line.plan.name(), line.plan.language());
        self.log.event(now, what);
        self.listening = None;
        self.typed_ahead = None;
        self.unheard = None;
        self.keypad.ignore();
        self.timers.clear(Timer::NoInput);
        self.timers.clear(Timer::Keypad);
        // Words that were begun belong to the other language's ears.
        let begun = self.turns.begun();
        self.turns.abort();
        self.speaking.speak_as(line.voice(), line.plan.lexicon());
        (self.script, self.line) = (script, line);
        let caller = self.caller_fields();
        self.run(now, Input::Start { caller });
        self.hear_again(now, begun);
    }

    fn not_switched(&mut self, now: Instant, why: String) {
        self.run(now, Input::NotSwitched(why));
        self.keep_own_language(now);
    }

    fn listen(&mut self, now: Instant, listen: Listen) {
        self.hint = self.line.understanding.hint(&listen.expect, &self.script.names());
        let usual =
            if matches!(self.hint, Hint::Digits { .. }) { Endpointing::digits() } else { Endpointing::default() };
        let end_silence_ms = (usual.end_silence_ms as f32 * waits(listen.patience)) as u32;
        self.hearing.expect(Endpointing { end_silence_ms, ..usual });
        self.timers.clear(Timer::NoInput);
        self.timers.clear(Timer::Keypad);
        let rule = self.line.understanding.entry_rule(&listen.expect);
        self.listening = Some(listen);
        match rule {
            Some(rule) => self.typed_ahead = self.keypad.expect(now, rule),
            None => self.keypad.ignore(),
        }
    }

    /// What was said or typed before the script listened is taken now.
    fn resume(&mut self, now: Instant) {
        if self.listening.is_none() {
            return;
        }
        if let Some(heard) = self.unheard.take() {
            self.listening = None;
            self.run(now, Input::Heard(heard));
        } else if let Some(entry) = self.typed_ahead.take() {
            self.typed(now, entry);
        } else if let Some(deadline) = self.keypad.deadline() {
            self.timers.set(Timer::Keypad, deadline);
        }
    }

    /// A key, by telephone-event or SIP INFO.
    pub(super) fn key(&mut self, now: Instant, key: char) {
        if self.phase != Phase::Script || self.message_ended_by_key(now) {
            return;
        }
        if !self.keypad.collects_number() && self.mashing.press(now, key) && self.line.emotion {
            self.frustration.event(emotion::Event::KeypadMashing);
            self.signal();
        }
        let before = self.keypad.is_collecting();
        let entry = self.keypad.press(now, key);
        // A key that is swallowed, or typed ahead, interrupts nothing.
        if self.listening.is_none() || entry.is_none() && !before && !self.keypad.is_collecting() {
            return;
        }
        self.timers.clear(Timer::NoInput);
        self.interrupt(now);
        match (entry, self.keypad.deadline()) {
            (Some(entry), _) => self.typed(now, entry),
            (None, Some(deadline)) => self.timers.set(Timer::Keypad, deadline),
            (None, None) => {}
        }
    }

    pub(super) fn keypad_expired(&mut self, now: Instant) {
        if let Some(entry) = self.keypad.expire(now) {
            self.typed(now, entry);
        }
    }

    fn typed(&mut self, now: Instant, entry: Entry) {
        self.timers.clear(Timer::Keypad);
        self.keypad.ignore();
        let keys = if self.expects_masked() { MASKED.to_owned() } else { entry.keys.clone() };
        self.log.event(now, format!("keys {keys}"));
        self.report(Report::Keys { keys });
        self.turns.typed(now);
        if self.listening.take().is_some() {
            self.run(now, Input::Keys(entry.keys));
        }
    }

    /// The caller said nothing in time.
    pub(super) fn no_input(&mut self, now: Instant) {
        if self.listening.take().is_none() {
            return;
        }
        self.keypad.ignore();
        self.log.event(now, "no input");
        if self.line.emotion {
            self.frustration.event(emotion::Event::NoInput);
            self.signal();
        }
        self.run(now, Input::NoInput);
    }

    /// Whether what is expected or said now may not be recorded.
    pub(super) fn masking(&self) -> bool {
        self.expects_masked() || self.speaking.masked() || self.turns.masked()
    }

    /// Whether a masked slot is being asked for.
    pub(super) fn expects_masked(&self) -> bool {
        self.listening.is_some() && self.script.hears_masked()
    }

    /// Whether the state waits for keys alone, so that nobody need listen for speech.
    pub(super) fn keys_only(&self) -> bool {
        self.listening.as_ref().is_some_and(|listen| {
            listen.intents.is_empty()
                && listen.knowledge.is_empty()
                && matches!(&listen.expect, Expect::Intents { keys, .. } if !keys.is_empty())
        })
    }
}
