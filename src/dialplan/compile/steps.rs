//! States and their steps.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::diagnostic::{Code, short};
use super::super::plan::{Ask, AskItem, Callback, Confirmation, Fetching, Guarded, State, Step, Voicemail};
use super::super::raw::{
    Confirm, Mooded, RawAsk, RawCallback, RawFetch, RawState, RawStep, RawTransfer, RawVerb, RawVoicemail,
};
use super::super::script::{Method, Patience, Target};
use super::super::yaml::Scalar;
use super::Compiler;
use super::words::Policy;

const LISTEN_TIMEOUT: Duration = Duration::from_secs(6);
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
/// A message is over at this length, and after this silence.
const LONGEST_MESSAGE: Duration = Duration::from_secs(120);
const MESSAGE_SILENCE: Duration = Duration::from_secs(4);
const TRIES: u32 = 3;
const MAX_TRIES: u32 = 10;
const MAX_FORM: usize = 20;

impl Compiler<'_, '_> {
    pub(super) fn state(&mut self, raw: &RawState) -> State {
        let mut steps: Vec<Guarded> = raw.steps.iter().filter_map(|step| self.step(step)).collect();
        farewells(&mut steps);
        State {
            name: raw.name.text.clone(),
            steps,
            otherwise: raw.otherwise.as_ref().and_then(|name| self.state_named(name)),
            shared: self.shared(&raw.shared),
        }
    }

    /// `None` for a mistake, which is reported: the plan is refused anyway.
    fn step(&mut self, raw: &RawStep) -> Option<Guarded> {
        let when = raw.when.as_ref().map(|when| self.condition(when));
        let step = match &raw.verb {
            RawVerb::Say { text, interruptible } => Some(self.say(text, *interruptible)),
            RawVerb::Play(play) => Some(Step::Play {
                clip: play.clip.text.clone(),
                text: play.text.as_ref().map(|text| self.words(text, Policy::Spoken)),
                interruptible: play.interruptible,
            }),
            RawVerb::Ask(ask) => self.ask(ask),
            RawVerb::Listen { wordings, timeout, patience } => Some(Step::Listen {
                wordings: wordings.iter().map(|text| self.words(text, Policy::Spoken)).collect(),
                timeout: self.duration(timeout.as_ref(), LISTEN_TIMEOUT),
                patience: self.patience(patience.as_ref()),
            }),
            RawVerb::Set(values) => {
                Some(Step::Set(values.iter().map(|(name, value)| (name.text.clone(), self.assigned(value))).collect()))
            }
            RawVerb::Keep(values) => Some(Step::Keep(values.iter().filter_map(|kept| self.keep(kept)).collect())),
            RawVerb::Forget(names) => Some(self.forget(names)),
            RawVerb::Goto(name) => self.state_named(name).map(Step::Goto),
            RawVerb::Call(name) => self.state_named(name).map(Step::Call),
            RawVerb::Return => Some(Step::Return),
            RawVerb::Think(think) => self.think(think),
            RawVerb::Notify(notify) => {
                self.request(notify, FETCH_TIMEOUT, Method::Post).map(|request| Step::Notify(Box::new(request)))
            }
            RawVerb::Fetch(fetch) => self.fetch(fetch, raw),
            RawVerb::Transfer(transfer) => Some(self.transfer(transfer)),
            RawVerb::Voicemail(voicemail) => Some(self.voicemail(voicemail)),
            RawVerb::Callback(callback) => self.callback(callback, raw),
            RawVerb::Switch { number, failed } => Some(Step::Switch {
                number: self.number(number),
                failed: failed.as_ref().and_then(|name| self.state_named(name)),
            }),
            RawVerb::End => Some(Step::End),
        };
        Some(Guarded { when, step: step? })
    }

    fn say(&mut self, text: &Mooded, interruptible: bool) -> Step {
        Step::Say {
            calm: self.words(&text.calm, Policy::Spoken),
            tense: text.tense.as_ref().map(|text| self.words(text, Policy::Spoken)),
            angry: text.angry.as_ref().map(|text| self.words(text, Policy::Spoken)),
            interruptible,
        }
    }

