//! A network that delays, loses and reorders, the same way for the same seed.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// One direction's quality, for both directions.
#[derive(Debug)]
pub struct Link {
    /// Least delay.
    pub delay: Duration,
    /// What is added at random, evenly.
    pub jitter: Duration,
    /// Share of packets that never arrive, 0..1.
    pub loss: f64,
    random: SmallRng,
}

impl Link {
    /// A link of this quality.
    pub fn new(seed: u64, delay: Duration, jitter: Duration, loss: f64) -> Self {
        Self { delay, jitter, loss, random: SmallRng::seed_from_u64(seed) }
    }

    /// 10 ms each way, nothing lost.
    pub fn good(seed: u64) -> Self {
        Self::new(seed, Duration::from_millis(10), Duration::ZERO, 0.0)
    }

    /// How long the next packet takes, or `None` if it is lost.
    pub(super) fn carry(&mut self) -> Option<Duration> {
        if self.loss > 0.0 && self.random.random_bool(self.loss.min(1.0)) {
            return None;
        }
        let share: f64 = if self.jitter.is_zero() { 0.0 } else { self.random.random() };
        Some(self.delay + self.jitter.mul_f64(share))
    }
}
