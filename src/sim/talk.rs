//! A conversation in text and virtual time: the script with its understanding, frustration and keypad, and no media. It
//! does with words what a call does with packets, a thousand times as fast.
//!
//! ```text
//! say │ keys │ silence ─▶ Understanding ─▶ Script ─▶ Told: states, lines, look-ups, hand-overs
//!                            Surroundings: embeddings, look-ups, agents ─┘
//! ```
//!
//! Never a caller's last word on timing: what depends on sound (barge-in, jitter, recognition) is [`super::play`]'s.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::DateTime;

use super::engines::Costs;
use super::epoch;
use crate::call::line::Line;
use crate::call::profile::Profile;
use crate::call::understand::Meaning;
use crate::dialplan::script::{
    self, Action, Briefing, CallBack, Expect, Fetch, Input, Listen, MASKED, Message, NotKept, Record, Script, Target,
    Think, Thought, TransferFailure,
};
use crate::nlu::keypad::{Entry, Keypad, Mashing};
use crate::nlu::text as words;
use crate::speech::emotion::{self, Frustration, Mood};
use crate::speech::prosody::Features;

/// Characters that the voice speaks in a second.
const PACE: usize = 15;
/// What a caller takes for a word.
const WORD: Duration = Duration::from_millis(300);
/// From the end of our line until the caller begins.
const SETTLE: Duration = Duration::from_millis(700);
/// Silence after which a turn is over, with the detector's window.
const END_OF_TURN: Duration = Duration::from_millis(664);
/// From one key to the next.
const KEY: Duration = Duration::from_millis(220);
/// How long an agent's telephone rings.
const RINGING: Duration = Duration::from_secs(2);
/// Timers that one silence may set off: a plan that goes on for ever is stopped there.
const MOST_SILENCES: usize = 200;

/// Who and what is around a conversation.
pub trait Surroundings {
    /// The embedding of a sentence.
    fn embed(&mut self, text: &str) -> Vec<f32>;
    /// The answer to a look-up.
    fn fetch(&mut self, fetch: &Fetch) -> Result<serde_json::Value, String>;
    /// The answer of a language model.
    fn think(&mut self, _: &Think) -> Vec<Thought> {
        vec![Thought::Failed("no model is asked in a rehearsal".into())]
    }
    /// Keeps a message; why not, if it cannot.
    fn keep(&mut self, _: &Record) -> Result<(), String> {
        Ok(())
    }
    /// Notes that the caller is to be called back; why not, if that is refused.
    fn book(&mut self, _: &CallBack) -> Result<(), String> {
        Ok(())
    }
    /// Whether somebody takes the call.
    fn ring(&mut self, target: &Target) -> Result<(), TransferFailure>;
}

/// What happened, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A state was entered.
    State(String),
    /// A line was said.
    Said {
        /// The words; of a masked line they are for comparing, never for showing.
        text: String,
        /// It holds a masked slot.
        masked: bool,
    },
    /// The caller said something.
    Heard {
        /// The words, or [`MASKED`].
        text: String,
        /// The intent and its probability.
        intent: Option<(String, f32)>,
        /// Another intent that is nearly as likely.
        rival: Option<(String, f32)>,
        /// The first question of the knowledge entry, and its probability.
        knowledge: Option<(String, f32)>,
        /// The words hold a value, a yes or a no, or say which of two was meant.
        answers: bool,
    },
    /// The caller's first words were surely in this language.
    Spoke {
        /// The words.
        text: String,
        /// Its tag: `zh`.
        language: &'static str,
    },
    /// How the caller feels after that.
    Felt {
        /// 0..1.
        frustration: f32,
        /// By the frustration.
        mood: Mood,
        /// Ranked, in plain words.
        reasons: Vec<String>,
    },
    /// The caller typed an entry.
    Keys(String),
    /// The caller was silent too long.
    NoInput,
    /// Something was looked up.
    Fetched {
        /// The address, or [`MASKED`].
        url: String,
        /// The same; of a masked one for comparing, never for showing.
        address: String,
        /// Why there is no answer.
        error: Option<String>,
    },
    /// Another system was told something.
    Notified {
        /// The address, or [`MASKED`].
        url: String,
        /// The same; of a masked one for comparing, never for showing.
        address: String,
    },
    /// The caller is to be called back.
    Booked {
        /// When.
        due: DateTime,
        /// The state in which that call begins.
        state: String,
        /// Why not, if it was refused.
        error: Option<String>,
    },
    /// The caller left a message.
    Left {
        /// Whom it is for.
        mailbox: String,
        /// The words.
        text: String,
        /// Why it is not kept, if it is not.
        error: Option<String>,
    },
    /// Somebody took the call.
    HandedOver {
        /// As the plan names it.
        to: String,
        /// What they were told.
        briefing: Briefing,
    },
    /// Nobody took the call.
    NotTaken {
        /// As the plan names it.
        to: String,
        /// Why.
        failure: TransferFailure,
    },
    /// The plan that answers this number takes over; what it says is its own scenarios' affair.
    Switched(String),
    /// Something in the plan failed.
    Trouble(String),
    /// The call is over.
    Ended(Ending),
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The script came to its end.
    Completed,
    /// A human has the caller.
    HandedOver,
    /// Another plan took over.
    Switched,
    /// The caller hung up.
    CallerHungUp,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Completed => "completed",
            Self::HandedOver => "handed over",
            Self::Switched => "another plan took over",
            Self::CallerHungUp => "the caller hung up",
        })
    }
}

