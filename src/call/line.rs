//! What all calls to one number share: the plan, its trained understanding, the queues, the music.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::logbook::hide_digits;
use super::services::{Models, Secrets};
use super::understand::Understanding;
use crate::audio::Rate;
use crate::dialplan::Plan;
use crate::nlu::language;
use crate::speech::emotion::ProsodyModel;

/// The people behind `queue:NAME`.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    /// SIP addresses, in the order in which they are rung.
    pub agents: Vec<String>,
    /// How long each is rung.
    pub ring: Duration,
}

/// One number's plan, ready to answer.
pub struct Line {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Intents, knowledge and slots, trained from the plan's own examples.
    pub understanding: Understanding,
    /// Queues by name.
    pub queues: BTreeMap<String, Agents>,
    /// Hold music at 8 and at 16 kHz.
    pub music: [Arc<[i16]>; 2],
    /// SIP addresses that a plan may dial, `*` standing for any run of characters.
    pub dial_allow: Vec<String>,
    /// A call is ended politely at this length.
    pub longest_call: Duration,
    /// The plan's clips by their paths, at 8 and at 16 kHz.
    pub clips: BTreeMap<String, [Arc<[i16]>; 2]>,
    /// What authenticates us to the services that the plan names.
    pub secrets: Secrets,
    /// The language models that the plan names.
    pub models: Models,
    /// What tells anger by the voice.
    pub prosody: Arc<ProsodyModel>,
    /// Whether frustration is inferred at all; if not it is 0, and nothing of the voice is measured.
    pub emotion: bool,
}

/// The voice of a plan's lines: the one that it names, else its language's.
pub fn voice_of(plan: &Plan) -> &str {
    plan.voice().unwrap_or(match language::of(plan.language()).tag() {
        "zh" => "zh_CN-zf_xiaoyi",
        _ => "en_US-joe-medium",
    })
}

impl std::fmt::Debug for Line {
    /// The plan's name alone: the rest is long, and partly secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("plan", &self.plan.name()).finish_non_exhaustive()
    }
}

impl Line {
    /// The voice of our lines.
    pub fn voice(&self) -> &str {
        voice_of(&self.plan)
    }

    /// Whether anything that is said can mean something; a plan of keys alone needs no ears.
    pub fn hears(&self) -> bool {
        let plan = &self.plan;
        !plan.intents().is_empty() || plan.knowledge().len() > 0 || !plan.slots().is_empty() || plan.takes_messages()
    }

    /// Whether numbers in transcripts are to be hidden.
    pub fn has_masked_slots(&self) -> bool {
        self.plan.slots().iter().any(|slot| slot.mask)
    }

    /// Words as they may be kept: without longer numbers where the plan has masked slots.
    pub fn transcript(&self, text: &str) -> String {
        if self.has_masked_slots() { hide_digits(text) } else { text.to_owned() }
    }

    /// Hold music at `rate`.
    pub fn music(&self, rate: Rate) -> Arc<[i16]> {
        Arc::clone(&self.music[usize::from(rate == Rate::Wide)])
    }

    /// A clip at `rate`.
    pub fn clip(&self, path: &str, rate: Rate) -> Option<Arc<[i16]>> {
        self.clips.get(path).map(|clip| Arc::clone(&clip[usize::from(rate == Rate::Wide)]))
    }

    /// Whether configuration lets a plan dial `address`: what is not named is refused.
    pub fn may_dial(&self, address: &str) -> bool {
        self.dial_allow.iter().any(|pattern| matches(pattern, address))
    }
}

/// Whether `text` is of the form `pattern`, in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn only_addresses_of_the_form_given_may_be_dialled() {
        assert!(matches("sip:*@192.0.2.9", "sip:anna@192.0.2.9"));
        assert!(!matches("sip:*@192.0.2.9", "sip:anna@192.0.2.99"));
        assert!(!matches("sip:*@192.0.2.9", "sip:anna@192.0.2.9:5080"));
        assert!(matches("sip:help@*", "sip:help@"));
        assert!(!matches("sip:help", "sip:help2"));
    }
}
