//! Training: from two corpora to a model folder.
//!
//! [`train`] does the whole job and tells an [`Observer`] about it; it prints nothing and decides nothing about terminals or signals.

mod batches;
mod ema;
mod estimate;
mod events;
mod folder;
mod gold;
mod initial;
mod job;
mod kept;
mod learner;
mod metrics;
mod optimizer;
mod prepare;
mod receipt;
mod sampling;
mod schedule;
mod state;
mod summary;
mod validate;
mod word_dropout;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::align::{GivenLinks, OtherWords};
use crate::backend::Cpu;
use crate::checkpoint::CheckpointError;
use crate::config::{Change, Config, ConfigError, Metric, Reached};
use crate::data::{Corpus, DataError, Fill, FilterReport, PairStream, VectorReport};
use crate::eval::{AttentionHealth, EvalError, Gold, LinkError};
use crate::search::SearchError;
use crate::text::{TextError, Tokenizers};
use crate::view::ViewError;

pub use estimate::Estimate;
pub use initial::{Initial, VectorFiles};
pub use job::train;
pub use metrics::without_times;
pub use optimizer::Optimizer;
pub use receipt::{Finding, Input, Provenance, Receipt, Scored, Validated};
pub use schedule::{Progress, learning_rate};
pub use summary::Summary;

/// What to train on, and where the result goes.
#[derive(Debug)]
pub struct Job {
    /// The configuration; what it leaves open is chosen from the data.
    pub config: Config,
    /// Pairs to learn from; of a stream, its first buffer.
    pub train: Corpus,
    /// What comes in the stream after `train`, read while the training goes on; none for files. A resumed training wants the same stream from its start.
    pub rest: Option<PairStream>,
    /// Tokenizers made elsewhere (`text.mode = "file"`); if none are given, they are trained.
    pub tokenizers: Option<Tokenizers>,
    /// What the weights start from. A resumed training goes on with its own.
    pub initial: Initial,
    /// Pairs to validate on: no sentence of them should be among those to learn from.
    pub valid: Corpus,
    /// The model folder: created if need be.
    pub dir: PathBuf,
    /// What computes. Its threads never change the result.
    pub cpu: Cpu,
    /// Whether to go on with what is in the folder, or to refuse to overwrite it.
    pub start: Start,
    /// What is known of the words of the pairs.
    pub aligned: Aligned,
    /// How the run is led, whatever it learns.
    pub options: RunOptions,
}

/// Word alignments of pairs.
#[derive(Debug, Clone, Default)]
pub struct Aligned {
    /// Links of the pairs to learn from, which the attention is drawn towards; none for a stream.
    pub guide: Option<GivenLinks>,
    /// Pairs with known links, which those of the attention are compared with at every validation; nothing is learned from them.
    pub gold: Option<GoldPairs>,
}

/// Pairs whose links are known.
#[derive(Debug, Clone)]
pub struct GoldPairs {
    /// The pairs.
    pub pairs: Corpus,
    /// Their links.
    pub gold: Gold,
    /// Where they were read, for messages.
    pub path: PathBuf,
}

/// How a run is led.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// What may be another than when a resumed run was started: `data`, `tokenizer`, or keys of the configuration (`train.learning_rate`).
    pub allow_changed: Vec<String>,
    /// What happens when the numbers are not finite any more.
    pub on_divergence: OnDivergence,
    /// What the receipt says of the files that were read.
    pub provenance: Provenance,
}

/// What a training does when loss, gradient or weights are not finite any more. Either way the last good state is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnDivergence {
    /// It ends with an error.
    #[default]
    Stop,
    /// It goes back to the last state with half the learning rate, up to ten times. A stream cannot be read again, so there it ends.
    RollBack,
}

impl RunOptions {
    /// Fails if a change is named that there is not, or that cannot be made while a run goes on.
    fn check(&self) -> Result<(), TrainError> {
        let known =
            || crate::config::keys().into_iter().map(|key| key.name).chain(["data", "tokenizer"].map(str::to_owned));
        for name in &self.allow_changed {
            if !known().any(|known| known == *name) {
                return Err(TrainError::Unchangeable {
                    name: name.clone(),
                    why: "is neither `data`, `tokenizer` nor a key of the configuration",
                });
            }
            // The state holds what it was made for.
            if ["train.optimizer", "train.momentum", "train.ema"].contains(&name.as_str()) {
                let why =
                    "decides what is kept of every weight; start from the model with --init-from, in another folder";
                return Err(TrainError::Unchangeable { name: name.clone(), why });
            }
            // The vocabulary is there already.
            if name.starts_with("text.") && name != "text.bpe_dropout" {
                return Err(TrainError::Unchangeable {
                    name: name.clone(),
                    why: "made the vocabulary, which is there already; train anew",
                });
            }
        }
        Ok(())
    }
}

/// How a job meets a folder that holds a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Refuse it.
    Fresh,
    /// Throw it away.
    Overwrite,
    /// Go on exactly where it stopped; the data and the configuration must be the same.
    Resume,
}

