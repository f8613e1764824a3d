//! What the telephone hears: packets laid out by timestamp, and when they were speech.

use std::time::{Duration, Instant};

use super::FRAME;
use super::turns::level;
use crate::audio::g711;
use crate::sip::MediaCodec;

/// A packet louder than this is speech, dBov.
pub(super) const SPEECH_DBOV: f32 = -45.0;
/// A packet of a prompt that is quieter is not heard any more, dBov.
pub(super) const HEARD_DBOV: f32 = -40.0;
/// Silence shorter than this is within speech.
const WITHIN: Duration = Duration::from_millis(300);
/// Longest call that is kept in memory, samples (one hour).
const LONGEST: usize = 8_000 * 3_600;

/// The sound of one packet.
pub(super) struct Audio {
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    pcm: [i16; 4 * FRAME],
    count: usize,
}

impl Audio {
    /// At 8 kHz.
    pub(super) fn samples(&self) -> &[i16] {
        &self.pcm[..self.count]
    }
}

/// Reads a packet; `None` unless it is sound of that codec.
pub(super) fn audio(codec: MediaCodec, packet: &[u8]) -> Option<Audio> {
    // RFC 3550, 5.1: fixed header; whatever this telephone's far end sends has no extensions.
    if packet.len() < 12 || packet[0] >> 6 != 2 {
        return None;
    }
    let expected = match codec {
        MediaCodec::Pcmu => 0,
        MediaCodec::Pcma => 8,
    };
    if packet[1] & 0x7f != expected {
        return None;
    }
    let word = |i: usize| u32::from_be_bytes([packet[i], packet[i + 1], packet[i + 2], packet[i + 3]]);
    let mut pcm = [0_i16; 4 * FRAME];
    let payload = &packet[12..];
    for (sample, byte) in pcm.iter_mut().zip(payload) {
        *sample = match codec {
            MediaCodec::Pcmu => g711::mu_decode(*byte),
            MediaCodec::Pcma => g711::a_decode(*byte),
        };
    }
    Some(Audio { timestamp: word(4), ssrc: word(8), count: payload.len().min(pcm.len()), pcm })
}

/// The receiving side.
pub(crate) struct Ear {
    codec: MediaCodec,
    heard: Vec<i16>,
    /// Timestamp of the first sample of `heard`, of the stream that is on now.
    origin: Option<(u32, u32, usize)>,
    last_packet: Option<Instant>,
    last_speech: Option<Instant>,
    speech_began: Option<Instant>,
    received: u64,
    worst_gap: Duration,
    gaps: u64,
    good_gaps: u64,
}

impl Ear {
    pub(crate) fn new(codec: MediaCodec) -> Self {
        Self {
            codec,
            heard: Vec::new(),
            origin: None,
            last_packet: None,
            last_speech: None,
            speech_began: None,
            received: 0,
            worst_gap: Duration::ZERO,
            gaps: 0,
            good_gaps: 0,
        }
    }

    /// Takes a packet and says how loud it is, dBov; `None` when it holds no sound for us. `ticks` is the telephone's own time, to which the sound is laid out.
    pub(crate) fn packet(&mut self, at: Instant, packet: &[u8], ticks: u64) -> Option<f32> {
        let audio = audio(self.codec, packet)?;
        self.pace(at);
        self.lay_out(audio.timestamp, audio.ssrc, audio.samples(), ticks);
        let loudness = level(audio.samples());
        if loudness > SPEECH_DBOV {
            if self.last_speech.is_none_or(|last| at - last > WITHIN) {
                self.speech_began = Some(at);
            }
            self.last_speech = Some(at);
        }
        Some(loudness)
    }

    fn pace(&mut self, at: Instant) {
        self.received += 1;
        if let Some(last) = self.last_packet.replace(at) {
            let gap = at - last;
            self.gaps += 1;
            self.good_gaps += u64::from((15..=25).contains(&(gap.as_millis() as u64)));
            self.worst_gap = self.worst_gap.max(gap);
        }
    }

    fn lay_out(&mut self, timestamp: u32, ssrc: u32, pcm: &[i16], ticks: u64) {
        let (origin, base) = match self.origin {
            Some((known, origin, base)) if known == ssrc => (origin, base),
            _ => {
                let base = ticks as usize * FRAME;
                self.origin = Some((ssrc, timestamp, base));
                (timestamp, base)
            }
        };
        let start = base + timestamp.wrapping_sub(origin) as usize;
        let end = start + pcm.len();
        if end > LONGEST {
            return;
        }
        if self.heard.len() < end {
            self.heard.resize(end, 0);
        }
        self.heard[start..end].copy_from_slice(pcm);
    }

    /// Whether the far end has spoken since `since`.
    pub(crate) fn spoke_since(&self, since: Instant) -> bool {
        self.last_speech.is_some_and(|last| last >= since)
    }

    /// How long the far end has been silent.
    pub(crate) fn silent_for(&self, at: Instant) -> Duration {
        self.last_speech.map_or(Duration::MAX, |last| at.saturating_duration_since(last))
    }

    /// How long the far end has been speaking.
    pub(crate) fn speaking_for(&self, at: Instant) -> Duration {
        match self.speech_began {
            Some(began) if self.silent_for(at) < WITHIN => at.saturating_duration_since(began),
            _ => Duration::ZERO,
        }
    }

    /// Packets, largest gap, share of gaps within 5 ms of 20 ms, and the sound.
    pub(crate) fn finish(self) -> (u64, Duration, f32, Vec<i16>) {
        let paced = if self.gaps == 0 { 0.0 } else { self.good_gaps as f32 / self.gaps as f32 };
        (self.received, self.worst_gap, paced, self.heard)
    }
}
