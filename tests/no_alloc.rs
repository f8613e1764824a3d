//! The 20 ms media tick allocates nothing.
//!
//! Covered, 50,000 ticks (1,000 s of call) of PCMU between two legs: receiving a packet (parse, jitter push, digits), the
//! leg's tick (jitter pop, decode, concealment of the packets that the wire loses, encode, header), playout of spoken
//! clips, a loop, a barge-in and ducking, mixing, level, resampling 8 to 16 kHz and back, and pairing for the recording.
//! With the feature `webrtc` the same path for Opus, as far as Rust's allocator sees (libopus has no heap in its codecs).
//!
//! Not covered, since they are not in the tick: building a leg, pushing a clip, RTCP every 5 s, and writing files.

#![expect(unsafe_code, reason = "a global allocator cannot be written without it")]
#![expect(clippy::disallowed_methods, reason = "a test needs some instant to count from")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sidetone::audio::{Codec, Frame, FrameResampler, Playout, Rate, Recording, SayRef, level, mix};
use sidetone::call::leg::{LegConfig, LegMedia, MAX_PACKET, MediaLeg};

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // During a thread's end the counter may be gone.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(at, layout, size) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // Freeing in the tick is as slow as allocating.
        count();
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations, reallocations and frees of this thread while `work` runs.
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = CALLS.get();
    let done = work();
    (CALLS.get() - before, done)
}

fn leg(codec: Codec, ssrc: u32, now: Instant) -> MediaLeg {
    let media =
        LegMedia { codec, payload_type: codec.static_payload_type().unwrap_or(111), event_payload_type: Some(101) };
    let config = LegConfig { media, ssrc, first_seq: 1, first_ts: 1, cname: "test".into() };
    MediaLeg::new(config, now).expect("the codec is built in")
}

/// What a call does every 20 ms with a caller's leg and an agent's.
struct Call {
    caller: MediaLeg,
    peer: MediaLeg,
    playout: Playout,
    recording: Recording,
    up: FrameResampler,
    down: FrameResampler,
    out: [u8; MAX_PACKET],
    play: Frame,
    heard: f64,
}

impl Call {
    fn new(codec: Codec, now: Instant) -> Self {
        let mut caller = leg(codec, 1, now);
        caller.listen(now).expect("the codec is built in");
        Self {
            caller,
            peer: leg(codec, 2, now),
            playout: Playout::new(codec.rate()),
            recording: Recording::new(codec.rate()),
            up: FrameResampler::new(Rate::Wide).expect("supported"),
            down: FrameResampler::new(Rate::Narrow).expect("supported"),
            out: [0; MAX_PACKET],
            play: Frame::silence(codec.rate()),
            heard: 0.0,
        }
    }

    fn tick(&mut self, now: Instant, tick: u32) {
        self.playout.duck(tick % 400 > 350);
        if tick % 1_000 == 999 {
            self.playout.stop(40);
        }
        let playing = self.playout.next_frame(&mut self.play);
        let sent = self.peer.tick(now, playing.then_some(&self.play), &mut self.out).sent;
        // One packet in 50 is lost, one in 70 comes twice.
        if sent > 0 && tick % 50 != 7 {
            self.caller.receive(now, &self.out[..sent]);
            if tick.is_multiple_of(70) {
                self.caller.receive(now, &self.out[..sent]);
            }
        }
        let heard = self.caller.tick(now, None, &mut self.out).incoming;
        while let Some(overheard) = self.caller.overheard() {
            self.heard += f64::from(level::dbov(&overheard.frame).max(-90.0) + 90.0);
        }
        let there = self.up.process(&heard);
        let mut mixed = if heard.rate() == Rate::Narrow { self.down.process(&there) } else { heard };
        mix::add(&mut mixed, &self.play);
        mix::gain(&mut mixed, 0.5);
        self.recording.mute(tick % 500 < 50, self.caller.playout_delay());
        self.recording.pair(Some(&heard), Some(&mixed));
        self.heard += f64::from(level::dbov(&heard).max(-90.0) + 90.0);
    }
}

fn run(codec: Codec, ticks: u32) {
    let start = Instant::now();
    let mut call = Call::new(codec, start);
    let clip: Arc<[i16]> = (0..40_000).map(|i| (i * 37 % 16_000 - 8_000) as i16).collect();
    call.playout.loop_clip(clip.clone(), 0.1);
    let mut total = 0;
    for tick in 0..ticks {
        if tick % 200 == 0 {
            // Not in the tick: a sentence arrives from synthesis.
            let _ = call.playout.push(SayRef { say: tick, sentence: 0 }, clip.clone());
        }
        if tick % 777 == 5 {
            call.peer.send_digit('5');
        }
        let now = start + Duration::from_millis(20) * tick;
        total += allocations(|| call.tick(now, tick)).0;
    }
    assert!(call.heard / f64::from(ticks) > 20.0, "something was heard");
    let stats = call.caller.stats();
    assert!(stats.concealed > 0 && stats.lost > 0 && stats.received > u64::from(ticks) * 9 / 10, "{stats:?}");
    assert_eq!(total, 0, "{codec:?}: allocations in {ticks} ticks");
}

#[test]
fn the_counter_counts() {
    assert!(allocations(|| vec![1u8; 100]).0 >= 1);
}

#[test]
fn fifty_thousand_ticks_of_pcmu_allocate_nothing() {
    run(Codec::Pcmu, 50_000);
}

#[cfg(feature = "webrtc")]
#[test]
fn opus_ticks_allocate_nothing() {
    run(Codec::Opus, 5_000);
}
