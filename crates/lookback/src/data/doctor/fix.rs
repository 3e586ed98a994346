//! Cleaning: what is left of a corpus, and every line that was removed or changed, with its reason.
//!
//! The output is a folder with a file for each input file, unpacked, and `changes.tsv`: file, line, `removed` or `changed`, the reasons, and
//! the line as it was, byte for byte. A record `end` says that the line before it ended the file without a `\n`. Everything is written under
//! temporary names, put together again, compared with the input, and only then given its name.
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::{Check, Checks};
use super::examine::{Examination, is_copied};
use super::raw::BOM;
use super::report::shown;
use super::restore::restores;
use super::row::{RowId, Rows, Sides};
use super::shape::Ratios;
use super::{CorpusFiles, DoctorError, Options};
use crate::data::sort::{Record, Sorted};

/// The file of removed and changed lines.
pub(super) const CHANGES: &str = "changes.tsv";
/// Its first line.
pub(super) const HEADER: &str = "file\tline\twhat\twhy\toriginal\n";
/// What a record says of its line.
pub(super) const REMOVED: &str = "removed";
pub(super) const CHANGED: &str = "changed";
pub(super) const END: &str = "end";
/// What a file is called until it is known to be right.
const TEMPORARY: &str = "tmp";

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fixed {
    /// The cleaned files.
    pub files: Vec<FixedFile>,
    /// The file of everything that was removed or changed.
    pub changes: PathBuf,
    /// How many rows were removed.
    pub removed: u64,
    /// How many rows were changed.
    pub changed: u64,
}

/// A cleaned file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FixedFile {
    /// Where it was written.
    pub path: PathBuf,
    /// Its lines.
    pub lines: u64,
}

/// Writes the cleaned corpora and what was removed or changed into the new folder `dir`. The two together are the input, checked.
///
/// # Errors
/// If a corpus is beyond cleaning (line counts that differ, a file that cannot be read), changed since it was examined, or has files of
/// equal names; if the folder is there already or something cannot be written.
pub fn fix(
    corpora: &[CorpusFiles],
    examination: Examination,
    options: &Options,
    dir: &Path,
) -> Result<Fixed, DoctorError> {
    let Examination { usual, verdicts, hashes, beyond, .. } = examination;
    if let Some((path, reason)) = beyond.into_iter().next() {
        return Err(DoctorError::Beyond { path, reason });
    }
    let names = names(corpora)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(DoctorError::Occupied { dir: dir.to_owned() });
        }
        made => made.map_err(|source| DoctorError::Write { path: dir.to_owned(), source })?,
    }
    let temporary = |source| DoctorError::Temporary { source };
    let mut verdicts = verdicts.finish().map_err(temporary)?;
    let next = verdicts.next().map_err(temporary)?;
    let mut out = Out::create(dir.join(CHANGES))?;
    out.write(HEADER.as_bytes())?;
    let policy = Policy { options, usual, ratios: Ratios::default() };
    let mut fixing = Fixing { policy, verdicts, next, changes: out, removed: 0, changed: 0 };
    let mut outs = Vec::new();
    for (number, corpus) in corpora.iter().enumerate() {
        let files = names[number].iter().map(|name| Out::create(dir.join(name))).collect::<Result<_, _>>()?;
        outs.push(fixing.corpus(number, corpus, files, hashes[number].as_deref().unwrap_or_default())?);
    }
    let Fixing { changes, removed, changed, .. } = fixing;
    let changes = changes.close()?;
    for ((corpus, outs), hashes) in corpora.iter().zip(&outs).zip(&hashes) {
        for ((path, out), hash) in corpus.files.paths().into_iter().zip(outs).zip(hashes.iter().flatten()) {
            if !restores(&shown(path), &out.temporary, &changes.temporary, hash)? {
                return Err(DoctorError::NotRestored { path: path.to_owned() });
            }
        }
    }
    let files = outs.into_iter().flatten().map(Closed::rename).collect::<Result<_, _>>()?;
    Ok(Fixed { files, changes: changes.rename()?.path, removed, changed })
}

