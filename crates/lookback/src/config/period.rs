//! Stretches of a training, in the unit that suits: `100u`, `1e`, `10Mt`, `5min`.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reached {
    /// Updates made.
    pub updates: u64,
    /// Epochs, with the share of the one at hand.
    pub epochs: f64,
    /// Target tokens seen.
    pub tokens: u64,
    /// Seconds it took.
    pub seconds: f64,
}

/// A stretch of a training: so many updates, epochs, target tokens or seconds.
///
/// Written as a number and a unit: `u` updates, `e` epochs, `t` target tokens, `s`, `min` and `h` for time; `k` (or `K`), `M` and `G` before the unit are thousands, millions and
/// milliards. A number alone is updates.
///
/// ```
/// use lookback::config::Period;
/// let period: Period = "10Mt".parse()?;
/// assert_eq!(period, Period::Tokens(10_000_000));
/// assert_eq!("90s".parse(), Ok(Period::Seconds(90.0)));
/// assert_eq!("300".parse(), Ok(Period::Updates(300)));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Period {
    /// Updates.
    Updates(u64),
    /// Epochs or a share of one; of a stream, buffers.
    Epochs(f64),
    /// Target tokens.
    Tokens(u64),
    /// Seconds. What is decided by them cannot be repeated exactly.
    Seconds(f64),
}

impl Period {
    /// Whether one of its multiples was met on the way from `before` to `now`.
    #[must_use]
    pub fn is_met(self, before: &Reached, now: &Reached) -> bool {
        let crossed = |before: f64, now: f64, every: f64| (now / every).floor() > (before / every).floor();
        match self {
            Self::Updates(every) => now.updates / every > before.updates / every,
            Self::Epochs(every) => crossed(before.epochs, now.epochs, every),
            Self::Tokens(every) => now.tokens / every > before.tokens / every,
            Self::Seconds(every) => crossed(before.seconds, now.seconds, every),
        }
    }

    /// The share of it that is done; 1 and more once it is over.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub fn share(self, now: &Reached) -> f64 {
        match self {
            Self::Updates(most) => now.updates as f64 / most as f64,
            Self::Epochs(most) => now.epochs / most,
            Self::Tokens(most) => now.tokens as f64 / most as f64,
            Self::Seconds(most) => now.seconds / most,
        }
    }

    /// Whether the clock decides.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Seconds(_))
    }
}

/// A period of so many of a unit, if there can be so many.
type InUnit = fn(f64) -> Option<Period>;

/// Units and what they stand for, in which kind.
const UNITS: [(&str, InUnit); 6] = [
    ("u", |n| whole(n).map(Period::Updates)),
    ("e", |n| Some(Period::Epochs(n))),
    ("t", |n| whole(n).map(Period::Tokens)),
    ("s", |n| Some(Period::Seconds(n))),
    ("min", |n| Some(Period::Seconds(60.0 * n))),
    ("h", |n| Some(Period::Seconds(3600.0 * n))),
];

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "whole, positive and below 2⁵³"
)]
fn whole(n: f64) -> Option<u64> {
    (n.fract() == 0.0 && n < (1u64 << 53) as f64).then_some(n as u64)
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a period; write a number above 0 and a unit: 100u (updates), 1e (epochs), 10Mt (target tokens), 30s, 5min or 2h"
            )
        };
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let (scale, unit) = match unit.as_bytes().first() {
            Some(b'k' | b'K') => (1e3, &unit[1..]),
            Some(b'M') => (1e6, &unit[1..]),
            Some(b'G') => (1e9, &unit[1..]),
            _ => (1.0, unit),
        };
        let unit = if unit.is_empty() { "u" } else { unit };
        let (_, of) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        of(number * scale).filter(|_| number.is_finite() && number > 0.0).ok_or_else(wrong)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Updates(n) => write!(f, "{n}u"),
            Self::Epochs(n) => write!(f, "{n}e"),
            Self::Tokens(n) if n % 1_000_000 == 0 => write!(f, "{}Mt", n / 1_000_000),
            Self::Tokens(n) => write!(f, "{n}t"),
            Self::Seconds(n) if n % 60.0 == 0.0 => write!(f, "{}min", n / 60.0),
            Self::Seconds(n) => write!(f, "{n}s"),
        }
    }
}

impl Serialize for Period {
    /// Updates are a number, as ever.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Updates(n) => serializer.serialize_u64(*n),
            other => serializer.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of updates, or a period as \"1e\", \"10Mt\" or \"5min\"")
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Period, E> {
                self.visit_str(&n.to_string())
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Period, E> {
                self.visit_str(&n.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_and_a_unit_and_is_written_as_it_is_read() {
        let cases = [
            ("100u", Period::Updates(100)),
            ("2k", Period::Updates(2_000)),
            ("0.5e", Period::Epochs(0.5)),
            ("10Mt", Period::Tokens(10_000_000)),
            ("1.5kt", Period::Tokens(1_500)),
            ("10Kt", Period::Tokens(10_000)),
            ("3K", Period::Updates(3_000)),
            ("5min", Period::Seconds(300.0)),
            ("2h", Period::Seconds(7_200.0)),
            ("7s", Period::Seconds(7.0)),
        ];
        for (text, period) in cases {
            assert_eq!(text.parse(), Ok(period));
            assert_eq!(period.to_string().parse(), Ok(period), "{text}");
            let json = serde_json::to_string(&period).expect("writable");
            assert_eq!(serde_json::from_str::<Period>(&json).expect("its own output"), period, "{json}");
        }
        assert_eq!(serde_json::to_string(&Period::Updates(9)).expect("writable"), "9");
        for wrong in ["", "u", "0", "0min", "-1e", "1.5u", "3x", "1e5", "5 min ago", "infs", "1kk"] {
            assert!(wrong.parse::<Period>().is_err_and(|e| e.contains("is not a period")), "{wrong}");
        }
    }

    #[test]
    fn a_period_is_met_when_a_multiple_is_reached_or_passed() {
        let at = |updates, epochs, tokens, seconds| Reached { updates, epochs, tokens, seconds };
        let (a, b) = (at(9, 0.9, 990, 50.0), at(10, 1.1, 1_100, 61.0));
        for period in [Period::Updates(10), Period::Epochs(1.0), Period::Tokens(1_000), Period::Seconds(60.0)] {
            assert!(period.is_met(&a, &b), "{period}");
            assert!(!period.is_met(&b, &b), "{period}");
        }
        for period in [Period::Updates(20), Period::Epochs(2.0), Period::Tokens(2_000), Period::Seconds(90.0)] {
            assert!(!period.is_met(&a, &b), "{period}");
            assert!((0.4..0.7).contains(&period.share(&b)), "{period}");
        }
    }
}
