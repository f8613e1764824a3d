//! Steps as written: exactly one verb each, and the keys that go with it.

use super::super::diagnostic::{Code, Report, Span, short};
use super::super::yaml::{Node, Scalar};
use super::Confirm;
use super::fields::{Fields, texts};

/// The verbs, and the keys that may stand beside each (besides `when`).
pub(in super::super) const VERBS: &[(&str, &[&str])] = &[
    ("say", &["interruptible"]),
    ("play", &["text", "interruptible"]),
    ("ask", &["prompt", "confirm", "tries", "failed", "timeout", "patience"]),
    ("listen", &["timeout", "patience"]),
    ("set", &[]),
    ("keep", &[]),
    ("forget", &[]),
    ("goto", &[]),
    ("call", &[]),
    ("return", &[]),
    ("fetch", &["reveal", "as", "timeout", "wait", "failed", "method", "body", "headers", "auth", "retry"]),
    ("notify", &["reveal", "timeout", "method", "body", "headers", "auth", "retry"]),
    ("think", &["model", "know", "tools", "history", "timeout", "wait", "fallback", "failed"]),
    ("transfer", &["reason", "failed", "blind"]),
    ("voicemail", &["mailbox", "longest", "silence", "empty", "failed"]),
    ("callback", &["number", "at", "within", "reason", "failed"]),
    ("switch", &["failed"]),
    ("end", &[]),
];

/// The verbs of the language.
#[cfg(test)]
pub(in super::super) fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|(verb, _)| *verb)
}

/// One step.
#[derive(Debug)]
pub(in super::super) struct RawStep {
    pub(in super::super) at: Span,
    pub(in super::super) when: Option<Scalar>,
    pub(in super::super) verb: RawVerb,
}

/// What it does.
#[derive(Debug)]
pub(in super::super) enum RawVerb {
    Say {
        text: Mooded,
        interruptible: bool,
    },
    Play(Box<RawPlay>),
    Ask(Box<RawAsk>),
    Listen {
        wordings: Vec<Scalar>,
        timeout: Option<Scalar>,
        patience: Option<Scalar>,
    },
    Set(Vec<(Scalar, Scalar)>),
    /// In the caller's profile.
    Keep(Vec<(Scalar, Scalar)>),
    /// These of the profile; without a name all of it.
    Forget(Vec<Scalar>),
    Goto(Scalar),
    Call(Scalar),
    Return,
    Fetch(Box<RawFetch>),
    Notify(Box<RawRequest>),
    Think(Box<RawThink>),
    Transfer(Box<RawTransfer>),
    Voicemail(Box<RawVoicemail>),
    Callback(Box<RawCallback>),
    /// The plan that answers this number takes over.
    Switch {
        number: Scalar,
        failed: Option<Scalar>,
    },
    End,
}

/// A text, by mood.
#[derive(Debug)]
pub(in super::super) struct Mooded {
    pub(in super::super) calm: Scalar,
    pub(in super::super) tense: Option<Scalar>,
    pub(in super::super) angry: Option<Scalar>,
}

/// `ask:`.
#[derive(Debug)]
pub(in super::super) struct RawAsk {
    /// More than one, or one in a list, is a form.
    pub(in super::super) slots: Vec<Scalar>,
    pub(in super::super) form: bool,
    pub(in super::super) prompts: Vec<Scalar>,
    pub(in super::super) confirm: Option<Confirm>,
    pub(in super::super) tries: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
    pub(in super::super) timeout: Option<Scalar>,
    /// How long its pauses may be.
    pub(in super::super) patience: Option<Scalar>,
}

/// What is sent by `fetch`, `notify`, a lookup or a check.
#[derive(Debug)]
pub(in super::super) struct RawRequest {
    pub(in super::super) url: Scalar,
    pub(in super::super) reveal: Vec<Scalar>,
    pub(in super::super) timeout: Option<Scalar>,
    pub(in super::super) method: Option<Scalar>,
    pub(in super::super) body: Option<Node>,
    pub(in super::super) headers: Vec<(Scalar, Scalar)>,
    pub(in super::super) auth: Option<Scalar>,
    pub(in super::super) retry: Option<Scalar>,
}

