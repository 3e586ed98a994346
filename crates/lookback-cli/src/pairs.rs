//! Pairs as they arrive, from one file, two, or standard input.

use std::path::{Path, PathBuf};

use lookback::TranslateError;
use lookback::data::{self, Columns, DataError, not_blank, pair_of};

use crate::input::{Fault, Rounds};

/// Where pairs come from: two files, one, or standard input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Lines of `source TAB target`.
    pub(crate) pairs: Option<&'a Path>,
    /// A file of sources and one of targets.
    pub(crate) sides: Option<(&'a Path, &'a Path)>,
}

/// Pairs as they arrive, in rounds.
pub(crate) struct Pairs {
    source: Source,
    /// Pairs of a round, at most.
    most: usize,
    /// Pairs given so far, each of them a line.
    seen: u64,
    /// Whether a blank line of one of two files is an error.
    refuses_blank: bool,
    failed: Option<DataError>,
}

enum Source {
    Table { rounds: Rounds, path: PathBuf, columns: Option<Columns> },
    Files { src: Side, tgt: Side },
}

/// One of two files, a line at a time.
pub(crate) struct Side {
    path: PathBuf,
    lines: Rounds,
    ready: std::vec::IntoIter<String>,
    read: u64,
}

impl Pairs {
    /// The pairs of `place`, at most `most` a round. A side of a table is never blank; a line of one of two files may be, and keeps its place.
    pub(crate) fn open(place: Place<'_>, columns: Option<Columns>, most: usize) -> Result<Self, DataError> {
        let source = if let Some((src, tgt)) = place.sides {
            Source::Files { src: Side::open(src, most)?, tgt: Side::open(tgt, most)? }
        } else {
            let file = place.pairs.filter(|path| path.as_os_str() != "-");
            let path = file.map_or_else(|| "standard input".into(), Path::to_owned);
            Source::Table { rounds: Rounds::open(place.pairs, most)?, path, columns }
        };
        Ok(Self { source, most, seen: 0, refuses_blank: false, failed: None })
    }

    /// Refuses blank lines of two files, too: nothing is learned from them.
    pub(crate) fn refusing_blank(self) -> Self {
        Self { refuses_blank: true, ..self }
    }

    /// A fault of the last round, `round` pairs, with the line where the text stands.
    pub(crate) fn fault(&self, fault: &Fault, round: usize) -> anyhow::Error {
        let path = match &self.source {
            Source::Table { path, .. } => path,
            Source::Files { tgt, .. } if fault.is_target => &tgt.path,
            Source::Files { src, .. } => &src.path,
        };
        fault.at(path.display(), self.before(round) + 1)
    }

    /// Another error of the last round, `round` pairs, counted through all of them.
    pub(crate) fn error(&self, error: TranslateError, round: usize) -> TranslateError {
        error.of_sentence(|pair| self.before(round) + pair)
    }

    /// How many pairs came before the last round, of `round` pairs.
    fn before(&self, round: usize) -> usize {
        usize::try_from(self.seen).unwrap_or(usize::MAX) - round
    }

    /// The next pairs, at least one; none at the end. What came before an error is still given.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<(String, String)>>, DataError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut round = Vec::new();
        if let Err(error) = self.fill(&mut round) {
            if round.is_empty() {
                return Err(error);
            }
            self.failed = Some(error);
        }
        self.seen += round.len() as u64;
        Ok((!round.is_empty()).then_some(round))
    }

    /// Adds the next pairs to `round`, up to the first error.
    fn fill(&mut self, round: &mut Vec<(String, String)>) -> Result<(), DataError> {
        let line = |round: &Vec<_>| self.seen + round.len() as u64 + 1;
        match &mut self.source {
            Source::Table { rounds, path, columns } => {
                for text in rounds.next()?.unwrap_or_default() {
                    let pair = pair_of(path, line(round), &text, *columns)?;
                    round.push((pair.src.to_owned(), pair.tgt.to_owned()));
                }
            }
            Source::Files { src, tgt } => {
                while round.len() < self.most {
                    let (source, target) = match (src.next()?, tgt.next()?) {
                        (Some(source), Some(target)) => (source, target),
                        (None, None) => break,
                        _ => return Err(uneven(src, tgt)),
                    };
                    if self.refuses_blank {
                        not_blank(&src.path, line(round), data::Side::Src, &source)?;
                        not_blank(&tgt.path, line(round), data::Side::Tgt, &target)?;
                    }
                    round.push((source, target));
                }
            }
        }
        Ok(())
    }
}

impl Side {
    fn open(path: &Path, most: usize) -> Result<Self, DataError> {
        let lines = Rounds::open(Some(path), most)?;
        Ok(Self { path: path.to_owned(), lines, ready: Vec::new().into_iter(), read: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, DataError> {
        if self.ready.len() == 0 {
            self.ready = self.lines.next()?.unwrap_or_default().into_iter();
        }
        let line = self.ready.next();
        self.read += u64::from(line.is_some());
        Ok(line)
    }
}

/// The error of two files of which one has ended; reads the other to its end.
fn uneven(src: &mut Side, tgt: &mut Side) -> DataError {
    for side in [&mut *src, &mut *tgt] {
        loop {
            match side.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => return error,
            }
        }
    }
    DataError::LineCounts { src: src.path.clone(), src_lines: src.read, tgt: tgt.path.clone(), tgt_lines: tgt.read }
}
