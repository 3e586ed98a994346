//! Lines of a file, plain or compressed, or of a stream; the rules stand on the page of [`data`](super).
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

use super::DataError;
use super::packed::{open, recognised};

/// The longest line, in bytes: nothing that is learned or translated as one sentence is longer.
pub const MAX_LINE: usize = 1_000_000;

/// What was read from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its lines.
    pub lines: u64,
    /// Lines that ended in `\r\n`; the `\r` was stripped.
    pub carriage_returns: u64,
    /// Whether a byte order mark was stripped.
    pub byte_order_mark: bool,
}

/// Lines as they are read, one in memory at a time.
///
/// ```
/// use lookback::data::Lines;
/// let mut lines = Lines::new("standard input".into(), "ein\r\nzwei".as_bytes());
/// assert_eq!(lines.next_line()?, Some((1, "ein")));
/// assert_eq!(lines.next_line()?, Some((2, "zwei")));
/// assert_eq!(lines.next_line()?, None);
/// # Ok::<(), lookback::data::DataError>(())
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    report: FileReport,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`, called `name` in messages.
    pub fn new(name: PathBuf, reader: R) -> Self {
        let report = FileReport { path: name, lines: 0, carriage_returns: 0, byte_order_mark: false };
        Self { reader, buffer: Vec::new(), report }
    }

    /// The next line with its number, from 1; `None` at the end.
    ///
    /// # Errors
    /// What cannot be read, is not UTF-8, holds NUL or is longer than [`MAX_LINE`], by `name:line`.
    pub fn next_line(&mut self) -> Result<Option<(u64, &str)>, DataError> {
        self.buffer.clear();
        let path = || self.report.path.clone();
        // Room for the longest line and its `\r\n`.
        let mut limited = self.reader.by_ref().take(MAX_LINE as u64 + 2);
        if limited.read_until(b'\n', &mut self.buffer).map_err(|source| DataError::Io { path: path(), source })? == 0 {
            return Ok(None);
        }
        let line = self.report.lines + 1;
        let mut bytes = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let stripped = bytes.strip_suffix(b"\r");
        bytes = stripped.unwrap_or(bytes);
        if line == 1
            && let Some(encoding) = foreign(&self.buffer)
        {
            return Err(DataError::Encoding { path: path(), encoding });
        }
        if bytes.len() > MAX_LINE {
            return Err(DataError::LineTooLong { path: path(), line });
        }
        let unmarked = bytes.strip_prefix(b"\xEF\xBB\xBF").filter(|_| line == 1);
        bytes = unmarked.unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| DataError::Utf8 {
            path: path(),
            line,
            byte: error.valid_up_to() + 1,
        })?;
        if text.contains('\0') {
            return Err(DataError::Nul { path: path(), line });
        }
        self.report.lines = line;
        self.report.carriage_returns += u64::from(stripped.is_some());
        self.report.byte_order_mark |= unmarked.is_some();
        Ok(Some((line, text)))
    }

    /// What was read so far.
    pub fn report(&self) -> &FileReport {
        &self.report
    }

    /// Reads what is left; an error if there was no line at all.
    pub(super) fn into_report(mut self) -> Result<FileReport, DataError> {
        while self.next_line()?.is_some() {}
        if self.report.lines == 0 { Err(DataError::Empty { path: self.report.path }) } else { Ok(self.report) }
    }
}

impl Lines<Box<dyn BufRead + Send>> {
    /// The lines of a file, plain, `.gz` or `.zst`.
    ///
    /// # Errors
    /// If it cannot be read, is empty, or its name and its content do not agree about compression.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self::new(path.to_owned(), open(path)?))
    }

    /// The lines of a stream called `name` in messages, plain or compressed as its first bytes say. No more is waited for than the first of them to arrive.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of_stream(name: PathBuf, reader: impl BufRead + Send + 'static) -> Result<Self, DataError> {
        let reader = recognised(reader).map_err(|source| DataError::Io { path: name.clone(), source })?;
        Ok(Self::new(name, reader))
    }
}

/// What a file is, and how to make it one of lines that end at `\n`, if its first line, with its end, shows that it is none. Half of Latin text in
/// UTF-16 are NUL bytes; before Mac OS X lines ended at `\r`.
pub(super) fn foreign(first: &[u8]) -> Option<&'static str> {
    const LE: &str = "UTF-16; convert it, `iconv -f UTF-16LE -t UTF-8`";
    const BE: &str = "UTF-16; convert it, `iconv -f UTF-16BE -t UTF-8`";
    // Bytes of the text that the NUL bytes are counted in, and how few of them may be chance.
    const SEEN: usize = 1000;
    const FEW: usize = 4;
    let seen = &first[..first.len().min(SEEN)];
    let nuls = |parity: usize| seen.iter().skip(parity).step_by(2).filter(|&&byte| byte == 0).count();
    match first {
        [0xFF, 0xFE, 0, 0, ..] => return Some("UTF-32; convert it, `iconv -f UTF-32LE -t UTF-8`"),
        [0xFF, 0xFE, ..] => return Some(LE),
        [0xFE, 0xFF, ..] => return Some(BE),
        _ if first.contains(&0) => match [nuls(0), nuls(1)] {
            [0, odd] if odd >= FEW && 8 * odd >= 3 * seen.len() => return Some(LE),
            [even, 0] if even >= FEW && 8 * even >= 3 * seen.len() => return Some(BE),
            _ => {}
        },
        _ => {}
    }
    // One may stand in a single line that has no end.
    let is_old = !first.ends_with(b"\n") && first.iter().filter(|&&byte| byte == b'\r').count() > 1;
    is_old.then_some("lines that end at \\r alone; convert it, `tr '\\r' '\\n'`")
}

/// Calls `line` with each line of `path` and its number, from 1.
pub(super) fn for_each_line(
    path: &Path,
    mut line: impl FnMut(u64, &str) -> Result<(), DataError>,
) -> Result<FileReport, DataError> {
    let mut lines = Lines::open(path)?;
    while let Some((number, text)) = lines.next_line()? {
        line(number, text)?;
    }
    lines.into_report()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use tempfile::TempDir;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    /// Reads `content` as a file of that name; an error without the folder in front.
    fn read(name: &str, content: &[u8]) -> Result<(Vec<String>, FileReport), String> {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut lines = Vec::new();
        let mut numbers = Vec::new();
        let report = for_each_line(&path, |number, text| {
            numbers.push(number);
            lines.push(text.to_owned());
            Ok(())
        });
        let report = report.map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))?;
        assert_eq!(numbers, (1..=report.lines).collect::<Vec<_>>());
        Ok((lines, report))
    }

    #[test]
    fn a_line_ends_at_a_newline_and_nowhere_else() {
        let (lines, report) = read("a", "x\u{2028}y\u{85}z\x0b\x0c\rw\n\n last".as_bytes()).unwrap();
        assert_eq!(lines, ["x\u{2028}y\u{85}z\x0b\x0c\rw", "", " last"]);
        assert_eq!((report.lines, report.carriage_returns, report.byte_order_mark), (3, 0, false));
    }

    #[test]
    fn one_carriage_return_is_stripped_and_counted() {
        let (lines, report) = read("a", b"x\r\ny\r\r\nz\nw\r").unwrap();
        assert_eq!(lines, ["x", "y\r", "z", "w"]);
        assert_eq!(report.carriage_returns, 3);
    }

    #[test]
    fn a_byte_order_mark_is_stripped_at_the_start_only() {
        let (lines, report) = read("a", "\u{FEFF}x\n\u{FEFF}y\n".as_bytes()).unwrap();
        assert_eq!(lines, ["x", "\u{FEFF}y"]);
        assert!(report.byte_order_mark);
    }

    #[test]
    fn compressed_files_of_several_parts_are_read_whole() {
        let text = "ein Haus\n".repeat(5000);
        let plain = read("a", text.as_bytes()).unwrap().0;
        let gz = [gzip(text.as_bytes()), gzip(b"zwei\n")].concat();
        let skipped = [&[0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let zst = [skipped.clone(), zstd(text.as_bytes()), skipped, zstd(b"zwei\n")].concat();
        for (name, content) in [("a.gz", gz), ("a.tsv.zst", zst)] {
            let (lines, _) = read(name, &content).unwrap();
            assert_eq!(lines[..5000], plain[..]);
            assert_eq!(lines[5000..], ["zwei"]);
        }
    }

    #[test]
    fn damaged_archives_are_errors_that_name_the_file() {
        let (mut gz, mut zst) = (gzip(b"ein Haus\n"), zstd(b"ein Haus\n"));
        for (name, archive) in [("a.gz", &gz), ("a.zst", &zst)] {
            let said = read(name, &archive[..archive.len() - 6]).unwrap_err();
            assert!(said.starts_with(&format!("{name}: ")), "{said}");
        }
        *zst.last_mut().unwrap() ^= 1;
        assert_eq!(read("a.zst", &zst).unwrap_err(), "a.zst: the Zstandard checksum does not match");
        let crc = gz.len() - 8;
        gz[crc] ^= 1;
        assert!(read("a.gz", &gz).unwrap_err().starts_with("a.gz: "));
    }

    #[test]
    fn a_stream_is_compressed_if_it_begins_so() {
        let text = "ein Haus\n".repeat(5000);
        for content in [text.clone().into_bytes(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
            let mut lines = Lines::of_stream("-".into(), std::io::Cursor::new(content)).unwrap();
            while let Some((_, line)) = lines.next_line().unwrap() {
                assert_eq!(line, "ein Haus");
            }
            assert_eq!(lines.report().lines, 5000);
        }
        let mut none = Lines::of_stream("-".into(), std::io::empty()).unwrap();
        assert_eq!(none.next_line().unwrap(), None);
    }

    #[test]
    fn name_and_content_must_agree_about_compression() {
        let said = |name, content: &[u8]| read(name, content).unwrap_err();
        assert_eq!(said("a.gz", b"x\n"), "a.gz: the name says gzip, the content is not compressed; rename the file");
        assert_eq!(
            said("a.tsv", &gzip(b"x")),
            "a.tsv: the name says not compressed, the content is gzip; rename the file"
        );
        assert_eq!(said("a.GZ", &zstd(b"x")), "a.GZ: the name says gzip, the content is Zstandard; rename the file");
    }

    #[test]
    fn what_is_no_text_is_named_by_line() {
        assert_eq!(
            read("a", b"x\nab\xFFc\n").unwrap_err(),
            "a:2: not UTF-8 at byte 3 of the line; convert the file to UTF-8"
        );
        assert_eq!(read("a", b"x\ny\n\0\n").unwrap_err(), "a:3: a NUL character; this is not a text file, or UTF-16");
        assert_eq!(read("a.gz", &gzip(b"x\n\xFF\n")).unwrap_err().split(' ').next(), Some("a.gz:2:"));
    }

    #[test]
    fn a_line_that_never_ends_is_refused_by_its_number_before_it_is_read_whole() {
        let fits = "x".repeat(MAX_LINE);
        let (lines, report) = read("a", format!("{fits}\r\n{fits}").as_bytes()).unwrap();
        assert_eq!((lines.len(), lines[1].len(), report.carriage_returns), (2, MAX_LINE, 1));
        for end in ["", "\n", "\r\n", "yz\n"] {
            let said = read("a.zst", &zstd(format!("ein\n{fits}y{end}zwei\n").as_bytes())).unwrap_err();
            assert!(said.starts_with("a.zst:2: the line is longer than 1,000,000 bytes"), "{said}");
        }
        let mut endless = Lines::new("-".into(), std::io::BufReader::new(std::io::repeat(b'a')));
        assert!(endless.next_line().is_err());
    }

    #[test]
    fn an_archive_that_claims_a_huge_window_is_refused_and_one_that_unpacks_to_much_is_not_unpacked() {
        // A window of 2 GiB (RFC 8878, 3.1.1.1.2).
        let said = read("a.zst", b"\x28\xB5\x2F\xFD\x00\xA8\x01\x00\x00").unwrap_err();
        assert!(said.starts_with("a.zst: ") && said.contains("window"), "{said}");
        // A thousandth of its size, packed: 50 MB without a line end, of which one line's worth is unpacked.
        let bomb = gzip(&vec![b'a'; 50_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(read("a.gz", &bomb).unwrap_err().starts_with("a.gz:1: the line is longer than"));
    }

    #[test]
    fn empty_and_missing_files_are_named() {
        for (name, content) in [("a", Vec::new()), ("a.gz", Vec::new()), ("b.gz", gzip(b"")), ("b.zst", zstd(b""))] {
            assert_eq!(read(name, &content).unwrap_err(), format!("{name}: the file is empty"));
        }
        let error = for_each_line(Path::new("no/such/file"), |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.starts_with("no/such/file: "), "{error}");
    }
}