impl RawRequest {
    /// An address alone.
    pub(in super::super) fn plain(url: Scalar) -> Self {
        let (reveal, timeout, method, body) = (Vec::new(), None, None, None);
        Self { url, reveal, timeout, method, body, headers: Vec::new(), auth: None, retry: None }
    }
}

/// `fetch:`.
#[derive(Debug)]
pub(in super::super) struct RawFetch {
    pub(in super::super) request: RawRequest,
    pub(in super::super) keep: Option<Scalar>,
    pub(in super::super) wait: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
}

/// `think:`.
#[derive(Debug)]
pub(in super::super) struct RawThink {
    pub(in super::super) instructions: Scalar,
    pub(in super::super) model: Option<Scalar>,
    pub(in super::super) know: Option<Node>,
    pub(in super::super) tools: Vec<RawTool>,
    pub(in super::super) history: Option<Scalar>,
    pub(in super::super) timeout: Option<Scalar>,
    pub(in super::super) wait: Option<Scalar>,
    pub(in super::super) fallback: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
}

/// One of its `tools`: exactly one of `goto` and `request` is there.
#[derive(Debug)]
pub(in super::super) struct RawTool {
    pub(in super::super) name: Scalar,
    pub(in super::super) about: Scalar,
    pub(in super::super) args: Vec<(Scalar, Scalar)>,
    pub(in super::super) goto: Option<Scalar>,
    pub(in super::super) request: Option<RawRequest>,
}

/// `play:`.
#[derive(Debug)]
pub(in super::super) struct RawPlay {
    pub(in super::super) clip: Scalar,
    pub(in super::super) text: Option<Scalar>,
    pub(in super::super) interruptible: bool,
}

/// `transfer:`.
#[derive(Debug)]
pub(in super::super) struct RawTransfer {
    pub(in super::super) target: Scalar,
    pub(in super::super) reason: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
    /// The caller's own telephone is sent there (REFER).
    pub(in super::super) blind: bool,
}

/// `callback:`.
#[derive(Debug)]
pub(in super::super) struct RawCallback {
    /// The state in which the call that we make begins.
    pub(in super::super) to: Scalar,
    pub(in super::super) number: Option<Scalar>,
    pub(in super::super) at: Option<Scalar>,
    /// Opening hours.
    pub(in super::super) within: Option<Scalar>,
    pub(in super::super) reason: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
}

/// `voicemail:`.
#[derive(Debug)]
pub(in super::super) struct RawVoicemail {
    /// Said before the tone.
    pub(in super::super) prompt: Option<Scalar>,
    pub(in super::super) mailbox: Option<Scalar>,
    pub(in super::super) longest: Option<Scalar>,
    pub(in super::super) silence: Option<Scalar>,
    pub(in super::super) empty: Option<Scalar>,
    pub(in super::super) failed: Option<Scalar>,
}

