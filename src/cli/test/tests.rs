//! The examples pass, and what fails says where and why.

use std::fs;
use std::path::{Path, PathBuf};

use super::report::{self, Show};
use super::suite::{self, Options, Suite};
use super::*;

const PLAN: &str = "dialplan: x\nstart: a\nstates:\n  a:\n    steps: [{say: Hello.}, {listen: \"Press one, or two.\"}]\n    on: {1: b, 2: a}\n  b:\n    steps: [{say: Goodbye.}, {end: }]\n";

fn run_all(path: &Path, options: &Options) -> Vec<Suite> {
    let mut sentences = Sentences::new(Meaning::Words).unwrap();
    let found = suite::find(path).unwrap();
    found.iter().map(|(plan, only)| Suite::run(plan, only, options, &mut sentences, now).unwrap()).collect()
}

/// A plan of this name with one scenario.
fn folder(scenario: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dialplan.yaml"), PLAN).unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let file = folder.path().join("scenarios/one.yaml");
    fs::write(&file, scenario).unwrap();
    (folder, file)
}

fn failures(suites: &[Suite]) -> Vec<(u32, u32, String)> {
    let all = suites.iter().flat_map(|suite| &suite.cases).flat_map(|case| &case.failures);
    all.map(|failure| (failure.line, failure.column, failure.message.clone())).collect()
}

#[test]
fn the_examples_pass_and_are_covered() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans");
    let suites = run_all(&examples, &Options::default());
    assert!(suites.len() >= 3);
    let shown = report::human(&suites, None, &Show { coverage: true, ..Show::default() });
    for suite in &suites {
        assert!(suite.passed(Some(60.0)), "{shown}");
        let covered = suite.coverage.as_ref().unwrap();
        assert!(covered.states.percent() >= 100.0, "{shown}");
    }
}

#[test]
fn a_wrong_expectation_fails_where_it_is_written() {
    let (folder, _) = folder(
        "scenario: s\nturns:\n  - expect: {said: Hello., state: a}\n  - caller: {keys: \"1\"}\n    expect:\n      state: a\n      outcome: open\n      handover: queue:x\n",
    );
    let suites = run_all(folder.path(), &Options::default());
    let found = failures(&suites);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (6, 7));
    assert!(found[0].2.contains("`a`, but it is `b`"), "{found:?}");
    assert!(found[1].2.contains("completed"), "{found:?}");
    assert!(found[2].2.contains("nobody was rung"), "{found:?}");
    assert!(!suites[0].passed(None));
}

