//! Another plan takes over in mid-call, as if its number had been dialled: another language, most often.

use super::Action;
use super::walk::{Script, TRANSFER_COST, Wait};

impl Script {
    pub(super) fn switch(&mut self, number: &str) {
        self.wait = Wait::Switching;
        self.expect = None;
        self.spend(TRANSFER_COST);
        self.out.push_back(Action::Switch { number: number.to_owned() });
    }

    /// No plan answers there, or it must not.
    pub(super) fn not_switched(&mut self, why: &str) {
        self.trouble(format!("state {}: no other plan takes over: {why}", self.state()));
        self.nobody_takes_over();
    }

    /// Goes on where another plan's script stopped: with what is kept of the caller, which stays the affair of the plan
    /// that took the call, and with how they feel. Before [`super::Input::Start`].
    pub fn take_over(&mut self, from: &Self) {
        self.variables.profile = from.variables.profile.clone();
        self.kept = from.kept.clone();
        self.calm_voice.clone_from(&from.calm_voice);
        self.feels = from.feels;
        self.variables.frustration = from.variables.frustration;
        self.variables.mood = from.variables.mood;
        self.variables.voice = from.variables.voice;
    }
}
