//! Metrics from settings written as sacreBLEU's Python classes take them.

use std::num::NonZeroUsize;

use lookback::eval::{BleuMetric, BleuSmoothing, ChrfMetric, Metric, TerMetric, Tokenizer};
use serde_json::{Map, Value};

/// One of sacreBLEU's metrics.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyMetric {
    /// BLEU.
    Bleu(BleuMetric),
    /// chrF and chrF++.
    Chrf(ChrfMetric),
    /// TER.
    Ter(TerMetric),
}

impl AnyMetric {
    /// Reads `BLEU`, `CHRF` or `TER` and its keyword arguments.
    ///
    /// # Errors
    /// If a name or value is not known; the message names it.
    pub(crate) fn read(name: &str, options: &Map<String, Value>) -> Result<Self, String> {
        let mut metric = match name {
            "BLEU" => Self::Bleu(BleuMetric::default()),
            "CHRF" => Self::Chrf(ChrfMetric::default()),
            "TER" => Self::Ter(TerMetric::default()),
            _ => return Err(format!("no metric `{name}`")),
        };
        for (key, value) in options {
            metric.set(key, value, options).ok_or_else(|| format!("{name} has no `{key}` = {value}"))?;
        }
        Ok(metric)
    }

    fn set(&mut self, key: &str, value: &Value, options: &Map<String, Value>) -> Option<()> {
        let whole = || value.as_u64().and_then(|value| usize::try_from(value).ok());
        match (self, key) {
            (Self::Bleu(bleu), "tokenize") => bleu.tokenizer = value.as_str()?.parse::<Tokenizer>().ok()?,
            (Self::Bleu(bleu), "smooth_method") => {
                let amount = options.get("smooth_value").and_then(Value::as_f64);
                bleu.smoothing = BleuSmoothing::parse(value.as_str()?, amount).ok()?;
            }
            (Self::Bleu(_), "smooth_value") => {}
            (Self::Bleu(bleu), "lowercase") => bleu.lowercase = value.as_bool()?,
            (Self::Bleu(bleu), "effective_order") => bleu.effective_order = value.as_bool()?,
            (Self::Bleu(bleu), "max_ngram_order") => bleu.max_order = NonZeroUsize::new(whole()?)?,
            (Self::Chrf(chrf), "char_order") => chrf.char_order = whole()?,
            (Self::Chrf(chrf), "word_order") => chrf.word_order = whole()?,
            (Self::Chrf(chrf), "beta") => chrf.beta = u32::try_from(value.as_u64()?).ok()?,
            (Self::Chrf(chrf), "lowercase") => chrf.lowercase = value.as_bool()?,
            (Self::Chrf(chrf), "whitespace") => chrf.whitespace = value.as_bool()?,
            (Self::Chrf(chrf), "eps_smoothing") => chrf.eps_smoothing = value.as_bool()?,
            (Self::Ter(ter), "normalized") => ter.normalized = value.as_bool()?,
            (Self::Ter(ter), "no_punct") => ter.no_punct = value.as_bool()?,
            (Self::Ter(ter), "asian_support") => ter.asian_support = value.as_bool()?,
            (Self::Ter(ter), "case_sensitive") => ter.case_sensitive = value.as_bool()?,
            _ => return None,
        }
        Some(())
    }

    /// The metric itself.
    #[must_use]
    pub(crate) fn metric(&self) -> &dyn Metric {
        match self {
            Self::Bleu(bleu) => bleu,
            Self::Chrf(chrf) => chrf,
            Self::Ter(ter) => ter,
        }
    }

    /// The line sacreBLEU prints, of summed statistics.
    #[must_use]
    pub(crate) fn line(&self, sums: &[f64], references: Option<usize>) -> String {
        let metric = self.metric();
        let details = metric.details(sums).map_or_else(String::new, |details| format!(" {details}"));
        format!("{}|{} = {:.2}{details}", metric.name(), metric.signature(references), metric.score(sums))
    }
}
