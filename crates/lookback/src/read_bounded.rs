//! Small files, read whole: never more than is sensible, and never from what is no file.
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// If it cannot be read, is longer, is not UTF-8, or is a pipe or a device.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is longer than {most} bytes")));
    }
    Ok(text)
}

/// Opens a file that is one: reading from a pipe or a device might never end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe would wait for its writer, so the kind is asked first; it is asked again of what was opened.
    let is_file = std::fs::metadata(path)?.is_file();
    let no_file = || io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
    if !is_file {
        return Err(no_file());
    }
    let file = File::open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(no_file()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_no_file_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert_eq!(read_text(&path, 3).unwrap_err().to_string(), "it is longer than 3 bytes");
        assert_eq!(read_text(dir.path(), 9).unwrap_err().to_string(), "it is not a regular file");
        std::fs::write(&path, [0xFF]).unwrap();
        assert_eq!(read_text(&path, 9).unwrap_err().kind(), ErrorKind::InvalidData);
        #[cfg(unix)]
        assert_eq!(read_text(Path::new("/dev/zero"), 9).unwrap_err().to_string(), "it is not a regular file");
    }
}
