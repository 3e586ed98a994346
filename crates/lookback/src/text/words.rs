//! Pieces merged to words, for showing.
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use super::SPECIALS;
use super::escape::{Decoded, META, decode_raw};
use super::tokenizer::Tokenizer;

/// A word: the pieces `start..end` and the text they spell, without white space around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WordSpan {
    /// The first piece.
    pub start: usize,
    /// One past the last piece.
    pub end: usize,
    /// What the pieces spell; `▁` if they spell white space only.
    pub text: String,
}

impl Tokenizer {
    /// Merges `ids` to words; the spans cover `ids` in order without a gap.
    ///
    /// **Definition.** The ids are decoded and the text is cut at the word boundaries of Unicode (UAX #29, crate
    /// `unicode-segmentation`). The words are the finest partition of the pieces into runs in which
    ///
    /// 1. all pieces that share a character (its bytes) lie in one run, and
    /// 2. all pieces that touch a segment that is not only white space lie in one run.
    ///
    /// So a piece that spans several segments joins them, white space joins nothing (a piece `▁` alone is a word of its
    /// own, shown as `▁`), punctuation is a word unless a piece ties it to one, and scripts without spaces are cut as
    /// UAX #29 cuts them (Han and Hiragana by character, Katakana and Hangul by run). A special token is a word of its own
    /// under its name and separates what stands on its sides.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::normalize::Normalizer;
    use crate::text::pipeline::Segmentation;
    use crate::text::{BOS, EOS, escape::to_pieces, tokenizer::byte_piece};

    /// A tokenizer of exactly these pieces, beside specials, bytes and `▁`.
    fn tokenizer(pieces: &[&str]) -> Tokenizer {
        let mut all: Vec<String> = SPECIALS.iter().map(|name| (*name).to_owned()).collect();
        all.extend((0..=255).map(byte_piece));
        all.push(META.to_string());
        all.extend(pieces.iter().filter(|piece| piece.chars().ne([META])).map(|piece| (*piece).to_owned()));
        Tokenizer::new(all, Segmentation::Bpe(Vec::new()), Normalizer::default()).unwrap()
    }

    /// `text|start..end` of each word, the pieces being these.
    fn words(pieces: &[&str]) -> Vec<String> {
        let mut distinct: Vec<&str> = pieces.to_vec();
        distinct.retain(|piece| !piece.starts_with("<0x") && !SPECIALS.contains(piece));
        distinct.sort_unstable();
        distinct.dedup();
        let tokenizer = tokenizer(&distinct);
        let id = |piece: &&str| (0..).find(|&id| tokenizer.piece(id) == Some(piece)).unwrap();
        let ids: Vec<u32> = pieces.iter().map(id).collect();
        tokenizer.words(&ids).iter().map(|word| format!("{}|{}..{}", word.text, word.start, word.end)).collect()
    }

    #[test]
    fn german_subwords_become_words_and_punctuation_stays_apart() {
        assert_eq!(
            words(&["Zwei", "▁Män", "ner", "▁sind", "▁da", ".", "</s>"]),
            ["Zwei|0..1", "Männer|1..3", "sind|3..4", "da|4..5", ".|5..6", "</s>|6..7"]
        );
    }

    #[test]
    fn a_piece_over_two_segments_joins_them() {
        assert_eq!(words(&["Ha", "us.", "▁Ein"]), ["Haus.|0..2", "Ein|2..3"]);
    }

    #[test]
    fn korean_words_end_at_spaces() {
        assert_eq!(
            words(&["나는", "▁학", "교에", "▁갔", "습니다", "."]),
            ["나는|0..1", "학교에|1..3", "갔습니다|3..5", ".|5..6"]
        );
    }

    #[test]
    fn japanese_is_cut_by_script_and_joined_by_pieces() {
        // Katakana runs hold together, Han and Hiragana are cut by character unless a piece says otherwise.
        assert_eq!(
            words(&["コー", "ヒー", "を", "飲", "みます", "。"]),
            ["コーヒー|0..2", "を|2..3", "飲|3..4", "みます|4..5", "。|5..6"]
        );
    }

    #[test]
    fn the_bytes_of_a_character_stay_together() {
        assert_eq!(words(&["▁", "<0xE5>", "<0xAD>", "<0xA6>", "校"]), ["▁|0..1", "学|1..4", "校|4..5"]);
        assert_eq!(words(&["M", "<0xC3>", "<0xA4>", "n", "▁<"]), ["Män|0..4", "<|4..5"]);
        assert_eq!(words(&["a", "▁", "<0xE2>", "<0x82>"]), ["a|0..1", "▁|1..2", "\u{FFFD}|2..4"]);
    }

    #[test]
    fn white_space_joins_nothing_and_escapes_are_one_character() {
        assert_eq!(words(&["a", "▁", "▁", "b"]), ["a|0..1", "▁|1..2", "▁|2..3", "b|3..4"]);
        assert_eq!(to_pieces("\u{2581}"), "\u{10}_");
        assert_eq!(words(&["\u{10}", "_", ".", "a"]), ["▁|0..2", ".|2..3", "a|3..4"]);
    }

    #[test]
    fn a_special_separates() {
        assert_eq!(words(&["<s>", "Ha", "</s>", "us"]), ["<s>|0..1", "Ha|1..2", "</s>|2..3", "us|3..4"]);
        let tokenizer = tokenizer(&[]);
        assert!(tokenizer.words(&[]).is_empty());
        assert_eq!(tokenizer.words(&[BOS, EOS]).len(), 2);
    }
}
