//! What a translation has to be, beside probable: how it starts, what it says, what it does not say.
//!
//! - **Prefix:** the text begins with it. All but its last word is written in the tokenizer's own pieces; the last word may be cut in any way and may go on, so
//!   that `Häu` can become `Häuser`. A prefix that ends with a space begins a new word.
//! - **Must:** dynamic beam allocation (Post & Vilar 2018): hypotheses are compared with those that have said as much of what must be said, and the K places
//!   are dealt to these banks in turn, the fullest bank first. `</s>` waits until all is said. What is still not said at the length limit is reported.
//! - **Must not:** the piece that would complete the phrase is never said.
//!
//! Phrases are looked for in the text, as whole words ([`phrase`](super::phrase)), not in its pieces: no other way of cutting escapes.

use crate::text::{Tokenizer, UNK};

use super::phrase::{Forbidden, Must, Phrase, Tail, TextEnd, bytes_of};

/// What a translation has to be. The default asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constraints {
    /// Its text begins with this.
    pub prefix: String,
    /// Its text holds each of these words or phrases; at most 64.
    pub must: Vec<String>,
    /// Its text holds none of these.
    pub must_not: Vec<String>,
}

/// What contradicts itself in [`Constraints`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// A phrase without a character.
    #[error("an empty phrase among those that must or must not be said; leave it out")]
    Empty,
    /// A word that the models cannot write.
    #[error("`{text}` is asked for, but the target vocabulary has no pieces for it")]
    Unknown {
        /// What holds it.
        text: String,
    },
    /// More phrases than fit.
    #[error("{found} phrases must be said, at most {MOST} can be asked for at once")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// What must be said holds what must not be said.
    #[error("`{asked}` is asked for, but it holds `{forbidden}`, which must not be said")]
    Contradiction {
        /// The prefix, or what must be said.
        asked: String,
        /// What must not be said.
        forbidden: String,
    },
}

/// Which phrases are said is kept in the bits of a word.
const MOST: usize = 64;

/// What a search needs around a phrase to see the characters beside it.
const BESIDE: usize = 8;

/// The constraints of a sentence, ready for search.
#[derive(Debug)]
pub(super) struct Rules {
    tgt: Tokenizer,
    prefix: Prefix,
    must: Vec<Must>,
    must_not: Vec<Forbidden>,
    /// Bytes to look back.
    reach: usize,
}

impl Rules {
    pub(super) fn new(tgt: &Tokenizer, constraints: &Constraints) -> Result<Self, ConstraintError> {
        let mut texts = constraints.must.iter().chain([&constraints.prefix]);
        if let Some(text) = texts.find(|text| tgt.encode(text).contains(&UNK)) {
            return Err(ConstraintError::Unknown { text: text.clone() });
        }
        let phrase = |text: &String| Phrase::new(tgt, text.trim()).ok_or(ConstraintError::Empty);
        let mut must: Vec<Must> = Vec::new();
        for text in &constraints.must {
            let phrase = phrase(text)?;
            must.push(Must::new(tgt, text.trim(), phrase));
        }
        if must.len() > MOST {
            return Err(ConstraintError::TooMany { found: must.len() });
        }
        let must_not = constraints.must_not.iter().map(|text| Ok(Forbidden::new(tgt, phrase(text)?)));
        let must_not: Vec<Forbidden> = must_not.collect::<Result<_, _>>()?;
        for (text, forbidden) in constraints.must_not.iter().zip(&must_not) {
            let asked = constraints.must.iter().chain([&constraints.prefix]);
            let holds = |asked: &&String| forbidden.phrase.is_in(&bytes_of(tgt, &tgt.encode(asked)), TextEnd::Closed);
            if let Some(asked) = asked.into_iter().find(holds) {
                let (asked, forbidden) = (asked.clone(), text.clone());
                return Err(ConstraintError::Contradiction { asked, forbidden });
            }
        }
        let phrases = must.iter().map(|m| &m.phrase).chain(must_not.iter().map(|m| &m.phrase));
        let reach = phrases.map(|phrase| phrase.bytes.len() + BESIDE).max().unwrap_or(0);
        let unknown = || ConstraintError::Unknown { text: constraints.prefix.clone() };
        let prefix = Prefix::new(tgt, &constraints.prefix).ok_or_else(unknown)?;
        Ok(Self { tgt: tgt.clone(), prefix, must, must_not, reach })
    }

