//! Sorting more than fits into memory: sorted runs in a temporary file, merged as they are read back.
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What is sorted: four numbers, the first one counts most.
pub(super) type Record = [u64; 4];

/// Bytes of a record on disk and in memory.
pub(super) const RECORD: usize = size_of::<Record>();
/// The fewest records of a run that are read at once.
const LEAST_READ: usize = 128;

/// Takes records in any order and gives them back in theirs, with at most `most` in memory.
#[derive(Debug)]
pub(super) struct Sorter {
    buffer: Vec<Record>,
    most: usize,
    folder: Option<PathBuf>,
    spilled: Option<Spill>,
}

/// Sorted runs in a file without a name.
#[derive(Debug)]
struct Spill {
    file: File,
    /// How many records each run has.
    runs: Vec<u64>,
}

impl Sorter {
    /// A sorter that holds `most` records, at least one, in memory; further ones go to a file in `folder`, or where the system keeps
    /// temporary files.
    pub(super) fn new(most: usize, folder: Option<&Path>) -> Self {
        Self { buffer: Vec::new(), most: most.max(1), folder: folder.map(Path::to_owned), spilled: None }
    }

    pub(super) fn push(&mut self, record: Record) -> io::Result<()> {
        if self.buffer.len() == self.most {
            self.spill()?;
        }
        if self.buffer.len() == self.buffer.capacity() {
            // Grown by hand, so that it never grows beyond what is allowed.
            let more = self.buffer.len().max(1024).min(self.most - self.buffer.len());
            self.buffer.reserve_exact(more);
        }
        self.buffer.push(record);
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.spilled.is_none() {
            let file = match &self.folder {
                Some(folder) => tempfile::tempfile_in(folder)?,
                None => tempfile::tempfile()?,
            };
            self.spilled = Some(Spill { file, runs: Vec::new() });
        }
        self.buffer.sort_unstable();
        if let Some(spill) = &mut self.spilled {
            let mut out = BufWriter::with_capacity(1 << 16, &mut spill.file);
            for record in &self.buffer {
                for word in record {
                    out.write_all(&word.to_le_bytes())?;
                }
            }
            out.flush()?;
            drop(out);
            spill.runs.push(self.buffer.len() as u64);
        }
        self.buffer.clear();
        Ok(())
    }

    /// All records, sorted.
    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        if self.spilled.is_some() && !self.buffer.is_empty() {
            self.spill()?;
        }
        let Some(Spill { file, runs }) = self.spilled.take() else {
            self.buffer.sort_unstable();
            return Ok(Sorted::Memory(self.buffer.into_iter()));
        };
        self.buffer = Vec::new();
        let read = (self.most / runs.len()).max(LEAST_READ);
        let mut merge = Merge { file, runs: Vec::new(), heap: BinaryHeap::new(), read };
        let mut start = 0;
        for (number, records) in runs.into_iter().enumerate() {
            merge.runs.push(Run { at: start, left: records, records: Vec::new().into_iter() });
            start += records * RECORD as u64;
            merge.advance(number)?;
        }
        Ok(Sorted::Disk(merge))
    }
}

/// Sorted records.
#[derive(Debug)]
pub(super) enum Sorted {
    /// All of them were in memory.
    Memory(std::vec::IntoIter<Record>),
    /// Runs in a file.
    Disk(Merge),
}

#[derive(Debug)]
pub(super) struct Merge {
    file: File,
    runs: Vec<Run>,
    heap: BinaryHeap<Reverse<(Record, usize)>>,
    read: usize,
}

/// What is left of a run.
#[derive(Debug)]
struct Run {
    /// Where in the file it goes on.
    at: u64,
    left: u64,
    records: std::vec::IntoIter<Record>,
}

impl Sorted {
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::Disk(merge) => {
                let Some(Reverse((record, run))) = merge.heap.pop() else { return Ok(None) };
                merge.advance(run)?;
                Ok(Some(record))
            }
        }
    }
}

impl Merge {
    /// Puts the next record of a run into the heap.
    fn advance(&mut self, number: usize) -> io::Result<()> {
        let run = &mut self.runs[number];
        if run.records.len() == 0 && run.left > 0 {
            let count = usize::try_from(run.left).unwrap_or(usize::MAX).min(self.read);
            let mut bytes = vec![0; count * RECORD];
            self.file.seek(SeekFrom::Start(run.at))?;
            self.file.read_exact(&mut bytes)?;
            run.at += bytes.len() as u64;
            run.left -= count as u64;
            let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
            run.records = words.as_chunks::<4>().0.to_vec().into_iter();
        }
        if let Some(record) = run.records.next() {
            self.heap.push(Reverse((record, number)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Draws;

    fn sorted(records: &[Record], most: usize) -> Vec<Record> {
        let mut sorter = Sorter::new(most, None);
        for &record in records {
            sorter.push(record).unwrap();
            assert!(sorter.buffer.capacity() <= most, "{} records in memory", sorter.buffer.capacity());
        }
        let mut sorted = sorter.finish().unwrap();
        let mut out = Vec::new();
        while let Some(record) = sorted.next().unwrap() {
            out.push(record);
        }
        out
    }

    #[test]
    fn whatever_the_bound_records_come_back_sorted_and_all_of_them() {
        let mut draws = Draws::new(5, 5);
        for count in [0, 1, 7, 1000, 30_000] {
            let records: Vec<Record> = (0..count).map(|_| [0; 4].map(|_: i32| draws.below(50))).collect();
            let mut expected = records.clone();
            expected.sort_unstable();
            for most in [1.max(count / 300), 999, 1000, 40_000] {
                assert!(sorted(&records, most) == expected, "{count} records, {most} in memory");
            }
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let mut sorter = Sorter::new(1, Some(Path::new("no/such/folder")));
        sorter.push([1; 4]).unwrap();
        assert!(sorter.push([2; 4]).is_err());
    }
}
