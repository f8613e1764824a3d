//! A caller whose first words are in another language: the plan that speaks it takes over, and has heard them.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Act, Costs, Ending, Engines, Played, Scenario, Scripted, Surroundings, Talk, Told, Utterance, caller, embed, line,
    play_with,
};
use crate::call::io::{Output, Report};
use crate::call::line::Line;
use crate::call::ports::{Done, JobError};
use crate::dialplan;
use crate::dialplan::scenario::read_scenario;
use crate::dialplan::script::{Fetch, Target, TransferFailure};

const ENGLISH: &str = "
dialplan: bank
languages: {zh: 200}
intents: {hours: [when are you open today, what are your hours], account: [I want my account]}
slots: {pin: {type: digits, length: 4, mask: true, prompt: Your PIN?}}
start: hello
states:
  hello: {steps: [{listen: [How can I help?, Pardon?, Once more?]}], on: {hours: hours, account: pin, no: bye}}
  pin: {steps: [{ask: pin}, {goto: bye}]}
  hours: {steps: [{say: We are open.}, {goto: hello}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

const CHINESE: &str = "
dialplan: bank-zh
language: zh-CN
intents: {balance: [我 要 查 余额, 查 一下 余额]}
slots: {account: {type: digits, length: 4, prompt: 请说您的账号。}}
start: hello
states:
  hello: {steps: [{listen: [您好，请问有什么可以帮您？, 请再说一遍。]}], on: {balance: balance}}
  balance: {steps: [{ask: account}, {say: '账号{{ slots.account }}，再见。'}, {end: }]}
";

/// Engines whose answer about the language is not what it should be.
enum Odd {
    No,
    Unsure,
    Busy,
}

struct Ears {
    engines: Scripted,
    odd: Odd,
    asked: u32,
}

impl Engines for Ears {
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)> {
        self.engines.voice(samples)
    }

    fn work(&mut self, job: Output, saying: &str) -> Option<(Duration, Done)> {
        self.asked += u32::from(matches!(job, Output::Language(_)));
        let (took, mut done) = self.engines.work(job, saying)?;
        if let Done::Language { result, .. } = &mut done {
            match (&self.odd, result) {
                (Odd::Unsure, Ok(spoken)) => spoken.probability = 0.9,
                (Odd::Busy, result) => *result = Err(JobError::Full),
                _ => {}
            }
        }
        Some((took, done))
    }
}

fn line_of(source: &str) -> Arc<Line> {
    let checked = dialplan::load(source.as_bytes(), "plan.yaml");
    line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), &[])
}

/// The call, and how often a language was asked.
fn rung(plan: &str, acts: Vec<Act>, costs: Costs, odd: Odd) -> (Played, u32) {
    let lines = [("200".to_owned(), line_of(CHINESE))];
    let limit = Duration::from_secs(60);
    let scenario = Scenario { lines: lines.into(), limit, costs, ..Scenario::new(Vec::new()) };
    let mut ears = Ears { engines: Scripted::new(costs), odd, asked: 0 };
    let played = play_with(&line_of(plan), scenario, &mut caller(acts), &mut ears);
    (played, ears.asked)
}

fn told(language: Duration) -> Costs {
    Costs { language, ..Costs::default() }
}

