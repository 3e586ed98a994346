//! The input again, from a cleaned file and the records of what was removed or changed.
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::DoctorError;
use super::fix::{CHANGED, END, REMOVED};
use super::raw::RawLines;
use crate::data::DataError;

/// Whether the lines of `cleaned` and the records of the file `name` in `changes` make up the bytes with this hash.
pub(super) fn restores(name: &str, cleaned: &Path, changes: &Path, hash: &[u8; 32]) -> Result<bool, DoctorError> {
    let mut restored = Sha256::new();
    restore(name, lines(cleaned)?, lines(changes)?, |bytes| restored.update(bytes))?;
    let restored: [u8; 32] = restored.finalize().into();
    Ok(restored == *hash)
}

fn lines(path: &Path) -> Result<RawLines, DataError> {
    let file = File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    Ok(RawLines::new(path, Box::new(BufReader::new(file))))
}

/// Gives the bytes of the file `name` as it was.
fn restore(
    name: &str,
    mut cleaned: RawLines,
    mut changes: RawLines,
    mut to: impl FnMut(&[u8]),
) -> Result<(), DoctorError> {
    // Lines given so far, and a line end that stands after them unless a record says otherwise.
    let (mut given, mut pending) = (0, "");
    while changes.advance()? {
        let Some((line, what, start)) = record(name, changes.line()) else { continue };
        if what == What::End {
            pending = "";
            continue;
        }
        while given + 1 < line && cleaned.advance()? {
            to(pending.as_bytes());
            pending = give(&cleaned, &mut to);
            given += 1;
        }
        to(pending.as_bytes());
        to(&changes.line()[start..]);
        changes.drain(|rest| {
            to(rest);
            Ok::<(), DataError>(())
        })?;
        if what == What::Changed {
            cleaned.advance()?;
        }
        given = line;
        pending = "\n";
    }
    while cleaned.advance()? {
        to(pending.as_bytes());
        pending = give(&cleaned, &mut to);
    }
    to(pending.as_bytes());
    Ok(())
}

/// Gives a line; returns its end.
fn give(cleaned: &RawLines, to: &mut impl FnMut(&[u8])) -> &'static str {
    to(cleaned.line());
    if cleaned.is_ended() { "\n" } else { "" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Removed,
    Changed,
    End,
}

/// The line a record of the file `name` is about, what happened to it, and where in the record it begins.
fn record(name: &str, record: &[u8]) -> Option<(u64, What, usize)> {
    let rest = record.strip_prefix(name.as_bytes())?.strip_prefix(b"\t")?;
    let mut fields = rest.splitn(4, |&byte| byte == b'\t');
    let mut field = || std::str::from_utf8(fields.next()?).ok();
    let line = field()?.parse().ok()?;
    let what = match field()? {
        REMOVED => What::Removed,
        CHANGED => What::Changed,
        END => What::End,
        _ => return None,
    };
    field()?;
    Some((line, what, record.len() - fields.next()?.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(cleaned: &str, changes: &str) -> String {
        let lines =
            |text: &str| RawLines::new(Path::new("p"), Box::new(std::io::Cursor::new(text.as_bytes().to_vec())));
        let mut out = Vec::new();
        restore("p", lines(cleaned), lines(changes), |bytes| out.extend_from_slice(bytes)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_are_put_where_they_were() {
        assert_eq!(
            restored("b\nd\n", "file\tline\np\t1\tremoved\tnul\ta\np\t3\tchanged\tbidi\tc\tx\nq\t2\tremoved\tnul\tz\n"),
            "a\nb\nc\tx\n"
        );
        assert_eq!(restored("", "p\t1\tremoved\tblank\t\np\t2\tremoved\tblank\t \np\t2\tend\t\t\n"), "\n ");
        assert_eq!(restored("a\nb", "p\t2\tchanged\tbidi\tB\np\t2\tend\t\t\n"), "a\nB");
        assert_eq!(restored("a\nb", ""), "a\nb");
    }
}
