//! Silero VAD 6: the probability that a window of 32 ms holds speech, at 8 and at 16 kHz.
//!
//! Owns the model's inputs. A stream's state is its caller's: one session serves every leg, one window after the other.

use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;

use super::EngineError;
use super::onnx;
use crate::audio::Rate;
use crate::call::ports::{JobError, VoiceDetector};

/// Recurrent state: two layers, one stream, 128 units.
const STATE: [usize; 3] = [2, 1, 128];
const STATE_LEN: usize = STATE[0] * STATE[1] * STATE[2];

/// The detector.
#[derive(Debug)]
pub struct Silero {
    session: Session,
    /// Context and window, -1..1; kept to be filled anew each time.
    input: Vec<f32>,
}

impl Silero {
    /// Loads the model; ONNX Runtime must be [loaded](onnx::load).
    pub fn load(model: &Path) -> Result<Self, EngineError> {
        Ok(Self { session: onnx::session("silero-vad", model)?, input: Vec::with_capacity(576) })
    }
}

/// Samples of the window before that the model sees again.
const fn context(rate: Rate) -> usize {
    match rate {
        Rate::Narrow => 32,
        Rate::Wide => 64,
    }
}

impl VoiceDetector for Silero {
    fn window(&self, rate: Rate) -> usize {
        match rate {
            Rate::Narrow => 256,
            Rate::Wide => 512,
        }
    }

    /// The recurrent state, then the last samples of the window before.
    fn start(&self, rate: Rate) -> Vec<f32> {
        vec![0.0; STATE_LEN + context(rate)]
    }

    fn probability(&mut self, state: &mut Vec<f32>, rate: Rate, window: &[i16]) -> Result<f32, JobError> {
        let failed = |error: ort::Error| JobError::Failed(error.to_string());
        if state.len() != STATE_LEN + context(rate) || window.len() != self.window(rate) {
            return Err(JobError::Failed(format!("a window of {} samples at {} Hz", window.len(), rate.hz())));
        }
        self.input.clear();
        self.input.extend_from_slice(&state[STATE_LEN..]);
        self.input.extend(window.iter().map(|&sample| f32::from(sample) / 32768.0));
        let hz = [i64::from(rate.hz())];
        let outputs = self
            .session
            .run(ort::inputs![
                "input" => TensorRef::from_array_view(([1, self.input.len()], self.input.as_slice())).map_err(failed)?,
                "state" => TensorRef::from_array_view((STATE, &state[..STATE_LEN])).map_err(failed)?,
                "sr" => TensorRef::from_array_view(([1usize; 0], hz.as_slice())).map_err(failed)?,
            ])
            .map_err(failed)?;
        let (_, probability) = outputs["output"].try_extract_tensor::<f32>().map_err(failed)?;
        let (_, next) = outputs["stateN"].try_extract_tensor::<f32>().map_err(failed)?;
        let (Some(&probability), true) = (probability.first(), next.len() == STATE_LEN) else {
            return Err(JobError::Failed("the model's outputs have another shape".to_string()));
        };
        state[..STATE_LEN].copy_from_slice(next);
        state[STATE_LEN..].copy_from_slice(&self.input[self.input.len() - context(rate)..]);
        Ok(probability)
    }
}
