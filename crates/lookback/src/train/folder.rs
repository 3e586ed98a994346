//! The folder of a run: its files, and whether a run may begin or go on in it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::metrics::METRICS_FILE;
use super::receipt::RECEIPT_FILE;
use super::{Start, TrainError, kept};
use crate::checkpoint::{CONFIG_FILE, Checkpoint, CheckpointError, MODEL_FILE, STATE_FILE};
use crate::stored::Storage;

/// The files of a run.
const FILES: [&str; 8] = [
    CONFIG_FILE,
    MODEL_FILE,
    STATE_FILE,
    METRICS_FILE,
    RECEIPT_FILE,
    "tokenizer.json",
    "tokenizer.src.json",
    "tokenizer.tgt.json",
];

/// Refuses a folder that holds a training, if a fresh one is to begin.
pub(super) fn refuse_occupied(dir: &Path, start: Start) -> Result<(), TrainError> {
    let is_occupied = FILES.iter().any(|file| dir.join(file).exists());
    if start == Start::Fresh && is_occupied {
        return Err(TrainError::Occupied { dir: dir.to_owned() });
    }
    Ok(())
}

/// Whether there is a state to go on from. A run that was killed before it wrote its first one has lost nothing: it goes on from its start.
pub(super) fn has_state(dir: &Path) -> Result<bool, TrainError> {
    let nothing = |what: &'static str, remedy: &'static str| {
        Err(TrainError::NothingToResume { dir: dir.to_owned(), what, remedy })
    };
    if !dir.is_dir() {
        return nothing("there is no such folder", "leave out --resume to begin, or give the folder of the training");
    }
    if dir.join(STATE_FILE).exists() {
        return Ok(true);
    }
    match Checkpoint::storage(dir) {
        Ok(storage) if storage != Storage::F32 => {
            return Err(TrainError::Converted { dir: dir.to_owned(), found: storage.name() });
        }
        // What else is wrong with the folder is told where it is read.
        _ => {}
    }
    if dir.join(MODEL_FILE).exists() {
        return nothing(
            "it has a model but no `training.safetensors`, where a training's state is kept",
            "put that file back, or train anew in another folder",
        );
    }
    Ok(false)
}

/// A state names a best validation, whose weights only the model file has.
pub(super) fn need_model(dir: &Path) -> Result<(), TrainError> {
    if dir.join(MODEL_FILE).exists() {
        return Ok(());
    }
    Err(TrainError::NothingToResume {
        dir: dir.to_owned(),
        what: "`model.safetensors` is missing, the weights of its best validation",
        remedy: "put that file back, or start over with --overwrite",
    })
}

/// Makes the folder, without what an earlier run left in it.
pub(super) fn clear(dir: &Path) -> Result<(), TrainError> {
    let write = |path: PathBuf, source| TrainError::Checkpoint(CheckpointError::Write { path, source });
    fs::create_dir_all(dir).map_err(|e| write(dir.to_owned(), e))?;
    for path in FILES.map(|file| dir.join(file)) {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(write(path, e)),
            _ => {}
        }
    }
    Ok(kept::clear(dir)?)
}
