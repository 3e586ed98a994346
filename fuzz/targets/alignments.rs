//! Alignments of both forms, as gold and as hypothesis.
#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lookback::data::Lines;
use lookback::eval::{Alignments, Base, Gold, LinkFile};

fuzz_target!(|data: &[u8]| {
    let mut lines = Vec::new();
    let mut reader = Lines::new("p".into(), data);
    while let Ok(Some((_, text))) = reader.next_line() {
        lines.push(text.to_owned());
    }
    let lengths = vec![(5, 5); lines.len()];
    for base in [Base::Zero, Base::One] {
        for lengths in [None, Some(&lengths[..])] {
            let file = LinkFile { path: Path::new("p"), lines: &lines, base, lengths };
            drop(Gold::pharaoh(&file));
            drop(Alignments::pharaoh(&file));
            drop(Gold::naacl(&file, lines.len()));
        }
    }
});
