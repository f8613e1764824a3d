//! What hearing costs a call: per 20 ms frame, and per utterance.

#![expect(missing_docs, reason = "criterion's macro writes an undocumented function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use sidetone::audio::{Frame, Rate};
use sidetone::speech::echo::Echo;
use sidetone::speech::gate::Gate;
use sidetone::speech::prosody::Analyser;
use sidetone::speech::utterance::{Endpointing, Segmenter};

/// Ten seconds of a gliding, pulsing voice over noise.
fn voice(rate: Rate) -> Vec<i16> {
    let hz = rate.hz() as f32;
    let (mut phase, mut seed) = (0.0f32, 7u32);
    (0..rate.hz() as usize * 10)
        .map(|i| {
            let t = i as f32 / hz;
            phase += (160.0 + 40.0 * (t * 2.0).sin()) / hz;
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let noise = seed as f32 / u32::MAX as f32 - 0.5;
            let pulse = (1..18).map(|n| (std::f32::consts::TAU * phase * n as f32).sin() / n as f32).sum::<f32>();
            ((pulse * (t * 12.0).sin().powi(2) * 0.2 + noise * 0.01) * 20_000.0) as i16
        })
        .collect()
}

fn prosody(c: &mut Criterion) {
    for (name, rate) in [("8 kHz", Rate::Narrow), ("16 kHz", Rate::Wide)] {
        let pcm = voice(rate);
        let frames: Vec<&[i16]> = pcm.chunks(rate.frame_len()).collect();
        let mut analyser = Analyser::new(rate);
        let mut next = frames.iter().cycle();
        c.bench_function(&format!("prosody, a frame at {name}"), |b| {
            b.iter(|| analyser.push(black_box(next.next().expect("a cycle does not end"))));
        });
    }
    let pcm = voice(Rate::Narrow);
    let mut analyser = Analyser::new(Rate::Narrow);
    analyser.push(&pcm);
    c.bench_function("prosody, features of 5 s", |b| b.iter(|| analyser.features(black_box(20_000..60_000))));
}

fn echo(c: &mut Criterion) {
    let pcm = voice(Rate::Narrow);
    let frames: Vec<Frame> = pcm.chunks(160).map(|f| Frame::from_samples(Rate::Narrow, f)).collect();
    let mut echo = Echo::default();
    for pair in frames.windows(6) {
        echo.theirs(&pair[0]);
        echo.ours(Some(&pair[5]));
    }
    c.bench_function("echo, a frame that is suspected", |b| b.iter(|| black_box(&echo).share()));
}

fn gate_and_segmenter(c: &mut Criterion) {
    let pcm = voice(Rate::Narrow);
    let frames: Vec<Frame> = pcm.chunks(160).map(|f| Frame::from_samples(Rate::Narrow, f)).collect();
    let mut next = frames.iter().cycle();
    let mut gate = Gate::new(Rate::Narrow);
    c.bench_function("gate, a frame", |b| {
        b.iter(|| {
            gate.push(black_box(next.next().expect("a cycle does not end")));
        });
    });
    let mut segmenter = Segmenter::new(Rate::Narrow, Endpointing::default());
    let mut position = 0;
    c.bench_function("segmenter, a window of 32 ms", |b| {
        b.iter(|| {
            position += 256;
            segmenter.audio(black_box(&pcm[..256]));
            segmenter.voice(position, if position % 20_000 < 12_000 { 0.9 } else { 0.1 })
        });
    });
}

criterion_group!(benches, prosody, echo, gate_and_segmenter);
criterion_main!(benches);
