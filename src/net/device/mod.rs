//! The sound card: a microphone and a loudspeaker as 20 ms of 8 kHz, by cpal.
//!
//! ```text
//! card ─▶ callback: mono, to 8 kHz ─▶ ring ─▶ Device::listen(20 ms)      at the caller's pace
//! card ◀─ callback: to all channels ◀─ ring ◀─ to the card's rate ◀─ Device::play(20 ms)
//! ```
//!
//! The card's clock is not ours. What it brings too much is dropped in the microphone's ring, and what it lacks is
//! silence; neither side ever waits. The callbacks neither allocate nor lock.

mod error;
mod ring;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfigRange};

use crate::audio::Resampler;
pub use error::DeviceError;
use ring::{Reader, Writer};

/// Rate at which sound is handed over, Hz.
pub const RATE_HZ: u32 = 8_000;
/// Samples handed over at a time: 20 ms.
pub const FRAME: usize = 160;
/// Waiting microphone samples beyond which the oldest are dropped, so that a fast card adds no delay: 120 ms.
const MOST_WAITING: usize = 6 * FRAME;
/// What then remains: 60 ms.
const KEPT_WAITING: usize = 3 * FRAME;
/// The loudspeaker starts, and starts again after it ran dry, with this much in hand: 60 ms.
const HEAD_START_MS: u32 = 60;
/// Most that may wait for the loudspeaker.
const LOUDSPEAKER_MS: u32 = 400;
/// Rates in order of preference; others that a card may have are rare, and each a multiple of 50 would do.
const RATES: [u32; 6] = [48_000, 16_000, 44_100, 8_000, 32_000, 96_000];

/// Which of a card's two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// What hears.
    Microphone,
    /// What sounds.
    Loudspeaker,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Loudspeaker => "loudspeaker",
        }
    }
}

/// A device that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Named {
    /// How to name it.
    pub name: String,
    /// What it is, in the system's words.
    pub description: String,
    /// Can be the microphone.
    pub microphone: bool,
    /// Can be the loudspeaker.
    pub loudspeaker: bool,
}

/// All devices that can be opened now.
pub fn list() -> Result<Vec<Named>, DeviceError> {
    let devices = host()?.devices().map_err(DeviceError::List)?;
    let named = devices.filter_map(|device| {
        let name = device.id().ok()?.id().to_owned();
        let description = device.description().map(|about| about.name().to_owned()).unwrap_or_default();
        let (microphone, loudspeaker) = (device.supports_input(), device.supports_output());
        (microphone || loudspeaker).then_some(Named { name, description, microphone, loudspeaker })
    });
    Ok(named.collect())
}

/// A microphone and a loudspeaker that are open; closed when dropped.
pub struct Device {
    microphone: Reader,
    loudspeaker: Writer,
    to_card: Resampler,
    card_hz: u32,
    shared: Arc<Shared>,
    _streams: [Stream; 2],
}

/// What the callbacks tell.
#[derive(Debug, Default)]
struct Shared {
    /// The card is gone, and its streams with it.
    gone: AtomicBool,
    /// Samples at our rate that found a ring full, or were too old.
    dropped: AtomicU64,
    /// Times that the loudspeaker ran dry.
    dry: AtomicU64,
}

/// What went wrong without ending it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Trouble {
    /// Sound that was dropped because the card's clock is faster than ours, ms.
    pub dropped_ms: u64,
    /// Times that the loudspeaker had nothing to play.
    pub dry: u64,
}

impl Device {
    /// Opens both ends; `None` is the system's own choice.
    pub fn open(microphone: Option<&str>, loudspeaker: Option<&str>) -> Result<Self, DeviceError> {
        let shared = Arc::new(Shared::default());
        let (to_us, microphone_ring) = ring::new(2 * MOST_WAITING);
        let host = host()?;
        let input = open_microphone(&find(&host, End::Microphone, microphone)?, to_us, &shared)
            .map_err(|error| if microphone.is_none() { none_at_all(error) } else { error })?;
        let (output, card_hz, loudspeaker) = open_loudspeaker(&find(&host, End::Loudspeaker, loudspeaker)?, &shared)
            .map_err(|error| if loudspeaker.is_none() { none_at_all(error) } else { error })?;
        let to_card = Resampler::new(RATE_HZ, card_hz)?;
        for (end, stream) in [(End::Microphone, &input), (End::Loudspeaker, &output)] {
            stream.play().map_err(|source| DeviceError::Open { end: end.name(), source })?;
        }
        Ok(Self { microphone: microphone_ring, loudspeaker, to_card, card_hz, shared, _streams: [input, output] })
    }

    /// The next 20 ms from the microphone, silence where it has not brought any yet.
    pub fn listen(&mut self, frame: &mut [i16; FRAME]) {
        let waiting = self.microphone.len();
        if waiting > MOST_WAITING {
            let skipped = self.microphone.skip(waiting - KEPT_WAITING);
            self.shared.dropped.fetch_add(skipped as u64, Ordering::Relaxed);
        }
        let got = self.microphone.pop(frame);
        frame[got..].fill(0);
    }

