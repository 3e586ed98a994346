//! The state of a training in one file, replaced atomically: weights, optimiser, position. Random streams need no state: they are named by seed and update.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::{TrainError, Validation};
use crate::checkpoint::{CheckpointError, STATE_FILE, Tensor, TensorFile, write_tensors};
use crate::config::Metric;
use crate::data::StreamPosition;
use crate::params::ParamSpec;

/// Where a training stands, beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Updates made.
    pub(super) update: u64,
    /// The epoch the next batch belongs to, from 1.
    pub(super) epoch: u64,
    /// Batches of that epoch already used.
    pub(super) batch: usize,
    /// What plateaus have multiplied the learning rate by.
    pub(super) plateau: f64,
    /// Validations since the best one.
    pub(super) stale: u64,
    /// The best validation.
    pub(super) best: Option<Best>,
    /// The best score by each metric whose best model is kept, too.
    pub(super) kept_best: Vec<(Metric, f64)>,
    /// See [`Position::last_epoch`]; 0 before the first update, and in states of older versions.
    #[serde(default)]
    pub(super) last_epoch: u64,
    /// Target tokens seen.
    pub(super) tokens: u64,
    /// What divergences have multiplied the learning rate by.
    pub(super) rate_factor: f64,
    /// The update of the last validation.
    pub(super) validated: u64,
    /// Whether that one was made only because the run had come to a limit.
    #[serde(default)]
    pub(super) validated_at_limit: bool,
    /// Where the buffer at hand ends in the stream, if the pairs come from one.
    #[serde(default)]
    pub(super) stream: Option<StreamPosition>,
}

impl Position {
    /// Whether a training can be there: epochs count from 1, and nothing counts to where it would overflow.
    fn is_possible(&self) -> bool {
        let Self { update, epoch, last_epoch, batch, plateau, rate_factor, stale, tokens, validated, .. } = *self;
        let counts = [update, batch as u64, stale, validated, tokens];
        (1..1 << 32).contains(&epoch)
            && last_epoch <= epoch
            && counts.iter().all(|&count| count < 1 << 48)
            && [plateau, rate_factor].iter().all(|factor| factor.is_finite() && *factor > 0.0)
    }

    /// The epoch the last update belonged to.
    pub(super) fn last_epoch(&self) -> u64 {
        match self.last_epoch {
            0 => self.epoch - u64::from(self.batch == 0 && self.epoch > 1),
            known => known,
        }
    }

    pub(super) fn start() -> Self {
        Self {
            update: 0,
            epoch: 1,
            batch: 0,
            plateau: 1.0,
            stale: 0,
            best: None,
            kept_best: Vec::new(),
            last_epoch: 0,
            tokens: 0,
            rate_factor: 1.0,
            validated: 0,
            validated_at_limit: false,
            stream: None,
        }
    }
}

/// The best validation, without its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    update: u64,
    epoch: u64,
    nll: f64,
    /// States of older versions do not have it.
    #[serde(default)]
    accuracy: f64,
    scores: Vec<(Metric, f64)>,
    /// The sum of its model; states of older versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_sha256: Option<String>,
}

impl Best {
    pub(super) fn of(v: &Validation, model_sha256: String) -> Self {
        let scores = v.scores.clone();
        let model_sha256 = Some(model_sha256);
        Self { update: v.update, epoch: v.epoch, nll: v.nll, accuracy: v.accuracy, scores, model_sha256 }
    }

    pub(super) fn validation(&self) -> Validation {
        let Self { update, epoch, nll, accuracy, scores, .. } = self.clone();
        Validation { update, epoch, nll, accuracy, scores, attention: None, is_best: true, seconds: 0.0 }
    }
}

/// A training's state.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) origin: &'a Origin,
    pub(super) position: &'a Position,
    /// What is kept of every parameter, the weights first.
    pub(super) tensors: Vec<Tensor<'a>>,
}

/// A state that was read as far as its header, and has every tensor that is wanted, in its shape.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) position: Position,
    file: TensorFile,
}

impl Found {
    /// What was kept of a parameter under the name of a slot.
    pub(super) fn values(&self, slot: &str, spec: &ParamSpec) -> Result<Vec<f32>, TrainError> {
        Ok(self.file.value(spec, &format!("{slot}."))?)
    }
}

impl State<'_> {
    /// Writes the state, unless a number in it is not finite: then the last one stays.
    pub(super) fn save(&self, dir: &Path) -> Result<(), TrainError> {
        if let Some(tensor) = first_not_finite(&self.tensors) {
            // A parameter, without the name of what is kept of it.
            let tensor = tensor.split_once('.').map_or(tensor, |(_, name)| name).to_owned();
            return Err(TrainError::NotFinite { update: self.position.update, tensor });
        }
        let json =
            |e: serde_json::Error| CheckpointError::Damaged { path: dir.join(STATE_FILE), message: e.to_string() };
        let text = serde_json::to_string(&(self.origin, self.position)).map_err(json)?;
        Ok(write_tensors(&dir.join(STATE_FILE), &self.tensors, Some(("training", text)))?)
    }

    /// Origin and position of the state in `dir`, without its tensors.
    pub(super) fn read(dir: &Path) -> Result<(TensorFile, Origin, Position), TrainError> {
        let path = dir.join(STATE_FILE);
        let file = TensorFile::read(&path)?;
        let text = file.metadata("training")?;
        let damaged = |message| CheckpointError::Damaged { path: path.clone(), message };
        let (origin, position): (Origin, Position) =
            serde_json::from_str(&text).map_err(|e| damaged(format!("its position: {e}")))?;
        if !position.is_possible() {
            return Err(damaged("its position: no training gets there".to_owned()).into());
        }
        Ok((file, origin, position))
    }

    /// The state in `dir`, which must have each of `slots` of every parameter and nothing else. No tensor is read yet.
    pub(super) fn find(dir: &Path, specs: &[ParamSpec], slots: &[&'static str]) -> Result<Found, TrainError> {
        let (file, _, position) = Self::read(dir)?;
        slots.iter().try_for_each(|slot| file.expect(specs, &format!("{slot}.")))?;
        file.expect_only(slots.iter().flat_map(|slot| specs.iter().map(move |s| format!("{slot}.{}", s.name))))?;
        Ok(Found { position, file })
    }
}

/// The first tensor with a value that is infinite or not a number.
pub(super) fn first_not_finite<'a>(tensors: &'a [Tensor<'_>]) -> Option<&'a str> {
    tensors.iter().find(|tensor| !tensor.is_finite()).map(|tensor| tensor.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_no_training_gets_to_is_recognised() {
        let start = Position::start();
        assert!(start.is_possible() && Position { epoch: 9, update: 1 << 40, ..start.clone() }.is_possible());
        for wrong in [
            Position { epoch: 0, ..start.clone() },
            Position { epoch: u64::MAX, ..start.clone() },
            Position { last_epoch: 2, ..start.clone() },
            Position { update: u64::MAX, ..start.clone() },
            Position { batch: usize::MAX, ..start.clone() },
            Position { tokens: u64::MAX, ..start.clone() },
            Position { rate_factor: f64::NAN, ..start.clone() },
            Position { plateau: 0.0, ..start },
        ] {
            assert!(!wrong.is_possible(), "{wrong:?}");
        }
    }
}
