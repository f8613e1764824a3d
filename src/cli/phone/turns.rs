//! What a telephone's owner does, turn by turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::audio::file;

/// Below this a 10 ms stretch of a clip is not speech, dBov.
const SPEECH_DBOV: f32 = -45.0;
/// 10 ms at 8 kHz.
const STRETCH: usize = 80;

/// One turn.
#[derive(Debug, Clone)]
pub(crate) enum Turn {
    /// Speak when the far end has spoken and fallen silent.
    Speak(Clip),
    /// Speak while the far end speaks.
    Interrupt(Clip),
    /// Type keys.
    Keys(String),
    /// Do nothing for so long.
    Wait(Duration),
}

/// Something to say, at 8 kHz.
#[derive(Debug, Clone)]
pub(crate) struct Clip {
    /// The sound.
    pub(crate) pcm: std::sync::Arc<[i16]>,
    /// First sample of speech.
    pub(crate) first: usize,
    /// Last sample of speech.
    pub(crate) last: usize,
}

impl Clip {
    /// Finds where speech begins and ends.
    pub(crate) fn new(pcm: Vec<i16>) -> Self {
        let loud = |samples: &[i16]| level(samples) > SPEECH_DBOV;
        let first = pcm.chunks(STRETCH).position(loud).unwrap_or(0) * STRETCH;
        let after = pcm.chunks(STRETCH).rposition(loud).map_or(pcm.len(), |n| (n + 1) * STRETCH);
        let last = after.min(pcm.len()).saturating_sub(1);
        Self { pcm: pcm.into(), first, last }
    }

    /// Reads any audio file.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let pcm = file::decode(&bytes, 8_000, 600).with_context(|| format!("{} cannot be played", path.display()))?;
        Ok(Self::new(pcm))
    }
}

/// Level of samples, dBov.
pub(crate) fn level(samples: &[i16]) -> f32 {
    let energy: f64 = samples.iter().map(|&s| f64::from(s) * f64::from(s)).sum();
    let mean = energy / samples.len().max(1) as f64;
    (10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-12).log10()) as f32
}

/// `FILE`, `over:FILE` (an interruption), `keys:123#` or `wait:2s`.
pub(crate) fn parse_turn(text: &str) -> anyhow::Result<Turn> {
    if let Some(keys) = text.strip_prefix("keys:") {
        if keys.is_empty() || !keys.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#' | 'A'..='D')) {
            bail!("`{text}`: keys are 0 to 9, A to D, * and #");
        }
        return Ok(Turn::Keys(keys.to_owned()));
    }
    if let Some(time) = text.strip_prefix("wait:") {
        let seconds =
            time.strip_suffix('s').and_then(|s| s.parse::<f32>().ok()).filter(|s| (0.0..=3_600.0).contains(s));
        let seconds = seconds.with_context(|| format!("`{text}`: write seconds, as in wait:2.5s"))?;
        return Ok(Turn::Wait(Duration::from_secs_f32(seconds)));
    }
    match text.strip_prefix("over:") {
        Some(path) => Ok(Turn::Interrupt(Clip::read(Path::new(path))?)),
        None => Ok(Turn::Speak(Clip::read(Path::new(text))?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_found_within_its_silence() {
        let mut pcm = vec![0; 2_400];
        pcm.extend((0..8_000).map(|n| if n % 20 < 10 { 8_000 } else { -8_000 }));
        pcm.extend(vec![0; 1_600]);
        let clip = Clip::new(pcm);
        assert_eq!((clip.first, clip.last), (2_400, 10_399));
    }

    #[test]
    fn turns_are_read_or_refused_with_the_mend() {
        assert!(matches!(parse_turn("keys:12#").unwrap(), Turn::Keys(k) if k == "12#"));
        assert!(matches!(parse_turn("wait:2.5s").unwrap(), Turn::Wait(t) if t == Duration::from_millis(2_500)));
        assert!(parse_turn("keys:12x").unwrap_err().to_string().contains("0 to 9"));
        assert!(parse_turn("wait:long").unwrap_err().to_string().contains("seconds"));
        assert!(format!("{:#}", parse_turn("/no/such.wav").unwrap_err()).contains("cannot read"));
    }
}
