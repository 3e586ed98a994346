//! The arguments of `shortlist`.

use std::path::PathBuf;

use clap::Args;

use super::GivenArgs;

const SHORTLIST: &str = "\
Examples:
  lookback shortlist -m my-model pairs.tsv
  lookback shortlist -m my-model --src train.de --tgt train.en --best 100
  lookback translate -m my-model --shortlist < news.de
  lookback eval test.tsv -m my-model --shortlist       what it costs

Learns from training pairs which pieces translate which, and writes shortlist.safetensors
into the model folder. With --shortlist a translation is written with the candidates of its
source's pieces, the most frequent pieces and bytes alone, which is faster. Pairs beyond the
limits of the model's training (data.max_src and the like) are skipped and counted. All pairs
are held in memory as ids, 4 bytes a piece; of a very large corpus a part is enough.
After another training, or with other tokenizers, learn it again.";

#[derive(Debug, Args)]
#[command(after_help = SHORTLIST, override_usage = "lookback shortlist [OPTIONS] -m DIR [PAIRS]\n       lookback shortlist [OPTIONS] -m DIR --src FILE --tgt FILE")]
pub(crate) struct ShortlistArgs {
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Candidates of a source piece, at most.
    #[arg(long, value_name = "K", default_value_t = 50)]
    pub(crate) best: usize,
    /// Pieces that are candidates everywhere: the most frequent.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) frequent: usize,
}
