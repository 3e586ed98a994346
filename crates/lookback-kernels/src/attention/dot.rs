//! The multiplicative score of one query: `e[s] = scale · qᵀ k[s]`, and the way back.
//!
//! ```text
//! dq += Σ_s scale·de[s]·k[s]        dk[s] += scale·de[s]·q
//! ```

use super::{Rows, weighted_sum};
use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::dot;
use crate::{Isa, Real};

multiversion! {
    /// `out[s] = scale · (x · rows[s·stride..])` for every s.
    pub(super) fn dots<T>(out: &mut [T], x: &[T], scale: T, rows: &[T], stride: usize) {
        for (s, out) in out.iter_mut().enumerate() {
            *out = scale * dot(x, &rows[s * stride..s * stride + x.len()]);
        }
    }
}

/// The gradients of one query's scores.
///
/// # Safety
/// No other live part of `dkeys` may overlap the rows `at`.
pub(super) unsafe fn backward<T: Real>(
    isa: Isa,
    (dq, dkeys): (&mut [T], &Shared<'_, T>),
    de: &[T],
    (q, keys): (&[T], &[T]),
    scale: T,
    at: Rows,
) {
    weighted_sum(isa, dq, de, scale, &keys[at.start..], at.stride);
    for s in 0..de.len() {
        // SAFETY: the caller's promise.
        let dk = unsafe { dkeys.part(at.start + s * at.stride, at.columns) };
        weighted_sum(isa, dk, &de[s..=s], scale, q, 0);
    }
}
