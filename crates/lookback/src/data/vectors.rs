//! Word vectors made elsewhere, in the text formats of word2vec and GloVe: a line is a word and its numbers, separated by spaces.
//!
//! A first line of two whole numbers is word2vec's header, how many vectors and how wide. Of a word that stands twice the first vector counts: files are sorted by frequency. A word of several parts,
//! as GloVe has some, is all that stands before the last numbers of a line.

use std::path::PathBuf;

use super::{DataError, Lines, Side};
use crate::text::{Tokenizer, UNK};

/// What stands between a word and its numbers.
const SEPARATORS: [char; 2] = [' ', '\t'];

/// A file of word vectors, plain, `.gz` or `.zst`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordVectors(pub PathBuf);

/// How many words of a vocabulary have a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorReport {
    /// The side.
    pub side: Side,
    /// The file.
    pub path: PathBuf,
    /// Words with a vector.
    pub found: usize,
    /// Words of the vocabulary.
    pub words: usize,
    /// Vectors in the file.
    pub vectors: u64,
}

impl WordVectors {
    /// Writes the vectors of the vocabulary's words into its `table` (V, E).
    ///
    /// # Errors
    /// If the file cannot be read, a line is not a word and E finite numbers, or there are not as many as the header says; by `file:line`.
    pub fn put(&self, side: Side, tokenizer: &Tokenizer, table: &mut [f32]) -> Result<VectorReport, DataError> {
        let vocabulary = tokenizer.vocab_size();
        let width = table.len() / vocabulary;
        let mut lines = Lines::open(&self.0)?;
        let (mut declared, mut vectors, mut found) = (None, 0, vec![false; vocabulary]);
        while let Some((line, text)) = lines.next_line()? {
            if line == 1
                && let Some((count, columns)) = header(text)
            {
                declared = Some(count);
                self.expect_width(line, columns, width)?;
                continue;
            }
            let (word, numbers) = self.split(line, text, width, vectors == 0)?;
            vectors += 1;
            let id = word_id(tokenizer, word);
            let row = id.filter(|&id| !std::mem::replace(&mut found[id], true));
            for (column, number) in numbers.into_iter().rev().enumerate() {
                let value = number.parse::<f32>().ok().filter(|value| value.is_finite()).ok_or_else(|| {
                    self.malformed(
                        line,
                        format!("`{number}` is not a finite number (column {} of its vector)", column + 1),
                    )
                })?;
                if let Some(row) = row {
                    table[row * width + column] = value;
                }
            }
        }
        match declared {
            Some(declared) if declared != vectors => {
                Err(DataError::VectorCount { path: self.0.clone(), declared, found: vectors })
            }
            _ if vectors == 0 => Err(DataError::Empty { path: self.0.clone() }),
            _ => Ok(VectorReport {
                side,
                path: self.0.clone(),
                found: found.iter().filter(|found| **found).count(),
                words: vocabulary - crate::text::SPECIALS.len(),
                vectors,
            }),
        }
    }

    /// A word and its numbers, the last one first.
    fn split<'a>(
        &self,
        line: u64,
        text: &'a str,
        width: usize,
        is_first: bool,
    ) -> Result<(&'a str, Vec<&'a str>), DataError> {
        let text = text.trim_end_matches(SEPARATORS);
        let mut fields: Vec<&str> = text.rsplitn(width + 1, SEPARATORS).collect();
        let word = fields.pop().filter(|word| fields.len() == width && !word.is_empty());
        // In a word of several parts the second one is no number.
        let is_word = |word: &&str| word.split(SEPARATORS).nth(1).is_none_or(|part| part.parse::<f32>().is_err());
        if let Some(word) = word.filter(is_word) {
            return Ok((word, fields));
        }
        let found = text.split(SEPARATORS).count() - 1;
        if is_first {
            self.expect_width(line, found, width)?;
        }
        Err(self.malformed(line, format!("a word and {width} numbers are needed, here are {found} numbers")))
    }

    fn expect_width(&self, line: u64, found: usize, expected: usize) -> Result<(), DataError> {
        if found == expected {
            return Ok(());
        }
        Err(DataError::VectorWidth { path: self.0.clone(), line, found, expected })
    }

    fn malformed(&self, line: u64, message: String) -> DataError {
        DataError::BadVector { path: self.0.clone(), line, message }
    }
}

