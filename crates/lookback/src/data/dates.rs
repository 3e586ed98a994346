//! Written dates and their ISO form: a task whose data are made, not collected.
//!
//! ```text
//! Thursday, 5th of March 1987          →  1987-03-05
//! 천구백팔십칠년 삼월 오일                →  1987-03-05
//! 3/5/87                               →  1987-03-05
//! ```
//! Days from 1900 to 2099, each as likely as any other, in 22 formats, English and Korean; English ones also in lower
//! and upper case. No text means two dates: slashes put the month first, two-digit years mean 1970 to 2069.
//! The pairs depend on the seed alone, on every machine: each is drawn by a counter-based hash (`SplitMix64`, Steele,
//! Lea & Flood 2014), and nothing is read from a clock or a hash table's order.

use std::collections::HashSet;

mod calendar;
mod format;
mod words;

use calendar::{Date, YEARS, days_before};
use format::{Format, TWO_DIGIT_YEARS};

/// A written date and its ISO form, `YYYY-MM-DD`.
pub type DatePair = (String, String);

/// The most pairs one call makes: far below the number of texts there are, so that drawing unseen ones stays quick.
pub const MAX_PAIRS: usize = 500_000;

/// Pairs for training, validation and test; made by [`splits`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateSplits {
    /// What the model learns from.
    pub train: Vec<DatePair>,
    /// What training is steered by.
    pub valid: Vec<DatePair>,
    /// What is reported.
    pub test: Vec<DatePair>,
}

/// `count` written dates with their ISO form; no text occurs twice.
///
/// # Panics
/// If `count` is above [`MAX_PAIRS`].
///
/// # Examples
/// ```
/// let pairs = lookback::data::dates::dates(1000, 7);
/// assert_eq!(pairs.len(), 1000);
/// assert_eq!(pairs, lookback::data::dates::dates(1000, 7));
/// assert!(pairs.iter().all(|(_, iso)| iso.len() == "1987-03-05".len()));
/// ```
#[must_use]
pub fn dates(count: usize, seed: u64) -> Vec<DatePair> {
    assert!(count <= MAX_PAIRS, "{count} pairs, at most {MAX_PAIRS}");
    unique(seed).take(count).map(|(written, date)| (written, date.iso())).collect()
}

/// Three sets of pairs of the given sizes. No ISO date, so no text either, is in two of them: a good score on test means
/// that dates never seen in any format are read correctly.
///
/// Of all days 80 % belong to train, 10 % each to valid and test; which, the seed decides.
///
/// # Panics
/// If `train` is above 8/10, or `valid` or `test` above 1/10, of [`MAX_PAIRS`].
#[must_use]
pub fn splits(train: usize, valid: usize, test: usize, seed: u64) -> DateSplits {
    assert!(train <= MAX_PAIRS / 10 * 8, "{train} training pairs, at most {}", MAX_PAIRS / 10 * 8);
    assert!(valid.max(test) <= MAX_PAIRS / 10, "{valid} and {test} held-out pairs, at most {} each", MAX_PAIRS / 10);
    let mut out = DateSplits { train: Vec::new(), valid: Vec::new(), test: Vec::new() };
    // A seed of its own, so that the split of a day says nothing about how pairs were drawn.
    let split_seed = hash(seed, u64::MAX);
    for (written, date) in unique(seed) {
        let (split, size) = match below(hash(split_seed, u64::from(date.number)), 10) {
            0 => (&mut out.test, test),
            1 => (&mut out.valid, valid),
            _ => (&mut out.train, train),
        };
        if split.len() < size {
            split.push((written, date.iso()));
        }
        if (out.train.len(), out.valid.len(), out.test.len()) == (train, valid, test) {
            break;
        }
    }
    out
}

/// The endless stream of drawn pairs without repeated texts.
fn unique(seed: u64) -> impl Iterator<Item = (String, Date)> {
    let mut seen = HashSet::new();
    (0..).map(move |i| draw(seed, i)).filter(move |(written, _)| seen.insert(written.clone()))
}

