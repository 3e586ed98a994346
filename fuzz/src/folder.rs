//! Folders in memory, and the smallest whole model in one.

use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use lookback::backend::Cpu;
use lookback::config::Config;
use lookback::data::Corpus;
use lookback::train::{Aligned, Initial, Job, RunOptions, Silent, Start, StopFlag, TrainError, train};
use tempfile::TempDir;

/// The files of a model folder, and of its training.
pub(crate) const FILES: [&str; 6] = [
    "config.json",
    "tokenizer.src.json",
    "tokenizer.tgt.json",
    "model.safetensors",
    "training.safetensors",
    "receipt.json",
];

/// A folder that is fast, where the system has one.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a temporary folder")
}

/// Runs `with` on the folder of this thread, which stays.
pub(crate) fn in_folder(with: impl FnOnce(&Path)) {
    thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });
    FOLDER.with(|cell| with(cell.get_or_init(folder).path()));
}

/// Runs `with` on a folder that `run_in` has made a model, with the file `FILES[damaged]` replaced.
pub(crate) fn in_damaged(damaged: usize, bytes: &[u8], with: impl FnOnce(&Path)) {
    in_whole(|dir| {
        fs::write(dir.join(FILES[damaged % FILES.len()]), bytes).expect("a file");
        with(dir);
    });
}

/// Runs `with` on a folder that `run_in` has made a model.
pub(crate) fn in_whole(with: impl FnOnce(&Path)) {
    thread_local!(static WHOLE: OnceCell<TempDir> = const { OnceCell::new() });
    WHOLE.with(|whole| {
        let whole = whole.get_or_init(whole_model);
        in_folder(|dir| {
            for name in FILES {
                // Not `fs::copy`, which the fuzzer's alarm interrupts.
                let bytes = fs::read(whole.path().join(name)).expect("a file");
                fs::write(dir.join(name), bytes).expect("a file");
            }
            with(dir);
        });
    });
}

/// A folder with a model after its whole training, of one update.
pub(crate) fn whole_model() -> TempDir {
    let dir = folder();
    run_in(dir.path(), Start::Fresh).expect("the training runs");
    dir
}

/// Trains for an update in `dir`, or goes on after it, which is the end.
pub(crate) fn run_in(dir: &Path, start: Start) -> Result<(), TrainError> {
    let sets = [
        "text.mode=char",
        "text.sharing=separate",
        "model.hidden=2",
        "model.embedding=2",
        "train.max_updates=1",
        "train.validate_every=1",
        "train.metric=loss",
    ];
    let config = Config::from_layers(&[], &sets.map(ToString::to_string)).expect("known keys");
    let pairs = || Corpus::from_pairs([("ein Haus".to_owned(), "a house".to_owned())]);
    let job = Job {
        config,
        train: pairs(),
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid: pairs(),
        dir: dir.to_owned(),
        cpu: Cpu::detect(1),
        start,
        aligned: Aligned::default(),
        options: RunOptions::default(),
    };
    train(job, &StopFlag::default(), &mut Silent).map(|_| ())
}
