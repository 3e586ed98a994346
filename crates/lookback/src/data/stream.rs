//! Pairs as they come: a stream is read once, a buffer at a time, and never held whole.
use std::collections::HashSet;
use std::fmt;
use std::io::BufRead;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::corpus::pair_of;
use super::digest::hex;
use super::sentence::{Key, key};
use super::{Columns, Corpus, DataError, FileReport, Lines, PairRef, PairWriter, Pairs};

/// Lines of `source TAB target` from a reader; the rules are those of [`read_tsv`](super::read_tsv).
pub struct PairStream {
    lines: Lines<Box<dyn BufRead + Send>>,
    columns: Option<Columns>,
    hash: Sha256,
    kept_out: [HashSet<Key>; 2],
}

/// How far a stream was read, and what that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamPosition {
    /// Lines read.
    pub lines: u64,
    /// SHA-256 over the sides of all pairs read.
    pub sha256: String,
}

/// The next pairs of a stream.
#[derive(Debug)]
pub struct Buffer {
    /// The pairs to learn from.
    pub pairs: Pairs,
    /// Pairs left out because they share a sentence with those that are kept out.
    pub kept_out: usize,
    /// Whether the stream is at its end.
    pub is_last: bool,
}

impl PairStream {
    /// A stream called `name` in messages, plain or compressed as its first bytes say.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn new(
        name: PathBuf,
        reader: impl BufRead + Send + 'static,
        columns: Option<Columns>,
    ) -> Result<Self, DataError> {
        let lines = Lines::of_stream(name, reader)?;
        Ok(Self { lines, columns, hash: Sha256::new(), kept_out: Default::default() })
    }

    /// From now on leaves out pairs that have a source or target of `corpus` (compared as [`hold_out`](super::hold_out) does).
    ///
    /// # Errors
    /// If a temporary file of the corpus cannot be read.
    pub fn keep_out(&mut self, corpus: &Corpus) -> Result<(), DataError> {
        let [src, tgt] = &mut self.kept_out;
        let mut pairs = corpus.pairs.reader();
        while let Some(pair) = pairs.next()? {
            src.insert(key(pair.src));
            tgt.insert(key(pair.tgt));
        }
        Ok(())
    }

    /// Reads the next `most` pairs, fewer at the end.
    ///
    /// # Errors
    /// As [`read_tsv`](super::read_tsv), by `name:line`.
    pub fn next_buffer(&mut self, most: usize) -> Result<Buffer, DataError> {
        let (mut pairs, mut kept_out, mut is_last) = (PairWriter::default(), 0, false);
        let name = self.lines.report().path.clone();
        for _ in 0..most {
            let Some((line, text)) = self.lines.next_line()? else {
                is_last = true;
                break;
            };
            let pair = pair_of(&name, line, text, self.columns)?;
            hash_pair(&mut self.hash, pair);
            let [src, tgt] = &self.kept_out;
            // Nothing is looked up, and so nothing normalised, if nothing is kept out.
            if !src.is_empty() && (src.contains(&key(pair.src)) || tgt.contains(&key(pair.tgt))) {
                kept_out += 1;
            } else {
                pairs.push(pair)?;
            }
        }
        if self.lines.report().lines == 0 {
            return Err(DataError::Empty { path: name });
        }
        Ok(Buffer { pairs: pairs.finish()?, kept_out, is_last })
    }

    /// How far it was read.
    pub fn position(&self) -> StreamPosition {
        StreamPosition { lines: self.lines.report().lines, sha256: hex(self.hash.clone()) }
    }

    /// What was read so far.
    pub fn report(&self) -> &FileReport {
        self.lines.report()
    }
}

impl fmt::Debug for PairStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairStream").field("report", self.report()).field("columns", &self.columns).finish()
    }
}