    fn ask(&mut self, raw: &RawAsk) -> Option<Step> {
        let mut items = Vec::new();
        if raw.slots.len() > MAX_FORM {
            self.report.error(&raw.slots[0].at, Code::TooBig, format!("a form asks for {MAX_FORM} slots at most"));
            return None;
        }
        for name in &raw.slots {
            items.extend(self.ask_item(raw, name));
        }
        let slots: BTreeSet<usize> = items.iter().map(|item| item.slot).collect();
        if slots.len() < items.len() {
            self.report.error(&raw.slots[0].at, Code::DuplicateKey, "this form asks for a slot twice");
        }
        let (mut opening, mut summary) = (Vec::new(), Confirmation::No);
        if raw.form {
            opening = raw.prompts.iter().map(|text| self.words(text, Policy::Spoken)).collect();
            summary = self.confirmation(raw.confirm.as_ref());
        }
        let tries = self.tries(raw.tries.as_ref());
        let failed = raw.failed.as_ref().and_then(|name| self.state_named(name));
        let timeout = self.duration(raw.timeout.as_ref(), LISTEN_TIMEOUT);
        let patience = self.patience(raw.patience.as_ref());
        let whole = items.len() == raw.slots.len();
        whole.then(|| Step::Ask(Box::new(Ask { items, opening, summary, tries, failed, timeout, patience })))
    }

    /// How patient a listening step is; a mistaken one is reported.
    fn patience(&mut self, raw: Option<&Scalar>) -> Patience {
        let Some(raw) = raw else { return Patience::default() };
        let written = raw.text.trim();
        Patience::named(written).unwrap_or_else(|| {
            let message =
                format!("there is no patience `{}`; there are {}", short(written), Patience::NAMES.join(", "));
            self.report.unknown(&raw.at, Code::BadValue, message, written, Patience::NAMES.iter().copied());
            Patience::default()
        })
    }

    /// One slot of an `ask`, with the slot's own wordings where the `ask` has none, or is a form.
    fn ask_item(&mut self, raw: &RawAsk, name: &Scalar) -> Option<AskItem> {
        let slot = self.slot_named(name.text.trim(), &name.at);
        let defaults = slot.and_then(|slot| self.raw.slots.get(slot));
        let prompts = match defaults {
            Some(slot) if raw.form || raw.prompts.is_empty() => &slot.prompts,
            _ => &raw.prompts,
        };
        if prompts.is_empty() && slot.is_some() {
            let message = format!("nothing says how to ask for `{}`", short(&name.text));
            let help = if raw.form { "add `prompt:` at the slot" } else { "add `prompt:` here or at the slot" };
            self.report.error_help(&name.at, Code::MissingKey, message, help);
        }
        let prompts = prompts.iter().map(|text| self.words(text, Policy::Spoken)).collect();
        let own = raw.confirm.as_ref().filter(|_| !raw.form);
        let confirm = self.confirmation(own.or(defaults.and_then(|slot| slot.confirm.as_ref())));
        Some(AskItem { slot: slot?, prompts, confirm })
    }

    fn confirmation(&mut self, raw: Option<&Confirm>) -> Confirmation {
        match raw {
            None | Some(Confirm::Switch(false)) => Confirmation::No,
            Some(Confirm::Switch(true)) => Confirmation::ReadBack,
            Some(Confirm::Wording(text)) => Confirmation::Wording(self.words(text, Policy::ReadBack)),
        }
    }

    fn tries(&mut self, text: Option<&Scalar>) -> u32 {
        let Some(text) = text else { return TRIES };
        match text.text.trim().parse() {
            Ok(tries) if (1..=MAX_TRIES).contains(&tries) => tries,
            _ => {
                let message = format!("`tries` is a number from 1 to {MAX_TRIES}, not `{}`", short(&text.text));
                self.report.error(&text.at, Code::BadValue, message);
                TRIES
            }
        }
    }

