//! What products are made of: matrices in memory, matrices packed before, and what the result holds at first.

use super::pack::{Depth, pack_right_panels};
use crate::microkernel::{MicroKernel, Store};
use crate::shared::Aligned;
use crate::{Exec, Int8Matrix, Products, Real};

/// A matrix in memory: `rows` × `cols`, element `(i, j)` at `i·row_stride + j·col_stride`.
#[derive(Debug, Clone, Copy)]
pub struct MatRef<'a, T> {
    pub(super) data: &'a [T],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) row_stride: usize,
    pub(super) col_stride: usize,
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

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// Row `row`.
    ///
    /// # Panics
    /// If the columns do not lie side by side.
    pub(crate) fn row(&self, row: usize) -> &'a [T] {
        assert_eq!(self.col_stride, 1, "rows of a transposed matrix are not slices");
        &self.data[row * self.row_stride..][..self.cols]
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

impl<T> From<Store> for Init<'_, T> {
    fn from(store: Store) -> Self {
        match store {
            Store::Set => Self::Zero,
            Store::Add => Self::Keep,
        }
    }
}

/// A right operand packed once for many products (recurrent weights).
#[derive(Debug)]
pub struct PackedMatrix<T> {
    pub(super) data: Aligned<T>,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) nr: usize,
    pub(super) products: Products,
}

impl<T: Real> PackedMatrix<T> {
    /// An empty packed matrix, to be filled by [`PackedMatrix::pack`].
    #[must_use]
    pub fn empty() -> Self {
        Self { data: Aligned::empty(), rows: 0, cols: 0, nr: 0, products: Products::Full }
    }

    /// Packs `b` for the products of `exec`, reusing the memory of an earlier packing.
    pub fn pack(&mut self, exec: Exec<'_>, b: MatRef<'_, T>) {
        let MicroKernel { nr, pair, .. } = T::micro_kernel(exec.isa, exec.products);
        (self.rows, self.cols, self.nr, self.products) = (b.rows, b.cols, nr, exec.products);
        let out = self.data.resized(b.cols.next_multiple_of(nr) * b.rows.div_ceil(pair));
        pack_right_panels(exec, out, b, Depth { range: 0..b.rows, pair }, 0, nr);
    }

    /// What its values were rounded to.
    #[must_use]
    pub fn products(&self) -> Products {
        self.products
    }
}

/// The right operand of a product.
#[derive(Debug, Clone, Copy)]
pub enum Operand<'a, T> {
    /// A matrix in memory, packed as the product goes.
    Plain(MatRef<'a, T>),
    /// A matrix that was packed before.
    Packed(&'a PackedMatrix<T>),
    /// A weight of 8 bits, transposed: the product is that of whole numbers, see [`Int8Matrix`].
    Int8(&'a Int8Matrix),
}

impl<T> Operand<'_, T> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Plain(m) => m.rows,
            Self::Packed(p) => p.rows,
            Self::Int8(w) => w.cols(),
        }
    }

    pub(super) fn cols(&self) -> usize {
        match self {
            Self::Plain(m) => m.cols,
            Self::Packed(p) => p.cols,
            Self::Int8(w) => w.rows(),
        }
    }

    /// What a product with it rounds its operands to: what it was packed for, or `otherwise`.
    pub(super) fn products(&self, otherwise: Products) -> Products {
        match self {
            Self::Plain(_) | Self::Int8(_) => otherwise,
            Self::Packed(p) => p.products,
        }
    }
}