#[test]
fn every_mistake_of_a_scenario_is_told_with_the_nearest_word() {
    let (folder, _) =
        folder("scenario: s\nturns:\n  - caller: {sey: x}\n  - expect: {state: c, sayd: y, within: soon}\n");
    let found = failures(&run_all(folder.path(), &Options::default()));
    let text = found.iter().map(|(line, _, message)| format!("{line} {message}\n")).collect::<String>();
    for part in ["3 ", "did you mean `say`?", "no state `c`", "did you mean `said`?", "`soon` is no time"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn coverage_is_held_against_the_threshold() {
    let (folder, file) = folder("scenario: s\nturns:\n  - caller: {keys: \"1\"}\n");
    let suites = run_all(folder.path(), &Options::default());
    let covered = suites[0].coverage.as_ref().unwrap();
    // Ways: a to b, a to itself, b to the end.
    assert_eq!((covered.states.covered, covered.states.total), (2, 2));
    assert_eq!((covered.transitions.covered, covered.transitions.total), (2, 3));
    assert_eq!((covered.prompts.covered, covered.prompts.total), (3, 3));
    assert!(suites[0].passed(Some(66.0)) && !suites[0].passed(Some(67.0)));
    // A part of the scenarios says nothing of the whole.
    assert!(run_all(&file, &Options::default())[0].passed(Some(100.0)));
}

#[test]
fn a_snapshot_is_written_once_and_compared_from_then_on() {
    let (folder, file) = folder("scenario: s\nsnapshot: true\nturns:\n  - caller: {keys: \"1\"}\n");
    let plan = folder.path();
    assert!(failures(&run_all(plan, &Options::default()))[0].2.contains("--update"));
    run_all(plan, &Options { update: true, ..Options::default() });
    assert!(run_all(plan, &Options::default())[0].passed(None));
    let kept = file.with_extension("snap");
    let changed = fs::read_to_string(&kept).unwrap().replace("Goodbye", "Farewell");
    fs::write(&kept, changed).unwrap();
    let found = failures(&run_all(plan, &Options::default()));
    assert!(found[0].2.contains("- < Farewell") && found[0].2.contains("+ < Goodbye"), "{found:?}");
}

#[test]
fn a_plan_without_scenarios_and_one_that_does_not_check_fail() {
    let (folder, file) = folder("");
    fs::remove_file(file).unwrap();
    assert!(!run_all(folder.path(), &Options::default())[0].passed(None));
    fs::write(folder.path().join("dialplan.yaml"), "dialplan: x\n").unwrap();
    let suites = run_all(folder.path(), &Options::default());
    assert!(!suites[0].passed(None));
    assert!(report::junit(&suites).contains("failures=\"1\""));
}

#[test]
fn reports_are_well_formed_whatever_a_scenario_is_called() {
    let (folder, _) = folder("scenario: \"<&\\\"\\u0001 é\"\nturns:\n  - expect: {said: \"]]> <b>\"}\n");
    let suites = run_all(folder.path(), &Options::default());
    let xml = report::junit(&suites);
    assert!(xml.contains("name=\"&lt;&amp;&quot; é\""), "{xml}");
    assert!(xml.contains("]]&gt; &lt;b&gt;") && !xml.contains('\u{1}'), "{xml}");
    let json = report::json(&suites, None);
    assert_eq!((json["scenarios"].as_u64(), json["failed"].as_u64()), (Some(1), Some(1)));
    assert_eq!(json["plans"][0]["scenarios"][0]["failures"][0]["line"], 3);
}

#[test]
fn an_audio_turn_is_felt_as_it_sounds() {
    let sounds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/callers");
    let turn = |(file, heard): (&str, &str)| {
        format!("  - caller: {{audio: {}, heard: \"{heard}\"}}\n", sounds.join(file).display())
    };
    let plan = "scenario: s\nturns:\n".to_owned();
    let calm = plan.clone() + &turn(("balance.wav", "what's my balance")) + &turn(("order.wav", "where is my order"));
    let angry = calm.clone()
        + &turn(("angry-1.wav", "This is ridiculous! I have asked three times now!"))
        + &turn(("angry-2.wav", "I am sick of this, get me a real person!"))
        + "    expect: {frustration: \">= 0.6\"}\n";
    let calm = calm + "    expect: {frustration: \"< 0.45\"}\n";
    for scenario in [angry, calm] {
        let (folder, _) = folder(&scenario);
        let found = failures(&run_all(folder.path(), &Options::default()));
        assert!(found.is_empty(), "{found:?}");
    }
    let (folder, _) = folder(&(plan + &turn(("nothing.wav", "x"))));
    assert!(failures(&run_all(folder.path(), &Options::default()))[0].2.contains("nothing.wav"));
}

#[test]
fn a_caller_is_asked_which_of_two_intents_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "\
dialplan: x
intents:
  cancel: {called: cancelling, examples: [cancel my booking, please cancel the booking]}
  change: {called: changing, examples: [change my booking, please change the booking]}
start: a
states:
  a: {steps: [{listen: [Yes?, Again?]}], on: {cancel: b, change: c}, otherwise: c}
  b: {steps: [{say: Cancelled.}, {end: }]}
  c: {steps: [{say: Changed.}, {end: }]}
";
    fs::write(folder.path().join("dialplan.yaml"), plan).unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let scenario = |answer: &str, state: &str| {
        format!(
            "scenario: s\nturns:\n  - caller: my booking please\n    expect: {{said: 'Did you mean', state: a}}\n  - caller: {answer}\n    expect: {{state: {state}}}\n"
        )
    };
    for (at, (answer, state)) in [("the cancelling", "b"), ("I mean changing it", "c")].into_iter().enumerate() {
        fs::write(folder.path().join(format!("scenarios/{at}.yaml")), scenario(answer, state)).unwrap();
    }
    let suites = run_all(folder.path(), &Options::default());
    assert_eq!(failures(&suites), []);
    assert_eq!(suites[0].cases.len(), 2);
}

#[test]
fn a_scenario_answers_for_the_language_model() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "\
dialplan: x
start: a
states:
  a: {steps: [{listen: Ask me.}], otherwise: t}
  t:
    steps:
      - think: Answer in a sentence.
        know: {question: '{{ last }}'}
        tools: {leave: {goto: bye, about: The caller is done.}}
        fallback: I do not know.
      - goto: a
  bye: {steps: [{say: Goodbye.}, {end: }]}
";
    fs::write(folder.path().join("dialplan.yaml"), plan).unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let scenario = "\
scenario: s
thinks: [The sky is blue., {fails: out of order}, {tool: leave}]
turns:
  - caller: what colour is the sky
    expect: {said: The sky is blue., state: a}
  - caller: and the sea
    expect: {said: I do not know., not_said: blue}
  - caller: that was all then
    expect: {said: Goodbye., outcome: completed}
";
    fs::write(folder.path().join("scenarios/one.yaml"), scenario).unwrap();
    assert_eq!(failures(&run_all(folder.path(), &Options::default())), []);
    let wrong = scenario.replace("{tool: leave}", "{tol: leave}");
    fs::write(folder.path().join("scenarios/one.yaml"), wrong).unwrap();
    let found = failures(&run_all(folder.path(), &Options::default()));
    assert!(found.iter().any(|(line, _, message)| *line == 2 && message.contains("`tool`")), "{found:?}");
}
