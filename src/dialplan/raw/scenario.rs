//! A scenario as written.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::DateTime;

use super::super::diagnostic::{Code, Report, Span, short};
use super::super::lines;
use super::super::plan::Plan;
use super::super::scenario::{Act, Compare, Expectation, Expected, Outcome, Scenario, Stub, Turn};
use super::super::script::{Thought, TransferFailure};
use super::super::units::seconds;
use super::super::yaml::{Node, Scalar};
use super::fields::{Fields, texts};

/// The caller of a scenario that names none.
const NUMBER: &str = "+15550100";
/// Longest silence and longest wait, seconds.
const LONGEST: f64 = 3_600.0;
/// Turns of one scenario: more are a mistake, and would take for ever.
const MOST_TURNS: usize = 1_000;

const EXPECTED: &[&str] = &[
    "state",
    "passes",
    "said",
    "not_said",
    "intent",
    "slots",
    "frustration",
    "mood",
    "misses",
    "handover",
    "briefing",
    "fetched",
    "holds",
    "within",
    "outcome",
];

/// Reads the shape, and holds names against the plan.
pub(in super::super) fn read(node: &Node, plan: Option<&Plan>, report: &mut Report<'_>) -> Option<Scenario> {
    const KEYS: &[&str] = &[
        "scenario",
        "caller",
        "profile",
        "at",
        "fetches",
        "thinks",
        "agents",
        "messages",
        "callbacks",
        "called_back",
        "snapshot",
        "turns",
    ];
    let mut f = Fields::new(node, "a scenario", KEYS, report)?;
    let name = f.required_text("scenario").map(|name| name.text).unwrap_or_default();
    let (at, agents, messages) = (clock(&mut f), agents(&mut f), messages(&mut f));
    let callbacks = callbacks(&mut f);
    let called_back = called_back(&mut f, plan);
    let snapshot = f.switch("snapshot").unwrap_or(false);
    let mut caller = serde_json::Map::new();
    caller.insert("number".into(), NUMBER.into());
    for (field, node) in f.entries("caller") {
        caller.insert(field.text.clone(), value(node));
    }
    let names = Names { plan };
    let mut profile = BTreeMap::new();
    for (name, node) in f.entries("profile") {
        names.profile(name, f.report);
        profile.insert(name.text.clone(), value(node));
    }
    let fetches = f.list("fetches").iter().filter_map(|node| stub(node, f.report)).collect();
    let thinks = f.list("thinks").iter().filter_map(|node| thought(node, f.report)).collect();
    if f.get("turns").is_none() {
        f.missing("turns");
    }
    let nodes = f.list("turns");
    if let Some(more) = nodes.get(MOST_TURNS) {
        f.report.error(more.at(), Code::TooBig, format!("a scenario has {MOST_TURNS} turns at most"));
    }
    let turns = nodes.iter().take(MOST_TURNS).filter_map(|node| turn(node, plan, f.report)).collect();
    Some(Scenario {
        name,
        caller: caller.into(),
        profile,
        at,
        fetches,
        thinks,
        agents,
        messages,
        callbacks,
        called_back,
        snapshot,
        turns,
    })
}

/// A model's answer: a text, `{tool: NAME, args: {…}}` or `{fails: WHY}`.
fn thought(node: &Node, report: &mut Report<'_>) -> Option<Result<Thought, String>> {
    if let Node::Scalar(text) = node {
        return Some(Ok(Thought::Sentence(text.text.clone())));
    }
    let mut f =
        Fields::new(node, "an answer (a text, `{tool: …}` or `{fails: …}`)", &["tool", "args", "fails"], report)?;
    if let Some(why) = f.text("fails") {
        return Some(Err(why.text));
    }
    let args = f.get("args").map_or_else(|| serde_json::json!({}), value);
    Some(Ok(Thought::Tool { name: f.required_text("tool")?.text, args }))
}

fn clock(f: &mut Fields<'_, '_, '_>) -> Option<DateTime> {
    let text = f.text("at")?;
    let read = text.text.trim().replacen(' ', "T", 1).parse();
    read.map_err(|_| {
        let message = format!("`{}` is no date and time", short(&text.text));
        f.report.error_help(&text.at, Code::BadValue, message, "like 2026-11-24 09:30");
    })
    .ok()
}

