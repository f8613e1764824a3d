//! What is said over a prompt: whole calls in virtual time with the real engines. A cough, a listener's "mhm", an echo or
//! noise must not stop the prompt, or it goes on within 300 ms of the sound's end; somebody who means it must.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::super::sets::{self, Chance};
use super::ears::Ears;
use super::set::{HZ, Recipe, looped, mu_law, music, noise, trimmed};
use crate::audio::{Rate, g711, level, resample};
use crate::call::io::Report;
use crate::call::line::Line;
use crate::cli::say;
use crate::sim::{FarEnd, Scenario, Step, play_with};

/// So long after the prompt's first sound somebody speaks over it.
const INTO_PROMPT: Duration = Duration::from_millis(1_500);
/// The call is given up so long after the sound.
const AFTER: Duration = Duration::from_millis(2_500);
/// The prompt must go on so soon after the end of a sound that was none of its business.
const GOES_ON: Duration = Duration::from_millis(300);
/// Whoever means it must be let in so soon after they began.
const LET_IN: Duration = Duration::from_millis(1_500);
/// Level of a caller's sounds, dBov.
const LEVEL_DBOV: f32 = -24.0;
/// How much softer somebody is who does not raise their voice over ours, dB.
const SOFTER_DB: f32 = 12.0;
const FRAME: usize = 160;

/// A sound over the prompt.
pub(super) struct Over {
    pub(super) kind: &'static str,
    means_it: bool,
    pcm: Vec<i16>,
    /// How late and how loud (as a factor) the prompt comes back.
    echo: Option<(usize, f32)>,
}

impl Over {
    fn quieter(mut self, by_db: f32) -> Self {
        let gain = 10f32.powf(-by_db / 20.0);
        self.pcm.iter_mut().for_each(|s| *s = (f32::from(*s) * gain) as i16);
        self
    }
}

/// What came of the sounds of one kind.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Outcome {
    /// Sounds.
    pub(super) sounds: usize,
    /// Stopped the prompt for good.
    pub(super) stopped: usize,
    /// Held it, and it went on later than 300 ms after the sound.
    pub(super) late: usize,
}

/// All of them.
pub(super) fn sounds(recipe: &Recipe, data: &Path, all: bool, ears: &mut Ears) -> anyhow::Result<Vec<Over>> {
    let mut chance = recipe.chance();
    let mut set = Vec::new();
    let count = |kind: &str| recipe.count(kind, all);
    let over = |kind, pcm: Vec<i16>| Over { kind, means_it: false, pcm: at_level(pcm), echo: None };
    for n in 0..count("cough") {
        set.push(over("cough", warped(&say::cough(), 0.75 + 0.5 * n as f32 / count("cough") as f32)?));
    }
    let texts = &recipe.backchannels.texts;
    for n in 0..count("backchannel") {
        let said = ears.speak(&texts[n % texts.len()], HZ as u32)?;
        let factor = 0.85 + 0.3 * (n / texts.len()) as f32 / (count("backchannel") / texts.len()).max(1) as f32;
        set.push(over("backchannel", warped(&trimmed(&said), factor)?));
    }
    for n in 0..count("echo") {
        let late = (60 + chance.below(160)) * HZ / 1_000;
        let gain = 10f32.powf(-(15.0 + 21.0 * n as f32 / count("echo") as f32) / 20.0);
        set.push(Over { kind: "echo", means_it: false, pcm: vec![0; 3 * HZ], echo: Some((late, gain)) });
    }
    for n in 0..count("noise") {
        set.push(over("noise", disturbance(&mut chance, n)));
    }
    let tune = music()?;
    for n in 0..count("music") {
        let from = n * HZ % tune.len();
        set.push(over("music", looped(&tune[from..], 3 * HZ).iter().map(|s| s / (1 << (n % 3))).collect()));
    }
    let orders = sets::orders(data, count("interruption").max(count("interruption_soft")))?;
    for (n, order) in orders.iter().enumerate() {
        let said = trimmed(&order.said.narrow()?);
        if n < count("interruption") {
            set.push(Over { means_it: true, ..over("interruption", said.clone()) });
        }
        if n < count("interruption_soft") {
            let soft = over("interruption_soft", said).quieter(SOFTER_DB);
            set.push(Over { means_it: true, ..soft });
        }
    }
    Ok(set)
}

/// A burst, a hum or clicks.
fn disturbance(chance: &mut Chance, n: usize) -> Vec<i16> {
    let length = HZ * (2 + n % 5) / 5;
    match n % 3 {
        0 => noise(chance, length),
        1 => (0..2 * HZ).map(|i| ((i as f32 * 0.0393).sin() * 3_000.0) as i16).collect(),
        _ => (0..length).map(|i| if i % 1_600 < 12 { 12_000 - 2_000 * (i % 12) as i16 } else { 0 }).collect(),
    }
}

