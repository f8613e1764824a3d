//! The plan as written: its shape, with places. Unknown keys and wrong kinds of value are found here; what names and
//! templates mean is `compile`'s.

mod fields;
pub(super) mod scenario;
mod steps;

use super::diagnostic::{Code, Report, Span};
use super::yaml::{Node, Scalar};
use fields::Fields;
pub(super) use fields::distinct;
pub(super) use steps::{
    Mooded, RawAsk, RawCallback, RawFetch, RawRequest, RawStep, RawThink, RawTransfer, RawVerb, RawVoicemail, VERBS,
};

#[cfg(test)]
pub(super) use steps::verbs;

/// A plan as written.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) at: Span,
    pub(super) name: Option<Scalar>,
    pub(super) language: Option<Scalar>,
    /// Other languages, and the numbers whose plans speak them.
    pub(super) languages: Vec<(Scalar, Scalar)>,
    pub(super) voice: Option<Scalar>,
    pub(super) lookup: Option<RawLookup>,
    pub(super) profile: Option<RawProfile>,
    pub(super) speed: Option<Scalar>,
    pub(super) consent: Option<Scalar>,
    pub(super) emotion_notice: Option<Scalar>,
    pub(super) intents: Vec<(Scalar, Vec<Scalar>)>,
    /// Intents' names in the plan, and what callers are told that they are called.
    pub(super) called: Vec<(Scalar, Scalar)>,
    pub(super) slots: Vec<RawSlot>,
    pub(super) start: Option<Scalar>,
    pub(super) shared: RawShared,
    pub(super) states: Vec<RawState>,
    pub(super) lexicon: Vec<(Scalar, Scalar)>,
    /// Sub-plans: their names and files.
    pub(super) plans: Vec<(Scalar, Scalar)>,
    /// Names of sub-plans that were taken in, and the states that they begin with.
    pub(super) aliases: Vec<(Scalar, Scalar)>,
    pub(super) hours: Vec<RawHours>,
    pub(super) holidays: Vec<(Scalar, Scalar)>,
}

/// What may stand in the plan or in a state.
#[derive(Debug, Default)]
pub(super) struct RawShared {
    pub(super) on: Vec<RawRoute>,
    pub(super) handover: Vec<RawRule>,
    pub(super) knowledge: Vec<RawKnowledge>,
}

/// `caller:`.
#[derive(Debug)]
pub(super) struct RawLookup {
    pub(super) request: RawRequest,
    pub(super) remember: Vec<Scalar>,
}

/// `profile:`.
#[derive(Debug)]
pub(super) struct RawProfile {
    pub(super) at: Span,
    /// The names that may be kept.
    pub(super) keep: Vec<Scalar>,
    /// When it may be kept how the caller sounds.
    pub(super) calm_voice: Option<Scalar>,
}

/// One of `hours:`.
#[derive(Debug)]
pub(super) struct RawHours {
    pub(super) name: Scalar,
    /// Days, or `holidays`, and the times of day.
    pub(super) days: Vec<(Scalar, Vec<Scalar>)>,
}

/// One of `slots:`.
#[derive(Debug)]
pub(super) struct RawSlot {
    pub(super) name: Scalar,
    pub(super) kind: Option<Scalar>,
    pub(super) length: Option<Scalar>,
    pub(super) choices: Vec<(Scalar, Vec<Scalar>)>,
    pub(super) mask: bool,
    pub(super) keypad: Option<bool>,
    pub(super) prompts: Vec<Scalar>,
    pub(super) confirm: Option<Confirm>,
    pub(super) valid: Option<Scalar>,
    pub(super) invalid: Option<Scalar>,
    pub(super) check: Option<RawCheck>,
    pub(super) called: Vec<Scalar>,
}

/// `check:` of a slot: an address, or a map.
#[derive(Debug)]
pub(super) struct RawCheck {
    pub(super) request: RawRequest,
    pub(super) accept: Option<Scalar>,
}

/// `confirm:` is a switch or a wording.
#[derive(Debug, Clone)]
pub(super) enum Confirm {
    Switch(bool),
    Wording(Scalar),
}

/// One of `handover:`.
#[derive(Debug, Clone)]
pub(super) struct RawRule {
    pub(super) when: Scalar,
    pub(super) say: Option<Scalar>,
    pub(super) to: Scalar,
    pub(super) reason: Option<Scalar>,
}

/// One of `on:`.
#[derive(Debug, Clone)]
pub(super) struct RawRoute {
    pub(super) trigger: Scalar,
    pub(super) to: Scalar,
    pub(super) key: Option<Scalar>,
    /// Written `call:` and not `to:`.
    pub(super) call: bool,
}

