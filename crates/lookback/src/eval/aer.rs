//! Alignment error rate (Och & Ney 2003, §5).
//!
//! ```text
//! precision = |A ∩ P| / |A|        recall = |A ∩ S| / |S|        F = 2 · precision · recall / (precision + recall)
//! AER       = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|)
//! ```
//! A are the links of the hypothesis, S the sure and P ⊇ S the possible ones, all summed over the corpus. 0 is perfect.

use std::path::{Path, PathBuf};

use super::links::{Alignments, Gold, shared};

/// Why links could not be read or compared. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Not a link.
    #[error("{}:{line}: `{found}`; expected {expected}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// Position 0 where positions count from 1.
    #[error("{}:{line}: link {src}-{tgt} has position 0, but positions count from 1", path.display())]
    BelowBase {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The link's source position as written.
        src: usize,
        /// Its target position.
        tgt: usize,
    },
    /// A link reaches past the end of a sentence.
    #[error("{}:{line}: link {src}-{tgt} lies outside its sentences of {src_tokens} and {tgt_tokens} tokens, which are counted from {base}; say where positions start, or give the texts that were aligned", path.display())]
    Outside {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The link's source position as written.
        src: usize,
        /// Its target position.
        tgt: usize,
        /// Tokens of the source.
        src_tokens: usize,
        /// Tokens of the target.
        tgt_tokens: usize,
        /// The first position.
        base: usize,
    },
    /// A sentence that does not exist.
    #[error("{}:{line}: sentence {sentence}; expected 1 to {sentences}", path.display())]
    Sentence {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The number that stands there.
        sentence: usize,
        /// How many sentences there are.
        sentences: usize,
    },
    /// A possible link in a hypothesis.
    #[error("{}:{line}: `{link}` is a possible link; a hypothesis has only sure ones, written `0-1`", path.display())]
    Possible {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The link.
        link: String,
    },
    /// The texts have another number of lines.
    #[error("{}: links of {lines} sentences, but the texts have {texts}", path.display())]
    Texts {
        /// The file.
        path: PathBuf,
        /// Its sentences.
        lines: usize,
        /// Lines of the texts.
        texts: usize,
    },
    /// Gold and hypothesis have different numbers of sentences.
    #[error("{}:{hyps} and {}:{golds}: links of {hyps} and {golds} sentences; line n of both must be about the same pair", hyp.display(), gold.display())]
    Counts {
        /// The hypothesis' file.
        hyp: PathBuf,
        /// Its sentences.
        hyps: usize,
        /// The gold file.
        gold: PathBuf,
        /// Its sentences.
        golds: usize,
    },
}

/// Alignment error rate, and what it was computed from.
///
/// # Examples
/// ```
/// use std::path::Path;
/// use lookback::eval::{AlignmentErrorRate, Alignments, Base, Gold, LinkFile};
///
/// let (gold, hyp) = (["0-0 1-2 1p1".to_owned()], ["0-0 1-1 2-2".to_owned()]);
/// let file = |name, lines| LinkFile { path: Path::new(name), lines, base: Base::Zero, lengths: None };
/// let gold = Gold::pharaoh(&file("gold", &gold))?;
/// let hyp = Alignments::pharaoh(&file("hyp", &hyp))?;
/// let aer = AlignmentErrorRate::corpus(Path::new("gold"), &gold, &hyp)?;
/// // A = 3 links, of which 2 are possible and 1 is sure; S = 2: 1 − (1 + 2) / (3 + 2)
/// assert_eq!(aer.to_string(), "AER = 40.0 (precision = 66.7 recall = 50.0 F = 57.1 links = 3 sure = 2 possible = 3)");
/// # Ok::<(), lookback::eval::LinkError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlignmentErrorRate {
    /// |A|, links of the hypothesis.
    pub links: usize,
    /// |S|, sure links.
    pub sure: usize,
    /// |P|, possible links, the sure ones among them.
    pub possible: usize,
    /// |A ∩ S|.
    pub hits_sure: usize,
    /// |A ∩ P|.
    pub hits_possible: usize,
}