/// Quicker and higher, or slower and lower.
fn warped(pcm: &[i16], factor: f32) -> anyhow::Result<Vec<i16>> {
    let hz = (HZ as f32 * factor / 100.0).round() as u32 * 100;
    Ok(resample(pcm, hz, HZ as u32).unwrap_or_else(|_| stretched(pcm, factor)))
}

/// By the nearest sample: for rates that the resampler does not know.
fn stretched(pcm: &[i16], factor: f32) -> Vec<i16> {
    let length = (pcm.len() as f32 / factor) as usize;
    (0..length).map(|n| pcm[((n as f32 * factor) as usize).min(pcm.len() - 1)]).collect()
}

fn at_level(pcm: Vec<i16>) -> Vec<i16> {
    let gain = 10f32.powf((LEVEL_DBOV - level::rms_dbov(&pcm)) / 20.0);
    pcm.iter().map(|&s| (f32::from(s) * gain) as i16).collect()
}

/// Whether this sound did what it must not, or did not what it must.
pub(super) fn play(line: &Arc<Line>, ears: &mut Ears, over: &Over) -> Outcome {
    ears.fresh();
    let mut caller = Caller::new(over);
    let mut scenario = Scenario::new(Vec::new());
    scenario.limit = Duration::from_secs(30);
    let played = play_with(line, scenario, &mut caller, ears);
    let since =
        |at: Option<Instant>| at.zip(caller.first).map_or(u64::MAX, |(at, first)| (at - first).as_millis() as u64);
    let (began, ended) = (since(caller.began), since(caller.ended));
    let after = |wanted: fn(&Report) -> bool| {
        played.reports.iter().find(|(at, report)| *at >= began && wanted(report)).map(|(at, _)| *at)
    };
    let stopped = after(|r| matches!(r, Report::Interrupted { .. }));
    let went_on = after(|r| matches!(r, Report::WentOn));
    let late = went_on.is_some_and(|at| at > ended.saturating_add(GOES_ON.as_millis() as u64));
    let stopped = if over.means_it {
        stopped.is_some_and(|at| at <= began + LET_IN.as_millis() as u64)
    } else {
        stopped.is_some()
    };
    Outcome { sounds: 1, stopped: usize::from(stopped), late: usize::from(late && !stopped) }
}

/// A caller who listens, makes a sound over what they hear, listens on, and hangs up.
struct Caller {
    sound: Vec<i16>,
    at: usize,
    /// What comes back of what is heard, oldest first.
    echo: VecDeque<i16>,
    back: f32,
    heard: Option<Instant>,
    first: Option<Instant>,
    began: Option<Instant>,
    ended: Option<Instant>,
    chance: Chance,
    sequence: u16,
}

impl Caller {
    fn new(over: &Over) -> Self {
        let (late, back) = over.echo.unwrap_or((0, 0.0));
        Self {
            sound: over.pcm.clone(),
            at: 0,
            echo: std::iter::repeat_n(0, late).collect(),
            back,
            heard: None,
            first: None,
            began: None,
            ended: None,
            chance: Chance(7),
            sequence: 0,
        }
    }
}

impl FarEnd for Caller {
    fn hear(&mut self, at: Instant, packet: &[u8]) {
        let Some(payload) = packet.get(12..) else { return };
        let pcm: Vec<i16> = payload.iter().map(|&byte| g711::mu_decode(byte)).collect();
        if level::rms_dbov(&pcm) > -45.0 {
            self.heard.get_or_insert(at);
        }
        if self.back > 0.0 {
            self.echo.extend(pcm.iter().map(|&s| (f32::from(s) * self.back) as i16));
        }
    }

    fn step(&mut self, now: Instant) -> Step {
        self.first.get_or_insert(now);
        let speaks = self.heard.is_some_and(|heard| now - heard >= INTO_PROMPT) && self.at < self.sound.len();
        if speaks {
            self.began.get_or_insert(now);
        }
        let mut frame = self.chance.hiss(FRAME as f32 / HZ as f32);
        frame.resize(FRAME, 0);
        for sample in &mut frame {
            let own = if speaks { self.sound.get(self.at).copied().unwrap_or(0) } else { 0 };
            self.at += usize::from(speaks);
            let echo = if self.echo.len() > FRAME || self.back > 0.0 { self.echo.pop_front().unwrap_or(0) } else { 0 };
            *sample = sample.saturating_add(own).saturating_add(echo);
        }
        if self.at >= self.sound.len() {
            self.ended.get_or_insert(now);
        }
        let mut packet = vec![0x80, 0];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend((u32::from(self.sequence) * FRAME as u32).to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(mu_law(&frame).iter().map(|&s| g711::mu_encode(s)));
        self.sequence = self.sequence.wrapping_add(1);
        Step { packet: Some(packet), hang_up: self.ended.is_some_and(|ended| now - ended >= AFTER) }
    }
}

// The caller speaks at the telephone's rate.
const _: () = assert!(Rate::Narrow.hz() as usize == HZ && Rate::Narrow.frame_len() == FRAME);
