//! What may be said next.

use crate::backend::Candidates;
use crate::text::{BOS, EOS, PAD, Tokenizer, UNK, Utf8State};

use super::narrowed::Narrowed;

/// The longest UTF-8 sequence.
const LONGEST: usize = 4;

/// Ids that may follow, or may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum List {
    /// All but these.
    Except(Vec<u32>),
    /// Only these, ascending.
    Only(Vec<u32>),
}

impl List {
    fn candidates(&self) -> Candidates<'_> {
        match self {
            Self::Except(ids) => Candidates::AllExcept(ids),
            Self::Only(ids) => Candidates::Only(ids),
        }
    }

    fn has(&self, id: u32) -> bool {
        match self {
            Self::Except(ids) => !ids.contains(&id),
            Self::Only(ids) => ids.contains(&id),
        }
    }

    /// The list without `blocked`; none if it would be empty.
    pub(super) fn without(&self, blocked: &[u32]) -> Option<Self> {
        match self {
            Self::Except(ids) => Some(Self::Except([ids, blocked].concat())),
            Self::Only(ids) => {
                let rest: Vec<u32> = ids.iter().copied().filter(|id| !blocked.contains(id)).collect();
                (!rest.is_empty()).then_some(Self::Only(rest))
            }
        }
    }
}

/// The candidates of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// None: nobody reads the row.
    Nothing,
    /// A list of [`Allowed`], by its number.
    Usual(usize),
    /// A list of its own.
    Own(List),
}

/// What a list of candidates depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    utf8: Utf8State,
    /// Room for the bytes of a character.
    left: usize,
    may_end: bool,
}

/// The lists there are: few, because few places inside a character differ. Made when first needed.
#[derive(Debug)]
pub(super) struct Allowed<'a> {
    tgt: &'a Tokenizer,
    /// What may be said at all; everything if there is none.
    narrowed: Option<&'a Narrowed>,
    /// Byte pieces, ascending by id.
    bytes: Vec<(u32, u8)>,
    lists: Vec<(Place, List)>,
    ngram: usize,
    history: Vec<u32>,
}

impl<'a> Allowed<'a> {
    /// Of `narrowed` pieces, if there are some, with no n-gram of size `ngram` twice; 0 for any.
    pub(super) fn new(tgt: &'a Tokenizer, narrowed: Option<&'a Narrowed>, ngram: usize) -> Self {
        let ids = 0..u32::try_from(tgt.vocab_size()).unwrap_or(u32::MAX);
        let bytes = ids.filter_map(|id| tgt.byte_value(id).map(|byte| (id, byte))).collect();
        Self { tgt, narrowed, bytes, lists: Vec::new(), ngram, history: Vec::new() }
    }

    /// Pieces there are.
    pub(super) fn width(&self) -> usize {
        self.tgt.vocab_size()
    }

    /// What a choice leaves.
    pub(super) fn candidates<'c>(&'c self, choice: &'c Choice) -> Candidates<'c> {
        match choice {
            Choice::Nothing => Candidates::Only(&[]),
            Choice::Usual(list) => self.list(*list).candidates(),
            Choice::Own(list) => list.candidates(),
        }
    }

    fn list(&self, number: usize) -> &List {
        &self.lists[number].1
    }

    /// What may follow a hypothesis at `utf8` with room for `left` more ids, the end if it `may_end`, but for `blocked`. `backwards` gives its ids, the last first.
    ///
    /// Inside a character, where blocking would leave no byte, nothing is blocked. Elsewhere nothing may be left: of a vocabulary of words, or of a shortlist of one, which has no bytes, all may
    /// be blocked ([`Self::leaves_any`]).
    pub(super) fn choose(
        &mut self,
        utf8: Utf8State,
        left: usize,
        may_end: bool,
        backwards: impl Iterator<Item = u32>,
        mut blocked: Vec<u32>,
    ) -> Choice {
        let usual = self.usual(utf8, left, may_end);
        if self.ngram > 0 {
            self.history.clear();
            self.history.extend(backwards);
            blocked.extend(repeats(&self.history, self.ngram));
        }
        if blocked.is_empty() {
            return Choice::Usual(usual);
        }
        self.list(usual).without(&blocked).map_or(Choice::Usual(usual), Choice::Own)
    }

