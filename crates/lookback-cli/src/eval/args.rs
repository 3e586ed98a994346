//! The arguments of `eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback::data::Columns;
use lookback::eval::{PairedTest, Tokenizer};

use crate::args::{ProcessorArgs, SearchArgs, base, columns};

const EXAMPLES: &str = "\
Examples:
  lookback eval --ref test.en --hyp translated.en
  lookback eval -m my-model test.tsv --metrics bleu,ter --hyp-out translated.en
  lookback eval --ref test.en --compare base.en new.en        is the difference real?
  lookback eval test.tsv --hyp translated.en --by-length 10,20,30 --svg lengths.svg
  lookback eval --aer gold.talp --gold-base 1 --hyp links.talp";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "lookback eval [OPTIONS] --ref FILE --hyp FILE\n       lookback eval [OPTIONS] -m DIR PAIRS\n       lookback eval [OPTIONS] -m DIR --src FILE --ref FILE")]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// Lines of `source TAB reference`.
    #[arg(value_name = "PAIRS", conflicts_with_all = ["reference", "src"])]
    pub(crate) pairs: Option<PathBuf>,
    /// References, a line each (repeatable; empty lines: none here).
    #[arg(long = "ref", value_name = "FILE")]
    pub(crate) reference: Vec<PathBuf>,
    /// Translations to score; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(crate) hyp: Option<PathBuf>,
    /// Translate with this model first; again for an ensemble.
    #[arg(short, long, value_name = "DIR", alias = "models")]
    pub(crate) model: Vec<PathBuf>,
    /// Sources, a line each.
    #[arg(long, value_name = "FILE")]
    pub(crate) src: Option<PathBuf>,
    /// Columns of source and reference in PAIRS, from 1.
    #[arg(long, value_name = "S,T", value_parser = columns, requires = "pairs", hide_short_help = true)]
    pub(crate) columns: Option<Columns>,
    /// What to measure: bleu, chrf, chrf++, ter, wer, cer, per, exact, mrr [default: bleu,chrf,exact].
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        value_enum,
        ignore_case = true,
        hide_possible_values = true
    )]
    pub(crate) metrics: Vec<MetricName>,
    /// BLEU's tokens: 13a, intl, char, zh or none.
    #[arg(long, value_name = "NAME", alias = "tok", value_parser = tokenizer)]
    pub(crate) tokenize: Option<Tokenizer>,
    /// Ignore capitals in BLEU, WER, CER and PER.
    #[arg(long)]
    pub(crate) lowercase: bool,
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// A score for every line.
    #[arg(long, conflicts_with_all = ["compare", "by_length", "confusions"], hide_short_help = true)]
    pub(crate) sentence_level: bool,
    /// Test whether systems differ from the first one.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["hyp", "by_length", "confusions"])]
    pub(crate) compare: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) resampling: ResamplingArgs,
    /// Scores by tokens of the source, as in `10,20,30`, with intervals.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) by_length: Vec<usize>,
    /// Draw them.
    #[arg(long, value_name = "FILE", requires = "by_length", hide_short_help = true)]
    pub(crate) svg: Option<PathBuf>,
    /// The N most frequent substitutions, and so many other errors [default: 20].
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20")]
    pub(crate) confusions: Option<usize>,
    /// What they are errors of.
    #[arg(long, value_enum, requires = "confusions", default_value_t = ConfusionUnit::Words, hide_short_help = true)]
    pub(crate) confusion_unit: ConfusionUnit,
    #[command(flatten)]
    pub(crate) alignment: AlignmentArgs,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    /// The K best translations of the model, or how files hold them: K lines each, or `moses`.
    #[arg(long, value_name = "K", alias = "nbest", value_parser = nbest, hide_short_help = true)]
    pub(crate) n_best: Option<Nbest>,
    /// Keep the translations (of --n-best the best).
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) hyp_out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A measure by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum MetricName {
    Bleu,
    Chrf,
    #[value(name = "chrf++")]
    ChrfPlusPlus,
    Ter,
    Wer,
    Cer,
    Per,
    Exact,
    Mrr,
}

