//! How long the sides of examples are, in four bytes an example.

use std::collections::BTreeMap;

/// Source and target lengths in ids, specials not counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lengths {
    /// Two of 65,535 stand for those that do not fit.
    short: Vec<[u16; 2]>,
    long: BTreeMap<u32, [u32; 2]>,
}

const LONG: [u16; 2] = [u16::MAX; 2];

impl Lengths {
    /// # Panics
    /// If there are 2³² examples or more, or an example has as many ids.
    pub(crate) fn push(&mut self, src: usize, tgt: usize) {
        let place = u32::try_from(self.short.len()).expect("there are fewer than 2^32 examples");
        let short = |ids: usize| u16::try_from(ids).ok().filter(|&ids| ids != u16::MAX);
        if let (Some(src), Some(tgt)) = (short(src), short(tgt)) {
            self.short.push([src, tgt]);
        } else {
            let fits = |ids: usize| u32::try_from(ids).expect("an example has fewer than 2^32 ids");
            self.short.push(LONG);
            self.long.insert(place, [fits(src), fits(tgt)]);
        }
    }

    /// Those of example `i`.
    pub(crate) fn get(&self, i: u32) -> [u32; 2] {
        match self.short[i as usize] {
            LONG => self.long[&i],
            short => short.map(u32::from),
        }
    }

    /// How many examples there are.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.short.len()).unwrap_or(u32::MAX)
    }

    /// Those of all examples, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = [u32; 2]> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Bytes they take.
    #[cfg(feature = "train")]
    pub(super) fn memory(&self) -> usize {
        // A node of the tree has a few more places than it uses.
        4 * self.short.len() + 24 * self.long.len()
    }

    /// Gives back what was taken in advance.
    #[cfg(feature = "files")]
    pub(super) fn shrink(&mut self) {
        self.short.shrink_to_fit();
    }
}

impl FromIterator<(usize, usize)> for Lengths {
    fn from_iter<I: IntoIterator<Item = (usize, usize)>>(all: I) -> Self {
        let mut lengths = Self::default();
        all.into_iter().for_each(|(src, tgt)| lengths.push(src, tgt));
        lengths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_any_size_are_kept() {
        let all = [(0, 0), (65_534, 3), (65_535, 65_535), (7, 65_535), (1_000_000, 2), (5, 6)];
        let lengths: Lengths = all.into_iter().collect();
        let kept: Vec<(usize, usize)> = lengths.iter().map(|[src, tgt]| (src as usize, tgt as usize)).collect();
        assert_eq!(kept, all);
        assert_eq!((lengths.len(), lengths.get(4)), (6, [1_000_000, 2]));
    }
}