    fn fetch(&mut self, raw: &RawFetch, step: &RawStep) -> Option<Step> {
        let request = self.request(&raw.request, FETCH_TIMEOUT, Method::Get);
        if raw.failed.is_none() {
            let message = "this fetch does not say what happens when it fails";
            let help = "add `failed: {goto: STATE}`; without it the caller is put through to a human, or the call ends";
            self.report.warning(&step.at, Code::MissingFailed, message, help);
        }
        let wait = raw.wait.as_ref().map(|text| self.words(text, Policy::Spoken));
        let failed = raw.failed.as_ref().and_then(|name| self.state_named(name));
        let keep = raw.keep.as_ref().map(|name| name.text.clone());
        Some(Step::Fetch(Box::new(Fetching { request: request?, keep, wait, failed })))
    }

    fn callback(&mut self, raw: &RawCallback, step: &RawStep) -> Option<Step> {
        let to = self.state_named(&raw.to);
        if raw.failed.is_none() {
            let message = "this callback does not say what happens when it is refused";
            let help =
                "add `failed: STATE`: no number is called that `[callback] allow` of the configuration does not name";
            self.report.warning(&step.at, Code::MissingFailed, message, help);
        }
        if let Some(name) = &raw.within
            && self.raw.hours.iter().all(|hours| hours.name.text != name.text)
        {
            let message = format!("there are no opening hours `{}`", short(&name.text));
            let known = self.raw.hours.iter().map(|hours| hours.name.text.as_str());
            self.report.unknown(&name.at, Code::UnknownHours, message, &name.text, known);
        }
        let mut words = |text: &Option<Scalar>| text.as_ref().map(|text| self.words(text, Policy::Kept));
        let (number, at, reason) = (words(&raw.number), words(&raw.at), words(&raw.reason));
        let within = raw.within.as_ref().map(|name| name.text.clone());
        let failed = raw.failed.as_ref().and_then(|name| self.state_named(name));
        Some(Step::Callback(Box::new(Callback { to: to?, number, at, within, reason, failed })))
    }

    fn voicemail(&mut self, raw: &RawVoicemail) -> Step {
        let mailbox = match &raw.mailbox {
            Some(name) => {
                self.name(name, &[], true);
                name.text.clone()
            }
            None => self.raw.name.as_ref().map(|name| name.text.clone()).unwrap_or_default(),
        };
        Step::Voicemail(Box::new(Voicemail {
            prompt: raw.prompt.as_ref().map(|text| self.words(text, Policy::Spoken)),
            mailbox,
            longest: self.duration_in(raw.longest.as_ref(), LONGEST_MESSAGE, 5.0..=600.0, "from 5s to 10m"),
            silence: self.duration_in(raw.silence.as_ref(), MESSAGE_SILENCE, 1.0..=30.0, "from 1s to 30s"),
            empty: raw.empty.as_ref().and_then(|name| self.state_named(name)),
            failed: raw.failed.as_ref().and_then(|name| self.state_named(name)),
        }))
    }

    /// A number that callers could have dialled, as the configuration's routes have it.
    pub(super) fn number(&mut self, text: &Scalar) -> String {
        let written = text.text.trim();
        let graphic = written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_.#".contains(&byte));
        if written.is_empty() || !graphic {
            let message = format!("`{}` is no number of a route", short(written));
            let help = "the number that the other plan answers, as `[[route]]` of the configuration has it, like 200";
            self.report.error_help(&text.at, Code::BadTarget, message, help);
        }
        written.to_string()
    }

    fn transfer(&mut self, raw: &RawTransfer) -> Step {
        let target = self.target(&raw.target);
        if raw.blind && matches!(target, Target::Queue(_)) {
            let help = "name a `sip:` address, or leave `blind` out: then the agents of the queue are rung";
            self.report.error_help(
                &raw.target.at,
                Code::BadTarget,
                "a queue is no address to send a telephone to",
                help,
            );
        }
        Step::Transfer {
            target,
            blind: raw.blind,
            reason: raw.reason.as_ref().map(|text| self.words(text, Policy::Kept)),
            failed: raw.failed.as_ref().and_then(|name| self.state_named(name)),
        }
    }
}

/// What is said right before the end is a goodbye, and is never cut off.
fn farewells(steps: &mut [Guarded]) {
    let mut farewell = false;
    for guarded in steps.iter_mut().rev() {
        match &mut guarded.step {
            Step::End => farewell = true,
            Step::Say { interruptible, .. } | Step::Play { interruptible, .. } if farewell => *interruptible = false,
            _ => farewell = false,
        }
    }
}
