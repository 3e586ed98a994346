//! The arguments of every verb.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use lookback::config::Period;
use lookback::data::Columns;
use lookback::train::OnDivergence;

use crate::eval::EvalArgs;

mod about;
mod align;
mod attention;
mod convert;
mod decoding;
mod doctor;
mod explain;
mod given;
mod gold;
mod guided;
mod processor;
mod runs;
mod shortlist;
mod study;

pub(crate) use about::{CompletionsArgs, HelpArgs, ManArgs};
pub(crate) use align::AlignArgs;
pub(crate) use attention::{Alignment, AttendArgs, Drawing, Format, alignment};
pub(crate) use convert::ConvertArgs;
pub(crate) use decoding::{ScoreArgs, SearchArgs, TranslateArgs};
pub(crate) use doctor::DoctorArgs;
pub(crate) use explain::ExplainArgs;
pub(crate) use given::GivenArgs;
pub(crate) use gold::GoldArgs;
pub(crate) use guided::GuidedArgs;
pub(crate) use processor::ProcessorArgs;
pub(crate) use runs::{ReproduceArgs, VerifyArgs};
pub(crate) use shortlist::ShortlistArgs;
pub(crate) use study::{StudyArgs, StudyName};

/// Sequence-to-sequence models with attention: train them, run them, and see where they look.
#[derive(Debug, Parser)]
#[command(name = "lookback", version, arg_required_else_help = true, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) common: Common,
}

const EXAMPLES: &str = "\
Examples:
  lookback quickstart                        a translator in minutes
  lookback train pairs.tsv --out my-model    one of your own
  echo 'Wo ist der Bahnhof?' | lookback translate -m my-model

`lookback help TOPIC` tells about: formats, config, attention, memory, exit-codes.";

/// What every verb takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Common {
    /// Threads; one per core if not given. They never change a result.
    #[arg(
        long,
        global = true,
        alias = "cpu-threads",
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        display_order = 900
    )]
    pub(crate) threads: usize,
    /// Say nothing but results and errors.
    #[arg(short, long, global = true, display_order = 901)]
    pub(crate) quiet: bool,
    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, hide_default_value = true, hide_possible_values = true, display_order = 902)]
    pub(crate) color: Colour,
}

/// When to write colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Train a translator on data inside this program, in minutes
    Quickstart(QuickstartArgs),
    /// Train a model on pairs of texts
    Train(TrainArgs),
    /// Examine pairs of texts before training, and clean them
    Doctor(DoctorArgs),
    /// Translate lines
    Translate(TranslateArgs),
    /// Score translations, compare systems, score alignments
    Eval(Box<EvalArgs>),
    /// Tell how probable a model finds translations
    Score(ScoreArgs),
    /// Show where a model looks
    Attend(AttendArgs),
    /// Show every number behind a translation, step by step
    Explain(ExplainArgs),
    /// Link the words of given pairs
    Align(AlignArgs),
    /// Make one model of several of a training
    Average(AverageArgs),
    /// Make a model smaller
    Convert(ConvertArgs),
    /// Learn which pieces translate which, for faster translation
    Shortlist(ShortlistArgs),
    /// Tell what a model folder holds
    Inspect(InspectArgs),
    /// Check a model folder against its receipt
    Verify(VerifyArgs),
    /// Train a model again and compare
    Reproduce(ReproduceArgs),
    /// Train several models to answer a question, and report
    Study(StudyArgs),
    /// Cut lines into the pieces a model reads
    #[command(after_help = TOKENIZE)]
    Tokenize(TokenizeArgs),
    /// Put pieces together again
    #[command(after_help = DETOKENIZE)]
    Detokenize(TokenizeArgs),
    /// Explain a verb or a topic
    Help(HelpArgs),
    /// Write what a shell needs to complete commands
    Completions(CompletionsArgs),
    /// Write manual pages
    Man(ManArgs),
}

const QUICKSTART: &str = "\
Examples:
  lookback quickstart                 lookback-quickstart/ and attention.html
  lookback quickstart dates           lookback-dates/ and attention-dates.html
  lookback quickstart --minutes 20    longer, for a better score

A second run takes the next free names: nothing is overwritten unless you say so.";

#[derive(Debug, Args)]
#[command(after_help = QUICKSTART)]
pub(crate) struct QuickstartArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// What to learn: German to English, or written dates (English, Korean) to ISO.
    #[arg(value_enum, default_value_t = Task::Translation)]
    pub(crate) task: Task,
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Minutes of training.
    #[arg(long, value_name = "M")]
    pub(crate) minutes: Option<f64>,
    /// Change a value of the recipe (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Overwrite what an earlier quickstart wrote.
    #[arg(long)]
    pub(crate) overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    Translation,
    Dates,
}

/// The largest integer that TOML can write, so that every seed can stand in a configuration.
const MOST_SEED: u64 = i64::MAX as u64;

