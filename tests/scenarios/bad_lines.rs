//! What comes down a line that is no caller, or hardly one: sounds that never stop, silence, loss, jumps, a path that
//! breaks. The call stays in a defined state, and ends.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sidetone::audio::g711;
use sidetone::call::io::Report;
use sidetone::call::record::Outcome;
use sidetone::dialplan::script::TransferFailure;
use sidetone::sim::{
    Act, AgentManner, Costs, Engines, FarEnd, Link, Played, Scenario, Scripted, Step, play, play_with,
};

use super::{MENU, at, plan_of, said, test_line};

const FRAME: u32 = 160;

/// Sends what a function of time says; what it hears is nothing to it.
struct Source<F> {
    sample: F,
    packets: u32,
}

impl<F: Fn(f32) -> f32> FarEnd for Source<F> {
    fn hear(&mut self, _: Instant, _: &[u8]) {}
    fn step(&mut self, _: Instant) -> Step {
        let first = self.packets * FRAME;
        let mut packet = header(self.packets as u16, first, 5);
        let sample = |n: u32| ((self.sample)((first + n) as f32 / 8_000.0) * 32_767.0) as i16;
        packet.extend((0..FRAME).map(|n| g711::mu_encode(sample(n))));
        self.packets += 1;
        Step { packet: Some(packet), hang_up: false }
    }
}

fn header(sequence: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet
}

/// Engines that hear a sound and no words in it.
struct Wordless(Scripted);

impl Engines for Wordless {
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)> {
        self.0.voice(samples)
    }
    fn work(&mut self, job: sidetone::call::io::Output, _: &str) -> Option<(Duration, sidetone::call::ports::Done)> {
        self.0.work(job, "")
    }
}

fn listens_to(sample: impl Fn(f32) -> f32) -> Played {
    let mut scenario = Scenario::new(Vec::new());
    scenario.agents = vec![AgentManner::Leaves(Duration::from_secs(2), Duration::from_secs(30))];
    let mut engines = Wordless(Scripted::new(Costs::default()));
    play_with(&test_line(), scenario, &mut Source { sample, packets: 0 }, &mut engines)
}

#[test]
fn a_sound_that_never_stops_does_not_hold_the_floor_for_ever() {
    use std::f32::consts::TAU;
    let tone = |hz: f32, t: f32| (TAU * hz * t).sin();
    let sounds: [(&str, Box<dyn Fn(f32) -> f32>); 5] = [
        ("a tone", Box::new(move |t| 0.3 * tone(1_000.0, t))),
        (
            "a modem",
            Box::new(move |t| 0.3 * tone(if ((t * 300.0) as u32).is_multiple_of(2) { 1_300.0 } else { 2_100.0 }, t)),
        ),
        ("music", Box::new(move |t| 0.2 * (tone(262.0, t) + tone(330.0, t)) * (1.0 - (t * 2.0).fract()))),
        ("ringing", Box::new(move |t| if t % 6.0 < 2.0 { 0.2 * (tone(440.0, t) + tone(480.0, t)) } else { 0.0 })),
        ("clipping", Box::new(move |t| tone(150.0, t).signum())),
    ];
    for (name, sound) in sounds {
        let played = listens_to(sound);
        assert!(played.ended, "{name}: {:?}", played.reports.iter().take(40).collect::<Vec<_>>());
        let rung = at(&played, |r| matches!(r, Report::Handover { .. }));
        assert!(rung.is_some_and(|at| at < 180_000), "{name}: a human is rung at {rung:?}");
        assert!(
            played.record.frustration_peak.is_some_and(|peak| peak < 0.7),
            "{name} is no anger: {:?}",
            played.record.turns
        );
    }
}

#[test]
fn a_line_without_a_caller_does_not_ring_agents_for_ever() {
    let mut scenario = Scenario::new(vec![Act::Wait(Duration::from_secs(3_000))]);
    scenario.agents = vec![AgentManner::Fails(TransferFailure::Busy)];
    let played = play(&test_line(), scenario);
    assert!(played.ended, "{:?}", played.reports.iter().rev().take(5).collect::<Vec<_>>());
    let rung =
        played.reports.iter().filter(|(_, r)| matches!(r, Report::Handover { step } if step.starts_with("ringing")));
    assert!((2..=6).contains(&rung.count()), "{:?}", played.reports);
}

#[test]
fn a_line_without_a_way_out_ends_politely_when_nobody_is_there() {
    let played = play(&plan_of(MENU, &[]), Scenario::new(vec![Act::Wait(Duration::from_secs(3_000))]));
    assert!(played.ended, "{:?}", played.reports.iter().rev().take(5).collect::<Vec<_>>());
    assert!(said(&played).contains("Goodbye"), "{:?}", played.reports);
}

#[test]
fn a_fifth_of_all_packets_lost_and_the_rest_out_of_order_is_served() {
    for seed in 0..20 {
        let mut scenario = Scenario::new(vec![Act::Say("when are you open"), Act::HangUp]);
        scenario.link = Link::new(seed, Duration::from_millis(20), Duration::from_millis(60), 0.2);
        let played = play(&test_line(), scenario);
        assert!(said(&played).contains("From eight to eight."), "seed {seed}: {:?}", played.reports);
        assert!(played.record.media.lost > 50, "seed {seed}");
    }
}