    /// Whether any piece that a sentence may say is among the choices.
    pub(super) fn leaves_any(&self, sentence: usize, choice: &Choice) -> bool {
        match self.narrowed {
            Some(narrowed) => narrowed.of(sentence).any(|id| self.permits(choice, id)),
            None => (0u32..).take(self.width()).any(|id| self.permits(choice, id)),
        }
    }

    /// Whether `id` is among the choices.
    pub(super) fn permits(&self, choice: &Choice, id: u32) -> bool {
        match choice {
            Choice::Nothing => false,
            Choice::Usual(list) => self.list(*list).has(id),
            Choice::Own(list) => list.has(id),
        }
    }

    fn usual(&mut self, utf8: Utf8State, left: usize, may_end: bool) -> usize {
        // Inside a character the room was seen to when it began.
        let left = if utf8.is_complete() { left.min(LONGEST) } else { 0 };
        let place = Place { utf8, left, may_end };
        if let Some(found) = self.lists.iter().position(|list| list.0 == place) {
            return found;
        }
        let list = if utf8.is_complete() {
            let fits = |byte| utf8.allows(Some(byte)) && sequence(byte) <= left;
            let bytes = self.bytes.iter().filter(|(_, byte)| !fits(*byte)).map(|(id, _)| *id);
            let end = (!may_end).then_some(EOS);
            List::Except([PAD, UNK, BOS].into_iter().chain(end).chain(bytes).collect())
        } else {
            let bytes = self.bytes.iter().filter(|(_, byte)| utf8.allows(Some(*byte)));
            List::Only(bytes.map(|(id, _)| *id).collect())
        };
        self.lists.push((place, list));
        self.lists.len() - 1
    }

    /// Where a hypothesis is after `id`.
    pub(super) fn next(&self, utf8: Utf8State, id: u32) -> Utf8State {
        utf8.next(self.tgt.byte_value(id))
    }
}

/// Bytes of the character that begins with `lead`.
fn sequence(lead: u8) -> usize {
    match lead {
        0x00..=0xBF => 1,
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
    }
}

/// The ids that would complete an n-gram for the second time; `backwards` is the history, the last id first.
fn repeats(backwards: &[u32], n: usize) -> impl Iterator<Item = u32> + '_ {
    // In the backwards history an n-gram is (next, last, last but one, …): the n − 1 ids after `next` are compared with the first n − 1 of all.
    let before = n - 1;
    let windows = if backwards.len() >= n { backwards.windows(n) } else { [].windows(1) };
    windows.filter(move |window| window[1..] == backwards[..before]).map(|window| window[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_completes_a_seen_ngram_is_a_repeat() {
        let of = |forwards: &[u32], n| {
            let backwards: Vec<u32> = forwards.iter().rev().copied().collect();
            let mut ids: Vec<u32> = repeats(&backwards, n).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(of(&[5, 6, 7, 5, 8, 5], 2), [6, 8]);
        assert_eq!(of(&[5, 6, 7, 5, 6], 3), [7]);
        assert_eq!(of(&[5, 5], 2), [5]);
        assert_eq!(of(&[7, 5], 1), [5, 7]);
        assert!(of(&[5, 6], 3).is_empty() && of(&[], 1).is_empty() && of(&[5, 6, 7], 2).is_empty());
    }

    #[test]
    fn the_length_of_a_sequence_is_what_its_first_byte_says() {
        for text in ["a", "ä", "€", "😀"] {
            assert_eq!(sequence(text.as_bytes()[0]), text.len());
        }
    }
}
