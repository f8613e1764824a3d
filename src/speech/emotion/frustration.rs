//! The frustration of a call: voice, words and events, joined as log-odds and kept over the turns.
//!
//! Owns the score of one call and its reasons. Each source is smoothed for itself, so that one odd utterance does not
//! decide, and what made a caller angry is not forgotten by one calm "yes".
//!
//! ```text
//! sum = prior + voice + words + events      each bounded; words and events fade by the turn
//!                └─ ≤ UNBACKED + what else speaks for it + PERSISTING for each further clearly raised turn
//! score = probability by the model's calibration, a straight line from the sum to log-odds
//! ```
//! Joy raises a voice as anger does, and the voice alone can hardly tell the two apart. So a raised voice hands nobody over
//! by itself: something else must speak for it (hard words, or that we did not understand, asked twice, got it wrong), or
//! it must last for three turns in a row. And what is said with thanks or delight explains a raised voice away.

use std::sync::Arc;
use std::time::Duration;

use super::calm_voice::CalmVoice;
use super::model::ProsodyModel;
use super::words::{self, Sign};
use crate::speech::baseline::{Baseline, Change};
use crate::speech::prosody::Features;

/// Something in the dialogue that wears patience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The caller asked for what they had asked for before.
    RepeatedIntent,
    /// We did not understand.
    NoMatch,
    /// The caller said nothing when asked.
    NoInput,
    /// The caller spoke over our line.
    Interruption,
    /// The caller asked for a human.
    AskedForPerson,
    /// The caller corrected what we had understood.
    SlotCorrected,
    /// Many keys at once, or keys that mean nothing.
    KeypadMashing,
    /// The words were like a complaint. Where the lexicon finds hard words in them, those count instead.
    Complained,
}

impl Event {
    const ALL: [Self; 8] = [
        Self::RepeatedIntent,
        Self::NoMatch,
        Self::NoInput,
        Self::Interruption,
        Self::AskedForPerson,
        Self::SlotCorrected,
        Self::KeypadMashing,
        Self::Complained,
    ];

    /// Log-odds that one adds.
    fn weight(self) -> f32 {
        match self {
            Self::RepeatedIntent => 0.7,
            Self::NoMatch => 0.7,
            Self::NoInput => 0.25,
            Self::Interruption => 0.3,
            Self::AskedForPerson => 1.3,
            Self::SlotCorrected => 0.4,
            Self::KeypadMashing => 0.9,
            Self::Complained => 1.0,
        }
    }

    /// Whether it gives a reason to be angry. Who interrupts or says nothing may as well be in high spirits, or away.
    fn is_trouble(self) -> bool {
        !matches!(self, Self::NoInput | Self::Interruption)
    }

    fn reason(self, count: u32) -> String {
        // The first time that something was asked is no repeat.
        let times = times(if self == Self::RepeatedIntent { count + 1 } else { count });
        match self {
            Self::RepeatedIntent => format!("asked the same thing {times}"),
            Self::NoMatch => format!("was not understood {times}"),
            Self::NoInput => format!("gave no answer {times}"),
            Self::Interruption => format!("interrupted {times}"),
            Self::AskedForPerson if count == 1 => "asked for a person".to_string(),
            Self::AskedForPerson => format!("asked for a person {times}"),
            Self::SlotCorrected => format!("had to correct us {times}"),
            Self::KeypadMashing if count == 1 => "pressed keys wildly".to_string(),
            Self::KeypadMashing => format!("pressed keys wildly {times}"),
            Self::Complained if count == 1 => "complained".to_string(),
            Self::Complained => format!("complained {times}"),
        }
    }
}

fn times(count: u32) -> String {
    const WORDS: [&str; 6] = ["never", "once", "twice", "three times", "four times", "five times"];
    WORDS.get(count as usize).map_or_else(|| format!("{count} times"), ToString::to_string)
}

