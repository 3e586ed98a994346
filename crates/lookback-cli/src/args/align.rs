//! The arguments of `align`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback::align::{Merge, WeightsOf};

use super::attention::threshold;
use super::{GivenArgs, ProcessorArgs};

const ALIGN: &str = "\
Examples:
  lookback align -m de-en test.tsv > links.txt
  lookback align -m de-en --src test.de --tgt test.en --threshold 0.3
  lookback align -m de-en --reverse-model en-de test.tsv     both directions, merged
  lookback align -m de-en test.tsv -o links.txt
  lookback eval --aer gold.talp --gold-base 1 --hyp links.txt   are they right?

A line `0-0 1-2 …` per pair, source-target, from 0. Words are what stands between
white space, so tokenised text is aligned token by token; each target word is linked
to the source word it looked at most.";

#[derive(Debug, Args)]
#[command(after_help = ALIGN, override_usage = "lookback align [OPTIONS] -m DIR [PAIRS]\n       lookback align [OPTIONS] -m DIR --src FILE --tgt FILE")]
pub(crate) struct AlignArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Write this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Link all words whose weight is above W, not each target word to its strongest.
    #[arg(long, value_name = "W", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    /// A model that translates back: its links are merged with the first one's.
    #[arg(long, value_name = "DIR")]
    pub(crate) reverse_model: Option<PathBuf>,
    /// How the two directions are merged; grow-diag-final-and if not given.
    #[arg(long, value_enum, value_name = "HOW", requires = "reverse_model")]
    pub(crate) merge: Option<How>,
    /// Whose weights are a target word's: those of the steps that write it, or that read it.
    #[arg(long, value_enum, value_name = "STEP", default_value_t = Step::Write)]
    pub(crate) weights: Step,
    /// Align at most so many pairs at once.
    #[arg(long, value_name = "N", alias = "batch-size", default_value_t = 512, hide_short_help = true)]
    pub(crate) batch: usize,
}

/// See [`Merge`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum How {
    /// Links of both.
    Intersection,
    /// Links of either.
    Union,
    /// Links of both, and neighbours with a word that has none.
    GrowDiag,
    /// And every link with a word that has none.
    GrowDiagFinal,
    /// And every link between two words that have none.
    #[default]
    GrowDiagFinalAnd,
}

impl From<How> for Merge {
    fn from(how: How) -> Self {
        match how {
            How::Intersection => Self::Intersection,
            How::Union => Self::Union,
            How::GrowDiag => Self::GrowDiag,
            How::GrowDiagFinal => Self::GrowDiagFinal,
            How::GrowDiagFinalAnd => Self::GrowDiagFinalAnd,
        }
    }
}

/// See [`WeightsOf`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// The steps that write the word.
    Write,
    /// The next ones, which read it.
    Read,
}

impl From<Step> for WeightsOf {
    fn from(step: Step) -> Self {
        match step {
            Step::Write => Self::Writing,
            Step::Read => Self::Reading,
        }
    }
}
