//! `sidetone replay`: a recorded call against today's plan, and where it now goes another way.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::sentences::{Meaning, Sentences};
use super::{Format, calls, plans};
use crate::call::record::{CallRecord, MESSAGE, NO_MESSAGE, Outcome};
use crate::dialplan::script::{Expect, Fetch, MASKED, Target, TransferFailure};
use crate::dialplan::{Plan, SlotKind};
use crate::sim::{self, Surroundings, Talk, Told, Utterance};

/// Arguments of `sidetone replay`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The call, as `sidetone calls list` names it.
    call: String,
    /// The plan to run it against: its folder or its file.
    #[arg(long)]
    plan: PathBuf,
    /// Folder of records and recordings.
    #[arg(long, env = "SIDETONE_DATA", default_value = "sidetone-data", value_name = "DIR")]
    data: PathBuf,
    /// Exit with status 1 when the call goes another way.
    #[arg(long)]
    strict: bool,
    /// How the meaning of a sentence is told.
    #[arg(long, value_enum, default_value_t)]
    meaning: Meaning,
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let record = calls::in_its_time(async {
        let store = calls::existing(&args.data).await?;
        let record = store.get(&args.call).await?;
        store.close().await;
        record.with_context(|| format!("no transcript of a call `{}`", args.call))
    })?;
    let (_, plan) = plans::load(&args.plan)?;
    let mut sentences = Sentences::new(args.meaning)?;
    sentences.speak(plan.language())?;
    let steps = replay(&record, plan, &mut sentences);
    sentences.check()?;
    let differs = steps.iter().any(Step::differs);
    match args.format {
        Format::Json => println!("{:#}", serde_json::json!({ "call": record.id, "differs": differs, "steps": steps })),
        Format::Human => {
            if let Some(note) = sentences.note() {
                eprintln!("note: {note}");
            }
            print!("{}", story(&record, &steps));
        }
    }
    Ok(if differs && args.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One thing that the caller did, and where it led then and now.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
struct Step {
    at_ms: u64,
    caller: String,
    then: Led,
    now: Led,
}

/// Where it led.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
struct Led {
    /// `None`: keys or silence, or none of the intents.
    intent: Option<String>,
    /// States that were entered, in order.
    states: Vec<String>,
    /// How the call ended here, if it did.
    end: Option<String>,
    #[serde(skip)]
    said: String,
}

impl Step {
    fn differs(&self) -> bool {
        self.then != Led { said: self.then.said.clone(), ..self.now.clone() }
    }
}

/// What the caller did, in order of time.
enum Deed {
    Said(String, Option<String>),
    Typed(String),
    Silent,
}

/// Plays the record's caller. What is masked in it is stood for by a value that the slot takes, and a "yes".
fn replay(record: &CallRecord, plan: Plan, sentences: &mut Sentences) -> Vec<Step> {
    let line = sim::line_by(plan, &["sip:agent@example"], &mut |text| sentences.embed(text));
    let clock = Timestamp::from_millisecond(record.started_ms).unwrap_or_default().to_zoned(TimeZone::system());
    let failed = record.events.iter().map(|event| event.what.as_str()).filter(|what| what.starts_with("fetch failed"));
    let mut around =
        Past { sentences, failures: failed.count(), taken: matches!(record.outcome, Outcome::HandedOver { .. }) };
    let mut talk = Talk::new(std::sync::Arc::clone(&line), clock.datetime());
    let caller = serde_json::json!({ "number": record.caller.reveal() });
    let deeds = deeds(record);
    let first = deeds.first().map_or(u64::MAX, |(at, _)| *at);
    let opening = talk.open(caller, &mut around);
    let mut steps = vec![Step {
        at_ms: 0,
        caller: "(the call begins)".into(),
        then: then(record, None, 0, first),
        now: now(&opening),
    }];
    for (index, (at, deed)) in deeds.iter().enumerate() {
        let until = deeds.get(index + 1).map_or(u64::MAX, |(at, _)| *at);
        let (shown, intent) = match deed {
            Deed::Said(text, intent) => (text.clone(), intent.clone()),
            Deed::Typed(keys) => (format!("keys {keys}"), None),
            Deed::Silent => ("(silence)".into(), None),
        };
        if talk.ending().is_some() {
            let now = Led { end: Some("the call was over".into()), ..Led::default() };
            steps.push(Step { at_ms: *at, caller: shown, then: then(record, intent, *at, until), now });
            continue;
        }
        let told = match deed {
            Deed::Typed(keys) if keys == MASKED => {
                let keys = stand_in(&talk, &line.plan);
                talk.keys(&keys, &mut around)
            }
            Deed::Typed(keys) => talk.keys(keys, &mut around),
            Deed::Said(text, ..) if text.contains(MASKED) => match talk.expects() {
                Some(Expect::Slot { .. }) => {
                    let keys = stand_in(&talk, &line.plan);
                    talk.keys(&keys, &mut around)
                }
                _ => talk.say(&Utterance { text: "yes", ..Utterance::default() }, &mut around),
            },
            Deed::Said(text, ..) => talk.say(&Utterance { text, ..Utterance::default() }, &mut around),
            Deed::Silent => talk.silence(silence(&talk), &mut around),
        };
        let mut led = now(&told);
        if let Deed::Said(text, ..) = deed
            && text.contains(MASKED)
        {
            led.intent.clone_from(&intent);
        }
        steps.push(Step { at_ms: *at, caller: shown, then: then(record, intent, *at, until), now: led });
    }
    steps
}

fn silence(talk: &Talk) -> std::time::Duration {
    talk.patience().unwrap_or_default()
}

/// A value that the slot that is asked for takes by keypad.
fn stand_in(talk: &Talk, plan: &Plan) -> String {
    let Some(Expect::Slot { slot }) = talk.expects() else { return "1".into() };
    match plan.slots().get(*slot).map(|slot| &slot.kind) {
        Some(SlotKind::Digits { min, .. }) => format!("{}#", "1".repeat((*min).max(1))),
        _ => "1#".into(),
    }
}

fn deeds(record: &CallRecord) -> Vec<(u64, Deed)> {
    let said = record.turns.iter().map(|turn| (turn.end_ms, Deed::Said(turn.text.clone(), turn.intent.clone())));
    let other = record.events.iter().filter_map(|event| {
        let deed = match event.what.strip_prefix("keys ") {
            Some(keys) => Deed::Typed(keys.to_owned()),
            None if event.what == "no input" || event.what == NO_MESSAGE => Deed::Silent,
            // Its words are not the call's: any will do.
            None if event.what.starts_with(MESSAGE) => Deed::Said("(a message)".into(), None),
            None => return None,
        };
        Some((event.at_ms, deed))
    });
    let mut all: Vec<(u64, Deed)> = said.chain(other).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

/// What the record says of the time between two deeds. A state is entered in the same millisecond as the deed, or later.
fn then(record: &CallRecord, intent: Option<String>, from: u64, until: u64) -> Led {
    let within = record.events.iter().filter(|event| (from..until).contains(&event.at_ms));
    let states = within.filter_map(|event| event.what.strip_prefix("state ")).map(str::to_owned).collect();
    let end = (until == u64::MAX).then(|| match &record.outcome {
        Outcome::Completed => "completed".to_owned(),
        Outcome::CallerHungUp => "the caller hung up".into(),
        Outcome::HandedOver { to, .. } => format!("handed over to {to}"),
        Outcome::HandoverFailed { to, .. } => format!("{to} did not take it"),
        Outcome::Ended { reason } => reason.clone(),
    });
    // That the caller gave up is no doing of the plan's.
    Led { intent, states, end: end.filter(|end| end == "completed" || end.starts_with("handed")), said: String::new() }
}

fn now(told: &[Told]) -> Led {
    let mut led = Led::default();
    for told in told {
        match told {
            Told::State(state) => led.states.push(state.clone()),
            Told::Heard { intent, .. } => led.intent = intent.as_ref().map(|(name, _)| name.clone()),
            Told::Said { text, masked } => led.said += &format!("{} ", if *masked { MASKED } else { text }),
            Told::HandedOver { to, .. } => led.end = Some(format!("handed over to {to}")),
            Told::Ended(sim::Ending::Completed) => led.end = Some("completed".into()),
            _ => {}
        }
    }
    led
}

/// The world as the record knows it: look-ups answered (with what, it does not say) or failed.
struct Past<'a> {
    sentences: &'a mut Sentences,
    failures: usize,
    taken: bool,
}

impl Surroundings for Past<'_> {
    fn embed(&mut self, text: &str) -> Vec<f32> {
        self.sentences.embed_once(text)
    }

    fn fetch(&mut self, _: &Fetch) -> Result<serde_json::Value, String> {
        if self.failures > 0 {
            self.failures -= 1;
            return Err("it failed in the recorded call".into());
        }
        Ok(serde_json::json!({}))
    }

    fn ring(&mut self, _: &Target) -> Result<(), TransferFailure> {
        if self.taken { Ok(()) } else { Err(TransferFailure::NoAnswer) }
    }
}

