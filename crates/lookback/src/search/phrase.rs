//! Phrases in a text, however it is cut into pieces.
//!
//! A phrase stands in a text where its bytes do and no word goes on at either end: between the characters on both sides of each end there is a word boundary
//! of UAX #29, judged by these two characters alone. So `Haus` is in `das Haus.` but not in `Rathaus` or `Hauses`, and `学校` is in `小学校に`.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::text::Tokenizer;

/// Whether more may be written behind a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextEnd {
    /// It ends here.
    Closed,
    /// It may go on: what stands at its very end is not known to be a whole word.
    Open,
}

/// The bytes that `ids` add to a text.
pub(super) fn bytes_of(tgt: &Tokenizer, ids: &[u32]) -> Vec<u8> {
    ids.iter().flat_map(|&id| tgt.raw_bytes(id)).copied().collect()
}

/// A phrase, in the bytes that pieces add to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    pub(super) bytes: Vec<u8>,
    first: char,
    last: char,
}

impl Phrase {
    /// The phrase `text`; `None` if it is empty.
    pub(super) fn new(tgt: &Tokenizer, text: &str) -> Option<Self> {
        // In a vocabulary of words every piece brings its space.
        let bytes = bytes_of(tgt, &tgt.encode(text)).trim_ascii_start().to_vec();
        let (first, last) = (first_char(&bytes)?, last_char(&bytes)?);
        Some(Self { bytes, first, last })
    }

    /// Whether it stands in `text`.
    pub(super) fn is_in(&self, text: &[u8], end: TextEnd) -> bool {
        self.is_in_from(0, text, end)
    }

    /// Whether it stands in `text`, beginning at byte `from` or later.
    fn is_in_from(&self, from: usize, text: &[u8], end: TextEnd) -> bool {
        let len = self.bytes.len();
        let stands = |start: usize| {
            text[start..].starts_with(&self.bytes)
                && self.may_follow(&text[..start])
                && self.may_precede(&text[start + len..], end)
        };
        (from..(text.len() + 1).saturating_sub(len)).any(stands)
    }

    /// Whether no word goes on where the phrase follows `text`.
    pub(super) fn may_follow(&self, text: &[u8]) -> bool {
        text.is_empty() || last_char(text).is_some_and(|before| is_boundary(before, self.first))
    }

    fn may_precede(&self, text: &[u8], end: TextEnd) -> bool {
        // A character of which bytes are missing may be anything.
        if text.is_empty() {
            end == TextEnd::Closed
        } else {
            first_char(text).is_some_and(|c| is_boundary(self.last, c))
        }
    }
}

fn is_boundary(before: char, after: char) -> bool {
    String::from_iter([before, after]).split_word_bounds().nth(1).is_some()
}

fn first_char(bytes: &[u8]) -> Option<char> {
    bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next())
}

/// The last character; of bytes that begin inside a character too.
fn last_char(bytes: &[u8]) -> Option<char> {
    let end = &bytes[bytes.len().saturating_sub(4)..];
    end.utf8_chunks()
        .last()
        .filter(|chunk| chunk.invalid().is_empty())
        .and_then(|chunk| chunk.valid().chars().next_back())
}

/// A phrase that must not be said, with the pieces that would say it.
///
/// A piece is blocked if the phrase would end in it or with it. The second is stricter than the text needs: a longer word that begins with the phrase can then
/// only be written in pieces that do not end where the phrase does.
#[derive(Debug)]
pub(super) struct Forbidden {
    pub(super) phrase: Phrase,
    /// Pieces in which the phrase stands as it is.
    always: Vec<u32>,
    /// Pieces that say the rest of the phrase after so many of its bytes.
    ends: Vec<(u32, usize)>,
}

impl Forbidden {
    pub(super) fn new(tgt: &Tokenizer, phrase: Phrase) -> Self {
        let (mut always, mut ends) = (Vec::new(), Vec::new());
        let len = phrase.bytes.len();
        for id in 0..u32::try_from(tgt.vocab_size()).unwrap_or(u32::MAX) {
            let piece = tgt.raw_bytes(id);
            for end in 1..=piece.len() {
                if !phrase.may_precede(&piece[end..], TextEnd::Closed) {
                    continue;
                }
                match end.checked_sub(len) {
                    None if piece[..end] == phrase.bytes[len - end..] => ends.push((id, len - end)),
                    Some(0) if piece[..end] == phrase.bytes => ends.push((id, 0)),
                    Some(start)
                        if start > 0 && piece[start..end] == phrase.bytes && phrase.may_follow(&piece[..start]) =>
                    {
                        always.push(id);
                    }
                    _ => {}
                }
            }
        }
        Self { phrase, always, ends }
    }

