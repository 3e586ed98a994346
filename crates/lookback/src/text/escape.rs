//! The one reversible mapping between text and what the pieces are made of; see the [module page](super).
use std::ops::Range;

/// How a piece writes a space.
pub(super) const META: char = '\u{2581}';
/// Starts an escape.
pub(super) const ESCAPE: char = '\u{10}';
/// `▁` of the text itself. The characters after [`ESCAPE`] are ones that compose with nothing in front of them.
pub(super) const ESCAPED_META: &str = "\u{10}_";
/// The escape character itself.
pub(super) const ESCAPED_ESCAPE: &str = "\u{10}-";

/// What no text may spell in a model that looks for whole pieces in it, and how it is written instead: with [`ESCAPE`]
/// inside. Byte pieces begin with the first one.
pub(super) const GUARDED: [(&str, &str); 5] = [
    ("<0x", "<\u{10}0x"),
    ("<unk>", "<\u{10}unk>"),
    ("<pad>", "<\u{10}pad>"),
    ("<s>", "<\u{10}s>"),
    ("</s>", "<\u{10}/s>"),
];
/// The characters that follow [`ESCAPE`] in [`GUARDED`]: there it is dropped.
const AFTER_GUARD: &str = "0ups/";

/// The names a text is guarded against in a word vocabulary: `<unk>` of a text is the unknown word.
pub(super) fn guarded_words() -> &'static [(&'static str, &'static str)] {
    &GUARDED[2..]
}

/// What a reader drops to take the guard back, as a regular expression.
pub(super) fn guard_pattern() -> String {
    format!("{ESCAPE}(?=[{AFTER_GUARD}])")
}

/// What pieces are cut from: normalised `text`, escaped, spaces as [`META`].
pub(super) fn to_pieces(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            META => out.push_str(ESCAPED_META),
            ESCAPE => out.push_str(ESCAPED_ESCAPE),
            ' ' => out.push(META),
            c => out.push(c),
        }
    }
    out
}

/// What words are cut from: normalised `text`, escaped. Spaces stay, and `▁` is an ordinary character.
pub(super) fn to_words(text: &str) -> String {
    guard(&text.replace(ESCAPE, ESCAPED_ESCAPE), guarded_words())
}

/// Escapes what `text` must not spell.
pub(super) fn guard(text: &str, names: &[(&str, &str)]) -> String {
    if !text.contains('<') {
        return text.to_owned();
    }
    names.iter().fold(text.to_owned(), |text, (name, guarded)| text.replace(name, guarded))
}

/// Cuts the result of [`to_pieces`] before each [`META`]: no piece reaches over a cut. Together the words are the text.
pub(super) fn split_words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let start = first.len_utf8();
        let end = rest[start..].find(META).map_or(rest.len(), |at| start + at);
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// A character of the decoded text and the raw bytes it came from.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) char: char,
    pub(super) raw: Range<usize>,
}

/// Takes bytes back to text: UTF-8, then the escapes. What is not UTF-8 becomes U+FFFD, one per maximal invalid part.
pub(super) fn decode_raw(raw: &[u8]) -> impl Iterator<Item = Decoded> {
    let mut at = 0;
    let chars = raw.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        let valid_end = start + chunk.valid().len();
        at = valid_end + chunk.invalid().len();
        let valid = chunk
            .valid()
            .char_indices()
            .map(move |(i, c)| Decoded { char: c, raw: start + i..start + i + c.len_utf8() });
        let invalid =
            (!chunk.invalid().is_empty()).then_some(Decoded { char: char::REPLACEMENT_CHARACTER, raw: valid_end..at });
        valid.chain(invalid)
    });
    let mut chars = chars.peekable();
    std::iter::from_fn(move || {
        let mut first = chars.next()?;
        if first.char == ESCAPE {
            let unescaped = match chars.peek().map(|next| next.char) {
                Some('_') => Some(META),
                Some('-') => Some(ESCAPE),
                Some(c) if AFTER_GUARD.contains(c) => Some(c),
                _ => None,
            };
            if let Some(c) = unescaped {
                let last = chars.next()?;
                first = Decoded { char: c, raw: first.raw.start..last.raw.end };
            }
        }
        Some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &[u8]) -> String {
        decode_raw(raw).map(|d| d.char).collect()
    }

    #[test]
    fn escapes_are_taken_back_in_one_pass() {
        assert_eq!(text(b"a\x10_b"), "a\u{2581}b");
        assert_eq!(text(b"\x10-_"), "\u{10}_"); // an escaped escape followed by a plain underscore
        assert_eq!(text(b"\x10x\x10"), "\u{10}x\u{10}"); // not an escape: left alone
        assert_eq!(text(b"<\x10/s><\x100x41>\x10-s"), "</s><0x41>\u{10}s");
    }

    #[test]
    fn invalid_bytes_become_replacement_characters_and_keep_their_place() {
        let decoded: Vec<Decoded> = decode_raw(b"a\xE2\x82b\xFF").collect();
        assert_eq!(decoded.iter().map(|d| d.char).collect::<String>(), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(decoded[1].raw, 1..3);
        assert_eq!(decoded[3].raw, 4..5);
    }

    #[test]
    fn words_are_cut_before_each_space() {
        let words = |text: &str| split_words(&to_pieces(text)).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words("  Hi \u{2581}you "), ["▁", "▁Hi", "▁\u{10}_you", "▁"]);
        assert!(words("").is_empty());
    }
}