/// What the caller says, and how.
#[derive(Debug, Clone, Default)]
pub struct Utterance<'a> {
    /// The words.
    pub text: &'a str,
    /// The voice, where there is one.
    pub voice: Option<Features>,
    /// While we speak, rather than after.
    pub interrupts: bool,
    /// The language that they are surely in, by its tag (`zh`), where that is known.
    pub language: Option<&'static str>,
}

/// One conversation.
pub struct Talk {
    line: Arc<Line>,
    script: Script,
    local: DateTime,
    begin: Instant,
    /// Since the call was answered.
    clock: Duration,
    /// Until then our lines are being said.
    playing: Duration,
    /// When the caller's last act ended, and when the answer to it began.
    acted: Duration,
    answered: Option<Duration>,
    listening: Option<Listen>,
    /// The message that the caller may leave.
    recording: Option<Record>,
    /// Messages so far.
    messages: u32,
    keypad: Keypad,
    mashing: Mashing,
    typed_ahead: Option<Entry>,
    frustration: Frustration,
    /// What the scores are to be taken for, instead of what was felt.
    feigned: Option<f32>,
    events: Vec<emotion::Event>,
    last_intent: Option<String>,
    costs: Costs,
    told: Vec<Told>,
    /// What a model still has to say.
    thoughts: VecDeque<Thought>,
    ending: Option<Ending>,
}

impl Talk {
    /// A conversation that has not begun; `local` is the clock on the caller's wall.
    pub fn new(line: Arc<Line>, local: DateTime) -> Self {
        let mut script = Script::new(Arc::clone(&line.plan), local);
        script.watch();
        Self {
            script,
            local,
            begin: epoch(),
            clock: Duration::ZERO,
            playing: Duration::ZERO,
            acted: Duration::ZERO,
            answered: None,
            listening: None,
            recording: None,
            messages: 0,
            keypad: Keypad::idle(),
            mashing: Mashing::default(),
            typed_ahead: None,
            frustration: Frustration::new(Arc::clone(&line.prosody), emotion::Config::default()),
            feigned: None,
            events: Vec::new(),
            last_intent: None,
            costs: Costs::default(),
            told: Vec::new(),
            thoughts: VecDeque::new(),
            ending: None,
            line,
        }
    }

    /// Makes it the call that somebody asked for, which begins in this state; false when there is no such state.
    pub fn call_back(&mut self, state: &str, number: &str) -> bool {
        let (state, number) = (state.to_owned(), number.to_owned());
        let wish = CallBack { number, due: self.local, within: None, state, reason: String::new() };
        self.script.calls_back(&wish)
    }

    /// What is known of the caller from earlier calls. Before [`Talk::open`].
    pub fn recall(&mut self, profile: &Profile) {
        self.script.recall(&profile.values);
        let voice = profile.calm_voice.filter(|_| self.script.keeps_calm_voice());
        voice.into_iter().for_each(|voice| self.frustration.recall(voice));
    }

    /// Answers the call of `caller` (fields under `caller.`).
    pub fn open(&mut self, caller: serde_json::Value, around: &mut dyn Surroundings) -> Vec<Told> {
        self.run(Input::Start { caller }, around);
        std::mem::take(&mut self.told)
    }

