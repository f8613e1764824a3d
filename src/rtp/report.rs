//! RTCP (RFC 3550, 6): what was received is measured, reported, and the peer's reports are read. Owns the statistics and the
//! timer; sends nothing itself.
//!
//! The `rtcp` crate writes and reads report blocks and BYE. SDES is written here, since the crate pads its chunk with a
//! count where 6.5 wants null octets.

use std::time::{Duration, Instant};

use rtcp::goodbye::Goodbye;
use rtcp::receiver_report::ReceiverReport;
use rtcp::reception_report::ReceptionReport;
use rtcp::sender_report::SenderReport;
use webrtc_util::marshal::{Marshal, Unmarshal};

use super::sequence::{Sequence, Step};

/// Mean time between two reports (6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// Reports of this many packets at most are read; the rest of a datagram is left.
const MAX_PACKETS: usize = 32;
/// Longest CNAME, octets: what one SDES item holds.
const MAX_CNAME: usize = 255;

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const CNAME: u8 = 1;

/// Where a received packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// In the stream; its extended sequence number.
    Valid(u64),
    /// A new source, or the source started again: the stream begins anew with this extended number.
    Restarted(u64),
    /// Does not fit: ignored, unless the next one follows it.
    Suspect,
}

/// What was received from one source at a time (RFC 3550, A.1, A.3, A.8).
#[derive(Debug)]
pub struct Reception {
    clock_rate: u32,
    source: Option<Source>,
    /// The first packet of another source: it needs a second one to take over.
    candidate: Option<(u32, u16)>,
    /// Counts of sources that were replaced.
    past_received: u64,
    past_lost: u64,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    sequence: Sequence,
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    /// Arrival and timestamp of the last packet.
    last: (Instant, u32),
    /// In units of the clock.
    jitter: f64,
    /// Middle 32 bits of the last sender report's NTP time, and when it came.
    last_report: Option<(u32, Instant)>,
}

impl Source {
    fn new(now: Instant, ssrc: u32, sequence: Sequence, timestamp: u32) -> Self {
        Self {
            ssrc,
            sequence,
            received: 1,
            expected_prior: 0,
            received_prior: 0,
            last: (now, timestamp),
            jitter: 0.0,
            last_report: None,
        }
    }

    fn lost(&self) -> i64 {
        self.sequence.expected() as i64 - self.received as i64
    }
}

impl Reception {
    /// Nothing received; timestamps run at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, source: None, candidate: None, past_received: 0, past_lost: 0 }
    }

    /// Judges and counts a packet. A second source takes over with its second packet in order, so that one stray packet
    /// does not silence a call.
    pub fn receive(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Arrival {
        let Some(source) = self.source.as_mut().filter(|s| s.ssrc == ssrc) else {
            return self.meet(now, ssrc, sequence, timestamp);
        };
        self.candidate = None;
        match source.sequence.step(sequence) {
            Step::Valid(extended) => {
                source.received += 1;
                let spent = now.saturating_duration_since(source.last.0).as_secs_f64() * f64::from(self.clock_rate);
                let passed = f64::from(timestamp.wrapping_sub(source.last.1) as i32);
                source.last = (now, timestamp);
                // A jump of the timestamps is no jitter.
                let difference = (spent - passed).abs();
                if difference < f64::from(self.clock_rate) {
                    source.jitter += (difference - source.jitter) / 16.0;
                }
                Arrival::Valid(extended)
            }
            Step::Suspect => Arrival::Suspect,
            Step::Restarted(extended) => {
                let fresh = source.sequence;
                self.replace(Source::new(now, ssrc, fresh, timestamp));
                Arrival::Restarted(extended)
            }
        }
    }

    fn meet(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Arrival {
        if self.source.is_some() && self.candidate != Some((ssrc, sequence)) {
            self.candidate = Some((ssrc, sequence.wrapping_add(1)));
            return Arrival::Suspect;
        }
        let fresh = Sequence::new(sequence);
        self.replace(Source::new(now, ssrc, fresh, timestamp));
        Arrival::Restarted(fresh.highest())
    }

    fn replace(&mut self, source: Source) {
        self.candidate = None;
        if let Some(old) = self.source.replace(source) {
            self.past_received += old.received;
            // The counts of an interrupted run may be off by what was overtaken.
            let expected = old.sequence.expected();
            self.past_lost += expected.saturating_sub(old.received);
        }
    }

    /// Another codec: timestamps run at another rate from now on.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        if self.clock_rate != clock_rate {
            self.clock_rate = clock_rate;
            if let Some(source) = &mut self.source {
                source.jitter = 0.0;
            }
        }
    }

    /// The source that is heard.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|s| s.ssrc)
    }

    /// Packets received, all sources together.
    pub fn received(&self) -> u64 {
        self.past_received + self.source.as_ref().map_or(0, |s| s.received)
    }

    /// Packets lost, all sources together (duplicates make it smaller, 6.4.1; never below 0 here).
    pub fn lost(&self) -> u64 {
        self.past_lost + self.source.as_ref().map_or(0, |s| s.lost().max(0) as u64)
    }

    /// Interarrival jitter in ms (6.4.1).
    pub fn jitter_ms(&self) -> f32 {
        self.source.as_ref().map_or(0.0, |s| (s.jitter * 1000.0 / f64::from(self.clock_rate)) as f32)
    }

    /// A sender report came: its NTP time comes back to its sender in our next report.
    fn sender_report(&mut self, now: Instant, ssrc: u32, ntp: u64) {
        if let Some(source) = self.source.as_mut().filter(|s| s.ssrc == ssrc) {
            source.last_report = Some(((ntp >> 16) as u32, now));
        }
    }

    /// The block for our next report, and the beginning of the next interval (A.3).
    fn block(&mut self, now: Instant) -> Option<ReceptionReport> {
        let source = self.source.as_mut()?;
        let expected = source.sequence.expected() - source.expected_prior;
        let received = source.received - source.received_prior;
        source.expected_prior = source.sequence.expected();
        source.received_prior = source.received;
        let lost = expected.saturating_sub(received);
        let (last_sender_report, delay) = match source.last_report {
            Some((ntp, came)) => (ntp, (now.saturating_duration_since(came).as_secs_f64() * 65_536.0) as u32),
            None => (0, 0),
        };
        Some(ReceptionReport {
            ssrc: source.ssrc,
            fraction_lost: (lost * 256).checked_div(expected).unwrap_or(0).min(255) as u8,
            // 24 bits, signed.
            total_lost: source.lost().clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF,
            last_sequence_number: source.sequence.highest_for_report(),
            jitter: source.jitter as u32,
            last_sender_report,
            delay,
        })
    }
}