    /// Appends the pieces that must not follow a text with this end.
    pub(super) fn block(&self, tail: &[u8], blocked: &mut Vec<u32>) {
        blocked.extend(&self.always);
        for &(id, before) in &self.ends {
            let begun = tail.strip_suffix(&self.phrase.bytes[..before]);
            if begun.is_some_and(|text| self.phrase.may_follow(text)) {
                blocked.push(id);
            }
        }
    }
}

/// The end of a hypothesis: its last pieces and their bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    pub(super) ids: Vec<u32>,
    pub(super) bytes: Vec<u8>,
    /// Whether pieces come before these.
    is_part: bool,
}

impl Tail {
    /// The last pieces with at least `reach` bytes together, or all; `backwards` gives them, the last first.
    pub(super) fn new(tgt: &Tokenizer, mut backwards: impl Iterator<Item = u32>, reach: usize) -> Self {
        let (mut ids, mut len) = (Vec::new(), 0);
        while len < reach
            && let Some(id) = backwards.next()
        {
            len += tgt.raw_bytes(id).len();
            ids.push(id);
        }
        ids.reverse();
        Self { bytes: bytes_of(tgt, &ids), ids, is_part: backwards.next().is_some() }
    }

    /// Whether `phrase` stands here. What comes before the very first byte is known only if these are all pieces.
    pub(super) fn holds(&self, phrase: &Phrase, end: TextEnd) -> bool {
        phrase.is_in_from(usize::from(self.is_part), &self.bytes, end)
    }

    /// With one more piece.
    pub(super) fn with(&self, tgt: &Tokenizer, id: u32) -> Self {
        let (mut ids, mut bytes) = (self.ids.clone(), self.bytes.clone());
        ids.push(id);
        bytes.extend_from_slice(tgt.raw_bytes(id));
        Self { ids, bytes, is_part: self.is_part }
    }
}

/// A phrase that has to be said, and the two ways it is cut into pieces: at the beginning of a word without a space before it, and with one.
#[derive(Debug)]
pub(super) struct Must {
    pub(super) phrase: Phrase,
    plain: Vec<u32>,
    spaced: Vec<u32>,
}

impl Must {
    pub(super) fn new(tgt: &Tokenizer, text: &str, phrase: Phrase) -> Self {
        Self { phrase, plain: tgt.encode(text), spaced: tgt.encode(&format!(" {text}")) }
    }

    /// Its pieces, cut in both ways.
    pub(super) fn pieces(&self) -> impl Iterator<Item = u32> {
        self.plain.iter().chain(&self.spaced).copied()
    }

    /// What saying it is worth, in pieces.
    pub(super) fn worth(&self) -> usize {
        self.plain.len().max(self.spaced.len())
    }

    /// What of that a hypothesis has said that ends inside the phrase.
    pub(super) fn begun(&self, tgt: &Tokenizer, tail: &Tail) -> usize {
        let worth = |way: &[u32], said: usize| if said == 0 { 0 } else { self.worth() - (way.len() - said) };
        worth(&self.spaced, said(&self.spaced, tail)).max(worth(&self.plain, self.said_plain(tgt, tail)))
    }

    /// Appends the pieces that say the next of it.
    pub(super) fn propose(&self, tgt: &Tokenizer, tail: &Tail, proposals: &mut Vec<u32>) {
        let (spaced, plain) = (said(&self.spaced, tail), self.said_plain(tgt, tail));
        if (spaced > 0 || plain == 0) && !tail.ids.is_empty() {
            proposals.push(self.spaced[spaced]);
        }
        if plain > 0 || (spaced == 0 && self.phrase.may_follow(&tail.bytes)) {
            proposals.push(self.plain[plain]);
        }
    }

    fn said_plain(&self, tgt: &Tokenizer, tail: &Tail) -> usize {
        let said = said(&self.plain, tail);
        let before = tail.bytes.len() - bytes_of(tgt, &self.plain[..said]).len();
        if self.phrase.may_follow(&tail.bytes[..before]) { said } else { 0 }
    }
}

