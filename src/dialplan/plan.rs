//! A compiled plan: names are indices, templates are compiled, and nothing in it refers to what is not there.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::DateTime;

use super::calendar::Calendar;
use super::lines;
use super::markup::{self, Lexicon};
use super::request::{Json, Request};
use super::script::{Patience, Target};
pub(super) use super::slot::{Slot, SlotKind};
use super::template::{TemplateId, Templates};

/// A dialplan that has been checked and can be run.
#[derive(Debug)]
pub struct Plan {
    pub(super) name: String,
    pub(super) language: String,
    /// Other languages by their tags, and the numbers whose plans take over from callers who speak them.
    pub(super) languages: Vec<(&'static str, String)>,
    pub(super) voice: Option<String>,
    pub(super) lexicon: Arc<Lexicon>,
    pub(super) lookup: Option<Lookup>,
    /// The names that a caller's profile may have; none: nothing is kept.
    pub(super) profile: Vec<String>,
    /// When how the caller sounds may be kept; `None`: never.
    pub(super) calm_voice: Option<Condition>,
    /// How fast everything is said, as `prosody` has it.
    pub(super) speed: Option<Words>,
    pub(super) consent: Option<Words>,
    /// Said behind it where feelings are inferred.
    pub(super) emotion_notice: Option<Words>,
    pub(super) intents: Vec<Intent>,
    pub(super) slots: Vec<Slot>,
    /// What a slot's value has to be, by the slot's index.
    pub(super) validity: Vec<Validity>,
    pub(super) knowledge: Vec<Knowledge>,
    pub(super) rules: Vec<Rule>,
    /// Handover rules, routes and knowledge of every state.
    pub(super) shared: Shared,
    pub(super) states: Vec<State>,
    pub(super) start: usize,
    /// Where a caller is put through who asks for a human, or whom the plan cannot help.
    pub(super) human: Option<Target>,
    pub(super) templates: Templates,
    pub(super) calendar: Calendar,
}

/// What a caller may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Its name in the plan.
    pub name: String,
    /// Sentences that mean it.
    pub examples: Vec<String>,
    /// What it is called where the caller is asked which of two they meant.
    pub called: String,
}

/// A question that is answered in any listening state.
#[derive(Debug)]
pub(super) struct Knowledge {
    pub(super) questions: Vec<String>,
    pub(super) answers: Vec<Words>,
}

#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) request: Request,
    pub(super) remember: Vec<String>,
}

/// A text, with or without something to fill in.
#[derive(Debug, Clone)]
pub(super) enum Words {
    Plain(String),
    Template {
        id: TemplateId,
        /// It holds a masked slot.
        masked: bool,
    },
}

/// A condition, in minijinja's expression syntax; it has been compiled once to see that it can be.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) source: String,
    /// What it asks `heard` for.
    pub(super) heard: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) when: Condition,
    pub(super) say: Option<Words>,
    pub(super) to: Target,
    pub(super) reason: Option<Words>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Trigger {
    Intent(usize),
    Yes,
    No,
    Key(char),
}

/// A way on. A key of an intent's is a route of its own with the same `intent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) trigger: Trigger,
    /// What the trigger stands for.
    pub(super) intent: Option<usize>,
    pub(super) to: usize,
    /// A `return` there comes back to where the caller was.
    pub(super) call: bool,
}

/// Indices of what may stand in the plan or in a state.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) routes: Vec<Route>,
    pub(super) rules: Vec<usize>,
    pub(super) knowledge: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) name: String,
    pub(super) steps: Vec<Guarded>,
    pub(super) otherwise: Option<usize>,
    pub(super) shared: Shared,
}

/// A step and its guard.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) when: Option<Condition>,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Say {
        calm: Words,
        tense: Option<Words>,
        angry: Option<Words>,
        interruptible: bool,
    },
    /// A clip, by its path in the plan's folder, and what is said in it.
    Play {
        clip: String,
        text: Option<Words>,
        interruptible: bool,
    },
    Ask(Box<Ask>),
    Listen {
        wordings: Vec<Words>,
        timeout: Duration,
        patience: Patience,
    },
    Set(Vec<(String, Assigned)>),
    /// In the caller's profile: the name's place in it, and its value.
    Keep(Vec<(usize, Assigned)>),
    /// These of the profile; `None`: all of it.
    Forget(Option<Vec<usize>>),
    Goto(usize),
    /// There, and back here by a `return`.
    Call(usize),
    Return,
    Fetch(Box<Fetching>),
    Notify(Box<Request>),
    Think(Box<Thinking>),
    Transfer {
        target: Target,
        reason: Option<Words>,
        failed: Option<usize>,
        /// The caller's own telephone is sent there.
        blind: bool,
    },
    Voicemail(Box<Voicemail>),
    Callback(Box<Callback>),
    /// The plan that answers this number takes over.
    Switch {
        number: String,
        failed: Option<usize>,
    },
    End,
}

