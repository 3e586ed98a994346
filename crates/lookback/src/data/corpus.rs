//! Sentence pairs from files.
use std::path::{Path, PathBuf};

use super::lines::{FileReport, Lines, for_each_line};
use super::{DataError, Pair, PairRef, PairWriter, Pairs, Side};

/// Pairs in the order of their lines.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// The pairs.
    pub pairs: Pairs,
    /// What was read.
    pub report: ReadReport,
}

/// What was read, file by file: one for tab-separated pairs, source and target for parallel files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// The files.
    pub files: Vec<FileReport>,
}

impl Corpus {
    /// A corpus that was made rather than read, kept in memory; lines count from 1.
    #[must_use]
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs = (1..).zip(pairs).map(|(line, (src, tgt))| Pair { src, tgt, line, corpus: 0 }).collect();
        Self { pairs, report: ReadReport::default() }
    }

    /// Several corpora after one another, each pair with the number of its own.
    ///
    /// # Panics
    /// If there are 2³² corpora or more.
    #[must_use]
    pub fn concat(corpora: impl IntoIterator<Item = Self>) -> Self {
        let mut files = Vec::new();
        let pairs = corpora.into_iter().map(|corpus| {
            files.extend(corpus.report.files);
            corpus.pairs
        });
        Self { pairs: Pairs::concat(pairs), report: ReadReport { files } }
    }

    /// How many corpora the pairs are from.
    #[must_use]
    pub fn corpora(&self) -> usize {
        self.pairs.corpora()
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

/// Where the pairs of a corpus stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairFiles {
    /// In two columns of a file.
    Table(PathBuf, Option<Columns>),
    /// In two files: line n of one translates line n of the other.
    Parallel(PathBuf, PathBuf),
}

impl PairFiles {
    /// The files, in the order of the sides.
    #[must_use]
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Self::Table(path, _) => vec![path],
            Self::Parallel(src, tgt) => vec![src, tgt],
        }
    }
}

/// Reads corpora from files, one after another.
///
/// However many there are, together they take no more memory than one.
#[derive(Debug, Default)]
pub struct CorpusReader {
    writer: PairWriter,
    report: ReadReport,
    corpora: u32,
}

impl CorpusReader {
    /// Reads the next corpus.
    ///
    /// # Errors
    /// As [`read_tsv`](Self::read_tsv) and [`read_parallel`](Self::read_parallel).
    pub fn read(&mut self, files: &PairFiles) -> Result<(), DataError> {
        match files {
            PairFiles::Table(path, columns) => self.read_tsv(path, *columns),
            PairFiles::Parallel(src, tgt) => self.read_parallel(src, tgt),
        }
    }

    /// Reads the next corpus from `source TAB target` lines, plain, `.gz` or `.zst`. There is no quoting: a quotation mark is a quotation mark.
    ///
    /// Without `columns` a line must have exactly two; with it, at least as many as it names.
    ///
    /// # Errors
    /// Every [`DataError`] of a line names `file:line`: too few or too many columns, an empty side, NUL, text that is not UTF-8.
    pub fn read_tsv(&mut self, path: &Path, columns: Option<Columns>) -> Result<(), DataError> {
        let file = for_each_line(path, |line, text| {
            self.writer.push(PairRef { corpus: self.corpora, ..pair_of(path, line, text, columns)? })
        })?;
        self.report.files.push(file);
        self.corpora += 1;
        Ok(())
    }

    /// Reads the next corpus from two files of which line n of one translates line n of the other.
    ///
    /// # Errors
    /// As [`read_tsv`](Self::read_tsv), and if the files do not have equally many lines. What is wrong with the source is told first.
    pub fn read_parallel(&mut self, src: &Path, tgt: &Path) -> Result<(), DataError> {
        let mut src_lines = Lines::open(src)?;
        let mut tgt_lines = match Lines::open(tgt) {
            Ok(lines) => lines,
            Err(error) => return src_lines.into_report().and(Err(error)),
        };
        // A line that is missing says more than one that is empty, so all of them are counted before that is told.
        let mut empty = Ok(());
        while let Some((line, src_text)) = src_lines.next_line()? {
            let tgt_text = match tgt_lines.next_line() {
                Ok(Some((_, text))) => text,
                Ok(None) => break,
                Err(error) => return src_lines.into_report().and(Err(error)),
            };
            if empty.is_ok() {
                let src_side = not_blank(src, line, Side::Src, src_text);
                empty = src_side.and_then(|()| not_blank(tgt, line, Side::Tgt, tgt_text));
                self.writer.push(PairRef { src: src_text, tgt: tgt_text, line, corpus: self.corpora })?;
            }
        }
        let (src_file, tgt_file) = (src_lines.into_report()?, tgt_lines.into_report()?);
        if src_file.lines != tgt_file.lines {
            return Err(DataError::LineCounts {
                src: src.to_owned(),
                src_lines: src_file.lines,
                tgt: tgt.to_owned(),
                tgt_lines: tgt_file.lines,
            });
        }
        empty?;
        self.report.files.extend([src_file, tgt_file]);
        self.corpora += 1;
        Ok(())
    }

