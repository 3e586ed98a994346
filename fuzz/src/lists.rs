//! Lists that go with a corpus: alignments, n-best lists, attention maps.

use std::path::Path;

use lookback::data::Lines;
use lookback::eval::{Alignments, Base, Gold, LinkFile, NbestFormat, parse_nbest};
use lookback::view::{Style, read_jsonl, to_svg, write_jsonl};

fn lines(data: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut reader = Lines::new("p".into(), data);
    while let Ok(Some((_, text))) = reader.next_line() {
        lines.push(text.to_owned());
    }
    lines
}

/// Alignments of both forms, as gold and as hypothesis.
pub fn alignments(data: &[u8]) {
    let lines = lines(data);
    let lengths = vec![(5, 5); lines.len()];
    for base in [Base::Zero, Base::One] {
        for lengths in [None, Some(&lengths[..])] {
            let file = LinkFile { path: Path::new("p"), lines: &lines, base, lengths };
            drop(Gold::pharaoh(&file));
            drop(Alignments::pharaoh(&file));
            drop(Gold::naacl(&file, lines.len()));
        }
    }
}

/// n-best lists.
pub fn nbest(data: &[u8]) {
    let lines = lines(data);
    for format in [NbestFormat::Moses, NbestFormat::Lines(1), NbestFormat::Lines(3)] {
        drop(parse_nbest(Path::new("p"), &lines, format));
    }
}

/// Attention maps as JSON Lines: what is read is written and read again as the same, and its drawing has no markup of its own.
pub fn jsonl(data: &[u8]) {
    for map in read_jsonl(data).take_while(Result::is_ok).flatten() {
        let mut written = Vec::new();
        write_jsonl(&mut written, &map).expect("memory");
        let again = read_jsonl(&written[..]).next().expect("a line").expect("what is written can be read");
        assert_eq!(again, map);
        let svg = to_svg(&map, Style::Heat);
        assert!(!svg.contains("<script"), "{svg}");
    }
}
