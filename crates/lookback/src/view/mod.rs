//! Attention, drawn and written: terminal, SVG, HTML; JSON Lines, `.npz`, Nematus' blocks, Marian's rows, Pharaoh's links; and scores, as a chart.
//!
//! Every view starts from an [`AttentionMap`], which holds the weights the decoder used: one row for each target piece,
//! one column for each source piece. Columns and rows keep the order of the text as it is read, in every script.

mod chart;
mod html;
mod jsonl;
mod label;
mod map;
#[cfg(feature = "files")]
mod npz;
mod pharaoh;
mod soft;
mod spaced;
mod svg;
mod terminal;
#[cfg(test)]
mod test_maps;

pub use crate::text::WordSpan;
pub use chart::{Chart, Joined, Panel, Point, ScaleKind, Series};
pub use html::Page;
#[cfg(feature = "train")]
pub(crate) use html::{BASE, facts, fill};
pub use jsonl::{read_jsonl, write_jsonl};
pub(crate) use label::escape;
pub use label::{fit, grouped, visible};
pub use map::{AttentionMap, Side};
#[cfg(feature = "files")]
pub use npz::NpzWriter;
pub use pharaoh::{Links, links_of, pharaoh_line, to_pharaoh};
pub use soft::{to_marian, write_marian, write_nematus};
#[cfg(feature = "train")]
pub(crate) use spaced::spaced;
pub use svg::{Style, to_svg};
pub use terminal::{Ink, to_terminal};

/// Why an attention map could not be built or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// A side has no piece at all; even an empty sentence has its end.
    #[error("sentence {id}: the {side} has no tokens; expected at least its end, `</s>`")]
    NoTokens {
        /// Number of the input line, from 0.
        id: usize,
        /// `source` or `target`.
        side: &'static str,
    },
    /// The weights are not T × S.
    #[error("sentence {id}: {found} weights for {rows} target × {columns} source tokens; expected their product")]
    Shape {
        /// Number of the input line, from 0.
        id: usize,
        /// How many weights there are.
        found: usize,
        /// Target pieces.
        rows: usize,
        /// Source pieces.
        columns: usize,
    },
    /// A weight is negative, infinite or not a number.
    #[error("sentence {id}: weight [{row}, {column}] is {weight}; expected a finite number, at least 0")]
    Weight {
        /// Number of the input line, from 0.
        id: usize,
        /// Target position.
        row: usize,
        /// Source position.
        column: usize,
        /// The weight found there.
        weight: f32,
    },
    /// A row is not a distribution.
    #[error(
        "sentence {id}: weights of row {row} sum to {sum}; expected 1, so include every real source position and no padding"
    )]
    RowSum {
        /// Number of the input line, from 0.
        id: usize,
        /// Target position.
        row: usize,
        /// What the row sums to.
        sum: f64,
    },
    /// The log-probability is positive, infinite or not a number.
    #[error("sentence {id}: log_prob is {log_prob}; expected finite nats, at most 0")]
    LogProb {
        /// Number of the input line, from 0.
        id: usize,
        /// The value found.
        log_prob: f64,
    },
    /// Word spans are empty, out of order, overlap, or reach past the tokens.
    #[error(
        "sentence {id}: {side} word {word} spans tokens {start}..{end} of {tokens}; words must be ascending, non-empty and inside"
    )]
    Span {
        /// Number of the input line, from 0.
        id: usize,
        /// `source` or `target`.
        side: &'static str,
        /// Position in the list of words.
        word: usize,
        /// First piece.
        start: usize,
        /// One past the last piece.
        end: usize,
        /// Pieces on that side.
        tokens: usize,
    },
    /// A line of JSON Lines could not be read.
    #[error("line {line}: cannot read an attention map")]
    Line {
        /// The line, counted from 1.
        line: usize,
        /// What went wrong there.
        source: LineError,
    },
}

/// What can be wrong with one line of JSON Lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The input could not be read.
    #[error("cannot read the input")]
    Read(#[from] std::io::Error),
    /// It is longer than any map that can be looked at.
    #[error("the line is longer than 64 MiB, and no map is; are the ends of lines missing?")]
    TooLong,
    /// It is not JSON, lacks a field, or is not a valid map.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}
