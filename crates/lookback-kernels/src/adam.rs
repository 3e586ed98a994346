//! The Adam update and the norm that gradients are clipped by.

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::dot;
use crate::{Exec, Real, SparseRows, power};

/// Elements per task.
pub(crate) const CHUNK: usize = 1 << 14;
/// Elements whose squares are summed in the numbers' own precision.
pub(crate) const PART: usize = 1024;

/// One Adam update (Kingma & Ba 2015, algorithm 1), with decay apart from the gradient (Loshchilov & Hutter 2019, algorithm 2), in PyTorch's order of operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The number of this update, from 1.
    pub step: u64,
    /// The share of itself, times the rate, that a weight loses first; 0 in plain Adam.
    pub decay: f64,
    /// What every gradient is multiplied by first: one over the number of target tokens, times the clipping factor.
    pub scale: f64,
}

/// What an update needs of a step, in the numbers' own precision.
#[derive(Clone, Copy)]
struct Factors<T> {
    scale: T,
    beta1: T,
    beta2: T,
    rate: T,
    inverse_root: T,
    epsilon: T,
    keep: T,
}

impl<T: Real> Factors<T> {
    fn new(step: AdamStep) -> Self {
        let power = |beta: f64| 1.0 - power(beta, step.step);
        Self {
            scale: T::from_f64(step.scale),
            beta1: T::from_f64(step.beta1),
            beta2: T::from_f64(step.beta2),
            rate: T::from_f64(step.rate / power(step.beta1)),
            inverse_root: T::from_f64(1.0 / power(step.beta2).sqrt()),
            epsilon: T::from_f64(step.epsilon),
            keep: T::from_f64(1.0 - step.rate * step.decay),
        }
    }

    #[inline(always)]
    fn update(self, w: &mut T, g: T, m: &mut T, v: &mut T) {
        let g = g * self.scale;
        *m = *m * self.beta1 + g * (T::ONE - self.beta1);
        *v = *v * self.beta2 + g * g * (T::ONE - self.beta2);
        *w = *w * self.keep - self.rate * *m / (v.sqrt() * self.inverse_root + self.epsilon);
    }
}

multiversion! {
    fn update<T>(w: &mut [T], g: &[T], m: &mut [T], v: &mut [T], f: Factors<T>) {
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            f.update(w, g, m, v);
        }
    }
}

multiversion! {
    /// [`update`] without a gradient: the moments decay.
    fn decay<T>(w: &mut [T], m: &mut [T], v: &mut [T], f: Factors<T>) {
        for ((w, m), v) in w.iter_mut().zip(m).zip(v) {
            f.update(w, T::ZERO, m, v);
        }
    }
}

/// Updates the weights `w` from the gradient `g`; `m` and `v` are the moments.
///
/// # Panics
/// If the lengths differ.
pub fn adam<T: Real>(exec: Exec<'_>, w: &mut [T], g: &[T], m: &mut [T], v: &mut [T], step: AdamStep) {
    let len = w.len();
    assert!(g.len() == len && m.len() == len && v.len() == len, "weights, gradient and moments have one length");
    let factors = Factors::new(step);
    let (w, m, v) = (Shared::new(w), Shared::new(m), Shared::new(v));
    exec.pool.run(len.div_ceil(CHUNK), |i| {
        let start = i * CHUNK;
        let n = CHUNK.min(len - start);
        // SAFETY: chunks do not overlap.
        let (w, m, v) = unsafe { (w.part(start, n), m.part(start, n), v.part(start, n)) };
        update(exec.isa, w, &g[start..start + n], m, v, factors);
    });
}

/// [`adam`] of a table from the rows of its gradient, bit for bit: rows that nothing has reached move with their moments, too.
///
/// # Panics
/// If the lengths differ.
pub fn adam_rows<T: Real>(exec: Exec<'_>, w: &mut [T], g: &SparseRows<T>, m: &mut [T], v: &mut [T], step: AdamStep) {
    let len = w.len();
    assert!(g.len() == len && m.len() == len && v.len() == len, "weights, gradient and moments have one length");
    let factors = Factors::new(step);
    let (w, m, v) = (Shared::new(w), Shared::new(m), Shared::new(v));
    g.run(exec, |run, g| {
        // SAFETY: runs do not overlap.
        let (w, m, v) =
            unsafe { (w.part(run.start, run.len()), m.part(run.start, run.len()), v.part(run.start, run.len())) };
        match g {
            Some(g) => update(exec.isa, w, g, m, v, factors),
            None => decay(exec.isa, w, m, v, factors),
        }
    });
}

multiversion! {
    /// `Σ x²` of a chunk.
    pub(crate) fn chunk_norm<T>(x: &[T]) -> f64 {
        let mut total = 0.0;
        for part in x.chunks(PART) {
            total += dot(part, part).to_f64();
        }
        total
    }
}

/// `Σ x²`, in double precision over fixed chunks, the same for any number of threads.
pub fn squared_norm<T: Real>(exec: Exec<'_>, x: &[T]) -> f64 {
    let chunks = x.len().div_ceil(CHUNK);
    crate::shared::with_scratch(crate::shared::Area::Left, chunks, |sums: &mut [f64]| {
        let parts = Shared::new(sums);
        exec.pool.run(chunks, |i| {
            // SAFETY: each task writes its own element.
            let out = unsafe { parts.part(i, 1) };
            out[0] = chunk_norm(exec.isa, &x[i * CHUNK..x.len().min((i + 1) * CHUNK)]);
        });
        sums.iter().sum()
    })
}

#[cfg(test)]
mod tests {
    use lookback_testkit::fewer;

    use super::*;
    use crate::{Isa, Pool};

    #[test]
    fn the_norm_is_the_same_for_any_number_of_threads() {
        let x: Vec<f32> = (0..fewer(50_000, 5_000)).map(|i| (i as f32 * 0.01).sin()).collect();
        let truth: f64 = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        for isa in Isa::available() {
            let norm = |threads| squared_norm(Exec::new(&Pool::new(threads), isa), &x);
            let one = norm(1);
            assert_eq!(one.to_bits(), norm(2).to_bits());
            assert_eq!(one.to_bits(), norm(4).to_bits());
            assert!((one / truth - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_first_update_moves_every_weight_by_the_rate_against_its_gradient() {
        let pool = Pool::new(1);
        let (mut w, mut m, mut v) = ([1.0f64, 1.0, 1.0], [0.0; 3], [0.0; 3]);
        let step = AdamStep { rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-12, step: 1, decay: 0.0, scale: 0.5 };
        adam(Exec::new(&pool, Isa::detect()), &mut w, &[2.0, -0.3, 0.0], &mut m, &mut v, step);
        for (got, want) in w.iter().zip([0.9, 1.1, 1.0]) {
            assert!((got - want).abs() < 1e-9);
        }
    }
}
