//! What validations are compared by.

use serde::de::{Deserializer, Error, IntoDeserializer};
use serde::{Deserialize, Serialize};

use super::check::invalid;
use super::{Config, ConfigError, TrainConfig};

/// What is meant by a better validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Higher BLEU.
    Bleu,
    /// Higher chrF.
    Chrf,
    /// Lower translation edit rate.
    Ter,
    /// Lower word error rate.
    Wer,
    /// Lower character error rate.
    Cer,
    /// Lower position-independent error rate.
    Per,
    /// More exact matches.
    Exact,
    /// Lower negative log-likelihood per token.
    Loss,
    /// Lower perplexity, which is the loss on another scale.
    Ppl,
    /// More target tokens that, after the written ones before them, the model finds most probable.
    Accuracy,
    /// Lower alignment error rate on pairs with known links (`--align-pairs`, `--align-gold`).
    Aer,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Bleu,
        Self::Chrf,
        Self::Ter,
        Self::Wer,
        Self::Cer,
        Self::Per,
        Self::Exact,
        Self::Loss,
        Self::Ppl,
        Self::Accuracy,
        Self::Aer,
    ];

    /// As a configuration spells it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Bleu => "bleu",
            Self::Chrf => "chrf",
            Self::Ter => "ter",
            Self::Wer => "wer",
            Self::Cer => "cer",
            Self::Per => "per",
            Self::Exact => "exact",
            Self::Loss => "loss",
            Self::Ppl => "ppl",
            Self::Accuracy => "accuracy",
            Self::Aer => "aer",
        }
    }

    /// As people write it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Bleu => "BLEU",
            Self::Chrf => "chrF",
            Self::Ter => "TER",
            Self::Wer => "WER",
            Self::Cer => "CER",
            Self::Per => "PER",
            Self::Exact => "exact",
            Self::Loss => "nll",
            Self::Ppl => "ppl",
            Self::Accuracy => "accuracy",
            Self::Aer => "AER",
        }
    }

    /// A score as people write it.
    #[must_use]
    pub fn show(self, score: f64) -> String {
        match self {
            Self::Exact | Self::Accuracy => format!("{:.1} %", 100.0 * score),
            Self::Loss => format!("{score:.4}"),
            _ => format!("{score:.2}"),
        }
    }

    /// Whether one score is better than another; never, if one of them is not a number.
    #[must_use]
    pub fn is_better(self, new: f64, old: f64) -> bool {
        match self {
            Self::Bleu | Self::Chrf | Self::Exact | Self::Accuracy => new > old,
            Self::Ter | Self::Wer | Self::Cer | Self::Per | Self::Loss | Self::Ppl | Self::Aer => new < old,
        }
    }

    /// Whether it is a score of translations.
    #[must_use]
    pub fn is_of_translations(self) -> bool {
        !matches!(self, Self::Loss | Self::Ppl | Self::Accuracy | Self::Aer)
    }
}

impl TrainConfig {
    /// What is counted on translations, in the order of the configuration: what is reported, what decides, what a best model is kept by.
    #[must_use]
    pub fn reported(&self) -> Vec<Metric> {
        let mut metrics: Vec<Metric> = Vec::new();
        for metric in self.validate_metrics.iter().copied().chain([self.metric]).chain(self.keep_best.iter().copied()) {
            if metric.is_of_translations() && !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        metrics
    }
}

impl Config {
    /// What cannot combine.
    pub(super) fn check_validation(&self) -> Result<(), ConfigError> {
        if self.train.validate_sentences > 0 && self.train.reported().is_empty() {
            let message = "nothing is translated in validation; leave it out or at 0, or name a metric of translations in \
                           `train.validate_metrics`, as `bleu`";
            return invalid("train.validate_sentences", message.into());
        }
        Ok(())
    }
}

/// A list of metrics, or their names in one word, as `bleu,chrf`.
pub(super) fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Metric>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Word(String),
        List(Vec<String>),
    }
    let words = match Either::deserialize(deserializer)? {
        Either::Word(word) => word.split(',').map(|word| word.trim().to_owned()).collect(),
        Either::List(words) => words,
    };
    let metric =
        |word: String| Metric::deserialize(IntoDeserializer::<serde::de::value::Error>::into_deserializer(word));
    words.into_iter().map(metric).collect::<Result<_, _>>().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn metrics_are_a_list_or_words_and_unknown_ones_are_named() {
        let read = |set: &str| Config::from_layers(&[], &[format!("train.validate_metrics={set}")]);
        for set in ["bleu,chrf", "[\"bleu\", \"chrf\"]"] {
            assert_eq!(read(set).expect("known").train.validate_metrics, [Metric::Bleu, Metric::Chrf]);
        }
        assert!(read("bleu,blue").expect_err("unknown").to_string().contains("unknown variant `blue`"));
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_value(metric).expect("a word"), metric.key());
            let (low, high) = (metric.is_better(1.0, 2.0), metric.is_better(2.0, 1.0));
            assert!(low != high && !metric.is_better(1.0, 1.0) && !metric.is_better(f64::NAN, 1.0));
        }
    }
}
