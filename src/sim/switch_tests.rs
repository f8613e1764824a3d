//! A call that goes on in another language: heard, understood and spoken as there, by the caller's packets.

use std::sync::Arc;
use std::time::Duration;

use super::{Act, Costs, Engines, Played, Scenario, Scripted, caller, line, play_with};
use crate::call::io::{Output, Report};
use crate::call::line::Line;
use crate::call::ports::Done;
use crate::call::profile::Profile;
use crate::dialplan;

const ENGLISH: &str = "
dialplan: bank
profile: {keep: [language]}
intents: {chinese: [can we speak Chinese, Chinese please], hours: [when are you open]}
start: hello
states:
  hello:
    steps:
      - when: profile.language == 'zh'
        switch: 200
        failed: ask
      - goto: ask
  ask: {steps: [{listen: How can I help?}], on: {chinese: {to: chinese, key: 2}, hours: hours, no: bye}}
  chinese: {steps: [{keep: {language: zh}}, {say: One moment.}, {switch: 200, failed: sorry}]}
  hours: {steps: [{say: We are open.}, {goto: ask}]}
  sorry: {steps: [{say: Nobody here speaks Chinese.}, {goto: ask}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
";

const CHINESE: &str = "
dialplan: bank-zh
language: zh-CN
profile: {keep: [language]}
intents: {balance: [我的余额是多少, 查余额], english: [说英语]}
slots: {account: {type: digits, length: 4, prompt: 请说您的账号。}}
start: hello
states:
  hello: {steps: [{listen: 您好，请问有什么可以帮您？}], on: {balance: balance, english: english}}
  balance: {steps: [{ask: account}, {say: '账号{{ slots.account }}，再见。'}, {end: }]}
  english: {steps: [{keep: {language: en}}, {switch: 100}]}
";

/// A menu of keys alone: nobody listens to speech there.
const MENU: &str = "
dialplan: menu
start: menu
states:
  menu: {steps: [{listen: For Chinese press two.}], on: {2: chinese}, otherwise: menu}
  chinese: {steps: [{switch: 200}]}
";

fn line_of(source: &str) -> Arc<Line> {
    let checked = dialplan::load(source.as_bytes(), "plan.yaml");
    line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), &[])
}

/// Notes who says what.
struct Voices {
    engines: Scripted,
    said: Vec<(String, String)>,
}

impl Engines for Voices {
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)> {
        self.engines.voice(samples)
    }

    fn work(&mut self, job: Output, saying: &str) -> Option<(Duration, Done)> {
        if let Output::Synthesize(job) = &job {
            self.said.push((job.voice.clone(), job.text.clone()));
        }
        self.engines.work(job, saying)
    }
}

/// Rings the plan; the others answer 100 and 200.
fn rung(plan: &str, profile: Profile, acts: Vec<Act>) -> (Played, Vec<(String, String)>) {
    let lines = [("100".to_owned(), line_of(ENGLISH)), ("200".to_owned(), line_of(CHINESE))];
    let scenario =
        Scenario { profile, lines: lines.into(), limit: Duration::from_secs(90), ..Scenario::new(Vec::new()) };
    let mut voices = Voices { engines: Scripted::new(Costs::default()), said: Vec::new() };
    let played = play_with(&line_of(plan), scenario, &mut caller(acts), &mut voices);
    (played, voices.said)
}

fn said(played: &Played) -> Vec<&str> {
    let said = played.reports.iter().filter_map(|(_, report)| match report {
        Report::Said { text, .. } => Some(text.as_str()),
        _ => None,
    });
    said.collect()
}

#[test]
fn who_asks_for_another_language_is_heard_and_answered_in_it() {
    let acts = vec![Act::Say("can we speak Chinese"), Act::Say("查余额"), Act::Say("一二三四")];
    let (played, voices) = rung(ENGLISH, Profile::default(), acts);
    let lines = ["How can I help?", "One moment.", "您好，请问有什么可以帮您？", "请说您的账号。", "账号1234，再见。"];
    assert_eq!(said(&played), lines, "digits too are heard in Chinese");
    assert!(played.ended);
    // What was queued in English is said by the English voice.
    for (voice, text) in &voices {
        let chinese = text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
        assert_eq!(voice.starts_with("zh_CN"), chinese, "{voice}: {text}");
    }
    assert!(voices.iter().any(|(voice, _)| voice.starts_with("zh_CN")));
    assert_eq!(serde_json::json!(played.changes.kept.values), serde_json::json!({"language": "zh"}));
    assert_eq!(played.record.plan, "bank", "the record is the plan's that took the call");
    let event = "switched to the plan bank-zh (zh-CN)";
    assert!(played.record.events.iter().any(|e| e.what == event), "{:?}", played.record.events);
}

#[test]
fn who_spoke_it_last_time_is_greeted_in_it_and_may_go_back() {
    let zh = Profile { values: [("language".to_owned(), "zh".into())].into(), calm_voice: None };
    let (played, _) = rung(ENGLISH, zh, vec![Act::Say("说英语"), Act::Say("when are you open"), Act::Say("no")]);
    let lines = ["您好，请问有什么可以帮您？", "How can I help?", "We are open.", "How can I help?", "Goodbye."];
    assert_eq!(said(&played), lines);
    assert_eq!(serde_json::json!(played.changes.kept.values), serde_json::json!({"language": "en"}));
}

#[test]
fn a_menu_of_keys_alone_gets_ears_when_it_switches() {
    let acts = vec![Act::Keys("2"), Act::Say("查余额"), Act::Say("一二三四")];
    let (played, _) = rung(MENU, Profile::default(), acts);
    let lines = ["For Chinese press two.", "您好，请问有什么可以帮您？", "请说您的账号。", "账号1234，再见。"];
    assert_eq!(said(&played), lines);
}

#[test]
fn where_no_line_answers_the_plan_goes_on_as_it_says() {
    let plan = ENGLISH.replace("switch: 200", "switch: 300");
    let acts = vec![Act::Say("Chinese please"), Act::Say("no")];
    let (played, _) = rung(&plan, Profile::default(), acts);
    let lines = ["How can I help?", "One moment.", "Nobody here speaks Chinese.", "How can I help?", "Goodbye."];
    assert_eq!(said(&played), lines);
}

#[test]
fn plans_that_send_callers_back_and_forth_are_stopped() {
    let (there, back) = (
        ENGLISH.replace("profile.language == 'zh'", "true"),
        CHINESE.replace("{listen: 您好，请问有什么可以帮您？}", "{switch: 100}"),
    );
    let back = back.replace(", on: {balance: balance, english: english}", "");
    let lines = [("100".to_owned(), line_of(&there)), ("200".to_owned(), line_of(&back))];
    let mut scenario = Scenario { lines: lines.into(), ..Scenario::new(vec![Act::Say("no")]) };
    scenario.limit = Duration::from_secs(60);
    let played = super::play(&line_of(&there), scenario);
    let switched = played.record.events.iter().filter(|e| e.what.starts_with("switched to")).count();
    assert_eq!(switched, 8);
    assert!(said(&played).iter().any(|line| line.contains("How can I help?")), "{:?}", said(&played));
}