/// What the files are called in the folder: their own names, without the suffix of a packed one.
fn names(corpora: &[CorpusFiles]) -> Result<Vec<Vec<String>>, DoctorError> {
    let mut taken = BTreeSet::from([CHANGES.to_owned()]);
    let mut name = |path: &Path| {
        let wrong = |reason| DoctorError::Name { path: path.to_owned(), reason };
        let is_packed = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz") || e.eq_ignore_ascii_case("zst"));
        let name = if is_packed { path.file_stem() } else { path.file_name() };
        let name = name.and_then(|name| name.to_str()).ok_or_else(|| wrong("its name is not text"))?;
        if path.to_str().is_none_or(|path| path.contains(['\t', '\n'])) {
            return Err(wrong("its name has a tab or a line end, or is not text"));
        }
        if !taken.insert(name.to_owned()) {
            return Err(wrong("two files would have its name in the folder"));
        }
        Ok(name.to_owned())
    };
    corpora.iter().map(|corpus| corpus.files.paths().into_iter().map(&mut name).collect()).collect()
}

/// A file being written under a temporary name.
struct Out {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

/// One that is written.
struct Closed {
    path: PathBuf,
    temporary: PathBuf,
    lines: u64,
}

impl Out {
    fn create(path: PathBuf) -> Result<Self, DoctorError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(TEMPORARY);
        let temporary = path.with_file_name(name);
        let file = File::create_new(&temporary).map_err(|source| DoctorError::Write { path: path.clone(), source })?;
        Ok(Self { path, temporary, file: BufWriter::new(file), lines: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DoctorError> {
        self.file.write_all(bytes).map_err(|source| DoctorError::Write { path: self.path.clone(), source })
    }

    fn close(self) -> Result<Closed, DoctorError> {
        let Self { path, temporary, file, lines } = self;
        let synced = file.into_inner().map_err(std::io::IntoInnerError::into_error).and_then(|file| file.sync_all());
        synced.map_err(|source| DoctorError::Write { path: path.clone(), source })?;
        Ok(Closed { path, temporary, lines })
    }
}

impl Closed {
    fn rename(self) -> Result<FixedFile, DoctorError> {
        let Self { path, temporary, lines } = self;
        fs::rename(temporary, &path).map_err(|source| DoctorError::Write { path: path.clone(), source })?;
        Ok(FixedFile { path, lines })
    }
}

/// Decides what is removed.
struct Policy<'a> {
    options: &'a Options,
    usual: super::shape::Usual,
    ratios: Ratios,
}

impl Policy<'_> {
    /// Why the row at hand goes, beside what stands elsewhere.
    fn reasons(&self, rows: &Rows) -> Checks {
        match rows.judge() {
            Ok(None) => Checks::default(),
            Err(flaws) => flaws.into_iter().map(|flaw| flaw.check).collect(),
            Ok(Some(sides)) => {
                let Sides { src, tgt, marks } = Sides::of(sides, self.options.changes);
                let mut found = marks[0].or(marks[1]);
                if is_copied(&src, &tgt) {
                    found.insert(Check::Copied);
                }
                self.usual.checks_of(&src, &tgt, &self.ratios).for_each(|check| found.insert(check));
                let mut found = found.and(self.options.removes);
                if src.trim().is_empty() || tgt.trim().is_empty() {
                    found.insert(if src.trim().is_empty() && tgt.trim().is_empty() {
                        Check::Blank
                    } else {
                        Check::OneSided
                    });
                }
                found
            }
        }
    }
}

struct Fixing<'a> {
    policy: Policy<'a>,
    verdicts: Sorted,
    next: Option<Record>,
    changes: Out,
    removed: u64,
    changed: u64,
}

