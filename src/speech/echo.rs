//! Whether what comes in is our own line coming back: the share of it that one delayed copy of our line explains.
//!
//! Owns the last [`WINDOW_MS`] of what came in and the last [`LATEST_MS`] more of what went out, both at 2 kHz, where most
//! of a voice's energy is. Fixed memory; costs nothing until it is asked.

use crate::audio::{FRAME_MS, Frame};

/// Rate at which the two are compared, Hz.
const HZ: usize = 2_000;
/// What came in is compared over this long: shorter, two voices of one pitch look alike by chance.
const WINDOW_MS: usize = 100;
/// The latest that a line comes back.
const LATEST_MS: usize = 300;
const WINDOW: usize = WINDOW_MS * HZ / 1_000;
const LAGS: usize = LATEST_MS * HZ / 1_000;
const STEP: usize = FRAME_MS as usize * HZ / 1_000;

/// Both directions of one leg.
#[derive(Debug, Clone)]
pub struct Echo {
    ours: [f32; WINDOW + LAGS],
    theirs: [f32; WINDOW],
}

impl Default for Echo {
    fn default() -> Self {
        Self { ours: [0.0; WINDOW + LAGS], theirs: [0.0; WINDOW] }
    }
}

impl Echo {
    /// What is sent next; `None` while nothing of ours is played.
    pub fn ours(&mut self, frame: Option<&Frame>) {
        push(&mut self.ours, frame);
    }

    /// What came in.
    pub fn theirs(&mut self, frame: &Frame) {
        push(&mut self.theirs, Some(frame));
    }

    /// Share, 0..1, of the energy of the last 100 ms that came in that is our own line, so or so late. Of a hybrid's echo
    /// nearly all is; of a room's about half; of another voice a quarter looks like it, by chance.
    pub fn share(&self) -> f32 {
        let theirs: f32 = self.theirs.iter().map(|x| x * x).sum();
        let mut ours: f32 = self.ours[..WINDOW].iter().map(|x| x * x).sum();
        let mut share = 0.0f32;
        for lag in 0..=LAGS {
            let product: f32 = self.ours[lag..lag + WINDOW].iter().zip(&self.theirs).map(|(a, b)| a * b).sum();
            let energy = ours * theirs;
            if energy > f32::EPSILON {
                share = share.max(product * product / energy);
            }
            if let Some(next) = self.ours.get(lag + WINDOW) {
                ours = (ours + next * next - self.ours[lag] * self.ours[lag]).max(0.0);
            }
        }
        share.min(1.0)
    }
}

/// Moves on by a frame, made 2 kHz by means (what lies above is folded back, on both sides alike).
fn push(past: &mut [f32], frame: Option<&Frame>) {
    past.copy_within(STEP.., 0);
    let new = past.len() - STEP;
    match frame {
        Some(frame) => {
            let per = frame.samples().len() / STEP;
            for (to, from) in past[new..].iter_mut().zip(frame.samples().chunks(per)) {
                *to = from.iter().map(|&s| f32::from(s) / 32_768.0).sum::<f32>() / per as f32;
            }
        }
        None => past[new..].fill(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::Rate;

    /// Something like a voice: noise of its own, in a band.
    fn voice(seed: u32) -> impl FnMut() -> Frame {
        let (mut state, mut low) = (seed, 0.0f32);
        move || {
            let samples: Vec<i16> = (0..160)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    low += 0.3 * ((state >> 16) as f32 - 32_768.0 - low);
                    (low * 0.3) as i16
                })
                .collect();
            Frame::from_samples(Rate::Narrow, &samples)
        }
    }

    #[test]
    fn our_line_is_known_however_late_and_soft_it_comes_back_and_a_voice_over_it_is_not() {
        for late in [1, 3, 10] {
            let (mut echo, mut ours, mut other) = (Echo::default(), voice(1), voice(2));
            let mut sent = Vec::new();
            for tick in 0..60 {
                let back = if tick >= late { sent.get(tick - late).copied() } else { None };
                let mut back: Frame = back.unwrap_or(Frame::silence(Rate::Narrow));
                back.samples_mut().iter_mut().for_each(|s| *s /= 16);
                echo.theirs(&back);
                if tick > 20 {
                    assert!(echo.share() > 0.8, "{late} frames late, tick {tick}: {}", echo.share());
                }
                let frame = ours();
                echo.ours(Some(&frame));
                sent.push(frame);
            }
            for _ in 0..5 {
                echo.theirs(&other());
                echo.ours(Some(&ours()));
            }
            assert!(echo.share() < 0.25, "{}", echo.share());
        }
    }

    #[test]
    fn nothing_is_the_echo_of_nothing() {
        let mut echo = Echo::default();
        assert_eq!(echo.share(), 0.0);
        echo.theirs(&voice(1)());
        assert_eq!(echo.share(), 0.0);
    }
}
