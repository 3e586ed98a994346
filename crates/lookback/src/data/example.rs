//! Pairs as ids.
#[cfg(feature = "files")]
use super::Corpus;
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

/// The most ids of a side, specials not counted. Longer pairs are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of the source.
    pub max_src: usize,
    /// Of the target.
    pub max_tgt: usize,
}

/// What was left out for its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LengthReport {
    /// Pairs kept.
    pub kept: usize,
    /// Pairs left out.
    pub skipped: usize,
    /// The first lines left out, at most [`LengthReport::EXAMPLES`].
    pub lines: Vec<u64>,
    /// The limits that were applied.
    pub limits: Limits,
}

impl LengthReport {
    /// How many lines are named.
    pub const EXAMPLES: usize = 3;
}

/// Encodes a corpus, leaving out pairs with a side longer than its limit.
#[cfg(feature = "files")]
pub fn encode_corpus(corpus: &Corpus, tokenizers: &Tokenizers, limits: Limits) -> (Vec<Example>, LengthReport) {
    let mut examples = Vec::with_capacity(corpus.pairs.len());
    let mut report = LengthReport { kept: 0, skipped: 0, lines: Vec::new(), limits };
    for pair in &corpus.pairs {
        let (src, tgt) = (tokenizers.src.encode(&pair.src), tokenizers.tgt.encode(&pair.tgt));
        if src.len() <= limits.max_src && tgt.len() <= limits.max_tgt {
            report.kept += 1;
            examples.push(Example { src, tgt, line: pair.line });
        } else {
            report.skipped += 1;
            if report.lines.len() < LengthReport::EXAMPLES {
                report.lines.push(pair.line);
            }
        }
    }
    (examples, report)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::super::{Pair, ReadReport};
    use super::*;
    use crate::text::{TextMode, TokenizerSpec};

    #[test]
    fn longer_pairs_are_skipped_counted_and_named() {
        let pairs = [("abc", "xy"), ("abcd", "x"), ("a", "xyz"), ("ab", "xyzz"), ("abcde", "xyzzz"), ("abc", "x")];
        let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
        let tokenizers = Tokenizers::train(&spec, pairs.map(|(src, _)| src), pairs.map(|(_, tgt)| tgt)).unwrap();
        let pairs =
            (11..).zip(pairs).map(|(line, (src, tgt))| Pair { src: src.into(), tgt: tgt.into(), line }).collect();
        let corpus = Corpus { pairs, report: ReadReport { files: Vec::new() } };
        let limits = Limits { max_src: 3, max_tgt: 2 };
        let (examples, report) = encode_corpus(&corpus, &tokenizers, limits);
        assert_eq!(examples.iter().map(|example| example.line).collect::<Vec<_>>(), [11, 16]);
        assert_eq!(report, LengthReport { kept: 2, skipped: 4, lines: vec![12, 13, 14], limits });
        assert_eq!(tokenizers.src.decode(&examples[0].src), "abc");
        assert_eq!(tokenizers.tgt.decode(&examples[0].tgt), "xy");
    }
}
