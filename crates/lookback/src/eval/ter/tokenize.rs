//! How TER prepares a line: Tercom's normalisation as sacreBLEU has it.

use super::TerMetric;
use crate::eval::text::{read_entities, space_around, trim_end, words};
use crate::eval::tokenize::{is_symbol, space_points};

impl TerMetric {
    /// A reference as white space between words. sacreBLEU prepares references twice, which shows in `Tom's` before a space other than
    /// U+0020.
    pub(super) fn prepare_reference(&self, line: &str) -> String {
        let once = self.prepare(line);
        if self.normalized { self.prepare(&words(&once).collect::<Vec<_>>().join(" ")) } else { once }
    }

    /// A hypothesis as white space between words.
    pub(super) fn prepare(&self, line: &str) -> String {
        let line = trim_end(line);
        let mut text = if self.case_sensitive { line.to_owned() } else { line.to_lowercase() };
        if self.normalized && !text.is_empty() {
            text = read_entities(text.replace("\n-", "").replace('\n', " "));
            let spaced = space_around(&format!(" {text} "), is_symbol);
            text = space_points(&spaced.replace("'s ", " 's "));
            if self.asian_support {
                text = space_around(&text, |c| is_asian(c) || is_asian_punctuation(c));
            }
        }
        if self.no_punct {
            let is_removed = |c| is_punctuation(c) || (self.asian_support && is_asian_punctuation(c));
            text.retain(|c| !is_removed(c));
        }
        text
    }
}

fn is_punctuation(c: char) -> bool {
    matches!(c, '.' | ',' | '?' | ':' | ';' | '!' | '"' | '(' | ')')
}

/// Chinese characters and their like. The range from U+3200 was meant to end at U+32FF; scores are counted with it as it is. Kana stay
/// together: the original's rule for them never applies.
fn is_asian(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{31c0}'..='\u{31ef}' | '\u{2e80}'..='\u{2eff}'
        | '\u{3300}'..='\u{33ff}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}' | '\u{3200}'..='\u{3f22}')
}

fn is_asian_punctuation(c: char) -> bool {
    matches!(c,
        '\u{3001}' | '\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff61}'..='\u{ff65}' | '\u{30fb}'
        | '\u{ff0e}' | '\u{ff0c}' | '\u{ff1f}' | '\u{ff1a}' | '\u{ff1b}' | '\u{ff01}' | '\u{ff02}' | '\u{ff08}' | '\u{ff09}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(metric: TerMetric, line: &str) -> String {
        words(&metric.prepare(line)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn capitals_go_and_punctuation_stays_by_default() {
        assert_eq!(joined(TerMetric::default(), "It's  OK, \u{a0}he said."), "it's ok, he said.");
        assert_eq!(joined(TerMetric { case_sensitive: true, ..TerMetric::default() }, "It's OK."), "It's OK.");
    }

    #[test]
    fn normalised_lines_are_cut_as_13a_cuts_them_and_possessives_too() {
        let normalized = TerMetric { normalized: true, ..TerMetric::default() };
        assert_eq!(joined(normalized, "Tom's &quot;1,000&quot; (dogs')."), "tom 's \" 1,000 \" ( dogs' ) .");
    }

    #[test]
    fn references_are_normalised_twice() {
        let normalized = TerMetric { normalized: true, ..TerMetric::default() };
        let line = "Tom's\u{a0}hat";
        assert_eq!(joined(normalized, line), "tom's hat");
        let twice = normalized.prepare_reference(line);
        assert_eq!(words(&twice).collect::<Vec<_>>().join(" "), "tom 's hat");
    }

    #[test]
    fn east_asian_support_needs_one_of_the_two_others() {
        let asian = TerMetric { asian_support: true, ..TerMetric::default() };
        let line = "今日は、晴れ。ok!";
        assert_eq!(joined(asian, line), line);
        assert_eq!(joined(TerMetric { normalized: true, ..asian }, line), "今 日 は 、 晴 れ 。 ok !");
        assert_eq!(joined(TerMetric { no_punct: true, ..asian }, line), "今日は晴れok");
    }
}
