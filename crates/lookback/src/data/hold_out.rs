//! Validation pairs taken from the training data.
use std::collections::{BTreeSet, HashMap, HashSet};

use unicode_normalization::UnicodeNormalization as _;

use super::shuffle::Draws;
use super::{Corpus, DataError, Pair};

/// The largest hold-out nobody asked for.
const DEFAULT_MAX: usize = 1000;
/// The default hold-out is one in this many pairs.
const DEFAULT_SHARE: usize = 20;
/// A component may be at most one in this many pairs of the hold-out.
const COMPONENT_SHARE: usize = 10;
/// The stream of draws used here; epochs use the low ones.
const STREAM: u64 = u64::MAX;

/// What [`hold_out`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldOutReport {
    /// How many pairs were to be held out.
    pub asked: usize,
    /// How many were: different pairs.
    pub held_out: usize,
    /// How many pairs remain for training.
    pub remaining: usize,
    /// Further copies of held-out pairs, removed.
    pub duplicates: usize,
    /// Pairs removed because they share one side with a held-out pair.
    pub dropped: usize,
}

/// Divides a corpus into training and validation pairs, both in the order of their lines.
///
/// `size` defaults to 5 % of the pairs, at least 1 and at most 1000. Fewer pairs are held out if more would cost too much.
///
/// **What is promised.** No source and no target sentence of the validation pairs remains in the training pairs (compared
/// in NFC, without white space around), and no validation pair occurs twice.
///
/// **How.** Pairs that share a sentence, directly or through others, form a component. Components are drawn at random and
/// taken whole: training loses nothing but what is held out. A component larger than a tenth of the hold-out is passed
/// over, so that no single sentence dominates. Only if this does not fill the hold-out, single pairs of the components
/// passed over are taken, those with the fewest relatives first (ties at random), and the relatives are dropped from the
/// training pairs; the pairs dropped never outnumber the asked size, except for the very first pair.
///
/// # Errors
/// [`DataError::TooSmall`] if there are not more different pairs than `size` (or `size` is 0), [`DataError::Entangled`] if
/// every pair shares a sentence with all others.
pub fn hold_out(corpus: Corpus, seed: u64, size: Option<usize>) -> Result<(Corpus, Corpus, HoldOutReport), DataError> {
    let asked = size.unwrap_or((corpus.pairs.len() / DEFAULT_SHARE).clamp(1, DEFAULT_MAX));
    let sides = Sides::of(&corpus.pairs);
    let distinct = sides.pairs.iter().collect::<BTreeSet<_>>().len();
    if asked == 0 || distinct <= asked {
        return Err(DataError::TooSmall { asked, distinct });
    }

    let mut fates = vec![Fate::Train; corpus.pairs.len()];
    let mut draws = Draws::new(seed, STREAM);
    let mut held = sides.take_components(&mut draws, asked, &mut fates);
    if held < asked {
        held += sides.take_pairs(&mut draws, asked, held, &mut fates);
    }
    if held == 0 {
        return Err(DataError::Entangled);
    }

    let count = |fate| fates.iter().filter(|&&other| other == fate).count();
    let report = HoldOutReport {
        asked,
        held_out: held,
        remaining: count(Fate::Train),
        duplicates: count(Fate::Duplicate),
        dropped: count(Fate::Dropped),
    };
    let (mut train, mut valid) = (Vec::with_capacity(report.remaining), Vec::with_capacity(held));
    for (pair, fate) in corpus.pairs.into_iter().zip(fates) {
        match fate {
            Fate::Train => train.push(pair),
            Fate::Valid => valid.push(pair),
            Fate::Duplicate | Fate::Dropped => {}
        }
    }
    let valid = Corpus { pairs: valid, report: corpus.report.clone() };
    Ok((Corpus { pairs: train, report: corpus.report }, valid, report))
}

