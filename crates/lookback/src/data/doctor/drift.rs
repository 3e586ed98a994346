//! Where the two sides of a corpus stop belonging together.
//!
//! A lost line shifts one side against the other: from there on line n of one fits line n ± 1 of the other better than line n. How well
//! two lines fit is told by what survives translation: their lengths (Gale & Church 1993: the difference of two lengths in characters,
//! over the root of 6.8 times their mean, is near standard normal), numbers, question and exclamation marks at the end, and names, that
//! is words with a capital letter that both have. Each line is compared with the lines up to [`REACH`] places away on the other side;
//! what counts is how much better one place fits than the average of them all, so that corpora in which these signs say little (dates,
//! phonemes) speak softly. The most probable sequence of shifts (Viterbi 1967) is found with a price on every change of the shift; its
//! first change is the place. A shift nobody is near enough to see counts as "lost": nothing fits as well as it used to.
//!
//! Memory does not depend on the length of the corpus: each state carries its first change along instead of a way back.
use std::collections::VecDeque;

/// How far sides are followed.
pub(super) const REACH: usize = 16;
const SHIFTS: usize = 2 * REACH + 1;
/// The state in which nothing fits.
const LOST: usize = SHIFTS;
/// What a change of the shift costs, in nats.
const PRICE: f64 = 15.0;
/// Variance of the difference of lengths per character.
const VARIANCE: f64 = 6.8;
/// Where nothing stands nothing fits.
const NOTHING: f64 = -6.0;
/// Below this many nats a line, on average, the signs say too little to miss them.
const TELLING: f64 = 0.05;
/// A drift repays the price of its changes this many times; chance hardly ever does more than twice.
const REPAID: f64 = 4.0;
/// Signs of a kind that are kept of a line.
const KEPT: usize = 4;

/// What survives translation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Signs {
    chars: f64,
    numbers: [u32; KEPT],
    names: [u32; KEPT],
    end: char,
}

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let mut signs = Self::default();
        let (mut numbers, mut names) = (0, 0);
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let mut letters = word.chars();
            let Some(first) = letters.next() else { continue };
            if first.is_ascii_digit() && numbers < KEPT {
                // Zeros in front are a matter of style.
                signs.numbers[numbers] = hash(word.trim_start_matches('0'));
                numbers += 1;
            } else if first.is_uppercase() && names < KEPT && letters.nth(1).is_some() {
                signs.names[names] = hash(word);
                names += 1;
            }
        }
        signs.chars = text.chars().count() as f64;
        signs.end = text.trim_end().chars().next_back().map_or('.', |c| match c {
            '?' | '？' | '؟' => '?',
            '!' | '！' => '!',
            ':' | '：' => ':',
            _ => '.',
        });
        signs.numbers.sort_unstable();
        signs.names.sort_unstable();
        signs
    }

    /// How well two lines fit, in nats; `ratio` is the target's characters per character of the source.
    fn fit(&self, tgt: &Self, ratio: f64) -> f64 {
        let expected = (self.chars + 1.0) * ratio;
        let found = tgt.chars + 1.0;
        let difference = found - expected;
        let length = (difference * difference / (VARIANCE * (found + expected))).min(4.0);
        let shared = |a: &[u32; KEPT], b: &[u32; KEPT]| a.iter().filter(|&&x| x != 0 && b.contains(&x)).count();
        let numbers = match [&self.numbers, &tgt.numbers].map(|numbers| numbers.iter().any(|&n| n != 0)) {
            [false, false] => 0.0,
            [true, true] if self.numbers == tgt.numbers => 3.0,
            [true, true] if shared(&self.numbers, &tgt.numbers) > 0 => 1.5,
            [true, true] => -2.0,
            _ => -1.0,
        };
        let end = match (self.end, tgt.end) {
            ('.', '.') => 0.0,
            (a, b) if a == b => 1.0,
            _ => -0.7,
        };
        let names = shared(&self.names, &tgt.names).min(2) as f64;
        numbers + end + names - length
    }
}

/// FNV-1a; never 0, which stands for nothing.
fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1)
}

/// The place where sides drift apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    /// The first line of the source that no longer fits the target's line of its number, from 1; a few lines may be missed.
    pub(super) line: u64,
    /// Line n of the source fits line n + shift of the target from there on; none if no line near it.
    pub(super) shift: Option<i64>,
}

/// A way to a state.
#[derive(Clone, Copy, Debug)]
struct Way {
    score: f64,
    departure: Option<Departure>,
    /// How often the shift changed.
    changes: f64,
    /// By how much the way fits better than no drift, and the sum of the squares of that, line by line.
    gain: f64,
    squares: f64,
}

