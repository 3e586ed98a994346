//! The arguments that name pairs with known links.

use std::path::{Path, PathBuf};

use clap::Args;

use super::base;

/// Pairs with known links, for the alignment error rate.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct GoldArgs {
    /// Pairs with known links, `source TAB target`: the alignment error rate is told at every validation (`train.metric=aer` to go by it).
    #[arg(long, value_name = "PAIRS", requires = "align_gold", hide_short_help = true)]
    pub(crate) align_pairs: Option<PathBuf>,
    /// Their links, as `eval --aer` reads them: Pharaoh with `p` for possible ones, or NAACL (`.wa`).
    #[arg(long, value_name = "FILE", requires = "align_pairs", hide_short_help = true)]
    pub(crate) align_gold: Option<PathBuf>,
    /// Where positions start there, 0 (if not given) or 1.
    #[arg(long, value_name = "B", requires = "align_gold", value_parser = base, hide_short_help = true)]
    pub(crate) gold_base: Option<u8>,
}

impl GoldArgs {
    /// The pairs and their links, if they are named.
    pub(crate) fn files(&self) -> Option<(&Path, &Path)> {
        self.align_pairs.as_deref().zip(self.align_gold.as_deref())
    }
}
