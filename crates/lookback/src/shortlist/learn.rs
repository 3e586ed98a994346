//! Learning a shortlist: which pieces translate which, by IBM's first model (Brown et al. 1993, §4.1) over pieces.
//!
//! ```text
//! p(t | s) = c(t, s) / Σ_t' c(t', s)        c(t, s) = Σ_pairs Σ_{t, s in the pair} p(t | s) / Σ_{s' in the pair} p(t | s')
//! ```
//! The source's end stands for the empty word: what no word explains is explained by it.

use crate::text::{BOS, EOS, PAD, UNK};

use super::Shortlist;

/// Rounds of expectation and maximisation: the best candidates hardly change after these.
const ROUNDS: usize = 5;

/// How much a shortlist holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Candidates of a piece, at most.
    pub best: usize,
    /// Candidates of every sentence.
    pub frequent: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { best: 50, frequent: 100 }
    }
}

/// What one piece of the source occurs with.
#[derive(Debug, Clone, Default)]
struct Row {
    /// Pieces of the target, ascending once they are sorted.
    ids: Vec<u32>,
    /// Up to here they are, none twice.
    sorted: usize,
    probabilities: Vec<f64>,
    counts: Vec<f64>,
}

impl Row {
    fn add(&mut self, ids: &[u32]) {
        self.ids.extend(ids);
        // Repetitions are thrown away when they may be half of all.
        if self.ids.len() > 2 * self.sorted + 1024 {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.sorted = self.ids.len();
    }

    fn place(&self, id: u32) -> usize {
        self.ids.binary_search(&id).expect("every piece of a pair was added to the rows of its source")
    }
}

/// Collects pairs, and learns from them. All is kept in memory: 4 bytes for every piece of a pair, and 20 for any two pieces that are in a pair together.
#[derive(Debug)]
pub struct Learner {
    rows: Vec<Row>,
    /// How often each piece of the target was seen.
    seen: Vec<u64>,
    /// Sources and targets, one after another, and where each ends.
    ids: Vec<u32>,
    ends: Vec<usize>,
}

impl Learner {
    /// For vocabularies of so many pieces.
    #[must_use]
    pub fn new(src_vocab: usize, tgt_vocab: usize) -> Self {
        Self { rows: vec![Row::default(); src_vocab], seen: vec![0; tgt_vocab], ids: Vec::new(), ends: Vec::new() }
    }

    /// Adds a pair of ids, their ends not among them. Specials of the target are no candidates: a search never says them, or always may.
    ///
    /// The work of a pair is its lengths' product, so whoever reads pairs from strangers bounds them first.
    ///
    /// # Panics
    /// If an id is outside its vocabulary.
    pub fn add(&mut self, src: &[u32], tgt: &[u32]) {
        self.ids.extend(src);
        self.ids.push(EOS);
        self.ends.push(self.ids.len());
        let start = self.ids.len();
        self.ids.extend(tgt.iter().filter(|t| ![PAD, UNK, BOS, EOS].contains(t)));
        self.ends.push(self.ids.len());
        let tgt = &self.ids[start..];
        for &s in src.iter().chain(&[EOS]) {
            self.rows[s as usize].add(tgt);
        }
        tgt.iter().for_each(|&t| self.seen[t as usize] += 1);
    }

    /// How many pairs were added.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.ends.len() / 2
    }

    /// The shortlist of the pairs. Equal pairs in equal order give equal lists.
    #[must_use]
    pub fn learn(mut self, settings: Settings) -> Shortlist {
        for row in &mut self.rows {
            row.sort();
            row.probabilities = vec![1.0; row.ids.len()];
        }
        for _ in 0..ROUNDS {
            self.round();
        }
        let mut frequent: Vec<u32> = (0..).take(self.seen.len()).filter(|&t| self.seen[t as usize] > 0).collect();
        frequent.sort_by_key(|&t| std::cmp::Reverse(self.seen[t as usize]));
        frequent.truncate(settings.frequent);
        let (mut counts, mut candidates) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for row in &self.rows {
            let mut order: Vec<usize> = (0..row.ids.len()).collect();
            // The sort is stable: equally probable ones stand in the order of their ids.
            order.sort_by(|&a, &b| row.probabilities[b].total_cmp(&row.probabilities[a]));
            order.truncate(settings.best);
            counts.push(u32::try_from(order.len()).unwrap_or(u32::MAX));
            candidates.extend(order.into_iter().map(|place| row.ids[place]));
        }
        Shortlist::new(counts, candidates, frequent)
    }

    /// One round over all pairs.
    fn round(&mut self) {
        let Self { rows, ids, ends, .. } = self;
        for row in &mut *rows {
            row.counts.clear();
            row.counts.resize(row.ids.len(), 0.0);
        }
        let mut start = 0;
        for ends in ends.as_chunks::<2>().0 {
            let (src, tgt) = (&ids[start..ends[0]], &ids[ends[0]..ends[1]]);
            start = ends[1];
            for &t in tgt {
                let places = || src.iter().map(|&s| s as usize);
                let of = |row: &Row| row.probabilities[row.place(t)];
                let total: f64 = places().map(|s| of(&rows[s])).sum();
                for s in places() {
                    let row = &mut rows[s];
                    let place = row.place(t);
                    row.counts[place] += row.probabilities[place] / total;
                }
            }
        }
        for row in rows {
            let total: f64 = row.counts.iter().sum();
            row.probabilities.iter_mut().zip(&row.counts).for_each(|(p, count)| *p = count / total);
        }
    }
}