/// The counts of word2vec's first line.
fn header(line: &str) -> Option<(u64, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let counts = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(counts)
}

/// The row of a word, if it is one of the vocabulary.
fn word_id(tokenizer: &Tokenizer, word: &str) -> Option<usize> {
    match tokenizer.encode(word)[..] {
        [id] if id != UNK => Some(id as usize),
        _ => None,
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::text::{Sharing, TextMode, TokenizerSpec, Tokenizers};

    fn vocabulary() -> Tokenizer {
        let spec = TokenizerSpec {
            mode: TextMode::Word,
            sharing: Sharing::Joint,
            vocab_size: 50,
            lowercase: true,
            ..TokenizerSpec::default()
        };
        Tokenizers::train(&spec, ["ein haus am see ."; 3], ["3 häuser"; 3]).expect("a vocabulary").src
    }

    /// Reads `text` as a file for vectors of two; an error without the folder in front.
    fn put(text: &str) -> Result<(VectorReport, Vec<f32>), String> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("v.txt");
        std::fs::write(&path, text).expect("a file");
        let tokenizer = vocabulary();
        let mut table = vec![9.0; tokenizer.vocab_size() * 2];
        let report = WordVectors(path).put(Side::Src, &tokenizer, &mut table);
        let report = report.map_err(|e| e.to_string().replace(&format!("{}/", dir.path().display()), ""))?;
        Ok((report, table))
    }

    fn row(table: &[f32], word: &str) -> [f32; 2] {
        let id = word_id(&vocabulary(), word).expect("a word");
        [table[2 * id], table[2 * id + 1]]
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "numbers are read, not computed")]
    fn word2vec_and_glove_say_the_same() {
        let lines = "Haus 1 -2.5\nsee 3e-1 4 \nHaus 7 7\nfremd 5 5\n. 0 1\nh\u{e4}user 6 6\nat home 8 8\n";
        for text in [lines.to_owned(), format!("7 2\n{lines}"), lines.replace(' ', "\t")] {
            let (report, table) = put(&text).expect("vectors");
            assert_eq!((report.found, report.words, report.vectors), (4, 7, 7));
            assert_eq!(row(&table, "haus"), [1.0, -2.5], "the first one counts");
            assert_eq!((row(&table, "see"), row(&table, "häuser")), ([0.3, 4.0], [6.0, 6.0]));
            assert_eq!(row(&table, "ein"), [9.0, 9.0], "a word that is not found stays as it was");
            assert!(table[..8].iter().all(|&v| v == 9.0), "specials stay");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let cases = [
            ("haus 1 2\nsee 1", "v.txt:2: a word and 2 numbers are needed, here are 1 numbers"),
            ("haus 1 2\nsee 1 2 3", "v.txt:2: a word and 2 numbers are needed, here are 3 numbers"),
            ("haus 1 2\nsee 1 x", "v.txt:2: `x` is not a finite number (column 2 of its vector)"),
            ("haus 1 nan", "v.txt:1: `nan` is not a finite number"),
            ("haus 1 2\n\n", "v.txt:2: a word and 2 numbers"),
            ("haus 1 2 3", "v.txt:1: vectors of 3 numbers, `model.embedding` is 2; set `model.embedding = 3`"),
            ("9 300\nhaus", "v.txt:1: vectors of 300 numbers, `model.embedding` is 2; set `model.embedding = 300`"),
            ("3 2\nhaus 1 2", "v.txt: the first line says 3 vectors, there are 1"),
            ("", "v.txt: the file is empty"),
            ("0 2", "v.txt: the file is empty"),
        ];
        for (text, start) in cases {
            let message = put(text).expect_err(start);
            assert!(message.starts_with(start), "{message}");
        }
    }
}
