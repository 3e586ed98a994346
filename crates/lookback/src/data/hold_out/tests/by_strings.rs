//! The hold-out by whole sentences, all of them in memory: what the compact one is compared with.
use std::collections::{BTreeSet, HashMap};

use unicode_normalization::UnicodeNormalization as _;

use super::super::super::{Draws, Pair};
use super::super::{COMPONENT_SHARE, Fate, STREAM};

/// The lines of the two parts; none if nothing can be held out.
pub(super) fn divide(pairs: &[Pair], seed: u64, asked: usize) -> Option<[Vec<u64>; 2]> {
    let sides = Sides::of(pairs);
    if sides.pairs.iter().collect::<BTreeSet<_>>().len() <= asked {
        return None;
    }
    let mut fates = vec![Fate::Train; pairs.len()];
    let mut draws = Draws::new(seed, STREAM);
    let mut held = sides.take_components(&mut draws, asked, &mut fates);
    if held < asked {
        held += sides.take_pairs(&mut draws, asked, held, &mut fates);
    }
    let of = |fate| pairs.iter().zip(&fates).filter(|(_, other)| **other == fate).map(|(pair, _)| pair.line).collect();
    (held > 0).then(|| [of(Fate::Train), of(Fate::Valid)])
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
fn key(sentence: &str) -> String {
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
