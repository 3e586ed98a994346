//! chrF (Popović 2015) and chrF++ (Popović 2017) with sacreBLEU's digits under all its settings.
//!
//! ```text
//! P_n, R_n = matches / n-grams of the hypothesis, of the reference           characters n = 1..6, words n = 1..2 for chrF++
//! chrF_β   = 100 · (1 + β²) · P·R / (β²·P + R)                               P, R: means over the orders that both sides have
//! ```
//! With several references the one with the best score counts.

use std::collections::HashMap;

use super::float::{Float, Number};
use super::ngrams::{count, visit_ngrams};
use super::text::{is_space, words};
use super::{Better, Metric};

/// chrF and its settings; the default is sacreBLEU's chrF2.
///
/// # Examples
/// ```
/// use lookback::eval::{ChrfMetric, Metric};
///
/// let chrf = ChrfMetric::plus_plus();
/// assert_eq!(chrf.name(), "chrF2++");
/// assert_eq!(format!("{:.2}", chrf.sentence_score("the cat sat", &["the cat sits"])), "60.39");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChrfMetric {
    /// The highest order of character n-grams.
    pub char_order: usize,
    /// The highest order of word n-grams: 0 for chrF, 2 for chrF++. Without any order of either kind every score is 0.
    pub word_order: usize,
    /// How many times as much recall counts as precision. The name shows it, the signature does not.
    pub beta: u32,
    /// Whether lines are lowercased first.
    pub lowercase: bool,
    /// Whether white space belongs to character n-grams.
    pub whitespace: bool,
    /// Whether the score is the mean of each order's own, where an order that one side lacks has 10⁻¹⁶, as in chrF++.py, NLTK and Moses.
    pub eps_smoothing: bool,
}

impl Default for ChrfMetric {
    fn default() -> Self {
        Self { char_order: 6, word_order: 0, beta: 2, lowercase: false, whitespace: false, eps_smoothing: false }
    }
}

impl ChrfMetric {
    /// chrF++: word n-grams up to order 2 as well.
    #[must_use]
    pub fn plus_plus() -> Self {
        Self { word_order: 2, ..Self::default() }
    }

    /// The formula, on n-grams of the hypothesis, of the reference, and matches of each order.
    fn f_score<N: Number>(&self, sums: &[N]) -> N {
        let (zero, eps) = (N::constant(0.0), N::constant(1e-16));
        let factor = f64::from(self.beta).powi(2);
        let (factor, factor_and_one) = (N::constant(factor), N::constant(1.0 + factor));
        let f = |precision: N, recall: N| {
            let below = factor * precision + recall;
            (below.value() > 0.0).then(|| factor_and_one * precision * recall / below)
        };
        let (mut each, mut precisions, mut recalls, mut both) = (zero, zero, zero, 0_u32);
        let (orders, _) = sums.as_chunks::<3>();
        for &[hyp, reference, matches] in orders {
            let share = |of: N| if of.value() > 0.0 { matches / of } else { eps };
            let (precision, recall) = (share(hyp), share(reference));
            each = each + f(precision, recall).unwrap_or(eps);
            if hyp.value() > 0.0 && reference.value() > 0.0 {
                (precisions, recalls, both) = (precisions + precision, recalls + recall, both + 1);
            }
        }
        let hundred = N::constant(100.0);
        if self.eps_smoothing && !orders.is_empty() {
            return hundred * each / N::constant(f64::from(u32::try_from(orders.len()).unwrap_or(u32::MAX)));
        }
        let both = N::constant(f64::from(both.max(1)));
        f(precisions / both, recalls / both).map_or(zero, |f| hundred * f)
    }

    /// Counts n-grams of the sequences up to `orders` and appends the three numbers of each order.
    fn count_pair(pair: &[Vec<u32>; 2], orders: usize, out: &mut Vec<f64>) {
        visit_ngrams(pair, orders, |_, ids, distinct| {
            let (mut left, mut matches) = (vec![0_u32; distinct], 0);
            count(&ids[1], &mut left);
            for &id in &ids[0] {
                if left[id as usize] > 0 {
                    left[id as usize] -= 1;
                    matches += 1;
                }
            }
            // An order that the reference lacks is not held against the hypothesis.
            let hyp = if ids[1].is_empty() { 0 } else { ids[0].len() };
            out.extend([hyp, ids[1].len(), matches].map(as_f64));
        });
    }

