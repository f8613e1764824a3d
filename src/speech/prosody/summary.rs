//! From the measurements of an utterance's windows to its [`Features`].

use std::collections::VecDeque;
use std::ops::Range;

use super::Hop;
use super::features::Features;
use super::front::{HOP, HZ};
use super::pitch::{Candidate, Path};
use super::spectra::{self, Moments, Spectra};
use super::spectrum::{BANDS, FIRST_TELEPHONE, LOWEST_DBOV, dbov};

/// Windows a second.
const PER_S: f32 = HZ / HOP as f32;
/// Sound is what lies within this of the utterance's loud parts: the range that survives G.711, a room and a quiet caller.
const DYNAMICS_DB: f32 = 28.0;
/// The common floor under every spectrum, below the loud parts.
const FLOOR_DB: f32 = 40.0;
/// A voiced stretch shorter than this is chance, windows.
const SHORTEST_VOICED: usize = 4;
/// A gap of this many windows is a pause.
const PAUSE: usize = 15;
/// Dip between two syllables.
const DIP_DB: f32 = 2.0;

/// The windows of an utterance, and what lies under them.
struct Sound<'a> {
    hops: &'a VecDeque<Hop>,
    span: Range<usize>,
    /// The common floor, mean square.
    floor: f32,
    noise: &'a [f32; BANDS],
    /// Below this is no sound, dBov.
    lowest: f32,
}

/// Room for the work, taken once.
#[derive(Debug)]
pub(super) struct Summary {
    path: Path,
    voiced: Vec<Option<Candidate>>,
    level: Vec<f32>,
    smooth: Vec<f32>,
    alpha: Vec<f32>,
    sort: Vec<f32>,
}

/// Level 300–3400 Hz of a window, dBov.
pub(super) fn level(hop: &Hop) -> f32 {
    dbov(hop.bands[FIRST_TELEPHONE..].iter().map(|b| power(*b)).sum())
}

/// Boersma's harmonics-to-noise ratio, bounded to what 8-bit companding leaves.
pub(super) fn hnr_db(r: f32) -> f32 {
    let r = r.clamp(0.001, 0.9999);
    (10.0 * (r / (1.0 - r)).log10()).clamp(-10.0, 35.0)
}

pub(super) fn power(centidb: i16) -> f32 {
    10f32.powf(f32::from(centidb) / 1_000.0)
}

impl Summary {
    pub(super) fn with_capacity(windows: usize) -> Self {
        let room = || Vec::with_capacity(windows);
        Self {
            path: Path::with_capacity(windows),
            voiced: Vec::with_capacity(windows),
            level: room(),
            smooth: room(),
            alpha: room(),
            sort: room(),
        }
    }

    /// The voiced path through these windows.
    pub(super) fn path(&mut self, hops: &VecDeque<Hop>, held: Range<usize>) -> &[Option<Candidate>] {
        let loudest = hops.range(held.clone()).map(|hop| hop.peak).max().unwrap_or(0).max(1);
        let window = |i: usize| {
            let hop = &hops[held.start + i];
            (hop.candidates, f32::from(hop.peak) / f32::from(loudest))
        };
        self.path.find(held.len(), window, &mut self.voiced);
        &self.voiced
    }

