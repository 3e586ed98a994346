//! Attention maps as JSON Lines: one object a line, with every digit of every weight.
//!
//! ```json
//! {"id":0,"rank":0,"src":"Haustür","tgt":"door","log_prob":-0.7,
//!  "src_tokens":["Haus","tür","</s>"],"tgt_tokens":["door","</s>"],"weights":[[0.25,0.5,0.25],[0.0,0.125,0.875]],
//!  "src_words":[{"start":0,"end":2,"text":"Haustür"},…],"tgt_words":[…],"word_weights":[[0.75,0.25],[0.125,0.875]]}
//! ```
//! `rank` and `reference` appear where known. `word_weights` belong to the words and, between them, the pieces that are
//! in no word; they follow from the rest and are not read back.

use std::io::{BufRead, Read as _, Write};

use serde::{Deserialize, Serialize};

use super::{AttentionMap, LineError, Side, ViewError, WordSpan};

/// The longest line that is read, in bytes: a map of two thousand pieces on either side, words and all.
const LONGEST: u64 = 64 << 20;

/// One line, in the order of its keys.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Record {
    id: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rank: Option<usize>,
    src: String,
    tgt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    log_prob: f64,
    src_tokens: Vec<String>,
    tgt_tokens: Vec<String>,
    weights: Vec<Vec<f32>>,
    #[serde(default)]
    src_words: Vec<WordSpan>,
    #[serde(default)]
    tgt_words: Vec<WordSpan>,
    #[serde(skip_deserializing)]
    word_weights: Vec<Vec<f32>>,
}

impl From<AttentionMap> for Record {
    fn from(map: AttentionMap) -> Self {
        let rows = |map: &AttentionMap| map.rows().map(<[f32]>::to_vec).collect();
        let (src, tgt) = (map.src().clone(), map.tgt().clone());
        Self {
            id: map.id(),
            rank: map.rank(),
            src: src.text,
            tgt: tgt.text,
            reference: map.reference().map(ToOwned::to_owned),
            log_prob: map.log_prob(),
            src_tokens: src.tokens,
            tgt_tokens: tgt.tokens,
            weights: rows(&map),
            src_words: src.words,
            tgt_words: tgt.words,
            word_weights: rows(&map.merged()),
        }
    }
}

impl TryFrom<Record> for AttentionMap {
    type Error = ViewError;

    fn try_from(record: Record) -> Result<Self, ViewError> {
        let Record { id, rank, src, tgt, reference, log_prob, src_tokens, tgt_tokens, weights, .. } = record;
        let (rows, columns) = (tgt_tokens.len(), src_tokens.len());
        let found = weights.iter().map(Vec::len).sum();
        // The total alone would let a long row make up for a short one.
        if weights.len() != rows || weights.iter().any(|row| row.len() != columns) {
            return Err(ViewError::Shape { id, found, rows, columns });
        }
        let src = Side { text: src, tokens: src_tokens, words: record.src_words };
        let tgt = Side { text: tgt, tokens: tgt_tokens, words: record.tgt_words };
        let mut map = Self::new(id, src, tgt, weights.concat(), log_prob)?;
        map.place(rank, reference);
        Ok(map)
    }
}

/// Writes `map` as one line.
///
/// # Errors
/// If writing fails.
pub fn write_jsonl(mut out: impl Write, map: &AttentionMap) -> std::io::Result<()> {
    let line = serde_json::to_string(map)?;
    writeln!(out, "{line}")
}

/// Reads maps line by line; empty lines are passed over.
///
/// # Errors
/// Each item is an error if its line cannot be read, is longer than 64 MiB, is not JSON of this form, or is not a valid map. The message says which
/// line, its source says why. What comes after a line that cannot be read or is too long is not read.
pub fn read_jsonl(input: impl BufRead) -> impl Iterator<Item = Result<AttentionMap, ViewError>> {
    let (mut lines, mut number) = (Some(input), 0);
    std::iter::from_fn(move || {
        loop {
            let line = match next_line(lines.as_mut()?, LONGEST) {
                Ok(line) => line?,
                Err(source) => {
                    lines = None;
                    return Some(Err(ViewError::Line { line: number + 1, source }));
                }
            };
            number += 1;
            if !line.trim_ascii().is_empty() {
                let map = serde_json::from_slice(&line).map_err(LineError::from);
                return Some(map.map_err(|source| ViewError::Line { line: number, source }));
            }
        }
    })
}

