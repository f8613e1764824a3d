//! A language model's answer: said sentence by sentence as it comes, and bounded in all that it may do. The model sees
//! what the step names, may go where the step says and ask what the step lets it ask; whatever else it says is words.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::value::Serde;

use super::super::lines;
use super::super::plan::{Step, Thinking, ToolKind};
use super::walk::{Script, Wait};
use super::{Action, Asked, Think, Thought, Tool};

/// Budget of one round.
const THINK_COST: u32 = 25;
/// Longest answer that is said, characters: half a minute.
const MAX_SAID: usize = 1_000;
/// Fetches that one answer may ask for.
const MAX_ROUNDS: usize = 3;
/// What a fetch brings is shown to the model up to this many bytes.
const MAX_RESULT: usize = 8_000;

/// One answer on its way.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    know: String,
    said: String,
    /// The caller took the floor: the rest is not said.
    hushed: bool,
    asked: Vec<Asked>,
}

/// What was exchanged at a step before: what it knew and what it answered.
pub(super) type Exchanges = BTreeMap<(usize, usize), Vec<(String, String)>>;

impl Script {
    fn thinking(&self) -> Option<(Arc<super::Plan>, usize, usize)> {
        let step = self.plan.states[self.state].steps.get(self.step)?;
        matches!(step.step, Step::Think(_)).then(|| (Arc::clone(&self.plan), self.state, self.step))
    }

    /// Begins; true, since the answer is awaited.
    pub(super) fn think(&mut self, thinking: &Thinking) -> bool {
        let scope = self.scope();
        let know = thinking.know.as_ref().map(|know| know.filled(&self.plan.templates, &scope)).transpose();
        match (self.filled(&thinking.instructions), know) {
            (Some((instructions, _)), Ok(know)) => {
                let know = know.map(|know| know.to_string()).unwrap_or_default();
                self.answer = Answer { know, ..Answer::default() };
                if let Some(wait) = &thinking.wait {
                    self.say(wait, true);
                }
                self.ask_model(thinking, instructions);
            }
            (_, know) => {
                let why = know.err().unwrap_or_else(|| "the instructions".into());
                self.trouble(format!("state {}: `think` cannot be filled in: {why}", self.state()));
                self.thought_failed(thinking);
            }
        }
        true
    }

    fn ask_model(&mut self, thinking: &Thinking, instructions: String) {
        self.spend(THINK_COST);
        let exchanges = self.exchanges.get(&(self.state, self.step)).cloned().unwrap_or_default();
        let tool = |(name, tool): &(String, super::super::plan::ToolPlan)| Tool {
            name: name.clone(),
            about: tool.about.clone(),
            args: tool.args.clone(),
        };
        // Past the last round only words are wanted.
        let tools =
            if self.answer.asked.len() < MAX_ROUNDS { thinking.tools.iter().map(tool).collect() } else { Vec::new() };
        self.wait = Wait::Thinking;
        self.out.push_back(Action::Think(Think {
            model: thinking.model.clone(),
            instructions,
            know: self.answer.know.clone(),
            exchanges,
            tools,
            asked: self.answer.asked.clone(),
            timeout: thinking.timeout,
        }));
    }

    /// What the model brings.
    pub(super) fn thought(&mut self, thought: Thought) {
        let Some((plan, state, step)) = self.thinking() else { return };
        let Step::Think(thinking) = &plan.states[state].steps[step].step else { return };
        match thought {
            Thought::Sentence(text) => self.say_thought(&text),
            Thought::Tool { name, args } => self.tool(thinking, &name, args),
            Thought::Done if self.answer.said.is_empty() && !self.answer.hushed => self.thought_failed(thinking),
            Thought::Done => self.thought_out(thinking),
            Thought::Failed(why) => {
                self.trouble(format!("state {}: the model failed: {why}", self.state()));
                if self.answer.said.is_empty() { self.thought_failed(thinking) } else { self.thought_out(thinking) }
            }
        }
    }

    fn say_thought(&mut self, text: &str) {
        let room = MAX_SAID.saturating_sub(self.answer.said.chars().count());
        let text: String = speakable(text).chars().take(room).collect();
        if text.is_empty() || self.answer.hushed {
            return;
        }
        if !self.answer.said.is_empty() {
            self.answer.said.push(' ');
        }
        self.answer.said += &text;
        self.say_text(text, true, false);
    }

