//! The k best entries of a row, among those that are allowed.

use crate::Real;
use crate::softmax::max;

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

/// Appends the `k` largest entries of `row` among the candidates to `best`, as (index, value), largest first, ties by the smaller index.
/// Entries that are NaN or −∞ are never chosen, so fewer than `k` may come back.
///
/// # Panics
/// If a candidate of `Only` is outside the row.
pub fn top_k_row<T: Real>(row: &[T], k: usize, candidates: Candidates<'_>, best: &mut Vec<(u32, T)>) {
    let mut best = Best { first: best.len(), k, all: best };
    if k == 0 {
        return;
    }
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
}

/// The best entries found so far: those of `all` from `first`.
struct Best<'a, T> {
    all: &'a mut Vec<(u32, T)>,
    first: usize,
    k: usize,
}

impl<T: Real> Best<'_, T> {
    /// What a value has to exceed.
    fn bar(&self) -> T {
        if self.all.len() - self.first < self.k { T::NEG_INFINITY } else { self.all[self.all.len() - 1].1 }
    }

    fn insert(&mut self, i: u32, value: T) {
        if self.all.len() - self.first == self.k {
            self.all.pop();
        }
        // Equal values stand in order of index, because indices come in ascending order.
        let at = self.first + self.all[self.first..].partition_point(|&(_, v)| v >= value);
        self.all.insert(at, (i, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_head_of_the_sorted_row(
            row in prop::collection::vec(prop::sample::select(vec![-1.0f32, 0.5, 2.0, f32::NAN, f32::NEG_INFINITY, 3.0]), 0..200),
            k in 0usize..6,
            banned in prop::collection::vec(0u32..200, 0..40),
        ) {
            let mut all: Vec<(u32, f32)> = (0u32..).zip(row.iter().copied())
                .filter(|(i, v)| *v > f32::NEG_INFINITY && !banned.contains(i)).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.truncate(k);
            let mut best = vec![(99, 0.0)];
            top_k_row(&row, k, Candidates::AllExcept(&banned), &mut best);
            prop_assert_eq!(&best[1..], &all[..]);
            let allowed: Vec<u32> = (0u32..).take(row.len()).filter(|i| !banned.contains(i)).collect();
            best.clear();
            top_k_row(&row, k, Candidates::Only(&allowed), &mut best);
            prop_assert_eq!(best, all);
        }
    }
}
