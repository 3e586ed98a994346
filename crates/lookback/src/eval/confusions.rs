//! Which tokens are taken for which: substitutions, deletions and insertions of the cheapest alignments, counted over a corpus.

use std::collections::BTreeMap;

use super::edits::{self, Edits, Step};
use super::rates::rank;
use super::tokens::{Unit, normalized, tokens};

/// One kind of error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The token of the reference; `None` if the hypothesis inserts one.
    pub reference: Option<String>,
    /// The token of the hypothesis; `None` if it is missing there.
    pub hyp: Option<String>,
    /// How often.
    pub count: usize,
    /// The first sentence with it, from 0.
    pub sentence: usize,
}

/// Whether a token stands for another one or for none. The two are not ranked together: insertions and deletions of the commonest words
/// would hide what is taken for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// One token for another.
    Substitution,
    /// A token of one side that nothing stands beside: a deletion or an insertion.
    Gap,
}

/// Tokens of reference and hypothesis.
type Key = (Option<String>, Option<String>);

impl ErrorKind {
    fn has(self, (reference, hyp): &Key) -> bool {
        (reference.is_some() && hyp.is_some()) == (self == Self::Substitution)
    }
}

/// Errors counted so far.
///
/// The alignment is the cheapest one with the most matches, against the best reference as for error rates. Among equally good ones the choice is
/// fixed but arbitrary: next to each other, `a` → nothing and `b` → `x` could be `a` → `x` and `b` → nothing.
///
/// # Examples
/// ```
/// use lookback::eval::{Confusions, ErrorKind, Unit};
///
/// let mut confusions = Confusions::new(Unit::Word);
/// confusions.add("K AE T S", &["K AH T"]);
/// confusions.add("B AE T", &["B AH T"]);
/// let most = &confusions.most_frequent(ErrorKind::Substitution, 1)[0];
/// assert_eq!((most.reference.as_deref(), most.hyp.as_deref(), most.count), (Some("AH"), Some("AE"), 2));
/// ```
#[derive(Debug, Clone)]
pub struct Confusions {
    unit: Unit,
    lowercase: bool,
    sentences: usize,
    edits: Edits,
    /// Count and first sentence.
    found: BTreeMap<Key, (usize, usize)>,
}

impl Confusions {
    /// Without any.
    #[must_use]
    pub fn new(unit: Unit) -> Self {
        Self { unit, lowercase: false, sentences: 0, edits: Edits::default(), found: BTreeMap::new() }
    }

    /// Lowercases every line first.
    #[must_use]
    pub fn lowercased(self) -> Self {
        Self { lowercase: true, ..self }
    }

    /// Counts the next sentence against its best reference; without references only the sentence is counted.
    pub fn add(&mut self, hyp: &str, refs: &[&str]) {
        let sentence = self.sentences;
        self.sentences += 1;
        let hyp = normalized(hyp, self.lowercase);
        let hyp = tokens(&hyp, self.unit);
        let refs: Vec<_> = refs.iter().map(|reference| normalized(reference, self.lowercase)).collect();
        let best = (refs.iter().map(|reference| tokens(reference, self.unit)))
            .map(|reference| (edits::count(&reference, &hyp), reference))
            .min_by_key(|(edits, _)| rank(edits));
        let Some((edits, reference)) = best else { return };
        self.edits += edits;
        if edits.total() == 0 {
            return;
        }
        for step in edits::align(&reference, &hyp) {
            let (wanted, got) = match step {
                Step::Match => continue,
                Step::Substitute(r, h) => (Some(reference[r]), Some(hyp[h])),
                Step::Delete(r) => (Some(reference[r]), None),
                Step::Insert(h) => (None, Some(hyp[h])),
            };
            let key = (wanted.map(str::to_owned), got.map(str::to_owned));
            self.found.entry(key).or_insert((0, sentence)).0 += 1;
        }
    }

    /// All edits and matches.
    #[must_use]
    pub fn edits(&self) -> Edits {
        self.edits
    }

    /// How many different errors of this kind there are.
    #[must_use]
    pub fn distinct(&self, kind: ErrorKind) -> usize {
        self.found.keys().filter(|key| kind.has(key)).count()
    }

    /// The `n` most frequent ones of this kind; equally frequent ones by their text.
    #[must_use]
    pub fn most_frequent(&self, kind: ErrorKind, n: usize) -> Vec<Confusion> {
        let mut all: Vec<_> = self.found.iter().filter(|(key, _)| kind.has(key)).collect();
        // The sort is stable and the map ordered.
        all.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        (all.into_iter().take(n))
            .map(|((reference, hyp), &(count, sentence))| Confusion {
                reference: reference.clone(),
                hyp: hyp.clone(),
                count,
                sentence,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(confusion: &Confusion) -> (&str, &str, usize, usize) {
        let (reference, hyp) = (confusion.reference.as_deref(), confusion.hyp.as_deref());
        (reference.unwrap_or("-"), hyp.unwrap_or("-"), confusion.count, confusion.sentence)
    }

    #[test]
    fn errors_are_counted_and_the_first_sentence_remembered() {
        let mut confusions = Confusions::new(Unit::Word);
        confusions.add("a b c", &["a b c"]);
        confusions.add("a x c d", &["a b c"]);
        confusions.add("x a", &["b a c"]);
        let rows = confusions.most_frequent(ErrorKind::Substitution, 9);
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), [("b", "x", 2, 1)]);
        let rows = confusions.most_frequent(ErrorKind::Gap, 9);
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), [("-", "d", 1, 1), ("c", "-", 1, 2)]);
        assert_eq!(confusions.most_frequent(ErrorKind::Gap, 1).len(), 1);
        let edits = Edits { matches: 6, substitutions: 2, deletions: 1, insertions: 1 };
        assert_eq!(confusions.edits(), edits);
        assert_eq!([ErrorKind::Substitution, ErrorKind::Gap].map(|kind| confusions.distinct(kind)), [1, 2]);
    }

    #[test]
    fn the_best_reference_is_compared_with() {
        let mut confusions = Confusions::new(Unit::Character).lowercased();
        confusions.add("CAT", &["dog", "cut"]);
        let rows = confusions.most_frequent(ErrorKind::Substitution, 9);
        assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), [("u", "a", 1, 0)]);
    }
}