/// A question, or a form of several.
#[derive(Debug)]
pub(super) struct Ask {
    /// Never empty; asked in this order, but for those that are given ahead.
    pub(super) items: Vec<AskItem>,
    /// Of a form: asked first, for whatever the caller likes to give.
    pub(super) opening: Vec<Words>,
    /// Of a form: how the whole is read back.
    pub(super) summary: Confirmation,
    pub(super) tries: u32,
    pub(super) failed: Option<usize>,
    pub(super) timeout: Duration,
    pub(super) patience: Patience,
}

#[derive(Debug)]
pub(super) struct AskItem {
    pub(super) slot: usize,
    /// Never empty.
    pub(super) prompts: Vec<Words>,
    pub(super) confirm: Confirmation,
}

/// What a value has to be, beside what its type says. In these texts and conditions `value` is the value.
#[derive(Debug, Default)]
pub(super) struct Validity {
    pub(super) valid: Option<Condition>,
    pub(super) invalid: Option<Words>,
    pub(super) check: Option<Check>,
    /// What callers call the slot, beside its name.
    pub(super) called: Vec<String>,
}

/// Asks a service whether it knows the value.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) request: Request,
    /// Over `answer`, what the service said.
    pub(super) accept: Condition,
}

#[derive(Debug)]
pub(super) enum Confirmation {
    No,
    /// Read back in the built-in words.
    ReadBack,
    Wording(Words),
}

#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) request: Request,
    pub(super) keep: Option<String>,
    pub(super) wait: Option<Words>,
    pub(super) failed: Option<usize>,
}

/// A question to a language model.
#[derive(Debug)]
pub(super) struct Thinking {
    pub(super) instructions: Words,
    pub(super) model: String,
    pub(super) know: Option<Json>,
    pub(super) tools: Vec<(String, ToolPlan)>,
    /// Exchanges that it remembers.
    pub(super) history: usize,
    pub(super) timeout: Duration,
    pub(super) wait: Option<Words>,
    pub(super) fallback: Option<Words>,
    pub(super) failed: Option<usize>,
}

/// What a model may ask for.
#[derive(Debug)]
pub(super) struct ToolPlan {
    pub(super) about: String,
    pub(super) args: Vec<(String, String)>,
    pub(super) kind: ToolKind,
}

#[derive(Debug)]
pub(super) enum ToolKind {
    Goto(usize),
    Fetch(Box<Request>),
}

/// A message that the caller leaves.
#[derive(Debug)]
pub(super) struct Voicemail {
    /// Said before the tone.
    pub(super) prompt: Option<Words>,
    pub(super) mailbox: String,
    pub(super) longest: Duration,
    pub(super) silence: Duration,
    /// Where a caller goes who said nothing; else behind the step.
    pub(super) empty: Option<usize>,
    /// Where a message leads that could not be kept.
    pub(super) failed: Option<usize>,
}

/// A call that the caller asks us to make.
#[derive(Debug)]
pub(super) struct Callback {
    /// The state in which it begins.
    pub(super) to: usize,
    /// Whom we call; else the caller's own number.
    pub(super) number: Option<Words>,
    /// When; else as soon as may be.
    pub(super) at: Option<Words>,
    /// The opening hours in which we call.
    pub(super) within: Option<String>,
    pub(super) reason: Option<Words>,
    /// Where a wish leads that is refused.
    pub(super) failed: Option<usize>,
}

/// The value of a variable.
#[derive(Debug)]
pub(super) enum Assigned {
    Literal(minijinja::Value),
    /// `{{ … }}` alone: the value keeps its type.
    Expression(String),
    Text(Words),
}

