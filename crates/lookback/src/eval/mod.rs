//! Metrics: what a translation is worth.

mod bleu;
mod exact;
mod tokenize_13a;

pub use bleu::Bleu;
pub use exact::ExactMatch;
pub use tokenize_13a::tokenize_13a;

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
}

/// Checks that both sides have the same number of lines, at least one.
fn check_counts(hyps: usize, refs: usize) -> Result<(), EvalError> {
    match (hyps, refs) {
        (0, 0) => Err(EvalError::Empty),
        _ if hyps != refs => Err(EvalError::UnequalCounts { hyps, refs }),
        _ => Ok(()),
    }
}
