//! Pitch, voicing, loudness and harmonicity against an independent implementation: Praat, on real clips as a telephone carries
//! them. The reference values were made by `fixtures/praat/reference.py`, which says how to make them again.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sidetone::audio::{Rate, file, g711};
use sidetone::speech::prosody::{Analyser, Point};

#[derive(Deserialize)]
struct Reference {
    clips: Vec<Clip>,
}

#[derive(Deserialize)]
struct Clip {
    file: String,
    /// Middle of the first frame, s.
    first_s: f64,
    /// Each 10 ms: F0 in Hz (0: unvoiced), harmonicity in dB, level of 300–3400 Hz in dB re full scale.
    frames: Vec<(f32, Option<f32>, Option<f32>)>,
}

fn shared_data() -> Option<PathBuf> {
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_string();
    let dir = PathBuf::from(std::env::var("SIDETONE_SHARED_DATA").unwrap_or(fallback));
    dir.is_dir().then_some(dir)
}

fn contour(path: &Path) -> Vec<Point> {
    let bytes = std::fs::read(path).expect("the clip reads");
    let pcm = file::decode(&bytes, 8_000, 60).expect("the clip decodes");
    let pcm: Vec<i16> = pcm.into_iter().map(|x| g711::mu_decode(g711::mu_encode(x))).collect();
    let mut analyser = Analyser::new(Rate::Narrow);
    pcm.chunks(160).for_each(|frame| analyser.push(frame));
    analyser.contour(0..pcm.len() as u64)
}

fn median(mut values: Vec<f32>) -> f32 {
    values.sort_by(f32::total_cmp);
    values[values.len() / 2]
}

#[test]
fn measures_as_praat_does() {
    let Some(data) = shared_data() else {
        println!("skipped: no recordings");
        return;
    };
    let reference: Reference =
        serde_json::from_str(include_str!("../fixtures/praat/reference.json")).expect("the reference is valid");
    let (mut f0_off, mut level_off, mut hnr_off) = (Vec::new(), Vec::new(), Vec::new());
    let (mut agreed, mut frames, mut octaves) = (0, 0, 0);
    for clip in &reference.clips {
        let points = contour(&data.join(&clip.file));
        for (i, (f0, hnr, level)) in clip.frames.iter().enumerate() {
            let at = (clip.first_s + i as f64 * 0.01) * 8_000.0;
            let Some(point) = points.iter().min_by_key(|p| (p.at as f64 - at).abs() as u64) else { continue };
            if (point.at as f64 - at).abs() > 40.0 {
                continue; // beyond either end: not measured by both
            }
            frames += 1;
            agreed += u32::from(point.f0_hz.is_some() == (*f0 > 0.0));
            let Some(own) = point.f0_hz.filter(|_| *f0 > 0.0) else { continue };
            f0_off.push((own / f0 - 1.0).abs());
            octaves += u32::from((own / f0).log2().abs() > 0.5);
            level_off.extend(level.map(|level| (point.level_dbov - level).abs()));
            hnr_off.extend(hnr.zip(point.hnr_db).map(|(praat, own)| (own - praat).abs()));
        }
    }
    let (voicing, both) = (f64::from(agreed) / f64::from(frames), f0_off.len());
    let (f0, level, hnr) = (median(f0_off), median(level_off), median(hnr_off));
    println!(
        "{frames} frames, {both} voiced in both: F0 off by {:.2} % (median), {octaves} octave errors, voicing agrees in \
         {:.1} %, level off by {level:.2} dB, HNR by {hnr:.2} dB (medians)",
        f0 * 100.0,
        voicing * 100.0,
    );
    assert!(frames > 3_000 && both > 1_000);
    assert!(f0 < 0.02, "F0 off by {f0}");
    assert!(f64::from(octaves) / (both as f64) < 0.01, "{octaves} octave errors in {both} frames");
    assert!(voicing > 0.95, "voicing agrees in {voicing}");
    assert!(level < 1.5, "level off by {level} dB");
    assert!(hnr < 2.0, "HNR off by {hnr} dB");
}
