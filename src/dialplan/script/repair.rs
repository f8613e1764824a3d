//! When it does not go as planned: the ladder of repair, knowledge answers, handing over, and failures with a defined,
//! audible end.

use std::sync::Arc;

use super::super::lines;
use super::super::plan::{Ask, Step};
use super::TransferFailure;
use super::understand::Meaning;
use super::walk::{Back, Pause, Script, Wait};

/// Misses in a row after which the script gives up, whatever the plan says, and whether or not a human could be had
/// meanwhile: nobody is asked for ever, and a line without a caller rings nobody for ever.
const MAX_MISSES: u32 = 8;

impl Script {
    /// Checks the handover rules, the state's first; true when one holds and the caller is being put through.
    pub(super) fn hand_over(&mut self, pause: Pause) -> bool {
        let plan = Arc::clone(&self.plan);
        let rules = plan.states[self.state].shared.rules.iter().chain(&plan.shared.rules);
        for &at in rules {
            let rule = &plan.rules[at];
            let holds = self.holds(&rule.when);
            if !holds {
                self.spent[at] = false;
            } else if !self.spent[at] {
                let reason = rule.reason.as_ref().and_then(|words| self.filled(words)).map(|(text, _)| text);
                let reason = reason.unwrap_or_else(|| self.rule_reason(&rule.when));
                if let Some(say) = &rule.say {
                    self.say(say, true);
                }
                self.put_through(rule.to.clone(), reason, Back::Wait(pause, Some(at)));
                return true;
            }
        }
        false
    }

    /// Nobody took the call: that is said, and the script goes on where it can.
    pub(super) fn transfer_failed(&mut self, back: Back, failure: TransferFailure) {
        let plan = Arc::clone(&self.plan);
        self.say_line(lines::failure(failure));
        match back {
            Back::Wait(pause, rule) => {
                self.variables.misses = 0;
                self.meant = None;
                if let Some(at) = rule {
                    // A rule that still holds would ring again at once; it rests until it has been false.
                    self.spent[at] = self.holds(&plan.rules[at].when);
                }
                self.say_line(lines::GO_ON);
                self.again(pause);
            }
            Back::Step => self.nobody_takes_over(),
            Back::Nowhere => self.farewell(lines::CALL_LATER),
        }
    }

    /// Nobody else takes the caller: on to where the step says, or to the next one; without either a goodbye.
    pub(super) fn nobody_takes_over(&mut self) {
        let plan = Arc::clone(&self.plan);
        let steps = &plan.states[self.state].steps;
        let failed = match steps.get(self.step).map(|guarded| &guarded.step) {
            Some(Step::Transfer { failed, .. } | Step::Switch { failed, .. }) => *failed,
            _ => None,
        };
        match failed {
            Some(state) => self.enter(state),
            None if self.step + 1 < steps.len() => {
                self.step += 1;
                self.run();
            }
            None => self.farewell(lines::CALL_LATER),
        }
    }

    /// A listening state that heard nothing, or nothing that it knows: the next wording; past the last one the keys,
    /// then a human, are offered.
    pub(super) fn missed(&mut self, said: usize, offered: bool) {
        let plan = Arc::clone(&self.plan);
        let state = &plan.states[self.state];
        if self.variables.unheard >= MAX_MISSES {
            return self.lost();
        }
        if let Some(otherwise) = state.otherwise {
            return self.enter(otherwise);
        }
        let wordings = match state.steps.get(self.step).map(|guarded| &guarded.step) {
            Some(Step::Listen { wordings, .. }) => wordings.as_slice(),
            _ => &[],
        };
        let said = said + 1;
        let past = (said + 1).saturating_sub(wordings.len().max(1));
        let keys = plan.keys_line(state);
        let rung = if keys.is_empty() { past + 1 } else { past };
        if rung >= 2 && past >= 1 && !offered && plan.human.is_some() {
            return self.offer(Pause::Listening { said, offered: true });
        }
        if let Some(wording) = wordings.get(said).or(wordings.last()) {
            self.say(wording, true);
        }
        if past == 1 && !keys.is_empty() {
            self.say_text(keys, true, false);
        }
        self.wait_for(Wait::Pause(Pause::Listening { said, offered }));
    }

    /// A question that was asked often enough.
    pub(super) fn given_up(&mut self, ask: &Ask) {
        match ask.failed {
            Some(state) => self.enter(state),
            None => self.lost(),
        }
    }

    /// Says the current wording once more, and waits.
    pub(super) fn again(&mut self, pause: Pause) {
        let plan = Arc::clone(&self.plan);
        match (plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step), pause) {
            (Some(Step::Listen { wordings, .. }), Pause::Listening { said, .. }) => {
                if let Some(wording) = wordings.get(said).or(wordings.last()) {
                    self.say(wording, true);
                }
                self.wait_for(Wait::Pause(pause));
            }
            (Some(Step::Ask(ask)), Pause::Asking { item, tries, stage }) => self.asked_again(ask, item, tries, stage),
            // A pause is only ever made at its own kind of step.
            _ => self.broken(),
        }
    }

    /// A knowledge entry: its first answer, asked again the next, and after the last a human is offered.
    pub(super) fn answer(&mut self, pause: Pause, entry: usize) {
        let plan = Arc::clone(&self.plan);
        let answers = &plan.knowledge[entry].answers;
        let count = self.answered[entry];
        self.answered[entry] += 1;
        if count >= answers.len() && plan.human.is_some() {
            return self.offer(pause);
        }
        if let Some(answer) = answers.get(count).or(answers.last()) {
            self.say(answer, true);
        }
        self.again(pause);
    }

    /// Offers a human.
    fn offer(&mut self, pause: Pause) {
        self.say_line(lines::OFFER);
        self.wait_for(Wait::Offering(pause));
    }

    /// The answer to the offer.
    pub(super) fn offered(&mut self, pause: Pause, meaning: Meaning) {
        match (meaning, self.plan.human.clone()) {
            (Meaning::Yes, Some(target)) => {
                self.variables.misses = 0;
                self.expect = None;
                self.say_line(lines::OFFER_TAKEN);
                self.put_through(target, "the caller accepted the offer of a person".into(), Back::Wait(pause, None));
            }
            (Meaning::No, _) => {
                self.variables.misses = 0;
                self.again(pause);
            }
            // Anything else is taken as if the offer had not been made.
            (meaning, _) => self.turn(pause, meaning),
        }
    }

    /// The script cannot help this caller.
    fn lost(&mut self) {
        self.leave(lines::LOST_HUMAN, lines::LOST_END, "the caller was not understood");
    }

    /// The plan, or something that it relies on, failed.
    pub(super) fn broken(&mut self) {
        self.leave(lines::SORRY_HUMAN, lines::SORRY_END, "the automatic service failed");
    }

    /// To a human where there is one, or to the end.
    fn leave(&mut self, to_human: &str, to_end: &str, reason: &str) {
        match self.plan.human.clone() {
            Some(target) => {
                self.say_line(to_human);
                self.put_through(target, reason.to_string(), Back::Nowhere);
            }
            None => self.farewell(to_end),
        }
    }

    /// A goodbye, which is never cut off.
    pub(super) fn farewell(&mut self, line: &str) {
        let line = lines::in_language(line, &self.plan.language).to_string();
        self.say_text(line, false, false);
        self.end();
    }
}
