//! Links that are given for the pairs to learn from, and what they are in pieces: guided alignment (Chen, Matusov, Khadivi & Peter 2016).
//!
//! Links are between words, which are what stands between white space. The attention of a target word's pieces is to go to the pieces of its source words:
//!
//! ```text
//! A[t, s] = 1 / (w · |v|)      t a piece of a target word with links to w source words, s a piece of one of them, v
//! ```
//! so the rows of A sum to 1, as those of the attention. A target word without links has no row. The ends of a pair that has links are linked: so the decoder may look at the end
//! when nothing is left to say.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{OtherWords, WeightsOf};
use crate::backend::GuidedRows;
use crate::data::{Batch, Corpus, Example, Examples, hex};
use crate::eval::{Alignments, Base, LinkFile};
use crate::text::{Tokenizer, Tokenizers};
use crate::train::TrainError;
use crate::view::spaced;

/// Words of a source and a target, from 0.
type WordLink = (u32, u32);

/// Links of the pairs of corpora, by corpus and line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenLinks {
    corpora: BTreeMap<u32, Vec<Box<[WordLink]>>>,
}

impl GivenLinks {
    /// Takes `lines` of Pharaoh links (`0-0 1-2`, source-target, words from 0) for corpus `number` of `corpus`, a line for each of its pairs. `path` is for messages. A corpus that
    /// is not given has no links.
    ///
    /// # Errors
    /// What is no link or lies outside its pair, by `file:line`, and another number of lines than pairs.
    pub fn insert(&mut self, number: u32, corpus: &Corpus, path: &Path, lines: &[String]) -> Result<(), TrainError> {
        let words = |text: &str| text.split_whitespace().count();
        let mut lengths: Vec<(usize, usize)> = Vec::new();
        let mut pairs = corpus.pairs.reader();
        while let Some(pair) = pairs.next()? {
            if pair.corpus == number {
                lengths.push((words(pair.src), words(pair.tgt)));
            }
        }
        let file = LinkFile { path, lines, base: Base::Zero, lengths: Some(&lengths) };
        let read = Alignments::pharaoh(&file)?;
        // A line has at most a million bytes, so a position fits.
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let links = read.sentences().iter().map(|links| links.iter().map(|&(s, t)| (narrow(s), narrow(t))).collect());
        self.corpora.insert(number, links.collect());
        Ok(())
    }

    /// The links of a pair; none where none were given.
    fn of(&self, corpus: u32, line: u64) -> &[WordLink] {
        let lines = self.corpora.get(&corpus).map_or(&[][..], Vec::as_slice);
        let place = usize::try_from(line).unwrap_or(usize::MAX).wrapping_sub(1);
        lines.get(place).map_or(&[], |links| links)
    }

    /// SHA-256 over all links, to recognise them.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (corpus, lines) in &self.corpora {
            hash.update(corpus.to_le_bytes());
            for links in lines {
                hash.update((links.len() as u64).to_le_bytes());
                links.iter().for_each(|(s, t)| hash.update([s.to_le_bytes(), t.to_le_bytes()].concat()));
            }
        }
        hex(hash)
    }
}

/// The links of a pair that is learned from, and where its words begin among its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PairLinks {
    links: Box<[WordLink]>,
    src: Box<[u32]>,
    tgt: Box<[u32]>,
}

/// Where the words of `text` begin among its pieces `ids`.
fn word_starts(tokenizer: &Tokenizer, text: &str, ids: &[u32]) -> Box<[u32]> {
    let start = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    spaced(tokenizer.words(ids), text).iter().map(|word| start(word.start)).collect()
}

/// Where the words of both texts begin, as [`word_starts`]; fails if one has not as many in its pieces `ids`.
pub(crate) fn checked_starts(
    tokenizers: &Tokenizers,
    [src, tgt]: [&str; 2],
    ids: [&[u32]; 2],
) -> Result<[Box<[u32]>; 2], OtherWords> {
    let starts = [word_starts(&tokenizers.src, src, ids[0]), word_starts(&tokenizers.tgt, tgt, ids[1])];
    OtherWords::check(src, false, starts[0].len())?;
    OtherWords::check(tgt, true, starts[1].len())?;
    Ok(starts)
}