/// Speaks by a simulated caller, whose stream jumps.
struct Jumping<C> {
    caller: C,
    sent: u32,
    jump: fn(&mut [u8]),
}

impl<C: FarEnd> FarEnd for Jumping<C> {
    fn hear(&mut self, at: Instant, packet: &[u8]) {
        self.caller.hear(at, packet);
    }
    fn saying(&self) -> &str {
        self.caller.saying()
    }
    fn step(&mut self, now: Instant) -> Step {
        let mut step = self.caller.step(now);
        self.sent += 1;
        // In mid-sentence: the first word begins after the greeting.
        if self.sent > 450
            && let Some(packet) = &mut step.packet
        {
            (self.jump)(packet);
        }
        step
    }
}

#[test]
fn a_stream_that_jumps_goes_on() {
    let jumps: [(&str, fn(&mut [u8])); 3] = [
        ("another source", |packet| packet[8..12].copy_from_slice(&[9, 9, 9, 9])),
        ("another time", |packet| packet[4] ^= 0x40),
        ("another sequence", |packet| packet[2] ^= 0x40),
    ];
    for (name, jump) in jumps {
        let acts = vec![Act::Say("when are you open"), Act::Say("what are your hours"), Act::HangUp];
        let mut caller = Jumping { caller: sidetone::sim::caller(acts), sent: 0, jump };
        let mut engines = Scripted::new(Costs::default());
        let played = play_with(&test_line(), Scenario::new(Vec::new()), &mut caller, &mut engines);
        let answers = said(&played).matches("From eight to eight.").count();
        assert!(answers >= 1, "{name}: {:?}", played.reports);
        assert!(played.ended, "{name}");
    }
}

/// A telephone whose microphone hears its loudspeaker, this late and this much softer, and by which nobody sits.
struct Echoing {
    line: VecDeque<i16>,
    gain: f32,
    sent: u32,
}

impl FarEnd for Echoing {
    fn hear(&mut self, _: Instant, packet: &[u8]) {
        let back = packet.iter().skip(12).map(|&byte| (f32::from(g711::mu_decode(byte)) * self.gain) as i16);
        self.line.extend(back);
    }
    fn step(&mut self, _: Instant) -> Step {
        let mut packet = header(self.sent as u16, self.sent * FRAME, 5);
        packet.extend((0..FRAME).map(|_| g711::mu_encode(self.line.pop_front().unwrap_or(0))));
        self.sent += 1;
        Step { packet: Some(packet), hang_up: self.sent > 600 }
    }
}

#[test]
fn our_own_echo_stops_no_prompt() {
    for (late_ms, below_db) in [(60, 15.0), (120, 18.0), (200, 18.0)] {
        let gain = 10f32.powf(-below_db / 20.0);
        let mut caller = Echoing { line: vec![0; late_ms * 8].into(), gain, sent: 0 };
        let mut engines = Scripted::new(Costs::default());
        let played = play_with(&test_line(), Scenario::new(Vec::new()), &mut caller, &mut engines);
        let stopped = at(&played, |r| matches!(r, Report::Interrupted { .. } | Report::WentOn));
        assert_eq!(stopped, None, "{late_ms} ms, {below_db} dB: {:?}", played.reports);
        assert!(said(&played).contains("How can I help?"), "{:?}", played.reports);
    }
}

/// Speaks over our line, and much softer than it: noise, since the scripted detector goes by level.
struct Soft(u32);

impl FarEnd for Soft {
    fn hear(&mut self, _: Instant, _: &[u8]) {}
    fn step(&mut self, _: Instant) -> Step {
        self.0 += 1;
        let mut packet = header(self.0 as u16, self.0 * FRAME, 5);
        let speaks = (50..75).contains(&self.0);
        packet.extend((0..FRAME).map(|n| {
            // A hash of the sample's number: no two stretches are alike.
            let noise = (self.0 * FRAME + n).wrapping_mul(2_654_435_761) >> 21;
            g711::mu_encode(if speaks { noise as i16 - 1_024 } else { 0 })
        }));
        Step { packet: Some(packet), hang_up: self.0 > 200 }
    }
}

#[test]
fn a_soft_voice_over_our_line_is_heard() {
    let mut engines = Scripted::new(Costs::default());
    let played = play_with(&test_line(), Scenario::new(Vec::new()), &mut Soft(0), &mut engines);
    let held = at(&played, |r| matches!(r, Report::Interrupted { .. } | Report::WentOn));
    assert!(held.is_some_and(|at| (1_000..1_600).contains(&at)), "{:?}", played.reports);
}

/// Sends nothing after a while.
struct Gone(u32);

impl FarEnd for Gone {
    fn hear(&mut self, _: Instant, _: &[u8]) {}
    fn step(&mut self, _: Instant) -> Step {
        self.0 += 1;
        let mut packet = header(self.0 as u16, self.0 * FRAME, 5);
        packet.extend([0xff; FRAME as usize]);
        Step { packet: (self.0 < 150).then_some(packet), hang_up: false }
    }
}

#[test]
fn a_media_path_that_stops_ends_the_call_and_says_so() {
    let mut engines = Scripted::new(Costs::default());
    let played = play_with(&plan_of(MENU, &[]), Scenario::new(Vec::new()), &mut Gone(0), &mut engines);
    assert!(played.ended);
    let reason = Outcome::Ended { reason: "the media path stopped".into() };
    assert_eq!(played.record.outcome, reason);
}
