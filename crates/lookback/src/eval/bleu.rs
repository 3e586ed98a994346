//! Corpus BLEU (Papineni et al. 2002) with the digits of sacreBLEU's defaults.
//!
//! ```text
//! p_n  = 100 · Σ clipped n-gram matches / Σ n-grams of the hypotheses        n = 1..4
//! BP   = 1 if c >= r, else exp(1 − r/c)                                      c, r: corpus lengths in tokens
//! BLEU = BP · exp(¼ Σ_n ln p_n)
//! ```
//! Tokens are [`tokenize_13a`]'s, case counts. An order without a match is smoothed: its `k`-th occurrence counts as
//! `1/2^k` matches (Chen & Cherry 2014, method 3, "exp"). With several references a match is clipped by the most
//! generous one and `r` takes the length closest to the hypothesis, the shorter one on a tie.

use std::collections::HashMap;

use super::{EvalError, check_counts, tokenize_13a};

/// Highest order of n-grams.
const ORDERS: usize = 4;

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
    pub precisions: [f64; ORDERS],
    /// Clipped matches of each order.
    pub counts: [usize; ORDERS],
    /// N-grams of each order in the hypotheses.
    pub totals: [usize; ORDERS],
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
}

impl Bleu {
    /// Scores one hypothesis against one reference per sentence. Lines are raw text, not tokenised.
    ///
    /// # Errors
    /// If the counts differ or there is no sentence.
    pub fn corpus(hyps: &[impl AsRef<str>], refs: &[impl AsRef<str>]) -> Result<Self, EvalError> {
        check_counts(hyps.len(), refs.len())?;
        let mut counts = Statistics::default();
        for (hyp, reference) in hyps.iter().zip(refs) {
            counts.add(hyp.as_ref(), [reference.as_ref()]);
        }
        Ok(counts.score(Some(1)))
    }

    /// [`Bleu::corpus`] with one or more references for each sentence.
    ///
    /// # Errors
    /// If the counts differ, there is no sentence, or a sentence has no reference.
    pub fn corpus_multi<R: AsRef<str>>(hyps: &[impl AsRef<str>], refs: &[Vec<R>]) -> Result<Self, EvalError> {
        check_counts(hyps.len(), refs.len())?;
        let mut counts = Statistics::default();
        for (i, (hyp, refs)) in hyps.iter().zip(refs).enumerate() {
            if refs.is_empty() {
                return Err(EvalError::NoReference { line: i + 1 });
            }
            counts.add(hyp.as_ref(), refs.iter().map(AsRef::as_ref));
        }
        let first = refs[0].len();
        Ok(counts.score(refs.iter().all(|r| r.len() == first).then_some(first)))
    }

    /// What the score was computed with, in sacreBLEU's notation but under our own name and version.
    #[must_use]
    pub fn signature(&self) -> String {
        let nrefs = self.references.map_or_else(|| "var".to_owned(), |n| n.to_string());
        format!("nrefs:{nrefs}|case:mixed|eff:no|tok:13a|smooth:exp|version:lookback-{}", env!("CARGO_PKG_VERSION"))
    }

    /// The part of the printed line behind the score: precisions, brevity penalty, lengths.
    #[must_use]
    pub fn verbose_score(&self) -> String {
        let [p1, p2, p3, p4] = self.precisions;
        format!(
            "{p1:.1}/{p2:.1}/{p3:.1}/{p4:.1} (BP = {:.3} ratio = {:.3} hyp_len = {} ref_len = {})",
            self.brevity_penalty, self.ratio, self.hyp_len, self.ref_len
        )
    }
}

impl std::fmt::Display for Bleu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BLEU = {:.2} {}", self.score, self.verbose_score())
    }
}

/// Sums over the corpus, from which alone the score follows.
#[derive(Default)]
struct Statistics {
    counts: [usize; ORDERS],
    totals: [usize; ORDERS],
    hyp_len: usize,
    ref_len: usize,
}

