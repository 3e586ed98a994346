//! What error rates count: words and characters.
//!
//! Text is put in NFC first, so that how an accent was typed is no error. Words are what stands between white space (Unicode's property); nothing is
//! split off, so pronunciations written as phones with spaces between are counted by phone. Characters are code points, the spaces inside a line
//! among them, those at its ends not. Code points are what published character error rates count; grapheme clusters would make them incomparable, and
//! in NFC the two differ only where a letter has no composed form.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// What stands between white space: words, or phones written apart.
    Word,
    /// Code points.
    Character,
}

/// `text` in NFC, with or without capitals.
pub(super) fn normalized(text: &str, lowercase: bool) -> Cow<'_, str> {
    let text = if lowercase { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) };
    if is_nfc_quick(text.chars()) == IsNormalized::Yes { text } else { Cow::Owned(text.nfc().collect()) }
}

/// The tokens of a normalised line, each as text.
pub(super) fn tokens(text: &str, unit: Unit) -> Vec<&str> {
    match unit {
        Unit::Word => text.split_whitespace().collect(),
        Unit::Character => {
            let text = text.trim();
            text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accent_is_one_character_however_it_was_typed() {
        let text = normalized("cafe\u{301} x\u{301}", false);
        assert_eq!(tokens(&text, Unit::Character), ["c", "a", "f", "é", " ", "x", "\u{301}"]);
        assert!(matches!(normalized("plain", false), Cow::Borrowed(_)));
    }

    #[test]
    fn words_stand_between_white_space_of_every_kind() {
        assert_eq!(tokens("\u{3000}a\u{a0}b,\t\tc \u{200b}", Unit::Word), ["a", "b,", "c", "\u{200b}"]);
        assert_eq!(tokens("  ", Unit::Word), [""; 0]);
        assert_eq!(tokens(" a  b ", Unit::Character), ["a", " ", " ", "b"]);
    }

    #[test]
    fn capitals_go_on_request() {
        assert_eq!(normalized("ÄB\u{130}", true), "äbi\u{307}");
    }
}