fn agents(f: &mut Fields<'_, '_, '_>) -> Option<TransferFailure> {
    const KNOWN: &[(&str, Option<TransferFailure>)] = &[
        ("answer", None),
        ("busy", Some(TransferFailure::Busy)),
        ("no_answer", Some(TransferFailure::NoAnswer)),
        ("declined", Some(TransferFailure::Declined)),
        ("unreachable", Some(TransferFailure::Unreachable)),
    ];
    let text = f.text("agents")?;
    choice(&text, "`agents`", KNOWN, f.report).flatten()
}

/// Whether callers are called back.
fn callbacks(f: &mut Fields<'_, '_, '_>) -> Option<String> {
    let text = f.text("callbacks")?;
    let refused = choice(&text, "`callbacks`", &[("taken", false), ("refused", true)], f.report)?;
    refused.then(|| "the configuration allows no such number".into())
}

/// The state in which a call begins that we make.
fn called_back(f: &mut Fields<'_, '_, '_>, plan: Option<&Plan>) -> Option<String> {
    let state = f.text("called_back")?;
    if let Some(plan) = plan
        && plan.state_index(&state.text).is_none()
    {
        let message = format!("there is no state `{}`", short(&state.text));
        f.report.unknown(&state.at, Code::UnknownState, message, &state.text, plan.states());
    }
    Some(state.text)
}

/// Whether messages are kept.
fn messages(f: &mut Fields<'_, '_, '_>) -> Option<String> {
    let text = f.text("messages")?;
    let refused = choice(&text, "`messages`", &[("kept", false), ("full", true)], f.report)?;
    refused.then(|| "the disk is full".into())
}

/// One of a few words.
fn choice<T: Copy>(text: &Scalar, what: &str, known: &[(&str, T)], report: &mut Report<'_>) -> Option<T> {
    let found = known.iter().find(|(name, _)| *name == text.text);
    if found.is_none() {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("{what} is one of {}, not `{}`", names.join(", "), short(&text.text));
        report.unknown(&text.at, Code::BadValue, message, &text.text, names.iter().copied());
    }
    found.map(|(_, value)| *value)
}

fn stub(node: &Node, report: &mut Report<'_>) -> Option<Stub> {
    let mut f = Fields::new(node, "a look-up's answer", &["url", "answer", "fails"], report)?;
    let url = f.required_text("url")?.text;
    let answer = match (f.get("answer"), f.text("fails")) {
        (Some(answer), None) => Ok(value(answer)),
        (None, Some(why)) => Err(why.text),
        _ => {
            let help = "`answer: {…}`, or `fails: WHY`";
            f.report.error_help(node.at(), Code::MissingKey, "a look-up either answers or fails", help);
            return None;
        }
    };
    Some(Stub { url, answer })
}

/// JSON as it is written in YAML.
fn value(node: &Node) -> serde_json::Value {
    use serde_json::Value;
    match node {
        Node::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
            "" | "~" | "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            // JSON's own numbers only: 007 and +1 are texts.
            text => match serde_json::from_str(text) {
                Ok(number @ Value::Number(_)) => number,
                _ => Value::String(text.to_owned()),
            },
        },
        Node::Scalar(scalar) => Value::String(scalar.text.clone()),
        Node::List(items, _) => items.iter().map(value).collect(),
        Node::Map(entries, _) => {
            Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), value(node))).collect())
        }
    }
}

fn turn(node: &Node, plan: Option<&Plan>, report: &mut Report<'_>) -> Option<Turn> {
    let f = Fields::new(node, "a turn", &["caller", "expect"], report)?;
    let (caller, expect) = (f.get("caller"), f.get("expect"));
    if caller.is_none() && expect.is_none() {
        let help = "`- caller: what is said`, and `expect:` beside it";
        f.report.error_help(node.at(), Code::MissingKey, "a turn has `caller`, `expect` or both", help);
    }
    let act = caller.and_then(|node| act(node, f.report));
    let expect = expect.map(|node| expectations(node, plan, f.report)).unwrap_or_default();
    Some(Turn { line: node.at().line, act, expect })
}