impl Statistics {
    fn add<'r>(&mut self, hyp: &str, refs: impl IntoIterator<Item = &'r str>) {
        let hyp = tokenize_13a(hyp);
        let refs: Vec<_> = refs.into_iter().map(tokenize_13a).collect();
        // `min_by_key` keeps the first of equals, so the pair orders by distance, then by length.
        let closest = refs.iter().map(Vec::len).min_by_key(|&len| (len.abs_diff(hyp.len()), len));
        self.hyp_len += hyp.len();
        self.ref_len += closest.unwrap_or(0);
        for n in 1..=ORDERS {
            let mut left: HashMap<&[String], usize> = HashMap::new();
            for reference in &refs {
                let mut seen: HashMap<&[String], usize> = HashMap::new();
                for ngram in reference.windows(n) {
                    let seen = seen.entry(ngram).or_default();
                    *seen += 1;
                    let most = left.entry(ngram).or_default();
                    *most = (*most).max(*seen);
                }
            }
            for ngram in hyp.windows(n) {
                self.totals[n - 1] += 1;
                // Each match uses up one occurrence: this is the clipping.
                if let Some(left) = left.get_mut(ngram).filter(|left| **left > 0) {
                    *left -= 1;
                    self.counts[n - 1] += 1;
                }
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
    fn score(self, references: Option<usize>) -> Bleu {
        let Self { counts, totals, hyp_len, ref_len } = self;
        let (c, r) = (hyp_len as f64, ref_len as f64);
        let brevity_penalty = match hyp_len {
            _ if hyp_len >= ref_len => 1.0,
            0 => 0.0,
            _ => (1.0 - r / c).exp(),
        };
        let mut precisions = [0.0; ORDERS];
        if counts.iter().any(|&matches| matches > 0) {
            let mut smooth = 1.0;
            for n in (0..ORDERS).take_while(|&n| totals[n] > 0) {
                precisions[n] = if counts[n] > 0 {
                    100.0 * counts[n] as f64 / totals[n] as f64
                } else {
                    smooth *= 2.0;
                    100.0 / (smooth * totals[n] as f64)
                };
            }
        }
        // ln 0 = −∞ makes the score 0 if no sentence is four tokens long, or nothing matched.
        let score = brevity_penalty * (precisions.iter().map(|p| p.ln()).sum::<f64>() / ORDERS as f64).exp();
        let ratio = if ref_len > 0 { c / r } else { 0.0 };
        Bleu { score, precisions, counts, totals, brevity_penalty, ratio, hyp_len, ref_len, references }
    }
}

#[cfg(test)]
mod tests {
    use lookback_testkit::assert_close_f64;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Fixture {
        sacrebleu: String,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        name: String,
        hyps: Vec<String>,
        refs: Vec<Vec<String>>,
        score: f64,
        precisions: [f64; ORDERS],
        counts: [usize; ORDERS],
        totals: [usize; ORDERS],
        bp: f64,
        ratio: f64,
        hyp_len: usize,
        ref_len: usize,
        line: String,
        signature: String,
        tokens: Vec<String>,
    }

    fn fixture() -> Fixture {
        serde_json::from_str(include_str!("../../../../fixtures/bleu.json")).unwrap()
    }

    #[test]
    fn every_digit_is_sacrebleus() {
        for case in fixture().cases {
            let got = Bleu::corpus_multi(&case.hyps, &case.refs).unwrap();
            assert_eq!(got.counts, case.counts, "{}", case.name);
            assert_eq!(got.totals, case.totals, "{}", case.name);
            assert_eq!((got.hyp_len, got.ref_len), (case.hyp_len, case.ref_len), "{}", case.name);
            // ln and exp may differ in the last bits between mathematical libraries.
            assert_close_f64(&case.name, &got.precisions, &case.precisions, 1e-9, 1e-300);
            let (got_floats, want) = ([got.score, got.brevity_penalty, got.ratio], [case.score, case.bp, case.ratio]);
            assert_close_f64(&case.name, &got_floats, &want, 1e-9, 1e-300);
            assert_eq!(got.to_string(), case.line, "{}", case.name);
        }
    }

    #[test]
    fn tokens_are_sacrebleus() {
        for case in fixture().cases {
            for (hyp, tokens) in case.hyps.iter().zip(&case.tokens) {
                assert_eq!(&tokenize_13a(hyp).join(" "), tokens, "{}: {hyp:?}", case.name);
            }
        }
    }

    #[test]
    fn the_signature_is_sacrebleus_but_for_name_and_version() {
        let Fixture { sacrebleu, cases } = fixture();
        let ours = format!("lookback-{}", env!("CARGO_PKG_VERSION"));
        for case in cases {
            let got = Bleu::corpus_multi(&case.hyps, &case.refs).unwrap().signature();
            assert_eq!(got.replace(&ours, &sacrebleu), case.signature, "{}", case.name);
        }
    }

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