impl Fixing<'_> {
    fn corpus(
        &mut self,
        number: usize,
        corpus: &CorpusFiles,
        mut outs: Vec<Out>,
        hashes: &[[u8; 32]],
    ) -> Result<Vec<Closed>, DoctorError> {
        let mut rows = Rows::open(&corpus.files)?;
        let names: Vec<String> = corpus.files.paths().into_iter().map(shown).collect();
        while rows.advance()? {
            let reasons = self.policy.reasons(&rows).or(self.verdicts_of(RowId::new(number, rows.number()))?);
            if reasons.is_empty() {
                self.keep(&rows, &names, &mut outs)?;
            } else {
                self.remove(&mut rows, &names, reasons)?;
            }
        }
        for (file, hash) in rows.files().iter().zip(hashes) {
            if file.sha256() != *hash {
                return Err(DoctorError::Changed { path: file.path().to_owned() });
            }
        }
        outs.into_iter().map(Out::close).collect()
    }

    /// What was found elsewhere about a row.
    fn verdicts_of(&mut self, row: RowId) -> Result<Checks, DoctorError> {
        let mut found = Checks::default();
        while let Some([of, check, ..]) = self.next.filter(|next| next[0] <= row.number()) {
            if of == row.number() {
                Check::ALL.into_iter().filter(|c| *c as u64 == check).for_each(|check| found.insert(check));
            }
            self.next = self.verdicts.next().map_err(|source| DoctorError::Temporary { source })?;
        }
        Ok(found)
    }

    fn keep(&mut self, rows: &Rows, names: &[String], outs: &mut [Out]) -> Result<(), DoctorError> {
        let changes = self.policy.options.changes;
        let mut is_changed = false;
        for (file, out) in outs.iter_mut().enumerate() {
            let lines = &rows.files()[file];
            let Ok((text, mut done)) = rows.cleaned(file, changes) else {
                unreachable!("a row that is kept is text");
            };
            match (lines.has_byte_order_mark(), changes.contains(Check::ByteOrderMark)) {
                (true, true) => done.insert(Check::ByteOrderMark),
                (true, false) => out.write(BOM)?,
                (false, _) => {}
            }
            if !done.is_empty() {
                self.begin(&names[file], rows.number(), CHANGED, done)?;
                self.changes.write(lines.line())?;
                self.end(lines.is_ended(), &names[file], rows.number())?;
                is_changed = true;
            }
            out.write(text.as_bytes())?;
            out.write(if lines.has_carriage_return() { b"\r" } else { b"" })?;
            out.write(if lines.is_ended() { b"\n" } else { b"" })?;
            out.lines += 1;
        }
        self.changed += u64::from(is_changed);
        Ok(())
    }

    fn remove(&mut self, rows: &mut Rows, names: &[String], reasons: Checks) -> Result<(), DoctorError> {
        for file in rows.present().collect::<Vec<_>>() {
            self.begin(&names[file], rows.number(), REMOVED, reasons)?;
            self.changes.write(rows.files()[file].line())?;
            rows.drain(file, |rest| self.changes.write(rest))?;
            self.end(rows.files()[file].is_ended(), &names[file], rows.number())?;
        }
        self.removed += 1;
        Ok(())
    }

    /// Everything of a record that stands before the line.
    fn begin(&mut self, name: &str, line: u64, what: &str, why: Checks) -> Result<(), DoctorError> {
        let reasons: Vec<&str> = why.iter().map(Check::name).collect();
        self.changes.write(format!("{name}\t{line}\t{what}\t{}\t", reasons.join(",")).as_bytes())
    }

    /// What stands after the line.
    fn end(&mut self, is_ended: bool, name: &str, line: u64) -> Result<(), DoctorError> {
        let end = if is_ended { String::new() } else { format!("{name}\t{line}\t{END}\t\t\n") };
        self.changes.write(format!("\n{end}").as_bytes())
    }
}