fn act(node: &Node, report: &mut Report<'_>) -> Option<Act> {
    const KEYS: &[&str] =
        &["say", "interrupts", "frustration", "language", "audio", "heard", "keys", "silence", "hangs_up"];
    if let Node::Scalar(words) = node {
        return Some(Act::Say { text: words.text.clone(), interrupts: false, frustration: None, language: None });
    }
    let mut f = Fields::new(node, "what the caller does", KEYS, report)?;
    let given: Vec<&str> =
        ["say", "audio", "keys", "silence", "hangs_up"].into_iter().filter(|key| f.has(key)).collect();
    let [kind] = given.as_slice() else {
        let message = "a caller does one thing in a turn: `say`, `audio`, `keys`, `silence` or `hangs_up`";
        f.report.error(node.at(), Code::MissingKey, message);
        return None;
    };
    for (key, goes_with) in [("interrupts", "say"), ("frustration", "say"), ("language", "say"), ("heard", "audio")] {
        if f.has(key) && *kind != goes_with {
            f.report.error(node.at(), Code::UnknownKey, format!("`{key}` stands beside `{goes_with}` only"));
        }
    }
    match *kind {
        "say" => {
            let text = f.required_text("say")?.text;
            let frustration = f.text("frustration").and_then(|text| {
                let score = text.text.parse::<f32>().ok().filter(|score| (0.0..=1.0).contains(score));
                if score.is_none() {
                    f.report.error(&text.at, Code::BadValue, "`frustration` is a number from 0 to 1");
                }
                score
            });
            let language = f.text("language").and_then(|text| {
                let tag = lines::tag(&text.text);
                if tag.is_none() {
                    let message = format!("`{}` is no language that is heard", short(&text.text));
                    f.report.error_help(&text.at, Code::Language, message, "`en` and `zh` are");
                }
                tag
            });
            Some(Act::Say { text, interrupts: f.switch("interrupts").unwrap_or(false), frustration, language })
        }
        "audio" => {
            let (file, heard) = (f.required_text("audio")?.text, f.text("heard"));
            Some(Act::Audio { file, heard: heard.map(|heard| heard.text).unwrap_or_default() })
        }
        "keys" => {
            let keys = f.required_text("keys")?;
            if keys.text.is_empty() || !keys.text.chars().all(|key| matches!(key, '0'..='9' | '*' | '#')) {
                let message = format!("`{}` cannot be typed", short(&keys.text));
                f.report.error_help(&keys.at, Code::BadValue, message, "0 to 9, * and #");
            }
            Some(Act::Keys(keys.text))
        }
        "silence" => f.text("silence").and_then(|text| time(&text, f.report)).map(Act::Silence),
        _ => Some(Act::HangUp),
    }
}

fn time(text: &Scalar, report: &mut Report<'_>) -> Option<Duration> {
    let found = seconds(&text.text).filter(|seconds| (0.0..=LONGEST).contains(seconds));
    if found.is_none() {
        let message = format!("`{}` is no time", short(&text.text));
        report.error_help(&text.at, Code::BadDuration, message, "like 800ms, 6s or 1m");
    }
    found.map(Duration::from_secs_f64)
}

fn expectations(node: &Node, plan: Option<&Plan>, report: &mut Report<'_>) -> Vec<Expectation> {
    let mut found = Vec::new();
    let mut push = |at: &Span, what: Expected| found.push(Expectation { line: at.line, column: at.column, what });
    if let Node::Scalar(said) = node {
        push(&said.at, Expected::Said(vec![said.text.clone()]));
        return found;
    }
    let Some(f) = Fields::new(node, "an expectation", EXPECTED, report) else { return found };
    let Node::Map(entries, _) = node else { return found };
    let names = Names { plan };
    for (key, node) in entries {
        let report = &mut *f.report;
        let several = || texts_of(node);
        let what = match key.text.as_str() {
            "passes" => {
                texts(node, report).iter().for_each(|state| names.state(state, report));
                Some(Expected::Passes(several()))
            }
            "said" => Some(Expected::Said(texts(node, report).into_iter().map(|text| text.text).collect())),
            "not_said" => Some(Expected::NotSaid(texts(node, report).into_iter().map(|text| text.text).collect())),
            "briefing" => Some(Expected::Briefing(texts(node, report).into_iter().map(|text| text.text).collect())),
            "fetched" => Some(Expected::Fetched(texts(node, report).into_iter().map(|text| text.text).collect())),
            "holds" => {
                texts(node, report).iter().for_each(|text| push(&text.at, Expected::Holds(text.text.clone())));
                None
            }
            "slots" => {
                slots(node, &names, report).into_iter().for_each(|(at, what)| push(&at, what));
                None
            }
            _ => match node {
                Node::Scalar(text) => one(&key.text, text, &names, report),
                other => {
                    let message = format!("`{}` is a text, not {}", short(&key.text), other.what());
                    report.error(other.at(), Code::WrongType, message);
                    None
                }
            },
        };
        if let Some(what) = what {
            push(&key.at, what);
        }
    }
    found
}

