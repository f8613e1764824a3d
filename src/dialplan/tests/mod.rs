//! Walks through plans at the level of text: what was heard or typed goes in, what is said and done comes out.

mod callbacks;
mod calls;
mod check;
mod choose;
mod context;
mod examples;
mod forms;
mod guide;
mod languages;
mod limits;
mod messages;
mod parts;
mod profile;
mod services;
mod switch;
mod think;

use std::sync::Arc;

use super::script::{Action, Heard, Input, Mood, Script, TransferFailure};
use super::{Diagnostic, Plan, Severity, load};

/// The plan, which must have no errors.
fn plan(source: &str) -> Plan {
    let checked = load(source.as_bytes(), "dialplan.yaml");
    let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    checked.plan.expect("a plan without errors")
}

fn found(source: &str) -> Vec<Diagnostic> {
    load(source.as_bytes(), "dialplan.yaml").diagnostics
}

/// A Monday morning.
fn nine() -> jiff::civil::DateTime {
    jiff::civil::date(2026, 11, 23).at(9, 0, 0, 0)
}

/// A call in progress; each input returns what the script did with it, one line an action.
struct Call {
    script: Script,
    plan: Arc<Plan>,
}

impl Call {
    fn new(source: &str) -> Self {
        Self::of(plan(source))
    }

    fn of(plan: Plan) -> Self {
        let plan = Arc::new(plan);
        Self { script: Script::new(Arc::clone(&plan), nine()), plan }
    }

    fn start(&mut self) -> Vec<String> {
        self.input(Input::Start { caller: serde_json::json!({"number": "+15550100"}) })
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        self.script.handle(input);
        std::iter::from_fn(|| self.script.poll()).map(written).collect()
    }

    /// The caller means this intent.
    fn means(&mut self, intent: &str) -> Vec<String> {
        let at = self.plan.intents().iter().position(|i| i.name == intent).expect("an intent of the plan");
        let text = format!("a sentence of the caller's that means {intent}");
        self.input(Input::Heard(Heard { text, intent: Some((at, 0.9)), ..Heard::default() }))
    }

    fn asks(&mut self, entry: usize) -> Vec<String> {
        let text = "a question that is answered".to_string();
        self.input(Input::Heard(Heard { text, knowledge: Some((entry, 0.9)), ..Heard::default() }))
    }

    fn gives(&mut self, value: &str) -> Vec<String> {
        self.input(Input::Heard(Heard { text: value.into(), slot: Some(value.into()), ..Heard::default() }))
    }

    fn answers(&mut self, yes: bool) -> Vec<String> {
        let text = if yes { "yes" } else { "no" };
        self.input(Input::Heard(Heard { text: text.into(), yes_no: Some(yes), ..Heard::default() }))
    }

    fn mumbles(&mut self) -> Vec<String> {
        self.input(Input::Heard(Heard { text: "mumble".into(), ..Heard::default() }))
    }

    fn types(&mut self, keys: &str) -> Vec<String> {
        self.input(Input::Keys(keys.into()))
    }

    fn silent(&mut self) -> Vec<String> {
        self.input(Input::NoInput)
    }

    fn fetched(&mut self, body: serde_json::Value) -> Vec<String> {
        self.input(Input::Fetched(Ok(body)))
    }

    fn failed(&mut self, failure: TransferFailure) -> Vec<String> {
        self.input(Input::TransferFailed(failure))
    }

    fn feels(&mut self, frustration: f32, mood: Mood) -> &mut Self {
        self.script.signals(frustration, mood);
        self
    }
}

/// `say` is followed by `!` when it may not be interrupted, and by `*` when it holds a masked slot.
fn written(action: Action) -> String {
    match action {
        Action::Entered { state } => format!("in {state}"),
        Action::Say(say) => {
            let mark = format!("{}{}", if say.interruptible { "" } else { "!" }, if say.masked { "*" } else { "" });
            let pace = if say.pace == 100 { String::new() } else { format!(" at {} %", say.pace) };
            format!("{}{mark}{pace} {}", if say.clip.is_some() { "play" } else { "say" }, say.text)
        }
        Action::Listen(listen) => {
            use super::script::Expect;
            match listen.expect {
                Expect::Intents { keys, .. } if keys.is_empty() => "listen".into(),
                Expect::Intents { keys, .. } => format!("listen {}", keys.into_iter().collect::<String>()),
                Expect::YesNo => "listen yes_no".into(),
                Expect::Slot { slot } => format!("listen slot {slot}"),
            }
        }
        Action::Fetch(fetch) => {
            let method = if fetch.body.is_some() { format!(" {}", fetch.method.name()) } else { String::new() };
            let body = fetch.body.map(|body| format!(" {body}")).unwrap_or_default();
            format!("fetch{}{method} {}{body}", if fetch.masked { "*" } else { "" }, fetch.url)
        }
        Action::Think(think) => {
            let tools: Vec<_> = think.tools.iter().map(|tool| tool.name.as_str()).collect();
            format!("think {} [{}] {}", think.know, tools.join(" "), think.asked.len())
        }
        Action::Notify(fetch) => {
            format!("notify{} {}", if fetch.masked { "*" } else { "" }, fetch.body.unwrap_or_default())
        }
        Action::CallBack(wish) => format!("call back {} {} in {}: {}", wish.number, wish.due, wish.state, wish.reason),
        Action::Record(record) => format!("record {} {:?} {:?}", record.mailbox, record.longest, record.silence),
        Action::Transfer(transfer) => format!("transfer {} ({})", transfer.target, transfer.reason),
        Action::Switch { number } => format!("switch {number}"),
        Action::End => "end".into(),
        Action::Trouble { what } => format!("trouble {what}"),
    }
}