/// One of `knowledge:`.
#[derive(Debug, Clone)]
pub(super) struct RawKnowledge {
    pub(super) at: Span,
    pub(super) questions: Vec<Scalar>,
    pub(super) answers: Vec<Scalar>,
}

/// One of `states:`.
#[derive(Debug)]
pub(super) struct RawState {
    pub(super) name: Scalar,
    pub(super) steps: Vec<RawStep>,
    /// Whether every step could be read.
    pub(super) whole: bool,
    pub(super) otherwise: Option<Scalar>,
    pub(super) shared: RawShared,
}

/// Reads the shape. Mistakes go to the report; what is not mistaken is kept, so that later stages find theirs too.
pub(super) fn read(node: &Node, report: &mut Report<'_>) -> Option<Raw> {
    const KEYS: &[&str] = &[
        "dialplan",
        "language",
        "languages",
        "voice",
        "speed",
        "caller",
        "profile",
        "consent",
        "emotion_notice",
        "intents",
        "slots",
        "handover",
        "on",
        "start",
        "states",
        "knowledge",
        "hours",
        "holidays",
        "plans",
        "lexicon",
    ];
    let mut f = Fields::new(node, "a plan", KEYS, report)?;
    let mut raw = Raw {
        at: node.at().clone(),
        name: f.required_text("dialplan"),
        language: f.text("language"),
        voice: f.text("voice"),
        speed: f.text("speed"),
        consent: f.text("consent"),
        emotion_notice: f.text("emotion_notice"),
        start: f.required_text("start"),
        ..Raw::default()
    };
    raw.shared = shared(&mut f);
    raw.lookup = f.get("caller").and_then(|node| lookup(node, f.report));
    raw.profile = f.get("profile").and_then(|node| profile(node, f.report));
    for (name, node) in f.entries("intents") {
        let (examples, called) = intent(node, f.report);
        raw.intents.push((name.clone(), examples));
        raw.called.extend(called.map(|called| (name.clone(), called)));
    }
    for (name, node) in f.entries("slots") {
        raw.slots.extend(slot(name, node, f.report));
    }
    for (name, node) in f.entries("hours") {
        let days = match node {
            Node::Map(entries, _) => {
                fields::distinct(entries, f.report);
                entries.iter().map(|(day, times)| (day.clone(), fields::texts(times, f.report))).collect()
            }
            other => {
                let message =
                    format!("opening hours are a map like `{{mon-fri: \"8:00-18:00\"}}`, not {}", other.what());
                f.report.error(other.at(), Code::WrongType, message);
                Vec::new()
            }
        };
        raw.hours.push(RawHours { name: name.clone(), days });
    }
    raw.holidays = steps::pairs(&mut f, "holidays");
    raw.languages = steps::pairs(&mut f, "languages");
    raw.lexicon = steps::pairs(&mut f, "lexicon");
    raw.plans = steps::pairs(&mut f, "plans");
    if f.get("states").is_none() {
        f.missing("states");
    }
    for (name, node) in f.entries("states") {
        raw.states.extend(state(name, node, f.report));
    }
    Some(raw)
}

fn lookup(node: &Node, report: &mut Report<'_>) -> Option<RawLookup> {
    const KEYS: &[&str] = &["lookup", "remember", "timeout", "method", "body", "headers", "auth", "retry"];
    let mut f = Fields::new(node, "`caller`", KEYS, report)?;
    let remember = f.texts("remember");
    Some(RawLookup { request: steps::request(&mut f, "lookup")?, remember })
}

fn profile(node: &Node, report: &mut Report<'_>) -> Option<RawProfile> {
    let mut f = Fields::new(node, "`profile` (`profile: {keep: [NAME, …]}`)", &["keep", "calm_voice"], report)?;
    if f.get("keep").is_none() {
        f.missing("keep");
    }
    let keep = f.texts("keep");
    Some(RawProfile { at: node.at().clone(), keep, calm_voice: f.text("calm_voice") })
}

/// Examples, or `{called: …, examples: …}`.
fn intent(node: &Node, report: &mut Report<'_>) -> (Vec<Scalar>, Option<Scalar>) {
    match node {
        // An empty list is a mistake of meaning, and `compile` says so.
        node if node.is_null() => (Vec::new(), None),
        Node::Map(..) => match Fields::new(node, "an intent", &["called", "examples"], report) {
            Some(mut f) => (f.texts("examples"), f.text("called")),
            None => (Vec::new(), None),
        },
        node => (fields::texts(node, report), None),
    }
}

