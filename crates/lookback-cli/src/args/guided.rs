//! The arguments of `train` that are about given alignments.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lookback::align::GivenLinks;
use lookback::data::{Corpus, read_tsv};
use lookback::train::GoldPairs;

use super::GoldArgs;
use crate::data::{is_stream, lines};
use crate::eval::gold_pairs;

/// Links of the pairs to learn from, and how the attention is drawn towards them.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct GuidedArgs {
    /// Draw the attention towards these links: a line `0-0 1-2 …` for each pair, words between white space from 0; one file for each corpus, `-` for one without.
    #[arg(long = "guided-alignment", value_name = "FILE", hide_short_help = true)]
    pub(crate) files: Vec<PathBuf>,
    /// How weights are compared with them: cross-entropy (if not given), mean squared error, logarithm of the product.
    #[arg(long = "guided-alignment-cost", value_enum, value_name = "COST", requires = "files", hide_short_help = true)]
    cost: Option<Cost>,
    /// What that cost is multiplied by before it is added to the loss; 0.1 if not given.
    #[arg(long = "guided-alignment-weight", value_name = "W", requires = "files", hide_short_help = true)]
    weight: Option<f64>,
    /// Guide the steps that write a word (if not given), or the next ones, which read it: for `align --weights read`.
    #[arg(long = "guided-alignment-step", value_enum, value_name = "STEP", requires = "files", hide_short_help = true)]
    step: Option<super::align::Step>,
    #[command(flatten)]
    pub(crate) known: GoldArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Cost {
    Ce,
    Mse,
    Mult,
}

impl GuidedArgs {
    /// Values of the configuration.
    pub(crate) fn sets(&self) -> impl Iterator<Item = String> + use<> {
        let word = |value: Option<clap::builder::PossibleValue>| value.map(|word| word.get_name().to_owned());
        let cost = word(self.cost.as_ref().and_then(ValueEnum::to_possible_value));
        let step = word(self.step.as_ref().and_then(ValueEnum::to_possible_value));
        let values = [("cost", cost), ("weight", self.weight.map(|weight| weight.to_string())), ("step", step)];
        let base = self.known.gold_base.map(|base| format!("train.gold_base={base}"));
        values
            .into_iter()
            .filter_map(|(key, value)| Some(format!("train.guided_alignment_{key}={}", value?)))
            .chain(base)
    }

    /// The links of `corpus`, if there are any.
    pub(crate) fn read(&self, corpus: &Corpus) -> anyhow::Result<Option<GivenLinks>> {
        let mut links = GivenLinks::default();
        for (number, path) in (0..).zip(&self.files).filter(|(_, path)| !is_stream(path)) {
            links.insert(number, corpus, path, &lines(path)?)?;
        }
        Ok((!self.files.is_empty()).then_some(links))
    }

    /// The pairs with known links, if there are any; positions start at `first`.
    pub(crate) fn gold(&self, first: u8) -> anyhow::Result<Option<GoldPairs>> {
        let Some((pairs, path)) = self.known.files() else { return Ok(None) };
        Ok(Some(gold_pairs(read_tsv(pairs, None)?, path, first, None)?))
    }

    /// Whether all corpora are without links.
    pub(crate) fn none_has_any(&self) -> bool {
        self.files.iter().map(PathBuf::as_path).all(|path: &Path| is_stream(path))
    }
}
