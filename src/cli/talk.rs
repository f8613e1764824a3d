//! `sidetone talk`: a conversation with a plan in the terminal, by typing. State, slots and scores stand beside it.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;

use super::plans;
use super::sentences::{Meaning, Sentences};
use crate::call::profile::Profile;
use crate::call::services::{Secrets, prepare};
use crate::dialplan::Plan;
use crate::dialplan::scenario::{Given, Scenario, read_scenario};
use crate::dialplan::script::{Expect, Fetch, MASKED, Target, Think, Thought, TransferFailure};
use crate::net::http;
use crate::sim::{self, Surroundings, Talk, Told, Utterance, trial};

/// Longest line that is read; the rest of it is the next line.
const MAX_LINE: u64 = 4_096;
const HELP: &str = "\
type what the caller says, or:
  /keys 1234#    the caller types        /silence 6s   the caller says nothing
  /feel 0.8      frustration from now on /state        everything that the plan knows
  /in zh TEXT    the caller says it, surely in this language
  /quit          the caller hangs up     /help         this";

/// Arguments of `sidetone talk`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The plan: its folder or its file.
    plan: PathBuf,
    /// Take the caller, the clock, the answers of look-ups and the agents of this scenario.
    #[arg(long, value_name = "FILE.yaml")]
    scenario: Option<PathBuf>,
    /// The caller's number.
    #[arg(long, default_value = "+15550100", value_name = "NUMBER")]
    number: String,
    /// Let every look-up fail instead of asking the address.
    #[arg(long)]
    offline: bool,
    /// How the meaning of a sentence is told.
    #[arg(long, value_enum, default_value_t)]
    meaning: Meaning,
}

/// Runs the command; ends with the call, or with the input.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (_, plan) = plans::load(&args.plan)?;
    let scenario = args.scenario.as_ref().map(|file| scenario(file, &plan)).transpose()?;
    let mut sentences = Sentences::new(args.meaning)?;
    if let Some(note) = sentences.note() {
        eprintln!("note: {note}");
    }
    sentences.speak(plan.language())?;
    let line = sim::line_by(plan, &["sip:agent@example"], &mut |text| sentences.embed(text));
    let clock = scenario.as_ref().and_then(|s| s.at).unwrap_or_else(wall_clock);
    let caller = scenario.as_ref().map(|s| s.caller.clone());
    let caller = caller.unwrap_or_else(|| serde_json::json!({ "number": args.number }));
    let runtime = if args.offline { None } else { Some(super::runtime()?) };
    let mut around = World { sentences, scenario, given: Given::default(), runtime };
    let mut talk = Talk::new(Arc::clone(&line), clock);
    if let Some(scenario) = &around.scenario {
        talk.recall(&Profile { values: scenario.profile.clone(), calm_voice: None });
    }
    let prompt = io::stdin().is_terminal();
    converse(&mut talk, caller, &mut around, &line.plan, &mut io::stdin().lock(), &mut io::stdout().lock(), prompt)?;
    around.sentences.check()?;
    Ok(ExitCode::SUCCESS)
}

fn scenario(file: &Path, plan: &Plan) -> anyhow::Result<Scenario> {
    let source = plans::read(file).with_context(|| file.display().to_string())?;
    let read = read_scenario(&source, &file.display().to_string(), Some(plan));
    let mistakes: Vec<String> = read.diagnostics.iter().map(ToString::to_string).collect();
    read.scenario.with_context(|| format!("the scenario cannot be read:\n{}", mistakes.join("\n")))
}

#[expect(clippy::disallowed_methods, reason = "the conversation takes place now")]
fn wall_clock() -> jiff::civil::DateTime {
    jiff::Zoned::now().datetime()
}

/// The world of a conversation: real services, unless a scenario answers for them.
struct World {
    sentences: Sentences,
    scenario: Option<Scenario>,
    given: Given,
    runtime: Option<Runtime>,
}

impl Surroundings for World {
    fn embed(&mut self, text: &str) -> Vec<f32> {
        self.sentences.embed_once(text)
    }

    fn fetch(&mut self, fetch: &Fetch) -> Result<serde_json::Value, String> {
        if let Some(scenario) = &self.scenario {
            return self.given.answer(&scenario.fetches, &fetch.url);
        }
        let runtime = self.runtime.as_ref().ok_or("this conversation is offline")?;
        // Secrets are the server's; a service that wants one says no, and the plan goes where it says.
        let request = prepare(fetch.clone(), &Secrets::new())?;
        runtime.block_on(http::fetch(request))
    }