/// The next line of at most `most` bytes; none at the end.
fn next_line(input: &mut impl BufRead, most: u64) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    input.by_ref().take(most + 1).read_until(b'\n', &mut line)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() as u64 > most => Err(LineError::TooLong),
        Some(_) => Ok(Some(line)),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use proptest::prelude::*;

    use super::*;
    use crate::view::test_maps::{arabic, german, map};

    fn lines(maps: &[AttentionMap]) -> String {
        let mut out = Vec::new();
        maps.iter().for_each(|map| write_jsonl(&mut out, map).unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_the_documented_keys_in_order() {
        let line = lines(&[german()]);
        let want = concat!(
            r#"{"id":3,"rank":0,"src":"Die Haustür","tgt":"The door","reference":"The front door","log_prob":-2.5,"#,
            r#""src_tokens":["Die","▁Haus","tür","</s>"],"tgt_tokens":["The","▁do","or","</s>"],"#,
            r#""weights":[[0.85,0.1,0.05,0.0],[0.02,0.38,0.6,0.0],[0.0,0.15,0.8,0.05],[0.125,0.0,0.125,0.75]],"#,
            r#""src_words":[{"start":0,"end":1,"text":"Die"},{"start":1,"end":3,"text":"Haustür"}],"#,
            r#""tgt_words":[{"start":0,"end":1,"text":"The"},{"start":1,"end":3,"text":"door"}],"word_weights":[[0.85,"#,
        );
        assert!(line.starts_with(want) && line.ends_with("0.75]]}\n"), "{line}");
    }

    #[test]
    fn reading_gives_back_what_was_written() {
        let maps = [german(), arabic(), german().merged()];
        let text = lines(&maps).replace("}\n{", "}\n\n{");
        let read: Vec<AttentionMap> = read_jsonl(text.as_bytes()).map(Result::unwrap).collect();
        assert_eq!(read, maps);
    }

    #[test]
    fn odd_tokens_stay_on_one_line() {
        let odd = map(&["a\nb", "\u{2028}\"\\"], &["\r", "</s>"], &[0.5, 0.5, 1.0, 0.0]);
        let text = lines(std::slice::from_ref(&odd));
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(read_jsonl(text.as_bytes()).next().unwrap().unwrap(), odd);
    }

    #[test]
    fn a_damaged_line_is_named_with_its_reason() {
        let good = lines(&[german()]);
        for (bad, why) in [
            (good.replace("0.85,0.1,0.05,0.0", "0.85,0.1,0.05"), "weights for 4 target × 4 source"),
            (good.replacen("0.85", "0.75", 1), "row 0 sum to 0.9"),
            (good.replace("\"src_tokens\"", "\"tokens\""), "missing field `src_tokens`"),
            ("{".to_owned(), "EOF"),
        ] {
            let error = read_jsonl(format!("{good}\n{bad}").as_bytes()).nth(1).unwrap().unwrap_err();
            assert!(error.to_string().starts_with("line 3:"), "{error}");
            let source = error.source().unwrap().to_string();
            assert!(source.contains(why), "{source}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_refused_by_its_number_before_it_is_read_whole() {
        let input = format!("{}\n", lines(&[german()]));
        let endless = std::io::BufReader::new(std::io::repeat(b' '));
        let mut maps = read_jsonl(input.as_bytes().chain(endless));
        assert!(maps.next().unwrap().is_ok());
        let error = maps.next().unwrap().unwrap_err();
        assert!(error.to_string().starts_with("line 3:"), "{error}");
        assert!(matches!(&error, ViewError::Line { source: LineError::TooLong, .. }), "{error:?}");
        assert!(maps.next().is_none());
        for (text, fits) in [("abc\n", true), ("abc", true), ("abcd\n", false), ("abcd", false)] {
            assert_eq!(next_line(&mut text.as_bytes(), 3).is_ok(), fits, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_bit_of_a_weight_survives(w in 0.0..=1.0_f32) {
            let before = map(&["a", "b"], &["c"], &[w, 1.0 - w]);
            let after = read_jsonl(lines(std::slice::from_ref(&before)).as_bytes()).next().unwrap().unwrap();
            prop_assert_eq!(before.weights().iter().map(|w| w.to_bits()).collect::<Vec<_>>(),
                            after.weights().iter().map(|w| w.to_bits()).collect::<Vec<_>>());
        }
    }
}
