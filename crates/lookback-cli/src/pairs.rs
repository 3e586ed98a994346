//! Pairs as they arrive, from one file, two, or standard input.

use std::path::{Path, PathBuf};

use lookback::TranslateError;
use lookback::data::{Columns, DataError};

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
pub(crate) enum Pairs {
    Table { rounds: Rounds, path: PathBuf, columns: Option<Columns>, seen: usize },
    Files { src: Side, tgt: Side, most: usize },
}

/// One of two files, a line at a time.
pub(crate) struct Side {
    path: PathBuf,
    lines: Rounds,
    ready: std::vec::IntoIter<String>,
    seen: usize,
}

impl Pairs {
    /// The pairs of `place`, at most `most` a round.
    pub(crate) fn open(place: Place<'_>, columns: Option<Columns>, most: usize) -> Result<Self, DataError> {
        if let Some((src, tgt)) = place.sides {
            return Ok(Self::Files { src: Side::open(src, most)?, tgt: Side::open(tgt, most)?, most });
        }
        let path = place.pairs.map_or_else(|| "standard input".into(), Path::to_owned);
        Ok(Self::Table { rounds: Rounds::open(place.pairs, most)?, path, columns, seen: 0 })
    }

    /// A fault of the last round, `round` pairs, with the line where the text stands.
    pub(crate) fn fault(&self, fault: &Fault, round: usize) -> anyhow::Error {
        let (path, seen) = match self {
            Self::Table { path, seen, .. } => (path, *seen),
            Self::Files { src, tgt, .. } => {
                let side = if fault.is_target { tgt } else { src };
                (&side.path, side.seen)
            }
        };
        fault.at(path.display(), seen - round + 1)
    }

    /// Another error of the last round, `round` pairs, counted through all of them.
    pub(crate) fn error(&self, error: TranslateError, round: usize) -> TranslateError {
        let (Self::Table { seen, .. } | Self::Files { src: Side { seen, .. }, .. }) = self;
        error.of_sentence(|pair| seen - round + pair)
    }

    /// The next pairs, at least one; none at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<(String, String)>>, DataError> {
        match self {
            Self::Table { rounds, path, columns, seen } => {
                let Some(lines) = rounds.next()? else { return Ok(None) };
                let pair = |line: String| {
                    *seen += 1;
                    pair(path, *seen as u64, &line, *columns)
                };
                lines.into_iter().map(pair).collect::<Result<_, _>>().map(Some)
            }
            Self::Files { src, tgt, most } => {
                let mut round = Vec::new();
                while round.len() < *most {
                    match (src.next()?, tgt.next()?) {
                        (Some(source), Some(target)) => round.push((source, target)),
                        (None, None) => break,
                        _ => return Err(uneven(src, tgt)?),
                    }
                }
                Ok((!round.is_empty()).then_some(round))
            }
        }
    }
}

impl Side {
    fn open(path: &Path, most: usize) -> Result<Self, DataError> {
        let lines = Rounds::open(Some(path), most)?;
        Ok(Self { path: path.to_owned(), lines, ready: Vec::new().into_iter(), seen: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, DataError> {
        if self.ready.len() == 0 {
            self.ready = self.lines.next()?.unwrap_or_default().into_iter();
        }
        let line = self.ready.next();
        self.seen += usize::from(line.is_some());
        Ok(line)
    }
}

/// The error of two files of which one has ended; reads the other to its end.
fn uneven(src: &mut Side, tgt: &mut Side) -> Result<DataError, DataError> {
    for side in [&mut *src, &mut *tgt] {
        while side.next()?.is_some() {}
    }
    let (src, src_lines, tgt, tgt_lines) = (src.path.clone(), src.seen as u64, tgt.path.clone(), tgt.seen as u64);
    Ok(DataError::LineCounts { src, src_lines, tgt, tgt_lines })
}

/// The two columns of a line.
fn pair(path: &Path, line: u64, text: &str, columns: Option<Columns>) -> Result<(String, String), DataError> {
    let fields: Vec<&str> = text.split('\t').collect();
    let path = || path.to_owned();
    let found = fields.len();
    if columns.is_none() && found > 2 {
        return Err(DataError::TooManyColumns { path: path(), line, found });
    }
    let Columns { src, tgt } = columns.unwrap_or(Columns { src: 0, tgt: 1 });
    match (fields.get(src), fields.get(tgt)) {
        (Some(source), Some(target)) => Ok(((*source).to_owned(), (*target).to_owned())),
        _ => Err(DataError::TooFewColumns { path: path(), line, found, needed: src.max(tgt) + 1 }),
    }
}