    fn think(&mut self, _: &Think) -> Vec<Thought> {
        match &self.scenario {
            Some(scenario) => self.given.thought(&scenario.thinks),
            None => vec![Thought::Failed("no model is asked here; a scenario's `thinks:` answers for it".into())],
        }
    }

    fn ring(&mut self, _: &Target) -> Result<(), TransferFailure> {
        self.scenario.as_ref().and_then(|scenario| scenario.agents).map_or(Ok(()), Err)
    }
}

/// Talks until the call or the input ends.
fn converse(
    talk: &mut Talk,
    caller: serde_json::Value,
    around: &mut World,
    plan: &Plan,
    input: &mut impl BufRead,
    out: &mut dyn Write,
    prompt: bool,
) -> anyhow::Result<()> {
    if prompt {
        writeln!(out, "{HELP}\n")?;
    }
    let told = talk.open(caller, around);
    show(out, &told, prompt)?;
    while talk.ending().is_none() {
        writeln!(out, "    {}", beside(talk, plan))?;
        if prompt {
            write!(out, "> ")?;
            out.flush()?;
        }
        let mut line = Vec::new();
        if input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let told = match word {
            "" => continue,
            "/help" => {
                writeln!(out, "{HELP}")?;
                continue;
            }
            "/state" => {
                everything(out, talk, plan)?;
                continue;
            }
            "/keys" => talk.keys(rest.trim(), around),
            "/silence" => talk.silence(silence(rest).unwrap_or(Duration::from_secs(6)), around),
            "/feel" => {
                match rest.trim().parse::<f32>() {
                    Ok(score) => talk.feign(score),
                    Err(_) => writeln!(out, "    a number from 0 to 1")?,
                }
                continue;
            }
            "/in" => {
                let (tag, text) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
                match Plan::heard_language(tag) {
                    Some(language) => {
                        talk.say(&Utterance { text, language: Some(language), ..Utterance::default() }, around)
                    }
                    None => {
                        writeln!(out, "    `en` and `zh` are heard, `{tag}` is not")?;
                        continue;
                    }
                }
            }
            "/quit" => talk.hang_up(),
            word if word.starts_with('/') => {
                writeln!(out, "    there is no {word}; /help lists what there is")?;
                continue;
            }
            _ => talk.say(&Utterance { text: line, ..Utterance::default() }, around),
        };
        show(out, &told, prompt)?;
    }
    writeln!(out, "    the call lasted {} s", talk.elapsed().as_secs())?;
    Ok(())
}

fn silence(text: &str) -> Option<Duration> {
    text.trim().trim_end_matches('s').parse().ok().filter(|s| (0.0..3_600.0).contains(s)).map(Duration::from_secs_f64)
}

