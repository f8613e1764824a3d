//! Sound files in memory: WAV, FLAC, MP3 and OGG Vorbis in (symphonia), WAV out (hound). Opens no file itself.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::{AudioError, resample};

/// Broken packets in a row after which a file is called damaged.
const BROKEN_PACKETS: u32 = 8;

/// What a file decodes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Mono samples: channels are averaged.
    pub samples: Vec<i16>,
    /// Hz.
    pub rate_hz: u32,
}

/// Decodes a whole file held in memory into mono at `rate_hz`, at most `limit_s` seconds of it.
pub fn decode(bytes: &[u8], rate_hz: u32, limit_s: u32) -> Result<Vec<i16>, AudioError> {
    let sound = decode_native(bytes, limit_s)?;
    resample(&sound.samples, sound.rate_hz, rate_hz)
}

/// The same from a reader, which a driver has opened.
pub fn decode_reader<R>(reader: R, rate_hz: u32, limit_s: u32) -> Result<Vec<i16>, AudioError>
where
    R: Read + Seek + Send + Sync,
{
    let source = Source::new(reader)?;
    let sound = guarded(|| decode_source(Box::new(source), limit_s))?;
    resample(&sound.samples, sound.rate_hz, rate_hz)
}

/// Decodes a file held in memory into mono at its own rate.
pub fn decode_native(bytes: &[u8], limit_s: u32) -> Result<Sound, AudioError> {
    guarded(|| decode_source(Box::new(Cursor::new(bytes)), limit_s))
}

/// Some broken headers overflow in the readers' arithmetic (a WAV of 60,000 channels in symphonia 0.6.1); that is the
/// file's fault and must not take a server down. Nothing of the reader survives, so its state does not matter.
fn guarded(work: impl FnOnce() -> Result<Sound, AudioError>) -> Result<Sound, AudioError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(AudioError::Damaged("its header makes no sense".into())))
}

fn decode_source<'s>(source: Box<dyn MediaSource + 's>, limit_s: u32) -> Result<Sound, AudioError> {
    let stream = MediaSourceStream::new(source, Default::default());
    let mut format = symphonia::default::get_probe()
        .probe(&Hint::new(), stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|e| match e {
            Error::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                AudioError::Unsupported("it ends before its format can be told".into())
            }
            e => AudioError::Unsupported(e.to_string()),
        })?;
    let track = format.default_track(TrackType::Audio).ok_or(AudioError::Empty)?;
    let (id, promised) = (track.id, track.num_frames);
    let params = track.codec_params.as_ref().and_then(|p| p.audio()).ok_or(AudioError::Empty)?;
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|e| AudioError::Unsupported(e.to_string()))?;
    let sound = decode_packets(format.as_mut(), decoder.as_mut(), id, limit_s)?;
    if let Some(promised) = promised
        && (sound.samples.len() as u64) < promised
    {
        return Err(AudioError::Truncated { decoded: sound.samples.len() as u64, promised });
    }
    if sound.samples.is_empty() { Err(AudioError::Empty) } else { Ok(sound) }
}

fn decode_packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    track: u32,
    limit_s: u32,
) -> Result<Sound, AudioError> {
    let mut sound = Sound { samples: Vec::new(), rate_hz: 0 };
    let mut interleaved = Vec::new();
    let mut broken = 0;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) | Err(Error::ResetRequired) => return Ok(sound),
            // The end of a file that was cut: what its header promised decides whether that is an error.
            Err(Error::IoError(e)) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(sound),
            Err(e) => return Err(AudioError::Damaged(e.to_string())),
        };
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                broken = 0;
                append(&mut sound, &buffer, &mut interleaved)?;
            }
            Err(Error::DecodeError(reason)) => {
                broken += 1;
                if broken == BROKEN_PACKETS {
                    return Err(AudioError::Damaged(reason.into()));
                }
            }
            Err(e) => return Err(AudioError::Damaged(e.to_string())),
        }
        if sound.samples.len() as u64 > u64::from(limit_s) * u64::from(sound.rate_hz) {
            return Err(AudioError::TooLong { limit_s });
        }
    }
}

/// Averages a buffer's channels onto the end of `sound`.
fn append(sound: &mut Sound, buffer: &GenericAudioBufferRef<'_>, interleaved: &mut Vec<i16>) -> Result<(), AudioError> {
    let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
    if channels == 0 || rate == 0 {
        return Err(AudioError::Empty);
    }
    if sound.rate_hz != 0 && sound.rate_hz != rate {
        return Err(AudioError::Damaged("its sample rate changes on the way".into()));
    }
    sound.rate_hz = rate;
    buffer.copy_to_vec_interleaved(interleaved);
    let mean = |frame: &[i16]| (frame.iter().map(|&s| i32::from(s)).sum::<i32>() / channels as i32) as i16;
    sound.samples.extend(interleaved.chunks_exact(channels).map(mean));
    Ok(())
}

