//! Bytes that are written once, front to back, and read anywhere: in memory while they are few, beyond that in a temporary file without a name.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::{Mutex, PoisonError};

use super::DataError;

/// Bytes that are kept in memory, if nothing else is said.
pub(super) const IN_MEMORY: usize = 16 << 20;
/// Bytes that are written or read at once.
const BLOCK: usize = 1 << 16;

/// Bytes as they are written.
#[derive(Debug)]
pub(super) struct SpoolWriter {
    /// Those that are not in the file.
    bytes: Vec<u8>,
    most: usize,
    file: Option<File>,
    written: u64,
}

/// Bytes that were written.
#[derive(Debug)]
pub(super) enum Spool {
    Memory(Vec<u8>),
    /// One reader moves the file's place at a time.
    File(Mutex<File>),
}

/// Reads a part of a spool from its start to its end.
#[derive(Debug)]
pub(super) struct SpoolReader<'a> {
    spool: &'a Spool,
    /// What was read of a file ahead of `at`.
    ahead: Vec<u8>,
    used: usize,
    at: u64,
    end: u64,
}

impl SpoolWriter {
    /// Keeps up to `most` bytes in memory.
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most, file: None, written: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        let room = if self.file.is_some() { BLOCK } else { self.most };
        if self.bytes.len() + bytes.len() > room {
            self.flush()?;
        }
        let (needed, has) = (self.bytes.len() + bytes.len(), self.bytes.capacity());
        if needed > has {
            // Twice as much as before, but not more than may be kept.
            self.bytes.reserve_exact(needed.max((2 * has).min(room)) - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes were written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn finish(mut self) -> Result<Spool, DataError> {
        if self.file.is_some() {
            self.flush()?;
        }
        self.bytes.shrink_to_fit();
        Ok(match self.file {
            Some(file) => Spool::File(Mutex::new(file)),
            None => Spool::Memory(self.bytes),
        })
    }

    /// Moves what is in memory to the end of the file.
    fn flush(&mut self) -> Result<(), DataError> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(DataError::temporary)?),
        };
        file.write_all(&self.bytes).map_err(DataError::temporary)?;
        self.bytes.clear();
        self.bytes.shrink_to(BLOCK);
        Ok(())
    }
}

impl Spool {
    /// Fills `bytes` with those from `at` on.
    pub(super) fn read_at(&self, at: u64, bytes: &mut [u8]) -> Result<(), DataError> {
        match self {
            Self::Memory(all) => bytes.copy_from_slice(&all[place(at)..][..bytes.len()]),
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(bytes));
                read.map_err(DataError::temporary)?;
            }
        }
        Ok(())
    }

    /// Bytes it takes in memory.
    #[cfg(feature = "train")]
    pub(super) fn memory(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_) => 0,
        }
    }
}

impl<'a> SpoolReader<'a> {
    /// Reads from `at` up to `end`.
    pub(super) fn new(spool: &'a Spool, at: u64, end: u64) -> Self {
        Self { spool, ahead: Vec::new(), used: 0, at, end }
    }

    /// Whether all was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.end
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&[u8], DataError> {
        let at = self.at;
        self.at += count as u64;
        if self.at > self.end {
            return Err(DataError::temporary(io::ErrorKind::UnexpectedEof.into()));
        }
        if let Spool::Memory(bytes) = self.spool {
            return Ok(&bytes[place(at)..][..count]);
        }
        let kept = self.ahead.len() - self.used;
        if kept < count {
            let more = (self.end - at - kept as u64).min(BLOCK.max(count - kept) as u64);
            self.ahead.drain(..self.used);
            self.ahead.resize(kept + place(more), 0);
            self.used = 0;
            self.spool.read_at(at + kept as u64, &mut self.ahead[kept..])?;
        }
        self.used += count;
        Ok(&self.ahead[self.used - count..self.used])
    }
}

/// A place in memory.
fn place(at: u64) -> usize {
    usize::try_from(at).expect("what is in memory has a place there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Draws;

    /// Parts of 0 to 300 bytes, one of them longer than what is read at once.
    fn parts() -> Vec<Vec<u8>> {
        let mut draws = Draws::new(3, 3);
        let mut part = |most: u64| (0..draws.below(most)).map(|i| (i * 31 + most) as u8).collect::<Vec<u8>>();
        let mut parts: Vec<_> = (0..2000).map(|_| part(300)).collect();
        parts.insert(700, vec![7; 3 * BLOCK]);
        parts
    }

    fn spool(parts: &[Vec<u8>], most: usize) -> Spool {
        let mut writer = SpoolWriter::new(most);
        parts.iter().for_each(|part| writer.write(part).unwrap());
        assert_eq!(writer.written(), parts.concat().len() as u64);
        writer.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read_in_order_and_anywhere_in_memory_or_in_a_file() {
        let parts = parts();
        let all = parts.concat();
        for most in [0, 1000, all.len() - 1, all.len()] {
            let spool = spool(&parts, most);
            assert_eq!(matches!(spool, Spool::Memory(_)), most == all.len());
            #[cfg(feature = "train")]
            assert_eq!(spool.memory() > 0, most == all.len());
            let mut reader = SpoolReader::new(&spool, 0, all.len() as u64);
            for part in &parts {
                assert_eq!(reader.take(part.len()).unwrap(), part);
            }
            assert!(reader.is_at_end() && reader.take(1).is_err());
            let mut some = vec![0; 5000];
            spool.read_at(123_456, &mut some).unwrap();
            assert_eq!(some, all[123_456..128_456]);
            let mut inner = SpoolReader::new(&spool, 10, 20);
            assert!(inner.take(10).unwrap() == &all[10..20] && inner.is_at_end());
        }
    }

    #[test]
    fn readers_in_several_threads_do_not_disturb_each_other() {
        let parts = parts();
        let (all, spool) = (parts.concat(), spool(&parts, 0));
        std::thread::scope(|scope| {
            for start in 0..4_u64 {
                let (all, spool) = (&all, &spool);
                scope.spawn(move || {
                    for at in (start..100_000).step_by(97) {
                        let mut bytes = [0; 50];
                        spool.read_at(at, &mut bytes).unwrap();
                        assert_eq!(bytes, all[at as usize..][..50]);
                    }
                });
            }
        });
    }
}
