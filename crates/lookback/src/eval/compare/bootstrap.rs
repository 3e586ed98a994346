//! Bootstrap resampling: corpora of as many sentences, drawn with replacement.

use std::sync::{Mutex, PoisonError};

use lookback_kernels::Pool;

use super::Sampling;
use super::scores::Scores;
use crate::eval::numpy_random::NumpyRandom;
use crate::eval::{EvalError, Float, Metric, Statistics};

/// Samples drawn before the threads score them.
const SAMPLES: usize = 64;

/// A mean over resampled corpora and the interval that holds 95 % of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The mean score.
    pub mean: f64,
    /// Half of (97.5th − 2.5th percentile), which sacreBLEU writes behind the mean.
    pub half_width: f64,
    /// The 2.5th percentile. Unlike mean − half-width it never leaves the range of the scores.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// The bootstrap interval of a score, in sacreBLEU's digits.
///
/// # Errors
/// If there is no sentence, or no sample is asked for.
pub fn bootstrap_interval(
    metric: &(impl Metric + ?Sized),
    statistics: &Statistics,
    sampling: Sampling,
    pool: &Pool,
) -> Result<Interval, EvalError> {
    let scores = resampled_scores(metric, &[statistics], sampling, pool)?;
    Ok(scores[0].interval())
}

/// The bootstrap interval of how much higher the score of `statistics` is than that of `baseline`: the same sentences are drawn for both.
///
/// # Errors
/// If they are not of the same sentences, there is none, or no sample is asked for.
pub fn bootstrap_difference(
    metric: &(impl Metric + ?Sized),
    statistics: &Statistics,
    baseline: &Statistics,
    sampling: Sampling,
    pool: &Pool,
) -> Result<Interval, EvalError> {
    let scores = resampled_scores(metric, &[baseline, statistics], sampling, pool)?;
    Ok(scores[1].over(&scores[0]).interval())
}

/// The scores of resampled corpora, the same sentences for each of the systems.
pub(super) fn resampled_scores(
    metric: &(impl Metric + ?Sized),
    systems: &[&Statistics],
    sampling: Sampling,
    pool: &Pool,
) -> Result<Vec<Scores>, EvalError> {
    let sentences = sampling.check(systems)?;
    let rows: Vec<Rows> = systems.iter().map(|statistics| Rows::new(statistics)).collect();
    let mut random = NumpyRandom::new(sampling.seed);
    let mut scores: Vec<Vec<Float>> = vec![Vec::with_capacity(sampling.samples); systems.len()];
    for first in (0..sampling.samples).step_by(SAMPLES) {
        let samples = SAMPLES.min(sampling.samples - first);
        let draws: Vec<Vec<u32>> =
            (0..samples).map(|_| (0..sentences).map(|_| random.below(sentences)).collect()).collect();
        let found: Vec<Mutex<Vec<Float>>> = draws.iter().map(|_| Mutex::default()).collect();
        pool.run(samples, |k| {
            let scores = rows.iter().map(|rows| metric.resampled(&rows.sum(&draws[k]))).collect();
            *found[k].lock().unwrap_or_else(PoisonError::into_inner) = scores;
        });
        for found in found {
            let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
            scores.iter_mut().zip(found).for_each(|(scores, score)| scores.push(score));
        }
    }
    Ok(scores.iter().map(|scores| Scores::new(scores)).collect())
}

/// Statistics in single precision.
struct Rows {
    width: usize,
    values: Vec<f32>,
}

impl Rows {
    #[allow(clippy::cast_possible_truncation, reason = "the original resamples in single precision")]
    fn new(statistics: &Statistics) -> Self {
        let values: Vec<f32> = statistics.rows().flatten().map(|&value| value as f32).collect();
        Self { width: values.len() / statistics.sentences(), values }
    }

    /// The sum of the rows drawn, added one after the other in single precision.
    fn sum(&self, draws: &[u32]) -> Vec<f32> {
        let mut sums = vec![0.0; self.width];
        for &draw in draws {
            let at = draw as usize * self.width;
            for (sum, value) in sums.iter_mut().zip(&self.values[at..at + self.width]) {
                *sum += value;
            }
        }
        sums
    }
}
