//! Error rates: words (WER), characters (CER), and words wherever they stand (PER).
//!
//! ```text
//! WER, CER = 100 · (S + D + I) / N        edits of the cheapest alignment (see `edits`), N: length of the reference
//! PER      = 100 · (max(N, M) − C) / N    M: length of the hypothesis, C: words of both, whatever their order
//! ```
//! WER is the usual measure of speech recognition; PER is that of Tillmann et al. (1997). Edits and lengths are summed over the corpus before they
//! are divided, so a rate can exceed 100. With several references a line is compared with the one that needs the fewest edits, the longer one of
//! equals, and N is the length of that one. Where all references are empty, the rate is 0 if the hypotheses are too, otherwise 100.
//!
//! For pronunciations written as phones with spaces between, WER is the phone error rate.

use std::collections::HashMap;

use super::edits::{self, Edits};
use super::tokens::{Unit, normalized, tokens};
use super::{Better, Metric};

/// Which rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// Words in order.
    Wer,
    /// Characters in order.
    Cer,
    /// Words in any order.
    Per,
}

/// An error rate with its settings.
///
/// # Examples
/// ```
/// use lookback::eval::{Metric, Rate, RateMetric};
///
/// let wer = RateMetric { rate: Rate::Wer, lowercase: false };
/// // One of four words is wrong, one is missing.
/// assert!((wer.sentence_score("the dog sleeps", &["the cat sleeps here"]) - 50.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateMetric {
    /// Which one.
    pub rate: Rate,
    /// Whether lines are lowercased first.
    pub lowercase: bool,
}

impl RateMetric {
    /// The edits that lead from the best reference to `hyp`; `refs` holds at least one.
    #[must_use]
    pub fn edits(&self, hyp: &str, refs: &[&str]) -> Edits {
        let unit = if self.rate == Rate::Cer { Unit::Character } else { Unit::Word };
        let hyp = normalized(hyp, self.lowercase);
        let hyp = tokens(&hyp, unit);
        let edits = refs.iter().map(|reference| {
            let reference = normalized(reference, self.lowercase);
            let reference = tokens(&reference, unit);
            if self.rate == Rate::Per { in_any_order(&reference, &hyp) } else { edits::count(&reference, &hyp) }
        });
        edits.min_by_key(rank).unwrap_or_default()
    }
}

/// The order of references: fewest edits first, then the longer one.
pub(super) fn rank(edits: &Edits) -> (usize, std::cmp::Reverse<usize>) {
    (edits.total(), std::cmp::Reverse(edits.reference()))
}

/// Words of both sides are matches; what is left is paired off as substitutions.
fn in_any_order(reference: &[&str], hyp: &[&str]) -> Edits {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for token in reference {
        *left.entry(token).or_default() += 1;
    }
    let mut matches = 0;
    for token in hyp {
        if let Some(left) = left.get_mut(token).filter(|left| **left > 0) {
            *left -= 1;
            matches += 1;
        }
    }
    Edits {
        matches,
        substitutions: reference.len().min(hyp.len()) - matches,
        deletions: reference.len().saturating_sub(hyp.len()),
        insertions: hyp.len().saturating_sub(reference.len()),
    }
}

impl Metric for RateMetric {
    fn name(&self) -> String {
        match self.rate {
            Rate::Wer => "WER",
            Rate::Cer => "CER",
            Rate::Per => "PER",
        }
        .to_owned()
    }

    fn settings(&self) -> String {
        let case = if self.lowercase { "lc" } else { "mixed" };
        let unit = if self.rate == Rate::Cer { "char" } else { "word" };
        format!("case:{case}|unit:{unit}|norm:nfc")
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    #[allow(clippy::cast_precision_loss, reason = "tokens of a line are far below 2^53")]
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        let Edits { matches, substitutions, deletions, insertions } = self.edits(hyp, refs);
        [matches, substitutions, deletions, insertions].map(|count| count as f64).to_vec()
    }

    fn score(&self, sums: &[f64]) -> f64 {
        let (edits, reference) = (sums[1] + sums[2] + sums[3], sums[0] + sums[1] + sums[2]);
        match reference > 0.0 {
            true => 100.0 * edits / reference,
            false if edits > 0.0 => 100.0,
            false => 0.0,
        }
    }

