//! The recorded callers are what `fixtures/callers.json` says they are, and the recogniser understands them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::audio::{file, resample};
use crate::call::ports::{AbortFlag, Hint, Recognizer, Role};
use crate::engine::models::Registry;
use crate::engine::whisper::WhisperModel;
use crate::nlu::word_errors::word_errors;

#[derive(serde::Deserialize)]
struct Caller {
    file: String,
    text: String,
    sample_rate: u32,
    samples: usize,
    first_speech: usize,
    last_speech: usize,
    sha256: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn callers() -> Vec<(Caller, Vec<u8>)> {
    let list = std::fs::read_to_string(folder().join("callers.json")).unwrap();
    let callers: Vec<Caller> = serde_json::from_str(&list).unwrap();
    assert!(callers.len() >= 12);
    callers
        .into_iter()
        .map(|caller| {
            let bytes = std::fs::read(folder().join("callers").join(&caller.file)).unwrap();
            (caller, bytes)
        })
        .collect()
}

#[test]
fn every_caller_is_silent_but_for_the_speech_that_is_listed() {
    let mut total = 0;
    for (caller, bytes) in callers() {
        total += bytes.len();
        assert_eq!(hex::encode(Sha256::digest(&bytes)), caller.sha256, "{}", caller.file);
        let sound = file::decode_native(&bytes, 30).unwrap();
        assert_eq!((sound.rate_hz, sound.samples.len()), (caller.sample_rate, caller.samples), "{}", caller.file);
        // Milliseconds of silence, as `sidetone say` leaves them.
        let per_ms = caller.sample_rate as usize / 1000;
        assert_eq!((caller.first_speech, caller.samples - 1 - caller.last_speech), (300 * per_ms, 200 * per_ms));
        let (before, rest) = sound.samples.split_at(caller.first_speech);
        let (speech, after) = rest.split_at(caller.last_speech + 1 - caller.first_speech);
        assert!(before.iter().chain(after).all(|&s| s == 0), "{}: sound outside the speech", caller.file);
        let loud = |part: &[i16]| part.iter().any(|s| s.unsigned_abs() > 20);
        let edge = 10 * per_ms;
        assert!(loud(&speech[..edge]) && loud(&speech[speech.len() - edge..]), "{}: not trimmed", caller.file);
    }
    assert!(total < 3_000_000, "{total} bytes");
}

/// Lower-case words; a number is its digits, one word each, and "I'm" and "where's" are what they stand for.
fn words(text: &str) -> Vec<String> {
    const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let plain: String = text
        .to_lowercase()
        .chars()
        .flat_map(|c| match c.to_digit(10) {
            Some(digit) => format!(" {} ", DIGITS[digit as usize]).chars().collect::<Vec<_>>(),
            None if c.is_alphabetic() || c == '\'' => vec![c],
            None => vec![' '],
        })
        .collect();
    plain.replace("i'm", "i am").replace("'s", " is").split_whitespace().map(str::to_string).collect()
}

#[test]
fn the_recogniser_understands_every_caller() {
    let model = match Registry::builtin().path("whisper-tiny.en", "model.bin") {
        Ok(path) => path,
        Err(error) => return println!("skipped: {error}"),
    };
    let mut whisper = WhisperModel::load(&model).unwrap().recognizer().unwrap();
    let mut wrong = Vec::new();
    for (caller, bytes) in callers().into_iter().filter(|(caller, _)| !caller.text.is_empty()) {
        let sound = file::decode_native(&bytes, 30).unwrap();
        let pcm = resample(&sound.samples, sound.rate_hz, 16_000).unwrap();
        let pcm: Vec<f32> = pcm.into_iter().map(|s| f32::from(s) / 32_768.0).collect();
        let heard = whisper.recognize(&pcm, &Hint::Open, Role::Final, &AbortFlag::default()).unwrap().text;
        println!("{}: {:?} ({:?})", caller.file, heard, caller.text);
        // A short line must be right; a long one may have one word in eight wrong ("happens" for "happened").
        let said = words(&caller.text);
        if word_errors(&said, &words(&heard)) > said.len() / 8 {
            wrong.push(format!("{}: said {:?}, heard {heard:?}", caller.file, caller.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
