//! Where lines are missing in the shorter of two files, by how many it is known.
//!
//! If the target has d lines more than the source (fewer if d < 0), line n of the source fits line n of the target before the hole and line
//! n + d behind it. What counts is how much better it fits there than the lines around, on average m with the variance σ²; that it fits for
//! l lines with the sum s is then s·m/σ² − l·m²/2σ² nats more likely than that it does not (the likelihood ratio of a change of a normal
//! mean). The hole is where the ratio of both parts together is largest; places that are less likely by a few nats are possible, too. With
//! several holes nothing fits from the first to the last, which costs something. A hole at the end is a file that was cut off.
//!
//! Sums are kept by blocks of lines, so that memory is bounded.
use std::collections::VecDeque;

use super::signs::Signs;

/// Lines on either side that a line is compared with.
const AROUND: i64 = 8;
/// The most blocks.
const BLOCKS: u64 = 1 << 20;
/// The most lines that are followed behind the hole: their signs are in memory.
const FAR: i64 = 1 << 20;
/// Nats by which the best place must be more likely than that nothing fits anywhere.
const CLEAR: f64 = 20.0;
/// Nats that another place may be less likely.
const POSSIBLE: f64 = 7.0;
/// Nats that it costs that nothing fits in between.
const BETWEEN: f64 = 10.0;

/// Where lines are missing: line n is the first of the source that no longer fits line n of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There.
    Known {
        /// The first line that it can be.
        first: u64,
        /// The most likely one.
        line: u64,
        /// The last one that it can be.
        last: u64,
        /// Whether what follows fits, d lines away.
        is_followed: bool,
    },
    /// Not before this line, and perhaps nowhere but at the end of the shorter file.
    Open {
        /// The first line that it can be.
        first: u64,
    },
    /// The signs do not tell.
    Unknown,
}

/// Compares two sides, line by line.
#[derive(Debug)]
pub(super) struct Hole {
    counts: [u64; 2],
    /// Lines of the target more than of the source.
    shift: i64,
    ratio: f64,
    /// Lines of a block.
    block: u64,
    src: VecDeque<Signs>,
    /// From line `dropped` on.
    tgt: VecDeque<Signs>,
    dropped: i64,
    /// The source's line that is looked at next, from 0.
    line: i64,
    is_over: bool,
    /// By blocks, how much better lines fit those of their own number, and those behind the hole, than others.
    gains: [Vec<f64>; 2],
    squares: f64,
    compared: u64,
}

impl Hole {
    /// For files of so many lines, with so many characters of the target for one of the source.
    pub(super) fn new(counts: [u64; 2], ratio: f64) -> Self {
        let shift = counts[1] as i64 - counts[0] as i64;
        let block = counts[0].div_ceil(BLOCKS).max(1);
        let blocks = usize::try_from(counts[0].div_ceil(block)).unwrap_or(0);
        let gains = [vec![0.0; blocks], vec![0.0; blocks]];
        let (src, tgt) = (VecDeque::new(), VecDeque::new());
        Self {
            counts,
            shift,
            ratio,
            block,
            src,
            tgt,
            dropped: 0,
            line: 0,
            is_over: false,
            gains,
            squares: 0.0,
            compared: 0,
        }
    }

    /// How far behind the hole lines are followed.
    fn followed(&self) -> Option<i64> {
        (self.shift.abs() <= FAR).then_some(self.shift)
    }

    /// The next line of both sides, or of the one that is not at its end.
    pub(super) fn push(&mut self, src: Option<Signs>, tgt: Option<Signs>) {
        self.src.extend(src);
        self.tgt.extend(tgt);
        self.is_over |= tgt.is_none();
        let ahead = AROUND + self.followed().unwrap_or(0).max(0);
        let behind = AROUND - self.followed().unwrap_or(0).min(0);
        while !self.src.is_empty() && (self.is_over || self.dropped + self.tgt.len() as i64 > self.line + ahead) {
            self.step();
            while self.dropped < self.line - behind && self.tgt.pop_front().is_some() {
                self.dropped += 1;
            }
        }
    }

    fn step(&mut self) {
        let Some(src) = self.src.pop_front() else { return };
        let block = usize::try_from(self.line as u64 / self.block).unwrap_or(usize::MAX);
        for (side, shift) in [Some(0), self.followed()].into_iter().enumerate() {
            let (Some(shift), Some(gains)) = (shift, self.gains[side].get(block)) else { continue };
            if let Some(gain) = self.gain(&src, self.line + shift) {
                let sum = gains + gain;
                self.gains[side][block] = sum;
                self.squares += gain * gain;
                self.compared += 1;
            }
        }
        self.line += 1;
    }

