//! Products of matrices: `C = A·B`, `C += A·B`, `C = bias + A·B`, any layout.
//!
//! The right operand is packed into panels of NR columns, the left into panels of MR rows, and a register tile runs over the shared
//! dimension in blocks of [`DEPTH`] (Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008). Each element of C is
//! summed in ascending k, block by block, whatever the number of rows, columns or threads.
//!
//! Operands may be rounded to bfloat16 while they are packed ([`Products`]): a packed word then holds two consecutive k, and blocks are as large in memory, so twice as deep.

use std::ops::Range;

use crate::isa::multiversion;
use crate::microkernel::{MicroKernel, Store};
use crate::shared::{Area, Shared, with_scratch};
use crate::{Exec, Pool, Real, int8};
use pack::{Depth, pack_left, pack_right, pack_right_panels};

mod ceiling;
mod operands;
mod pack;
mod stored;
mod transpose;

pub use ceiling::multiply_adds_from_cache;
pub use operands::{Init, MatRef, Operand, PackedMatrix};

/// Packed words of the shared dimension per block: an NR-wide panel of the right operand stays in the first-level cache beside the rows that pass it.
const DEPTH: usize = 256;
/// Up to so many rows, tasks are strips of columns.
const FEW_ROWS: usize = 256;
/// Columns per strip, at most: a packed block of `DEPTH` × `COLUMNS` stays in the second-level cache.
const COLUMNS: usize = 256;
/// Columns per strip, at least.
const FEW_COLUMNS: usize = 64;
/// Values of the left operand packed at a time, for strips of columns.
const LEFT: usize = 1 << 20;
/// Blocks of rows, if that makes them neither too low nor too high.
const ROW_TASKS: usize = 16;
/// Rows per block, at least.
const MIN_ROWS: usize = 48;
/// Rows per block, at most: with `DEPTH` steps, and its part of the result, they stay in the second-level cache.
const MAX_ROWS: usize = 240;
/// Columns that blocks of rows are computed for at a time.
const WIDE: usize = 512;
/// Values of the right operand packed at a time, for blocks of rows.
const RIGHT: usize = 1 << 19;
/// Below this many multiply-adds a product runs on the calling thread: waking workers costs microseconds.
const SERIAL: usize = 1 << 16;

/// `C = init + A·B`, with `A` (M, K), `B` (K, N), `C` (M, N) row-major with rows `stride` apart.
///
/// # Panics
/// If the shapes disagree, `c` is too short, its rows overlap, `B` was packed for another instruction set, or `B` has 8 bits and `A` is transposed.
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
    let kernel = T::micro_kernel(exec.isa, b.products(exec.products));
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
    if let Operand::Int8(w) = b {
        return int8::product(exec, c, stride, a, w, init);
    }
    let product = Product { exec, kernel, a, b, m, n, c: c.as_mut_ptr(), stride, init };
    if m * n * k <= SERIAL {
        let serial = Pool::new(1);
        Product { exec: Exec { pool: &serial, ..exec }, ..product }.by_columns();
    } else if m <= FEW_ROWS {
        product.by_columns();
    } else {
        product.by_rows();
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

/// A product being computed. The two ways to cut it differ in what is packed where, never in the order of a sum.
struct Product<'a, T> {
    exec: Exec<'a>,
    kernel: MicroKernel<T>,
    a: MatRef<'a, T>,
    b: Operand<'a, T>,
    m: usize,
    n: usize,
    c: *mut T,
    stride: usize,
    init: Init<'a, T>,
}

// SAFETY: the pointer to C is written by tasks at disjoint rows and columns only.
unsafe impl<T: Real> Sync for Product<'_, T> {}

/// Panels of a packed right operand, of `depth` words each: panel p at `p·nr·depth`, its first row being row `start` of B.
#[derive(Clone, Copy)]
struct Panels<'a, T> {
    data: &'a [T],
    depth: usize,
    start: usize,
}

