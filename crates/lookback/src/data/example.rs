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
