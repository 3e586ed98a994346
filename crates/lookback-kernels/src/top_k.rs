//! The k best entries of a row, among those that are allowed.

use crate::Real;

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
    let first = best.len();
    let mut offer = |i: u32, value: T, banned: &[u32]| {
        let found = best.len() - first;
        // Most entries stop here, so the list of banned ones is searched for few. A NaN is greater than nothing.
        let enters = value > T::NEG_INFINITY && (found < k || best.last().is_some_and(|&(_, worst)| value > worst));
        if k == 0 || !enters || banned.contains(&i) {
            return;
        }
        if found == k {
            best.pop();
        }
        // Equal values stand in order of index, because indices come in ascending order.
        let at = first + best[first..].partition_point(|&(_, v)| v >= value);
        best.insert(at, (i, value));
    };
    match candidates {
        Candidates::AllExcept(banned) => (0u32..).zip(row).for_each(|(i, &value)| offer(i, value, banned)),
        Candidates::Only(allowed) => allowed.iter().for_each(|&i| offer(i, row[i as usize], &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_head_of_the_sorted_row(
            row in prop::collection::vec(prop::sample::select(vec![-1.0f32, 0.5, 2.0, f32::NAN, f32::NEG_INFINITY, 3.0]), 0..30),
            k in 0usize..6,
            banned in prop::collection::vec(0u32..30, 0..4),
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
