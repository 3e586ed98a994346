//! Training states.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::checkpoint::STATE_FILE;
use lookback::train::Summary;
use lookback_fuzz::in_folder;

fuzz_target!(|data: &[u8]| {
    in_folder(|dir| {
        std::fs::write(dir.join(STATE_FILE), data).expect("a file");
        drop(Summary::read(dir));
    });
});
