//! What the real models do with real sound. Each test needs the fetched models, and is skipped with a line without them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::minilm::MiniLm;
use super::models::Registry;
use super::piper::{Manner, Piper};
use super::silero::Silero;
use super::whisper::{Whisper, WhisperModel};
use super::{EngineConfig, Engines, now, onnx};
use crate::audio::{Rate, resample};
use crate::call::ports::{
    AbortFlag, Done, Embedder, Hint, JobError, Keep, RecognizeJob, Recognizer, Role, SayId, SynthesizeJob, Synthesizer,
    Tone, TurnId, VoiceDetector,
};
use crate::nlu::word_errors::word_errors;

fn model(name: &str, file: &str) -> Option<PathBuf> {
    let found = Registry::builtin().path(name, file);
    found.inspect_err(|error| println!("skipped: {error}")).ok()
}

fn onnx_ready() -> Option<()> {
    onnx::load(&model("onnxruntime", "libonnxruntime.so")?).expect("the fetched library loads");
    Some(())
}

fn joe() -> Option<Piper> {
    onnx_ready()?;
    let (voice, description) =
        (model("en_US-joe-medium", "model.onnx")?, model("en_US-joe-medium", "model.onnx.json")?);
    // Without variation, so that a test hears the same each time.
    Some(Piper::load(&voice, &description, Manner { length: 1.0, noise: 0.0 }).expect("the fetched voice loads"))
}

fn whisper() -> Option<Whisper> {
    static MODEL: OnceLock<Option<WhisperModel>> = OnceLock::new();
    let weights = MODEL.get_or_init(|| {
        Some(WhisperModel::load(&model("whisper-tiny.en", "model.bin")?).expect("the fetched model loads"))
    });
    Some(weights.as_ref()?.recognizer().expect("a state"))
}

/// A sentence as a telephone carries it: 8 kHz.
fn over_the_telephone(voice: &mut Piper, text: &str) -> Vec<i16> {
    let pcm = voice.synthesize(text).expect("a sentence");
    resample(&pcm, voice.sample_rate(), 8_000).expect("rates that are known")
}

fn for_whisper(pcm: &[i16], hz: u32) -> Vec<f32> {
    resample(pcm, hz, 16_000).unwrap().into_iter().map(|s| f32::from(s) / 32768.0).collect()
}

fn words(text: &str) -> Vec<String> {
    let plain: String =
        text.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' }).collect();
    plain.split_whitespace().map(str::to_string).collect()
}

const LINES: &[&str] = &[
    "I would like to know the balance of my account.",
    "Somebody stole my wallet and I need to block my card.",
    "Can you tell me when my order will arrive?",
    "This is the third time that I am calling about this.",
    "Please let me talk to a real person now.",
];

#[test]
fn whisper_understands_piper_over_the_telephone() {
    let (Some(mut ear), Some(mut voice)) = (whisper(), joe()) else { return };
    let (mut said_words, mut errors) = (0, 0);
    for line in LINES {
        let pcm = for_whisper(&over_the_telephone(&mut voice, line), 8_000);
        let heard = ear.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
        println!("{line:60} {:60} {:.2}", heard.text, heard.confidence);
        assert!(heard.confidence > 0.5 && heard.confidence <= 1.0, "{heard:?}");
        let said = words(line);
        errors += word_errors(&said, &words(&heard.text));
        said_words += said.len();
    }
    assert!(errors * 10 <= said_words, "{errors} word errors in {said_words}");
}

