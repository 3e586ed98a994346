//! Exact match: the share of hypotheses that equal their reference.

use super::{EvalError, check_counts};

/// How many hypotheses equal their reference, character for character.
///
/// Nothing is trimmed, folded or normalised first: the caller decides what equality means.
///
/// # Examples
/// ```
/// use lookback::eval::ExactMatch;
///
/// let exact = ExactMatch::corpus(&["2024-02-29", "2024-03-01"], &["2024-02-29", "2024-03-02"])?;
/// assert_eq!(exact.to_string(), "exact match = 50.0 % (1 of 2)");
/// # Ok::<(), lookback::eval::EvalError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactMatch {
    /// Hypotheses equal to their reference.
    pub matched: usize,
    /// All sentences, at least 1.
    pub total: usize,
}

impl ExactMatch {
    /// Compares line by line.
    ///
    /// # Errors
    /// If the counts differ or there is no sentence.
    pub fn corpus(hyps: &[impl AsRef<str>], refs: &[impl AsRef<str>]) -> Result<Self, EvalError> {
        check_counts(hyps.len(), refs.len())?;
        let matched = hyps.iter().zip(refs).filter(|(hyp, reference)| hyp.as_ref() == reference.as_ref()).count();
        Ok(Self { matched, total: hyps.len() })
    }

    /// The share of exact matches, 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of sentences are far below 2^53")]
    pub fn share(&self) -> f64 {
        self.matched as f64 / self.total as f64
    }
}

impl std::fmt::Display for ExactMatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exact match = {:.1} % ({} of {})", 100.0 * self.share(), self.matched, self.total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_or_a_capital_is_a_difference() {
        let exact = ExactMatch::corpus(&["a", "a ", "A", ""], &["a", "a", "a", ""]).unwrap();
        assert_eq!((exact.matched, exact.total), (2, 4));
        assert!((exact.share() - 0.5).abs() < 1e-12);
    }

    #[test]
    fn unequal_counts_and_empty_input_are_refused() {
        let none: [&str; 0] = [];
        assert_eq!(ExactMatch::corpus(&none, &none), Err(EvalError::Empty));
        let message = ExactMatch::corpus(&["a"], &none).unwrap_err().to_string();
        assert!(message.starts_with("1 hypotheses but 0 references"), "{message}");
    }
}
