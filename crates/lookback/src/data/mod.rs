//! From files of pairs to batches of ids.
//!
//! ```text
//! files ─CorpusReader→ Corpus ─hold_out→ train, valid ─encode_corpus→ Examples ─Epochs, Batcher→ Batch
//! stream ─PairStream→ buffers, each as a corpus
//! ```
//! **Files.** A line ends at `\n` and nowhere else; U+2028, U+0085, `\x0b` and their like are ordinary characters. One `\r`
//! before the `\n` (or at the end of the file) is stripped and counted. A byte order mark at the start of the file is
//! stripped and reported. The last line may lack its `\n`. There is no quoting. UTF-16, and a file of lines that end at `\r`
//! alone, are errors that say how to convert it.
//!
//! **Compression.** gzip (any number of members) and Zstandard (any number of frames) are recognised by their first bytes,
//! with which no text begins. The suffix `.gz` or `.zst` must be there exactly if the content is; anything else is an
//! error that names the file. Input is unpacked as it is read. A line longer than a million bytes is an error.
//!
//! **Any size.** Pairs, and the examples made of them, are in memory while they are few (16 MiB of text, 16 MiB of ids). Beyond
//! that they are in temporary files without a name; pairs are read in order, examples by batch, and what stays in memory of an
//! example is four bytes of lengths and, in an epoch, four bytes of its place.
//!
//! Batches need no files and exist in every build; reading does (feature `files`).
pub mod dates;
#[cfg(feature = "files")]
pub mod doctor;

mod batch;
mod batcher;
#[cfg(feature = "files")]
mod corpus;
#[cfg(feature = "files")]
mod digest;
#[cfg(feature = "train")]
mod epochs;
#[cfg(feature = "files")]
mod error;
mod example;
#[cfg(feature = "files")]
mod examples;
#[cfg(feature = "files")]
mod hold_out;
mod lengths;
#[cfg(feature = "files")]
mod lines;
#[cfg(feature = "files")]
mod packed;
#[cfg(feature = "files")]
mod pairs;
#[cfg(feature = "files")]
mod relations;
#[cfg(feature = "files")]
mod sentence;
mod shuffle;
#[cfg(feature = "files")]
mod sort;
#[cfg(feature = "files")]
mod spool;
#[cfg(feature = "files")]
mod stream;
#[cfg(feature = "files")]
mod vectors;

pub use batch::{Batch, BatchShape};
pub use batcher::{BatchOptions, Batcher, Fill, Plan};
#[cfg(feature = "files")]
pub use corpus::{
    Columns, Corpus, CorpusReader, PairFiles, ReadReport, not_blank, pair_of, read_lines, read_parallel, read_tsv,
};
#[cfg(feature = "files")]
pub use digest::file_sha256;
#[cfg(feature = "files")]
pub(crate) use digest::hex;
#[cfg(feature = "train")]
pub use epochs::{Epoch, EpochOptions, Epochs, MergeDropout};
#[cfg(feature = "files")]
pub use error::{DataError, Side};
#[cfg(feature = "files")]
pub use example::encode_corpus;
#[cfg(feature = "train")]
pub(crate) use example::encode_pairs;
pub use example::{Example, FilterReport, Limits, Reason, Skipped};
#[cfg(feature = "files")]
pub(crate) use examples::ExampleWriter;
#[cfg(feature = "files")]
pub use examples::Examples;
#[cfg(feature = "files")]
pub use hold_out::{HoldOutReport, hold_out, keep_out};
#[cfg(feature = "files")]
pub use lines::{FileReport, Lines, MAX_LINE};
#[cfg(feature = "files")]
pub use pairs::{Pair, PairReader, PairRef, PairWriter, Pairs};
pub use shuffle::Draws;
#[cfg(feature = "train")]
pub(crate) use stream::fingerprint;
#[cfg(feature = "files")]
pub use stream::{Buffer, PairStream, StreamPosition};
#[cfg(feature = "files")]
pub use vectors::{VectorReport, WordVectors};
