//! What several targets need: a folder in memory, and a model.
use std::cell::OnceCell;
use std::path::Path;

use lookback::checkpoint::Checkpoint;
use lookback::config::{Config, CorpusSize};
use lookback::model::Seq2Seq;
use lookback::text::{Sharing, TextMode, TokenizerSpec, Tokenizers};
use tempfile::TempDir;

/// A folder that is fast, where the system has one.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a temporary folder")
}

/// Runs `with` on the folder of this thread, which stays.
pub fn in_folder(with: impl FnOnce(&Path)) {
    thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });
    FOLDER.with(|cell| with(cell.get_or_init(folder).path()));
}

/// Writes the smallest whole model into `dir`.
pub fn write_model(dir: &Path) {
    let spec = TokenizerSpec { mode: TextMode::Char, sharing: Sharing::Separate, ..TokenizerSpec::default() };
    let tokenizers = Tokenizers::train(&spec, ["ein Haus"], ["a house"]).expect("a vocabulary");
    let mut config = Config::default();
    (config.model.hidden, config.model.embedding) = (Some(2), Some(2));
    let config = config.resolve(CorpusSize { pairs: 1, words: 2.0, characters: 8.0 }).expect("a configuration");
    let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    let values: Vec<Vec<f32>> = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
    Checkpoint::save_config(dir, &config, &tokenizers).expect("files");
    Checkpoint::save_weights(dir, &specs, &values).expect("a file");
}
