//! Real sound files through `audio::file`. Needs the shared recordings; without them one line says so.

use sidetone::audio::{AudioError, file};

#[test]
fn flac_of_the_shared_recordings_is_read() {
    let data = std::env::var("SIDETONE_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").into());
    let Some(path) = std::fs::read_dir(format!("{data}/emodb")).ok().and_then(|mut dir| {
        dir.find_map(|e| e.ok().map(|e| e.path()).filter(|p| p.extension().is_some_and(|x| x == "flac")))
    }) else {
        eprintln!("skipped: no emodb under {data}");
        return;
    };
    let bytes = std::fs::read(path).expect("readable");
    let sound = file::decode_native(&bytes, 60).expect("FLAC");
    assert_eq!(sound.rate_hz, 16_000);
    assert!(sound.samples.len() > 8_000);
    let narrow = file::decode(&bytes, 8_000, 60).expect("FLAC");
    assert_eq!(narrow.len(), sound.samples.len().div_ceil(2));
    assert!(matches!(file::decode(&bytes[..bytes.len() / 2], 8_000, 60), Err(AudioError::Truncated { .. })));
}