pub(super) fn step(node: &Node, report: &mut Report<'_>) -> Option<RawStep> {
    let verb = verb(node, report)?;
    let (name, beside) = VERBS[verb];
    let known: Vec<&str> = [name, "when"].into_iter().chain(beside.iter().copied()).collect();
    let mut f = Fields::new(node, "this step", &known, report)?;
    let when = f.text("when");
    if f.has("when") && when.is_none() {
        f.missing("when");
    }
    let verb = match name {
        "say" => {
            let text = say(&mut f);
            let interruptible = f.switch("interruptible").unwrap_or(true);
            RawVerb::Say { text: text?, interruptible }
        }
        "play" => {
            let (clip, text) = (f.required_text("play"), f.text("text"));
            let interruptible = f.switch("interruptible").unwrap_or(true);
            RawVerb::Play(Box::new(RawPlay { clip: clip?, text, interruptible }))
        }
        "ask" => ask(&mut f)?,
        "listen" => listen(&mut f)?,
        "set" => RawVerb::Set(values(&mut f, "set")),
        "keep" => RawVerb::Keep(values(&mut f, "keep")),
        "forget" => RawVerb::Forget(f.texts("forget")),
        "goto" => RawVerb::Goto(f.required_text("goto")?),
        "call" => RawVerb::Call(f.required_text("call")?),
        "return" => {
            if let Some(node) = f.get("return") {
                f.report.error(
                    node.at(),
                    Code::WrongType,
                    "`return:` stands alone: it goes back to where the `call` was",
                );
            }
            RawVerb::Return
        }
        "fetch" => fetch(&mut f)?,
        "think" => think(&mut f)?,
        "notify" => RawVerb::Notify(Box::new(request(&mut f, "notify")?)),
        "voicemail" => {
            let (prompt, mailbox) = (f.text("voicemail"), f.text("mailbox"));
            let (longest, silence) = (f.text("longest"), f.text("silence"));
            let (empty, failed) = (way_out(&mut f, "empty"), way_out(&mut f, "failed"));
            RawVerb::Voicemail(Box::new(RawVoicemail { prompt, mailbox, longest, silence, empty, failed }))
        }
        "callback" => {
            let (to, number, at) = (f.required_text("callback"), f.text("number"), f.text("at"));
            let (within, reason) = (f.text("within"), f.text("reason"));
            let failed = way_out(&mut f, "failed");
            RawVerb::Callback(Box::new(RawCallback { to: to?, number, at, within, reason, failed }))
        }
        "transfer" => {
            let (target, reason) = (f.required_text("transfer"), f.text("reason"));
            let failed = way_out(&mut f, "failed");
            let blind = f.switch("blind").unwrap_or(false);
            RawVerb::Transfer(Box::new(RawTransfer { target: target?, reason, failed, blind }))
        }
        "switch" => {
            let (number, failed) = (f.required_text("switch"), way_out(&mut f, "failed"));
            RawVerb::Switch { number: number?, failed }
        }
        _ => {
            if let Some(node) = f.get("end") {
                f.report.error(node.at(), Code::WrongType, "`end:` stands alone; a farewell is a `say` before it");
            }
            RawVerb::End
        }
    };
    Some(RawStep { at: node.at().clone(), when, verb })
}

/// Which of [`VERBS`] the step has. Reported: none, or more than one.
fn verb(node: &Node, report: &mut Report<'_>) -> Option<usize> {
    let Node::Map(entries, at) = node else {
        let help = "for example `- say: Hello.`; `- end:` needs its colon";
        report.error_help(node.at(), Code::WrongType, format!("a step is `verb: …`, not {}", node.what()), help);
        return None;
    };
    let number = |key: &Scalar| VERBS.iter().position(|(verb, _)| *verb == key.text);
    let mut found = entries.iter().filter_map(|(key, _)| Some((number(key)?, key)));
    let Some((first, _)) = found.next() else {
        // The likeliest culprit is the first key that is not a companion of some verb.
        let companion = |key: &str| key == "when" || VERBS.iter().any(|(_, beside)| beside.contains(&key));
        match entries.iter().find(|(key, _)| !companion(&key.text)) {
            Some((key, _)) => {
                let message = format!("there is no verb `{}`", short(&key.text));
                report.unknown(&key.at, Code::UnknownKey, message, &key.text, VERBS.iter().map(|(verb, _)| *verb));
            }
            None => report.error(at, Code::MissingKey, "this step has no verb (say, ask, listen, …)"),
        }
        return None;
    };
    if let Some((_, second)) = found.find(|(verb, _)| *verb != first) {
        let message = format!("a step has one verb; `{}` begins another", second.text);
        report.error_help(&second.at, Code::UnknownKey, message, "write it as a step of its own, with `- ` before it");
        return None;
    }
    Some(first)
}

fn say(f: &mut Fields<'_, '_, '_>) -> Option<Mooded> {
    if let Some(node @ Node::Map(..)) = f.get("say") {
        const WHAT: &str = "`say` (a text, or a text each for `calm`, `tense` and `angry`)";
        let mut moods = Fields::new(node, WHAT, &["calm", "tense", "angry"], f.report)?;
        let (calm, tense, angry) = (moods.required_text("calm"), moods.text("tense"), moods.text("angry"));
        return Some(Mooded { calm: calm?, tense, angry });
    }
    Some(Mooded { calm: f.required_text("say")?, tense: None, angry: None })
}

fn ask(f: &mut Fields<'_, '_, '_>) -> Option<RawVerb> {
    let form = matches!(f.get("ask"), Some(Node::List(..)));
    let slots = f.texts("ask");
    if slots.is_empty() && (f.get("ask").is_none() || form) {
        f.missing("ask");
    }
    let (prompts, confirm, tries) = (f.texts("prompt"), f.confirm(), f.text("tries"));
    let (failed, timeout, patience) = (way_out(f, "failed"), f.text("timeout"), f.text("patience"));
    if slots.is_empty() {
        return None;
    }
    Some(RawVerb::Ask(Box::new(RawAsk { slots, form, prompts, confirm, tries, failed, timeout, patience })))
}

