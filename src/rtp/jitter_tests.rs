//! Arrivals in, what is heard out: tables.

#![expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]

use super::*;

/// Plays arrivals of `(seq, ts in frames, arrive ms)` and tells what each 20 ms tick pops: a number is a packet, `-` a
/// loss, `.` nothing.
fn play(arrivals: &[(u64, u32, u64)], ticks: u64) -> (String, JitterBuffer) {
    play_with(arrivals, ticks, |_, _| {})
}

fn play_with(
    arrivals: &[(u64, u32, u64)],
    ticks: u64,
    mut at: impl FnMut(u64, &mut JitterBuffer),
) -> (String, JitterBuffer) {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(8_000, 480);
    let mut heard = Vec::new();
    for tick in 0..ticks {
        for ms in tick * 20..(tick + 1) * 20 {
            for &(seq, ts, _) in arrivals.iter().filter(|a| a.2 == ms) {
                let payload = seq.to_string();
                buffer.push(
                    start + Duration::from_millis(ms),
                    65_500 + seq,
                    ts.wrapping_mul(160),
                    160,
                    payload.as_bytes(),
                );
            }
            if ms == tick * 20 {
                at(tick, &mut buffer);
                heard.push(match buffer.pop(start + Duration::from_millis(ms)) {
                    Popped::Packet(payload) => String::from_utf8_lossy(payload).into_owned(),
                    Popped::Lost => "-".into(),
                    Popped::Empty => ".".into(),
                });
            }
        }
    }
    (heard.join(" "), buffer)
}

/// `n` packets in time from `first`.
fn even(first: u64, n: u64) -> Vec<(u64, u32, u64)> {
    (first..first + n).map(|i| (i, i as u32, i * 20)).collect()
}

fn without(mut rows: Vec<(u64, u32, u64)>, lost: &[u64]) -> Vec<(u64, u32, u64)> {
    rows.retain(|r| !lost.contains(&r.0));
    rows
}

#[test]
fn table() {
    let moved = |from: u64, to_ms: u64| {
        let mut rows = even(0, 8);
        rows[from as usize].2 = to_ms;
        rows
    };
    let twice = [even(0, 6), even(2, 2)].concat();
    for (name, arrivals, expected) in [
        ("in time", even(0, 6), ". . 0 1 2 3 4 5 - - - ."),
        ("one lost", without(even(0, 7), &[2]), ". . 0 1 - 3 4 5 6 - - -"),
        ("three lost", without(even(0, 8), &[2, 3, 4]), ". . 0 1 - - - 5 6 7 - -"),
        ("duplicates", twice, ". . 0 1 2 3 4 5 - - - ."),
        ("reordered by 30 ms", moved(2, 70), ". . 0 1 2 3 4 5 6 7 - -"),
        ("reordered at the start", moved(0, 30), ". . 0 1 2 3 4 5 6 7 - -"),
        ("too late", moved(2, 90), ". . 0 1 - 3 4 5 6 7 - -"),
        ("nothing", vec![], ". . . . . . . . . . . ."),
    ] {
        assert_eq!(play(&arrivals, 12).0, expected, "{name}");
    }
}

#[test]
fn what_happened_is_counted() {
    let mut rows = without(even(0, 30), &[7]);
    rows.extend([(3, 3, 65), (9, 9, 300)]);
    rows[11].2 = 480;
    let (_, buffer) = play(&rows, 30);
    let counters = buffer.counters();
    assert_eq!((counters.duplicates, counters.late, counters.lost), (2, 1, 2), "{counters:?}");
    let mut buffer = JitterBuffer::new(8_000, 10);
    assert_eq!(buffer.push(Instant::now(), 1, 0, 160, &[0; 11]), Pushed::TooBig);
}

#[test]
fn numbers_and_timestamps_wrap() {
    let rows: Vec<_> = (0..60).map(|i| (i, (u32::MAX / 160).wrapping_add(i as u32), i * 20)).collect();
    // The multiplication by 160 wraps with a remainder, so this runs right over the end of 32 bits.
    let (heard, _) = play(&rows, 40);
    let expected: Vec<String> = (0..38).map(|i: u32| i.to_string()).collect();
    assert_eq!(heard, format!(". . {}", expected.join(" ")));
}

