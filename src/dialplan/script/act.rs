//! Doing what a step says, and what a turn meant.

use std::sync::Arc;

use super::super::markup;
use super::super::plan::{Assigned, Route, Step};
use super::understand::Meaning;
use super::walk::{Asked, Back, FETCH_COST, MAX_RETURNS, NOTIFY_COST, Pause, Return, Script, Wait};
use super::{Action, Mood, Say};

impl Script {
    /// Takes one step; true when the script now waits, has ended, or runs elsewhere by itself.
    pub(super) fn take(&mut self, step: &Step) -> bool {
        match step {
            Step::Say { calm, tense, angry, interruptible } => {
                let words = match self.variables.mood {
                    Mood::Calm => calm,
                    Mood::Tense => tense.as_ref().unwrap_or(calm),
                    Mood::Angry => angry.as_ref().unwrap_or(calm),
                };
                self.say(words, *interruptible);
                false
            }
            Step::Play { clip, text, interruptible } => {
                let said = text.as_ref().and_then(|words| self.filled(words));
                let (text, masked) = said.unwrap_or_default();
                let (clip, interruptible) = (Some(clip.clone()), *interruptible);
                self.out.push_back(Action::Say(Say { text, interruptible, pace: markup::PACE, clip, masked }));
                false
            }
            Step::Ask(ask) => {
                self.begin(ask);
                true
            }
            Step::Listen { wordings, .. } => {
                if let Some(first) = wordings.first() {
                    self.say(first, true);
                }
                self.wait_for(Wait::Pause(Pause::Listening { said: 0, offered: false }));
                true
            }
            Step::Set(values) => {
                values.iter().for_each(|(name, value)| self.assign(name, value));
                false
            }
            Step::Keep(values) => {
                values.iter().for_each(|(place, value)| self.keep(*place, value));
                false
            }
            Step::Forget(places) => {
                self.forget(places.as_deref());
                false
            }
            Step::Goto(state) => {
                // Without recursion: a plan may go a long way, and the loop in `run` counts it.
                self.state = *state;
                self.step = 0;
                self.out.push_back(Action::Entered { state: self.state().to_string() });
                false
            }
            Step::Call(state) => {
                let back = Return { state: self.state, step: self.step + 1, wait: None };
                self.call(*state, back);
                false
            }
            Step::Return => self.go_back(),
            Step::Notify(request) => {
                self.spend(NOTIFY_COST);
                match request.filled(&self.plan.templates, &self.scope()) {
                    Ok(request) => self.out.push_back(Action::Notify(request)),
                    Err(why) => {
                        self.trouble(format!("state {}: the notice cannot be filled in: {why}", self.state()));
                    }
                }
                false
            }
            Step::Think(thinking) => self.think(thinking),
            Step::Fetch(_) => self.fetch(step),
            Step::Transfer { target, reason, blind, .. } => {
                let reason = reason.as_ref().and_then(|words| self.filled(words)).map(|(text, _)| text);
                let reason = reason.unwrap_or_else(|| self.own_reason());
                self.send_on(target.clone(), reason, Back::Step, *blind);
                true
            }
            Step::Callback(callback) => self.book(callback),
            Step::Voicemail(voicemail) => {
                self.take_message(voicemail);
                true
            }
            Step::Switch { number, .. } => {
                self.switch(number);
                true
            }
            Step::End => {
                self.end();
                true
            }
        }
    }

    /// Goes on by a route: away, or to come back to this very wait.
    fn follow(&mut self, pause: Pause, route: Route) {
        if route.call {
            let asked = Asked { settled: std::mem::take(&mut self.settled), corrections: self.corrections };
            let back = Return { state: self.state, step: self.step, wait: Some((pause, asked)) };
            self.call(route.to, back);
            return self.run();
        }
        self.enter(route.to);
    }