/// Asks a training to stop after the update at hand, or to write its state and go on; it writes its state before it stops, too. May be set from a signal handler.
#[derive(Debug, Default)]
pub struct StopFlag {
    stop: AtomicBool,
    checkpoint: AtomicBool,
}

impl StopFlag {
    /// Asks to stop.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Asks for a state.
    pub fn checkpoint(&self) {
        self.checkpoint.store(true, Ordering::Relaxed);
    }

    /// Whether someone asked to stop.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn take_checkpoint(&self) -> bool {
        self.checkpoint.swap(false, Ordering::Relaxed)
    }
}

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
    /// By [`StopFlag::checkpoint`].
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

/// Why a training could not begin or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The configuration cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Tokenizers cannot be trained, read or written.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A model folder cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Validation translations cannot be scored.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Validation sentences cannot be translated.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// All pairs of a corpus were left out.
    #[error(
        "no {which} pair is left: {} are longer than `data.max_src` or `data.max_tgt`, {} shorter than `data.min_length`, {} beyond `data.max_ratio`; change the limits",
        counts[0], counts[1], counts[2]
    )]
    NothingLeft {
        /// `training` or `validation`.
        which: &'static str,
        /// Pairs left out: too long, too short, too unlike.
        counts: [usize; 3],
    },
    /// A validation source that the model has no attention weights for.
    #[error(
        "validation pair of line {line}: {pieces} source pieces are more than the {longest} of `model.location_length`, so it could not be translated; take it \
         out, or raise `data.max_src`"
    )]
    ValidationTooLong {
        /// Its line, from 1.
        line: u64,
        /// Its pieces.
        pieces: usize,
        /// The most there may be.
        longest: usize,
    },
    /// Known links do not belong to their pairs.
    #[error(transparent)]
    Links(#[from] LinkError),
    /// Weights that cannot be those of an attention.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A text whose links cannot be counted in its pieces.
    #[error(transparent)]
    OtherWords(#[from] OtherWords),
    /// A folder that holds a training.
    #[error("`{}` holds a training already; use --resume to go on with it, --overwrite to throw it away, or another folder", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// A folder without what a resumed training needs.
    #[error("cannot resume `{}`: {what}; {remedy}", dir.display())]
    NothingToResume {
        /// The folder.
        dir: PathBuf,
        /// What is missing.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A change that cannot be allowed.
    #[error("--allow-changed {name}: it {why}")]
    Unchangeable {
        /// What was named.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// A model to start from that was made for another configuration.
    #[error(
        "the model to start from would change {change}, and its weights and tokenizers fit no other; leave the key as it is there"
    )]
    OtherModel {
        /// What differs.
        change: Change,
    },
    /// A resumed training that is not the one in the folder.
    #[error(
        "cannot resume `{}`: {what} changed; resume with what it was started with, name what may change with --allow-changed, or start anew in another folder",
        dir.display()
    )]
    Changed {
        /// The folder.
        dir: PathBuf,
        /// What changed.
        what: String,
    },
    /// A change with leave to which the weights or the optimiser's state do not fit.
    #[error(
        "cannot resume `{}` with {changed}: {source}; what decides the weights and what is kept of them cannot change on the way, start anew in another folder (with --init-from, where the sizes stay)",
        dir.display()
    )]
    Unfit {
        /// The folder.
        dir: PathBuf,
        /// What changed.
        changed: String,
        /// What does not fit.
        source: Box<Self>,
    },
    /// Another training has the folder.
    #[error("another training is running in `{}`; wait for its end, or give another folder", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
    },
    /// Weights that lost bits cannot be trained.
    #[error("`{}` holds weights stored as {found}, which cannot be trained; resume the folder they were made from", dir.display())]
    Converted {
        /// The folder.
        dir: PathBuf,
        /// How they are stored.
        found: &'static str,
    },
    /// The loss or the gradient is not a number.
    #[error(
        "the {what} of update {update} is {value} (epoch {epoch}, batch {batch}, pairs of lines {lines}); the last good state is kept: go on from it with a lower rate, --resume --allow-changed \
         train.learning_rate --set train.learning_rate=…, or set `train.clip_norm`"
    )]
    Diverged {
        /// The update.
        update: u64,
        /// Its epoch.
        epoch: u64,
        /// Its first batch in the epoch, from 1.
        batch: usize,
        /// What is not a number.
        what: &'static str,
        /// What it is instead.
        value: f64,
        /// Lines of the corpus in its batch, the first few.
        lines: String,
    },
    /// A step that was finite led to numbers that are not.
    #[error(
        "after update {update} `{tensor}` holds values that are not finite; the last good state is kept: go on from it with a lower rate, --resume \
         --allow-changed train.learning_rate --set train.learning_rate=…, or set `train.clip_norm`"
    )]
    NotFinite {
        /// The update.
        update: u64,
        /// The parameter, its value or a moment.
        tensor: String,
    },
    /// A file of the run cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