    fn details(&self, sums: &[f64]) -> Option<String> {
        let [matches, substitutions, deletions, insertions] = sums else { return None };
        let reference = matches + substitutions + deletions;
        Some(format!("(sub = {substitutions} del = {deletions} ins = {insertions} ref_len = {reference})"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    fn metric(rate: Rate) -> RateMetric {
        RateMetric { rate, lowercase: false }
    }

    fn score(rate: Rate, pairs: &[(&str, &[&str])]) -> f64 {
        let metric = metric(rate);
        let mut sums = vec![0.0; 4];
        for (hyp, refs) in pairs {
            for (sum, value) in sums.iter_mut().zip(metric.statistics(hyp, refs)) {
                *sum += value;
            }
        }
        metric.score(&sums)
    }

    #[test]
    fn rates_are_those_found_by_hand() {
        let pairs: [(&str, &[&str]); 2] = [("a c b", &["a b c d"]), ("x y", &["x"])];
        // Words: c and d stand for b … and one of them is missing: 2 edits of 4; y is an insertion.
        assert!((score(Rate::Wer, &pairs[..1]) - 50.0).abs() < 1e-12);
        assert!((score(Rate::Wer, &pairs) - 60.0).abs() < 1e-12);
        // In any order only d is missing and y too many: (4 − 3 + 2 − 1) / 5.
        assert!((score(Rate::Per, &pairs) - 40.0).abs() < 1e-12);
        // kitten → sitting: 3 edits of 6 characters.
        assert!((score(Rate::Cer, &[("sitting", &["kitten"])]) - 50.0).abs() < 1e-12);
    }

    #[test]
    fn repeated_words_match_as_often_as_they_stand() {
        let edits = metric(Rate::Per).edits("a a a b", &["a b b"]);
        assert_eq!(edits, Edits { matches: 2, substitutions: 1, deletions: 0, insertions: 1 });
    }

    #[test]
    fn a_line_is_compared_with_its_best_reference_and_divided_by_its_length() {
        let edits = metric(Rate::Wer).edits("a b c", &["x y", "a b c d e", "a b"]);
        assert_eq!((edits.total(), edits.reference()), (1, 2));
        // Of two equally near references the longer one, in whatever order they come.
        for refs in [["a b", "a b c d"], ["a b c d", "a b"]] {
            let edits = metric(Rate::Wer).edits("a b c", &refs);
            assert_eq!((edits.total(), edits.reference()), (1, 4));
        }
    }

    #[test]
    fn empty_references_divide_nothing_by_zero() {
        for rate in [Rate::Wer, Rate::Cer, Rate::Per] {
            assert_eq!(score(rate, &[("", &[""]), (" ", &["\t"])]).to_bits(), 0_f64.to_bits());
            assert_eq!(score(rate, &[("a b", &[""])]).to_bits(), 100_f64.to_bits());
            assert!((score(rate, &[("", &["a b"])]) - 100.0).abs() < 1e-12);
        }
    }

    #[test]
    fn rates_can_exceed_a_hundred() {
        assert!((score(Rate::Wer, &[("a b c", &["x"])]) - 300.0).abs() < 1e-12);
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        hyps: Vec<String>,
        refs: Vec<String>,
        wer: f64,
        cer: f64,
        word_edits: usize,
        char_edits: usize,
    }

    #[test]
    fn word_and_character_error_rates_are_jiwers() {
        let fixture = include_str!("../../../../fixtures/rates.json");
        let cases: Vec<Case> =
            serde_json::from_value(serde_json::from_str::<serde_json::Value>(fixture).unwrap()["cases"].take())
                .unwrap();
        assert!(cases.len() > 10);
        for case in cases {
            let both: Vec<[&str; 1]> = case.refs.iter().map(|reference| [reference.as_str()]).collect();
            let pairs: Vec<(&str, &[&str])> =
                case.hyps.iter().zip(&both).map(|(hyp, refs)| (hyp.as_str(), refs.as_slice())).collect();
            for (rate, want, edits) in [(Rate::Wer, case.wer, case.word_edits), (Rate::Cer, case.cer, case.char_edits)]
            {
                let got = score(rate, &pairs);
                assert!((got - 100.0 * want).abs() < 1e-9, "{}: {rate:?} is {got}, jiwer's {want}", case.name);
                let sum: usize = pairs.iter().map(|(hyp, refs)| metric(rate).edits(hyp, refs).total()).sum();
                assert_eq!(sum, edits, "{}: {rate:?}", case.name);
            }
        }
    }
}
