//! The Adam update and the norm that gradients are clipped by.

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::dot;
use crate::{Exec, Real, power};

/// Elements per task.
const CHUNK: usize = 1 << 14;

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

multiversion! {
    fn update<T>(w: &mut [T], g: &[T], m: &mut [T], v: &mut [T], f: [T; 7]) {
        let [scale, beta1, beta2, rate, inverse_root, epsilon, keep] = f;
        let (rest1, rest2) = (T::ONE - beta1, T::ONE - beta2);
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m).zip(v) {
            let g = g * scale;
            *m = *m * beta1 + g * rest1;
            *v = *v * beta2 + g * g * rest2;
            *w = *w * keep - rate * *m / (v.sqrt() * inverse_root + epsilon);
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
    let power = |beta: f64| 1.0 - power(beta, step.step);
    let rate = step.rate / power(step.beta1);
    let inverse_root = 1.0 / power(step.beta2).sqrt();
    let keep = 1.0 - step.rate * step.decay;
    let factors = [step.scale, step.beta1, step.beta2, rate, inverse_root, step.epsilon, keep].map(T::from_f64);
    let (w, m, v) = (Shared::new(w), Shared::new(m), Shared::new(v));
    exec.pool.run(len.div_ceil(CHUNK), |i| {
        let start = i * CHUNK;
        let n = CHUNK.min(len - start);
        // SAFETY: chunks do not overlap.
        let (w, m, v) = unsafe { (w.part(start, n), m.part(start, n), v.part(start, n)) };
        update(exec.isa, w, &g[start..start + n], m, v, factors);
    });
}

multiversion! {
    fn chunk_norm<T>(x: &[T]) -> f64 {
        let mut total = 0.0;
        for part in x.chunks(1024) {
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
    use super::*;
    use crate::{Isa, Pool};

    #[test]
    fn the_norm_is_the_same_for_any_number_of_threads() {
        let x: Vec<f32> = (0..50_000).map(|i| (i as f32 * 0.01).sin()).collect();
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
