//! Where a training stands, by what its state says of itself.

use std::path::Path;

use super::state::{Best, Position, State};
use super::{Receipt, TrainError, Validation};
use crate::checkpoint::STATE_FILE;

/// Where the training in a folder stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Updates made.
    pub update: u64,
    /// The epoch of the last update, from 1.
    pub epoch: u64,
    /// Whether that update was the last of its epoch.
    pub is_epoch_over: bool,
    /// The best validation, whose weights are the model; its seconds are not kept.
    pub best: Option<Validation>,
    /// Validations after the warm-up since the best one.
    pub stale: u64,
    /// Target tokens seen.
    pub tokens: u64,
    /// Seconds of training, of all runs together.
    pub seconds: f64,
}

impl Summary {
    /// The summary of the training in the model folder `dir`; none if the folder holds a model only.
    ///
    /// # Errors
    /// If there is a state that cannot be read.
    pub fn read(dir: impl AsRef<Path>) -> Result<Option<Self>, TrainError> {
        let dir = dir.as_ref();
        if !dir.join(STATE_FILE).exists() {
            return Ok(None);
        }
        let (_, _, position) = State::read(dir)?;
        let seconds = Receipt::read(dir)?.map_or(0.0, |receipt| receipt.seconds);
        Ok(Some(Self::of(&position, seconds)))
    }

    fn of(position: &Position, seconds: f64) -> Self {
        let epoch = position.last_epoch();
        Self {
            update: position.update,
            epoch,
            // A position names the epoch of the next batch.
            is_epoch_over: epoch < position.epoch,
            best: position.best.as_ref().map(Best::validation),
            stale: position.stale,
            tokens: position.tokens,
            seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_over_once_its_last_batch_is_used() {
        let at = |epoch, batch| {
            let summary = Summary::of(&Position { update: 7, epoch, batch, ..Position::start() }, 0.0);
            (summary.epoch, summary.is_epoch_over)
        };
        assert_eq!(at(1, 0), (1, false), "nothing is done yet");
        assert_eq!(at(1, 3), (1, false));
        assert_eq!(at(2, 0), (1, true));
        assert_eq!(at(2, 1), (2, false));
    }

    #[test]
    fn a_folder_without_a_state_has_no_summary_and_a_damaged_one_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Summary::read(dir.path()).expect("no state"), None);
        for damaged in [&b"short"[..], &[0xFF; 16], b"\x02\0\0\0\0\0\0\0{}"] {
            std::fs::write(dir.path().join(STATE_FILE), damaged).expect("a file");
            let error = Summary::read(dir.path()).expect_err("damaged").to_string();
            assert!(error.contains(STATE_FILE), "{error}");
        }
    }
}
