//! Two legs joined by a wire of the test's making.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]

use std::time::Duration;

use super::*;
use crate::audio::{Rate, g711};

const TICK: Duration = Duration::from_millis(20);

fn media(codec: Codec) -> LegMedia {
    LegMedia { codec, payload_type: codec.static_payload_type().unwrap_or(96), event_payload_type: Some(101) }
}

fn leg(codec: Codec, ssrc: u32, now: Instant) -> MediaLeg {
    let config =
        LegConfig { media: media(codec), ssrc, first_seq: 65_530, first_ts: u32::MAX - 500, cname: "leg@test".into() };
    MediaLeg::new(config, now).expect("built in")
}

fn tone(rate: Rate, tick: usize) -> Frame {
    let mut frame = Frame::silence(rate);
    let from = tick * rate.frame_len();
    for (i, sample) in frame.samples_mut().iter_mut().enumerate() {
        *sample = (8_000.0 * (std::f32::consts::TAU * 400.0 * (from + i) as f32 / rate.hz() as f32).sin()) as i16;
    }
    frame
}

/// Sends `ticks` of a tone from one leg to another; `wire` says whether a packet arrives.
fn talk(codec: Codec, ticks: usize, wire: impl Fn(usize) -> bool) -> (MediaLeg, MediaLeg, Vec<Tick>) {
    let start = Instant::now();
    let (mut a, mut b) = (leg(codec, 1, start), leg(codec, 2, start));
    let mut out = [0; MAX_PACKET];
    let mut heard = Vec::new();
    for tick in 0..ticks {
        let now = start + TICK * tick as u32;
        let sent = a.tick(now, Some(&tone(codec.rate(), tick)), &mut out).sent;
        assert!(sent > HEADER);
        if wire(tick) {
            assert_eq!(b.receive(now, &out[..sent]), Received::Audio);
        }
        heard.push(b.tick(now, None, &mut out));
    }
    (a, b, heard)
}

#[test]
fn a_tone_crosses_two_legs() {
    let codecs = [Codec::Pcmu, Codec::Pcma].into_iter().chain(cfg!(feature = "webrtc").then_some(Codec::Opus));
    for codec in codecs {
        let (a, b, heard) = talk(codec, 50, |_| true);
        assert!(heard[..2].iter().all(|t| level::dbov(&t.incoming) < -100.0), "{codec:?}: 40 ms of buffer first");
        let loud = level::dbov(&heard[40].incoming);
        assert!((-17.0..-14.0).contains(&loud), "{codec:?}: {loud} dBov");
        assert_eq!(heard[40].incoming.rate(), codec.rate());
        assert!(heard.iter().all(|t| !t.concealed && t.sent == 0));
        assert_eq!((a.stats().sent, b.stats().received, b.stats().lost), (50, 50, 0));
        let arrived = heard[49].arrived.zip(heard[0].arrived).map(|(last, first)| last - first);
        assert_eq!(arrived, Some(TICK * 47), "{codec:?}: the last frame came two ticks before it was heard");
    }
}

#[test]
fn g711_samples_arrive_as_they_were_sent() {
    let (_, _, heard) = talk(Codec::Pcmu, 20, |_| true);
    for (tick, heard) in heard.iter().skip(2).enumerate() {
        let sent = tone(Rate::Narrow, tick);
        let through: Vec<i16> = sent.samples().iter().map(|&s| g711::mu_decode(g711::mu_encode(s))).collect();
        assert_eq!(heard.incoming.samples(), through);
    }
}

#[test]
fn losses_are_concealed_and_counted() {
    let (_, b, heard) = talk(Codec::Pcmu, 100, |tick| tick % 10 != 5);
    let stats = b.stats();
    assert_eq!((stats.received, stats.lost, stats.concealed), (90, 10, 10));
    for tick in heard[10..].iter().filter(|t| t.concealed) {
        assert!(level::dbov(&tick.incoming) > -20.0, "a lost frame is filled");
    }
}

#[test]
fn the_marker_follows_a_gap_and_time_goes_on() {
    let now = Instant::now();
    let mut leg = leg(Codec::Pcmu, 1, now);
    let mut out = [0; MAX_PACKET];
    let frame = tone(Rate::Narrow, 0);
    let mut seen = Vec::new();
    for play in [Some(&frame), Some(&frame), None, None, Some(&frame)] {
        let sent = leg.tick(now, play, &mut out).sent;
        seen.push(Packet::parse(&out[..sent]).ok().map(|p| (p.marker, p.sequence, p.timestamp.wrapping_add(501))));
    }
    assert_eq!(seen, [Some((true, 65_530, 0)), Some((false, 65_531, 160)), None, None, Some((true, 65_532, 640))]);
    assert_eq!(leg.tick(now, Some(&Frame::silence(Rate::Wide)), &mut out).sent, 0);
    assert_eq!(leg.counters().wrong_rate, 1);
    assert_eq!(leg.tick(now, Some(&frame), &mut out[..100]).sent, 0, "a short buffer sends nothing");
}