/// SHA-256 over which corpus each pair is from, and the length and the bytes of every side.
#[cfg(any(feature = "train", test))]
pub(crate) fn fingerprint(pairs: &Pairs) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    let mut corpus = 0;
    let mut pairs = pairs.reader();
    while let Some(pair) = pairs.next()? {
        // One corpus alone has the fingerprint of its pairs.
        if pair.corpus != corpus {
            corpus = pair.corpus;
            hash.update([0xFF; 8]);
            hash.update(corpus.to_le_bytes());
        }
        hash_pair(&mut hash, pair);
    }
    Ok(hex(hash))
}

fn hash_pair(hash: &mut Sha256, pair: PairRef<'_>) {
    for side in [pair.src, pair.tgt] {
        hash.update((side.len() as u64).to_le_bytes());
        hash.update(side.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &'static str) -> PairStream {
        PairStream::new("-".into(), text.as_bytes(), None).expect("memory can be read")
    }

    /// Sources and lines of a buffer.
    fn read(buffer: &Buffer) -> Vec<(String, u64)> {
        buffer.pairs.iter().map(Result::unwrap).map(|pair| (pair.src, pair.line)).collect()
    }

    #[test]
    fn buffers_follow_each_other_to_the_end() {
        let mut stream = stream("a\tx\nb\ty\r\nc\tz\n");
        let first = stream.next_buffer(2).unwrap();
        assert_eq!((read(&first), first.is_last), (vec![("a".into(), 1), ("b".into(), 2)], false));
        let last = stream.next_buffer(2).unwrap();
        assert_eq!((read(&last), last.is_last), (vec![("c".into(), 3)], true));
        let none = stream.next_buffer(2).unwrap();
        assert!(none.pairs.is_empty() && none.is_last);
        assert_eq!(stream.report().carriage_returns, 1);
    }

    #[test]
    fn a_position_knows_what_was_read_and_not_in_which_buffers() {
        let read = |text, sizes: &[usize]| {
            let mut stream = stream(text);
            sizes.iter().for_each(|&size| drop(stream.next_buffer(size).unwrap()));
            stream.position()
        };
        let text = "a\tx\nb\ty\nc\tz\n";
        assert_eq!(read(text, &[1, 2]), read(text, &[3]));
        assert_eq!(read(text, &[2]), read("a\tx\nb\ty\n", &[2]));
        assert_ne!(read(text, &[2]), read("a\tx\nby\t\u{2028}y\n", &[2]));
        assert_eq!(read(text, &[3]).lines, 3);
    }

    #[test]
    fn pairs_that_share_a_sentence_with_what_is_kept_out_are_left_out_and_counted() {
        let mut stream = stream("a\u{308}\tx\nb\ty \nc\tz\n");
        let kept = Corpus::from_pairs([("ä".to_owned(), "q".to_owned()), ("r".to_owned(), "y".to_owned())]);
        stream.keep_out(&kept).unwrap();
        let buffer = stream.next_buffer(9).unwrap();
        assert_eq!((read(&buffer), buffer.kept_out), (vec![("c".into(), 3)], 2));
    }

    #[test]
    fn errors_name_the_stream_and_the_line() {
        let said = |text| stream(text).next_buffer(9).unwrap_err().to_string();
        assert_eq!(said("a\tx\nb\n"), "-:2: 1 column(s), at least 2 separated by tabs are needed");
        assert_eq!(said("a\t\n"), "-:1: the target is empty; remove the pair");
        assert_eq!(said(""), "-: the file is empty");
    }

    #[test]
    fn a_fingerprint_covers_the_division_into_corpora() {
        let of = |pairs: &[(&str, &str)]| Corpus::from_pairs(pairs.iter().map(|(s, t)| (s.to_string(), t.to_string())));
        let print = |corpora: Vec<Corpus>| fingerprint(&Corpus::concat(corpora).pairs).unwrap();
        let pairs = [("a", "x"), ("b", "y"), ("c", "z")];
        let whole = print(vec![of(&pairs)]);
        assert_eq!(whole, print(vec![of(&pairs)]));
        assert_ne!(whole, print(vec![of(&pairs[..1]), of(&pairs[1..])]));
        assert_ne!(print(vec![of(&pairs[..2]), of(&pairs[2..])]), print(vec![of(&pairs[..1]), of(&pairs[1..])]));
    }
}
