//! Text to learn from, and word vectors.

use std::fs;
use std::io::Cursor;

use lookback::data::doctor::{CorpusFiles, DoctorError, Options, Part, examine, fix};
use lookback::data::{Columns, Lines, MAX_LINE, PairFiles, PairStream, Side, WordVectors};
use lookback::text::{Sharing, TextMode, TokenizerSpec, Tokenizers};

use crate::folder::in_folder;

/// Lines of text: numbered without a gap, nothing in them that was refused.
pub fn corpus(data: &[u8]) {
    let mut lines = Lines::new("p".into(), data);
    let mut expected = 1;
    while let Ok(Some((number, text))) = lines.next_line() {
        assert_eq!(number, expected);
        assert!(text.len() <= MAX_LINE && !text.contains(['\0', '\n']));
        expected += 1;
    }
}

/// Archives: the first byte says which suffix the file has.
pub fn compressed(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    in_folder(|dir| {
        let path = dir.join(["p", "p.gz", "p.zst"][usize::from(first) % 3]);
        fs::write(&path, rest).expect("a file");
        let Ok(mut lines) = Lines::open(&path) else { return };
        // What unpacks to a gigabyte takes time, not memory.
        for _ in 0..10_000 {
            if !matches!(lines.next_line(), Ok(Some(_))) {
                break;
            }
        }
    });
}

/// Pairs of a stream, with and without columns.
pub fn table(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let (src, tgt) = (usize::from(first & 3), usize::from(first >> 2 & 3));
    let columns = (src != tgt).then_some(Columns { src, tgt });
    let Ok(mut stream) = PairStream::new("p".into(), Cursor::new(rest.to_vec()), columns) else { return };
    while let Ok(buffer) = stream.next_buffer(3) {
        let mut pairs = buffer.pairs.reader();
        while let Some(pair) = pairs.next().expect("pairs that were written") {
            assert!(!pair.src.trim().is_empty() && !pair.tgt.trim().is_empty());
        }
        if buffer.is_last {
            break;
        }
    }
}

/// Whatever a corpus is: what is kept and what is removed make it up again.
pub fn doctor(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let (src, tgt) = rest.split_at(rest.len() / 2);
    in_folder(|dir| {
        let (p, q, out) = (dir.join("p"), dir.join("q"), dir.join("out"));
        fs::write(&p, if first & 1 == 0 { rest } else { src }).expect("a file");
        fs::write(&q, tgt).expect("a file");
        let files = if first & 1 == 0 { PairFiles::Table(p, None) } else { PairFiles::Parallel(p, q) };
        let corpora = [CorpusFiles { part: Part::Train, files }];
        let options = Options { memory: 4096, ..Options::default() };
        let examined = examine(&corpora, &options, &mut |_| ()).expect("a temporary folder");
        match fix(&corpora, examined, &options, &out) {
            Ok(_) | Err(DoctorError::Beyond { .. } | DoctorError::NothingLeft { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        drop(fs::remove_dir_all(&out));
    });
}

/// Word vectors: those of a file that is taken are finite.
pub fn vectors(data: &[u8]) {
    thread_local!(static WORDS: Tokenizers = {
        let spec = TokenizerSpec { mode: TextMode::Word, sharing: Sharing::Joint, ..TokenizerSpec::default() };
        Tokenizers::train(&spec, ["ein Haus"], ["a house ."]).expect("a vocabulary")
    });
    WORDS.with(|words| {
        in_folder(|dir| {
            let path = dir.join("vectors");
            fs::write(&path, data).expect("a file");
            let mut table = vec![0.0; words.src.vocab_size() * 3];
            if WordVectors(path).put(Side::Src, &words.src, &mut table).is_ok() {
                assert!(table.iter().all(|value| value.is_finite()));
            }
        });
    });
}
