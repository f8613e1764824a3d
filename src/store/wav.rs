//! A 16-bit WAV of one or two channels that is valid at every moment: the header never promises more than has been written.

use std::io::{self, Seek, SeekFrom, Write};

/// Bytes of the header: RIFF, `fmt ` and the head of `data`.
const HEADER: u32 = 44;
/// Gathered before a write, bytes: a quarter of a second at 16 kHz.
const BUFFER: usize = 16 * 1024;
/// What the size fields of RIFF can say.
const MOST_BYTES: u64 = (u32::MAX - HEADER) as u64 / 4 * 4;

/// Writes interleaved samples to `out`.
pub(super) struct Wav<W: Write + Seek> {
    out: W,
    rate_hz: u32,
    channels: u16,
    buffer: Vec<u8>,
    /// Bytes of samples that `out` has taken.
    written: u64,
}

impl<W: Write + Seek> Wav<W> {
    /// Writes the header of an empty file.
    pub(super) fn new(out: W, rate_hz: u32, channels: u16) -> io::Result<Self> {
        let mut wav = Self { out, rate_hz, channels, buffer: Vec::with_capacity(BUFFER), written: 0 };
        wav.write_header()?;
        wav.out.seek(SeekFrom::Start(u64::from(HEADER)))?;
        Ok(wav)
    }

    /// Bytes of one sample of all channels.
    fn frame_bytes(&self) -> u16 {
        self.channels * 2
    }

    /// Samples of each channel so far, those in the buffer included.
    pub(super) fn position(&self) -> u64 {
        (self.written + self.buffer.len() as u64) / u64::from(self.frame_bytes())
    }

    /// Appends interleaved samples: a whole number of each channel.
    pub(super) fn push(&mut self, interleaved: &[i16]) -> io::Result<()> {
        for sample in interleaved {
            self.buffer.extend_from_slice(&sample.to_le_bytes());
        }
        if self.buffer.len() >= BUFFER { self.write_out() } else { Ok(()) }
    }

    /// Appends silence up to sample `position`.
    pub(super) fn silence_until(&mut self, position: u64) -> io::Result<()> {
        const STEP: [i16; 1024] = [0; 1024];
        while self.position() < position {
            let missing = (position - self.position()).saturating_mul(u64::from(self.channels));
            self.push(&STEP[..usize::try_from(missing).unwrap_or(usize::MAX).min(STEP.len())])?;
        }
        Ok(())
    }

    /// Writes what is buffered, then says so in the header.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        self.write_out()?;
        self.write_header()?;
        self.out.seek(SeekFrom::Start(u64::from(HEADER) + self.written))?;
        Ok(())
    }

    /// Gives up after an error: drops what is buffered and brings the header in line with what was written, as far as
    /// the file lets it (overwriting needs no room on the disk).
    pub(super) fn abandon(mut self) {
        self.buffer.clear();
        let _ = self.write_header().and_then(|()| self.out.flush());
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.written + self.buffer.len() as u64 > MOST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a WAV file holds no more than 4 GiB"));
        }
        self.out.write_all(&self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// RIFF/WAVE with PCM (format tag 1); leaves the position behind the header.
    fn write_header(&mut self) -> io::Result<()> {
        // `write_out` keeps it below 4 GiB.
        let data = u32::try_from(self.written).unwrap_or(u32::MAX - HEADER);
        let mut header = Vec::with_capacity(HEADER as usize);
        header.extend_from_slice(b"RIFF");
        header.extend_from_slice(&(data + HEADER - 8).to_le_bytes());
        header.extend_from_slice(b"WAVEfmt ");
        header.extend_from_slice(&16u32.to_le_bytes());
        header.extend_from_slice(&1u16.to_le_bytes());
        header.extend_from_slice(&self.channels.to_le_bytes());
        header.extend_from_slice(&self.rate_hz.to_le_bytes());
        header.extend_from_slice(&(self.rate_hz.saturating_mul(u32::from(self.frame_bytes()))).to_le_bytes());
        header.extend_from_slice(&self.frame_bytes().to_le_bytes());
        header.extend_from_slice(&16u16.to_le_bytes());
        header.extend_from_slice(b"data");
        header.extend_from_slice(&data.to_le_bytes());
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&header)
    }
}