    pub(super) fn features(&mut self, hops: &VecDeque<Hop>, held: Range<usize>, noise: &[f32; BANDS]) -> Features {
        let clean = |hop: &Hop, band: usize| (power(hop.bands[band]) - noise[band]).max(0.0);
        self.level.clear();
        self.level.extend(
            hops.range(held.clone()).map(|hop| dbov((FIRST_TELEPHONE..BANDS).map(|band| clean(hop, band)).sum())),
        );
        let loud = percentile(&mut self.sort, self.level.iter().copied(), 0.95);
        let noise_dbov = dbov(noise[FIRST_TELEPHONE..].iter().sum());
        let lowest = (loud - DYNAMICS_DB).max(noise_dbov + 2.0);
        let Some(first) = self.level.iter().position(|l| *l > lowest) else { return Features::default() };
        let last = self.level.iter().rposition(|l| *l > lowest).unwrap_or(first);
        if loud <= LOWEST_DBOV + FLOOR_DB {
            return Features::default();
        }
        // From here on everything is about first..=last.
        let span = held.start + first..held.start + last + 1;
        self.level.copy_within(first..=last, 0);
        self.level.truncate(last + 1 - first);
        self.path(hops, span.clone());
        self.drop_chance(lowest);

        let mut out = Features {
            duration_s: span.len() as f32 / PER_S,
            snr_db: (loud - noise_dbov).clamp(0.0, 60.0),
            ..Features::default()
        };
        let voiced = self.voiced.iter().flatten().count();
        out.voiced_s = voiced as f32 / PER_S;
        if voiced < SHORTEST_VOICED {
            return out;
        }
        self.levels(lowest, &mut out);
        self.pitch(&mut out);
        self.timing(lowest, &mut out);
        self.quality(hops, &span, &mut out);
        let floor = 10f32.powf((loud - FLOOR_DB) / 10.0);
        self.spectra(&Sound { hops, span, floor, noise, lowest }, &mut out);
        out
    }

    /// Takes voicing back where there is no sound, or too short a stretch.
    fn drop_chance(&mut self, lowest: f32) {
        for (voiced, level) in self.voiced.iter_mut().zip(&self.level) {
            if *level <= lowest {
                *voiced = None;
            }
        }
        let mut i = 0;
        while i < self.voiced.len() {
            let run = self.voiced[i..].iter().take_while(|v| v.is_some()).count();
            if run < SHORTEST_VOICED {
                self.voiced[i..i + run].fill(None);
            }
            i += run.max(1);
        }
    }

    fn levels(&mut self, lowest: f32, out: &mut Features) {
        let sound = || self.level.iter().copied().filter(|l| *l > lowest);
        (out.level_dbov, out.level_stddev) = mean_stddev(sound());
        out.level_range = percentile(&mut self.sort, sound(), 0.8) - percentile(&mut self.sort, sound(), 0.2);
        let middle = percentile(&mut self.sort, sound(), 0.5);
        out.level_p95_p50 = percentile(&mut self.sort, sound(), 0.95) - middle;
        out.level_p50_p20 = middle - percentile(&mut self.sort, sound(), 0.2);
        let timed = self.level.iter().enumerate().filter(|(_, l)| **l > lowest);
        out.level_declination = regression(timed.map(|(i, l)| (i as f32 / PER_S, *l))).clamp(-40.0, 40.0);
        self.smooth.clear();
        let n = self.level.len();
        self.smooth.extend((0..n).map(|i| {
            let around = &self.level[i.saturating_sub(2)..(i + 3).min(n)];
            around.iter().map(|l| l.max(lowest)).sum::<f32>() / around.len() as f32
        }));
        (out.level_rising_slope, out.level_falling_slope) =
            slopes(self.smooth.windows(2).filter(|w| w[0] > lowest || w[1] > lowest).map(|w| w[1] - w[0]));
    }

    fn pitch(&mut self, out: &mut Features) {
        let f0 = || self.voiced.iter().flatten().map(|c| semitone(c.hz()));
        (out.f0_semitone_mean, out.f0_semitone_stddev) = mean_stddev(f0());
        out.f0_semitone_p20 = percentile(&mut self.sort, f0(), 0.2);
        out.f0_semitone_p50 = percentile(&mut self.sort, f0(), 0.5);
        out.f0_semitone_p80 = percentile(&mut self.sort, f0(), 0.8);
        out.f0_semitone_range = out.f0_semitone_p80 - out.f0_semitone_p20;
        out.f0_p95_p50 = percentile(&mut self.sort, f0(), 0.95) - out.f0_semitone_p50;
        out.f0_p50_p5 = out.f0_semitone_p50 - percentile(&mut self.sort, f0(), 0.05);
        // Over 30 ms, so that the measurement's own grain is no slope.
        (out.f0_rising_slope, out.f0_falling_slope) = slopes(self.voiced.windows(4).filter_map(|w| {
            let whole = w.iter().all(Option::is_some);
            match (w[0], w[3]) {
                (Some(a), Some(b)) if whole => Some((semitone(b.hz()) - semitone(a.hz())) / 3.0),
                _ => None,
            }
        }));
        let voiced = self.voiced.iter().enumerate().filter_map(|(i, c)| Some((i as f32 / PER_S, semitone((*c)?.hz()))));
        out.f0_declination = regression(voiced).clamp(-40.0, 40.0);
        let with_level = self.voiced.iter().zip(&self.level).filter_map(|(c, l)| Some((*l, semitone((*c)?.hz()))));
        out.f0_on_level = regression(with_level).clamp(-2.0, 2.0);
    }

