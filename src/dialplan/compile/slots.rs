//! Slots: their types, and what a value has to be beside that.

use std::time::Duration;

use super::super::diagnostic::{Code, short};
use super::super::plan::{Check, Condition, Slot, SlotKind, Validity};
use super::super::raw::{RawCheck, RawSlot};
use super::super::script::Method;
use super::super::slot::MAX_DIGITS;
use super::super::yaml::Scalar;
use super::Compiler;
use super::words::Policy;

const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
const KINDS: &[&str] =
    &["digits", "number", "money", "date", "time", "yes_no", "choice", "name", "postcode", "email", "phone", "text"];

impl Compiler<'_, '_> {
    pub(super) fn slots(&mut self) {
        let raw = self.raw;
        for raw in &raw.slots {
            let kind = self.slot_kind(raw);
            if raw.keypad == Some(true) && !kind.can_be_typed() {
                let message = format!("a slot of `type: {}` cannot be typed on a keypad", kind_name(raw));
                self.report.error(&raw.name.at, Code::BadValue, message);
            }
            let keypad = raw.keypad.unwrap_or(kind.typed());
            self.built_slots.push(Slot { name: raw.name.text.clone(), kind, mask: raw.mask, keypad });
        }
    }

    /// What the values have to be; the slots are built.
    pub(super) fn validity(&mut self) -> Vec<Validity> {
        let raw = self.raw;
        let mut built = Vec::new();
        for (at, raw) in raw.slots.iter().enumerate() {
            self.value_of = Some(at);
            let valid = raw.valid.as_ref().map(|text| self.condition(text));
            let invalid = raw.invalid.as_ref().map(|text| self.words(text, Policy::ReadBack));
            let check = raw.check.as_ref().and_then(|check| self.check(check));
            self.value_of = None;
            if let Some(text) = raw.invalid.as_ref().filter(|_| raw.valid.is_none() && raw.check.is_none()) {
                let help = "add `valid: CONDITION`, or `check: ADDRESS`";
                self.report.error_help(&text.at, Code::BadValue, "nothing says when a value is invalid", help);
            }
            let called = raw.called.iter().map(|word| word.text.trim().to_lowercase()).collect();
            built.push(Validity { valid, invalid, check, called });
        }
        built
    }

    fn check(&mut self, raw: &RawCheck) -> Option<Check> {
        let request = self.request(&raw.request, CHECK_TIMEOUT, Method::Get);
        self.answers = true;
        let accept = match &raw.accept {
            Some(text) => self.condition(text),
            None => Condition { source: "answer.valid".into(), heard: Vec::new() },
        };
        self.answers = false;
        Some(Check { request: request?, accept })
    }

    fn slot_kind(&mut self, raw: &RawSlot) -> SlotKind {
        let kind = kind_name(raw);
        if let Some(length) = raw.length.as_ref().filter(|_| kind != "digits") {
            self.report.error(&length.at, Code::BadValue, "only `type: digits` has a length");
        }
        if let Some((choice, _)) = raw.choices.first().filter(|_| kind != "choice") {
            self.report.error(&choice.at, Code::BadValue, "only `type: choice` has choices");
        }
        match kind {
            "digits" => self.digits(raw.length.as_ref()),
            "number" => SlotKind::Number,
            "money" => SlotKind::Money,
            "date" => SlotKind::Date,
            "time" => SlotKind::Time,
            "yes_no" => SlotKind::YesNo,
            "choice" => {
                if raw.choices.is_empty() {
                    self.report.error(&raw.name.at, Code::MissingKey, "`type: choice` needs the key `choices`");
                }
                let choice = |(name, words): &(Scalar, Vec<Scalar>)| {
                    let name = name.text.trim().to_string();
                    let mut said: Vec<String> = words.iter().map(|word| word.text.trim().to_string()).collect();
                    // Its name is said as well, unless it is said otherwise: `checking_account` is no word.
                    let spoken = super::super::plan::in_words(&name);
                    if !said.iter().any(|word| word.eq_ignore_ascii_case(&spoken)) {
                        said.push(spoken);
                    }
                    (name, said)
                };
                SlotKind::Choice(raw.choices.iter().map(choice).collect())
            }
            "name" => SlotKind::Name,
            "postcode" => SlotKind::Postcode,
            "email" => SlotKind::Email,
            "phone" => SlotKind::Phone,
            "text" => SlotKind::Text,
            other => {
                if let Some(at) = raw.kind.as_ref().map(|kind| &kind.at) {
                    let message = format!("there is no type `{}`; there are {}", short(other), KINDS.join(", "));
                    self.report.unknown(at, Code::BadValue, message, other, KINDS.iter().copied());
                }
                SlotKind::Text
            }
        }
    }

    /// `8`, or `4-8`.
    fn digits(&mut self, length: Option<&Scalar>) -> SlotKind {
        let Some(length) = length else { return SlotKind::Digits { min: 1, max: MAX_DIGITS } };
        let (min, max) = length.text.split_once('-').unwrap_or((&length.text, &length.text));
        match (min.trim().parse(), max.trim().parse()) {
            (Ok(min), Ok(max)) if 1 <= min && min <= max && max <= MAX_DIGITS => SlotKind::Digits { min, max },
            _ => {
                let message = format!("`{}` is no length", short(&length.text));
                let help = format!("like 8, or 4-8; {MAX_DIGITS} at most");
                self.report.error_help(&length.at, Code::BadValue, message, help);
                SlotKind::Digits { min: 1, max: MAX_DIGITS }
            }
        }
    }
}

fn kind_name(raw: &RawSlot) -> &str {
    raw.kind.as_ref().map_or("text", |kind| kind.text.trim())
}
