//! The additive score of one query: `e[s] = Σ_j v_j · tanh(q_j + k_j[s])`, and the way back.
//!
//! ```text
//! u_j[s] = tanh(q_j + k_j[s])                            computed again on the way back: (T, B, S, H) numbers would have to be kept
//! g_j[s] = de[s]·v_j·(1 − u_j[s]²)
//! dq_j += Σ_s g_j[s]        dk_j[s] += g_j[s]        dv_j += Σ_s de[s]·u_j[s]
//! ```

use super::Rows;
use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::{LANES, fold};
use crate::{Isa, Real};

multiversion! {
    /// `e[s] = Σ_j v_j · tanh(q_j + rows[s·stride + j])` for every s.
    pub(super) fn scores<T>(e: &mut [T], q: &[T], v: &[T], rows: &[T], stride: usize) {
        for (s, e) in e.iter_mut().enumerate() {
            let k = &rows[s * stride..s * stride + q.len()];
            let mut lanes = [T::ZERO; LANES];
            let (qs, ks, vs) = (q.chunks_exact(LANES), k.chunks_exact(LANES), v.chunks_exact(LANES));
            let tails = qs.remainder().iter().zip(ks.remainder()).zip(vs.remainder());
            for ((q, k), v) in qs.zip(ks).zip(vs) {
                for i in 0..LANES {
                    lanes[i] += v[i] * (q[i] + k[i]).tanh();
                }
            }
            for (lane, ((&q, &k), &v)) in lanes.iter_mut().zip(tails) {
                *lane += v * (q + k).tanh();
            }
            *e = fold(lanes, |a, b| a + b);
        }
    }
}

multiversion! {
    /// The gradients of one position's score.
    fn position<T>(dq: &mut [T], dk: &mut [T], dv: &mut [T], de: T, q: &[T], k: &[T], v: &[T]) {
        let n = dq.len();
        let (dk, dv, q, k, v) = (&mut dk[..n], &mut dv[..n], &q[..n], &k[..n], &v[..n]);
        for j in 0..n {
            let u = (q[j] + k[j]).tanh();
            let g = de * v[j] * (T::ONE - u * u);
            dq[j] += g;
            dk[j] += g;
            dv[j] += de * u;
        }
    }
}

/// The gradients of one query's scores.
///
/// # Safety
/// No other live part of `dkeys` may overlap the rows `at`.
pub(super) unsafe fn backward<T: Real>(
    isa: Isa,
    (dq, dkeys, dv): (&mut [T], &Shared<'_, T>, &mut [T]),
    de: &[T],
    (q, keys, v): (&[T], &[T], &[T]),
    at: Rows,
) {
    for (s, &de) in de.iter().enumerate() {
        let row = at.start + s * at.stride;
        // SAFETY: the caller's promise.
        let dk = unsafe { dkeys.part(row, at.columns) };
        position(isa, dq, dk, dv, de, q, &keys[row..], v);
    }
}
