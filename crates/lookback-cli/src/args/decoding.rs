//! The arguments of search, of `translate` and of `score`.

use std::path::PathBuf;

use clap::Args;
use lookback::Translator;
use lookback::backend::Cpu;
use lookback::config::SearchConfig;
use lookback::search::Sampling;

use super::{Alignment, Format, GivenArgs, ProcessorArgs, alignment};

/// How to search; what is not given is the model's own.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Hypotheses kept at every step; 1 is greedy.
    #[arg(short, long, value_name = "K", alias = "beam")]
    pub(crate) beam_size: Option<usize>,
    /// Compare hypotheses by log-probability / length^A.
    #[arg(long, value_name = "A", visible_alias = "normalize", aliases = ["lenpen", "length-penalty-alpha"])]
    pub(crate) length_penalty: Option<f64>,
    /// Charge hypotheses B·|log| of the attention that source words lack.
    #[arg(long, value_name = "B", hide_short_help = true)]
    pub(crate) coverage_penalty: Option<f64>,
    /// No N-gram twice in a translation; 0 allows it.
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) no_repeat_ngram_size: Option<usize>,
    /// Shortest translation, as a multiple of the source's pieces.
    #[arg(long, value_name = "R", hide_short_help = true)]
    pub(crate) min_length_ratio: Option<f64>,
    /// Longest translation, as a multiple of the source's pieces.
    #[arg(long, value_name = "R", alias = "max-len-a")]
    pub(crate) max_length_ratio: Option<f64>,
    /// And so many pieces more, the end counted; 1, the end, if only a ratio is given.
    #[arg(long, value_name = "N", alias = "max-len-b", hide_short_help = true)]
    pub(crate) max_length_extra: Option<usize>,
    /// Write with the shortlist of the (first) model folder alone: faster; see `lookback shortlist`.
    #[arg(long, hide_short_help = true)]
    pub(crate) shortlist: bool,
}

/// Room for the end of a translation.
const END: usize = 1;

impl SearchArgs {
    /// Whether anything about the search was given.
    pub(crate) fn is_given(&self) -> bool {
        let Self {
            beam_size,
            length_penalty,
            coverage_penalty,
            no_repeat_ngram_size,
            min_length_ratio,
            max_length_ratio,
            max_length_extra,
            shortlist,
        } = self;
        let penalties = length_penalty.is_some() || coverage_penalty.is_some();
        let longest = max_length_ratio.is_some() || max_length_extra.is_some();
        let lengths = min_length_ratio.is_some() || longest;
        *shortlist || beam_size.is_some() || no_repeat_ngram_size.is_some() || penalties || lengths
    }

    /// The models of these folders, with the shortlist of the first if it is asked for.
    pub(crate) fn translator(&self, dirs: &[PathBuf], cpu: &Cpu) -> anyhow::Result<Translator> {
        let translator = Translator::load_ensemble(dirs, cpu)?;
        match dirs.first().filter(|_| self.shortlist) {
            Some(first) => Ok(translator.with_shortlist_of(first)?),
            None => Ok(translator),
        }
    }

    /// The model's own search, changed by what was given.
    /// A ratio alone is what it says: what the model's own search adds to its ratio is not added.
    pub(crate) fn over(&self, own: &SearchConfig) -> SearchConfig {
        let extra = if self.max_length_ratio.is_some() { END } else { own.max_length_extra };
        SearchConfig {
            beam_size: self.beam_size.unwrap_or(own.beam_size),
            length_penalty: self.length_penalty.unwrap_or(own.length_penalty),
            coverage_penalty: self.coverage_penalty.unwrap_or(own.coverage_penalty),
            no_repeat_ngram_size: self.no_repeat_ngram_size.unwrap_or(own.no_repeat_ngram_size),
            min_length_ratio: self.min_length_ratio.unwrap_or(own.min_length_ratio),
            max_length_ratio: self.max_length_ratio.unwrap_or(own.max_length_ratio),
            max_length_extra: self.max_length_extra.unwrap_or(extra),
        }
    }
}

