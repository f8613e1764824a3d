//! One party's media: packets in, frames out, and the reverse. Joins `rtp` and `audio`; owns no socket and no clock, and its
//! tick allocates nothing.
//!
//! ```text
//! receive ─▶ packet ─▶ telephone-event ─▶ digit
//!                 ├──▶ jitter buffer ─▶ decoder (conceals) ─▶ Tick::incoming
//!                 └──▶ ear (where one listens) ─▶ overheard
//! tick(play) ─▶ encoder ─▶ packet ─▶ out            receive_rtcp, rtcp: reports both ways
//! ```

use std::time::{Duration, Instant};

use super::ear::{Ear, Overheard};
use super::record::MediaStats;
use crate::audio::{AudioError, Codec, Decoder, Encoder, Frame, level};
use crate::rtp::event::{Digit, EventReceiver, EventSender};
use crate::rtp::jitter::{JitterBuffer, JitterCounters, Popped, Pushed};
use crate::rtp::packet::{BadPacket, HEADER, Packet, write_header};
use crate::rtp::report::{Arrival, BadReport, PeerReport, Reception, Reporter, Sent};

/// A buffer of this size holds any packet that a leg writes.
pub const MAX_PACKET: usize = 1_500;
/// Below this a frame is silence, in which the jitter buffer may change its delay unheard, dBov.
const QUIET_DBOV: f32 = -50.0;
/// Comfort noise (RFC 3389): a valid packet without audio.
const COMFORT_NOISE: u8 = 13;
/// Payloads decoded for one frame: eight of 2.5 ms.
const PAYLOADS_A_TICK: usize = 8;

/// What signalling has agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegMedia {
    /// The codec, both ways.
    pub codec: Codec,
    /// Its payload type, both ways.
    pub payload_type: u8,
    /// Payload type of telephone-events at the codec's clock rate, if agreed.
    pub event_payload_type: Option<u8>,
}

/// A leg at its start. The random values come from the driver.
#[derive(Debug, Clone)]
pub struct LegConfig {
    /// What signalling has agreed on.
    pub media: LegMedia,
    /// Our source.
    pub ssrc: u32,
    /// First sequence number (random, RFC 3550, 5.1).
    pub first_seq: u16,
    /// First timestamp (random).
    pub first_ts: u32,
    /// Canonical name in RTCP; holds nothing that names a person.
    pub cname: String,
}

/// What a datagram was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Audio, now in the jitter buffer.
    Audio,
    /// Part of a key press that is not over.
    Event,
    /// A key press is over.
    Digit(Digit),
    /// Nothing of use; counted.
    Ignored(Ignored),
}

/// Why a datagram was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// Not RTP.
    #[error("not RTP: {0}")]
    BadPacket(#[from] BadPacket),
    /// A payload type that was not agreed on.
    #[error("payload type {0} was not agreed on")]
    PayloadType(u8),
    /// A payload that the codec cannot hold.
    #[error("impossible payload")]
    BadPayload,
    /// Does not fit the stream; a second packet that follows it would take over.
    #[error("a stray packet of another stream")]
    Stray,
    /// Its time has passed.
    #[error("too late")]
    Late,
    /// It came before.
    #[error("a duplicate")]
    Duplicate,
    /// The leg is on hold.
    #[error("not receiving")]
    OnHold,
    /// Comfort noise: silence is played instead.
    #[error("comfort noise")]
    ComfortNoise,
}

/// Datagrams that were ignored, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LegCounters {
    /// Not RTP.
    pub bad_packets: u64,
    /// Unknown payload types.
    pub unknown_types: u64,
    /// Impossible payloads, and those the codec refused.
    pub bad_payloads: u64,
    /// Packets of other streams.
    pub stray: u64,
    /// Packets while on hold.
    pub on_hold: u64,
    /// RTCP that could not be read.
    pub bad_reports: u64,
    /// Frames to play that had another rate than the codec: not sent.
    pub wrong_rate: u64,
    /// Digits that could not be queued.
    pub digits_refused: u64,
    /// The jitter buffer's.
    pub jitter: JitterCounters,
}

/// What 20 ms brought.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// What the party says, at the codec's rate; silence if nothing came.
    pub incoming: Frame,
    /// When the packet arrived that it came from; `None` when none did.
    pub arrived: Option<Instant>,
    /// Part of it was invented.
    pub concealed: bool,
    /// Length of the packet now in `out`; 0 means that there is none.
    pub sent: usize,
    /// A key press that ended by time-out, or that came together with another.
    pub digit: Option<Digit>,
}

