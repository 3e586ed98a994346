//! Attention maps as JSON Lines: what is read is written and read again as the same, and can be drawn without markup of its own.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::view::{Style, read_jsonl, to_svg, write_jsonl};

fuzz_target!(|data: &[u8]| {
    for map in read_jsonl(data).take_while(Result::is_ok).flatten() {
        let mut written = Vec::new();
        write_jsonl(&mut written, &map).expect("memory");
        let again = read_jsonl(&written[..]).next().expect("a line").expect("what is written can be read");
        assert_eq!(again, map);
        let svg = to_svg(&map, Style::Heat);
        assert!(!svg.contains("<script"));
    }
});
