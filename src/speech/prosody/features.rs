//! The parameters of an utterance: what the model, the baseline and the reasons are made from.
//!
//! Named after the extended Geneva minimalistic acoustic parameter set (eGeMAPS; F. Eyben et al. 2016, IEEE Trans.
//! Affective Computing 7(2)); `_3400` says that a band ends at the telephone's 3.4 kHz instead of the set's 5 kHz (and
//! begins at 300 Hz: a line may carry nothing below). Levels and spectra are taken after the line's noise has been
//! subtracted, over a common floor 40 dB below the utterance's loud parts, so that a quiet, a noisy and a studio recording
//! of one voice measure alike.

macro_rules! features {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// One utterance. Every number is finite; all are 0 when nothing was voiced.
        #[derive(Debug, Clone, Copy, PartialEq, Default)]
        pub struct Features {
            $($(#[doc = $doc])+ pub $name: f32,)+
        }

        impl Features {
            /// Names, in the order of [`Features::values`].
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),+];

            /// The numbers, in the order of [`Features::NAMES`].
            pub fn values(&self) -> [f32; Self::COUNT] {
                [$(self.$name),+]
            }

            /// Their count.
            pub const COUNT: usize = [$(stringify!($name)),+].len();
        }
    };
}

features! {
    /// From the first to the last sound of the utterance, s.
    duration_s,
    /// Of which voiced, s.
    voiced_s,
    /// Loud parts (95th percentile) over the line's noise, dB; at most 60.
    snr_db,
    /// Mean level while there is sound, 300–3400 Hz, noise subtracted, dBov.
    level_dbov,
    /// Standard deviation of the level while there is sound, dB.
    level_stddev,
    /// 80th less 20th percentile of the level while there is sound, dB.
    level_range,
    /// Mean slope of the parts where the level (smoothed over 50 ms) rises, dB/s.
    level_rising_slope,
    /// Mean slope of the parts where it falls, as a positive number, dB/s.
    level_falling_slope,
    /// Mean F0, semitones above 27.5 Hz, over voiced windows.
    f0_semitone_mean,
    /// Its standard deviation, semitones.
    f0_semitone_stddev,
    /// 20th percentile.
    f0_semitone_p20,
    /// 50th percentile.
    f0_semitone_p50,
    /// 80th percentile.
    f0_semitone_p80,
    /// 80th less 20th percentile, semitones.
    f0_semitone_range,
    /// Mean slope of rising F0 within voiced stretches, semitones/s.
    f0_rising_slope,
    /// Mean slope of falling F0, as a positive number, semitones/s.
    f0_falling_slope,
    /// Slope of the line through all of the utterance's F0 (declination), semitones/s.
    f0_declination,
    /// Syllable nuclei (peaks of level, 2 dB over the dips beside them, voiced; N. de Jong & T. Wempe 2009) per second.
    speech_rate,
    /// The same per second without pauses.
    articulation_rate,
    /// Share of the time that is pauses of 150 ms and more, 0..1.
    pause_ratio,
    /// Voiced stretches per second.
    voiced_segments_per_s,
    /// Their mean length, s.
    voiced_segment_mean_s,
    /// Voiced share of the time with sound, 0..1.
    voiced_ratio,
    /// Mean |T₁ − T₂| / mean period of neighbouring cycles, 0..0.3.
    jitter_local,
    /// Mean |20·log₁₀(A₁/A₂)| of neighbouring cycles' peak-to-peak amplitudes, dB.
    shimmer_local_db,
    /// Mean harmonics-to-noise ratio, 10·log₁₀(r / (1 − r)) of the autocorrelation r at the period, dB.
    hnr_db,
    /// Its standard deviation, dB.
    hnr_stddev,
    /// Mean of 10·log₁₀(P(1000–3400 Hz) / P(300–1000 Hz)), voiced, dB. Raised voice moves power upwards.
    alpha_ratio_3400,
    /// Its standard deviation, dB.
    alpha_ratio_stddev,
    /// Mean of the strongest band's density in 300–2000 Hz over that in 2000–3400 Hz, voiced, dB.
    hammarberg_3400,
    /// Mean slope of the spectrum (band densities) 500–1500 Hz, voiced, dB/kHz.
    slope_500_1500,
    /// Mean slope of the spectrum 300–3400 Hz, voiced, dB/kHz.
    slope_300_3400,
    /// Mean centre of gravity of the spectrum 300–3400 Hz, voiced, Hz.
    centroid_3400,
    /// Geometric over arithmetic mean of band densities 300–3400 Hz, voiced, dB (0 is flat).
    flatness_3400,
    /// Mean change of the band amplitudes' shares from window to window (Σ|Δ|), while there is sound; level-free.
    spectral_flux,
    /// Mean first cepstral coefficient of the thirteen bands 300–3400 Hz, voiced.
    mfcc1,
    /// Second.
    mfcc2,
    /// Third.
    mfcc3,
    /// Fourth.
    mfcc4,
    /// How the alpha ratio follows the level within the utterance, dB per dB. The line's own tilt cancels out.
    alpha_on_level,
    /// How F0 follows the level within the utterance, semitones per dB.
    f0_on_level,
    /// 95th less 50th percentile of the level while there is sound, dB.
    level_p95_p50,
    /// 50th less 20th percentile, dB.
    level_p50_p20,
    /// Slope of the line through the level while there is sound, dB/s.
    level_declination,
    /// 95th less 50th percentile of F0, semitones.
    f0_p95_p50,
    /// 50th less 5th percentile of F0, semitones.
    f0_p50_p5,
    /// How F0 follows the alpha ratio, semitones per dB.
    f0_on_alpha,
    /// How the harmonics-to-noise ratio follows the level, dB per dB.
    hnr_on_level,
    /// Mean alpha ratio of the loudest third of voiced windows less that of the softest third, dB.
    alpha_loud_soft,
    /// Mean alpha ratio of unvoiced sound less that of voiced sound, dB.
    alpha_unvoiced_voiced,
    /// Mean level of voiced sound less that of unvoiced sound, dB.
    level_voiced_unvoiced,
    /// Standard deviation of the spectral flux.
    spectral_flux_stddev,
    /// Standard deviation of the Hammarberg index, dB.
    hammarberg_stddev,
    /// Standard deviation of the slope 300–3400 Hz, dB/kHz.
    slope_stddev,
    /// Standard deviation of the centre of gravity, Hz.
    centroid_stddev,
    /// Mean centre of gravity of 300–1000 Hz (where the first formant is), voiced, Hz.
    centroid_300_1000,
    /// Its standard deviation, Hz.
    centroid_300_1000_stddev,
    /// Mean centre of gravity of 1000–3400 Hz, voiced, Hz.
    centroid_1000_3400,
    /// Its standard deviation, Hz.
    centroid_1000_3400_stddev,
    /// Standard deviation of the flatness, dB.
    flatness_stddev,
    /// Standard deviation of the first cepstral coefficient; a line's own spectrum cancels out.
    mfcc1_stddev,
    /// Of the second.
    mfcc2_stddev,
    /// Of the third.
    mfcc3_stddev,
    /// Of the fourth.
    mfcc4_stddev,
}

impl Features {
    /// Least voiced sound from which the numbers mean something, s.
    pub const ENOUGH_VOICED_S: f32 = 0.25;

    /// Where the value of this name stands in [`Features::values`].
    pub fn place(name: &str) -> Option<usize> {
        Self::NAMES.iter().position(|n| *n == name)
    }

    /// The value of this name.
    pub fn named(&self, name: &str) -> Option<f32> {
        Self::place(name).map(|i| self.values()[i])
    }

    /// How much the numbers can be relied on, 0..1: enough voiced sound (1.5 s), over the noise (20 dB), that moves in level
    /// and in pitch as speech does and a tone or a hum does not.
    pub fn confidence(&self) -> f32 {
        if self.voiced_s < Self::ENOUGH_VOICED_S {
            return 0.0;
        }
        let amount = (self.voiced_s / 1.5).min(1.0).sqrt();
        let clean = ((self.snr_db - 3.0) / 17.0).clamp(0.0, 1.0);
        let moves = ((self.level_stddev - 1.0) / 1.5).clamp(0.0, 1.0) * (self.f0_semitone_stddev / 0.5).min(1.0);
        amount * clean * moves
    }
}
