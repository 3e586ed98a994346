//! From files of pairs to batches of ids.
//!
//! ```text
//! files ─read_tsv | read_parallel→ Corpus ─hold_out→ train, valid ─encode_corpus→ examples ─Batcher→ Batch
//! ```
//! Batches need no files and exist in every build; reading does (feature `files`).
mod batch;
mod batcher;
#[cfg(feature = "files")]
mod corpus;
mod example;
#[cfg(feature = "files")]
mod hold_out;
#[cfg(feature = "files")]
mod lines;
mod shuffle;

#[cfg(feature = "files")]
mod error;

pub use batch::Batch;
pub use batcher::{BatchOptions, Batcher, Fill};
#[cfg(feature = "files")]
pub use corpus::{Columns, Corpus, Pair, ReadReport, read_lines, read_parallel, read_tsv};
#[cfg(feature = "files")]
pub use error::{DataError, Side};
#[cfg(feature = "files")]
pub use example::encode_corpus;
pub use example::{Example, LengthReport, Limits};
#[cfg(feature = "files")]
pub use hold_out::{HoldOutReport, hold_out};
#[cfg(feature = "files")]
pub use lines::FileReport;
pub use shuffle::Draws;
