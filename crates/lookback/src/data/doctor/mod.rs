//! Examining a corpus before anything is learned from it, and cleaning it.
//!
//! [`examine`] reads files to their end, whatever is wrong with them, and tells everything that [training](crate::train) would refuse, or
//! that would hurt what is learned or how it is measured. [`fix`] writes what is left of the corpus after the remedies, and a file with
//! every line that was removed or changed; the two together are the input again, which is checked. [`glance`] is the quick part of it for
//! pairs that were read.
//!
//! ```text
//! files ─Rows→ rows ─judge→ pairs ─marks, Shape, Drift, Repeats→ Report
//! ```
//! Memory is bounded: hashes of sentences are [sorted on disk](self) where they are more than fit. The result depends on nothing but the
//! input: not on the memory given, nor on threads, of which there is one.
mod apart;
mod characters;
mod check;
mod drift;
mod examine;
mod fix;
mod glance;
mod hole;
mod out;
mod raw;
mod repeats;
mod report;
mod restore;
mod row;
mod scripts;
mod shape;
mod signs;
mod suspects;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Serialize;

use super::{DataError, PairFiles};

pub use check::{Check, Checks, Remedy, Severity};
pub use examine::{Examination, examine};
pub use fix::{Fixed, FixedFile, fix};
pub use glance::glance;
pub use out::check_output;
pub use report::{ExaminedFile, Finding, Place, Report};

/// What a corpus is for. Sentences of an earlier part should not be in a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To be measured on.
    Test,
    /// To choose the best model by.
    Valid,
    /// To learn from.
    Train,
}

/// The files of a corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorpusFiles {
    /// What it is for.
    pub part: Part,
    /// The files.
    pub files: PairFiles,
}

/// The most memory for sorting, in bytes; the rest of an examination takes little.
pub const MEMORY: usize = 256 << 20;

/// How a corpus is examined.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many examples of a kind are told.
    pub examples: usize,
    /// Where hashes are sorted that do not fit into memory, about 130 bytes a pair; where the system keeps temporary files if not given.
    pub temporary: Option<PathBuf>,
    /// The most memory for sorting, in bytes.
    pub memory: usize,
    /// Pairs with these are removed by [`fix`] from what is trained on. Near duplicates go with duplicates only: of equal pairs that are nearly
    /// as another one the first would go alone.
    pub removes: Checks,
    /// These are cleaned away by [`fix`] from what is trained on.
    pub changes: Checks,
}

impl Options {
    /// Pairs with these are removed by [`fix`] from this part. What is measured on stays as it is, or scores would be of another set; of what
    /// is validated on only what is tested on goes. What training refuses goes everywhere.
    fn removes_from(&self, part: Part) -> Checks {
        match part {
            Part::Train => self.removes,
            Part::Valid => self.removes.and(Check::LEAKS.into_iter().collect()),
            Part::Test => Checks::default(),
        }
    }

    /// These are cleaned away by [`fix`] from this part.
    fn changes_in(&self, part: Part) -> Checks {
        if part == Part::Train { self.changes } else { Checks::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            examples: 3,
            temporary: None,
            memory: MEMORY,
            removes: Checks::with_remedy(Remedy::Remove),
            changes: Checks::with_remedy(Remedy::Change),
        }
    }
}

/// Why a corpus cannot be examined or cleaned. What is wrong with the corpus itself is no error but a finding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoctorError {
    /// The temporary folder cannot be used.
    #[error("cannot sort in the temporary folder: {source}; name another one that has room, with --temp")]
    Temporary {
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that was read before cannot be read again.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file is not what it was when it was examined.
    #[error("`{}` changed while it was read; nothing was written", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// No line of the corpus can be trusted.
    #[error("`{}` cannot be cleaned: {reason}", path.display())]
    Beyond {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Every line of a file would go.
    #[error("nothing would be left of `{}`, so nothing was written; mend what was found in its lines, or --keep what may stay", path.display())]
    NothingLeft {
        /// The file.
        path: PathBuf,
    },
    /// The output folder holds something already.
    #[error("`{}` is there already; give the cleaned corpus a new folder", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// A file cannot be cleaned whatever stands in it, for its name or its kind.
    #[error("`{}` cannot be cleaned: {reason}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// What was written does not make up the input.
    #[error("what was written for `{}` does not make up the file again; nothing was kept", path.display())]
    NotRestored {
        /// The file.
        path: PathBuf,
    },
}