const TRAIN: &str = "\
Examples:
  lookback train pairs.tsv --out my-model
  lookback train --src train.de --tgt train.en --valid dev.tsv --out my-model
  lookback train mine.tsv crawled.tsv.zst --corpus-weights 3,0.5 --out my-model
  zcat *.tsv.gz | shuf | lookback train - --out my-model
  lookback train pairs.tsv.gz --columns 2,1 -o my-model --set train.max_epochs=9
  lookback train pairs.tsv --dump-config > run.toml
  lookback train domain.tsv --init-from my-model --out tuned --set train.learning_rate=1e-4
  lookback train pairs.tsv --out my-model --resume";

#[derive(Debug, Args)]
#[command(mut_arg("pairs", |pairs| pairs.required_unless_present("src")))]
#[command(after_help = TRAIN, override_usage = "lookback train [OPTIONS] --out DIR PAIRS...\n       lookback train [OPTIONS] --out DIR --src FILE --tgt FILE")]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    #[command(flatten)]
    pub(crate) pairs: PairArgs,
    /// How often a pair of each corpus is seen in an epoch, as `3,0.5`.
    #[arg(long, value_name = "W,…", value_delimiter = ',')]
    pub(crate) corpus_weights: Vec<f64>,
    /// Use this tokenizer.json for both sides instead of training one.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["src_tokenizer", "tgt_tokenizer"])]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Use this tokenizer.json for the sources.
    #[arg(long, value_name = "FILE", requires = "tgt_tokenizer", hide_short_help = true)]
    pub(crate) src_tokenizer: Option<PathBuf>,
    /// Use this tokenizer.json for the targets.
    #[arg(long, value_name = "FILE", requires = "src_tokenizer", hide_short_help = true)]
    pub(crate) tgt_tokenizer: Option<PathBuf>,
    /// Start from the weights and the tokenizers of this model: fine-tuning.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tokenizer", "src_tokenizer", "tgt_tokenizer"])]
    pub(crate) init_from: Option<PathBuf>,
    /// Start embeddings of source words from these vectors: word2vec's text format or GloVe's.
    #[arg(long, value_name = "FILE", conflicts_with = "init_from", hide_short_help = true)]
    pub(crate) src_vectors: Option<PathBuf>,
    /// Start embeddings of target words from these vectors.
    #[arg(long, value_name = "FILE", conflicts_with = "init_from", hide_short_help = true)]
    pub(crate) tgt_vectors: Option<PathBuf>,
    /// Pairs to validate on; if not given, some are held out.
    #[arg(long, value_name = "PAIRS", conflicts_with_all = ["valid_src", "valid_tgt"])]
    pub(crate) valid: Option<PathBuf>,
    /// Sources to validate on, a file beside `--valid-tgt`.
    #[arg(long, value_name = "FILE", requires = "valid_tgt")]
    pub(crate) valid_src: Option<PathBuf>,
    /// Targets to validate on.
    #[arg(long, value_name = "FILE", requires = "valid_src")]
    pub(crate) valid_tgt: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) guided: GuidedArgs,
    /// The model folder.
    #[arg(short, long, value_name = "DIR", required_unless_present_any = ["dump_config", "verify_resume"])]
    pub(crate) out: Option<PathBuf>,
    /// A configuration, TOML or JSON (repeatable, later ones win).
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Change a value of it (repeatable).
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The seed of everything random.
    #[arg(long, value_name = "N", value_parser = seed)]
    pub(crate) seed: Option<u64>,
    /// Go on exactly where the training in the folder stopped.
    #[arg(long, conflicts_with = "overwrite")]
    pub(crate) resume: bool,
    /// Throw away the training in the folder.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Resume although this changed: `data`, `tokenizer`, `initial` (what the weights began with), or keys as `train.learning_rate`.
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', requires = "resume", hide_short_help = true)]
    pub(crate) allow_changed: Vec<String>,
    /// Write the state so often: 500u (updates), 1e (epochs), 10Mt (target tokens), 10min. SIGUSR1 writes it at once, and the training goes on.
    #[arg(long, value_name = "PERIOD", hide_short_help = true)]
    pub(crate) checkpoint_every: Option<Period>,
    /// When loss, gradient or weights are no numbers any more: stop, or go back to the last state with half the rate.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Divergence::Stop, hide_short_help = true)]
    pub(crate) on_divergence: Divergence,
    /// Instead of training: kill a training of so many updates at random, resume it, compare it with an undisturbed one.
    #[arg(long, value_name = "UPDATES", num_args = 0..=1, require_equals = true, default_missing_value = "100", hide_short_help = true,
        value_parser = clap::value_parser!(u64).range(2..), conflicts_with_all = ["out", "resume", "overwrite", "dump_config"])]
    pub(crate) verify_resume: Option<u64>,
    /// Print the effective configuration as TOML instead of training.
    #[arg(long, conflicts_with_all = ["resume", "overwrite"])]
    pub(crate) dump_config: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Divergence {
    Stop,
    Rollback,
}