impl PairLinks {
    /// The links of `examples`, which were encoded from pairs of `corpus` in their order; `counts[c]` of them are from corpus c.
    pub(crate) fn of_examples(
        given: &GivenLinks,
        corpus: &Corpus,
        examples: &Examples,
        counts: &[usize],
        tokenizers: &Tokenizers,
    ) -> Result<Vec<Self>, TrainError> {
        let numbers = (0..).zip(counts).flat_map(|(number, &count)| std::iter::repeat_n(number, count));
        let mut pairs = corpus.pairs.reader();
        let mut found = Vec::with_capacity(examples.len());
        for (number, example) in numbers.zip(examples.iter()) {
            let example = example?;
            while let Some(pair) = pairs.next()? {
                // What was left out has no example.
                if (pair.corpus, pair.line) != (number, example.line) {
                    continue;
                }
                let links = given.of(number, example.line).into();
                let [src, tgt] = checked_starts(tokenizers, [pair.src, pair.tgt], [&example.src, &example.tgt])
                    .map_err(|source| {
                        let of = format!("corpus {}", number + 1);
                        TrainError::OtherWords { line: example.line, of, source }
                    })?;
                found.push(Self { links, src, tgt });
                break;
            }
        }
        debug_assert_eq!(found.len(), examples.len(), "every example is of a pair");
        Ok(found)
    }

    /// Bytes they take.
    pub(crate) fn memory(&self) -> usize {
        /// What an allocation takes beside what is asked for.
        const ALLOCATION: usize = 16;
        let own = size_of::<Self>() + 3 * ALLOCATION;
        own + size_of_val(&*self.links) + size_of_val(&*self.src) + size_of_val(&*self.tgt)
    }

    /// The same links for the pair cut into other pieces.
    pub(crate) fn cut_as(&self, example: &Example, tokenizers: &Tokenizers) -> Self {
        let starts = |tokenizer: &Tokenizer, ids: &[u32]| word_starts(tokenizer, &tokenizer.decode(ids), ids);
        let (src, tgt) = (starts(&tokenizers.src, &example.src), starts(&tokenizers.tgt, &example.tgt));
        assert!(src.len() == self.src.len() && tgt.len() == self.tgt.len(), "other pieces spell the same words");
        Self { links: self.links.clone(), src, tgt }
    }

    /// Calls `row(t, entries)` for every target position that is given weights: (source position, share).
    fn rows(&self, [src_len, tgt_len]: [u32; 2], step: WeightsOf, mut row: impl FnMut(u32, &[(u32, f32)])) {
        let (Some(src_end), Some(tgt_end)) = (src_len.checked_sub(1), tgt_len.checked_sub(1)) else { return };
        let pieces = |starts: &[u32], word: u32, end: u32| {
            let word = word as usize;
            starts[word]..starts.get(word + 1).copied().unwrap_or(end)
        };
        let mut by_target: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &(s, t) in &self.links {
            by_target.entry(t).or_default().push(s);
        }
        for (&t, sources) in &by_target {
            let mut entries = Vec::new();
            for &s in sources {
                let places = pieces(&self.src, s, src_end);
                #[allow(clippy::cast_precision_loss, reason = "few words and pieces")]
                let share = 1.0 / (sources.len() * places.len().max(1)) as f32;
                entries.extend(places.map(|place| (place, share)));
            }
            for piece in pieces(&self.tgt, t, tgt_end) {
                row(if step == WeightsOf::Writing { piece } else { piece + 1 }, &entries);
            }
        }
        // No step reads the end.
        if step == WeightsOf::Writing && !by_target.is_empty() {
            row(tgt_end, &[(src_end, 1.0)]);
        }
    }
}

/// The given weights of a batch, a row for every target position, time-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GivenRows {
    starts: Vec<u32>,
    columns: Vec<u32>,
    shares: Vec<f32>,
}