fn said(played: &Played) -> Vec<&str> {
    let said = played.reports.iter().filter_map(|(_, report)| match report {
        Report::Said { text, .. } => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}

/// From the end of the first words to the first sound of the answer, ms.
fn answered_after(played: &Played) -> f32 {
    let answers = played.reports.iter().find_map(|(_, report)| match report {
        Report::Answered { latency, keys: false } => Some(latency.total_ms),
        _ => None,
    });
    answers.expect("an answer")
}

const WORDS: &str = "我 要 查 余额";

#[test]
fn the_plan_that_speaks_it_takes_over_and_has_heard_what_was_said() {
    let (played, _) = rung(ENGLISH, vec![Act::Say(WORDS), Act::Say("一二三四")], Costs::default(), Odd::No);
    let lines = ["How can I help?", "您好，请问有什么可以帮您？", "请说您的账号。", "账号1234，再见。"];
    assert_eq!(said(&played), lines, "the question is not asked again");
    assert!(played.ended);
    let turns: Vec<_> = played.record.turns.iter().map(|turn| (turn.text.as_str(), turn.intent.as_deref())).collect();
    assert_eq!(turns, [(WORDS, Some("balance")), ("一二三四", None)], "each is noted once");
    let event = "the caller's first words are in zh (0.99)";
    assert!(played.record.events.iter().any(|e| e.what == event), "{:?}", played.record.events);
}

#[test]
fn words_that_mean_nothing_there_are_no_miss() {
    let acts = vec![Act::Say("天 气 很 好"), Act::Say(WORDS), Act::Say("一二三四")];
    let (played, _) = rung(ENGLISH, acts, Costs::default(), Odd::No);
    let lines = ["How can I help?", "您好，请问有什么可以帮您？", "请说您的账号。", "账号1234，再见。"];
    assert_eq!(said(&played), lines);
}

#[test]
fn who_speaks_the_plans_language_stays_and_waits_no_longer_for_it() {
    let acts =
        || vec![Act::Say("purple giraffes dance at midnight"), Act::Say("when are you open today"), Act::Say("no")];
    let (plain, none) = rung(&ENGLISH.replace("languages: {zh: 200}", ""), acts(), Costs::default(), Odd::No);
    let (asked, once) = rung(ENGLISH, acts(), Costs::default(), Odd::No);
    assert_eq!((none, once), (0, 1), "who surely speaks it is asked once");
    assert_eq!(said(&asked), ["How can I help?", "Pardon?", "We are open.", "How can I help?", "Goodbye."]);
    assert_eq!(said(&asked), said(&plain));
    assert_eq!(answered_after(&asked), answered_after(&plain));
    // What is understood never waits, however late the language would be known.
    let (understood, _) =
        rung(ENGLISH, vec![Act::Say("when are you open today"), Act::Say("no")], told(Duration::from_secs(2)), Odd::No);
    let (quick, _) =
        rung(ENGLISH, vec![Act::Say("when are you open today"), Act::Say("no")], Costs::default(), Odd::No);
    assert_eq!(answered_after(&understood), answered_after(&quick));
}

#[test]
fn a_word_alone_and_a_cough_tell_no_language() {
    let (played, asked) = rung(ENGLISH, vec![Act::Say("余额"), Act::Say("no")], Costs::default(), Odd::No);
    assert_eq!((said(&played), asked), (vec!["How can I help?", "Pardon?", "Goodbye."], 0));
}

#[test]
fn an_engine_that_is_unsure_or_busy_leaves_the_call_where_it_is() {
    for odd in [Odd::Unsure, Odd::Busy] {
        let acts = vec![Act::Say(WORDS), Act::Say(WORDS), Act::Say(WORDS), Act::Say("no")];
        let (played, asked) = rung(ENGLISH, acts, Costs::default(), odd);
        assert_eq!(said(&played)[..3], ["How can I help?", "Pardon?", "Once more?"]);
        assert_eq!(asked, 2, "the first two utterances count");
    }
}

#[test]
fn a_late_engine_delays_the_answer_by_a_bounded_time_and_changes_nothing() {
    let acts = || vec![Act::Say(WORDS), Act::Say("no")];
    let (plain, _) = rung(&ENGLISH.replace("languages: {zh: 200}", ""), acts(), Costs::default(), Odd::No);
    let (late, _) = rung(ENGLISH, acts(), told(Duration::from_millis(1_900)), Odd::No);
    assert_eq!(said(&late), said(&plain));
    let delay = answered_after(&late) - answered_after(&plain);
    assert!((1.0..=320.0).contains(&delay), "{delay} ms");
}

#[test]
fn where_no_line_answers_the_words_are_taken_as_they_were_heard() {
    let acts = vec![Act::Say(WORDS), Act::Say("no")];
    let (played, _) = rung(&ENGLISH.replace("200", "300"), acts, Costs::default(), Odd::No);
    assert_eq!(said(&played), ["How can I help?", "Pardon?", "Goodbye."]);
    assert_eq!(played.record.turns.first().map(|turn| turn.text.as_str()), Some(WORDS));
}

#[test]
fn the_language_of_a_masked_slot_is_not_asked() {
    let plan = ENGLISH.replace("start: hello", "start: pin");
    let (_, asked) = rung(&plan, vec![Act::Say("one two three four five")], Costs::default(), Odd::No);
    assert_eq!(asked, 0);
}

#[test]
fn who_goes_on_while_the_plans_change_is_heard_by_the_other_one() {
    // Between the end of the first words and the language there is time for more of them.
    let acts =
        vec![Act::Say("天 气 很 好"), Act::Wait(Duration::from_millis(850)), Act::On(WORDS), Act::Say("一二三四")];
    let (played, _) = rung(ENGLISH, acts, told(Duration::from_millis(1_100)), Odd::No);
    assert_eq!(said(&played).last(), Some(&"账号1234，再见。"), "{:?}", said(&played));
}

struct Nowhere;

impl Surroundings for Nowhere {
    fn embed(&mut self, text: &str) -> Vec<f32> {
        embed(text)
    }
    fn fetch(&mut self, _: &Fetch) -> Result<serde_json::Value, String> {
        Err("nothing is looked up".into())
    }
    fn ring(&mut self, _: &Target) -> Result<(), TransferFailure> {
        Ok(())
    }
}

#[test]
fn in_text_the_author_says_which_language_it_is() {
    let says = |text, language| {
        let mut talk = Talk::new(line_of(ENGLISH), jiff::civil::date(2026, 11, 23).at(9, 0, 0, 0));
        talk.open(serde_json::json!({}), &mut Nowhere);
        let told = talk.say(&Utterance { text, language, ..Utterance::default() }, &mut Nowhere);
        (told, talk.ending())
    };
    let (told, ending) = says(WORDS, Some("zh"));
    assert_eq!(told[0], Told::Spoke { text: WORDS.into(), language: "zh" });
    assert_eq!((&told[1], ending), (&Told::Switched("200".into()), Some(Ending::Switched)));
    assert_eq!(says("when are you open today", Some("en")).1, None);
    assert_eq!(says(WORDS, None).1, None);
    let scenario = |language| {
        let source = format!("scenario: x\nturns:\n  - caller: {{say: hello, language: {language}}}\n");
        read_scenario(source.as_bytes(), "x.yaml", None).diagnostics
    };
    assert!(scenario("zh").is_empty());
    assert_eq!(scenario("fr")[0].code, dialplan::Code::Language);
}
