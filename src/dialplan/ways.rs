//! Every way that a call can take through a plan: the arrows of its picture, and what a test can cover.

use super::plan::{Plan, Route, State, Step, ToolKind, Trigger};

/// An arrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The state it leaves; `None` for one that leaves every state (the plan's own `on` and `handover`).
    pub from: Option<usize>,
    /// Where it leads.
    pub to: End,
    /// What makes a call take it, in a few words.
    pub by: String,
    /// What it stands for.
    pub kind: Kind,
}

/// Where an arrow leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// To a state, by its index in [`Plan::states`].
    State(usize),
    /// To a human: `queue:support`.
    Human(String),
    /// To the plan that answers this number.
    Line(String),
    /// To the end of the call.
    Over,
}

/// Kinds of arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller meant or typed it.
    Answer,
    /// The script goes there by itself.
    Step,
    /// What was asked, looked up or dialled failed.
    Failure,
    /// A handover rule.
    Rule,
}

impl Plan {
    /// Every way, state by state, then those that leave every state.
    pub fn ways(&self) -> Vec<Way> {
        let mut found = Vec::new();
        for (at, state) in self.states.iter().enumerate() {
            self.routes(Some(at), &state.shared.routes, &mut found);
            self.rules(Some(at), &state.shared.rules, &mut found);
            steps(at, state, &mut found);
        }
        self.routes(None, &self.shared.routes, &mut found);
        self.rules(None, &self.shared.rules, &mut found);
        found
    }

    /// A state's index.
    pub fn state_index(&self, name: &str) -> Option<usize> {
        self.states.iter().position(|state| state.name == name)
    }

    /// One arrow a target: its intents and keys stand together on it.
    fn routes(&self, from: Option<usize>, routes: &[Route], found: &mut Vec<Way>) {
        let mut targets: Vec<usize> = Vec::new();
        for route in routes {
            if !targets.contains(&route.to) {
                targets.push(route.to);
            }
        }
        for to in targets {
            let mut by: Vec<String> = Vec::new();
            for route in routes.iter().filter(|route| route.to == to) {
                by.push(match route.trigger {
                    Trigger::Intent(intent) => self.intents[intent].name.clone(),
                    Trigger::Yes => "yes".into(),
                    Trigger::No => "no".into(),
                    Trigger::Key(key) => format!("key {key}"),
                });
            }
            found.push(Way { from, to: End::State(to), by: by.join(", "), kind: Kind::Answer });
        }
    }

    fn rules(&self, from: Option<usize>, rules: &[usize], found: &mut Vec<Way>) {
        for rule in rules.iter().map(|rule| &self.rules[*rule]) {
            let to = End::Human(rule.to.to_string());
            found.push(Way { from, to, by: rule.when.source.clone(), kind: Kind::Rule });
        }
    }
}

fn steps(at: usize, state: &State, found: &mut Vec<Way>) {
    let mut push = |to: End, by: String, kind: Kind| {
        let way = Way { from: Some(at), to, by, kind };
        if !found.contains(&way) {
            found.push(way);
        }
    };
    for guarded in &state.steps {
        let when = guarded.when.as_ref().map(|when| when.source.clone()).unwrap_or_default();
        match &guarded.step {
            Step::Goto(to) => push(End::State(*to), when, Kind::Step),
            Step::Call(to) => push(End::State(*to), "and back".into(), Kind::Step),
            Step::Ask(ask) => {
                if let Some(to) = ask.failed {
                    push(End::State(to), "not answered".into(), Kind::Failure);
                }
            }
            Step::Fetch(fetch) => {
                if let Some(to) = fetch.failed {
                    push(End::State(to), "look-up failed".into(), Kind::Failure);
                }
            }
            Step::Transfer { target, failed, .. } => {
                push(End::Human(target.to_string()), when, Kind::Step);
                if let Some(to) = failed {
                    push(End::State(*to), "nobody took it".into(), Kind::Failure);
                }
            }
            Step::Think(thinking) => {
                for (name, tool) in &thinking.tools {
                    if let ToolKind::Goto(to) = tool.kind {
                        push(End::State(to), format!("the model: {name}"), Kind::Answer);
                    }
                }
                if let Some(to) = thinking.failed {
                    push(End::State(to), "the model failed".into(), Kind::Failure);
                }
            }
            Step::Callback(callback) => {
                push(End::State(callback.to), "called back".into(), Kind::Step);
                if let Some(to) = callback.failed {
                    push(End::State(to), "not called back".into(), Kind::Failure);
                }
            }
            Step::Voicemail(voicemail) => {
                if let Some(to) = voicemail.empty {
                    push(End::State(to), "nothing said".into(), Kind::Failure);
                }
                if let Some(to) = voicemail.failed {
                    push(End::State(to), "message not kept".into(), Kind::Failure);
                }
            }
            Step::Switch { number, failed } => {
                push(End::Line(number.clone()), when, Kind::Step);
                if let Some(to) = failed {
                    push(End::State(*to), "no such line".into(), Kind::Failure);
                }
            }
            Step::End => push(End::Over, when, Kind::Step),
            _ => {}
        }
    }
    if let Some(to) = state.otherwise {
        push(End::State(to), "otherwise".into(), Kind::Failure);
    }
}