    /// Appends the pieces of everything that must be written, cut in any way that is looked for.
    pub(super) fn needs(&self, ids: &mut Vec<u32>) {
        ids.extend(self.prefix.ids.iter().chain(self.prefix.next.iter().flatten()));
        self.must.iter().for_each(|must| ids.extend(must.pieces()));
    }

    /// The most ids that a prefix can take, and `</s>`.
    pub(super) fn least_limit(&self) -> usize {
        self.prefix.ids.len() + self.prefix.open.len() + 1
    }

    /// Whether hypotheses are to be compared by what they have said.
    pub(super) fn has_banks(&self) -> bool {
        !self.must.is_empty()
    }

    /// The end of a hypothesis, as far as phrases reach.
    pub(super) fn tail(&self, backwards: impl Iterator<Item = u32>) -> Tail {
        Tail::new(&self.tgt, backwards, self.reach)
    }

    /// Appends what must not follow; `</s>` is for [`Rules::may_end`].
    pub(super) fn block(&self, tail: &Tail, blocked: &mut Vec<u32>) {
        self.must_not.iter().for_each(|forbidden| forbidden.block(&tail.bytes, blocked));
    }

    /// Whether all is said if the text ends here; `said` has a bit for every phrase known to be.
    pub(super) fn may_end(&self, tail: &Tail, said: u64) -> bool {
        self.unsaid(said).all(|must| tail.holds(&must.phrase, TextEnd::Closed))
    }

    /// Appends the pieces that would say more of what must be said.
    pub(super) fn propose(&self, tail: &Tail, said: u64, proposals: &mut Vec<u32>) {
        for must in self.unsaid(said).filter(|must| !tail.holds(&must.phrase, TextEnd::Closed)) {
            must.propose(&self.tgt, tail, proposals);
        }
    }

    fn unsaid(&self, said: u64) -> impl Iterator<Item = &Must> {
        self.must.iter().enumerate().filter(move |(bit, _)| said >> bit & 1 == 0).map(|(_, must)| must)
    }

    /// What is said with one more piece (the last, if `end` says so), and the bank of such a hypothesis: how many pieces of what must be said.
    pub(super) fn after(&self, tail: &Tail, said: u64, id: u32, end: TextEnd) -> (u64, usize) {
        let tail = tail.with(&self.tgt, id);
        let (mut now, mut bank, mut begun) = (said, 0, 0);
        for (bit, must) in self.must.iter().enumerate() {
            if said >> bit & 1 == 1 || tail.holds(&must.phrase, end) {
                now |= 1 << bit;
                bank += must.worth();
            } else if tail.holds(&must.phrase, TextEnd::Closed) {
                // Said, unless the word goes on.
                bank += must.worth();
            } else {
                begun = begun.max(must.begun(&self.tgt, &tail));
            }
        }
        (now, bank + begun)
    }

    /// The phrases of `must` that a whole hypothesis does not say, by their number.
    pub(super) fn unmet(&self, ids: &[u32]) -> Vec<usize> {
        let text = bytes_of(&self.tgt, ids);
        let is_unmet = |(_, must): &(usize, &Must)| !must.phrase.is_in(&text, TextEnd::Closed);
        self.must.iter().enumerate().filter(is_unmet).map(|(number, _)| number).collect()
    }