/// What was piped in was not typed on this screen: it is shown too.
fn show(out: &mut dyn Write, told: &[Told], typed: bool) -> io::Result<()> {
    for told in told {
        match told {
            Told::Heard { text, intent, rival, knowledge, answers } => {
                if !typed {
                    writeln!(out, "> {text}")?;
                }
                let heard = match (intent, knowledge) {
                    (Some((name, score)), _) => {
                        let rival = rival.as_ref().map(|(name, score)| format!(", or {name} {score:.2}"));
                        format!("intent {name} {score:.2}{}", rival.unwrap_or_default())
                    }
                    (None, Some((question, score))) => format!("question \"{question}\" {score:.2}"),
                    (None, None) if *answers => "an answer".into(),
                    (None, None) => "no intent".into(),
                };
                writeln!(out, "    {heard}")?;
            }
            Told::Felt { frustration, reasons, .. } if !reasons.is_empty() => {
                writeln!(out, "    frustration {frustration:.2}: {}", reasons.join("; "))?;
            }
            // To the one who typed it no line is a secret; the screen of a colleague is another matter.
            told => {
                if let Some(line) = trial::written(told) {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(())
}

/// State, what is expected, slots and scores, in one line.
fn beside(talk: &Talk, plan: &Plan) -> String {
    let mut parts = vec![format!("[{}]", talk.script().state()), expected(talk, plan)];
    for slot in talk.script().slots() {
        if let Some(value) = slot.value {
            parts.push(format!("{}={}", slot.name, if slot.mask { MASKED } else { value }));
        }
    }
    let mood = format!("{:?}", talk.mood()).to_lowercase();
    parts.push(format!("frustration {:.2} {mood}", talk.frustration()));
    if talk.script().misses() > 0 {
        parts.push(format!("misses {}", talk.script().misses()));
    }
    parts.join(" | ")
}

fn expected(talk: &Talk, plan: &Plan) -> String {
    match talk.expects() {
        Some(Expect::Intents { intents, keys }) => {
            let names: Vec<&str> =
                intents.iter().filter_map(|at| plan.intents().get(*at)).map(|intent| intent.name.as_str()).collect();
            let keys: Vec<String> = keys.iter().map(char::to_string).collect();
            let mut parts =
                vec![format!("expects {}", if names.is_empty() { "keys".into() } else { names.join(", ") })];
            if !keys.is_empty() {
                parts.push(format!("keys {}", keys.join(" ")));
            }
            parts.join("; ")
        }
        Some(Expect::YesNo) => "expects yes or no".into(),
        Some(Expect::Slot { slot }) => {
            format!("expects the slot {}", plan.slots().get(*slot).map_or("?", |slot| slot.name.as_str()))
        }
        None if talk.records() => "records a message".into(),
        None => "does not listen".into(),
    }
}

fn everything(out: &mut dyn Write, talk: &Talk, plan: &Plan) -> io::Result<()> {
    writeln!(out, "    {}", beside(talk, plan))?;
    for slot in talk.script().slots() {
        let value = slot.value.map_or("not filled", |value| if slot.mask { MASKED } else { value });
        writeln!(out, "    slot {}: {value}", slot.name)?;
    }
    for (name, value) in talk.script().profile() {
        writeln!(out, "    profile {name}: {value}")?;
    }
    writeln!(out, "    briefing: {}", talk.script().briefing().spoken())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(plan: &str, scenario_file: Option<&str>, input: &str) -> String {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans").join(plan);
        let (_, plan) = plans::load(&examples).unwrap();
        let scenario = scenario_file.map(|file| scenario(&examples.join("scenarios").join(file), &plan).unwrap());
        let mut sentences = Sentences::new(Meaning::Words).unwrap();
        let line = sim::line_by(plan, &["sip:a@x"], &mut |text| sentences.embed(text));
        let mut around = World { sentences, scenario, given: Given::default(), runtime: None };
        let mut talk = Talk::new(Arc::clone(&line), trial::default_clock());
        let caller = serde_json::json!({ "number": "+15550100" });
        let mut out = Vec::new();
        converse(&mut talk, caller, &mut around, &line.plan, &mut input.as_bytes(), &mut out, false).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn piped_input_is_a_whole_call_with_state_slots_and_scores_beside_it() {
        let out = typed("bank", Some("balance.yaml"), "what's my balance\n12345678\nyes\nno\nnever read\n");
        for part in [
            "< How can I help?",
            "[hello] | expects balance, block_card, agent; keys 1 2 | frustration",
            "intent balance",
            "[balance] | expects the slot account",
            "account=‹masked›",
            "You have 1234 dollars and 50 cents.",
            "* ended: completed",
            "> what's my balance",
            "    an answer",
        ] {
            assert!(out.contains(part), "{part}: {out}");
        }
        assert!(!out.contains("12345678") && !out.contains("never read"), "{out}");
    }

    #[test]
    fn keys_silence_and_frustration_can_be_typed_and_nonsense_does_no_harm() {
        let out = typed("menu", None, "/silence 6s\n/wat\n/keys 3\n/state\n/feel much\n\u{1}\n/keys *\n/quit\n");
        for part in
            ["* no input", "there is no /wat", "[again]", "slot customer: not filled", "[main]", "the caller hung up"]
        {
            assert!(out.contains(part), "{part}: {out}");
        }
        let out = typed("orders", None, "/feel 0.9\nwhere is my order\n");
        assert!(out.contains("handed over to queue:support"), "{out}");
        assert!(out.contains("offline") && !out.contains("panicked"), "{out}");
    }

    #[test]
    fn a_line_without_an_end_is_taken_in_pieces() {
        let out = typed("menu", None, &"a".repeat(10_000));
        assert!(out.contains("the call lasted"), "{}", out.len());
    }
}
