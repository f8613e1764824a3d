//! What a telephone call does to a voice: levels, codecs, lines, losses, noises, rooms; and other voices. Seeded.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::audio::g711;

/// Samples of the line before and after each recording: a call is connected before somebody speaks.
pub(super) const LEAD: usize = 4_000;
const TAIL: usize = 1_600;
const PACKET: usize = 160;

/// A chain of things that happen to the sound between mouth and decoder, in this order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    /// Another speaker: all frequencies (and the tempo) by this factor.
    pub(super) speed: f32,
    /// Reverberation time, s; 0 for none.
    pub(super) reverb_s: f32,
    /// Tilt of microphone and line about 1 kHz, dB an octave.
    pub(super) tilt_db: f32,
    /// 300–3400 Hz as old lines have it.
    pub(super) band: bool,
    /// Level of the speech, dBFS RMS of what is no silence; `None`: as recorded.
    pub(super) to_dbfs: Option<f32>,
    /// Then this, dB.
    pub(super) gain_db: f32,
    /// Noise below the speech, dB; `None` for none.
    pub(super) snr_db: Option<f32>,
    pub(super) a_law: bool,
    /// Share of packets lost, 0..1.
    pub(super) loss: f32,
}

/// μ-law and nothing else.
pub(super) const PLAIN: Shift = Shift {
    speed: 1.0,
    reverb_s: 0.0,
    tilt_db: 0.0,
    band: false,
    to_dbfs: None,
    gain_db: 0.0,
    snr_db: None,
    a_law: false,
    loss: 0.0,
};

/// The conditions that are reported, each with its name.
pub(super) const CONDITIONS: &[(&str, Shift)] = &[
    ("ulaw", PLAIN),
    ("leveled", Shift { to_dbfs: Some(-26.0), ..PLAIN }),
    ("loss5", Shift { loss: 0.05, ..PLAIN }),
    ("quiet", Shift { gain_db: -18.0, ..PLAIN }),
    ("very_quiet", Shift { to_dbfs: Some(-44.0), ..PLAIN }),
    ("loud", Shift { gain_db: 6.0, ..PLAIN }),
    ("noise", Shift { to_dbfs: Some(-26.0), snr_db: Some(15.0), ..PLAIN }),
    ("alaw", Shift { a_law: true, ..PLAIN }),
    ("band", Shift { band: true, ..PLAIN }),
    ("room", Shift { reverb_s: 0.4, ..PLAIN }),
    ("dull_mic", Shift { tilt_db: -3.0, ..PLAIN }),
    ("sharp_mic", Shift { tilt_db: 3.0, ..PLAIN }),
    ("deeper", Shift { speed: 0.9, ..PLAIN }),
    ("higher", Shift { speed: 1.1, ..PLAIN }),
];

impl Shift {
    /// A random one, for training.
    pub(super) fn random(rng: &mut StdRng) -> Self {
        Self {
            speed: if rng.random_bool(0.5) { rng.random_range(0.9..1.1) } else { 1.0 },
            reverb_s: if rng.random_bool(0.3) { rng.random_range(0.1..0.6) } else { 0.0 },
            tilt_db: if rng.random_bool(0.5) { rng.random_range(-3.0..3.0) } else { 0.0 },
            band: rng.random_bool(0.3),
            to_dbfs: Some(rng.random_range(-44.0..-20.0)),
            gain_db: 0.0,
            snr_db: rng.random_bool(0.5).then(|| rng.random_range(12.0..40.0)),
            a_law: rng.random_bool(0.3),
            loss: if rng.random_bool(0.3) { rng.random_range(0.0..0.08) } else { 0.0 },
        }
    }

    /// What is decoded at the other end, with some of the line before and after.
    pub(super) fn apply(&self, pcm: &[i16], seed: u64) -> Vec<i16> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sound = vec![0.0; LEAD];
        sound.extend(resampled(pcm, self.speed));
        sound.resize(sound.len() + TAIL, 0.0);
        if self.reverb_s > 0.0 {
            sound = reverberated(&sound, self.reverb_s, &mut rng);
        }
        if self.tilt_db != 0.0 {
            tilt(&mut sound, self.tilt_db);
        }
        if self.band {
            band(&mut sound);
        }
        let loudness = speech_level(&sound);
        let gain = self.to_dbfs.map_or(0.0, |to| to - loudness) + self.gain_db;
        let factor = 10f32.powf(gain / 20.0);
        sound.iter_mut().for_each(|x| *x *= factor);
        if let Some(snr) = self.snr_db {
            add_noise(&mut sound, loudness + gain - snr, &mut rng);
        }
        let mut out: Vec<i16> =
            sound.iter().map(|x| code((x * 32_768.0).clamp(-32_768.0, 32_767.0) as i16, self.a_law)).collect();
        if self.loss > 0.0 {
            lose(&mut out, self.loss, &mut rng);
        }
        out
    }
}

