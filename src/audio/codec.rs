//! Codecs: G.711 and Opus (RFC 7587), to and from frames of 20 ms. Owns the codecs' state and concealment; knows nothing of
//! packets' order.
//!
//! A payload may hold other than 20 ms, so a decoder has a small queue of samples: payloads go in, frames come out.

use super::conceal::Concealer;
use super::{AudioError, Frame, Rate, g711};

/// What a leg may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Codec {
    /// G.711 μ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// Opus, at 16 kHz inside; needs the feature `webrtc`.
    Opus,
}

impl Codec {
    /// Encoding name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Opus => "opus",
        }
    }
    /// Payload type that RFC 3551 fixes; `None` where it is negotiated.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::Opus => None,
        }
    }
    /// Rate of RTP timestamps, Hz (Opus: always 48,000, RFC 7587, 4.1).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Opus => 48_000,
        }
    }
    /// Rate of its frames.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrow,
            Self::Opus => Rate::Wide,
        }
    }
    /// Longest payload that is taken, bytes: 60 ms of G.711; the most that a packet can hold for Opus.
    pub const fn max_payload(self) -> usize {
        match self {
            Self::Pcmu | Self::Pcma => 480,
            Self::Opus => 1_500,
        }
    }
    /// How long a payload plays, in units of [`Codec::clock_rate`]; `None` for one that cannot be right: empty, too long
    /// for [`Codec::max_payload`], or an Opus packet of more than 120 ms (RFC 6716, 3.1).
    pub fn duration(self, payload: &[u8]) -> Option<u32> {
        if payload.is_empty() || payload.len() > self.max_payload() {
            return None;
        }
        match self {
            Self::Pcmu | Self::Pcma => Some(payload.len() as u32),
            Self::Opus => opus_duration(payload),
        }
    }
}

/// From the TOC byte (RFC 6716, 3.1) and, for code 3, the frame count: samples at 48 kHz.
fn opus_duration(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let config = toc >> 3;
    let frame = match config {
        0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        12..=15 => [480, 960][usize::from(config & 1)],
        _ => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3F),
    };
    let duration = frame * count;
    (1..=5_760).contains(&duration).then_some(duration)
}

/// Longest payload plus one frame, at 16 kHz.
const QUEUE: usize = 1_920 + Rate::Wide.frame_len();

/// The codec cannot decode a payload. Carries nothing, so that a hostile sender cannot make the media tick allocate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the codec cannot decode this payload")]
pub struct BadPayload;

/// Payloads in, frames out.
#[derive(Debug)]
pub struct Decoder {
    codec: Codec,
    engine: Engine,
    queue: [i16; QUEUE],
    queued: usize,
}

#[derive(Debug)]
enum Engine {
    G711(Box<Concealer>),
    #[cfg(feature = "webrtc")]
    Opus(opus::Decoder),
}

impl Decoder {
    /// A decoder with no past. Allocates; the other methods do not.
    pub fn new(codec: Codec) -> Result<Self, AudioError> {
        let engine = match codec {
            Codec::Pcmu | Codec::Pcma => Engine::G711(Box::default()),
            #[cfg(feature = "webrtc")]
            Codec::Opus => {
                Engine::Opus(opus::Decoder::new(Rate::Wide.hz(), opus::Channels::Mono).map_err(|e| opus_error(&e))?)
            }
            #[cfg(not(feature = "webrtc"))]
            Codec::Opus => return Err(not_built()),
        };
        Ok(Self { codec, engine, queue: [0; QUEUE], queued: 0 })
    }

    /// Samples that wait to be taken.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Decodes one payload into the queue and returns its samples. What does not fit the queue (payloads that are never
    /// taken) pushes out the oldest.
    pub fn feed(&mut self, payload: &[u8]) -> Result<usize, BadPayload> {
        let duration = self.codec.duration(payload).ok_or(BadPayload)?;
        let decoded = match &mut self.engine {
            Engine::G711(concealer) => {
                let expand = if self.codec == Codec::Pcma { g711::a_decode } else { g711::mu_decode };
                let n = duration as usize;
                make_room(&mut self.queue, &mut self.queued, n);
                let fresh = &mut self.queue[self.queued..self.queued + n];
                for (to, &from) in fresh.iter_mut().zip(payload) {
                    *to = expand(from);
                }
                concealer.good(fresh);
                n
            }
            #[cfg(feature = "webrtc")]
            Engine::Opus(decoder) => {
                let n = (duration / (Codec::Opus.clock_rate() / Rate::Wide.hz())) as usize;
                make_room(&mut self.queue, &mut self.queued, n);
                decoder.decode(payload, &mut self.queue[self.queued..self.queued + n], false).map_err(|_| BadPayload)?
            }
        };
        self.queued += decoded;
        Ok(decoded)
    }

