//! The arguments of `convert`.

use std::path::PathBuf;

use clap::Args;
use lookback::stored::Storage;

const CONVERT: &str = "\
Examples:
  lookback convert -m my-model --int8 -o my-model-int8
  lookback convert -m my-model --bf16 -o my-model-bf16
  echo 'Wo ist der Bahnhof?' | lookback translate -m my-model-int8

--int8 makes every matrix whole numbers of 8 bits with a scale per row: about a quarter of the
size and nearly the same translations (`lookback eval` tells what it costs). --bf16 keeps the upper
half of every number of a matrix: half the size, as fast as f32 or faster where the processor has
AVX512-BF16, slower elsewhere. A converted model keeps its shortlist, and is not trained on, nor
converted again: keep the one it was made from.";

#[derive(Debug, Args)]
#[command(after_help = CONVERT)]
pub(crate) struct ConvertArgs {
    /// The model folder; it stays as it is.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// The folder to write, new or empty.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) storage: StorageArgs,
}

/// How weights are to be stored.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct StorageArgs {
    /// Matrices in 8 bits with a scale per row, vectors in 32.
    #[arg(long)]
    int8: bool,
    /// Matrices in bfloat16, vectors in 32 bits.
    #[arg(long)]
    bf16: bool,
}

impl StorageArgs {
    pub(crate) fn storage(&self) -> Storage {
        match (self.int8, self.bf16) {
            (true, _) => Storage::Int8,
            (_, true) => Storage::Bf16,
            _ => Storage::F32,
        }
    }
}
