//! Approximate randomisation: a coin for each sentence decides whose translation it is.

use std::sync::atomic::{AtomicUsize, Ordering};

use lookback_kernels::Pool;

use super::Sampling;
use super::scores::more_than_chance;
use crate::eval::numpy_random::{NumpyBits, NumpyRandom};
use crate::eval::{EvalError, Metric, Statistics};

/// Samples drawn before the threads score them.
const SAMPLES: usize = 256;

/// The p-value of the difference between a system and the baseline.
pub(super) fn randomized_p_value(
    metric: &(impl Metric + ?Sized),
    baseline: &Statistics,
    system: &Statistics,
    difference: f64,
    sampling: Sampling,
    pool: &Pool,
) -> Result<f64, EvalError> {
    let sentences = sampling.check(&[baseline, system])? as usize;
    let mut coins = NumpyBits::new(NumpyRandom::new(sampling.seed));
    let larger = AtomicUsize::new(0);
    for first in (0..sampling.samples).step_by(SAMPLES) {
        let samples = SAMPLES.min(sampling.samples - first);
        let heads: Vec<Vec<bool>> = (0..samples).map(|_| coins.by_ref().take(sentences).collect()).collect();
        pool.run(samples, |k| {
            let [one, other] = swapped(baseline, system, &heads[k]);
            if (metric.score(&one) - metric.score(&other)).abs() > difference {
                larger.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    Ok(more_than_chance(larger.into_inner(), sampling.samples))
}

/// The sums of the two systems that mixing makes. What comes from the baseline and what from the system is summed apart, as in the original.
fn swapped(baseline: &Statistics, system: &Statistics, heads: &[bool]) -> [Vec<f64>; 2] {
    let width = baseline.width();
    // By whose sentence it is, then by the side of the coin.
    let mut sums = [[vec![0.0; width], vec![0.0; width]], [vec![0.0; width], vec![0.0; width]]];
    for ((mine, theirs), &head) in baseline.rows().zip(system.rows()).zip(heads) {
        for (sums, row) in sums.iter_mut().zip([mine, theirs]) {
            for (sum, value) in sums[usize::from(head)].iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
    let [[mine_tail, mine_head], [their_tail, their_head]] = sums;
    let add = |a: Vec<f64>, b: Vec<f64>| a.iter().zip(&b).map(|(a, b)| a + b).collect();
    [add(mine_head, their_tail), add(mine_tail, their_head)]
}
