//! Archives: the first byte says which suffix the file has.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::data::Lines;
use lookback_fuzz::in_folder;

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    in_folder(|dir| {
        let path = dir.join(["p", "p.gz", "p.zst"][usize::from(first) % 3]);
        std::fs::write(&path, rest).expect("a file");
        let Ok(mut lines) = Lines::open(&path) else { return };
        // What unpacks to a gigabyte takes time, not memory.
        for _ in 0..10_000 {
            if !matches!(lines.next_line(), Ok(Some(_))) {
                break;
            }
        }
    });
});
