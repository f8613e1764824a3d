//! What the real models make of real voices over the telephone: pauses inside and after spoken orders, and words.
//! Each test needs the fetched models and `../shared/data`, and is skipped with a line without them.

use std::path::{Path, PathBuf};

use super::models::Registry;
use super::moonshine::Moonshine;
use super::onnx;
use super::silero::Silero;
use super::smart_turn::SmartTurn;
use crate::audio::{Rate, file, g711, resample};
use crate::call::ports::{AbortFlag, Hint, JobError, Recognizer, Role, TurnDetector, VoiceDetector};

/// Silence after which the question is asked, ms.
const ASKED_AFTER_MS: usize = 200;
/// Orders that are tried: enough to tell a detector from a coin in a few seconds.
const ORDERS: usize = 30;

fn model(name: &str, file: &str) -> Option<PathBuf> {
    let registry = Registry::builtin();
    let ready = registry.path("onnxruntime", "libonnxruntime.so").map(|library| onnx::load(&library));
    ready.and_then(|_| registry.path(name, file)).inspect_err(|error| println!("skipped: {error}")).ok()
}

/// Orders as a telephone carries them, 8 kHz.
fn orders() -> Option<Vec<Vec<i16>>> {
    let data = std::env::var_os("SIDETONE_SHARED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("orders");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return None;
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "flac"));
    files.sort();
    let step = (files.len() / ORDERS).max(1);
    let telephone = |path: &PathBuf| -> Vec<i16> {
        let pcm = file::decode(&std::fs::read(path).expect("a readable file"), 8_000, 30).expect("an order decodes");
        pcm.iter().map(|&s| g711::mu_decode(g711::mu_encode(s))).collect()
    };
    Some(files.iter().step_by(step).take(ORDERS).map(telephone).collect())
}

fn for_models(pcm: &[i16]) -> Vec<f32> {
    resample(pcm, 8_000, 16_000).unwrap().into_iter().map(|s| f32::from(s) / 32768.0).collect()
}

/// Where speech stops for [`ASKED_AFTER_MS`] and more: the end of each pause's first part, and whether speech follows.
fn pauses(silero: &mut Silero, pcm: &[i16]) -> Vec<(usize, bool)> {
    let window = silero.window(Rate::Narrow);
    let mut state = silero.start(Rate::Narrow);
    let speech: Vec<bool> =
        pcm.chunks_exact(window).map(|w| silero.probability(&mut state, Rate::Narrow, w).unwrap() > 0.4).collect();
    let last = speech.iter().rposition(|&s| s).unwrap_or(0);
    let needed = (ASKED_AFTER_MS * 8).div_ceil(window);
    let mut found = Vec::new();
    let (mut silent, mut heard) = (0, false);
    for (n, &voiced) in speech.iter().enumerate().take(last) {
        heard |= voiced;
        silent = if voiced { 0 } else { silent + 1 };
        if heard && silent == needed {
            found.push(((n + 1) * window, true));
        }
    }
    found.push((((last + 1 + needed) * window).min(pcm.len()), false));
    found
}

#[test]
fn smart_turn_tells_most_ends_from_most_pauses_of_real_orders() {
    let (Some(vad), Some(path)) = (model("silero-vad", "model.onnx"), model("smart-turn", "model.onnx")) else {
        return;
    };
    let Some(orders) = orders() else { return };
    let (mut silero, mut turn) = (Silero::load(&vad).unwrap(), SmartTurn::load(&path).unwrap());
    let (mut ends, mut seen, mut early, mut pauses_in) = (0, 0, 0, 0);
    for mut pcm in orders {
        // The recordings stop soon after the last word; a line goes on.
        pcm.extend((0..8 * ASKED_AFTER_MS).map(|n: usize| ((n * 7919) % 17) as i16 - 8));
        let all = pauses(&mut silero, &pcm);
        let mut complete = |at: usize| turn.turn_end(&for_models(&pcm[..at])).unwrap() > 0.5;
        let (inside, end): (Vec<_>, Vec<_>) = all.iter().partition(|(_, goes_on)| *goes_on);
        early += usize::from(inside.iter().any(|(at, _)| complete(*at)));
        pauses_in += inside.len();
        ends += 1;
        seen += usize::from(complete(end[0].0));
    }
    println!("{ends} orders: {seen} ends seen, {early} orders ended early, in {pauses_in} pauses");
    assert!(seen * 10 >= ends * 7, "{seen} of {ends} ends");
    assert!(early * 3 <= ends, "{early} of {ends} ended early");
}

#[test]
fn moonshine_hears_orders_over_the_telephone() {
    let file = |name| model("moonshine-tiny-en", name);
    let (Some(encoder), Some(decoder), Some(tokenizer)) =
        (file("encoder.ort"), file("decoder.ort"), file("tokenizer.bin"))
    else {
        return;
    };
    let mut ear = Moonshine::load(&encoder, &decoder, &tokenizer).unwrap();
    let hear = |ear: &mut Moonshine, pcm: &[f32]| ear.recognize(pcm, &Hint::Open, Role::Final, &AbortFlag::default());
    let unwanted = AbortFlag::default();
    unwanted.abort();
    assert_eq!(ear.recognize(&[0.0; 8_000], &Hint::Open, Role::Final, &unwanted), Err(JobError::Skipped));
    assert_eq!(hear(&mut ear, &[]).unwrap().text, "", "nothing was said");
    let Some(orders) = orders() else { return };
    // What is ordered is a drink and how it is to be: each has some of these words.
    const MENU: &[&str] = &["coffee", "latte", "mocha", "espresso", "roast", "shot", "sugar", "cream", "milk", "large"];
    let (mut found, mut sure) = (0, 0);
    let few = &orders[..10.min(orders.len())];
    for pcm in few {
        let heard = hear(&mut ear, &for_models(pcm)).unwrap();
        println!("{:.2} {}", heard.confidence, heard.text);
        let text = heard.text.to_lowercase();
        found += usize::from(MENU.iter().any(|word| text.contains(word)));
        sure += usize::from(heard.confidence > 0.5 && heard.confidence <= 1.0);
    }
    assert!(found * 10 >= few.len() * 8, "{found} of {}", few.len());
    assert!(sure * 10 >= few.len() * 7, "{sure} of {}", few.len());
}
