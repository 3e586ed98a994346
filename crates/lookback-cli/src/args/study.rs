//! The arguments of `study`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{GoldArgs, PairArgs, ProcessorArgs, seed};
use crate::eval::GoldFormat;

const STUDY: &str = "\
Examples:
  lookback study bottleneck pairs.tsv --out bottleneck
  lookback study bottleneck --src train.de --tgt train.en --test test.tsv --out bottleneck
  lookback study bottleneck pairs.tsv --quick --out look     minutes, small models of few pairs
  lookback study gradients --out gradients
  lookback study scores pairs.tsv --align-pairs rwth.tsv --align-gold gold.talp --gold-base 1 -o scores

bottleneck  the same model with and without attention, by length of the source
scores      every attention score, window and input feeding, beside Luong et al. (2015)
gradients   how far gradients reach, by cell, with and without attention; needs no PAIRS

Writes DIR/report.html, SVG figures and results.json; every model is in DIR/runs, with the command
that trains it in the report. The same command goes on where it was stopped.";

#[derive(Debug, Args)]
#[command(mut_arg("pairs", |pairs| pairs.help("Lines of `source TAB target`, one file or several; plain, .gz or .zst")))]
#[command(mut_arg("align_pairs", |pairs| pairs.help("Pairs with known links, for the alignment error rate (`scores`): tokens between white space")))]
#[command(after_help = STUDY, override_usage = "lookback study [OPTIONS] NAME --out DIR PAIRS...\n       lookback study [OPTIONS] NAME --out DIR --src FILE --tgt FILE")]
pub(crate) struct StudyArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// What to find out.
    #[arg(value_enum, value_name = "NAME")]
    pub(crate) name: StudyName,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    /// Pairs to validate on; if not given, some are held out.
    #[arg(long, value_name = "PAIRS")]
    pub(crate) valid: Option<PathBuf>,
    /// Pairs to test on; if not given, some are held out.
    #[arg(long, value_name = "PAIRS")]
    pub(crate) test: Option<PathBuf>,
    /// The folder of the study.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Small models of few pairs, in less than five minutes: shows how the study works.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Lengths that part the test of `bottleneck`, as `10,20,30`.
    #[arg(long, value_name = "L,…", value_delimiter = ',')]
    pub(crate) by_length: Vec<usize>,
    #[command(flatten)]
    pub(crate) known: GoldArgs,
    /// Form of --align-gold, as in `eval`.
    #[arg(long, value_enum, requires = "align_gold", hide_short_help = true)]
    pub(crate) gold_format: Option<GoldFormat>,
    /// Change a value that all runs share (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The seed of everything random.
    #[arg(long, value_name = "N", value_parser = seed)]
    pub(crate) seed: Option<u64>,
}

/// See [`lookback::study::Study`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StudyName {
    Bottleneck,
    Scores,
    Gradients,
}
