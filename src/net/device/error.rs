//! Why there is no sound.

use crate::audio::AudioError;

/// Why a sound card cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is none, or the system has no default.
    #[error(
        "there is no {end}: no sound card was found (`sidetone call --devices` lists them; in a container none is \
         there by itself)"
    )]
    None {
        /// Which end.
        end: &'static str,
    },
    /// None of that name.
    #[error("there is no {end} `{wanted}`; `sidetone call --devices` lists what there is")]
    Unknown {
        /// Which end.
        end: &'static str,
        /// What was asked for.
        wanted: String,
    },
    /// It refused.
    #[error("the {end} cannot be opened: {source}")]
    Open {
        /// Which end.
        end: &'static str,
        /// Why.
        source: cpal::Error,
    },
    /// None of its rates and sample formats can be converted.
    #[error("the {end} offers no sample rate and format that can be converted; choose another")]
    Unsuitable {
        /// Which end.
        end: &'static str,
    },
    /// There is no sound system that cpal knows.
    #[error("this system has no way to a sound card")]
    NoWay,
    /// The system does not list its devices.
    #[error("the sound devices cannot be listed: {0}")]
    List(cpal::Error),
    /// The resampler refused.
    #[error("the sound card's rate: {0}")]
    Rate(#[from] AudioError),
}