/// What a dialplan sees of the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mood {
    /// Nothing to see.
    #[default]
    Calm,
    /// Impatient.
    Tense,
    /// Angry.
    Angry,
}

/// Where moods begin and end; between the two a mood stays what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Calm becomes tense at this score.
    pub tense: f32,
    /// Tense, or calm, becomes angry at this score.
    pub angry: f32,
    /// A mood ends this far below where it begins, log-odds.
    pub hysteresis: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { tense: 0.25, angry: 0.7, hysteresis: 1.0 }
    }
}

/// The sum of a call of which nothing is known.
const PRIOR: f32 = -1.6;
/// Bounds of what the voice adds.
const VOICE: (f32, f32) = (-0.5, 3.4);
/// What a log-odd of the model is worth here: one utterance alone seldom passes.
const VOICE_GAIN: f32 = 1.0;
/// The most that the voice adds while nothing else speaks for it: tense, and not yet angry.
const UNBACKED: f32 = 2.1;
/// Each further turn in a row whose evidence reaches the first raises that by the second.
const CLEARLY: f32 = 2.0;
const PERSISTING: f32 = 0.3;
/// How far an utterance moves the voice's part up, and down.
const RISE: f32 = 0.75;
const FALL: f32 = 0.35;
/// What is left of words and of events after another turn.
const WORDS_LEFT: f32 = 0.75;
const EVENTS_LEFT: f32 = 0.9;
/// The most that words and events add.
const MOST_WORDS: f32 = 2.8;
const MOST_EVENTS: f32 = 3.4;
/// Minutes of a call that wear nobody's patience, what each one more adds, and the most: time alone decides nothing.
const PATIENT_MIN: f32 = 3.0;
const A_MINUTE: f32 = 0.1;
const MOST_TIME: f32 = 0.5;
/// Turns that a trend goes back.
const TREND: usize = 3;
/// A part of the log-odds below this is no reason.
const WORTH_SAYING: f32 = 0.25;

/// One kind of event in this call.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u32,
    /// Its part of the log-odds, fading.
    part: f32,
}

/// The frustration of one call.
#[derive(Debug)]
pub struct Frustration {
    config: Config,
    model: Arc<ProsodyModel>,
    baseline: Baseline,
    /// From earlier calls.
    kept: Option<CalmVoice>,
    /// The voice's part of the log-odds.
    voice: f32,
    /// Turns in a row that were clearly raised.
    raised: u8,
    words: f32,
    /// The strongest phrase that is not yet faded, and its part.
    phrase: Option<(&'static str, f32)>,
    events: [Tally; Event::ALL.len()],
    /// How long the call lasts, min.
    minutes: f32,
    /// Of the newest utterance that could be measured.
    probability: f32,
    change: Change,
    voice_confidence: f32,
    mood: Mood,
    /// Score and arousal after the newest utterances, oldest first.
    past: [(f32, f32); TREND + 1],
    arousal: f32,
}

impl Frustration {
    /// A call of which nothing is known.
    pub fn new(model: Arc<ProsodyModel>, config: Config) -> Self {
        let unknown = sigmoid(model.log_odds_of_call(PRIOR));
        Self {
            config,
            model,
            baseline: Baseline::default(),
            kept: None,
            voice: 0.0,
            raised: 0,
            words: 0.0,
            phrase: None,
            events: [Tally::default(); Event::ALL.len()],
            minutes: 0.0,
            probability: 0.0,
            change: Change::default(),
            voice_confidence: 0.0,
            mood: Mood::Calm,
            past: [(unknown, 0.0); TREND + 1],
            arousal: 0.0,
        }
    }

    /// A caller of whom is known how they sound when they are calm.
    pub fn recall(&mut self, kept: CalmVoice) {
        self.kept = Some(kept).filter(|kept| self.model.knows(kept));
    }

