//! Pairs, read as the arguments say, and told about.

use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use lookback::data::{
    Columns, Corpus, CorpusReader, DataError, FileReport, HoldOutReport, Lines, Pair, PairFiles, PairStream,
    ReadReport, read_lines,
};
use lookback::study::shell_word;

use crate::args::PairArgs;
use crate::display::{Screen, counted};
use crate::exit::Usage;

/// Whether `-` stands for standard input.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Refuses to read standard input for several files.
pub(crate) fn read_once<'a>(files: impl Iterator<Item = &'a Path>) -> Result<(), Usage> {
    if files.filter(|path| is_stream(path)).count() > 1 {
        return Err(Usage("`-` is standard input, which is read once; give it for one file only".into()));
    }
    Ok(())
}

/// The lines of a file, or of standard input; at least one.
pub(crate) fn lines(path: &Path) -> Result<Vec<String>, DataError> {
    if !is_stream(path) {
        return Ok(read_lines(path)?.0);
    }
    let mut lines = Lines::of_stream(path.to_owned(), BufReader::new(io::stdin()))?;
    let mut all = Vec::new();
    while let Some((_, text)) = lines.next_line()? {
        all.push(text.to_owned());
    }
    if all.is_empty() { Err(DataError::Empty { path: path.to_owned() }) } else { Ok(all) }
}

/// Reads corpora, one after another, and tells what was read.
pub(crate) fn read_aloud<'a>(
    files: impl IntoIterator<Item = &'a PairFiles>,
    screen: &mut Screen,
) -> Result<Corpus, DataError> {
    let mut reader = CorpusReader::default();
    for files in files {
        let before = reader.report().files.len();
        reader.read(files)?;
        for file in &reader.report().files[before..] {
            screen.line(&told(file));
        }
    }
    reader.finish()
}

/// What to learn from.
#[derive(Debug)]
pub(crate) enum Sources {
    /// Files, read to their ends.
    Files(Vec<PairFiles>),
    /// Standard input, read as it comes.
    Stream(Option<Columns>),
}

impl PairArgs {
    /// Refuses columns where no file has any; `tables` are the other files of pairs.
    pub(crate) fn check_columns<'a>(&'a self, tables: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Usage> {
        if self.columns.is_some() && self.pairs.iter().chain(tables).next().is_none() {
            return Err(Usage("--columns is for files of pairs; files of one side have no columns".into()));
        }
        Ok(())
    }

    /// Where the pairs are; the parser has seen to it that one of the forms was given.
    pub(crate) fn sources(&self) -> Result<Sources, Usage> {
        if self.src.iter().chain(&self.tgt).any(|path| is_stream(path)) {
            let message = "a stream on standard input has both sides, `source TAB target`, and is given as `-` alone; \
                           --src and --tgt are files";
            return Err(Usage(message.into()));
        }
        if self.pairs.iter().any(|path| is_stream(path)) {
            return match self.pairs.len() {
                1 => Ok(Sources::Stream(self.columns)),
                _ => Err(Usage("`-` is the only corpus, or none: a stream is read once, files are read again".into())),
            };
        }
        Ok(Sources::Files(self.files()?))
    }

    /// The corpora, all of them files.
    pub(crate) fn files(&self) -> Result<Vec<PairFiles>, Usage> {
        if self.src.len() != self.tgt.len() {
            let (src, tgt) = (self.src.len(), self.tgt.len());
            return Err(Usage(format!("--src was given {src} times and --tgt {tgt} times; each corpus has both")));
        }
        let tables = self.pairs.iter().map(|path| PairFiles::Table(path.clone(), self.columns));
        let parallel = self.src.iter().zip(&self.tgt).map(|(src, tgt)| PairFiles::Parallel(src.clone(), tgt.clone()));
        Ok(tables.chain(parallel).collect())
    }
}

impl Sources {
    /// How many corpora there are.
    pub(crate) fn corpora(&self) -> usize {
        match self {
            Self::Files(files) => files.len(),
            Self::Stream(_) => 1,
        }
    }

    /// Reads files to their ends, and of a stream the first `buffer` pairs; tells what was read. The rest of the stream comes with them.
    pub(crate) fn read_aloud(
        &self,
        buffer: usize,
        screen: &mut Screen,
    ) -> Result<(Corpus, Option<PairStream>), DataError> {
        match self {
            Self::Files(files) => Ok((read_aloud(files, screen)?, None)),
            Self::Stream(columns) => {
                let mut stream = PairStream::new("-".into(), BufReader::new(io::stdin()), *columns)?;
                let first = stream.next_buffer(buffer)?;
                screen.line(&told(stream.report()));
                let report = ReadReport { files: vec![stream.report().clone()] };
                Ok((Corpus { pairs: first.pairs, report }, Some(stream)))
            }
        }
    }
}

fn told(file: &FileReport) -> String {
    let lines = usize::try_from(file.lines).unwrap_or(usize::MAX);
    let mut text = format!("read {}: {}", file.path.display(), counted(lines, "line"));
    if file.carriage_returns > 0 {
        let returns = usize::try_from(file.carriage_returns).unwrap_or(usize::MAX);
        text += &format!(", {} stripped", counted(returns, "carriage return"));
    }
    if file.byte_order_mark {
        text += ", a byte order mark stripped";
    }
    text
}

/// Tells of a hold-out.
pub(crate) fn tell_hold_out(screen: &mut Screen, report: &HoldOutReport) {
    let mut text = format!("held out {} for validation", counted(report.held_out, "pair"));
    if report.held_out < report.asked {
        text += &format!(" ({} were asked for, but sentences are shared too widely)", report.asked);
    }
    for (count, what) in [
        (report.duplicates, "equal to one of them removed"),
        (report.dropped, "that share a sentence with one dropped"),
    ] {
        if count > 0 {
            text += &format!("; {} {what}", counted(count, "pair"));
        }
    }
    screen.line(&text);
}

/// The sources of pairs.
pub(crate) fn sources(pairs: &[Pair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.src.as_str()).collect()
}

/// The targets of pairs.
pub(crate) fn targets(pairs: &[Pair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.tgt.as_str()).collect()
}

/// A path as it can be typed into a shell.
pub(crate) fn shell(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_typed() {
        let typed = ["my-model/test.tsv", "my model", "it's"].map(|path| shell(Path::new(path)));
        assert_eq!(typed, ["my-model/test.tsv", "'my model'", "'it'\\''s'"]);
    }

    #[test]
    fn what_was_stripped_is_told() {
        let report = FileReport { path: "p.tsv".into(), lines: 1234, carriage_returns: 1, byte_order_mark: true };
        assert_eq!(told(&report), "read p.tsv: 1,234 lines, 1 carriage return stripped, a byte order mark stripped");
    }
}
