//! Tokens as labels of a figure: visible, harmless, of a known width.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::text::control_picture;

/// `token` with a sign for everything that would be invisible or would steer the terminal: spaces become `␣`, control
/// characters their pictures, marks that reorder text `�`. Spaces inside a token stay.
#[must_use]
pub fn visible(token: &str) -> Cow<'_, str> {
    if token.is_empty() {
        return Cow::Borrowed("∅");
    }
    if token.chars().all(char::is_whitespace) {
        return Cow::Owned("␣".repeat(token.chars().count()));
    }
    if token.chars().all(|c| picture(c).is_none()) {
        return Cow::Borrowed(token);
    }
    Cow::Owned(token.chars().map(|c| picture(c).unwrap_or(c)).collect())
}

fn picture(c: char) -> Option<char> {
    match c {
        '\0'..='\u{7f}' => control_picture(c),
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some('␤'),
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        '\u{fffe}' | '\u{ffff}' => Some('\u{fffd}'), // not allowed in XML
        _ => None,
    }
}

/// `label`, cut to at most `columns` columns of a terminal; an ellipsis shows the cut.
#[must_use]
pub fn fit(label: &str, columns: usize) -> Cow<'_, str> {
    if label.width() <= columns {
        return Cow::Borrowed(label);
    }
    let mut out = String::new();
    for grapheme in label.graphemes(true) {
        if out.width() + grapheme.width() + 1 > columns {
            break;
        }
        out.push_str(grapheme);
    }
    out.push('…');
    Cow::Owned(out)
}

/// A number as people read it: `12,345`.
#[must_use]
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let mut out = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        out.push(',');
        out.extend(group.iter().map(|&digit| char::from(digit)));
    }
    out
}

/// Whether a label contains letters written from right to left.
pub(super) fn is_right_to_left(label: &str) -> bool {
    label.chars().any(|c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    })
}

/// `text` for HTML and XML, as content or in a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_or_steering_gets_through() {
        assert_eq!(visible(""), "∅");
        assert_eq!(visible(" \u{a0}"), "␣␣");
        assert_eq!(visible("a\u{1b}[31m\u{9b}b\u{202e}c\u{2028}"), "a␛[31m\u{fffd}b\u{fffd}c␤");
        assert!(matches!(visible("New York"), Cow::Borrowed("New York")));
    }

    #[test]
    fn a_cut_never_splits_a_character_and_never_exceeds_its_width() {
        assert_eq!(fit("Donaudampfschiff", 6), "Donau…");
        assert_eq!(fit("東京都庁舎", 6), "東京…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("short", 5), "short");
    }

    #[test]
    fn scripts_from_right_to_left_are_recognised() {
        assert!(is_right_to_left("مدرسة") && is_right_to_left("שלום,") && !is_right_to_left("schön 東京 학교"));
    }

    #[test]
    fn no_markup_survives_escaping() {
        assert_eq!(escape(r#"<a b="c" d='e'>&"#), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
    }
}
