//! The `think` step.

use std::collections::HashSet;
use std::time::Duration;

use super::super::diagnostic::{Code, short};
use super::super::plan::{Step, Thinking, ToolKind, ToolPlan};
use super::super::raw::RawThink;
use super::super::script::Method;
use super::Compiler;
use super::words::Policy;

const THINK_TIMEOUT: Duration = Duration::from_secs(8);
const TOOL_TIMEOUT: Duration = Duration::from_secs(3);
const MAX_TOOLS: usize = 16;
const MAX_HISTORY: usize = 10;
const DEFAULT_MODEL: &str = "default";

impl Compiler<'_, '_> {
    pub(super) fn think(&mut self, raw: &RawThink) -> Option<Step> {
        let instructions = self.words(&raw.instructions, Policy::Kept);
        let mut masked = false;
        // A masked slot has no business with a model: nothing reveals it there.
        let know = raw.know.as_ref().map(|know| self.json(know, Policy::Kept, &mut masked));
        if let Some(model) = &raw.model {
            self.name(model, &[], true);
        }
        let mut tools = Vec::new();
        if raw.tools.len() > MAX_TOOLS {
            let message = format!("a `think` has {MAX_TOOLS} tools at most");
            self.report.error(&raw.instructions.at, Code::TooBig, message);
        }
        for tool in raw.tools.iter().take(MAX_TOOLS) {
            self.name(&tool.name, &[], true);
            let args: Vec<(String, String)> =
                tool.args.iter().map(|(name, about)| (name.text.clone(), about.text.clone())).collect();
            tool.args.iter().for_each(|(name, _)| self.name(name, &[], false));
            let kind = match (&tool.goto, &tool.request) {
                (Some(state), _) => self.state_named(state).map(ToolKind::Goto),
                (None, Some(request)) => {
                    self.args = args.iter().map(|(name, _)| name.clone()).collect();
                    let request = self.request(request, TOOL_TIMEOUT, Method::Get);
                    self.args = HashSet::new();
                    request.map(|request| ToolKind::Fetch(Box::new(request)))
                }
                (None, None) => None,
            };
            let about = tool.about.text.trim().to_string();
            tools.extend(kind.map(|kind| (tool.name.text.clone(), ToolPlan { about, args, kind })));
        }
        let history = raw.history.as_ref().map_or(0, |text| match text.text.trim().parse() {
            Ok(history) if history <= MAX_HISTORY => history,
            _ => {
                let message = format!("`history` is a number from 0 to {MAX_HISTORY}, not `{}`", short(&text.text));
                self.report.error(&text.at, Code::BadValue, message);
                0
            }
        });
        if raw.fallback.is_none() && raw.failed.is_none() {
            let message = "this `think` does not say what happens when the model fails";
            let help = "add `fallback: TEXT`, or `failed: STATE`";
            self.report.warning(&raw.instructions.at, Code::MissingFailed, message, help);
        }
        let model = raw.model.as_ref().map_or(DEFAULT_MODEL, |model| model.text.trim()).to_string();
        let timeout = self.duration(raw.timeout.as_ref(), THINK_TIMEOUT);
        let wait = raw.wait.as_ref().map(|text| self.words(text, Policy::Spoken));
        let fallback = raw.fallback.as_ref().map(|text| self.words(text, Policy::Spoken));
        let failed = raw.failed.as_ref().and_then(|name| self.state_named(name));
        let thinking = Thinking { instructions, model, know, tools, history, timeout, wait, fallback, failed };
        Some(Step::Think(Box::new(thinking)))
    }
}
