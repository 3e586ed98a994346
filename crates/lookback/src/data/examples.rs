//! Examples, as many as there are: few in memory, more in a temporary file, and a few bytes of each in memory to find it by.

use std::sync::Arc;

use super::lengths::Lengths;
use super::pairs::Bound;
use super::spool::{Spool, SpoolWriter};
use super::{DataError, Example, Pairs};
use crate::text::Tokenizers;

/// Where one in so many examples begins is kept; the others are found by their lengths.
const STRIDE: usize = 64;
/// Bytes of a line's number, which stands in front of the ids.
const LINE: usize = 8;

/// Pairs as ids, to be read in any order.
///
/// Up to a bound, that of the pairs they were made of, they are kept in memory, beyond it in a file without a name where the system keeps temporary files.
#[derive(Debug)]
pub struct Examples {
    lengths: Arc<Lengths>,
    /// Where every [`STRIDE`]th begins.
    starts: Vec<u64>,
    spool: Spool,
    /// Bytes of an id.
    width: usize,
    /// Of what is made of them.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "only epochs are made of them"))]
    bound: Bound,
}

/// Takes examples in their order.
#[derive(Debug)]
pub(crate) struct ExampleWriter {
    lengths: Lengths,
    starts: Vec<u64>,
    spool: SpoolWriter,
    width: usize,
    bound: Bound,
    bytes: Vec<u8>,
}

impl ExampleWriter {
    /// For examples of `pairs`, bounded as they are.
    pub(super) fn of(pairs: &Pairs, tokenizers: &Tokenizers) -> Self {
        Self::new(pairs.bound(), tokenizers.src.vocab_size().max(tokenizers.tgt.vocab_size()))
    }

    /// For examples like those of `other`.
    #[cfg(feature = "train")]
    pub(super) fn like(other: &Examples) -> Self {
        Self { width: other.width, ..Self::new(other.bound, 0) }
    }

    /// For ids below `ids`.
    fn new(bound: Bound, ids: usize) -> Self {
        let width = if ids <= 1 << 16 { 2 } else { 4 };
        let (lengths, starts, bytes) = (Lengths::default(), Vec::new(), Vec::new());
        Self { lengths, starts, spool: SpoolWriter::new(bound.0), width, bound, bytes }
    }

    pub(super) fn push(&mut self, example: &Example) -> Result<(), DataError> {
        if (self.lengths.len() as usize).is_multiple_of(STRIDE) {
            self.starts.push(self.spool.written());
        }
        self.bytes.clear();
        self.bytes.extend(example.line.to_le_bytes());
        for id in example.src.iter().chain(&example.tgt) {
            self.bytes.extend(&id.to_le_bytes()[..self.width]);
        }
        self.lengths.push(example.src.len(), example.tgt.len());
        self.spool.write(&self.bytes)
    }

    pub(super) fn finish(self) -> Result<Examples, DataError> {
        let Self { mut lengths, mut starts, spool, width, bound, .. } = self;
        lengths.shrink();
        starts.shrink_to_fit();
        Ok(Examples { lengths: Arc::new(lengths), starts, spool: spool.finish()?, width, bound })
    }
}

impl Examples {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lengths.len() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Example `i`.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    ///
    /// # Panics
    /// If there is none.
    pub fn get(&self, i: u32) -> Result<Example, DataError> {
        self.read(i, &mut Vec::new())
    }

    /// The examples of these numbers, in their order.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    ///
    /// # Panics
    /// If there is none of a number.
    pub fn some(&self, numbers: &[u32]) -> Result<Vec<Example>, DataError> {
        // A file is read from its front to its back.
        let mut places: Vec<u32> = (0..).zip(numbers).map(|(place, _)| place).collect();
        places.sort_unstable_by_key(|&place| numbers[place as usize]);
        let (mut bytes, mut read) = (Vec::new(), Vec::with_capacity(numbers.len()));
        for place in places {
            read.push((place, self.read(numbers[place as usize], &mut bytes)?));
        }
        read.sort_unstable_by_key(|&(place, _)| place);
        Ok(read.into_iter().map(|(_, example)| example).collect())
    }

