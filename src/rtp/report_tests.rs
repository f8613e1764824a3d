//! Two parties that report to each other.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]

use super::*;

const MS: Duration = Duration::from_millis(1);

fn sent(recently: bool) -> Sent {
    Sent { packets: 7, octets: 1_120, timestamp: 4_242, recently }
}

#[test]
fn a_second_source_needs_two_packets() {
    let now = Instant::now();
    let mut reception = Reception::new(8_000);
    assert!(matches!(reception.receive(now, 1, 10, 0), Arrival::Restarted(_)));
    assert!(matches!(reception.receive(now, 1, 11, 160), Arrival::Valid(_)));
    assert_eq!(reception.receive(now, 2, 500, 9), Arrival::Suspect);
    assert!(matches!(reception.receive(now, 1, 12, 320), Arrival::Valid(_)));
    assert_eq!(reception.receive(now, 2, 501, 9), Arrival::Suspect, "the run was broken");
    assert!(matches!(reception.receive(now, 2, 502, 9), Arrival::Restarted(_)));
    assert_eq!((reception.ssrc(), reception.received()), (Some(2), 4));
}

#[test]
fn loss_and_jitter_are_those_of_rfc_3550() {
    let start = Instant::now();
    let mut reception = Reception::new(8_000);
    // Every tenth lost; every other packet 8 ms late.
    for i in (0..1_000u32).filter(|i| i % 10 != 9) {
        let now = start + MS * 20 * i + MS * if i % 2 == 0 { 0 } else { 8 };
        reception.receive(now, 1, i as u16, i * 160);
    }
    assert_eq!((reception.received(), reception.lost()), (900, 99), "the last lost one is not known yet");
    assert!((6.5..8.0).contains(&reception.jitter_ms()), "{}", reception.jitter_ms());
    let block = reception.block(start).expect("a source");
    assert_eq!((block.fraction_lost, block.total_lost, block.last_sequence_number), (25, 99, 998));
    assert_eq!((block.last_sender_report, block.delay), (0, 0));
    let quiet = reception.block(start).expect("a source");
    assert_eq!((quiet.fraction_lost, quiet.total_lost), (0, 99));
}

#[test]
fn duplicates_never_overflow_the_loss() {
    let now = Instant::now();
    let mut reception = Reception::new(8_000);
    for _ in 0..5 {
        reception.receive(now, 1, 10, 0);
    }
    assert_eq!(reception.lost(), 0);
    let block = reception.block(now).expect("a source");
    assert_eq!((block.fraction_lost, block.total_lost), (0, 0xFF_FFFC));
    let mut out = [0; 200];
    let mut reporter = Reporter::new(9, "a@b", now);
    assert!(reporter.report(now + MS * 9_000, &sent(false), &mut reception, &mut out).is_some_and(|n| n > 0));
}

#[test]
fn two_parties_measure_loss_and_round_trip() {
    let start = Instant::now();
    let (mut ours, mut theirs) = (Reception::new(8_000), Reception::new(8_000));
    for i in (0..100u32).filter(|i| i % 4 != 1) {
        ours.receive(start, 22, i as u16, i * 160);
        theirs.receive(start, 11, i as u16, i * 160);
    }
    let (mut us, mut them) = (Reporter::new(11, "us", start), Reporter::new(22, "them@example.com", start));
    let mut out = [0; 400];
    let due = us.deadline();
    assert!(us.report(due - MS, &sent(true), &mut ours, &mut out).is_none());
    let n = us.report(due, &sent(true), &mut ours, &mut out).expect("due");
    assert_eq!(out[1], SR);
    assert_eq!(n % 4, 0);
    // 30 ms there, 1 s thinking, 50 ms back.
    let arrived = due + MS * 30;
    let read = them.receive(arrived, &out[..n], &mut theirs).expect("valid");
    assert_eq!(read.fraction_lost.map(|f| (f * 100.0) as u32), Some(25));
    assert_eq!(read.round_trip, None, "we have not heard a report of theirs");
    them.next = arrived + MS * 1_000;
    let n = them.report(arrived + MS * 1_000, &sent(false), &mut theirs, &mut out).expect("due");
    assert_eq!(out[1], RR);
    let read = us.receive(arrived + MS * 1_050, &out[..n], &mut ours).expect("valid");
    let round_trip = read.round_trip.expect("measured").as_secs_f64();
    assert!((round_trip - 0.080).abs() < 0.001, "{round_trip}");
    assert!(!read.bye);
    let n = them.goodbye(arrived + MS * 2_000, &sent(false), &mut theirs, &mut out);
    assert!(us.receive(arrived + MS * 2_000, &out[..n], &mut ours).expect("valid").bye);
}

#[test]
fn the_compound_is_what_the_crate_reads() {
    let now = Instant::now();
    for cname in ["", "a", "ab", "abc", "abcd", &"x".repeat(300)] {
        let mut reporter = Reporter::new(5, cname, now);
        let mut out = [0; 512];
        let n = reporter.report(now + INTERVAL, &sent(true), &mut Reception::new(8_000), &mut out).expect("due");
        let packets = rtcp::packet::unmarshal(&mut &out[..n]).expect("a compound packet");
        assert_eq!(packets.len(), 2);
        assert_eq!(packets[1].header().packet_type as u8, SDES);
    }
    let mut reporter = Reporter::new(5, "too long", now);
    assert_eq!(reporter.report(now + INTERVAL, &sent(true), &mut Reception::new(8_000), &mut [0; 40]), Some(0));
}

#[test]
fn intervals_vary_around_5_s() {
    let mut reporter = Reporter::new(77, "", Instant::now());
    let intervals: Vec<f64> = (0..500).map(|_| reporter.interval().as_secs_f64()).collect();
    assert!(intervals.iter().all(|i| (2.5..7.5).contains(i)));
    let mean = intervals.iter().sum::<f64>() / 500.0;
    assert!((4.8..5.2).contains(&mean), "{mean}");
}

#[test]
fn broken_reports_are_told_apart() {
    let now = Instant::now();
    let reporter = Reporter::new(1, "", now);
    let mut reception = Reception::new(8_000);
    for (datagram, expected) in [
        (&[][..], BadReport::Short),
        (&[0x80, 201, 0], BadReport::Short),
        (&[0x80, 201, 0, 9, 0, 0, 0, 1], BadReport::Short),
        (&[0x00, 201, 0, 1, 0, 0, 0, 1], BadReport::Version),
        (&[0x81, 203, 0, 1, 0, 0, 0, 1], BadReport::NotCompound),
    ] {
        assert_eq!(reporter.receive(now, datagram, &mut reception), Err(expected));
    }
}
