//! bfloat16: the upper half of an `f32`, rounded to nearest even (8 bits of mantissa, the whole range of exponents).
//!
//! Products can round their operands to it; sums, and everything else, stay in single precision.

use crate::Real;

/// What the operands of a product are rounded to before they are multiplied. Sums are in the numbers' own precision either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Products {
    /// Nothing: the numbers' own precision.
    #[default]
    Full,
    /// bfloat16, in single precision only: twice the multiply-adds per instruction where the processor has them for it
    /// ([`Isa::has_bf16`](crate::Isa::has_bf16)), and half the memory of packed operands.
    Bf16,
}

/// The bfloat16 nearest to `x`, in the upper half of a word; the lower half is unspecified. NaN stays NaN, what is too large becomes infinite.
#[inline(always)]
fn rounded(x: f32) -> u32 {
    let bits = x.to_bits();
    let nearest = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    if x.is_nan() { bits | 0x0040_0000 } else { nearest }
}

/// The bfloat16 nearest to `x`, ties to even.
#[must_use]
#[inline(always)]
pub fn to_bf16(x: f32) -> u16 {
    (rounded(x) >> 16) as u16
}

/// The value of a bfloat16, exactly.
#[must_use]
#[inline(always)]
pub fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Two values rounded to bfloat16 in the bits of one word, `low` in the lower half: how packed operands hold them.
#[inline(always)]
pub(crate) fn pair(low: f32, high: f32) -> f32 {
    f32::from_bits((rounded(low) >> 16) | (rounded(high) & 0xffff_0000))
}

/// The two values of a word.
#[inline(always)]
pub(crate) fn unpair(word: f32) -> [f32; 2] {
    let bits = word.to_bits();
    [f32::from_bits(bits << 16), f32::from_bits(bits & 0xffff_0000)]
}

/// Rounds every value to the nearest bfloat16.
pub fn round_to_bf16<T: Real>(x: &mut [T]) {
    x.iter_mut().for_each(|v| {
        #[allow(clippy::cast_possible_truncation, reason = "rounding is the purpose")]
        let single = v.to_f64() as f32;
        *v = T::from_f64(f64::from(from_bf16(to_bf16(single))));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_even_neighbour() {
        let unit = f32::from_bits(0x3f80_0000); // 1, whose neighbour above is 1 + 2⁻⁷
        assert_eq!(to_bf16(unit + 0.5f32.powi(8)), 0x3f80, "down to the even one");
        assert_eq!(to_bf16(unit + 3.0 * 0.5f32.powi(8)), 0x3f82, "up to the even one");
        assert_eq!(to_bf16(unit + 0.5f32.powi(8) + 0.5f32.powi(20)), 0x3f81, "beyond the middle");
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "these values are exact")]
    fn the_ends_of_the_range_stay_what_they_are() {
        for x in [0.0, -0.0, 1.0, -2.5, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(from_bf16(to_bf16(x)).to_bits(), x.to_bits());
        }
        assert_eq!(from_bf16(to_bf16(f32::MAX)), f32::INFINITY);
        assert!(from_bf16(to_bf16(f32::NAN)).is_nan());
        assert!(
            from_bf16(to_bf16(f32::from_bits(0x7f80_0001))).is_nan(),
            "a NaN whose mantissa is in the lower half only"
        );
    }

    proptest! {
        #[test]
        fn the_nearest_is_within_half_a_unit(x in any::<f32>().prop_filter("of the range", |x| x.is_normal() && x.abs() < 3.3e38)) {
            let near = from_bf16(to_bf16(x));
            prop_assert!((f64::from(near) - f64::from(x)).abs() <= f64::from(x).abs() * 0.5f64.powi(8));
            prop_assert_eq!(unpair(pair(x, -x)).map(f32::to_bits), [near, -near].map(f32::to_bits));
        }
    }
}
