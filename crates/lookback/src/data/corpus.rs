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
    /// Which of several corpora it came from, from 0.
    pub corpus: u32,
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

impl Corpus {
    /// A corpus that was made rather than read; lines count from 1.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs = (1u64..).zip(pairs).map(|(line, (src, tgt))| Pair { src, tgt, line, corpus: 0 }).collect();
        Self { pairs, report: ReadReport { files: Vec::new() } }
    }

    /// Several corpora after one another, each pair with the number of its own.
    ///
    /// # Panics
    /// If there are 2³² corpora or more.
    #[must_use]
    pub fn concat(corpora: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self { pairs: Vec::new(), report: ReadReport { files: Vec::new() } };
        for (number, corpus) in corpora.into_iter().enumerate() {
            let number = u32::try_from(number).expect("there are fewer than 2^32 corpora");
            whole.pairs.extend(corpus.pairs.into_iter().map(|pair| Pair { corpus: number, ..pair }));
            whole.report.files.extend(corpus.report.files);
        }
        whole
    }

    /// How many corpora the pairs are from.
    #[must_use]
    pub fn corpora(&self) -> usize {
        self.pairs.iter().map(|pair| pair.corpus as usize + 1).max().unwrap_or(0)
    }
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
    let mut pairs = Vec::new();
    let file = for_each_line(path, |line, text| {
        pairs.push(pair_of(path, line, text, columns)?);
        Ok(())
    })?;
    Ok(Corpus { pairs, report: ReadReport { files: vec![file] } })
}

/// The pair of a line of `source TAB target`; the rules are those of [`read_tsv`].
pub(super) fn pair_of(path: &Path, line: u64, text: &str, columns: Option<Columns>) -> Result<Pair, DataError> {
    let Columns { src, tgt } = columns.unwrap_or(Columns { src: 0, tgt: 1 });
    let needed = src.max(tgt) + 1;
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
    Ok(Pair { src: cells[src].to_owned(), tgt: cells[tgt].to_owned(), line, corpus: 0 })
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
        pairs.push(Pair { src: src_text, tgt: tgt_text, line, corpus: 0 });
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> (TempDir, Vec<PathBuf>) {
        let dir = TempDir::new().unwrap();
        let paths = files.iter().map(|(name, content)| {
            let path = dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        });
        let paths = paths.collect();
        (dir, paths)
    }

    /// Reads tab-separated `content`; an error without the folder in front.
    fn tsv(content: &str, columns: Option<Columns>) -> Result<Vec<(String, String, u64)>, String> {
        let (dir, paths) = folder(&[("p.tsv", content)]);
        match read_tsv(&paths[0], columns) {
            Ok(corpus) => Ok(corpus.pairs.into_iter().map(|pair| (pair.src, pair.tgt, pair.line)).collect()),
            Err(error) => Err(error.to_string().replace(&format!("{}/", dir.path().display()), "")),
        }
    }

    fn parallel(src: &str, tgt: &str) -> Result<Corpus, String> {
        let (dir, paths) = folder(&[("p.de", src), ("p.en", tgt)]);
        read_parallel(&paths[0], &paths[1])
            .map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn cells_are_taken_as_they_stand() {
        assert_eq!(
            tsv("\"ein\tone \"\"x\r\n zwei\ttwo", None).unwrap(),
            [("\"ein".into(), "one \"\"x".into(), 1), (" zwei".into(), "two".into(), 2)]
        );
    }

    #[test]
    fn columns_are_selected_from_any_number() {
        let columns = Some(Columns { src: 3, tgt: 1 });
        let pairs = tsv("1\tone\t2\tein\n\ttwo\t\tzwei\t\textra\n", columns).unwrap();
        assert_eq!(pairs, [("ein".into(), "one".into(), 1), ("zwei".into(), "two".into(), 2)]);
        assert_eq!(
            tsv("1\tone\t2\tein\n1\tone\t2\n", columns).unwrap_err(),
            "p.tsv:2: 3 column(s), at least 4 separated by tabs are needed"
        );
    }

    #[test]
    fn wrong_column_counts_are_named_by_line() {
        assert_eq!(
            tsv("a\tb\nab\n", None).unwrap_err(),
            "p.tsv:2: 1 column(s), at least 2 separated by tabs are needed"
        );
        assert_eq!(tsv("a\tb\n\n", None).unwrap_err(), "p.tsv:2: 0 column(s), at least 2 separated by tabs are needed");
        assert_eq!(
            tsv("a\tb\na\tb\tc\n", None).unwrap_err(),
            "p.tsv:2: 3 columns; say which two are source and target with --columns, counted from 1, as in `--columns 1,2`"
        );
    }

    #[test]
    fn an_empty_side_is_named_by_line() {
        assert_eq!(tsv("a\tb\n\tb\n", None).unwrap_err(), "p.tsv:2: the source is empty; remove the pair");
        assert_eq!(tsv("a\t \u{3000}\r\n", None).unwrap_err(), "p.tsv:1: the target is empty; remove the pair");
        assert_eq!(parallel("a\n\n", "b\nb\n").unwrap_err(), "p.de:2: the source is empty; remove the pair");
        assert_eq!(parallel("a\nb\n", "b\n \n").unwrap_err(), "p.en:2: the target is empty; remove the pair");
    }

    #[test]
    fn parallel_files_are_paired_by_line() {
        let corpus = parallel("ein\tTab\r\nzwei\r\n", "one\ntwo").unwrap();
        assert_eq!(corpus.pairs[0], Pair { src: "ein\tTab".into(), tgt: "one".into(), line: 1, corpus: 0 });
        assert_eq!(corpus.pairs[1], Pair { src: "zwei".into(), tgt: "two".into(), line: 2, corpus: 0 });
        assert_eq!((corpus.report.files.len(), corpus.report.carriage_returns()), (2, 2));
        assert!(corpus.report.files[1].path.ends_with("p.en"));
    }

    #[test]
    fn several_corpora_keep_their_lines_and_numbers() {
        let of = |pairs: &[(&str, &str)]| Corpus::from_pairs(pairs.iter().map(|(s, t)| (s.to_string(), t.to_string())));
        let whole = Corpus::concat([of(&[("a", "x"), ("b", "y")]), of(&[("c", "z")])]);
        let places: Vec<_> = whole.pairs.iter().map(|pair| (pair.src.as_str(), pair.corpus, pair.line)).collect();
        assert_eq!(places, [("a", 0, 1), ("b", 0, 2), ("c", 1, 1)]);
        assert_eq!((whole.corpora(), of(&[]).corpora()), (2, 0));
    }

    #[test]
    fn unequal_line_counts_name_both_files() {
        let said = parallel("a\nb\nc\n", "a\nb\n").unwrap_err();
        assert_eq!(
            said,
            "p.de:3 and p.en:2: the files end after 3 and 2 lines; line n of one must translate line n of the other"
        );
    }

    #[test]
    fn lines_may_be_empty_where_no_pair_is_asked_for() {
        let (_dir, paths) = folder(&[("x", "a\n\nb\n")]);
        assert_eq!(read_lines(&paths[0]).unwrap().0, ["a", "", "b"]);
    }
}
