//! The arguments of `explain`.

use std::path::PathBuf;

use clap::Args;

use super::ProcessorArgs;

const EXPLAIN: &str = "\
Examples:
  lookback explain -m my-model 'Wo ist der Bahnhof?'
  lookback explain -m my-model --step 2 'Wo ist der Bahnhof?'     one step only
  lookback explain -m my-model -o look.html 'Guten Tag.'          to unfold and read
  lookback explain -m my-model --json 'Guten Tag.' | jq '.steps[0].look.weights'

The numbers of every step in the order of the equations: the state s, the scores e,
the weights α, the attention value a, the attentional state s̃, the most probable
pieces; and what they would have been with zeros for a.";

#[derive(Debug, Args)]
#[command(after_help = EXPLAIN)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// The sentence.
    #[arg(value_name = "SENTENCE")]
    pub(crate) sentence: String,
    /// Only step T, from 1.
    #[arg(long, value_name = "T", conflicts_with = "html")]
    pub(crate) step: Option<usize>,
    /// So many of the most probable pieces.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,
    /// Every digit of every number, as one JSON object.
    #[arg(long, conflicts_with = "html")]
    pub(crate) json: bool,
    /// A self-contained HTML page.
    #[arg(long)]
    pub(crate) html: bool,
    /// Write this file instead of standard output; .html and .json say the form.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}