/// The pairs of `corpus` that share no sentence with a pair of `others`, and how many others there were. Sentences are compared as in [`hold_out`].
pub fn keep_out(corpus: Corpus, others: &[&Corpus]) -> (Corpus, usize) {
    let theirs = |side: fn(&Pair) -> &str| -> HashSet<String> {
        others.iter().flat_map(|other| other.pairs.iter().map(side).map(key)).collect()
    };
    let (src, tgt) = (theirs(|pair| &pair.src), theirs(|pair| &pair.tgt));
    let before = corpus.pairs.len();
    let is_apart = |pair: &Pair| !src.contains(&key(&pair.src)) && !tgt.contains(&key(&pair.tgt));
    let pairs: Vec<Pair> = corpus.pairs.into_iter().filter(is_apart).collect();
    let left_out = before - pairs.len();
    (Corpus { pairs, report: corpus.report }, left_out)
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Train,
    Valid,
    Duplicate,
    Dropped,
}

/// The sentences of a corpus by number.
struct Sides {
    /// Each pair's source and target.
    pairs: Vec<(usize, usize)>,
    /// The pairs of each source, and of each target, in order.
    by_src: Vec<Vec<usize>>,
    by_tgt: Vec<Vec<usize>>,
}

impl Sides {
    fn of(pairs: &[Pair]) -> Self {
        let (src, by_src) = number(pairs.iter().map(|pair| pair.src.as_str()));
        let (tgt, by_tgt) = number(pairs.iter().map(|pair| pair.tgt.as_str()));
        Self { pairs: src.into_iter().zip(tgt).collect(), by_src, by_tgt }
    }

    /// The pairs with the source or the target of pair `i`, itself included; one that has both comes twice.
    fn relatives(&self, i: usize) -> impl Iterator<Item = usize> + '_ {
        let (src, tgt) = self.pairs[i];
        self.by_src[src].iter().chain(&self.by_tgt[tgt]).copied()
    }

    /// How many pairs [`relatives`](Self::relatives) gives.
    fn relative_count(&self, i: usize) -> usize {
        let (src, tgt) = self.pairs[i];
        self.by_src[src].len() + self.by_tgt[tgt].len()
    }

    /// All components, each in order, in the order of their first pairs.
    fn components(&self) -> Vec<Vec<usize>> {
        let mut seen = vec![false; self.pairs.len()];
        // A sentence's pairs are all found the first time it is met; later visits would cost the square of its count.
        let (mut src_done, mut tgt_done) = (vec![false; self.by_src.len()], vec![false; self.by_tgt.len()]);
        let mut components = Vec::new();
        for start in 0..self.pairs.len() {
            if std::mem::replace(&mut seen[start], true) {
                continue;
            }
            let (mut component, mut done) = (vec![start], 0);
            while let Some(&pair) = component.get(done) {
                let (src, tgt) = self.pairs[pair];
                let by_src = (!std::mem::replace(&mut src_done[src], true)).then_some(&self.by_src[src]);
                let by_tgt = (!std::mem::replace(&mut tgt_done[tgt], true)).then_some(&self.by_tgt[tgt]);
                for &other in by_src.into_iter().chain(by_tgt).flatten() {
                    if !std::mem::replace(&mut seen[other], true) {
                        component.push(other);
                    }
                }
                done += 1;
            }
            component.sort_unstable();
            components.push(component);
        }
        components
    }

    /// Holds whole components out; returns how many pairs.
    fn take_components(&self, draws: &mut Draws, asked: usize, fates: &mut [Fate]) -> usize {
        let mut components = self.components();
        draws.shuffle(&mut components);
        let largest = (asked / COMPONENT_SHARE).max(1);
        let mut held = 0;
        for component in components {
            let different = component.iter().map(|&i| self.pairs[i]).collect::<BTreeSet<_>>().len();
            if different > largest || held + different > asked {
                continue;
            }
            held += different;
            for i in component {
                self.hold(i, fates);
            }
        }
        held
    }

    /// Holds single pairs out and drops their relatives; returns how many were held.
    fn take_pairs(&self, draws: &mut Draws, asked: usize, already: usize, fates: &mut [Fate]) -> usize {
        let mut order: Vec<usize> = (0..self.pairs.len()).filter(|&i| fates[i] == Fate::Train).collect();
        draws.shuffle(&mut order);
        order.sort_by_key(|&i| self.relative_count(i));
        let (mut held, mut dropped, mut training) = (0, 0, order.len());
        for i in order {
            if already + held == asked {
                break;
            }
            let first = already + held == 0;
            // Twice the pair itself is among its relatives. The count is an upper bound of what is lost.
            if fates[i] != Fate::Train || (!first && dropped + self.relative_count(i) - 2 > asked) {
                continue;
            }
            let related: BTreeSet<usize> = self.relatives(i).filter(|&other| fates[other] == Fate::Train).collect();
            let lost = related.iter().filter(|&&other| self.pairs[other] != self.pairs[i]).count();
            if related.len() >= training {
                continue;
            }
            for &other in &related {
                if self.pairs[other] == self.pairs[i] {
                    self.hold(other, fates);
                } else {
                    fates[other] = Fate::Dropped;
                }
            }
            held += 1;
            dropped += lost;
            training -= related.len();
        }
        held
    }

    /// Holds pair `i` out, or counts it as a copy of one that already is.
    fn hold(&self, i: usize, fates: &mut [Fate]) {
        let first =
            self.by_src[self.pairs[i].0].iter().all(|&j| fates[j] != Fate::Valid || self.pairs[j] != self.pairs[i]);
        fates[i] = if first { Fate::Valid } else { Fate::Duplicate };
    }
}

