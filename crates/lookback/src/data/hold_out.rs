//! Validation pairs taken from the training data.
use std::collections::{BTreeSet, HashSet};

use super::relations::Relations;
use super::sentence::key;
use super::shuffle::Draws;
use super::{Corpus, DataError};

/// The largest hold-out nobody asked for.
const DEFAULT_MAX: usize = 1000;
/// The default hold-out is one in this many pairs.
const DEFAULT_SHARE: usize = 20;
/// A component may be at most one in this many pairs of the hold-out.
const COMPONENT_SHARE: usize = 10;
/// The stream of draws used here; epochs use the low ones.
const STREAM: u64 = u64::MAX;

/// What [`hold_out`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldOutReport {
    /// How many pairs were to be held out.
    pub asked: usize,
    /// How many were: different pairs.
    pub held_out: usize,
    /// How many pairs remain for training.
    pub remaining: usize,
    /// Further copies of held-out pairs, removed.
    pub duplicates: usize,
    /// Pairs removed because they share one side with a held-out pair.
    pub dropped: usize,
}

/// Divides a corpus into training and validation pairs, both in the order of their lines.
///
/// `size` defaults to 5 % of the pairs, at least 1 and at most 1000. Fewer pairs are held out if more would cost too much.
///
/// **What is promised.** No source and no target sentence of the validation pairs remains in the training pairs (compared
/// in NFC, without white space around), and no validation pair occurs twice.
///
/// **How.** Pairs that share a sentence, directly or through others, form a component. Components are drawn at random and
/// taken whole: training loses nothing but what is held out. A component larger than a tenth of the hold-out is passed
/// over, so that no single sentence dominates. Only if this does not fill the hold-out, single pairs of the components
/// passed over are taken, those with the fewest relatives first (ties at random), and the relatives are dropped from the
/// training pairs; the pairs dropped never outnumber the asked size, except for the very first pair.
///
/// # Errors
/// [`DataError::TooSmall`] if there are not more different pairs than `size` (or `size` is 0), [`DataError::Entangled`] if
/// every pair shares a sentence with all others, [`DataError::Temporary`] if what does not fit into memory cannot be written.
///
/// # Panics
/// If there are 2³² pairs or more.
pub fn hold_out(corpus: Corpus, seed: u64, size: Option<usize>) -> Result<(Corpus, Corpus, HoldOutReport), DataError> {
    let asked = size.unwrap_or((corpus.pairs.len() / DEFAULT_SHARE).clamp(1, DEFAULT_MAX));
    let relations = Relations::of(&corpus.pairs)?;
    let distinct = (0..relations.len()).filter(|&i| relations.same(i) == i).count();
    if asked == 0 || distinct <= asked {
        return Err(DataError::TooSmall { asked, distinct });
    }

    let fates = vec![Fate::Train; corpus.pairs.len()];
    let mut division = Division { relations, fates, held: HashSet::new() };
    let mut draws = Draws::new(seed, STREAM);
    division.take_components(&mut draws, asked);
    if division.held.len() < asked {
        division.take_pairs(&mut draws, asked);
    }
    if division.held.is_empty() {
        return Err(DataError::Entangled);
    }

    let Division { fates, held, .. } = division;
    let count = |fate| fates.iter().filter(|&&other| other == fate).count();
    let report = HoldOutReport {
        asked,
        held_out: held.len(),
        remaining: count(Fate::Train),
        duplicates: count(Fate::Duplicate),
        dropped: count(Fate::Dropped),
    };
    let (mut train, mut valid) = (corpus.pairs.writer(), corpus.pairs.writer());
    let mut pairs = corpus.pairs.reader();
    for fate in fates {
        let Some(pair) = pairs.next()? else { break };
        match fate {
            Fate::Train => train.push(pair)?,
            Fate::Valid => valid.push(pair)?,
            Fate::Duplicate | Fate::Dropped => {}
        }
    }
    let valid = Corpus { pairs: valid.finish()?, report: corpus.report.clone() };
    Ok((Corpus { pairs: train.finish()?, report: corpus.report }, valid, report))
}