#[test]
fn digits_cross_even_when_packets_are_lost() {
    let start = Instant::now();
    let (mut a, mut b) = (leg(Codec::Pcmu, 1, start), leg(Codec::Pcmu, 2, start));
    let mut out = [0; MAX_PACKET];
    for digit in "159#".chars() {
        assert!(a.send_digit(digit));
    }
    assert!(!a.send_digit('!'));
    let mut digits = String::new();
    for tick in 0..100u32 {
        let now = start + TICK * tick;
        let sent = a.tick(now, Some(&tone(Rate::Narrow, tick as usize)), &mut out).sent;
        // Every third packet is lost, and everything from the 2nd digit's 5th packet to the 3rd digit's first ones.
        if tick % 3 != 0 && !(17..24).contains(&tick) {
            match b.receive(now, &out[..sent]) {
                Received::Digit(digit) => digits.push(digit.digit),
                Received::Audio | Received::Event => {}
                Received::Ignored(reason) => panic!("{reason}"),
            }
        }
        digits.extend(b.tick(now, None, &mut out).digit.map(|d| d.digit));
    }
    assert_eq!(digits, "159#");
}

#[test]
fn a_new_source_is_heard_from_its_second_packet() {
    let start = Instant::now();
    let (mut a, mut c, mut b) = (leg(Codec::Pcmu, 1, start), leg(Codec::Pcmu, 3, start), leg(Codec::Pcmu, 2, start));
    let mut out = [0; MAX_PACKET];
    let mut ignored = 0;
    let mut last = 0.0;
    for tick in 0..60u32 {
        let now = start + TICK * tick;
        let sender = if tick < 30 { &mut a } else { &mut c };
        let sent = sender.tick(now, Some(&tone(Rate::Narrow, tick as usize)), &mut out).sent;
        ignored += u32::from(b.receive(now, &out[..sent]) == Received::Ignored(Ignored::Stray));
        last = level::dbov(&b.tick(now, None, &mut out).incoming);
    }
    assert_eq!(ignored, 1);
    assert!(last > -17.0);
    assert_eq!(b.stats().received, 59);
}

#[test]
fn hold_is_silent_and_resume_is_heard() {
    let start = Instant::now();
    let (mut a, mut b) = (leg(Codec::Pcma, 1, start), leg(Codec::Pcma, 2, start));
    let mut out = [0; MAX_PACKET];
    let mut levels = Vec::new();
    for tick in 0..90u32 {
        let now = start + TICK * tick;
        if tick == 30 || tick == 60 {
            b.set_direction(tick == 60, tick == 60);
        }
        let sent = a.tick(now, Some(&tone(Rate::Narrow, tick as usize)), &mut out).sent;
        b.receive(now, &out[..sent]);
        let tick = b.tick(now, Some(&tone(Rate::Narrow, 0)), &mut out);
        levels.push((level::dbov(&tick.incoming), tick.sent > 0));
    }
    assert!(levels[25].0 > -17.0 && levels[25].1);
    assert!(levels[30..60].iter().all(|&(level, sent)| level < -70.0 && !sent));
    assert!(levels[65].0 > -17.0 && levels[65].1);
    assert_eq!((b.counters().on_hold, b.stats().lost), (30, 0));
}

#[test]
fn a_re_invite_changes_the_codec() {
    let start = Instant::now();
    let (mut a, mut b) = (leg(Codec::Pcmu, 1, start), leg(Codec::Pcmu, 2, start));
    let mut out = [0; MAX_PACKET];
    let mut last = 0.0;
    for tick in 0..40u32 {
        if tick == 20 {
            a.change(media(Codec::Pcma)).expect("built in");
            b.change(LegMedia { event_payload_type: None, ..media(Codec::Pcma) }).expect("built in");
        }
        let now = start + TICK * tick;
        let sent = a.tick(now, Some(&tone(Rate::Narrow, tick as usize)), &mut out).sent;
        assert_eq!(b.receive(now, &out[..sent]), Received::Audio);
        last = level::dbov(&b.tick(now, None, &mut out).incoming);
    }
    assert!(last > -17.0);
    assert!(!b.send_digit('1'), "events are no longer agreed on");
}

