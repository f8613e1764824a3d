//! What a telephone plays: packets put in order by timestamp, a little late, so that late ones are there in time.

use super::FRAME;

/// Longest stretch that can wait, samples at 8 kHz: a second.
const PLACES: usize = 8_192;
/// Playing begins with this much in hand, and begins again after it ran dry: 80 ms.
const HEAD_START: u32 = 4 * FRAME as u32;
/// More than this in hand is left out: the far end's clock is faster, or the network held packets back: 240 ms.
const MOST: u32 = 12 * FRAME as u32;

/// Sound on its way from the network to the loudspeaker.
pub(super) struct Playout {
    places: Box<[i16]>,
    source: Option<u32>,
    /// Timestamp of the next sample to be played.
    next: u32,
    /// Timestamp after the newest sample.
    end: u32,
    playing: bool,
}

impl Playout {
    pub(super) fn new() -> Self {
        Self { places: vec![0; PLACES].into(), source: None, next: 0, end: 0, playing: false }
    }

    /// Takes a packet's samples. What is too late is left out; what is far from the rest begins anew.
    pub(super) fn put(&mut self, source: u32, timestamp: u32, samples: &[i16]) {
        let ahead = timestamp.wrapping_sub(self.next) as i32;
        let fits = (-(PLACES as i32)..=(PLACES - samples.len().min(PLACES)) as i32).contains(&ahead);
        if self.source != Some(source) || !fits {
            self.places.fill(0);
            (self.source, self.next, self.end, self.playing) = (Some(source), timestamp, timestamp, false);
        } else if ahead < 0 {
            return;
        }
        for (n, sample) in samples.iter().take(PLACES).enumerate() {
            *self.place(timestamp.wrapping_add(n as u32)) = *sample;
        }
        let end = timestamp.wrapping_add(samples.len() as u32);
        if end.wrapping_sub(self.end) as i32 > 0 {
            self.end = end;
        }
    }

    /// The next 20 ms; silence while there is nothing to play.
    pub(super) fn take(&mut self) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        self.playing |= self.ready() >= HEAD_START;
        if self.ready() < FRAME as u32 {
            self.playing = false;
        }
        if !self.playing {
            return frame;
        }
        while self.ready() > MOST {
            self.step(&mut frame);
        }
        self.step(&mut frame);
        frame
    }

    fn ready(&self) -> u32 {
        self.end.wrapping_sub(self.next)
    }

    fn step(&mut self, frame: &mut [i16; FRAME]) {
        for sample in frame {
            let place = self.place(self.next);
            // A packet that never comes is silence.
            *sample = std::mem::take(place);
            self.next = self.next.wrapping_add(1);
        }
    }

    fn place(&mut self, timestamp: u32) -> &mut i16 {
        &mut self.places[timestamp as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts packets, numbered in time, whose samples are their number, and takes as many frames as asked.
    fn play(playout: &mut Playout, packets: &[i16], frames: usize) -> Vec<i16> {
        for packet in packets {
            // The timestamps wrap around in the midst.
            let timestamp = (u32::MAX - 1_000).wrapping_add(*packet as u32 * FRAME as u32);
            playout.put(7, timestamp, &[*packet; FRAME]);
        }
        (0..frames).map(|_| playout.take()[FRAME / 2]).collect()
    }

    #[test]
    fn packets_are_played_in_order_after_a_head_start() {
        let mut playout = Playout::new();
        assert_eq!(play(&mut playout, &[1, 2, 3], 2), [0, 0], "too little in hand");
        assert_eq!(play(&mut playout, &[5, 6, 4], 3), [1, 2, 3]);
        assert_eq!(play(&mut playout, &[7, 2, 9], 4), [4, 5, 6, 7], "2 is late");
        assert_eq!(play(&mut playout, &[], 3), [0, 9, 0], "8 never came");
        assert_eq!(play(&mut playout, &[10, 11], 1), [0], "it ran dry, and waits again");
        assert_eq!(play(&mut playout, &[12, 13], 2), [10, 11]);
    }

    #[test]
    fn a_burst_does_not_become_a_delay() {
        let mut playout = Playout::new();
        let burst: Vec<i16> = (1..=30).collect();
        let played = play(&mut playout, &burst, 1);
        assert!(played[0] >= 18, "{played:?}");
        assert!(playout.ready() <= MOST);
    }

    #[test]
    fn another_stream_begins_anew() {
        let mut playout = Playout::new();
        play(&mut playout, &[1, 2, 3, 4], 1);
        for n in 0..4 {
            playout.put(8, n * FRAME as u32, &[9; FRAME]);
        }
        assert_eq!(playout.take()[0], 9);
        playout.put(8, 1 << 30, &[5; 4 * FRAME]);
        assert_eq!(playout.take()[0], 5, "a leap of its timestamps");
        playout.put(8, 0, &vec![1; 2 * PLACES]);
    }
}