fn listen(f: &mut Fields<'_, '_, '_>) -> Option<RawVerb> {
    let wordings = match f.get("listen") {
        Some(node) => texts(node, f.report),
        // Silent: the state listens at once.
        None => Vec::new(),
    };
    Some(RawVerb::Listen { wordings, timeout: f.text("timeout"), patience: f.text("patience") })
}

/// Of `set` and `keep`: names and their values.
fn values(f: &mut Fields<'_, '_, '_>, verb: &str) -> Vec<(Scalar, Scalar)> {
    if f.get(verb).is_none() {
        f.missing(verb);
    }
    pairs(f, verb)
}

/// A map of names and texts.
pub(super) fn pairs(f: &mut Fields<'_, '_, '_>, key: &str) -> Vec<(Scalar, Scalar)> {
    let mut found = Vec::new();
    for (name, node) in f.entries(key) {
        match node {
            Node::Scalar(value) => found.push((name.clone(), value.clone())),
            other => {
                let message = format!("`{}` is a text or a number, not {}", short(&name.text), other.what());
                f.report.error(other.at(), Code::WrongType, message);
            }
        }
    }
    found
}

fn fetch(f: &mut Fields<'_, '_, '_>) -> Option<RawVerb> {
    let request = request(f, "fetch");
    let (keep, wait, failed) = (f.text("as"), f.text("wait"), way_out(f, "failed"));
    Some(RawVerb::Fetch(Box::new(RawFetch { request: request?, keep, wait, failed })))
}

fn think(f: &mut Fields<'_, '_, '_>) -> Option<RawVerb> {
    let instructions = f.required_text("think");
    let mut tools = Vec::new();
    for (name, node) in f.entries("tools") {
        tools.extend(tool(name, node, f.report));
    }
    let (model, know, history) = (f.text("model"), f.get("know").cloned(), f.text("history"));
    let (timeout, wait, fallback) = (f.text("timeout"), f.text("wait"), f.text("fallback"));
    let failed = way_out(f, "failed");
    let instructions = instructions?;
    Some(RawVerb::Think(Box::new(RawThink {
        instructions,
        model,
        know,
        tools,
        history,
        timeout,
        wait,
        fallback,
        failed,
    })))
}

fn tool(name: &Scalar, node: &Node, report: &mut Report<'_>) -> Option<RawTool> {
    const KEYS: &[&str] =
        &["about", "goto", "fetch", "args", "reveal", "timeout", "method", "body", "headers", "auth", "retry"];
    let mut f = Fields::new(node, "a tool (`{goto: STATE, about: …}`, or `{fetch: URL, about: …}`)", KEYS, report)?;
    let (about, args) = (f.required_text("about"), pairs(&mut f, "args"));
    let goto = f.text("goto");
    let request = if goto.is_none() { Some(request(&mut f, "fetch")?) } else { None };
    Some(RawTool { name: name.clone(), about: about?, args, goto, request })
}

/// The keys of a request; `url` is the key of its address.
pub(super) fn request(f: &mut Fields<'_, '_, '_>, url: &str) -> Option<RawRequest> {
    let url = f.required_text(url);
    let (reveal, timeout, method) = (f.texts("reveal"), f.text("timeout"), f.text("method"));
    let (body, auth, retry) = (f.get("body").cloned(), f.text("auth"), f.text("retry"));
    let headers = pairs(f, "headers");
    Some(RawRequest { url: url?, reveal, timeout, method, body, headers, auth, retry })
}

/// `failed: STATE`, or `failed: {goto: STATE}`; `empty` likewise.
fn way_out(f: &mut Fields<'_, '_, '_>, key: &'static str) -> Option<Scalar> {
    match f.get(key) {
        Some(node @ Node::Map(..)) => {
            const WHAT: &str = "a way out (`failed: STATE`, or `failed: {goto: STATE}`)";
            Fields::new(node, WHAT, &["goto"], f.report)?.required_text("goto")
        }
        _ => f.text(key),
    }
}
