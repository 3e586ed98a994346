//! The batches of a run, in the order of its seed, from any position.

use crate::data::{Batch, BatchOptions, Batcher, Example, Fill};

/// Examples and the plan of the epoch at hand.
#[derive(Debug)]
pub(super) struct Batches {
    examples: Vec<Example>,
    batcher: Batcher,
    plan: Vec<Vec<u32>>,
    epoch: u64,
}

impl Batches {
    pub(super) fn new(examples: Vec<Example>, tokens: usize, seed: u64) -> Self {
        let batcher = Batcher::new(&examples, BatchOptions { tokens, seed });
        let plan = batcher.plan(1);
        Self { examples, batcher, plan, epoch: 1 }
    }

    /// Batches in `epoch`.
    pub(super) fn count(&mut self, epoch: u64) -> usize {
        if epoch != self.epoch {
            (self.plan, self.epoch) = (self.batcher.plan(epoch), epoch);
        }
        self.plan.len()
    }

    /// Batch `index` of `epoch`.
    pub(super) fn get(&mut self, epoch: u64, index: usize) -> Batch {
        self.count(epoch);
        let examples: Vec<&Example> = self.plan[index].iter().map(|&i| &self.examples[i as usize]).collect();
        Batch::new(&examples)
    }

    pub(super) fn fill(&self) -> Fill {
        self.batcher.fill(&self.plan)
    }
}
