//! Smart Turn 3.2 (Daily, pipecat): whether a speaker who pauses is done, from the sound of the last 8 s.
//!
//! Owns the model's input and output. About 65 to 95 ms a decision on one thread. It knows nothing of words: over the
//! telephone it calls one order in six complete too early when asked after 200 ms, and most beginnings of a number, so
//! that it is one voice among others.

use std::path::Path;

use ort::session::Session;
use ort::value::TensorRef;

use super::{EngineError, onnx};
use crate::call::ports::{JobError, TurnDetector};
use crate::speech::log_mel::{BANDS, FRAMES, LogMel};

/// The detector.
pub struct SmartTurn {
    session: Session,
    mel: LogMel,
}

impl SmartTurn {
    /// Loads the model; ONNX Runtime must be [loaded](onnx::load).
    pub fn load(model: &Path) -> Result<Self, EngineError> {
        Ok(Self { session: onnx::session("smart-turn", model)?, mel: LogMel::new() })
    }
}

impl TurnDetector for SmartTurn {
    fn turn_end(&mut self, pcm: &[f32]) -> Result<f32, JobError> {
        let failed = |error: ort::Error| JobError::Failed(error.to_string());
        let features = self.mel.features(pcm);
        let input = TensorRef::from_array_view(([1, BANDS, FRAMES], features)).map_err(failed)?;
        let outputs = self.session.run(ort::inputs!["input_features" => input]).map_err(failed)?;
        // The output is named for logits, but the model ends in a sigmoid.
        let (_, probability) = outputs["logits"].try_extract_tensor::<f32>().map_err(failed)?;
        match probability {
            [probability] => Ok(*probability),
            _ => Err(JobError::Failed("the model's output has another shape".to_string())),
        }
    }
}