    /// The caller says something.
    pub fn say(&mut self, said: &Utterance<'_>, around: &mut dyn Surroundings) -> Vec<Told> {
        if !self.begin_act(said.interrupts) {
            return std::mem::take(&mut self.told);
        }
        let spoken = WORD * said.text.split_whitespace().count().max(1) as u32;
        self.clock += spoken;
        self.acted = self.clock;
        if let Some(record) = self.recording.take() {
            self.clock += record.silence;
            self.acted = self.clock;
            self.frustration.utterance(&said.voice.unwrap_or_default(), said.text, &[]);
            self.signal();
            let result = self.left(&record, said.text, spoken.min(record.longest), around);
            self.run(Input::Recorded(result), around);
            return std::mem::take(&mut self.told);
        }
        self.clock += END_OF_TURN;
        if said.interrupts {
            self.events.push(emotion::Event::Interruption);
        }
        if self.speaks(said, around) {
            return std::mem::take(&mut self.told);
        }
        let expected = self.listening.is_some() && self.script.hears_masked();
        let meaning = self.understand(said.text, around);
        let plan = Arc::clone(&self.line.plan);
        let masked = expected || meaning.slots.iter().any(|(slot, _)| plan.slots().get(*slot).is_some_and(|s| s.mask));
        let named = |(at, score): (usize, f32)| (plan.intents()[at].name.clone(), score);
        let (intent, rival) = (meaning.intent.map(named), meaning.rival.map(named));
        let answers = meaning.slot.is_some() || !meaning.slots.is_empty() || meaning.yes_no.is_some();
        let answers = answers || self.script.is_choice(said.text);
        let question = |entry: usize| plan.knowledge().nth(entry).and_then(|q| q.first().cloned()).unwrap_or_default();
        let knowledge = meaning.knowledge.map(|(at, score)| (question(at), score));
        self.dialogue_events(&meaning, intent.as_ref().map(|(name, _)| name.as_str()), said.text);
        let text = if masked { MASKED.to_owned() } else { said.text.to_owned() };
        self.told.push(Told::Heard { text, intent, rival, knowledge, answers });
        let events = std::mem::take(&mut self.events);
        self.frustration.lasts(self.clock);
        self.frustration.utterance(&said.voice.unwrap_or_default(), said.text, &events);
        self.felt();
        if self.listening.take().is_some() {
            self.run(Input::Heard(meaning.into_heard(said.text.to_owned())), around);
        }
        std::mem::take(&mut self.told)
    }

    /// Whether another plan takes over because of the language of the caller's first words.
    fn speaks(&mut self, said: &Utterance<'_>, around: &mut dyn Surroundings) -> bool {
        if said.language.is_none() || self.listening.is_none() || !self.script.heeds_language() {
            return false;
        }
        let before = self.told.len();
        self.run(Input::Language(said.language), around);
        if self.ending.is_some()
            && let Some(language) = said.language
        {
            self.told.insert(before, Told::Spoke { text: said.text.to_owned(), language });
        }
        self.ending.is_some()
    }

    /// The caller types.
    pub fn keys(&mut self, keys: &str, around: &mut dyn Surroundings) -> Vec<Told> {
        if !self.begin_act(false) {
            return std::mem::take(&mut self.told);
        }
        for key in keys.chars() {
            self.clock += KEY;
            self.acted = self.clock;
            if self.recording.take().is_some() {
                self.told.push(Told::Keys(key.into()));
                // The key ends a message in which nothing was said.
                self.run(Input::Recorded(Err(NotKept::Empty)), around);
                continue;
            }
            let now = self.begin + self.clock;
            if !self.keypad.collects_number() && self.mashing.press(now, key) {
                self.frustration.event(emotion::Event::KeypadMashing);
                self.signal();
            }
            let entry = self.keypad.press(now, key);
            self.typed(entry, around);
        }
        if let Some(deadline) = self.keypad.deadline() {
            self.clock = self.clock.max(deadline - self.begin);
            let entry = self.keypad.expire(deadline.max(self.begin + self.clock));
            self.typed(entry, around);
        }
        std::mem::take(&mut self.told)
    }