/// Follows two sides, line by line.
#[derive(Debug)]
pub(super) struct Drift {
    src: VecDeque<Signs>,
    tgt: VecDeque<Signs>,
    /// The line of the source that is looked at next, from 0; the target's signs are kept from [`REACH`] lines before it.
    line: u64,
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
            departure: departure(0, REACH, state),
            changes: f64::from(u8::from(state != REACH)),
            gain: 0.0,
            squares: 0.0,
        };
        let (src, tgt) = (VecDeque::new(), VecDeque::from([Signs::default(); REACH]));
        let ways = std::array::from_fn(way);
        Self { src, tgt, line: 0, counts: [0; 2], chars: [0.0; 2], fitted: 0.0, possible: 0.0, ways }
    }
}

fn departure(line: u64, from: usize, to: usize) -> Option<Departure> {
    let shift = (to != LOST).then_some(to as i64 - REACH as i64);
    (from == REACH && to != REACH).then_some(Departure { line: line + 1, shift })
}

impl Drift {
    /// The next line of both sides; of one where the other is at its end; or of none.
    pub(super) fn push(&mut self, src: Option<Signs>, tgt: Option<Signs>) {
        let is_tgt_over = src.is_some() && tgt.is_none();
        for (side, signs) in [src, tgt].into_iter().enumerate() {
            let Some(signs) = signs else { continue };
            self.counts[side] += 1;
            self.chars[side] += signs.chars + 1.0;
            match side {
                0 => self.src.push_back(signs),
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
        let Some(src) = self.src.pop_front() else { return };
        let ratio = self.chars[1] / self.chars[0];
        let mut fits = [NOTHING; SHIFTS];
        for (k, (fit, tgt)) in fits.iter_mut().zip(&self.tgt).enumerate() {
            // Before the first line there is nothing.
            if self.line + k as u64 >= REACH as u64 {
                *fit = src.fit(tgt, ratio);
            }
        }
        self.tgt.pop_front();
        let mean = fits.iter().sum::<f64>() / SHIFTS as f64;
        let own = fits[REACH] - mean;
        let possible = src.fit(&src, 1.0) - mean;
        let is_telling = self.fitted >= TELLING * self.line.max(1) as f64;
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
            let Way { score, departure: first, mut changes, mut gain, mut squares } = before[from];
            changes += f64::from(u8::from(from != state));
            let first = first.or_else(|| departure(self.line, from, state));
            // A passage that was never a translation, after which all is as it was, is no drift.
            let is_passage = from == LOST && state == REACH && first.is_some_and(|first| first.shift.is_none());
            let first = first.filter(|_| !is_passage);
            if first.is_none() {
                (changes, gain, squares) = (0.0, 0.0, 0.0);
            } else {
                gain += fit - own;
                squares += (fit - own) * (fit - own);
            }
            self.ways[state] = Way { score: score - price + fit, departure: first, changes, gain, squares };
        }
        self.fitted += own;
        self.possible += possible;
        self.line += 1;
    }

    /// The place, if there is one that is no accident.
    pub(super) fn finish(mut self) -> Option<Departure> {
        while !self.src.is_empty() {
            self.step();
        }
        let best = self.ways.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
        // Deviations of the gain if nothing had drifted. The way was chosen among many, and more strictly so where nothing else says that a
        // line is missing.
        let is_even = self.counts[0] == self.counts[1];
        let deviations = if is_even { 8.0 } else { 4.0 };
        let is_clear = best.gain >= REPAID * PRICE * best.changes
            && best.gain * best.gain >= deviations * deviations * best.squares
            && !(is_even && best.departure.is_some_and(|departure| departure.shift.is_none()));
        best.departure.filter(|_| is_clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Draws;

    /// Sentences and their translations, which have nothing in common but lengths, some numbers and some ends.
    fn corpus(count: usize, seed: u64) -> (Vec<String>, Vec<String>) {
        let mut draws = Draws::new(seed, 1);
        let mut sides = (Vec::new(), Vec::new());
        for _ in 0..count {
            let words = 3 + draws.below(12) as usize;
            let end = if draws.below(4) == 0 { "?" } else { "." };
            let number = if draws.below(5) == 0 { format!(" {}", draws.below(100)) } else { String::new() };
            sides.0.push(format!("{}{number}{end}", "wort ".repeat(words).trim_end()));
            let more = draws.below(2) as usize;
            sides.1.push(format!("{}{number}{end}", "word ".repeat(words + more).trim_end()));
        }
        sides
    }

    fn found(src: &[String], tgt: &[String]) -> Option<Departure> {
        let mut drift = Drift::default();
        for i in 0..src.len().max(tgt.len()) {
            drift.push(src.get(i).map(|text| Signs::of(text)), tgt.get(i).map(|text| Signs::of(text)));
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
                assert_eq!(found.shift, Some(shift));
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
        assert!(found.shift == Some(-1) && found.line.abs_diff(201) <= 5, "{found:?}");
    }

    #[test]
    fn a_large_hole_is_noticed_though_nothing_is_near() {
        let (src, mut tgt) = corpus(2000, 4);
        tgt.drain(800..1000);
        let found = found(&src, &tgt).unwrap();
        assert!(found.shift.is_none() && found.line.abs_diff(801) <= 12, "{found:?}");
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