    /// Plays 20 ms on the loudspeaker, after what waits there.
    pub fn play(&mut self, frame: &[i16; FRAME]) {
        let (ring, shared, hz) = (&mut self.loudspeaker, &self.shared, u64::from(self.card_hz));
        self.to_card.push(frame, |block| {
            let lost = (block.len() - ring.push(block)) as u64;
            shared.dropped.fetch_add(lost * u64::from(RATE_HZ) / hz, Ordering::Relaxed);
        });
    }

    /// Whether the card was taken away.
    pub fn is_gone(&self) -> bool {
        self.shared.gone.load(Ordering::Relaxed)
    }

    /// What went wrong so far.
    pub fn trouble(&self) -> Trouble {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        Trouble { dropped_ms: dropped * 1_000 / u64::from(RATE_HZ), dry: self.shared.dry.load(Ordering::Relaxed) }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("trouble", &self.trouble()).finish_non_exhaustive()
    }
}

/// The system's way to its cards.
fn host() -> Result<cpal::Host, DeviceError> {
    // ALSA's library writes its own account of each attempt to standard error; what failed is said by our errors.
    #[cfg(target_os = "linux")]
    let _ = alsa::Output::local_error_handler();
    let way = cpal::available_hosts().into_iter().next().ok_or(DeviceError::NoWay)?;
    cpal::host_from_id(way).map_err(DeviceError::List)
}

/// A default that cannot be opened for want of a card is no default.
fn none_at_all(error: DeviceError) -> DeviceError {
    match error {
        DeviceError::Open { end, source } if source.kind() == cpal::ErrorKind::DeviceNotAvailable => {
            DeviceError::None { end }
        }
        other => other,
    }
}

/// The device of that name, or else the first whose description has it inside; the default without a name.
fn find(host: &cpal::Host, end: End, wanted: Option<&str>) -> Result<cpal::Device, DeviceError> {
    let Some(wanted) = wanted else {
        let device = match end {
            End::Microphone => host.default_input_device(),
            End::Loudspeaker => host.default_output_device(),
        };
        return device.ok_or(DeviceError::None { end: end.name() });
    };
    let devices: Vec<_> = host.devices().map_err(DeviceError::List)?.collect();
    let name = |device: &cpal::Device| device.id().map(|id| id.id().to_owned()).unwrap_or_default();
    let describes = |device: &cpal::Device| {
        let words = device.description().map(|about| about.name().to_lowercase()).unwrap_or_default();
        words.contains(&wanted.to_lowercase())
    };
    let exact = devices.iter().find(|device| name(device) == wanted);
    let found = exact.or_else(|| devices.iter().find(|device| describes(device)));
    found.cloned().ok_or_else(|| DeviceError::Unknown { end: end.name(), wanted: wanted.to_owned() })
}

fn open_microphone(device: &cpal::Device, ring: Writer, shared: &Arc<Shared>) -> Result<Stream, DeviceError> {
    let open = |source| DeviceError::Open { end: "microphone", source };
    let (config, format) =
        choose(device.supported_input_configs().map_err(open)?).ok_or(DeviceError::Unsuitable { end: "microphone" })?;
    match format {
        SampleFormat::I16 => microphone::<i16>(device, config, ring, shared),
        SampleFormat::I32 => microphone::<i32>(device, config, ring, shared),
        _ => microphone::<f32>(device, config, ring, shared),
    }
}

fn microphone<T: SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: Writer,
    shared: &Arc<Shared>,
) -> Result<Stream, DeviceError>
where
    i16: FromSample<T>,
{
    let mut to_us = Resampler::new(config.sample_rate, RATE_HZ)?;
    let channels = usize::from(config.channels);
    let counted = Arc::clone(shared);
    let heard = move |data: &[T], _: &cpal::InputCallbackInfo| {
        for frame in data.chunks_exact(channels) {
            let sum: i32 = frame.iter().map(|sample| i32::from(i16::from_sample(*sample))).sum();
            // The mean of samples is a sample.
            let mono = (sum / channels as i32) as i16;
            to_us.push(&[mono], |block| {
                let lost = block.len() - ring.push(block);
                counted.dropped.fetch_add(lost as u64, Ordering::Relaxed);
            });
        }
    };
    device
        .build_input_stream(config, heard, fails(End::Microphone, shared), None)
        .map_err(|source| DeviceError::Open { end: "microphone", source })
}

fn open_loudspeaker(device: &cpal::Device, shared: &Arc<Shared>) -> Result<(Stream, u32, Writer), DeviceError> {
    let open = |source| DeviceError::Open { end: "loudspeaker", source };
    let (config, format) = choose(device.supported_output_configs().map_err(open)?)
        .ok_or(DeviceError::Unsuitable { end: "loudspeaker" })?;
    let samples = |ms: u32| (config.sample_rate * ms / 1_000) as usize;
    let (writer, reader) = ring::new(samples(LOUDSPEAKER_MS));
    let drain = Drain { ring: reader, head_start: samples(HEAD_START_MS), playing: false, shared: Arc::clone(shared) };
    let stream = match format {
        SampleFormat::I16 => loudspeaker::<i16>(device, config, drain, shared),
        SampleFormat::I32 => loudspeaker::<i32>(device, config, drain, shared),
        _ => loudspeaker::<f32>(device, config, drain, shared),
    };
    Ok((stream.map_err(open)?, config.sample_rate, writer))
}

