//! Pieces merged to words, for showing.
//!
//! **Definition.** The ids are decoded and the text is cut at the word boundaries of Unicode (UAX #29, crate
//! `unicode-segmentation`). The words are the finest partition of the pieces into runs in which
//!
//! 1. all pieces that share a character (its bytes) lie in one run, and
//! 2. all pieces that touch a segment that is not only white space lie in one run.
//!
//! So a piece that spans several segments joins them, white space joins nothing (a piece `▁` alone is a word of its own,
//! shown as `▁`), punctuation is a word unless a piece ties it to one, and scripts without spaces are cut as UAX #29 cuts
//! them (Han and Hiragana by character, Katakana and Hangul by run). A special token is a word of its own under its name
//! and separates what stands on its sides.
use unicode_segmentation::UnicodeSegmentation as _;

use super::SPECIALS;
use super::escape::{Decoded, META, decode_raw};
use super::tokenizer::Tokenizer;

/// A word: the pieces `start..end` and the text they spell, without white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordSpan {
    /// The first piece.
    pub start: usize,
    /// One past the last piece.
    pub end: usize,
    /// What the pieces spell; `▁` if they spell white space only.
    pub text: String,
}

impl Tokenizer {
    /// Merges `ids` to words as defined on the [module page](self). The spans cover `ids` in order without a gap.
    pub fn words(&self, ids: &[u32]) -> Vec<WordSpan> {
        let mut words = Vec::new();
        let mut start = 0;
        while start < ids.len() {
            if let Some(name) = SPECIALS.get(ids[start] as usize) {
                words.push(WordSpan { start, end: start + 1, text: (*name).to_owned() });
                start += 1;
            } else {
                let len = ids[start..].iter().take_while(|&&id| id as usize >= SPECIALS.len()).count();
                self.words_of_run(&ids[start..start + len], start, &mut words);
                start += len;
            }
        }
        words
    }

    /// Appends the words of a run without specials that starts at piece `offset`.
    fn words_of_run(&self, ids: &[u32], offset: usize, words: &mut Vec<WordSpan>) {
        let mut raw = Vec::new();
        let mut owner = Vec::new(); // the piece of each raw byte
        for (piece, &id) in ids.iter().enumerate() {
            raw.extend_from_slice(self.raw_bytes(id));
            owner.resize(raw.len(), piece);
        }
        let chars: Vec<Decoded> = decode_raw(&raw).collect();
        let text: String = chars.iter().map(|decoded| decoded.char).collect();

        let mut glued = vec![false; ids.len()]; // to the piece before
        let mut glue = |range: &[Decoded]| {
            if let (Some(first), Some(last)) = (range.first(), range.last()) {
                glued[owner[first.raw.start] + 1..=owner[last.raw.end - 1]].fill(true);
            }
        };
        let mut at = 0;
        for segment in text.split_word_bounds() {
            let range = &chars[at..at + segment.chars().count()];
            at += range.len();
            if segment.chars().all(char::is_whitespace) {
                range.iter().for_each(|char| glue(std::slice::from_ref(char)));
            } else {
                glue(range);
            }
        }

        let mut chars = chars.into_iter().peekable();
        let mut start = 0;
        while start < ids.len() {
            let end = (start + 1..ids.len()).find(|&piece| !glued[piece]).unwrap_or(ids.len());
            let mut word = String::new();
            while let Some(decoded) = chars.next_if(|decoded| owner[decoded.raw.start] < end) {
                word.push(decoded.char);
            }
            let trimmed = word.trim();
            let text = if trimmed.is_empty() { META.to_string() } else { trimmed.to_owned() };
            words.push(WordSpan { start: offset + start, end: offset + end, text });
            start = end;
        }
    }
}
