//! The pool's promises, on engines that do as they are told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lane::lock;
use super::now;
use super::pool::{EngineOptions, Engines, Factory};
use super::prompts::PromptLimits;
use super::scripted::{
    ScriptedEmbedder, ScriptedRecognizer, ScriptedTurnDetector, ScriptedVoice, ScriptedVoiceDetector, spoken,
};
use crate::audio::Rate;
use crate::call::ports::{
    AbortFlag, Done, EmbedJob, Embedder, Hint, JobError, Keep, RecognizeJob, Recognizer, Reply, Role, SayId,
    SynthesizeJob, Synthesizer, Tone, Transcript, TurnEndJob, TurnId,
};

const LONG: Duration = Duration::from_secs(600);

fn options() -> EngineOptions {
    EngineOptions {
        recognizer: Arc::new(|| Ok(Box::new(ScriptedRecognizer))),
        recognition_threads: 1,
        voice: Arc::new(|_| Ok(Box::new(ScriptedVoice))),
        default_voice: "scripted".to_string(),
        manner: Arc::new(str::to_string),
        synthesis_threads: 1,
        turn_detector: Arc::new(|| Ok(Box::new(ScriptedTurnDetector))),
        embedder: Arc::new(|| Ok(Box::new(ScriptedEmbedder))),
        detector: Arc::new(|| Ok(Box::new(ScriptedVoiceDetector))),
        prompts: PromptLimits { memory_bytes: 1 << 20, disk: None },
        embeddings: super::embeddings::EmbeddingStore::default(),
        languages: Vec::new(),
        any_language: false,
    }
}

fn hear(turn: u32, role: Role, deadline: Instant) -> RecognizeJob {
    let pcm: Arc<[i16]> = spoken(&format!("turn {turn}")).into();
    let turn = TurnId(turn);
    RecognizeJob { turn, role, pcm, rate: Rate::Narrow, hint: Hint::Open, deadline, abort: AbortFlag::default() }
}

/// Replies into a channel, in the order in which they come.
struct Inbox {
    tell: std::sync::mpsc::SyncSender<Done>,
    done: Receiver<Done>,
}

impl Inbox {
    fn new() -> Self {
        let (tell, done) = sync_channel(1000);
        Self { tell, done }
    }
    fn reply(&self) -> Reply {
        let tell = self.tell.clone();
        Box::new(move |done| tell.send(done).unwrap())
    }
    fn next(&self) -> Done {
        self.done.recv_timeout(Duration::from_secs(20)).expect("an answer")
    }
    fn heard(&self) -> (u32, Result<String, JobError>) {
        match self.next() {
            Done::Heard { turn, result, .. } => (turn.0, result.map(|t| t.text)),
            other => panic!("{other:?}"),
        }
    }
}

/// Holds each job until it is let go, so that a test knows what waits.
struct Gate {
    entered: Receiver<()>,
    go: std::sync::mpsc::SyncSender<()>,
}

struct Gated {
    entered: std::sync::mpsc::SyncSender<()>,
    go: Arc<Mutex<Receiver<()>>>,
}

impl Recognizer for Gated {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        self.entered.send(()).unwrap();
        lock(&self.go).recv().unwrap();
        ScriptedRecognizer.recognize(pcm, hint, role, abort)
    }
}

fn gated() -> (Engines, Gate) {
    let (entered_in, entered) = sync_channel(1000);
    let (go, go_out) = sync_channel(1000);
    let go_out = Arc::new(Mutex::new(go_out));
    let recognizer = Gated { entered: entered_in, go: go_out };
    let factory = move || {
        Ok(Box::new(Gated { entered: recognizer.entered.clone(), go: recognizer.go.clone() }) as Box<dyn Recognizer>)
    };
    let engines = Engines::start(EngineOptions { recognizer: Arc::new(factory), ..options() }).unwrap();
    (engines, Gate { entered, go })
}

impl Gate {
    /// Waits until the worker is busy with one job.
    fn busy(&self) {
        self.entered.recv_timeout(Duration::from_secs(20)).expect("a worker takes the job");
    }
    fn open(&self) {
        for _ in 0..200 {
            self.go.send(()).unwrap();
        }
    }
}

