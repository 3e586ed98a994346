//! Softmax cross-entropy over rows of logits, with label smoothing, loss and gradient in one pass.
//!
//! ```text
//! nll  = −log p_y                                   p = softmax(logits)
//! loss = (1 − ε)·nll + ε/V·Σ_j −log p_j             Szegedy et al. 2016, §7; PyTorch's `CrossEntropyLoss`
//! dlogits_j = p_j − (1 − ε)·[j = y] − ε/V
//! ```

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::{exp_less, max_and_sum};
use crate::{Exec, Real, ln};

/// Label smoothing and the target that does not count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Smoothing {
    /// ε, the probability mass spread over the whole vocabulary.
    pub epsilon: f32,
    /// Rows with this target count for nothing (padding).
    pub ignore: u32,
}

/// A loss as sums of nats, with the number of targets that counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CrossEntropy {
    /// The smoothed loss that is trained on, summed, in nats.
    pub loss: f64,
    /// The negative log-likelihood, unsmoothed, summed, in nats.
    pub nll: f64,
    /// Targets that counted.
    pub tokens: u64,
    /// Those of them that no other entry of the vocabulary is more probable than.
    pub right: u64,
}

/// What a row adds to the sums: its nll and its loss in nats, and 1 if its target is right. Zeros where it is ignored.
pub type RowLoss = [f64; 3];

multiversion! {
    fn row_loss<T>(row: &mut [T], target: usize, epsilon: T) -> RowLoss {
        let vocabulary = T::from_f64(row.len() as f64);
        let logit = row[target].to_f64();
        let (m, total) = max_and_sum(row);
        let z = exp_less(row, m);
        let right = f64::from(u8::from(logit >= m.to_f64()));
        let log_z = m.to_f64() + ln(z.to_f64());
        let nll = log_z - logit;
        let uniform = log_z - total.to_f64() / row.len() as f64; // mean over the vocabulary of −log p
        let inverse = T::ONE / z;
        let rest = epsilon / vocabulary;
        for v in row.iter_mut() {
            *v = *v * inverse - rest;
        }
        row[target] -= T::ONE - epsilon;
        let epsilon = epsilon.to_f64();
        [nll, (1.0 - epsilon) * nll + epsilon * uniform, right]
    }
}

/// Turns `logits` (N, V) into the gradient of the summed loss with respect to them, in place, and returns the sums. `losses` (N,) receives what every
/// row adds to them.
///
/// # Panics
/// If the shapes disagree or a target is outside the vocabulary.
pub fn cross_entropy_rows<T: Real>(
    exec: Exec<'_>,
    logits: &mut [T],
    targets: &[u32],
    vocabulary: usize,
    smoothing: Smoothing,
    losses: &mut [RowLoss],
) -> CrossEntropy {
    assert!(logits.len() == targets.len() * vocabulary && losses.len() == targets.len(), "one target per row");
    let epsilon = T::from_f64(f64::from(smoothing.epsilon));
    {
        let (logits, losses) = (Shared::new(logits), Shared::new(losses));
        const ROWS: usize = 8; // rows per task
        exec.pool.run(targets.len().div_ceil(ROWS), |task| {
            for n in task * ROWS..((task + 1) * ROWS).min(targets.len()) {
                // SAFETY: rows do not overlap.
                let (row, loss) = unsafe { (logits.part(n * vocabulary, vocabulary), losses.part(n, 1)) };
                if targets[n] == smoothing.ignore {
                    row.fill(T::ZERO);
                    loss[0] = [0.0; 3];
                } else {
                    assert!((targets[n] as usize) < vocabulary, "target {} of {vocabulary}", targets[n]);
                    loss[0] = row_loss(exec.isa, row, targets[n] as usize, epsilon);
                }
            }
        });
    }
    let mut sums = CrossEntropy::default();
    for (&[nll, loss, right], &target) in losses.iter().zip(targets) {
        sums.nll += nll;
        sums.loss += loss;
        sums.tokens += u64::from(target != smoothing.ignore);
        sums.right += u64::from(right > 0.0);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};
    use lookback_testkit::{assert_close, max_grad_error};

    const V: usize = 37;
    const TARGETS: [u32; 4] = [3, 0, 36, 1];

    fn run<T: Real>(exec: Exec<'_>, logits: &[T], epsilon: f32) -> (Vec<T>, CrossEntropy) {
        let mut x = logits.to_vec();
        let smoothing = Smoothing { epsilon, ignore: 0 };
        let sums = cross_entropy_rows(exec, &mut x, &TARGETS, V, smoothing, &mut [[0.0; 3]; 4]);
        (x, sums)
    }

    #[test]
    fn the_gradient_agrees_with_differences_with_and_without_smoothing() {
        let pool = Pool::new(2);
        let exec = Exec::new(&pool, Isa::PORTABLE);
        let logits: Vec<f64> = (0..4 * V).map(|i| (i as f64 * 0.77).sin() * 3.0).collect();
        for epsilon in [0.0, 0.1] {
            let (grad, sums) = run(exec, &logits, epsilon);
            assert_eq!(sums.tokens, 3);
            let error = max_grad_error(&mut logits.clone(), &grad, |x| run(exec, x, epsilon).1.loss);
            // Rounding of a loss near 12 over a step of 1e-5, relative to gradients of 1e-4 and more.
            assert!(error < 1e-5, "ε = {epsilon}: {error}");
            assert!(grad[V..2 * V].iter().all(|&g| g == 0.0), "an ignored row has no gradient");
        }
    }

    #[test]
    fn a_target_is_right_where_nothing_is_more_probable() {
        let pool = Pool::new(2);
        let mut logits = vec![0.0f32; 4 * V];
        // Right; ignored, though it would be right; wrong by a hair; equal to another.
        for (n, v, logit) in [(0, 3, 1.0), (1, 0, 1.0), (2, 36, 1.0), (2, 5, 1.000_001), (3, 1, 2.0), (3, 30, 2.0)] {
            logits[n * V + v] = logit;
        }
        for isa in Isa::available() {
            for epsilon in [0.0, 0.1] {
                let sums = run(Exec::new(&pool, isa), &logits, epsilon).1;
                assert_eq!((sums.right, sums.tokens), (2, 3), "{isa:?}");
            }
        }
        let unknown = run(Exec::new(&pool, Isa::PORTABLE), &vec![f32::NAN; 4 * V], 0.0).1;
        assert_eq!(unknown.right, 0, "what is no number is not right");
    }

    #[test]
    fn without_smoothing_the_loss_is_the_nll() {
        let pool = Pool::new(1);
        let logits: Vec<f32> = (0..4 * V).map(|i| (i as f32 * 0.77).sin() * 3.0).collect();
        let wide: Vec<f64> = logits.iter().map(|&v| f64::from(v)).collect();
        for isa in Isa::available() {
            let exec = Exec::new(&pool, isa);
            let (grad, sums) = run(exec, &logits, 0.0);
            let (truth, exact) = run(exec, &wide, 0.0);
            assert!((sums.loss - sums.nll).abs() < 1e-12);
            assert!((sums.nll - exact.nll).abs() < 1e-5, "{} for {}", sums.nll, exact.nll);
            let truth: Vec<f32> = truth.into_iter().map(f32::from_f64).collect();
            assert_close("gradient", &grad, &truth, 1e-5, 1e-6);
        }
    }
}
