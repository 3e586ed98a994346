//! Lines of a file, plain or compressed.
//!
//! A line ends at `\n` and nowhere else; U+2028, U+0085, `\x0b` and their like are ordinary characters. One `\r` before the
//! `\n` (or at the end of the file) is stripped and counted. A byte order mark at the start of the file is stripped and
//! reported. The last line may lack its `\n`.
//!
//! gzip (any number of members) and Zstandard (any number of frames) are recognised by their first bytes, which are no
//! UTF-8 text; a suffix `.gz` or `.zst` that says otherwise is an error, and so is its absence.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
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
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstd,
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

/// Unpacks all frames. The decoder checks no checksums by itself, so that is done here.
fn unpack_zstd(mut packed: impl BufRead) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut frames = FrameDecoder::new();
    while !packed.fill_buf()?.is_empty() {
        let mut frame = StreamingDecoder::new_with_decoder(&mut packed, &mut frames).map_err(io::Error::other)?;
        frame.read_to_end(&mut text)?;
        let (said, found) = (frames.get_checksum_from_data(), frames.get_calculated_checksum());
        if said.is_some() && said != found {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the Zstandard checksum does not match"));
        }
    }
    Ok(text)
}
