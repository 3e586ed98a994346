//! A weight of 8 bits: rows with a scale each, in panels.

use super::{DEPTH, MOST_COLUMNS, NR};
use crate::shared::{Aligned, Area, Shared, with_scratch};
use crate::{Exec, Real, words};

/// What makes w + 128 of four bytes w.
const SIGNS: u32 = 0x8080_8080;

/// A matrix (N, K) of whole numbers in −127..=127, every row with its scale. Offers products (as the right operand, transposed) and row look-up.
#[derive(Debug)]
pub struct Int8Matrix {
    /// Panels of `NR` rows; a word is four columns of a row side by side, each a byte `w + 128`. Beyond the edges stands 128, a zero.
    panels: Aligned<u32>,
    scales: Vec<f32>,
    rows: usize,
    cols: usize,
}

impl Int8Matrix {
    /// The matrix of `values` (rows, cols), row-major, and `scales` (rows,).
    ///
    /// # Panics
    /// If the lengths disagree, there are more than 2¹⁶ columns, or a value is −128.
    #[must_use]
    pub fn new(exec: Exec<'_>, values: &[i8], scales: Vec<f32>, rows: usize, cols: usize) -> Self {
        assert_eq!(values.len(), rows * cols, "a weight of {rows} × {cols}");
        Self::read(exec, scales, rows, cols, &|row, out| out.copy_from_slice(&values[row * cols..][..out.len()]))
    }

    /// As [`Int8Matrix::new`], of values that `fill` writes: whole rows from the given one on. It is called for some rows after others, on all threads.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn read(
        exec: Exec<'_>,
        scales: Vec<f32>,
        rows: usize,
        cols: usize,
        fill: &(dyn Fn(usize, &mut [i8]) + Sync),
    ) -> Self {
        assert_eq!(scales.len(), rows, "a scale per row");
        assert!(cols <= MOST_COLUMNS, "{cols} columns; sums of more than {MOST_COLUMNS} products leave 32 bits");
        let mut matrix = Self { panels: Aligned::empty(), scales, rows, cols };
        let (size, count) = (matrix.panel_size(), rows.div_ceil(NR));
        let panels = Shared::new(matrix.panels.resized(size * count));
        exec.pool.run(count, |p| {
            // SAFETY: panels do not overlap.
            let panel = unsafe { panels.part(p * size, size) };
            let (first, height) = (p * NR, NR.min(rows - p * NR));
            with_scratch(Area::Left, height * cols, |values: &mut [i8]| {
                fill(first, values);
                assert!(values.iter().fold(true, |fine, &w| fine & (w != i8::MIN)), "values are in -127..=127");
                let word = |w: [i8; DEPTH]| u32::from_ne_bytes(w.map(i8::cast_unsigned)) ^ SIGNS;
                words::panel(panel, NR, values, cols, 0, word);
            });
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

    /// Words of a panel.
    fn panel_size(&self) -> usize {
        self.cols.div_ceil(DEPTH) * NR
    }

    /// The words of a panel.
    pub(super) fn panel(&self, panel: usize) -> &[u32] {
        let size = self.panel_size();
        &self.panels.as_slice()[panel * size..][..size]
    }

    /// Writes row `row`, as real numbers, to `out` (K,).
    ///
    /// # Panics
    /// If there is no such row, or `out` has another length.
    pub fn row<T: Real>(&self, row: usize, out: &mut [T]) {
        assert!(row < self.rows && out.len() == self.cols, "row {row} of {} × {}", self.rows, self.cols);
        let (scale, words) = (self.scales[row], self.words(row));
        let real = |byte: u8| T::from_f64(f64::from(f32::from(byte.cast_signed()) * scale));
        let (whole, rest) = out.as_chunks_mut::<DEPTH>();
        let last = words.clone().nth(whole.len());
        for (out, &word) in whole.iter_mut().zip(words) {
            *out = (word ^ SIGNS).to_ne_bytes().map(real);
        }
        let last = last.map_or([0; DEPTH], |word| (word ^ SIGNS).to_ne_bytes());
        rest.iter_mut().zip(last).for_each(|(out, byte)| *out = real(byte));
    }

    /// The matrix of the rows `ids`, in their order.
    ///
    /// # Panics
    /// If an id is outside the table.
    #[must_use]
    pub fn select(&self, exec: Exec<'_>, ids: &[u32]) -> Self {
        let scales = ids.iter().map(|&id| self.scales[id as usize]).collect();
        Self::read(exec, scales, ids.len(), self.cols, &|first, out: &mut [i8]| {
            for (out, &id) in out.chunks_exact_mut(self.cols).zip(&ids[first..]) {
                for (out, byte) in out.iter_mut().zip(self.bytes(id as usize)) {
                    *out = byte;
                }
            }
        })
    }

    /// The whole numbers of row `row`, and beyond the columns what fills the last word.
    fn bytes(&self, row: usize) -> impl Iterator<Item = i8> {
        self.words(row).flat_map(|&word| (word ^ SIGNS).to_ne_bytes().map(u8::cast_signed))
    }

    /// The words of row `row`.
    fn words(&self, row: usize) -> impl Iterator<Item = &u32> + Clone {
        self.panel(row / NR)[row % NR..].iter().step_by(NR)
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
