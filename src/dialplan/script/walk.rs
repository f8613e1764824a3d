//! The script of one call: where it stands, and what it does with each input.
//!
//! ```text
//! New ─Start─▶ Lookup ─▶ steps ─▶ Listening │ Asking │ Offering │ Choosing ─Heard/Keys/NoInput─▶ understand ─▶ rules ─▶ act ─▶ steps
//!                          ├────▶ Fetching ─Fetched─▶ steps
//!                          └────▶ Transferring ─TransferFailed─▶ steps, or the wait that a rule broke off
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use jiff::civil::DateTime;

use super::super::plan::{Condition, Plan, State, Step};
use super::think::{Answer, Exchanges};
use super::understand::Meaning;
use super::variables::Variables;
use super::{Action, Expect, Input, Mood, Target};

/// Steps that may be taken between two turns of the caller's: a plan that goes round without listening stops here.
const MAX_STEPS: u32 = 200;
/// A fetch and a transfer count for more, so that a loop of them stops after a few.
pub(super) const FETCH_COST: u32 = 20;
pub(super) const TRANSFER_COST: u32 = 50;
pub(super) const NOTIFY_COST: u32 = 10;
/// Three messages without a turn between them are the most.
pub(super) const MESSAGE_COST: u32 = 60;
/// Places that a `return` may lead back to; the oldest is forgotten.
pub(super) const MAX_RETURNS: usize = 8;
/// Turns whose language is asked, while nothing has been understood.
const FIRST_WORDS: u32 = 2;
/// Intents that the briefing recalls.
const MAX_ASKED: usize = 5;

/// What the script waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    New,
    Lookup,
    Pause(Pause),
    /// A human has been offered; yes or no. Otherwise the wait that it stands in goes on.
    Offering(Pause),
    /// The caller is asked which of two intents they meant; otherwise the wait that it stands in goes on.
    Choosing(Pause, [usize; 2]),
    Fetching,
    /// A value of the `ask` that is waited at is being checked.
    Checking {
        item: usize,
        tries: u32,
    },
    /// A model answers.
    Thinking,
    /// A fetch that the model asked for.
    Consulting,
    Transferring(Back),
    /// The caller leaves a message.
    Recording,
    /// A call back is being noted.
    Booking,
    /// Another plan is about to take over.
    Switching,
    Ended,
}

/// A wait for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// At a `listen`, which has said so many wordings since the state was entered, less one.
    Listening { said: usize, offered: bool },
    /// At an `ask`: which of its items, the tries so far, and how far it is.
    Asking { item: usize, tries: u32, stage: Stage },
}

/// How far an `ask` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The form's open question.
    Opening,
    /// The item's own question.
    Value,
    /// The item was read back.
    ReadBack,
    /// The form was read back.
    Summary,
    /// Which item of the form is to be changed.
    Which,
}

/// Where a failed transfer goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// Behind the `transfer` step.
    Step,
    /// To the wait that a rule, or an offer that was taken up, broke off.
    Wait(Pause, Option<usize>),
    /// Nowhere: the script had nothing else to do.
    Nowhere,
}

/// Where a `return` leads.
#[derive(Debug, Clone)]
pub(super) struct Return {
    pub(super) state: usize,
    pub(super) step: usize,
    /// The wait that was left, where the caller asked for something else in between.
    pub(super) wait: Option<(Pause, Asked)>,
}

/// How far a form was.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) settled: Vec<bool>,
    pub(super) corrections: u32,
}

/// One call's walk through a plan. A clone walks ahead, to see what would be said.
#[derive(Clone)]
pub struct Script {
    pub(super) plan: Arc<Plan>,
    pub(super) variables: Variables,
    pub(super) wait: Wait,
    pub(super) state: usize,
    /// The step that is waited at, or taken next.
    pub(super) step: usize,
    /// The intent that the last turn meant.
    pub(super) meant: Option<usize>,
    /// The last intents, oldest first.
    pub(super) asked: VecDeque<usize>,
    /// How often each knowledge entry was answered.
    pub(super) answered: Vec<usize>,
    /// Rules whose handover failed and whose condition has not been false since.
    pub(super) spent: Vec<bool>,
    /// What was said ahead of a question, in the turn that led to it.
    pub(super) given: Vec<(usize, String)>,
    /// Which items of the `ask` are settled.
    pub(super) settled: Vec<bool>,
    /// How often the form was to be corrected.
    pub(super) corrections: u32,
    pub(super) returns: VecDeque<Return>,
    /// What a model is answering.
    pub(super) answer: Answer,
    pub(super) exchanges: Exchanges,
    pub(super) budget: u32,
    pub(super) expect: Option<Expect>,
    pub(super) reason: String,
    /// What the call changes in the caller's profile.
    pub(super) kept: super::Kept,
    /// When how the caller sounds may be kept, by the plan that took the call.
    pub(super) calm_voice: Option<Condition>,
    /// The state in which the call begins, where that is not the plan's start.
    pub(super) begins: Option<usize>,
    /// Whether feelings are inferred in this call.
    pub(super) feels: bool,
    /// Turns whose language may still be asked.
    pub(super) first_words: u32,
    /// The wait that was left for another plan, by the caller's language.
    pub(super) left: Option<Pause>,
    pub(super) out: VecDeque<Action>,
    pub(super) watched: super::look::Watched,
}

