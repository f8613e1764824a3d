//! A message that the caller leaves, and where it leads.

use std::sync::Arc;

use minijinja::value::Value;

use super::super::plan::{Step, Voicemail};
use super::walk::{MESSAGE_COST, Script, Wait};
use super::{Action, Message, NotKept, Record};

/// `message` before one is kept.
pub(super) fn none() -> Value {
    Value::from_pairs([
        ("kept", Value::from(false)),
        ("id", Value::from("")),
        ("seconds", Value::from(0)),
        ("text", Value::from("")),
    ])
}

impl Script {
    /// Says the prompt, and waits until the caller is done.
    pub(super) fn take_message(&mut self, voicemail: &Voicemail) {
        self.spend(MESSAGE_COST);
        if let Some(prompt) = &voicemail.prompt {
            // Before the tone nothing is kept, so that nobody should begin.
            self.say(prompt, false);
        }
        self.variables.message = none();
        self.wait = Wait::Recording;
        self.expect = None;
        let Voicemail { mailbox, longest, silence, .. } = voicemail;
        self.out.push_back(Action::Record(Record { mailbox: mailbox.clone(), longest: *longest, silence: *silence }));
    }

    /// What came of it.
    pub(super) fn recorded(&mut self, result: Result<Message, NotKept>) {
        let plan = Arc::clone(&self.plan);
        let step = plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step);
        let Some(Step::Voicemail(voicemail)) = step else { return };
        let on = match result {
            Ok(Message { id, length, text }) => {
                self.variables.misses = 0;
                self.variables.unheard = 0;
                self.variables.message = Value::from_pairs([
                    ("kept", Value::from(true)),
                    ("id", Value::from(id)),
                    // Nothing that was said lasts 0 s.
                    ("seconds", Value::from(length.as_secs_f64().round().max(1.0) as u64)),
                    ("text", Value::from(text)),
                ]);
                None
            }
            Err(NotKept::Empty) => voicemail.empty,
            Err(NotKept::Failed(why)) => {
                self.trouble(format!("state {}: the message was not kept: {why}", self.state()));
                match voicemail.failed {
                    None => return self.broken(),
                    failed => failed,
                }
            }
        };
        match on {
            Some(state) => self.enter(state),
            None => {
                self.step += 1;
                self.run();
            }
        }
    }
}
