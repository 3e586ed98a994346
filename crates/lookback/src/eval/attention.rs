//! How healthy attention is: numbers about its weights alone, of no translation's quality.
//!
//! ```text
//! entropy              −Σ_s α_ts ln α_ts                          mean over target positions, in nats; of a sentence it is the absent-mindedness of the output
//! coverage deviation   1/S Σ_s ln(1 + (1 − Σ_t α_ts)²)            mean over sentences: source positions that were looked at too little or too much
//! absent-mindedness    −1/S Σ_s Σ_t β_ts ln β_ts                  mean over sentences, of the input: how scattered what looks at a source position is; β_ts = α_ts / Σ_t α_ts
//! diagonality          1 − Σ α_ts·|t/(T−1) − s/(S−1)| / Σ 1/S·|t/(T−1) − s/(S−1)|      sums over all pairs of positions of all sentences
//! ```
//! The first three are the penalties of Rikters & Fishel 2017 ("Confidence through Attention", §3), without their signs. Diagonality is our own: 1 if the decoder looks along the
//! diagonal, 0 if no nearer to it than uniform weights are, below 0 if further away. Positions are pieces, the ends included; a sentence of one position on a side has no diagonal.

use lookback_kernels::ln;

/// Sums over sentences, from which the numbers follow.
///
/// # Examples
/// ```
/// use lookback::eval::AttentionHealth;
///
/// let mut health = AttentionHealth::default();
/// health.add(&[1.0, 0.0, 0.0, 1.0], 2);
/// assert_eq!((health.entropy(), health.coverage_deviation(), health.diagonality()), (0.0, 0.0, Some(1.0)));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AttentionHealth {
    sentences: usize,
    positions: usize,
    entropies: f64,
    deviations: f64,
    scatters: f64,
    distance: f64,
    uniform_distance: f64,
}

/// x·ln x, 0 at 0.
fn plogp(p: f64) -> f64 {
    if p > 0.0 { p * ln(p) } else { 0.0 }
}

impl AttentionHealth {
    /// Adds the weights (T, `columns`) of a sentence, row-major, without padding.
    ///
    /// # Panics
    /// If they are not whole rows.
    #[allow(clippy::cast_precision_loss, reason = "positions are far below 2⁵²")]
    pub fn add(&mut self, weights: &[f32], columns: usize) {
        assert!(columns > 0 && weights.len().is_multiple_of(columns), "whole rows of {columns}");
        let rows = weights.len() / columns;
        let weight = |t: usize, s: usize| f64::from(weights[t * columns + s]);
        self.sentences += 1;
        self.positions += rows;
        self.entropies -= weights.iter().map(|&w| plogp(f64::from(w))).sum::<f64>();
        let (mut deviation, mut scatter) = (0.0, 0.0);
        for s in 0..columns {
            let total: f64 = (0..rows).map(|t| weight(t, s)).sum();
            deviation += ln(1.0 + (1.0 - total) * (1.0 - total));
            if total > 0.0 {
                scatter -= (0..rows).map(|t| plogp(weight(t, s) / total)).sum::<f64>();
            }
        }
        self.deviations += deviation / columns as f64;
        self.scatters += scatter / columns as f64;
        if rows > 1 && columns > 1 {
            let place = |at: usize, of: usize| at as f64 / (of - 1) as f64;
            for t in 0..rows {
                for s in 0..columns {
                    let distance = (place(t, rows) - place(s, columns)).abs();
                    self.distance += weight(t, s) * distance;
                    self.uniform_distance += distance / columns as f64;
                }
            }
        }
    }

    /// In nats, the mean over target positions; 0 of nothing.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "positions are far below 2⁵²")]
    pub fn entropy(&self) -> f64 {
        self.entropies / self.positions.max(1) as f64
    }

    /// The mean over sentences; 0 if every source position was looked at with a weight of 1 in all.
    #[must_use]
    pub fn coverage_deviation(&self) -> f64 {
        self.mean(self.deviations)
    }

