//! Products of matrices: `C = A·B`, `C += A·B`, `C = bias + A·B`, any layout.
//!
//! The right operand is packed into panels of NR columns, the left into panels of MR rows, and a register tile runs over the shared
//! dimension in blocks of [`DEPTH`] (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). Each element of C is
//! summed in ascending k, block by block, whatever the number of rows, columns or threads.

use crate::microkernel::{MicroKernel, Store};
use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Real};

/// Steps of the shared dimension per block: an NR-wide panel of the right operand stays in the first-level cache.
const DEPTH: usize = 256;
/// Columns per task, at most: a packed block of `DEPTH` × `COLUMNS` stays in the second-level cache.
const COLUMNS: usize = 256;
/// Columns per task, at least.
const FEW_COLUMNS: usize = 64;
/// Rows per task, at most: enough to pay for packing the right operand once per task.
const ROWS: usize = 1536;
/// Steps of the shared dimension that are packed at a time when packing transposes.
const RUN: usize = 16;
/// Below this many multiply-adds a product runs on the calling thread: waking workers costs microseconds.
const SERIAL: usize = 1 << 16;

/// A matrix in memory: `rows` × `cols`, element `(i, j)` at `i·row_stride + j·col_stride`.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T> MatRef<'a, T> {
    /// A row-major matrix whose rows are `stride` elements apart.
    ///
    /// # Panics
    /// If the slice is too short.
    #[must_use]
    pub fn strided(data: &'a [T], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(cols <= stride || rows <= 1, "rows overlap: {cols} columns, {stride} apart");
        let end = (rows.max(1) - 1).checked_mul(stride).and_then(|start| start.checked_add(cols));
        assert!(rows == 0 || cols == 0 || end.is_some_and(|end| end <= data.len()), "matrix outside its slice");
        Self { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// A row-major matrix without gaps.
    ///
    /// # Panics
    /// If the slice is too short.
    #[must_use]
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// The transposed matrix, in the same memory.
    #[must_use]
    pub fn t(self) -> Self {
        Self {
            data: self.data,
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }
}

/// What the result holds before the product is added.
#[derive(Debug, Clone, Copy)]
pub enum Init<'a, T> {
    /// Nothing: `C = A·B`.
    Zero,
    /// Itself: `C += A·B`.
    Keep,
    /// One value per column: `C = bias + A·B`.
    Bias(&'a [T]),
}

/// A right operand packed once for many products (recurrent weights).
#[derive(Debug, Clone)]
pub struct PackedMatrix<T> {
    data: Vec<T>,
    rows: usize,
    cols: usize,
    nr: usize,
}

impl<T: Real> PackedMatrix<T> {
    /// An empty packed matrix, to be filled by [`PackedMatrix::pack`].
    #[must_use]
    pub fn empty() -> Self {
        Self { data: Vec::new(), rows: 0, cols: 0, nr: 0 }
    }

    /// Packs `b`, reusing the memory of an earlier packing.
    pub fn pack(&mut self, exec: Exec<'_>, b: MatRef<'_, T>) {
        let nr = T::micro_kernel(exec.isa).nr;
        let panels = b.cols.div_ceil(nr);
        (self.rows, self.cols, self.nr) = (b.rows, b.cols, nr);
        self.data.resize(panels * nr * b.rows, T::ZERO);
        let data = Shared::new(&mut self.data);
        exec.pool.run(panels, |panel| {
            // SAFETY: panels do not overlap.
            let out = unsafe { data.part(panel * nr * b.rows, nr * b.rows) };
            pack_right(out, b, 0..b.rows, panel * nr, nr);
        });
    }
}

/// The right operand of a product.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a, T> {
    /// A matrix in memory, packed as the product goes.
    Plain(MatRef<'a, T>),
    /// A matrix that was packed before.
    Packed(&'a PackedMatrix<T>),
}

impl<T> Operand<'_, T> {
    fn rows(&self) -> usize {
        match self {
            Self::Plain(m) => m.rows,
            Self::Packed(p) => p.rows,
        }
    }

    fn cols(&self) -> usize {
        match self {
            Self::Plain(m) => m.cols,
            Self::Packed(p) => p.cols,
        }
    }
}

/// `C = init + A·B`, with `A` (M, K), `B` (K, N), `C` (M, N) row-major with rows `stride` apart.
///
/// # Panics
/// If the shapes disagree, `c` is too short, its rows overlap, or `B` was packed for another instruction set.
pub fn gemm<T: Real>(
    exec: Exec<'_>,
    c: &mut [T],
    stride: usize,
    a: MatRef<'_, T>,
    b: Operand<'_, T>,
    init: Init<'_, T>,
) {
    let (m, k, n) = (a.rows, a.cols, b.cols());
    assert_eq!(k, b.rows(), "inner sizes of a product: {m}×{k} by {}×{n}", b.rows());
    let end = (m.max(1) - 1).checked_mul(stride).and_then(|start| start.checked_add(n));
    let is_inside = (m <= 1 || stride >= n) && end.is_some_and(|end| end <= c.len());
    assert!(m == 0 || n == 0 || is_inside, "result outside its slice, or its rows overlap");
    let kernel = T::micro_kernel(exec.isa);
    if let Operand::Packed(p) = b {
        assert_eq!(p.nr, kernel.nr, "packed for another instruction set");
    }
    if let Init::Bias(bias) = init {
        assert_eq!(bias.len(), n, "one bias per column");
    }
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        return without_depth(c, stride, m, n, init);
    }
    let serial = m * n * k <= SERIAL;
    let c = Shared::new(c);
    let mut start = 0;
    while start < k {
        let block = start..k.min(start + DEPTH);
        let is_first = start == 0;
        let store = if is_first && !matches!(init, Init::Keep) { Store::Set } else { Store::Add };
        let bias = match init {
            Init::Bias(bias) if is_first => Some(bias),
            _ => None,
        };
        with_scratch(Area::Left, m * block.len(), |left: &mut [T]| {
            pack_left_all(exec, left, a, block.clone(), kernel.mr, serial);
            let product =
                Block { kernel, a: left, m, n, k, c: c.as_ptr(), stride, b, depth: block.clone(), store, bias };
            product.run(exec, serial);
        });
        start += DEPTH;
    }
}

/// A product over nothing: the result is what it starts from.
fn without_depth<T: Real>(c: &mut [T], stride: usize, m: usize, n: usize, init: Init<'_, T>) {
    for row in c.chunks_mut(stride.max(1)).take(m) {
        match init {
            Init::Zero => row[..n].fill(T::ZERO),
            Init::Keep => {}
            Init::Bias(bias) => row[..n].copy_from_slice(bias),
        }
    }
}

/// One block of the shared dimension: all tiles of C get its contribution.
struct Block<'a, T> {
    kernel: MicroKernel<T>,
    a: &'a [T],
    m: usize,
    n: usize,
    k: usize,
    c: *mut T,
    stride: usize,
    b: Operand<'a, T>,
    depth: std::ops::Range<usize>,
    store: Store,
    /// Added to every row, while its tile is at hand.
    bias: Option<&'a [T]>,
}

