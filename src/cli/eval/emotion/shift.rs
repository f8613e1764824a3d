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
    /// The room, if it is heard.
    pub(super) room: Option<Room>,
    /// Tilt of microphone and line about 1 kHz, dB an octave.
    pub(super) tilt_db: f32,
    /// 300–3400 Hz as old lines have it.
    pub(super) band: bool,
    /// Level of the speech, dBFS RMS of what is no silence; `None`: as recorded.
    pub(super) to_dbfs: Option<f32>,
    /// Then this, dB.
    pub(super) gain_db: f32,
    /// Noise below the speech, dB, and its kind; `None` for none.
    pub(super) noise: Option<(f32, Noise)>,
    pub(super) a_law: bool,
    /// Share of packets lost, 0..1.
    pub(super) loss: f32,
}

/// A room, as a microphone at some distance hears it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    /// Time in which its sound falls by 60 dB, s.
    pub(super) seconds: f32,
    /// Direct sound over all reflections, dB.
    pub(super) direct_db: f32,
}

/// What a noise sounds like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noise {
    /// Falls towards high frequencies: ventilation, traffic.
    Dull,
    /// Flat: a bad line.
    Hiss,
    /// Mains and its harmonics.
    Hum,
    /// Dull, and swells as talk does.
    Murmur,
}

/// μ-law and nothing else.
pub(super) const PLAIN: Shift = Shift {
    speed: 1.0,
    room: None,
    tilt_db: 0.0,
    band: false,
    to_dbfs: None,
    gain_db: 0.0,
    noise: None,
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
    ("noise", Shift { to_dbfs: Some(-26.0), noise: Some((15.0, Noise::Dull)), ..PLAIN }),
    ("hiss", Shift { to_dbfs: Some(-26.0), noise: Some((15.0, Noise::Hiss)), ..PLAIN }),
    ("murmur", Shift { to_dbfs: Some(-26.0), noise: Some((15.0, Noise::Murmur)), ..PLAIN }),
    ("quiet_noisy", Shift { to_dbfs: Some(-44.0), noise: Some((22.0, Noise::Dull)), ..PLAIN }),
    ("alaw", Shift { a_law: true, ..PLAIN }),
    ("band", Shift { band: true, ..PLAIN }),
    ("room", Shift { room: Some(Room { seconds: 0.4, direct_db: 3.0 }), ..PLAIN }),
    ("far_room", Shift { room: Some(Room { seconds: 0.7, direct_db: -3.0 }), ..PLAIN }),
    ("dull_mic", Shift { tilt_db: -3.0, ..PLAIN }),
    ("sharp_mic", Shift { tilt_db: 3.0, ..PLAIN }),
    // Slower, lower, breathier, from the other side of the room.
    (
        "old",
        Shift {
            speed: 0.93,
            noise: Some((20.0, Noise::Hiss)),
            room: Some(Room { seconds: 0.3, direct_db: 6.0 }),
            ..PLAIN
        },
    ),
    ("deeper", Shift { speed: 0.88, ..PLAIN }),
    ("higher", Shift { speed: 1.14, ..PLAIN }),
];

/// The condition of this name.
#[cfg(test)]
pub(super) fn named(name: &str) -> Option<Shift> {
    CONDITIONS.iter().find(|(own, _)| *own == name).map(|(_, shift)| *shift)
}

impl Shift {
    /// A random one, for training.
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let mut or = |chance: f64, low: f32, high: f32, none: f32| {
            if rng.random_bool(chance) { rng.random_range(low..high) } else { none }
        };
        let (speed, tilt_db) = (or(0.6, 0.85, 1.18, 1.0), or(0.6, -4.0, 4.0, 0.0));
        let (seconds, direct_db) = (or(0.4, 0.15, 0.8, 0.0), or(1.0, -4.0, 10.0, 0.0));
        let (snr, level, loss) = (or(0.6, 10.0, 40.0, 0.0), or(1.0, -48.0, -10.0, 0.0), or(0.3, 0.0, 0.08, 0.0));
        let kinds = [Noise::Dull, Noise::Dull, Noise::Hiss, Noise::Hum, Noise::Murmur];
        Self {
            speed,
            room: (seconds > 0.0).then_some(Room { seconds, direct_db }),
            tilt_db,
            band: rng.random_bool(0.3),
            to_dbfs: Some(level),
            gain_db: 0.0,
            noise: (snr > 0.0).then(|| (snr, kinds[rng.random_range(0..kinds.len())])),
            a_law: rng.random_bool(0.3),
            loss,
        }
    }

    /// What is decoded at the other end, with some of the line before and after.
    pub(super) fn apply(&self, pcm: &[i16], seed: u64) -> Vec<i16> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut sound = vec![0.0; LEAD];
        sound.extend(resampled(pcm, self.speed));
        sound.resize(sound.len() + TAIL, 0.0);
        if let Some(room) = self.room {
            sound = reverberated(&sound, room, &mut rng);
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
        if let Some((snr, kind)) = self.noise {
            add_noise(&mut sound, kind, loudness + gain - snr, &mut rng);
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

/// A direct sound and a velvet-noise tail (sparse, random signs: M. Karjalainen & H. Järveläinen 2007) that falls by 60 dB
/// in the room's time, and is duller the later it comes.
fn reverberated(sound: &[f32], room: Room, rng: &mut StdRng) -> Vec<f32> {
    let taps: Vec<(usize, f32)> = (0..(room.seconds * 700.0) as usize)
        .map(|_| {
            let at: f32 = rng.random_range(0.003..room.seconds);
            let sign = if rng.random_bool(0.5) { 1.0 } else { -1.0 };
            ((at * 8_000.0) as usize, sign * 10f32.powf(-3.0 * at / room.seconds))
        })
        .collect();
    let power: f32 = taps.iter().map(|t| t.1 * t.1).sum();
    let scale = 10f32.powf(-room.direct_db / 20.0) / power.sqrt().max(1e-6);
    let mut tail = vec![0.0; sound.len()];
    for (delay, gain) in taps {
        for (to, from) in tail.iter_mut().skip(delay).zip(sound) {
            *to += from * gain * scale;
        }
    }
    // Walls and air take the high part: one pole at 2 kHz.
    let pole = (-std::f32::consts::TAU * 2_000.0 / 8_000.0).exp();
    let mut low = 0.0;
    sound
        .iter()
        .zip(tail)
        .map(|(direct, reflected)| {
            low += (1.0 - pole) * (reflected - low);
            direct + low
        })
        .collect()
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

/// Noise that is there all the time, at this level.
fn add_noise(sound: &mut [f32], kind: Noise, dbfs: f32, rng: &mut StdRng) {
    let (mut low, mut swell, mut towards) = (0.0f32, 0.5f32, 0.5f32);
    let noise: Vec<f32> = (0..sound.len())
        .map(|i| {
            let white: f32 = rng.random_range(-1.0..1.0);
            low += 0.2 * (white - low);
            let dull = low + 0.1 * white;
            match kind {
                Noise::Dull => dull,
                Noise::Hiss => white,
                Noise::Hum => {
                    let phase = std::f32::consts::TAU * 50.0 * i as f32 / 8_000.0;
                    [1.0, 3.0, 5.0, 9.0].iter().map(|n| (phase * n).sin() / n).sum::<f32>() + 0.2 * dull
                }
                Noise::Murmur => {
                    // Syllables: a new strength each 150 ms, reached within 30.
                    if i % 1_200 == 0 {
                        towards = rng.random_range(0.05..1.0);
                    }
                    swell += 0.004 * (towards - swell);
                    dull * swell
                }
            }
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
