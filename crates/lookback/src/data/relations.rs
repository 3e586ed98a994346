//! Which pairs of a corpus share a sentence, directly or through others.
//!
//! Sentences are compared by their [keys](super::sentence), which are sorted, on disk if there are many. What stays in memory are a few numbers a pair.

use super::sentence::{Key, join, key};
use super::sort::{RECORD, Sorter};
use super::{DataError, Pairs};

/// The most memory for sorting, in bytes.
const SORTING: usize = 24 << 20;

/// Relations of pairs, which are numbered from 0 in their order.
#[derive(Debug)]
pub(super) struct Relations {
    /// The first pair with the same sides.
    same: Vec<u32>,
    /// The first pair of the component.
    component: Vec<u32>,
    /// The next pair with the same source, and with the same target; the first one after the last.
    next: [Vec<u32>; 2],
    /// How many pairs have the source, and how many the target.
    relatives: Vec<u32>,
}

impl Relations {
    /// The relations of `pairs`.
    ///
    /// # Panics
    /// If there are 2³² pairs or more.
    pub(super) fn of(pairs: &Pairs) -> Result<Self, DataError> {
        let count = u32::try_from(pairs.len()).expect("there are fewer than 2^32 pairs");
        let sorter = || Sorter::new(SORTING / 3 / RECORD, None);
        let (mut by_pair, mut by_side) = (sorter(), [sorter(), sorter()]);
        let mut reader = pairs.reader();
        for i in 0..count {
            let Some(pair) = reader.next()? else { break };
            let sides = [key(pair.src), key(pair.tgt)];
            for (sorter, key) in by_side.iter_mut().zip(sides) {
                push(sorter, key, i)?;
            }
            push(&mut by_pair, join(sides[0], sides[1]), i)?;
        }
        let all = || (0..count).collect::<Vec<u32>>();
        let (mut same, mut component) = (all(), all());
        groups(by_pair, |members| members.iter().for_each(|&i| same[i as usize] = members[0]))?;
        let mut relatives = vec![0; pairs.len()];
        let mut next = [all(), all()];
        for (sorter, next) in by_side.into_iter().zip(&mut next) {
            groups(sorter, |members| {
                let others = members.iter().cycle().skip(1);
                for (&i, &other) in members.iter().zip(others) {
                    next[i as usize] = other;
                    relatives[i as usize] += u32::try_from(members.len()).unwrap_or(u32::MAX);
                    unite(&mut component, i, other);
                }
            })?;
        }
        for i in 0..count {
            component[i as usize] = first_of(&mut component, i);
        }
        Ok(Self { same, component, next, relatives })
    }

    /// How many pairs there are.
    pub(super) fn len(&self) -> u32 {
        self.same.len().try_into().unwrap_or(u32::MAX)
    }

    /// The first pair that has the sides of pair `i`.
    pub(super) fn same(&self, i: u32) -> u32 {
        self.same[i as usize]
    }

    /// The first pair of the component of pair `i`.
    pub(super) fn component(&self, i: u32) -> u32 {
        self.component[i as usize]
    }

    /// The pairs with the source or the target of pair `i`, itself included; one that has both comes twice.
    pub(super) fn relatives(&self, i: u32) -> impl Iterator<Item = u32> + '_ {
        self.next.iter().flat_map(move |next| {
            let mut at = Some(i);
            std::iter::from_fn(move || {
                let member = at?;
                at = Some(next[member as usize]).filter(|&other| other != i);
                Some(member)
            })
        })
    }

    /// How many pairs [`relatives`](Self::relatives) gives.
    pub(super) fn relative_count(&self, i: u32) -> usize {
        self.relatives[i as usize] as usize
    }
}

fn push(sorter: &mut Sorter, key: Key, pair: u32) -> Result<(), DataError> {
    sorter.push([key[0], key[1], u64::from(pair), 0]).map_err(DataError::temporary)
}

/// Calls `group` with the pairs of each key, in their order.
fn groups(sorter: Sorter, mut group: impl FnMut(&[u32])) -> Result<(), DataError> {
    let mut sorted = sorter.finish().map_err(DataError::temporary)?;
    let (mut of, mut members) = (None, Vec::new());
    while let Some([high, low, pair, _]) = sorted.next().map_err(DataError::temporary)? {
        if of != Some([high, low]) {
            if !members.is_empty() {
                group(&members);
            }
            members.clear();
            of = Some([high, low]);
        }
        members.push(u32::try_from(pair).unwrap_or(u32::MAX));
    }
    if !members.is_empty() {
        group(&members);
    }
    Ok(())
}

/// The first pair of what `i` was united with.
fn first_of(parents: &mut [u32], mut i: u32) -> u32 {
    while parents[i as usize] != i {
        let above = parents[parents[i as usize] as usize];
        parents[i as usize] = above;
        i = above;
    }
    i
}

fn unite(parents: &mut [u32], a: u32, b: u32) {
    let (a, b) = (first_of(parents, a), first_of(parents, b));
    parents[a.max(b) as usize] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::super::Corpus;
    use super::*;

    #[test]
    fn pairs_are_related_by_equal_sides_and_through_others() {
        let pairs = [("a", "x"), ("b", "y"), (" a", "z"), ("c", "z "), ("a", "x"), ("d", "w")];
        let corpus = Corpus::from_pairs(pairs.map(|(src, tgt)| (src.to_owned(), tgt.to_owned())));
        let relations = Relations::of(&corpus.pairs).unwrap();
        let all = || 0..relations.len();
        assert_eq!(all().map(|i| relations.same(i)).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 5]);
        assert_eq!(all().map(|i| relations.component(i)).collect::<Vec<_>>(), [0, 1, 0, 0, 0, 5]);
        let relatives = |i| {
            let mut relatives: Vec<u32> = relations.relatives(i).collect();
            assert_eq!(relatives.len(), relations.relative_count(i));
            relatives.sort_unstable();
            relatives
        };
        assert_eq!(relatives(0), [0, 0, 2, 4, 4]);
        assert_eq!(relatives(3), [2, 3, 3]);
        assert_eq!(relatives(5), [5, 5]);
    }
}