/// What equal sentences have in common.
pub(super) fn key(sentence: &str) -> String {
    sentence.trim().nfc().collect()
}

/// Numbers equal sentences equally; returns each sentence's number and each number's sentences.
fn number<'a>(sentences: impl Iterator<Item = &'a str>) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut members: Vec<Vec<usize>> = Vec::new();
    let of = sentences
        .enumerate()
        .map(|(i, sentence)| {
            let next = members.len();
            let number = *numbers.entry(key(sentence)).or_insert(next);
            if number == next {
                members.push(Vec::new());
            }
            members[number].push(i);
            number
        })
        .collect();
    (of, members)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ReadReport;
    use super::*;

    fn corpus(pairs: impl IntoIterator<Item = (String, String)>) -> Corpus {
        let pairs = (1..).zip(pairs).map(|(line, (src, tgt))| Pair { src, tgt, line, corpus: 0 }).collect();
        Corpus { pairs, report: ReadReport { files: Vec::new() } }
    }

    fn distinct(count: usize) -> Corpus {
        corpus((0..count).map(|i| (format!("s{i}"), format!("t{i}"))))
    }

    fn lines(corpus: &Corpus) -> Vec<u64> {
        corpus.pairs.iter().map(|pair| pair.line).collect()
    }

    #[test]
    fn what_shares_a_sentence_is_kept_out() {
        let of = |pairs: &[(&str, &str)]| Corpus::from_pairs(pairs.iter().map(|(s, t)| (s.to_string(), t.to_string())));
        let all = of(&[("a", "x"), ("b", "y"), (" a\u{308}", "z"), ("c", "w"), ("d", "v")]);
        let (left, out) = keep_out(all, &[&of(&[("q", "x"), ("\u{e4} ", "r")]), &of(&[("d", "s")])]);
        let left: Vec<_> = left.pairs.iter().map(|pair| pair.src.as_str()).collect();
        assert_eq!((left, out), (vec!["b", "c"], 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_sentence_is_on_both_sides_of_the_division(
            pairs in proptest::collection::vec((0..30_u32, 0..30_u32), 2..80),
            size in 1..20_usize,
            seed: u64,
        ) {
            let whole = corpus(pairs.iter().map(|(src, tgt)| (src.to_string(), tgt.to_string())));
            let different = pairs.iter().collect::<BTreeSet<_>>().len();
            let (train, valid, report) = match hold_out(whole, seed, Some(size)) {
                Ok(divided) => divided,
                Err(DataError::TooSmall { asked, distinct }) => {
                    prop_assert!(asked == size && distinct == different && different <= size);
                    return Ok(());
                }
                Err(DataError::Entangled) => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            let sides = |corpus: &Corpus| -> (BTreeSet<String>, BTreeSet<String>) {
                corpus.pairs.iter().map(|pair| (pair.src.clone(), pair.tgt.clone())).unzip()
            };
            let ((train_src, train_tgt), (valid_src, valid_tgt)) = (sides(&train), sides(&valid));
            prop_assert!(train_src.is_disjoint(&valid_src) && train_tgt.is_disjoint(&valid_tgt));
            let valid_pairs: BTreeSet<(&str, &str)> = valid.pairs.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
            prop_assert_eq!(valid_pairs.len(), valid.pairs.len());
            prop_assert!(!train.pairs.is_empty() && (1..=size).contains(&valid.pairs.len()));
            prop_assert_eq!((report.held_out, report.remaining), (valid.pairs.len(), train.pairs.len()));
            prop_assert_eq!(report.held_out + report.remaining + report.duplicates + report.dropped, pairs.len());
        }
    }

    #[test]
    fn unrelated_pairs_cost_nothing_and_the_seed_decides() {
        let divide = |seed| hold_out(distinct(100), seed, Some(10)).unwrap();
        let (train, valid, report) = divide(1);
        assert_eq!((valid.pairs.len(), train.pairs.len(), report.dropped, report.duplicates), (10, 90, 0, 0));
        assert_eq!(lines(&valid), lines(&divide(1).1));
        assert_ne!(lines(&valid), lines(&divide(2).1));
        assert!(lines(&valid).is_sorted() && lines(&train).is_sorted());
    }

    #[test]
    fn the_default_is_five_percent_up_to_a_thousand() {
        let held = |count| hold_out(distinct(count), 0, None).unwrap().2.held_out;
        assert_eq!([2, 19, 100, 1000, 30_000].map(held), [1, 1, 5, 50, 1000]);
    }

    #[test]
    fn sentences_are_compared_in_nfc_without_white_space_around() {
        // Three spellings of one pair, and one other pair: either all three leave the training pairs or none does.
        let pairs = [("ä", "x"), (" a\u{308}", "x "), ("ä", "x"), ("b", "y")];
        for seed in 0..20 {
            let whole = corpus(pairs.map(|(src, tgt)| (src.to_owned(), tgt.to_owned())));
            let (train, _, report) = hold_out(whole, seed, Some(1)).unwrap();
            match lines(&train)[..] {
                [4] => assert_eq!(report.duplicates, 2),
                [1, 2, 3] => assert_eq!(report.duplicates, 0),
                _ => panic!("{:?}", lines(&train)),
            }
        }
    }

    #[test]
    fn relatives_are_dropped_only_where_there_is_no_other_way() {
        // A chain s0-t0-s1-t1-…: one component, larger than a tenth of any hold-out.
        let chain = |count: usize| corpus((0..count).map(|i| (format!("s{}", i.div_ceil(2)), format!("t{}", i / 2))));
        let (train, valid, report) = hold_out(chain(200), 5, Some(10)).unwrap();
        assert_eq!(report.held_out, valid.pairs.len());
        assert!(report.held_out >= 4, "{report:?}");
        assert!(report.dropped <= 10 && train.pairs.len() >= 180, "{report:?}");
        // With free pairs beside the chain the hold-out comes from those.
        let mixed = corpus(chain(200).pairs.into_iter().chain(distinct(50).pairs).enumerate().map(|(i, pair)| {
            let mark = if i < 200 { "chain " } else { "" };
            (format!("{mark}{}", pair.src), format!("{mark}{}", pair.tgt))
        }));
        let (_, valid, report) = hold_out(mixed, 5, Some(10)).unwrap();
        assert_eq!((report.held_out, report.dropped), (10, 0));
        assert!(valid.pairs.iter().all(|pair| !pair.src.starts_with("chain")));
    }

    #[test]
    fn too_few_pairs_are_refused() {
        let said = |pairs: Corpus, size| hold_out(pairs, 0, size).unwrap_err().to_string();
        let remedy = "give a validation file or more data";
        assert_eq!(said(distinct(1), None), format!("cannot hold 1 pair(s) out of 1 different one(s); {remedy}"));
        assert_eq!(said(distinct(5), Some(5)), format!("cannot hold 5 pair(s) out of 5 different one(s); {remedy}"));
        assert_eq!(said(distinct(5), Some(0)), format!("cannot hold 0 pair(s) out of 5 different one(s); {remedy}"));
        let same = corpus(vec![("a".to_owned(), "b".to_owned()); 9]);
        assert_eq!(said(same, None), format!("cannot hold 1 pair(s) out of 1 different one(s); {remedy}"));
        let one_source = corpus((0..9).map(|i| ("a".to_owned(), i.to_string())));
        assert!(said(one_source, None).starts_with("no pair can be held out"));
    }
}
