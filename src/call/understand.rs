//! Joins a plan with the means of understanding: which words, in a given expectation, mean what.
//!
//! Trained once, when a plan is loaded, from the plan's own examples; shared by all its calls.

use std::sync::Arc;

use jiff::civil::Date;

use super::ports::Hint;
use crate::dialplan::script::{Expect, Heard, Listen};
use crate::dialplan::{Plan, SlotKind as PlanKind};
use crate::nlu::background;
use crate::nlu::intents::{Classifier, Example};
use crate::nlu::keypad::{EntryRule, LONGEST};
use crate::nlu::slots::{self, Fill, SlotKind};
use crate::nlu::yes_no::yes_no;

/// While a slot is asked for, an intent must be plainer: digits and names resemble many things a little.
const ACCEPT_ASIDE: f32 = 0.75;

/// What a turn means. Indices are the plan's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meaning {
    /// The intent and its probability.
    pub intent: Option<(usize, f32)>,
    /// The knowledge entry and its probability.
    pub knowledge: Option<(usize, f32)>,
    /// A yes or a no.
    pub yes_no: Option<bool>,
    /// The slot's value in canonical form.
    pub slot: Option<String>,
    /// Values of other slots that the words hold.
    pub slots: Vec<(usize, String)>,
}

impl Meaning {
    /// Whether nothing was understood.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// As the script hears it.
    pub fn into_heard(self, text: String) -> Heard {
        let Self { intent, knowledge, yes_no, slot, slots } = self;
        Heard { text, intent, knowledge, yes_no, slot, slots }
    }
}

/// A plan's understanding.
pub struct Understanding {
    plan: Arc<Plan>,
    /// Intents first, then knowledge entries: they compete for the same words.
    classifier: Classifier,
    kinds: Vec<SlotKind>,
}

impl Understanding {
    /// The texts whose embeddings [`Understanding::train`] wants: every intent's examples, then every knowledge entry's
    /// questions.
    pub fn texts(plan: &Plan) -> Vec<Vec<String>> {
        let intents = plan.intents().iter().map(|intent| intent.examples.clone());
        intents.chain(plan.knowledge().map(<[String]>::to_vec)).collect()
    }

    /// Trains on the embeddings of [`Understanding::texts`] and of [`background::sentences`].
    pub fn train(plan: Arc<Plan>, vectors: &[Vec<Vec<f32>>], background: &[Vec<f32>]) -> Self {
        let texts = Self::texts(&plan);
        let examples = |(texts, vectors): (&Vec<String>, &Vec<Vec<f32>>)| {
            texts.iter().zip(vectors).map(|(text, embedding)| (text.clone(), embedding.clone())).collect::<Vec<_>>()
        };
        let owned: Vec<Vec<(String, Vec<f32>)>> = texts.iter().zip(vectors).map(examples).collect();
        let classes: Vec<Vec<Example<'_>>> = owned
            .iter()
            .map(|class| class.iter().map(|(text, embedding)| Example { text, embedding }).collect())
            .collect();
        let background: Vec<Example<'_>> =
            background::sentences().zip(background).map(|(text, embedding)| Example { text, embedding }).collect();
        let classifier = Classifier::train(&classes, &background);
        let kinds = plan.slots().iter().map(|slot| kind_of(&slot.kind)).collect();
        Self { plan, classifier, kinds }
    }

    /// What can be told from the words alone, without an embedding: a slot's value, a yes or no, an example's own words.
    /// `None` when more work is needed.
    pub fn at_once(&self, text: &str, listen: Option<&Listen>, today: Date) -> Option<Meaning> {
        if text.trim().is_empty() {
            return Some(Meaning::default());
        }
        let slots = self.in_passing(text, listen, today);
        let slot = self.slot(text, listen, today);
        let yes_no = yes_no(text).map(|(yes, _)| yes);
        if slot.is_some() {
            return Some(Meaning { slot, slots, ..Meaning::default() });
        }
        let answered = yes_no.is_some() || !slots.is_empty();
        if answered && matches!(listen.map(|l| &l.expect), Some(Expect::YesNo)) {
            return Some(Meaning { yes_no, slots, ..Meaning::default() });
        }
        let found = self.classifier.match_text(text, &self.allowed(listen))?;
        Some(Meaning { slots, ..self.meaning(found, yes_no) })
    }

    /// What an embedding of the words tells.
    pub fn by_vector(&self, text: &str, embedding: &[f32], listen: Option<&Listen>, today: Date) -> Meaning {
        let slot = self.slot(text, listen, today);
        let slots = self.in_passing(text, listen, today);
        let yes_no = yes_no(text).map(|(yes, _)| yes);
        let ranking = self.classifier.rank(Example { text, embedding }, &self.allowed(listen));
        let aside = matches!(listen.map(|l| &l.expect), Some(Expect::Slot { .. }));
        match ranking.best.filter(|(_, score)| !aside || *score >= ACCEPT_ASIDE) {
            Some(best) => Meaning { slot, slots, ..self.meaning(best, yes_no) },
            None => Meaning { slot, slots, yes_no, ..Meaning::default() },
        }
    }

