//! The innermost loop of every product: a tile of the result held in registers.
//!
//! ```text
//! acc[r][n] = Σ_k a[k][r]·b[k][n]        r < R ≤ MR rows, n < NR columns, k in ascending order
//! ```
//! Both operands are packed: `a` as K groups of R values, `b` as K groups of NR values. One algorithm over a small vector trait serves every
//! instruction set and both number types. Of operands rounded to bfloat16 a packed word holds two consecutive k, and what is added to a sum at a time is the product of
//! two pairs; the algorithm is the same over half as many words. An element's sum does not depend on R nor on its neighbours, so the bits of a product's row do not depend on how
//! many rows there are.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::isa::{Isa, Level};
use crate::real::Real;

mod pairs;
mod vector;

#[cfg(target_arch = "x86_64")]
use pairs::NativePairs;
use pairs::Pairs;
use vector::{Lanes, Vector};

/// Rows of the largest tile of any kernel.
pub(crate) const MAX_MR: usize = 12;
/// Columns of the widest tile of any kernel.
pub(crate) const MAX_NR: usize = 32;

/// How what is computed meets what the result already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// `c = acc`
    Set,
    /// `c += acc`
    Add,
}

/// A compiled tile kernel and its tile size.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct MicroKernel<T> {
    pub(crate) mr: usize,
    pub(crate) nr: usize,
    /// Numbers per packed word.
    pub(crate) pair: usize,
    run: unsafe fn(rows: usize, depth: usize, a: *const T, b: *const T, c: *mut T, stride: usize, add: u8),
}

impl<T: Real> MicroKernel<T> {
    /// Computes a tile of `rows` × `columns` results at `c` with rows `stride` apart, over `depth` packed words.
    ///
    /// # Safety
    /// `a` must hold `depth·rows` values, `b` `depth·nr` values, and `c` must be valid for writing (for `Store::Add` also for
    /// reading) `columns` values in each of `rows` rows. `rows <= mr`, `columns <= nr`.
    #[inline]
    pub(crate) unsafe fn tile(
        &self,
        rows: usize,
        columns: usize,
        depth: usize,
        a: *const T,
        b: *const T,
        c: *mut T,
        stride: usize,
        store: Store,
    ) {
        debug_assert!(rows >= 1 && rows <= self.mr && columns >= 1 && columns <= self.nr);
        let add = u8::from(store == Store::Add);
        if columns == self.nr {
            // SAFETY: the caller's promise.
            unsafe { (self.run)(rows, depth, a, b, c, stride, add) };
            return;
        }
        // The last columns: a whole tile into a temporary, of which the real columns are taken.
        let mut edge = [T::ZERO; MAX_MR * MAX_NR];
        // SAFETY: the temporary holds a whole tile; the caller promises the operands and the real columns.
        unsafe {
            (self.run)(rows, depth, a, b, edge.as_mut_ptr(), self.nr, 0);
            for r in 0..rows {
                for n in 0..columns {
                    let out = c.add(r * stride + n);
                    let sum = edge[r * self.nr + n];
                    *out = if store == Store::Add { *out + sum } else { sum };
                }
            }
        }
    }
}

/// The algorithm: `R` × 2 registers of sums over `depth` steps.
///
/// # Safety
/// As [`MicroKernel::tile`], with `2·V::LANES` columns.
#[inline(always)]
unsafe fn rows<T: Real, V: Vector<T>, const R: usize>(
    depth: usize,
    a: *const T,
    b: *const T,
    c: *mut T,
    stride: usize,
    add: u8,
) {
    // SAFETY: every access is inside what the caller promises.
    unsafe {
        // The result is needed last: its lines are on their way while the sums are made.
        for r in 0..R {
            V::prefetch(c.wrapping_add(r * stride));
            V::prefetch(c.wrapping_add(r * stride + 2 * V::LANES - 1));
        }
        let mut acc = [[V::zero(); 2]; R];
        let (mut a, mut b) = (a, b);
        for _ in 0..depth {
            let right = [V::load(b), V::load(b.add(V::LANES))];
            for r in 0..R {
                let left = V::splat(a.add(r));
                acc[r][0] = acc[r][0].mul_add(left, right[0]);
                acc[r][1] = acc[r][1].mul_add(left, right[1]);
            }
            a = a.add(R);
            b = b.add(2 * V::LANES);
        }
        for r in 0..R {
            for half in 0..2 {
                let out = c.add(r * stride + half * V::LANES);
                let sum = if add == 1 { V::load(out).plus(acc[r][half]) } else { acc[r][half] };
                sum.store(out);
            }
        }
    }
}

/// Compiles [`rows`] for a register type and every number of rows up to its tile height.
macro_rules! tile_kernel {
    ($(#[$attr:meta])* $name:ident, $t:ty, $v:ty, [$($r:literal),*]) => {
        $(#[$attr])*
        unsafe fn $name(n: usize, depth: usize, a: *const $t, b: *const $t, c: *mut $t, stride: usize, add: u8) {
            // SAFETY: the caller's promise.
            unsafe {
                match n {
                    $($r => rows::<$t, $v, $r>(depth, a, b, c, stride, add),)*
                    _ => unreachable!("a tile has at most its kernel's height of rows"),
                }
            }
        }
    };
}
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,fma")]
    avx512_f32,
    f32,
    __m512,
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,fma")]
    avx512_f64,
    f64,
    __m512d,
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    avx2_f32,
    f32,
    __m256,
    [1, 2, 3, 4, 5, 6]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    avx2_f64,
    f64,
    __m256d,
    [1, 2, 3, 4, 5, 6]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bf16,fma")]
    native_bf16,
    f32,
    NativePairs,
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,fma")]
    avx512_bf16,
    f32,
    Pairs<__m512>,
    [1, 2, 3, 4, 5, 6, 7, 8]
);
tile_kernel!(
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    avx2_bf16,
    f32,
    Pairs<__m256>,
    [1, 2, 3, 4]
);
tile_kernel!(portable_bf16, f32, Pairs<Lanes<f32, 4>>, [1, 2, 3, 4]);
tile_kernel!(portable_f32, f32, Lanes<f32, 4>, [1, 2, 3, 4]);
tile_kernel!(portable_f64, f64, Lanes<f64, 4>, [1, 2, 3, 4]);

impl MicroKernel<f32> {
    pub(crate) fn f32(isa: Isa) -> Self {
        match isa.level() {
            Level::Portable => Self { mr: 4, nr: 8, pair: 1, run: portable_f32 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self { mr: 6, nr: 16, pair: 1, run: avx2_f32 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Self { mr: 12, nr: 32, pair: 1, run: avx512_f32 },
        }
    }
}

impl MicroKernel<f32> {
    /// Of operands rounded to bfloat16.
    pub(crate) fn bf16(isa: Isa) -> Self {
        match isa.level() {
            Level::Portable => Self { mr: 4, nr: 8, pair: 2, run: portable_bf16 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self { mr: 4, nr: 16, pair: 2, run: avx2_bf16 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if isa.has_bf16() => Self { mr: 12, nr: 32, pair: 2, run: native_bf16 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Self { mr: 8, nr: 32, pair: 2, run: avx512_bf16 },
        }
    }
}

impl MicroKernel<f64> {
    pub(crate) fn f64(isa: Isa) -> Self {
        match isa.level() {
            Level::Portable => Self { mr: 4, nr: 8, pair: 1, run: portable_f64 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self { mr: 6, nr: 8, pair: 1, run: avx2_f64 },
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Self { mr: 12, nr: 16, pair: 1, run: avx512_f64 },
        }
    }
}
