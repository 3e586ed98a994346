//! Weights that are stored as bfloat16: the packed form is all that is kept of them. It serves products, as matrices do that are rounded while they are packed, and row
//! look-up.

use super::PackedMatrix;
use crate::microkernel::MicroKernel;
use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Products, Real, words};

/// Rows looked up per task.
const ROWS: usize = 16;

impl<T: Real> PackedMatrix<T> {
    /// Wᵀ, the right operand of `x·Wᵀ`, of a weight W (`rows`, `cols`) whose bfloat16 `fill` writes: whole rows from the given one on. It is called for some rows after others,
    /// on all threads. The bits are those of [`PackedMatrix::pack`] with [`Products::Bf16`].
    ///
    /// # Panics
    /// If products of this number type cannot be rounded.
    #[must_use]
    pub fn of_bf16(exec: Exec<'_>, rows: usize, cols: usize, fill: &(dyn Fn(usize, &mut [u16]) + Sync)) -> Self {
        let MicroKernel { nr, pair, .. } = T::micro_kernel(exec.isa, Products::Bf16);
        let mut packed = Self { rows: cols, cols: rows, nr, products: Products::Bf16, ..Self::empty() };
        let size = nr * cols.div_ceil(pair);
        let panels = Shared::new(packed.data.resized(rows.div_ceil(nr) * size));
        exec.pool.run(rows.div_ceil(nr), |p| {
            // SAFETY: panels do not overlap.
            let panel = unsafe { panels.part(p * size, size) };
            let (first, height) = (p * nr, nr.min(rows - p * nr));
            with_scratch(Area::Left, height * cols, |values: &mut [u16]| {
                fill(first, values);
                words::panel(panel, nr, values, cols, 0, |[low, high]| T::word(low, high));
            });
        });
        packed
    }

    /// Writes row `row` of W, exactly, to `out`, which has a column of W for each row of this.
    ///
    /// # Panics
    /// If there is no such row, `out` has another length, or this is not of bfloat16.
    pub fn bf16_row(&self, row: usize, out: &mut [T]) {
        assert_eq!(self.products, Products::Bf16, "other numbers are not known any more");
        assert!(row < self.cols && out.len() == self.rows, "row {row} of {} × {}", self.cols, self.rows);
        let size = self.nr * self.rows.div_ceil(2);
        let words = self.data.as_slice()[row / self.nr * size..][row % self.nr..size].iter().step_by(self.nr);
        for (out, &word) in out.chunks_mut(2).zip(words) {
            out.iter_mut().zip(T::unpair(word)).for_each(|(out, value)| *out = value);
        }
    }

    /// `y[n] = row ids[n] of W`: `ids` (N,), `y` (N, K).
    ///
    /// # Panics
    /// As [`PackedMatrix::bf16_row`].
    pub fn embed_bf16(&self, exec: Exec<'_>, y: &mut [T], ids: &[u32]) {
        let width = self.rows;
        assert_eq!(y.len(), ids.len() * width, "embed: one row per id");
        let out = Shared::new(y);
        exec.pool.run(ids.len().div_ceil(ROWS), |task| {
            for n in task * ROWS..ids.len().min((task + 1) * ROWS) {
                // SAFETY: rows do not overlap.
                self.bf16_row(ids[n] as usize, unsafe { out.part(n * width, width) });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Init, MatRef, Operand, gemm};
    use super::*;
    use crate::{Isa, Pool, from_bf16, to_bf16};

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let word = |i: u32| (i ^ seed).wrapping_mul(0x9E37_79B9).rotate_left(13).wrapping_mul(0x85EB_CA6B);
        (0..).take(count).map(|i| word(i) as f32 / u32::MAX as f32 - 0.5).collect()
    }

    /// Odd depths, panels that are not full, and as many rows of activations as one, a tile, and more.
    #[test]
    fn stored_weights_have_the_bits_of_weights_rounded_while_they_are_packed() {
        for (rows, cols) in [(1, 1), (5, 7), (40, 33), (64, 96), (70, 530)] {
            if lookback_testkit::is_left_out(30 * rows * cols) {
                continue;
            }
            let weights = numbers(rows * cols, 7);
            let stored: Vec<u16> = weights.iter().map(|&w| to_bf16(w)).collect();
            for isa in Isa::available() {
                let pool = Pool::new(2);
                let exec = Exec::new(&pool, isa);
                let fill = |row: usize, out: &mut [u16]| out.copy_from_slice(&stored[row * cols..][..out.len()]);
                let packed = PackedMatrix::of_bf16(exec, rows, cols, &fill);
                let mut rounded = PackedMatrix::empty();
                rounded.pack(exec.with(Products::Bf16), MatRef::new(&weights, rows, cols).t());
                for m in [1, 12, 29] {
                    let x = numbers(m * cols, 11);
                    let product = |w| {
                        let mut y = vec![0.0; m * rows];
                        gemm(exec, &mut y, rows, MatRef::new(&x, m, cols), Operand::Packed(w), Init::Zero);
                        y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
                    };
                    assert_eq!(product(&packed), product(&rounded), "{m} × {cols} × {rows}, {}", isa.name());
                }
                let ids: Vec<u32> = (0..rows as u32).rev().collect();
                let mut y = vec![f32::NAN; rows * cols];
                packed.embed_bf16(exec, &mut y, &ids);
                for (row, y) in (0..rows).rev().zip(y.chunks(cols)) {
                    let want: Vec<f32> = stored[row * cols..][..cols].iter().map(|&w| from_bf16(w)).collect();
                    assert_eq!(y, want, "row {row} of {rows} × {cols}, {}", isa.name());
                }
            }
        }
    }
}
