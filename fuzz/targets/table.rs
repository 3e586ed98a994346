//! Pairs of a stream, with and without columns.
#![no_main]
use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use lookback::data::{Columns, PairStream};

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let (src, tgt) = (usize::from(first & 3), usize::from(first >> 2 & 3));
    let columns = (src != tgt).then_some(Columns { src, tgt });
    let mut stream = PairStream::new("p".into(), Box::new(Cursor::new(rest.to_vec())), columns);
    while let Ok(buffer) = stream.next_buffer(3) {
        assert!(buffer.pairs.iter().all(|pair| !pair.src.trim().is_empty() && !pair.tgt.trim().is_empty()));
        if buffer.is_last {
            break;
        }
    }
});
