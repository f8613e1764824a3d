//! Sequence numbers and timestamps that do not wrap (RFC 3550, A.1). Owns the 16- and 32-bit arithmetic; never looks at time.

/// Largest jump ahead that is a loss and not another stream (A.1).
const MAX_DROPOUT: u16 = 3_000;
/// Largest step back that is a reordered packet (A.1).
const MAX_MISORDER: u16 = 100;

/// What a sequence number says about its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Part of the stream, in order or not: the extended number.
    Valid(u64),
    /// Too far off: dropped, unless the next packet follows it.
    Suspect,
    /// Two in a row that do not fit: the sender has started again. The stream continues from this extended number.
    Restarted(u64),
}

/// The extended sequence number of one source.
#[derive(Debug, Clone, Copy)]
pub struct Sequence {
    /// Highest so far, extended.
    highest: u64,
    /// First of this run, extended.
    base: u64,
    /// The number after a suspect packet.
    suspect: Option<u16>,
}

/// Where extended numbers start, so that a packet older than the first one is still positive.
const FIRST_CYCLE: u64 = 1 << 16;

impl Sequence {
    /// Begins with the first packet of a source; its extended number is [`Sequence::highest`].
    pub fn new(first: u16) -> Self {
        let base = FIRST_CYCLE + u64::from(first);
        Self { highest: base, base, suspect: None }
    }

    /// Judges the next packet.
    pub fn step(&mut self, sequence: u16) -> Step {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            self.suspect = None;
            return Step::Valid(self.highest);
        }
        let behind = ahead.wrapping_neg();
        if behind <= MAX_MISORDER {
            return Step::Valid(self.highest - u64::from(behind));
        }
        if self.suspect == Some(sequence) {
            // A fresh cycle: numbers of before and after never mix.
            *self = Self::new(sequence);
            return Step::Restarted(self.highest);
        }
        self.suspect = Some(sequence.wrapping_add(1));
        Step::Suspect
    }

    /// Highest extended number: the low 16 bits are the wire's.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// The same as RTCP wants it: 16 bits of cycles, 16 of sequence number.
    pub fn highest_for_report(&self) -> u32 {
        (self.highest - FIRST_CYCLE) as u32
    }

    /// Packets that should have come by now.
    pub fn expected(&self) -> u64 {
        self.highest - self.base + 1
    }
}

/// Extends 32-bit timestamps to 64 bits, by the nearest to the last one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timestamps {
    last: Option<i64>,
}

impl Timestamps {
    /// The extended timestamp.
    pub fn extend(&mut self, timestamp: u32) -> i64 {
        let extended = match self.last {
            None => i64::from(timestamp),
            Some(last) => last + i64::from(timestamp.wrapping_sub(last as u32) as i32),
        };
        self.last = Some(extended);
        extended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: u16, rest: &[u16]) -> (Vec<Step>, Sequence) {
        let mut sequence = Sequence::new(first);
        (rest.iter().map(|&s| sequence.step(s)).collect(), sequence)
    }

    #[test]
    fn numbers_extend_across_the_wrap_and_back() {
        let (steps, sequence) = run(65_534, &[65_535, 1, 0, 2]);
        let at = |n: u64| Step::Valid(FIRST_CYCLE + n);
        assert_eq!(steps, [at(65_535), at(65_537), at(65_536), at(65_538)]);
        assert_eq!(sequence.expected(), 5);
        assert_eq!(sequence.highest_for_report(), 0x0001_0002);
    }

    #[test]
    fn a_packet_from_before_the_first_is_valid_and_old() {
        let (steps, sequence) = run(3, &[1, 65_530]);
        assert_eq!(steps, [Step::Valid(FIRST_CYCLE + 1), Step::Valid(FIRST_CYCLE - 6)]);
        assert_eq!(sequence.expected(), 1);
    }

    #[test]
    fn one_stray_packet_changes_nothing_two_in_a_row_restart() {
        let (steps, sequence) = run(100, &[101, 40_000, 102]);
        assert_eq!(steps[1..], [Step::Suspect, Step::Valid(FIRST_CYCLE + 102)]);
        assert_eq!(sequence.expected(), 3);
        let (steps, sequence) = run(100, &[40_000, 40_001, 40_002]);
        assert_eq!(steps, [Step::Suspect, Step::Restarted(FIRST_CYCLE + 40_001), Step::Valid(FIRST_CYCLE + 40_002)]);
        assert_eq!(sequence.expected(), 2);
    }

    #[test]
    fn timestamps_extend_across_the_wrap_and_back() {
        let mut timestamps = Timestamps::default();
        let extended: Vec<i64> =
            [u32::MAX - 159, 0, 160, u32::MAX - 159].iter().map(|&t| timestamps.extend(t)).collect();
        assert_eq!(extended, [4_294_967_136, 4_294_967_296, 4_294_967_456, 4_294_967_136]);
    }
}
