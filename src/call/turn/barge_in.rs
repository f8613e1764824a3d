//! Speech over our line: it is held at the second window of it, and the words decide whether it goes on from where it was
//! or the caller has the floor.

use std::time::{Duration, Instant};

use super::ms;
use crate::call::io::Report;
use crate::call::timers::Timer;
use crate::call::{Call, Phase};
use crate::dialplan::script;
use crate::nlu::flow;
use crate::speech::emotion;

/// A sound over our line that pauses sooner is a listener's until its words say otherwise: our line goes on meanwhile.
const SHORT: Duration = Duration::from_millis(700);
/// Speech over our line that lasts this long takes the floor whatever its words are.
const DOUBT: Duration = Duration::from_millis(900);

impl Call {
    /// The caller speaks over our line: it is held until it is sure whether they take the floor.
    pub(super) fn hold(&mut self, now: Instant) {
        self.speaking.duck(false);
        self.wire.interrupted(now);
        self.turns.silenced = None;
        if self.phase != Phase::Script {
            // Nobody listens for words now, so that there is nothing to be in doubt about.
            return self.interrupt(now);
        }
        self.speaking.hold(true);
        self.timers.set(Timer::Doubt, now + DOUBT);
        if let Some(turn) = self.turns.waiting.back_mut() {
            turn.doubtful = true;
            turn.ignored = false;
        }
    }

    /// They do.
    pub(super) fn barged_in(&mut self, now: Instant) {
        self.timers.clear(Timer::Doubt);
        if let Some(turn) = self.turns.waiting.back_mut() {
            turn.doubtful = false;
        }
        self.interrupt(now);
        if let Some(after) = self.turns.silenced.take() {
            self.silenced(after);
        }
        self.turns.events.push(emotion::Event::Interruption);
        self.log.event(now, "the caller interrupted");
        self.run(now, script::Input::Interrupted);
    }

    /// Our line has fallen silent, so long after the first packet of the sound that stopped it.
    pub(in crate::call) fn silenced(&mut self, after: Duration) {
        if self.speaking.is_held() {
            self.turns.silenced = Some(after);
        } else {
            self.report(Report::Interrupted { after_ms: ms(after) });
        }
    }

    /// A sound over our line pauses. If it was short our line goes on at once, from where it was; should the words turn out
    /// to be meant for us, it stops again.
    pub(super) fn doubt_pauses(&mut self, now: Instant) {
        let Some(turn) = self.turns.waiting.back().filter(|turn| turn.doubtful) else { return };
        let spoke = self.hearing.position().saturating_sub(self.hearing.silence() + turn.start);
        if self.length(spoke) < SHORT {
            self.resume_line();
            self.log.event(now, "our line goes on after a short sound over it");
        }
    }

    /// Whether what was said shortly over our line is meant to stop it: more than one word that says something, or one that
    /// does so here.
    pub(super) fn means_to_stop(&self, text: &str) -> bool {
        let understanding = &self.line.understanding;
        flow::telling_words(text) > 1
            || flow::is_stop(text)
            || understanding.at_once(text, self.listening.as_ref(), self.today).is_some_and(|m| !m.is_nothing())
    }

    /// How long so many samples are.
    fn length(&self, samples: u64) -> Duration {
        Duration::from_micros(samples * 1_000_000 / u64::from(self.rate.hz()))
    }

    /// Our line goes on from where it was held.
    fn resume_line(&mut self) {
        if self.speaking.is_held() {
            self.speaking.hold(false);
            self.hearing.we_start(self.speaking.interruptible());
            self.report(Report::WentOn);
        }
    }

    /// The time of doubt is over: whoever still speaks takes the floor; whoever does not is known by their words.
    pub(in crate::call) fn doubt_over(&mut self, now: Instant) {
        if self.turns.waiting.back().is_some_and(|turn| turn.doubtful) {
            if self.hearing.silence() == 0 && self.hearing.is_active() || self.speaking.is_held() {
                self.barged_in(now);
            }
        } else if self.speaking.is_held() {
            self.go_on(now);
        }
    }

    /// They do not: our line goes on from where it was.
    pub(super) fn go_on(&mut self, now: Instant) {
        self.timers.clear(Timer::Doubt);
        self.resume_line();
        self.turns.silenced = None;
        self.log.event(now, "our line went on after a sound that was no interruption");
        let Some(turn) = self.turns.waiting.back_mut() else { return };
        turn.doubtful = false;
        turn.ignored = true;
        if turn.ended.is_some() {
            self.turns.waiting.pop_back();
            self.timers.clear(Timer::Engine);
        }
    }
}
