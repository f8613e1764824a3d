//! How a turn was said, and what it says about the course of the conversation: the frustration that the script sees.

use std::time::{Duration, Instant};

use crate::call::io::Report;
use crate::call::ports::Tone;
use crate::call::record::FELT;
use crate::call::understand::Meaning;
use crate::call::{Call, Phase};
use crate::dialplan::script;
use crate::speech::emotion;
use crate::speech::prosody::Features;

impl Call {
    /// What this turn says about the course of the conversation.
    pub(super) fn dialogue_events(&mut self, meaning: &Meaning, intent: Option<&str>, text: &str) {
        if !text.chars().any(char::is_alphanumeric) {
            // A sound without words took the floor; nobody interrupted.
            self.turns.events.retain(|event| *event != emotion::Event::Interruption);
        }
        let choice = self.script.is_choice(text);
        if meaning.is_nothing() && !choice {
            self.turns.events.push(emotion::Event::NoMatch);
        }
        match intent {
            // Which of two was meant is no repetition.
            _ if choice => {}
            Some(intent) if self.turns.last_intent.as_deref() == Some(intent) => {
                self.turns.events.push(emotion::Event::RepeatedIntent);
            }
            Some(intent) => self.turns.last_intent = Some(intent.to_owned()),
            None => {}
        }
        if self.script.is_corrected_by(meaning.yes_no, meaning.gives_value()) {
            self.turns.events.push(emotion::Event::SlotCorrected);
        }
        self.turns.events.extend(self.line.understanding.pleas(text, meaning));
    }

    /// How it was said: updates the score; returns its reasons.
    pub(in crate::call) fn felt(&mut self, now: Instant, features: &Features, text: &str) -> Vec<String> {
        let events = std::mem::take(&mut self.turns.events);
        if !self.line.emotion {
            return Vec::new();
        }
        self.frustration.lasts(Duration::from_millis(self.log.ms(now)));
        self.frustration.utterance(features, text, &events);
        let reasons = self.frustration.reasons();
        let frustration = self.signal();
        self.report(Report::Felt { frustration, mood: self.frustration.mood(), reasons: reasons.clone() });
        if self.phase != Phase::Script {
            self.log.event(now, format!("{FELT}{frustration:.2} while with an agent"));
        }
        reasons
    }

    /// Lets the script know how the caller feels.
    pub(in crate::call) fn signal(&mut self) -> f32 {
        let frustration = self.frustration.score();
        let (mood, tone) = match self.frustration.mood() {
            emotion::Mood::Calm => (script::Mood::Calm, Tone::Even),
            emotion::Mood::Tense => (script::Mood::Tense, Tone::Gentle),
            emotion::Mood::Angry => (script::Mood::Angry, Tone::Soothing),
        };
        self.speaking.tone(tone);
        self.log.frustration(frustration);
        self.script.signals(frustration, mood);
        let voice = self.frustration.arousal();
        self.script.trends(voice, self.frustration.trend(), self.frustration.arousal_trend());
        frustration
    }
}
