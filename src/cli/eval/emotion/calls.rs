//! What the fusion makes of whole calls, from the voice alone: turns of one speaker put together, words left out.

use std::sync::Arc;

use serde_json::{Value, json};

use super::corpus::Label;
use super::measure::Row;
use crate::speech::emotion::{Config, Frustration, Mood, ProsodyModel};

/// A calm caller's score stays below this.
const CALM_BELOW: f32 = 0.4;

/// Counts of simulated calls.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Calls {
    /// A calm turn, then two angry ones.
    angry: u32,
    /// Of which called angry after the first, and after the first or second, angry turn.
    angry_at_first: u32,
    angry_at_second: u32,
    /// Four calm turns, and how many of these calls went over the calm bound, and were called angry.
    calm: u32,
    calm_over: u32,
    calm_alarms: u32,
    /// A calm turn, then two joyful ones, and how many of these calls were called angry.
    joyful: u32,
    joyful_alarms: u32,
}

impl Calls {
    /// Plays the calls of one speaker, with a model that did not hear them.
    pub(super) fn play(&mut self, rows: &[&Row], model: &Arc<ProsodyModel>) {
        let of = |label| rows.iter().filter(|row| row.label == label).copied().collect::<Vec<&Row>>();
        let (calm, angry, joyful) = (of(Label::Calm), of(Label::Anger), of(Label::Joy));
        if calm.is_empty() {
            return;
        }
        let call = |turns: &[&Row]| -> Vec<(f32, Mood)> {
            let mut frustration = Frustration::new(Arc::clone(model), Config::default());
            let hear = |row: &&Row| {
                frustration.utterance(&row.features, "", &[]);
                (frustration.score(), frustration.mood())
            };
            turns.iter().map(hear).collect()
        };
        let is_angry = |turn: &(f32, Mood)| turn.1 == Mood::Angry;
        let then = |i: usize, rows: &[&'_ Row]| call(&[calm[i % calm.len()], rows[i], rows[(i + 1) % rows.len()]]);
        for i in 0..angry.len() {
            let turns = then(i, &angry);
            self.angry += 1;
            self.angry_at_first += u32::from(is_angry(&turns[1]));
            self.angry_at_second += u32::from(turns[1..].iter().any(is_angry));
        }
        for i in 0..joyful.len() {
            self.joyful += 1;
            self.joyful_alarms += u32::from(then(i, &joyful).iter().any(is_angry));
        }
        for i in 0..calm.len() {
            let turns = call(&std::array::from_fn::<_, 4, _>(|k| calm[(i + k) % calm.len()]));
            self.calm += 1;
            self.calm_over += u32::from(turns.iter().any(|turn| turn.0 >= CALM_BELOW));
            self.calm_alarms += u32::from(turns.iter().any(is_angry));
        }
    }

    /// Share of angry calls that were called angry by the second angry turn.
    #[cfg(test)]
    pub(super) fn found(&self) -> f32 {
        self.angry_at_second as f32 / self.angry.max(1) as f32
    }

    /// Share of calm calls that were called angry.
    #[cfg(test)]
    pub(super) fn false_alarms(&self) -> f32 {
        self.calm_alarms as f32 / self.calm.max(1) as f32
    }

    pub(super) fn table(&self) -> String {
        format!(
            "\nwhole calls, voice alone (μ-law)\n\
             calm turn, two angry ones: {} of {} called angry at the first, {} by the second\n\
             four calm turns: {} of {} called angry, {} ever over {CALM_BELOW}\n\
             calm turn, two joyful ones: {} of {} called angry\n",
            self.angry_at_first,
            self.angry,
            self.angry_at_second,
            self.calm_alarms,
            self.calm,
            self.calm_over,
            self.joyful_alarms,
            self.joyful,
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "angry": self.angry, "angry_at_first": self.angry_at_first, "angry_at_second": self.angry_at_second,
            "calm": self.calm, "calm_over": self.calm_over, "calm_alarms": self.calm_alarms,
            "joyful": self.joyful, "joyful_alarms": self.joyful_alarms,
        })
    }
}