/// One party's media.
#[derive(Debug)]
pub struct MediaLeg {
    media: LegMedia,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Audio was not sent in the last tick: the next packet carries the marker (RFC 3551, 4.1).
    gap: bool,
    sending: bool,
    receiving: bool,
    encoder: Encoder,
    decoder: Decoder,
    jitter: JitterBuffer,
    ear: Option<Ear>,
    events_in: EventReceiver,
    events_out: EventSender,
    reception: Reception,
    reporter: Reporter,
    sent: Sent,
    /// Packets sent up to each of the last two reports.
    sent_at_reports: [u64; 2],
    peer: PeerReport,
    last_audio: Option<Instant>,
    concealed: u64,
    counters: LegCounters,
}

impl MediaLeg {
    /// A leg that sends and receives from its first tick on. Fails only if the codec is not built in.
    pub fn new(config: LegConfig, now: Instant) -> Result<Self, AudioError> {
        let codec = config.media.codec;
        Ok(Self {
            media: config.media,
            ssrc: config.ssrc,
            sequence: config.first_seq,
            timestamp: config.first_ts,
            gap: true,
            sending: true,
            receiving: true,
            encoder: Encoder::new(codec)?,
            decoder: Decoder::new(codec)?,
            jitter: JitterBuffer::new(codec.clock_rate(), codec.max_payload()),
            ear: None,
            events_in: EventReceiver::new(codec.clock_rate()),
            events_out: EventSender::new(codec.clock_rate()),
            reception: Reception::new(codec.clock_rate()),
            reporter: Reporter::new(config.ssrc, &config.cname, now),
            sent: Sent::default(),
            sent_at_reports: [0; 2],
            peer: PeerReport::default(),
            last_audio: None,
            concealed: 0,
            counters: LegCounters::default(),
        })
    }

    /// Has what comes in heard as it comes, besides being played evenly: [`MediaLeg::overheard`].
    pub fn listen(&mut self, now: Instant) -> Result<(), AudioError> {
        self.ear = Some(Ear::new(self.media.codec, now)?);
        Ok(())
    }

    /// The next 20 ms of what came in, in order and without the jitter buffer's wait. After each packet, and each tick.
    pub fn overheard(&mut self) -> Option<Overheard> {
        self.ear.as_mut()?.poll()
    }

    /// How long what is played waited in the jitter buffer: so far ahead of [`Tick::incoming`] is what was overheard.
    pub fn playout_delay(&self) -> Duration {
        self.jitter.playout_delay()
    }

    /// Takes a datagram from the RTP path.
    pub fn receive(&mut self, now: Instant, datagram: &[u8]) -> Received {
        self.accept(now, datagram).unwrap_or_else(|reason| {
            match reason {
                Ignored::BadPacket(_) => self.counters.bad_packets += 1,
                Ignored::PayloadType(_) => self.counters.unknown_types += 1,
                Ignored::BadPayload => self.counters.bad_payloads += 1,
                Ignored::Stray => self.counters.stray += 1,
                Ignored::OnHold => self.counters.on_hold += 1,
                // Counted by the jitter buffer, or nothing wrong.
                Ignored::Late | Ignored::Duplicate | Ignored::ComfortNoise => {}
            }
            Received::Ignored(reason)
        })
    }

    fn accept(&mut self, now: Instant, datagram: &[u8]) -> Result<Received, Ignored> {
        let packet = Packet::parse(datagram)?;
        let is_event = Some(packet.payload_type) == self.media.event_payload_type;
        let is_audio = !is_event && packet.payload_type == self.media.payload_type;
        if !is_event && !is_audio && packet.payload_type != COMFORT_NOISE {
            return Err(Ignored::PayloadType(packet.payload_type));
        }
        let duration = self.media.codec.duration(packet.payload);
        if is_audio && duration.is_none() {
            return Err(Ignored::BadPayload);
        }
        let sequence = match self.reception.receive(now, packet.ssrc, packet.sequence, packet.timestamp) {
            Arrival::Valid(sequence) => sequence,
            Arrival::Restarted(sequence) => {
                self.jitter.reset();
                if let Some(ear) = &mut self.ear {
                    ear.restart();
                }
                self.events_in = EventReceiver::new(self.media.codec.clock_rate());
                sequence
            }
            Arrival::Suspect => return Err(Ignored::Stray),
        };
        if !self.receiving {
            return Err(Ignored::OnHold);
        }
        if !is_audio {
            self.jitter.push_other(sequence);
        }
        if let Some(ear) = &mut self.ear {
            if is_audio { ear.audio(now, sequence, packet.payload) } else { ear.other(now, sequence) }
        }
        if is_event {
            return self.accept_event(now, &packet);
        }
        let Some(duration) = duration.filter(|_| is_audio) else { return Err(Ignored::ComfortNoise) };
        self.last_audio = Some(now);
        match self.jitter.push(now, sequence, packet.timestamp, duration, packet.payload) {
            Pushed::Queued | Pushed::Resynchronized => Ok(Received::Audio),
            Pushed::Late => Err(Ignored::Late),
            Pushed::Duplicate => Err(Ignored::Duplicate),
            Pushed::TooBig => Err(Ignored::BadPayload),
        }
    }