impl fmt::Debug for Script {
    /// Where it stands, and no values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Script");
        f.field("plan", &self.plan.name).field("state", &self.state()).field("step", &self.step);
        f.field("wait", &self.wait).field("misses", &self.variables.misses).finish_non_exhaustive()
    }
}

impl Script {
    /// A script that waits for [`Input::Start`]. `now` is the clock on the wall when the call begins: greetings, opening
    /// hours and typed days go by it.
    pub fn new(plan: Arc<Plan>, now: DateTime) -> Self {
        Self {
            variables: Variables::new(&plan, now),
            wait: Wait::New,
            state: plan.start,
            step: 0,
            meant: None,
            asked: VecDeque::new(),
            answered: vec![0; plan.knowledge.len()],
            spent: vec![false; plan.rules.len()],
            given: Vec::new(),
            settled: Vec::new(),
            corrections: 0,
            returns: VecDeque::new(),
            answer: Answer::default(),
            exchanges: Exchanges::new(),
            budget: MAX_STEPS,
            expect: None,
            reason: String::new(),
            kept: super::Kept::default(),
            calm_voice: plan.calm_voice.clone(),
            feels: true,
            begins: None,
            first_words: if plan.languages.is_empty() { 0 } else { FIRST_WORDS },
            left: None,
            out: VecDeque::new(),
            watched: None,
            plan,
        }
    }

    /// Feelings are not inferred in this call, so that nothing is said of it. Before [`Input::Start`].
    pub fn without_feelings(&mut self) {
        self.feels = false;
    }

    /// How the caller feels: frustration in 0..1, and the mood. Set before each turn is handed in, so that the rules
    /// and the answer see it.
    pub fn signals(&mut self, frustration: f32, mood: Mood) {
        self.variables.frustration = if frustration.is_finite() { frustration.clamp(0.0, 1.0) } else { 0.0 };
        self.variables.mood = mood;
    }

    /// How raised the voice is (0..1), and by how much frustration and it have moved over the last turns (−1..1).
    pub fn trends(&mut self, arousal: f32, frustration_trend: f32, arousal_trend: f32) {
        let tidy = |value: f32, low: f32| if value.is_finite() { value.clamp(low, 1.0) } else { 0.0 };
        self.variables.voice = [tidy(arousal, 0.0), tidy(frustration_trend, -1.0), tidy(arousal_trend, -1.0)];
    }

    /// Takes an input. One that nothing waits for is ignored.
    pub fn handle(&mut self, input: Input) {
        match (self.wait, input) {
            (Wait::New, Input::Start { caller }) => self.start(caller),
            (Wait::Lookup, Input::Fetched(result)) => {
                let remember = self.plan.lookup.as_ref().map(|lookup| lookup.remember.as_slice());
                match result {
                    Ok(found) => self.variables.remember(&found, remember.unwrap_or_default()),
                    Err(why) => self.trouble(format!("the caller's lookup failed: {why}")),
                }
                self.open();
            }
            (Wait::Fetching, Input::Fetched(result)) => self.fetched(result),
            (Wait::Thinking, Input::Thought(thought)) => self.thought(thought),
            (Wait::Thinking | Wait::Consulting, Input::Interrupted) => self.hush(),
            (Wait::Consulting, Input::Fetched(result)) => self.consulted(result),
            (Wait::Checking { item, tries }, Input::Fetched(result)) => self.checked(item, tries, result),
            (Wait::Booking, Input::Booked(result)) => self.booked(result),
            (Wait::Recording, Input::Recorded(result)) => self.recorded(result),
            (Wait::Switching, Input::NotSwitched(why)) => self.not_switched(&why),
            (Wait::Transferring(back), Input::TransferFailed(failure)) => self.transfer_failed(back, failure),
            (Wait::Pause(pause), Input::Language(tag)) => self.spoken_in(pause, tag),
            (Wait::Pause(pause), input @ (Input::Heard(_) | Input::Keys(_) | Input::NoInput)) => {
                let meaning = self.understand(pause, input);
                self.turn(pause, meaning);
            }
            (Wait::Choosing(pause, both), input @ (Input::Heard(_) | Input::Keys(_) | Input::NoInput)) => {
                let meaning = self.understand_choice(pause, both, input);
                self.turn(pause, meaning);
            }
            (Wait::Offering(pause), input @ (Input::Heard(_) | Input::Keys(_) | Input::NoInput)) => {
                let meaning = self.understand_offer(pause, input);
                self.offered(pause, meaning);
            }
            _ => {}
        }
    }

    /// The next thing to do, until `None`: then an input is awaited.
    pub fn poll(&mut self) -> Option<Action> {
        self.out.pop_front()
    }

    /// The name of the state that the call is in.
    pub fn state(&self) -> &str {
        &self.current().name
    }

