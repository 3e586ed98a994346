//! The edit distance inside TER: insertions, deletions and substitutions at cost 1, near the diagonal only.
//!
//! ```text
//! d(i, j) = min( d(i−1, j−1) + [h_i ≠ r_j],  d(i−1, j) + 1,  d(i, j−1) + 1 )        ⌊i·R/H⌋ − beam <= j < ⌊i·R/H⌋ + beam
//! ```
//! i counts words of the hypothesis (0..H), j those of the reference (0..R). Cells outside the beam are out of reach, but for the rest
//! of the last row.

use std::ops::Range;

/// Half the width of the beam, unless the lengths differ so much that it would break.
const BEAM: usize = 25;

/// A cost that nothing reaches and that can be added to.
const OUT_OF_REACH: u32 = u32::MAX / 2;

/// Distances between one reference and hypotheses of one length.
pub(super) struct Distances<'r> {
    reference: &'r [u32],
    /// Which cells of each row are in the beam; row 0 is whole.
    beams: Vec<Range<usize>>,
    /// The rows of the hypothesis last given to [`Distances::align`], beams only.
    rows: Vec<Vec<u32>>,
    above: Vec<u32>,
    row: Vec<u32>,
}

/// How a hypothesis stands beside its reference.
#[derive(Debug, PartialEq)]
pub(super) struct Alignment {
    pub(super) distance: u32,
    /// For each word of the reference the word of the hypothesis beside it or, if it has none, the last one before; −1 before the first.
    pub(super) beside: Vec<isize>,
    /// Which words of the hypothesis are not where they should be.
    pub(super) hyp_wrong: Vec<bool>,
    /// Which words of the reference are not met.
    pub(super) ref_wrong: Vec<bool>,
}

impl<'r> Distances<'r> {
    /// Prepares for hypotheses of `hyp_len` words. The reference is not empty.
    pub(super) fn new(reference: &'r [u32], hyp_len: usize) -> Self {
        let len = reference.len();
        let beams: Vec<Range<usize>> = beams(len, hyp_len).collect();
        let rows = beams.iter().map(|beam| vec![0; beam.len()]).collect();
        Self { reference, beams, rows, above: vec![0; len + 1], row: vec![0; len + 1] }
    }

    /// Aligns a hypothesis and keeps its rows for [`Distances::below`].
    pub(super) fn align(&mut self, hyp: &[u32]) -> Alignment {
        self.start(0);
        for i in 1..=hyp.len() {
            self.advance(i, hyp[i - 1]);
            let beam = self.beams[i].clone();
            self.rows[i].copy_from_slice(&self.above[beam]);
        }
        self.trace(hyp)
    }

    /// The distance of a hypothesis that is the aligned one up to word `from`, if it is at most `limit`.
    pub(super) fn below(&mut self, hyp: impl Fn(usize) -> u32, from: usize, limit: u32) -> Option<u32> {
        self.start(from);
        for i in from + 1..self.beams.len() {
            // The smallest cost of a row never falls from one row to the next.
            if self.advance(i, hyp(i - 1)) > limit {
                return None;
            }
        }
        self.above.last().copied().filter(|&distance| distance <= limit)
    }

    /// Makes row `i` of the aligned hypothesis the row above.
    #[allow(clippy::cast_possible_truncation, reason = "lines have fewer than 2^31 words")]
    fn start(&mut self, i: usize) {
        let beam = self.beams[i].clone();
        if i == 0 {
            self.above.iter_mut().enumerate().for_each(|(j, cell)| *cell = j as u32);
        } else {
            self.above[beam].copy_from_slice(&self.rows[i]);
        }
    }

    /// Computes row `i` from the row above, becomes the row above for the next, and returns its smallest cost.
    fn advance(&mut self, i: usize, word: u32) -> u32 {
        let (before, beam) = (self.beams[i - 1].clone(), self.beams[i].clone());
        // What this row reads of the one above but that one's beam lacks.
        if let Some(left) = before.start.checked_sub(1) {
            self.above[left] = OUT_OF_REACH;
        }
        if beam.end > before.end {
            self.above[before.end..beam.end].fill(OUT_OF_REACH);
        }
        let (mut left, mut smallest, mut j) = (OUT_OF_REACH, OUT_OF_REACH, beam.start);
        if j == 0 {
            left = self.above[0] + 1;
            (self.row[0], smallest, j) = (left, left, 1);
        }
        let above = &self.above[j - 1..beam.end];
        let reference = &self.reference[j - 1..beam.end - 1];
        for ((cell, above), &wanted) in self.row[j..beam.end].iter_mut().zip(above.windows(2)).zip(reference) {
            let substituted = above[0] + u32::from(word != wanted);
            left = substituted.min(above[1] + 1).min(left + 1);
            *cell = left;
            smallest = smallest.min(left);
        }
        std::mem::swap(&mut self.above, &mut self.row);
        smallest
    }

