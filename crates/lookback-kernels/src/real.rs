//! The two number types, and the exponential family in polynomials of our own.
//!
//! `f32` is what everything runs in; its `exp`, `tanh` and `sigmoid` are branch-free so that loops over them vectorise,
//! and they do without libm. `f64` is a second instance of the same algorithms, for checks
//! only, and takes its exponential from the standard library.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use crate::bf16::{self, Products};
use crate::isa::Isa;
use crate::microkernel::MicroKernel;
use crate::shared::AnyBits;

/// `f32` or `f64`.
pub trait Real:
    AnyBits
    + Copy
    + Debug
    + Display
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// −∞.
    const NEG_INFINITY: Self;

    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
    /// The same value in double precision.
    fn to_f64(self) -> f64;
    /// `eˣ`. In `f32`: at most 2 ULP from the truth; 0 below −87.33, +∞ above 88.37, NaN for NaN.
    #[must_use]
    fn exp(self) -> Self;
    /// Hyperbolic tangent. In `f32`: at most 5 ULP from the truth.
    #[must_use]
    fn tanh(self) -> Self;
    /// Square root.
    #[must_use]
    fn sqrt(self) -> Self;
    /// Whether the value is neither infinite nor NaN.
    fn is_finite(self) -> bool;

    /// `1 / (1 + e⁻ˣ)`.
    #[must_use]
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self::ONE / (Self::ONE + (-self).exp())
    }

    /// The larger of two values; `other` if `self` is NaN.
    #[must_use]
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// The tile of a product.
    ///
    /// # Panics
    /// If products of this number type cannot be rounded.
    #[doc(hidden)]
    fn micro_kernel(isa: Isa, products: Products) -> MicroKernel<Self>;
    /// Two numbers in one packed word, for products of rounded operands.
    #[doc(hidden)]
    fn pair(low: Self, high: Self) -> Self;
    /// Two bfloat16 in one packed word.
    #[doc(hidden)]
    fn word(low: u16, high: u16) -> Self;
    /// The two numbers of a packed word.
    #[doc(hidden)]
    fn unpair(word: Self) -> [Self; 2];
}

#[allow(clippy::excessive_precision, reason = "the split of ln 2 is exact in these digits")]
impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f32::NEG_INFINITY;

    #[allow(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    /// x = n·ln 2 + r with |r| ≤ ln 2 / 2; eʳ by its Taylor polynomial of degree 7, whose remainder is below 2⁻²⁷; 2ⁿ by its bits.
    #[inline(always)]
    fn exp(self) -> Self {
        const ROUND: f32 = 12_582_912.0; // 1.5·2²³: adding it rounds to an integer, which is then in the low bits
        const LN2_HIGH: f32 = 0.693_359_375;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = self;
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = x - n * LN2_HIGH - n * LN2_LOW;
        let mut p = 1.0 / 5040.0;
        p = p * r + 1.0 / 720.0;
        p = p * r + 1.0 / 120.0;
        p = p * r + 1.0 / 24.0;
        p = p * r + 1.0 / 6.0;
        p = p * r + 0.5;
        p = p * r + 1.0;
        p = p * r + 1.0;
        let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
        let y = p * power;
        let y = if x < -87.33 { 0.0 } else { y };
        if x > 88.37 { f32::INFINITY } else { y }
    }

    /// Below 0.625 a polynomial in x² (fitted by Moshier for Cephes), above it `1 − 2/(e²ˣ + 1)`.
    #[inline(always)]
    fn tanh(self) -> Self {
        let magnitude = f32::from_bits(self.to_bits() & 0x7fff_ffff);
        let z = self * self;
        let mut p = -5.704_988_7e-3;
        p = p * z + 2.063_908_9e-2;
        p = p * z - 5.373_971_6e-2;
        p = p * z + 1.333_144_2e-1;
        p = p * z - 3.333_328_2e-1;
        let small = p * z * self + self;
        let large = 1.0 - 2.0 / (Real::exp(2.0 * magnitude) + 1.0);
        let signed = f32::from_bits(large.to_bits() | (self.to_bits() & 0x8000_0000));
        if magnitude < 0.625 { small } else { signed }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    fn is_finite(self) -> bool {
        f32::is_finite(self)
    }

    fn micro_kernel(isa: Isa, products: Products) -> MicroKernel<Self> {
        match products {
            Products::Full => MicroKernel::f32(isa),
            Products::Bf16 => MicroKernel::bf16(isa),
        }
    }

    #[inline(always)]
    fn pair(low: Self, high: Self) -> Self {
        bf16::pair(low, high)
    }

    #[inline(always)]
    fn word(low: u16, high: u16) -> Self {
        f32::from_bits(u32::from(low) | u32::from(high) << 16)
    }

    #[inline(always)]
    fn unpair(word: Self) -> [Self; 2] {
        bf16::unpair(word)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEG_INFINITY: Self = f64::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }

    fn is_finite(self) -> bool {
        f64::is_finite(self)
    }

    fn micro_kernel(isa: Isa, products: Products) -> MicroKernel<Self> {
        assert_eq!(products, Products::Full, "double precision is for checks: its products are not rounded");
        MicroKernel::f64(isa)
    }

    fn pair(_low: Self, _high: Self) -> Self {
        unreachable!("double precision has no packed pairs")
    }

    fn word(_low: u16, _high: u16) -> Self {
        unreachable!("double precision has no packed pairs")
    }

    fn unpair(_word: Self) -> [Self; 2] {
        unreachable!("double precision has no packed pairs")
    }
}