impl<T: Real> Product<'_, T> {
    /// A range of the shared dimension, and how it is packed.
    fn depth(&self, range: Range<usize>) -> Depth {
        Depth { range, pair: self.kernel.pair }
    }

    /// `DEPTH` words of the shared dimension.
    fn block(&self) -> usize {
        DEPTH * self.kernel.pair
    }

    /// Few rows: the left operand is packed whole, tasks are strips of columns, each packs its strip of the right operand.
    fn by_columns(&self) {
        const PANELS: usize = 2; // panels packed per task
        let (mr, nr, k) = (self.kernel.mr, self.kernel.nr, self.a.cols);
        // A narrow result is cut finer, so that there is a task for everyone.
        let columns = (self.n / 4).clamp(FEW_COLUMNS, COLUMNS) / FEW_COLUMNS * FEW_COLUMNS;
        for group in blocks(0..k, (LEFT / self.m / DEPTH).max(1) * self.block()) {
            with_scratch(Area::Left, self.m * self.depth(group.clone()).words(), |left: &mut [T]| {
                let left = self.pack_rows(left, 0..self.m, &group, PANELS * mr);
                self.exec.pool.run(self.n.div_ceil(columns), |strip| {
                    let cols = strip * columns..self.n.min((strip + 1) * columns);
                    for range in blocks(group.clone(), self.block()) {
                        let depth = self.depth(range);
                        let words = depth.words();
                        let part = &left[self.m * depth.words_from(group.start)..][..self.m * words];
                        match self.b {
                            Operand::Plain(b) => {
                                let size = nr * words;
                                with_scratch(Area::Right, cols.len().div_ceil(nr) * size, |right: &mut [T]| {
                                    for (p, panel) in right.chunks_exact_mut(size).enumerate() {
                                        pack_right(self.exec.isa, panel, b, depth.clone(), cols.start + p * nr, nr);
                                    }
                                    let panels = Panels { data: right, depth: words, start: depth.range.start };
                                    self.tiles(part, panels, 0..self.m, cols.clone(), &depth);
                                });
                            }
                            Operand::Packed(packed) => {
                                let all = self.depth(0..k).words();
                                let panels =
                                    Panels { data: &packed.data.as_slice()[cols.start * all..], depth: all, start: 0 };
                                self.tiles(part, panels, 0..self.m, cols.clone(), &depth);
                            }
                            Operand::Int8(_) => unreachable!("a product of its own"),
                        }
                    }
                });
            });
        }
    }

    /// Packs `rows`, block of the shared dimension after block, in tasks of `per_task` rows.
    fn pack_rows<'l>(&self, left: &'l mut [T], rows: Range<usize>, group: &Range<usize>, per_task: usize) -> &'l [T] {
        let (shared, mr) = (Shared::new(left), self.kernel.mr);
        self.exec.pool.run(rows.len().div_ceil(per_task), |task| {
            let part = rows.start + task * per_task..rows.end.min(rows.start + (task + 1) * per_task);
            for range in blocks(group.clone(), self.block()) {
                let depth = self.depth(range);
                let start = rows.len() * depth.words_from(group.start) + task * per_task * depth.words();
                // SAFETY: blocks and panels do not overlap.
                let out = unsafe { shared.part(start, part.len() * depth.words()) };
                pack_left(self.exec.isa, out, self.a, part.clone(), depth, mr);
            }
        });
        left
    }

    /// Many rows: tasks are blocks of rows, which share a packed part of the right operand.
    fn by_rows(&self) {
        let per_task = (self.m / ROW_TASKS).clamp(MIN_ROWS, MAX_ROWS).next_multiple_of(self.kernel.mr);
        for group in blocks(0..self.a.cols, RIGHT / WIDE * self.kernel.pair) {
            if self.n <= WIDE {
                // Every row is needed once: each task packs its own.
                self.strip(&group, 0..self.m, 0..self.n, per_task, None);
                continue;
            }
            let words = self.depth(group.clone()).words();
            let most = (LEFT / words).max(per_task) / per_task * per_task;
            for rows in blocks(0..self.m, most) {
                with_scratch(Area::Left, rows.len() * words, |left: &mut [T]| {
                    let left = self.pack_rows(left, rows.clone(), &group, per_task);
                    for cols in blocks(0..self.n, WIDE) {
                        self.strip(&group, rows.clone(), cols, per_task, Some(left));
                    }
                });
            }
        }
    }

    /// The part `group` of the sums of `rows` × `cols`, whose right operand is packed first, by all together. `left` holds the rows, if they are packed.
    fn strip(&self, group: &Range<usize>, rows: Range<usize>, cols: Range<usize>, per_task: usize, left: Option<&[T]>) {
        let nr = self.kernel.nr;
        let run = |panels: Panels<'_, T>| {
            self.exec.pool.run(rows.len().div_ceil(per_task), |task| {
                let first = task * per_task;
                let part = rows.start + first..rows.end.min(rows.start + first + per_task);
                for range in blocks(group.clone(), self.block()) {
                    let depth = self.depth(range);
                    let len = part.len() * depth.words();
                    if let Some(left) = left {
                        let start = rows.len() * depth.words_from(group.start) + first * depth.words();
                        self.tiles(&left[start..start + len], panels, part.clone(), cols.clone(), &depth);
                    } else {
                        with_scratch(Area::Left, len, |left: &mut [T]| {
                            pack_left(self.exec.isa, left, self.a, part.clone(), depth.clone(), self.kernel.mr);
                            self.tiles(left, panels, part.clone(), cols.clone(), &depth);
                        });
                    }
                }
            });
        };
        match self.b {
            Operand::Packed(packed) => {
                let depth = self.depth(0..self.a.cols).words();
                run(Panels { data: &packed.data.as_slice()[cols.start * depth..], depth, start: 0 });
            }
            Operand::Int8(_) => unreachable!("a product of its own"),
            Operand::Plain(b) => {
                let depth = self.depth(group.clone());
                let words = depth.words();
                with_scratch(Area::Right, cols.len().next_multiple_of(nr) * words, |right: &mut [T]| {
                    pack_right_panels(self.exec, right, b, depth, cols.start, nr);
                    run(Panels { data: right, depth: words, start: group.start });
                });
            }
        }
    }

    /// Adds the block `depth` of the sums to the tiles of `rows` × `cols`; `left` holds these rows, packed. Panel 0 starts at the first of `cols`.
    fn tiles(&self, left: &[T], panels: Panels<'_, T>, rows: Range<usize>, cols: Range<usize>, depth: &Depth) {
        let (mr, nr, len) = (self.kernel.mr, self.kernel.nr, depth.words());
        let is_first = depth.range.start == 0;
        let store = if is_first && !matches!(self.init, Init::Keep) { Store::Set } else { Store::Add };
        for (p, column) in cols.clone().step_by(nr).enumerate() {
            let b = &panels.data[(p * panels.depth + depth.words_from(panels.start)) * nr..][..len * nr];
            let width = nr.min(cols.end - column);
            for top in rows.clone().step_by(mr) {
                let height = mr.min(rows.end - top);
                let a = &left[(top - rows.start) * len..][..height * len];
                // SAFETY: the packed panels hold `height` rows and `nr` columns of `len` words; the tile lies inside C (checked
                // in `gemm`), and no other task has these rows and columns.
                unsafe {
                    let c = self.c.add(top * self.stride + column);
                    self.kernel.tile(height, width, len, a.as_ptr(), b.as_ptr(), c, self.stride, store);
                    if let (Init::Bias(bias), true) = (self.init, is_first) {
                        let bias = &bias[column..column + width];
                        for row in 0..height {
                            let out = std::slice::from_raw_parts_mut(c.add(row * self.stride), width);
                            out.iter_mut().zip(bias).for_each(|(c, &b)| *c += b);
                        }
                    }
                }
            }
        }
    }
}

