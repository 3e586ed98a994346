//! `receipt.json`: under which circumstances a run was made. Times, threads and the machine stand here and in no other file that a repeated run would write.

use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TrainError;
use crate::checkpoint::{CheckpointError, write_atomic};
use crate::read_bounded::read_text;

/// The file's name in the model folder.
pub(super) const RECEIPT_FILE: &str = "receipt.json";

/// The longest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What is known of how a run was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The program's version.
    pub version: String,
    /// The instruction set it computed with last.
    pub instruction_set: String,
    /// Threads it computed on last.
    pub threads: usize,
    /// Seconds of training, of all runs together.
    pub seconds: f64,
}

impl Receipt {
    /// The receipt in a model folder; none if there is none.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn read(dir: impl AsRef<Path>) -> Result<Option<Self>, TrainError> {
        let path = dir.as_ref().join(RECEIPT_FILE);
        let text = match read_text(&path, MOST_BYTES) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointError::Read { path, source }.into()),
        };
        let receipt = serde_json::from_str(&text).map_err(|e| CheckpointError::Damaged {
            path,
            message: format!("{e}; without this file a training goes on too, but forgets the time it took so far"),
        })?;
        Ok(Some(receipt))
    }

    pub(super) fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let path = dir.join(RECEIPT_FILE);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| CheckpointError::Damaged { path: path.clone(), message: e.to_string() })?;
        text.push('\n');
        Ok(write_atomic(&path, text.as_bytes())?)
    }
}
