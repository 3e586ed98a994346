//! A weight of 8 bits: rows with a scale each, in panels.

use super::{DEPTH, MOST_COLUMNS, NR, STEP};
use crate::shared::{Aligned, Shared};
use crate::{Exec, Real};

/// A matrix (N, K) of whole numbers in −127..=127, every row with its scale. Offers products (as the right operand, transposed) and row look-up.
#[derive(Debug, Clone)]
pub struct Int8Matrix {
    /// Panels of `NR` rows; the bytes of a panel are `w + 128`, four columns of every row side by side. Beyond the edges stands 128, a zero.
    panels: Aligned<u8>,
    scales: Vec<f32>,
    rows: usize,
    cols: usize,
}

/// Where column 0 of row `row` lies in a panel that starts at 0.
fn place(row: usize) -> usize {
    row % NR * DEPTH
}

impl Int8Matrix {
    /// The matrix of `values` (rows, cols), row-major, and `scales` (rows,).
    ///
    /// # Panics
    /// If the lengths disagree, there are more than 2¹⁶ columns, or a value is −128.
    #[must_use]
    pub fn new(exec: Exec<'_>, values: &[i8], scales: Vec<f32>, rows: usize, cols: usize) -> Self {
        assert!(values.len() == rows * cols && scales.len() == rows, "a weight of {rows} × {cols}, a scale per row");
        assert!(cols <= MOST_COLUMNS, "{cols} columns; sums of more than {MOST_COLUMNS} products leave 32 bits");
        assert!(values.iter().all(|&w| w != i8::MIN), "values are in -127..=127");
        let mut matrix = Self { panels: Aligned::empty(), scales, rows, cols };
        let (size, count) = (matrix.panel_size(), rows.div_ceil(NR));
        let panels = Shared::new(matrix.panels.resized(size * count));
        exec.pool.run(count, |p| {
            // SAFETY: panels do not overlap.
            let panel = unsafe { panels.part(p * size, size) };
            panel.fill(128);
            for row in p * NR..rows.min((p + 1) * NR) {
                let from = values[row * cols..][..cols].chunks(DEPTH);
                for (to, from) in panel[place(row)..].chunks_mut(STEP).zip(from) {
                    to.iter_mut().zip(from).for_each(|(to, &w)| *to = w.cast_unsigned() ^ 128);
                }
            }
        });
        matrix
    }

    /// N.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// K.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// What a row's values are worth (N,).
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    fn panel_size(&self) -> usize {
        self.cols.div_ceil(DEPTH) * STEP
    }

    /// The bytes of a panel.
    pub(super) fn panel(&self, panel: usize) -> &[u8] {
        let size = self.panel_size();
        &self.panels.as_slice()[panel * size..][..size]
    }

    /// Writes row `row`, as real numbers, to `out` (K,).
    ///
    /// # Panics
    /// If there is no such row, or `out` has another length.
    pub fn row<T: Real>(&self, row: usize, out: &mut [T]) {
        assert!(row < self.rows && out.len() == self.cols, "row {row} of {} × {}", self.rows, self.cols);
        let scale = self.scales[row];
        let steps = self.panel(row / NR)[place(row)..].chunks(STEP);
        for (out, from) in out.chunks_mut(DEPTH).zip(steps) {
            for (out, &byte) in out.iter_mut().zip(from) {
                *out = T::from_f64(f64::from(f32::from((byte ^ 128).cast_signed()) * scale));
            }
        }
    }

    /// `y[n] = row ids[n]`: `ids` (N,), `y` (N, K).
    ///
    /// # Panics
    /// If the shapes disagree or an id is outside the table.
    pub fn embed<T: Real>(&self, exec: Exec<'_>, y: &mut [T], ids: &[u32]) {
        const ROWS: usize = 16; // rows per task
        assert_eq!(y.len(), ids.len() * self.cols, "embed: one row per id");
        let out = Shared::new(y);
        exec.pool.run(ids.len().div_ceil(ROWS), |task| {
            for n in task * ROWS..ids.len().min((task + 1) * ROWS) {
                // SAFETY: rows do not overlap.
                self.row(ids[n] as usize, unsafe { out.part(n * self.cols, self.cols) });
            }
        });
    }
}

/// The nearest matrix of 8 bits: for each row of `values` (·, `cols`) the scale `max |w| / 127`, and whole numbers in −127..=127.
///
/// # Panics
/// If `values` does not consist of whole rows.
#[must_use]
pub fn quantise_weights(values: &[f32], cols: usize) -> (Vec<i8>, Vec<f32>) {
    assert_eq!(values.len() % cols, 0, "rows of {cols}");
    let mut scales = Vec::with_capacity(values.len() / cols);
    let mut quantised = Vec::with_capacity(values.len());
    for row in values.chunks(cols) {
        let largest = row.iter().fold(0.0f32, |most, w| most.max(w.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / f64::from(scale) } else { 0.0 };
        #[allow(clippy::cast_possible_truncation, reason = "between -127 and 127")]
        let whole = |&w: &f32| (f64::from(w) * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
        quantised.extend(row.iter().map(whole));
        scales.push(scale);
    }
    (quantised, scales)
}