impl Plan {
    /// As `dialplan:` names it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// BCP 47: `en-US`.
    pub fn language(&self) -> &str {
        &self.language
    }
    /// Other languages that callers' first words may be in, by their tags (`zh`), and the numbers whose plans then take
    /// over.
    pub fn languages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.languages.iter().map(|(tag, number)| (*tag, number.as_str()))
    }
    /// A language that is heard, without its region: `en` of `en-US`; `None` for one that is not.
    pub fn heard_language(tag: &str) -> Option<&'static str> {
        lines::tag(tag)
    }
    /// Whether a day is written month first, as in the United States and in China.
    pub(super) fn month_first(&self) -> bool {
        let country = self.language.split('-').nth(1).unwrap_or("");
        matches!(country, "US" | "CN" | "PH") || self.language.starts_with("zh") || self.language == "en"
    }
    /// Words that are said otherwise than they are written.
    pub fn lexicon(&self) -> Arc<Lexicon> {
        Arc::clone(&self.lexicon)
    }
    /// The voice that the plan asks for.
    pub fn voice(&self) -> Option<&str> {
        self.voice.as_deref()
    }
    /// The names that a caller's profile may have; empty when nothing is kept of callers.
    pub fn profile(&self) -> &[String] {
        &self.profile
    }
    /// The pace of every line, percent of the voice's own, where it is the same in every call.
    pub fn pace(&self) -> Option<u8> {
        match &self.speed {
            None => Some(markup::PACE),
            Some(Words::Plain(rate)) => Some(markup::pace(rate).unwrap_or(markup::PACE)),
            Some(Words::Template { .. }) => None,
        }
    }
    /// The intents; [`super::script::Heard::intent`] and [`super::script::Expect::Intents`] are indices into it.
    pub fn intents(&self) -> &[Intent] {
        &self.intents
    }
    /// The slots; [`super::script::Expect::Slot`] is an index into it.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
    /// Each knowledge entry's questions; [`super::script::Heard::knowledge`] is an index into it.
    pub fn knowledge(&self) -> impl ExactSizeIterator<Item = &[String]> {
        self.knowledge.iter().map(|entry| entry.questions.as_slice())
    }
    /// The names of the states.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &str> {
        self.states.iter().map(|state| state.name.as_str())
    }
    /// The state in which a call begins.
    pub fn start(&self) -> &str {
        &self.states[self.start].name
    }

    /// The queues that the plan names, for the configuration to have.
    pub fn queues(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let transfers = steps.filter_map(|guarded| match &guarded.step {
            Step::Transfer { target, .. } => Some(target),
            _ => None,
        });
        let targets = self.rules.iter().map(|rule| &rule.to).chain(transfers);
        let mut names: Vec<&str> = targets
            .filter_map(|target| match target {
                Target::Queue(name) => Some(name.as_str()),
                Target::Sip(_) => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Every line that is the same in each call, the built-in ones included, to be rendered beforehand.
    pub fn literal_prompts(&self) -> Vec<String> {
        let mut found: Vec<String> =
            lines::FIXED.iter().map(|line| lines::in_language(line, &self.language).into()).collect();
        let failures = lines::FAILURES.iter().map(|failure| lines::failure(*failure));
        found.extend(failures.map(|line| lines::in_language(line, &self.language).to_string()));
        found.extend(self.states.iter().map(|state| self.keys_line(state)).filter(|line| !line.is_empty()));
        let plain = self.words().filter_map(|words| match words {
            Words::Plain(text) => Some(text),
            Words::Template { .. } => None,
        });
        found.extend(plain.flat_map(|text| markup::plain_words(text)));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The clips that the plan plays: their paths in its folder.
    pub fn clips(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let played = steps.filter_map(|guarded| match &guarded.step {
            Step::Play { clip, .. } => Some(clip.as_str()),
            _ => None,
        });
        let mut paths: Vec<&str> = played.collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// The numbers whose plans may take over, for the configuration to have.
    pub fn switches(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let named = steps.filter_map(|guarded| match &guarded.step {
            Step::Switch { number, .. } => Some(number.as_str()),
            _ => None,
        });
        let mut numbers: Vec<&str> = named.chain(self.languages().map(|(_, number)| number)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The language models that the plan names, for the configuration to have.
    pub fn models(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let named = steps.filter_map(|guarded| match &guarded.step {
            Step::Think(thinking) => Some(thinking.model.as_str()),
            _ => None,
        });
        let mut names: Vec<&str> = named.collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The secrets that the plan names, for the configuration to have.
    pub fn secrets(&self) -> Vec<&str> {
        let steps = self.states.iter().flat_map(|state| &state.steps);
        let sent = steps.flat_map(|guarded| guarded.step.requests());
        let checks = self.validity.iter().filter_map(|validity| validity.check.as_ref()).map(|check| &check.request);
        let lookup = self.lookup.iter().map(|lookup| &lookup.request);
        let mut names: Vec<&str> = sent.chain(checks).chain(lookup).filter_map(|r| r.auth.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether callers may leave messages.
    pub fn takes_messages(&self) -> bool {
        let mut steps = self.states.iter().flat_map(|state| &state.steps);
        steps.any(|guarded| matches!(guarded.step, Step::Voicemail(_)))
    }

    /// Whether callers may ask to be called back.
    pub fn calls_back(&self) -> bool {
        let mut steps = self.states.iter().flat_map(|state| &state.steps);
        steps.any(|guarded| matches!(guarded.step, Step::Callback(_)))
    }

    /// From `at` on the first moment in the opening hours `within`, where they are named; `None` if there is none.
    pub fn in_hours(&self, within: Option<&str>, at: DateTime) -> Option<DateTime> {
        match within {
            Some(hours) if self.calendar.closes(hours, at).is_none() => self.calendar.opens(hours, at),
            _ => Some(at),
        }
    }

    /// Whether it tells callers that their feelings are inferred.
    pub fn announces_emotion(&self) -> bool {
        self.emotion_notice.is_some()
    }

    fn words(&self) -> impl Iterator<Item = &Words> {
        let steps = self.states.iter().flat_map(|state| &state.steps).flat_map(|guarded| guarded.step.words());
        let answers = self.knowledge.iter().flat_map(|entry| &entry.answers);
        let rules = self.rules.iter().filter_map(|rule| rule.say.as_ref());
        let invalid = self.validity.iter().filter_map(|validity| validity.invalid.as_ref());
        self.consent.iter().chain(&self.emotion_notice).chain(steps).chain(answers).chain(rules).chain(invalid)
    }

    /// The line that offers the state's keys; empty when it has none that stand for something with a name.
    pub(super) fn keys_line(&self, state: &State) -> String {
        let mut options: Vec<(String, char)> = Vec::new();
        for route in state.shared.routes.iter().chain(&self.shared.routes) {
            let (Trigger::Key(key), Some(intent)) = (route.trigger, route.intent) else { continue };
            if options.iter().all(|(_, taken)| *taken != key) {
                options.push((self.intents[intent].called.clone(), key));
            }
        }
        if options.is_empty() { String::new() } else { lines::keys(&options, &self.language) }
    }
}

impl Step {
    fn requests(&self) -> Vec<&Request> {
        match self {
            Step::Fetch(fetch) => vec![&fetch.request],
            Step::Notify(request) => vec![request],
            Step::Think(thinking) => {
                let tools = thinking.tools.iter().filter_map(|(_, tool)| match &tool.kind {
                    ToolKind::Fetch(request) => Some(&**request),
                    ToolKind::Goto(_) => None,
                });
                tools.collect()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn words(&self) -> Vec<&Words> {
        match self {
            Step::Say { calm, tense, angry, .. } => {
                [Some(calm), tense.as_ref(), angry.as_ref()].into_iter().flatten().collect()
            }
            // Its words are shown, not rendered.
            Step::Play { .. } => Vec::new(),
            Step::Ask(ask) => {
                let items = ask.items.iter().flat_map(|item| item.prompts.iter().chain(item.confirm.wording()));
                ask.opening.iter().chain(items).chain(ask.summary.wording()).collect()
            }
            Step::Listen { wordings, .. } => wordings.iter().collect(),
            Step::Fetch(fetch) => fetch.wait.iter().collect(),
            Step::Think(thinking) => thinking.wait.iter().chain(&thinking.fallback).collect(),
            Step::Voicemail(voicemail) => voicemail.prompt.iter().collect(),
            // Not said.
            Step::Callback(_) => Vec::new(),
            Step::Set(_) | Step::Keep(_) | Step::Forget(_) | Step::Notify(_) => Vec::new(),
            Step::Goto(_) | Step::Call(_) | Step::Return => Vec::new(),
            Step::Transfer { .. } | Step::Switch { .. } | Step::End => Vec::new(),
        }
    }
}

impl Confirmation {
    fn wording(&self) -> Option<&Words> {
        match self {
            Self::Wording(words) => Some(words),
            Self::No | Self::ReadBack => None,
        }
    }
}

/// A name as it is said: `block_card` is "block card".
pub(super) fn in_words(name: &str) -> String {
    name.replace(['_', '-'], " ")
}
