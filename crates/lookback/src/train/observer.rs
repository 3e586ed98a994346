//! What a training tells whoever watches it.

use serde::{Deserialize, Serialize};

use super::{Estimate, TrainError};
use crate::config::{Config, Metric, Reached};
use crate::data::{Fill, FilterReport, VectorReport};
use crate::eval::AttentionHealth;

/// What a training tells while it runs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Word vectors were put in the place of random embeddings.
    Vectors(&'a VectorReport),
    /// Text and model are ready; the first update follows.
    Ready(&'a Ready),
    /// A buffer of a stream was read, the first one aside.
    Buffer(&'a BufferReport),
    /// An update was made.
    Update(&'a UpdateReport),
    /// A validation begins; it takes a while.
    Validating,
    /// A validation is done.
    Validated(&'a Validation),
    /// The training state was written.
    Checkpoint {
        /// After which update.
        update: u64,
        /// Whether someone asked for it.
        asked: Asked,
    },
    /// The numbers were not finite any more; the training goes on from its last state.
    RolledBack {
        /// What was found.
        error: &'a TrainError,
        /// The update of that state.
        update: u64,
        /// What the learning rate is multiplied by from now on.
        rate_factor: f64,
    },
}

/// Whether someone asked for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By [`StopFlag::checkpoint`](super::StopFlag::checkpoint).
    Yes,
    /// It was due.
    No,
}

/// What is known before the first update.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The effective configuration.
    pub config: Config,
    /// Pairs to learn from, after skipping.
    pub train_pairs: usize,
    /// Pairs to validate on, after skipping.
    pub valid_pairs: usize,
    /// What was left out, training then validation.
    pub skipped: [FilterReport; 2],
    /// Pieces in the vocabularies, source and target.
    pub vocab: [usize; 2],
    /// Parameters in all.
    pub parameters: usize,
    /// What it will take.
    pub estimate: Estimate,
    /// Batches per epoch; of a stream, in the buffer at hand.
    pub batches: usize,
    /// Whether the pairs come from a stream.
    pub is_stream: bool,
    /// The share of batch positions that hold real tokens.
    pub fill: Fill,
    /// Updates that were made before, if this is a resumed run.
    pub resumed_at: Option<u64>,
    /// Whether its `metrics.jsonl` is gone, with the lines of the updates before.
    pub is_log_lost: bool,
    /// Threads in use.
    pub threads: usize,
    /// The instruction set in use.
    pub isa: &'static str,
    /// The instruction set that a resumed run used before; with another one it goes on within rounding.
    pub isa_before: Option<String>,
}

/// A buffer of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct BufferReport {
    /// Its number; the first is 1.
    pub number: u64,
    /// Lines of the stream up to its end.
    pub lines: u64,
    /// Pairs left out because they share a sentence with the validation pairs.
    pub kept_out: usize,
    /// What was kept and left out of the others.
    pub filter: FilterReport,
}

/// An update.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateReport {
    /// Its number, from 1.
    pub update: u64,
    /// The epoch it belongs to, from 1.
    pub epoch: u64,
    /// Training loss per target token of this update, in nats, smoothed by labels as configured.
    pub loss: f64,
    /// What the attention weights cost against given links, per target position that has any, if they are guided.
    pub guided_alignment: Option<f64>,
    /// The share of target tokens, 0..=1, that the model found most probable, with its dropout.
    pub accuracy: f64,
    /// Norm of the gradient per target token, before clipping.
    pub gradient_norm: f64,
    /// Learning rate used.
    pub learning_rate: f64,
    /// Target tokens of this update.
    pub tokens: u64,
    /// Seconds this update took.
    pub seconds: f64,
    /// The share of the run that is done, by the limit that will be met first, in 0..=1.
    pub done: f64,
    /// How far the training has come, earlier runs of a resumed training included.
    pub reached: Reached,
}

/// A validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// After which update.
    pub update: u64,
    /// In which epoch, from 1.
    pub epoch: u64,
    /// Negative log-likelihood per target token, unsmoothed, in nats.
    pub nll: f64,
    /// The share of target tokens, 0..=1, that the model finds most probable after the written ones before them.
    pub accuracy: f64,
    /// Scores of greedy translations. Exact matches are a share, 0..=1, all others as the evaluation prints them.
    pub scores: Vec<(Metric, f64)>,
    /// How the attention is spread over the sources while the validation pairs are read; none without attention.
    pub attention: Option<AttentionHealth>,
    /// Whether it is the best so far, and became the model.
    pub is_best: bool,
    /// Seconds it took.
    pub seconds: f64,
}

impl Validation {
    /// The score by a metric, if it was measured.
    #[must_use]
    pub fn score(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Loss => Some(self.nll),
            Metric::Ppl => Some(self.nll.exp()),
            Metric::Accuracy => Some(self.accuracy),
            _ => self.scores.iter().find(|(measured, _)| *measured == metric).map(|(_, score)| *score),
        }
    }
}

/// Hears of a training.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event<'_>);
}

/// An observer that does not listen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _event: Event<'_>) {}
}

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// A limit of updates, epochs or minutes was met.
    Limit,
    /// No better validation for as long as the patience allows.
    Patience,
    /// Someone asked to stop; `Start::Resume` goes on.
    Stopped,
}

/// A training that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why.
    pub ending: Ending,
    /// Updates in all.
    pub updates: u64,
    /// The best validation, whose weights are the model; none if there was no validation yet.
    pub best: Option<Validation>,
}
