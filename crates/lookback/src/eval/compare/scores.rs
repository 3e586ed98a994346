//! Arrays of scores in the precision NumPy would hold them in, and its arithmetic on them.

use lookback_kernels::Real;

use super::Interval;
use crate::eval::Float;

/// Scores of resampled corpora: in single precision if all of them came in it, as an array made from such a list is.
#[derive(Debug)]
pub(super) enum Scores {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Scores {
    pub(super) fn new(scores: &[Float]) -> Self {
        let single = |score: &Float| match score {
            Float::Single(score) => Some(*score),
            Float::Double(_) => None,
        };
        match scores.iter().map(single).collect() {
            Some(scores) => Self::Single(scores),
            None => Self::Double(scores.iter().map(|score| score.value()).collect()),
        }
    }

    /// Mean and half-width of the middle 95 %.
    pub(super) fn interval(&self) -> Interval {
        match self {
            Self::Single(scores) => interval(scores),
            Self::Double(scores) => interval(scores),
        }
    }

    /// The bootstrap's p-value of a difference, from the scores of the baseline on the same samples.
    pub(super) fn p_value(&self, baseline: &Self, difference: f64) -> f64 {
        match (self, baseline) {
            (Self::Single(scores), Self::Single(baseline)) => p_value(scores, baseline, difference),
            _ => p_value(&self.double(), &baseline.double(), difference),
        }
    }

    /// How much higher these scores are than those of `baseline` on the same samples.
    pub(super) fn over(&self, baseline: &Self) -> Self {
        Self::Double(self.double().iter().zip(baseline.double()).map(|(score, other)| score - other).collect())
    }

    fn double(&self) -> Vec<f64> {
        match self {
            Self::Single(scores) => scores.iter().map(|&score| score.into()).collect(),
            Self::Double(scores) => scores.clone(),
        }
    }
}

fn interval<T: Real>(scores: &[T]) -> Interval {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let cut = sorted.len() / 40;
    let (low, high) = (sorted[cut], sorted[sorted.len() - 1 - cut]);
    let half_width = (T::from_f64(0.5) * (high - low)).to_f64();
    Interval { mean: mean(&sorted).to_f64(), half_width, low: low.to_f64(), high: high.to_f64() }
}

fn p_value<T: Real>(scores: &[T], baseline: &[T], difference: f64) -> f64 {
    let differences: Vec<T> = scores.iter().zip(baseline).map(|(&a, &b)| if a > b { a - b } else { b - a }).collect();
    let (mean, difference) = (mean(&differences), T::from_f64(difference));
    more_than_chance(differences.iter().filter(|&&d| d - mean > difference).count(), differences.len())
}

/// The p-value when `larger` of `samples` differences exceed the real one. Adding 1 to both keeps a test from rejecting too often.
#[allow(clippy::cast_precision_loss, reason = "samples are far fewer than 2^53")]
pub(super) fn more_than_chance(larger: usize, samples: usize) -> f64 {
    (larger + 1) as f64 / (samples + 1) as f64
}

#[allow(clippy::cast_precision_loss, reason = "samples are far fewer than 2^53")]
fn mean<T: Real>(values: &[T]) -> T {
    pairwise_sum(values) / T::from_f64(values.len() as f64)
}

/// A sum in NumPy's order: halves of long arrays apart, eight interleaved sums of up to 128 values.
fn pairwise_sum<T: Real>(values: &[T]) -> T {
    const LANES: usize = 8;
    let (lanes, rest) = values.as_chunks::<LANES>();
    let add_rest = |sum: T| rest.iter().fold(sum, |sum, &value| sum + value);
    match values.len() {
        0..LANES => add_rest(T::ZERO),
        LANES..=128 => {
            let mut sums = lanes[0];
            for lane in &lanes[1..] {
                sums.iter_mut().zip(lane).for_each(|(sum, &value)| *sum += value);
            }
            let [a, b, c, d, e, f, g, h] = sums;
            add_rest(((a + b) + (c + d)) + ((e + f) + (g + h)))
        }
        len => {
            let half = len / 2;
            let (low, high) = values.split_at(half - half % LANES);
            pairwise_sum(low) + pairwise_sum(high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_double_among_singles_makes_all_double() {
        assert!(matches!(Scores::new(&[Float::Single(1.0); 3]), Scores::Single(_)));
        assert!(matches!(Scores::new(&[Float::Single(1.0), Float::Double(0.0)]), Scores::Double(_)));
    }

    #[test]
    fn a_fortieth_is_cut_off_either_end() {
        let scores: Vec<f64> = (0..80_u32).rev().map(f64::from).collect();
        assert_eq!(interval(&scores), Interval { mean: 39.5, half_width: 37.5, low: 2.0, high: 77.0 });
    }

    #[test]
    fn sums_of_every_length_are_whole() {
        for len in 0..600_u32 {
            let values: Vec<f64> = (0..len).map(f64::from).collect();
            assert!((pairwise_sum(&values) - f64::from(len) * (f64::from(len) - 1.0) / 2.0).abs() < 1e-9, "{len}");
        }
    }
}
