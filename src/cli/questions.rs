//! `sidetone questions`: what callers said that today's plan does not understand, alike sayings together, with a draft of
//! the YAML that would answer them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use super::sentences::{Meaning, Sentences};
use super::{Format, calls, plans};
use crate::call::record::CallRecord;
use crate::call::understand::Understanding;
use crate::dialplan::Plan;
use crate::dialplan::script::MASKED;
use crate::nlu::text::clean;
use crate::sim;

/// Cosine from which two sayings are one question.
const ALIKE: f32 = 0.6;
/// Cosine from which a question may belong to what the plan has.
const NEAR: f32 = 0.45;
/// Sayings that are looked at; groups are compared with each, so that this bounds the work.
const MOST: usize = 2_000;
/// Sayings of a draft.
const DRAFTED: usize = 8;
/// Words below which a saying is no question.
const FEWEST_WORDS: usize = 2;

/// Arguments of `sidetone questions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan that is to answer: its folder or its file. Calls of this plan are looked at.
    plan: PathBuf,
    /// Folder of records and recordings.
    #[arg(long, env = "SIDETONE_DATA", default_value = "sidetone-data", value_name = "DIR")]
    data: PathBuf,
    /// How many calls, newest first.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    calls: u32,
    /// Questions that were asked less often are not listed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    least: usize,
    /// How the meaning of a sentence is told.
    #[arg(long, value_enum, default_value_t)]
    meaning: Meaning,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (_, plan) = plans::load(&args.plan)?;
    let mut sentences = Sentences::new(args.meaning)?;
    let records = calls::of_plan(&args.data, plan.name(), args.calls)?;
    sentences.speak(plan.language())?;
    let mut found = unanswered(&records, plan, &mut sentences);
    sentences.check()?;
    found.retain(|question| question.count >= args.least);
    match args.format {
        Format::Json => println!("{:#}", serde_json::json!({ "calls": records.len(), "questions": found })),
        Format::Human => {
            if let Some(note) = sentences.note() {
                eprintln!("note: {note}");
            }
            print!("{}", listed(&found, records.len()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A question that the plan does not answer.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Question {
    /// How often it was asked, in how many calls.
    count: usize,
    calls: usize,
    /// As most like all of its sayings as any.
    example: String,
    /// Different sayings, the most frequent first.
    sayings: Vec<String>,
    /// States in which it was asked.
    states: Vec<String>,
    /// What of the plan it may belong to.
    near: Option<String>,
    /// A draft of what the plan lacks.
    draft: String,
}

/// A saying, as often as it came.
struct Saying {
    text: String,
    vector: Vec<f32>,
    calls: Vec<usize>,
    states: Vec<String>,
}

/// Sayings that today's plan does not understand, grouped; the most frequent group first. What holds anything masked is
/// never looked at.
fn unanswered(records: &[CallRecord], plan: Plan, sentences: &mut Sentences) -> Vec<Question> {
    let line = sim::line_by(plan, &[], &mut |text| sentences.embed(text));
    let mut sayings: Vec<Saying> = Vec::new();
    let mut known: HashMap<String, Option<usize>> = HashMap::new();
    for (call, record) in records.iter().enumerate() {
        for turn in &record.turns {
            let text = clean(&turn.text);
            if turn.text.contains(MASKED) || text.split_whitespace().count() < FEWEST_WORDS {
                continue;
            }
            let simple = text.to_lowercase().trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
            let at = *known.entry(simple).or_insert_with(|| {
                let vector = understood(&line.understanding, &text, record, sentences)?;
                let fits = sayings.len() < MOST;
                fits.then(|| {
                    sayings.push(Saying { text: text.clone(), vector, calls: Vec::new(), states: Vec::new() });
                    sayings.len() - 1
                })
            });
            if let Some(saying) = at.map(|at| &mut sayings[at]) {
                saying.calls.push(call);
                if !saying.states.contains(&turn.state) {
                    saying.states.push(turn.state.clone());
                }
            }
        }
    }
    let mut questions: Vec<Question> =
        grouped(&sayings).into_iter().map(|group| question(&group, &line.plan, sentences)).collect();
    questions.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.example.cmp(&b.example)));
    questions
}

/// The saying's embedding, if nothing in the plan understands it, wherever it would be said.
fn understood(
    understanding: &Understanding,
    text: &str,
    record: &CallRecord,
    sentences: &mut Sentences,
) -> Option<Vec<f32>> {
    let clock = jiff::Timestamp::from_millisecond(record.started_ms).unwrap_or_default();
    let today = clock.to_zoned(jiff::tz::TimeZone::UTC).date();
    let vector = sentences.embed_once(text);
    let meaning =
        understanding.at_once(text, None, today).unwrap_or_else(|| understanding.by_vector(text, &vector, None, today));
    // A value that was given somewhere is no question, and neither is a yes; those the plan asked for itself.
    meaning.is_nothing().then_some(vector)
}

/// Groups around the most frequent sayings: each joins the nearest group that it is like.
fn grouped(sayings: &[Saying]) -> Vec<Vec<&Saying>> {
    let mut order: Vec<&Saying> = sayings.iter().collect();
    order.sort_by(|a, b| b.calls.len().cmp(&a.calls.len()).then_with(|| a.text.cmp(&b.text)));
    let mut groups: Vec<Vec<&Saying>> = Vec::new();
    for saying in order {
        let near = |group: &Vec<&Saying>| {
            group.iter().map(|other| cosine(&saying.vector, &other.vector)).sum::<f32>() / group.len() as f32
        };
        let best = groups.iter().map(near).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        match best.filter(|(_, near)| *near >= ALIKE) {
            Some((at, _)) => groups[at].push(saying),
            None => groups.push(vec![saying]),
        }
    }
    groups
}

fn question(group: &[&Saying], plan: &Plan, sentences: &mut Sentences) -> Question {
    // Nearest to all that was said, as often as it was said.
    let middle = |saying: &&&Saying| {
        group.iter().map(|other| cosine(&saying.vector, &other.vector) * other.calls.len() as f32).sum::<f32>()
    };
    let example =
        group.iter().max_by(|a, b| middle(a).total_cmp(&middle(b))).map_or("", |s| s.text.as_str()).to_owned();
    let mut calls: Vec<usize> = group.iter().flat_map(|saying| saying.calls.iter().copied()).collect();
    let count = calls.len();
    calls.sort_unstable();
    calls.dedup();
    let mut states: Vec<String> = group.iter().flat_map(|saying| saying.states.iter().cloned()).collect();
    states.sort_unstable();
    states.dedup();
    let sayings: Vec<String> = group.iter().map(|saying| saying.text.clone()).collect();
    let near = nearest(group, plan, sentences);
    let draft = draft(&sayings, near.as_ref());
    let near = near.map(|near| match near {
        Near::Intent(name) => format!("intent {name}"),
        Near::Knowledge(question) => format!("question \"{question}\""),
    });
    Question { count, calls: calls.len(), example, sayings, states, near, draft }
}

/// What of the plan a group may belong to.
enum Near {
    Intent(String),
    Knowledge(String),
}

fn nearest(group: &[&Saying], plan: &Plan, sentences: &mut Sentences) -> Option<Near> {
    let mut best: Option<(f32, Near)> = None;
    let mut look = |texts: &[String], what: &dyn Fn() -> Near| {
        for text in texts {
            let vector = sentences.embed(text);
            let near = group.iter().map(|saying| cosine(&saying.vector, &vector)).fold(0.0, f32::max);
            if near >= NEAR && best.as_ref().is_none_or(|(score, _)| near > *score) {
                best = Some((near, what()));
            }
        }
    };
    for intent in plan.intents() {
        look(&intent.examples, &|| Near::Intent(intent.name.clone()));
    }
    for questions in plan.knowledge() {
        look(questions, &|| Near::Knowledge(questions.first().cloned().unwrap_or_default()));
    }
    best.map(|(_, near)| near)
}

/// YAML to be put into the plan. Only the answer is left to its author.
fn draft(sayings: &[String], near: Option<&Near>) -> String {
    let mut out = String::new();
    let list = |indent: &str| -> String {
        sayings.iter().take(DRAFTED).map(|text| format!("{indent}- {}\n", quoted(text))).collect()
    };
    if let Some(Near::Intent(name)) = near {
        out += &format!(
            "# if this is what `{name}` means, more examples of it:\nintents:\n  {name}:\n{}# else\n",
            list("    ")
        );
    }
    if let Some(Near::Knowledge(question)) = near {
        out += &format!("# if the answer to {} will do, add these to its questions; else\n", quoted(question));
    }
    out += &format!("knowledge:\n  - questions:\n{}    answers:\n      - (write the answer here)\n", list("      "));
    out
}

/// As YAML's double-quoted scalars have it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn listed(found: &[Question], calls: usize) -> String {
    if found.is_empty() {
        return format!("{calls} calls, and no question that the plan does not understand\n");
    }
    let mut out = String::new();
    for question in found {
        out += &format!(
            "{}x in {} call{}: \"{}\" (in {})\n",
            question.count,
            question.calls,
            if question.calls == 1 { "" } else { "s" },
            question.example,
            question.states.join(", ")
        );
        for line in question.draft.lines() {
            out += &format!("    {line}\n");
        }
        out.push('\n');
    }
    let asked: usize = found.iter().map(|question| question.count).sum();
    out += &format!(
        "{} question{}, asked {asked} times in {calls} calls\n",
        found.len(),
        if found.len() == 1 { "" } else { "s" }
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::record::Turn;
    use crate::dialplan;
    use crate::sim::{Scenario, play};

    const PLAN: &str = "dialplan: x\nintents:\n  balance: [what is my balance, how much money do I have]\nstart: a\nstates:\n  a: {steps: [{listen: How can I help?}], on: {balance: a}}\n";

    fn records(said: &[&[&str]]) -> Vec<CallRecord> {
        let plan = || dialplan::load(PLAN.as_bytes(), "x").plan.unwrap();
        let blank = play(
            &sim::line(plan(), &[]),
            Scenario { limit: std::time::Duration::from_secs(1), ..Scenario::new(vec![]) },
        );
        let turn = |text: &&str| Turn { text: (*text).to_owned(), state: "a".into(), ..Turn::default() };
        let call = |said: &&[&str]| CallRecord { turns: said.iter().map(turn).collect(), ..blank.record.clone() };
        said.iter().map(call).collect()
    }

    fn found(said: &[&[&str]]) -> Vec<Question> {
        let plan = dialplan::load(PLAN.as_bytes(), "x").plan.unwrap();
        unanswered(&records(said), plan, &mut Sentences::new(Meaning::Words).unwrap())
    }

    #[test]
    fn alike_questions_are_counted_together_and_drafted_in_yaml_that_checks() {
        let found = found(&[
            &["do you sell gift cards", "what is my balance"],
            &["do you sell gift cards?", "do you sell cards"],
            &["where can I park my car"],
        ]);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!((found[0].count, found[0].calls), (3, 2));
        assert_eq!(found[0].example, "do you sell gift cards");
        assert_eq!(found[1].sayings, ["where can I park my car"]);
        // The draft is part of a plan as it stands.
        let checked = dialplan::load(format!("{PLAN}{}", found[0].draft).as_bytes(), "x");
        assert!(checked.plan.is_some_and(|plan| plan.knowledge().len() == 1), "{}", found[0].draft);
        assert!(listed(&found, 3).contains("3x in 2 calls"));
    }

    #[test]
    fn nothing_masked_and_nothing_understood_is_listed() {
        let found =
            found(&[&["my number is ‹masked› thank you", "yes", "how much money do I have", "no thanks", "hm"]]);
        assert!(found.iter().all(|question| question.sayings.iter().all(|s| !s.contains('‹'))), "{found:#?}");
        assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn hostile_words_stay_words_in_the_draft() {
        let found = found(&[&["] evil: \"quote\" \\ {{ x }} # nothing"]]);
        let checked = dialplan::load(format!("{PLAN}{}", found[0].draft).as_bytes(), "x");
        assert!(checked.plan.is_some(), "{:?} {}", checked.diagnostics, found[0].draft);
    }
}
