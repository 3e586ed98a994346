//! The tokenisation `zh`: Chinese characters stand alone, the rest is cut as Western text.

use super::western::space_symbols;
use crate::eval::text::{is_space, space_around};

/// The line with white space between tokens.
///
/// Unlike `13a` it reads no entities, and a point or comma at either end of the line has no neighbour to be told apart from.
pub(super) fn space_zh(line: &str) -> String {
    space_symbols(&space_around(line.trim_matches(is_space), is_chinese))
}

/// The ranges of the original. The one from U+2001 to U+2A6D was meant to be U+20000 to U+2A6D6, which therefore is missing; scores are
/// counted with it as it is.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{2001}'..='\u{2a6d}' | '\u{2e80}'..='\u{2eff}' | '\u{2f00}'..='\u{2fdf}' | '\u{2ff0}'..='\u{303f}'
        | '\u{3100}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31c0}'..='\u{31ef}' | '\u{3200}'..='\u{33ff}'
        | '\u{3400}'..='\u{4db5}' | '\u{4e00}'..='\u{9fbb}' | '\u{f900}'..='\u{fa2d}' | '\u{fa30}'..='\u{fa6a}'
        | '\u{fa70}'..='\u{fad9}' | '\u{fe10}'..='\u{fe1f}' | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ffef}')
}

#[cfg(test)]
mod tests {
    use crate::eval::Tokenizer;

    #[test]
    fn chinese_characters_stand_alone() {
        assert_eq!(Tokenizer::Zh.tokens("我今天OK。ＡB"), ["我", "今", "天", "OK", "。", "Ａ", "B"]);
    }

    #[test]
    fn the_original_ranges_are_kept_with_their_slip() {
        assert_eq!(Tokenizer::Zh.tokens("a“b”\u{20000}\u{20001}"), ["a", "“", "b", "”", "\u{20000}\u{20001}"]);
    }

    #[test]
    fn a_point_at_the_end_stays_with_its_number() {
        assert_eq!(Tokenizer::Zh.tokens(" 5. "), ["5."]);
        assert_eq!(Tokenizer::Western.tokens(" 5. "), ["5", "."]);
    }
}