    fn characters(&self, line: &str) -> Vec<u32> {
        line.chars().filter(|&c| self.whitespace || !is_space(c)).map(u32::from).collect()
    }
}

impl Metric for ChrfMetric {
    fn name(&self) -> String {
        format!("chrF{}{}", self.beta, "+".repeat(self.word_order))
    }

    fn settings(&self) -> String {
        format!(
            "case:{}|eff:{}|nc:{}|nw:{}|space:{}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.eps_smoothing { "no" } else { "yes" },
            self.char_order,
            self.word_order,
            if self.whitespace { "yes" } else { "no" },
        )
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    /// `[n-grams of the hypothesis, of the best reference, matches]` of each order of characters, then of words.
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        let prepare = |line: &str| if self.lowercase { line.to_lowercase() } else { line.to_owned() };
        let hyp = prepare(hyp);
        let mut best: Option<(f64, Vec<f64>)> = None;
        for reference in refs {
            let reference = prepare(reference);
            let mut counts = Vec::with_capacity(3 * (self.char_order + self.word_order));
            Self::count_pair(&[self.characters(&hyp), self.characters(&reference)], self.char_order, &mut counts);
            if self.word_order > 0 {
                Self::count_pair(&numbered([&hyp, &reference]), self.word_order, &mut counts);
            }
            let score = self.f_score(&counts);
            if best.as_ref().is_none_or(|(best, _)| score > *best) {
                best = Some((score, counts));
            }
        }
        best.map_or_else(Vec::new, |(_, counts)| counts)
    }

    fn score(&self, sums: &[f64]) -> f64 {
        self.f_score(sums)
    }

    fn resampled(&self, sums: &[f32]) -> Float {
        let sums: Vec<Float> = sums.iter().map(|&sum| Float::Single(sum)).collect();
        self.f_score(&sums)
    }
}

/// Words as numbers, one mark of ASCII punctuation cut off each: the last character or else the first.
fn numbered(lines: [&str; 2]) -> [Vec<u32>; 2] {
    let mut names: HashMap<&str, u32> = HashMap::new();
    lines.map(|line| {
        let mut numbers = Vec::new();
        for word in words(line) {
            let (first, last) = cut_punctuation(word);
            for part in [first, last].into_iter().flatten() {
                let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                numbers.push(*names.entry(part).or_insert(next));
            }
        }
        numbers
    })
}

fn cut_punctuation(word: &str) -> (Option<&str>, Option<&str>) {
    let is_mark = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_punctuation);
    let at = match word.as_bytes() {
        [_] => return (Some(word), None),
        bytes if is_mark(bytes.last()) => bytes.len() - 1,
        bytes if is_mark(bytes.first()) => 1,
        _ => return (Some(word), None),
    };
    (Some(&word[..at]), Some(&word[at..]))
}

#[allow(clippy::cast_precision_loss, reason = "counts of n-grams are far below 2^53")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::{Pool, Statistics};
    use super::*;

    #[test]
    fn one_mark_is_cut_off_the_end_or_else_the_front() {
        assert_eq!(cut_punctuation("(hi)"), (Some("(hi"), Some(")")));
        assert_eq!(cut_punctuation("(hi"), (Some("("), Some("hi")));
        assert_eq!(cut_punctuation("é."), (Some("é"), Some(".")));
        assert_eq!(cut_punctuation("."), (Some("."), None));
        assert_eq!(cut_punctuation("。"), (Some("。"), None));
    }

    #[test]
    fn without_any_order_every_score_is_zero() {
        for eps_smoothing in [false, true] {
            let chrf = ChrfMetric { char_order: 0, eps_smoothing, ..ChrfMetric::default() };
            assert!(chrf.sentence_score("a", &["a"]).abs() < 1e-300);
            let all = Statistics::collect(&chrf, &["a", "b"], &[["a"], ["c"]], &Pool::new(1)).unwrap();
            assert_eq!((all.sentences(), all.rows().len(), all.select(&[1]).sentences()), (2, 2, 1));
            assert!(chrf.score(&all.sums()).abs() < 1e-300);
        }
    }
}
