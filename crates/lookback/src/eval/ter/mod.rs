//! TER, the translation edit rate (Snover et al. 2006), with sacreBLEU's digits under all its settings.
//!
//! ```text
//! TER = 100 · Σ_i min over references (insertions + deletions + substitutions + shifts) / Σ_i mean length of the references
//! ```
//! A shift moves a run of words at the cost of one edit. Finding the fewest edits is not feasible; the score is defined by the greedy
//! search of Tercom, as sacreBLEU does it: see [`search`].

mod distance;
mod search;
mod tokenize;

use std::collections::HashMap;

use super::float::{Float, Number};
use super::text::words;
use super::{Better, Metric};
use search::edits;

/// TER and its settings; the default is sacreBLEU's.
///
/// # Examples
/// ```
/// use lookback::eval::{Metric, TerMetric};
///
/// // One shift and one substitution, five words in the reference.
/// let ter = TerMetric::default();
/// assert!((ter.sentence_score("down sat the cat here", &["the cat sat down there"]) - 60.0).abs() < 1e-9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerMetric {
    /// Whether entities are read and punctuation is cut off words.
    pub normalized: bool,
    /// Whether ASCII punctuation is removed.
    pub no_punct: bool,
    /// Whether `normalized` makes tokens of Chinese characters and East Asian punctuation, and `no_punct` removes the latter; without either
    /// it does nothing.
    pub asian_support: bool,
    /// Whether capitals count. Unlike with the other metrics they do not by default.
    pub case_sensitive: bool,
}

impl TerMetric {
    fn rate<N: Number>(sums: &[N]) -> N {
        let hundred = N::constant(100.0);
        if sums[1].value() > 0.0 {
            hundred * (sums[0] / sums[1])
        } else if sums[0].value() > 0.0 {
            // Something where nothing is wanted.
            hundred
        } else {
            N::constant(0.0)
        }
    }
}

impl Metric for TerMetric {
    fn name(&self) -> String {
        "TER".to_owned()
    }

    fn settings(&self) -> String {
        let yes = |on| if on { "yes" } else { "no" };
        format!(
            "case:{}|tok:tercom|norm:{}|punct:{}|asian:{}",
            if self.case_sensitive { "mixed" } else { "lc" },
            yes(self.normalized),
            yes(!self.no_punct),
            yes(self.asian_support),
        )
    }

    fn better(&self) -> Better {
        Better::Lower
    }

    /// `[edits to the closest reference, mean length of the references in words]`.
    #[allow(clippy::cast_precision_loss, reason = "counts of words are far below 2^53")]
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        let prepared = refs.iter().map(|line| self.prepare_reference(line));
        let lines: Vec<String> = std::iter::once(self.prepare(hyp)).chain(prepared).collect();
        let mut names = HashMap::new();
        let mut numbers = lines.iter().map(|line| {
            let name = |word| {
                let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                *names.entry(word).or_insert(next)
            };
            words(line).map(name).collect::<Vec<u32>>()
        });
        let hyp = numbers.next().unwrap_or_default();
        let (mut fewest, mut length) = (usize::MAX, 0);
        for reference in numbers {
            fewest = fewest.min(edits(&hyp, &reference));
            length += reference.len();
        }
        vec![fewest as f64, length as f64 / refs.len() as f64]
    }

    fn score(&self, sums: &[f64]) -> f64 {
        Self::rate(sums)
    }

    fn resampled(&self, sums: &[f32]) -> Float {
        Self::rate(&[Float::Single(sums[0]), Float::Single(sums[1])])
    }
}
