//! Measures by name, with the settings that were given; settings of measures that are not asked for are refused.

use lookback::eval::{
    BleuMetric, BleuSmoothing, ChrfMetric, ExactMetric, Metric, Pool, Rate, RateMetric, ReciprocalRankMetric,
    Statistics, TerMetric,
};

use super::args::{EvalArgs, MetricName, Settings};
use super::read::{Test, first};
use crate::exit::Usage;

/// A measure that was asked for.
pub(super) struct Measure {
    pub(super) name: MetricName,
    pub(super) metric: Box<dyn Metric>,
    /// BLEU's own settings, if it is BLEU: its report tells more than a score.
    pub(super) bleu: Option<BleuMetric>,
}

/// A measure of a corpus.
pub(super) struct Measured {
    pub(super) measure: Measure,
    pub(super) statistics: Statistics,
    pub(super) sums: Vec<f64>,
}

impl Measure {
    /// The key in JSON, and the column of `--sentence-level`.
    pub(super) fn key(&self) -> &'static str {
        match self.name {
            MetricName::Bleu => "bleu",
            MetricName::Chrf => "chrf",
            MetricName::ChrfPlusPlus => "chrf++",
            MetricName::Ter => "ter",
            MetricName::Wer => "wer",
            MetricName::Cer => "cer",
            MetricName::Per => "per",
            MetricName::Exact => "exact",
            MetricName::Mrr => "mrr",
        }
    }

    /// Counts every sentence.
    pub(super) fn collect(&self, lists: &[Vec<String>], test: &Test, pool: &Pool) -> anyhow::Result<Statistics> {
        let whole = self.name == MetricName::Mrr;
        let hyps: Vec<String> =
            lists.iter().map(|list| if whole { list.join("\n") } else { first(list).to_owned() }).collect();
        Ok(Statistics::collect(&*self.metric, &hyps, &test.refs, pool)?)
    }

    pub(super) fn measure(self, lists: &[Vec<String>], test: &Test, pool: &Pool) -> anyhow::Result<Measured> {
        let statistics = self.collect(lists, test, pool)?;
        Ok(Measured { sums: statistics.sums(), statistics, measure: self })
    }
}

impl Measured {
    pub(super) fn score(&self) -> f64 {
        self.measure.metric.score(&self.sums)
    }

    pub(super) fn signature(&self) -> String {
        self.measure.metric.signature(self.statistics.references())
    }

    pub(super) fn details(&self) -> Option<String> {
        self.measure.metric.details(&self.sums)
    }
}

/// The measures that were asked for, each once, in the order given.
pub(super) fn chosen(args: &EvalArgs) -> Result<Vec<Measure>, Usage> {
    let names = match args.metrics.as_slice() {
        [] if args.compare.is_empty() => vec![MetricName::Bleu, MetricName::Chrf, MetricName::Exact],
        [] => vec![MetricName::Bleu, MetricName::Chrf],
        names => {
            let mut once: Vec<MetricName> = Vec::new();
            names.iter().for_each(|name| {
                if !once.contains(name) {
                    once.push(*name);
                }
            });
            once
        }
    };
    refuse_unused(args, &names)?;
    names.into_iter().map(|name| measure(name, args)).collect()
}

fn measure(name: MetricName, args: &EvalArgs) -> Result<Measure, Usage> {
    let rate = |rate| Box::new(RateMetric { rate, lowercase: args.lowercase });
    let metric: Box<dyn Metric> = match name {
        MetricName::Bleu => {
            let bleu = bleu(args)?;
            return Ok(Measure { name, metric: Box::new(bleu), bleu: Some(bleu) });
        }
        MetricName::Chrf => Box::new(chrf(args, args.settings.chrf_word_order.unwrap_or(0))),
        MetricName::ChrfPlusPlus => Box::new(chrf(args, 2)),
        MetricName::Ter => Box::new(ter(&args.settings)),
        MetricName::Wer => rate(Rate::Wer),
        MetricName::Cer => rate(Rate::Cer),
        MetricName::Per => rate(Rate::Per),
        MetricName::Exact => Box::new(ExactMetric),
        MetricName::Mrr => Box::new(ReciprocalRankMetric),
    };
    Ok(Measure { name, metric, bleu: None })
}

