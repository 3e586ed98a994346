//! Registers full of numbers.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use crate::real::Real;

/// A register full of numbers.
pub(super) trait Vector<T>: Copy {
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
pub(super) struct Lanes<T, const N: usize>(pub(super) [T; N]);

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
