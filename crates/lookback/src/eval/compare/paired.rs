//! Systems beside a baseline.

use lookback_kernels::Pool;

use super::bootstrap::resampled_scores;
use super::randomization::randomized_p_value;
use super::{Interval, PairedTest, Sampling};
use crate::eval::metric::signature;
use crate::eval::{EvalError, Metric, Statistics};

/// One system's line of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The score of the whole corpus.
    pub score: f64,
    /// Mean and interval of the resampled scores; none with approximate randomisation.
    pub interval: Option<Interval>,
    /// How likely a difference as large is by luck alone; none for the baseline.
    pub p_value: Option<f64>,
}

/// Compares systems with the first of them, the baseline.
///
/// # Errors
/// If there are fewer than two systems, they have different sentences in number, there is no sentence, or no sample is asked for.
///
/// # Examples
/// ```
/// use lookback::eval::{ChrfMetric, PairedTest, Pool, Sampling, Statistics, compare};
///
/// let (chrf, pool) = (ChrfMetric::default(), Pool::new(1));
/// let refs = [["a red hat"], ["two old dogs"], ["my blue car"]];
/// let count = |hyps: [&str; 3]| Statistics::collect(&chrf, &hyps, &refs, &pool);
/// let systems = [count(["red hat", "old dog", "my car"])?, count(["a red hat", "two dogs", "my blue car"])?];
/// let test = PairedTest::Bootstrap;
/// let lines = compare(&chrf, &systems, test, Sampling::of(test), &pool)?;
/// assert!(lines[1].score > lines[0].score && lines[1].p_value.is_some());
/// # Ok::<(), lookback::eval::EvalError>(())
/// ```
pub fn compare(
    metric: &(impl Metric + ?Sized),
    systems: &[Statistics],
    test: PairedTest,
    sampling: Sampling,
    pool: &Pool,
) -> Result<Vec<Compared>, EvalError> {
    let [baseline, others @ ..] = systems else {
        return Err(EvalError::NothingToCompare);
    };
    if others.is_empty() {
        return Err(EvalError::NothingToCompare);
    }
    let all: Vec<&Statistics> = systems.iter().collect();
    sampling.check(&all)?;
    let scores: Vec<f64> = systems.iter().map(|system| metric.score(&system.sums())).collect();
    let difference = |i: usize| (scores[0] - scores[i]).abs();
    let line = |i: usize| Compared { score: scores[i], interval: None, p_value: None };
    let mut lines: Vec<Compared> = (0..systems.len()).map(line).collect();
    match test {
        PairedTest::Bootstrap => {
            let samples = resampled_scores(metric, &all, sampling, pool)?;
            for (i, (line, scores)) in lines.iter_mut().zip(&samples).enumerate() {
                line.interval = Some(scores.interval());
                line.p_value = (i > 0).then(|| scores.p_value(&samples[0], difference(i)));
            }
        }
        PairedTest::Randomization => {
            for (i, system) in others.iter().enumerate().map(|(i, system)| (i + 1, system)) {
                lines[i].p_value = Some(randomized_p_value(metric, baseline, system, difference(i), sampling, pool)?);
            }
        }
    }
    Ok(lines)
}

impl PairedTest {
    /// The signature of a score under this test, which names the samples and the seed after the references.
    #[must_use]
    pub fn signature(self, metric: &(impl Metric + ?Sized), references: Option<usize>, sampling: Sampling) -> String {
        let name = match self {
            Self::Bootstrap => "bs",
            Self::Randomization => "ar",
        };
        let test = format!("{name}:{}|seed:{}", sampling.samples, sampling.seed);
        signature(references, Some(&test), &metric.settings())
    }
}