/// Drawing translations.
#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Draw translations instead of searching the best ones.
    #[arg(long, conflicts_with_all = ["beam_size", "length_penalty", "coverage_penalty", "must"])]
    pub(crate) sample: bool,
    /// Divide log-probabilities by T before drawing.
    #[arg(
        long,
        value_name = "T",
        requires = "sample",
        default_value_t = 1.0,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(crate) temperature: f64,
    /// Draw from the K most probable pieces only.
    #[arg(long, value_name = "K", requires = "sample", hide_short_help = true)]
    pub(crate) top_k: Option<usize>,
    /// Draw from the most probable pieces that have probability P together.
    #[arg(
        long,
        value_name = "P",
        requires = "sample",
        default_value_t = 1.0,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(crate) top_p: f64,
    /// The seed of what is drawn.
    #[arg(
        long,
        value_name = "N",
        requires = "sample",
        default_value_t = 0,
        hide_default_value = true,
        hide_short_help = true
    )]
    pub(crate) seed: u64,
}

impl SampleArgs {
    pub(crate) fn sampling(&self) -> Option<Sampling> {
        let Self { seed, temperature, top_k, top_p, .. } = *self;
        self.sample.then_some(Sampling { seed, temperature, top_k, top_p })
    }
}

const TRANSLATE: &str = "\
Examples:
  echo 'Wo ist der Bahnhof?' | lookback translate -m my-model
  lookback translate -m my-model 'Guten Tag!' 'Wo ist der Bahnhof?'
  lookback translate -m my-model -i news.de -o news.en --beam-size 8
  lookback translate -m my-model --n-best 3 --json < news.de
  lookback translate -m one -m two -m three < news.de        an ensemble";

const TRANSLATE_LONG: &str = "\
Examples:
  echo 'Wo ist der Bahnhof?' | lookback translate -m my-model
  lookback translate -m my-model 'Guten Tag!' 'Wo ist der Bahnhof?'
  lookback translate -m my-model -i news.de -o news.en --beam-size 8
  lookback translate -m my-model --n-best 3 --json < news.de
  lookback translate -m one -m two -m three < news.de        an ensemble
  lookback translate -m my-model --prefix 'Where is' --must-not train 'Wo ist der Bahnhof?'
  lookback translate -m my-model --must station -b 20 'Wo ist der Bahnhof?'
  lookback translate -m my-model --sample --top-p 0.9 --n-best 5 --seed 7 < news.de
  lookback translate -m my-model --json-input < requests.jsonl
  lookback translate -m my-model --alignment --attention maps.npz < news.de

A line in, a line out, in the same order; an empty line stays empty. Whatever has
arrived is answered when input pauses for 100 ms, so it can run as a coprocess.

With --n-best: `line ||| text ||| F0= log-probability ||| score`, lines from 0; a
`|||` in a text is written `&#124;&#124;&#124;`. More than the model's beam widens it.

With --json, an object per line: id, translation, log_prob (nats, all pieces), score
(what hypotheses are compared by), cut (the length limit came first), tokens; unmet
(words of --must that are missing) where there are any, n_best where several were
asked for. With --json-input, lines are objects: text, and if wanted prefix, which takes
the place of --prefix, and must and must_not (lists), which add to the flags. Other keys
are passed through.

--alignment adds ` ||| 0-0 1-2` (source-target, words from 0), in an n-best list after the
text, in JSON as `alignment`; =soft adds all weights. `lookback help formats` has the forms.

A prefix is how the text starts; its last word may go on (`Häu` → `Häuser`) unless a
space follows it. Words that must be said need a beam some times wider than they
have pieces. Several models translate by the mean of their log-probabilities.";

