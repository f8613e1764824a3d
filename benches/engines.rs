//! What the models cost, each on one thread: Whisper, Moonshine and Piper per second of speech, a VAD window, the end of a
//! turn, an embedding; and how many threads recognise best.
//!
//! `cargo bench --bench engines`. Needs the fetched models; without them it says so and measures nothing.

#![expect(missing_docs, reason = "criterion's macro writes an undocumented function")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use sidetone::audio::{Rate, resample};
use sidetone::call::ports::{
    AbortFlag, Done, Embedder as _, Hint, Keep, RecognizeJob, Recognizer as _, Role, SayId, SynthesizeJob,
    Synthesizer as _, Tone, TurnDetector as _, TurnId, VoiceDetector as _,
};
use sidetone::engine::minilm::MiniLm;
use sidetone::engine::models::Registry;
use sidetone::engine::moonshine::Moonshine;
use sidetone::engine::onnx;
use sidetone::engine::piper::{Manner, Piper};
use sidetone::engine::silero::Silero;
use sidetone::engine::smart_turn::SmartTurn;
use sidetone::engine::whisper::WhisperModel;
use sidetone::engine::{EngineConfig, Engines};

const LINES: [&str; 3] = [
    "Block my card.",
    "Somebody stole my wallet and I need to block my card.",
    "This is the third time that I am calling about my order, it was promised for last Monday, and nobody can tell me where it is.",
];

/// Runs `work` and divides its time by the seconds of speech that it says it went through.
fn per_second(rounds: u64, mut work: impl FnMut() -> f64) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let started = Instant::now();
    let seconds: f64 = (0..rounds).map(|_| work()).sum();
    started.elapsed().div_f64(seconds / rounds as f64)
}

fn engines(c: &mut Criterion) {
    let registry = Registry::builtin();
    let file = |model: &str, name: &str| -> PathBuf {
        registry.path(model, name).unwrap_or_else(|error| {
            println!("nothing is measured: {error}");
            std::process::exit(0)
        })
    };
    onnx::load(&file("onnxruntime", "libonnxruntime.so")).expect("ONNX Runtime loads");
    let (voice, description) = (file("en_US-joe-medium", "model.onnx"), file("en_US-joe-medium", "model.onnx.json"));
    let mut piper = Piper::load(&voice, &description, Manner { length: 1.0, noise: 0.667 }).expect("the voice loads");
    let whisper = WhisperModel::load(&file("whisper-tiny.en", "model.bin")).expect("Whisper loads");
    let mut ear = whisper.recognizer().expect("a state");
    let parts = ["encoder.ort", "decoder.ort", "tokenizer.bin"].map(|part| file("moonshine-tiny-en", part));
    let mut quick = Moonshine::load(&parts[0], &parts[1], &parts[2]).expect("Moonshine loads");
    let mut turn = SmartTurn::load(&file("smart-turn", "model.onnx")).expect("Smart Turn loads");
    let mut silero = Silero::load(&file("silero-vad", "model.onnx")).expect("Silero loads");
    let mut minilm =
        MiniLm::load(&file("minilm-l6", "model.onnx"), &file("minilm-l6", "tokenizer.json")).expect("MiniLM loads");

    let hz = piper.sample_rate();
    let mut group = c.benchmark_group("per second of speech");
    group.sample_size(10);
    for line in LINES {
        let name = format!("{} letters", line.len());
        group.bench_function(format!("piper, {name}"), |b| {
            b.iter_custom(|n| {
                per_second(n, || piper.synthesize(line).expect("a sentence").len() as f64 / f64::from(hz))
            });
        });
        let pcm = resample(&piper.synthesize(line).expect("a sentence"), hz, 16_000).expect("known rates");
        let pcm: Vec<f32> = pcm.iter().map(|&s| f32::from(s) / 32768.0).collect();
        let seconds = pcm.len() as f64 / 16_000.0;
        group.bench_function(format!("whisper, {seconds:.1} s"), |b| {
            b.iter_custom(|n| {
                per_second(n, || {
                    let heard = ear.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default());
                    black_box(heard).expect("words");
                    seconds
                })
            });
        });
        group.bench_function(format!("moonshine, {seconds:.1} s"), |b| {
            b.iter_custom(|n| {
                per_second(n, || {
                    let heard = quick.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default());
                    black_box(heard).expect("words");
                    seconds
                })
            });
        });
    }
    group.finish();
    let pause = vec![0.01; 8 * 16_000];
    c.bench_function("end of a turn", |b| b.iter(|| turn.turn_end(&pause).expect("a probability")));

    for rate in [Rate::Narrow, Rate::Wide] {
        let mut state = silero.start(rate);
        let window: Vec<i16> = (0..silero.window(rate)).map(|i| (i as i16 % 97) * 50).collect();
        c.bench_function(&format!("voice detection, 32 ms at {} Hz", rate.hz()), |b| {
            b.iter(|| silero.probability(&mut state, rate, &window).expect("a probability"));
        });
    }
    c.bench_function("embedding of a sentence", |b| b.iter(|| minilm.embed(LINES[1]).expect("a vector")));
}

/// Eight callers who stop speaking at the same moment, by the number of recognition threads; and what all models
/// together take of memory.
fn pool(c: &mut Criterion) {
    let mut group = c.benchmark_group("eight utterances of 3 s at once");
    group.sample_size(10);
    for recognition_threads in [1, 2, 4] {
        let config = EngineConfig { recognition_threads, ..EngineConfig::default() };
        let engines = match Engines::real(&Registry::builtin(), &config) {
            Ok(engines) => engines,
            Err(error) => return println!("nothing is measured: {error}"),
        };
        let pcm = utterance(&engines, &config.voice);
        group.bench_function(format!("{recognition_threads} threads"), |b| b.iter(|| eight(&engines, &pcm)));
        println!("resident with all models, {recognition_threads} recognition threads: {}", resident());
        engines.shutdown();
    }
}

fn utterance(engines: &Engines, voice: &str) -> Arc<[i16]> {
    let (tell, done) = sync_channel(1);
    let job = SynthesizeJob {
        say: SayId(0),
        sentence: 0,
        text: LINES[1].to_string(),
        voice: voice.to_string(),
        tone: Tone::Even,
        rate: Rate::Narrow,
        tempo: 100,
        keep: Keep::Nowhere,
        needed: soon(),
        deadline: soon(),
    };
    engines.synthesize(job, Box::new(move |done| tell.send(done).expect("somebody waits")));
    match done.recv() {
        Ok(Done::Spoken { result: Ok(pcm), .. }) => pcm,
        other => panic!("no sentence: {other:?}"),
    }
}

fn eight(engines: &Engines, pcm: &Arc<[i16]>) {
    let (tell, done) = sync_channel(8);
    for turn in 0..8 {
        let job = RecognizeJob {
            turn: TurnId(turn),
            role: Role::Final,
            pcm: pcm.clone(),
            rate: Rate::Narrow,
            hint: Hint::Open,
            deadline: soon(),
            abort: AbortFlag::default(),
        };
        let tell = tell.clone();
        engines.recognize(job, Box::new(move |done| tell.send(done).expect("somebody waits")));
    }
    for _ in 0..8 {
        let heard = done.recv().expect("an answer");
        assert!(matches!(heard, Done::Heard { result: Ok(_), .. }), "{heard:?}");
    }
}

fn soon() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    let now = Instant::now();
    now + Duration::from_secs(120)
}

/// Of this process, as the system says it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown").trim().to_string()
}

criterion_group!(benches, pool, engines);
criterion_main!(benches);