    fn timing(&mut self, lowest: f32, out: &mut Features) {
        let n = self.level.len();
        let (mut paused, mut gap) = (0, 0);
        for level in &self.level {
            gap = if *level > lowest { 0 } else { gap + 1 };
            paused += match gap {
                PAUSE => PAUSE,
                g if g > PAUSE => 1,
                _ => 0,
            };
        }
        let seconds = n as f32 / PER_S;
        let speaking = ((n - paused) as f32 / PER_S).max(0.1);
        out.pause_ratio = paused as f32 / n as f32;
        let nuclei = self.nuclei(lowest) as f32;
        out.speech_rate = nuclei / seconds.max(0.1);
        out.articulation_rate = nuclei / speaking;
        let starts = (0..n).filter(|i| self.voiced[*i].is_some() && (*i == 0 || self.voiced[i - 1].is_none())).count();
        out.voiced_segments_per_s = starts as f32 / speaking;
        out.voiced_segment_mean_s = out.voiced_s / starts.max(1) as f32;
        let sound = self.level.iter().filter(|l| **l > lowest).count();
        out.voiced_ratio = out.voiced_s * PER_S / sound.max(1) as f32;
    }

    /// Counts peaks of the smoothed level that rise [`DIP_DB`] above the dips on both sides and are voiced.
    fn nuclei(&self, lowest: f32) -> usize {
        let (mut count, mut dip, mut peak, mut peak_at) = (0, lowest, f32::MIN, 0);
        let voiced =
            |at: usize| self.voiced[at.saturating_sub(2)..(at + 3).min(self.voiced.len())].iter().any(Option::is_some);
        for (i, &level) in self.smooth.iter().enumerate() {
            if level < dip {
                (dip, peak, peak_at) = (level, level, i);
            } else if level > peak {
                (peak, peak_at) = (level, i);
            } else if peak - level >= DIP_DB {
                count += usize::from(peak - dip >= DIP_DB && voiced(peak_at));
                (dip, peak, peak_at) = (level, level, i);
            }
        }
        count + usize::from(peak - dip >= DIP_DB && voiced(peak_at))
    }

    fn quality(&mut self, hops: &VecDeque<Hop>, span: &Range<usize>, out: &mut Features) {
        (out.hnr_db, out.hnr_stddev) = mean_stddev(self.voiced.iter().flatten().map(|c| hnr_db(c.height())));
        // Cycles were measured on the clearest candidate: they count where the path took it.
        let cycles = || {
            hops.range(span.clone()).zip(&self.voiced).filter_map(|(hop, voiced)| {
                let (jitter, shimmer) = hop.cycles?;
                ((*voiced)? == hop.candidates[0]).then_some((f32::from(jitter) / 1e5, f32::from(shimmer) / 1e3))
            })
        };
        out.jitter_local = mean_stddev(cycles().map(|c| c.0)).0;
        out.shimmer_local_db = mean_stddev(cycles().map(|c| c.1)).0;
    }

