//! Logarithm, exponential and powers in double precision, from additions, multiplications and divisions alone: the same bits on every machine, whatever its
//! mathematical library.

use std::f64::consts::{LOG2_E, SQRT_2};

/// ln 2 in two parts; the first has so few bits that its products with exponents are exact.
const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// The natural logarithm, within 2 units in the last place: −∞ of 0, NaN of what is negative.
///
/// `x = 2ᵏ·m` with m in √½..√2, and `ln m = 2·artanh(s)`, `s = (m − 1) / (m + 1)`, by its series up to s²³.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x.is_infinite() {
        return x;
    }
    // Numbers below the normal ones are made normal first.
    let (x, shift) = if x < f64::MIN_POSITIVE { (x * 18_014_398_509_481_984.0, -54) } else { (x, 0) };
    let bits = x.to_bits();
    let mut exponent = i32::try_from(bits >> 52).unwrap_or(0) - 1023 + shift;
    let mut m = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if m > SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut series = 0.0;
    for i in (1..=11).rev() {
        series = z * (1.0 / f64::from(2 * i + 1) + series);
    }
    let k = f64::from(exponent);
    k * LN2_HIGH + (2.0 * s + (2.0 * s * series + k * LN2_LOW))
}

/// `eˣ`, within 2 units in the last place: 0 below −708, infinity above 709.78.
///
/// `x = n·ln 2 + r` with |r| ≤ ln 2 / 2, and `eʳ` by its Taylor polynomial of degree 14, whose remainder is below 2⁻⁶³.
#[must_use]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x < -708.0 {
        return 0.0;
    }
    if x > 709.78 {
        return f64::INFINITY;
    }
    let n = (x * LOG2_E).round_ties_even();
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.0;
    for i in (1..=14).rev() {
        p = 1.0 + r / f64::from(i) * p;
    }
    // In two steps, because 2¹⁰²⁴ is none.
    #[allow(clippy::cast_possible_truncation, reason = "between -1022 and 1024")]
    let n = n as i64;
    let two = |n: i64| f64::from_bits((1023 + n).cast_unsigned() << 52);
    p * two(n / 2) * two(n - n / 2)
}

/// `baseⁿ` by squaring.
#[must_use]
pub fn power(base: f64, n: u64) -> f64 {
    let (mut result, mut square, mut n) = (1.0, base, n);
    while n > 0 {
        if n & 1 == 1 {
            result *= square;
        }
        square *= square;
        n >>= 1;
    }
    result
}

/// `base^exponent` for a base of at least 0: exact for the exponents 0 and 1, otherwise `exp(exponent · ln base)`.
#[must_use]
pub fn pow(base: f64, exponent: f64) -> f64 {
    match exponent {
        0.0 => 1.0,
        1.0 => base,
        _ => exp(exponent * ln(base)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_near(got: f64, truth: f64, ulps: f64) -> bool {
        (got - truth).abs() <= ulps * f64::EPSILON * truth.abs().max(f64::MIN_POSITIVE)
    }

    proptest! {
        #[test]
        fn they_agree_with_the_standard_library_within_some_units_of_the_last_place(
            x in prop_oneof![1e-12f64..1e12, 0.5f64..2.0, 1.0f64..1e5],
            y in -700f64..700.0,
            n in 0u64..100_000,
        ) {
            prop_assert!(is_near(ln(x), x.ln(), 4.0), "ln {x}: {} for {}", ln(x), x.ln());
            prop_assert!(is_near(exp(y), y.exp(), 4.0), "exp {y}: {} for {}", exp(y), y.exp());
            // What matters of a decay is 1 − βⁿ.
            let (got, truth) = (1.0 - power(0.999, n), 1.0 - 0.999f64.powf(n as f64));
            prop_assert!((got - truth).abs() <= 1e-12, "{n}: {got} for {truth}");
            prop_assert!(is_near(pow(x, 0.6), x.powf(0.6), 64.0), "the error of the logarithm, times the exponent");
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "these values are exact")]
    fn the_ends_are_exact() {
        assert_eq!((ln(1.0), ln(0.0), ln(f64::INFINITY)), (0.0, f64::NEG_INFINITY, f64::INFINITY));
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan() && exp(f64::NAN).is_nan());
        assert_eq!((exp(0.0), exp(-1e9), exp(1e9)), (1.0, 0.0, f64::INFINITY));
        assert!(is_near(ln(5e-324), 5e-324f64.ln(), 2.0) && is_near(exp(709.5), 709.5f64.exp(), 4.0));
        assert_eq!((pow(7.0, 1.0), pow(7.0, 0.0), power(0.5, 3)), (7.0, 1.0, 0.125));
    }
}
