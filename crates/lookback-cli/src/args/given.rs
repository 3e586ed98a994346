//! The arguments of verbs that read pairs as they come.

use std::path::{Path, PathBuf};

use clap::Args;
use lookback::data::{Columns, DataError};

use super::columns;
use crate::pairs::{Pairs, Place};

/// Pairs that are read as they come, from one file, two, or standard input.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct GivenArgs {
    /// Lines of `source TAB target`; standard input if not given.
    #[arg(value_name = "PAIRS", conflicts_with = "src")]
    pub(crate) pairs: Option<PathBuf>,
    /// Sources, a line each.
    #[arg(long, value_name = "FILE", requires = "targets")]
    pub(crate) src: Option<PathBuf>,
    /// Targets: line n translates line n of the sources.
    #[arg(long, value_name = "FILE", requires = "src", group = "targets")]
    pub(crate) tgt: Option<PathBuf>,
    /// Columns of source and target in PAIRS, from 1.
    #[arg(long, value_name = "S,T", value_parser = columns, conflicts_with = "src")]
    pub(crate) columns: Option<Columns>,
}

impl GivenArgs {
    /// The files that are named.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> + Clone {
        [&self.pairs, &self.src, &self.tgt].into_iter().filter_map(|file| file.as_deref())
    }

    /// The pairs, at most `most` a round.
    pub(crate) fn open(&self, most: usize) -> Result<Pairs, DataError> {
        let sides = self.src.as_deref().zip(self.tgt.as_deref());
        Pairs::open(Place { pairs: self.pairs.as_deref(), sides }, self.columns, most)
    }
}
