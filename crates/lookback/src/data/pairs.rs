//! Pairs in their order, as many as there are: few in memory, more in a temporary file.

use std::sync::Arc;

use super::DataError;
use super::spool::{IN_MEMORY, Spool, SpoolReader, SpoolWriter};

/// A sentence and its translation, as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The source sentence.
    pub src: String,
    /// The target sentence.
    pub tgt: String,
    /// The line it came from, from 1.
    pub line: u64,
    /// Which of several corpora it came from, from 0.
    pub corpus: u32,
}

/// A [`Pair`] that was just read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairRef<'a> {
    /// The source sentence.
    pub src: &'a str,
    /// The target sentence.
    pub tgt: &'a str,
    /// The line it came from, from 1.
    pub line: u64,
    /// Which of several corpora it came from, from 0.
    pub corpus: u32,
}

/// Pairs, to be read from the first to the last as often as needed.
///
/// Up to a bound they are kept in memory, beyond it in a file without a name where the system keeps temporary files. Copies share what they hold.
///
/// ```
/// use lookback::data::Corpus;
/// let pairs = Corpus::from_pairs([("ein Haus".to_owned(), "a house".to_owned())]).pairs;
/// let mut reader = pairs.reader();
/// while let Some(pair) = reader.next()? {
///     assert_eq!((pair.src, pair.tgt, pair.line), ("ein Haus", "a house", 1));
/// }
/// # Ok::<(), lookback::data::DataError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    runs: Vec<Run>,
    memory: Bound,
}

/// Bytes of text, or of ids, that are kept in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound(pub(super) usize);

/// Pairs of one corpus, after one another in a spool.
#[derive(Clone, Debug)]
struct Run {
    corpus: u32,
    pairs: usize,
    spool: Arc<Spool>,
    start: u64,
    end: u64,
}

/// Takes pairs in their order.
#[derive(Debug)]
pub struct PairWriter {
    spool: SpoolWriter,
    /// Corpus, pairs and end of each run.
    runs: Vec<(u32, usize, u64)>,
    memory: Bound,
}

/// Reads pairs in their order.
#[derive(Debug)]
pub struct PairReader<'a> {
    runs: std::slice::Iter<'a, Run>,
    corpus: u32,
    reader: Option<SpoolReader<'a>>,
}

/// Line and lengths of a pair, in front of its sides.
const HEADER: usize = 16;

impl Default for Bound {
    fn default() -> Self {
        Self(IN_MEMORY)
    }
}

impl PairRef<'_> {
    /// A pair of its own.
    #[must_use]
    pub fn to_pair(self) -> Pair {
        Pair { src: self.src.to_owned(), tgt: self.tgt.to_owned(), line: self.line, corpus: self.corpus }
    }
}

impl Pair {
    /// The pair as it is read.
    #[must_use]
    pub fn as_ref(&self) -> PairRef<'_> {
        PairRef { src: &self.src, tgt: &self.tgt, line: self.line, corpus: self.corpus }
    }
}

impl Pairs {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| run.pairs).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many corpora they are from.
    #[must_use]
    pub fn corpora(&self) -> usize {
        self.runs.iter().map(|run| run.corpus as usize + 1).max().unwrap_or(0)
    }

    /// Reads them from the first one on.
    #[must_use]
    pub fn reader(&self) -> PairReader<'_> {
        PairReader { runs: self.runs.iter(), corpus: 0, reader: None }
    }

    /// Each of them as a pair of its own; an error ends them.
    pub fn iter(&self) -> impl Iterator<Item = Result<Pair, DataError>> + '_ {
        let mut reader = Some(self.reader());
        std::iter::from_fn(move || {
            let next = reader.as_mut()?.next().map(|pair| pair.map(PairRef::to_pair)).transpose();
            if !matches!(next, Some(Ok(_))) {
                reader = None;
            }
            next
        })
    }

    /// All of them, in memory.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    pub fn to_vec(&self) -> Result<Vec<Pair>, DataError> {
        self.iter().collect()
    }

    /// Those of several, one after another, each with the number of its own.
    pub(super) fn concat(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::default();
        for (corpus, part) in (0..).zip(parts) {
            whole.memory.0 = if corpus == 0 { part.memory.0 } else { whole.memory.0.min(part.memory.0) };
            whole.runs.extend(part.runs.into_iter().map(|run| Run { corpus, ..run }));
        }
        whole
    }

    /// A writer with the bound of these.
    pub(crate) fn writer(&self) -> PairWriter {
        PairWriter::within(self.memory.0)
    }

    /// What is made of them is bounded as they are.
    pub(super) fn bound(&self) -> Bound {
        self.memory
    }

    /// Bytes they take in memory.
    #[cfg(feature = "train")]
    pub(crate) fn memory(&self) -> usize {
        let mut bytes = 0;
        for (i, run) in self.runs.iter().enumerate() {
            if !self.runs[..i].iter().any(|before| Arc::ptr_eq(&before.spool, &run.spool)) {
                bytes += run.spool.memory();
            }
        }
        bytes
    }
}

/// Kept in memory.
impl FromIterator<Pair> for Pairs {
    fn from_iter<I: IntoIterator<Item = Pair>>(pairs: I) -> Self {
        let mut writer = PairWriter::within(usize::MAX);
        pairs.into_iter().for_each(|pair| writer.push(pair.as_ref()).expect("nothing goes to a file"));
        Self { memory: Bound::default(), ..writer.finish().expect("nothing goes to a file") }
    }
}