/// What was sent, for sender reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets.
    pub packets: u64,
    /// Octets of payload.
    pub octets: u64,
    /// The RTP timestamp that stands for now.
    pub timestamp: u32,
    /// Whether anything was sent since the last two reports: then it is a sender report (6.4).
    pub recently: bool,
}

/// What the peer says in a datagram.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PeerReport {
    /// Of our packets, the part that got lost since its last report, 0..1.
    pub fraction_lost: Option<f32>,
    /// Of our packets, the jitter as it arrives there, units of the clock.
    pub jitter: Option<u32>,
    /// To the peer and back (LSR and DLSR).
    pub round_trip: Option<Duration>,
    /// Its source has left.
    pub bye: bool,
}

/// Why an RTCP datagram is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadReport {
    /// Shorter than its own length says, or empty.
    #[error("too short")]
    Short,
    /// Not version 2.
    #[error("not RTCP version 2")]
    Version,
    /// Does not begin with a report (A.2).
    #[error("does not begin with a report")]
    NotCompound,
}

/// Writes our reports when they are due, and reads the peer's.
#[derive(Debug)]
pub struct Reporter {
    ssrc: u32,
    cname: Box<[u8]>,
    epoch: Instant,
    next: Instant,
    random: u64,
}

impl Reporter {
    /// For our source; `cname` is cut to 255 octets. Its first report comes after half an interval (6.2), and the seed of
    /// the intervals is the SSRC.
    pub fn new(ssrc: u32, cname: &str, now: Instant) -> Self {
        let cname = cname.as_bytes();
        let cname = cname[..cname.len().min(MAX_CNAME)].into();
        let mut reporter = Self { ssrc, cname, epoch: now, next: now, random: u64::from(ssrc) };
        reporter.next = now + reporter.interval() / 2;
        reporter
    }

    /// When the next report is due.
    pub fn deadline(&self) -> Instant {
        self.next
    }

    /// Writes a compound packet if one is due: SR or RR, and SDES. 0 if `out` is too short (120 octets and the CNAME do).
    pub fn report(&mut self, now: Instant, sent: &Sent, reception: &mut Reception, out: &mut [u8]) -> Option<usize> {
        if now < self.next {
            return None;
        }
        self.next = now + self.interval();
        Some(self.write(now, sent, reception, None, out).unwrap_or(0))
    }

    /// Writes the last report, with BYE (6.6).
    pub fn goodbye(&mut self, now: Instant, sent: &Sent, reception: &mut Reception, out: &mut [u8]) -> usize {
        let bye = Goodbye { sources: vec![self.ssrc], reason: Default::default() };
        self.write(now, sent, reception, Some(&bye), out).unwrap_or(0)
    }

