//! Products with weights of 8 bits: `C = init + A·Wᵀ`.
//!
//! ```text
//! W[o,k] ≈ scale_o · w[o,k]       w in −127..=127, one scale per row (output channel)      symmetric
//! A[n,k] ≈ scale_n · a[n,k]       a in −127..=127, one scale per row, found as it comes    dynamic
//! C[n,o] = init + (scale_n · scale_o) · Σ_k a[n,k]·w[o,k]                                   the sum exact, in 32 bits
//! ```
//! Jacob et al. 2018, §2.1, without zero points. Whole numbers are the same on every instruction set, and the few operations around them (a maximum, a division, two
//! multiplications, an addition) are rounded alike everywhere, so results are bit for bit the same on all machines and for any number of threads.
//!
//! Weights lie in panels of [`NR`] rows, four columns of every row side by side: 128 bytes that one step of the register tile reads. With one row in `A` every byte of `W` is read
//! once, in order; that is what bounds decoding. They are kept as `w + 128`, because `vpdpbusd` multiplies bytes without a sign by bytes with one.

use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Init, MatRef, Pool, Real};
use rows::{Rows, quantise_rows};
use tile::{MR, Tile};

mod matrix;
mod rows;
mod tile;

pub use matrix::{Int8Matrix, quantise_weights};

/// Rows of W (columns of the result) per panel.
const NR: usize = 32;
/// Columns of W that stand side by side in a panel.
const DEPTH: usize = 4;
/// The bytes of a panel's step: `DEPTH` columns of `NR` rows.
const STEP: usize = NR * DEPTH;
/// The most columns of W: sums of so many products fit into 32 bits, even of a byte without a sign and one with.
pub const MOST_COLUMNS: usize = 1 << 16;
/// Rows of A per task, at most.
const ROWS: usize = 96;
/// Below this many multiply-adds a product runs on the calling thread: waking workers costs microseconds.
const SERIAL: usize = 1 << 17;

/// `C = init + A·Wᵀ`, with `A` (M, K), `W` (N, K), `C` (M, N) row-major with rows `stride` apart. The shapes were checked.
pub(crate) fn product<T: Real>(
    exec: Exec<'_>,
    c: &mut [T],
    stride: usize,
    a: MatRef<'_, T>,
    w: &Int8Matrix,
    init: Init<'_, T>,
) {
    let (m, work) = (a.rows(), a.rows() * w.rows() * w.cols());
    let serial = Pool::new(1);
    let exec = if work <= SERIAL { Exec { pool: &serial, ..exec } } else { exec };
    let width = w.cols().next_multiple_of(DEPTH);
    with_scratch(Area::Left, m * width, |values: &mut [i8]| {
        with_scratch(Area::Right, m, |scales: &mut [f32]| {
            with_scratch(Area::Sums, m, |sums: &mut [i32]| {
                quantise_rows(exec, a, Rows { values: &mut *values, scales: &mut *scales, sums: &mut *sums, width });
                let product = Product { exec, tile: Tile::of(exec.isa), values, scales, sums, w, init, m };
                product.run(c, stride);
            });
        });
    });
}

/// A product being computed.
struct Product<'a, T> {
    exec: Exec<'a>,
    tile: Tile,
    /// (M, K), K padded with zeros to a multiple of `DEPTH`.
    values: &'a [i8],
    /// (M,).
    scales: &'a [f32],
    /// The sum of every row of `values`.
    sums: &'a [i32],
    w: &'a Int8Matrix,
    init: Init<'a, T>,
    m: usize,
}

impl<T: Real> Product<'_, T> {
    /// Tasks are some panels by some rows, by the shape of the problem alone.
    fn run(&self, c: &mut [T], stride: usize) {
        let n = self.w.rows();
        let panels = n.div_ceil(NR);
        let wide = (panels / 8).clamp(1, 8);
        let (across, down) = (panels.div_ceil(wide), self.m.div_ceil(ROWS));
        let out = Shared::new(c);
        self.exec.pool.run(across * down, |task| {
            let (first, top) = (task % across * wide, task / across * ROWS);
            let mut sums = [0i32; MR * NR];
            for panel in first..panels.min(first + wide) {
                for row in (top..self.m.min(top + ROWS)).step_by(MR) {
                    let rows = MR.min(self.m.min(top + ROWS) - row);
                    self.tile.run(
                        rows,
                        self.rows_from(row),
                        &self.sums[row..row + rows],
                        self.w.panel(panel),
                        &mut sums,
                    );
                    let columns = panel * NR..n.min((panel + 1) * NR);
                    for r in 0..rows {
                        // SAFETY: tasks have disjoint rows and columns.
                        let out = unsafe { out.part((row + r) * stride + columns.start, columns.len()) };
                        let sums = &sums[r * NR..][..columns.len()];
                        let scales = &self.w.scales()[columns.clone()];
                        match self.init {
                            Init::Zero => set(self.exec.isa, out, sums, self.scales[row + r], scales),
                            Init::Keep => add(self.exec.isa, out, sums, self.scales[row + r], scales),
                            Init::Bias(bias) => {
                                let bias = &bias[columns.clone()];
                                set_over(self.exec.isa, out, sums, self.scales[row + r], scales, bias);
                            }
                        }
                    }
                }
            }
        });
    }

    fn rows_from(&self, row: usize) -> &[i8] {
        &self.values[row * self.w.cols().next_multiple_of(DEPTH)..]
    }
}

/// A sum in the units of the result.
#[inline(always)]
#[allow(clippy::cast_precision_loss, reason = "rounding to the nearest is meant")]
fn scaled<T: Real>(sum: i32, row: f32, column: f32) -> T {
    T::from_f64(f64::from(sum as f32 * (row * column)))
}

crate::isa::multiversion! {
    fn set<T>(out: &mut [T], sums: &[i32], row: f32, scales: &[f32]) {
        for ((out, &sum), &scale) in out.iter_mut().zip(sums).zip(scales) {
            *out = scaled(sum, row, scale);
        }
    }
}

crate::isa::multiversion! {
    fn add<T>(out: &mut [T], sums: &[i32], row: f32, scales: &[f32]) {
        for ((out, &sum), &scale) in out.iter_mut().zip(sums).zip(scales) {
            *out += scaled(sum, row, scale);
        }
    }
}

crate::isa::multiversion! {
    fn set_over<T>(out: &mut [T], sums: &[i32], row: f32, scales: &[f32], bias: &[T]) {
        for (((out, &sum), &scale), &bias) in out.iter_mut().zip(sums).zip(scales).zip(bias) {
            *out = bias + scaled(sum, row, scale);
        }
    }
}

#[cfg(test)]
mod tests;