    /// In nats, the mean over sentences; 0 if one target position looks at each source position.
    #[must_use]
    pub fn absentmindedness(&self) -> f64 {
        self.mean(self.scatters)
    }

    /// At most 1; none if no sentence has a diagonal.
    #[must_use]
    pub fn diagonality(&self) -> Option<f64> {
        (self.uniform_distance > 0.0).then(|| 1.0 - self.distance / self.uniform_distance)
    }

    /// The numbers by the names they have in files.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let numbers = [
            ("attention_entropy", self.entropy()),
            ("coverage_deviation", self.coverage_deviation()),
            ("absentmindedness", self.absentmindedness()),
        ];
        numbers.into_iter().chain(self.diagonality().map(|d| ("diagonality", d))).collect()
    }

    #[allow(clippy::cast_precision_loss, reason = "sentences are far below 2⁵²")]
    fn mean(&self, sum: f64) -> f64 {
        sum / self.sentences.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(sentences: &[(&[f32], usize)]) -> AttentionHealth {
        let mut health = AttentionHealth::default();
        sentences.iter().for_each(|(weights, columns)| health.add(weights, *columns));
        health
    }

    fn diagonal(n: usize) -> Vec<f32> {
        (0..n * n).map(|i| if i / n == i % n { 1.0 } else { 0.0 }).collect()
    }

    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-6, "{got}, not {want}");
    }

    #[test]
    fn uniform_weights_have_the_entropy_of_their_number_and_no_diagonal() {
        for n in [2usize, 3, 7] {
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let h = health(&[(&vec![1.0 / n as f32; 5 * n], n)]);
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let (log_n, deviation) = ((n as f64).ln(), (1.0 + (1.0 - 5.0 / n as f64).powi(2)).ln());
            near(h.entropy(), log_n);
            near(h.coverage_deviation(), deviation);
            near(h.absentmindedness(), 5f64.ln());
            near(h.diagonality().expect("a diagonal"), 0.0);
        }
    }

    #[test]
    fn the_diagonal_is_sharp_covered_and_diagonal_and_its_mirror_is_the_opposite() {
        for n in [2, 4, 9] {
            let h = health(&[(&diagonal(n), n)]);
            for zero in [h.entropy(), h.coverage_deviation(), h.absentmindedness()] {
                near(zero, 0.0);
            }
            near(h.diagonality().expect("a diagonal"), 1.0);
            let mirrored: Vec<f32> = diagonal(n).chunks(n).rev().flatten().copied().collect();
            let h = health(&[(&mirrored, n)]);
            near(h.entropy(), 0.0);
            assert!(h.diagonality().expect("a diagonal") < -0.4, "{h:?}");
        }
    }

    #[test]
    fn looking_at_one_place_is_sharp_and_leaves_the_rest_uncovered() {
        // Three rows look at the first of two positions: totals 3 and 0.
        let h = health(&[(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0], 2)]);
        near(h.entropy(), 0.0);
        near(h.coverage_deviation(), (5f64.ln() + 2f64.ln()) / 2.0);
        near(h.absentmindedness(), 3f64.ln() / 2.0);
    }

    #[test]
    fn entropy_is_a_mean_over_positions_and_penalties_over_sentences() {
        let uniform = [0.5f32; 6];
        let both = health(&[(&diagonal(2), 2), (&uniform, 2)]);
        near(both.entropy(), 3.0 * 2f64.ln() / 5.0);
        near(both.coverage_deviation(), (1.0 + 0.25f64).ln() / 2.0);
        near(both.absentmindedness(), 3f64.ln() / 2.0);
        let none = health(&[(&[1.0, 1.0], 1)]);
        assert!(none.diagonality().is_none() && none.named().len() == 3);
        assert_eq!(AttentionHealth::default().entropy().to_bits(), 0);
    }
}