#[cfg(test)]
mod tests {
    use lookback_testkit::fewer;

    use super::*;

    /// Distance from `truth` in units of the last place of the nearest f32.
    fn ulps(got: f32, truth: f64) -> f64 {
        #[allow(clippy::cast_possible_truncation, reason = "the nearest f32 sets the unit")]
        let near = (truth as f32).abs().max(f32::MIN_POSITIVE);
        let unit = f64::from(f32::from_bits(near.to_bits() + 1)) - f64::from(near);
        (f64::from(got) - truth).abs() / unit
    }

    fn worst(from: f32, to: f32, f: impl Fn(f32) -> f32, truth: impl Fn(f64) -> f64) -> f64 {
        let steps = fewer(500_000u32, 500);
        (0..=steps)
            .map(|i| {
                #[allow(clippy::cast_precision_loss, reason = "a grid of test points")]
                let x = from + (to - from) * (i as f32 / steps as f32);
                let error = ulps(f(x), truth(f64::from(x)));
                assert!(error.is_finite(), "at {x}");
                error
            })
            .fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_within_2_ulp() {
        let error = worst(-87.3, 88.3, Real::exp, f64::exp);
        assert!(error <= 2.0, "{error} ULP");
    }

    #[test]
    fn tanh_is_within_5_ulp() {
        for (from, to) in [(-10.0, 10.0), (-1.0, 1.0), (-1e-3, 1e-3)] {
            let error = worst(from, to, Real::tanh, f64::tanh);
            assert!(error <= 5.0, "{error} ULP in {from}..{to}");
        }
    }

    #[test]
    fn sigmoid_is_within_4_ulp_where_it_is_not_tiny() {
        let error = worst(-20.0, 20.0, Real::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(error <= 4.0, "{error} ULP");
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "these values are exact")]
    fn the_ends_of_the_range_are_exact() {
        assert_eq!(Real::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(Real::exp(-200.0f32), 0.0);
        assert_eq!(Real::exp(0.0f32), 1.0);
        assert_eq!(Real::exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(Real::exp(1e30f32), f32::INFINITY);
        assert!(Real::exp(f32::NAN).is_nan());
        assert_eq!(Real::tanh(f32::INFINITY), 1.0);
        assert_eq!(Real::tanh(-40.0f32), -1.0);
        assert!(Real::tanh(f32::NAN).is_nan());
        assert_eq!(Real::sigmoid(-200.0f32), 0.0);
        assert_eq!(Real::sigmoid(200.0f32), 1.0);
    }
}
