//! The arguments of `doctor`.

use std::path::PathBuf;

use clap::Args;
use lookback::data::doctor::Check;

use super::PairArgs;

const DOCTOR: &str = "\
Examples:
  lookback doctor pairs.tsv
  lookback doctor --src train.de --tgt train.en --valid dev.tsv --test test.tsv
  lookback doctor crawled.tsv.zst --columns 2,1 --json > report.json
  lookback doctor crawled.tsv --fix clean --drop swapped,length-ratio,copied

Exit code 3 if `train` would refuse the corpus (with --fix: if nothing can be saved), else 0.
`lookback help doctor` and `lookback help formats` say what is looked for and what --fix writes.";

const DOCTOR_LONG: &str = "\
Examples:
  lookback doctor pairs.tsv
  lookback doctor --src train.de --tgt train.en --valid dev.tsv --test test.tsv
  lookback doctor crawled.tsv.zst --columns 2,1 --json > report.json
  lookback doctor crawled.tsv --fix clean --drop swapped,length-ratio,copied

Errors, which `train` refuses; --fix removes the pairs:
  utf8, nul, too-long, columns, one-sided, blank; and, beyond repair: unreadable, line-count
Warnings; --fix removes the pair from what is trained on, --keep NAME leaves it:
  duplicate, leaked-pair, leaked-source, leaked-target
Warnings and notes; --fix leaves the pair, --drop NAME removes it:
  near-duplicate, near-leak, copied, swapped, script, length-ratio, long, replacement, quotes
Warnings and notes; --fix changes the text, --keep NAME leaves it, --drop NAME removes the pair:
  separator, control, invisible, bidi, normalisation; and, without --drop: byte-order-mark
Warnings and notes that are only told:
  drift, many-targets, carriage-return

What is measured on stays as it is, or scores could not be compared: of --test and --valid
--fix removes what `train` refuses, of --valid also what --test has, and nothing else.

--fix writes the files into a new folder, unpacked, with changes.tsv beside them: file, line,
removed or changed, reasons, the line as it was. Both together are the input, which is checked
before the folder gets its name. Files of unequal length are told with the place where they
drift apart, judged by lengths, numbers, question marks and names; if those say too little,
that is told instead.

Exit code 3 if `train` would refuse the corpus (with --fix: if nothing can be saved), else 0.";

#[derive(Debug, Args)]
#[command(mut_arg("pairs", |pairs| {
    pairs.required_unless_present("src").help("Lines of `source TAB target`, one file or several; plain, .gz or .zst, as every file")
}))]
#[command(after_help = DOCTOR, after_long_help = DOCTOR_LONG, override_usage = "lookback doctor [OPTIONS] PAIRS...\n       lookback doctor [OPTIONS] --src FILE --tgt FILE")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    /// Pairs to validate on, which should not be trained on (repeatable).
    #[arg(long, value_name = "PAIRS")]
    pub(crate) valid: Vec<PathBuf>,
    /// Pairs to test with (repeatable).
    #[arg(long, value_name = "PAIRS")]
    pub(crate) test: Vec<PathBuf>,
    /// Sources to validate on, a file beside `--valid-tgt`.
    #[arg(long, value_name = "FILE", requires = "valid_tgt", hide_short_help = true)]
    pub(crate) valid_src: Option<PathBuf>,
    /// Targets to validate on.
    #[arg(long, value_name = "FILE", requires = "valid_src", hide_short_help = true)]
    pub(crate) valid_tgt: Option<PathBuf>,
    /// Sources to test with, a file beside `--test-tgt`.
    #[arg(long, value_name = "FILE", requires = "test_tgt", hide_short_help = true)]
    pub(crate) test_src: Option<PathBuf>,
    /// Targets to test with.
    #[arg(long, value_name = "FILE", requires = "test_src", hide_short_help = true)]
    pub(crate) test_tgt: Option<PathBuf>,
    /// Print the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the cleaned corpus and what was changed into this new folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) fix: Option<PathBuf>,
    /// Remove pairs with these findings, too, from what is trained on.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "fix")]
    pub(crate) drop: Vec<Check>,
    /// Leave what has these findings as it is.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "fix")]
    pub(crate) keep: Vec<Check>,
    /// How many places of a kind to show.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) examples: usize,
    /// Where to sort what does not fit into memory, about 130 bytes a pair.
    #[arg(long, value_name = "DIR")]
    pub(crate) temp: Option<PathBuf>,
}
