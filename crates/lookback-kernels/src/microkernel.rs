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

use crate::bf16::unpair;
use crate::isa::{Isa, Level};
use crate::real::Real;

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

/// A register full of numbers.
trait Vector<T>: Copy {
    const LANES: usize;
    /// # Safety
    /// The instruction set must be available (as for all of these).
    unsafe fn zero() -> Self;
    /// # Safety
    /// `from` must be valid for `LANES` reads.
    unsafe fn load(from: *const T) -> Self;
    /// # Safety
    /// `to` must be valid for `LANES` writes.
    unsafe fn store(self, to: *mut T);
    /// # Safety
    /// `from` must be valid for one read.
    unsafe fn splat(from: *const T) -> Self;
    /// `self + a·b`
    unsafe fn mul_add(self, a: Self, b: Self) -> Self;
    unsafe fn plus(self, other: Self) -> Self;
    /// Asks for the cache line at `at`, which need not be valid.
    #[inline(always)]
    unsafe fn prefetch(at: *const T) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a prefetch reads nothing; every x86-64 has it.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(at.cast());
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }
}

/// Vectors of plain Rust: two roundings per multiply-add, on every machine.
#[derive(Clone, Copy)]
struct Lanes<T, const N: usize>([T; N]);

impl<T: Real, const N: usize> Vector<T> for Lanes<T, N> {
    const LANES: usize = N;
    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([T::ZERO; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const T) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { from.cast::<[T; N]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[T; N]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const T) -> Self {
        // SAFETY: the caller's promise.
        Self([unsafe { *from }; N])
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        let mut sum = self.0;
        for i in 0..N {
            sum[i] += a.0[i] * b.0[i];
        }
        Self(sum)
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        let mut sum = self.0;
        for i in 0..N {
            sum[i] += other.0[i];
        }
        Self(sum)
    }
}

/// Implements [`Vector`] for a register type from its intrinsics.
macro_rules! x86_vector {
    ($register:ty, $t:ty, $lanes:literal, $zero:ident, $load:ident, $store:ident, $set1:ident, $fma:ident, $add:ident) => {
        #[cfg(target_arch = "x86_64")]
        impl Vector<$t> for $register {
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the instruction set is available; so in all of these.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn load(from: *const $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $t) {
                // SAFETY: the caller's promise.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn splat(from: *const $t) -> Self {
                // SAFETY: the caller's promise.
                unsafe { $set1(*from) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, a: Self, b: Self) -> Self {
                // SAFETY: the instruction set is available.
                unsafe { $fma(a, b, self) }
            }
            #[inline(always)]
            unsafe fn plus(self, other: Self) -> Self {
                // SAFETY: the instruction set is available.
                unsafe { $add(self, other) }
            }
        }
    };
}
x86_vector!(
    __m512,
    f32,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps
);
x86_vector!(
    __m512d,
    f64,
    8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd
);
x86_vector!(
    __m256,
    f32,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps
);
x86_vector!(
    __m256d,
    f64,
    4,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd
);

/// Words of two bfloat16 and sums in single precision: the operands of [`Vector::mul_add`] are pairs, whose two products are both added.
#[derive(Clone, Copy)]
struct Pairs<V>(V);

/// A register of words that knows how to split them.
trait Halves<T>: Vector<T> {
    /// The values in the lower halves of the words, then those in the upper ones.
    ///
    /// # Safety
    /// The instruction set must be available.
    unsafe fn halves(self) -> [Self; 2];
}

impl<const N: usize> Halves<f32> for Lanes<f32, N> {
    #[inline(always)]
    unsafe fn halves(self) -> [Self; 2] {
        [0, 1].map(|half| Self(self.0.map(|word| unpair(word)[half])))
    }
}

#[cfg(target_arch = "x86_64")]
impl Halves<f32> for __m256 {
    #[inline(always)]
    unsafe fn halves(self) -> [Self; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let words = _mm256_castps_si256(self);
            let high = _mm256_and_si256(words, _mm256_set1_epi32(-65536));
            [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(words)), _mm256_castsi256_ps(high)]
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Halves<f32> for __m512 {
    #[inline(always)]
    unsafe fn halves(self) -> [Self; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let words = _mm512_castps_si512(self);
            let high = _mm512_and_si512(words, _mm512_set1_epi32(-65536));
            [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(words)), _mm512_castsi512_ps(high)]
        }
    }
}

impl<V: Halves<f32>> Vector<f32> for Pairs<V> {
    const LANES: usize = V::LANES;
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller's promise; so in all of these.
        Self(unsafe { V::zero() })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { V::load(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(to) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { V::splat(from) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            let ([a0, a1], [b0, b1]) = (a.0.halves(), b.0.halves());
            Self(self.0.mul_add(a0, b0).mul_add(a1, b1))
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { self.0.plus(other.0) })
    }
}

/// [`Pairs`] of a processor that multiplies and adds them in one instruction.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct NativePairs(__m512);

#[cfg(target_arch = "x86_64")]
impl Vector<f32> for NativePairs {
    const LANES: usize = 16;
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the instruction set is available; so in all of these.
        Self(unsafe { _mm512_setzero_ps() })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's promise; as integers, whose bits nothing touches.
        Self(unsafe { _mm512_castsi512_ps(_mm512_set1_epi32(from.cast::<i32>().read())) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: a register of 16 words is a register of 32 bfloat16; the instruction set is available.
        unsafe {
            let (a, b) = (std::mem::transmute::<__m512, __m512bh>(a.0), std::mem::transmute::<__m512, __m512bh>(b.0));
            Self(_mm512_dpbf16_ps(self.0, a, b))
        }
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: the instruction set is available.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
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
