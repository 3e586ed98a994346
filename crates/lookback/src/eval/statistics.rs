//! The statistics of a whole corpus, a row for each sentence.

use std::sync::Mutex;

use lookback_kernels::Pool;

use super::{EvalError, Metric, check_counts};

/// Sentences that a thread takes at a time.
const SENTENCES: usize = 32;

/// What a metric counted on each sentence of a corpus.
///
/// # Examples
/// ```
/// use lookback::eval::{BleuMetric, Metric, Pool, Statistics};
///
/// let bleu = BleuMetric::default();
/// let (hyps, refs) = (["a b c d e", "f g h i j"], [["a b c d e"], ["f g h i k"]]);
/// let all = Statistics::collect(&bleu, &hyps, &refs, &Pool::new(1))?;
/// assert!(bleu.score(&all.sums()) < 100.0);
/// assert!((bleu.score(&all.select(&[0]).sums()) - 100.0).abs() < 1e-9);
/// # Ok::<(), lookback::eval::EvalError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics {
    sentences: usize,
    width: usize,
    /// Sentence by sentence, `width` values each.
    values: Vec<f64>,
    references: Option<usize>,
}

impl Statistics {
    /// Counts every sentence, on all threads of `pool`; their number changes nothing. Each sentence has one or more references, not
    /// necessarily equally many.
    ///
    /// # Errors
    /// If the counts differ, there is no sentence, or a sentence has no reference.
    pub fn collect<R: AsRef<str>>(
        metric: &(impl Metric + ?Sized),
        hyps: &[impl AsRef<str> + Sync],
        refs: &[impl AsRef<[R]> + Sync],
        pool: &Pool,
    ) -> Result<Self, EvalError> {
        check_counts(hyps.len(), refs.len())?;
        if let Some(i) = refs.iter().position(|refs| refs.as_ref().is_empty()) {
            return Err(EvalError::NoReference { line: i + 1 });
        }
        let tiles: Vec<Mutex<Vec<f64>>> = hyps.chunks(SENTENCES).map(|_| Mutex::default()).collect();
        pool.run(tiles.len(), |tile| {
            let from = tile * SENTENCES;
            let to = hyps.len().min(from + SENTENCES);
            let mut values = Vec::new();
            for (hyp, refs) in hyps[from..to].iter().zip(&refs[from..to]) {
                let refs: Vec<&str> = refs.as_ref().iter().map(AsRef::as_ref).collect();
                values.extend(metric.statistics(hyp.as_ref(), &refs));
            }
            *lock(&tiles[tile]) = values;
        });
        let values: Vec<f64> = tiles.iter().flat_map(|tile| std::mem::take(&mut *lock(tile))).collect();
        let first = refs[0].as_ref().len();
        let references = refs.iter().all(|refs| refs.as_ref().len() == first).then_some(first);
        Ok(Self { sentences: hyps.len(), width: values.len() / hyps.len(), values, references })
    }

    /// How many sentences there are; [`Statistics::select`] can leave none.
    #[must_use]
    pub fn sentences(&self) -> usize {
        self.sentences
    }

    /// Values per sentence.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// References per sentence, `None` if their number varies.
    #[must_use]
    pub fn references(&self) -> Option<usize> {
        self.references
    }

    /// The rows, in the order of the corpus.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.sentences).map(|i| self.row(i))
    }

    /// The sums over all sentences, from which the metric computes its score; zeros if there is no sentence.
    #[must_use]
    pub fn sums(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for row in self.rows() {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums
    }

    /// The statistics of some sentences, named by their place from 0, in the order given.
    ///
    /// # Panics
    /// If there is no such sentence.
    #[must_use]
    pub fn select(&self, sentences: &[usize]) -> Self {
        let values = sentences.iter().flat_map(|&i| self.row(i)).copied().collect();
        Self { sentences: sentences.len(), values, ..*self }
    }

    fn row(&self, sentence: usize) -> &[f64] {
        &self.values[sentence * self.width..(sentence + 1) * self.width]
    }
}

fn lock(tile: &Mutex<Vec<f64>>) -> std::sync::MutexGuard<'_, Vec<f64>> {
    tile.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
