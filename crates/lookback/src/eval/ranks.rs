//! Lists of translations: mean reciprocal rank, and how such lists are read.
//!
//! ```text
//! MRR = 100 / N · Σ_i 1 / rank_i        rank_i: place, from 1, of the first translation that equals a reference; 1/rank = 0 if none does
//! ```
//! (Voorhees 1999, the TREC-8 question answering track.) Equality is that of [`ExactMetric`](super::ExactMetric): character for character.

use std::path::{Path, PathBuf};

use super::{Better, Metric};

/// Mean reciprocal rank.
///
/// A hypothesis is a whole list here: translations separated by `\n`, the best one first.
///
/// # Examples
/// ```
/// use lookback::eval::{Metric, ReciprocalRankMetric};
///
/// let mrr = ReciprocalRankMetric;
/// assert!((mrr.sentence_score("one\ntwo\nthree", &["two", "three"]) - 50.0).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReciprocalRankMetric;

impl Metric for ReciprocalRankMetric {
    fn name(&self) -> String {
        "MRR".to_owned()
    }

    fn settings(&self) -> String {
        "case:mixed".to_owned()
    }

    fn better(&self) -> Better {
        Better::Higher
    }

    #[allow(clippy::cast_precision_loss, reason = "ranks are small")]
    fn statistics(&self, hyp: &str, refs: &[&str]) -> Vec<f64> {
        let rank = hyp.split('\n').position(|translation| refs.contains(&translation));
        vec![rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64), f64::from(rank.is_some()), 1.0]
    }

    fn score(&self, sums: &[f64]) -> f64 {
        if sums[2] > 0.0 { 100.0 * sums[0] / sums[2] } else { 0.0 }
    }

    fn details(&self, sums: &[f64]) -> Option<String> {
        Some(format!("(found in {} of {})", sums[1], sums[2]))
    }
}

/// How a file holds several translations of each line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NbestFormat {
    /// `line ||| translation ||| …`, lines from 0 in order, the best one first (Moses, Marian, this program).
    Moses,
    /// So many lines for each one, the best one first.
    Lines(usize),
}

/// Why a list of translations could not be read. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NbestError {
    /// A line is not Moses'.
    #[error("{}:{line}: expected `number ||| translation ||| …`, numbers from 0", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Numbers jump or go back.
    #[error("{}:{line}: translations of {found} after those of {last}; every number from 0 must come once, in order", path.display())]
    Order {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The number there.
        found: usize,
        /// The one before, or `the start`.
        last: String,
    },
    /// The number of lines is no multiple of K.
    #[error("{}:{lines}: {lines} lines cannot be {k} for each sentence", path.display())]
    Multiple {
        /// The file.
        path: PathBuf,
        /// Its lines.
        lines: usize,
        /// Translations of each sentence.
        k: usize,
    },
}

/// The translations of each sentence, the best one first; `path` is for messages.
///
/// # Errors
/// What does not follow `format`, with `file:line`.
pub fn parse_nbest(path: &Path, lines: &[String], format: NbestFormat) -> Result<Vec<Vec<String>>, NbestError> {
    match format {
        NbestFormat::Lines(k) if k == 0 || !lines.len().is_multiple_of(k) => {
            Err(NbestError::Multiple { path: path.to_owned(), lines: lines.len(), k })
        }
        NbestFormat::Lines(k) => Ok(lines.chunks(k).map(<[String]>::to_vec).collect()),
        NbestFormat::Moses => moses(path, lines),
    }
}

/// How `|||` is written inside a translation.
const ESCAPED_BARS: &str = "&#124;&#124;&#124;";

fn moses(path: &Path, lines: &[String]) -> Result<Vec<Vec<String>>, NbestError> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let syntax = || NbestError::Syntax { path: path.to_owned(), line: i + 1 };
        let (number, rest) = line.split_once("|||").ok_or_else(syntax)?;
        let number: usize = number.trim().parse().map_err(|_| syntax())?;
        // One space on each side belongs to the separator, others to the text.
        let text = rest.split_once("|||").map_or(rest, |(text, _)| text);
        let text = text.strip_prefix(' ').unwrap_or(text);
        let text = text.strip_suffix(' ').unwrap_or(text).replace(ESCAPED_BARS, "|||");
        let count = all.len();
        match all.last_mut() {
            Some(last) if count.checked_sub(1) == Some(number) => last.push(text),
            _ if number == count => all.push(vec![text]),
            _ => {
                let last = count.checked_sub(1).map_or_else(|| "nothing".to_owned(), |last| last.to_string());
                return Err(NbestError::Order { path: path.to_owned(), line: i + 1, found: number, last });
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str], format: NbestFormat) -> Result<Vec<Vec<String>>, String> {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        parse_nbest(Path::new("n"), &lines, format).map_err(|error| error.to_string())
    }

    #[test]
    fn ranks_are_reciprocal_and_what_is_missing_counts_nothing() {
        let mrr = ReciprocalRankMetric;
        let mut sums = [0.0; 3];
        for (hyp, refs) in [("a\nb", ["a"]), ("x\ny\na", ["a"]), ("x\ny", ["a"]), ("", [""])] {
            for (sum, value) in sums.iter_mut().zip(mrr.statistics(hyp, &refs)) {
                *sum += value;
            }
        }
        assert!((mrr.score(&sums) - 100.0 * (1.0 + 1.0 / 3.0 + 0.0 + 1.0) / 4.0).abs() < 1e-12);
        assert_eq!(mrr.details(&sums).as_deref(), Some("(found in 3 of 4)"));
    }

    #[test]
    fn moses_and_plain_lines_give_the_same_lists() {
        let moses = [
            "0 ||| ein Haus ||| F0= -1 ||| -0.5",
            "0 ||| das Haus",
            "1 |||  |||",
            "1 ||| x &#124;&#124;&#124; ||| F0= -2 ||| -1",
        ];
        let lists = parse(&moses, NbestFormat::Moses).unwrap();
        assert_eq!(lists, [["ein Haus", "das Haus"], ["", "x |||"]]);
        assert_eq!(parse(&["ein Haus", "das Haus", "", "x |||"], NbestFormat::Lines(2)).unwrap(), lists);
    }

    #[test]
    fn what_does_not_follow_the_format_is_named_by_line() {
        let said = |lines: &[&str]| parse(lines, NbestFormat::Moses).unwrap_err();
        assert_eq!(said(&["0 ||| a", "b"]), "n:2: expected `number ||| translation ||| …`, numbers from 0");
        assert_eq!(said(&["x ||| a"]), "n:1: expected `number ||| translation ||| …`, numbers from 0");
        let order = "every number from 0 must come once, in order";
        assert_eq!(said(&["0 ||| a", "2 ||| b"]), format!("n:2: translations of 2 after those of 0; {order}"));
        assert_eq!(said(&["1 ||| a"]), format!("n:1: translations of 1 after those of nothing; {order}"));
        let most = usize::MAX;
        let said_of_most = said(&["0 ||| a", &format!("{most} ||| b")]);
        assert_eq!(said_of_most, format!("n:2: translations of {most} after those of 0; {order}"));
        assert_eq!(
            said(&["0 ||| a", "1 ||| b", "0 ||| c"]),
            format!("n:3: translations of 0 after those of 1; {order}")
        );
        assert_eq!(parse(&["a"; 5], NbestFormat::Lines(2)).unwrap_err(), "n:5: 5 lines cannot be 2 for each sentence");
    }
}
