//! The tokenisation that published BLEU scores are counted on: `13a`, after NIST's `mteval-v13a.pl`.
//!
//! It splits off ASCII punctuation, except apostrophes always, points and commas inside numbers, and dashes that do not
//! follow a digit. Letters beyond ASCII are left as they are, so text without spaces stays one token.

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
    let mut text =
        line.trim_end_matches(is_python_space).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if text.contains('&') {
        // One pass each, in this order: `&amp;lt;` therefore becomes `<`, as in the original.
        for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(entity, character);
        }
    }
    let text = split_symbols(&format!(" {text} "));
    let text = replace_pairs(&text, |a, b| (!a.is_ascii_digit() && is_point(b)).then_some(Spaces::AroundSecond));
    let text = replace_pairs(&text, |a, b| (is_point(a) && !b.is_ascii_digit()).then_some(Spaces::AroundFirst));
    let text = replace_pairs(&text, |a, b| (a.is_ascii_digit() && b == '-').then_some(Spaces::AroundSecond));
    text.split(is_python_space).filter(|token| !token.is_empty()).map(ToOwned::to_owned).collect()
}

/// White space as Python's `str.split` sees it: Unicode's property and the four ASCII separators.
fn is_python_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn is_point(c: char) -> bool {
    matches!(c, '.' | ',')
}

/// Puts spaces around every ASCII symbol but `'`, `,`, `-` and `.`.
fn split_symbols(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/') {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// Which character of a matched pair gets spaces around it.
#[derive(Clone, Copy)]
enum Spaces {
    AroundFirst,
    AroundSecond,
}

/// Scans left to right; a matched pair of neighbours is consumed whole, so pairs never overlap.
fn replace_pairs(text: &str, matches: impl Fn(char, char) -> Option<Spaces>) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut chars = text.chars().peekable();
    while let Some(a) = chars.next() {
        let Some((b, spaces)) = chars.peek().and_then(|&b| Some((b, matches(a, b)?))) else {
            out.push(a);
            continue;
        };
        chars.next();
        match spaces {
            Spaces::AroundFirst => out.extend([' ', a, ' ', b]),
            Spaces::AroundSecond => out.extend([a, ' ', b, ' ']),
        }
    }
    out
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
