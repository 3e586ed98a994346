//! Pairs as ids.
#[cfg(feature = "files")]
use super::{Corpus, DataError, ExampleWriter, Examples, Pairs};
#[cfg(feature = "files")]
use crate::text::Tokenizers;

/// A pair as ids, without specials: batches add them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The source ids.
    pub src: Vec<u32>,
    /// The target ids.
    pub tgt: Vec<u32>,
    /// The line of the corpus, from 1.
    pub line: u64,
}

/// Which pairs take part, by the ids of their sides, specials not counted. The others are left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The longest source.
    pub max_src: usize,
    /// The longest target.
    pub max_tgt: usize,
    /// The shortest side.
    pub min: usize,
    /// How many times as long as the shorter side the longer one may be.
    pub max_ratio: Option<f64>,
}

/// Why a pair was left out. The first reason that holds counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A side is too long.
    TooLong,
    /// A side is too short.
    TooShort,
    /// The sides are too different in length.
    Ratio,
}

impl Limits {
    /// Why a pair of these lengths is left out, if it is.
    #[allow(clippy::cast_precision_loss, reason = "sentences are far shorter than 2⁵²")]
    pub fn refuse(&self, src: usize, tgt: usize) -> Option<Reason> {
        let (shorter, longer) = (src.min(tgt), src.max(tgt));
        if src > self.max_src || tgt > self.max_tgt {
            Some(Reason::TooLong)
        } else if shorter < self.min {
            Some(Reason::TooShort)
        } else if self.max_ratio.is_some_and(|most| longer as f64 > most * shorter as f64) {
            Some(Reason::Ratio)
        } else {
            None
        }
    }
}

/// Pairs left out for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// Corpus (from 0) and line of the first ones, at most [`FilterReport::EXAMPLES`].
    pub places: Vec<(u32, u64)>,
}

/// What took part and what was left out.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterReport {
    /// Pairs kept of each corpus.
    pub kept: Vec<usize>,
    /// Pairs left out, for each [`Reason`] in their order.
    pub skipped: [Skipped; 3],
    /// The limits that were applied.
    pub limits: Limits,
}

impl FilterReport {
    /// How many lines are named.
    pub const EXAMPLES: usize = 3;

    /// A report of nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self { kept: Vec::new(), skipped: Default::default(), limits }
    }

    /// Pairs left out for any reason.
    pub fn skipped(&self) -> usize {
        self.skipped.iter().map(|skipped| skipped.count).sum()
    }

    /// Decides about a pair of `line` of `corpus` (from 0) by the lengths of its sides and counts it; whether it takes part.
    pub fn admit(&mut self, (corpus, line): (u32, u64), src: usize, tgt: usize) -> bool {
        let Some(reason) = self.limits.refuse(src, tgt) else {
            let corpus = corpus as usize;
            self.kept.resize(self.kept.len().max(corpus + 1), 0);
            self.kept[corpus] += 1;
            return true;
        };
        let skipped = &mut self.skipped[reason as usize];
        skipped.count += 1;
        if skipped.places.len() < Self::EXAMPLES {
            skipped.places.push((corpus, line));
        }
        false
    }
}

/// Encodes pairs, leaving out those that `report` does not admit.
#[cfg(feature = "files")]
pub(crate) fn encode_pairs(
    pairs: &Pairs,
    tokenizers: &Tokenizers,
    report: &mut FilterReport,
) -> Result<Examples, DataError> {
    let mut examples = ExampleWriter::of(pairs, tokenizers);
    let mut pairs = pairs.reader();
    while let Some(pair) = pairs.next()? {
        let (src, tgt) = (tokenizers.src.encode(pair.src), tokenizers.tgt.encode(pair.tgt));
        if report.admit((pair.corpus, pair.line), src.len(), tgt.len()) {
            examples.push(&Example { src, tgt, line: pair.line })?;
        }
    }
    examples.finish()
}

/// Encodes a corpus, leaving out the pairs that `limits` refuse.
///
/// # Errors
/// If there are more than fit into memory and a temporary file cannot be written or read.
#[cfg(feature = "files")]
pub fn encode_corpus(
    corpus: &Corpus,
    tokenizers: &Tokenizers,
    limits: Limits,
) -> Result<(Examples, FilterReport), DataError> {
    let mut report = FilterReport::new(limits);
    let examples = encode_pairs(&corpus.pairs, tokenizers, &mut report)?;
    Ok((examples, report))
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::text::{TextMode, TokenizerSpec};

    fn encoded(pairs: &[(&str, &str)], limits: Limits) -> (Vec<u64>, FilterReport) {
        let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
        let sides = || pairs.iter().flat_map(|(src, tgt)| [*src, *tgt]);
        let tokenizers = Tokenizers::train(&spec, sides(), []).unwrap();
        let corpus = Corpus::from_pairs(pairs.iter().map(|(src, tgt)| (src.to_string(), tgt.to_string())));
        let whole = Corpus::concat([corpus.clone(), corpus]);
        let (examples, report) = encode_corpus(&whole, &tokenizers, limits).unwrap();
        let examples = examples.to_vec().unwrap();
        for example in &examples {
            let (src, tgt) = pairs[example.line as usize - 1];
            assert_eq!(
                (tokenizers.src.decode(&example.src), tokenizers.tgt.decode(&example.tgt)),
                (src.into(), tgt.into())
            );
        }
        (examples.iter().map(|example| example.line).collect(), report)
    }

    #[test]
    fn longer_pairs_are_skipped_counted_and_named() {
        let pairs = [("abc", "xy"), ("abcd", "x"), ("a", "xyz"), ("ab", "xyzz"), ("abc", "x")];
        let limits = Limits { max_src: 3, max_tgt: 2, min: 0, max_ratio: None };
        let (lines, report) = encoded(&pairs, limits);
        assert_eq!(lines, [1, 5, 1, 5]);
        let too_long = Skipped { count: 6, places: vec![(0, 2), (0, 3), (0, 4)] };
        let none = Skipped::default;
        assert_eq!(report, FilterReport { kept: vec![2, 2], skipped: [too_long, none(), none()], limits });
    }

    #[test]
    fn the_first_reason_that_holds_is_counted() {
        let pairs = [("ab", "abcd"), ("ab", "abcde"), ("a", "abcd"), ("abcdef", "a"), ("abcde", "ab")];
        let limits = Limits { max_src: 5, max_tgt: 5, min: 2, max_ratio: Some(2.0) };
        let (lines, report) = encoded(&pairs, limits);
        assert_eq!((lines, report.skipped()), (vec![1, 1], 8));
        let counts = report.skipped.iter().map(|skipped| (skipped.count, skipped.places[0].1)).collect::<Vec<_>>();
        assert_eq!(counts, [(2, 4), (2, 3), (4, 2)]);
    }
}
