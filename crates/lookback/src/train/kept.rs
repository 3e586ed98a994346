//! The models of the last validations, a folder each, for `lookback average` or to be compared: `checkpoints/UPDATE`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::checkpoint::{CONFIG_FILE, CheckpointError, MODEL_FILE};

/// The folder of the folders.
const FOLDER: &str = "checkpoints";
/// What stands in each.
const FILES: [&str; 5] = [CONFIG_FILE, MODEL_FILE, "tokenizer.json", "tokenizer.src.json", "tokenizer.tgt.json"];

/// The folder of the model after `update`.
pub(super) fn folder(dir: &Path, update: u64) -> PathBuf {
    dir.join(FOLDER).join(update.to_string())
}

/// Removes the models that are not among the last `count` up to `update`.
pub(super) fn prune(dir: &Path, count: usize, update: u64) -> Result<(), CheckpointError> {
    let mut updates = updates(dir)?;
    updates.sort_unstable();
    // What a run that was cut off has left beyond is written again.
    let kept: Vec<u64> = updates.iter().rev().copied().filter(|&u| u <= update).take(count).collect();
    updates.into_iter().filter(|update| !kept.contains(update)).try_for_each(|update| remove(&folder(dir, update)))
}

/// Removes all of them.
pub(super) fn clear(dir: &Path) -> Result<(), CheckpointError> {
    prune(dir, 0, 0)?;
    drop_folder(&dir.join(FOLDER));
    Ok(())
}

/// The updates there are models of.
fn updates(dir: &Path) -> Result<Vec<u64>, CheckpointError> {
    let path = dir.join(FOLDER);
    let entries = match fs::read_dir(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| CheckpointError::Read { path: path.clone(), source })?,
    };
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    Ok(entries.filter_map(|entry| name(entry.ok()?)).collect())
}

/// The folders there are, as far as they can be read.
pub(super) fn folders(dir: &Path) -> Vec<PathBuf> {
    updates(dir).unwrap_or_default().into_iter().map(|update| folder(dir, update)).collect()
}

/// Removes a model, and what of it was written by half; what someone else put beside it stays.
fn remove(folder: &Path) -> Result<(), CheckpointError> {
    for path in FILES.iter().flat_map(|file| [folder.join(file), folder.join(format!("{file}.tmp"))]) {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CheckpointError::Write { path, source });
            }
            _ => {}
        }
    }
    drop_folder(folder);
    Ok(())
}

/// Removes a folder if it is empty.
fn drop_folder(folder: &Path) {
    let _not_empty = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_stay_and_strangers_are_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path();
        for update in [5, 10, 15, 20, 100] {
            fs::create_dir_all(folder(dir, update)).expect("a folder");
            FILES.iter().for_each(|file| fs::write(folder(dir, update).join(file), "x").expect("a file"));
        }
        fs::write(folder(dir, 5).join("notes"), "mine").expect("a file");
        fs::write(folder(dir, 10).join("model.safetensors.tmp"), "half").expect("a file");
        prune(dir, 2, 20).expect("removable");
        let mut left = updates(dir).expect("a folder");
        left.sort_unstable();
        assert_eq!(left, [5, 15, 20], "the first has a stranger's file");
        assert!(!folder(dir, 5).join(MODEL_FILE).exists() && folder(dir, 5).join("notes").exists());
        clear(dir).expect("removable");
        assert_eq!(updates(dir).expect("a folder"), [5]);
        assert!(updates(&dir.join("nowhere")).expect("none").is_empty());
    }
}
