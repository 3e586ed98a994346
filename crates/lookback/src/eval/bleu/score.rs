//! A BLEU score with everything it was computed from.

use lookback_kernels::Pool;

use super::BleuMetric;
use crate::eval::metric::signature;
use crate::eval::{EvalError, Metric, Statistics, check_counts};

/// A corpus BLEU score with everything it was computed from.
///
/// `Display` prints the field's usual line.
///
/// # Examples
/// ```
/// use lookback::eval::Bleu;
///
/// let bleu = Bleu::corpus(&["The cat sat on the mat ."], &["The cat sat on a mat."])?;
/// assert_eq!(bleu.to_string(), "BLEU = 48.89 85.7/66.7/40.0/25.0 (BP = 1.000 ratio = 1.000 hyp_len = 7 ref_len = 7)");
/// # Ok::<(), lookback::eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bleu {
    /// BLEU, 0 to 100.
    pub score: f64,
    /// Smoothed precision of each order, 0 to 100; all 0 if nothing matched at all.
    pub precisions: Vec<f64>,
    /// Clipped matches of each order, before smoothing.
    pub counts: Vec<usize>,
    /// N-grams of each order in the hypotheses, before smoothing.
    pub totals: Vec<usize>,
    /// Brevity penalty, 0 to 1.
    pub brevity_penalty: f64,
    /// `hyp_len / ref_len`, 0 if the references are empty.
    pub ratio: f64,
    /// Tokens in the hypotheses.
    pub hyp_len: usize,
    /// Tokens in the references.
    pub ref_len: usize,
    /// References per sentence, `None` if it varies.
    pub references: Option<usize>,
    /// The settings it was computed with.
    pub metric: BleuMetric,
}

impl Bleu {
    /// Scores one hypothesis against one reference per sentence with sacreBLEU's defaults. Lines are raw text, not tokenised.
    ///
    /// # Errors
    /// If the counts differ or there is no sentence.
    pub fn corpus(hyps: &[impl AsRef<str> + Sync], refs: &[impl AsRef<str> + Sync]) -> Result<Self, EvalError> {
        check_counts(hyps.len(), refs.len())?;
        let refs: Vec<[&str; 1]> = refs.iter().map(|reference| [reference.as_ref()]).collect();
        BleuMetric::default().corpus(hyps, &refs, &Pool::new(1))
    }

    /// [`Bleu::corpus`] with one or more references for each sentence.
    ///
    /// # Errors
    /// If the counts differ, there is no sentence, or a sentence has no reference.
    pub fn corpus_multi<R: AsRef<str> + Sync>(
        hyps: &[impl AsRef<str> + Sync],
        refs: &[Vec<R>],
    ) -> Result<Self, EvalError> {
        BleuMetric::default().corpus(hyps, refs, &Pool::new(1))
    }

    /// What the score was computed with, in sacreBLEU's notation but under our own name and version.
    #[must_use]
    pub fn signature(&self) -> String {
        signature(self.references, None, &self.metric.settings())
    }

    /// The part of the printed line behind the score: precisions, brevity penalty, lengths.
    #[must_use]
    pub fn verbose_score(&self) -> String {
        let precisions: Vec<String> = self.precisions.iter().map(|p| format!("{p:.1}")).collect();
        format!(
            "{} (BP = {:.3} ratio = {:.3} hyp_len = {} ref_len = {})",
            precisions.join("/"),
            self.brevity_penalty,
            self.ratio,
            self.hyp_len,
            self.ref_len
        )
    }
}

impl std::fmt::Display for Bleu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BLEU = {:.2} {}", self.score, self.verbose_score())
    }
}

impl BleuMetric {
    /// Scores a corpus, on all threads of `pool`. Each sentence has one or more references. Lines are raw text.
    ///
    /// # Errors
    /// If the counts differ, there is no sentence, or a sentence has no reference.
    pub fn corpus<R: AsRef<str>>(
        &self,
        hyps: &[impl AsRef<str> + Sync],
        refs: &[impl AsRef<[R]> + Sync],
        pool: &Pool,
    ) -> Result<Bleu, EvalError> {
        let statistics = Statistics::collect(self, hyps, refs, pool)?;
        Ok(self.bleu(&statistics.sums(), statistics.references()))
    }

    /// The score of summed statistics.
    #[must_use]
    #[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the sums are counts of tokens")]
    pub fn bleu(&self, sums: &[f64], references: Option<usize>) -> Bleu {
        let counts: Vec<usize> = sums.iter().map(|&count| count as usize).collect();
        let (matches, totals) = counts[2..].split_at(self.max_order.get());
        let parts = self.parts(sums);
        Bleu {
            score: parts.score,
            precisions: parts.precisions,
            counts: matches.to_vec(),
            totals: totals.to_vec(),
            brevity_penalty: parts.brevity_penalty,
            ratio: if counts[1] > 0 { sums[0] / sums[1] } else { 0.0 },
            hyp_len: counts[0],
            ref_len: counts[1],
            references,
            metric: *self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reference_given_either_way_scores_the_same() {
        let (hyps, refs) = (["a b c d e", "f g"], ["a b c d x", "f h"]);
        let multi = Bleu::corpus_multi(&hyps, &refs.map(|r| vec![r])).unwrap();
        assert_eq!(Bleu::corpus(&hyps, &refs).unwrap(), multi);
    }

    #[test]
    fn what_cannot_be_paired_is_refused() {
        let none: [&str; 0] = [];
        assert_eq!(Bleu::corpus(&none, &none), Err(EvalError::Empty));
        assert_eq!(Bleu::corpus(&["a"], &["a", "b"]), Err(EvalError::UnequalCounts { hyps: 1, refs: 2 }));
        let message = Bleu::corpus_multi(&["a", "b"], &[vec!["a"], vec![]]).unwrap_err().to_string();
        assert!(message.starts_with("sentence 2 has no reference"), "{message}");
    }
}