fn loudspeaker<T: SizedSample + FromSample<i16>>(
    device: &cpal::Device,
    config: StreamConfig,
    mut drain: Drain,
    shared: &Arc<Shared>,
) -> Result<Stream, cpal::Error> {
    let channels = usize::from(config.channels);
    let sounds = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
        drain.begin();
        for frame in data.chunks_mut(channels) {
            frame.fill(T::from_sample(drain.next()));
        }
    };
    device.build_output_stream(config, sounds, fails(End::Loudspeaker, shared), None)
}

/// The loudspeaker's end of its ring.
struct Drain {
    ring: Reader,
    head_start: usize,
    playing: bool,
    shared: Arc<Shared>,
}

impl Drain {
    /// Before each callback: starts when there is enough in hand.
    fn begin(&mut self) {
        self.playing |= self.ring.len() >= self.head_start;
    }

    fn next(&mut self) -> i16 {
        let mut sample = [0];
        if self.playing && self.ring.pop(&mut sample) == 0 {
            self.playing = false;
            self.shared.dry.fetch_add(1, Ordering::Relaxed);
        }
        sample[0]
    }
}

fn fails(end: End, shared: &Arc<Shared>) -> impl FnMut(cpal::Error) + Send + 'static {
    let shared = Arc::clone(shared);
    move |error| {
        use cpal::ErrorKind::{DeviceNotAvailable, StreamInvalidated};
        if matches!(error.kind(), DeviceNotAvailable | StreamInvalidated) {
            tracing::error!(%error, "the {} is gone", end.name());
            shared.gone.store(true, Ordering::Relaxed);
        } else {
            tracing::debug!(%error, "{}", end.name());
        }
    }
}

/// The configuration that costs least: a rate that we like, few channels, samples that we can convert.
fn choose(offered: impl Iterator<Item = SupportedStreamConfigRange>) -> Option<(StreamConfig, SampleFormat)> {
    let formats = [SampleFormat::I16, SampleFormat::F32, SampleFormat::I32];
    let rank = |range: &SupportedStreamConfigRange| {
        let format = formats.iter().position(|format| *format == range.sample_format())?;
        let rate = RATES.iter().position(|rate| range.contains_rate(*rate))?;
        (range.channels() > 0).then_some((rate, range.channels(), format))
    };
    let (best, (rate, ..)) =
        offered.filter_map(|range| rank(&range).map(|rank| (range, rank))).min_by_key(|(_, rank)| *rank)?;
    let chosen = best.with_sample_rate(RATES[rate]);
    Some((chosen.config(), chosen.sample_format()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::SupportedBufferSize;

    fn offer(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, SupportedBufferSize::Unknown, format)
    }

    #[test]
    fn the_cheapest_configuration_is_chosen_and_an_impossible_one_never() {
        let card = [
            offer(2, (44_100, 44_100), SampleFormat::F32),
            offer(8, (8_000, 192_000), SampleFormat::I16),
            offer(2, (8_000, 192_000), SampleFormat::I32),
            offer(2, (8_000, 192_000), SampleFormat::I16),
        ];
        let (config, format) = choose(card.into_iter()).expect("suitable");
        assert_eq!((config.channels, config.sample_rate, format), (2, 48_000, SampleFormat::I16));
        assert!(choose([offer(2, (11_025, 11_025), SampleFormat::I16)].into_iter()).is_none(), "no whole 20 ms");
        assert!(choose([offer(1, (8_000, 48_000), SampleFormat::F64)].into_iter()).is_none());
    }

    #[test]
    fn a_loudspeaker_that_ran_dry_waits_for_its_head_start() {
        let (mut writer, ring) = ring::new(1_000);
        let shared = Arc::new(Shared::default());
        let mut drain = Drain { ring, head_start: 4, playing: false, shared: Arc::clone(&shared) };
        let mut play = |count: usize| {
            drain.begin();
            (0..count).map(|_| drain.next()).collect::<Vec<_>>()
        };
        writer.push(&[1, 2, 3]);
        assert_eq!(play(2), [0, 0], "too little in hand");
        writer.push(&[4, 5]);
        assert_eq!(play(4), [1, 2, 3, 4]);
        assert_eq!(play(3), [5, 0, 0]);
        writer.push(&[6, 7]);
        assert_eq!(play(2), [0, 0]);
        writer.push(&[8, 9]);
        assert_eq!(play(4), [6, 7, 8, 9]);
        assert_eq!(shared.dry.load(Ordering::Relaxed), 1);
    }
}