    fn cell(&self, i: usize, j: usize) -> u32 {
        match (i, self.beams[i].contains(&j)) {
            (0, _) => u32::try_from(j).unwrap_or(OUT_OF_REACH),
            (_, true) => self.rows[i][j - self.beams[i].start],
            _ => OUT_OF_REACH,
        }
    }

    /// Walks back from the last cell. Of equally good steps a match or substitution is taken first, then a deletion, then an insertion.
    #[allow(clippy::cast_possible_wrap, reason = "lines have fewer than 2^31 words")]
    fn trace(&self, hyp: &[u32]) -> Alignment {
        let (mut i, mut j) = (hyp.len(), self.reference.len());
        let distance = self.cell(i, j);
        let (mut hyp_wrong, mut ref_wrong) = (vec![true; i], vec![true; j]);
        let mut beside = vec![-1; j];
        while i > 0 || j > 0 {
            let cost = self.cell(i, j);
            let wrong = i > 0 && j > 0 && hyp[i - 1] != self.reference[j - 1];
            if i > 0 && j > 0 && self.cell(i - 1, j - 1) + u32::from(wrong) == cost {
                (i, j) = (i - 1, j - 1);
                beside[j] = i as isize;
                (hyp_wrong[i], ref_wrong[j]) = (wrong, wrong);
            } else if i > 0 && self.cell(i - 1, j) + 1 == cost {
                i -= 1;
            } else {
                j -= 1;
                beside[j] = i as isize - 1;
            }
        }
        Alignment { distance, beside, hyp_wrong, ref_wrong }
    }
}

/// The beam of each row, from 0 to `hyp_len`. The arithmetic is in double precision as in the original, since rounding decides.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths are small and not negative"
)]
fn beams(ref_len: usize, hyp_len: usize) -> impl Iterator<Item = Range<usize>> {
    let ratio = if hyp_len > 0 { ref_len as f64 / hyp_len as f64 } else { 1.0 };
    let beam = if (BEAM as f64) < ratio / 2.0 { (ratio / 2.0 + BEAM as f64).ceil() as usize } else { BEAM };
    (0..=hyp_len).map(move |i| {
        let diagonal = (i as f64 * ratio).floor() as usize;
        let end = if i == 0 || i == hyp_len { ref_len + 1 } else { (ref_len + 1).min(diagonal + beam) };
        let start = if i == 0 { 0 } else { diagonal.saturating_sub(beam) };
        start..end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alignment_names_what_is_wrong_on_either_side() {
        let alignment = Distances::new(&[1, 2, 3, 4], 3).align(&[2, 9, 4]);
        assert_eq!(alignment.distance, 2);
        assert_eq!(alignment.beside, [-1, 0, 1, 2]);
        assert_eq!(alignment.hyp_wrong, [false, true, false]);
        assert_eq!(alignment.ref_wrong, [true, false, true, false]);
    }

    #[test]
    fn a_changed_end_costs_what_aligning_anew_would_find() {
        let reference: Vec<u32> = (0..90).map(|i| i * i % 23).collect();
        let hyp: Vec<u32> = (0..70).map(|i| i * 7 % 23).collect();
        let mut distances = Distances::new(&reference, hyp.len());
        distances.align(&hyp);
        for from in [0, 1, 30, 69, 70] {
            let mut other = hyp.clone();
            other[from..].reverse();
            let anew = Distances::new(&reference, hyp.len()).align(&other).distance;
            assert_eq!(distances.below(|i| other[i], from, anew), Some(anew), "from {from}");
            assert_eq!(distances.below(|i| other[i], from, anew - 1), None, "from {from}");
        }
    }

    #[test]
    fn very_unequal_lengths_stay_within_reach() {
        let long: Vec<u32> = (0..400).collect();
        // Without a beam one or two words would meet their like; so far from the diagonal only 100 does.
        assert_eq!(Distances::new(&long, 2).align(&[399, 7]).distance, 400);
        assert_eq!(Distances::new(&long, 2).align(&[100, 399]).distance, 399);
        assert_eq!(Distances::new(&[7], 400).align(&long).distance, 399);
        assert_eq!(Distances::new(&long, 0).align(&[]).distance, 400);
    }
}
