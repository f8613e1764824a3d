//! Words while they are spoken: how right the settled ones are, how late they come, what they cost.

use std::sync::Arc;
use std::time::Duration;

use super::super::sets::Said;
use super::processor_time;
use crate::audio::{Rate, resample};
use crate::call::ports::{AbortFlag, Hint, Recognizer, Role};
use crate::nlu::word_errors::{spoken_words, word_errors};
use crate::speech::commit::Streaming;

/// Sound between two results, as calls have it: ms.
const EVERY_MS: usize = 300;
/// Line after the last word that is heard too, ms: what calls wait before a turn can end.
const AFTER_MS: usize = 600;

/// Figures of words so far.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Partials {
    /// Word errors of the settled words at the end, over words said.
    wer: f32,
    /// Share of the words said that were settled before the end of the sound.
    settled_before_end: f32,
    /// Seconds of one core per second of sound.
    cost: f32,
    /// The longest sound that was looked at in one go, s.
    longest_window_s: f32,
}

/// Hears each sound as it grows.
pub(super) fn partials(engine: &mut dyn Recognizer, all: &[Said], show: bool) -> anyhow::Result<Partials> {
    let (mut words, mut errors, mut early) = (0, 0, 0);
    let (mut spent, mut seconds, mut longest) = (Duration::ZERO, 0.0, 0);
    for said in all {
        let mut pcm = said.narrow()?;
        let spoken = pcm.len();
        pcm.extend((0..AFTER_MS * 8).map(|n| (n * 7919 % 17) as i16 - 8));
        let mut streaming = Streaming::new(Rate::Narrow);
        let (mut settled, mut before_end) = (String::new(), 0);
        for end in (EVERY_MS * 8..=pcm.len()).step_by(EVERY_MS * 8) {
            let window = streaming.window(Arc::from(&pcm[..end]));
            longest = longest.max(window.len());
            let sound: Vec<f32> =
                resample(&window, 8_000, 16_000)?.into_iter().map(|s| f32::from(s) / 32768.0).collect();
            let started = processor_time();
            let heard = engine.recognize(&sound, &Hint::Open, Role::Partial, &AbortFlag::default())?;
            spent += processor_time().saturating_sub(started);
            let progress = streaming.heard(&heard.text);
            settled = progress.text.split_whitespace().take(progress.committed).collect::<Vec<_>>().join(" ");
            if end <= spoken {
                before_end = progress.committed;
            }
        }
        let expected = spoken_words(&said.text);
        let wrong = word_errors(&expected, &spoken_words(&settled));
        if show && wrong > 0 {
            eprintln!("{:28} said    {}\n{:28} settled {settled}", said.name, said.text, "");
        }
        errors += wrong;
        early += before_end.min(expected.len());
        words += expected.len();
        seconds += pcm.len() as f32 / 8_000.0;
    }
    let share = |n: usize| n as f32 / words.max(1) as f32;
    Ok(Partials {
        wer: share(errors),
        settled_before_end: share(early),
        cost: spent.as_secs_f32() / seconds,
        longest_window_s: longest as f32 / 8_000.0,
    })
}
