//! How long packets must wait so that most are there in time: the target of the jitter buffer. Owns the statistics of
//! transit times; knows no packets.
//!
//! The transit of a packet is its arrival less its timestamp. The lowest transit of the last seconds is the baseline; how
//! far packets come above it fills a histogram with a short memory, and the target is the delay within which
//! [`QUANTILE`] of them fall (as in NetEQ).

/// Width of a bin, and the step of the target, µs.
pub const STEP_US: i64 = 20_000;
/// Lowest and highest target, µs.
pub const MIN_US: i64 = 20_000;
/// Highest target, µs.
pub const MAX_US: i64 = 200_000;
/// Target before anything is known, µs.
pub const START_US: i64 = 40_000;
/// Part of the packets that must be in time.
const QUANTILE: f32 = 0.97;
/// Weight that a packet keeps when the next one comes: a memory of about 200 packets, 4 s.
const MEMORY: f32 = 0.995;
/// Weight given to [`START_US`] at the beginning: forgotten after about 8 s of even arrivals.
const PRIOR: f32 = 0.2;
const BINS: usize = (MAX_US / STEP_US) as usize;
/// The baseline is the minimum over one to two of these, so that it follows a drifting clock, µs.
const WINDOW_US: i64 = 5_000_000;
/// After a late packet the target does not fall below what it needed, one step less each of these, µs.
const FLOOR_STEP_US: i64 = 5_000_000;

/// The statistics of one stream. Times are µs on any clock that does not jump.
#[derive(Debug, Clone)]
pub struct Delay {
    bins: [f32; BINS],
    /// Lowest transit of this window and of the one before.
    lowest: Option<(i64, i64)>,
    window_began: i64,
    floor: i64,
    floor_set: i64,
}

impl Default for Delay {
    fn default() -> Self {
        Self::new()
    }
}

impl Delay {
    /// Nothing known: the target is [`START_US`].
    pub fn new() -> Self {
        let mut bins = [0.0; BINS];
        bins[0] = 1.0 - PRIOR;
        bins[(START_US / STEP_US - 1) as usize] = PRIOR;
        Self { bins, lowest: None, window_began: 0, floor: 0, floor_set: 0 }
    }

    /// Forgets the baseline, not the jitter: the stream's timestamps have jumped.
    pub fn rebase(&mut self) {
        self.lowest = None;
    }

    /// A packet arrived at `now` with this transit; returns how far it is above the baseline.
    pub fn observe(&mut self, now: i64, transit: i64) -> i64 {
        let lowest = match self.lowest {
            None => {
                self.window_began = now;
                (transit, transit)
            }
            Some((this, _)) if now - self.window_began > WINDOW_US => {
                self.window_began = now;
                (transit, this)
            }
            Some((this, before)) => (this.min(transit), before),
        };
        self.lowest = Some(lowest);
        let above = (transit - self.baseline()).max(0);
        for bin in &mut self.bins {
            *bin *= MEMORY;
        }
        self.bins[((above / STEP_US) as usize).min(BINS - 1)] += 1.0 - MEMORY;
        if self.floor > 0 && now - self.floor_set > FLOOR_STEP_US {
            self.floor -= STEP_US;
            self.floor_set = now;
        }
        above
    }

    /// A packet came too late to be played, `above` over the baseline: the target grows at once to what it needed.
    pub fn late(&mut self, now: i64, above: i64) {
        let needed = ((above / STEP_US + 1) * STEP_US).min(MAX_US);
        if needed >= self.floor {
            self.floor = needed;
            self.floor_set = now;
        }
    }

    /// Lowest transit of the last seconds; 0 before the first packet.
    pub fn baseline(&self) -> i64 {
        self.lowest.map_or(0, |(this, before)| this.min(before))
    }

    /// Whether there is a baseline.
    pub fn is_known(&self) -> bool {
        self.lowest.is_some()
    }

    /// How long after its baseline arrival a packet should be played, µs.
    pub fn target(&self) -> i64 {
        let mut late = 1.0 - QUANTILE;
        let mut bin = BINS - 1;
        while bin > 0 && self.bins[bin] < late {
            late -= self.bins[bin];
            bin -= 1;
        }
        ((bin as i64 + 1) * STEP_US).max(self.floor).clamp(MIN_US, MAX_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets every 20 ms, each late by what `lateness` says; the target in ms after them.
    fn after(packets: i64, lateness: impl Fn(i64) -> i64) -> (i64, Delay) {
        let mut delay = Delay::new();
        for i in 0..packets {
            let late = lateness(i) * 1000;
            delay.observe(i * 20_000 + late, late - 7_000_000);
        }
        (delay.target() / 1000, delay)
    }

    #[test]
    fn the_target_follows_the_jitter() {
        assert_eq!(after(0, |_| 0).0, 40);
        assert_eq!(after(50, |_| 0).0, 40, "one even second proves little");
        assert_eq!(after(500, |_| 0).0, 20);
        assert_eq!(after(500, |i| if i % 10 == 0 { 70 } else { 0 }).0, 80, "a tenth is 70 ms late");
        assert_eq!(after(500, |i| if i % 100 == 0 { 70 } else { 0 }).0, 20, "a hundredth is let go");
        assert_eq!(after(500, |i| i * 37 % 500).0, 200, "never more than 200 ms");
    }

    #[test]
    fn a_drifting_clock_moves_the_baseline() {
        // 1 ms a second slower, for two minutes: without a window the last packets would look 120 ms late.
        let (target, delay) = after(6_000, |i| i / 50);
        assert_eq!(target, 20);
        assert!(delay.baseline() + 7_000_000 > 105_000);
    }

    #[test]
    fn a_late_packet_raises_the_floor_which_sinks_again() {
        let (_, mut delay) = after(500, |_| 0);
        delay.late(10_000_000, 90_000);
        assert_eq!(delay.target(), 100_000);
        for i in 0..1_000 {
            delay.observe(10_000_000 + i * 20_000, -7_000_000);
        }
        assert!((40_000..=60_000).contains(&delay.target()), "{}", delay.target());
    }
}
