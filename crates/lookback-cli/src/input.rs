//! Lines as they arrive, in rounds: a round ends when the input pauses, so that the program can be a coprocess.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use lookback::data::{DataError, read_lines};

/// The input pauses if nothing comes for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// Lines read ahead.
const AHEAD: usize = 4096;

/// Lines of a file or of standard input, in rounds.
#[derive(Debug)]
pub(crate) struct Rounds {
    lines: Receiver<Result<String, DataError>>,
    most: usize,
    failed: Option<DataError>,
}

impl Rounds {
    /// The lines of `file`, or of standard input, at most `most` a round.
    pub(crate) fn open(file: Option<&Path>, most: usize) -> Result<Self, DataError> {
        let packed =
            |p: &Path| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz") || e.eq_ignore_ascii_case("zst"));
        let (send, lines) = sync_channel(AHEAD);
        match file {
            Some(path) if packed(path) => {
                let (all, _) = read_lines(path)?;
                thread::spawn(move || all.into_iter().try_for_each(|line| send.send(Ok(line))));
            }
            Some(path) => {
                let (path, file) = (path.to_owned(), File::open(path));
                let file = file.map_err(|source| DataError::Io { path: path.clone(), source })?;
                thread::spawn(move || Lines::new(path, file).try_for_each(|line| send.send(line)));
            }
            None => {
                let lines = || Lines::new("standard input".into(), io::stdin());
                thread::spawn(move || lines().try_for_each(|line| send.send(line)));
            }
        }
        Ok(Self { lines, most, failed: None })
    }

    /// The next lines, at least one; `None` at the end. What came before an error is still given.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<String>>, DataError> {
        let mut round = Vec::new();
        let mut next = match self.failed.take() {
            Some(error) => Some(Err(error)),
            None => self.lines.recv().ok(),
        };
        while let Some(line) = next {
            match line {
                Ok(line) => round.push(line),
                Err(error) if round.is_empty() => return Err(error),
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            }
            if round.len() >= self.most {
                break;
            }
            next = self.lines.recv_timeout(PAUSE).ok();
        }
        Ok((!round.is_empty()).then_some(round))
    }
}

/// Lines by the rules of `lookback::data`: they end at `\n` only, one `\r` before it is stripped, and so is a byte order mark.
struct Lines<R> {
    name: PathBuf,
    reader: BufReader<R>,
    line: u64,
}

impl<R: Read> Lines<R> {
    fn new(name: PathBuf, reader: R) -> Self {
        Self { name, reader: BufReader::new(reader), line: 0 }
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<String, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        match self.reader.read_until(b'\n', &mut bytes) {
            Ok(0) => return None,
            Ok(_) => self.line += 1,
            Err(source) => return Some(Err(DataError::Io { path: self.name.clone(), source })),
        }
        for end in [b"\n", b"\r"] {
            bytes.truncate(bytes.strip_suffix(end).map_or(bytes.len(), <[u8]>::len));
        }
        if self.line == 1 && bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        let (path, line) = (self.name.clone(), self.line);
        Some(match String::from_utf8(bytes) {
            Ok(text) if text.contains('\0') => Err(DataError::Nul { path, line }),
            Ok(text) => Ok(text),
            Err(error) => Err(DataError::Utf8 { path, line, byte: error.utf8_error().valid_up_to() + 1 }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<String, String>> {
        Lines::new("x".into(), bytes).map(|line| line.map_err(|e| e.to_string())).collect()
    }

    #[test]
    fn a_line_ends_at_a_newline_and_loses_one_carriage_return() {
        let lines = read("\u{FEFF}a\u{2028}b\u{85}\r\n\n\r\r\nc\r".as_bytes());
        assert_eq!(lines, ["a\u{2028}b\u{85}", "", "\r", "c"].map(|line| Ok(line.to_owned())));
    }

    #[test]
    fn what_is_no_text_is_named_by_line() {
        let lines = read(b"a\nb\xFF\n\0\n");
        assert_eq!(lines[1], Err("x:2: not UTF-8 at byte 2 of the line; convert the file to UTF-8".into()));
        assert!(lines[2].as_ref().is_err_and(|e| e.starts_with("x:3: a NUL character")));
    }

    #[test]
    fn lines_before_an_error_are_given_first() {
        let (send, lines) = sync_channel(8);
        let mut rounds = Rounds { lines, most: 2, failed: None };
        let error = DataError::Empty { path: "x".into() };
        for line in [Ok("a".to_owned()), Ok("b".to_owned()), Ok("c".to_owned()), Err(error)] {
            send.send(line).expect("there is room");
        }
        assert_eq!(rounds.next().expect("lines"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(rounds.next().expect("a line"), Some(vec!["c".to_owned()]));
        assert!(rounds.next().is_err());
        drop(send);
        assert_eq!(rounds.next().expect("the end"), None);
    }

    #[test]
    fn a_pause_ends_a_round() {
        let (send, lines) = sync_channel(8);
        let mut rounds = Rounds { lines, most: 100, failed: None };
        send.send(Ok("a".to_owned())).expect("there is room");
        assert_eq!(rounds.next().expect("a line"), Some(vec!["a".to_owned()]));
    }
}