    fn spectra(&mut self, sound: &Sound<'_>, out: &mut Features) {
        self.alpha.clear();
        let mut sums = Spectra::default();
        let mut unvoiced = (Moments::default(), Moments::default());
        let (mut flux, mut before) = (Moments::default(), None);
        let windows = sound.hops.range(sound.span.clone()).zip(&self.voiced).zip(&self.level);
        for ((hop, voiced), level) in windows {
            let spectrum = spectra::telephone(hop, sound.floor, sound.noise);
            let shares = spectra::shares(&spectrum);
            if let (Some(before), true) = (before, *level > sound.lowest) {
                flux.add(std::iter::zip(shares, before).map(|(a, b): (f32, f32)| (a - b).abs()).sum::<f32>());
            }
            before = Some(shares);
            if voiced.is_some() {
                self.alpha.push(spectra::alpha_ratio(&spectrum));
                sums.add(&spectrum);
            } else if *level > sound.lowest {
                unvoiced.0.add(spectra::alpha_ratio(&spectrum));
                unvoiced.1.add(*level);
            }
        }
        sums.write(out);
        (out.spectral_flux, out.spectral_flux_stddev) = flux.mean_stddev();
        (out.alpha_ratio_3400, out.alpha_ratio_stddev) = mean_stddev(self.alpha.iter().copied());
        let voiced_level = || self.voiced.iter().zip(&self.level).filter(|(v, _)| v.is_some()).map(|(_, l)| *l);
        let with_level = || voiced_level().zip(self.alpha.iter().copied());
        out.alpha_on_level = regression(with_level()).clamp(-3.0, 3.0);
        let high = percentile(&mut self.sort, voiced_level(), 0.67);
        let low = percentile(&mut self.sort, voiced_level(), 0.33);
        let mean_where = |of: &dyn Fn(f32) -> bool| mean_stddev(with_level().filter(|p| of(p.0)).map(|p| p.1)).0;
        out.alpha_loud_soft = mean_where(&|level| level >= high) - mean_where(&|level| level <= low);
        let f0 = || self.voiced.iter().flatten().map(|c| semitone(c.hz()));
        out.f0_on_alpha = regression(self.alpha.iter().copied().zip(f0())).clamp(-2.0, 2.0);
        let hnr = || self.voiced.iter().flatten().map(|c| hnr_db(c.height()));
        out.hnr_on_level = regression(voiced_level().zip(hnr())).clamp(-2.0, 2.0);
        // Of an utterance without unvoiced sound nothing is known: as if both were alike.
        if unvoiced.0.count() >= SHORTEST_VOICED as f32 {
            out.alpha_unvoiced_voiced = unvoiced.0.mean_stddev().0 - out.alpha_ratio_3400;
            out.level_voiced_unvoiced = mean_stddev(voiced_level()).0 - unvoiced.1.mean_stddev().0;
        }
    }
}

fn semitone(hz: f32) -> f32 {
    12.0 * (hz.max(1.0) / 27.5).log2()
}

fn mean_stddev(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let mut moments = Moments::default();
    values.for_each(|value| moments.add(value));
    moments.mean_stddev()
}

/// Mean of the rising and (as a positive number) of the falling differences, per second.
fn slopes(differences: impl Iterator<Item = f32>) -> (f32, f32) {
    let (mut up, mut ups, mut down, mut downs) = (0.0, 0, 0.0, 0);
    for difference in differences {
        if difference > 0.0 {
            (up, ups) = (up + difference, ups + 1);
        } else if difference < 0.0 {
            (down, downs) = (down - difference, downs + 1);
        }
    }
    (up * PER_S / ups.max(1) as f32, down * PER_S / downs.max(1) as f32)
}

/// Slope of the least-squares line through (x, y); 0 where x does not vary.
pub(super) fn regression(points: impl Iterator<Item = (f32, f32)>) -> f32 {
    let (mut n, mut sx, mut sy, mut sxx, mut sxy) = (0.0f64, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in points {
        let (x, y) = (f64::from(x), f64::from(y));
        n += 1.0;
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    let spread = sxx * n - sx * sx;
    if n < 2.0 || spread <= 1e-9 { 0.0 } else { ((sxy * n - sx * sy) / spread) as f32 }
}

/// The value below which this share of the values lies; 0 of none. Sorts in `room`.
fn percentile(room: &mut Vec<f32>, values: impl Iterator<Item = f32>, share: f32) -> f32 {
    room.clear();
    room.extend(values);
    if room.is_empty() {
        return 0.0;
    }
    let place = ((room.len() - 1) as f32 * share).round() as usize;
    *room.select_nth_unstable_by(place, f32::total_cmp).1
}