/// Settings of BLEU, chrF and TER under sacreBLEU's names.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// BLEU: smoothing, exp, floor, add-k or none [default: exp].
    #[arg(long, value_name = "NAME", alias = "smooth", hide_short_help = true)]
    pub(crate) smooth_method: Option<String>,
    /// BLEU: value of floor [default: 0.1] and add-k [default: 1].
    #[arg(long, value_name = "X", requires = "smooth_method", hide_short_help = true)]
    pub(crate) smooth_value: Option<f64>,
    /// BLEU: leave out orders a line is too short for (always with --sentence-level).
    #[arg(long, hide_short_help = true)]
    pub(crate) effective_order: bool,
    /// chrF: longest n-gram of characters [default: 6].
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) chrf_char_order: Option<usize>,
    /// chrF: longest n-gram of words [default: 0; chrf++ has 2].
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) chrf_word_order: Option<usize>,
    /// chrF: how many times recall counts as much as precision [default: 2].
    #[arg(long, value_name = "B", hide_short_help = true)]
    pub(crate) chrf_beta: Option<u32>,
    /// chrF: count white space.
    #[arg(long, hide_short_help = true)]
    pub(crate) chrf_whitespace: bool,
    /// chrF: ignore capitals.
    #[arg(long, hide_short_help = true)]
    pub(crate) chrf_lowercase: bool,
    /// chrF: smooth as chrF++.py does.
    #[arg(long, hide_short_help = true)]
    pub(crate) chrf_eps_smoothing: bool,
    /// TER: capitals count.
    #[arg(long, hide_short_help = true)]
    pub(crate) ter_case_sensitive: bool,
    /// TER: normalise and split off punctuation.
    #[arg(long, hide_short_help = true)]
    pub(crate) ter_normalized: bool,
    /// TER: remove punctuation.
    #[arg(long, hide_short_help = true)]
    pub(crate) ter_no_punct: bool,
    /// TER: take Chinese, Japanese and other Asian text apart.
    #[arg(long, hide_short_help = true)]
    pub(crate) ter_asian_support: bool,
}

/// How resampling is done, for --compare and --by-length.
#[derive(Debug, Args)]
pub(crate) struct ResamplingArgs {
    /// How --compare tests [default: bootstrap].
    #[arg(long, value_enum, requires = "compare", hide_short_help = true)]
    pub(crate) test: Option<TestName>,
    /// Samples [default: 1000; 10000 for --test ar].
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) samples: Option<usize>,
    /// Seed of --compare and --by-length [default: 12345].
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) seed: Option<u64>,
}

impl ResamplingArgs {
    pub(crate) fn paired(&self) -> PairedTest {
        match self.test.unwrap_or(TestName::Bootstrap) {
            TestName::Bootstrap => PairedTest::Bootstrap,
            TestName::Ar => PairedTest::Randomization,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestName {
    /// Paired bootstrap.
    #[value(alias = "bs")]
    Bootstrap,
    /// Paired approximate randomisation.
    #[value(alias = "randomization")]
    Ar,
}

/// Alignment error rate.
#[derive(Debug, Args)]
pub(crate) struct AlignmentArgs {
    /// Alignment error rate of the links in --hyp.
    #[arg(long, value_name = "GOLD", requires = "hyp")]
    pub(crate) aer: Option<PathBuf>,
    /// Where positions in GOLD start, 0 or 1.
    #[arg(long, value_name = "B", requires = "aer", default_value_t = 0, value_parser = base, hide_default_value = true, hide_short_help = true)]
    pub(crate) gold_base: u8,
    /// Form of GOLD: `0-0 1p2` or NAACL's `sentence source target`; by its name if not given (.wa is NAACL).
    #[arg(long, value_enum, requires = "aer", hide_short_help = true)]
    pub(crate) gold_format: Option<GoldFormat>,
    /// Where positions in --hyp start, 0 or 1.
    #[arg(long, value_name = "B", requires = "aer", default_value_t = 0, value_parser = base, hide_default_value = true, hide_short_help = true)]
    pub(crate) hyp_base: u8,
    /// Targets that were aligned; with --src, links outside are errors.
    #[arg(long, value_name = "FILE", requires = "aer", requires = "src", hide_short_help = true)]
    pub(crate) tgt: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GoldFormat {
    Pharaoh,
    Naacl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfusionUnit {
    #[value(alias = "word")]
    Words,
    #[value(alias = "char")]
    Chars,
}

/// Lists of translations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nbest {
    Count(usize),
    Moses,
}

fn nbest(text: &str) -> Result<Nbest, String> {
    match (text, text.parse::<usize>()) {
        ("moses", _) => Ok(Nbest::Moses),
        (_, Ok(count)) if count > 0 => Ok(Nbest::Count(count)),
        _ => Err("a number of translations, 1 or more, or `moses`".to_owned()),
    }
}

fn tokenizer(name: &str) -> Result<Tokenizer, String> {
    name.parse().map_err(|error: lookback::eval::EvalError| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted_or_moses() {
        assert_eq!((nbest("5"), nbest("moses")), (Ok(Nbest::Count(5)), Ok(Nbest::Moses)));
        for wrong in ["0", "-1", "many", ""] {
            assert!(nbest(wrong).is_err(), "{wrong}");
        }
    }
}