/// Any seekable reader for symphonia.
struct Source<R> {
    inner: R,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    fn new(mut inner: R) -> Result<Self, AudioError> {
        let damaged = |e: std::io::Error| AudioError::Damaged(e.to_string());
        let length = inner.seek(SeekFrom::End(0)).map_err(damaged)?;
        inner.seek(SeekFrom::Start(0)).map_err(damaged)?;
        Ok(Self { inner, length })
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(buf)
    }
}

impl<R: Seek> Seek for Source<R> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

impl<R: Read + Seek + Send + Sync> MediaSource for Source<R> {
    fn is_seekable(&self) -> bool {
        true
    }
    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// A WAV file being written, 16-bit PCM; the header is completed by [`WavWriter::finish`].
pub struct WavWriter<W: Write + Seek> {
    inner: hound::WavWriter<W>,
}

impl<W: Write + Seek> WavWriter<W> {
    /// Writes the header.
    pub fn new(to: W, channels: u16, rate_hz: u32) -> Result<Self, AudioError> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate_hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        Ok(Self { inner: hound::WavWriter::new(to, spec).map_err(|e| write_error(&e))? })
    }

    /// Appends samples, interleaved if there are more channels than one.
    pub fn write(&mut self, samples: &[i16]) -> Result<(), AudioError> {
        samples.iter().try_for_each(|&s| self.inner.write_sample(s)).map_err(|e| write_error(&e))
    }

    /// Brings the header up to date with what was written, so that a crash loses nothing before this.
    pub fn flush(&mut self) -> Result<(), AudioError> {
        self.inner.flush().map_err(|e| write_error(&e))
    }

    /// Completes the file.
    pub fn finish(self) -> Result<(), AudioError> {
        self.inner.finalize().map_err(|e| write_error(&e))
    }
}

/// A whole WAV file in memory.
pub fn wav(samples: &[i16], channels: u16, rate_hz: u32) -> Result<Vec<u8>, AudioError> {
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, channels, rate_hz)?;
    writer.write(samples)?;
    writer.finish()?;
    Ok(bytes.into_inner())
}

fn write_error(error: &hound::Error) -> AudioError {
    AudioError::Write(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(n: usize) -> Vec<i16> {
        (0..n).map(|i| (8_000.0 * (std::f32::consts::TAU * 440.0 * i as f32 / 8_000.0).sin()) as i16).collect()
    }

    #[test]
    fn wav_goes_there_and_back() {
        let samples = tone(4_000);
        let bytes = wav(&samples, 1, 8_000).expect("writes");
        assert_eq!(decode(&bytes, 8_000, 10).expect("reads"), samples);
        assert_eq!(decode_reader(Cursor::new(bytes.clone()), 8_000, 10).expect("reads"), samples);
        assert_eq!(decode(&bytes, 16_000, 10).expect("reads").len(), 8_000);
        assert_eq!(decode_native(&bytes, 10).expect("reads").rate_hz, 8_000);
    }

    #[test]
    fn stereo_is_averaged() {
        let bytes = wav(&[100, 300].repeat(500), 2, 8_000).expect("writes");
        assert_eq!(decode(&bytes, 8_000, 1).expect("reads"), [200; 500]);
    }

    #[test]
    fn bad_files_are_told_apart() {
        let good = wav(&tone(8_000), 1, 8_000).expect("writes");
        assert!(matches!(decode(&good[..9_000], 8_000, 10), Err(AudioError::Truncated { promised: 8_000, .. })));
        assert!(matches!(decode(&good, 8_000, 0), Err(AudioError::TooLong { limit_s: 0 })));
        assert!(matches!(decode(&wav(&[], 1, 8_000).expect("writes"), 8_000, 10), Err(AudioError::Empty)));
        assert!(matches!(decode(b"", 8_000, 10), Err(AudioError::Unsupported(_))));
        assert!(matches!(decode(&[7; 5_000], 8_000, 10), Err(AudioError::Unsupported(_))));
        for cut in 0..60 {
            assert!(decode(&good[..cut], 8_000, 10).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn mutated_files_never_panic() {
        let good = wav(&tone(800), 1, 8_000).expect("writes");
        let mut seed = 0x9E37_79B9_u32;
        for _ in 0..2_000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 8) as usize % 64;
                bytes[at] = (seed >> 24) as u8;
            }
            // Either answer is right; the process must live.
            let _ = decode(&bytes, 8_000, 10);
        }
    }
}
