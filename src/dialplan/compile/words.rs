//! Texts, conditions and values: what they use, and whether that is declared and may be used there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::diagnostic::{Code, Span, short};
use super::super::markup;
use super::super::plan::{Assigned, Condition, Words};
use super::super::script::Target;
use super::super::template::{self, FUNCTIONS, Kind, MAX_TEXT, Problem, TemplateId, Uses};
use super::super::units::seconds;
use super::super::yaml::Scalar;
use super::{CALLER_FIELDS, Compiler, RESERVED, SlotUse};

/// What a text is for decides whether it may hold a masked slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy<'p> {
    /// Said to the caller: allowed, muted in the recording, and worth a warning.
    Spoken,
    /// Asked back to the caller: that is what a confirmation is for.
    ReadBack,
    /// Kept, logged or shown to somebody: never.
    Kept,
    /// Sent to an address: allowed for the slots that `reveal` names.
    Sent(&'p BTreeSet<usize>),
    /// Looked at: a condition lets nothing out.
    Looked,
}

/// Longest and shortest time that a plan may name.
const DURATIONS: std::ops::RangeInclusive<f64> = 0.1..=120.0;

impl Compiler<'_, '_> {
    /// A text, which may be a template.
    pub(super) fn words(&mut self, text: &Scalar, policy: Policy<'_>) -> Words {
        if text.text.trim().is_empty() {
            self.report.error(&text.at, Code::BadValue, "there is no text here");
        } else if text.text.len() > MAX_TEXT {
            self.report.error(&text.at, Code::TooBig, format!("a text has {MAX_TEXT} bytes at most"));
        } else if matches!(policy, Policy::Spoken | Policy::ReadBack)
            && let Some(tag) = markup::unknown(&without_templates(&text.text))
        {
            let message = format!("`{}` is no mark-up that a voice knows", short(&tag));
            let help = "<break time=\"500ms\"/>, <say-as interpret-as=\"digits\">…</say-as>, <prosody rate=\"80%\">…</prosody> (50 to 200 %) or <emphasis>…</emphasis>; in words, write `less than`";
            self.report.error_help(&text.at, Code::BadMarkup, message, help);
        } else if template::is_template(&text.text)
            && let Some((id, masked)) = self.template(text, Kind::Text, policy)
        {
            return Words::Template { id, masked };
        }
        Words::Plain(text.text.trim().to_string())
    }

    /// A template that is compiled whether or not there is something to fill in. Returns it and whether it holds a
    /// masked slot.
    pub(super) fn template(&mut self, text: &Scalar, kind: Kind, policy: Policy<'_>) -> Option<(TemplateId, bool)> {
        match self.templates.add(text.text.trim(), kind) {
            Ok((id, uses)) => Some((id, self.check_uses(&text.at, &uses, policy))),
            Err(problem) => {
                self.problem(&text.at, Code::BadTemplate, problem);
                None
            }
        }
    }

    pub(super) fn condition(&mut self, text: &Scalar) -> Condition {
        let source = text.text.trim();
        // An author who is used to templates may write the braces.
        let source = braced(source).unwrap_or(source).to_string();
        let mut heard = Vec::new();
        match self.templates.expression(&source) {
            Ok(uses) => {
                self.check_uses(&text.at, &uses, Policy::Looked);
                heard = uses.heard.iter().filter_map(|name| self.intents.get(name.as_str()).copied()).collect();
            }
            Err(problem) => self.problem(&text.at, Code::BadCondition, problem),
        }
        Condition { source, heard }
    }