#[test]
fn finals_go_before_partials_and_each_by_deadline() {
    let (engines, gate) = gated();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), inbox.reply());
    gate.busy();
    for (turn, role, s) in [(1, Role::Partial, 1), (2, Role::Final, 9), (3, Role::Final, 3), (4, Role::Partial, 0)] {
        engines.recognize(hear(turn, role, t + Duration::from_secs(s)), inbox.reply());
    }
    gate.open();
    let order: Vec<u32> = (0..5).map(|_| inbox.heard().0).collect();
    assert_eq!(order, [0, 3, 2, 4, 1]);
}

#[test]
fn a_full_queue_sheds_partials_first_and_then_refuses_at_once() {
    let (engines, gate) = gated();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), inbox.reply());
    gate.busy();
    for turn in 1..=64 {
        let role = if turn <= 4 { Role::Partial } else { Role::Final };
        engines.recognize(hear(turn, role, t + Duration::from_secs(u64::from(turn))), inbox.reply());
    }
    engines.recognize(hear(100, Role::Partial, t), inbox.reply());
    assert_eq!(inbox.heard(), (100, Err(JobError::Full)), "a partial finds no room");
    for turn in 101..=104 {
        engines.recognize(hear(turn, Role::Final, t), inbox.reply());
    }
    let mut shed: Vec<_> = (0..4).map(|_| inbox.heard()).collect();
    shed.sort_by_key(|heard| heard.0);
    assert_eq!(shed, (1..=4).map(|turn| (turn, Err(JobError::Full))).collect::<Vec<_>>(), "partials made room");
    engines.recognize(hear(105, Role::Final, t), inbox.reply());
    assert_eq!(inbox.heard(), (105, Err(JobError::Full)), "nothing lesser is left");
    gate.open();
    assert!((0..65).map(|_| inbox.heard()).all(|(_, result)| result.is_ok()), "every accepted final is answered");
}

#[test]
fn late_and_unwanted_jobs_are_skipped() {
    let (engines, gate) = gated();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), inbox.reply());
    gate.busy();
    engines.recognize(hear(1, Role::Final, now() - Duration::from_secs(1)), inbox.reply());
    let unwanted = hear(2, Role::Final, t);
    let abort = unwanted.abort.clone();
    engines.recognize(unwanted, inbox.reply());
    abort.abort();
    gate.open();
    let mut heard: Vec<_> = (0..3).map(|_| inbox.heard()).collect();
    heard.sort_by_key(|heard| heard.0);
    assert_eq!(heard, [(0, Ok("turn 0".into())), (1, Err(JobError::Skipped)), (2, Err(JobError::Skipped))]);
}

/// Works on a partial until it is told to stop.
struct Dogged(std::sync::mpsc::SyncSender<()>);

impl Recognizer for Dogged {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        if role == Role::Partial {
            self.0.send(()).unwrap();
            while !abort.is_aborted() {
                std::thread::yield_now();
            }
            return Err(JobError::Skipped);
        }
        ScriptedRecognizer.recognize(pcm, hint, role, abort)
    }
}

#[test]
fn a_final_stops_another_calls_partial_that_runs() {
    let (begun, running) = sync_channel(1);
    let factory = move || Ok(Box::new(Dogged(begun.clone())) as Box<dyn Recognizer>);
    let engines = Engines::start(EngineOptions { recognizer: Arc::new(factory), ..options() }).unwrap();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.for_call().recognize(hear(1, Role::Partial, t), inbox.reply());
    running.recv_timeout(Duration::from_secs(20)).expect("the partial runs");
    engines.for_call().recognize(hear(2, Role::Final, t), inbox.reply());
    assert_eq!(inbox.heard(), (1, Err(JobError::Skipped)));
    assert_eq!(inbox.heard(), (2, Ok("turn 2".into())));
}

#[test]
fn a_turn_end_does_not_wait_for_a_recognition() {
    let (engines, gate) = gated();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), inbox.reply());
    gate.busy();
    for (turn, text, complete) in [(1, "my number is", true), (2, "my number is four,", false)] {
        let (pcm, abort) = (spoken(text).into(), AbortFlag::default());
        let job = TurnEndJob { turn: TurnId(turn), pcm, rate: Rate::Narrow, deadline: t, abort };
        engines.turn_end(job, inbox.reply());
        let Done::TurnEnd { turn: TurnId(of), result: Ok(probability), .. } = inbox.next() else {
            panic!("a turn end")
        };
        assert_eq!((of, probability > 0.5), (turn, complete), "{text}");
    }
    gate.open();
}

