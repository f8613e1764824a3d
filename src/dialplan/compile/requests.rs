//! What is sent over HTTP, and the calendar.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::calendar::{self, Calendar, Hours};
use super::super::diagnostic::{Code, Report, short};
use super::super::raw::{Raw, RawRequest};
use super::super::request::{Json, Request};
use super::super::script::Method;
use super::super::template::Kind;
use super::super::yaml::{Node, Scalar};
use super::Compiler;
use super::words::{Policy, braced};

const METHODS: &[(&str, Method)] = &[
    ("GET", Method::Get),
    ("POST", Method::Post),
    ("PUT", Method::Put),
    ("PATCH", Method::Patch),
    ("DELETE", Method::Delete),
];
/// Headers that the transport writes itself, or that only a secret may carry.
const RESERVED_HEADERS: &[&str] =
    &["host", "content-length", "transfer-encoding", "connection", "authorization", "cookie", "upgrade"];
const MAX_RETRY: u32 = 5;

impl Compiler<'_, '_> {
    pub(super) fn request(&mut self, raw: &RawRequest, timeout: Duration, default: Method) -> Option<Request> {
        let mut revealed = BTreeSet::new();
        for name in &raw.reveal {
            revealed.extend(self.slot_named(name.text.trim(), &name.at));
        }
        let policy = Policy::Sent(&revealed);
        let url = self.url(&raw.url, policy);
        let mut masked = false;
        let body = raw.body.as_ref().map(|body| self.json(body, policy, &mut masked));
        let method = match &raw.method {
            Some(text) => self.method(text),
            None if body.is_some() => Method::Post,
            None => default,
        };
        if let (Some(body), Method::Get) = (&raw.body, method) {
            self.report.error_help(body.at(), Code::BadValue, "a GET has no body", "leave `method` out, or write POST");
        }
        let mut headers = Vec::new();
        for (name, value) in &raw.headers {
            headers.extend(self.header(name, value, policy, &mut masked));
        }
        if let Some(auth) = &raw.auth {
            self.name(auth, &[], true);
        }
        let retry = raw.retry.as_ref().map_or(0, |text| self.retry(text));
        let timeout = self.duration(raw.timeout.as_ref(), timeout);
        let (url, in_url) = url?;
        let auth = raw.auth.as_ref().map(|auth| auth.text.trim().to_string());
        Some(Request { url, method, body, headers, auth, retry, timeout, masked: masked || in_url })
    }

    fn method(&mut self, text: &Scalar) -> Method {
        let found = METHODS.iter().find(|(name, _)| text.text.trim().eq_ignore_ascii_case(name));
        if found.is_none() {
            let message = format!("there is no method `{}`", short(&text.text));
            let known = METHODS.iter().map(|(name, _)| *name);
            self.report.unknown(&text.at, Code::BadValue, message, &text.text.to_uppercase(), known);
        }
        found.map_or(Method::Post, |(_, method)| *method)
    }

    fn retry(&mut self, text: &Scalar) -> u32 {
        match text.text.trim().parse() {
            Ok(retry) if retry <= MAX_RETRY => retry,
            _ => {
                let message = format!("`retry` is a number from 0 to {MAX_RETRY}, not `{}`", short(&text.text));
                self.report.error(&text.at, Code::BadValue, message);
                0
            }
        }
    }

    fn header(
        &mut self,
        name: &Scalar,
        value: &Scalar,
        policy: Policy<'_>,
        masked: &mut bool,
    ) -> Option<(String, super::super::template::TemplateId)> {
        let word = name.text.trim();
        let token = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !token || RESERVED_HEADERS.iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) {
            let message = format!("`{}` is no header that a plan may set", short(word));
            let help = "a secret is sent by `auth: NAME`, and stands in the configuration";
            self.report.error_help(&name.at, Code::BadName, message, help);
            return None;
        }
        let (id, holds) = self.template(value, Kind::Header, policy)?;
        *masked |= holds;
        Some((word.to_string(), id))
    }

    pub(super) fn json(&mut self, node: &Node, policy: Policy<'_>, masked: &mut bool) -> Json {
        match node {
            Node::List(items, _) => Json::List(items.iter().map(|item| self.json(item, policy, masked)).collect()),
            Node::Map(entries, _) => {
                super::super::raw::distinct(entries, self.report);
                let entry = |(key, value): &(Scalar, Node)| (key.text.clone(), self.json(value, policy, masked));
                Json::Map(entries.iter().map(entry).collect())
            }
            node if node.is_null() => Json::Literal(serde_json::Value::Null),
            Node::Scalar(scalar) => self.json_scalar(scalar, policy, masked),
        }
    }

    fn json_scalar(&mut self, scalar: &Scalar, policy: Policy<'_>, masked: &mut bool) -> Json {
        let text = scalar.text.trim();
        if scalar.plain {
            // Only what JSON itself calls a number or a truth: `007` stays a text.
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
                && (value.is_number() || value.is_boolean())
            {
                return Json::Literal(value);
            }
        }
        if let Some(source) = braced(text) {
            match self.expression(scalar, source, policy) {
                Some(holds) => *masked |= holds,
                None => return Json::Literal(serde_json::Value::Null),
            }
            return Json::Expression(source.to_string());
        }
        if scalar.text.is_empty() {
            return Json::Literal("".into());
        }
        let words = self.words(scalar, policy);
        if let super::super::plan::Words::Template { masked: holds, .. } = &words {
            *masked |= holds;
        }
        Json::Text(words)
    }
}

/// Opening hours and holidays.
pub(super) fn calendar(raw: &Raw, report: &mut Report<'_>) -> Calendar {
    let mut built = Calendar::default();
    for hours in &raw.hours {
        let (mut week, mut holidays): ([Vec<_>; 7], _) = (Default::default(), Vec::new());
        for (day, times) in &hours.days {
            let mut spans = Vec::new();
            for text in times {
                match calendar::spans(&text.text) {
                    Some(found) => spans.extend(found),
                    None => {
                        let wrong = text.text.split(',').map(str::trim).find(|part| calendar::spans(part).is_none());
                        let message = format!("`{}` are no opening hours", short(wrong.unwrap_or(&text.text)));
                        let help = "like \"8:00-18:00\", \"8:00-12:00, 13:00-17:00\", or closed";
                        report.error_help(&text.at, Code::BadValue, message, help);
                    }
                }
            }
            if day.text == "holidays" {
                holidays = spans;
            } else if let Some(days) = calendar::days(&day.text) {
                days.into_iter().for_each(|day| week[day].clone_from(&spans));
            } else {
                let message = format!("`{}` is no day", short(&day.text));
                report.error_help(&day.at, Code::BadValue, message, "like mon, sat, mon-fri, or holidays");
            }
        }
        built.hours.push(Hours { name: hours.name.text.clone(), week, holidays });
    }
    for (day, name) in &raw.holidays {
        match calendar::holiday(day.text.trim(), name.text.trim()) {
            Some(holiday) => built.holidays.push(holiday),
            None => {
                let message = format!("`{}` is no day of the year", short(&day.text));
                report.error_help(&day.at, Code::BadValue, message, "like 12-25, or 2026-04-03");
            }
        }
    }
    built
}
