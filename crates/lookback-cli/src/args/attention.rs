//! The arguments of `attend`, and how other verbs are told to show attention.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use lookback::data::Columns;
use lookback::view::Links;

use super::{ProcessorArgs, SearchArgs, columns};

const ATTEND: &str = "\
Examples:
  lookback attend -m my-model 'Wo ist der Bahnhof?'
  lookback attend -m my-model -i news.de -b 5 -o news.html    all 5 hypotheses
  lookback attend -m my-model --pairs test.tsv -o test.jsonl  these very targets
  lookback attend -m my-model --pairs test.tsv -o test.pharaoh  links of words
  lookback attend -m my-model -i one.de -o one.svg --style boxes

Several sentences as SVG become one file each: one-001.svg, one-002.svg, …";

#[derive(Debug, Args)]
#[command(after_help = ATTEND)]
pub(crate) struct AttendArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// The model folder.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) model: PathBuf,
    /// Show these instead of standard input.
    #[arg(value_name = "SENTENCE", conflicts_with_all = ["input", "pairs"])]
    pub(crate) sentences: Vec<String>,
    /// Read sources from this file instead of standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Read lines of `source TAB target`; nothing is searched.
    #[arg(long, value_name = "PAIRS", conflicts_with_all = ["input", "beam_size", "length_penalty", "coverage_penalty", "no_repeat_ngram_size", "min_length_ratio", "max_length_ratio", "max_length_extra"])]
    pub(crate) pairs: Option<PathBuf>,
    /// Columns of source and target in PAIRS, from 1.
    #[arg(long, value_name = "S,T", value_parser = columns, requires = "pairs", conflicts_with = "input")]
    pub(crate) columns: Option<Columns>,
    /// Write this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The form; if not given, by the name of the output.
    #[arg(short, long, value_enum, value_name = "FORM")]
    pub(crate) format: Option<Format>,
    /// Whole words (as usual, unless the model reads characters).
    #[arg(long, conflicts_with = "pieces")]
    pub(crate) words: bool,
    /// The pieces the model reads and writes.
    #[arg(long)]
    pub(crate) pieces: bool,
    /// How SVG draws a weight.
    #[arg(long, value_enum)]
    pub(crate) style: Option<Drawing>,
    /// Pharaoh: link all words whose weight is above W, not each target word to its strongest.
    #[arg(long, value_name = "W", value_parser = threshold)]
    pub(crate) threshold: Option<f32>,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
}

/// The forms of attention maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Terminal,
    Html,
    Svg,
    Jsonl,
    Npz,
    Pharaoh,
    Nematus,
    Marian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    Heat,
    Boxes,
}

/// What `--alignment` adds to a translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Alignment {
    /// All weights, as Marian prints them.
    Soft,
    /// Links, as Pharaoh wrote them.
    Hard(Links),
}

/// `soft`, `hard`, or a weight.
pub(crate) fn alignment(text: &str) -> Result<Alignment, String> {
    match text {
        "soft" => Ok(Alignment::Soft),
        "hard" => Ok(Alignment::Hard(Links::Strongest)),
        _ => match threshold(text) {
            Ok(least) => Ok(Alignment::Hard(Links::Above(least))),
            Err(_) => Err("write `hard`, `soft`, or a weight of at least 0 and below 1".to_owned()),
        },
    }
}

/// A weight that another can be above.
pub(super) fn threshold(text: &str) -> Result<f32, String> {
    let weight = text.parse().ok().filter(|weight| (0.0..1.0).contains(weight));
    weight.ok_or_else(|| "a weight is at least 0 and below 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alignment_is_a_word_or_a_weight() {
        assert_eq!(alignment("soft"), Ok(Alignment::Soft));
        assert_eq!(alignment("hard"), Ok(Alignment::Hard(Links::Strongest)));
        assert_eq!(alignment("0.25"), Ok(Alignment::Hard(Links::Above(0.25))));
        for wrong in ["", "1", "-0.1", "nan", "inf", "Hard", "0.5,0.2"] {
            assert!(alignment(wrong).is_err(), "{wrong}");
        }
    }
}