    /// What may be kept of how the caller sounds when they are calm; `None` when this call does not tell.
    pub fn calm_voice(&self) -> Option<CalmVoice> {
        self.model.calm_voice(&self.baseline, self.kept)
    }

    /// Takes a finished utterance: how it was said, what was said, and what it meant for the dialogue. Asking for a
    /// person may be among the events, or be left to the words.
    pub fn utterance(&mut self, features: &Features, text: &str, events: &[Event]) {
        self.fade();
        let hits = words::hits(text);
        let said = words::weight(&hits);
        self.hear(features, said < 0.0);
        self.words = (self.words + said).clamp(-1.2, MOST_WORDS);
        if let Some(hit) = hits.iter().find(|h| h.weight > 0.0 && h.sign != Sign::AskForPerson) {
            self.phrase = Some((hit.phrase, hit.weight));
        }
        let asked = hits.iter().any(|h| h.sign == Sign::AskForPerson) && !events.contains(&Event::AskedForPerson);
        let hard = hits.iter().any(|h| h.weight > 0.0 && h.sign != Sign::AskForPerson);
        let events = events.iter().filter(|event| !(hard && **event == Event::Complained));
        for event in events.chain(asked.then_some(&Event::AskedForPerson)) {
            self.count(*event);
        }
        self.settle();
        self.past.rotate_left(1);
        self.past[TREND] = (self.score(), self.arousal);
    }

    /// Takes an event between utterances.
    pub fn event(&mut self, event: Event) {
        self.count(event);
        self.settle();
    }

    /// How long the call lasts by now; counts from the next utterance or event on.
    pub fn lasts(&mut self, time: Duration) {
        self.minutes = time.as_secs_f32() / 60.0;
    }

    /// The probability that the caller is losing patience, 0..1.
    pub fn score(&self) -> f32 {
        sigmoid(self.model.log_odds_of_call(self.sum()))
    }

    /// What the score is made of, before it is a probability.
    pub fn sum(&self) -> f32 {
        PRIOR + self.voice_part() + self.words + self.events_part()
    }

    /// By the score, with hysteresis.
    pub fn mood(&self) -> Mood {
        self.mood
    }

    /// How raised the voice is, 0..1, smoothed over the turns: 0.5 where an utterance begins to be called angry. Joy raises a
    /// voice as anger does.
    pub fn arousal(&self) -> f32 {
        self.arousal
    }

    /// How far the score has moved over the last three turns, −1..1.
    pub fn trend(&self) -> f32 {
        self.past[TREND].0 - self.past[0].0
    }

    /// How far the arousal has.
    pub fn arousal_trend(&self) -> f32 {
        self.past[TREND].1 - self.past[0].1
    }

    /// Probability of anger in the newest utterance's voice alone, 0..1; 0 before there is one.
    pub fn voice_probability(&self) -> f32 {
        self.probability
    }

    /// The newest utterance against the caller's first turns.
    pub fn change(&self) -> Change {
        self.change
    }

    /// How much the score can be relied on, 0..1: how much voice was heard and how clearly, whether there is a baseline,
    /// and whether words or events speak.
    pub fn confidence(&self) -> f32 {
        let known = self.baseline.confidence();
        let known = known + (1.0 - known) * self.kept.map_or(0.0, |kept| kept.confidence());
        let voice = self.voice_confidence * (0.6 + 0.4 * known);
        let spoken = 1.0 - (-(self.words.abs() + self.events_part())).exp();
        1.0 - (1.0 - voice.clamp(0.0, 1.0)) * (1.0 - spoken)
    }

