//! What a vocabulary is learned from: how often each word was seen. Texts themselves are not kept.

use ahash::AHashMap;
use compact_str::CompactString;

use super::super::escape::{GUARDED, guard, split_words, to_pieces, to_words};
use super::super::normalize::Normalizer;
use super::super::pair::{TextMode, TokenizerSpec};

/// Words, and how often each was seen. Nothing may depend on their order.
pub(super) type Words = AHashMap<CompactString, u64>;

/// Words of texts seen one after another; what it takes grows with the different words alone.
#[derive(Clone, Debug)]
pub(in crate::text) struct Counts {
    mode: TextMode,
    pub(super) normalizer: Normalizer,
    pub(super) words: Words,
}

impl Counts {
    pub(in crate::text) fn new(spec: &TokenizerSpec) -> Self {
        let normalizer = Normalizer { form: spec.normalization, lowercase: spec.lowercase };
        Self { mode: spec.mode, normalizer, words: Words::default() }
    }

    /// Counts the words of a text: what stands between white space, or [as pieces are cut](split_words).
    pub(in crate::text) fn add(&mut self, text: &str) {
        let text = self.normalizer.apply(text);
        let words = &mut self.words;
        match self.mode {
            TextMode::Word => to_words(&text).split_whitespace().for_each(|word| count(words, word, 1)),
            TextMode::Unigram => {
                split_words(&guard(&to_pieces(&text), &GUARDED)).for_each(|word| count(words, word, 1));
            }
            _ => split_words(&to_pieces(&text)).for_each(|word| count(words, word, 1)),
        }
    }
}

/// Adds `times` to the count of a word.
pub(super) fn count(words: &mut Words, word: &str, times: u64) {
    match words.get_mut(word) {
        Some(count) => *count += times,
        None => drop(words.insert(word.into(), times)),
    }
}