#[test]
fn whisper_hears_digits_with_the_hint() {
    let (Some(mut ear), Some(mut voice)) = (whisper(), joe()) else { return };
    let (mut right, mut all) = (0, 0);
    for (spoken, digits) in [
        ("four, zero, seven, one, nine, two, eight, three.", "40719283"),
        ("five, five, two, zero, eight, one.", "552081"),
        ("nine, three, three, six, four, seven.", "933647"),
    ] {
        let pcm = for_whisper(&over_the_telephone(&mut voice, spoken), 8_000);
        let heard =
            ear.recognize(&pcm, &Hint::Digits { least: 6, most: 8 }, Role::Final, &AbortFlag::default()).unwrap();
        let got: String = heard.text.chars().filter(char::is_ascii_digit).collect();
        println!("{digits} {:40} {:.2}", heard.text, heard.confidence);
        right += usize::from(got == digits);
        all += 1;
    }
    assert!(right >= all - 1, "{right} of {all}");
}

#[test]
fn whisper_hears_nothing_in_silence_and_noise() {
    let Some(mut ear) = whisper() else { return };
    for level in [0.0f32, 0.003, 0.03] {
        let mut seed = 1u32;
        let noise: Vec<f32> = (0..32_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                level * (seed as f32 / u32::MAX as f32 * 2.0 - 1.0)
            })
            .collect();
        let heard = ear.recognize(&noise, &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
        println!("level {level}: {heard:?}");
        assert_eq!(heard.text, "");
    }
    let click = ear.recognize(&[0.1; 100], &Hint::YesNo, Role::Partial, &AbortFlag::default());
    assert!(click.is_ok(), "{click:?}");
}

#[test]
fn an_aborted_recognition_stops_and_the_next_one_works() {
    let (Some(mut ear), Some(mut voice)) = (whisper(), joe()) else { return };
    let pcm = for_whisper(&over_the_telephone(&mut voice, LINES[0]), 8_000);
    let unwanted = AbortFlag::default();
    unwanted.abort();
    assert_eq!(ear.recognize(&pcm, &Hint::Open, Role::Final, &unwanted), Err(JobError::Skipped));
    let heard = ear.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
    assert!(heard.text.contains("balance"), "{heard:?}");
}

#[test]
fn silero_tells_speech_from_silence_and_noise_at_both_rates() {
    let (Some(()), Some(path), Some(mut voice)) = (onnx_ready(), model("silero-vad", "model.onnx"), joe()) else {
        return;
    };
    let mut silero = Silero::load(&path).unwrap();
    let speech = voice.synthesize(LINES[1]).unwrap();
    for rate in [Rate::Narrow, Rate::Wide] {
        let speech = resample(&speech, voice.sample_rate(), rate.hz()).unwrap();
        let mut seed = 7u32;
        let noise: Vec<i16> = (0..speech.len())
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((seed >> 16) as i16) / 40
            })
            .collect();
        let silence = vec![0; speech.len()];
        let mut share = |pcm: &[i16]| {
            let mut state = silero.start(rate);
            let window = silero.window(rate);
            let all: Vec<f32> =
                pcm.chunks_exact(window).map(|w| silero.probability(&mut state, rate, w).unwrap()).collect();
            all.iter().filter(|p| **p > 0.5).count() as f32 / all.len() as f32
        };
        let shares = (share(&speech), share(&silence), share(&noise));
        println!("{} Hz: share of windows called speech: speech, silence, noise {shares:.2?}", rate.hz());
        assert!(shares.0 > 0.7 && shares.1 == 0.0 && shares.2 < 0.05, "{shares:?}");
    }
    let mut state = silero.start(Rate::Narrow);
    assert!(silero.probability(&mut state, Rate::Narrow, &[0; 100]).is_err(), "a window of another size");
}

