//! Files that are written: never one that is being read.

use std::path::Path;

use same_file::is_same_file;

use crate::exit::Usage;

/// Refuses to write over a file that is read, by whatever name.
pub(crate) fn spare<'a>(output: Option<&Path>, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Usage> {
    let Some(output) = output else { return Ok(()) };
    // A name that leads nowhere yet is no file that is read.
    if read.into_iter().any(|read| is_same_file(output, read).unwrap_or(false)) {
        return Err(Usage(format!("`{}` is read; write to another name", output.display())));
    }
    Ok(())
}