// SAFETY: the pointer to C is written by tasks at disjoint rows and columns only.
unsafe impl<T: Real> Sync for Block<'_, T> {}

impl<T: Real> Block<'_, T> {
    fn run(&self, exec: Exec<'_>, serial: bool) {
        let mr = self.kernel.mr;
        // Row blocks of equal size, whole panels each.
        let row_blocks = self.m.div_ceil(ROWS);
        let rows = self.m.div_ceil(row_blocks).next_multiple_of(mr);
        let row_blocks = self.m.div_ceil(rows);
        // A narrow result is cut finer, so that there is a task for everyone.
        let columns = (self.n / 4).clamp(FEW_COLUMNS, COLUMNS) / FEW_COLUMNS * FEW_COLUMNS;
        let strips = self.n.div_ceil(columns);
        let task = |i: usize| {
            let (row, strip) = (i % row_blocks, i / row_blocks);
            let (top, left) = (row * rows, strip * columns);
            self.task(top..self.m.min(top + rows), left..self.n.min(left + columns));
        };
        if serial {
            (0..row_blocks * strips).for_each(task);
        } else {
            exec.pool.run(row_blocks * strips, task);
        }
    }

    /// The tiles of `rows` × `cols`; both start at a multiple of the tile size.
    fn task(&self, rows: std::ops::Range<usize>, cols: std::ops::Range<usize>) {
        let (nr, depth) = (self.kernel.nr, self.depth.len());
        match self.b {
            Operand::Plain(b) => {
                let panels = cols.len().div_ceil(nr);
                with_scratch(Area::Right, panels * nr * depth, |right: &mut [T]| {
                    for (p, panel) in right.chunks_exact_mut(nr * depth).enumerate() {
                        pack_right(panel, b, self.depth.clone(), cols.start + p * nr, nr);
                    }
                    self.tiles(&rows, &cols, |p| right[p * nr * depth..].as_ptr());
                });
            }
            Operand::Packed(packed) => {
                let first = cols.start / nr;
                let offset = self.depth.start * nr;
                self.tiles(&rows, &cols, |p| packed.data[(first + p) * nr * self.k + offset..].as_ptr());
            }
        }
    }

    fn tiles(&self, rows: &std::ops::Range<usize>, cols: &std::ops::Range<usize>, panel: impl Fn(usize) -> *const T) {
        let (mr, nr, depth) = (self.kernel.mr, self.kernel.nr, self.depth.len());
        for (p, left) in cols.clone().step_by(nr).enumerate() {
            let b = panel(p);
            for top in rows.clone().step_by(mr) {
                let height = mr.min(rows.end - top);
                // SAFETY: the packed panels hold `height` rows and `nr` columns of `depth` steps; the tile lies inside C (checked
                // in `gemm`), and no other task has these rows and columns.
                unsafe {
                    self.kernel.tile(
                        height,
                        nr.min(cols.end - left),
                        depth,
                        self.a[top * depth..].as_ptr(),
                        b,
                        self.c.add(top * self.stride + left),
                        self.stride,
                        self.store,
                    );
                    if let Some(bias) = self.bias {
                        let bias = &bias[left..cols.end.min(left + nr)];
                        for row in top..top + height {
                            let out = std::slice::from_raw_parts_mut(self.c.add(row * self.stride + left), bias.len());
                            out.iter_mut().zip(bias).for_each(|(c, &b)| *c += b);
                        }
                    }
                }
            }
        }
    }
}

