//! A caller who is known by their voice: two calls of one speaker, by the packets that a telephone would send.

use std::path::Path;
use std::sync::Arc;

use super::{Act, Played, Scenario, line, play};
use crate::audio::{Rate, file};
use crate::call::io::Report;
use crate::call::line::Line;
use crate::call::profile::{Profile, VoiceChange};
use crate::dialplan;
use crate::speech::emotion::CalmVoice;

const PLAN: &str = "
dialplan: voices
emotion_notice: A computer also listens to how you sound.
profile: {keep: [agreed], calm_voice: profile.agreed}
intents:
  withdraw: [forget my voice]
  done: [that is all thank you]
  open: [when are you open]
  card: [I lost my card]
  france: [what is the capital of France]
start: hello
states:
  hello: {steps: [{listen: May we remember how you sound?}]}
  agreed: {steps: [{keep: {agreed: true}}, {goto: hello}]}
  withdrawn: {steps: [{forget: [agreed]}, {goto: hello}]}
  bye: {steps: [{say: Goodbye.}, {end: }]}
on: {yes: agreed, withdraw: withdrawn, done: bye, open: hello, card: hello, france: hello}
";

fn the_line(emotion: bool) -> Arc<Line> {
    let checked = dialplan::load(PLAN.as_bytes(), "plan.yaml");
    let line = line(checked.plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics)), &[]);
    match Arc::try_unwrap(line) {
        Ok(line) => Arc::new(Line { emotion, ..line }),
        Err(_) => unreachable!("nobody else holds it"),
    }
}

/// Of two low-passes of one pole each.
const DULL: f32 = 0.6;

/// One of the fixtures' callers, all of one voice, by a dull telephone that takes much of what anger sounds like.
fn said(words: &'static str, clip: &str) -> Act {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/callers/{clip}.wav"));
    let mut pcm = file::decode(&std::fs::read(path).expect("a fixture"), Rate::Narrow.hz(), 60).expect("sound");
    let mut low = [0.0_f32; 2];
    for sample in &mut pcm {
        low[0] += DULL * (f32::from(*sample) - low[0]);
        low[1] += DULL * (low[0] - low[1]);
        *sample = low[1] as i16;
    }
    Act::Sound(words, pcm)
}

fn call(line: &Arc<Line>, profile: &Profile, mut acts: Vec<Act>) -> Played {
    acts.push(Act::Say("that is all thank you"));
    play(line, Scenario { profile: profile.clone(), ..Scenario::new(acts) })
}

fn calm_call() -> Vec<Act> {
    let turns = [
        ("yes", "order-number"),
        ("when are you open", "open"),
        ("what is the capital of France", "out-of-scope"),
        ("I lost my card", "lost-card"),
        ("when are you open", "digits"),
        ("I lost my card", "person"),
        ("what is the capital of France", "agent-hello"),
    ];
    turns.map(|(words, clip)| said(words, clip)).into()
}

/// The score after the caller's first turn.
fn first_score(played: &Played) -> f32 {
    let felt = |(_, report): &(u64, Report)| match report {
        Report::Felt { frustration, .. } => Some(*frustration),
        _ => None,
    };
    played.reports.iter().find_map(felt).expect("felt")
}

fn log_odds(score: f32) -> f32 {
    (score / (1.0 - score)).ln()
}

fn kept(played: &Played) -> CalmVoice {
    match played.changes.voice {
        VoiceChange::Kept(voice) => voice,
        ref other => panic!("{other:?}: {:?}", played.reports),
    }
}

fn known(voice: CalmVoice) -> Profile {
    Profile { values: [("agreed".to_owned(), true.into())].into(), calm_voice: Some(voice) }
}

#[test]
fn who_is_angry_from_the_first_word_is_heard_sooner_when_their_calm_voice_is_known() {
    let line = the_line(true);
    let first = call(&line, &Profile::default(), calm_call());
    let voice = kept(&first);
    // Nothing but one number in steps, and how many seconds it rests on.
    let stored = serde_json::to_value(voice).expect("JSON");
    assert_eq!(stored.as_object().expect("a map").keys().collect::<Vec<_>>(), ["seconds", "usual", "weights"]);
    assert_eq!(stored["usual"].as_f64().expect("a number") % 0.5, 0.0);

    for clip in ["angry-1", "angry-2"] {
        let angry = || vec![said("what is the capital of France", clip)];
        let (stranger, returning) = (call(&line, &Profile::default(), angry()), call(&line, &known(voice), angry()));
        let (unknown, score) = (first_score(&stranger), first_score(&returning));
        println!("{clip}: {unknown:.3} {score:.3}");
        assert!(log_odds(score) > log_odds(unknown) + 0.2, "{clip}: {score} {unknown}");
    }
    // And who is calm as ever is no more suspect than a stranger.
    let calm = || vec![said("what is the capital of France", "balance")];
    let (stranger, returning) = (call(&line, &Profile::default(), calm()), call(&line, &known(voice), calm()));
    let (unknown, score) = (first_score(&stranger), first_score(&returning));
    println!("calm: {unknown:.3} {score:.3}");
    assert!(log_odds(score) < log_odds(unknown) + 0.2, "{score} {unknown}");
}

#[test]
fn a_voice_is_kept_only_of_one_who_agreed_and_goes_when_they_do_not_any_longer() {
    let line = the_line(true);
    let mut silent = calm_call();
    silent.remove(0);
    let first = call(&line, &Profile::default(), silent);
    assert_eq!(first.changes.voice, VoiceChange::Forgotten, "they were never asked");
    let voice = kept(&call(&line, &Profile::default(), calm_call()));
    let withdrawn = call(&line, &known(voice), vec![Act::Say("forget my voice")]);
    assert_eq!(withdrawn.changes.voice, VoiceChange::Forgotten);
    // A call in which nothing was to be heard of it leaves it as it was.
    assert_eq!(call(&line, &known(voice), Vec::new()).changes.voice, VoiceChange::None);
    // Where no feelings are inferred, nothing of a voice is known or kept.
    let off = the_line(false);
    let played = call(&off, &known(voice), calm_call());
    assert_eq!(played.changes.voice, VoiceChange::Forgotten);
    assert!(!played.reports.iter().any(|(_, report)| matches!(report, Report::Felt { .. })));
}
