//! Rows of activations in 8 bits, each with a scale of its own.

use super::DEPTH;
use crate::isa::multiversion;
use crate::shared::Shared;
use crate::{Exec, MatRef, Real};

/// Where quantised rows go.
pub(super) struct Rows<'a> {
    /// (M, `width`), zeros beyond the columns.
    pub(super) values: &'a mut [i8],
    /// (M,): what a value is worth.
    pub(super) scales: &'a mut [f32],
    /// (M,): the sum of a row's values.
    pub(super) sums: &'a mut [i32],
    pub(super) width: usize,
}

/// Quantises the rows of `a`, whose columns lie side by side.
pub(super) fn quantise_rows<T: Real>(exec: Exec<'_>, a: MatRef<'_, T>, out: Rows<'_>) {
    const TASK: usize = 16; // rows per task
    let (rows, cols, width) = (a.rows(), a.cols(), out.width);
    debug_assert!(width - cols < DEPTH);
    let (values, scales, sums) = (Shared::new(out.values), Shared::new(out.scales), Shared::new(out.sums));
    exec.pool.run(rows.div_ceil(TASK), |task| {
        for n in task * TASK..rows.min((task + 1) * TASK) {
            // SAFETY: rows do not overlap.
            let (values, scale, sum) = unsafe { (values.part(n * width, width), scales.part(n, 1), sums.part(n, 1)) };
            let (values, rest) = values.split_at_mut(cols);
            (scale[0], sum[0]) = quantise_row(exec.isa, values, a.row(n));
            rest.fill(0);
        }
    });
}

multiversion! {
    /// `q = round(x / scale)` with `scale = max |x| / 127`: returns the scale and Σ q. What is not finite makes the scale so, and nothing is hidden.
    fn quantise_row<T>(q: &mut [i8], x: &[T]) -> (f32, i32) {
        const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it rounds to an integer, which is then in the low bits
        // As bits, NaN is above infinity and infinity above all numbers.
        let mut most = [0u32; 16];
        for x in x.chunks(16) {
            for (most, &x) in most.iter_mut().zip(x) {
                *most = (*most).max(f32::from_f64(x.to_f64()).to_bits() & 0x7fff_ffff);
            }
        }
        let largest = f32::from_bits(most.into_iter().fold(0, u32::max));
        let inverse = 127.0 / largest;
        // Nothing but zeros, or numbers too small to have an inverse: they count as zeros.
        let inverse = if inverse.is_finite() { inverse } else { 0.0 };
        let mut sum = 0;
        for (q, &x) in q.iter_mut().zip(x) {
            #[allow(clippy::cast_possible_truncation, reason = "the low byte is the number")]
            let rounded = (f32::from_f64(x.to_f64()) * inverse + ROUND).to_bits() as i8;
            *q = rounded;
            sum += i32::from(rounded);
        }
        (largest / 127.0, sum)
    }
}
