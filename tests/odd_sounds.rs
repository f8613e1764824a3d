//! What is no calm speech must not look like anger: the score stays a number, nobody is handed over, and it says how little it
//! knows.

use std::f32::consts::TAU;
use std::path::Path;
use std::sync::Arc;

use sidetone::audio::{Rate, file, g711};
use sidetone::speech::emotion::{Config, Frustration, Mood, ProsodyModel};
use sidetone::speech::prosody::Analyser;

const SECONDS: usize = 3;

fn random(seed: &mut u32) -> f32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    *seed as f32 / u32::MAX as f32 * 2.0 - 1.0
}

fn sound(mut at: impl FnMut(f32) -> f32) -> Vec<i16> {
    (0..8_000 * SECONDS).map(|i| (at(i as f32 / 8_000.0) * 32_767.0).clamp(-32_768.0, 32_767.0) as i16).collect()
}

fn fixture(name: &str) -> Vec<i16> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    file::decode(&std::fs::read(path).expect("a fixture"), 8_000, 60).expect("it decodes")
}

/// The call after it has heard this so many times.
fn heard(pcm: &[i16], times: usize) -> Frustration {
    let model = Arc::new(ProsodyModel::shipped().expect("the shipped model is valid"));
    let mut frustration = Frustration::new(model, Config::default());
    let mut analyser = Analyser::new(Rate::Narrow);
    let mut position = 0;
    for _ in 0..times {
        let start = position;
        for frame in pcm.chunks(160) {
            let coded: Vec<i16> = frame.iter().map(|x| g711::mu_decode(g711::mu_encode(*x))).collect();
            analyser.push(&coded);
            position += coded.len() as u64;
        }
        let features = analyser.features(start..position);
        assert!(features.values().iter().all(|value| value.is_finite()), "{features:?}");
        frustration.utterance(&features, "", &[]);
        assert!((0.0..=1.0).contains(&frustration.score()) && (0.0..=1.0).contains(&frustration.confidence()));
        assert!((0.0..=1.0).contains(&frustration.arousal()));
    }
    frustration
}

#[test]
fn what_is_no_voice_is_no_anger_and_is_known_to_tell_little() {
    let mut seed = 7;
    let mut bits = 11;
    let sounds = [
        ("silence", vec![0; 8_000 * SECONDS]),
        ("DC", vec![12_000; 8_000 * SECONDS]),
        ("noise", sound(|_| 0.3 * random(&mut seed))),
        ("noise at full scale", sound(|_| 2.0 * random(&mut seed))),
        ("whisper", sound(|t| 0.2 * (t * 12.0).sin().max(0.0) * random(&mut seed))),
        ("fax answer tone", sound(|t| 0.5 * (TAU * 2_100.0 * t).sin())),
        // V.21: 300 bit/s between 1650 and 1850 Hz.
        ("modem", {
            let (mut hz, mut phase) = (1_650.0, 0.0f32);
            sound(move |t| {
                if ((t * 8_000.0).round() as u32).is_multiple_of(27) {
                    hz = if random(&mut bits) > 0.0 { 1_650.0 } else { 1_850.0 };
                }
                phase += TAU * hz / 8_000.0;
                0.5 * phase.sin()
            })
        }),
        ("ringing tone", sound(|t| if t % 1.5 < 0.7 { 0.3 * (TAU * 425.0 * t).sin() } else { 0.0 })),
        ("dial tone", sound(|t| 0.2 * ((TAU * 350.0 * t).sin() + (TAU * 440.0 * t).sin()))),
        ("hum", sound(|t| 0.3 * (TAU * 50.0 * t).sin() + 0.1 * (TAU * 150.0 * t).sin())),
        ("clicks", sound(|t| if ((t * 8_000.0) as u32).is_multiple_of(1_700) { 0.9 } else { 0.0 })),
        ("coughing", fixture("callers/cough.wav")),
    ];
    for (name, pcm) in sounds {
        let call = heard(&pcm, 4);
        assert!(call.mood() != Mood::Angry && call.score() < 0.5, "{name}: {:.2}", call.score());
        assert!(call.confidence() < 0.5, "{name}: sure by {:.2}", call.confidence());
    }
}

#[test]
fn music_and_two_voices_hand_nobody_over() {
    let music = fixture("hold.wav");
    let (one, two) = (fixture("callers/balance.wav"), fixture("callers/lost-card.wav"));
    let both: Vec<i16> = one.iter().zip(&two).map(|(a, b)| a.saturating_add(*b)).collect();
    for (name, pcm) in [("music", &music[..music.len().min(8_000 * 8)]), ("two voices", &both[..])] {
        let call = heard(pcm, 4);
        assert!(call.mood() != Mood::Angry, "{name}: {:.2}", call.score());
    }
}

#[test]
fn a_calm_voice_stays_calm_when_it_is_clipped_shifted_or_faint() {
    let voice = fixture("callers/balance.wav");
    let changed = |by: &dyn Fn(f32) -> f32| -> Vec<i16> {
        voice.iter().map(|x| by(f32::from(*x)).clamp(-32_768.0, 32_767.0) as i16).collect()
    };
    let sounds = [
        ("as it is", voice.clone()),
        ("clipped", changed(&|x| 12.0 * x)),
        ("with DC", changed(&|x| x + 8_000.0)),
        ("faint", changed(&|x| x / 60.0)),
    ];
    for (name, pcm) in sounds {
        let call = heard(&pcm, 4);
        assert!(call.mood() != Mood::Angry, "{name}: {:.2}", call.score());
    }
}