    /// Invents 20 ms for a payload that did not come: G.711 repeats the last pitch period and is silent after 60 ms, Opus
    /// has its own way.
    pub fn conceal(&mut self) {
        let n = self.codec.rate().frame_len();
        make_room(&mut self.queue, &mut self.queued, n);
        let fresh = &mut self.queue[self.queued..self.queued + n];
        match &mut self.engine {
            Engine::G711(concealer) => concealer.conceal(fresh),
            #[cfg(feature = "webrtc")]
            Engine::Opus(decoder) => {
                if decoder.decode(&[], fresh, false).is_err() {
                    fresh.fill(0);
                }
            }
        }
        self.queued += n;
    }

    /// Takes the oldest 20 ms, if they are there.
    pub fn take(&mut self) -> Option<Frame> {
        let n = self.codec.rate().frame_len();
        (self.queued >= n).then(|| {
            let frame = Frame::from_samples(self.codec.rate(), &self.queue[..n]);
            self.queue.copy_within(n..self.queued, 0);
            self.queued -= n;
            frame
        })
    }

    /// Decodes a payload of (usually) 20 ms into `frame`; silence if the queue does not hold a frame yet.
    pub fn decode(&mut self, payload: &[u8], frame: &mut Frame) -> Result<(), BadPayload> {
        self.feed(payload)?;
        *frame = self.take().unwrap_or(Frame::silence(self.codec.rate()));
        Ok(())
    }
}

/// Drops the oldest samples until `n` more fit. No payload is longer than the queue.
fn make_room(queue: &mut [i16; QUEUE], queued: &mut usize, n: usize) {
    let excess = (*queued + n).saturating_sub(QUEUE).min(*queued);
    queue.copy_within(excess..*queued, 0);
    *queued -= excess;
}

/// Frames in, payloads out.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    #[cfg(feature = "webrtc")]
    opus: Option<opus::Encoder>,
}

impl Encoder {
    /// An encoder; Opus at complexity 1 (a quarter of a per cent of a core a call), for voice, without FEC. Allocates;
    /// [`Encoder::encode`] does not.
    pub fn new(codec: Codec) -> Result<Self, AudioError> {
        #[cfg(feature = "webrtc")]
        {
            let opus = match codec {
                Codec::Opus => Some(opus_encoder().map_err(|e| opus_error(&e))?),
                Codec::Pcmu | Codec::Pcma => None,
            };
            Ok(Self { codec, opus })
        }
        #[cfg(not(feature = "webrtc"))]
        match codec {
            Codec::Opus => Err(not_built()),
            Codec::Pcmu | Codec::Pcma => Ok(Self { codec }),
        }
    }

    /// Encodes one frame of the codec's rate and returns the payload's length: 0 if the rate is another, if `out` is too
    /// short (160 bytes for G.711), or if the codec fails.
    pub fn encode(&mut self, frame: &Frame, out: &mut [u8]) -> usize {
        if frame.rate() != self.codec.rate() {
            return 0;
        }
        match self.codec {
            Codec::Pcmu => compress(frame, out, g711::mu_encode),
            Codec::Pcma => compress(frame, out, g711::a_encode),
            #[cfg(feature = "webrtc")]
            Codec::Opus => self.opus.as_mut().and_then(|e| e.encode(frame.samples(), out).ok()).unwrap_or(0),
            #[cfg(not(feature = "webrtc"))]
            Codec::Opus => 0,
        }
    }
}

fn compress(frame: &Frame, out: &mut [u8], law: fn(i16) -> u8) -> usize {
    let samples = frame.samples();
    let Some(out) = out.get_mut(..samples.len()) else { return 0 };
    for (to, &from) in out.iter_mut().zip(samples) {
        *to = law(from);
    }
    samples.len()
}

#[cfg(feature = "webrtc")]
fn opus_encoder() -> Result<opus::Encoder, opus::Error> {
    let mut encoder = opus::Encoder::new(Rate::Wide.hz(), opus::Channels::Mono, opus::Application::Voip)?;
    encoder.set_complexity(1)?;
    encoder.set_inband_fec(false)?;
    Ok(encoder)
}

#[cfg(feature = "webrtc")]
fn opus_error(error: &opus::Error) -> AudioError {
    AudioError::Codec { codec: Codec::Opus.name(), reason: error.to_string() }
}