    /// The caller says nothing for this long, from the end of our line.
    pub fn silence(&mut self, time: Duration, around: &mut dyn Surroundings) -> Vec<Told> {
        self.clock = self.clock.max(self.playing);
        self.acted = self.clock;
        let until = self.clock + time;
        for _ in 0..MOST_SILENCES {
            let waits = self.recording.as_ref().map(Record::first_word);
            let Some(timeout) = waits.or(self.listening.as_ref().map(|listen| listen.timeout)) else { break };
            if self.ending.is_some() || self.clock + timeout > until {
                break;
            }
            self.clock += timeout;
            self.acted = self.clock;
            if self.recording.take().is_some() {
                self.told.push(Told::NoInput);
                self.run(Input::Recorded(Err(NotKept::Empty)), around);
                self.clock = self.clock.max(self.playing);
                continue;
            }
            self.listening = None;
            self.keypad.ignore();
            self.told.push(Told::NoInput);
            self.frustration.event(emotion::Event::NoInput);
            self.signal();
            self.run(Input::NoInput, around);
            self.clock = self.clock.max(self.playing);
        }
        self.clock = self.clock.max(until);
        std::mem::take(&mut self.told)
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self) -> Vec<Told> {
        self.end(Ending::CallerHungUp);
        std::mem::take(&mut self.told)
    }

    /// From now on the caller is taken to be this frustrated, 0..1, whatever is said: for trying what a plan does then.
    pub fn feign(&mut self, frustration: f32) {
        self.feigned = Some(frustration.clamp(0.0, 1.0));
    }

    /// The script, for what it holds.
    pub fn script(&self) -> &Script {
        &self.script
    }

    /// Since the call was answered.
    pub fn elapsed(&self) -> Duration {
        self.clock
    }

    /// From the end of the caller's last act to the first sound of the answer, if there was one.
    pub fn answered_after(&self) -> Option<Duration> {
        self.answered.map(|at| at.saturating_sub(self.acted))
    }

    /// How it ended, if it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// What the script waits for.
    pub fn expects(&self) -> Option<&Expect> {
        self.listening.as_ref().map(|listen| &listen.expect)
    }

    /// How long it waits for the first sound.
    pub fn patience(&self) -> Option<Duration> {
        let message = self.recording.as_ref().map(Record::first_word);
        message.or(self.listening.as_ref().map(|listen| listen.timeout))
    }

    /// Whether the caller may leave a message now.
    pub fn records(&self) -> bool {
        self.recording.is_some()
    }

    /// 0..1, as the script sees it.
    pub fn frustration(&self) -> f32 {
        self.feigned.unwrap_or_else(|| self.frustration.score())
    }

    /// By the frustration.
    pub fn mood(&self) -> Mood {
        let Some(feigned) = self.feigned else { return self.frustration.mood() };
        let config = emotion::Config::default();
        match feigned {
            f if f >= config.angry => Mood::Angry,
            f if f >= config.tense => Mood::Tense,
            _ => Mood::Calm,
        }
    }

    /// The caller begins to act; false when the call is over.
    fn begin_act(&mut self, at_once: bool) -> bool {
        if self.ending.is_some() {
            return false;
        }
        if !at_once {
            self.clock = self.clock.max(self.playing) + SETTLE;
        }
        self.playing = self.clock;
        self.answered = None;
        true
    }

    fn understand(&mut self, text: &str, around: &mut dyn Surroundings) -> Meaning {
        let today = self.local.date();
        let listen = self.listening.as_ref();
        if let Some(meaning) = self.line.understanding.at_once(text, listen, today) {
            return meaning;
        }
        self.clock += self.costs.embedding;
        let vector = around.embed(&words::clean(text));
        self.line.understanding.by_vector(text, &vector, listen, today)
    }

    /// What this turn says about the course of the conversation, as `call` counts it.
    fn dialogue_events(&mut self, meaning: &Meaning, intent: Option<&str>, text: &str) {
        let choice = self.script.is_choice(text);
        if meaning.is_nothing() && !choice {
            self.events.push(emotion::Event::NoMatch);
        }
        // Which of two was meant is no repetition.
        if let Some(intent) = intent.filter(|_| !choice) {
            if self.last_intent.as_deref() == Some(intent) {
                self.events.push(emotion::Event::RepeatedIntent);
            }
            self.last_intent = Some(intent.to_owned());
        }
        if self.script.is_corrected_by(meaning.yes_no, meaning.gives_value()) {
            self.events.push(emotion::Event::SlotCorrected);
        }
        self.events.extend(self.line.understanding.pleas(text, meaning));
    }

    fn felt(&mut self) {
        self.signal();
        let reasons = self.frustration.reasons();
        self.told.push(Told::Felt { frustration: self.frustration(), mood: self.mood(), reasons });
    }

    fn signal(&mut self) {
        let mood = match self.mood() {
            Mood::Calm => script::Mood::Calm,
            Mood::Tense => script::Mood::Tense,
            Mood::Angry => script::Mood::Angry,
        };
        self.script.signals(self.frustration(), mood);
    }

