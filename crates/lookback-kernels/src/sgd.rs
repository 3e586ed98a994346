//! Stochastic gradient descent with momentum, and the moving average of weights.

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::{Exec, Real, SparseRows};

/// Elements per task.
const CHUNK: usize = 1 << 14;

/// One update by gradient descent, in PyTorch's order of operations: `m = μ·m + g`, `w −= rate·m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub rate: f64,
    /// μ, how much of the step before goes into this one; without it there is no `m`.
    pub momentum: f64,
    /// What every gradient is multiplied by first: one over the number of target tokens, times the clipping factor.
    pub scale: f64,
}

multiversion! {
    fn plain<T>(w: &mut [T], g: &[T], f: [T; 2]) {
        let [scale, rate] = f;
        for (w, &g) in w.iter_mut().zip(g) {
            *w -= rate * (g * scale);
        }
    }
}

multiversion! {
    fn with_momentum<T>(w: &mut [T], g: &[T], m: &mut [T], f: [T; 3]) {
        let [scale, rate, momentum] = f;
        for ((w, &g), m) in w.iter_mut().zip(g).zip(m) {
            *m = *m * momentum + g * scale;
            *w -= rate * *m;
        }
    }
}

/// Updates the weights `w` from the gradient `g`; `m` is the step before, if there is momentum.
///
/// # Panics
/// If the lengths differ.
pub fn sgd<T: Real>(exec: Exec<'_>, w: &mut [T], g: &[T], m: Option<&mut [T]>, step: SgdStep) {
    let len = w.len();
    assert!(
        g.len() == len && m.as_ref().is_none_or(|m| m.len() == len),
        "weights, gradient and momentum have one length"
    );
    let [scale, rate, momentum] = [step.scale, step.rate, step.momentum].map(T::from_f64);
    let (w, m) = (Shared::new(w), m.map(Shared::new));
    exec.pool.run(len.div_ceil(CHUNK), |i| {
        let start = i * CHUNK;
        let n = CHUNK.min(len - start);
        let g = &g[start..start + n];
        // SAFETY: chunks do not overlap.
        let (w, m) = unsafe { (w.part(start, n), m.as_ref().map(|m| m.part(start, n))) };
        match m {
            Some(m) => with_momentum(exec.isa, w, g, m, [scale, rate, momentum]),
            None => plain(exec.isa, w, g, [scale, rate]),
        }
    });
}

multiversion! {
    /// [`with_momentum`] without a gradient: the step before goes on.
    fn decay<T>(w: &mut [T], m: &mut [T], f: [T; 2]) {
        let [rate, momentum] = f;
        for (w, m) in w.iter_mut().zip(m) {
            *m = *m * momentum + T::ZERO;
            *w -= rate * *m;
        }
    }
}

/// [`sgd`] of a table from the rows of its gradient, bit for bit: without momentum, rows that nothing has reached stay.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_rows<T: Real>(exec: Exec<'_>, w: &mut [T], g: &SparseRows<T>, m: Option<&mut [T]>, step: SgdStep) {
    let len = w.len();
    assert!(
        g.len() == len && m.as_ref().is_none_or(|m| m.len() == len),
        "weights, gradient and momentum have one length"
    );
    let [scale, rate, momentum] = [step.scale, step.rate, step.momentum].map(T::from_f64);
    let (w, m) = (Shared::new(w), m.map(Shared::new));
    g.run(exec, |run, g| {
        // SAFETY: runs do not overlap.
        let (w, m) = unsafe { (w.part(run.start, run.len()), m.as_ref().map(|m| m.part(run.start, run.len()))) };
        match (g, m) {
            (Some(g), Some(m)) => with_momentum(exec.isa, w, g, m, [scale, rate, momentum]),
            (Some(g), None) => plain(exec.isa, w, g, [scale, rate]),
            (None, Some(m)) => decay(exec.isa, w, m, [rate, momentum]),
            (None, None) => {}
        }
    });
}

multiversion! {
    fn update_average_chunk<T>(average: &mut [T], w: &[T], share: T) {
        for (average, &w) in average.iter_mut().zip(w) {
            *average += share * (w - *average);
        }
    }
}

/// One step of an exponential moving average of the weights: `average += share·(w − average)`.
///
/// # Panics
/// If the lengths differ.
pub fn update_average<T: Real>(exec: Exec<'_>, average: &mut [T], w: &[T], share: f64) {
    let len = average.len();
    assert_eq!(w.len(), len, "average and weights have one length");
    let average = Shared::new(average);
    exec.pool.run(len.div_ceil(CHUNK), |i| {
        let start = i * CHUNK;
        let n = CHUNK.min(len - start);
        // SAFETY: chunks do not overlap.
        update_average_chunk(exec.isa, unsafe { average.part(start, n) }, &w[start..start + n], T::from_f64(share));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};
    use lookback_testkit::{assert_close, fewer};

    const STEP: SgdStep = SgdStep { rate: 0.5, momentum: 0.75, scale: 0.25 };

    fn exec(pool: &Pool, isa: Isa) -> Exec<'_> {
        Exec::new(pool, isa)
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "eighths are exact")]
    fn momentum_is_the_gradient_and_a_share_of_the_step_before() {
        let pool = Pool::new(1);
        let (mut w, mut m) = ([1.0f32, 2.0], [2.0f32, 0.0]);
        sgd(exec(&pool, Isa::detect()), &mut w, &[4.0, -8.0], Some(&mut m), STEP);
        assert_eq!((w, m), ([-0.25, 3.0], [2.5, -2.0]));
        sgd(exec(&pool, Isa::detect()), &mut w, &[4.0, -8.0], None, STEP);
        assert_eq!(w, [-0.75, 4.0]);
    }

    #[test]
    fn threads_change_no_bit_and_instruction_sets_round_alike() {
        let values = |f: f32| (0..fewer(40_000, 400)).map(|i| (i as f32 * f).sin()).collect::<Vec<f32>>();
        let run = |threads, isa| {
            let pool = Pool::new(threads);
            let (mut w, g, mut m) = (values(0.01), values(0.02), values(0.03));
            let mut average = values(0.04);
            sgd(exec(&pool, isa), &mut w, &g, Some(&mut m), STEP);
            update_average(exec(&pool, isa), &mut average, &w, 0.1);
            [w, m, average].concat()
        };
        let portable = run(1, Isa::PORTABLE);
        for isa in Isa::available() {
            let one = run(1, isa);
            assert!(one == run(2, isa) && one == run(4, isa));
            assert_close("sgd", &one, &portable, 1e-6, 1e-7);
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "quarters are exact")]
    fn an_average_moves_by_its_share() {
        let pool = Pool::new(1);
        let mut average = [1.0f64, -3.0];
        update_average(exec(&pool, Isa::detect()), &mut average, &[2.0, 1.0], 0.25);
        assert_eq!(average, [1.25, -2.0]);
    }
}