    fn accept_event(&mut self, now: Instant, packet: &Packet<'_>) -> Result<Received, Ignored> {
        if !self.events_in.receive(now, packet.timestamp, packet.marker, packet.payload) {
            return Err(Ignored::BadPayload);
        }
        Ok(self.events_in.poll(now).map_or(Received::Event, Received::Digit))
    }

    /// Takes a datagram from the RTCP path.
    pub fn receive_rtcp(&mut self, now: Instant, datagram: &[u8]) -> Result<PeerReport, BadReport> {
        let report = self.reporter.receive(now, datagram, &mut self.reception);
        match &report {
            Ok(report) => {
                self.peer = PeerReport {
                    fraction_lost: report.fraction_lost.or(self.peer.fraction_lost),
                    jitter: report.jitter.or(self.peer.jitter),
                    round_trip: report.round_trip.or(self.peer.round_trip),
                    bye: report.bye,
                }
            }
            Err(_) => self.counters.bad_reports += 1,
        }
        report
    }

    /// One tick of 20 ms: takes a frame from the party, and writes `play` for the party as a packet into `out`
    /// ([`MAX_PACKET`] is enough). A digit that is being sent takes the place of `play`.
    pub fn tick(&mut self, now: Instant, play: Option<&Frame>, out: &mut [u8]) -> Tick {
        let silence = Frame::silence(self.media.codec.rate());
        let (incoming, arrived, concealed) = if self.receiving { self.hear(now) } else { (silence, None, false) };
        if let Some(ear) = &mut self.ear {
            ear.tick(now);
        }
        let sent = self.speak(play, out);
        // Time passes whether or not something was sent.
        self.timestamp = self.timestamp.wrapping_add(self.media.codec.clock_rate() / 50);
        Tick { incoming, arrived, concealed, sent, digit: self.events_in.poll(now) }
    }

    fn hear(&mut self, now: Instant) -> (Frame, Option<Instant>, bool) {
        let rate = self.media.codec.rate();
        let mut concealed = false;
        for _ in 0..PAYLOADS_A_TICK {
            if self.decoder.queued() >= rate.frame_len() {
                break;
            }
            match self.jitter.pop(now) {
                Popped::Packet(payload) => {
                    if self.decoder.feed(payload).is_err() {
                        self.counters.bad_payloads += 1;
                        self.decoder.conceal();
                        concealed = true;
                    }
                }
                Popped::Lost => {
                    self.decoder.conceal();
                    concealed = true;
                }
                Popped::Empty => break,
            }
        }
        self.concealed += u64::from(concealed);
        let frame = self.decoder.take().unwrap_or(Frame::silence(rate));
        self.jitter.set_quiet(level::dbov(&frame) < QUIET_DBOV);
        (frame, self.jitter.arrived(), concealed)
    }

    fn speak(&mut self, play: Option<&Frame>, out: &mut [u8]) -> usize {
        if !self.sending {
            self.gap = true;
            return 0;
        }
        if let Some(payload_type) = self.media.event_payload_type
            && let Some(event) = self.events_out.next(self.timestamp)
        {
            self.gap = true;
            let Some(body) = out.get_mut(HEADER..HEADER + event.payload.len()) else { return 0 };
            body.copy_from_slice(&event.payload);
            let header = self.header(payload_type, event.marker, event.timestamp);
            return self.finish(header, event.payload.len(), out);
        }
        let Some(play) = play else {
            self.gap = true;
            return 0;
        };
        if play.rate() != self.media.codec.rate() {
            self.counters.wrong_rate += 1;
            self.gap = true;
            return 0;
        }
        let length = out.get_mut(HEADER..).map_or(0, |body| self.encoder.encode(play, body));
        if length == 0 {
            self.gap = true;
            return 0;
        }
        let marker = std::mem::take(&mut self.gap);
        let header = self.header(self.media.payload_type, marker, self.timestamp);
        self.finish(header, length, out)
    }

