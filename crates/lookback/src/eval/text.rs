//! Strings as Python sees them, which is where the metrics' definitions come from.

/// White space as `str.split` sees it: Unicode's property and the four ASCII separators.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// `str.split()`: what stands between runs of white space.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `str.rstrip()`.
pub(super) fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// Puts spaces around every character that `chosen` picks.
pub(super) fn space_around(text: &str, chosen: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        if chosen(c) {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}

/// Which character of a matched pair gets spaces around it.
#[derive(Clone, Copy)]
pub(super) enum Spaces {
    AroundFirst,
    AroundSecond,
}

/// Puts spaces into pairs of neighbours that `matches` picks. It scans left to right, and a matched pair is consumed whole, so
/// pairs never overlap.
pub(super) fn space_pairs(text: &str, matches: impl Fn(char, char) -> Option<Spaces>) -> String {
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

/// Reads the four entities that BLEU's and TER's tokenisers know, each in one pass and in this order: `&amp;lt;` becomes `<`.
pub(super) fn read_entities(mut text: String) -> String {
    if text.contains('&') {
        for (entity, character) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(entity, character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_separators_are_space_and_zero_width_characters_are_not() {
        let all: Vec<_> = words("\u{1c}a\u{1f}b\u{85}c\u{a0}\u{3000}d\u{200b}e\u{feff}f \u{2028}").collect();
        assert_eq!(all, ["a", "b", "c", "d\u{200b}e\u{feff}f"]);
        assert_eq!(trim_end(" a \u{1d}\u{2029}\n"), " a");
    }

    #[test]
    fn pairs_do_not_overlap() {
        let spaced = space_pairs("xyyz", |a, b| (b == 'y' || a == 'y').then_some(Spaces::AroundSecond));
        assert_eq!(spaced, "x y y z ");
    }
}
