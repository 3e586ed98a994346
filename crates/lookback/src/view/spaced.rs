//! What stands between white space: the words that readers of alignment files count.
//!
//! A map's own words are those of [`Tokenizer::words`](crate::text::Tokenizer::words), which separate punctuation. Somebody who has only the two
//! lines of text splits them at white space; so do the tools that read Pharaoh links, Nematus blocks and Marian's rows.

use unicode_normalization::UnicodeNormalization as _;

use super::Side;
use crate::text::{SPECIALS, UNK, WordSpan};

/// How a word that is white space only is written.
const SPACE: &str = "\u{2581}";

/// The side's words, joined where the text has no white space between them, and its end. They cover all tokens in order.
///
/// The text is looked at as it is, composed, and in lower case, since the model may read it so. If the words cannot be found in it in any of
/// these forms, they stay as they are.
pub(super) fn spaced_words(side: &Side) -> Vec<WordSpan> {
    let mut words = side.all_words();
    let end = if side.has_end() { words.pop() } else { None };
    let mut words = spaced(words, &side.text);
    words.extend(end);
    words
}

/// As [`spaced_words`], of `words` that cover a text's pieces in order, without its end.
pub(crate) fn spaced(words: Vec<WordSpan>, text: &str) -> Vec<WordSpan> {
    let forms = [text.to_owned(), text.nfc().collect(), text.nfkc().collect()];
    let found = forms.iter().find_map(|text| joined(&words, text).or_else(|| joined(&words, &text.to_lowercase())));
    found.unwrap_or(words)
}

/// Walks along `text`; none if it does not spell `words`.
fn joined(words: &[WordSpan], text: &str) -> Option<Vec<WordSpan>> {
    let mut out: Vec<WordSpan> = Vec::new();
    let mut rest = text;
    // White space that is a word of its own belongs to what follows.
    let mut space = None;
    for word in words {
        let trimmed = rest.trim_start();
        let is_apart = trimmed.len() < rest.len() || out.is_empty() || space.is_some();
        match trimmed.strip_prefix(word.text.as_str()) {
            Some(after) => {
                rest = after;
                match out.last_mut().filter(|_| !is_apart) {
                    Some(last) => {
                        last.end = word.end;
                        last.text.push_str(&word.text);
                    }
                    None => {
                        let start = space.take().unwrap_or(word.start);
                        out.push(WordSpan { start, ..word.clone() });
                    }
                }
            }
            None if word.text == SPACE => {
                rest = trimmed;
                space.get_or_insert(word.start);
            }
            // A vocabulary of words does not know this one; such words end at white space.
            None if word.text == SPECIALS[UNK as usize] => {
                rest = &trimmed[trimmed.find(char::is_whitespace).unwrap_or(trimmed.len())..];
                out.push(word.clone());
            }
            None => return None,
        }
    }
    match (space, words.last(), out.last_mut()) {
        (Some(_), Some(word), Some(last)) => last.end = word.end,
        (Some(_), ..) => return None,
        _ => {}
    }
    rest.trim().is_empty().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `text|start..end` of each word, of a side whose words are these, a token each.
    fn spaced(text: &str, words: &[&str], end: Option<&str>) -> Vec<String> {
        let span = |(i, word): (usize, &&str)| WordSpan { start: i, end: i + 1, text: (*word).to_owned() };
        let tokens = words.iter().copied().chain(end).map(str::to_owned).collect();
        let side = Side { text: text.into(), tokens, words: words.iter().enumerate().map(span).collect() };
        spaced_words(&side).iter().map(|w| format!("{}|{}..{}", w.text, w.start, w.end)).collect()
    }

    #[test]
    fn punctuation_belongs_to_its_word_unless_the_text_sets_it_apart() {
        assert_eq!(
            spaced("Geh, Paul!", &["Geh", ",", "Paul", "!"], Some("</s>")),
            ["Geh,|0..2", "Paul!|2..4", "</s>|4..5"]
        );
        assert_eq!(spaced("Geh , Paul", &["Geh", ",", "Paul"], None), ["Geh|0..1", ",|1..2", "Paul|2..3"]);
    }

    #[test]
    fn as_many_words_as_splitting_at_white_space_gives() {
        for text in ["a  b\u{a0}c\td", " a b ", "1992/93 war's", "a"] {
            let words: Vec<&str> = text.split_whitespace().collect();
            let shown: Vec<String> = words.iter().enumerate().map(|(i, w)| format!("{w}|{i}..{}", i + 1)).collect();
            assert_eq!(spaced(text, &words, None), shown);
        }
    }

    #[test]
    fn spaces_that_are_pieces_go_with_what_follows() {
        assert_eq!(spaced("ab c ", &["a", "b", "▁", "c", "▁"], None), ["ab|0..2", "c|2..5"]);
        assert_eq!(spaced("a ▁", &["a", "▁"], None), ["a|0..1", "▁|1..2"], "a ▁ that somebody typed is a word");
        assert_eq!(spaced(" ", &["▁"], Some("</s>")), ["▁|0..1", "</s>|1..2"]);
    }

    #[test]
    fn a_text_in_another_form_is_still_found() {
        assert_eq!(
            spaced("Scho\u{308}n, \u{ff34}ag", &["sch\u{f6}n", ",", "tag"], None),
            ["sch\u{f6}n,|0..2", "tag|2..3"]
        );
    }

    #[test]
    fn an_unknown_word_stands_for_one_word_of_the_text() {
        assert_eq!(
            spaced("der Zaunkönig , ja", &["der", "<unk>", ",", "ja"], None),
            ["der|0..1", "<unk>|1..2", ",|2..3", "ja|3..4"]
        );
    }

    #[test]
    fn words_that_are_not_in_the_text_stay_as_they_are() {
        assert_eq!(spaced("something else", &["a", "b"], Some("</s>")), ["a|0..1", "b|1..2", "</s>|2..3"]);
        assert_eq!(spaced("a b c", &["a", "b"], None), ["a|0..1", "b|1..2"]);
    }
}
