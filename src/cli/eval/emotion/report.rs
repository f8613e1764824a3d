//! The tables of `sidetone eval emotion`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::calls::Calls;
use super::corpus::Label;
use super::metrics::{auc, balanced_accuracy, ece, percentile};
use super::score::{Score, Scored};

/// The figures of one condition.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    pub(super) anger_vs_calm_auc: Option<f64>,
    pub(super) anger_vs_calm_bacc: Option<f64>,
    pub(super) anger_vs_rest_auc: Option<f64>,
    pub(super) anger_vs_joy_auc: Option<f64>,
    /// Shares that are called angry at the threshold.
    pub(super) anger_flagged: Option<f64>,
    pub(super) calm_flagged: Option<f64>,
    pub(super) joy_flagged: Option<f64>,
    pub(super) ece: f64,
    pub(super) delay_p90_s: Option<f32>,
}

impl Figures {
    fn of(scored: &[Scored], score: impl Fn(&Scored) -> Score) -> Self {
        let against = |of: &dyn Fn(Label) -> bool| -> Vec<(f32, bool)> {
            let wanted = scored.iter().filter(|s| s.label == Label::Anger || of(s.label));
            wanted.map(|s| (score(s).probability, s.label == Label::Anger)).collect()
        };
        // Each fold has its own threshold: how far above it is what is counted.
        let margins = |of: Label| -> Vec<(f32, bool)> {
            let wanted = scored.iter().filter(|s| s.label == Label::Anger || s.label == of);
            wanted.map(|s| (score(s).probability - s.threshold, s.label == Label::Anger)).collect()
        };
        let flagged = |label: Label| {
            let of: Vec<&Scored> = scored.iter().filter(|s| s.label == label).collect();
            let over = of.iter().filter(|s| score(s).probability >= s.threshold).count();
            (!of.is_empty()).then(|| over as f64 / of.len() as f64)
        };
        let mut delays: Vec<f32> =
            scored.iter().filter(|s| s.label == Label::Anger).map(|s| score(s).delay_s).collect();
        let all = against(&|_| true);
        Self {
            anger_vs_calm_auc: auc(&against(&|l| l == Label::Calm)),
            anger_vs_calm_bacc: balanced_accuracy(&margins(Label::Calm), 0.0),
            anger_vs_rest_auc: auc(&all),
            anger_vs_joy_auc: auc(&against(&|l| l == Label::Joy)),
            anger_flagged: flagged(Label::Anger),
            calm_flagged: flagged(Label::Calm),
            joy_flagged: flagged(Label::Joy),
            ece: ece(&all),
            delay_p90_s: percentile(&mut delays, 0.9),
        }
    }

    fn json(&self) -> Map<String, Value> {
        let value = json!({
            "anger_vs_calm_auc": self.anger_vs_calm_auc,
            "anger_vs_calm_bacc": self.anger_vs_calm_bacc,
            "anger_vs_rest_auc": self.anger_vs_rest_auc,
            "anger_vs_joy_auc": self.anger_vs_joy_auc,
            "anger_flagged": self.anger_flagged,
            "calm_flagged": self.calm_flagged,
            "joy_flagged": self.joy_flagged,
            "ece": self.ece,
            "delay_p90_s": self.delay_p90_s.filter(|s| s.is_finite()),
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn line(&self, name: &str) -> String {
        let cell = |value: Option<f64>| value.map_or("  –  ".to_string(), |v| format!("{v:.3}"));
        let delay = match self.delay_p90_s {
            Some(s) if s.is_finite() => format!("{s:.2} s"),
            Some(_) => "never".to_string(),
            None => "–".to_string(),
        };
        let (calm, accuracy) = (cell(self.anger_vs_calm_auc), cell(self.anger_vs_calm_bacc));
        let (rest, joy) = (cell(self.anger_vs_rest_auc), cell(self.anger_vs_joy_auc));
        let flagged = [self.anger_flagged, self.calm_flagged, self.joy_flagged].map(cell).join(" ");
        format!("{name:<14}{calm}  {accuracy}     {rest}    {joy}   {flagged}  {:.3}        {delay}\n", self.ece)
    }
}

/// One condition: with the speaker's own baseline, and alone.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    name: String,
    pub(super) baseline: Figures,
    pub(super) alone: Figures,
}

/// All conditions.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Condition>,
    /// The same where sentences were held out instead of speakers.
    by_sentence: Vec<Condition>,
    /// Of the first of these: each sentence's recordings that are not angry, and how many were called angry.
    sentences: BTreeMap<String, [u32; 3]>,
    /// Of the shipped model, when that is what scored.
    pub(super) threshold: Option<f32>,
    /// Each speaker's recordings that are not angry, and how many of them were called angry (with baseline, alone).
    speakers: BTreeMap<String, [u32; 3]>,
    /// The first condition's scores, for pictures.
    pub(super) plotted: Vec<Scored>,
    /// First turns of callers who called before (against what is kept of them), and of strangers.
    pub(super) returning: Vec<Condition>,
    /// Of whole calls, where speakers allow it.
    pub(super) calls: Option<Calls>,
}

impl Report {
    pub(super) fn add(&mut self, condition: &str, scored: &[Scored]) {
        if self.rows.is_empty() {
            self.plotted = scored.to_vec();
        }
        let (baseline, alone) = (Figures::of(scored, |s| s.baseline), Figures::of(scored, |s| s.alone));
        self.rows.push(Condition { name: condition.to_string(), baseline, alone });
    }

