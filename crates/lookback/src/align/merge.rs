//! Two alignments of a pair, one per direction of translation, become one.
//!
//! ```text
//! grow-diag    starts from the intersection; as long as there are any, adds links of the union that are neighbours (the 8 around) of a link
//!              and have a word without a link
//! final        then adds links of either direction, source-to-target first, with a word without a link
//! final-and    the same, if both words have none
//! ```
//! Och & Ney 2003, §5.2; Koehn, Och & Marcu 2003, §3.1. The order of the steps decides what is found; it is that of Koehn et al.: links by target, then by source.

use std::collections::BTreeSet;

use super::Link;

/// How two directions become one alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Merge {
    /// Links of both.
    Intersection,
    /// Links of either.
    Union,
    /// The intersection and its neighbourhood.
    GrowDiag,
    /// And what has a word without a link.
    GrowDiagFinal,
    /// And what connects two words without links.
    #[default]
    GrowDiagFinalAnd,
}

/// A cell's neighbours, (source, target): beside it first, then across.
const NEIGHBOURS: [(isize, isize); 8] = [(0, -1), (-1, 0), (0, 1), (1, 0), (-1, -1), (1, -1), (-1, 1), (1, 1)];

/// The links of two directions as one alignment, ascending; both are given as (source, target), `backward` is that of the model that translates back.
///
/// # Examples
/// ```
/// use lookback::align::{Merge, merge};
/// let (forward, backward) = ([(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 2), (2, 2)]);
/// assert_eq!(merge(&forward, &backward, Merge::Intersection), [(0, 0), (2, 2)]);
/// assert_eq!(merge(&forward, &backward, Merge::Union), [(0, 0), (1, 1), (1, 2), (2, 2)]);
/// assert_eq!(merge(&forward, &backward, Merge::GrowDiag), [(0, 0), (1, 1), (2, 2)]);
/// ```
#[must_use]
pub fn merge(forward: &[Link], backward: &[Link], how: Merge) -> Vec<Link> {
    let (forward, backward): (BTreeSet<Link>, BTreeSet<Link>) =
        (forward.iter().copied().collect(), backward.iter().copied().collect());
    let both = forward.intersection(&backward).copied();
    match how {
        Merge::Intersection => both.collect(),
        Merge::Union => forward.union(&backward).copied().collect(),
        Merge::GrowDiag | Merge::GrowDiagFinal | Merge::GrowDiagFinalAnd => {
            let mut grown = Growing::from(both);
            grown.grow(&forward.union(&backward).copied().collect());
            if how != Merge::GrowDiag {
                let is_and = how == Merge::GrowDiagFinalAnd;
                for direction in [&forward, &backward] {
                    let mut links: Vec<Link> = direction.iter().copied().collect();
                    links.sort_by_key(|&(s, t)| (t, s));
                    for (s, t) in links {
                        let (src, tgt) = (!grown.src.contains(&s), !grown.tgt.contains(&t));
                        if if is_and { src && tgt } else { src || tgt } {
                            grown.add((s, t));
                        }
                    }
                }
            }
            grown.links.into_iter().collect()
        }
    }
}

/// An alignment that grows, with the words that have a link.
#[derive(Debug, Default)]
struct Growing {
    links: BTreeSet<Link>,
    src: BTreeSet<usize>,
    tgt: BTreeSet<usize>,
}

impl Growing {
    fn from(links: impl Iterator<Item = Link>) -> Self {
        let mut grown = Self::default();
        links.for_each(|link| grown.add(link));
        grown
    }

    fn add(&mut self, (s, t): Link) {
        self.links.insert((s, t));
        self.src.insert(s);
        self.tgt.insert(t);
    }

    fn grow(&mut self, union: &BTreeSet<Link>) {
        loop {
            let before = self.links.len();
            let mut by_target: Vec<Link> = self.links.iter().copied().collect();
            by_target.sort_by_key(|&(s, t)| (t, s));
            for (s, t) in by_target {
                for (ds, dt) in NEIGHBOURS {
                    let (Some(s), Some(t)) = (s.checked_add_signed(ds), t.checked_add_signed(dt)) else { continue };
                    let has_free_word = !self.src.contains(&s) || !self.tgt.contains(&t);
                    if has_free_word && union.contains(&(s, t)) {
                        self.add((s, t));
                    }
                }
            }
            if self.links.len() == before {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Merge; 5] =
        [Merge::Intersection, Merge::GrowDiag, Merge::GrowDiagFinalAnd, Merge::GrowDiagFinal, Merge::Union];

    /// Links that look random: `seed` chooses them.
    fn links(seed: u64) -> Vec<Link> {
        let key = lookback_kernels::RandomKey { seed, stream: 0, step: 0 };
        let coin = |i: u32| lookback_kernels::philox4x32(key, i)[0].is_multiple_of(4);
        (0..42).filter(|&i| coin(i)).map(|i| (i as usize / 6, i as usize % 6)).collect()
    }

    #[test]
    fn growing_takes_neighbours_with_a_free_word_and_only_those_of_the_union() {
        // (1,1) touches (0,0) and has two free words; (1,0) would need a free word; (3,3) touches nothing.
        let (forward, backward) = ([(0, 0), (1, 1), (3, 3)], [(0, 0), (1, 0)]);
        assert_eq!(merge(&forward, &backward, Merge::GrowDiag), [(0, 0), (1, 0), (1, 1)]);
        assert_eq!(merge(&forward, &backward, Merge::GrowDiagFinalAnd), [(0, 0), (1, 0), (1, 1), (3, 3)]);
        // A link with one free word is taken by `final`, not by `final-and`.
        let (forward, backward) = ([(0, 0), (0, 4)], [(0, 0)]);
        assert_eq!(merge(&forward, &backward, Merge::GrowDiagFinalAnd), [(0, 0)]);
        assert_eq!(merge(&forward, &backward, Merge::GrowDiagFinal), [(0, 0), (0, 4)]);
    }

    #[test]
    fn every_rule_keeps_what_it_starts_from_and_stays_within_the_union() {
        let is_within = |a: &[Link], b: &[Link]| a.iter().all(|link| b.contains(link));
        for seed in 0..200 {
            let (forward, backward) = (links(2 * seed), links(2 * seed + 1));
            let [both, grown, and, or, either] = ALL.map(|how| merge(&forward, &backward, how));
            for (less, more) in [(&both, &grown), (&grown, &and), (&grown, &or), (&and, &either), (&or, &either)] {
                assert!(is_within(less, more), "seed {seed}: {less:?} in {more:?}");
            }
            let words = |links: &[Link]| links.iter().map(|link| link.0).collect::<BTreeSet<_>>();
            assert_eq!(
                words(&or),
                words(&either),
                "seed {seed}: `final` leaves no word with a link of either without one"
            );
        }
    }

    #[test]
    fn directions_that_agree_are_left_as_they_are() {
        for seed in 0..20 {
            let same = links(seed);
            for how in ALL {
                assert_eq!(merge(&same, &same, how), same, "{how:?}");
            }
        }
    }

    #[test]
    fn nothing_grows_from_an_empty_intersection_but_final_links() {
        assert_eq!(merge(&[(0, 1)], &[(1, 0)], Merge::GrowDiag), []);
        assert_eq!(merge(&[(0, 1)], &[(1, 0)], Merge::GrowDiagFinalAnd), [(0, 1), (1, 0)]);
    }
}