#[test]
fn a_newer_partial_of_a_call_outdates_the_older_but_not_another_calls() {
    let (engines, gate) = gated();
    let (one, other) = (engines.for_call(), engines.for_call());
    let (inbox, others) = (Inbox::new(), Inbox::new());
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), Inbox::new().reply_to_nobody());
    gate.busy();
    one.recognize(hear(7, Role::Partial, t), inbox.reply());
    other.recognize(hear(7, Role::Partial, t), others.reply());
    one.recognize(hear(7, Role::Partial, t), inbox.reply());
    assert_eq!(inbox.heard(), (7, Err(JobError::Skipped)));
    gate.open();
    assert_eq!(inbox.heard(), (7, Ok("turn 7".into())));
    assert_eq!(others.heard(), (7, Ok("turn 7".into())));
}

impl Inbox {
    fn reply_to_nobody(&self) -> Reply {
        Box::new(drop)
    }
}

struct Fragile {
    built: usize,
}

impl Recognizer for Fragile {
    fn recognize(&mut self, pcm: &[f32], hint: &Hint, role: Role, abort: &AbortFlag) -> Result<Transcript, JobError> {
        let heard = ScriptedRecognizer.recognize(pcm, hint, role, abort)?;
        assert!(heard.text != "turn 13", "unlucky");
        Ok(Transcript { text: format!("{} by {}", heard.text, self.built), ..heard })
    }
}

#[test]
fn a_panicking_model_fails_one_job_and_is_rebuilt() {
    let built = AtomicUsize::new(0);
    let factory = move || {
        let built = built.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Box::new(Fragile { built }) as Box<dyn Recognizer>)
    };
    let engines = Engines::start(EngineOptions { recognizer: Arc::new(factory), ..options() }).unwrap();
    let inbox = Inbox::new();
    let t = now() + LONG;
    for turn in [1, 13, 2] {
        engines.recognize(hear(turn, Role::Final, t + Duration::from_secs(u64::from(turn))), inbox.reply());
        let (got, result) = inbox.heard();
        assert_eq!(got, turn);
        match turn {
            13 => assert_eq!(result, Err(JobError::Failed("panicked: unlucky".into()))),
            1 => assert_eq!(result, Ok("turn 1 by 1".into())),
            _ => assert_eq!(result, Ok("turn 2 by 2".into()), "the same worker, a new model"),
        }
    }
}

#[test]
fn a_model_that_does_not_load_stops_the_start() {
    let failing = EngineOptions {
        recognizer: Arc::new(|| Err(super::EngineError::model("whisper", "broken"))),
        recognition_threads: 2,
        ..options()
    };
    assert!(Engines::start(failing).unwrap_err().to_string().contains("broken"));
    let panicking = EngineOptions { embedder: Arc::new(|| panic!("at load")), ..options() };
    assert!(matches!(Engines::start(panicking), Err(super::EngineError::Died("embedding"))));
}

#[test]
fn shutdown_answers_what_waits_and_what_comes_later() {
    let (engines, gate) = gated();
    let inbox = Inbox::new();
    let t = now() + LONG;
    engines.recognize(hear(0, Role::Final, t), inbox.reply());
    gate.busy();
    engines.recognize(hear(1, Role::Final, t), inbox.reply());
    std::thread::scope(|scope| {
        let stopping = scope.spawn(|| engines.shutdown());
        gate.open();
        stopping.join().unwrap();
    });
    engines.recognize(hear(2, Role::Final, t), inbox.reply());
    let mut answered: Vec<_> = (0..3).map(|_| inbox.heard().0).collect();
    answered.sort_unstable();
    assert_eq!(answered, [0, 1, 2]);
}

/// A scripted voice at another rate that counts its sentences, and is twice as slow where it soothes.
struct Counting(Arc<AtomicUsize>, Tone);

impl Synthesizer for Counting {
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let slower = if self.1 == Tone::Soothing { 2 } else { 1 };
        Ok(vec![1000; slower * 22_050 * text.len() / 100])
    }
    fn tone(&mut self, tone: Tone) {
        self.1 = tone;
    }
    fn sample_rate(&self) -> u32 {
        22_050
    }
}

fn say(text: &str, voice: &str, cacheable: bool) -> SynthesizeJob {
    let (keep, needed) = (if cacheable { Keep::Memory } else { Keep::Nowhere }, now() + LONG);
    let (text, voice) = (text.to_string(), voice.to_string());
    SynthesizeJob {
        say: SayId(1),
        sentence: 3,
        text,
        voice,
        tone: Tone::Even,
        rate: Rate::Narrow,
        tempo: 100,
        keep,
        needed,
        deadline: needed,
    }
}

