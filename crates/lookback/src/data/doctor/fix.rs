//! Cleaning: what is left of a corpus, and every line that was removed or changed, with its reason.
//!
//! The output is a folder with a file for each input file, unpacked, and `changes.tsv`: file, line, `removed` or `changed`, the reasons, and
//! the line as it was, byte for byte. A record `end` says that the line before it ended the file without a `\n`. Everything is written into
//! a temporary folder beside, put together again, compared with the input, and only then does the folder get its name.
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::{Check, Checks};
use super::examine::{Examination, is_copied};
use super::out::{CHANGES, Closed, Out, OutFolder};
use super::raw::BOM;
use super::report::shown;
use super::restore::restores;
use super::row::{RowId, Rows, Sides};
use super::shape::Ratios;
use super::{CorpusFiles, DoctorError, Options, Part};
use crate::data::sort::{Record, Sorted};

/// The first line of the file of removed and changed lines.
pub(super) const HEADER: &str = "file\tline\twhat\twhy\toriginal\n";
/// What a record says of its line.
pub(super) const REMOVED: &str = "removed";
pub(super) const CHANGED: &str = "changed";
pub(super) const END: &str = "end";

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

/// Writes the cleaned corpora and what was removed or changed into the new folder `dir`. The two together are the input, checked. Nothing is
/// there unless all of it is.
///
/// # Errors
/// Those of [`check_output`](super::check_output); if a corpus is beyond cleaning (line counts that differ, a file that cannot be read), or
/// changed since it was examined; if nothing would be left of a file, or something cannot be written.
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
    let folder = OutFolder::create(corpora, dir)?;
    let temporary = |source| DoctorError::Temporary { source };
    let mut verdicts = verdicts.finish().map_err(temporary)?;
    let next = verdicts.next().map_err(temporary)?;
    let mut changes = folder.file(CHANGES)?;
    changes.write(HEADER.as_bytes())?;
    let policy = Policy { options, usual, ratios: Ratios::default() };
    let mut fixing = Fixing { policy, verdicts, next, changes, removed: 0, changed: 0 };
    let mut outs = Vec::new();
    for (number, corpus) in corpora.iter().enumerate() {
        let files = folder.names(number).iter().map(|name| folder.file(name)).collect::<Result<_, _>>()?;
        outs.push(fixing.corpus(number, corpus, files, hashes[number].as_deref().unwrap_or_default())?);
    }
    let Fixing { changes, removed, changed, .. } = fixing;
    let changes = changes.close()?;
    for ((corpus, outs), hashes) in corpora.iter().zip(&outs).zip(&hashes) {
        for ((path, out), hash) in corpus.files.paths().into_iter().zip(outs).zip(hashes.iter().flatten()) {
            if out.lines == 0 {
                return Err(DoctorError::NothingLeft { path: path.to_owned() });
            }
            if !restores(&shown(path), &out.temporary, &changes.temporary, hash)? {
                return Err(DoctorError::NotRestored { path: path.to_owned() });
            }
        }
    }
    folder.rename()?;
    let file = |Closed { path, lines, .. }| FixedFile { path, lines };
    let files = outs.into_iter().flatten().map(file).collect();
    Ok(Fixed { files, changes: changes.path, removed, changed })
}

/// Decides what is removed.
struct Policy<'a> {
    options: &'a Options,
    usual: super::shape::Usual,
    ratios: Ratios,
}

impl Policy<'_> {
    /// Why the row at hand goes, beside what stands elsewhere.
    fn reasons(&self, rows: &Rows, part: Part) -> Checks {
        match rows.judge() {
            Ok(None) => Checks::default(),
            Err(flaws) => flaws.into_iter().map(|flaw| flaw.check).collect(),
            Ok(Some(sides)) => {
                let Sides { src, tgt, marks } = Sides::of(sides, self.options.changes_in(part));
                let mut found = marks[0].or(marks[1]);
                if is_copied(&src, &tgt) {
                    found.insert(Check::Copied);
                }
                self.usual.checks_of(&src, &tgt, &self.ratios).for_each(|check| found.insert(check));
                let mut found = found.and(self.options.removes_from(part));
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
            let reasons =
                self.policy.reasons(&rows, corpus.part).or(self.verdicts_of(RowId::new(number, rows.number()))?);
            if reasons.is_empty() {
                self.keep(&rows, &names, corpus.part, &mut outs)?;
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

    fn keep(&mut self, rows: &Rows, names: &[String], part: Part, outs: &mut [Out]) -> Result<(), DoctorError> {
        let changes = self.policy.options.changes_in(part);
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
