//! n-best lists.
#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lookback::data::Lines;
use lookback::eval::{NbestFormat, parse_nbest};

fuzz_target!(|data: &[u8]| {
    let mut lines = Vec::new();
    let mut reader = Lines::new("p".into(), data);
    while let Ok(Some((_, text))) = reader.next_line() {
        lines.push(text.to_owned());
    }
    for format in [NbestFormat::Moses, NbestFormat::Lines(1), NbestFormat::Lines(3)] {
        drop(parse_nbest(Path::new("p"), &lines, format));
    }
});