    /// The model asks for one of the step's tools: to go somewhere, or to be told something.
    fn tool(&mut self, thinking: &Thinking, name: &str, args: serde_json::Value) {
        let Some((_, tool)) = thinking.tools.iter().find(|(known, _)| known == name) else {
            self.trouble(format!("state {}: the model asked for what the plan does not offer", self.state()));
            return if self.answer.said.is_empty() {
                self.thought_failed(thinking)
            } else {
                self.thought_out(thinking)
            };
        };
        match &tool.kind {
            ToolKind::Goto(state) => self.enter(*state),
            ToolKind::Fetch(request) => {
                let known = tool.args.iter().filter_map(|(name, _)| {
                    let text = match args.get(name)? {
                        serde_json::Value::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    Some((name.clone(), text.chars().take(200).collect::<String>().into()))
                });
                let known: BTreeMap<String, serde_json::Value> = known.collect();
                let scope = self.scope_with(&[("args", Serde(&known).into())]);
                self.answer.asked.push(Asked { name: name.to_string(), args: serde_json::json!(known), result: None });
                match request.filled(&self.plan.templates, &scope) {
                    Ok(fetch) => {
                        self.wait = Wait::Consulting;
                        self.out.push_back(Action::Fetch(fetch));
                    }
                    Err(why) => self.consulted(Err(why)),
                }
            }
        }
    }

    /// What a tool's fetch brought goes back to the model.
    pub(super) fn consulted(&mut self, result: Result<serde_json::Value, String>) {
        let Some((plan, state, step)) = self.thinking() else { return };
        let Step::Think(thinking) = &plan.states[state].steps[step].step else { return };
        let result = match result {
            Ok(found) => found.to_string(),
            Err(why) => {
                self.trouble(format!("state {}: what the model asked for failed: {why}", self.state()));
                "{\"error\":\"not available\"}".to_string()
            }
        };
        let result = result.chars().take(MAX_RESULT).collect();
        if let Some(asked) = self.answer.asked.last_mut() {
            asked.result = Some(result);
        }
        match self.filled(&thinking.instructions) {
            Some((instructions, _)) => self.ask_model(thinking, instructions),
            None => self.thought_failed(thinking),
        }
    }

    /// The caller took the floor: what the model still says is not said.
    pub(super) fn hush(&mut self) {
        self.answer.hushed = true;
    }

    /// There was an answer: the step is over.
    fn thought_out(&mut self, thinking: &Thinking) {
        let answer = std::mem::take(&mut self.answer);
        if thinking.history > 0 {
            let exchanges = self.exchanges.entry((self.state, self.step)).or_default();
            exchanges.push((answer.know, answer.said));
            let surplus = exchanges.len().saturating_sub(thinking.history);
            exchanges.drain(..surplus);
        }
        self.step += 1;
        self.run();
    }

    /// There was none: the plan's own words instead.
    fn thought_failed(&mut self, thinking: &Thinking) {
        self.answer = Answer::default();
        match (&thinking.fallback, thinking.failed) {
            (Some(fallback), _) => self.say(fallback, true),
            (None, None) => self.say_line(lines::SORRY_LINE),
            (None, Some(_)) => {}
        }
        match thinking.failed {
            Some(state) => self.enter(state),
            None => {
                self.step += 1;
                self.run();
            }
        }
    }
}

/// A model's words as a voice may have them: no markup, no control characters, no addresses to read out.
fn speakable(text: &str) -> String {
    let mut said = String::new();
    let mut tag = false;
    for sign in text.chars() {
        match sign {
            '<' => tag = true,
            '>' => tag = false,
            _ if tag => {}
            '*' | '#' | '`' | '_' | '~' | '|' | '{' | '}' | '[' | ']' => said.push(' '),
            sign if sign.is_control() => said.push(' '),
            sign => said.push(sign),
        }
    }
    let address = |word: &&str| !word.contains("://");
    said.split_whitespace().filter(address).collect::<Vec<_>>().join(" ")
}
