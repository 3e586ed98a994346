//! Lines of a file, plain or compressed; the rules stand on the page of [`data`](super).
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::DataError;

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

/// Calls `line` with each line of `path` and its number, from 1.
pub(super) fn for_each_line(
    path: &Path,
    mut line: impl FnMut(u64, &str) -> Result<(), DataError>,
) -> Result<FileReport, DataError> {
    let io_error = |source| DataError::Io { path: path.to_owned(), source };
    let mut reader = open(path)?;
    let mut report = FileReport { path: path.to_owned(), lines: 0, carriage_returns: 0, byte_order_mark: false };
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        if reader.read_until(b'\n', &mut buffer).map_err(io_error)? == 0 {
            break;
        }
        report.lines += 1;
        let mut bytes = buffer.strip_suffix(b"\n").unwrap_or(&buffer);
        if let Some(stripped) = bytes.strip_suffix(b"\r") {
            report.carriage_returns += 1;
            bytes = stripped;
        }
        if report.lines == 1
            && let Some(stripped) = bytes.strip_prefix(b"\xEF\xBB\xBF")
        {
            report.byte_order_mark = true;
            bytes = stripped;
        }
        let text = std::str::from_utf8(bytes).map_err(|error| DataError::Utf8 {
            path: path.to_owned(),
            line: report.lines,
            byte: error.valid_up_to() + 1,
        })?;
        if text.contains('\0') {
            return Err(DataError::Nul { path: path.to_owned(), line: report.lines });
        }
        line(report.lines, text)?;
    }
    if report.lines == 0 {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    Ok(report)
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    fn of_name(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }

    fn of_content(start: &[u8]) -> Self {
        match start {
            [0x1F, 0x8B, ..] => Self::Gzip,
            // A frame, or one to skip. The latter is "P*M" to "_*M" and a control character: text in name only.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "not compressed",
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, DataError> {
    let io_error = |source| DataError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io_error)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(io_error)?;
    if start.is_empty() {
        return Err(DataError::Empty { path: path.to_owned() });
    }
    let (named, found) = (Format::of_name(path), Format::of_content(&start));
    if named != found {
        return Err(DataError::Compression { path: path.to_owned(), named: named.name(), found: found.name() });
    }
    let whole = BufReader::new(io::Cursor::new(start).chain(file));
    Ok(match found {
        Format::Plain => Box::new(whole),
        Format::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(whole))),
        Format::Zstd => Box::new(io::Cursor::new(unpack_zstd(whole).map_err(io_error)?)),
    })
}

/// Unpacks all frames. The decoder neither passes over skippable frames nor compares checksums, so that is done here.
fn unpack_zstd(mut packed: impl BufRead) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut decoder = FrameDecoder::new();
    while !packed.fill_buf()?.is_empty() {
        match StreamingDecoder::new_with_decoder(&mut packed, &mut decoder) {
            Ok(mut frame) => frame.read_to_end(&mut text)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut packed.by_ref().take(u64::from(length)), &mut io::sink())?;
                continue;
            }
            Err(error) => return Err(io::Error::other(error)),
        };
        let (said, found) = (decoder.get_checksum_from_data(), decoder.get_calculated_checksum());
        if said.is_some() && said != found {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the Zstandard checksum does not match"));
        }
    }
    Ok(text)
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
    fn empty_and_missing_files_are_named() {
        for (name, content) in [("a", Vec::new()), ("a.gz", Vec::new()), ("b.gz", gzip(b"")), ("b.zst", zstd(b""))] {
            assert_eq!(read(name, &content).unwrap_err(), format!("{name}: the file is empty"));
        }
        let error = for_each_line(Path::new("no/such/file"), |_, _| Ok(())).unwrap_err().to_string();
        assert!(error.starts_with("no/such/file: "), "{error}");
    }
}