#[test]
fn reports_go_both_ways() {
    let start = Instant::now();
    let (mut a, mut b) = (leg(Codec::Pcmu, 1, start), leg(Codec::Pcmu, 2, start));
    let (mut out, mut rtcp) = ([0; MAX_PACKET], [0; MAX_PACKET]);
    for tick in 0..1_000u32 {
        let now = start + TICK * tick;
        let sent = a.tick(now, Some(&tone(Rate::Narrow, tick as usize)), &mut out).sent;
        if tick % 5 != 4 {
            b.receive(now, &out[..sent]);
        }
        b.tick(now, None, &mut out);
        if let Some(n) = a.rtcp(now, &mut rtcp) {
            b.receive_rtcp(now + TICK, &rtcp[..n]).expect("valid");
        }
        if let Some(n) = b.rtcp(now, &mut rtcp) {
            a.receive_rtcp(now + TICK, &rtcp[..n]).expect("valid");
        }
    }
    let report = a.peer_report();
    assert!((0.18..0.22).contains(&report.fraction_lost.expect("reported")), "{report:?}");
    assert!((0.035..0.045).contains(&report.round_trip.expect("measured").as_secs_f32()), "{report:?}");
    let n = a.goodbye(start, &mut rtcp);
    assert!(b.receive_rtcp(start, &rtcp[..n]).expect("valid").bye);
}

#[test]
fn what_is_ignored_is_counted() {
    let now = Instant::now();
    let (mut a, mut b) = (leg(Codec::Pcmu, 1, now), leg(Codec::Pcmu, 2, now));
    let mut out = [0; MAX_PACKET];
    let sent = a.tick(now, Some(&tone(Rate::Narrow, 0)), &mut out).sent;
    let good = out[..sent].to_vec();
    let with_type = |payload_type: u8| {
        let mut bytes = good.clone();
        bytes[1] = payload_type;
        bytes
    };
    assert_eq!(b.receive(now, &good), Received::Audio);
    assert_eq!(b.receive(now, &good), Received::Ignored(Ignored::Duplicate));
    assert_eq!(b.receive(now, &good[..5]), Received::Ignored(Ignored::BadPacket(BadPacket::Short)));
    assert_eq!(b.receive(now, &with_type(55)), Received::Ignored(Ignored::PayloadType(55)));
    assert_eq!(b.receive(now, &good[..HEADER]), Received::Ignored(Ignored::BadPayload));
    assert_eq!(b.receive(now, &with_type(13)), Received::Ignored(Ignored::ComfortNoise));
    assert!(b.receive_rtcp(now, &[1, 2, 3]).is_err());
    let counters = b.counters();
    assert_eq!(
        (counters.bad_packets, counters.unknown_types, counters.bad_payloads, counters.bad_reports),
        (1, 1, 1, 1)
    );
    assert_eq!(counters.jitter.duplicates, 1);
}

/// Deterministic bytes.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize
    }
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.next() % 4 {
            let at = self.next() % bytes.len().max(1);
            match self.next() % 4 {
                0 if !bytes.is_empty() => bytes.truncate(at),
                1 => bytes.extend((0..self.next() % 40).map(|i| i as u8)),
                _ if !bytes.is_empty() => bytes[at] = self.next() as u8,
                _ => bytes.push(self.next() as u8),
            }
        }
    }
}

#[test]
fn twenty_thousand_mutants_do_no_harm() {
    let start = Instant::now();
    let codecs = [Codec::Pcmu].into_iter().chain(cfg!(feature = "webrtc").then_some(Codec::Opus));
    for codec in codecs {
        let mut random = Random(0x1234_5678_9ABC_DEF1);
        let (mut a, mut b) = (leg(codec, 1, start), leg(codec, 2, start));
        let (mut out, mut rtcp) = ([0; MAX_PACKET], [0; MAX_PACKET]);
        for i in 0..20_000u32 {
            let now = start + Duration::from_millis(u64::from(i));
            if i % 50 == 0 {
                a.send_digit('5');
            }
            let sent = a.tick(now, Some(&tone(codec.rate(), i as usize)), &mut out).sent;
            let mut packet = out[..sent].to_vec();
            random.mutate(&mut packet);
            b.receive(now, &packet);
            let n = a.goodbye(now, &mut rtcp);
            let mut report = rtcp[..n].to_vec();
            random.mutate(&mut report);
            let _ = b.receive_rtcp(now, &report);
            b.tick(now, None, &mut out);
        }
        assert!(b.counters().bad_packets > 1_000, "{:?}", b.counters());
        // It still hears a good stream afterwards.
        let mut c = leg(codec, 7, start);
        let mut loud = false;
        for tick in 0..100u32 {
            let now = start + Duration::from_secs(30) + TICK * tick;
            let sent = c.tick(now, Some(&tone(codec.rate(), tick as usize)), &mut out).sent;
            b.receive(now, &out[..sent]);
            loud |= level::dbov(&b.tick(now, None, &mut out).incoming) > -20.0;
        }
        assert!(loud, "{codec:?}");
    }
}
