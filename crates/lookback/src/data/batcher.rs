//! Which examples stand together in a batch.
use std::sync::Arc;

use super::BatchShape;
use super::lengths::Lengths;
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
    lengths: Arc<Lengths>,
    options: BatchOptions,
}

/// The batches of an epoch, in training order, each as numbers of examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// All examples, those of a batch beside each other.
    order: Vec<u32>,
    /// Where each batch begins and ends.
    batches: Vec<[u32; 2]>,
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

impl Plan {
    /// How many batches there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The examples of batch `index`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn batch(&self, index: usize) -> &[u32] {
        let [start, end] = self.batches[index];
        &self.order[start as usize..end as usize]
    }

    /// All batches, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|index| self.batch(index))
    }
}

impl Batcher {
    /// A batcher for `examples`; batches name them by number.
    #[cfg(feature = "files")]
    pub fn new(examples: &super::Examples, options: BatchOptions) -> Self {
        Self { lengths: Arc::clone(examples.lengths()), options }
    }

    /// A batcher for examples of these (source, target) lengths in ids, specials not counted.
    ///
    /// # Panics
    /// If there are 2³² examples or more, or an example has as many ids.
    pub fn from_lengths(lengths: impl IntoIterator<Item = (usize, usize)>, options: BatchOptions) -> Self {
        Self { lengths: Arc::new(lengths.into_iter().collect()), options }
    }

    /// Source and target positions of example `i`, with eos.
    fn positions(&self, i: u32) -> (u32, u32) {
        let [src, tgt] = self.lengths.get(i);
        (src + 1, tgt + 1)
    }

    /// The batches of an epoch, in training order. Each example is in exactly one batch; equal
    /// seeds and epochs give equal plans.
    ///
    /// The examples are shuffled, sorted by target, then source length (ascending for one target length, descending for
    /// the next, so that neighbours are alike everywhere) and cut greedily; then the batches are shuffled. Who stands with
    /// whom is so drawn anew among examples of equal lengths, while the *shapes* (S, T, B) are the same in every epoch:
    /// whatever is kept per shape stops growing after the first.
    pub fn plan(&self, epoch: u64) -> Plan {
        let mut draws = Draws::new(self.options.seed, epoch);
        let mut order: Vec<u32> = (0..self.lengths.len()).collect();
        draws.shuffle(&mut order);
        order.sort_by_key(|&i| {
            let (src, tgt) = self.positions(i);
            (tgt, if tgt % 2 == 0 { src } else { u32::MAX - src })
        });
        let mut batches = self.cut(&order);
        draws.shuffle(&mut batches);
        Plan { order, batches }
    }

    /// The shapes of a plan's batches, in its order.
    pub fn shapes(&self, plan: &Plan) -> Vec<BatchShape> {
        let shape = |batch: &[u32]| {
            let lengths = batch.iter().map(|&i| self.positions(i));
            let (src, tgt) = lengths.fold((0, 0), |(src, tgt), (s, t)| (src.max(s as usize), tgt.max(t as usize)));
            BatchShape { src, tgt, batch: batch.len() }
        };
        plan.iter().map(shape).collect()
    }

    /// Tokens of all examples, source and target, ends counted.
    pub fn tokens(&self) -> u64 {
        self.lengths.iter().map(|[src, tgt]| u64::from(src) + u64::from(tgt) + 2).sum()
    }