    /// What may follow `len` ids inside the prefix, ascending, after `typed` bytes of its last word; none beyond it.
    pub(super) fn prefix_next(&self, len: usize, typed: usize) -> Option<Vec<u32>> {
        self.prefix.next(len, typed)
    }

    /// How many bytes of the prefix' last word are written when `id` is written at `len`.
    pub(super) fn typed(&self, len: usize, typed: usize, id: u32) -> usize {
        if len < self.prefix.ids.len() { 0 } else { (typed + self.tgt.raw_bytes(id).len()).min(self.prefix.open.len()) }
    }
}

/// How a text has to start.
#[derive(Debug)]
struct Prefix {
    /// Its words but the last.
    ids: Vec<u32>,
    /// Its last word.
    open: Vec<u8>,
    /// What may follow after so many bytes of it.
    next: Vec<Vec<u32>>,
}

impl Prefix {
    /// None if there are no pieces to write it with.
    fn new(tgt: &Tokenizer, text: &str) -> Option<Self> {
        let mut ids = tgt.encode(text);
        let last = tgt.words(&ids).last().map_or(0, |word| word.start);
        let open = bytes_of(tgt, &ids[last..]);
        ids.truncate(last);
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); open.len()];
        for typed in (0..open.len()).rev() {
            let rest = &open[typed..];
            let fits = |id: &u32| {
                let piece = tgt.raw_bytes(*id);
                let goes_on = || rest.starts_with(piece) && !next[typed + piece.len()].is_empty();
                !piece.is_empty() && (piece.starts_with(rest) || goes_on())
            };
            next[typed] = (0..u32::try_from(tgt.vocab_size()).unwrap_or(u32::MAX)).filter(fits).collect();
        }
        next.first().is_none_or(|first| !first.is_empty()).then_some(Self { ids, open, next })
    }

    fn next(&self, len: usize, typed: usize) -> Option<Vec<u32>> {
        self.ids.get(len).map(|&id| vec![id]).or_else(|| self.next.get(typed).cloned())
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::text::{TextMode, TokenizerSpec, Tokenizers};

    #[test]
    fn the_last_word_of_a_prefix_is_cut_in_any_way_and_may_go_on() {
        let spec = TokenizerSpec { mode: TextMode::Bpe, vocab_size: 300, ..TokenizerSpec::default() };
        let tgt = Tokenizers::train(&spec, ["das Haus, das Haus, ein Haus"; 3], ["dem Haus"]).unwrap().tgt;
        let piece = |name: &str| (0..).take(tgt.vocab_size()).find(|&id| tgt.piece(id) == Some(name));
        let whole = piece("▁Haus").expect("a frequent word is a piece");
        let prefix = Prefix::new(&tgt, "ja das Hau").unwrap();
        let committed = tgt.encode("ja das");
        assert_eq!((&prefix.ids, prefix.open.as_slice()), (&committed, &b" Hau"[..]));
        for (len, &id) in committed.iter().enumerate() {
            assert_eq!(prefix.next(len, 0), Some(vec![id]));
        }
        let next = prefix.next(committed.len(), 0).unwrap();
        assert!(next.contains(&whole) && next.contains(&piece("▁").unwrap()) && next.is_sorted());
        assert!(next.iter().all(|&id| tgt.raw_bytes(id).starts_with(b" ")), "{:?}", tgt.display_pieces(&next));
        let next = prefix.next(committed.len(), 1).unwrap();
        assert!(
            next.contains(&piece("H").unwrap()) && next.contains(&piece("<0x48>").unwrap()) && !next.contains(&whole)
        );
        assert_eq!(prefix.next(committed.len(), 4), None, "it is written");
        assert_eq!(Prefix::new(&tgt, "").unwrap().next(0, 0), None);
        let prefix = Prefix::new(&tgt, "das ").unwrap();
        assert_eq!((prefix.ids, prefix.open.as_slice()), (tgt.encode("das"), &b" "[..]));
    }
}