#[test]
fn a_line_is_rendered_once_unless_it_must_not_be_kept() {
    let (count, loads) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (counted, loaded) = (count.clone(), loads.clone());
    let voice = move |name: &str| {
        if name == "nobody" {
            return Err(super::EngineError::Registry("no voice `nobody`".into()));
        }
        lock(&loaded).push(name.to_string());
        Ok(Box::new(Counting(counted.clone(), Tone::Even)) as Box<dyn Synthesizer>)
    };
    let engines =
        Engines::start(EngineOptions { voice: Arc::new(voice), default_voice: "a".into(), ..options() }).unwrap();
    let inbox = Inbox::new();
    let spoken = |job| {
        engines.synthesize(job, inbox.reply());
        match inbox.next() {
            Done::Spoken { say: SayId(1), sentence: 3, result, cached, .. } => (result.map(|pcm| pcm.len()), cached),
            other => panic!("{other:?}"),
        }
    };
    let hundred = "x".repeat(100);
    assert_eq!(spoken(say(&hundred, "a", true)), (Ok(8000), false), "one second at the rate asked for");
    assert_eq!(spoken(say(&hundred, "a", true)), (Ok(8000), true));
    assert_eq!(spoken(say(&hundred, "b", true)), (Ok(8000), false), "another voice is another prompt");
    let soothing = || SynthesizeJob { tone: Tone::Soothing, ..say(&hundred, "a", true) };
    assert_eq!(spoken(soothing()), (Ok(16_000), false), "another tone is another prompt");
    assert_eq!(spoken(soothing()), (Ok(16_000), true));
    let slow = || SynthesizeJob { tempo: 80, ..say(&hundred, "a", true) };
    assert_eq!(spoken(slow()), (Ok(8000), false), "another pace is another prompt");
    assert_eq!(spoken(slow()), (Ok(8000), true));
    assert_eq!(spoken(say(&hundred, "a", false)), (Ok(8000), false), "not even looked up, and even again");
    assert_eq!(spoken(say("my card is 4071", "a", false)), (Ok(1200), false));
    assert_eq!(spoken(say("my card is 4071", "a", true)), (Ok(1200), false), "a masked line was not kept");
    assert!(matches!(spoken(say("hi", "nobody", true)), (Err(JobError::Failed(why)), false) if why.contains("nobody")));
    assert_eq!(count.load(Ordering::Relaxed), 7);
    assert_eq!(*lock(&loads), ["a", "b"], "a voice stays loaded");
}

/// Tells which sentence is rendered, and waits to be let go.
struct Telling(std::sync::mpsc::SyncSender<String>, Arc<Mutex<Receiver<()>>>);

impl Synthesizer for Telling {
    fn synthesize(&mut self, text: &str) -> Result<Vec<i16>, JobError> {
        self.0.send(text.to_string()).unwrap();
        lock(&self.1).recv().unwrap();
        Ok(vec![0; 10])
    }
    fn sample_rate(&self) -> u32 {
        8_000
    }
}

#[test]
fn one_callers_long_line_does_not_hold_up_anothers_first_words() {
    let (tell, told) = sync_channel(10);
    let (go, wait) = sync_channel(10);
    let wait = Arc::new(Mutex::new(wait));
    let voice = move |_: &str| Ok(Box::new(Telling(tell.clone(), wait.clone())) as Box<dyn Synthesizer>);
    let engines = Engines::start(EngineOptions { voice: Arc::new(voice), ..options() }).unwrap();
    let inbox = Inbox::new();
    let base = now();
    let order = |text: &str, after_ms: u64| {
        let needed = base + Duration::from_millis(after_ms);
        engines.synthesize(SynthesizeJob { needed, ..say(text, "a", false) }, inbox.reply());
    };
    order("long one", 0);
    assert_eq!(told.recv_timeout(Duration::from_secs(20)).unwrap(), "long one");
    order("long two", 6_000);
    order("long three", 12_000);
    order("another call", 50);
    (0..4).for_each(|_| go.send(()).unwrap());
    let rest: Vec<String> = (0..3).map(|_| told.recv_timeout(Duration::from_secs(20)).unwrap()).collect();
    assert_eq!(rest, ["another call", "long two", "long three"]);
}