    /// Why the score is what it is, strongest first, in plain words; empty for a calm call.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons: Vec<(f32, String)> = self.voice_reasons();
        if let Some((phrase, part)) = self.phrase.filter(|(_, part)| *part >= WORTH_SAYING) {
            reasons.push((part, format!("said \"{phrase}\"")));
        }
        let events = Event::ALL.iter().zip(&self.events).filter(|(_, tally)| tally.part >= WORTH_SAYING);
        reasons.extend(events.map(|(event, tally)| (tally.part, event.reason(tally.count))));
        let time = self.time_part();
        if time >= WORTH_SAYING {
            reasons.push((time, format!("has been on the line for {:.0} minutes", self.minutes)));
        }
        reasons.sort_by(|a, b| b.0.total_cmp(&a.0));
        reasons.into_iter().map(|(_, reason)| reason).collect()
    }

    /// What the voice adds: as far as something else speaks for it, or it lasts.
    fn voice_part(&self) -> f32 {
        let tallies = Event::ALL.iter().zip(&self.events);
        let trouble: f32 = tallies.filter(|(event, _)| event.is_trouble()).map(|(_, tally)| tally.part).sum();
        let lasting = PERSISTING * f32::from(self.raised.saturating_sub(1));
        self.voice.min(UNBACKED + lasting + self.words.max(0.0) + trouble)
    }

    fn hear(&mut self, features: &Features, delighted: bool) {
        let confidence = features.confidence();
        self.voice_confidence += 0.5 * (confidence - self.voice_confidence);
        if confidence <= 0.0 {
            return;
        }
        let kept = self.kept.as_ref();
        let logit = self.model.logit_of(features, &self.baseline, kept);
        self.probability = self.model.probability_of(features, &self.baseline, kept);
        self.change = self.baseline.change(features);
        // Relative to the threshold of the model, so that this does not depend on how its classes were weighted.
        let beyond = (logit - self.model.threshold_logit()).clamp(-3.0, 4.0);
        self.arousal += 0.6 * confidence.sqrt() * (sigmoid(beyond) - self.arousal);
        let evidence = VOICE_GAIN * beyond + change_part(&self.change);
        let evidence = (evidence * confidence.sqrt()).clamp(VOICE.0, if delighted { 0.0 } else { VOICE.1 });
        self.raised = if evidence >= CLEARLY { self.raised.saturating_add(1) } else { 0 };
        self.voice += if evidence > self.voice { RISE } else { FALL } * (evidence - self.voice);
        if !self.baseline.is_full() {
            // Who is known to speak otherwise when calm is not learned as calm.
            let doubt = self.model.logit_of(features, &Baseline::default(), kept);
            self.baseline.learn(features, doubt);
        }
    }

    fn fade(&mut self) {
        self.words *= WORDS_LEFT;
        self.phrase = self.phrase.map(|(phrase, part)| (phrase, part * WORDS_LEFT));
        for tally in &mut self.events {
            tally.part *= EVENTS_LEFT;
        }
    }

    fn count(&mut self, event: Event) {
        if let Some(tally) = Event::ALL.iter().position(|e| *e == event).map(|i| &mut self.events[i]) {
            tally.count = tally.count.saturating_add(1);
            tally.part += event.weight();
        }
    }

    fn events_part(&self) -> f32 {
        (self.events.iter().map(|tally| tally.part).sum::<f32>() + self.time_part()).min(MOST_EVENTS)
    }

    fn time_part(&self) -> f32 {
        ((self.minutes - PATIENT_MIN) * A_MINUTE).clamp(0.0, MOST_TIME)
    }

    fn settle(&mut self) {
        let Config { tense, angry, hysteresis } = self.config;
        let log_odds = self.model.log_odds_of_call(self.sum());
        let begins = |mood: Mood, at: f32| logit(at) - if self.mood >= mood { hysteresis } else { 0.0 };
        self.mood = if log_odds >= begins(Mood::Angry, angry) {
            Mood::Angry
        } else if log_odds >= begins(Mood::Tense, tense) {
            Mood::Tense
        } else {
            Mood::Calm
        };
    }