    /// One condition, scored by models that did not hear the sentence.
    pub(super) fn add_by_sentence(&mut self, condition: &str, scored: &[Scored]) {
        let (baseline, alone) = (Figures::of(scored, |s| s.baseline), Figures::of(scored, |s| s.alone));
        if self.by_sentence.is_empty() {
            count_false(&mut self.sentences, scored, |s| &s.sentence);
        }
        self.by_sentence.push(Condition { name: condition.to_string(), baseline, alone });
    }

    /// First turns of callers who called before.
    pub(super) fn returning(&mut self, name: &str, scored: &[Scored]) {
        let (baseline, alone) = (Figures::of(scored, |s| s.baseline), Figures::of(scored, |s| s.alone));
        self.returning.push(Condition { name: name.to_string(), baseline, alone });
    }

    /// For whom it is wrong.
    pub(super) fn by_speaker(&mut self, scored: &[Scored]) {
        count_false(&mut self.speakers, scored, |s| &s.speaker);
    }

    fn false_table(of: &str, counts: &BTreeMap<String, [u32; 3]>) -> String {
        let mut out = String::new();
        if counts.len() > 1 {
            out += "called angry without being so    against the own baseline    alone\n";
            for (name, [n, baseline, alone]) in counts {
                out += &format!("{of:<8} {name:<24}{baseline:>3} of {n:<21}{alone:>3} of {n}\n");
            }
        }
        out
    }

    #[cfg(test)]
    pub(super) fn row(&self, condition: &str) -> Option<&Condition> {
        self.rows.iter().find(|row| row.name == condition)
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut out = String::new();
        type Which = fn(&Condition) -> &Figures;
        let parts: [(&str, Which); 2] = [
            ("against the speaker's own baseline", |c| &c.baseline),
            ("alone, the first words of a call", |c| &c.alone),
        ];
        for (title, of) in parts {
            out += &format!(
                "anger from the voice, {title}\n              vs calm          vs rest  vs joy  called angry:      \
                 calibration  90 % flagged\ncondition     AUC    bal.acc.  AUC      AUC     anger calm  joy    error        \
                 within\n"
            );
            self.rows.iter().for_each(|row| out += &of(row).line(&row.name));
            if !self.by_sentence.is_empty() {
                out += "by models that heard every speaker, and not the sentence\n";
                self.by_sentence.iter().for_each(|row| out += &of(row).line(&row.name));
            }
            out.push('\n');
        }
        if !self.returning.is_empty() {
            out += "first turns of callers who called before, all conditions; below each, of strangers\n";
            for row in &self.returning {
                out += &row.baseline.line(&format!("{}\n              ", row.name));
                out += &row.alone.line("");
            }
            out.push('\n');
        }
        out += &Self::false_table("speaker", &self.speakers);
        out + &Self::false_table("sentence", &self.sentences)
            + &self.calls.as_ref().map_or(String::new(), |calls| format!("\n{}", calls.table()))
    }

    /// For programs: of each condition the figures with the speaker's baseline, and those without under `alone`. A delay that
    /// is infinite, and what cannot be computed, is null.
    pub(super) fn json(&self) -> Value {
        let to_json = |row: &Condition| {
            let mut figures = row.baseline.json();
            figures.insert("alone".to_string(), Value::Object(row.alone.json()));
            (row.name.clone(), Value::Object(figures))
        };
        let rows = self.rows.iter().map(to_json);
        let threshold = self.threshold.iter().map(|t| ("threshold".to_string(), json!(t)));
        let speakers = ("speakers".to_string(), false_json(&self.speakers));
        let mut by_sentence: Map<String, Value> = self.by_sentence.iter().map(to_json).collect();
        if !by_sentence.is_empty() {
            by_sentence.insert("sentences".to_string(), false_json(&self.sentences));
        }
        let by_sentence = (!by_sentence.is_empty()).then(|| ("by_sentence".to_string(), Value::Object(by_sentence)));
        let returning: Map<String, Value> = self.returning.iter().map(to_json).collect();
        let returning = (!returning.is_empty()).then(|| ("returning".to_string(), Value::Object(returning)));
        let calls = self.calls.iter().flat_map(Calls::json).chain(returning);
        Value::Object(rows.chain(threshold).chain([speakers]).chain(by_sentence).chain(calls).collect::<Map<_, _>>())
    }
}

/// Adds up recordings that are not angry, and how many of them were called so (with baseline, alone), by name.
fn count_false(counts: &mut BTreeMap<String, [u32; 3]>, scored: &[Scored], name: impl Fn(&Scored) -> &String) {
    for s in scored.iter().filter(|s| s.label != Label::Anger && !name(s).is_empty()) {
        let over = |score: Score| u32::from(score.probability >= s.threshold);
        let more = [1, over(s.baseline), over(s.alone)];
        let own = counts.entry(name(s).clone()).or_default();
        own.iter_mut().zip(more).for_each(|(count, more)| *count += more);
    }
}

fn false_json(counts: &BTreeMap<String, [u32; 3]>) -> Value {
    let one = |(name, [n, baseline, alone]): (&String, &[u32; 3])| {
        (name.clone(), json!({ "not_angry": n, "called_angry": baseline, "called_angry_alone": alone }))
    };
    Value::Object(counts.iter().map(one).collect())
}