impl Default for PairWriter {
    fn default() -> Self {
        Self::within(IN_MEMORY)
    }
}

impl PairWriter {
    /// Keeps up to `bytes` bytes in memory, and those that are made of the pairs within as many again: examples, parts.
    #[must_use]
    pub fn within(bytes: usize) -> Self {
        Self { spool: SpoolWriter::new(bytes), runs: Vec::new(), memory: Bound(bytes) }
    }

    /// Takes the next pair.
    ///
    /// # Errors
    /// If a temporary file cannot be written.
    ///
    /// # Panics
    /// If a side has 2³² bytes or more.
    pub fn push(&mut self, pair: PairRef<'_>) -> Result<(), DataError> {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(&pair.line.to_le_bytes());
        for (at, side) in [(8, pair.src), (12, pair.tgt)] {
            let bytes = u32::try_from(side.len()).expect("a sentence has fewer than 2^32 bytes");
            header[at..at + 4].copy_from_slice(&bytes.to_le_bytes());
        }
        for bytes in [&header, pair.src.as_bytes(), pair.tgt.as_bytes()] {
            self.spool.write(bytes)?;
        }
        let end = self.spool.written();
        match self.runs.last_mut() {
            Some((corpus, pairs, run_end)) if *corpus == pair.corpus => (*pairs, *run_end) = (*pairs + 1, end),
            _ => self.runs.push((pair.corpus, 1, end)),
        }
        Ok(())
    }

    /// The pairs that were taken.
    ///
    /// # Errors
    /// If a temporary file cannot be written.
    pub fn finish(self) -> Result<Pairs, DataError> {
        let spool = Arc::new(self.spool.finish()?);
        let mut start = 0;
        let run = |(corpus, pairs, end)| {
            let run = Run { corpus, pairs, spool: Arc::clone(&spool), start, end };
            start = end;
            run
        };
        Ok(Pairs { runs: self.runs.into_iter().map(run).collect(), memory: self.memory })
    }
}

impl PairReader<'_> {
    /// The next pair; none at the end.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    #[allow(clippy::should_implement_trait, reason = "a pair is there until the next one is read")]
    pub fn next(&mut self) -> Result<Option<PairRef<'_>>, DataError> {
        if self.reader.as_ref().is_none_or(SpoolReader::is_at_end) {
            let Some(run) = self.runs.next() else { return Ok(None) };
            self.corpus = run.corpus;
            self.reader = Some(SpoolReader::new(&run.spool, run.start, run.end));
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let header = reader.take(HEADER)?;
        let line = u64::from_le_bytes(header.first_chunk().copied().unwrap_or_default());
        let [src, tgt] =
            [8, 12].map(|at| u32::from_le_bytes(header[at..].first_chunk().copied().unwrap_or_default()) as usize);
        let (src, tgt) = reader.take(src + tgt)?.split_at(src);
        let text = |bytes| {
            std::str::from_utf8(bytes)
                .map_err(|error| DataError::temporary(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
        };
        Ok(Some(PairRef { src: text(src)?, tgt: text(tgt)?, line, corpus: self.corpus }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(i: u64, corpus: u32) -> Pair {
        let words = |word: &str| format!("{word} ").repeat(i as usize % 7) + word;
        Pair { src: words("Häuser"), tgt: words("집"), line: i * i, corpus }
    }

    fn written(pairs: &[Pair], bytes: usize) -> Pairs {
        let mut writer = PairWriter::within(bytes);
        pairs.iter().for_each(|pair| writer.push(pair.as_ref()).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn pairs_are_read_as_they_were_written_in_memory_or_in_a_file() {
        let pairs: Vec<Pair> = (0..3000).map(|i| pair(i, (i / 1000) as u32)).collect();
        for bytes in [usize::MAX, 10_000, 0] {
            let stored = written(&pairs, bytes);
            assert_eq!((stored.len(), stored.corpora(), stored.is_empty()), (3000, 3, false));
            assert_eq!(stored.to_vec().unwrap(), pairs);
            let mut reader = stored.reader();
            for pair in &pairs {
                assert_eq!(reader.next().unwrap(), Some(pair.as_ref()));
            }
            assert_eq!(reader.next().unwrap(), None);
            assert_eq!(reader.next().unwrap(), None);
        }
        assert!(written(&[], 0).is_empty() && written(&[], 0).to_vec().unwrap().is_empty());
    }

    #[test]
    fn corpora_are_numbered_anew_and_share_what_they_hold() {
        let (one, two) = (written(&[pair(1, 0), pair(2, 0)], 9_000), written(&[pair(3, 0)], 7));
        let whole = Pairs::concat([one.clone(), two]);
        assert_eq!(whole.to_vec().unwrap(), [pair(1, 0), pair(2, 0), pair(3, 1)]);
        assert_eq!((whole.bound().0, one.bound().0), (7, 9_000));
        assert!(Arc::ptr_eq(&whole.runs[0].spool, &one.runs[0].spool));
        #[cfg(feature = "train")]
        assert_eq!(whole.memory(), one.memory());
    }
}