    fn header(&self, payload_type: u8, marker: bool, timestamp: u32) -> Packet<'static> {
        Packet { marker, payload_type, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload: &[] }
    }

    /// Puts the header before a payload that is in place, and counts the packet.
    fn finish(&mut self, header: Packet<'_>, payload: usize, out: &mut [u8]) -> usize {
        if !write_header(out, &header) {
            return 0;
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.packets += 1;
        self.sent.octets += payload as u64;
        HEADER + payload
    }

    /// Queues a digit for sending; `false` if telephone-events were not agreed on, it is no digit, or too many wait.
    pub fn send_digit(&mut self, digit: char) -> bool {
        let queued = self.media.event_payload_type.is_some() && self.events_out.push(digit);
        self.counters.digits_refused += u64::from(!queued);
        queued
    }

    /// Writes an RTCP report into `out` if one is due, and says how long it is.
    pub fn rtcp(&mut self, now: Instant, out: &mut [u8]) -> Option<usize> {
        let sent = self.sent_now();
        let length = self.reporter.report(now, &sent, &mut self.reception, out)?;
        self.sent_at_reports = [self.sent_at_reports[1], self.sent.packets];
        (length > 0).then_some(length)
    }

    /// Writes the last report, with BYE, and says how long it is (0 if `out` is too short).
    pub fn goodbye(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let sent = self.sent_now();
        self.reporter.goodbye(now, &sent, &mut self.reception, out)
    }

    fn sent_now(&self) -> Sent {
        Sent { timestamp: self.timestamp, recently: self.sent.packets > self.sent_at_reports[0], ..self.sent }
    }

    /// When [`MediaLeg::rtcp`] has something to send.
    pub fn rtcp_deadline(&self) -> Instant {
        self.reporter.deadline()
    }

    /// A re-INVITE agreed on something else. Another codec begins without a past; the same one goes on as it was.
    pub fn change(&mut self, media: LegMedia) -> Result<(), AudioError> {
        let codec = media.codec;
        if codec != self.media.codec {
            let (encoder, decoder) = (Encoder::new(codec)?, Decoder::new(codec)?);
            self.keep_counters();
            if let Some(ear) = &mut self.ear {
                ear.change(codec)?;
            }
            (self.encoder, self.decoder) = (encoder, decoder);
            self.jitter = JitterBuffer::new(codec.clock_rate(), codec.max_payload());
            self.events_in = EventReceiver::new(codec.clock_rate());
            self.events_out = EventSender::new(codec.clock_rate());
            self.reception.set_clock_rate(codec.clock_rate());
            self.gap = true;
        }
        self.media = media;
        Ok(())
    }

    /// Hold and resume: what is not received is silence, and what is not sent takes no sequence number.
    pub fn set_direction(&mut self, send: bool, recv: bool) {
        if recv != self.receiving {
            // What waited is old by the time it would be heard.
            self.jitter.reset();
            if let Some(ear) = &mut self.ear {
                ear.restart();
            }
            self.receiving = recv;
        }
        self.sending = send;
    }

    /// What signalling has agreed on.
    pub fn media(&self) -> LegMedia {
        self.media
    }

    /// Quality as received, for the record.
    pub fn stats(&self) -> MediaStats {
        MediaStats {
            received: self.reception.received(),
            sent: self.sent.packets,
            lost: self.reception.lost(),
            jitter_ms: self.reception.jitter_ms(),
            concealed: self.concealed,
        }
    }

    /// What was ignored, and what the jitter buffer did.
    pub fn counters(&self) -> LegCounters {
        let mut counters = self.counters;
        add(&mut counters.jitter, &self.jitter.counters());
        counters
    }

    /// The latest that the peer reported.
    pub fn peer_report(&self) -> PeerReport {
        self.peer
    }

    /// When the latest audio packet arrived: the wire's clock.
    pub fn last_audio(&self) -> Option<Instant> {
        self.last_audio
    }

    /// The counters of a jitter buffer that is replaced.
    fn keep_counters(&mut self) {
        let counters = self.jitter.counters();
        add(&mut self.counters.jitter, &counters);
    }
}

fn add(to: &mut JitterCounters, more: &JitterCounters) {
    to.late += more.late;
    to.duplicates += more.duplicates;
    to.lost += more.lost;
    to.underruns += more.underruns;
    to.shortened += more.shortened;
    to.stretched += more.stretched;
    to.overflowed += more.overflowed;
    to.resyncs += more.resyncs;
    to.too_big += more.too_big;
}

#[cfg(test)]
#[path = "leg_tests.rs"]
mod tests;
