//! Exact match: the share of hypotheses that equal their reference.

use super::{Better, EvalError, Metric, check_counts};

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

/// [`ExactMatch`] as a metric, in percent: a line matches if it equals one of its references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactMetric;

impl Metric for ExactMetric {
    fn name(&self) -> String {
        "exact match".to_owned()
    }

    fn settings(&self) -> String {
        "case:mixed".to_owned()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        vec![f64::from(refs.contains(&hyp)), 1.0]
    }

    fn score(&self, sums: &[f64]) -> f64 {
        if sums[1] > 0.0 { 100.0 * sums[0] / sums[1] } else { 0.0 }
    }

    fn details(&self, sums: &[f64]) -> Option<String> {
        Some(format!("({} of {})", sums[0], sums[1]))
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
    fn one_of_several_references_is_enough() {
        let sums: Vec<f64> = (["b", "c"].map(|hyp| ExactMetric.statistics(hyp, &["a", "b"])).iter())
            .fold(vec![0.0; 2], |sums, row| sums.iter().zip(row).map(|(a, b)| a + b).collect());
        assert!((ExactMetric.score(&sums) - 50.0).abs() < 1e-12);
        assert_eq!(ExactMetric.details(&sums).as_deref(), Some("(1 of 2)"));
    }

    #[test]
    fn unequal_counts_and_empty_input_are_refused() {
        let none: [&str; 0] = [];
        assert_eq!(ExactMatch::corpus(&none, &none), Err(EvalError::Empty));
        let message = ExactMatch::corpus(&["a"], &none).unwrap_err().to_string();
        assert!(message.starts_with("1 hypotheses but 0 references"), "{message}");
    }
}
