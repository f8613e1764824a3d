//! What lies beside a plan: sub-plans, which become part of it under a name of their own, and clips. Reading is the
//! caller's; here are the paths, the limits, and what may not be.

use std::collections::HashSet;

use super::diagnostic::{Code, Report, short};
use super::raw::{self, Raw, RawShared, RawState, RawVerb};
use super::yaml::{self, Scalar};

/// Files of one plan.
const MAX_FILES: usize = 20;
/// Sub-plans of sub-plans.
const MAX_DEPTH: usize = 4;

/// Reads what a plan names. Paths are relative to the plan's folder, and never lead out of it.
pub trait Files {
    /// A sub-plan; the error says why not.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
    /// Whether this is sound that can be played; the error says why not.
    fn clip(&self, path: &str) -> Result<(), String>;
}

/// Nothing lies beside the plan.
#[derive(Debug, Clone, Copy)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        Err("this plan was read without its folder".into())
    }
    fn clip(&self, _: &str) -> Result<(), String> {
        Err("this plan was read without its folder".into())
    }
}

/// Takes in what the plan names. Mistakes go to the report.
pub(super) fn gather(raw: &mut Raw, files: &dyn Files, report: &mut Report<'_>) {
    let mut gathering = Gathering { files, report, chain: Vec::new(), count: 0 };
    gathering.clips(raw, "");
    gathering.plans(raw, "", "");
}

struct Gathering<'f, 'r, 's> {
    files: &'f dyn Files,
    report: &'r mut Report<'s>,
    /// The files that are being read, outermost first.
    chain: Vec<String>,
    count: usize,
}

impl Gathering<'_, '_, '_> {
    /// Merges the sub-plans of `raw`, which lies in `folder` and whose names begin with `prefix`.
    fn plans(&mut self, raw: &mut Raw, folder: &str, prefix: &str) {
        for (name, path) in std::mem::take(&mut raw.plans) {
            let Some(path_in_folder) = beside(folder, path.text.trim()) else {
                self.outside(&path);
                continue;
            };
            if self.chain.contains(&path_in_folder) || self.chain.len() == MAX_DEPTH || self.count == MAX_FILES {
                let message = match self.chain.contains(&path_in_folder) {
                    true => {
                        format!("this sub-plan leads back to itself: {} -> {path_in_folder}", self.chain.join(" -> "))
                    }
                    false => format!("a plan has {MAX_FILES} sub-plans at most, {MAX_DEPTH} deep"),
                };
                self.report.error(&path.at, Code::PlanCycle, message);
                continue;
            }
            self.count += 1;
            let source = match self.files.read(&path_in_folder) {
                Ok(source) => source,
                Err(why) => {
                    let message = format!("the sub-plan `{}` cannot be read: {why}", short(&path.text));
                    self.report.error(&path.at, Code::Unreadable, message);
                    continue;
                }
            };
            let outer = self.report.begin(&path_in_folder, &source);
            let sub = yaml::read(&source, self.report).and_then(|node| raw::read(&node, self.report));
            if let Some(mut sub) = sub {
                let prefix = format!("{prefix}{}/", name.text);
                let within = path_in_folder.rsplit_once('/').map_or("", |(folder, _)| folder).to_string();
                self.chain.push(path_in_folder);
                self.clips(&mut sub, &within);
                rename(&mut sub, &prefix);
                self.plans(&mut sub, &within, &prefix);
                self.chain.pop();
                self.merge(raw, sub, &name, &prefix);
            }
            self.report.back(outer);
        }
    }

    /// Puts a sub-plan's parts among the plan's. What has the same name in the plan goes before.
    fn merge(&mut self, raw: &mut Raw, sub: Raw, name: &Scalar, prefix: &str) {
        let own = [&sub.language, &sub.voice, &sub.speed, &sub.consent, &sub.emotion_notice]
            .into_iter()
            .flatten()
            .map(|scalar| &scalar.at)
            .chain(sub.profile.iter().map(|profile| &profile.at));
        for at in own.chain(sub.lookup.iter().map(|lookup| &lookup.request.url.at)) {
            let help = "a sub-plan has intents, slots, states, hours, knowledge and handover rules";
            self.report.error_help(at, Code::BadValue, "this belongs into the plan itself", help);
        }
        let alias = prefix.trim_end_matches('/').to_string();
        if let Some(start) = &sub.start {
            raw.aliases.push((Scalar { text: alias, ..name.clone() }, start.clone()));
        }
        raw.aliases.extend(sub.aliases);
        for state in sub.states {
            raw.states.push(RawState { shared: joined(state.shared, &sub.shared), ..state });
        }
        let own: HashSet<String> = raw.intents.iter().map(|(name, _)| name.text.clone()).collect();
        let known = |text: &str| own.contains(text);
        let intents: Vec<_> = sub.intents.into_iter().filter(|(name, _)| !known(&name.text)).collect();
        raw.called.extend(sub.called.into_iter().filter(|(name, _)| !known(&name.text)));
        raw.intents.extend(intents);
        let known = |text: &str| raw.slots.iter().any(|slot| slot.name.text == text);
        let slots: Vec<_> = sub.slots.into_iter().filter(|slot| !known(&slot.name.text)).collect();
        raw.slots.extend(slots);
        let known = |text: &str| raw.hours.iter().any(|hours| hours.name.text == text);
        let hours: Vec<_> = sub.hours.into_iter().filter(|hours| !known(&hours.name.text)).collect();
        raw.hours.extend(hours);
        raw.holidays.extend(sub.holidays);
    }

    /// Looks at the clips that the plan plays.
    fn clips(&mut self, raw: &mut Raw, folder: &str) {
        for step in raw.states.iter_mut().flat_map(|state| &mut state.steps) {
            let RawVerb::Play(play) = &mut step.verb else { continue };
            let Some(path) = beside(folder, play.clip.text.trim()) else {
                let at = play.clip.clone();
                self.outside(&at);
                continue;
            };
            if let Err(why) = self.files.clip(&path) {
                let message = format!("the clip `{}` cannot be played: {why}", short(&play.clip.text));
                self.report.error_help(&play.clip.at, Code::BadClip, message, "WAV, FLAC, Ogg Vorbis or MP3");
            }
            play.clip.text = path;
        }
    }

    fn outside(&mut self, path: &Scalar) {
        let message = format!("`{}` leads out of the plan's folder", short(&path.text));
        self.report.error(&path.at, Code::BadValue, message);
    }
}

