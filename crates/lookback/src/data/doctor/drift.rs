//! Where the two sides of a corpus stop belonging together.
//!
//! A lost line shifts one side against the other: from there on line n of one fits line n ± 1 of the other better than line n. How well
//! two lines fit is told by their [`Signs`]. Each line is compared with the lines up to [`REACH`] places away on the other side; what
//! counts is how much better one place fits than the average of them all, so that corpora in which these signs say little (dates,
//! phonemes) speak softly. The most probable sequence of shifts (Viterbi 1967) is found with a price on every change of the shift; its
//! first change is the place. A passage in which nothing fits is passed over: it is "lost". Files of unequal length are looked at once
//! more, by [`Hole`](super::hole::Hole).
//!
//! Memory does not depend on the length of the corpus: each state carries its first change along instead of a way back.
use std::collections::VecDeque;

use super::signs::Signs;

/// How far sides are followed.
pub(super) const REACH: usize = 16;
const SHIFTS: usize = 2 * REACH + 1;
/// The state in which nothing fits.
const LOST: usize = SHIFTS;
/// What a change of the shift costs, in nats.
const PRICE: f64 = 15.0;
/// Where nothing stands nothing fits.
const NOTHING: f64 = -6.0;
/// Below this many nats a line, on average, the signs say too little to miss them.
const TELLING: f64 = 0.05;
/// A drift repays the price of its changes this many times; chance hardly ever does more than twice.
const REPAID: f64 = 4.0;

/// The place where sides drift apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    /// The line of the first source that no longer fits the target beside it; a few lines may be missed.
    pub(super) line: u64,
    /// The source of line n fits the target of line n + shift from there on.
    pub(super) shift: i64,
}

/// A first change of the shift; without one where nothing fits.
#[derive(Clone, Copy, Debug)]
struct Change {
    line: u64,
    shift: Option<i64>,
}

/// A way to a state.
#[derive(Clone, Copy, Debug)]
struct Way {
    score: f64,
    first: Option<Change>,
    /// How often the shift changed.
    changes: f64,
    /// By how much the way fits better than no drift, and the sum of the squares of that, line by line.
    gain: f64,
    squares: f64,
}

/// Follows two sides, line by line.
#[derive(Debug)]
pub(super) struct Drift {
    /// Sources with their lines.
    src: VecDeque<(u64, Signs)>,
    tgt: VecDeque<Signs>,
    /// How many sources were looked at; the target's signs are kept from [`REACH`] lines before the next.
    looked: u64,
    counts: [u64; 2],
    chars: [f64; 2],
    /// The sum of how well lines fitted those of their own number, and of how well they could have.
    fitted: f64,
    possible: f64,
    ways: [Way; SHIFTS + 1],
}

impl Default for Drift {
    fn default() -> Self {
        let way = |state| Way {
            score: if state == REACH { 0.0 } else { -PRICE },
            first: change(1, REACH, state),
            changes: f64::from(u8::from(state != REACH)),
            gain: 0.0,
            squares: 0.0,
        };
        let (src, tgt) = (VecDeque::new(), VecDeque::from([Signs::default(); REACH]));
        let ways = std::array::from_fn(way);
        Self { src, tgt, looked: 0, counts: [0; 2], chars: [0.0; 2], fitted: 0.0, possible: 0.0, ways }
    }
}

fn change(line: u64, from: usize, to: usize) -> Option<Change> {
    let shift = (to != LOST).then_some(to as i64 - REACH as i64);
    (from == REACH && to != REACH).then_some(Change { line, shift })
}

impl Drift {
    /// The next line of both sides, with its number; of one where the other is at its end; or of none.
    pub(super) fn push(&mut self, line: u64, src: Option<Signs>, tgt: Option<Signs>) {
        let is_tgt_over = src.is_some() && tgt.is_none();
        for (side, signs) in [src, tgt].into_iter().enumerate() {
            let Some(signs) = signs else { continue };
            self.counts[side] += 1;
            self.chars[side] += signs.chars + 1.0;
            match side {
                0 => self.src.push_back((line, signs)),
                // What comes long after the end of the source is nobody's neighbour.
                _ if src.is_some() || !self.src.is_empty() => self.tgt.push_back(signs),
                _ => {}
            }
        }
        // A source is looked at when all its neighbours are known.
        while !self.src.is_empty() && (self.tgt.len() >= SHIFTS || is_tgt_over) {
            self.step();
        }
    }