    /// How much of a plan's positions is real.
    pub fn fill(&self, plan: &Plan) -> Fill {
        let (mut real, mut all) = ([0_u64; 2], [0_u64; 2]);
        for batch in plan.iter() {
            let (mut src_max, mut tgt_max) = (0, 0);
            for &i in batch {
                let (src, tgt) = self.positions(i);
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
    fn cut(&self, order: &[u32]) -> Vec<[u32; 2]> {
        let mut batches: Vec<[u32; 2]> = Vec::new();
        let mut longest = 0;
        for (place, &i) in (0..).zip(order) {
            let (src, tgt) = self.positions(i);
            let length = src.max(tgt) as usize;
            match batches.last_mut() {
                Some([start, end]) if (*end - *start + 1) as usize * longest.max(length) <= self.options.tokens => {
                    longest = longest.max(length);
                    *end += 1;
                }
                _ => {
                    longest = length;
                    batches.push([place, place + 1]);
                }
            }
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Lengths like those of image captions: 6 to 40 ids around 14, a target related to its source.
    fn captions(count: usize) -> Vec<(usize, usize)> {
        let mut draws = Draws::new(11, 0);
        let mut bell = |spread: u64| (0..6).map(|_| draws.below(spread) as usize).sum::<usize>();
        let pair = |_| {
            let src = bell(5) + bell(2) * bell(2) / 3;
            (src.max(5), (src + bell(3)).saturating_sub(6).max(5))
        };
        (0..count).map(pair).collect()
    }

    fn shapes(batcher: &Batcher, plan: &Plan) -> BTreeSet<(u32, u32, usize)> {
        let longest = |batch: &[u32], side: fn(&(u32, u32)) -> u32| {
            batch.iter().map(|&i| side(&batcher.positions(i))).max().unwrap()
        };
        plan.iter().map(|batch| (longest(batch, |l| l.0), longest(batch, |l| l.1), batch.len())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_example_comes_once_an_epoch_within_the_budget(
            lengths in proptest::collection::vec((0..50_usize, 0..50_usize), 0..200),
            tokens in 1..400_usize,
            seed: u64,
            epoch in 0..100_u64,
        ) {
            let batcher = Batcher::from_lengths(lengths.iter().copied(), BatchOptions { tokens, seed });
            let plan = batcher.plan(epoch);
            prop_assert_eq!(&plan, &batcher.plan(epoch));
            let mut all = plan.iter().collect::<Vec<_>>().concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len() as u32).collect::<Vec<_>>());
            for (src, tgt, batch) in shapes(&batcher, &plan) {
                prop_assert!(batch == 1 || src.max(tgt) as usize * batch <= tokens);
            }
        }
    }

    #[test]
    fn nine_positions_in_ten_are_real_on_captions() {
        for tokens in [2000, 3000, 4000] {
            let batcher = Batcher::from_lengths(captions(29_000), BatchOptions { tokens, seed: 1 });
            let fill = batcher.fill(&batcher.plan(0));
            assert!(fill.both >= 0.9 && fill.src >= 0.8 && fill.tgt >= 0.9, "{tokens}: {fill:?}");
        }
    }

    #[test]
    fn epochs_differ_in_company_and_order_but_not_in_shapes() {
        let batcher = Batcher::from_lengths(captions(5000), BatchOptions { tokens: 2000, seed: 1 });
        let (first, second) = (batcher.plan(0), batcher.plan(1));
        assert_eq!(shapes(&batcher, &first), shapes(&batcher, &second));
        let batches = |plan: &Plan| -> BTreeSet<BTreeSet<u32>> {
            plan.iter().map(|batch| batch.iter().copied().collect()).collect()
        };
        let kept = batches(&first).intersection(&batches(&second)).count();
        assert!(kept * 10 < first.len(), "{kept} of {} batches hold the same examples", first.len());
        let lengths = |plan: &Plan| plan.iter().map(<[u32]>::len).collect::<Vec<_>>();
        assert_ne!(lengths(&first), lengths(&second));
        let other = Batcher { options: BatchOptions { seed: 2, ..batcher.options }, ..batcher.clone() };
        assert_ne!(other.plan(0), first);
    }

    #[test]
    fn an_example_beyond_the_budget_stands_alone() {
        let lengths = [(4, 4), (4, 4), (30, 2), (2, 30), (4, 4)];
        let plan = Batcher::from_lengths(lengths, BatchOptions { tokens: 20, seed: 3 }).plan(0);
        assert!(plan.iter().any(|batch| batch == [2]) && plan.iter().any(|batch| batch == [3]));
        assert_eq!(plan.len(), 3);
    }

    #[test]
    fn fill_counts_padding_of_each_side() {
        let batcher = Batcher::from_lengths([(3, 1), (1, 1)], BatchOptions { tokens: 100, seed: 0 });
        let fill = batcher.fill(&Plan { order: vec![0, 1], batches: vec![[0, 2]] });
        assert_eq!((fill.src, fill.tgt, fill.both), (6.0 / 8.0, 1.0, 10.0 / 12.0));
        let nothing = Plan { order: Vec::new(), batches: Vec::new() };
        assert!((batcher.fill(&nothing).both - 1.0).abs() < 1e-12);
    }
}