    fn voice_reasons(&self) -> Vec<(f32, String)> {
        let voice = self.voice_part();
        if voice < WORTH_SAYING {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        let Change { level_db, f0_semitones, rate_ratio, confidence, .. } = self.change;
        if self.probability > self.model.threshold() {
            reasons.push((voice, "sounds angry".to_string()));
        }
        let share = |amount: f32| voice * confidence * amount.min(1.0) * 0.99;
        if level_db >= 3.0 {
            reasons.push((share(level_db / 6.0), format!("speaks {level_db:.0} dB louder than at the start")));
        }
        if f0_semitones >= 1.5 {
            let text = format!("voice is {f0_semitones:.0} semitones higher than at the start");
            reasons.push((share(f0_semitones / 4.0), text));
        }
        if rate_ratio >= 1.25 {
            let percent = (rate_ratio - 1.0) * 100.0;
            reasons.push((share(rate_ratio - 1.0), format!("speaks {percent:.0} % faster than at the start")));
        }
        reasons.retain(|(part, _)| *part >= WORTH_SAYING);
        reasons
    }
}

fn sigmoid(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn logit(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

/// Log-odds of what the model does not hear: faster than usual. Everyday variation is no sign.
fn change_part(change: &Change) -> f32 {
    (0.8 * (change.rate_ratio - 1.2).max(0.0)).min(0.5) * change.confidence
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in with one parameter, so that these tests are about the fusion alone.
    fn model() -> Arc<ProsodyModel> {
        let head = |mean: f64| {
            let fitted = super::super::Fitted { mean: vec![mean], scale: vec![1.0], weights: vec![1.0], bias: 0.0 };
            super::super::Head::new(&["alpha_ratio_3400"], &fitted)
        };
        Arc::new(ProsodyModel::new(head(-8.0), head(2.0), 0.5, "by hand").expect("valid"))
    }
    fn call() -> Frustration {
        Frustration::new(model(), Config::default())
    }
    /// An utterance whose model log-odds are these.
    fn said(logit: f32) -> Features {
        Features {
            voiced_s: 1.5,
            duration_s: 2.5,
            snr_db: 35.0,
            level_dbov: -26.0,
            level_stddev: 6.0,
            f0_semitone_stddev: 2.0,
            f0_semitone_p50: 24.0,
            articulation_rate: 4.0,
            alpha_ratio_3400: -8.0 + logit,
            ..Features::default()
        }
    }

    #[test]
    fn a_calm_caller_stays_calm() {
        let mut f = call();
        for text in ["what is my balance", "my account is one two three", "yes", "no that is all thank you"] {
            f.utterance(&said(-2.0), text, &[]);
            assert!(f.score() < 0.2, "{}", f.score());
        }
        assert_eq!((f.mood(), f.reasons()), (Mood::Calm, vec![]));
        assert!(f.arousal() < 0.3 && f.trend() <= 0.0, "{} {}", f.arousal(), f.trend());
        f.utterance(&said(1.0), "hm", &[Event::NoMatch]);
        assert!(f.score() < 0.4, "{}", f.score());
    }

    #[test]
    fn an_angry_voice_with_words_passes_in_two_turns_with_its_reasons() {
        let mut f = call();
        f.utterance(&said(-2.0), "my card is blocked", &[]);
        f.utterance(&said(1.5), "I already told you my card is blocked", &[Event::RepeatedIntent]);
        let loud = Features { level_dbov: -20.0, f0_semitone_p50: 28.0, ..said(2.0) };
        f.utterance(&loud, "this is ridiculous", &[Event::RepeatedIntent]);
        assert!(f.score() > 0.7, "{}", f.score());
        assert_eq!(f.mood(), Mood::Angry);
        assert!(f.trend() > 0.4 && f.arousal() > 0.5 && f.arousal_trend() > 0.3, "{f:?}");
        let reasons = f.reasons();
        for reason in [
            "sounds angry",
            "speaks 6 dB louder than at the start",
            "said \"this is ridiculous\"",
            "asked the same thing three times",
        ] {
            assert!(reasons.iter().any(|r| r == reason), "{reason}: {reasons:?}");
        }
    }

    #[test]
    fn a_raised_voice_alone_must_last_and_with_trouble_need_not() {
        let raised = Features { f0_semitone_p50: 29.0, ..said(4.0) };
        let mut f = call();
        f.utterance(&said(-2.0), "", &[]);
        for passes in [false, false, true] {
            f.utterance(&raised, "seven o'clock", &[Event::Interruption]);
            f.events = Default::default();
            assert_eq!(f.score() > 0.7, passes, "{}", f.score());
        }
        let mut f = call();
        f.utterance(&said(-2.0), "", &[]);
        f.utterance(&raised, "seven o'clock", &[Event::NoMatch]);
        assert!(f.score() > 0.7, "{}", f.score());
    }

    #[test]
    fn delight_explains_a_raised_voice() {
        let raised = Features { f0_semitone_p50: 29.0, ..said(4.0) };
        let mut f = call();
        for text in ["it is here already, how wonderful", "thank you", "that is great"] {
            f.utterance(&raised, text, &[]);
            assert!(f.score() < 0.3, "{text}: {}", f.score());
        }
        f.utterance(&raised, "thanks for nothing, this is ridiculous", &[]);
        assert!(f.score() > 0.7, "{}", f.score());
    }

    #[test]
    fn a_long_call_wears_a_little_patience() {
        let mut f = call();
        f.lasts(Duration::from_secs(150));
        f.utterance(&said(-2.0), "yes", &[]);
        assert_eq!(f.reasons(), Vec::<String>::new());
        let before = f.score();
        f.lasts(Duration::from_secs(3_600));
        f.utterance(&said(-2.0), "yes", &[]);
        assert!(f.score() > before && f.score() < 0.3, "{}", f.score());
        assert_eq!(f.reasons(), ["has been on the line for 60 minutes"]);
    }

    #[test]
    fn events_alone_pass() {
        let mut f = call();
        for _ in 0..3 {
            f.utterance(&said(-1.0), "something", &[Event::NoMatch]);
        }
        assert!(f.score() < 0.6, "{}", f.score());
        f.utterance(&said(-1.0), "an operator, please", &[]);
        assert!(f.score() > 0.7, "{}", f.score());
        assert_eq!(f.reasons()[..2], ["was not understood three times", "asked for a person"]);
    }

    #[test]
    fn one_odd_utterance_and_one_polite_request_do_not_hand_over() {
        let mut f = call();
        f.utterance(&said(-2.0), "", &[]);
        f.utterance(&said(1.5), "", &[]);
        assert!(f.score() < 0.5, "{}", f.score());
        let mut f = call();
        f.utterance(&said(-2.0), "could I speak to someone please", &[Event::AskedForPerson]);
        assert!(f.score() < 0.4, "{}", f.score());
        assert_eq!(f.reasons(), ["asked for a person"]);
    }

    #[test]
    fn moods_have_hysteresis_and_anger_fades_slowly() {
        let mut f = call();
        for _ in 0..3 {
            f.utterance(&said(4.0), "this is ridiculous", &[]);
        }
        assert_eq!(f.mood(), Mood::Angry);
        f.utterance(&said(-2.0), "yes", &[]);
        assert_eq!(f.mood(), Mood::Angry, "{}", f.score());
        for _ in 0..8 {
            f.utterance(&said(-2.0), "thank you", &[]);
        }
        assert_eq!(f.mood(), Mood::Calm, "{}", f.score());
    }

    #[test]
    fn what_cannot_be_measured_changes_nothing_and_says_so() {
        let mut f = call();
        f.utterance(&Features::default(), "", &[]);
        assert_eq!(f.confidence(), 0.0);
        assert!((f.score() - 0.168).abs() < 0.01);
        f.utterance(&said(-2.0), "", &[]);
        assert!(f.confidence() > 0.2 && f.score().is_finite());
    }
}