/// A path as seen from the plan's folder; `None` when it leads out of it.
fn beside(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\\') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop()?,
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// The state's own come first, as everywhere.
fn joined(mut own: RawShared, plans: &RawShared) -> RawShared {
    let taken = |on: &raw::RawRoute| own.on.iter().any(|other| other.trigger.text == on.trigger.text);
    let on: Vec<_> = plans.on.iter().filter(|on| !taken(on)).cloned().collect();
    own.on.extend(on);
    own.handover.extend(plans.handover.iter().cloned());
    own.knowledge.extend(plans.knowledge.iter().cloned());
    own
}

/// Gives the sub-plan's states, and whatever names them, names of their own.
fn rename(sub: &mut Raw, prefix: &str) {
    let rename = |scalar: &mut Scalar| scalar.text = format!("{prefix}{}", scalar.text);
    sub.start.iter_mut().for_each(rename);
    sub.shared.on.iter_mut().for_each(|on| rename(&mut on.to));
    for state in &mut sub.states {
        rename(&mut state.name);
        state.otherwise.iter_mut().for_each(rename);
        state.shared.on.iter_mut().for_each(|on| rename(&mut on.to));
        for step in &mut state.steps {
            match &mut step.verb {
                RawVerb::Goto(to) | RawVerb::Call(to) => rename(to),
                RawVerb::Ask(ask) => ask.failed.iter_mut().for_each(rename),
                RawVerb::Fetch(fetch) => fetch.failed.iter_mut().for_each(rename),
                RawVerb::Switch { failed, .. } => failed.iter_mut().for_each(rename),
                RawVerb::Transfer(transfer) => transfer.failed.iter_mut().for_each(rename),
                RawVerb::Callback(callback) => {
                    rename(&mut callback.to);
                    callback.failed.iter_mut().for_each(rename);
                }
                RawVerb::Voicemail(voicemail) => {
                    voicemail.empty.iter_mut().chain(&mut voicemail.failed).for_each(rename);
                }
                RawVerb::Think(think) => {
                    think.failed.iter_mut().for_each(rename);
                    think.tools.iter_mut().filter_map(|tool| tool.goto.as_mut()).for_each(rename);
                }
                RawVerb::Say { .. } | RawVerb::Play(_) | RawVerb::Listen { .. } | RawVerb::Set(_) => {}
                RawVerb::Keep(_) | RawVerb::Forget(_) | RawVerb::Return | RawVerb::Notify(_) | RawVerb::End => {}
            }
        }
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn paths_stay_in_the_plans_folder() {
        let table = [
            ("", "a.yaml", Some("a.yaml")),
            ("sub", "./a.yaml", Some("sub/a.yaml")),
            ("sub", "../clips/a.wav", Some("clips/a.wav")),
            ("", "../a.yaml", None),
            ("sub", "../../a.yaml", None),
            ("", "/etc/passwd", None),
            ("", "a\\..\\b", None),
            ("", "", None),
        ];
        for (folder, path, expected) in table {
            assert_eq!(beside(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}