    /// All of them, in their order; an error ends them.
    pub fn iter(&self) -> impl Iterator<Item = Result<Example, DataError>> + '_ {
        let (mut bytes, mut is_over) = (Vec::new(), false);
        (0..self.lengths.len()).map_while(move |i| {
            let example = (!is_over).then(|| self.read(i, &mut bytes));
            is_over = matches!(example, Some(Err(_)));
            example
        })
    }

    /// All of them, in memory.
    ///
    /// # Errors
    /// If a temporary file cannot be read.
    pub fn to_vec(&self) -> Result<Vec<Example>, DataError> {
        self.iter().collect()
    }

    pub(super) fn lengths(&self) -> &Arc<Lengths> {
        &self.lengths
    }

    /// Bytes they take in memory.
    #[cfg(feature = "train")]
    pub(crate) fn memory(&self) -> usize {
        self.lengths.memory() + 8 * self.starts.len() + self.spool.memory()
    }

    fn read(&self, i: u32, bytes: &mut Vec<u8>) -> Result<Example, DataError> {
        let size = |i: u32| LINE + self.width * self.lengths.get(i).iter().map(|&ids| ids as usize).sum::<usize>();
        let stride = i as usize / STRIDE;
        let first = i - (i as usize % STRIDE) as u32;
        let start = self.starts[stride] + (first..i).map(|i| size(i) as u64).sum::<u64>();
        bytes.resize(size(i), 0);
        self.spool.read_at(start, bytes)?;
        let (line, ids) = bytes.split_at(LINE);
        let id = |bytes: &[u8]| {
            let mut id = [0; 4];
            id[..bytes.len()].copy_from_slice(bytes);
            u32::from_le_bytes(id)
        };
        let [src, _] = self.lengths.get(i);
        let (src, tgt) = ids.split_at(src as usize * self.width);
        let side = |bytes: &[u8]| bytes.chunks_exact(self.width).map(id).collect();
        Ok(Example {
            src: side(src),
            tgt: side(tgt),
            line: u64::from_le_bytes(line.first_chunk().copied().unwrap_or_default()),
        })
    }
}

/// Kept in memory.
impl FromIterator<Example> for Examples {
    fn from_iter<I: IntoIterator<Item = Example>>(examples: I) -> Self {
        let mut writer = ExampleWriter::new(Bound(usize::MAX), usize::MAX);
        examples.into_iter().for_each(|example| writer.push(&example).expect("nothing goes to a file"));
        Self { bound: Bound::default(), ..writer.finish().expect("nothing goes to a file") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(ids: u32) -> Vec<Example> {
        let side = |i: u32, salt: u32| (0..i % 23).map(|k| (i * 31 + k * salt) % ids).collect();
        (0..1000).map(|i| Example { src: side(i, 7), tgt: side(i * 5, 11), line: u64::from(i) << 30 }).collect()
    }

    #[test]
    fn examples_are_read_in_any_order_in_memory_or_in_a_file() {
        for (ids, width) in [(60_000, 2), (1 << 16, 2), (70_000, 4)] {
            let all = examples(ids);
            for bound in [0, 5000, usize::MAX] {
                let mut writer = ExampleWriter::new(Bound(bound), ids as usize);
                all.iter().for_each(|example| writer.push(example).unwrap());
                let stored = writer.finish().unwrap();
                assert_eq!((stored.width, stored.len(), stored.is_empty()), (width, 1000, false));
                assert_eq!(stored.to_vec().unwrap(), all);
                assert_eq!(stored.get(999).unwrap(), all[999]);
                let numbers = [998, 3, 64, 63, 3, 0];
                assert_eq!(stored.some(&numbers).unwrap(), numbers.map(|i| all[i as usize].clone()));
            }
        }
        assert_eq!(examples(70_000).into_iter().collect::<Examples>().to_vec().unwrap(), examples(70_000));
    }

    #[cfg(feature = "train")]
    #[test]
    fn of_examples_in_a_file_four_bytes_and_a_bit_are_in_memory() {
        let mut writer = ExampleWriter::new(Bound(0), 9);
        (0..8).for_each(|_| examples(9).iter().for_each(|example| writer.push(example).unwrap()));
        let stored = writer.finish().unwrap();
        assert!((4 * 8000..5 * 8000).contains(&stored.memory()), "{}", stored.memory());
    }
}
