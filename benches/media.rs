//! What 20 ms of one call cost: the media tick, codecs, resampling.

#![expect(missing_docs, reason = "criterion's macro writes an undocumented function")]
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use sidetone::audio::{Codec, Decoder, Encoder, Frame, Rate, Resampler};
use sidetone::call::leg::{LegConfig, LegMedia, MAX_PACKET, MediaLeg};

fn tone(rate: Rate) -> Frame {
    let mut frame = Frame::silence(rate);
    for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
        *sample = (8_000.0 * (i as f32 * 0.3).sin()) as i16;
    }
    frame
}

fn leg(codec: Codec, ssrc: u32, now: Instant) -> MediaLeg {
    let media =
        LegMedia { codec, payload_type: codec.static_payload_type().unwrap_or(111), event_payload_type: Some(101) };
    let config = LegConfig { media, ssrc, first_seq: 1, first_ts: 1, cname: "bench".into() };
    MediaLeg::new(config, now).expect("the codec is built in")
}

/// Both directions of one leg: a packet in, a frame out, a frame in, a packet out.
fn tick(c: &mut Criterion, codec: Codec) {
    c.bench_function(&format!("media tick, {}", codec.name()), |b| {
        let start = Instant::now();
        let (mut far, mut near) = (leg(codec, 1, start), leg(codec, 2, start));
        let frame = tone(codec.rate());
        let (mut wire, mut out) = ([0; MAX_PACKET], [0; MAX_PACKET]);
        let mut now = start;
        b.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            for _ in 0..iterations {
                now += Duration::from_millis(20);
                let n = far.tick(now, Some(&frame), &mut wire).sent;
                let began = Instant::now();
                near.receive(now, &wire[..n]);
                black_box(near.tick(now, Some(&frame), &mut out));
                spent += began.elapsed();
            }
            spent
        });
    });
}

fn codec(c: &mut Criterion, codec: Codec) {
    let frame = tone(codec.rate());
    let mut encoder = Encoder::new(codec).expect("built in");
    let mut decoder = Decoder::new(codec).expect("built in");
    let mut payload = [0; MAX_PACKET];
    let n = encoder.encode(&frame, &mut payload);
    let mut back = frame;
    c.bench_function(&format!("{} encode 20 ms", codec.name()), |b| {
        let mut out = [0; MAX_PACKET];
        b.iter(|| encoder.encode(black_box(&frame), &mut out));
    });
    c.bench_function(&format!("{} decode 20 ms", codec.name()), |b| {
        b.iter(|| decoder.decode(black_box(&payload[..n]), &mut back));
    });
    c.bench_function(&format!("{} conceal 20 ms after good", codec.name()), |b| {
        b.iter(|| {
            let _ = decoder.decode(&payload[..n], &mut back);
            decoder.conceal();
            black_box(decoder.take())
        });
    });
}

fn media(c: &mut Criterion) {
    for which in [Codec::Pcmu, Codec::Pcma, Codec::Opus] {
        if Encoder::new(which).is_ok() {
            tick(c, which);
            codec(c, which);
        }
    }
}

fn resample(c: &mut Criterion) {
    for (from, to) in [(8_000, 16_000), (16_000, 8_000), (22_050, 8_000), (22_050, 16_000)] {
        let mut resampler = Resampler::new(from, to).expect("supported");
        let block: Vec<i16> = (0..resampler.block_in()).map(|i| (i * 997 % 20_000) as i16).collect();
        c.bench_function(&format!("resample {from} to {to} Hz, 20 ms"), |b| {
            b.iter(|| {
                resampler.push(black_box(&block), |out| {
                    black_box(out);
                })
            });
        });
    }
}

criterion_group!(benches, media, resample);
criterion_main!(benches);