/// The range in blocks of at most `most`.
fn blocks(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    range.clone().step_by(most).map(move |start| start..range.end.min(start + most))
}

/// Adds the sum of every column of `x` (N, W) to `sums` (W,): the gradient of a bias. Rows are added one after another.
///
/// # Panics
/// If the shapes disagree.
pub fn column_sums<T: Real>(exec: Exec<'_>, sums: &mut [T], x: &[T]) {
    let width = sums.len();
    assert_eq!(x.len() % width.max(1), 0, "rows of {width} columns");
    // Wide tasks read long runs of a row; a narrow matrix is cut finer, so that there is a task for everyone.
    let per_task = (width / 8).next_multiple_of(64).clamp(64, 1024);
    let out = Shared::new(sums);
    exec.pool.run(if x.is_empty() { 0 } else { width.div_ceil(per_task) }, |t| {
        let start = t * per_task;
        // SAFETY: tasks have disjoint columns.
        let sums = unsafe { out.part(start, per_task.min(width - start)) };
        add_rows(exec.isa, sums, &x[start..], width);
    });
}

multiversion! {
    /// Adds rows of `x`, which start `stride` apart, one after another, four at a time while `sums` are at hand.
    fn add_rows<T>(sums: &mut [T], x: &[T], stride: usize) {
        let len = sums.len();
        for rows in x.chunks(4 * stride) {
            if rows.len() > 3 * stride {
                let [a, b, c, d] = [0, 1, 2, 3].map(|row| &rows[row * stride..][..len]);
                for j in 0..len {
                    sums[j] = sums[j] + a[j] + b[j] + c[j] + d[j];
                }
            } else {
                for row in rows.chunks(stride) {
                    for (sum, &value) in sums.iter_mut().zip(row) {
                        *sum += value;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
