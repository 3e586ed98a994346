//! BLEU (Papineni et al. 2002) with sacreBLEU's digits under all its settings.
//!
//! ```text
//! p_n  = 100 · Σ clipped n-gram matches / Σ n-grams of the hypotheses        n = 1..N, N = 4 by default
//! BP   = 1 if c >= r, else exp(1 − r/c)                                      c, r: corpus lengths in tokens
//! BLEU = BP · exp(1/N Σ_n ln p_n)
//! ```
//! With several references a match is clipped by the most generous one and `r` takes the length closest to the hypothesis, the
//! shorter one on a tie. What happens to an order without a match says [`BleuSmoothing`].

mod score;
mod smoothing;

use std::collections::HashMap;
use std::num::NonZeroUsize;

use super::float::{Float, Number};
use super::ngrams::{count, visit_ngrams};
use super::text::words;
use super::{Better, Metric, Tokenizer};

pub use score::Bleu;
pub use smoothing::BleuSmoothing;

/// BLEU and its settings; the default is sacreBLEU's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BleuMetric {
    /// How lines are cut into tokens.
    pub tokenizer: Tokenizer,
    /// What an order without a match counts as.
    pub smoothing: BleuSmoothing,
    /// Whether lines are lowercased first.
    pub lowercase: bool,
    /// Whether orders that the hypothesis is too short for are left out of the mean. Meant for single sentences; sacreBLEU turns it
    /// on for its sentence level.
    pub effective_order: bool,
    /// The highest order of n-grams, 4 by default. The signature does not show it.
    pub max_order: NonZeroUsize,
}

impl Default for BleuMetric {
    fn default() -> Self {
        const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        Self {
            tokenizer: Tokenizer::default(),
            smoothing: BleuSmoothing::default(),
            lowercase: false,
            effective_order: false,
            max_order: FOUR,
        }
    }
}

/// What the formula yields.
struct Parts {
    score: f64,
    precisions: Vec<f64>,
    brevity_penalty: f64,
}

impl BleuMetric {
    /// The formula, on `[c, r, matches of each order…, n-grams of each order…]`.
    fn parts<N: Number>(&self, sums: &[N]) -> Parts {
        let orders = self.max_order.get();
        let (hyp_len, ref_len) = (sums[0].value().trunc(), sums[1].value().trunc());
        let (matches, totals) = sums[2..].split_at(orders);
        let brevity_penalty = if hyp_len >= ref_len {
            1.0
        } else if hyp_len > 0.0 {
            (1.0 - ref_len / hyp_len).exp()
        } else {
            0.0
        };
        let mut precisions = vec![0.0; orders];
        if matches.iter().all(|m| m.value() <= 0.0) {
            return Parts { score: 0.0, precisions, brevity_penalty };
        }
        let (mut effective, mut misses) = (orders, 0);
        for n in 1..=orders {
            let (matched, total) = self.smoothing.add(n, matches[n - 1], totals[n - 1]);
            if total.value() <= 0.0 {
                break;
            }
            if self.effective_order {
                effective = n;
            }
            precisions[n - 1] = if matched.value() > 0.0 {
                (N::constant(100.0) * matched / total).value()
            } else {
                misses += 1;
                self.smoothing.without_match(misses, total).value()
            };
        }
        // ln 0 = −∞ makes the score 0.
        let mean = precisions[..effective].iter().map(|p| p.ln()).sum::<f64>() / count_f64(effective);
        Parts { score: brevity_penalty * mean.exp(), precisions, brevity_penalty }
    }

    /// The line as white space between tokens.
    fn prepare(&self, line: &str) -> String {
        let line = if self.lowercase { &line.to_lowercase() } else { line };
        self.tokenizer.space(line).into_owned()
    }
}

impl Metric for BleuMetric {
    fn name(&self) -> String {
        "BLEU".to_owned()
    }

    fn settings(&self) -> String {
        format!(
            "case:{}|eff:{}|tok:{}|smooth:{}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenizer.name(),
            self.smoothing
        )
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    /// `[tokens, tokens of the closest reference, matches of each order…, n-grams of each order…]`.
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        let lines: Vec<String> = std::iter::once(&hyp).chain(refs).map(|line| self.prepare(line)).collect();
        let mut names = HashMap::new();
        let tokens: Vec<Vec<u32>> = (lines.iter())
            .map(|line| {
                let name = |word| {
                    let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                    *names.entry(word).or_insert(next)
                };
                words(line).map(name).collect()
            })
            .collect();
        let orders = self.max_order.get();
        let mut out = vec![0.0; 2 + 2 * orders];
        let len = tokens[0].len();
        // `min_by_key` keeps the first of equals, so the pair orders by distance, then by length.
        let closest = tokens[1..].iter().map(Vec::len).min_by_key(|&other| (other.abs_diff(len), other));
        (out[0], out[1]) = (count_f64(len), count_f64(closest.unwrap_or(0)));
        visit_ngrams(&tokens, orders, |n, ids, distinct| {
            let (mut left, mut seen) = (vec![0; distinct], vec![0; distinct]);
            for reference in &ids[1..] {
                seen.fill(0);
                count(reference, &mut seen);
                for (most, &seen) in left.iter_mut().zip(&seen) {
                    *most = seen.max(*most);
                }
            }
            let mut matched = 0;
            for &id in &ids[0] {
                // Each match uses up one occurrence: this is the clipping.
                if left[id as usize] > 0 {
                    left[id as usize] -= 1;
                    matched += 1;
                }
            }
            (out[1 + n], out[1 + orders + n]) = (count_f64(matched), count_f64(ids[0].len()));
        });
        out
    }

    fn score(&self, sums: &[f64]) -> f64 {
        self.parts(sums).score
    }

    fn resampled(&self, sums: &[f32]) -> Float {
        let sums: Vec<Float> = sums.iter().map(|&sum| Float::Single(sum)).collect();
        Float::Double(self.parts(&sums).score)
    }

    fn details(&self, sums: &[f64]) -> Option<String> {
        Some(self.bleu(sums, None).verbose_score())
    }
}

#[allow(clippy::cast_precision_loss, reason = "token counts are far below 2^53")]
fn count_f64(count: usize) -> f64 {
    count as f64
}