impl From<Divergence> for OnDivergence {
    fn from(divergence: Divergence) -> Self {
        match divergence {
            Divergence::Stop => Self::Stop,
            Divergence::Rollback => Self::RollBack,
        }
    }
}

/// Where pairs are: one file, or two.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct PairArgs {
    /// Lines of `source TAB target`, one file or several; plain, .gz or .zst, as every file; `-` for a stream on standard input.
    #[arg(value_name = "PAIRS", conflicts_with = "src")]
    pub(crate) pairs: Vec<PathBuf>,
    /// Sources, a line each (repeatable).
    #[arg(long, value_name = "FILE", requires = "tgt")]
    pub(crate) src: Vec<PathBuf>,
    /// Targets: line n translates line n of the sources (repeatable).
    #[arg(long, value_name = "FILE", requires = "src")]
    pub(crate) tgt: Vec<PathBuf>,
    /// Columns of source and target in tables, from 1.
    #[arg(long, value_name = "S,T", value_parser = columns)]
    pub(crate) columns: Option<Columns>,
}

const AVERAGE: &str = "\
Examples:
  lookback average my-model/checkpoints/* -o averaged
  lookback average my-model/checkpoints/9000 my-model/checkpoints/10000 -o averaged

Writes the arithmetic mean of the weights. All models must be of one training: the same configuration
and vocabularies. `train --set train.keep_checkpoints=5` keeps the models of the last 5 validations.";

#[derive(Debug, Args)]
#[command(after_help = AVERAGE)]
pub(crate) struct AverageArgs {
    /// Model folders, two or more.
    #[arg(value_name = "DIR", required = true)]
    pub(crate) models: Vec<PathBuf>,
    /// The folder of their mean.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

const INSPECT: &str = "\
Examples:
  lookback inspect my-model";

#[derive(Debug, Args)]
#[command(after_help = INSPECT)]
pub(crate) struct InspectArgs {
    /// The model folder.
    #[arg(value_name = "DIR")]
    pub(crate) model: PathBuf,
}

const TOKENIZE: &str = "\
Examples:
  lookback tokenize -m my-model < news.de
  lookback tokenize --tokenizer tokenizer.json --ids -i news.de > news.ids
  lookback tokenize -m my-model < news.de | lookback detokenize -m my-model

A line in, a line out, pieces separated by spaces; a space of the text is part of a piece, `▁`.";

const DETOKENIZE: &str = "\
Examples:
  lookback tokenize -m my-model < news.de | lookback detokenize -m my-model
  lookback detokenize -m my-model --side tgt --ids -i news.ids

Gives back what `tokenize` was given, normalised as the vocabulary is; of words, white space is not kept.";

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("vocabulary").required(true).args(["model", "tokenizer"])))]
pub(crate) struct TokenizeArgs {
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// A tokenizer.json instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) tokenizer: Option<PathBuf>,
    /// Which of the model's tokenizers.
    #[arg(long, value_enum, default_value_t = TextSide::Src, conflicts_with = "tokenizer")]
    pub(crate) side: TextSide,
    /// Numbers instead of pieces.
    #[arg(long)]
    pub(crate) ids: bool,
    /// Read this file instead of standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Write this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TextSide {
    Src,
    Tgt,
}

/// A number that can stand in a configuration.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse().ok().filter(|seed| *seed <= MOST_SEED);
    seed.ok_or_else(|| format!("a seed is a whole number from 0 to {MOST_SEED}"))
}

/// Where positions of links start.
pub(crate) fn base(text: &str) -> Result<u8, String> {
    let base = text.parse().ok().filter(|base| *base <= 1);
    base.ok_or_else(|| "positions are counted from 0 or from 1".to_owned())
}

/// `2,1`: counted from 1 as people do.
pub(crate) fn columns(text: &str) -> Result<Columns, String> {
    let wrong = || "write the columns of source and target, counted from 1, as `1,2`".to_owned();
    let (src, tgt) = text.split_once(',').ok_or_else(wrong)?;
    let column = |text: &str| text.trim().parse::<usize>().ok().and_then(|n| n.checked_sub(1)).ok_or_else(wrong);
    let columns = Columns { src: column(src)?, tgt: column(tgt)? };
    if columns.src == columns.tgt {
        return Err("source and target are two columns; the same one was given twice".to_owned());
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        crate::help::command().debug_assert();
    }

    #[test]
    fn columns_count_from_one() {
        assert_eq!(columns("4, 2"), Ok(Columns { src: 3, tgt: 1 }));
        for wrong in ["", "1", "1,1", "0,1", "1,x", "1,2,3", "-1,2"] {
            assert!(columns(wrong).is_err(), "{wrong}");
        }
    }
}
