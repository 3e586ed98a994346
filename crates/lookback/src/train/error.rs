//! Why trainings end before their end.

use std::path::PathBuf;

use crate::align::OtherWords;
use crate::checkpoint::CheckpointError;
use crate::config::{Change, ConfigError};
use crate::data::DataError;
use crate::eval::{EvalError, LinkError};
use crate::search::SearchError;
use crate::text::TextError;
use crate::view::ViewError;

/// What to do when numbers are not finite any more.
const LOWER_THE_RATE: &str = "the last good state is kept: go on from it with a lower rate, --resume --allow-changed train.learning_rate --set \
                              train.learning_rate=…, or set `train.clip_norm`";

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
    #[error("pair of line {line} of {of}: {source}")]
    OtherWords {
        /// Its line, from 1.
        line: u64,
        /// What the pair is of.
        of: String,
        /// Why.
        source: OtherWords,
    },
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
        "the {what} of update {update} is {value} (epoch {epoch}, batch {batch}, pairs of lines {lines}); {}",
        LOWER_THE_RATE
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
        /// Lines of its batches' pairs, the first few of each, with their corpus if there are several.
        lines: String,
    },
    /// A step that was finite led to numbers that are not.
    #[error("after update {update} `{tensor}` holds values that are not finite; {}", LOWER_THE_RATE)]
    NotFinite {
        /// The update.
        update: u64,
        /// The parameter, its value or a moment.
        tensor: String,
    },
    /// The weights are finite, but what they say of the pairs to validate on is not.
    #[error(
        "after update {update} the model's log-probabilities of the pairs to validate on are not finite; {}",
        LOWER_THE_RATE
    )]
    ValidationNotFinite {
        /// The update.
        update: u64,
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