/// Packs the columns `depth` of `a` into panels of `mr` rows (the last may have fewer): K groups of one value per row.
fn pack_left_all<T: Real>(
    exec: Exec<'_>,
    out: &mut [T],
    a: MatRef<'_, T>,
    depth: std::ops::Range<usize>,
    mr: usize,
    serial: bool,
) {
    const PANELS: usize = 8; // panels per task
    let len = depth.len();
    let out = Shared::new(out);
    let task = |t: usize| {
        for panel in t * PANELS..((t + 1) * PANELS).min(a.rows.div_ceil(mr)) {
            let top = panel * mr;
            let height = mr.min(a.rows - top);
            // SAFETY: panels do not overlap.
            let out = unsafe { out.part(top * len, height * len) };
            pack_left(out, a, depth.clone(), top, height);
        }
    };
    let tasks = a.rows.div_ceil(mr).div_ceil(PANELS);
    if serial {
        (0..tasks).for_each(task);
    } else {
        exec.pool.run(tasks, task);
    }
}

fn pack_left<T: Real>(out: &mut [T], a: MatRef<'_, T>, depth: std::ops::Range<usize>, top: usize, height: usize) {
    if a.col_stride == 1 {
        // In short runs of k, so that the lines written to stay in the first-level cache until they are full.
        for start in depth.clone().step_by(RUN) {
            let end = depth.end.min(start + RUN);
            let group = &mut out[(start - depth.start) * height..(end - depth.start) * height];
            for r in 0..height {
                let row = &a.data[(top + r) * a.row_stride..][start..end];
                for (k, &value) in row.iter().enumerate() {
                    group[k * height + r] = value;
                }
            }
        }
    } else {
        for (k, group) in depth.zip(out.chunks_exact_mut(height)) {
            let column = &a.data[k * a.col_stride + top * a.row_stride..];
            if a.row_stride == 1 {
                copy_group(group, column);
            } else {
                for (r, value) in group.iter_mut().enumerate() {
                    *value = column[r * a.row_stride];
                }
            }
        }
    }
}

/// Copies as many values as `group` holds; whole tiles without a call.
fn copy_group<T: Real>(group: &mut [T], from: &[T]) {
    fn fixed<T: Real, const N: usize>(group: &mut [T], from: &[T]) {
        if let (Some(group), Some(from)) = (group.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
            *group = *from;
        }
    }
    match group.len() {
        12 => fixed::<T, 12>(group, from),
        16 => fixed::<T, 16>(group, from),
        32 => fixed::<T, 32>(group, from),
        len => group.copy_from_slice(&from[..len]),
    }
}

/// Packs the columns `left..left + nr` of `b` (zeros beyond its edge): K groups of `nr` values.
fn pack_right<T: Real>(out: &mut [T], b: MatRef<'_, T>, depth: std::ops::Range<usize>, left: usize, nr: usize) {
    let width = nr.min(b.cols - left);
    if b.col_stride == 1 {
        for (k, group) in depth.zip(out.chunks_exact_mut(nr)) {
            let row = &b.data[k * b.row_stride + left..];
            if width == nr {
                copy_group(group, row);
            } else {
                group[..width].copy_from_slice(&row[..width]);
                group[width..].fill(T::ZERO);
            }
        }
        return;
    }
    // A transposed matrix: its columns are the contiguous runs.
    for start in depth.clone().step_by(RUN) {
        let end = depth.end.min(start + RUN);
        let group = &mut out[(start - depth.start) * nr..(end - depth.start) * nr];
        for j in 0..width {
            let column = &b.data[(left + j) * b.col_stride..];
            for (i, k) in (start..end).enumerate() {
                group[i * nr + j] = column[k * b.row_stride];
            }
        }
    }
    if width < nr {
        out.chunks_exact_mut(nr).for_each(|group| group[width..].fill(T::ZERO));
    }
}

/// Adds the sum of every column of `x` (N, W) to `sums` (W,): the gradient of a bias.
///
/// # Panics
/// If the shapes disagree.
pub fn column_sums<T: Real>(exec: Exec<'_>, sums: &mut [T], x: &[T]) {
    const WIDTH: usize = 128; // columns per task
    let width = sums.len();
    assert_eq!(x.len() % width.max(1), 0, "rows of {width} columns");
    let out = Shared::new(sums);
    exec.pool.run(width.div_ceil(WIDTH), |t| {
        let start = t * WIDTH;
        let len = WIDTH.min(width - start);
        // SAFETY: tasks have disjoint columns.
        let sums = unsafe { out.part(start, len) };
        for row in x.chunks_exact(width) {
            for (sum, &value) in sums.iter_mut().zip(&row[start..start + len]) {
                *sum += value;
            }
        }
    });
}

#[cfg(test)]
mod tests;
