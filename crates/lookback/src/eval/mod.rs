//! Metrics: what a translation is worth.
//!
//! A corpus metric implements [`Metric`]; [`Statistics`] holds what it counted on each sentence, from which scores of the corpus, of parts of
//! it and of resampled corpora follow.

mod aer;
mod attention;
mod bleu;
mod by_length;
mod chrf;
mod compare;
mod confusions;
mod edits;
mod exact;
mod float;
mod links;
mod metric;
mod ngrams;
mod numpy_random;
mod ranks;
mod rates;
mod statistics;
mod ter;
mod text;
mod tokenize;
mod tokens;

pub use aer::{AlignmentErrorRate, LinkError};
pub use attention::AttentionHealth;
pub use bleu::{Bleu, BleuMetric, BleuSmoothing};
pub use by_length::{EdgesError, LengthBucket, PartScore, by_length, part_difference, part_score};
pub use chrf::ChrfMetric;
pub use compare::{Compared, Interval, PairedTest, Sampling, bootstrap_difference, bootstrap_interval, compare};
pub use confusions::{Confusion, Confusions, ErrorKind};
pub use edits::Edits;
pub use exact::{ExactMatch, ExactMetric};
pub use float::Float;
pub use links::{Alignments, Base, Gold, Link, LinkFile};
pub use lookback_kernels::Pool;
pub use metric::{Better, Metric};
pub use ranks::{NbestError, NbestFormat, ReciprocalRankMetric, parse_nbest};
pub use rates::{Rate, RateMetric};
pub use statistics::Statistics;
pub use ter::TerMetric;
pub use tokenize::{Tokenizer, tokenize_13a};
pub use tokens::Unit;

/// Why lines could not be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Hypotheses and references do not pair up.
    #[error("{hyps} hypotheses but {refs} references; both need one line per sentence, in the same order")]
    UnequalCounts {
        /// Number of hypotheses.
        hyps: usize,
        /// Number of lines of references.
        refs: usize,
    },
    /// There is nothing to score.
    #[error("no sentence to score; hypotheses and references are empty")]
    Empty,
    /// A sentence came with an empty list of references.
    #[error("sentence {line} has no reference; every sentence needs at least one")]
    NoReference {
        /// The sentence, counted from 1.
        line: usize,
    },
    /// No tokeniser has this name.
    #[error("there is no tokenizer `{name}`; it can be {}", names())]
    UnknownTokenizer {
        /// The name given.
        name: String,
    },
    /// sacreBLEU has the tokeniser, we do not.
    #[error("the tokenizer `{name}` is not available: {reason}")]
    UnsupportedTokenizer {
        /// Its name.
        name: String,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// No smoothing has this name.
    #[error("there is no smoothing `{name}`; it can be `exp`, `floor`, `add-k` or `none`")]
    UnknownSmoothing {
        /// The name given.
        name: String,
    },
    /// A value for a smoothing that has none.
    #[error("smoothing `{name}` takes no value; only `floor` and `add-k` do")]
    SmoothingWithoutValue {
        /// Its name.
        name: String,
    },
    /// A comparison needs two.
    #[error("nothing to compare; give a baseline and at least one other system")]
    NothingToCompare,
    /// Systems that did not translate the same sentences.
    #[error("the baseline has {baseline} sentences, another system {other}; a paired test needs the same ones")]
    UnequalSystems {
        /// Sentences of the baseline.
        baseline: usize,
        /// Sentences of the other one.
        other: usize,
    },
    /// Resampling without samples.
    #[error("no sample to draw; ask for at least 1")]
    NoSample,
    /// More sentences than the random numbers reach.
    #[error("{sentences} sentences are too many to resample; 4294967295 are possible")]
    TooManySentences {
        /// How many there are.
        sentences: usize,
    },
    /// A value that no count can take.
    #[error("a smoothing value of {value} is not possible; it is a number of matches, 0 or more")]
    SmoothingValue {
        /// The value as written.
        value: String,
    },
}

/// The names of all tokenisers, for people.
fn names() -> String {
    Tokenizer::ALL.map(|tokenizer| format!("`{}`", tokenizer.name())).join(", ")
}

/// Checks that both sides have the same number of lines, at least one.
fn check_counts(hyps: usize, refs: usize) -> Result<(), EvalError> {
    match (hyps, refs) {
        (0, 0) => Err(EvalError::Empty),
        _ if hyps != refs => Err(EvalError::UnequalCounts { hyps, refs }),
        _ => Ok(()),
    }
}
