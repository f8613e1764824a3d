//! Small plans, as authors write them, and what callers would say to them (`small_plans.toml`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::corpus::Row;
use super::measure::{Outcome, Space, share, train};
use crate::nlu::background;
use crate::nlu::intents::name_as_example;

/// The figures. Shares are 0..1.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Small {
    /// Paraphrases given the right intent with a probability of 0.6 or more.
    pub(super) small_plan_understood: f32,
    /// Unrelated sentences given none.
    pub(super) small_plan_rejected: f32,
    /// Paraphrases after which a caller is asked which of two intents they meant.
    pub(super) small_plan_asked_which: f32,
    /// What went wrong, in words.
    pub(super) small_plan_misses: Vec<String>,
}

#[derive(Deserialize)]
struct Plans {
    plan: Vec<Plan>,
}

#[derive(Deserialize)]
struct Plan {
    name: String,
    unrelated: Vec<String>,
    intents: BTreeMap<String, Sentences>,
}

#[derive(Deserialize)]
struct Sentences {
    examples: Vec<String>,
    paraphrases: Vec<String>,
}

/// Measures on the plans of `small_plans.toml`.
pub(super) fn measure(space: &mut Space<'_>) -> anyhow::Result<Small> {
    let plans: Plans = toml::from_str(include_str!("small_plans.toml"))?;
    let (mut understood, mut asked, mut rejected, mut unasked) = (0, 0, 0, 0);
    let mut misses = Vec::new();
    let mut which = 0;
    space.learn(background::sentences())?;
    for plan in &plans.plan {
        let labels: Vec<String> = plan.intents.keys().cloned().collect();
        let rows = |of: fn(&Sentences) -> &Vec<String>| -> Vec<Row> {
            let intents = plan.intents.values().enumerate();
            intents
                .flat_map(|(at, s)| of(s).iter().map(move |text| Row { text: text.clone(), label: Some(at) }))
                .collect()
        };
        let (examples, paraphrases) = (rows(|s| &s.examples), rows(|s| &s.paraphrases));
        let names: Vec<String> = labels.iter().filter_map(|label| name_as_example(label)).collect();
        let texts = examples.iter().chain(&paraphrases).map(|row| &row.text).chain(&plan.unrelated).chain(&names);
        space.learn(texts.map(String::as_str))?;
        let model = train(space, &labels, &examples.iter().collect::<Vec<_>>());
        let inside: Vec<&Row> = paraphrases.iter().collect();
        let outcome = Outcome::of(space, &model, &inside, plan.unrelated.iter().map(String::as_str));
        asked += outcome.inside.len();
        which += outcome.inside.iter().filter(|(_, ranking)| ranking.rival().is_some()).count();
        for ((label, ranking), row) in outcome.inside.iter().zip(&paraphrases) {
            let right = ranking.best.is_some_and(|(best, sure)| best == *label && sure >= 0.6);
            understood += usize::from(right);
            if !right {
                let (top, sure) = ranking.ranked[0];
                misses.push(format!(
                    "{}: {:?} is {}, heard as {} {sure:.2}",
                    plan.name, row.text, labels[*label], labels[top]
                ));
            }
        }
        unasked += outcome.outside.len();
        for (ranking, text) in outcome.outside.iter().zip(&plan.unrelated) {
            rejected += usize::from(ranking.best.is_none());
            if let Some((best, sure)) = ranking.best {
                misses.push(format!("{}: {text:?} is none, heard as {} {sure:.2}", plan.name, labels[best]));
            }
        }
    }
    Ok(Small {
        small_plan_understood: share(understood, asked),
        small_plan_rejected: share(rejected, unasked),
        small_plan_asked_which: share(which, asked),
        small_plan_misses: misses,
    })
}
