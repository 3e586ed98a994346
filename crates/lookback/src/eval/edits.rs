//! The cheapest way from a reference to a hypothesis: matches, substitutions, deletions, insertions.
//!
//! ```text
//! d(i, j) = min( d(i−1, j−1) + [r_i ≠ h_j],  d(i−1, j) + 1,  d(i, j−1) + 1 )      Levenshtein (1966)
//! ```
//! Many alignments can be equally cheap. Taken is one with the most matches, so that `a b c` → `b c d` is a deletion and an insertion around two
//! matches, not three substitutions; the counts are then the same for every way of computing them. [`count`] needs two rows; [`align`] holds at
//! most [`CELLS`] cells of the table at once and cuts longer texts in two (Hirschberg 1975).

/// Numbers of the four kinds of steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edits {
    /// Equal tokens.
    pub matches: usize,
    /// Tokens of the reference that another token stands for.
    pub substitutions: usize,
    /// Tokens of the reference that nothing stands for.
    pub deletions: usize,
    /// Tokens of the hypothesis that stand for nothing.
    pub insertions: usize,
}

impl Edits {
    /// Substitutions, deletions and insertions together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Tokens of the reference.
    #[must_use]
    pub fn reference(&self) -> usize {
        self.matches + self.substitutions + self.deletions
    }
}

impl std::ops::AddAssign for Edits {
    fn add_assign(&mut self, other: Self) {
        self.matches += other.matches;
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
    }
}

/// One step of an alignment; positions are of the reference, then of the hypothesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Match,
    Substitute(usize, usize),
    Delete(usize),
    Insert(usize),
}

/// Cost of an edit. A match costs −1, and no text has so many tokens that matches could outweigh an edit.
const EDIT: i64 = 1 << 32;
/// The largest table held at once.
const CELLS: usize = 1 << 22;

/// The numbers of steps of the cheapest alignment with the most matches.
pub(super) fn count<T: PartialEq>(reference: &[T], hyp: &[T]) -> Edits {
    let (prefix, reference, hyp) = without_common_ends(reference, hyp);
    let cost = last_row(reference, hyp, Direction::Forward)[hyp.len()];
    // cost = EDIT · edits − matches with matches < EDIT.
    let edits = (cost + EDIT - 1).div_euclid(EDIT);
    let matches = usize::try_from(edits * EDIT - cost).unwrap_or(0);
    let edits = usize::try_from(edits).unwrap_or(0);
    let insertions = edits - (reference.len() - matches);
    let deletions = edits - (hyp.len() - matches);
    let substitutions = reference.len() - matches - deletions;
    Edits { matches: prefix + matches, substitutions, deletions, insertions }
}

/// The steps of a cheapest alignment with the most matches, in order. Where several remain, edits stand as early as they can and insertions after
/// deletions.
pub(super) fn align<T: PartialEq>(reference: &[T], hyp: &[T]) -> Vec<Step> {
    let mut steps = Vec::with_capacity(reference.len().max(hyp.len()));
    align_part(reference, hyp, (0, 0), CELLS, &mut steps);
    steps
}

/// [`align`] of a part that starts at `(i, j)`, with a table of at most `cells`.
fn align_part<T: PartialEq>(reference: &[T], hyp: &[T], (i, j): (usize, usize), cells: usize, steps: &mut Vec<Step>) {
    let (rows, columns) = (reference.len() + 1, hyp.len() + 1);
    if rows.saturating_mul(columns) <= cells || reference.len() < 2 {
        return trace(reference, hyp, (i, j), steps);
    }
    // Half of the reference and some part of the hypothesis go together; together they cost least.
    let half = reference.len() / 2;
    let above = last_row(&reference[..half], hyp, Direction::Forward);
    let below = last_row(&reference[half..], hyp, Direction::Backward);
    let whole = |cut: usize| above[cut] + below[hyp.len() - cut];
    let cut = (0..=hyp.len()).min_by_key(|&cut| whole(cut)).unwrap_or(0);
    align_part(&reference[..half], &hyp[..cut], (i, j), cells, steps);
    align_part(&reference[half..], &hyp[cut..], (i + half, j + cut), cells, steps);
}