#[test]
fn paraphrases_lie_nearer_than_other_matters() {
    let (Some(()), Some(path), Some(pieces)) =
        (onnx_ready(), model("minilm-l6", "model.onnx"), model("minilm-l6", "tokenizer.json"))
    else {
        return;
    };
    let mut minilm = MiniLm::load(&path, &pieces).unwrap();
    let mut near = |a: &str, b: &str| {
        let (a, b) = (minilm.embed(a).unwrap(), minilm.embed(b).unwrap());
        assert_eq!(a.len(), 384);
        assert!((a.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3, "of length 1");
        a.iter().zip(&b).map(|(x, y)| x * y).sum::<f32>()
    };
    for (one, alike, other) in [
        ("what's my balance", "how much money do I have in my account", "I want to cancel my order"),
        ("I lost my card", "somebody stole my bank card", "when are you open"),
        ("let me talk to a person", "I want to speak with a human agent", "where is my parcel"),
    ] {
        let (to_alike, to_other) = (near(one, alike), near(one, other));
        println!("{one}: {to_alike:.2} {to_other:.2}");
        assert!(to_alike > to_other + 0.2, "{one}: {to_alike} {to_other}");
    }
    assert!(near(&"a very long story ".repeat(500), "a very long story") > 0.3, "cut, not refused");
    assert!(near("", "").is_finite());
}

/// Sentences of neither file of `nlu::complaint`: complaints, and requests and troubles told calmly.
const COMPLAINTS: &[&str] = &[
    "this is the fourth time that I am ringing about the same bill",
    "I have never been treated so badly by a shop",
    "you are all useless, nobody can tell me anything",
    "for two months you have done nothing about it",
    "why do I have to explain everything from the beginning again",
    "I am fed up with your excuses",
    "your colleague hung up on me, that is unheard of",
    "I pay every month and get nothing for it",
    "can you for once give me a proper answer",
    "that is really bad service, I have to say",
    "I'm so annoyed with all of you",
    "I will tell everybody to stay away from you",
    "you always say that and then nothing comes of it",
    "I have been passed from one department to the next all morning",
    "honestly, I'm thoroughly dissatisfied",
];
const REQUESTS: &[&str] = &[
    "I would like to bring my bicycle in for a repair",
    "the heating in my room is not working",
    "my luggage did not arrive with my flight",
    "could you tell me the price of a day ticket",
    "I need a new appointment with the dentist",
    "the website says that my code is wrong",
    "I have broken my glasses and need new ones",
    "is the museum open on Mondays",
    "my neighbour is very loud at night",
    "there is no hot water in the building",
    "I would like to extend my library books",
    "my meter reading is four five six seven",
    "do you have vegetarian dishes",
    "I missed the train and want to change my ticket",
    "the screen of my phone is cracked",
    "how do I get to your office by bus",
    "please send me the form by mail",
    "I am moving house next month",
    "may I pay in two instalments",
    "the engine light of my car is on",
    "my son is ill and cannot come to school",
    "what documents do I need for that",
    "I'd like to know when my parcel comes",
    "please turn on voicemail for my line",
];
const CHINESE_COMPLAINTS: &[&str] = &[
    "你们的服务太糟糕了",
    "这已经是我第四次打电话了",
    "为什么每次都要我从头讲起",
    "你们到底会不会办事",
    "我对你们非常不满意",
    "你们说话不算数",
];
const CHINESE_REQUESTS: &[&str] = &[
    "我想预约看牙",
    "房间里没有热水",
    "我的行李没有到",
    "一张票多少钱",
    "我要改火车票",
    "手机屏幕碎了",
    "博物馆星期一开门吗",
    "请把表格寄给我",
];

#[test]
fn complaints_are_told_from_requests_in_other_words() {
    use super::e5::E5;
    use crate::nlu::{background, complaint};

    if onnx_ready().is_none() {
        return;
    }
    let minilm = model("minilm-l6", "model.onnx").zip(model("minilm-l6", "tokenizer.json"));
    let english = minilm.map(|(path, pieces)| Box::new(MiniLm::load(&path, &pieces).unwrap()) as Box<dyn Embedder>);
    let chinese = model("e5-small", "model.bin").map(|path| Box::new(E5::load(&path).unwrap()) as Box<dyn Embedder>);
    for (tag, embedder, complaints, requests, least) in
        [("en-US", english, COMPLAINTS, REQUESTS, 0.6), ("zh-CN", chinese, CHINESE_COMPLAINTS, CHINESE_REQUESTS, 0.5)]
    {
        let Some(mut embedder) = embedder else { continue };
        let mut embed = |text: &str| embedder.embed(text).unwrap();
        let known: Vec<Vec<f32>> = complaint::sentences(tag).map(&mut embed).collect();
        let unrelated: Vec<Vec<f32>> = background::sentences_of(tag).map(&mut embed).collect();
        let kinds = complaint::Complaints::new(tag, &known, &unrelated);
        let mut found = |texts: &[&'static str]| -> Vec<&'static str> {
            texts.iter().filter(|text| kinds.judge(&embed(text)).complaint).copied().collect()
        };
        let (right, wrong) = (found(complaints), found(requests));
        println!("{tag}: {} of {} complaints, {wrong:?} of {} requests", right.len(), complaints.len(), requests.len());
        assert!(right.len() as f32 >= least * complaints.len() as f32, "{tag}: {right:?}");
        assert!(wrong.len() * 8 <= requests.len(), "{tag}: {wrong:?}");
    }
}

#[test]
fn piper_speaks_slower_and_softer_to_the_upset() {
    let Some(mut voice) = joe() else { return };
    let mut heard = |tone: Tone| {
        voice.tone(tone);
        let pcm = voice.synthesize(LINES[1]).unwrap();
        let power = pcm.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / pcm.len() as f64;
        (pcm.len() as f64 / 22_050.0, 10.0 * power.log10())
    };
    let [even, gentle, soothing] = [Tone::Even, Tone::Gentle, Tone::Soothing].map(&mut heard);
    println!("s and dB: even {even:?}, gentle {gentle:?}, soothing {soothing:?}");
    assert!(even.0 * 1.02 < gentle.0 && gentle.0 * 1.02 < soothing.0, "slower");
    assert!(even.1 - 0.5 > gentle.1 && gentle.1 - 0.5 > soothing.1, "softer");
    assert_eq!(heard(Tone::Even), even, "and back");
}

#[test]
fn piper_pauses_at_a_comma_and_lifts_a_question() {
    let Some(mut voice) = joe() else { return };
    let mut length = |text: &str| voice.synthesize(text).unwrap().len() as f32 / 22_050.0;
    let (plain, paused) = (length("No thank you I am fine."), length("No, thank you, I am fine."));
    println!("without commas {plain:.2} s, with {paused:.2} s");
    assert!(paused > plain + 0.1, "{plain} {paused}");
    assert_eq!(length("..."), 0.0, "no words, no sound");
    let mut at = |tempo| voice.synthesize_at("No thank you I am fine.", tempo).unwrap().len() as f32 / 22_050.0;
    let (slow, fast) = (at(60), at(150));
    println!("at 60 % {slow:.2} s, at 150 % {fast:.2} s");
    assert!(slow > plain * 1.3 && fast < plain * 0.85, "{slow} {plain} {fast}");
    assert_ne!(voice.synthesize("You are ready?").unwrap(), voice.synthesize("You are ready.").unwrap());
}

#[test]
fn all_engines_at_once() {
    let config = EngineConfig { recognition_threads: 2, ..EngineConfig::default() };
    let engines = match Engines::real(&Registry::builtin(), &config) {
        Ok(engines) => engines,
        Err(error) => return println!("skipped: {error}"),
    };
    let (tell, done) = std::sync::mpsc::sync_channel(10);
    let deadline = now() + Duration::from_secs(60);
    let job = SynthesizeJob {
        say: SayId(0),
        sentence: 0,
        text: LINES[0].to_string(),
        voice: config.voice.clone(),
        tone: Tone::Even,
        rate: Rate::Narrow,
        tempo: 100,
        keep: Keep::Memory,
        needed: deadline,
        deadline,
    };
    let spoken = tell.clone();
    engines.synthesize(job, Box::new(move |done| spoken.send(done).unwrap()));
    let Ok(Done::Spoken { result: Ok(pcm), .. }) = done.recv_timeout(Duration::from_secs(60)) else {
        panic!("a sentence")
    };

    let windows = Arc::new(Mutex::new(Vec::new()));
    let seen = windows.clone();
    let (finished, over) = std::sync::mpsc::sync_channel::<()>(1);
    let mut stream = engines.voice_stream(
        Rate::Narrow,
        Box::new(move |_, p| {
            let _ = &finished;
            seen.lock().unwrap().push(p);
        }),
    );
    pcm.chunks(160).for_each(|frame| stream.push(frame));
    drop(stream);
    // The sink, and with it the sender, is freed with the stream.
    assert!(over.recv().is_err());
    assert!(windows.lock().unwrap().iter().filter(|p| **p > 0.5).count() > 20);

    let job = RecognizeJob {
        turn: TurnId(0),
        role: Role::Final,
        pcm,
        rate: Rate::Narrow,
        hint: Hint::Open,
        deadline,
        abort: AbortFlag::default(),
    };
    engines.recognize(job, Box::new(move |done| tell.send(done).unwrap()));
    let Ok(Done::Heard { result: Ok(heard), took, .. }) = done.recv_timeout(Duration::from_secs(60)) else {
        panic!("words")
    };
    println!("heard {:?} after {took:?}", heard.text);
    assert!(heard.text.contains("balance"));
    engines.shutdown();
}

const CHINESE_LINES: &[&str] = &[
    "您好，请问有什么可以帮您？",
    "我想查一下我的账户余额。",
    "我的银行卡丢了，请帮我挂失。",
    "我要转账两百块到我的储蓄账户。",
    "请帮我转人工客服。",
];

#[test]
fn whisper_understands_the_chinese_voice_over_the_telephone() {
    use super::voices;
    use super::whisper::Tongue;

    let Some(weights) = model("whisper-base", "model.bin") else { return };
    if onnx_ready().is_none() || model("zh_CN-zf_xiaoyi", "kokoro.onnx").is_none() {
        return;
    }
    let manner = Manner { length: 1.0, noise: 0.0 };
    let mut voice = voices::load(&Registry::builtin(), "zh_CN-zf_xiaoyi", manner).expect("the fetched voice loads");
    let mut ear =
        WhisperModel::load(&weights).expect("the fetched model loads").recognizer_of(Tongue::Chinese).unwrap();
    let signs = |text: &str| -> Vec<String> {
        let read = text.replace("200", "两百").replace("二百", "两百");
        read.chars().filter(|c| c.is_alphanumeric()).map(String::from).collect()
    };
    let (mut said_signs, mut errors) = (0, 0);
    for line in CHINESE_LINES {
        let started = now();
        let pcm = voice.synthesize(line).expect("a sentence");
        let rendered = started.elapsed().as_secs_f32();
        let seconds = pcm.len() as f32 / voice.sample_rate() as f32;
        let pcm = for_whisper(&resample(&pcm, voice.sample_rate(), 8_000).unwrap(), 8_000);
        let started = now();
        let heard = ear.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default()).unwrap();
        let took = started.elapsed().as_secs_f32();
        println!("{seconds:.1} s, said {:.2}, heard {:.2}: {line} {}", rendered / seconds, took / seconds, heard.text);
        assert!(heard.confidence > 0.3 && heard.confidence <= 1.0, "{heard:?}");
        let said = signs(line);
        errors += word_errors(&said, &signs(&heard.text));
        said_signs += said.len();
    }
    println!("{errors} errors in {said_signs} signs");
    assert!(errors * 5 <= said_signs, "{errors} errors in {said_signs} signs");
    assert_eq!(ear.recognize(&[0.0; 16_000], &Hint::Open, Role::Final, &AbortFlag::default()).unwrap().text, "");
}