    /// The files that were read so far.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The corpora, one after another.
    ///
    /// # Errors
    /// If there are more than fit into memory and a temporary file cannot be written.
    pub fn finish(self) -> Result<Corpus, DataError> {
        Ok(Corpus { pairs: self.writer.finish()?, report: self.report })
    }
}

/// Reads one corpus as [`CorpusReader::read_tsv`].
///
/// # Errors
/// As there.
pub fn read_tsv(path: &Path, columns: Option<Columns>) -> Result<Corpus, DataError> {
    let mut reader = CorpusReader::default();
    reader.read_tsv(path, columns)?;
    reader.finish()
}

/// Reads one corpus as [`CorpusReader::read_parallel`].
///
/// # Errors
/// As there.
pub fn read_parallel(src: &Path, tgt: &Path) -> Result<Corpus, DataError> {
    let mut reader = CorpusReader::default();
    reader.read_parallel(src, tgt)?;
    reader.finish()
}

/// The pair of a line of `source TAB target`, of corpus 0; the rules are those of [`read_tsv`].
///
/// # Errors
/// As there, by `path:line`.
pub fn pair_of<'a>(path: &Path, line: u64, text: &'a str, columns: Option<Columns>) -> Result<PairRef<'a>, DataError> {
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
    not_blank(path, line, Side::Src, cells[src])?;
    not_blank(path, line, Side::Tgt, cells[tgt])?;
    Ok(PairRef { src: cells[src], tgt: cells[tgt], line, corpus: 0 })
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

/// That a side of a pair is not empty and not white space alone.
///
/// # Errors
/// [`DataError::EmptySide`], by `path:line`.
pub fn not_blank(path: &Path, line: u64, side: Side, text: &str) -> Result<(), DataError> {
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
            Ok(corpus) => {
                Ok(corpus.pairs.iter().map(Result::unwrap).map(|pair| (pair.src, pair.tgt, pair.line)).collect())
            }
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
        let pair = |src: &str, tgt: &str, line| Pair { src: src.into(), tgt: tgt.into(), line, corpus: 0 };
        assert_eq!(corpus.pairs.to_vec().unwrap(), [pair("ein\tTab", "one", 1), pair("zwei", "two", 2)]);
        assert_eq!((corpus.report.files.len(), corpus.report.carriage_returns()), (2, 2));
        assert!(corpus.report.files[1].path.ends_with("p.en"));
    }

    #[test]
    fn several_corpora_keep_their_lines_and_numbers() {
        let of = |pairs: &[(&str, &str)]| Corpus::from_pairs(pairs.iter().map(|(s, t)| (s.to_string(), t.to_string())));
        let whole = Corpus::concat([of(&[("a", "x"), ("b", "y")]), of(&[("c", "z")])]);
        let places = |corpus: &Corpus| -> Vec<_> {
            corpus.pairs.iter().map(Result::unwrap).map(|pair| (pair.src, pair.corpus, pair.line)).collect()
        };
        assert_eq!(places(&whole), [("a".into(), 0, 1), ("b".into(), 0, 2), ("c".into(), 1, 1)]);
        assert_eq!((whole.corpora(), of(&[]).corpora()), (2, 0));
        let (_dir, paths) = folder(&[("p", "a\tx\nb\ty\n"), ("s", "c\n"), ("t", "z\n")]);
        let mut reader = CorpusReader::default();
        reader.read_tsv(&paths[0], None).unwrap();
        assert_eq!(reader.report().files.len(), 1);
        reader.read_parallel(&paths[1], &paths[2]).unwrap();
        let read = reader.finish().unwrap();
        assert_eq!((places(&read), read.report.files.len()), (places(&whole), 3));
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
    fn of_two_files_the_worst_is_told_the_source_first() {
        assert_eq!(parallel("a\n\nc\n", "a\nb\n").unwrap_err().split(':').next(), Some("p.de"));
        assert!(parallel("\na\n", "b\n").unwrap_err().starts_with("p.de:2 and p.en:1: the files end"));
        assert!(parallel("a\nb\nc\0\n", "\0\n").unwrap_err().starts_with("p.de:3: a NUL"));
        assert!(parallel("a\nb\nc\n", "x\n\0\n").unwrap_err().starts_with("p.en:2: a NUL"));
        assert!(parallel("a\n", "x\ny\n\0\n").unwrap_err().starts_with("p.en:3: a NUL"));
        assert_eq!(parallel("\0", "").unwrap_err(), "p.de:1: a NUL character; this is not a text file, or UTF-16");
        assert_eq!(parallel("a", "").unwrap_err(), "p.en: the file is empty");
    }

    #[test]
    fn lines_may_be_empty_where_no_pair_is_asked_for() {
        let (_dir, paths) = folder(&[("x", "a\n\nb\n")]);
        assert_eq!(read_lines(&paths[0]).unwrap().0, ["a", "", "b"]);
    }
}
