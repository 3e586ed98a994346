//! The arguments of the verbs that prove what a run is.

use std::path::PathBuf;

use clap::Args;

const VERIFY: &str = "\
Examples:
  lookback verify my-model

Compares configuration, tokenizers and weights with the SHA-256 sums in receipt.json.";

#[derive(Debug, Args)]
#[command(after_help = VERIFY)]
pub(crate) struct VerifyArgs {
    /// The model folder.
    #[arg(value_name = "DIR")]
    pub(crate) model: PathBuf,
}

const REPRODUCE: &str = "\
Examples:
  lookback reproduce my-model                        the data where it was
  lookback reproduce my-model copy/pairs.tsv         the data somewhere else

Trains again in a temporary folder, from the files and the configuration of the receipt, and compares the bytes.";

#[derive(Debug, Args)]
#[command(after_help = REPRODUCE)]
pub(crate) struct ReproduceArgs {
    /// The model folder.
    #[arg(value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// The files it was made of, in the order of its receipt, if they are not where they were.
    #[arg(value_name = "FILE")]
    pub(crate) inputs: Vec<PathBuf>,
}