/// Pair `i` of the stream: a format, a day that it can write, and for English ones the case.
fn draw(seed: u64, i: u64) -> (String, Date) {
    let [format, day, case] = [0, 1, 2].map(|k| hash(seed, 3 * i + k));
    let format = Format::ALL[below(format, Format::ALL.len() as u32) as usize];
    let years = if format.has_two_digit_year() { TWO_DIGIT_YEARS } else { YEARS };
    let (first, end) = (days_before(years.start), days_before(years.end));
    let date = Date::from_number(first + below(day, end - first));
    let written = format.write(date);
    // Texts without letters, and Korean, have no case: for them all five are the same.
    let written = match below(case, 5) {
        0 => written.to_lowercase(),
        1 => written.to_uppercase(),
        _ => written,
    };
    (written, date)
}

/// `SplitMix64`'s output number `counter` for `seed`.
fn hash(seed: u64, counter: u64) -> u64 {
    super::shuffle::mix(seed.wrapping_add(counter.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
}

/// An even choice from `0..end` by 64 random bits; the bias, below `end`/2⁶⁴, cannot be seen.
fn below(random: u64, end: u32) -> u32 {
    ((u128::from(random) * u128::from(end)) >> 64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_splitmix64() {
        // The reference program's first outputs for seed 1234567.
        let want = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([0, 1, 2].map(|i| hash(1_234_567, i)), want);
    }

    #[test]
    fn the_same_seed_gives_the_same_pairs_on_every_machine() {
        let got: Vec<String> = dates(6, 1).into_iter().map(|(written, iso)| format!("{written} → {iso}")).collect();
        let want = [
            "2049/2/26 → 2049-02-26",
            "the eighth of November, nineteen eighty-eight → 1988-11-08",
            "22.4.23. → 2022-04-23",
            "1980. 10. 30. → 1980-10-30",
            "01/06/2006 → 2006-01-06",
            "25 Jan. 2029 → 2029-01-25",
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn no_text_occurs_twice() {
        let pairs = dates(20_000, 2);
        let texts: HashSet<&String> = pairs.iter().map(|(written, _)| written).collect();
        assert_eq!(texts.len(), pairs.len());
    }

    #[test]
    fn no_date_is_in_two_splits() {
        let splits = splits(5000, 500, 700, 3);
        assert_eq!([&splits.train, &splits.valid, &splits.test].map(Vec::len), [5000, 500, 700]);
        let days = |pairs: &[DatePair]| pairs.iter().map(|(_, iso)| iso.clone()).collect::<HashSet<_>>();
        let [train, valid, test] = [days(&splits.train), days(&splits.valid), days(&splits.test)];
        assert!(train.is_disjoint(&test) && train.is_disjoint(&valid) && valid.is_disjoint(&test));
    }

    #[test]
    fn every_format_and_both_ends_of_the_years_occur() {
        let pairs = dates(20_000, 4);
        let has = |what: &str| pairs.iter().any(|(written, _)| written.contains(what));
        for what in
            ["유월", "시월", "요일", "년 ", ".(", "the ", "THE ", "nineteen", "twenty-first", "/", "january", "29"]
        {
            assert!(has(what), "{what}");
        }
        let years: HashSet<&str> = pairs.iter().map(|(_, iso)| &iso[..4]).collect();
        assert_eq!(years.len(), 200);
        let two_digits = pairs.iter().filter(|(written, _)| written.chars().nth(2) == Some('년'));
        assert!(two_digits.map(|(_, iso)| &iso[..4]).all(|year| ("1970".."2070").contains(&year)));
    }

    #[test]
    #[should_panic(expected = "at most")]
    fn more_pairs_than_there_may_be_are_refused() {
        let _ = dates(MAX_PAIRS + 1, 1);
    }
}