    /// How much better `src` fits this line of the target than those around.
    fn gain(&self, src: &Signs, at: i64) -> Option<f64> {
        let fit = |line: i64| {
            let tgt = usize::try_from(line - self.dropped).ok().and_then(|place| self.tgt.get(place))?;
            Some(src.fit(tgt, self.ratio))
        };
        let own = fit(at)?;
        // Those that may be the right ones are not among the others.
        let is_other = |&line: &i64| line != at && line != self.line && line != self.line + self.shift;
        let (sum, count) = (at - AROUND..=at + AROUND)
            .filter(is_other)
            .filter_map(fit)
            .fold((0.0, 0_u32), |(sum, count), fit| (sum + fit, count + 1));
        (count > 0).then(|| own - sum / f64::from(count))
    }

    /// The place.
    pub(super) fn finish(mut self) -> Place {
        self.push(None, None);
        let sums = self.gains.each_ref().map(|gains| {
            let mut sums = vec![0.0];
            sums.extend(gains.iter().scan(0.0, |sum, gain| {
                *sum += gain;
                Some(*sum)
            }));
            sums
        });
        let variance = self.squares / self.compared.max(1) as f64;
        let all = self.gains[0].len();
        // The shorter file's end.
        let end = usize::try_from(self.counts[0].min(self.counts[1]).div_ceil(self.block)).unwrap_or(all).min(all);
        if variance <= 0.0 || end == 0 {
            return Place::Unknown;
        }
        let [own, behind] = &sums;
        let missing = usize::try_from(self.shift.min(0).unsigned_abs().div_ceil(self.block)).unwrap_or(all);
        let next = |place: usize| (place + missing).min(all);
        // Lines fit by so much, if all of one part and all of the other do.
        let fitted = |place: usize, from: usize| {
            let lines = (place + all - from) as f64 * self.block as f64;
            (own[place] + behind[all] - behind[from]) / lines.max(1.0)
        };
        let sum = |place: &usize| own[*place] - behind[next(*place)];
        let start = (0..=end).max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or(0);
        let mut likely = Likely { place: start, from: next(start), ratios: Vec::new() };
        for _ in 0..3 {
            let mean = fitted(likely.place, likely.from);
            if mean <= 0.0 {
                return Place::Unknown;
            }
            let ratio =
                |sum: f64, blocks: usize| (sum - mean / 2.0 * blocks as f64 * self.block as f64) * mean / variance;
            likely = Likely::of(
                |place| ratio(own[place], place),
                |from| ratio(behind[all] - behind[from], all - from),
                next,
                end,
                all,
            );
        }
        let Likely { place, from, ratios } = likely;
        if ratios[place] < CLEAR {
            return Place::Unknown;
        }
        let is_possible = |at: &usize| ratios[*at] >= ratios[place] - POSSIBLE;
        let first = (0..=place).find(is_possible).unwrap_or(place);
        let last = (place..=end).rev().find(is_possible).unwrap_or(place);
        let line = |place: usize| place as u64 * self.block + 1;
        if last == end {
            return Place::Open { first: line(first) };
        }
        Place::Known { first: line(first), line: line(place), last: line(last), is_followed: from == next(place) }
    }
}

/// Where lines are missing, most likely.
struct Likely {
    place: usize,
    /// The block from which on lines fit again.
    from: usize,
    /// Of each place.
    ratios: Vec<f64>,
}

impl Likely {
    /// `before` and `behind` are what it is worth that all lines before a block fit, and all from it on; `next` is the block behind the
    /// missing lines.
    fn of(
        before: impl Fn(usize) -> f64,
        behind: impl Fn(usize) -> f64,
        next: impl Fn(usize) -> usize,
        end: usize,
        all: usize,
    ) -> Self {
        // For each block the best one behind it.
        let mut best = vec![(0.0, all); all + 1];
        for block in (0..all).rev() {
            let here = (behind(block), block);
            best[block] = if here.0 > best[block + 1].0 { here } else { best[block + 1] };
        }
        let choice = |place: usize| {
            let (at, (later, from)) = (next(place), best[next(place)]);
            if behind(at) >= later - BETWEEN { (behind(at), at) } else { (later - BETWEEN, from) }
        };
        let ratios: Vec<f64> = (0..=end).map(|place| before(place) + choice(place).0).collect();
        let place = (0..=end).max_by(|&a, &b| ratios[a].total_cmp(&ratios[b])).unwrap_or(0);
        Self { place, from: choice(place).1, ratios }
    }
}

#[cfg(test)]
mod tests;