    /// The value of a `set`: true, false and numbers without quotes, an expression alone, or a text.
    pub(super) fn assigned(&mut self, value: &Scalar) -> Assigned {
        let text = value.text.trim();
        if value.plain {
            if let Ok(switch) = text.parse::<bool>() {
                return Assigned::Literal(switch.into());
            }
            if let Ok(number) = text.parse::<i64>() {
                return Assigned::Literal(number.into());
            }
            if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
                return Assigned::Literal(number.into());
            }
        }
        let Some(source) = braced(text) else { return Assigned::Text(self.words(value, Policy::Kept)) };
        self.expression(value, source, Policy::Kept);
        Assigned::Expression(source.to_string())
    }

    /// What stands in the braces of `{{ … }}` alone: whether it holds a masked slot; `None` for a mistake.
    pub(super) fn expression(&mut self, value: &Scalar, source: &str, policy: Policy<'_>) -> Option<bool> {
        match self.templates.expression(source) {
            Ok(uses) => Some(self.check_uses(&value.at, &uses, policy)),
            Err(problem) => {
                self.problem(&value.at, Code::BadTemplate, problem);
                None
            }
        }
    }

    fn problem(&mut self, at: &Span, code: Code, problem: Problem) {
        match problem.word {
            Some(word) => {
                let at = self.report.locate(at, &word);
                self.report.unknown(&at, code, problem.message, &word, problem.known.iter().copied());
            }
            None => match problem.help {
                Some(help) => self.report.error_help(at, code, problem.message, help),
                None => self.report.error(at, code, problem.message),
            },
        }
    }

    /// Reports what is used and should not be. Returns whether a masked slot is used.
    fn check_uses(&mut self, at: &Span, uses: &Uses, policy: Policy<'_>) -> bool {
        let mut masked = false;
        for name in &uses.names {
            let mut path = name.split('.');
            match (path.next().unwrap_or(""), path.next()) {
                ("slots", Some(slot)) => masked |= self.slot_use(at, slot, policy),
                ("slots", None) => {
                    let at = self.report.locate(at, "slots");
                    let help = "write slots.NAME, so that it is known which one leaves";
                    self.report.error_help(&at, Code::BadTemplate, "the slots are used as a whole", help);
                }
                ("caller", field) => self.caller_use(at, field),
                ("profile", field) => self.profile_use(at, field),
                ("value", _) if self.value_of.is_some() => {
                    let slot = self.value_of.unwrap_or_default();
                    let at = self.report.locate(at, "value");
                    masked |= self.masked_use(&at, slot, policy);
                }
                ("answer", _) if self.answers => {}
                ("args", Some(arg)) if self.args.contains(arg) => {}
                (root, _) if self.variables.contains(root) => {}
                ("frustration" | "mood" | "arousal" | "frustration_trend" | "arousal_trend", _) => {
                    self.feelings.get_or_insert_with(|| at.clone());
                }
                ("misses" | "last" | "today" | "now" | "weekday" | "hour", _) => {}
                (root, _) if self.value_of.is_some_and(|slot| self.raw.slots[slot].name.text == root) => {
                    let at = self.report.locate(at, root);
                    let message = format!("nothing declares `{}`", short(root));
                    self.report.error_help(&at, Code::UndeclaredVariable, message, "the slot's own value is `value`");
                }
                (root, _) => {
                    let at = self.report.locate(at, root);
                    let message = format!("nothing declares `{}`", short(root));
                    let known = RESERVED
                        .iter()
                        .take(10)
                        .chain(&["today", "now", "weekday", "hour"])
                        .chain(FUNCTIONS)
                        .copied()
                        .chain(self.variables.iter().copied());
                    self.report.unknown(&at, Code::UndeclaredVariable, message, root, known);
                }
            }
        }
        for name in &uses.hours {
            if self.raw.hours.iter().all(|hours| hours.name.text != *name) {
                let at = self.report.locate(at, name);
                let message = format!("there are no opening hours `{}`", short(name));
                let known = self.raw.hours.iter().map(|hours| hours.name.text.as_str());
                self.report.unknown(&at, Code::UnknownHours, message, name, known);
            }
        }
        for name in &uses.heard {
            let at = self.report.locate(at, name);
            self.intent_named(name, &at);
        }
        masked
    }

    fn slot_use(&mut self, at: &Span, name: &str, policy: Policy<'_>) -> bool {
        let at = self.report.locate(at, name);
        let Some(slot) = self.slot_named(name, &at) else { return false };
        let in_fetch = matches!(policy, Policy::Sent(_));
        self.slot_uses.push(SlotUse { slot, at: at.clone(), in_fetch });
        self.masked_use(&at, slot, policy)
    }

    /// Whether the slot is masked; reported where that is no place for it.
    fn masked_use(&mut self, at: &Span, slot: usize, policy: Policy<'_>) -> bool {
        if !self.built_slots.get(slot).is_some_and(|slot| slot.mask) {
            return false;
        }
        let name = self.built_slots[slot].name.clone();
        match policy {
            Policy::Looked | Policy::ReadBack => {}
            Policy::Sent(revealed) if revealed.contains(&slot) => {}
            Policy::Spoken => {
                let message = format!("`{name}` is masked, and is said here");
                let help = "it is kept out of the cache and the recording; say it only where the caller must hear it";
                self.report.warning(at, Code::MaskedSpoken, message, help);
            }
            Policy::Sent(_) => {
                let message = format!("`{name}` is masked, and would be sent");
                self.report.error_help(at, Code::MaskedLeak, message, format!("name it: `reveal: [{name}]`"));
            }
            Policy::Kept => {
                let message = format!("`{name}` is masked, and would be kept here");
                let help = "a masked slot leaves memory only by a `fetch` that names it under `reveal`";
                self.report.error_help(at, Code::MaskedLeak, message, help);
            }
        }
        true
    }

    fn caller_use(&mut self, at: &Span, field: Option<&str>) {
        let Some(field) = field else { return };
        if CALLER_FIELDS.contains(&field) || self.remembered.contains(field) {
            return;
        }
        let at = self.report.locate(at, field);
        let message = format!("nothing of the caller is remembered as `{}`", short(field));
        let known = CALLER_FIELDS.iter().copied().chain(self.remembered.iter().map(String::as_str));
        self.report.unknown(&at, Code::UndeclaredVariable, message, field, known);
    }

    /// The address of a `fetch` or a lookup, whose scheme and host the author must have written out: what a caller
    /// says never chooses whom the server talks to.
    pub(super) fn url(&mut self, text: &Scalar, policy: Policy<'_>) -> Option<(TemplateId, bool)> {
        let address = text.text.trim();
        let host = ["http://", "https://"].iter().find_map(|scheme| address.strip_prefix(scheme));
        let end = host.and_then(|host| host.find(['/', '?', '{', '#']).map_or(Some(host), |end| host.get(..end)));
        let open = host.zip(end).is_some_and(|(host, end)| host[end.len()..].starts_with('{'));
        let literal = address.split('{').next().unwrap_or("");
        if end.is_none_or(str::is_empty) || open || literal.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let help = "http://HOST/… or https://HOST/…, templates only after the host";
            self.report.error_help(&text.at, Code::BadUrl, "this is no address with its host written out", help);
            return None;
        }
        self.template(text, Kind::Url, policy)
    }

    pub(super) fn duration(&mut self, text: Option<&Scalar>, default: Duration) -> Duration {
        self.duration_in(text, default, DURATIONS, "from 100ms to 2m")
    }

    /// A time within `range` (seconds), which `bounds` says in words.
    pub(super) fn duration_in(
        &mut self,
        text: Option<&Scalar>,
        default: Duration,
        range: std::ops::RangeInclusive<f64>,
        bounds: &str,
    ) -> Duration {
        let Some(text) = text else { return default };
        let written = text.text.trim();
        match seconds(written).filter(|seconds| range.contains(seconds)) {
            Some(seconds) => Duration::from_secs_f64(seconds),
            None => {
                let message = format!("`{}` is no time", short(written));
                let help = format!("like 800ms, 2s or 1m; {bounds}");
                self.report.error_help(&text.at, Code::BadDuration, message, help);
                default
            }
        }
    }

    /// `queue:NAME` or `sip:…`. A mistaken one is reported and replaced.
    pub(super) fn target(&mut self, text: &Scalar) -> Target {
        let written = text.text.trim();
        if let Some(name) = written.strip_prefix("queue:") {
            let valid = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
            if valid {
                return Target::Queue(name.to_string());
            }
        }
        let rest = written.strip_prefix("sip:").or_else(|| written.strip_prefix("sips:"));
        let graphic = written.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'{'));
        if graphic && rest.is_some_and(|rest| !rest.is_empty() && !rest.ends_with('@')) {
            return Target::Sip(written.to_string());
        }
        let message = format!("`{}` is nobody to put a caller through to", short(written));
        self.report.error_help(&text.at, Code::BadTarget, message, "queue:NAME, or sip:USER@HOST");
        Target::Queue(String::new())
    }
}

/// The text with its templates taken out: what is compared in them is no mark-up.
fn without_templates(text: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some((at, close)) = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")]
        .iter()
        .filter_map(|(open, close)| Some((rest.find(open)?, *close)))
        .min()
    {
        left += &rest[..at];
        rest = rest[at..].find(close).map_or("", |end| &rest[at + end + 2..]);
    }
    left + rest
}

/// What stands in the braces, if the text is one `{{ … }}` and nothing else.
pub(super) fn braced(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then(|| inner.trim())
}