/// Fills the table and walks it back.
fn trace<T: PartialEq>(reference: &[T], hyp: &[T], (i0, j0): (usize, usize), steps: &mut Vec<Step>) {
    let width = hyp.len() + 1;
    let mut table = vec![0_i64; (reference.len() + 1) * width];
    for j in 1..width {
        table[j] = table[j - 1] + EDIT;
    }
    for i in 1..=reference.len() {
        let (done, row) = table.split_at_mut(i * width);
        fill_row(&done[(i - 1) * width..], &mut row[..width], |j| reference[i - 1] == hyp[j]);
    }
    let start = steps.len();
    let (mut i, mut j) = (reference.len(), hyp.len());
    while i > 0 || j > 0 {
        let cost = table[i * width + j];
        let equal = i > 0 && j > 0 && reference[i - 1] == hyp[j - 1];
        if i > 0 && j > 0 && cost == table[(i - 1) * width + j - 1] + step_cost(equal) {
            (i, j) = (i - 1, j - 1);
            steps.push(if equal { Step::Match } else { Step::Substitute(i0 + i, j0 + j) });
        } else if j > 0 && cost == table[i * width + j - 1] + EDIT {
            j -= 1;
            steps.push(Step::Insert(j0 + j));
        } else {
            i -= 1;
            steps.push(Step::Delete(i0 + i));
        }
    }
    steps[start..].reverse();
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// Costs of the whole reference against every beginning (or, backward, every end) of the hypothesis, by its length.
fn last_row<T: PartialEq>(reference: &[T], hyp: &[T], direction: Direction) -> Vec<i64> {
    let (n, m) = (reference.len(), hyp.len());
    let equal = |i: usize, j: usize| match direction {
        Direction::Forward => reference[i] == hyp[j],
        Direction::Backward => reference[n - 1 - i] == hyp[m - 1 - j],
    };
    let mut row: Vec<i64> = (0..=m).scan(0, |cost, _| Some(std::mem::replace(cost, *cost + EDIT))).collect();
    let mut next = row.clone();
    for i in 0..n {
        fill_row(&row, &mut next, |j| equal(i, j));
        std::mem::swap(&mut row, &mut next);
    }
    row
}

/// A row of the table from the one above; `equal(j)` says whether the row's token is the hypothesis' `j`-th.
fn fill_row(above: &[i64], row: &mut [i64], equal: impl Fn(usize) -> bool) {
    row[0] = above[0] + EDIT;
    for j in 1..row.len() {
        let gap = above[j].min(row[j - 1]) + EDIT;
        row[j] = gap.min(above[j - 1] + step_cost(equal(j - 1)));
    }
}

fn step_cost(equal: bool) -> i64 {
    if equal { -1 } else { EDIT }
}

/// The length of the common beginning and end, and what is between. Equal ends match in some best alignment, so they need no table.
fn without_common_ends<'t, T: PartialEq>(mut a: &'t [T], mut b: &'t [T]) -> (usize, &'t [T], &'t [T]) {
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (prefix + suffix, &a[..a.len() - suffix], &b[..b.len() - suffix])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(reference: &str, hyp: &str) -> [usize; 4] {
        let tokens = |text: &str| text.chars().collect::<Vec<_>>();
        let Edits { matches, substitutions, deletions, insertions } = count(&tokens(reference), &tokens(hyp));
        [matches, substitutions, deletions, insertions]
    }

    #[test]
    fn counts_are_those_found_by_hand() {
        // kitten → sitting: k→s, e→i, +g
        assert_eq!(counted("kitten", "sitting"), [4, 2, 0, 1]);
        assert_eq!(counted("", ""), [0; 4]);
        assert_eq!(counted("abc", ""), [0, 0, 3, 0]);
        assert_eq!(counted("", "abc"), [0, 0, 0, 3]);
        assert_eq!(counted("abc", "abc"), [3, 0, 0, 0]);
        assert_eq!(counted("aXbc", "abc"), [3, 0, 1, 0]);
    }

    #[test]
    fn among_the_cheapest_the_most_matches_win() {
        // Two edits either way; only one way keeps a token.
        assert_eq!(counted("ab", "ba"), [1, 0, 1, 1]);
        let steps = align(b"ab", b"ba");
        assert_eq!(steps, [Step::Delete(0), Step::Match, Step::Insert(1)]);
        assert_eq!(counted("abcx", "ybc"), [2, 1, 1, 0]);
    }

    fn counts_of(steps: &[Step]) -> Edits {
        let mut edits = Edits::default();
        for step in steps {
            match step {
                Step::Match => edits.matches += 1,
                Step::Substitute(..) => edits.substitutions += 1,
                Step::Delete(_) => edits.deletions += 1,
                Step::Insert(_) => edits.insertions += 1,
            }
        }
        edits
    }

    /// The distance as the definition says it, without a table.
    fn naive(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([], rest) | (rest, []) => rest.len(),
            ([x, a_rest @ ..], [y, b_rest @ ..]) => {
                let kept = naive(a_rest, b_rest) + usize::from(x != y);
                kept.min(naive(a_rest, b) + 1).min(naive(a, b_rest) + 1)
            }
        }
    }

    proptest! {
        #[test]
        fn the_count_is_the_definitions_and_the_alignments(a in prop::collection::vec(0..3_u8, 0..7), b in prop::collection::vec(0..3_u8, 0..7)) {
            let edits = count(&a, &b);
            prop_assert_eq!(edits.total(), naive(&a, &b));
            prop_assert_eq!(edits.reference(), a.len());
            prop_assert_eq!(edits.matches + edits.substitutions + edits.insertions, b.len());
            prop_assert_eq!(counts_of(&align(&a, &b)), edits);
        }

        #[test]
        fn cutting_long_texts_in_two_changes_no_count(a in prop::collection::vec(0..4_u8, 0..60), b in prop::collection::vec(0..4_u8, 0..60)) {
            let mut steps = Vec::new();
            align_part(&a, &b, (0, 0), 16, &mut steps);
            prop_assert_eq!(counts_of(&steps), count(&a, &b));
            // Following the steps visits every token of both sides once.
            let (mut i, mut j) = (0, 0);
            for step in steps {
                match step {
                    Step::Match => { prop_assert_eq!(a[i], b[j]); i += 1; j += 1; }
                    Step::Substitute(r, h) => { prop_assert_eq!((r, h), (i, j)); prop_assert_ne!(a[i], b[j]); i += 1; j += 1; }
                    Step::Delete(r) => { prop_assert_eq!(r, i); i += 1; }
                    Step::Insert(h) => { prop_assert_eq!(h, j); j += 1; }
                }
            }
            prop_assert_eq!((i, j), (a.len(), b.len()));
        }
    }
}
