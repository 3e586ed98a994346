//! The folder of a run: its files, and whether a run may begin or go on in it.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::events;
use super::metrics::METRICS_FILE;
use super::receipt::{RECEIPT_FILE, sum};
use super::state::Best;
use super::{Start, TrainError, kept};
use crate::checkpoint::{CONFIG_FILE, Checkpoint, CheckpointError, MODEL_FILE, STATE_FILE, replace};
use crate::config::Metric;
use crate::shortlist::SHORTLIST_FILE;
use crate::stored::Storage;

/// The model of a new best validation, until there is a state that knows it.
pub(super) const NEXT_MODEL: &str = "model.safetensors.next";

/// The files of a run, and of what was learnt for its tokenizers.
/// The state comes first: without it nobody takes for a training what is left when their removal is cut off.
const FILES: [&str; 10] = [
    STATE_FILE,
    CONFIG_FILE,
    MODEL_FILE,
    NEXT_MODEL,
    METRICS_FILE,
    RECEIPT_FILE,
    SHORTLIST_FILE,
    "tokenizer.json",
    "tokenizer.src.json",
    "tokenizer.tgt.json",
];

/// Held while a run has the folder; the system lets go of it whatever ends the process.
const LOCK_FILE: &str = ".lock";
/// The best models by other metrics are in folders of their metrics' names.
pub(super) const BEST: &str = "best";

/// Makes the folder and keeps every other training out of it for as long as the result lives.
pub(super) fn lock(dir: &Path) -> Result<File, TrainError> {
    let write = |source| TrainError::Checkpoint(CheckpointError::Write { path: dir.join(LOCK_FILE), source });
    fs::create_dir_all(dir)
        .map_err(|source| TrainError::Checkpoint(CheckpointError::Write { path: dir.to_owned(), source }))?;
    let file = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK_FILE)).map_err(write)?;
    match file.try_lock() {
        // Not every file system can; then nothing is promised.
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::WouldBlock) => Err(TrainError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(write(error)),
    }
}

/// Fails if a training could not begin or go on in the folder, as far as its files' names say.
///
/// # Errors
/// Of a fresh start, if it holds a training; of a resumed one, if there is no such folder.
pub fn check_folder(dir: &Path, start: Start) -> Result<(), TrainError> {
    match start {
        Start::Resume => need_folder(dir),
        Start::Fresh | Start::Overwrite => refuse_occupied(dir, start),
    }
}

/// Refuses a folder that holds a training, if a fresh one is to begin.
pub(super) fn refuse_occupied(dir: &Path, start: Start) -> Result<(), TrainError> {
    let is_occupied = FILES.iter().any(|file| dir.join(file).exists());
    if start == Start::Fresh && is_occupied {
        return Err(TrainError::Occupied { dir: dir.to_owned() });
    }
    Ok(())
}

/// Refuses to go on in a folder that there is not.
fn need_folder(dir: &Path) -> Result<(), TrainError> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(TrainError::NothingToResume {
        dir: dir.to_owned(),
        what: "there is no such folder",
        remedy: "leave out --resume to begin, or give the folder of the training",
    })
}

/// Whether there is a state to go on from. A run that was killed before it wrote its first one has lost nothing: it goes on from its start.
pub(super) fn has_state(dir: &Path) -> Result<bool, TrainError> {
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
        return Err(TrainError::NothingToResume {
            dir: dir.to_owned(),
            what: "it has a model but no `training.safetensors`, where a training's state is kept",
            remedy: "put that file back, or train anew in another folder",
        });
    }
    Ok(false)
}

/// A state names a best validation, whose weights only the model file has; or the file beside it, if the run was killed before that took its place.
/// Whether it is that one.
pub(super) fn find_model(dir: &Path, best: Option<&Best>, is_older: bool) -> Result<bool, TrainError> {
    let refused = |what, remedy| Err(TrainError::NothingToResume { dir: dir.to_owned(), what, remedy });
    let put_back = "put that file back, or start over with --overwrite";
    let is_there = dir.join(MODEL_FILE).exists();
    let Some(best) = best else {
        // Older versions put a model in its place before there was a state that knows it.
        return if is_there && !is_older {
            refused("it has a `model.safetensors`, and its state knows of no validation", "move that file away")
        } else {
            Ok(false)
        };
    };
    if let Some(want) = &best.model_sha256 {
        let is_it = |file: &str| Ok::<_, TrainError>(dir.join(file).exists() && sum(&dir.join(file))? == *want);
        if is_it(MODEL_FILE)? {
            return Ok(false);
        }
        if is_it(NEXT_MODEL)? {
            return Ok(true);
        }
        if is_there {
            let what = "`model.safetensors` is not the model of its best validation (its SHA-256 is another)";
            return refused(what, put_back);
        }
    } else if is_there {
        // A state of an older version.
        return Ok(false);
    }
    refused("`model.safetensors` is missing, the weights of its best validation", put_back)
}

/// Puts the model of a new best validation in the place of the one before.
pub(super) fn put_in_place(dir: &Path) -> Result<(), TrainError> {
    Ok(replace(&dir.join(NEXT_MODEL), &dir.join(MODEL_FILE))?)
}

/// Empties the folder of what an earlier run left in it.
pub(super) fn clear(dir: &Path) -> Result<(), TrainError> {
    let write = |path: PathBuf, source| TrainError::Checkpoint(CheckpointError::Write { path, source });
    for path in FILES.map(|file| dir.join(file)) {
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(write(path, e)),
            _ => {}
        }
    }
    for path in Metric::ALL.map(|metric| dir.join(BEST).join(metric.key())) {
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(write(path, e)),
            _ => {}
        }
    }
    events::remove(dir).map_err(|e| write(dir.to_owned(), e))?;
    remove_halves(dir);
    Ok(kept::clear(dir)?)
}

/// Removes what a killed run had written by half, under the temporary names that are never read, and a model that no state knows.
pub(super) fn remove_halves(dir: &Path) {
    let models = Metric::ALL.map(|metric| dir.join(BEST).join(metric.key())).into_iter().chain(kept::folders(dir));
    let halves = models.chain([dir.to_owned()]).flat_map(|folder| FILES.map(|file| folder.join(format!("{file}.tmp"))));
    for path in halves.chain([dir.join(NEXT_MODEL)]) {
        // What cannot be removed is overwritten next time.
        drop(fs::remove_file(path));
    }
}