impl AlignmentErrorRate {
    /// Compares sentence by sentence; `gold_path` is for messages.
    ///
    /// # Errors
    /// If the numbers of sentences differ.
    pub fn corpus(gold_path: &Path, gold: &Gold, hyp: &Alignments) -> Result<Self, LinkError> {
        let (golds, hyps) = (gold.sentences.len(), hyp.sentences.len());
        if golds != hyps {
            return Err(LinkError::Counts { hyp: hyp.path.clone(), hyps, gold: gold_path.to_owned(), golds });
        }
        let mut sums = Self::default();
        for (gold, links) in gold.sentences.iter().zip(&hyp.sentences) {
            sums.links += links.len();
            sums.sure += gold.sure.len();
            sums.possible += gold.possible.len();
            sums.hits_sure += shared(links, &gold.sure);
            sums.hits_possible += shared(links, &gold.possible);
        }
        Ok(sums)
    }

    /// The error rate, 0 to 100; 0 if there is neither a link nor a sure one.
    #[must_use]
    pub fn score(&self) -> f64 {
        percent(self.hits_sure + self.hits_possible, self.links + self.sure).map_or(0.0, |right| 100.0 - right)
    }

    /// Possible links among the hypothesis', 0 to 100; `None` without links.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        percent(self.hits_possible, self.links)
    }

    /// Sure links found, 0 to 100; `None` without sure links.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        percent(self.hits_sure, self.sure)
    }

    /// Harmonic mean of precision and recall; `None` if one of them is, 0 if both are 0.
    #[must_use]
    pub fn f_measure(&self) -> Option<f64> {
        let (precision, recall) = (self.precision()?, self.recall()?);
        Some(if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 })
    }
}

impl std::fmt::Display for AlignmentErrorRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"));
        let (precision, recall, f_measure) = (show(self.precision()), show(self.recall()), show(self.f_measure()));
        write!(f, "AER = {:.1} (precision = {precision} recall = {recall} F = {f_measure} ", self.score())?;
        write!(f, "links = {} sure = {} possible = {})", self.links, self.sure, self.possible)
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of links are far below 2^53")]
fn percent(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::super::links::{Base, LinkFile};
    use super::*;

    fn aer(gold: &[&str], hyp: &[&str]) -> Result<AlignmentErrorRate, LinkError> {
        let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let (gold, hyp) = (own(gold), own(hyp));
        let file = |name, lines| LinkFile { path: Path::new(name), lines, base: Base::Zero, lengths: None };
        let gold = Gold::pharaoh(&file("gold", &gold))?;
        AlignmentErrorRate::corpus(Path::new("gold"), &gold, &Alignments::pharaoh(&file("hyp", &hyp))?)
    }

    #[test]
    fn the_rate_is_that_of_the_equation() {
        // A = 4, S = 3, A∩S = {0-0, 2-1} = 2, A∩P = {0-0, 2-1, 1-1} = 3; AER = 1 − 5/7.
        let got = aer(&["0-0 1p1 2-1", "0-0"], &["0-0 1-1 2-1 2-2", ""]).unwrap();
        let sums = AlignmentErrorRate { links: 4, sure: 3, possible: 4, hits_sure: 2, hits_possible: 3 };
        assert_eq!(got, sums);
        assert!((got.score() - 100.0 * 2.0 / 7.0).abs() < 1e-12, "{got}");
        assert!((got.f_measure().unwrap() - 100.0 * 12.0 / 17.0).abs() < 1e-12, "{got}");
    }

    #[test]
    fn all_sure_and_possible_links_are_perfect_and_none_is_worst() {
        let score = |hyp| aer(&["0-0 1-1 1p2"], &[hyp]).unwrap().score();
        assert_eq!(score("0-0 1-1").to_bits(), 0_f64.to_bits());
        assert_eq!(score("0-0 1-1 1-2").to_bits(), 0_f64.to_bits());
        assert_eq!(score("").to_bits(), 100_f64.to_bits());
        assert_eq!(score("5-5").to_bits(), 100_f64.to_bits());
    }

    #[test]
    fn without_links_nothing_is_divided_by_zero() {
        let got = aer(&["", ""], &["", ""]).unwrap();
        assert_eq!(got.to_string(), "AER = 0.0 (precision = – recall = – F = – links = 0 sure = 0 possible = 0)");
        let got = aer(&["0p0"], &["1-1"]).unwrap();
        assert_eq!((got.recall(), got.precision(), got.f_measure()), (None, Some(0.0), None));
        assert_eq!(aer(&["0-0"], &["1-1"]).unwrap().f_measure(), Some(0.0));
    }

    #[test]
    fn both_must_have_as_many_sentences() {
        let said = aer(&["0-0", ""], &["0-0"]).unwrap_err().to_string();
        assert!(said.starts_with("hyp:1 and gold:2: links of 1 and 2 sentences"), "{said}");
    }
}
