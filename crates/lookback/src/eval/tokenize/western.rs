//! The tokenisation that published BLEU scores are counted on: `13a`, after NIST's `mteval-v13a.pl`.
//!
//! It splits off ASCII punctuation, except apostrophes always, points and commas inside numbers, and dashes that do not
//! follow a digit. Letters beyond ASCII are left as they are, so text without spaces stays one token.

use super::Tokenizer;
use crate::eval::text::{Spaces, read_entities, space_around, space_pairs};

/// Tokens of one line under `13a`, as sacreBLEU's tokeniser of that name yields them.
///
/// The steps and their order are those of the original, whose substitutions scan left to right without overlap: that decides what
/// happens to runs like `...` or `1,,2`.
///
/// # Examples
/// ```
/// let tokens = lookback::eval::tokenize_13a("It's 1,000.5 km (about), &quot;far&quot;.");
/// assert_eq!(tokens.join(" "), r#"It's 1,000.5 km ( about ) , " far " ."#);
/// ```
#[must_use]
pub fn tokenize_13a(line: &str) -> Vec<String> {
    Tokenizer::Western.tokens(line)
}

/// [`tokenize_13a`] up to white space, for a line without any at its end.
pub(super) fn space_13a(line: &str) -> String {
    let text = read_entities(line.replace("<skipped>", "").replace("-\n", "").replace('\n', " "));
    space_symbols(&format!(" {text} "))
}

/// The part for languages written with spaces: symbols first, then points, commas and dashes by their neighbours.
pub(in crate::eval) fn space_symbols(text: &str) -> String {
    space_points(&space_around(text, is_symbol))
}

/// Puts spaces around points and commas unless they stand inside a number, and around dashes that follow a digit.
pub(in crate::eval) fn space_points(text: &str) -> String {
    let text = space_pairs(text, |a, b| (!a.is_ascii_digit() && is_point(b)).then_some(Spaces::AroundSecond));
    let text = space_pairs(&text, |a, b| (is_point(a) && !b.is_ascii_digit()).then_some(Spaces::AroundFirst));
    space_pairs(&text, |a, b| (a.is_ascii_digit() && b == '-').then_some(Spaces::AroundSecond))
}

/// Every ASCII symbol and the space, but for `'`, `,`, `-` and `.`.
pub(in crate::eval) fn is_symbol(c: char) -> bool {
    matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

fn is_point(c: char) -> bool {
    matches!(c, '.' | ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(line: &str) -> String {
        tokenize_13a(line).join(" ")
    }

    #[test]
    fn points_and_commas_stay_inside_numbers_only() {
        assert_eq!(joined("3.14, 1,000 and v.2 end."), "3.14 , 1,000 and v . 2 end .");
        assert_eq!(joined(".5"), ". 5");
    }

    #[test]
    fn dashes_are_split_after_digits_only() {
        assert_eq!(joined("well-known 1990-2000 A-1"), "well-known 1990 - 2000 A-1");
    }

    #[test]
    fn runs_are_consumed_in_pairs_without_overlap() {
        assert_eq!(joined("wait..."), "wait . . .");
        assert_eq!(joined("1,,2"), "1 , , 2");
    }

    #[test]
    fn entities_are_read_once_and_in_order() {
        assert_eq!(joined("&amp;lt; &amp;quot; &#39;"), "< & quot ; & # 39 ;");
    }

    #[test]
    fn no_break_and_ideographic_spaces_separate_and_zero_width_ones_do_not() {
        assert_eq!(tokenize_13a("a\u{a0}b\u{3000}c\u{1f}d\u{200b}e"), ["a", "b", "c", "d\u{200b}e"]);
    }

    #[test]
    fn inner_line_ends_join_hyphenated_words() {
        assert_eq!(joined("hyphen-\nated two\nlines <skipped>x-\n"), "hyphenated two lines x-");
    }
}