#[test]
fn only_a_plans_own_lines_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let start = || {
        let counted = count.clone();
        let voice = move |_: &str| Ok(Box::new(Counting(counted.clone(), Tone::Even)) as Box<dyn Synthesizer>);
        let prompts = PromptLimits { memory_bytes: 1 << 20, disk: Some((folder.path().to_path_buf(), 1 << 20)) };
        Engines::start(EngineOptions { voice: Arc::new(voice), prompts, ..options() }).unwrap()
    };
    let speak = |engines: &Engines, text: &str, keep: Keep| {
        let inbox = Inbox::new();
        engines.synthesize(SynthesizeJob { keep, ..say(text, "a", true) }, inbox.reply());
        matches!(inbox.next(), Done::Spoken { cached: true, .. })
    };
    let engines = start();
    speak(&engines, "welcome to the bank", Keep::Memory);
    assert!(speak(&engines, "welcome to the bank", Keep::Disk), "in memory already, and now on disk");
    speak(&engines, "you have 40 dollars", Keep::Memory);
    speak(&engines, "your card is 4071", Keep::Nowhere);
    engines.shutdown();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let again = start();
    assert!(speak(&again, "welcome to the bank", Keep::Memory), "read back");
    assert!(!speak(&again, "you have 40 dollars", Keep::Memory));
    assert_eq!(count.load(Ordering::Relaxed), 4);
}

#[test]
fn embeddings_come_one_by_one_and_in_bulk() {
    let engines = Engines::scripted().unwrap();
    let inbox = Inbox::new();
    let job = EmbedJob { turn: TurnId(4), text: "block my card".into(), deadline: now() + LONG };
    engines.embed(job, inbox.reply());
    let Done::Embedded { turn: TurnId(4), result: Ok(vector), .. } = inbox.next() else { panic!("an embedding") };
    let all =
        engines.embed_all(vec!["please block my card".into(), "opening hours".into(), "block my card".into()]).unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    assert!((near(&vector, &all[2]) - 1.0).abs() < 1e-5);
    assert!(near(&vector, &all[0]) > near(&vector, &all[1]) + 0.3);
}

#[test]
fn scripted_engines_hear_what_they_said() {
    let engines = Engines::scripted().unwrap();
    let inbox = Inbox::new();
    let line = "what is my balance? it was $ 40, i think";
    engines.synthesize(say(line, "scripted", true), inbox.reply());
    let Done::Spoken { result: Ok(pcm), .. } = inbox.next() else { panic!("sound") };
    let padded: Arc<[i16]> = [vec![0; 777], pcm.to_vec(), vec![0; 500]].concat().into();
    engines.recognize(RecognizeJob { pcm: padded, ..hear(1, Role::Final, now() + LONG) }, inbox.reply());
    assert_eq!(inbox.heard().1.unwrap(), line.replace('$', " "));
    let noise: Arc<[i16]> = (0..8000).map(|i: i32| (i * 7919 % 3001 - 1500) as i16).collect();
    engines.recognize(RecognizeJob { pcm: noise, ..hear(2, Role::Final, now() + LONG) }, inbox.reply());
    assert_eq!(inbox.heard().1.unwrap(), "");
}

#[test]
fn a_plans_texts_are_embedded_once_over_restarts() {
    static EMBEDDED: AtomicUsize = AtomicUsize::new(0);
    struct Counting;
    impl Embedder for Counting {
        fn embed(&mut self, text: &str) -> Result<Vec<f32>, JobError> {
            EMBEDDED.fetch_add(1, Ordering::SeqCst);
            Ok(vec![text.len() as f32, 1.0])
        }
        fn dimensions(&self) -> usize {
            2
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let texts = || ["block my card", "what is my balance", "block my card"].map(str::to_string).to_vec();
    let run = || {
        let embeddings =
            super::embeddings::EmbeddingStore { folder: Some(folder.path().to_owned()), model: "m".to_string() };
        let embedder: Factory<dyn Embedder> = Arc::new(|| Ok(Box::new(Counting)));
        Engines::start(EngineOptions { embedder, embeddings, ..options() }).unwrap().embed_all(texts()).unwrap()
    };
    let first = run();
    assert_eq!(first[0], [13.0, 1.0]);
    assert_eq!(EMBEDDED.load(Ordering::SeqCst), 2);
    assert_eq!(run(), first);
    assert_eq!(EMBEDDED.load(Ordering::SeqCst), 2);
}