    fn typed(&mut self, entry: Option<Entry>, around: &mut dyn Surroundings) {
        let Some(entry) = entry else { return };
        self.keypad.ignore();
        if self.listening.is_none() {
            return;
        }
        let keys = if self.script.hears_masked() { MASKED.to_owned() } else { entry.keys.clone() };
        self.told.push(Told::Keys(keys));
        self.listening = None;
        self.run(Input::Keys(entry.keys), around);
    }

    /// Tells the script, and does what it says until it waits for the caller.
    fn run(&mut self, input: Input, around: &mut dyn Surroundings) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.script.handle(input);
            while let Some(action) = self.script.poll() {
                next = self.act(action, around).or(next);
            }
            next = next.or_else(|| self.thoughts.pop_front().map(Input::Thought));
        }
        if self.listening.is_some()
            && let Some(entry) = self.typed_ahead.take()
        {
            self.typed(Some(entry), around);
        }
    }

    /// Does one thing; what the script waits for next, where that is not the caller.
    fn act(&mut self, action: Action, around: &mut dyn Surroundings) -> Option<Input> {
        match action {
            Action::Entered { state } => self.told.push(Told::State(state)),
            Action::Say(say) => {
                self.answered.get_or_insert(self.clock + self.costs.synthesis);
                let length = (say.text.chars().count() * 1_000 / PACE) as u64 * 100 / u64::from(say.pace.max(1));
                let length = Duration::from_millis(length);
                self.playing = self.playing.max(self.clock + self.costs.synthesis) + length;
                self.told.push(Told::Said { text: say.text, masked: say.masked });
            }
            Action::Listen(listen) => {
                let rule = self.line.understanding.entry_rule(&listen.expect);
                self.listening = Some(listen);
                match rule {
                    Some(rule) => self.typed_ahead = self.keypad.expect(self.begin + self.clock, rule),
                    None => self.keypad.ignore(),
                }
            }
            Action::Fetch(fetch) => {
                self.clock += self.costs.fetch;
                let result = around.fetch(&fetch);
                let url = if fetch.masked { MASKED.to_owned() } else { fetch.url.clone() };
                self.told.push(Told::Fetched { url, address: fetch.url, error: result.as_ref().err().cloned() });
                return Some(Input::Fetched(result));
            }
            Action::Think(think) => self.thoughts = around.think(&think).into(),
            Action::Notify(fetch) => {
                // Nobody waits for the answer.
                let url = if fetch.masked { MASKED.to_owned() } else { fetch.url.clone() };
                self.told.push(Told::Notified { url, address: fetch.url });
            }
            Action::CallBack(wish) => {
                let result = around.book(&wish);
                let error = result.as_ref().err().cloned();
                self.told.push(Told::Booked { due: wish.due, state: wish.state, error });
                return Some(Input::Booked(result));
            }
            Action::Record(record) => self.recording = Some(record),
            Action::Transfer(transfer) => return self.transfer(&transfer.target, around),
            Action::Switch { number } => {
                self.told.push(Told::Switched(number));
                self.end(Ending::Switched);
            }
            Action::Trouble { what } => self.told.push(Told::Trouble(what)),
            Action::End => self.end(Ending::Completed),
        }
        None
    }

    /// A message of these words.
    fn left(
        &mut self,
        record: &Record,
        text: &str,
        length: Duration,
        around: &mut dyn Surroundings,
    ) -> Result<Message, NotKept> {
        let text = self.line.transcript(text);
        let kept = around.keep(record);
        let error = kept.as_ref().err().cloned();
        self.told.push(Told::Left { mailbox: record.mailbox.clone(), text: text.clone(), error });
        kept.map_err(NotKept::Failed)?;
        self.messages += 1;
        Ok(Message { id: format!("message-{}", self.messages), length, text })
    }

    fn transfer(&mut self, target: &Target, around: &mut dyn Surroundings) -> Option<Input> {
        self.clock = self.clock.max(self.playing) + RINGING;
        let to = target.to_string();
        match around.ring(target) {
            Ok(()) => {
                self.told.push(Told::HandedOver { to, briefing: self.script.briefing() });
                self.end(Ending::HandedOver);
                None
            }
            Err(failure) => {
                self.told.push(Told::NotTaken { to, failure });
                Some(Input::TransferFailed(failure))
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.clock = self.clock.max(self.playing);
            self.listening = None;
            self.recording = None;
            self.ending = Some(ending);
            self.told.push(Told::Ended(ending));
        }
    }
}
