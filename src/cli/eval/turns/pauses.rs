//! What a call's hearing makes of each turn of the set: its pauses, and what was known in each of whether it is the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ears::Ears;
use super::set::Spoken;
use crate::audio::{Frame, Rate};
use crate::call::TICK;
use crate::call::hearing::{Hearing, Sound};
use crate::call::line::Line;
use crate::call::ports::{Hint, Role};
use crate::dialplan::script::{Expect, Listen, Patience};
use crate::nlu::text;
use crate::sim::Engines;
use crate::speech::commit::Streaming;
use crate::speech::turn_end::Words;
use crate::speech::utterance::Endpointing;

/// No pause of the set is as long: an utterance ends here at last, ms.
const END_MS: u32 = 2_500;
const MS: u64 = 8;
/// Nothing in the set depends on the day.
const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 23);
/// No method ends a turn sooner, ms of silence.
const SHORTEST_MS: u64 = 96;

/// A silence that the detector saw, and what was known in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pause {
    /// End of the last window of speech, samples.
    pub(super) start: u64,
    /// Where the caller went on; `None` when they did not.
    pub(super) resumed: Option<u64>,
    /// Probability that the voice came to an end, and the silence at which it was known, ms.
    pub(super) voice: Option<(f32, f32)>,
    /// What the words say, and the silence at which they did, ms.
    pub(super) words: (Words, f32),
    /// Whether the words that were known before it left something open.
    pub(super) open: bool,
}

/// A turn as it was heard.
pub(super) struct Heard<'s> {
    pub(super) spoken: &'s Spoken,
    pub(super) pauses: Vec<Pause>,
}

/// Listens to a turn.
pub(super) fn listen<'s>(ears: &mut Ears, line: &Line, begin: Instant, spoken: &'s Spoken) -> Heard<'s> {
    let listen = listening(line, spoken.digits);
    let hint = line.understanding.hint(&listen.expect, &[]);
    let mut hearing = Hearing::new(begin, Rate::Narrow);
    hearing.expect(Endpointing { end_silence_ms: END_MS, ..Endpointing::default() });
    ears.fresh();
    let mut open: Option<Open> = None;
    let mut words = Streaming::new(Rate::Narrow);
    let mut pauses: Vec<Pause> = Vec::new();
    for (n, samples) in spoken.pcm.chunks(Rate::Narrow.frame_len()).enumerate() {
        let mut fed = Vec::new();
        let frame = Frame::from_samples(Rate::Narrow, samples);
        hearing.frame(begin + TICK * n as u32, &frame, true, |pcm| fed.extend_from_slice(pcm));
        for (position, probability) in ears.voice(&fed) {
            hearing.voice(position, probability);
        }
        while let Some(sound) = hearing.poll() {
            let resumed = match sound {
                Sound::Pause(pcm) => {
                    let silence = hearing.silence();
                    let start = hearing.position().saturating_sub(silence);
                    let left = line.understanding.is_open(&words.progress().text, Some(&listen), TODAY);
                    open = Some(Open { start, silence, pcm, left });
                    continue;
                }
                // Of the words while they are spoken only digits decide anything; the rest is spared.
                Sound::Partial(pcm) if spoken.digits => {
                    let (_, heard) = ears.recognize(&words.window(pcm), &hint, Role::Partial);
                    words.heard(&heard.unwrap_or_default().text);
                    continue;
                }
                Sound::Resumed => hearing.position(),
                Sound::Began { start } => start,
                _ => continue,
            };
            // A gap that is shorter than any wait need not be judged.
            if let Some(open) = open.take().filter(|open| resumed.saturating_sub(open.start) >= SHORTEST_MS * MS) {
                pauses.push(known(ears, line, &listen, &hint, &open, Some(resumed)));
            }
        }
    }
    pauses.extend(open.map(|open| known(ears, line, &listen, &hint, &open, None)));
    Heard { spoken, pauses }
}

/// A silence that lasts.
struct Open {
    start: u64,
    /// How much of it had passed when work began on `pcm`.
    silence: u64,
    pcm: Arc<[i16]>,
    /// Whether the words before it left something open.
    left: bool,
}

/// What a call would know in this pause.
fn known(ears: &mut Ears, line: &Line, listen: &Listen, hint: &Hint, open: &Open, resumed: Option<u64>) -> Pause {
    let pcm = &open.pcm;
    let after = |took: Duration| (open.silence / MS) as f32 + took.as_secs_f32() * 1_000.0;
    let (took, voice) = ears.turn_end(pcm);
    let voice = voice.ok().map(|probability| (probability, after(took)));
    let (recognition, transcript) = ears.recognize(pcm, hint, Role::Final);
    let said = transcript.unwrap_or_default().text;
    let understanding = &line.understanding;
    let (meaning, embedding) = match understanding.at_once(&said, Some(listen), TODAY) {
        Some(meaning) => (meaning, Duration::ZERO),
        None => {
            let (took, vector) = ears.embed(&text::clean(&said));
            (understanding.by_vector(&said, &vector, Some(listen), TODAY), took)
        }
    };
    let words = understanding.completeness(&said, &meaning, Some(listen));
    Pause { open: open.left, start: open.start, resumed, voice, words: (words, after(recognition + embedding)) }
}

/// Where a caller of the set is in the plan.
fn listening(line: &Line, digits: bool) -> Listen {
    let intents: Vec<usize> = (0..line.plan.intents().len()).collect();
    let expect =
        if digits { Expect::Slot { slot: 0 } } else { Expect::Intents { intents: intents.clone(), keys: Vec::new() } };
    let (timeout, patience) = (Duration::from_secs(6), Patience::default());
    Listen { expect, intents, knowledge: Vec::new(), slots: Vec::new(), timeout, patience }
}
