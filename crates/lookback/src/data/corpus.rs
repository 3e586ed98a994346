//! Sentence pairs from files.
use std::path::Path;

use super::lines::{FileReport, for_each_line};
use super::{DataError, Side};

/// A sentence and its translation, as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The source sentence.
    pub src: String,
    /// The target sentence.
    pub tgt: String,
    /// The line it came from, from 1.
    pub line: u64,
}

/// Pairs in the order of their lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// What was read.
    pub report: ReadReport,
}

/// What was read, file by file: one for tab-separated pairs, source and target for parallel files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReport {
    /// The files.
    pub files: Vec<FileReport>,
}

impl ReadReport {
    /// Lines that ended in `\r\n`, over all files.
    pub fn carriage_returns(&self) -> u64 {
        self.files.iter().map(|file| file.carriage_returns).sum()
    }
}

/// Which columns of a tab-separated file hold the pair; the first one is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// The source's.
    pub src: usize,
    /// The target's.
    pub tgt: usize,
}

/// Reads `source TAB target` lines, plain, `.gz` or `.zst`. There is no quoting: a quotation mark is a quotation mark.
///
/// Without `columns` a line must have exactly two; with it, at least as many as it names.
///
/// # Errors
/// Every [`DataError`] of a line names `file:line`: too few or too many columns, an empty side, NUL, text that is not UTF-8.
pub fn read_tsv(path: &Path, columns: Option<Columns>) -> Result<Corpus, DataError> {
    let Columns { src, tgt } = columns.unwrap_or(Columns { src: 0, tgt: 1 });
    let needed = src.max(tgt) + 1;
    let mut pairs = Vec::new();
    let file = for_each_line(path, |line, text| {
        let cells: Vec<&str> = text.split('\t').collect();
        let found = if text.is_empty() { 0 } else { cells.len() };
        if found < needed {
            return Err(DataError::TooFewColumns { path: path.to_owned(), line, found, needed });
        }
        if columns.is_none() && found > needed {
            return Err(DataError::TooManyColumns { path: path.to_owned(), line, found });
        }
        not_empty(path, line, Side::Src, cells[src])?;
        not_empty(path, line, Side::Tgt, cells[tgt])?;
        pairs.push(Pair { src: cells[src].to_owned(), tgt: cells[tgt].to_owned(), line });
        Ok(())
    })?;
    Ok(Corpus { pairs, report: ReadReport { files: vec![file] } })
}

/// Reads two files of which line n of one translates line n of the other.
///
/// # Errors
/// As [`read_tsv`], and if the files do not have equally many lines.
pub fn read_parallel(src: &Path, tgt: &Path) -> Result<Corpus, DataError> {
    let (src_lines, src_file) = read_lines(src)?;
    let (tgt_lines, tgt_file) = read_lines(tgt)?;
    if src_file.lines != tgt_file.lines {
        return Err(DataError::LineCounts {
            src: src.to_owned(),
            src_lines: src_file.lines,
            tgt: tgt.to_owned(),
            tgt_lines: tgt_file.lines,
        });
    }
    let mut pairs = Vec::with_capacity(src_lines.len());
    for ((line, src_text), tgt_text) in (1..).zip(src_lines).zip(tgt_lines) {
        not_empty(src, line, Side::Src, &src_text)?;
        not_empty(tgt, line, Side::Tgt, &tgt_text)?;
        pairs.push(Pair { src: src_text, tgt: tgt_text, line });
    }
    Ok(Corpus { pairs, report: ReadReport { files: vec![src_file, tgt_file] } })
}

/// Reads the lines of one file, plain, `.gz` or `.zst`. Empty lines are kept.
///
/// # Errors
/// As [`read_tsv`], columns and empty sides aside.
pub fn read_lines(path: &Path) -> Result<(Vec<String>, FileReport), DataError> {
    let mut lines = Vec::new();
    let report = for_each_line(path, |_, text| {
        lines.push(text.to_owned());
        Ok(())
    })?;
    Ok((lines, report))
}

fn not_empty(path: &Path, line: u64, side: Side, text: &str) -> Result<(), DataError> {
    if text.trim().is_empty() {
        return Err(DataError::EmptySide { path: path.to_owned(), line, side });
    }
    Ok(())
}
