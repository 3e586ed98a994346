//! Model folders: the first byte says which file of a whole folder is replaced.
#![no_main]
use std::cell::OnceCell;
use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lookback::checkpoint::Checkpoint;
use lookback_fuzz::{folder, in_folder, write_model};
use tempfile::TempDir;

const FILES: [&str; 4] = ["config.json", "tokenizer.src.json", "tokenizer.tgt.json", "model.safetensors"];

fn copy(from: &Path, to: &Path) {
    for name in FILES.iter().filter(|name| from.join(name).exists()) {
        fs::copy(from.join(name), to.join(name)).expect("a file");
    }
}

fuzz_target!(|data: &[u8]| {
    thread_local!(static WHOLE: OnceCell<TempDir> = const { OnceCell::new() });
    let Some((&first, rest)) = data.split_first() else { return };
    WHOLE.with(|whole| {
        let whole = whole.get_or_init(|| {
            let dir = folder();
            write_model(dir.path());
            dir
        });
        in_folder(|dir| {
            copy(whole.path(), dir);
            fs::write(dir.join(FILES[usize::from(first) % FILES.len()]), rest).expect("a file");
            if let Ok(checkpoint) = Checkpoint::load(dir) {
                assert!(checkpoint.values.iter().flatten().all(|value| value.is_finite()));
            }
        });
    });
});