    /// Enters a state from which a `return` leads back. The oldest place is forgotten when there are too many.
    fn call(&mut self, state: usize, back: Return) {
        if self.returns.len() == MAX_RETURNS {
            self.returns.pop_front();
        }
        self.returns.push_back(back);
        self.state = state;
        self.step = 0;
        self.out.push_back(Action::Entered { state: self.state().to_string() });
    }

    /// Back to where the last `call` was; true when the script waits there. Without one, to the start.
    fn go_back(&mut self) -> bool {
        let back = self.returns.pop_back();
        let back = back.unwrap_or_else(|| Return { state: self.plan.start, step: 0, wait: None });
        self.state = back.state;
        self.step = back.step;
        self.out.push_back(Action::Entered { state: self.state().to_string() });
        let Some((pause, asked)) = back.wait else { return false };
        self.settled = asked.settled;
        self.corrections = asked.corrections;
        self.again(pause);
        true
    }

    fn assign(&mut self, name: &str, value: &Assigned) {
        if let Some(value) = self.worth(name, value) {
            self.variables.values.insert(name.to_string(), value);
        }
    }

    /// What `name` is set to; `None`, and trouble reported, when it cannot be told.
    pub(super) fn worth(&mut self, name: &str, value: &Assigned) -> Option<minijinja::Value> {
        match value {
            Assigned::Literal(value) => Some(value.clone()),
            Assigned::Expression(source) => match self.plan.templates.eval(source, self.scope()) {
                Ok(value) => Some(value),
                Err(why) => {
                    self.trouble(format!("state {}: `{name}` cannot be set: {why}", self.state()));
                    None
                }
            },
            Assigned::Text(words) => self.filled(words).map(|(text, _)| text.into()),
        }
    }

    fn fetch(&mut self, step: &Step) -> bool {
        let Step::Fetch(fetch) = step else { return false };
        self.spend(FETCH_COST);
        match fetch.request.filled(&self.plan.templates, &self.scope()) {
            Ok(request) => {
                if let Some(wait) = &fetch.wait {
                    self.say(wait, true);
                }
                self.wait = Wait::Fetching;
                self.out.push_back(Action::Fetch(request));
            }
            Err(why) => {
                self.trouble(format!("state {}: the request cannot be filled in: {why}", self.state()));
                self.fetch_failed(fetch.failed);
            }
        }
        true
    }

    pub(super) fn fetched(&mut self, result: Result<serde_json::Value, String>) {
        let plan = Arc::clone(&self.plan);
        let Some(Step::Fetch(fetch)) = plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step) else {
            return;
        };
        match result {
            Ok(found) => {
                if let Some(name) = &fetch.keep {
                    self.variables.values.insert(name.clone(), minijinja::value::Serde(found).into());
                }
                self.step += 1;
                self.run();
            }
            Err(why) => {
                self.trouble(format!("state {}: the fetch failed: {why}", self.state()));
                self.fetch_failed(fetch.failed);
            }
        }
    }

    fn fetch_failed(&mut self, failed: Option<usize>) {
        match failed {
            Some(state) => self.enter(state),
            None => self.broken(),
        }
    }

    /// Does what the turn meant, at the wait that it was heard in.
    pub(super) fn act(&mut self, pause: Pause, meaning: Meaning) {
        match (meaning, pause) {
            (Meaning::Route(route), _) => self.follow(pause, route),
            (Meaning::Knowledge(entry), _) => self.answer(pause, entry),
            (Meaning::Values(values), Pause::Asking { .. }) => self.values(pause, values),
            (Meaning::Yes, Pause::Asking { .. }) => self.confirmed(pause),
            (Meaning::No, Pause::Asking { .. }) => self.refused(pause),
            (Meaning::Named(item), Pause::Asking { .. }) => self.correct(item),
            (Meaning::Unsure(both), _) => self.ask_which(pause, both),
            (Meaning::Nothing, Pause::Listening { said, offered }) => self.missed(said, offered),
            (Meaning::Nothing, Pause::Asking { .. }) => self.missed_asking(pause),
            // Values, yes and no are only understood at an `ask`.
            (_, Pause::Listening { .. }) => self.again(pause),
        }
    }
}