    fn step(&mut self) {
        let Some((line, src)) = self.src.pop_front() else { return };
        let ratio = self.chars[1] / self.chars[0];
        let mut fits = [NOTHING; SHIFTS];
        for (k, (fit, tgt)) in fits.iter_mut().zip(&self.tgt).enumerate() {
            // Before the first line there is nothing.
            if self.looked + k as u64 >= REACH as u64 {
                *fit = src.fit(tgt, ratio);
            }
        }
        self.tgt.pop_front();
        let mean = fits.iter().sum::<f64>() / SHIFTS as f64;
        let own = fits[REACH] - mean;
        let possible = src.fit(&src, 1.0) - mean;
        let is_telling = self.fitted >= TELLING * self.looked.max(1) as f64;
        let lost = 0.5 * self.fitted / self.possible.max(1.0) * possible;
        let best = (0..=LOST).max_by(|&a, &b| self.ways[a].score.total_cmp(&self.ways[b].score)).unwrap_or(REACH);
        let before = self.ways;
        for state in 0..=LOST {
            let fit = match state {
                LOST if is_telling => lost,
                LOST => f64::NEG_INFINITY,
                _ => fits[state] - mean,
            };
            let stays = before[state].score >= before[best].score - PRICE;
            let (from, price) = if stays { (state, 0.0) } else { (best, PRICE) };
            let Way { score, first, mut changes, mut gain, mut squares } = before[from];
            changes += f64::from(u8::from(from != state));
            let first = first.or_else(|| change(line, from, state));
            // A passage that was never a translation, after which all is as it was, is no drift.
            let is_passage = from == LOST && state == REACH && first.is_some_and(|first| first.shift.is_none());
            let first = first.filter(|_| !is_passage);
            if first.is_none() {
                (changes, gain, squares) = (0.0, 0.0, 0.0);
            } else {
                gain += fit - own;
                squares += (fit - own) * (fit - own);
            }
            self.ways[state] = Way { score: score - price + fit, first, changes, gain, squares };
        }
        self.fitted += own;
        self.possible += possible;
        self.looked += 1;
    }

    /// The place, if there is one that is no accident.
    pub(super) fn finish(mut self) -> Option<Departure> {
        while !self.src.is_empty() {
            self.step();
        }
        let best = self.ways.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
        // Deviations of the gain if nothing had drifted. The way was chosen among many, and more strictly so where nothing else says that a
        // line is missing.
        let deviations = if self.counts[0] == self.counts[1] { 8.0 } else { 4.0 };
        let is_clear = best.gain >= REPAID * PRICE * best.changes
            && best.gain * best.gain >= deviations * deviations * best.squares;
        let Change { line, shift } = best.first.filter(|_| is_clear)?;
        Some(Departure { line, shift: shift? })
    }

    /// Characters of the target for one of the source, over all.
    pub(super) fn ratio(&self) -> f64 {
        self.chars[1].max(1.0) / self.chars[0].max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::signs::tests::corpus;
    use super::*;

    fn found(src: &[String], tgt: &[String]) -> Option<Departure> {
        let mut drift = Drift::default();
        for i in 0..src.len().max(tgt.len()) {
            drift.push(i as u64 + 1, src.get(i).map(|text| Signs::of(text)), tgt.get(i).map(|text| Signs::of(text)));
        }
        drift.finish()
    }

    #[test]
    fn a_lost_line_is_found_where_it_was_lost() {
        for (lost, shift) in [(0, -1), (1, 1)] {
            for place in [40, 300, 700] {
                let mut sides = corpus(1000, place as u64);
                if lost == 0 {
                    sides.1.remove(place)
                } else {
                    sides.0.remove(place)
                };
                let found = found(&sides.0, &sides.1).unwrap();
                assert_eq!(found.shift, shift);
                assert!(found.line.abs_diff(place as u64 + 1) <= 5, "{found:?}, lost at {place}");
            }
        }
    }

    #[test]
    fn the_first_of_several_places_is_told_and_equal_counts_hide_nothing() {
        let (mut src, mut tgt) = corpus(1000, 3);
        tgt.remove(200);
        src.remove(600);
        let found = found(&src, &tgt).unwrap();
        assert!(found.shift == -1 && found.line.abs_diff(201) <= 5, "{found:?}");
    }

    #[test]
    fn whole_corpora_do_not_drift_nor_do_those_in_which_nothing_fits() {
        for seed in 0..5 {
            let (src, tgt) = corpus(3000, seed);
            assert_eq!(found(&src, &tgt), None);
            assert_eq!(found(&src, &corpus(3000, seed + 50).1), None);
        }
        assert_eq!(found(&[], &[]), None);
    }
}
