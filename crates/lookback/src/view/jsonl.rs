//! Attention maps as JSON Lines: one object a line, with every digit of every weight.
//!
//! ```json
//! {"id":0,"rank":0,"src":"Haustür","tgt":"door","log_prob":-0.7,
//!  "src_tokens":["Haus","tür","</s>"],"tgt_tokens":["door","</s>"],"weights":[[0.25,0.5,0.25],[0.0,0.125,0.875]],
//!  "src_words":[{"start":0,"end":2,"text":"Haustür"},…],"tgt_words":[…],"word_weights":[[0.75,0.25],[0.125,0.875]]}
//! ```
//! `rank` and `reference` appear where known. `word_weights` belong to the words and, between them, the pieces that are
//! in no word; they follow from the rest and are not read back.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use super::{AttentionMap, LineError, Side, Span, ViewError};

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
    src_words: Vec<Span>,
    #[serde(default)]
    tgt_words: Vec<Span>,
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
/// Each item is an error if its line cannot be read, is not JSON of this form, or is not a valid map. The message says which
/// line, its source says why.
pub fn read_jsonl(input: impl BufRead) -> impl Iterator<Item = Result<AttentionMap, ViewError>> {
    input.lines().enumerate().filter_map(|(i, line)| {
        let parsed = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => serde_json::from_str(&line).map_err(LineError::from),
            Err(error) => Err(LineError::from(error)),
        };
        Some(parsed.map_err(|source| ViewError::Line { line: i + 1, source }))
    })
}