fn code(sample: i16, a_law: bool) -> i16 {
    if a_law { g711::a_decode(g711::a_encode(sample)) } else { g711::mu_decode(g711::mu_encode(sample)) }
}

/// −1..1, played faster or slower by linear interpolation.
fn resampled(pcm: &[i16], speed: f32) -> Vec<f32> {
    let n = (pcm.len() as f32 / speed) as usize;
    (0..n)
        .map(|i| {
            let at = i as f32 * speed;
            let (here, part) = (at as usize, at.fract());
            let value = |i: usize| pcm.get(i).map_or(0.0, |x| f32::from(*x) / 32_768.0);
            if part == 0.0 { value(here) } else { value(here) * (1.0 - part) + value(here + 1) * part }
        })
        .collect()
}

/// RMS of the 20 ms frames that are within 30 dB of the loudest, dBFS.
fn speech_level(sound: &[f32]) -> f32 {
    let powers: Vec<f32> =
        sound.chunks(PACKET).map(|c| c.iter().map(|x| x * x).sum::<f32>() / c.len() as f32).collect();
    let loudest = powers.iter().copied().fold(1e-10, f32::max);
    let (sum, n) = powers.iter().filter(|p| **p > loudest / 1_000.0).fold((0.0, 0), |(s, n), p| (s + p, n + 1));
    10.0 * (sum / n.max(1) as f32 + 1e-10).log10()
}

/// A direct sound and a sparse tail of reflections that falls by 60 dB in `seconds`, 6 dB below it in all.
fn reverberated(sound: &[f32], seconds: f32, rng: &mut StdRng) -> Vec<f32> {
    let taps: Vec<(usize, f32)> = (0..150)
        .map(|_| {
            let at: f32 = rng.random_range(0.004..seconds);
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            ((at * 8_000.0) as usize, sign * 10f32.powf(-3.0 * at / seconds))
        })
        .collect();
    let power: f32 = taps.iter().map(|t| t.1 * t.1).sum();
    let scale = 0.5 / power.sqrt();
    let mut out = sound.to_vec();
    for (delay, gain) in taps {
        for (to, from) in out.iter_mut().skip(delay).zip(sound) {
            *to += from * gain * scale;
        }
    }
    out
}

/// Two first-order shelves, at 700 and 1600 Hz, that together slope by about this much an octave.
fn tilt(sound: &mut [f32], db_per_octave: f32) {
    for corner in [700.0f32, 1_600.0] {
        let gain = 10f32.powf(db_per_octave * 1.5 / 20.0);
        let pole = (-std::f32::consts::TAU * corner / 8_000.0).exp();
        let mut low = 0.0;
        for x in sound.iter_mut() {
            low += (1.0 - pole) * (*x - low);
            *x = low + gain * (*x - low);
        }
    }
}

/// Second-order Butterworth high-pass at 300 Hz and low-pass at 3400 Hz.
fn band(sound: &mut [f32]) {
    for (hz, high) in [(300.0f32, true), (3_400.0, false)] {
        let k = (std::f32::consts::PI * hz / 8_000.0).tan();
        let norm = 1.0 / (1.0 + std::f32::consts::SQRT_2 * k + k * k);
        let (b0, b1) = if high { (norm, -2.0 * norm) } else { (k * k * norm, 2.0 * k * k * norm) };
        let (a1, a2) = (2.0 * (k * k - 1.0) * norm, (1.0 - std::f32::consts::SQRT_2 * k + k * k) * norm);
        let (mut z1, mut z2) = (0.0, 0.0);
        for x in sound.iter_mut() {
            let y = b0 * *x + z1;
            z1 = b1 * *x - a1 * y + z2;
            z2 = b0 * *x - a2 * y;
            *x = y;
        }
    }
}

/// Noise of a room: falls towards high frequencies, and is there all the time.
fn add_noise(sound: &mut [f32], dbfs: f32, rng: &mut StdRng) {
    let mut low = 0.0f32;
    let noise: Vec<f32> = sound
        .iter()
        .map(|_| {
            let white: f32 = rng.random_range(-1.0..1.0);
            low += 0.2 * (white - low);
            low + 0.1 * white
        })
        .collect();
    let power = noise.iter().map(|x| x * x).sum::<f32>() / noise.len().max(1) as f32;
    let factor = 10f32.powf(dbfs / 20.0) / power.sqrt().max(1e-9);
    sound.iter_mut().zip(noise).for_each(|(x, n)| *x += n * factor);
}

/// Loses packets; the gap is filled with the last packet, each time at half.
fn lose(sound: &mut [i16], share: f32, rng: &mut StdRng) {
    for at in (PACKET..sound.len().saturating_sub(PACKET)).step_by(PACKET) {
        if rng.random_bool(f64::from(share)) {
            for i in at..at + PACKET {
                sound[i] = sound[i - PACKET] / 2;
            }
        }
    }
}