    /// What is expected of the caller, while the script waits for them.
    pub fn expects(&self) -> Option<&Expect> {
        self.expect.as_ref()
    }

    /// Whether what the caller says or types now is (part of) a masked slot's value.
    pub fn hears_masked(&self) -> bool {
        match self.wait {
            Wait::Pause(Pause::Asking { .. }) => {
                self.asking().is_some_and(|ask| ask.items.iter().any(|item| self.plan.slots[item.slot].mask))
            }
            _ => false,
        }
    }

    /// Whether an answer takes back what was just read back: a no, or another value.
    pub fn is_corrected_by(&self, yes_no: Option<bool>, gives_value: bool) -> bool {
        let read_back = matches!(self.wait, Wait::Pause(Pause::Asking { stage: Stage::ReadBack | Stage::Summary, .. }));
        read_back && (yes_no == Some(false) || gives_value && yes_no.is_none())
    }

    /// Consecutive turns in which nothing was heard or understood.
    pub fn misses(&self) -> u32 {
        self.variables.misses
    }

    /// Whether [`Action::End`] has been given.
    pub fn is_over(&self) -> bool {
        self.wait == Wait::Ended
    }

    pub(super) fn current(&self) -> &State {
        &self.plan.states[self.state]
    }

    fn start(&mut self, caller: serde_json::Value) {
        self.variables.caller(caller);
        let plan = Arc::clone(&self.plan);
        if let Some(lookup) = &plan.lookup {
            match lookup.request.filled(&plan.templates, &self.scope()) {
                Ok(fetch) => {
                    self.wait = Wait::Lookup;
                    self.out.push_back(Action::Fetch(fetch));
                    return;
                }
                Err(why) => self.trouble(format!("the caller's lookup has no address: {why}")),
            }
        }
        self.open();
    }

    /// The first words.
    fn open(&mut self) {
        let plan = Arc::clone(&self.plan);
        if let Some(consent) = &plan.consent {
            self.say(consent, false);
        }
        if let Some(notice) = plan.emotion_notice.as_ref().filter(|_| self.feels) {
            self.say(notice, false);
        }
        self.enter(self.begins.unwrap_or(plan.start));
    }

    /// Counters, then the handover rules, then what was meant.
    pub(super) fn turn(&mut self, pause: Pause, meaning: Meaning) {
        self.budget = MAX_STEPS;
        self.expect = None;
        match meaning {
            Meaning::Nothing => {
                self.variables.misses += 1;
                self.variables.unheard += 1;
            }
            // Neither understood nor not: that shows by the answer.
            Meaning::Unsure(_) => self.variables.unheard = 0,
            _ => {
                // Who is understood speaks the plan's language.
                self.first_words = 0;
                self.variables.misses = 0;
                self.variables.unheard = 0;
            }
        }
        if let Some(intent) = self.meant {
            if self.asked.back() != Some(&intent) {
                self.asked.push_back(intent);
            }
            if self.asked.len() > MAX_ASKED {
                self.asked.pop_front();
            }
        }
        if !self.hand_over(pause) {
            self.act(pause, meaning);
        }
    }

    pub(super) fn enter(&mut self, state: usize) {
        self.state = state;
        self.step = 0;
        self.out.push_back(Action::Entered { state: self.state().to_string() });
        self.run();
    }

    /// Takes steps until one waits.
    pub(super) fn run(&mut self) {
        let plan = Arc::clone(&self.plan);
        loop {
            if self.budget == 0 {
                self.trouble(format!("state {}: {MAX_STEPS} steps without waiting for the caller", self.state()));
                return self.broken();
            }
            self.budget -= 1;
            let Some(guarded) = plan.states[self.state].steps.get(self.step) else {
                // `check` lets no state run off its end but behind a transfer that failed, which ends by itself.
                self.trouble(format!("state {} ran off its end", self.state()));
                return self.broken();
            };
            let taken = guarded.when.as_ref().is_none_or(|when| self.holds(when));
            if taken && self.take(&guarded.step) {
                return;
            }
            if !taken || !matches!(guarded.step, Step::Goto(_) | Step::Call(_) | Step::Return) {
                self.step += 1;
            }
        }
    }

    pub(super) fn spend(&mut self, cost: u32) {
        self.budget = self.budget.saturating_sub(cost);
    }

    pub(super) fn trouble(&mut self, what: String) {
        self.out.push_back(Action::Trouble { what });
    }

    pub(super) fn end(&mut self) {
        self.wait = Wait::Ended;
        self.expect = None;
        self.out.push_back(Action::End);
    }

    pub(super) fn put_through(&mut self, target: Target, reason: String, back: Back) {
        self.send_on(target, reason, back, false);
    }

    /// Likewise; `blind`: without us.
    pub(super) fn send_on(&mut self, target: Target, reason: String, back: Back, blind: bool) {
        self.wait = Wait::Transferring(back);
        self.expect = None;
        self.spend(TRANSFER_COST);
        self.reason.clone_from(&reason);
        self.out.push_back(Action::Transfer(super::Transfer { target, reason, blind }));
    }
}