/// How many pieces of `way`, not all of it, a hypothesis ends with.
fn said(way: &[u32], tail: &Tail) -> usize {
    (1..way.len()).rev().find(|&n| tail.ids.ends_with(&way[..n])).unwrap_or(0)
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::text::{TextMode, TokenizerSpec, Tokenizers};

    /// Subwords, among them `▁Haus`, `Haus` and parts of them.
    fn tokenizer() -> Tokenizer {
        let spec = TokenizerSpec { mode: TextMode::Bpe, vocab_size: 300, ..TokenizerSpec::default() };
        let text = ["das Haus. das Haus. Hausbau, Rathaus, ein Haus, Haus und Hof", "Maus raus aus dem Haus"];
        Tokenizers::train(&spec, text, text).unwrap().tgt
    }

    fn phrase(text: &str) -> Phrase {
        Phrase::new(&tokenizer(), text).unwrap()
    }

    #[test]
    fn a_phrase_stands_where_no_word_goes_on_at_its_ends() {
        let holds = |word: &str, text: &str| phrase(word).is_in(text.as_bytes(), TextEnd::Closed);
        for text in ["Haus", "das Haus.", "(Haus)", "Hauses Haus", "a\nHaus\tb"] {
            assert!(holds("Haus", text), "{text}");
        }
        for text in ["", "Hau", "Hauses", "Rathaus Haus2", "XHaus", "haus"] {
            assert!(!holds("Haus", text), "{text}");
        }
        assert!(holds("das Haus", "in das Haus!") && !holds("das Haus", "das  Haus"));
        assert!(holds("学校", "小学校に行く") && !holds("コー", "コーヒー"), "as UAX #29 cuts them");
    }

    #[test]
    fn where_a_tail_begins_a_word_may_go_on() {
        let tgt = tokenizer();
        let holds = |text: &str, reach| {
            Tail::new(&tgt, tgt.encode(text).into_iter().rev(), reach).holds(&phrase("aus"), TextEnd::Closed)
        };
        let text = "Xaus dem Hof";
        let reach = (1..20).find(|&n| Tail::new(&tgt, tgt.encode(text).into_iter().rev(), n).bytes.starts_with(b"aus"));
        assert!(!holds(text, 100) && !holds(text, reach.unwrap()), "what stands before it is out of sight");
        assert!(holds("aus dem Hof", 100));
    }

    #[test]
    fn at_an_open_end_a_word_may_go_on() {
        assert!(!phrase("Haus").is_in(b"das Haus", TextEnd::Open));
        assert!(phrase("Haus").is_in(b"das Haus.", TextEnd::Open));
        assert!(!phrase("Haus").is_in(b"das Haus\xC3", TextEnd::Open), "what follows is not known yet");
    }

    #[test]
    fn no_way_of_cutting_says_what_must_not_be_said() {
        let tgt = tokenizer();
        let forbidden = Forbidden::new(&tgt, phrase("Haus"));
        let ids = 4..u32::try_from(tgt.vocab_size()).unwrap();
        let mut blocked = 0;
        // After each beginning of the text, every piece that would complete the word is blocked, and no other.
        for before in ["", "das", "das ", "das H", "das Hau", "Rat", "RatHau", "Hau", "das Haus", "Haus."] {
            let mut list = Vec::new();
            forbidden.block(before.as_bytes(), &mut list);
            for id in ids.clone() {
                let text = [before.as_bytes(), tgt.raw_bytes(id)].concat();
                let known = forbidden.phrase.is_in(before.as_bytes(), TextEnd::Closed);
                let says = forbidden.phrase.is_in(&text, TextEnd::Closed);
                if !known {
                    assert_eq!(list.contains(&id), says, "{before:?} + {:?}", tgt.piece(id));
                    blocked += usize::from(says);
                }
            }
        }
        assert!(blocked > 8, "{blocked}");
    }

    #[test]
    fn the_next_piece_of_either_way_is_proposed() {
        let tgt = tokenizer();
        let must = Must::new(&tgt, "Hof aus", phrase("Hof aus"));
        let proposed = |text: &str| {
            let tail = Tail::new(&tgt, tgt.encode(text).into_iter().rev(), 40);
            let mut ids = Vec::new();
            must.propose(&tgt, &tail, &mut ids);
            let begun = must.begun(&tgt, &tail);
            (ids, begun)
        };
        let (plain, spaced) = (tgt.encode("Hof aus"), tgt.encode(" Hof aus"));
        assert!(plain.len() > 1 && spaced.len() > 1);
        assert_eq!(proposed(""), (vec![plain[0]], 0));
        assert_eq!(proposed("und"), (vec![spaced[0]], 0));
        assert_eq!(proposed("und."), (vec![spaced[0], plain[0]], 0), "after a dot no space is needed");
        let begun = |ids: &[u32]| {
            let tail = Tail::new(&tgt, ids.iter().rev().copied(), 40);
            let mut next = Vec::new();
            must.propose(&tgt, &tail, &mut next);
            (next, must.begun(&tgt, &tail))
        };
        let und = tgt.encode("und");
        let (next, said) = begun(&[&und[..], &spaced[..1]].concat());
        assert!(next.contains(&spaced[1]) && said == must.worth() - spaced.len() + 1);
        let last = spaced.len() - 1;
        let (next, said) = begun(&[&und[..], &spaced[..last]].concat());
        assert!(next.contains(&spaced[last]) && said == must.worth() - 1);
    }
}