impl GivenRows {
    /// Those of the sentences of `batch`, in their order.
    pub(crate) fn new<'a>(pairs: impl Iterator<Item = &'a PairLinks>, batch: &Batch, step: WeightsOf) -> Self {
        let mut rows: Vec<Vec<(u32, f32)>> = vec![Vec::new(); batch.tgt_max * batch.batch];
        for (b, pair) in pairs.enumerate() {
            pair.rows([batch.src_len[b], batch.tgt_len[b]], step, |t, entries| {
                rows[t as usize * batch.batch + b].extend_from_slice(entries);
            });
        }
        let mut given = Self { starts: vec![0], columns: Vec::new(), shares: Vec::new() };
        for row in rows {
            given.columns.extend(row.iter().map(|entry| entry.0));
            given.shares.extend(row.iter().map(|entry| entry.1));
            given.starts.push(u32::try_from(given.columns.len()).expect("a batch has fewer than 2^32 links"));
        }
        given
    }

    pub(crate) fn rows(&self) -> GuidedRows<'_> {
        GuidedRows { starts: &self.starts, columns: &self.columns, shares: &self.shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{FilterReport, Limits, encode_corpus};
    use crate::text::{Sharing, TextMode, TokenizerSpec};

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    fn corpus(pairs: &[(&str, &str)]) -> Corpus {
        Corpus::from_pairs(pairs.iter().map(|(src, tgt)| ((*src).to_owned(), (*tgt).to_owned())))
    }

    fn characters(corpus: &Corpus) -> Tokenizers {
        let spec = TokenizerSpec { mode: TextMode::Char, sharing: Sharing::Separate, ..TokenizerSpec::default() };
        let pairs = corpus.pairs.to_vec().expect("pairs");
        let sides = |side: fn(&crate::data::Pair) -> &str| pairs.iter().map(side).collect::<Vec<_>>();
        Tokenizers::train(&spec, sides(|p| &p.src), sides(|p| &p.tgt)).expect("trained")
    }

    fn encoded(corpus: &Corpus, tokenizers: &Tokenizers, most: usize) -> (Examples, FilterReport) {
        let limits = Limits { max_src: most, max_tgt: most, min: 0, max_ratio: None };
        encode_corpus(corpus, tokenizers, limits).expect("examples")
    }

    /// `(t, b): s share …` of every row that has any.
    fn shown(given: &GivenRows, batch: usize) -> Vec<String> {
        let row = |(i, ends): (usize, &[u32])| {
            let entries = ends[0] as usize..ends[1] as usize;
            let all = entries.map(|e| format!(" {}:{}", given.columns[e], given.shares[e])).collect::<String>();
            (!all.is_empty()).then(|| format!("({}, {}){all}", i / batch, i % batch))
        };
        given.starts.windows(2).enumerate().filter_map(row).collect()
    }

    /// The rows of all pairs as one batch.
    fn rows(corpus: &Corpus, links: &[&str], step: WeightsOf) -> Vec<String> {
        let tokenizers = characters(corpus);
        let (examples, report) = encoded(corpus, &tokenizers, 100);
        let mut given = GivenLinks::default();
        given.insert(0, corpus, Path::new("a.links"), &lines(links)).expect("links");
        let pairs = PairLinks::of_examples(&given, corpus, &examples, &report.kept, &tokenizers).expect("same words");
        let batch = Batch::new(examples.to_vec().expect("examples").iter());
        shown(&GivenRows::new(pairs.iter(), &batch, step), batch.batch)
    }

    #[test]
    fn words_become_pieces_rows_sum_to_one_and_the_ends_are_linked() {
        // ab c → x yz: pieces a b ▁ c, x ▁ y z; a space belongs to the word behind it.
        let pairs = corpus(&[("ab c", "x yz")]);
        assert_eq!(
            rows(&pairs, &["0-0 0-1 1-1"], WeightsOf::Writing),
            [
                "(0, 0) 0:0.5 1:0.5",
                "(1, 0) 0:0.25 1:0.25 2:0.25 3:0.25",
                "(2, 0) 0:0.25 1:0.25 2:0.25 3:0.25",
                "(3, 0) 0:0.25 1:0.25 2:0.25 3:0.25",
                "(4, 0) 4:1",
            ]
        );
        // The step that reads a piece is the next one; no step reads the end.
        assert_eq!(
            rows(&pairs, &["1-0"], WeightsOf::Reading),
            ["(1, 0) 2:0.5 3:0.5"],
            "`x` alone has links, and is read by the step after it"
        );
    }

    #[test]
    fn words_and_pairs_without_links_have_no_rows() {
        let pairs = corpus(&[("a b", "x y"), ("a", "x"), ("b a", "y")]);
        assert_eq!(
            rows(&pairs, &["1-1", "", "1-0"], WeightsOf::Writing),
            ["(0, 2) 1:0.5 2:0.5", "(1, 0) 1:0.5 2:0.5", "(1, 2) 3:1", "(2, 0) 1:0.5 2:0.5", "(3, 0) 3:1",]
        );
    }

    #[test]
    fn links_stay_with_their_pairs_when_others_are_left_out() {
        let (first, second) = (corpus(&[("a b", "x y"), ("a b a b", "x"), ("b", "y")]), corpus(&[("b a", "y x")]));
        let whole = Corpus::concat([first, second]);
        let tokenizers = characters(&whole);
        let (examples, report) = encoded(&whole, &tokenizers, 4);
        assert_eq!((examples.len(), report.skipped()), (3, 1));
        let mut given = GivenLinks::default();
        given.insert(0, &whole, Path::new("a.links"), &lines(&["1-0", "3-0", "0-0"])).expect("links");
        given.insert(1, &whole, Path::new("b.links"), &lines(&["0-1 1-0"])).expect("links");
        let pairs = PairLinks::of_examples(&given, &whole, &examples, &report.kept, &tokenizers).expect("same words");
        let links: Vec<&[WordLink]> = pairs.iter().map(|pair| &*pair.links).collect();
        assert_eq!(links, [&[(1, 0)][..], &[(0, 0)], &[(0, 1), (1, 0)]]);
        // A pair may also be gone before it was encoded, as those of a hold-out are.
        let held = Corpus { pairs: whole.pairs.iter().skip(2).map(Result::unwrap).collect(), ..whole };
        let (examples, report) = encoded(&held, &tokenizers, 4);
        let pairs = PairLinks::of_examples(&given, &held, &examples, &report.kept, &tokenizers).expect("same words");
        assert_eq!(&*pairs[0].links, [(0, 0)]);
    }

    #[test]
    fn what_is_no_link_or_outside_is_named_by_line() {
        let pairs = corpus(&[("a b", "x y"), ("a", "x")]);
        let said = |links: &[&str]| {
            let read = GivenLinks::default().insert(0, &pairs, Path::new("a.links"), &lines(links));
            read.expect_err("refused").to_string()
        };
        assert!(said(&["0-0", "0:0"]).starts_with("a.links:2: `0:0`; expected links like `0-1`"));
        assert!(said(&["0-2", ""]).starts_with("a.links:1: link 0-2 lies outside its sentences of 2 and 2 tokens"));
        assert!(said(&["0-0"]).starts_with("a.links: links of 1 sentences, but the texts have 2"));
        assert!(said(&["0p0", ""]).starts_with("a.links:1: `0p0` is a possible link"));
    }

    #[test]
    fn sums_tell_links_apart() {
        let pairs = corpus(&[("a b", "x y"), ("a b", "x y")]);
        let sum = |links: &[&str]| {
            let mut given = GivenLinks::default();
            given.insert(0, &pairs, Path::new("a.links"), &lines(links)).expect("links");
            given.sha256()
        };
        assert_eq!(sum(&["0-0 1-1", ""]), sum(&["1-1 0-0", ""]));
        assert!(sum(&["0-0 1-1", ""]) != sum(&["0-0", "1-1"]) && sum(&["0-1", ""]) != sum(&["1-0", ""]));
    }
}