/// The pairs of `corpus` that share no sentence with a pair of `others`, and how many others there were. Sentences are compared as in [`hold_out`].
///
/// # Errors
/// If there are more than fit into memory and a temporary file cannot be written or read.
pub fn keep_out(corpus: &Corpus, others: &[&Corpus]) -> Result<(Corpus, usize), DataError> {
    let (mut src, mut tgt) = (HashSet::new(), HashSet::new());
    for other in others {
        let mut pairs = other.pairs.reader();
        while let Some(pair) = pairs.next()? {
            src.insert(key(pair.src));
            tgt.insert(key(pair.tgt));
        }
    }
    let mut apart = corpus.pairs.writer();
    let mut pairs = corpus.pairs.reader();
    while let Some(pair) = pairs.next()? {
        if !src.contains(&key(pair.src)) && !tgt.contains(&key(pair.tgt)) {
            apart.push(pair)?;
        }
    }
    let apart = Corpus { pairs: apart.finish()?, report: corpus.report.clone() };
    let left_out = corpus.pairs.len() - apart.pairs.len();
    Ok((apart, left_out))
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Train,
    Valid,
    Duplicate,
    Dropped,
}

/// What becomes of the pairs.
struct Division {
    relations: Relations,
    fates: Vec<Fate>,
    /// The pairs that are held out, each as the first one with its sides.
    held: HashSet<u32>,
}

impl Division {
    /// Holds whole components out.
    fn take_components(&mut self, draws: &mut Draws, asked: usize) {
        let relations = &self.relations;
        let all = || 0..relations.len();
        let mut components: Vec<u32> = all().filter(|&i| relations.component(i) == i).collect();
        let mut different = vec![0_u32; self.fates.len()];
        for i in all().filter(|&i| relations.same(i) == i) {
            different[relations.component(i) as usize] += 1;
        }
        draws.shuffle(&mut components);
        let largest = (asked / COMPONENT_SHARE).max(1);
        let (mut held, mut taken) = (0, HashSet::new());
        for component in components {
            let different = different[component as usize] as usize;
            if different <= largest && held + different <= asked {
                held += different;
                taken.insert(component);
            }
        }
        for i in 0..self.relations.len() {
            if taken.contains(&self.relations.component(i)) {
                self.hold(i);
            }
        }
    }

    /// Holds single pairs out and drops their relatives.
    fn take_pairs(&mut self, draws: &mut Draws, asked: usize) {
        let is_left = |fates: &[Fate], i: u32| fates[i as usize] == Fate::Train;
        let mut order: Vec<u32> = (0..self.relations.len()).filter(|&i| is_left(&self.fates, i)).collect();
        draws.shuffle(&mut order);
        order.sort_by_key(|&i| self.relations.relative_count(i));
        let (mut dropped, mut training) = (0, order.len());
        for i in order {
            if self.held.len() == asked {
                break;
            }
            let first = self.held.is_empty();
            // Twice the pair itself is among its relatives. The count is an upper bound of what is lost.
            let most_lost = self.relations.relative_count(i) - 2;
            if !is_left(&self.fates, i) || (!first && dropped + most_lost > asked) {
                continue;
            }
            let relatives = self.relations.relatives(i);
            let related: BTreeSet<u32> = relatives.filter(|&other| is_left(&self.fates, other)).collect();
            if related.len() >= training {
                continue;
            }
            let same = self.relations.same(i);
            for &other in &related {
                if self.relations.same(other) == same {
                    self.hold(other);
                } else {
                    self.fates[other as usize] = Fate::Dropped;
                    dropped += 1;
                }
            }
            training -= related.len();
        }
    }

    /// Holds pair `i` out, or counts it as a copy of one that already is.
    fn hold(&mut self, i: u32) {
        let is_first = self.held.insert(self.relations.same(i));
        self.fates[i as usize] = if is_first { Fate::Valid } else { Fate::Duplicate };
    }
}

#[cfg(test)]
mod tests;