#[derive(Debug, Args)]
#[command(after_help = TRANSLATE, after_long_help = TRANSLATE_LONG)]
pub(crate) struct TranslateArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// The model folder (repeatable: an ensemble).
    #[arg(short, long, value_name = "DIR", alias = "models", required = true)]
    pub(crate) model: Vec<PathBuf>,
    /// Translate these instead of standard input.
    #[arg(value_name = "SENTENCE", conflicts_with = "input")]
    pub(crate) sentences: Vec<String>,
    /// Read this file instead of standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Write this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) search: SearchArgs,
    /// The N best translations of each line.
    #[arg(long, value_name = "N", alias = "nbest", default_value_t = 1, hide_default_value = true)]
    pub(crate) n_best: usize,
    /// Write a JSON object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Read a JSON object per line (implies --json); see --help.
    #[arg(long, conflicts_with = "prefix_file")]
    pub(crate) json_input: bool,
    /// Translations start with this text.
    #[arg(long, value_name = "TEXT", conflicts_with = "prefix_file")]
    pub(crate) prefix: Option<String>,
    /// Translation n starts with line n of this file.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) prefix_file: Option<PathBuf>,
    /// Translations say this word or phrase (repeatable).
    #[arg(long, value_name = "WORD")]
    pub(crate) must: Vec<String>,
    /// They do not say this word or phrase (repeatable).
    #[arg(long, value_name = "WORD")]
    pub(crate) must_not: Vec<String>,
    /// Add links of words to each translation: hard, soft, or all above a weight.
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "hard", value_parser = alignment)]
    pub(crate) alignment: Option<Alignment>,
    /// Write where the decoder looked to this file, for every translation.
    #[arg(long, value_name = "FILE")]
    pub(crate) attention: Option<PathBuf>,
    /// The form of that file, as of `attend`; if not given, by its name.
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        requires = "attention",
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(crate) attention_format: Option<Format>,
    #[command(flatten)]
    pub(crate) sample: SampleArgs,
    /// Translate at most so many lines at once.
    #[arg(long, value_name = "N", alias = "batch-size", default_value_t = 512, hide_short_help = true)]
    pub(crate) batch: usize,
}

const SCORE: &str = "\
Examples:
  lookback score -m my-model test.tsv
  lookback score -m my-model --src test.de --tgt test.en --json
  cat test.tsv | lookback score -m my-model
  lookback score -m my-model --n-best list.txt --src test.de
  lookback score -m one -m two --n-best list.txt --src test.de --weights 0.3,0.7

A log-probability (nats, summed over pieces) per pair, in their order; with --json the
pieces and theirs too. The perplexity per piece goes to standard error.

With --n-best, the list is written again, each entry with one more feature, the
log-probability by the model; the last field becomes the score by the model's length
penalty, or with --weights the weighted sum of all features. Best first.";

#[derive(Debug, Args)]
#[command(after_help = SCORE, override_usage = "lookback score [OPTIONS] -m DIR [PAIRS]\n       lookback score [OPTIONS] -m DIR --src FILE --tgt FILE\n       lookback score [OPTIONS] -m DIR --src FILE --n-best LIST")]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pub(crate) processor: ProcessorArgs,
    /// The model folder (repeatable: an ensemble).
    #[arg(short, long, value_name = "DIR", alias = "models", required = true)]
    pub(crate) model: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) given: GivenArgs,
    /// Translations in Moses' n-best form: entries of id n translate line n, from 0.
    #[arg(long, value_name = "LIST", requires = "src", group = "targets", conflicts_with_all = ["json", "columns"])]
    pub(crate) n_best: Option<PathBuf>,
    /// Write a JSON object per pair.
    #[arg(long)]
    pub(crate) json: bool,
    /// Order the list by the sum of its features times these, the new one last.
    #[arg(long, value_name = "W,…", value_delimiter = ',', requires = "n_best", allow_hyphen_values = true)]
    pub(crate) weights: Vec<f64>,
    /// Order it by log-probability / length^A; the model's own if not given.
    #[arg(long, value_name = "A", visible_alias = "normalize", requires = "n_best", conflicts_with = "weights")]
    pub(crate) length_penalty: Option<f64>,
    /// Score at most so many pairs at once.
    #[arg(long, value_name = "N", alias = "batch-size", default_value_t = 512)]
    pub(crate) batch: usize,
}
