//! Which examples stand together in a batch.
use super::Example;
use super::shuffle::Draws;

/// How examples are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchOptions {
    /// The budget: B · max(S, T) of a batch, padding and eos (bos) included, is at most this. An example that is longer by
    /// itself has a batch of its own.
    pub tokens: usize,
    /// Every epoch's order follows from it.
    pub seed: u64,
}

/// Groups examples of similar lengths, anew each epoch.
#[derive(Clone, Debug)]
pub struct Batcher {
    /// Source and target positions of each example, with eos.
    lengths: Vec<(u32, u32)>,
    options: BatchOptions,
}

/// Which share of the positions of a plan's batches holds tokens (eos included) rather than padding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// Of the source positions.
    pub src: f64,
    /// Of the target positions.
    pub tgt: f64,
    /// Of both together.
    pub both: f64,
}

impl Batcher {
    /// A batcher for `examples`; batches name them by index.
    pub fn new(examples: &[Example], options: BatchOptions) -> Self {
        Self::from_lengths(examples.iter().map(|example| (example.src.len(), example.tgt.len())), options)
    }

    /// A batcher for examples of these (source, target) lengths in ids, specials not counted.
    pub fn from_lengths(lengths: impl IntoIterator<Item = (usize, usize)>, options: BatchOptions) -> Self {
        let with_eos = |ids: usize| u32::try_from(ids + 1).expect("a sentence has fewer than 2^32 ids");
        Self { lengths: lengths.into_iter().map(|(src, tgt)| (with_eos(src), with_eos(tgt))).collect(), options }
    }

    /// The batches of an epoch as indices of examples, in training order. Each example is in exactly one batch; equal
    /// seeds and epochs give equal plans.
    ///
    /// The examples are shuffled and sorted by target, then source length, and cut greedily, so who shares a batch with
    /// whom is drawn anew among those of like lengths. Then the batches are shuffled.
    pub fn plan(&self, epoch: u64) -> Vec<Vec<u32>> {
        let mut draws = Draws::new(self.options.seed, epoch);
        let mut order: Vec<u32> =
            (0..self.lengths.len()).map(|i| u32::try_from(i).expect("fewer than 2^32 examples")).collect();
        draws.shuffle(&mut order);
        order.sort_by_key(|&i| {
            let (src, tgt) = self.lengths[i as usize];
            (tgt, src)
        });
        let mut batches = self.cut(&order);
        draws.shuffle(&mut batches);
        batches
    }

    /// How much of a plan's positions is real.
    pub fn fill(&self, plan: &[Vec<u32>]) -> Fill {
        let (mut real, mut all) = ([0_u64; 2], [0_u64; 2]);
        for batch in plan {
            let (mut src_max, mut tgt_max) = (0, 0);
            for &i in batch {
                let (src, tgt) = self.lengths[i as usize];
                real[0] += u64::from(src);
                real[1] += u64::from(tgt);
                src_max = src_max.max(src);
                tgt_max = tgt_max.max(tgt);
            }
            all[0] += u64::from(src_max) * batch.len() as u64;
            all[1] += u64::from(tgt_max) * batch.len() as u64;
        }
        let share = |real: u64, all: u64| if all == 0 { 1.0 } else { real as f64 / all as f64 };
        Fill {
            src: share(real[0], all[0]),
            tgt: share(real[1], all[1]),
            both: share(real[0] + real[1], all[0] + all[1]),
        }
    }

    /// Cuts `order` into batches within the budget.
    fn cut(&self, order: &[u32]) -> Vec<Vec<u32>> {
        let mut batches: Vec<Vec<u32>> = Vec::new();
        let mut longest = 0;
        for &i in order {
            let (src, tgt) = self.lengths[i as usize];
            let length = src.max(tgt) as usize;
            match batches.last_mut() {
                Some(batch) if (batch.len() + 1) * longest.max(length) <= self.options.tokens => {
                    longest = longest.max(length);
                    batch.push(i);
                }
                _ => {
                    longest = length;
                    batches.push(vec![i]);
                }
            }
        }
        batches
    }
}
