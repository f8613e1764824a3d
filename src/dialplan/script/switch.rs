//! Another plan takes over in mid-call, as if its number had been dialled: another language, most often.

use super::super::lines;
use super::Action;
use super::walk::{Pause, Script, TRANSFER_COST, Wait};

impl Script {
    pub(super) fn switch(&mut self, number: &str) {
        self.wait = Wait::Switching;
        self.expect = None;
        self.spend(TRANSFER_COST);
        self.out.push_back(Action::Switch { number: number.to_owned() });
    }

    /// Whether the language of what the caller says now may let another plan take over: of their first words, while
    /// nothing has been understood, and never of a masked slot.
    pub fn heeds_language(&self) -> bool {
        self.first_words > 0 && matches!(self.wait, Wait::Pause(_)) && !self.hears_masked()
    }

    /// Whether another plan is about to take over.
    pub fn is_switching(&self) -> bool {
        self.wait == Wait::Switching
    }

    /// The language of the caller's first words.
    pub(super) fn spoken_in(&mut self, pause: Pause, tag: Option<&'static str>) {
        if !self.heeds_language() {
            return;
        }
        self.first_words -= 1;
        let plan = std::sync::Arc::clone(&self.plan);
        let Some(tag) = tag else { return };
        if let Some((_, number)) = plan.languages().find(|(other, _)| *other == tag) {
            self.first_words = 0;
            self.left = Some(pause);
            self.switch(number);
        } else if lines::tag(plan.language()) == Some(tag) {
            self.first_words = 0;
        }
    }

    /// No plan answers there, or it must not.
    pub(super) fn not_switched(&mut self, why: &str) {
        self.trouble(format!("state {}: no other plan takes over: {why}", self.state()));
        if let Some(pause) = self.left.take() {
            return self.wait_for(Wait::Pause(pause));
        }
        self.nobody_takes_over();
    }

    /// Goes on where another plan's script stopped: with what is kept of the caller, which stays the affair of the plan
    /// that took the call, and with how they feel. Before [`super::Input::Start`].
    pub fn take_over(&mut self, from: &Self) {
        self.variables.profile = from.variables.profile.clone();
        self.kept = from.kept.clone();
        self.calm_voice.clone_from(&from.calm_voice);
        self.feels = from.feels;
        // The first words of the call are said.
        self.first_words = 0;
        self.variables.frustration = from.variables.frustration;
        self.variables.mood = from.variables.mood;
        self.variables.voice = from.variables.voice;
    }
}
