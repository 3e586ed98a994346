//! Compressed input, unpacked as it is read: never more than a window of it is in memory.
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::DataError;

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

/// The text of a file, plain or compressed as its name and its first bytes say.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
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
    Ok(unpacked(found, BufReader::new(io::Cursor::new(start).chain(file))))
}

/// The text of a stream, plain or compressed as its first bytes say.
pub(super) fn recognised(mut packed: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let found = Format::of_content(packed.fill_buf()?);
    Ok(unpacked(found, packed))
}

fn unpacked(found: Format, packed: impl BufRead + Send + 'static) -> Box<dyn BufRead + Send> {
    match found {
        Format::Plain => Box::new(packed),
        Format::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(packed))),
        Format::Zstd => Box::new(BufReader::new(Zstd::new(packed))),
    }
}

/// All frames of a Zstandard file. `ruzstd` neither passes over skippable frames nor compares checksums, so that is done here.
struct Zstd<R> {
    packed: R,
    decoder: FrameDecoder,
    is_inside: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(packed: R) -> Self {
        Self { packed, decoder: FrameDecoder::new(), is_inside: false }
    }

    /// Begins the next frame; `false` at the end of the file.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.packed.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.packed) {
                Ok(()) => {
                    self.is_inside = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.packed.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Ends the frame at hand.
    fn end(&mut self) -> io::Result<()> {
        self.is_inside = false;
        let (said, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if said.is_some() && said != found {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the Zstandard checksum does not match"));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.is_inside || self.begin()? {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.packed, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(out);
            }
            self.end()?;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// Counts what is taken from it.
    struct Counted<'a> {
        bytes: &'a [u8],
        taken: usize,
    }

    impl Read for Counted<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let read = self.bytes.read(out)?;
            self.taken += read;
            Ok(read)
        }
    }

    #[test]
    fn a_zstandard_file_is_unpacked_as_it_is_read() {
        let mut draws = super::super::Draws::new(1, 1);
        let text: Vec<u8> = (0..4_000_000).map(|_| b'a' + draws.below(16) as u8).collect();
        let packed = compress_to_vec(&text[..], CompressionLevel::Fastest);
        let mut counted = Counted { bytes: &packed, taken: 0 };
        let mut unpacked = vec![0; 1000];
        Zstd::new(BufReader::new(&mut counted)).read_exact(&mut unpacked).unwrap();
        assert_eq!(unpacked, text[..1000]);
        assert!(counted.taken < packed.len() / 4, "{} of {} bytes were read", counted.taken, packed.len());
        let mut whole = Vec::new();
        Zstd::new(BufReader::new(&packed[..])).read_to_end(&mut whole).unwrap();
        assert!(whole == text);
    }
}
