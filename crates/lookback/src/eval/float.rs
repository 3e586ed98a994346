//! Numbers typed as NumPy 2 types them in scalar arithmetic.
//!
//! sacreBLEU sums resampled statistics in single precision and computes the score from them in mixed arithmetic: a number of Python's beside
//! one of NumPy's takes the latter's precision (NEP 50). P-values and intervals agree only if the same roundings happen here.

use std::ops::{Add, Div, Mul};

/// A number of a formula that runs in double precision or in NumPy's mixture.
pub(super) trait Number: Copy + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// A number written in the formula.
    fn constant(value: f64) -> Self;

    /// The value in double precision.
    fn value(self) -> f64;
}

impl Number for f64 {
    fn constant(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }
}

/// A score in the precision that NumPy 2 would have given it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Float {
    /// A number of Python's: takes on the other's precision when it meets one.
    Double(f64),
    /// A number of NumPy's in single precision.
    Single(f32),
}

impl Float {
    /// The value in double precision.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Double(value) => value,
            Self::Single(value) => f64::from(value),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "rounding to single precision is what is meant")]
    fn combine(self, other: Self, double: fn(f64, f64) -> f64, single: fn(f32, f32) -> f32) -> Self {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => Self::Double(double(a, b)),
            (a, b) => Self::Single(single(a.value() as f32, b.value() as f32)),
        }
    }
}

impl Add for Float {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.combine(other, f64::add, f32::add)
    }
}

impl Mul for Float {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        self.combine(other, f64::mul, f32::mul)
    }
}

impl Div for Float {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        self.combine(other, f64::div, f32::div)
    }
}

impl Number for Float {
    fn constant(value: f64) -> Self {
        Self::Double(value)
    }

    fn value(self) -> f64 {
        self.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_wins_whichever_side_it_stands_on() {
        let (third, single) = (Float::Double(1.0 / 3.0), Float::Single(3.0));
        assert_eq!(third * single, Float::Single(1.0));
        assert_eq!(single + third, Float::Single(3.0 + 1.0_f32 / 3.0));
        assert_eq!(third / Float::Double(2.0), Float::Double(1.0 / 6.0));
    }
}