    fn meaning(&self, (class, score): (usize, f32), yes_no: Option<bool>) -> Meaning {
        let intents = self.plan.intents().len();
        if class < intents {
            Meaning { intent: Some((class, score)), yes_no, ..Meaning::default() }
        } else {
            Meaning { knowledge: Some((class - intents, score)), yes_no, ..Meaning::default() }
        }
    }

    /// Classes that may be meant: what the script says is understood here, or all where it does not listen.
    fn allowed(&self, listen: Option<&Listen>) -> Vec<usize> {
        let intents = self.plan.intents().len();
        match listen {
            Some(listen) => {
                listen.intents.iter().copied().chain(listen.knowledge.iter().map(|k| k + intents)).collect()
            }
            None => (0..intents + self.plan.knowledge().len()).collect(),
        }
    }

    fn slot(&self, text: &str, listen: Option<&Listen>, today: Date) -> Option<String> {
        let Some(Expect::Slot { slot }) = listen.map(|l| &l.expect) else { return None };
        match slots::fill(self.kinds.get(*slot)?, text, today) {
            Fill::Value { canonical, .. } => Some(canonical),
            _ => None,
        }
    }

    /// Values of the slots that may be filled in passing. A number counts for one slot only: the first that takes it, and
    /// none where the slot that is asked for is a number itself.
    fn in_passing(&self, text: &str, listen: Option<&Listen>, today: Date) -> Vec<(usize, String)> {
        let Some(listen) = listen else { return Vec::new() };
        let asked = match listen.expect {
            Expect::Slot { slot } => Some(slot),
            Expect::YesNo | Expect::Intents { .. } => None,
        };
        let mut families: Vec<Family> = asked.and_then(|slot| family(self.kinds.get(slot)?)).into_iter().collect();
        let mut found = Vec::new();
        for &at in listen.slots.iter().filter(|at| Some(**at) != asked) {
            let Some(kind) = self.kinds.get(at) else { continue };
            let Some(family) = family(kind).filter(|family| *family == Family::Choice || !families.contains(family))
            else {
                continue;
            };
            if let Fill::Value { canonical, .. } = slots::fill(kind, text, today) {
                families.push(family);
                found.push((at, canonical));
            }
        }
        found
    }

    /// What helps the recogniser to hear this.
    pub fn hint(&self, expect: &Expect) -> Hint {
        match expect {
            Expect::YesNo => Hint::YesNo,
            Expect::Slot { slot } => match self.kinds.get(*slot) {
                Some(SlotKind::Digits { length }) => {
                    let (least, most) = length.unwrap_or((1, LONGEST));
                    let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
                    Hint::Digits { least: count(least), most: count(most) }
                }
                Some(SlotKind::YesNo) => Hint::YesNo,
                Some(SlotKind::Date) => Hint::Date,
                Some(SlotKind::Choice(choices)) => Hint::Words(choices.join(", ").into()),
                _ => Hint::Open,
            },
            Expect::Intents { .. } => Hint::Open,
        }
    }

    /// How keys are collected in this expectation; `None` where they mean nothing.
    pub fn entry_rule(&self, expect: &Expect) -> Option<EntryRule> {
        let slot = match expect {
            Expect::Intents { .. } | Expect::YesNo => return Some(EntryRule::menu()),
            Expect::Slot { slot } => self.plan.slots().get(*slot)?,
        };
        let length = match slot.kind {
            PlanKind::Digits { min, max } => (min, max),
            PlanKind::YesNo => (1, 1),
            PlanKind::Time => (4, 4),
            _ => (1, LONGEST),
        };
        slot.keypad.then(|| EntryRule::number(length.0, length.1))
    }
}

/// Kinds of slot that the same words could fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Number,
    Day,
    Hour,
    Choice,
}

/// `None` for what cannot be told from other words in passing.
fn family(kind: &SlotKind) -> Option<Family> {
    match kind {
        SlotKind::Digits { .. } | SlotKind::Number | SlotKind::Money => Some(Family::Number),
        SlotKind::Date => Some(Family::Day),
        SlotKind::Time => Some(Family::Hour),
        SlotKind::Choice(_) => Some(Family::Choice),
        SlotKind::YesNo | SlotKind::Text => None,
    }
}

/// The language's slots are understood by these means.
fn kind_of(kind: &PlanKind) -> SlotKind {
    match kind {
        PlanKind::Digits { min, max } => SlotKind::Digits { length: Some((*min, *max)) },
        PlanKind::Number => SlotKind::Number,
        PlanKind::YesNo => SlotKind::YesNo,
        PlanKind::Choice(choices) => {
            SlotKind::Choice(choices.iter().flat_map(|(_, words)| words.iter().cloned()).collect())
        }
        PlanKind::Money => SlotKind::Money,
        PlanKind::Date => SlotKind::Date,
        PlanKind::Time => SlotKind::Time,
        PlanKind::Phone => SlotKind::Digits { length: Some((3, 15)) },
        PlanKind::Name | PlanKind::Postcode | PlanKind::Email | PlanKind::Text => SlotKind::Text,
    }
}
