//! Which extensions of a sentence's hypotheses survive a step.

use std::cmp::Reverse;

/// A hypothesis with one more id.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extension {
    pub(super) log_prob: f64,
    /// The row it comes from.
    pub(super) row: usize,
    pub(super) id: u32,
    /// A bit for every phrase it says.
    pub(super) said: u64,
    /// How many pieces of what must be said it has said.
    pub(super) bank: usize,
    /// Which sample it is.
    pub(super) draw: u32,
}

/// The `k` most probable, most probable first; equal ones by row, then by id.
pub(super) fn most_probable(extensions: &mut Vec<Extension>, k: usize) {
    extensions.sort_unstable_by(|a, b| b.log_prob.total_cmp(&a.log_prob).then(a.row.cmp(&b.row)).then(a.id.cmp(&b.id)));
    extensions.truncate(k);
}

/// Deals `k` places to the banks in turn, the fullest first; each bank gives its most probable. The result is sorted as by [`most_probable`].
pub(super) fn dealt(extensions: &mut Vec<Extension>, k: usize) {
    most_probable(extensions, usize::MAX);
    let mut counts = vec![0usize; extensions.iter().map(|e| e.bank + 1).max().unwrap_or(0)];
    let mut placed: Vec<(usize, Extension)> = Vec::with_capacity(extensions.len());
    for &extension in extensions.iter() {
        placed.push((counts[extension.bank], extension));
        counts[extension.bank] += 1;
    }
    placed.sort_by_key(|(place, extension)| (*place, Reverse(extension.bank)));
    placed.truncate(k);
    *extensions = placed.into_iter().map(|(_, extension)| extension).collect();
    most_probable(extensions, k);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extensions(of: &[(usize, f64)]) -> Vec<Extension> {
        let extension = |(id, &(bank, log_prob))| Extension { log_prob, row: 0, id, said: 0, bank, draw: 0 };
        (0..).zip(of).map(extension).collect()
    }

    fn ids_dealt(of: &[(usize, f64)], k: usize) -> Vec<u32> {
        let mut all = extensions(of);
        dealt(&mut all, k);
        all.iter().map(|e| e.id).collect()
    }

    #[test]
    fn places_are_dealt_to_banks_in_turn_the_fullest_first() {
        let of = [(0, -1.0), (0, -2.0), (0, -3.0), (2, -9.0), (2, -8.0), (1, -5.0)];
        assert_eq!(ids_dealt(&of, 1), [4]);
        assert_eq!(ids_dealt(&of, 2), [5, 4]);
        assert_eq!(ids_dealt(&of, 3), [0, 5, 4]);
        assert_eq!(ids_dealt(&of, 4), [0, 5, 4, 3]);
        assert_eq!(ids_dealt(&of, 5), [0, 1, 5, 4, 3], "what a bank cannot use goes to the others");
        assert_eq!(ids_dealt(&of, 9).len(), 6);
    }

    #[test]
    fn the_most_probable_come_first_and_equal_ones_by_row_and_id() {
        let mut all = extensions(&[(0, -2.0), (0, -1.0), (0, -1.0)]);
        all[1].row = 1;
        most_probable(&mut all, 2);
        assert_eq!(all.iter().map(|e| e.id).collect::<Vec<_>>(), [2, 1]);
    }
}
