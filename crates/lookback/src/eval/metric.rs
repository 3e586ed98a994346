//! What every corpus metric here is: numbers counted per sentence, summed, and turned into a score.
//!
//! ```text
//! score(corpus) = f( Σ_i s_i )        s_i: statistics of sentence i
//! ```
//! From this form follow resampling, significance and scores of parts of a corpus: they sum other sets of sentences and count nothing
//! again.

use super::Float;

/// Which of two scores is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// BLEU, chrF: 100 is perfect.
    Higher,
    /// TER and other error rates: 0 is perfect.
    Lower,
}

/// A corpus metric with its settings.
///
/// # Examples
/// ```
/// use lookback::eval::{BleuMetric, Metric};
///
/// let bleu = BleuMetric { effective_order: true, ..BleuMetric::default() };
/// assert!((bleu.sentence_score("A hat .", &["A hat."]) - 100.0).abs() < 1e-9);
/// assert!(bleu.signature(Some(1)).starts_with("nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:lookback-"));
/// ```
pub trait Metric: Sync {
    /// The name that scores are printed under, as sacreBLEU writes it: `BLEU`, `chrF2++`, `TER`.
    fn name(&self) -> String;

    /// The part of the signature between references and version, such as `case:mixed|eff:no|tok:13a|smooth:exp`.
    fn settings(&self) -> String;

    /// Whether high or low is good.
    fn better(&self) -> Better;

    /// What is counted on one sentence: always the same number of values, whose sums over a corpus [`Metric::score`] understands.
    /// Lines are raw text. `refs` holds at least one reference.
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64>;

    /// The score of summed [`Metric::statistics`].
    fn score(&self, sums: &[f64]) -> f64;

    /// The score of sums held in single precision, which is what sacreBLEU resamples with.
    ///
    /// Metrics that sacreBLEU has compute it in NumPy's types, so that p-values agree; the others keep this.
    fn resampled(&self, sums: &[f32]) -> Float {
        let sums: Vec<f64> = sums.iter().map(|&sum| f64::from(sum)).collect();
        Float::Double(self.score(&sums))
    }

    /// What is printed behind the score, if anything: precisions and lengths of BLEU.
    fn details(&self, _sums: &[f64]) -> Option<String> {
        None
    }

    /// The score of one sentence alone. BLEU wants `effective_order` for this.
    fn sentence_score(&self, hyp: &str, refs: &[&str]) -> f64 {
        self.score(&self.statistics(hyp, refs))
    }

    /// What a score was computed with, in sacreBLEU's notation but under our own name and version. `references` is their number
    /// per sentence, `None` if it varies.
    fn signature(&self, references: Option<usize>) -> String {
        signature(references, None, &self.settings())
    }
}

/// Puts a signature together; `test` is the part that names a significance test, such as `bs:1000|seed:12345`.
pub(super) fn signature(references: Option<usize>, test: Option<&str>, settings: &str) -> String {
    let nrefs = references.map_or_else(|| "var".to_owned(), |n| n.to_string());
    let test = test.map_or_else(String::new, |test| format!("{test}|"));
    format!("nrefs:{nrefs}|{test}{settings}|version:lookback-{}", env!("CARGO_PKG_VERSION"))
}
