//! Many telephones' reports as one table.

use std::fmt;

use serde::Serialize;

use crate::cli::phone::PhoneReport;

/// Half of them, and all but one in twenty.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Quantiles {
    /// Median.
    pub(crate) p50: f32,
    /// 95th percentile.
    pub(crate) p95: f32,
    /// How many there were.
    pub(crate) count: usize,
}

impl Quantiles {
    pub(crate) fn new(times: impl IntoIterator<Item = f32>) -> Self {
        let mut times: Vec<f32> = times.into_iter().collect();
        times.sort_by(f32::total_cmp);
        let at = |share: f32| {
            let last = times.len().checked_sub(1)?;
            times.get((last as f32 * share).round() as usize).copied()
        };
        Self { p50: at(0.5).unwrap_or(f32::NAN), p95: at(0.95).unwrap_or(f32::NAN), count: times.len() }
    }
}

/// The outcome of a load.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Table {
    pub(crate) calls: usize,
    pub(crate) refused: usize,
    pub(crate) picked_up_ms: Quantiles,
    pub(crate) answer_ms: Quantiles,
    pub(crate) barge_in_ms: Quantiles,
    pub(crate) key_ms: Quantiles,
    /// Share of packet gaps within 5 ms of 20 ms, over all calls.
    pub(crate) paced: f32,
    pub(crate) worst_gap_ms: f32,
}

impl Table {
    pub(crate) fn new(reports: &[PhoneReport]) -> Self {
        let all = |times: fn(&PhoneReport) -> &[f32]| Quantiles::new(reports.iter().flat_map(times).copied());
        let packets: u64 = reports.iter().map(|r| r.received).sum();
        let paced: f64 = reports.iter().map(|r| f64::from(r.paced) * r.received as f64).sum();
        Self {
            calls: reports.len(),
            refused: reports.iter().filter(|r| r.refused.is_some()).count(),
            picked_up_ms: Quantiles::new(reports.iter().filter_map(|r| r.answered_ms)),
            answer_ms: all(|r| &r.answer_ms),
            barge_in_ms: all(|r| &r.barge_in_ms),
            key_ms: all(|r| &r.key_ms),
            paced: (paced / packets.max(1) as f64) as f32,
            worst_gap_ms: reports.iter().map(|r| r.worst_gap_ms).fold(0.0, f32::max),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "calls {}, refused {}", self.calls, self.refused)?;
        writeln!(f, "{:<26}{:>10}{:>10}{:>8}", "", "p50 ms", "p95 ms", "count")?;
        for (name, q) in [
            ("picked up", self.picked_up_ms),
            ("end of speech to answer", self.answer_ms),
            ("interruption to silence", self.barge_in_ms),
            ("key to answer", self.key_ms),
        ] {
            if q.count > 0 {
                writeln!(f, "{name:<26}{:>10.0}{:>10.0}{:>8}", q.p50, q.p95, q.count)?;
            }
        }
        writeln!(f, "packets within 5 ms of 20 ms: {:.1} %; worst gap {:.0} ms", self.paced * 100.0, self.worst_gap_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_times() {
        let q = Quantiles::new([5.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!((q.p50, q.p95, q.count), (3.0, 5.0, 5));
        assert!(Quantiles::new([]).p50.is_nan());
    }
}
