//! Whom a caller is put through to, and in which order. Pure: who rings, and how a ringing ends, is told to it.
//!
//! ```text
//! next(None) ─▶ Ring(a, until) ─ outcome ─▶ next(Some) ─▶ Ring(b, until) ─ … ─▶ Failed(the most hopeful reason)
//! ```

pub mod tries;

use std::time::{Duration, Instant};

/// Most agents that one caller is kept waiting for: more are never rung for the same call.
pub const MAX_AGENTS: usize = 16;

/// How ringing an agent ended, when it did not end in a conversation. In the order in which it gives hope: where several
/// agents failed differently, the caller hears of the first of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// 486, 600.
    Busy,
    /// 408, 480, or the ring time was over.
    NoAnswer,
    /// 603, 403.
    Declined,
    /// An address that does not resolve, 404, 5xx; or a queue without agents.
    Unreachable,
}

impl Failure {
    /// What a final answer to the INVITE means (RFC 3261, section 21); `None` for one that is no failure.
    pub fn from_status(status: u16) -> Option<Self> {
        match status {
            ..300 => None,
            486 | 600 => Some(Failure::Busy),
            408 | 480 | 487 => Some(Failure::NoAnswer),
            403 | 603 => Some(Failure::Declined),
            _ => Some(Failure::Unreachable),
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<'q> {
    /// Ring this agent until then; past it the outcome is [`Failure::NoAnswer`].
    Ring {
        /// The SIP address.
        agent: &'q str,
        /// When to stop.
        until: Instant,
    },
    /// Nobody is left to ring.
    Failed(Failure),
}

/// One caller's way through the agents of a queue, rung in order, each once.
#[derive(Debug, Clone)]
pub struct Queue {
    agents: Vec<String>,
    ring_timeout: Duration,
    next: usize,
    best: Option<Failure>,
}

impl Queue {
    /// A queue of SIP addresses; those past [`MAX_AGENTS`] are not rung.
    pub fn new(mut agents: Vec<String>, ring_timeout: Duration) -> Self {
        agents.truncate(MAX_AGENTS);
        Self { agents, ring_timeout, next: 0, best: None }
    }

    /// Whom to ring at `now`. `outcome` is how the last ringing ended, `None` at the first time.
    pub fn next(&mut self, now: Instant, outcome: Option<Failure>) -> Next<'_> {
        self.best = self.best.into_iter().chain(outcome).min();
        match self.agents.get(self.next) {
            Some(agent) => {
                self.next += 1;
                Next::Ring { agent, until: now + self.ring_timeout }
            }
            None => Next::Failed(self.best.unwrap_or(Failure::Unreachable)),
        }
    }

    /// Agents that have not been rung yet.
    pub fn left(&self) -> usize {
        self.agents.len() - self.next
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test may begin at any instant")]
mod tests {
    use super::*;

    const RING: Duration = Duration::from_secs(20);

    fn queue(agents: usize) -> Queue {
        Queue::new((0..agents).map(|n| format!("sip:{n}@example.org")).collect(), RING)
    }

    /// What the caller hears of when the agents fail like this.
    fn heard_of(outcomes: &[Failure]) -> Failure {
        let (mut queue, now) = (queue(outcomes.len()), Instant::now());
        let mut last = None;
        for outcome in outcomes {
            assert!(matches!(queue.next(now, last), Next::Ring { .. }));
            last = Some(*outcome);
        }
        match queue.next(now, last) {
            Next::Failed(failure) => failure,
            ring => panic!("{ring:?}"),
        }
    }

    #[test]
    fn agents_are_rung_in_order_each_once() {
        let (mut queue, now) = (queue(2), Instant::now());
        assert_eq!(queue.next(now, None), Next::Ring { agent: "sip:0@example.org", until: now + RING });
        let later = now + RING;
        assert_eq!(queue.left(), 1);
        let second = queue.next(later, Some(Failure::NoAnswer));
        assert_eq!(second, Next::Ring { agent: "sip:1@example.org", until: later + RING });
        assert_eq!(queue.next(later, Some(Failure::Busy)), Next::Failed(Failure::Busy));
        assert_eq!(queue.next(later, None), Next::Failed(Failure::Busy));
    }

    #[test]
    fn the_most_hopeful_failure_is_told() {
        use Failure::{Busy, Declined, NoAnswer, Unreachable};
        let table: &[(&[Failure], Failure)] = &[
            (&[], Unreachable),
            (&[Unreachable, Declined], Declined),
            (&[NoAnswer, Declined], NoAnswer),
            (&[Busy, Unreachable, NoAnswer], Busy),
            (&[Unreachable], Unreachable),
        ];
        for (outcomes, told) in table {
            assert_eq!(heard_of(outcomes), *told, "{outcomes:?}");
        }
    }

    #[test]
    fn a_status_is_a_failure_or_none() {
        let table = [
            (180, None),
            (200, None),
            (403, Some(Failure::Declined)),
            (404, Some(Failure::Unreachable)),
            (408, Some(Failure::NoAnswer)),
            (480, Some(Failure::NoAnswer)),
            (486, Some(Failure::Busy)),
            (503, Some(Failure::Unreachable)),
            (600, Some(Failure::Busy)),
            (603, Some(Failure::Declined)),
        ];
        for (status, failure) in table {
            assert_eq!(Failure::from_status(status), failure, "{status}");
        }
    }

    #[test]
    fn nobody_is_kept_waiting_for_a_thousand_agents() {
        assert_eq!(queue(1000).left(), MAX_AGENTS);
    }
}