    fn write(
        &self,
        now: Instant,
        sent: &Sent,
        reception: &mut Reception,
        bye: Option<&Goodbye>,
        out: &mut [u8],
    ) -> Option<usize> {
        let reports: Vec<ReceptionReport> = reception.block(now).into_iter().collect();
        let mut at = if sent.recently {
            let report = SenderReport {
                ssrc: self.ssrc,
                ntp_time: self.ntp(now),
                rtp_time: sent.timestamp,
                packet_count: sent.packets as u32,
                octet_count: sent.octets as u32,
                reports,
                ..SenderReport::default()
            };
            report.marshal_to(out).ok()?
        } else {
            ReceiverReport { ssrc: self.ssrc, reports, ..ReceiverReport::default() }.marshal_to(out).ok()?
        };
        at += self.write_sdes(out.get_mut(at..)?)?;
        if let Some(bye) = bye {
            at += bye.marshal_to(out.get_mut(at..)?).ok()?;
        }
        Some(at)
    }

    /// One chunk with our CNAME (6.5), ended and padded with null octets.
    fn write_sdes(&self, out: &mut [u8]) -> Option<usize> {
        let length = (4 + 4 + 2 + self.cname.len() + 1).next_multiple_of(4);
        let out = out.get_mut(..length)?;
        out.fill(0);
        out[0] = 0x81;
        out[1] = SDES;
        out[2..4].copy_from_slice(&((length / 4 - 1) as u16).to_be_bytes());
        out[4..8].copy_from_slice(&self.ssrc.to_be_bytes());
        out[8] = CNAME;
        out[9] = self.cname.len() as u8;
        out[10..10 + self.cname.len()].copy_from_slice(&self.cname);
        Some(length)
    }

    /// Reads a compound packet. What it does not know it skips; what is cut short ends it.
    pub fn receive(&self, now: Instant, datagram: &[u8], reception: &mut Reception) -> Result<PeerReport, BadReport> {
        let mut report = PeerReport::default();
        let mut rest = datagram;
        for number in 0..MAX_PACKETS {
            if rest.is_empty() && number > 0 {
                break;
            }
            let (kind, packet) = next_packet(&mut rest)?;
            if number == 0 && kind != SR && kind != RR {
                return Err(BadReport::NotCompound);
            }
            self.read(now, kind, packet, reception, &mut report);
        }
        Ok(report)
    }

    fn read(&self, now: Instant, kind: u8, mut packet: &[u8], reception: &mut Reception, into: &mut PeerReport) {
        match kind {
            SR => {
                if let Ok(sr) = SenderReport::unmarshal(&mut packet) {
                    reception.sender_report(now, sr.ssrc, sr.ntp_time);
                    self.read_blocks(now, &sr.reports, into);
                }
            }
            RR => {
                if let Ok(rr) = ReceiverReport::unmarshal(&mut packet) {
                    self.read_blocks(now, &rr.reports, into);
                }
            }
            BYE => {
                if let Ok(bye) = Goodbye::unmarshal(&mut packet) {
                    into.bye |= reception.ssrc().is_some_and(|ssrc| bye.sources.contains(&ssrc));
                }
            }
            _ => {}
        }
    }

    fn read_blocks(&self, now: Instant, blocks: &[ReceptionReport], into: &mut PeerReport) {
        let Some(block) = blocks.iter().find(|block| block.ssrc == self.ssrc) else { return };
        into.fraction_lost = Some(f32::from(block.fraction_lost) / 256.0);
        into.jitter = Some(block.jitter);
        if block.last_sender_report != 0 {
            let now = (self.ntp(now) >> 16) as u32;
            let units = now.wrapping_sub(block.last_sender_report).wrapping_sub(block.delay) as i32;
            // A peer with a coarse clock may come out a little below nothing; beyond a minute it is nonsense.
            if units < 60 * 65_536 {
                into.round_trip = Some(Duration::from_secs_f64(f64::from(units.max(0)) / 65_536.0));
            }
        }
    }

    /// NTP format of the time since this reporter began: 6.4.1 allows a clock of one's own when no wall clock is at hand.
    /// It begins at one second, so that no report looks as if it had no time.
    fn ntp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch) + Duration::from_secs(1);
        (since.as_secs() << 32) | ((u64::from(since.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// Half to one and a half of the mean, so that parties do not report in step (6.2).
    fn interval(&mut self) -> Duration {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        INTERVAL.mul_f64(0.5 + unit)
    }
}

/// Cuts the first packet off a compound one: its type and its octets.
fn next_packet<'a>(rest: &mut &'a [u8]) -> Result<(u8, &'a [u8]), BadReport> {
    let &[first, kind, high, low, ..] = *rest else { return Err(BadReport::Short) };
    if first >> 6 != 2 {
        return Err(BadReport::Version);
    }
    let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
    let (packet, later) = rest.split_at_checked(length).ok_or(BadReport::Short)?;
    *rest = later;
    Ok((kind, packet))
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