#[cfg(not(feature = "webrtc"))]
fn not_built() -> AudioError {
    AudioError::Codec { codec: Codec::Opus.name(), reason: "built without the feature `webrtc`".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: Rate, from: usize) -> Frame {
        let mut frame = Frame::silence(rate);
        for (i, s) in frame.samples_mut().iter_mut().enumerate() {
            let phase = std::f32::consts::TAU * 440.0 * (from + i) as f32 / rate.hz() as f32;
            *s = (8_000.0 * phase.sin()) as i16;
        }
        frame
    }

    #[test]
    fn g711_goes_there_and_back() {
        for codec in [Codec::Pcmu, Codec::Pcma] {
            let mut encoder = Encoder::new(codec).expect("built in");
            let mut decoder = Decoder::new(codec).expect("built in");
            let mut payload = [0; 160];
            let frame = tone(Rate::Narrow, 0);
            assert_eq!(encoder.encode(&frame, &mut payload), 160);
            let mut back = Frame::silence(Rate::Narrow);
            decoder.decode(&payload, &mut back).expect("valid");
            for (a, b) in frame.samples().iter().zip(back.samples()) {
                assert!((i32::from(*a) - i32::from(*b)).abs() <= 260, "{a} became {b}");
            }
            assert_eq!(encoder.encode(&frame, &mut payload[..159]), 0, "a short buffer is refused");
            assert_eq!(encoder.encode(&tone(Rate::Wide, 0), &mut payload), 0, "another rate is refused");
        }
    }

    #[test]
    fn payloads_of_other_lengths_become_frames_of_20_ms() {
        let mut decoder = Decoder::new(Codec::Pcmu).expect("built in");
        let law: Vec<u8> = (0..960).map(|i| g711::mu_encode(i * 8)).collect();
        let mut heard = Vec::new();
        for length in [80, 240, 160, 480] {
            let at = heard.len() + decoder.queued();
            assert_eq!(decoder.feed(&law[at..at + length]).expect("valid"), length);
            while let Some(frame) = decoder.take() {
                heard.extend_from_slice(frame.samples());
            }
        }
        let expected: Vec<i16> = law.iter().map(|&c| g711::mu_decode(c)).collect();
        assert_eq!(heard, expected);
        assert!(decoder.feed(&[]).is_err() && decoder.feed(&[0; 481]).is_err());
    }

    #[test]
    fn a_queue_that_nobody_empties_keeps_the_newest() {
        let mut decoder = Decoder::new(Codec::Pcma).expect("built in");
        for i in 0..20u8 {
            decoder.feed(&[i; 480]).expect("valid");
        }
        assert!(decoder.queued() <= QUEUE);
        let mut last = None;
        while let Some(frame) = decoder.take() {
            last = Some(frame);
        }
        assert_eq!(last.map(|f| f.samples()[159]), Some(g711::a_decode(19)));
    }

    #[test]
    fn opus_durations_are_read_from_the_toc() {
        for (packet, expected) in [
            (&[0b0000_0000u8, 0][..], Some(480)), // SILK NB 10 ms
            (&[0b0001_1000, 0], Some(2_880)),     // SILK NB 60 ms
            (&[0b0000_1001, 0], Some(1_920)),     // two of 20 ms
            (&[0b1111_1000, 0], Some(960)),       // CELT FB 20 ms
            (&[0b1110_0011, 48], Some(5_760)),    // 48 of 2.5 ms
            (&[0b1110_0011, 49], None),
            (&[0b0001_1011, 3], None), // 3 of 60 ms
            (&[0b0001_1011, 0], None),
            (&[0b0001_1011], None),
            (&[], None),
        ] {
            assert_eq!(Codec::Opus.duration(packet), expected, "{packet:?}");
        }
    }

    #[cfg(feature = "webrtc")]
    #[test]
    fn opus_keeps_a_tone_and_conceals_its_loss() {
        let mut encoder = Encoder::new(Codec::Opus).expect("built in");
        let mut decoder = Decoder::new(Codec::Opus).expect("built in");
        let mut payload = [0; 1_500];
        let mut out = Frame::silence(Rate::Wide);
        for i in 0..25 {
            let n = encoder.encode(&tone(Rate::Wide, i * 320), &mut payload);
            assert!((10..400).contains(&n), "{n} bytes");
            decoder.decode(&payload[..n], &mut out).expect("own packet");
        }
        let level = crate::audio::level::dbov(&out);
        assert!((-18.0..-13.0).contains(&level), "{level} dBov");
        decoder.conceal();
        let concealed = crate::audio::level::dbov(&decoder.take().expect("a frame"));
        assert!(concealed > -25.0, "{concealed} dBov");
        assert!(decoder.feed(&[0b1110_0011, 49]).is_err());
    }

    #[cfg(feature = "webrtc")]
    #[test]
    fn opus_packets_of_10_to_60_ms_are_taken() {
        for (ms, samples) in [(10, 160), (40, 640), (60, 960)] {
            let mut encoder = opus_encoder().expect("built in");
            let mut decoder = Decoder::new(Codec::Opus).expect("built in");
            let mut payload = [0; 1_500];
            let n = encoder.encode(&vec![1_000; samples], &mut payload).expect("a legal length");
            assert_eq!(Codec::Opus.duration(&payload[..n]), Some(ms * 48));
            assert_eq!(decoder.feed(&payload[..n]).expect("own packet"), samples);
            assert_eq!(std::iter::from_fn(|| decoder.take()).count(), samples / 320);
        }
    }
}
