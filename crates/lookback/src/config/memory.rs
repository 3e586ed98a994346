//! Sizes of memory, as people write them: `500MB`, `2GB`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A size of memory: a whole number or a fraction of `kB`, `MB` or `GB`, thousands each.
///
/// ```
/// use lookback::config::MemorySize;
/// let size: MemorySize = "1.5GB".parse()?;
/// assert_eq!((size.bytes(), size.to_string()), (1_500_000_000, "1500MB".to_owned()));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemorySize(u64);

const UNITS: [(&str, u64); 3] = [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000)];

impl MemorySize {
    /// So many bytes.
    #[must_use]
    pub fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// How many bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for MemorySize {
    type Err = String;

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "checked to be positive and below 2⁵³"
    )]
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size of memory; write a number above 0 and a unit: 800MB or 2GB");
        let text = text.trim();
        let (unit, number) =
            UNITS.iter().find_map(|&(name, unit)| Some((unit, text.strip_suffix(name)?))).ok_or_else(wrong)?;
        if !number.starts_with(|c: char| c.is_ascii_digit()) || !number.chars().all(|c| c.is_ascii_digit() || c == '.')
        {
            return Err(wrong());
        }
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * unit as f64;
        if (1.0..(1u64 << 53) as f64).contains(&bytes) { Ok(Self(bytes.round() as u64)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for MemorySize {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<MemorySize> for String {
    fn from(size: MemorySize) -> Self {
        size.to_string()
    }
}

impl fmt::Display for MemorySize {
    /// In the largest unit of which it is a whole number; less than a `kB` counts as one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unit) =
            UNITS.iter().rev().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit)).unwrap_or(&UNITS[0]);
        write!(f, "{}{name}", self.0.div_ceil(*unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit_and_is_written_as_it_is_read() {
        for (text, bytes) in [("2GB", 2_000_000_000), ("800MB", 800_000_000), ("0.5MB", 500_000), (" 3kB", 3_000)] {
            let size: MemorySize = text.parse().expect(text);
            assert_eq!((size.bytes(), size.to_string().parse()), (bytes, Ok(size)), "{text}");
        }
        for wrong in ["", "2", "GB", "0GB", "-1GB", "2G", "2GiB", "1e9GB", "infGB", "2 x GB", "99999999999GB"] {
            assert!(wrong.parse::<MemorySize>().is_err(), "{wrong}");
        }
    }
}
