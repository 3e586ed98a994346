//! The pairs of a study: to learn from, to validate on, to test on, as tables in the study's folder.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Extent, StudyError, folder};
use crate::data::{Corpus, Draws, Pair, fingerprint, hold_out, keep_out, read_tsv};

/// Pairs that a quick study learns from, validates on and is tested on, at most.
const QUICK: [usize; 3] = [16_000, 100, 400];
/// The stream of draws used here; the hold-out and epochs use others.
const STREAM: u64 = u64::MAX - 1;
/// How the three parts are called in errors, and their files.
const PARTS: [(&str, &str); 3] = [("training", "train.tsv"), ("validation", "valid.tsv"), ("test", "test.tsv")];

/// What a study is given.
#[derive(Debug)]
pub struct StudyData {
    /// Pairs to learn from, and to take the others from.
    pub pairs: Corpus,
    /// Pairs to validate on; held out from `pairs` if none are given.
    pub valid: Option<Corpus>,
    /// Pairs to test on; held out from `pairs` if none are given.
    pub test: Option<Corpus>,
}

/// The parts of a study's pairs.
#[derive(Debug, Serialize)]
pub struct Divided {
    /// Pairs left out of what is learned from, since they share a sentence with those to validate or to test on.
    pub left_out: usize,
    /// How many there are to learn from, to validate on and to test on.
    pub pairs: [usize; 3],
    /// The three files.
    pub files: [PathBuf; 3],
    /// What is learned from.
    #[serde(skip)]
    pub(super) train: Corpus,
    /// What is validated on.
    #[serde(skip)]
    pub(super) valid: Corpus,
    /// What is tested on.
    #[serde(skip)]
    pub(super) test: Vec<Pair>,
    /// The sum of what is tested on.
    #[serde(skip)]
    pub(super) test_sha256: String,
}

impl Divided {
    /// The reference of each.
    pub(super) fn references(&self) -> Vec<[&str; 1]> {
        self.test.iter().map(|pair| [pair.tgt.as_str()]).collect()
    }

    /// Tokens between white space of each source.
    pub(super) fn lengths(&self) -> Vec<usize> {
        self.test.iter().map(|pair| pair.src.split_whitespace().count()).collect()
    }
}

/// Divides the pairs, writes the tables and reads them back: what is trained on is what a later `train` reads.
pub(super) fn divide(data: StudyData, seed: u64, extent: Extent, dir: &Path) -> Result<Divided, StudyError> {
    let StudyData { mut pairs, valid, test } = data;
    let mut left_out = 0;
    for given in [&test, &valid].into_iter().flatten() {
        let out;
        (pairs, out) = keep_out(&pairs, &[given])?;
        left_out += out;
    }
    let mut or_held = |given: Option<Corpus>, pairs: Corpus| -> Result<(Corpus, Corpus), StudyError> {
        if let Some(given) = given {
            return Ok((pairs, given));
        }
        let (rest, held, report) = hold_out(pairs, seed, None)?;
        left_out += report.duplicates + report.dropped;
        Ok((rest, held))
    };
    let (pairs, test) = or_held(test, pairs)?;
    let (pairs, valid) = or_held(valid, pairs)?;
    let mut parts = [pairs, valid, test];
    if extent == Extent::Quick {
        let mut draws = Draws::new(seed, STREAM);
        for (part, most) in parts.iter_mut().zip(QUICK) {
            let all = std::mem::take(&mut part.pairs);
            let mut is_chosen = draws.choices(all.len(), most.min(all.len()));
            let mut few = all.writer();
            let mut pairs = all.reader();
            while let Some(pair) = pairs.next()? {
                if is_chosen() {
                    few.push(pair)?;
                }
            }
            part.pairs = few.finish()?;
        }
    }
    Ok(Divided { left_out, ..written(&parts, &dir.join("data"))? })
}

/// Writes parts as tables into `dir` and reads them back.
pub(super) fn written(parts: &[Corpus; 3], dir: &Path) -> Result<Divided, StudyError> {
    let files = PARTS.map(|(_, file)| dir.join(file));
    for ((part, (which, _)), path) in parts.iter().zip(PARTS).zip(&files) {
        refuse_tabs(part, which)?;
        folder::write_with(path, |file| table(part, file))?;
    }
    let [train, valid, test] = [read_tsv(&files[0], None)?, read_tsv(&files[1], None)?, read_tsv(&files[2], None)?];
    let pairs = [&train, &valid, &test].map(|part| part.pairs.len());
    let (test, test_sha256) = (test.pairs.to_vec()?, fingerprint(&test.pairs)?);
    Ok(Divided { left_out: 0, pairs, files, train, valid, test, test_sha256 })
}

fn refuse_tabs(part: &Corpus, which: &'static str) -> Result<(), StudyError> {
    let mut pairs = part.pairs.reader();
    while let Some(pair) = pairs.next()? {
        if pair.src.contains('\t') || pair.tgt.contains('\t') {
            return Err(StudyError::Tab { which, line: pair.line });
        }
    }
    Ok(())
}

/// A line `source TAB target` for every pair.
fn table(part: &Corpus, file: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    let mut pairs = part.pairs.reader();
    while let Some(pair) = pairs.next().map_err(io::Error::other)? {
        writeln!(out, "{}\t{}", pair.src, pair.tgt)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ReadReport;

    fn corpus(range: std::ops::Range<usize>) -> Corpus {
        Corpus::from_pairs(range.map(|i| (format!("s{i}"), format!("t{i}"))))
    }

    fn sources(pairs: &[Pair]) -> Vec<&str> {
        pairs.iter().map(|pair| pair.src.as_str()).collect()
    }

    fn all(corpus: &Corpus) -> Vec<Pair> {
        corpus.pairs.to_vec().expect("pairs")
    }

    #[test]
    fn nothing_that_is_tested_is_learned_from() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = StudyData { pairs: corpus(0..200), valid: None, test: Some(corpus(190..210)) };
        let divided = divide(data, 1, Extent::Full, dir.path()).expect("enough pairs");
        assert_eq!((divided.left_out, divided.pairs), (10, [181, 9, 20]));
        let (train, valid) = (all(&divided.train), all(&divided.valid));
        let learned = sources(&train);
        assert!(sources(&valid).iter().chain(&sources(&divided.test)).all(|held| !learned.contains(held)));
        let again = read_tsv(&dir.path().join("data/train.tsv"), None).expect("a table");
        assert_eq!(all(&again), train, "what is learned from is what the table says");
    }

    #[test]
    fn a_quick_study_takes_the_same_few_each_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let few = |seed| {
            let data = StudyData { pairs: corpus(0..20_000), valid: Some(corpus(20_000..20_500)), test: None };
            let divided = divide(data, seed, Extent::Quick, dir.path()).expect("enough pairs");
            (divided.pairs, sources(&all(&divided.train)).concat())
        };
        assert_eq!(few(1).0, QUICK);
        assert_eq!(few(1), few(1));
        assert_ne!(few(1), few(2));
    }

    #[test]
    fn a_tab_inside_a_sentence_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut pairs = all(&corpus(0..100));
        pairs[41].tgt.push('\t');
        let pairs = Corpus { pairs: pairs.into_iter().collect(), report: ReadReport::default() };
        let data = StudyData { pairs, valid: Some(corpus(200..210)), test: Some(corpus(300..310)) };
        let said = divide(data, 1, Extent::Full, dir.path()).expect_err("a tab").to_string();
        assert!(said.starts_with("training pair of line 42: a tab"), "{said}");
    }
}
