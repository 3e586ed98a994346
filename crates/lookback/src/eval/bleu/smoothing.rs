//! What an order of n-grams without a match counts as (Chen & Cherry 2014).

use std::fmt;

use crate::eval::EvalError;
use crate::eval::float::Number;

/// How orders without a match are smoothed, if at least one n-gram of any order matched. `Display` writes it as signatures do.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum BleuSmoothing {
    /// The `k`-th order without a match counts as `1/2^k` matches (method 3).
    #[default]
    Exp,
    /// An order without a match counts as this many matches (method 1), 0.1 by default.
    Floor(f64),
    /// This much is added to matches and n-grams of every order above the first (method 2), 1 by default.
    AddK(f64),
    /// An order without a match makes the score 0.
    None,
}

impl BleuSmoothing {
    /// Reads sacreBLEU's name of a method, `exp`, `floor`, `add-k` or `none`, and its value where it has one.
    ///
    /// # Errors
    /// If there is no such method, it has no value to set, or the value is negative or not a number.
    pub fn parse(name: &str, value: Option<f64>) -> Result<Self, EvalError> {
        if let Some(value) = value
            && !(value >= 0.0 && value.is_finite())
        {
            return Err(EvalError::SmoothingValue { value: value.to_string() });
        }
        match (name, value) {
            ("floor", value) => Ok(Self::Floor(value.unwrap_or(0.1))),
            ("add-k", value) => Ok(Self::AddK(value.unwrap_or(1.0))),
            ("exp", None) => Ok(Self::Exp),
            ("none", None) => Ok(Self::None),
            ("exp" | "none", Some(_)) => Err(EvalError::SmoothingWithoutValue { name: name.to_owned() }),
            _ => Err(EvalError::UnknownSmoothing { name: name.to_owned() }),
        }
    }

    /// Matches and n-grams of order `n`, with what add-k adds.
    pub(super) fn add<N: Number>(self, n: usize, matched: N, total: N) -> (N, N) {
        match self {
            Self::AddK(k) if n > 1 => (matched + N::constant(k), total + N::constant(k)),
            _ => (matched, total),
        }
    }

    /// The precision of an order without a match, which is the `nth` of its kind, from 1.
    pub(super) fn without_match<N: Number>(self, nth: i32, total: N) -> N {
        match self {
            Self::Exp => N::constant(100.0) / (N::constant(2_f64.powi(nth)) * total),
            Self::Floor(matches) => N::constant(100.0 * matches) / total,
            Self::AddK(_) | Self::None => N::constant(0.0),
        }
    }
}

impl fmt::Display for BleuSmoothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exp => f.write_str("exp"),
            Self::Floor(value) => write!(f, "floor[{value:.2}]"),
            Self::AddK(value) => write!(f, "add-k[{value:.2}]"),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_ignored_or_make_no_sense_is_refused() {
        for (name, value, part) in [
            ("exp", Some(0.5), "takes no value"),
            ("none", Some(0.0), "takes no value"),
            ("floor", Some(-0.1), "-0.1"),
            ("add-k", Some(f64::NAN), "NaN"),
            ("method3", None, "`method3`"),
        ] {
            let message = BleuSmoothing::parse(name, value).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn methods_have_their_usual_values() {
        assert_eq!(BleuSmoothing::parse("floor", None), Ok(BleuSmoothing::Floor(0.1)));
        assert_eq!(BleuSmoothing::parse("add-k", None), Ok(BleuSmoothing::AddK(1.0)));
        assert_eq!(BleuSmoothing::parse("add-k", Some(0.5)).map(|s| s.to_string()), Ok("add-k[0.50]".to_owned()));
    }
}
