//! What is kept of a caller from call to call, and how fast everything is said to them.

use super::super::diagnostic::{Code, Span, short};
use super::super::markup;
use super::super::plan::{Assigned, Condition, Step, Words};
use super::super::yaml::Scalar;
use super::Compiler;
use super::words::Policy;

/// Names that a profile may have.
const MOST_NAMES: usize = 20;

impl Compiler<'_, '_> {
    /// The names that may be kept.
    pub(super) fn profile(&mut self) -> Vec<String> {
        let Some(raw) = &self.raw.profile else { return Vec::new() };
        if raw.keep.len() > MOST_NAMES {
            self.report.error(&raw.at, Code::TooBig, format!("a profile has {MOST_NAMES} names at most"));
        }
        let mut names: Vec<String> = Vec::new();
        for name in &raw.keep {
            self.name(name, &[], false);
            if names.contains(&name.text) {
                let message = format!("`{}` is in the profile already", short(&name.text));
                self.report.error(&name.at, Code::DuplicateKey, message);
            }
            names.push(name.text.clone());
        }
        names
    }

    /// When it may be kept how the caller sounds: something that they agreed to must say so.
    pub(super) fn calm_voice(&mut self) -> Option<Condition> {
        let text = self.raw.profile.as_ref()?.calm_voice.as_ref()?;
        let condition = self.condition(text);
        let uses = self.templates.expression(&condition.source).ok()?;
        if !uses.names.iter().any(|name| name.starts_with("profile.")) {
            let message = "how a caller sounds is kept only of one who has agreed, and nothing here says so";
            let help = "name what a `keep` step keeps behind their yes: `calm_voice: profile.voice_agreed`";
            self.report.error_help(&text.at, Code::BadCondition, message, help);
        }
        self.feelings.get_or_insert_with(|| text.at.clone());
        Some(condition)
    }

    /// One of a `keep` step's.
    pub(super) fn keep(&mut self, (name, value): &(Scalar, Scalar)) -> Option<(usize, Assigned)> {
        let place = self.kept_as(&name.text, &name.at);
        let value = self.assigned(value);
        Some((place?, value))
    }

    pub(super) fn forget(&mut self, names: &[Scalar]) -> Step {
        let places: Vec<usize> = names.iter().filter_map(|name| self.kept_as(&name.text, &name.at)).collect();
        Step::Forget((!names.is_empty()).then_some(places))
    }

    /// `profile.NAME` in a text or a condition.
    pub(super) fn profile_use(&mut self, at: &Span, field: Option<&str>) {
        match field {
            Some(field) => {
                let at = self.report.locate(at, field);
                self.kept_as(field, &at);
            }
            None => {
                let at = self.report.locate(at, "profile");
                let help = "write profile.NAME, so that it is known what is used";
                self.report.error_help(&at, Code::BadTemplate, "the profile is used as a whole", help);
            }
        }
    }

    /// The place of a name in the profile; reported where it has none.
    fn kept_as(&mut self, name: &str, at: &Span) -> Option<usize> {
        let names: &[Scalar] = self.raw.profile.as_ref().map_or(&[], |profile| &profile.keep);
        let place = names.iter().position(|known| known.text == name);
        if place.is_none() && names.is_empty() {
            let message = "this plan keeps nothing of its callers";
            let help = format!("say what it keeps, in the plan: `profile: {{keep: [{}]}}`", short(name));
            self.report.error_help(at, Code::UndeclaredVariable, message, help);
        } else if place.is_none() {
            let message = format!("the profile does not keep `{}`", short(name));
            let known = names.iter().map(|known| known.text.as_str());
            self.report.unknown(at, Code::UndeclaredVariable, message, name, known);
        }
        place
    }

    /// `speed:` of the plan: a rate, or a text that is one when it is filled in.
    pub(super) fn speed(&mut self, text: &Scalar) -> Words {
        let words = self.words(text, Policy::Kept);
        if let Words::Plain(rate) = &words
            && !rate.is_empty()
            && markup::pace(rate).is_none()
        {
            let message = format!("`{}` is no speed", short(rate));
            let help = "x-slow, slow, medium, fast, x-fast, 50% to 200%, or a text like \"{{ profile.speed }}\"";
            self.report.error_help(&text.at, Code::BadValue, message, help);
        }
        words
    }
}
