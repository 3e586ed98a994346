//! The folder that cleaned files are written into: all of it is there, or nothing.
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{CorpusFiles, DoctorError};

/// The file of removed and changed lines.
pub(super) const CHANGES: &str = "changes.tsv";

/// Whether the cleaned corpora can be written into the new folder `dir`, as far as that can be told before anything is read.
///
/// # Errors
/// If the folder is there already or the one it is to stand in is not; if files have equal names, or names that cannot be written down; if
/// something is no regular file, which is all that can be read twice.
pub fn check_output(corpora: &[CorpusFiles], dir: &Path) -> Result<(), DoctorError> {
    names(corpora, dir).map(drop)
}

/// What the files are called in the folder `dir`, if it can be made: their own names, without the suffix of a packed one.
fn names(corpora: &[CorpusFiles], dir: &Path) -> Result<Vec<Vec<String>>, DoctorError> {
    let write = |source| DoctorError::Write { path: dir.to_owned(), source };
    if dir.symlink_metadata().is_ok() {
        return Err(DoctorError::Occupied { dir: dir.to_owned() });
    }
    if dir.file_name().is_none() {
        return Err(write(ErrorKind::InvalidInput.into()));
    }
    if !fs::metadata(parent(dir)).map_err(write)?.is_dir() {
        return Err(write(ErrorKind::NotADirectory.into()));
    }
    let mut taken = BTreeSet::new();
    let mut name = |path: &Path| {
        let wrong = |reason| DoctorError::Input { path: path.to_owned(), reason };
        let is_packed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz") || e.eq_ignore_ascii_case("zst"));
        let name = if is_packed { path.file_stem() } else { path.file_name() };
        let named = name.and_then(|name| name.to_str());
        let Some(name) = named.filter(|_| path.to_str().is_some_and(|path| !path.contains(['\t', '\n']))) else {
            return Err(wrong("its name has a tab or a line end, or is not text; give it another name"));
        };
        // What cannot be found is told by whoever reads it.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(wrong("it is no regular file, and cleaning reads it twice"));
        }
        if name == CHANGES {
            return Err(wrong("the list of changes will have its name in the folder; give it another name"));
        }
        if !taken.insert(name.to_owned()) {
            return Err(wrong("two files would have its name in the folder; give it another name"));
        }
        Ok(name.to_owned())
    };
    corpora.iter().map(|corpus| corpus.files.paths().into_iter().map(&mut name).collect()).collect()
}

/// The folder that `dir` stands in.
fn parent(dir: &Path) -> &Path {
    dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new folder, under a temporary name until everything in it is right; without that it goes away again.
pub(super) struct OutFolder {
    dir: PathBuf,
    names: Vec<Vec<String>>,
    temporary: TempDir,
}

impl OutFolder {
    pub(super) fn create(corpora: &[CorpusFiles], dir: &Path) -> Result<Self, DoctorError> {
        let names = names(corpora, dir)?;
        let temporary = tempfile::Builder::new().prefix(".lookback-fix-").tempdir_in(parent(dir));
        let temporary = temporary.map_err(|source| DoctorError::Write { path: dir.to_owned(), source })?;
        // Without a dot behind it, to which nothing can be renamed.
        let dir = dir.with_file_name(dir.file_name().unwrap_or_default());
        Ok(Self { dir, names, temporary })
    }

    /// The names of a corpus' files.
    pub(super) fn names(&self, corpus: usize) -> &[String] {
        &self.names[corpus]
    }

    /// A new file.
    pub(super) fn file(&self, name: &str) -> Result<Out, DoctorError> {
        let (path, temporary) = (self.dir.join(name), self.temporary.path().join(name));
        let file = File::create_new(&temporary).map_err(|source| DoctorError::Write { path: path.clone(), source })?;
        Ok(Out { path, temporary, file: BufWriter::new(file), lines: 0 })
    }

    /// Gives the folder its name.
    pub(super) fn rename(self) -> Result<(), DoctorError> {
        let Self { dir, temporary, .. } = self;
        // Not every system can sync a folder.
        let sync = |dir: &Path| drop(File::open(dir).and_then(|dir| dir.sync_all()));
        sync(temporary.path());
        match fs::rename(temporary.path(), &dir) {
            Ok(()) => {
                // What the temporary name stood for is to stay.
                let _ = temporary.keep();
                sync(parent(&dir));
                Ok(())
            }
            Err(error) if is_occupied(&error) => Err(DoctorError::Occupied { dir }),
            Err(source) => Err(DoctorError::Write { path: dir, source }),
        }
    }
}

fn is_occupied(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory)
}

/// A file being written in the temporary folder.
pub(super) struct Out {
    /// Where it will be.
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    pub(super) lines: u64,
}

/// One that is written.
pub(super) struct Closed {
    /// Where it will be.
    pub(super) path: PathBuf,
    /// Where it is.
    pub(super) temporary: PathBuf,
    pub(super) lines: u64,
}

impl Out {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), DoctorError> {
        self.file.write_all(bytes).map_err(|source| DoctorError::Write { path: self.path.clone(), source })
    }

    pub(super) fn close(self) -> Result<Closed, DoctorError> {
        let Self { path, temporary, file, lines } = self;
        let synced = file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|source| DoctorError::Write { path: path.clone(), source })?;
        Ok(Closed { path, temporary, lines })
    }
}
