//! The greedy search for shifts.
//!
//! As long as it lowers the edit distance, the best shift is made. A shift moves a run of words that also stands in the reference, but
//! elsewhere, to beside one of its words there. Of shifts that lower the distance equally the longest is taken, then the one from the earliest
//! place, then the one to the earliest. The limits below are Tercom's, but for the last, which is sacreBLEU's.

use std::cmp::Reverse;

use super::distance::{Alignment, Distances};

/// The longest run that is moved, in words.
const MAX_RUN: usize = 10;

/// How far apart a run may stand in hypothesis and reference, in words.
const MAX_DISTANCE: usize = 50;

/// Once this many shifts of a sentence have been looked at, the search ends, and the shift it was looking for is not made.
const MAX_SHIFTS: usize = 1000;

/// The fewest edits found that make the reference of the hypothesis. An empty reference costs a deletion per word.
pub(super) fn edits(hyp: &[u32], reference: &[u32]) -> usize {
    if reference.is_empty() {
        return hyp.len();
    }
    let mut distances = Distances::new(reference, hyp.len());
    let mut hyp = hyp.to_vec();
    let (mut made, mut seen) = (0, 0);
    loop {
        let alignment = distances.align(&hyp);
        let best = if alignment.distance == 0 {
            None
        } else {
            best_shift(&mut distances, &alignment, &hyp, reference, &mut seen)
        };
        match best {
            Some(shift) if seen < MAX_SHIFTS => hyp = (0..hyp.len()).map(|i| hyp[shift.source(i)]).collect(),
            _ => return made + alignment.distance as usize,
        }
        made += 1;
    }
}

/// Words `start..start + len` move to before word `target`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shift {
    start: usize,
    len: usize,
    target: usize,
    /// Words in all.
    words: usize,
}

impl Shift {
    /// Orders shifts that lower the distance equally.
    fn rank(self) -> (usize, Reverse<usize>, Reverse<usize>) {
        (self.len, Reverse(self.start), Reverse(self.target))
    }

    /// Which word stands at `i` after the shift. A run aimed into itself moves right by as much, as far as there are words.
    fn source(self, i: usize) -> usize {
        let Self { start, len, target, words } = self;
        // The run's new place, counted without it.
        let place = if target < start {
            target
        } else if target > start + len {
            target - len
        } else {
            target.min(words - len)
        };
        if (place..place + len).contains(&i) {
            return start + i - place;
        }
        let rest = if i < place { i } else { i - len };
        if rest < start { rest } else { rest + len }
    }
}

/// The shift that lowers the distance most, if one does. Counts what it looked at in `seen` and stops at [`MAX_SHIFTS`].
fn best_shift(
    distances: &mut Distances<'_>,
    alignment: &Alignment,
    hyp: &[u32],
    reference: &[u32],
    seen: &mut usize,
) -> Option<Shift> {
    let (hyp_wrong, ref_wrong) = (running(&alignment.hyp_wrong), running(&alignment.ref_wrong));
    let mut best: Option<(u32, Shift)> = None;
    for (start, there, len) in runs(hyp, reference) {
        let beside = alignment.beside[there];
        let inside = usize::try_from(beside).is_ok_and(|beside| (start..start + len).contains(&beside));
        if hyp_wrong[start] == hyp_wrong[start + len] || ref_wrong[there] == ref_wrong[there + len] || inside {
            continue;
        }
        let mut last = None;
        // Before the run's place in the reference, then behind each of its words.
        for word in there..=there + len {
            let target = word.checked_sub(1).map_or(0, |word| usize::try_from(alignment.beside[word] + 1).unwrap_or(0));
            if last.replace(target) == Some(target) {
                continue;
            }
            *seen += 1;
            let shift = Shift { start, len, target, words: hyp.len() };
            // Of equals the one of higher rank is the better one.
            let enough = match best {
                Some((distance, best)) if shift.rank() > best.rank() => Some(distance),
                Some((distance, _)) => distance.checked_sub(1),
                None => alignment.distance.checked_sub(1),
            };
            let found = enough.and_then(|enough| distances.below(|i| hyp[shift.source(i)], start.min(target), enough));
            best = found.map(|distance| (distance, shift)).or(best);
        }
        if *seen >= MAX_SHIFTS {
            break;
        }
    }
    best.map(|(_, shift)| shift)
}

/// Runs of words that stand in both, as (place in the hypothesis, place in the reference, words): by place, shorter ones first.
fn runs(hyp: &[u32], reference: &[u32]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..hyp.len()).flat_map(move |start| {
        let near = start.saturating_sub(MAX_DISTANCE)..reference.len().min(start + MAX_DISTANCE + 1);
        near.flat_map(move |there| {
            let pairs = hyp[start..].iter().zip(&reference[there..]).take(MAX_RUN);
            (1..=pairs.take_while(|(a, b)| a == b).count()).map(move |len| (start, there, len))
        })
    })
}

/// How many are true before each place; one more entry than there are places.
fn running(flags: &[bool]) -> Vec<usize> {
    let mut sum = 0;
    let after = flags.iter().map(|&flag| {
        sum += usize::from(flag);
        sum
    });
    std::iter::once(0).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_move_the_run_and_keep_the_rest_in_order() {
        let shifted = |start, len, target| {
            let shift = Shift { start, len, target, words: 6 };
            (0..6).map(|i| shift.source(i)).collect::<Vec<_>>()
        };
        assert_eq!(shifted(3, 2, 1), [0, 3, 4, 1, 2, 5]);
        assert_eq!(shifted(1, 2, 5), [0, 3, 4, 1, 2, 5]);
        assert_eq!(shifted(0, 2, 6), [2, 3, 4, 5, 0, 1]);
        // Aimed into itself: one further to the right, then two, then as far as it goes.
        assert_eq!(shifted(1, 3, 1), [0, 1, 2, 3, 4, 5]);
        assert_eq!(shifted(1, 3, 2), [0, 4, 1, 2, 3, 5]);
        assert_eq!(shifted(1, 3, 4), [0, 4, 5, 1, 2, 3]);
    }

    #[test]
    fn a_moved_run_costs_one_edit() {
        assert_eq!(edits(&[4, 5, 6, 1, 2, 3], &[1, 2, 3, 4, 5, 6]), 1);
        assert_eq!(edits(&[1, 2, 3], &[1, 2, 3]), 0);
    }

    #[test]
    fn nothing_on_one_side_costs_a_word_each() {
        assert_eq!(edits(&[1, 2], &[]), 2);
        assert_eq!(edits(&[], &[1, 2, 3]), 3);
        assert_eq!(edits(&[], &[]), 0);
    }
}
