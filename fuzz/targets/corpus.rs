//! Lines of text: numbered without a gap, nothing in them that was refused.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::data::{Lines, MAX_LINE};

fuzz_target!(|data: &[u8]| {
    let mut lines = Lines::new("p".into(), data);
    let mut expected = 1;
    while let Ok(Some((number, text))) = lines.next_line() {
        assert_eq!(number, expected);
        assert!(text.len() <= MAX_LINE && !text.contains(['\0', '\n']));
        expected += 1;
    }
});