fn texts_of(node: &Node) -> Vec<String> {
    match node {
        Node::Scalar(text) => vec![text.text.clone()],
        Node::List(items, _) => items.iter().flat_map(texts_of).collect(),
        Node::Map(..) => Vec::new(),
    }
}

fn slots(node: &Node, names: &Names<'_>, report: &mut Report<'_>) -> Vec<(Span, Expected)> {
    let Node::Map(entries, _) = node else {
        report.error(node.at(), Code::WrongType, "`slots` is a map of slots and values");
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, node) in entries {
        names.slot(name, report);
        match node {
            node if node.is_null() => found.push((name.at.clone(), Expected::Slot(name.text.clone(), None))),
            Node::Scalar(text) => {
                found.push((name.at.clone(), Expected::Slot(name.text.clone(), Some(text.text.clone()))));
            }
            other => report.error(other.at(), Code::WrongType, "a slot's value is a text"),
        }
    }
    found
}

/// An expectation that is one word or number.
fn one(key: &str, text: &Scalar, names: &Names<'_>, report: &mut Report<'_>) -> Option<Expected> {
    const OUTCOMES: &[(&str, Outcome)] = &[
        ("completed", Outcome::Completed),
        ("handed_over", Outcome::HandedOver),
        ("switched", Outcome::Switched),
        ("caller_hung_up", Outcome::CallerHungUp),
        ("open", Outcome::Open),
    ];
    const MOODS: &[(&str, &str)] = &[("calm", "calm"), ("tense", "tense"), ("angry", "angry")];
    let compare = |report: &mut Report<'_>| {
        let found = Compare::parse(&text.text);
        if found.is_none() {
            let message = format!("`{}` compares with nothing", short(&text.text));
            report.error_help(&text.at, Code::BadValue, message, "like `>= 0.7`, `< 2` or `0`");
        }
        found
    };
    match key {
        "state" => {
            names.state(text, report);
            Some(Expected::State(text.text.clone()))
        }
        "intent" if text.text == "none" => Some(Expected::Intent(None)),
        "intent" => {
            names.intent(text, report);
            Some(Expected::Intent(Some(text.text.clone())))
        }
        "frustration" => compare(report).map(Expected::Frustration),
        "misses" => compare(report).map(Expected::Misses),
        "mood" => choice(text, "`mood`", MOODS, report).map(|mood| Expected::Mood(mood.to_owned())),
        "handover" => Some(Expected::Handover(text.text.clone())),
        "within" => time(text, report).map(Expected::Within),
        "outcome" => choice(text, "`outcome`", OUTCOMES, report).map(Expected::Outcome),
        // An unknown key has been reported.
        _ => None,
    }
}

/// The plan's names, where there is a plan.
struct Names<'p> {
    plan: Option<&'p Plan>,
}

impl Names<'_> {
    fn state(&self, name: &Scalar, report: &mut Report<'_>) {
        let Some(plan) = self.plan.filter(|plan| plan.states().all(|state| state != name.text)) else { return };
        let message = format!("the plan has no state `{}`", short(&name.text));
        report.unknown(&name.at, Code::UnknownState, message, &name.text, plan.states());
    }

    fn intent(&self, name: &Scalar, report: &mut Report<'_>) {
        let Some(plan) = self.plan.filter(|plan| plan.intents().iter().all(|intent| intent.name != name.text)) else {
            return;
        };
        let message = format!("the plan has no intent `{}`", short(&name.text));
        let known = plan.intents().iter().map(|intent| intent.name.as_str()).chain(["none"]);
        report.unknown(&name.at, Code::UnknownIntent, message, &name.text, known);
    }

    fn profile(&self, name: &Scalar, report: &mut Report<'_>) {
        let Some(plan) = self.plan.filter(|plan| !plan.profile().contains(&name.text)) else { return };
        let message = format!("the plan keeps no `{}` of its callers", short(&name.text));
        let known = plan.profile().iter().map(String::as_str);
        report.unknown(&name.at, Code::UndeclaredVariable, message, &name.text, known);
    }

    fn slot(&self, name: &Scalar, report: &mut Report<'_>) {
        let Some(plan) = self.plan.filter(|plan| plan.slots().iter().all(|slot| slot.name != name.text)) else {
            return;
        };
        let message = format!("the plan has no slot `{}`", short(&name.text));
        report.unknown(&name.at, Code::UnknownSlot, message, &name.text, plan.slots().iter().map(|s| s.name.as_str()));
    }
}
