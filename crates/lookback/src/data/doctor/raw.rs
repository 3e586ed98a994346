//! Lines as bytes, whatever they are: nothing here is refused.
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::lines::foreign;
use super::super::packed::open;
use super::super::{DataError, MAX_LINE};

/// The byte order mark in UTF-8.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Lines of a file, plain or compressed, one in memory at a time, and of a line that is too long only its start.
pub(super) struct RawLines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
    hash: Sha256,
    is_cut: bool,
}

impl RawLines {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self::new(path, open(path)?))
    }

    pub(super) fn new(path: &Path, reader: Box<dyn BufRead + Send>) -> Self {
        let (buffer, hash) = (Vec::new(), Sha256::new());
        Self { path: path.to_owned(), reader, buffer, number: 0, bytes: 0, hash, is_cut: false }
    }

    /// Goes to the next line; `false` at the end.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        self.drain(|_| Ok::<(), DataError>(()))?;
        self.buffer.clear();
        // Room for the longest line and its `\r\n`.
        let most = MAX_LINE as u64 + 2;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.buffer);
        let read = read.map_err(|source| DataError::Io { path: self.path.clone(), source })?;
        self.is_cut = read as u64 == most && self.buffer.last() != Some(&b'\n');
        self.took(read);
        self.number += u64::from(read > 0);
        Ok(read > 0)
    }

    /// Refuses a file of which the first line shows that it is no UTF-8 or has other line ends.
    pub(super) fn check_encoding(&self) -> Result<(), DataError> {
        if self.number == 1
            && let Some(encoding) = foreign(&self.buffer)
        {
            return Err(DataError::Encoding { path: self.path.clone(), encoding });
        }
        Ok(())
    }

    fn took(&mut self, read: usize) {
        self.bytes += read as u64;
        self.hash.update(&self.buffer[self.buffer.len() - read..]);
    }

    /// Gives what is left of a line that was cut, without its `\n`.
    pub(super) fn drain<E: From<DataError>>(&mut self, mut to: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        while self.is_cut {
            self.buffer.clear();
            let read = self.reader.by_ref().take(1 << 16).read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|source| DataError::Io { path: self.path.clone(), source })?;
            self.is_cut = read > 0 && self.buffer.last() != Some(&b'\n');
            self.took(read);
            to(self.line())?;
        }
        Ok(())
    }

    /// The line at hand without its `\n`; of one that is cut, its start.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer)
    }

    /// Whether the line at hand, read whole, ends in `\n`.
    pub(super) fn is_ended(&self) -> bool {
        self.buffer.ends_with(b"\n")
    }

    /// The line as training sees it: without byte order mark at the start of the file, without one `\r` at its end.
    pub(super) fn text(&self) -> &[u8] {
        let line = self.line();
        let line = if self.number == 1 { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    pub(super) fn has_byte_order_mark(&self) -> bool {
        self.number == 1 && self.buffer.starts_with(BOM)
    }

    pub(super) fn has_carriage_return(&self) -> bool {
        self.line().ends_with(b"\r")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the line at hand, from 1; at the end, how many there are.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes read so far, unpacked.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of what was read.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> RawLines {
        RawLines::new(Path::new("p"), Box::new(std::io::Cursor::new(text.to_vec())))
    }

    #[test]
    fn a_line_that_is_too_long_is_seen_in_part_and_read_whole() {
        let long = vec![b'x'; 3 * MAX_LINE];
        let text = [b"a\n", &long[..], b"\nb"].concat();
        let mut raw = lines(&text);
        let mut out = Vec::new();
        let mut starts = Vec::new();
        while raw.advance().unwrap() {
            starts.push(raw.line().len());
            out.extend(raw.line().to_vec());
            raw.drain(|rest| {
                out.extend(rest.to_vec());
                Ok::<(), DataError>(())
            })
            .unwrap();
        }
        assert_eq!(starts, [1, MAX_LINE + 2, 1]);
        assert_eq!(out.len(), text.len() - 2, "all but the newlines");
        assert_eq!((raw.number(), raw.bytes()), (3, text.len() as u64));
        let whole: [u8; 32] = Sha256::digest(&text).into();
        assert_eq!(raw.sha256(), whole);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_in_bounded_memory() {
        let endless = std::io::repeat(b'a').take(40 << 20);
        let mut raw = RawLines::new(Path::new("p"), Box::new(std::io::BufReader::new(endless)));
        assert!(raw.advance().unwrap() && !raw.advance().unwrap());
        assert!(raw.buffer.capacity() < 3 * MAX_LINE, "{}", raw.buffer.capacity());
        assert_eq!(raw.bytes(), 40 << 20);
    }

    #[test]
    fn a_line_is_seen_as_training_sees_it() {
        let mut raw = lines(b"\xEF\xBB\xBFa\r\r\n\xEF\xBB\xBFb");
        assert!(raw.advance().unwrap());
        assert_eq!((raw.text(), raw.has_byte_order_mark(), raw.has_carriage_return()), (&b"a\r"[..], true, true));
        assert!(raw.is_ended() && raw.advance().unwrap() && !raw.is_ended());
        assert_eq!((raw.text(), raw.has_byte_order_mark()), (&b"\xEF\xBB\xBFb"[..], false));
    }
}
