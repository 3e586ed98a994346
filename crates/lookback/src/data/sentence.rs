//! What equal sentences have in common.
//!
//! Sentences are equal if they are so in NFC, without white space around. Their hashes are the first 128 bits of SHA-256: what two different ones share by chance
//! among 2^40 is less likely than 2^-48.

use sha2::{Digest as _, Sha256};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// The hash of a sentence, or of a pair.
pub(super) type Key = [u64; 2];

/// The hash of a sentence in NFC without white space around.
pub(super) fn key(sentence: &str) -> Key {
    let sentence = sentence.trim();
    if sentence.is_ascii() || is_nfc_quick(sentence.chars()) == IsNormalized::Yes {
        return hash(sentence);
    }
    hash(&sentence.nfc().collect::<String>())
}

/// The hash of a text as it stands.
pub(super) fn hash(text: &str) -> Key {
    first_words(&Sha256::digest(text.as_bytes()))
}

/// The hash of a pair with sides of these hashes.
pub(super) fn join(src: Key, tgt: Key) -> Key {
    let mut hash = Sha256::new();
    for word in src.into_iter().chain(tgt) {
        hash.update(word.to_le_bytes());
    }
    first_words(&hash.finalize())
}

fn first_words(digest: &[u8]) -> Key {
    let words = digest.as_chunks::<8>().0;
    [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_sentence_have_one_key_and_other_sentences_and_pairs_others() {
        assert_eq!(key(" a\u{308}\u{a0}"), key("ä"));
        assert_ne!(key("a b"), key("a  b"));
        assert_ne!(join(key("a"), key("b")), join(key("b"), key("a")));
        // FIPS 180-2, B.1.
        assert_eq!(key("abc"), [0xba78_16bf_8f01_cfea_u64.swap_bytes(), 0x4141_40de_5dae_2223_u64.swap_bytes()]);
    }
}
