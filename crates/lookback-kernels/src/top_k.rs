//! The k best entries of every row, among those that are allowed.

use crate::isa::multiversion;
use crate::shared::Shared;
use crate::softmax::max;
use crate::{Exec, Real};

/// Entries that are looked at together: once `k` are found, few blocks hold a better one.
const BLOCK: usize = 64;

/// Which entries of a row may be chosen.
#[derive(Debug, Clone, Copy)]
pub enum Candidates<'a> {
    /// All but these (sorted or not).
    AllExcept(&'a [u32]),
    /// Only these, in ascending order.
    Only(&'a [u32]),
}

/// The best entries of several rows. The memory is kept from one use to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct TopK<T> {
    /// Room for `k` of each row.
    entries: Vec<(u32, T)>,
    /// How many each row has.
    counts: Vec<usize>,
    k: usize,
}

impl<T> Default for TopK<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), counts: Vec::new(), k: 0 }
    }
}

impl<T> TopK<T> {
    /// The entries of row `row`, as (index, value), largest first, ties by the smaller index.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[(u32, T)] {
        &self.entries[row * self.k..][..self.counts[row]]
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.counts.len()
    }
}

/// The `k` largest entries of each row of `width` of `x`; row n chooses among `candidates(n)`. Entries that are NaN or −∞ are never chosen, so a row may have fewer than `k`.
///
/// # Panics
/// If a candidate of `Only` is outside the row, or `x` does not consist of whole rows.
pub fn top_k_rows<'c, T: Real>(
    exec: Exec<'_>,
    x: &[T],
    width: usize,
    k: usize,
    candidates: &(dyn Fn(usize) -> Candidates<'c> + Sync),
    found: &mut TopK<T>,
) {
    let rows = x.len() / width;
    assert_eq!(rows * width, x.len(), "rows of {width}");
    found.k = k;
    found.entries.clear();
    found.entries.resize(rows * k, (0, T::ZERO));
    found.counts.clear();
    found.counts.resize(rows, 0);
    let (entries, counts) = (Shared::new(&mut found.entries), Shared::new(&mut found.counts));
    exec.pool.run(rows, |n| {
        // SAFETY: rows do not overlap.
        let (entries, count) = unsafe { (entries.part(n * k, k), counts.part(n, 1)) };
        count[0] = top_k_row(exec.isa, &x[n * width..][..width], candidates(n), entries);
    });
}

multiversion! {
    /// Writes the largest entries of `row` among the candidates to `best`, as many as it holds or there are, and says how many.
    fn top_k_row<T>(row: &[T], candidates: Candidates<'_>, best: &mut [(u32, T)]) -> usize {
        if best.is_empty() {
            return 0;
        }
        let mut best = Best { all: best, count: 0 };
        match candidates {
            Candidates::AllExcept(banned) => {
                // The maximum passes over NaN, which is greater than nothing.
                let blocks = (0u32..).step_by(BLOCK).zip(row.chunks(BLOCK));
                for (start, block) in blocks {
                    if max(block) > best.bar() {
                        for (i, &value) in (start..).zip(block) {
                            if value > best.bar() && !banned.contains(&i) {
                                best.insert(i, value);
                            }
                        }
                    }
                }
            }
            Candidates::Only(allowed) => {
                for &i in allowed {
                    let value = row[i as usize];
                    if value > best.bar() {
                        best.insert(i, value);
                    }
                }
            }
        }
        best.count
    }
}

/// The best entries found so far: the first `count` of `all`.
struct Best<'a, T> {
    all: &'a mut [(u32, T)],
    count: usize,
}

impl<T: Real> Best<'_, T> {
    /// What a value has to exceed.
    #[inline(always)]
    fn bar(&self) -> T {
        if self.count < self.all.len() { T::NEG_INFINITY } else { self.all[self.count - 1].1 }
    }

    #[inline(always)]
    fn insert(&mut self, i: u32, value: T) {
        // Equal values stand in order of index, because indices come in ascending order.
        let at = self.all[..self.count].partition_point(|&(_, v)| v >= value);
        self.count = (self.count + 1).min(self.all.len());
        self.all[at..self.count].rotate_right(1);
        self.all[at] = (i, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, Pool};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_head_of_the_sorted_row(
            row in prop::collection::vec(prop::sample::select(vec![-1.0f32, 0.5, 2.0, f32::NAN, f32::NEG_INFINITY, 3.0]), 1..200),
            k in 0usize..6,
            banned in prop::collection::vec(0u32..200, 0..40),
        ) {
            let mut all: Vec<(u32, f32)> = (0u32..).zip(row.iter().copied())
                .filter(|(i, v)| *v > f32::NEG_INFINITY && !banned.contains(i)).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.truncate(k);
            let allowed: Vec<u32> = (0u32..).take(row.len()).filter(|i| !banned.contains(i)).collect();
            // Three rows that are asked in both ways, in memory that held others before.
            let (x, pool) = ([&row[..], &row[..], &row[..]].concat(), Pool::new(2));
            let mut found = TopK { entries: vec![(99, 9.0); 50], counts: vec![7; 9], k: 9 };
            let candidates = |n| match n {
                0 => Candidates::AllExcept(&banned),
                1 => Candidates::Only(&[]),
                _ => Candidates::Only(&allowed),
            };
            top_k_rows(Exec::new(&pool, Isa::detect()), &x, row.len(), k, &candidates, &mut found);
            prop_assert_eq!(found.rows(), 3);
            prop_assert_eq!(found.row(0), &all[..]);
            prop_assert!(found.row(1).is_empty());
            prop_assert_eq!(found.row(2), &all[..]);
        }
    }
}