fn chrf(args: &EvalArgs, word_order: usize) -> ChrfMetric {
    let settings = &args.settings;
    let usual = ChrfMetric::default();
    ChrfMetric {
        char_order: settings.chrf_char_order.unwrap_or(usual.char_order),
        word_order,
        beta: settings.chrf_beta.unwrap_or(usual.beta),
        lowercase: settings.chrf_lowercase,
        whitespace: settings.chrf_whitespace,
        eps_smoothing: settings.chrf_eps_smoothing,
    }
}

fn ter(settings: &Settings) -> TerMetric {
    TerMetric {
        normalized: settings.ter_normalized,
        no_punct: settings.ter_no_punct,
        asian_support: settings.ter_asian_support,
        case_sensitive: settings.ter_case_sensitive,
    }
}

fn bleu(args: &EvalArgs) -> Result<BleuMetric, Usage> {
    let Settings { smooth_method, smooth_value, effective_order, .. } = &args.settings;
    let smoothing = match smooth_method {
        Some(name) => BleuSmoothing::parse(name, *smooth_value).map_err(|error| Usage(error.to_string()))?,
        None => BleuSmoothing::default(),
    };
    Ok(BleuMetric {
        tokenizer: args.tokenize.unwrap_or_default(),
        smoothing,
        lowercase: args.lowercase,
        effective_order: *effective_order || args.sentence_level,
        ..BleuMetric::default()
    })
}

/// The settings of measures: whether each was given, what it is called, and which measures have it.
pub(super) fn settings(args: &EvalArgs) -> [(bool, &'static str, &'static [MetricName]); 14] {
    use MetricName as M;
    let s = &args.settings;
    let (bleu, chrf, ter) = (&[M::Bleu][..], &[M::Chrf, M::ChrfPlusPlus][..], &[M::Ter][..]);
    [
        (args.tokenize.is_some(), "--tokenize", bleu),
        (s.smooth_method.is_some(), "--smooth-method", bleu),
        (s.effective_order, "--effective-order", bleu),
        (args.lowercase, "--lowercase", &[M::Bleu, M::Wer, M::Cer, M::Per]),
        (s.chrf_char_order.is_some(), "--chrf-char-order", chrf),
        (s.chrf_word_order.is_some(), "--chrf-word-order", &[M::Chrf]),
        (s.chrf_beta.is_some(), "--chrf-beta", chrf),
        (s.chrf_whitespace, "--chrf-whitespace", chrf),
        (s.chrf_lowercase, "--chrf-lowercase", chrf),
        (s.chrf_eps_smoothing, "--chrf-eps-smoothing", chrf),
        (s.ter_case_sensitive, "--ter-case-sensitive", ter),
        (s.ter_normalized, "--ter-normalized", ter),
        (s.ter_no_punct, "--ter-no-punct", ter),
        (s.ter_asian_support, "--ter-asian-support", ter),
    ]
}

/// Every setting needs its measure.
fn refuse_unused(args: &EvalArgs, names: &[MetricName]) -> Result<(), Usage> {
    use MetricName as M;
    let confusions = args.confusions.is_some();
    let lists = (args.n_best.is_some() && !args.model.is_empty(), "--n-best with --model", &[M::Mrr][..]);
    for (given, option, needed) in settings(args).into_iter().chain([lists]) {
        let used = needed.iter().any(|name| names.contains(name)) || (confusions && option == "--lowercase");
        if given && !used {
            let needed: Vec<String> = needed.iter().map(|name| format!("{name:?}").to_lowercase()).collect();
            let needed = needed.join(" or ").replace("chrfplusplus", "chrf++");
            return Err(Usage(format!("{option} changes nothing here; it needs --metrics {needed}")));
        }
    }
    let (characters, words) = (args.settings.chrf_char_order, args.settings.chrf_word_order.unwrap_or(0));
    if names.contains(&M::Chrf) && characters == Some(0) && words == 0 {
        return Err(Usage("--chrf-char-order 0 leaves chrf nothing to count; give --chrf-word-order too".into()));
    }
    if names.contains(&M::Mrr) && args.n_best.is_none() {
        return Err(Usage("mrr is about lists of translations; say how many there are with --n-best".into()));
    }
    Ok(())
}
