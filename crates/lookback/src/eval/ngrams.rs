//! Equal n-grams of a few sequences get equal small numbers, so that counting them is indexing.

/// Calls `visit(n, ids, distinct)` for `n = 1..=orders`. `ids[s][i]` stands for the n-gram that starts at `i` in `sequences[s]`: equal
/// n-grams, and only they, have the same number below `distinct`. Sequences shorter than `n` have none.
///
/// An n-gram is named by the number of its first n − 1 symbols and its last symbol, so each order costs one look-up per place.
pub(super) fn visit_ngrams(sequences: &[Vec<u32>], orders: usize, mut visit: impl FnMut(usize, &[Vec<u32>], usize)) {
    let mut names = Names::for_places(sequences.iter().map(Vec::len).sum());
    let mut ids: Vec<Vec<u32>> = sequences.to_vec();
    for n in 1..=orders {
        names.clear();
        for (ids, sequence) in ids.iter_mut().zip(sequences) {
            ids.truncate((sequence.len() + 1).saturating_sub(n));
            for (id, &last) in ids.iter_mut().zip(&sequence[(n - 1).min(sequence.len())..]) {
                let first = if n == 1 { 0 } else { u64::from(*id) << 32 };
                *id = names.name(first | u64::from(last));
            }
        }
        visit(n, &ids, names.given as usize);
    }
}

/// Occurrences of each n-gram, by its number.
pub(super) fn count(ids: &[u32], counts: &mut [u32]) {
    for &id in ids {
        counts[id as usize] += 1;
    }
}

/// Numbers for keys, in the order of their first appearance: a hash table with linear probing, at most half full.
struct Names {
    /// (key, number); [`Names::FREE`] where there is none.
    slots: Vec<(u64, u32)>,
    given: u32,
}

impl Names {
    /// Never a key: symbols and numbers stay below 2³² − 1.
    const FREE: u64 = u64::MAX;

    fn for_places(places: usize) -> Self {
        Self { slots: vec![(Self::FREE, 0); (2 * places).next_power_of_two()], given: 0 }
    }

    fn clear(&mut self) {
        self.slots.fill((Self::FREE, 0));
        self.given = 0;
    }

    #[allow(clippy::cast_possible_truncation, reason = "the hash is cut to the size of the table")]
    fn name(&mut self, key: u64) -> u32 {
        // Fibonacci hashing: the high bits of the product depend on all bits of the key.
        let hash = key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            match &mut self.slots[slot] {
                (taken, number) if *taken == key => return *number,
                free if free.0 == Self::FREE => {
                    *free = (key, self.given);
                    self.given += 1;
                    return self.given - 1;
                }
                _ => slot = (slot + 1) & (self.slots.len() - 1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_ngrams_and_only_they_share_a_number() {
        let sequences: Vec<Vec<u32>> = vec![vec![1, 2, 1, 2, 1, 3], vec![2, 1, 2], vec![], vec![7]];
        let mut orders = 0;
        visit_ngrams(&sequences, 4, |n, ids, distinct| {
            let places = |s: usize| sequences[s].windows(n).zip(&ids[s]);
            let all: Vec<_> = (0..sequences.len()).flat_map(places).collect();
            for (ngram, id) in &all {
                assert!((**id as usize) < distinct);
                assert!(all.iter().all(|(other, other_id)| (ngram == other) == (id == other_id)), "order {n}");
            }
            for (ids, sequence) in ids.iter().zip(&sequences) {
                assert_eq!(ids.len(), (sequence.len() + 1).saturating_sub(n));
            }
            orders += 1;
        });
        assert_eq!(orders, 4);
    }

    #[test]
    fn an_order_beyond_every_sequence_has_no_ngram() {
        visit_ngrams(&[vec![5], vec![]], 3, |n, ids, distinct| {
            assert_eq!((ids[0].len(), distinct), if n == 1 { (1, 1) } else { (0, 0) });
        });
    }
}