fn slot(name: &Scalar, node: &Node, report: &mut Report<'_>) -> Option<RawSlot> {
    const KEYS: &[&str] =
        &["type", "length", "choices", "mask", "keypad", "prompt", "confirm", "valid", "invalid", "check", "called"];
    let mut f = Fields::new(node, "a slot", KEYS, report)?;
    Some(RawSlot {
        name: name.clone(),
        kind: f.required_text("type"),
        length: f.text("length"),
        choices: f.get("choices").map(|node| choices(node, f.report)).unwrap_or_default(),
        mask: f.switch("mask").unwrap_or(false),
        keypad: f.switch("keypad"),
        prompts: f.texts("prompt"),
        confirm: f.confirm(),
        valid: f.text("valid"),
        invalid: f.text("invalid"),
        check: f.get("check").and_then(|node| check(node, f.report)),
        called: f.texts("called"),
    })
}

fn check(node: &Node, report: &mut Report<'_>) -> Option<RawCheck> {
    if let Node::Scalar(url) = node {
        return Some(RawCheck { request: RawRequest::plain(url.clone()), accept: None });
    }
    const KEYS: &[&str] = &["fetch", "reveal", "accept", "timeout", "method", "body", "headers", "auth", "retry"];
    let mut f = Fields::new(node, "`check` (an address, or `{fetch: …}`)", KEYS, report)?;
    let accept = f.text("accept");
    Some(RawCheck { request: steps::request(&mut f, "fetch")?, accept })
}

/// `[small, large]`, or `{small: [tiny, short], large: big}` where a choice has other words.
fn choices(node: &Node, report: &mut Report<'_>) -> Vec<(Scalar, Vec<Scalar>)> {
    match node {
        Node::Map(entries, _) => {
            fields::distinct(entries, report);
            entries.iter().map(|(name, words)| (name.clone(), fields::texts(words, report))).collect()
        }
        other => fields::texts(other, report).into_iter().map(|name| (name, Vec::new())).collect(),
    }
}

fn state(name: &Scalar, node: &Node, report: &mut Report<'_>) -> Option<RawState> {
    let mut f = Fields::new(node, "a state", &["steps", "on", "otherwise", "handover", "knowledge"], report)?;
    let nodes = f.list("steps");
    if f.get("steps").is_none() {
        f.missing("steps");
    }
    let steps: Vec<_> = nodes.iter().filter_map(|node| steps::step(node, f.report)).collect();
    let whole = steps.len() == nodes.len();
    Some(RawState { name: name.clone(), steps, whole, otherwise: f.text("otherwise"), shared: shared(&mut f) })
}

fn shared(f: &mut Fields<'_, '_, '_>) -> RawShared {
    let mut shared = RawShared::default();
    for (trigger, node) in f.entries("on") {
        shared.on.extend(route(trigger, node, f.report));
    }
    for node in f.list("handover") {
        shared.handover.extend(rule(node, f.report));
    }
    for node in f.list("knowledge") {
        shared.knowledge.extend(knowledge(node, f.report));
    }
    shared
}

fn route(trigger: &Scalar, node: &Node, report: &mut Report<'_>) -> Option<RawRoute> {
    if let Node::Scalar(to) = node {
        return Some(RawRoute { trigger: trigger.clone(), to: to.clone(), key: None, call: false });
    }
    let mut f = Fields::new(node, "a way on (`STATE`, or `{to: STATE, key: 1}`)", &["to", "call", "key"], report)?;
    let call = f.has("call") && !f.has("to");
    let (to, key) = (f.required_text(if call { "call" } else { "to" }), f.text("key"));
    Some(RawRoute { trigger: trigger.clone(), to: to?, key, call })
}

fn rule(node: &Node, report: &mut Report<'_>) -> Option<RawRule> {
    let mut f = Fields::new(node, "a handover rule", &["when", "say", "to", "reason"], report)?;
    let (when, to) = (f.required_text("when"), f.required_text("to"));
    let (say, reason) = (f.text("say"), f.text("reason"));
    Some(RawRule { when: when?, say, to: to?, reason })
}

fn knowledge(node: &Node, report: &mut Report<'_>) -> Option<RawKnowledge> {
    let mut f = Fields::new(node, "a knowledge entry", &["questions", "answers"], report)?;
    for key in ["questions", "answers"] {
        if f.get(key).is_none() {
            f.missing(key);
        }
    }
    Some(RawKnowledge { at: node.at().clone(), questions: f.texts("questions"), answers: f.texts("answers") })
}