fn story(record: &CallRecord, steps: &[Step]) -> String {
    let mut out = format!("call {} (plan {})\n", record.id, record.plan);
    for step in steps {
        let mark = if step.differs() { "≠" } else { " " };
        out += &format!("{mark} {:>7.1} s  {}\n", step.at_ms as f64 / 1e3, step.caller);
        if step.differs() {
            out += &format!("       then:  {}\n       now:   {}\n", shown(&step.then), shown(&step.now));
            if !step.now.said.is_empty() {
                out += &format!("              \"{}\"\n", step.now.said.trim());
            }
        }
    }
    match steps.iter().filter(|step| step.differs()).count() {
        0 => out += "it goes the same way\n",
        1 => out += "it goes another way at one place\n",
        n => out += &format!("it goes another way at {n} places\n"),
    }
    out
}

fn shown(led: &Led) -> String {
    let mut parts = Vec::new();
    parts.extend(led.intent.as_ref().map(|intent| format!("intent {intent}")));
    if !led.states.is_empty() {
        parts.push(format!("to {}", led.states.join(", ")));
    }
    parts.extend(led.end.clone());
    if parts.is_empty() { "it stays where it is".into() } else { parts.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan;
    use crate::sim::{Act, Scenario, play};

    const PLAN: &str = r#"
dialplan: test
intents:
  balance: ["what is my balance", "how much money do I have"]
  agent: ["let me talk to a person", "I want a human"]
slots:
  account: {type: digits, length: 4, mask: true, keypad: true}
handover:
  - {when: 'heard("agent")', say: One moment., to: "queue:support"}
start: hello
states:
  hello:
    steps: [{listen: How can I help?}]
    on: {balance: ask}
  ask:
    steps:
      - {ask: account, prompt: What is your account number?, confirm: true}
      - {fetch: "http://core.example/{{ slots.account }}", reveal: [account], as: balance, failed: bye}
      - {say: "You have {{ balance.amount }} dollars."}
      - {goto: bye}
  bye: {steps: [{say: Goodbye.}, {end: }]}
"#;

    fn plan(source: &str) -> Plan {
        let checked = dialplan::load(source.as_bytes(), "x");
        checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics))
    }

    fn recorded() -> CallRecord {
        let line = sim::line(plan(PLAN), &["sip:one@example"]);
        let acts = vec![Act::Say("what is my balance"), Act::Say("one two three four"), Act::Say("yes")];
        let mut scenario = Scenario::new(acts);
        scenario.fetches = vec![Ok(serde_json::json!({ "amount": 5 }))];
        let record = play(&line, scenario).record;
        assert_eq!(record.outcome, Outcome::Completed);
        record
    }

    fn replayed(source: &str) -> (Vec<Step>, String) {
        let record = recorded();
        let steps = replay(&record, plan(source), &mut Sentences::new(Meaning::Words).unwrap());
        let story = story(&record, &steps);
        (steps, story)
    }

    #[test]
    fn the_same_plan_goes_the_same_way_masked_slots_and_all() {
        let (steps, story) = replayed(PLAN);
        assert!(steps.len() >= 4 && !steps.iter().any(Step::differs), "{story}\n{steps:#?}");
        assert!(story.contains("it goes the same way"));
        assert!(!story.contains("1234") && !story.contains("one two three"), "{story}");
    }

    #[test]
    fn a_changed_plan_shows_where_it_turns_off() {
        let (steps, story) = replayed(&PLAN.replace("{balance: ask}", "{balance: bye}"));
        assert!(steps[1].differs(), "{story}");
        assert!(story.contains("then:  intent balance; to ask"), "{story}");
        assert!(story.contains("now:   intent balance; to bye; completed"), "{story}");
    }
}