#[test]
fn silence_that_was_not_sent_is_not_a_loss() {
    // Numbers go on, timestamps skip 100 ms; the sender pauses as long.
    let rows = [(0, 0, 0), (1, 1, 20), (2, 7, 140), (3, 8, 160)];
    let (heard, buffer) = play(&rows, 13);
    assert_eq!(heard, ". . 0 1 - - - . . 2 3 - -");
    assert_eq!(buffer.counters().lost, 0);
    // Keypad packets take numbers 2 to 4 meanwhile.
    let rows = [(0, 0, 0), (1, 1, 20), (5, 5, 60), (6, 6, 120)];
    let (heard, _) = play_with(&rows, 10, |tick, buffer| {
        if tick == 3 {
            (2..5).for_each(|n| buffer.push_other(65_500 + n));
        }
    });
    assert_eq!(heard, ". . 0 1 . . . 5 6 -");
}

#[test]
fn after_an_underrun_it_waits_longer() {
    // A stall of 100 ms at packet 10; afterwards all come in time again.
    let mut rows = even(0, 100);
    for row in &mut rows[10..15] {
        row.2 = 300;
    }
    let (heard, buffer) = play(&rows, 40);
    assert!(heard.starts_with(". . 0 1 2 3 4 5 6 7 8 9 - - - 10 11 12"), "{heard}");
    assert_eq!(buffer.counters().underruns, 1);
    assert_eq!(buffer.counters().late, 0);
    assert!(buffer.playout_delay() >= Duration::from_millis(100), "{:?}", buffer.playout_delay());
}

#[test]
fn jitter_raises_the_target_and_calm_lowers_the_delay_again() {
    let jittery = (0..300).map(|i| (i, i as u32, i * 20 + (i * 7919 % 90)));
    let calm = (300..1_800).map(|i| (i, i as u32, i * 20 + 5));
    let rows: Vec<_> = jittery.chain(calm).collect();
    let (mut high, mut low) = (Duration::ZERO, Duration::ZERO);
    let (heard, buffer) = play_with(&rows, 1_750, |tick, buffer| match tick {
        299 => high = buffer.playout_delay(),
        1_740 => low = buffer.playout_delay(),
        _ => {}
    });
    assert!(high >= Duration::from_millis(80), "{high:?}");
    assert!(low <= Duration::from_millis(65), "{low:?}");
    assert!(buffer.counters().shortened >= 1, "{:?}", buffer.counters());
    let lost = heard.split(' ').skip(300).filter(|t| *t == "-").count();
    assert_eq!(lost, 0, "a shorter delay loses nothing");
    let early = heard.split(' ').take(300).filter(|t| *t == "-").count();
    assert!(early <= 12, "{early} frames concealed while it learned");
}

#[test]
fn in_silence_it_changes_at_once() {
    let mut rows = even(0, 400);
    for row in &mut rows[100..105] {
        row.2 = 2_110;
    }
    let noisy = play(&rows, 150).1.counters();
    let quiet = play_with(&rows, 150, |_, buffer| buffer.set_quiet(true)).1;
    assert!(quiet.counters().shortened > noisy.shortened, "{:?} {noisy:?}", quiet.counters());
}

#[test]
fn a_burst_after_a_long_stall_does_not_leave_it_far_behind() {
    let mut rows = even(0, 200);
    for row in &mut rows[50..90] {
        row.2 = 1_790;
    }
    let (_, buffer) = play(&rows, 150);
    assert!(buffer.playout_delay() <= Duration::from_millis(250), "{:?}", buffer.playout_delay());
    assert!(buffer.counters().overflowed + buffer.counters().shortened >= 10);
}

#[test]
fn a_jump_of_the_timestamps_starts_anew() {
    let mut rows = even(0, 10);
    rows.extend((10..20).map(|i| (i, i as u32 + 1_000_000, i * 20)));
    let (heard, buffer) = play(&rows, 21);
    assert_eq!(heard, ". . 0 1 2 3 4 5 6 7 . . 10 11 12 13 14 15 16 17 18");
    assert_eq!(buffer.counters().resyncs, 1);
}

#[test]
fn packets_of_other_lengths_are_played_as_they_run_dry() {
    let start = Instant::now();
    let mut buffer = JitterBuffer::new(8_000, 480);
    for i in 0..10u32 {
        buffer.push(start + Duration::from_millis(u64::from(i) * 60), 65_536 + u64::from(i), i * 480, 480, &[i as u8]);
    }
    let heard: Vec<u8> = (2..12)
        .filter_map(|i| match buffer.pop(start + Duration::from_millis(i * 60)) {
            Popped::Packet(payload) => payload.first().copied(),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}
