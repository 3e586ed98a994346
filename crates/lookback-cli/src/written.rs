//! Files that are written: never one that is being read.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use same_file::is_same_file;

use crate::exit::Usage;

/// What results are written to: this file, or standard output.
pub(crate) fn output(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?),
        None => Box::new(io::stdout()),
    })
}

/// Refuses to write over a file that is read, by whatever name.
pub(crate) fn spare<'a>(output: Option<&Path>, read: impl IntoIterator<Item = &'a Path>) -> Result<(), Usage> {
    let Some(output) = output else { return Ok(()) };
    // A name that leads nowhere yet is no file that is read.
    if read.into_iter().any(|read| is_same_file(output, read).unwrap_or(false)) {
        return Err(Usage(format!("`{}` is read; write to another name", output.display())));
    }
    Ok(())
}
