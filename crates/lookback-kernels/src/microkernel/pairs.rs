//! Registers of words that hold two bfloat16 each.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::vector::{Lanes, Vector};
use crate::bf16::unpair;

/// Words of two bfloat16 and sums in single precision: the operands of [`Vector::mul_add`] are pairs, whose two products are both added.
#[derive(Clone, Copy)]
pub(super) struct Pairs<V>(V);

/// A register of words that knows how to split them.
pub(super) trait Halves<T>: Vector<T> {
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
pub(super) struct NativePairs(__m512);

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
