//! The tables of `sidetone eval emotion`.

use serde_json::{Map, Value, json};

use super::calls::Calls;
use super::corpus::Label;
use super::metrics::{auc, balanced_accuracy, ece, percentile};

/// One recording, scored by a model that did not hear its speaker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored {
    pub(super) label: Label,
    pub(super) probability: f32,
    /// Of the model that scored it.
    pub(super) threshold: f32,
    /// Speech until it was first called angry, s; infinite if never.
    pub(super) delay_s: f32,
}

/// The figures of one condition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) anger_vs_calm_auc: Option<f64>,
    pub(super) anger_vs_calm_bacc: Option<f64>,
    pub(super) anger_vs_rest_auc: Option<f64>,
    pub(super) anger_vs_joy_auc: Option<f64>,
    pub(super) ece: f64,
    pub(super) delay_p90_s: Option<f32>,
}

/// All conditions.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<(String, Figures)>,
    /// Of whole calls, where speakers allow it.
    pub(super) calls: Option<Calls>,
}

impl Report {
    pub(super) fn add(&mut self, condition: &str, scored: &[Scored]) {
        let against = |of: &dyn Fn(Label) -> bool| -> Vec<(f32, bool)> {
            scored
                .iter()
                .filter(|s| s.label == Label::Anger || of(s.label))
                .map(|s| (s.probability, s.label == Label::Anger))
                .collect()
        };
        // Each fold has its own threshold: how far above it is what is counted.
        let margins: Vec<(f32, bool)> = scored
            .iter()
            .filter(|s| matches!(s.label, Label::Anger | Label::Calm))
            .map(|s| (s.probability - s.threshold, s.label == Label::Anger))
            .collect();
        let mut delays: Vec<f32> = scored.iter().filter(|s| s.label == Label::Anger).map(|s| s.delay_s).collect();
        let all = against(&|_| true);
        let figures = Figures {
            anger_vs_calm_auc: auc(&against(&|l| l == Label::Calm)),
            anger_vs_calm_bacc: balanced_accuracy(&margins, 0.0),
            anger_vs_rest_auc: auc(&all),
            anger_vs_joy_auc: auc(&against(&|l| l == Label::Joy)),
            ece: ece(&all),
            delay_p90_s: percentile(&mut delays, 0.9),
        };
        self.rows.push((condition.to_string(), figures));
    }

    #[cfg(test)]
    pub(super) fn row(&self, condition: &str) -> Option<&Figures> {
        self.rows.iter().find(|(name, _)| name == condition).map(|(_, figures)| figures)
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut out = String::from(
            "anger, from the voice alone      vs calm          vs rest  vs joy  calibration  90 % flagged\n\
             condition                        AUC    bal.acc.  AUC      AUC     error        within\n",
        );
        let cell = |value: Option<f64>| value.map_or("  –  ".to_string(), |v| format!("{v:.3}"));
        for (name, f) in &self.rows {
            let delay = match f.delay_p90_s {
                Some(s) if s.is_finite() => format!("{s:.2} s"),
                Some(_) => "never".to_string(),
                None => "–".to_string(),
            };
            let (calm, accuracy) = (cell(f.anger_vs_calm_auc), cell(f.anger_vs_calm_bacc));
            let (rest, joy) = (cell(f.anger_vs_rest_auc), cell(f.anger_vs_joy_auc));
            out += &format!("{name:<33}{calm}  {accuracy}     {rest}    {joy}   {:.3}        {delay}\n", f.ece);
        }
        out + &self.calls.map_or(String::new(), |calls| calls.table())
    }

    /// For programs; a delay that is infinite, and what cannot be computed, is null.
    pub(super) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, f)| {
            let figures = json!({
                "anger_vs_calm_auc": f.anger_vs_calm_auc,
                "anger_vs_calm_bacc": f.anger_vs_calm_bacc,
                "anger_vs_rest_auc": f.anger_vs_rest_auc,
                "anger_vs_joy_auc": f.anger_vs_joy_auc,
                "ece": f.ece,
                "delay_p90_s": f.delay_p90_s.filter(|s| s.is_finite()),
            });
            (name.clone(), figures)
        });
        let calls = self.calls.iter().map(|calls| ("calls".to_string(), calls.json()));
        Value::Object(rows.chain(calls).collect::<Map<_, _>>())
    }
}
