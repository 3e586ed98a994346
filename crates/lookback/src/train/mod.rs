//! Training: from two corpora to a model folder.
//!
//! [`train`] does the whole job and tells an [`Observer`] about it; it prints nothing and decides nothing about terminals or signals.

mod batches;
mod best;
mod ema;
mod error;
mod estimate;
mod events;
mod folder;
mod gold;
mod initial;
mod job;
mod kept;
mod learner;
mod metrics;
mod observer;
mod optimizer;
mod origin;
mod prepare;
mod receipt;
mod sampling;
mod schedule;
mod state;
mod summary;
mod update;
mod validate;
mod word_dropout;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::align::GivenLinks;
use crate::backend::Cpu;
use crate::config::Config;
use crate::data::{Corpus, PairStream};
use crate::eval::Gold;
use crate::text::Tokenizers;

pub use error::TrainError;
pub use estimate::Estimate;
pub use folder::check_folder;
pub use initial::{Initial, VectorFiles};
pub use job::train;
pub use metrics::without_times;
pub use observer::{Asked, BufferReport, Ending, Event, Observer, Outcome, Ready, Silent, UpdateReport, Validation};
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
    /// What may be another than when a resumed run was started: `data`, `tokenizer`, `initial` (what the weights began with), or keys of the configuration
    /// (`train.learning_rate`).
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
        let known = || {
            crate::config::keys()
                .into_iter()
                .map(|key| key.name)
                .chain(["data", "tokenizer", "initial"].map(str::to_owned))
        };
        for name in &self.allow_changed {
            if !known().any(|known| known == *name) {
                return Err(TrainError::Unchangeable {
                    name: name.clone(),
                    why: "is neither `data`, `tokenizer`, `initial` nor a key of the configuration",
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
