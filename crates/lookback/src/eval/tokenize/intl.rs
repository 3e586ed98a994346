//! The tokenisation `intl`, after NIST's `mteval-v14.pl`: punctuation and symbols of all scripts by Unicode's categories.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::eval::text::{Spaces, space_around, space_pairs};

/// The line with white space between tokens. Punctuation stays inside numbers, `1,000` or `٣٫٥`, and at the end of a line behind one.
pub(super) fn space_intl(line: &str) -> String {
    use GeneralCategoryGroup::{Number, Punctuation, Symbol};
    let is = |group: GeneralCategoryGroup, c: char| c.general_category_group() == group;
    let text = space_pairs(line, |a, b| (!is(Number, a) && is(Punctuation, b)).then_some(Spaces::AroundSecond));
    let text = space_pairs(&text, |a, b| (is(Punctuation, a) && !is(Number, b)).then_some(Spaces::AroundFirst));
    space_around(&text, |c| is(Symbol, c))
}

#[cfg(test)]
mod tests {
    use crate::eval::Tokenizer;

    fn joined(line: &str) -> String {
        Tokenizer::Intl.tokens(line).join(" ")
    }

    #[test]
    fn punctuation_of_every_script_is_cut_off_but_not_inside_numbers() {
        assert_eq!(joined("„Ja“, sagte er。 1,000.5 ١٫٥ ½.5"), "„ Ja “ , sagte er 。 1,000.5 ١٫٥ ½.5");
    }

    #[test]
    fn symbols_stand_alone_and_marks_stay() {
        assert_eq!(joined("5€+x 👍🏽 e\u{301}"), "5 € + x 👍 🏽 e\u{301}");
    }

    #[test]
    fn a_point_behind_a_number_stays_at_the_end_of_the_line() {
        assert_eq!(joined("In 1990."), "In 1990.");
        assert_eq!(joined("In 1990. Then"), "In 1990 . Then");
    }
}
