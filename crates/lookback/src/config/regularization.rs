//! What keeps a model from learning its pairs by heart: dropout of values and of words, words of its own; what of it cannot combine is refused with the remedy.

use serde::{Deserialize, Serialize};

use super::check::invalid;
use super::{Config, ConfigError, ModelConfig, TrainConfig};

/// How often the decoder reads words of its own in training (Bengio et al. 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduledSampling {
    /// Never.
    None,
    /// From 0 to `sampling_max` over the run; needs a limit.
    Linear,
    /// With 1 − k/(k + exp(update/k)), at most `sampling_max`.
    InverseSigmoid,
}

impl ModelConfig {
    /// The dropout rates of embeddings, between layers and of attentional states.
    #[must_use]
    pub fn dropout_rates(&self) -> [f32; 3] {
        let common = self.dropout.unwrap_or(0.0);
        [self.dropout_embedding, self.dropout_layers, self.dropout_state].map(|own| own.unwrap_or(common))
    }
}

impl Config {
    #[allow(clippy::float_cmp, reason = "a default that was not touched is the same number")]
    fn check_sampling(&self) -> Result<(), ConfigError> {
        let (train, default) = (&self.train, TrainConfig::default());
        if !(train.sampling_max > 0.0 && train.sampling_max <= 1.0) {
            return invalid("train.sampling_max", format!("{} is not above 0 and at most 1", train.sampling_max));
        }
        if !(train.sampling_k.is_finite() && train.sampling_k >= 1.0) {
            return invalid("train.sampling_k", format!("{} is not a number of at least 1", train.sampling_k));
        }
        if train.sampling_max != default.sampling_max && train.scheduled_sampling == ScheduledSampling::None {
            let message = "nothing is sampled; leave it out, or set `train.scheduled_sampling`";
            return invalid("train.sampling_max", message.into());
        }
        if train.sampling_k != default.sampling_k && train.scheduled_sampling != ScheduledSampling::InverseSigmoid {
            let message = "it belongs to `inverse_sigmoid`; leave it out, or set `train.scheduled_sampling = \"inverse_sigmoid\"`";
            return invalid("train.sampling_k", message.into());
        }
        Ok(())
    }

    /// What cannot combine.
    pub(super) fn check_regularization(&self) -> Result<(), ConfigError> {
        let (m, train) = (&self.model, &self.train);
        let rate = |rate: Option<f32>| f64::from(rate.unwrap_or(0.0));
        let shares = [
            ("model.dropout", rate(m.dropout)),
            ("model.dropout_embedding", rate(m.dropout_embedding)),
            ("model.dropout_layers", rate(m.dropout_layers)),
            ("model.dropout_state", rate(m.dropout_state)),
            ("train.word_dropout_src", train.word_dropout_src),
            ("train.word_dropout_tgt", train.word_dropout_tgt),
        ];
        if let Some((key, share)) = shares.iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            return invalid(key, format!("{share} is not at least 0 and below 1"));
        }
        if rate(m.dropout_layers) > 0.0 && m.encoder_layers == 1 && m.decoder_layers == 1 {
            let message = "with one layer on each side there is nothing between layers; leave it out, or set `model.encoder_layers` or \
                           `model.decoder_layers`";
            return invalid("model.dropout_layers", message.into());
        }
        if m.variational_dropout && m.dropout.is_some() && m.dropout_rates().iter().all(|&rate| rate <= 0.0) {
            let message = "it says how masks are drawn, and all rates are 0; leave it out, or set `model.dropout`";
            return invalid("model.variational_dropout", message.into());
        }
        self.check_sampling()
    }
}

#[cfg(test)]
mod tests {
    use super::super::CorpusSize;
    use super::*;

    fn resolved(sets: &[&str]) -> Result<Config, ConfigError> {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        config.resolve(CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 })
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "rates are passed on, not computed")]
    fn a_rate_of_its_own_wins_over_the_common_one() {
        let rates = |sets: &[&str]| resolved(sets).expect("valid").model.dropout_rates();
        assert_eq!(rates(&["model.dropout=0.25"]), [0.25; 3]);
        assert_eq!(rates(&["model.dropout=0.25", "model.dropout_state=0.5"]), [0.25, 0.25, 0.5]);
        let all = ["model.dropout_embedding=0.125", "model.dropout_layers=0.0", "model.dropout_state=0.5"];
        assert_eq!(rates(&all), [0.125, 0.0, 0.5]);
    }

    #[test]
    fn what_cannot_combine_is_refused_by_its_key() {
        let cases = [
            (&["model.dropout=1.0"][..], "model.dropout: 1"),
            (&["model.dropout_embedding=1.5"], "model.dropout_embedding: 1.5"),
            (&["model.dropout_state=-0.5"], "model.dropout_state: -0.5"),
            (&["train.word_dropout_src=1.0"], "train.word_dropout_src: 1"),
            (&["train.word_dropout_tgt=-0.5"], "train.word_dropout_tgt: -0.5"),
            (&["model.dropout_layers=0.5"], "model.dropout_layers: with one layer"),
            (&["train.sampling_max=0.0", "train.scheduled_sampling=linear"], "train.sampling_max: 0 is"),
            (&["train.sampling_max=0.5"], "train.sampling_max: nothing is sampled"),
            (&["train.sampling_k=0.5"], "train.sampling_k: 0.5 is not"),
            (&["train.sampling_k=9.0", "train.scheduled_sampling=linear"], "train.sampling_k: it belongs"),
            (&["model.variational_dropout=true", "model.dropout=0.0"], "model.variational_dropout: it says how"),
        ];
        for (sets, start) in cases {
            let message = resolved(sets).expect_err("refused").to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }
}
